"""How things look: colours that every kind of colour vision tells apart, and pens in pairs.

Ink and paper are those of matplotlib's settings, so that any of its styles can be used.
"""

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.colors import to_rgb


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours for one kind of paper; in grey the dashes and the widths tell things apart."""

    blue: str
    vermilion: str
    orange: str
    grey: str


# Okabe and Ito's colours; on dark paper lighter ones of the same hues.
LIGHT = Palette("#0072b2", "#d55e00", "#e69f00", "#767676")
DARK = Palette("#56b4e9", "#ff8c42", "#e6c200", "#9a9a9a")

_DASHES = (0, (4.0, 1.6))
_LUMA = (0.299, 0.587, 0.114)


def ink() -> str:
    """The colour of text."""
    return str(mpl.rcParams["text.color"])


def paper() -> str:
    """The colour behind everything."""
    return str(mpl.rcParams["axes.facecolor"])


def palette() -> Palette:
    """The colours for the paper that is in force."""
    brightness = sum(w * part for w, part in zip(_LUMA, to_rgb(paper()), strict=True))
    return LIGHT if brightness > 0.5 else DARK


@dataclass(frozen=True, slots=True)
class Pen:
    """A colour and a kind of line."""

    colour: str
    linestyle: Any = "-"
    width: float = 1.8

    def line(self) -> dict[str, Any]:
        """Arguments of a line."""
        return {"color": self.colour, "linestyle": self.linestyle, "linewidth": self.width}


@dataclass(frozen=True, slots=True)
class Look:
    """The pens of one run: for its first thing (FAR, the mean, positives) and its second.

    `name` is None where the run stands alone; of two runs on the same axes it is in every label,
    and details are left out. `second_run` tells the two apart.
    """

    first: Pen
    second: Pen
    name: str | None = None
    second_run: bool = False

    @property
    def alone(self) -> bool:
        """Whether this run has the axes for itself."""
        return self.name is None

    def label(self, thing: str) -> str:
        """A label for the legend."""
        return thing if self.name is None else f"{thing}, {self.name}"


def alone() -> Look:
    """The look of a run that has the axes for itself."""
    colours = palette()
    return Look(Pen(colours.blue), Pen(colours.vermilion, _DASHES))


def before(name: str) -> Look:
    """The look of the first of two runs: light and thin."""
    orange = palette().orange
    return Look(Pen(orange, "-", 1.4), Pen(orange, _DASHES, 1.4), name)


def after(name: str) -> Look:
    """The look of the second of two runs: dark and thick."""
    blue = palette().blue
    return Look(Pen(blue, "-", 2.2), Pen(blue, _DASHES, 2.2), name, second_run=True)
