"""Styles of whole figures: settings of matplotlib, put in force while a figure is made."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import matplotlib.style

from opiscal.errors import UsageError

_BASE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.linewidth": 0.7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "figure.constrained_layout.w_pad": 0.05,
    "figure.constrained_layout.h_pad": 0.05,
}
_DARK: dict[Any, Any] = {
    **_BASE,
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "#16181c"),
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), "#e8e8e8"
    ),
    "grid.color": "#555555",
}
_PAPER: dict[Any, Any] = {
    **_BASE,
    "font.size": 8.0,
    "font.family": "serif",
    "mathtext.fontset": "dejavuserif",
}
STYLES = {"light": _BASE, "dark": _DARK, "paper": _PAPER}
"""Our own: `light`, the default; `dark`; and `paper`, with serifs and smaller, for a column."""


@contextmanager
def figure_style(name: str = "light") -> Iterator[None]:
    """Put a style in force: one of ours, one of matplotlib's, or a file of its settings.

    Whatever was set before does not matter inside, and is back in force after.

    Raises
    ------
    UsageError
        For a style that is not known, or a file that cannot be read.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        if name in STYLES:
            mpl.rcParams.update(STYLES[name])
        else:
            mpl.rcParams.update(_BASE)
            try:
                matplotlib.style.use(name)
            except (OSError, ValueError) as error:
                raise UsageError(
                    f"style {name!r}: not known; choose {', '.join(STYLES)}, a style of "
                    "matplotlib such as ggplot, or the path of a .mplstyle file"
                ) from error
        yield
