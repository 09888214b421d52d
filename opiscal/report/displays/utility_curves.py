"""The utility of every class against the threshold."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from opiscal.measures.rates import Floats
from opiscal.measures.utility import Utility, UtilityKind, class_utility
from opiscal.report.advice import find_advice
from opiscal.report.class_table import ClassTable, class_table
from opiscal.report.displays.display import Display, legend_below, tidy
from opiscal.report.displays.distance_axis import (
    DistanceMarks,
    draw_marks,
    label_distance,
)
from opiscal.report.displays.look import Look, ink, palette
from opiscal.report.record import Report
from opiscal.report.visible_range import curve_thresholds

MOST_LINES = 300
"""With more classes than this, bands stand in place of a line for each."""

_BANDS = ((5, 95, 0.22), (25, 75, 0.35))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class UtilityCurvesDisplay(Display):
    """Utility of every class against the threshold, with the mean and the worst classes.

    Attributes
    ----------
    distance : float64 array of shape (K,), ascending
        Thresholds; the first and the last are the ends of the axis.
    utility : float64 array of shape (T, K), in [0, 1]
    worst : int64 array of shape (m,)
        Places of the worst classes, those of eps-OPIS.
    verdict : str
        What one threshold costs the worst classes, or that no difference is shown.
    points_lost : float
        Mean utility over the range of the other classes less that of the worst, times 100.
    marks : DistanceMarks
    utility_kind : str
    """

    kind: ClassVar[str] = "utility-curves"
    distance: Floats
    utility: Floats
    worst: NDArray[np.int64]
    verdict: str
    points_lost: float
    marks: DistanceMarks
    utility_kind: UtilityKind

    @classmethod
    def from_report(cls, report: Report, *, table: ClassTable | None = None) -> Self:
        """Work out the curves over the calibration range, and as far again on either side.

        Parameters
        ----------
        report : Report
        table : ClassTable, optional
            That of the report, where it is at hand.
        """
        table = class_table(report) if table is None else table
        marks = DistanceMarks.of(report)
        how = Utility(report.settings.utility, report.settings.c)
        distance = curve_thresholds(report.counts, *marks.range, marks.threshold)
        named = set(report.epsilon_opis.worst_classes)
        bad = np.array([label in named for label in table.label])
        lost = table.mean_utility[~bad].mean() - table.mean_utility[bad].mean()
        return cls(
            distance=distance,
            utility=class_utility(report.counts, distance, how),
            worst=np.flatnonzero(bad),
            verdict=find_advice(report, table).verdict,
            points_lost=100 * float(lost),
            marks=marks,
            utility_kind=how.kind,
        )

    @property
    def mean(self) -> Floats:
        """Over all classes; shape (K,)."""
        mean: Floats = self.utility.mean(axis=0)
        return mean

    @property
    def worst_mean(self) -> Floats:
        """Over the worst classes; shape (K,)."""
        mean: Floats = self.utility[self.worst].mean(axis=0)
        return mean

    @property
    def title(self) -> str:
        """What one threshold costs the worst classes."""
        return self.verdict

    @property
    def headline(self) -> tuple[str, str]:
        """By how much the worst classes lie below the others."""
        return "Worst classes lose", f"{self.points_lost:.1f} points"

    @property
    def description(self) -> str:
        """What is drawn."""
        at, mean, worst = self.marks.threshold, self.mean, self.worst_mean
        where = ""
        if at is not None:
            means = np.interp(at, self.distance, mean), np.interp(at, self.distance, worst)
            where = (
                f" At the recommended threshold the mean is {means[0]:.3f}, that of the worst "
                f"classes {means[1]:.3f}."
            )
        return (
            f"Utility from 0 to 1 of {len(self.utility):,} classes against the threshold, their "
            f"mean, and the mean of the {self.worst.size:,} worst.{where}"
        )

    @property
    def note(self) -> str:
        """That there are few classes, or no range."""
        if len(self.utility) == 2:
            return "only two classes: how far they differ says little about others"
        return self.marks.note

    def draw(self, ax: Axes, look: Look) -> None:
        """Lines, or bands of many classes, and the two means."""
        if look.alone:
            self._draw_classes(ax)
        else:
            low, high = np.percentile(self.utility, [5, 95], axis=0)
            ax.fill_between(
                self.distance, low, high, color=look.first.colour, alpha=0.18, linewidth=0
            )
        worst = "worst classes"
        if look.alone:
            m = self.worst.size
            worst = "worst class" if m == 1 else f"mean of the worst {m:,}"
        mean = {**look.first.line(), **({"color": ink(), "linewidth": 2.4} if look.alone else {})}
        label = "mean over classes" if look.alone else look.label("mean")
        ax.plot(self.distance, self.mean, label=label, zorder=3, **mean)
        ax.plot(
            self.distance, self.worst_mean, label=look.label(worst), zorder=3,
            **look.second.line(),
        )  # fmt: skip
        draw_marks(ax, self.marks, look)

    def finish(self, ax: Axes, other: Self | None = None) -> None:
        """Both scales of the threshold, and utility from 0 to 1."""
        ends = [self.distance[[0, -1]]] + ([] if other is None else [other.distance[[0, -1]]])
        limits = float(np.min(ends)), float(np.max(ends))
        kinds = " and ".join(self.utility_kind.split("-"))
        ax.set(ylim=(0.0, 1.02), ylabel=f"utility (F-score of\n{kinds})")
        tidy(ax)
        label_distance(ax, self.marks.metric, limits)
        legend_below(ax)

    def _draw_classes(self, ax: Axes) -> None:
        classes, colours = len(self.utility), palette()
        if classes <= MOST_LINES:
            bad = np.zeros(classes, dtype=bool)
            bad[self.worst] = True
            alpha = float(np.clip(8.0 / max(1, classes), 0.2, 0.6))
            for those, colour, strength in (
                (~bad, colours.blue, alpha),
                (bad, colours.vermilion, 2 * alpha),
            ):
                lines = [np.column_stack([self.distance, curve]) for curve in self.utility[those]]
                art = LineCollection(
                    lines, colors=colour, linewidths=0.7, alpha=min(strength, 0.8), zorder=2
                )
                ax.add_collection(art)
            # For the legend: a line as faint as the others could not be seen there.
            ax.plot([], [], color=colours.blue, linewidth=0.8, label=f"each of {classes:,} classes")
            return
        for lower, upper, alpha in _BANDS:
            low, high = np.percentile(self.utility, [lower, upper], axis=0)
            ax.fill_between(
                self.distance, low, high, color=colours.blue, alpha=alpha, linewidth=0,
                label=f"{lower} to {upper} % of {classes:,} classes",
            )  # fmt: skip
