"""What every display does: it holds numbers, is drawn on axes, and then knows where."""

import textwrap
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Self

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.transforms import ScaledTranslation

from opiscal.report.displays.look import Look, alone, palette, paper

SIZE = (4.8, 3.6)
"""Inches."""

# Widths of letters over their height, on the average.
_LETTER = 0.64
_SMALL_LETTER = 0.55
# What stands before a label in the legend, in letters of its height.
_HANDLE = 3.8


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Display(ABC):
    """Numbers that can be drawn.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn last; after `plot` only.
    """

    kind: ClassVar[str]
    ax_: Axes = field(init=False)
    figure_: Figure = field(init=False)

    @property
    @abstractmethod
    def title(self) -> str:
        """The conclusion."""

    @property
    @abstractmethod
    def headline(self) -> tuple[str, str]:
        """What two runs are compared by: its name and its value."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What is drawn, for who cannot see it."""

    @property
    def note(self) -> str:
        """Why there is little to see, empty where there is enough."""
        return ""

    @abstractmethod
    def draw(self, ax: Axes, look: Look) -> None:
        """Draw the marks of this run, and nothing that two runs on the same axes share."""

    @abstractmethod
    def finish(self, ax: Axes, other: Self | None = None) -> None:
        """Limits, scales and labels of axes that this display, and another one, were drawn on."""

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: those of a new figure, made without pyplot: nothing is shown or kept open.

        Returns
        -------
        Self
            This display, with `ax_` and `figure_`.
        """
        ax = new_axes() if ax is None else ax
        self.draw(ax, alone())
        self.finish(ax)
        set_title(ax, self.title)
        draw_note(ax, self.note)
        remember(self, ax)
        return self


def new_axes(inches: tuple[float, float] = SIZE) -> Axes:
    """Axes of a new figure of some width and height."""
    return Figure(figsize=inches, layout="constrained").add_subplot()


def remember(display: Display, ax: Axes) -> None:
    """Keep where a display was drawn. The numbers are frozen; this is not one of them."""
    object.__setattr__(display, "ax_", ax)
    object.__setattr__(display, "figure_", figure_of(ax))


def set_title(ax: Axes, title: str) -> None:
    """A title from the left, in as many lines as it takes; what it says is never a formula."""
    size = FontProperties(size="medium").get_size_in_points()
    room = 0.8 * width_of(ax) / (_LETTER * size)
    lines = [
        line
        for part in title.split("\n")
        for line in textwrap.wrap(part, max(16, int(room)), break_long_words=True)
    ]
    ax.set_title(
        "\n".join(lines), loc="left", fontsize="medium", fontweight="bold", parse_math=False
    )


def draw_note(ax: Axes, note: str) -> None:
    """A remark within the axes."""
    if note:
        ax.text(
            0.5, 0.5, textwrap.fill(note, 36), transform=ax.transAxes, ha="center", va="center",
            fontsize="small", fontstyle="italic", zorder=9,
            bbox={"facecolor": paper(), "edgecolor": palette().grey, "linewidth": 0.5, "pad": 4.0},
        )  # fmt: skip


def tidy(ax: Axes) -> None:
    """Axes without the lines that close them."""
    ax.spines[["top", "right"]].set_visible(False)


def legend_below(ax: Axes) -> None:
    """The legend below the axes and their labels, in two columns where there is room for them."""
    labels = [str(label) for label in ax.get_legend_handles_labels()[1]]
    half = (len(labels) + 1) // 2
    letters = sum(max(map(len, part), default=0) for part in (labels[:half], labels[half:]))
    room = 0.92 * width_of(ax)
    columns, font = 1, "small"
    for smaller in ("small", "x-small"):
        size = FontProperties(size=smaller).get_size_in_points()
        if size * (_SMALL_LETTER * letters + 2 * _HANDLE) <= room:
            columns, font = 2, smaller
            break
    below = ax.transAxes + ScaledTranslation(0, -36 / 72, figure_of(ax).dpi_scale_trans)
    legend = ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, 0.0), bbox_transform=below, ncols=columns,
        frameon=False, fontsize=font, handlelength=2.4, columnspacing=1.2, borderaxespad=0.0,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def figure_of(ax: Axes) -> Figure:
    """The whole figure that axes are in."""
    return ax.figure if isinstance(ax.figure, Figure) else ax.figure.figure


def width_of(ax: Axes) -> float:
    """Of a figure with these axes, the part that is theirs and of their labels, in points."""
    share = min(1.0, 1.29 * float(ax.get_position().width))
    return float(figure_of(ax).get_size_inches()[0]) * 72 * share
