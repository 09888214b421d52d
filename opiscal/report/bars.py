"""Bars and histograms of one line, in characters that an encoding has."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Characters that bars are made of, each list from the emptiest to the fullest.

    Attributes
    ----------
    heights : str
        For a column of a histogram; the first stands where nothing is.
    lengths : str
        For the last cell of a bar; the last one also for the cells before it.
    """

    heights: str
    lengths: str


BLOCKS = Glyphs(" ▁▂▃▄▅▆▇█", "▏▎▍▌▋▊▉█")
ASCII = Glyphs(" .:-=+*#@", "#")


def glyphs_in(encoding: str) -> Glyphs:
    """Block characters where the encoding has all of them, else plain ASCII.

    Examples
    --------
    >>> glyphs_in("utf-8") is BLOCKS, glyphs_in("latin-1") is ASCII
    (True, True)
    """
    try:
        (BLOCKS.heights + BLOCKS.lengths).encode(encoding)
    except UnicodeEncodeError:
        return ASCII
    return BLOCKS


def histogram(values: ArrayLike, columns: int, glyphs: Glyphs = BLOCKS) -> str:
    """How values lie between the lowest and the highest of them, in so many characters.

    Heights go with the count in a column; a column with anything in it is never empty.

    Parameters
    ----------
    values : array_like of finite floats, not empty
    columns : int
        At least 1.
    glyphs : Glyphs

    Examples
    --------
    >>> histogram([0.5, 0.8, 0.9, 0.9, 0.9, 0.9, 1.0], 6, ASCII)
    ':  :@:'
    """
    count, _ = np.histogram(np.asarray(values, dtype=np.float64), columns)
    steps = len(glyphs.heights) - 1
    height = np.ceil(count * (steps / count.max())).astype(int)
    return "".join(glyphs.heights[min(h, steps)] for h in height)


def bar(share: float, cells: int, glyphs: Glyphs = BLOCKS) -> str:
    """A bar that takes up a share of so many cells; the rest are spaces.

    Parameters
    ----------
    share : float
        Cut to [0, 1]; a share above 0 is seen.
    cells : int
    glyphs : Glyphs

    Examples
    --------
    >>> bar(0.5, 8, ASCII), bar(0.0, 3, ASCII)
    ('####    ', '   ')
    """
    steps = len(glyphs.lengths)
    filled = math.floor(min(max(share, 0.0), 1.0) * cells * steps + 0.5)
    if share > 0 and cells > 0:
        filled = max(filled, 1)
    whole, part = divmod(filled, steps)
    drawn = glyphs.lengths[-1] * whole + (glyphs.lengths[part - 1] if part else "")
    return drawn.ljust(cells)
