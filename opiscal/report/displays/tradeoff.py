"""FRR against FAR: the DET curve on probit axes, and the ROC curve on a logarithmic FAR."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.special import ndtri

from opiscal.measures.rate_intervals import RateIntervals, rate_intervals
from opiscal.measures.rates import Floats, rate_curve
from opiscal.report.captions import det_title, roc_title
from opiscal.report.displays.display import Display, legend_below, tidy
from opiscal.report.displays.look import Look, ink, palette, paper
from opiscal.report.displays.rates import operating_points
from opiscal.report.displays.shown_edges import shown_edges
from opiscal.report.displays.ticks import apart, fix_ticks, label_rates
from opiscal.report.percents import percent
from opiscal.report.record import Report

_LOWEST = 1e-6
_PROBIT_TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TradeoffDisplay(Display):
    """FRR against FAR, over the thresholds that make errors of both kinds.

    Attributes
    ----------
    distance, far, frr : float64 arrays of shape (K,)
        Thresholds, FAR rising and FRR falling, both above 0.
    frr_ci : float64 array of shape (2, K), in [0, 1], or None
        Intervals of FRR at each threshold.
    points : tuple of (str, float, float, float)
        Operating points: name, distance, FAR and FRR.
    points_ci : tuple of (pair of float, pair of float)
        Of these the intervals of FAR and of FRR; empty without intervals.
    eer : float
    eer_ci : pair of float, or None
    auc : float
    """

    distance: Floats
    far: Floats
    frr: Floats
    frr_ci: Floats | None
    points: tuple[tuple[str, float, float, float], ...]
    points_ci: tuple[tuple[tuple[float, float], tuple[float, float]], ...]
    eer: float
    eer_ci: tuple[float, float] | None
    auc: float

    @classmethod
    def from_report(cls, report: Report, *, intervals: RateIntervals | None = None) -> Self:
        """Take both rates from the edges between which neither is 0.

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
        both = np.flatnonzero((curve.far >= _LOWEST) & (curve.frr > 0))
        points = tuple(one for one in operating_points(report) if one[2] > 0 and one[3] > 0)
        if both.size:
            scale = ndtri(curve.far[both])
            marked = np.searchsorted(curve.distance[both], [point[1] for point in points])
            both = both[shown_edges(scale, (float(scale[0]), float(scale[-1])), marked)]
        points_ci = []
        for _, distance, _, _ in points:
            if intervals is not None:
                found = intervals.at(distance)
                points_ci.append((found.far_ci, found.frr_ci))
        low, high = report.verification.eer
        return cls(
            distance=curve.distance[both],
            far=curve.far[both],
            frr=curve.frr[both],
            frr_ci=(
                None
                if intervals is None
                else np.stack([intervals.frr_low[both], intervals.frr_high[both]])
            ),
            points=points,
            points_ci=tuple(points_ci),
            eer=0.5 * (low + high),
            eer_ci=report.verification.eer_ci,
            auc=report.verification.auc,
        )

    @property
    def note(self) -> str:
        """That there is no trade-off."""
        if self.far.size:
            return ""
        return "no threshold makes both kinds of error: the classes lie apart"

    @property
    def description(self) -> str:
        """What is drawn."""
        points = "; ".join(f"FRR {percent(p[3])} at FAR {percent(p[2])}" for p in self.points)
        return f"False reject rate against false accept rate. {points or 'No operating points'}."


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DetDisplay(TradeoffDisplay):
    """The DET curve: both errors on probit axes, where normal scores give a straight line."""

    kind: ClassVar[str] = "det"

    @property
    def title(self) -> str:
        """The equal error rate."""
        return det_title(self.eer, self.eer_ci)

    @property
    def headline(self) -> tuple[str, str]:
        """The equal error rate."""
        return "Equal error rate", percent(self.eer)

    def draw(self, ax: Axes, look: Look) -> None:
        """The curve, the interval of FRR along it, and of both rates at the operating points."""
        if self.frr_ci is not None and self.far.size:
            ax.fill_between(
                ndtri(self.far), *ndtri(np.clip(self.frr_ci, 1e-9, 1 - 1e-9)),
                color=look.first.colour, alpha=0.22, linewidth=0,
                label="interval of FRR" if look.alone else None,
            )  # fmt: skip
        ax.plot(
            ndtri(self.far), ndtri(self.frr), label=look.label("DET curve"), zorder=3,
            **look.first.line(),
        )  # fmt: skip
        if look.alone:
            for k, (_, _, far, frr) in enumerate(self.points):
                x, y = ndtri(far), ndtri(frr)
                if self.points_ci:
                    (far_low, far_high), (frr_low, frr_high) = np.clip(
                        self.points_ci[k], 1e-9, 1 - 1e-9
                    )
                    bars: dict[str, Any] = {"color": ink(), "linewidth": 0.7, "zorder": 3.5}
                    ax.plot(ndtri([far_low, far_high]), [y, y], **bars)
                    ax.plot([x, x], ndtri([frr_low, frr_high]), **bars)
                label = "operating points, with intervals" if k == 0 else None
                ax.plot(x, y, "o", color=ink(), markersize=3.2, zorder=4, label=label)

    def finish(self, ax: Axes, other: Self | None = None) -> None:
        """Probit axes, and the line where both errors are equal."""
        both = [self] if other is None else [self, other]
        far = np.concatenate([one.far for one in both])
        frr = np.concatenate([one.frr for one in both])
        x = _probit_limits(far, 1e-4, 0.5)
        y = _probit_limits(frr, 1e-3, 0.8)
        ends = [max(x[0], y[0]), min(x[1], y[1])]
        ax.plot(ends, ends, color=palette().grey, linewidth=0.7, linestyle=":", zorder=1)
        for axis, limits in ((ax.xaxis, x), (ax.yaxis, y)):
            ticks = [t for t in _PROBIT_TICKS if limits[0] <= ndtri(t) <= limits[1]]
            places = ndtri(ticks)
            kept = apart(places, 0.1 * (limits[1] - limits[0]))
            fix_ticks(axis, places[kept].tolist(), [percent(ticks[k]) for k in kept])
            axis.set_tick_params(labelsize="small")
        ax.set(xlim=x, ylim=y, xlabel="FAR", ylabel="FRR")
        ax.grid(linewidth=0.4, alpha=0.5)
        tidy(ax)
        legend_below(ax)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RocDisplay(TradeoffDisplay):
    """The ROC curve: accepted positives, 1 - FRR, against FAR on a logarithmic axis."""

    kind: ClassVar[str] = "roc"

    @property
    def title(self) -> str:
        """What is accepted at the lowest FAR that the data support."""
        lowest = min(
            (point for point in self.points if point[0].startswith("FAR")),
            key=lambda point: point[2],
            default=None,
        )
        return roc_title(None if lowest is None else (lowest[0], lowest[3]), self.auc)

    @property
    def headline(self) -> tuple[str, str]:
        """The area under the curve, for runs may support different targets."""
        return "Area under the ROC curve", f"{self.auc:.5f}"

    def draw(self, ax: Axes, look: Look) -> None:
        """The curve, its interval, and the operating points."""
        if self.frr_ci is not None and self.far.size:
            ax.fill_between(
                self.far, 1 - self.frr_ci[0], 1 - self.frr_ci[1], color=look.first.colour,
                alpha=0.22, linewidth=0, label="its interval" if look.alone else None,
            )  # fmt: skip
        ax.plot(
            self.far, 1 - self.frr, label=look.label("accepted positives"), zorder=3,
            **look.first.line(),
        )  # fmt: skip
        if look.alone:
            for k, (name, _, far, frr) in enumerate(self.points):
                label = "operating points" if k == 0 else None
                ax.plot(far, 1 - frr, "o", color=ink(), markersize=3.2, zorder=4, label=label)
                if name.startswith("FAR"):
                    ax.annotate(
                        percent(1 - frr), (far, 1 - frr), xytext=(3, -9),
                        textcoords="offset points", fontsize="x-small", zorder=5,
                        bbox={"facecolor": paper(), "edgecolor": "none", "pad": 0.4, "alpha": 0.7},
                    )  # fmt: skip

    def finish(self, ax: Axes, other: Self | None = None) -> None:
        """FAR on a logarithmic axis, accepted positives from 0 to 1."""
        both = [self] if other is None else [self, other]
        far = np.concatenate([one.far for one in both])
        ax.set_xscale("log")
        ax.set(
            xlim=(max(_LOWEST, 0.8 * float(far.min(initial=1e-2))), 1.0), ylim=(0.0, 1.02),
            xlabel="FAR", ylabel="accepted positives (1 - FRR)",
        )  # fmt: skip
        label_rates(ax.xaxis)
        ax.yaxis.set_major_formatter(lambda share, _: percent(share))
        ax.grid(linewidth=0.4, alpha=0.5)
        tidy(ax)
        legend_below(ax)


def _probit_limits(rate: Floats, low: float, high: float) -> tuple[float, float]:
    ends: ArrayLike = [min(rate.min(initial=low), low), max(rate.max(initial=high), high)]
    lowest, highest = ndtri(np.clip(ends, _LOWEST, 0.9995))
    return float(lowest) - 0.05, float(highest) + 0.05
