"""Readings: thresholds and figures read off many curves at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.calibration_range import RangeSpec
from opiscal.measures.rates import Floats, RateCurve
from opiscal.measures.replicate_curves import Curves

Figure = tuple[str, float | None]
"""A figure's name, and the target rate of a threshold."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Reads figures off the curves of B replicates.

    Attributes
    ----------
    distance : float64 array of shape (J,)
        The nodes of the curves.
    window : slice
        Those about the calibration range.
    curve : RateCurve
        The rates as they are, at far more edges than nodes: between two nodes a replicate's rate
        runs as this one does.
    spec : RangeSpec
    fixed : pair of float or None
        The ends of the calibration range where no replicate moves them.
    """

    distance: Floats
    window: slice
    curve: RateCurve
    spec: RangeSpec
    fixed: tuple[float, float] | None

    def figures(
        self,
        curves: Curves,
        far: Sequence[float],
        frr: Sequence[float],
        at: Sequence[float] = (),
    ) -> dict[Figure, Floats]:
        """All figures by name, and for thresholds of a target rate by the target; (B,) each.

        ``frr_at_far`` is the FRR at the threshold for each FAR; ``far_at``, ``frr_at`` and
        ``utility_at`` are what is found at the distances `at`.
        """
        ends = self._ends(curves)
        low, high = ends
        out: dict[Figure, Floats] = {
            ("range_low", None): low,
            ("range_high", None): high,
            ("utility", None): _peak(self.distance, curves.mean),
            ("recommended", None): self._recommended(curves, ends),
            ("mean_utility", None): self._mean_over(ends, curves.mean[:, self.window]),
            ("opis", None): self._mean_over(ends, curves.spread),
            ("epsilon_opis", None): self._mean_over(ends, np.square(curves.gap)),
        }
        out["eer_threshold", None], out["eer", None] = self._crossing(curves)
        if curves.corrected is not None:
            out["corrected_opis", None] = self._mean_over(ends, curves.corrected)
        for x in far:
            threshold = self._far_threshold(curves, x)
            out["far", x] = threshold
            out["frr_at_far", x] = self._rate_at(curves.frr, threshold, self.curve.frr)
        for x in at:
            distance = np.full(len(curves.far), x)
            out["far_at", x] = self._rate_at(curves.far, distance, self.curve.far)
            out["frr_at", x] = self._rate_at(curves.frr, distance, self.curve.frr)
            held = np.clip(distance, self.distance[0], self.distance[-1])
            out["utility_at", x] = _at(self.distance, curves.mean, held)
        return out | {("frr", x): self._frr_threshold(curves, x) for x in frr}

    def _rate_at(self, rates: Floats, at: Floats, fine: Floats) -> Floats:
        """Rates of shape (B, J) at one threshold each; between two nodes they run as `fine`."""
        nodes = np.interp(self.distance, self.curve.distance, fine)
        held = np.clip(at, self.distance[0], self.distance[-1])
        rows, before, _ = _cell(self.distance, held)
        step = nodes[before + 1] - nodes[before]
        way = np.interp(held, self.curve.distance, fine) - nodes[before]
        share = np.divide(way, step, out=np.zeros(at.shape), where=step != 0)
        left, right = rates[rows, before], rates[rows, before + 1]
        return np.asarray(left + np.clip(share, 0.0, 1.0) * (right - left))

    def _far_threshold(self, curves: Curves, far: float) -> Floats:
        return self._reach(curves.far, far, self.curve.far)

    def _frr_threshold(self, curves: Curves, frr: float) -> Floats:
        return self._reach(-curves.frr, -frr, -self.curve.frr)

    def _ends(self, curves: Curves) -> tuple[Floats, Floats]:
        if self.fixed is not None:
            whole = np.ones(len(curves.far))
            return self.fixed[0] * whole, self.fixed[1] * whole
        if self.spec.kind == "far":
            ends = [self._far_threshold(curves, x) for x in (self.spec.low, self.spec.high)]
        else:
            ends = [self._frr_threshold(curves, x) for x in (self.spec.high, self.spec.low)]
        return ends[0], ends[1]

    def _recommended(self, curves: Curves, ends: tuple[Floats, Floats]) -> Floats:
        """The best threshold in the range: at one of its ends, or at a peak between them."""
        nodes, mean = self.distance[self.window], curves.mean[:, self.window]
        low, high = ends
        outside = (nodes <= low[:, None]) | (nodes >= high[:, None])
        inside = np.where(outside, -np.inf, mean)
        at_ends = _at(nodes, mean, low), _at(nodes, mean, high)
        at_end = np.maximum(*at_ends) >= inside.max(axis=1)
        peak = np.clip(_peak(nodes, inside), low, high)
        return np.where(at_end, np.where(at_ends[0] >= at_ends[1], low, high), peak)

    def _reach(self, rising: Floats, asked: float, fine: Floats) -> Floats:
        """Where curves of shape (B, J) that rise reach a value."""
        nodes = np.interp(self.distance, self.curve.distance, fine)
        above = np.count_nonzero(rising <= asked, axis=1)
        before = np.clip(above - 1, 0, self.distance.size - 2)
        rows = np.arange(len(rising))
        low, high = rising[rows, before], rising[rows, before + 1]
        step = np.where(high > low, high - low, 1.0)
        share = np.clip((asked - low) / step, 0.0, 1.0)
        level = nodes[before] + share * (nodes[before + 1] - nodes[before])
        # Of the edges at one level the last is the threshold: it accepts no more than the first.
        last = np.append(np.diff(fine) > 0, True)
        return np.asarray(np.interp(level, fine[last], self.curve.distance[last]))

    def _crossing(self, curves: Curves) -> tuple[Floats, Floats]:
        over = curves.far - curves.frr
        after = np.clip(np.argmax(over >= 0, axis=1), 1, self.distance.size - 1)
        rows = np.arange(len(over))
        low, high = over[rows, after - 1], over[rows, after]
        step = np.where(high > low, high - low, 1.0)
        share = np.clip(-low / step, 0.0, 1.0)

        def between(left: Floats, right: Floats) -> Floats:
            return np.asarray(left + share * (right - left))

        rate = between(curves.far[rows, after - 1], curves.far[rows, after])
        return between(self.distance[after - 1], self.distance[after]), rate

    def _mean_over(self, ends: tuple[Floats, Floats], values: Floats) -> Floats:
        """Mean of curves of shape (B, K) between the ends; at a range of no width the value."""
        nodes = self.distance[self.window]
        low, high = (np.clip(end, nodes[0], nodes[-1]) for end in ends)
        area = np.zeros(values.shape)
        np.cumsum(0.5 * np.diff(nodes) * (values[:, 1:] + values[:, :-1]), axis=1, out=area[:, 1:])
        width = high - low
        whole = _area(nodes, values, area, high) - _area(nodes, values, area, low)
        collapsed = width <= 1e-9 * nodes[-1]
        mean = whole / np.where(collapsed, 1.0, width)
        return np.where(collapsed, _at(nodes, values, low), mean)


def _cell(nodes: Floats, at: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """For a threshold of each replicate: its row, the node before it and the way to the next."""
    before = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, nodes.size - 2)
    return np.arange(at.size), before, at - nodes[before]


def _at(nodes: Floats, values: Floats, at: Floats) -> Floats:
    """Curves of shape (B, K) at one threshold each."""
    rows, before, way = _cell(nodes, at)
    left, right = values[rows, before], values[rows, before + 1]
    return np.asarray(left + (right - left) * way / (nodes[before + 1] - nodes[before]))


def _area(nodes: Floats, values: Floats, area: Floats, at: Floats) -> Floats:
    """Areas under curves of shape (B, K) up to one threshold each."""
    rows, before, way = _cell(nodes, at)
    left, right = values[rows, before], values[rows, before + 1]
    slope = (right - left) / (nodes[before + 1] - nodes[before])
    return np.asarray(area[rows, before] + way * (left + 0.5 * slope * way))


def _peak(nodes: Floats, values: Floats) -> Floats:
    """Where curves of shape (B, J) are highest: the vertex of the parabola through three nodes."""
    top = np.argmax(values, axis=1)
    middle = np.clip(top, 1, nodes.size - 2)
    rows = np.arange(len(values))
    left, peak, right = (values[rows, middle + k] for k in (-1, 0, 1))
    before, after = nodes[middle] - nodes[middle - 1], nodes[middle + 1] - nodes[middle]
    with np.errstate(invalid="ignore", divide="ignore"):
        up, down = (peak - left) / before, (peak - right) / after
        move = 0.5 * (up * after - down * before) / (up + down)
    usable = (middle == top) & np.isfinite(move)
    move = np.where(usable, np.clip(move, -0.5 * before, 0.5 * after), 0.0)
    return np.asarray(nodes[np.where(usable, middle, top)] + move)
