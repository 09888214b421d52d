"""Counting negative pairs: by class pair, or for classes of few rows by row and by column."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import Array
from opiscal.pairs.kernel.near_pairs import tally_near
from opiscal.pairs.kernel.places import place_band
from opiscal.pairs.kernel.ranks import rank_negatives
from opiscal.pairs.kernel.records import BAND, LINE, Edges, Nearest, Pool, Ranks, Room, Rows, Side

# Places are 16 bits wide: 32 columns share a cache line, and 256 lines stay in the first cache.
_LINE_ROWS, _LINE_COLS = 256, 32
_MOST_SHORT = 2**16 - 1


@njit(nogil=True, cache=True)
def _share_out(histogram, first, row_class, col_class):
    """Add the histograms of a class with some others to it and to them; leave nothing behind."""
    for s in range(histogram.shape[0]):
        pairs, of_col = histogram[s], col_class[first + s]
        for e in range(pairs.size):
            row_class[e] += np.uint32(pairs[e])
            of_col[e] += np.uint32(pairs[e])
            pairs[e] = np.uint16(0)


@njit(nogil=True, cache=True)
def _tally_class_pairs(
    top: int,
    bottom: int,
    width: int,
    first_col: Array,
    row_slot: Array,
    first_slot: int,
    slots: int,
    row_class: Array,
    col_class: Array,
    room: Room,
    last_shared: int,
) -> int:
    """Count a band by class pair; where a row's class ends its histograms are shared out.

    Returns the row from which on they hold pairs.
    """
    histogram, places = room.histogram[:slots], room.places
    flat = histogram.reshape(-1)
    for i in range(top, bottom):
        if i > last_shared and (
            row_slot[i] != row_slot[i - 1] or i == last_shared + _MOST_SHORT // width
        ):
            _share_out(histogram, first_slot, row_class[row_slot[i - 1]], col_class)
            last_shared = i
        place = np.uint64((i - top) * LINE)
        for k in range(place + np.uint64(first_col[i]), place + np.uint64(width)):
            flat[places[k]] += np.uint16(1)
    return last_shared


@njit(nogil=True, cache=True)
def _tally_rows(
    top: int,
    bottom: int,
    width: int,
    first_col: Array,
    row_slot: Array,
    row_class: Array,
    places: Array,
) -> None:
    """Count a band for the classes of its rows."""
    bins, row_class = np.uint64(row_class.shape[1]), row_class.reshape(-1)
    one = row_class.dtype.type(1)
    for i in range(top, bottom):
        of_class, place = np.uint64(row_slot[i]) * bins, np.uint64(i * LINE)
        for k in range(place + np.uint64(first_col[i]), place + np.uint64(width)):
            row_class[of_class + np.uint64(places[k])] += one


@njit(nogil=True, cache=True)
def _tally_columns(places: Array, first_col: Array, col_slot: Array, col_class: Array) -> None:
    """Count for the classes of the columns the places that were noted.

    Of column ``j`` these are those of the rows whose negatives have begun there: as `first_col`
    only rises, of the first so many rows.
    """
    rows, one = places.shape[0], col_class.dtype.type(1)
    for left in range(0, col_slot.size, _LINE_COLS):
        for top in range(0, rows, _LINE_ROWS):
            for j in range(left, min(left + _LINE_COLS, col_slot.size)):
                stop = min(np.searchsorted(first_col, j, side="right"), top + _LINE_ROWS)
                here, histogram = places[top : max(top, stop), j], col_class[col_slot[j]]
                for i in range(here.size):
                    histogram[here[i]] += one


@njit(nogil=True, cache=True)
def _tally_tile(
    width: int,
    first_col: Array,
    rows: Rows,
    cols: Rows,
    row_reach: Array,
    col_reach: Array,
    edges: Edges,
    row_slot: Array,
    col_slot: Array,
    pool: Pool,
    row_class: Array,
    col_class: Array,
    row_moments: Array,
    col_moments: Array,
    room: Room,
    by_class_pair: bool,
) -> None:
    """Count the negative pairs of one tile, band by band.

    Near pairs go into the pool and to both rows. Every pair goes, where counted by class pair, into
    the histogram of its two classes, which is added to both when the row's class ends; else to the
    row's class, and from the place that is noted to the column's.
    """
    height, offset = first_col.size, room.offset
    first_slot, slots = col_slot[0], col_slot[-1] - col_slot[0] + 1
    for j in range(width):
        at = (col_slot[j] - first_slot) * row_class.shape[1] if by_class_pair else 0
        offset[j] = np.uint16(at)
    last_shared, stop_col = 0, np.full(height, width)
    # Functions of their own for each step: the compiler keeps the arrays of one in registers.
    for top in range(0, height, BAND):
        bottom = min(top + BAND, height)
        line = 0 if by_class_pair else top
        place_band(
            top, bottom, line, room.tile, width, first_col, stop_col, rows, cols, row_reach,
            col_reach, edges, room,
        )  # fmt: skip
        tally_near(
            top, bottom, line, edges.steps.near_from, edges, pool, row_moments, col_moments, room
        )
        if by_class_pair:
            last_shared = _tally_class_pairs(
                top, bottom, width, first_col, row_slot, first_slot, slots, row_class, col_class,
                room, last_shared,
            )  # fmt: skip
        else:
            _tally_rows(top, bottom, width, first_col, row_slot, row_class, room.places)
    if by_class_pair:
        _share_out(room.histogram[:slots], first_slot, row_class[row_slot[-1]], col_class)
    else:
        places = room.places[: height * LINE].reshape(height, LINE)[:, :width]
        _tally_columns(places, first_col, col_slot, col_class)


@njit(nogil=True, cache=True)
def tally_negatives(
    tiles: Array,
    first_col: Array,
    rows: Side,
    cols: Side,
    edges: Edges,
    pool: Pool,
    room: Room,
    by_class_pair: bool,
    ranks_wanted: bool,
) -> None:
    """Multiply and count the tiles of a block of negative pairs.

    Parameters
    ----------
    tiles : int64 array of shape (tiles, 4)
        Rows from and to, columns from and to, of the block.
    first_col : int64 array
        For each row of the block the column from which on there are other classes.
    rows, cols : Side
        Counted into. Near pairs go into the pool and to both rows; every pair to both classes.
    """
    for t in range(tiles.shape[0]):
        top, bottom, left, right = tiles[t]
        height, width = bottom - top, right - left
        tile = room.tile[: height * width].reshape(height, width)
        np.dot(rows.rows.vectors[top:bottom], cols.rows.vectors[left:right].T, tile)
        begin = np.minimum(np.maximum(first_col[top:bottom] - left, 0), width)
        here = Rows(
            rows.rows.vectors[top:bottom],
            rows.rows.half_norm[top:bottom],
            rows.rows.order[top:bottom],
        )
        there = Rows(
            cols.rows.vectors[left:right],
            cols.rows.half_norm[left:right],
            cols.rows.order[left:right],
        )
        _tally_tile(
            width, begin, here, there,
            rows.nearest.reach[top:bottom], cols.nearest.reach[left:right], edges,
            rows.slot[top:bottom], cols.slot[left:right], pool,
            rows.by_class, cols.by_class, rows.moments[top:bottom], cols.moments[left:right],
            room, by_class_pair,
        )  # fmt: skip
        if ranks_wanted:
            rank_negatives(
                tile,
                begin,
                here,
                there,
                Nearest(
                    rows.nearest.reach[top:bottom],
                    rows.nearest.best[top:bottom],
                    rows.nearest.order[top:bottom],
                ),
                Nearest(
                    cols.nearest.reach[left:right],
                    cols.nearest.best[left:right],
                    cols.nearest.order[left:right],
                ),
                Ranks(rows.ranks.low[top:bottom], rows.ranks.rank[top:bottom]),
                Ranks(cols.ranks.low[left:right], cols.ranks.rank[left:right]),
                room.nearer,
            )
