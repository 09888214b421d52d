"""FAR and FRR against the threshold: the chart that a threshold is read off."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from matplotlib.axes import Axes

from opiscal.measures.rate_intervals import RateIntervals, rate_intervals
from opiscal.measures.rates import Floats, class_counts_at, rate_curve
from opiscal.pairs.counts import PairCounts
from opiscal.report.captions import rates_title
from opiscal.report.displays.display import Display, legend_below, tidy, width_of
from opiscal.report.displays.distance_axis import DistanceMarks, draw_marks, label_distance
from opiscal.report.displays.look import Look, paper
from opiscal.report.displays.shown_edges import shown_edges
from opiscal.report.displays.ticks import label_rates
from opiscal.report.percents import percent
from opiscal.report.record import Report
from opiscal.report.visible_range import LOWEST_RATE, rate_limits

_OF_CLASSES = (5.0, 95.0)
# Points that a rate in words takes.
_TEXT = 36.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RatesDisplay(Display):
    """FAR and FRR against the threshold, with intervals and what most classes have.

    Attributes
    ----------
    distance : float64 array of shape (K,), ascending
        Thresholds: edges at which pairs were counted.
    far, frr : float64 arrays of shape (K,), in [0, 1]
        Pooled.
    far_ci, frr_ci : float64 arrays of shape (2, K), in [0, 1], or None
        Their intervals.
    far_of_classes, frr_of_classes : float64 arrays of shape (2, K), in [0, 1]
        Between these lie the rates of 90 % of the classes.
    points : tuple of (str, float, float, float)
        Operating points: name, distance, FAR and FRR.
    at_threshold : pair of float, or None
        FAR and FRR at the recommended threshold.
    limits : pair of float
        Ends of the axis of distances.
    marks : DistanceMarks
    """

    kind: ClassVar[str] = "rates"
    distance: Floats
    far: Floats
    frr: Floats
    far_ci: Floats | None
    frr_ci: Floats | None
    far_of_classes: Floats
    frr_of_classes: Floats
    points: tuple[tuple[str, float, float, float], ...]
    at_threshold: tuple[float, float] | None
    limits: tuple[float, float]
    marks: DistanceMarks

    @classmethod
    def from_report(cls, report: Report, *, intervals: RateIntervals | None = None) -> Self:
        """Take the rates from where false accepts begin to where half of the negatives are taken.

        Parameters
        ----------
        report : Report
        intervals : RateIntervals, optional
            Those of the report's counts, where they are at hand.
        """
        counts, settings = report.counts, report.settings
        curve = rate_curve(counts, settings.pool)
        if intervals is None and report.intervals is not None:
            intervals = rate_intervals(counts, settings.pool, report.confidence)
        marks = DistanceMarks.of(report)
        points = operating_points(report)
        marked = [*marks.range, *(point[1] for point in points)]
        marked += [] if marks.threshold is None else [marks.threshold]
        limits = rate_limits(curve.distance, curve.far, tuple(marked), report.metric)
        at = shown_edges(curve.distance, limits, np.searchsorted(curve.distance, marked))
        distance = curve.distance[at]
        far_of_classes, frr_of_classes = _of_classes(counts, distance)
        found = report.recommended_threshold
        return cls(
            distance=distance,
            far=curve.far[at],
            frr=curve.frr[at],
            far_ci=None if intervals is None else _both(intervals.far_low, intervals.far_high, at),
            frr_ci=None if intervals is None else _both(intervals.frr_low, intervals.frr_high, at),
            far_of_classes=far_of_classes,
            frr_of_classes=frr_of_classes,
            points=points,
            at_threshold=None if found.far is None or found.frr is None else (found.far, found.frr),
            limits=limits,
            marks=marks,
        )

    @property
    def title(self) -> str:
        """FAR and FRR at the recommended threshold."""
        return rates_title(self.at_threshold)

    @property
    def headline(self) -> tuple[str, str]:
        """Both rates at the recommended threshold."""
        return "FAR and FRR", _and(self.at_threshold)

    @property
    def description(self) -> str:
        """What is drawn."""
        points = "; ".join(
            f"{name}: distance {distance:.4g}, FAR {percent(far)}, FRR {percent(frr)}"
            for name, distance, far, frr in self.points
        )
        return (
            "False accept rate rising and false reject rate falling with the threshold, on a "
            f"logarithmic axis, with intervals. Operating points: {points or 'none'}."
        )

    @property
    def note(self) -> str:
        """That there are no errors to see, or no range."""
        if not (self.frr[self.far > 0] > 0).any():
            return "no threshold makes both kinds of error: the classes lie apart"
        return self.marks.note

    def draw(self, ax: Axes, look: Look) -> None:
        """Both rates; a rate of 0 is below the axis and not drawn."""
        for name, rate, between, of_classes, pen in (
            ("FAR", self.far, self.far_ci, self.far_of_classes, look.first),
            ("FRR", self.frr, self.frr_ci, self.frr_of_classes, look.second),
        ):
            if look.alone:
                ax.fill_between(
                    self.distance, *np.maximum(of_classes, LOWEST_RATE / 100), color=pen.colour,
                    alpha=0.13, linewidth=0, label=f"{name} of 90 % of classes",
                )  # fmt: skip
            if between is not None:
                ax.fill_between(
                    self.distance, *np.maximum(between, LOWEST_RATE / 100), color=pen.colour,
                    alpha=0.35, linewidth=0,
                )  # fmt: skip
            shown = np.where(rate > 0, rate, np.nan)
            label = name if between is None or not look.alone else f"{name} with its interval"
            ax.plot(self.distance, shown, label=look.label(label), zorder=3, **pen.line())
        draw_marks(ax, self.marks, look)
        if look.alone:
            self._draw_points(ax, look)

    def finish(self, ax: Axes, other: Self | None = None) -> None:
        """Both scales of the threshold, and a logarithmic axis of rates."""
        both = [self] if other is None else [self, other]
        ends = [one.limits for one in both]
        tidy(ax)
        label_distance(ax, self.marks.metric, (float(np.min(ends)), float(np.max(ends))))
        ax.set_yscale("log")
        rates = np.concatenate([rate for one in both for rate in (one.far, one.frr)])
        lowest = float(rates[rates > 0].min(initial=0.1))
        ax.set_ylim(max(LOWEST_RATE, 10.0 ** np.floor(np.log10(lowest))), 1.2)
        ax.set_ylabel("rate")
        label_rates(ax.yaxis)
        ax.grid(axis="y", linewidth=0.4, alpha=0.5)
        legend_below(ax)

    def _draw_points(self, ax: Axes, look: Look) -> None:
        """A mark where FAR is as asked, one at the FRR that this costs, and that FRR in words."""
        last = -np.inf
        for name, distance, far, frr in self.points:
            if not name.startswith("FAR") or not (far > 0 and frr > 0):
                continue
            ax.plot([distance, distance], [far, frr], color=look.second.colour, linewidth=0.5)
            ax.plot(distance, far, "o", color=look.first.colour, markersize=3.5, zorder=4)
            ax.plot(distance, frr, "s", color=look.second.colour, markersize=3.2, zorder=4)
            if abs(distance - last) < _TEXT / width_of(ax) * (self.limits[1] - self.limits[0]):
                continue
            last = distance
            ax.annotate(
                percent(frr), (distance, frr), xytext=(2, 3), textcoords="offset points",
                fontsize="x-small", zorder=5,
                bbox={"facecolor": paper(), "edgecolor": "none", "pad": 0.4, "alpha": 0.7},
            )  # fmt: skip


def _and(rates: tuple[float, float] | None) -> str:
    return "unknown" if rates is None else f"{percent(rates[0])} and {percent(rates[1])}"


def operating_points(report: Report) -> tuple[tuple[str, float, float, float], ...]:
    """Name, distance, FAR and FRR of the operating points that the data support."""
    found = []
    for point in report.operating_points:
        if point.distance is None or point.far is None or point.frr is None or not point.supported:
            continue
        name = {"eer": "EER", "utility": "best utility"}.get(point.criterion)
        name = f"{point.criterion.upper()} {point.target:g}" if name is None else name
        found.append((name, point.distance, point.far, point.frr))
    return tuple(found)


def _both(low: Floats, high: Floats, at: np.ndarray) -> Floats:
    return np.stack([low[at], high[at]])


def _of_classes(counts: PairCounts, distance: Floats) -> tuple[Floats, Floats]:
    accepted = class_counts_at(counts, distance)
    positives = counts.positives_of_class[:, None]
    far = np.percentile(accepted.negative / counts.negatives_of_class[:, None], _OF_CLASSES, axis=0)
    frr = np.percentile((positives - accepted.positive) / positives, _OF_CLASSES, axis=0)
    return np.asarray(far, dtype=np.float64), np.asarray(frr, dtype=np.float64)
