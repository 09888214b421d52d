"""Tiles: the products of some rows of a block with some columns, and all that belongs to them."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import Array
from opiscal.pairs.kernel.records import Nearest, Ranks, Room, Rows, Side, Tile


@njit(nogil=True, cache=True)
def _part(side, start, stop):
    """A stretch of one side of a block; what is counted for it is counted for the block."""
    rows, nearest, ranks = side.rows, side.nearest, side.ranks
    return Side(
        Rows(rows.vectors[start:stop], rows.half_norm[start:stop], rows.order[start:stop]),
        Nearest(nearest.reach[start:stop], nearest.best[start:stop], nearest.order[start:stop]),
        Ranks(ranks.low[start:stop], ranks.rank[start:stop]),
        side.slot[start:stop],
        side.number[start:stop],
        side.by_class,
        side.moments[start:stop],
    )


@njit(nogil=True, cache=True)
def multiply(
    bounds: Array, first_col: Array, stop_col: Array, rows: Side, cols: Side, room: Room
) -> Tile:
    """The tile within some bounds of a block: rows from and to, columns from and to.

    `first_col` and `stop_col` are those of the block's rows, in columns of the block.
    """
    top, bottom, left, right = bounds
    height, width = bottom - top, right - left
    here, there = _part(rows, top, bottom), _part(cols, left, right)
    dots = room.dots[: height * width]
    np.dot(here.rows.vectors, there.rows.vectors.T, dots.reshape(height, width))
    begin = np.minimum(np.maximum(first_col[top:bottom] - left, 0), width)
    stop = np.minimum(np.maximum(stop_col[top:bottom] - left, begin), width)
    return Tile(dots, width, here, there, begin, stop)
