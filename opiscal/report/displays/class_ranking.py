"""Classes ranked by their mean utility, the worst by name."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from opiscal.measures.rates import Floats
from opiscal.report.captions import label_text, ranking_title
from opiscal.report.class_table import ClassTable, class_table
from opiscal.report.displays.display import Display, legend_below, tidy
from opiscal.report.displays.look import Look, palette
from opiscal.report.record import Report

MOST_NAMED = 20
"""Up to so many classes all have their names on the axis."""

_WORST_NAMED = 8
_LABEL = 22
_POINTS = 300
_LINE = 0.058
"""Height of a line of small text, over that of the axes."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ClassRankingDisplay(Display):
    """Mean utility over the calibration range of every class, the worst first.

    Attributes
    ----------
    label : tuple of str, length T
        From the worst to the best, ties in the order of labels; safe to print, and cut.
    utility : float64 array of shape (T,), rising, in [0, 1]
    error : float64 array of shape (T,)
        Standard error from the class's own rows; NaN below four.
    worst : int64 array of shape (m,)
        Places of the worst classes, those of eps-OPIS.
    """

    kind: ClassVar[str] = "class-ranking"
    label: tuple[str, ...]
    utility: Floats
    error: Floats
    worst: NDArray[np.int64]

    @classmethod
    def from_report(cls, report: Report, *, table: ClassTable | None = None) -> Self:
        """Rank the classes of a report.

        Parameters
        ----------
        report : Report
        table : ClassTable, optional
            That of the report, where it is at hand.
        """
        table = class_table(report) if table is None else table
        order = np.argsort(table.mean_utility, kind="stable")
        named = set(report.epsilon_opis.worst_classes)
        worst = [place for place, k in enumerate(order.tolist()) if table.label[k] in named]
        return cls(
            label=tuple(label_text(table.label[k], _LABEL) for k in order.tolist()),
            utility=table.mean_utility[order],
            error=table.utility_error[order],
            worst=np.array(worst, dtype=np.int64),
        )

    @property
    def title(self) -> str:
        """The worst class, and the class in the middle."""
        return ranking_title(self.label[0], self.utility)

    @property
    def headline(self) -> tuple[str, str]:
        """The worst class."""
        return "Utility of the worst class", f"{self.utility[0]:.2f}"

    @property
    def description(self) -> str:
        """What is drawn."""
        named = ", ".join(
            f"{label} {value:.3f}"
            for label, value in zip(self.label[:_WORST_NAMED], self.utility, strict=False)
        )
        return f"Mean utility of {len(self.label):,} classes in rising order. The worst: {named}."

    @property
    def note(self) -> str:
        """That there are few classes."""
        return "only two classes" if len(self.label) == 2 else ""

    def draw(self, ax: Axes, look: Look) -> None:
        """A dot a class, or a line of many, and the standard errors."""
        rank = np.arange(1, self.utility.size + 1)
        if look.alone and self.utility.size <= MOST_NAMED:
            bad = np.isin(np.arange(rank.size), self.worst)
            for those, pen, name in (
                (~bad, look.first, "classes"), (bad, look.second, "worst classes")
            ):  # fmt: skip
                ax.errorbar(
                    self.utility[those], rank[those], xerr=np.nan_to_num(self.error[those]),
                    fmt="s" if pen is look.second else "o", color=pen.colour, markersize=4,
                    elinewidth=0.9, label=f"{name}, with standard errors",
                )  # fmt: skip
            ax.set_yticks(rank, self.label, fontsize="small", parse_math=False)
            return
        # Two runs may have different numbers of classes: share of the classes, not rank.
        place = rank if look.alone else (rank - 0.5) / rank.size
        if look.alone:
            known = np.where(np.isnan(self.error), 0.0, self.error)
            # Of thousands the mean of some next to one another: an outline of all is a large file.
            parts = np.array_split(np.arange(place.size), min(place.size, _POINTS))
            at, utility, error = (
                np.array([values[part].mean() for part in parts])
                for values in (place, self.utility, known)
            )
            ax.fill_between(
                at, utility - error, utility + error, color=look.first.colour, alpha=0.25,
                linewidth=0, label="standard error of each",
            )  # fmt: skip
        ax.plot(place, self.utility, label=look.label("classes"), zorder=3, **look.first.line())
        if look.alone:
            ax.plot(
                place[self.worst], self.utility[self.worst], color=look.second.colour,
                linewidth=3.0, zorder=3.5, label=f"worst {self.worst.size:,}",
            )  # fmt: skip
            self._name_worst(ax)

    def finish(self, ax: Axes, other: Self | None = None) -> None:
        """Utility from 0 to 1 against the rank."""
        tidy(ax)
        if other is None and self.utility.size <= MOST_NAMED:
            ax.set(xlabel="mean utility over the calibration range", xlim=(0.0, 1.02))
            ax.set_ylim(0.4, self.utility.size + 0.6)
        else:
            ax.set(ylabel="mean utility over the\ncalibration range", ylim=(0.0, 1.02))
            if other is None:
                ax.set(xlabel="classes, the worst first", xlim=(0, self.utility.size + 1))
                ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
                ax.xaxis.set_major_formatter(FuncFormatter(lambda rank, _: f"{rank:,.0f}"))
            else:
                ax.set(xlabel="share of the classes, the worst first", xlim=(0.0, 1.0))
        legend_below(ax)

    def _name_worst(self, ax: Axes) -> None:
        """Names to the right of the worst classes, below the curve, where there is nothing else."""
        colours = palette()
        named = min(_WORST_NAMED, self.utility.size)
        lowest = max(0.04, float(self.utility[named - 1]) / 1.02 - 0.04 - _LINE * named)
        for k in range(named):
            ax.annotate(
                self.label[k], (k + 1, float(self.utility[k])), xycoords="data",
                xytext=(0.22, lowest + _LINE * k), textcoords="axes fraction", va="center",
                color=colours.vermilion if k in self.worst else None, fontsize="x-small", zorder=5,
                parse_math=False,
                arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": colours.grey},
            )  # fmt: skip
