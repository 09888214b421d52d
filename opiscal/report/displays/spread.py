"""How FAR and FRR are spread over classes, and over groups, at the recommended threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from matplotlib.axes import Axes

from opiscal.data.embedding_set import Label
from opiscal.measures.groups import pool_counts_at
from opiscal.measures.rates import Floats
from opiscal.report.captions import label_text, spread_title
from opiscal.report.class_table import ClassTable, class_table
from opiscal.report.displays.display import Display, legend_below, tidy
from opiscal.report.displays.look import Look, Pen, ink
from opiscal.report.displays.ticks import label_rates
from opiscal.report.percents import percent
from opiscal.report.record import Report

MOST_DOTS = 300
"""With more classes than this there is no dot for each."""

_LABEL = 22
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Strip:
    """One rate over classes or groups.

    Attributes
    ----------
    name : str
        ``FAR of classes`` and the like.
    rate : float64 array of shape (n,), in [0, 1]
    pooled : float
        Over all pairs at once.
    worst : str
        The cell with the highest rate; safe to print, and cut.
    """

    name: str
    rate: Floats
    pooled: float
    worst: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SpreadDisplay(Display):
    """FAR and FRR of every class and group at the recommended threshold.

    Attributes
    ----------
    strips : tuple of Strip
        FAR and FRR of the classes; with groups also of these, by the pairs within each. Empty where
        there is no recommended threshold.
    """

    kind: ClassVar[str] = "spread"
    strips: tuple[Strip, ...]

    @classmethod
    def from_report(cls, report: Report, *, table: ClassTable | None = None) -> Self:
        """Read the rates of classes and groups at the recommended threshold.

        Parameters
        ----------
        report : Report
        table : ClassTable, optional
            That of the report, where it is at hand.
        """
        table = class_table(report) if table is None else table
        point = report.recommended_threshold
        if table.far is None or table.frr is None or point.far is None or point.frr is None:
            return cls(strips=())
        strips = [
            _strip("FAR of classes", table.far, point.far, table.label),
            _strip("FRR of classes", table.frr, point.frr, table.label),
        ]
        groups = report.counts.within_groups
        for name in ("FAR", "FRR") if groups else ():
            labels, rates = [], []
            for label, part in groups:
                accepted = pool_counts_at(part, np.array([point.distance], dtype=np.float64))
                pairs = part.negative if name == "FAR" else part.positive
                errors = (
                    accepted.negative[0, 0] if name == "FAR" else pairs - accepted.positive[0, 0]
                )
                if pairs:
                    labels.append(label)
                    rates.append(float(errors) / pairs)
            if rates:
                pooled = point.far if name == "FAR" else point.frr
                strips.append(_strip(f"{name} of groups", np.array(rates), pooled, tuple(labels)))
        return cls(strips=tuple(strips))

    @property
    def title(self) -> str:
        """How far the classes with the most false rejects are from the one in the middle."""
        return spread_title([(strip.name, strip.rate) for strip in self.strips[:2]])

    @property
    def headline(self) -> tuple[str, str]:
        """What one class in twenty has at least."""
        if not self.strips:
            return "FRR of one class in twenty", "unknown"
        return "FRR of one class in twenty", percent(float(np.percentile(self.strips[1].rate, 95)))

    @property
    def description(self) -> str:
        """What is drawn."""
        said = []
        for strip in self.strips:
            low, middle, high = np.percentile(strip.rate, [5, 50, 95])
            said.append(
                f"{strip.name}: middle {percent(middle)}, 90 % between {percent(low)} and "
                f"{percent(high)}, highest {percent(float(strip.rate.max()))} ({strip.worst}), "
                f"pooled {percent(strip.pooled)}"
            )
        return ". ".join(said or ["There is no recommended threshold"]) + "."

    @property
    def note(self) -> str:
        """That there is nothing to see."""
        if not self.strips:
            return "there is no recommended threshold"
        if not any(strip.rate.any() for strip in self.strips):
            return "no class has an error at the recommended threshold"
        return ""

    def draw(self, ax: Axes, look: Look) -> None:
        """A row for each rate: dots, a box over most of them, and the pooled rate."""
        lowest = self._lowest()
        for row, strip in enumerate(self.strips):
            # Of two runs one stands above the middle of the row, one below.
            middle = row + (0.0 if look.alone else 0.2 if look.second_run else -0.2)
            pen = look.first if strip.name.startswith("FAR") else look.second
            self._draw_strip(ax, strip, middle, pen if look.alone else look.first, lowest, look)

    def finish(self, ax: Axes, other: Self | None = None) -> None:
        """A logarithmic axis of rates, with a place for 0 at its left."""
        both = [self] if other is None else [self, other]
        rows = max(both, key=lambda one: len(one.strips)).strips
        lowest = min(one._lowest() for one in both)
        ax.set_xscale("log")
        ax.set_xlim(0.6 * lowest, 1.3)
        label_rates(ax.xaxis)
        ticks = [10.0**k for k in range(int(np.ceil(np.log10(lowest) + 0.9)), 1)]
        ax.set_xticks([lowest, *ticks], ["0", *(percent(tick) for tick in ticks)])
        ax.set_yticks(range(len(rows)), [strip.name.replace(" of ", "\nof ") for strip in rows])
        ax.set_ylim(max(len(rows), 1) - 0.45, -0.55)
        ax.set_xlabel("rate at the recommended threshold")
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x", linewidth=0.4, alpha=0.5)
        tidy(ax)
        ax.spines["left"].set_visible(False)
        if rows:
            legend_below(ax)

    def _lowest(self) -> float:
        """Where 0 stands: a power of ten and more below every rate."""
        rates = [strip.rate[strip.rate > 0] for strip in self.strips]
        least = min((float(rate.min()) for rate in rates if rate.size), default=1e-3)
        return float(10.0 ** (np.floor(np.log10(max(least, 1e-9))) - 1.0))

    def _draw_strip(
        self, ax: Axes, strip: Strip, middle: float, pen: Pen, lowest: float, look: Look
    ) -> None:
        shown = np.maximum(strip.rate, lowest)
        first = strip is self.strips[0]
        half = 0.3 if look.alone else 0.13
        if strip.rate.size <= MOST_DOTS and look.alone:
            # Spread over the row evenly, the same at every drawing.
            place = middle + 0.5 * half * (2 * (np.arange(shown.size) * _GOLDEN % 1.0) - 1)
            ax.plot(shown, place, "o", color=pen.colour, markersize=2.2, alpha=0.45, zorder=2)
        low, first_quarter, median, last_quarter, high = np.percentile(
            shown, [5, 25, 50, 75, 95], method="nearest"
        )
        named = look.label("90 %, half, middle of the classes" if look.alone else "classes")
        ax.plot(
            [low, high], [middle, middle], color=pen.colour, linewidth=1.0, zorder=3,
            label=named if first else None,
        )  # fmt: skip
        ax.fill_between(
            [first_quarter, last_quarter], middle - half / 2, middle + half / 2,
            color=pen.colour, alpha=0.3, linewidth=0, zorder=1.5,
        )  # fmt: skip
        ax.plot([median] * 2, [middle - half / 2, middle + half / 2], color=pen.colour, linewidth=2)
        ax.plot(
            max(strip.pooled, lowest), middle, "D", color=ink() if look.alone else pen.colour,
            markersize=4.5, markerfacecolor="none", zorder=4,
            label="over all pairs" if first and look.alone else None,
        )  # fmt: skip
        if look.alone and strip.rate.any():
            ax.annotate(
                strip.worst, (float(shown.max()), middle), xytext=(0, 14),
                textcoords="offset points", ha="right", fontsize="x-small", color=ink(),
                parse_math=False, zorder=5,
            )  # fmt: skip


def _strip(name: str, rate: Floats, pooled: float, labels: Sequence[Label]) -> Strip:
    worst = labels[int(np.argmax(rate))]
    return Strip(name, rate, pooled, label_text(worst, _LABEL))
