"""Resampling nodes: the class edges that replicate curves are worked out at."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.calibration_range import CalibrationRange
from opiscal.measures.rates import Floats

# Replicates reach farther than this many standard deviations once in a million.
_REACH = 5.0
# Replicates differ by smooth curves: few nodes tell them apart as well as all.
_WINDOW_NODES = 64
_CELLS_PER_DECADE, _CELLS = 8, 40


@dataclass(frozen=True, slots=True)
class Nodes:
    """Class edges, and which of them lie about the calibration range.

    Attributes
    ----------
    edge : int64 array of shape (J,), ascending
    window : slice
        K of them: every end of the range that a replicate can reach lies between two.
    share : float64 array of shape (K,)
        Weights of a mean over the calibration range as it is; they sum to 1.
    """

    edge: NDArray[np.int64]
    window: slice
    share: Floats


@dataclass(frozen=True, slots=True)
class MovingEnds:
    """A range whose ends are found anew from a rate that replicates move.

    Attributes
    ----------
    rising : float64 array of shape (C,)
        FAR, or FRR with its sign turned: it rises with the threshold.
    deviation : float64 array of shape (C,)
        Its standard deviation.
    low, high : float
        Its values asked for at the two ends.
    """

    rising: Floats
    deviation: Floats
    low: float
    high: float

    def reached(self) -> tuple[int, int]:
        """The outermost class edges between which replicates put the ends."""
        at_most = np.flatnonzero(self.rising + _REACH * self.deviation < self.low)
        at_least = np.flatnonzero(self.rising - _REACH * self.deviation > self.high)
        first = int(at_most[-1]) if at_most.size else 0
        return first, int(at_least[0]) if at_least.size else self.rising.size - 1


def place_nodes(
    distance: Floats,
    far: Floats,
    frr: Floats,
    calibration: CalibrationRange,
    moving: MovingEnds | None,
) -> Nodes:
    """Choose nodes among the class edges.

    Parameters
    ----------
    distance, far, frr : float64 arrays of shape (C,)
        The class edges and the rates there.
    calibration : CalibrationRange
    moving : MovingEnds or None
        None where the ends were given as distances.

    Returns
    -------
    Nodes
    """
    # A coordinate that rises wherever anything changes: by decades of FAR, by FAR, and by FRR.
    decades = np.log10(np.maximum(far, 1e-9))
    place = _CELLS_PER_DECADE * decades + _CELLS * (far - frr)
    thin = np.flatnonzero(np.diff(np.floor(place), prepend=-np.inf))
    low, high = np.searchsorted(distance, [calibration.low, calibration.high])
    first, last = max(int(low) - 1, 0), min(int(high), distance.size - 1)
    if moving is not None:
        reached = moving.reached()
        first, last = min(first, reached[0]), max(last, reached[1])
    if last == first:
        first, last = max(first - 1, 0), min(last + 1, distance.size - 1)
    count = min(_WINDOW_NODES, last - first + 1)
    inside = np.unique(np.round(np.linspace(first, last, count)).astype(np.int64))
    outside = np.concatenate([thin, [0, distance.size - 1]])
    before = np.unique(outside[outside < first])
    after = np.unique(outside[outside > last])
    edge = np.concatenate([before, inside, after]).astype(np.int64)
    window = slice(before.size, before.size + inside.size)
    return Nodes(edge, window, _share(distance[inside], calibration))


def _share(distance: Floats, calibration: CalibrationRange) -> Floats:
    """Shares of the nodes in the calibration range: the trapezoid, each cell cut at the ends."""
    low = np.clip(distance[:-1], calibration.low, calibration.high)
    high = np.clip(distance[1:], calibration.low, calibration.high)
    width = high - low
    share = np.zeros(distance.size)
    share[:-1] += 0.5 * width
    share[1:] += 0.5 * width
    if share.sum() > 0:
        return np.asarray(share / share.sum())
    share[int(np.argmin(np.abs(distance - calibration.low)))] = 1.0
    return share
