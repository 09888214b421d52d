"""Each class's own best threshold against the recommended one, and what the difference costs."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from opiscal.measures.rates import Floats
from opiscal.report.captions import label_text, own_thresholds_title
from opiscal.report.class_table import ClassTable, class_table
from opiscal.report.displays.display import Display, legend_below, tidy
from opiscal.report.displays.distance_axis import DistanceMarks, draw_marks, label_distance
from opiscal.report.displays.look import Look, ink, palette
from opiscal.report.record import Report

_WORST_NAMED = 5
_LABEL = 18
_MOST_VECTORS = 1000
"""More dots than this are drawn as one picture, which keeps files small."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ClassThresholdsDisplay(Display):
    """Own best threshold of every class, and the utility that it loses by the recommended one.

    Attributes
    ----------
    label : tuple of str, length T
        Safe to print, and cut.
    best : float64 array of shape (T,)
        The distance of the class's own highest utility.
    lost : float64 array of shape (T,), in [0, 1]
        That highest utility less the one at the recommended threshold; all 0 where there is none.
    worst : int64 array
        Places of the classes that lose most, the first most of all.
    marks : DistanceMarks
    """

    kind: ClassVar[str] = "class-thresholds"
    label: tuple[str, ...]
    best: Floats
    lost: Floats
    worst: NDArray[np.int64]
    marks: DistanceMarks

    @classmethod
    def from_report(cls, report: Report, *, table: ClassTable | None = None) -> Self:
        """Set the classes' own best thresholds against that of the report.

        Parameters
        ----------
        report : Report
        table : ClassTable, optional
            That of the report, where it is at hand.
        """
        table = class_table(report) if table is None else table
        lost = np.zeros(len(table.label))
        if table.utility is not None:
            # Own best thresholds are edges; the recommended one may lie between two and be better.
            lost = np.maximum(table.best_utility - table.utility, 0.0)
        order = np.argsort(-lost, kind="stable")[:_WORST_NAMED]
        return cls(
            label=tuple(label_text(label, _LABEL) for label in table.label),
            best=table.best_threshold,
            lost=lost,
            worst=order[lost[order] > 0],
            marks=DistanceMarks.of(report),
        )

    @property
    def title(self) -> str:
        """What thresholds of their own would give the classes."""
        return own_thresholds_title(None if self.marks.threshold is None else self.lost)

    @property
    def headline(self) -> tuple[str, str]:
        """What classes lose by the recommended threshold."""
        return "Lost by one threshold, mean", f"{100 * self.lost.mean():.1f} points"

    @property
    def description(self) -> str:
        """What is drawn."""
        low, middle, high = np.percentile(self.best, [5, 50, 95])
        return (
            f"Each of {len(self.label):,} classes at its own best threshold and the utility it "
            f"loses by the recommended one. Own best thresholds: 90 % lie in distances {low:.3g} "
            f"to {high:.3g}, the middle one at {middle:.3g}. Losing most: "
            f"{', '.join(self.label[k] for k in self.worst) or 'none'}."
        )

    @property
    def note(self) -> str:
        """That there is nothing to compare with."""
        if self.marks.threshold is None:
            return "there is no recommended threshold to compare with"
        return "" if self.lost.any() else "the recommended threshold is best for every class"

    def draw(self, ax: Axes, look: Look) -> None:
        """A dot a class."""
        ax.scatter(
            self.best, 100 * self.lost, s=9 if self.best.size < 200 else 5, zorder=3,
            color=look.first.colour, marker="o" if look.alone else "x",
            alpha=float(np.clip(60 / self.best.size, 0.25, 0.8)), linewidths=0.6,
            label=look.label(f"each of {self.best.size:,} classes" if look.alone else "classes"),
            rasterized=self.best.size > _MOST_VECTORS,
        )  # fmt: skip
        draw_marks(ax, self.marks, look)
        if look.alone:
            self._name_worst(ax, look)

    def finish(self, ax: Axes, other: Self | None = None) -> None:
        """Both scales of the threshold, and points of utility from 0."""
        both = [self] if other is None else [self, other]
        marked = [(*one.marks.range, one.marks.threshold or one.marks.range[0]) for one in both]
        at = np.concatenate([*(one.best for one in both), np.ravel(marked)])
        low, high = float(at.min()), float(at.max())
        margin = max(0.04 * (high - low), 1e-6, 1e-3 * abs(high))
        top = 100 * max(float(one.lost.max()) for one in both)
        tidy(ax)
        ends = max(low - margin, 0.0), high + margin
        label_distance(ax, self.marks.metric, ends)
        ax.set_ylim(-0.02 * max(top, 1.0), 1.12 * max(top, 1.0))
        ax.set_ylabel("points of utility lost by the\nrecommended threshold")
        legend_below(ax)

    def _name_worst(self, ax: Axes, look: Look) -> None:
        """Those that lose most: a larger dot each, and its name."""
        middle, taken = 0.5 * (self.best.min() + self.best.max()), 0.0
        ends = float(100 * self.lost[self.worst[0]]) if self.worst.size else 1.0
        for k in self.worst.tolist():
            x, y = float(self.best[k]), float(100 * self.lost[k])
            left = x > middle
            place = y if taken == 0.0 else min(y, taken - 0.075 * ends)
            taken = place
            ax.plot(x, y, "s", color=look.second.colour, markersize=3.6, zorder=4)
            ax.annotate(
                self.label[k], (x, y), xytext=(-16 if left else 16, (place - y) / ends * 150),
                textcoords="offset points", ha="right" if left else "left", va="center",
                fontsize="x-small", color=ink(), parse_math=False, zorder=5,
                arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": palette().grey},
            )  # fmt: skip
