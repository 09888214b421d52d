"""How things look: colours that every kind of colour vision tells apart, and pens in pairs.

Ink and paper are those of matplotlib's settings, so that any of its styles can be used.
"""

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl

# Okabe and Ito's colours; in grey the dashes and the widths tell.
BLUE = "#0072b2"
VERMILION = "#d55e00"
ORANGE = "#e69f00"
GREY = "#767676"
SHADE = "#e6e6e6"

_DASHES = (0, (4.0, 1.6))


def ink() -> str:
    """The colour of text."""
    return str(mpl.rcParams["text.color"])


def paper() -> str:
    """The colour behind everything."""
    return str(mpl.rcParams["axes.facecolor"])


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
    and details are left out.
    """

    first: Pen
    second: Pen
    name: str | None = None

    @property
    def alone(self) -> bool:
        """Whether this run has the axes for itself."""
        return self.name is None

    def label(self, thing: str) -> str:
        """A label for the legend."""
        return thing if self.name is None else f"{thing}, {self.name}"


ALONE = Look(Pen(BLUE), Pen(VERMILION, _DASHES))


def before(name: str) -> Look:
    """The look of the first of two runs: light and thin."""
    return Look(Pen(ORANGE, "-", 1.4), Pen(ORANGE, _DASHES, 1.4), name)


def after(name: str) -> Look:
    """The look of the second of two runs: dark and thick."""
    return Look(Pen(BLUE, "-", 2.2), Pen(BLUE, _DASHES, 2.2), name)
