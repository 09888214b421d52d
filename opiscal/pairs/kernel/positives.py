"""Counting positive pairs, and finding the nearest one of each row."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import Array, half_squared_difference
from opiscal.pairs.kernel.near_pairs import tally_near
from opiscal.pairs.kernel.places import place_band
from opiscal.pairs.kernel.ranks import LOOK_COLS, reach_at
from opiscal.pairs.kernel.records import BAND, LINE, Edges, Nearest, Pool, Room, Rows


@njit(nogil=True, cache=True)
def tally_positives(
    tiles: Array,
    first_col: Array,
    stop_col: Array,
    rows: Rows,
    cols: Rows,
    row_nearest: Nearest,
    col_nearest: Nearest,
    edges: Edges,
    row_slot: Array,
    pool: Pool,
    by_class: Array,
    row_moments: Array,
    col_moments: Array,
    room: Room,
) -> None:
    """Multiply and count the tiles of a block of positive pairs.

    Parameters
    ----------
    tiles : int64 array of shape (tiles, 4)
        Rows from and to, columns from and to, of the block.
    first_col, stop_col : int64 arrays
        For each row of the block the columns of its class that come after it.
    rows, cols : Rows
    row_nearest, col_nearest : Nearest
        Each row keeps its nearest positive, the one read first where two are as near.
    row_slot : array
        Which line of `by_class` a row belongs to.
    pool, by_class, row_moments, col_moments : arrays
        Counted into: each pair once for its class, near pairs in the pool and for both rows too.
    """
    for t in range(tiles.shape[0]):
        top, bottom, left, right = tiles[t]
        height, width = bottom - top, right - left
        here = Rows(rows.vectors[top:bottom], rows.half_norm[top:bottom], rows.order[top:bottom])
        there = Rows(cols.vectors[left:right], cols.half_norm[left:right], cols.order[left:right])
        np.dot(here.vectors, there.vectors.T, room.tile[: height * width].reshape(height, width))
        begin = np.minimum(np.maximum(first_col[top:bottom] - left, 0), width)
        stop = np.minimum(np.maximum(stop_col[top:bottom] - left, begin), width)
        row_reach, col_reach = row_nearest.reach[top:bottom], col_nearest.reach[left:right]
        room.offset[:width] = 0
        for first in range(0, height, BAND):
            last = min(first + BAND, height)
            place_band(
                first, last, 0, room.tile, width, begin, stop, here, there, row_reach, col_reach,
                edges, room,
            )  # fmt: skip
            tally_near(
                first,
                last,
                0,
                np.int32(edges.near_key + 1),
                edges,
                pool,
                row_moments[top:bottom],
                col_moments[left:right],
                room,
            )
            _tally_classes(first, last, begin, stop, row_slot[top:bottom], by_class, room.places)
            for i in range(first, last):
                if room.nearer[i]:
                    _offer_row(
                        i, top, left, begin[i], stop[i], here, there, row_nearest, col_nearest,
                        room.tile, i * width,
                    )  # fmt: skip


@njit(nogil=True, cache=True)
def _tally_classes(top, bottom, first_col, stop_col, row_slot, by_class, places):
    bins, by_class = np.uint64(by_class.shape[1]), by_class.reshape(-1)
    for i in range(top, bottom):
        of_class, place = np.uint64(row_slot[i]) * bins, np.uint64((i - top) * LINE)
        for k in range(place + np.uint64(first_col[i]), place + np.uint64(stop_col[i])):
            by_class[of_class + np.uint64(places[k])] += np.uint32(1)


@njit(nogil=True, cache=True)
def _offer_row(i, top, left, first, stop, rows, cols, row_nearest, col_nearest, dots, dot):
    """Offer the pairs of a row that are within a reach to both of their rows."""
    half, row = rows.half_norm[i], top + i
    for start in range(first, stop, LOOK_COLS):
        here = slice(start, min(start + LOOK_COLS, stop))
        dots_here = dots[dot + here.start : dot + here.stop]
        half_col, reach_col = cols.half_norm[here], col_nearest.reach[left:][here]
        reach, found = row_nearest.reach[row], np.int32(0)
        for j in range(dots_here.size):
            found += np.int32(half + half_col[j] - dots_here[j] <= max(reach, reach_col[j]))
        if found == 0:
            continue
        for j in range(dots_here.size):
            u = half + half_col[j] - dots_here[j]
            if u <= row_nearest.reach[row] or u <= reach_col[j]:
                col = start + j
                exact = half_squared_difference(rows.vectors[i], cols.vectors[col])
                _offer_best(row_nearest, row, exact, cols.order[col], half)
                _offer_best(col_nearest, left + col, exact, rows.order[i], half_col[j])


@njit(nogil=True, cache=True)
def _offer_best(nearest, i, exact, order, half_norm):
    if exact < nearest.best[i] or (exact == nearest.best[i] and order < nearest.order[i]):
        nearest.best[i], nearest.order[i] = exact, order
        nearest.reach[i] = reach_at(exact, np.float64(half_norm))
