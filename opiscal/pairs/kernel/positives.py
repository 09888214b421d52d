"""Counting positive pairs, and finding the nearest one of each row."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import Array, half_squared_difference
from opiscal.pairs.kernel.near_pairs import tally_near
from opiscal.pairs.kernel.places import place_band
from opiscal.pairs.kernel.ranks import LOOK_COLS, reach_at
from opiscal.pairs.kernel.records import BAND, LINE, ClassPairs, Edges, Pool, Room, Side, Tile
from opiscal.pairs.kernel.tiles import multiply


@njit(nogil=True, cache=True)
def tally_positives(
    bounds: Array,
    first_col: Array,
    stop_col: Array,
    rows: Side,
    cols: Side,
    edges: Edges,
    pool: Pool,
    none: ClassPairs,
    room: Room,
) -> None:
    """Multiply and count the tiles of a block of positive pairs.

    Parameters
    ----------
    bounds : int64 array of shape (tiles, 4)
        Of each tile: rows from and to, columns from and to, of the block.
    first_col, stop_col : int64 arrays
        For each row of the block the columns of its class that come after it.
    rows, cols : Side
        Counted into: each pair once for the row's class, near pairs in the pool and for both rows
        too. Each row keeps its nearest positive, the one read first where two are as near.
    """
    for t in range(bounds.shape[0]):
        tile = multiply(bounds[t], first_col, stop_col, rows, cols, room)
        tally_positive_tile(tile, edges, pool, none, room)


@njit(nogil=True, cache=True)
def tally_positive_tile(tile: Tile, edges: Edges, pool: Pool, none: ClassPairs, room: Room) -> None:
    """Count the positive pairs of a tile of products, and keep the nearest ones."""
    room.offset[: tile.width] = 0
    for top in range(0, tile.first_col.size, BAND):
        bottom = min(top + BAND, tile.first_col.size)
        place_band(tile, top, bottom, 0, edges, room)
        # All are looked up: which of them stand at steps is not to be guessed ahead.
        every = np.int32(edges.near_key + 1)
        tally_near(tile, top, bottom, 0, every, edges, pool, none, room)
        _tally_classes(tile, top, bottom, room.places)
        for i in range(top, bottom):
            if room.nearer[i]:
                _offer_row(tile, i)


@njit(nogil=True, cache=True)
def _tally_classes(tile, top, bottom, places):
    bins, by_class = np.uint64(tile.rows.by_class.shape[1]), tile.rows.by_class.reshape(-1)
    slot, first_col, stop_col = tile.rows.slot, tile.first_col, tile.stop_col
    for i in range(top, bottom):
        of_class, place = np.uint64(slot[i]) * bins, np.uint64((i - top) * LINE)
        for k in range(place + np.uint64(first_col[i]), place + np.uint64(stop_col[i])):
            by_class[of_class + np.uint64(places[k])] += np.uint32(1)


@njit(nogil=True, cache=True)
def _offer_row(tile, i):
    """Offer the pairs of a row that are within a reach to both of their rows."""
    rows, cols, stop = tile.rows.rows, tile.cols.rows, tile.stop_col[i]
    row_nearest, col_nearest, half = tile.rows.nearest, tile.cols.nearest, rows.half_norm[i]
    for start in range(tile.first_col[i], stop, LOOK_COLS):
        here = slice(start, min(start + LOOK_COLS, stop))
        dots = tile.dots[i * tile.width + here.start : i * tile.width + here.stop]
        half_col, reach_col = cols.half_norm[here], col_nearest.reach[here]
        reach, found = row_nearest.reach[i], np.int32(0)
        for j in range(dots.size):
            found += np.int32(half + half_col[j] - dots[j] <= max(reach, reach_col[j]))
        if found == 0:
            continue
        for j in range(dots.size):
            u = half + half_col[j] - dots[j]
            if u <= row_nearest.reach[i] or u <= reach_col[j]:
                col = start + j
                exact = half_squared_difference(rows.vectors[i], cols.vectors[col])
                _offer_best(row_nearest, i, exact, cols.order[col], half)
                _offer_best(col_nearest, col, exact, rows.order[i], half_col[j])


@njit(nogil=True, cache=True)
def _offer_best(nearest, i, exact, order, half_norm):
    if exact < nearest.best[i] or (exact == nearest.best[i] and order < nearest.order[i]):
        nearest.best[i], nearest.order[i] = exact, order
        nearest.reach[i] = reach_at(exact, np.float64(half_norm))
