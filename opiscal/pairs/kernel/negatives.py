"""Counting negative pairs: by class pair, or for classes of few rows by row and by column."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.class_pairs import begin_tile, end_class
from opiscal.pairs.kernel.keys import Array
from opiscal.pairs.kernel.near_pairs import tally_near
from opiscal.pairs.kernel.places import place_band
from opiscal.pairs.kernel.ranks import rank_negatives
from opiscal.pairs.kernel.records import BAND, LINE, ClassPairs, Edges, Pool, Room, Side, Tile
from opiscal.pairs.kernel.tiles import multiply

# Places are 16 bits wide: 32 columns share a cache line, and 256 lines stay in the first cache.
_LINE_ROWS, _LINE_COLS = 256, 32
_MOST_SHORT = 2**16 - 1


@njit(nogil=True, cache=True)
def tally_negatives(
    bounds: Array,
    first_col: Array,
    rows: Side,
    cols: Side,
    edges: Edges,
    pool: Pool,
    class_pairs: ClassPairs,
    room: Room,
    by_class_pair: bool,
    ranks_wanted: bool,
) -> None:
    """Multiply and count the tiles of a block of negative pairs.

    Parameters
    ----------
    bounds : int64 array of shape (tiles, 4)
        Of each tile: rows from and to, columns from and to, of the block.
    first_col : int64 array
        For each row of the block the column from which on there are other classes.
    rows, cols : Side
        Counted into. Near pairs go into the pool and to both rows; every pair to both classes.
    class_pairs : ClassPairs
        Where wanted, no class of rows may reach over the end of a tile.
    """
    stop_col = np.full(first_col.size, cols.slot.size)
    for t in range(bounds.shape[0]):
        tile = multiply(bounds[t], first_col, stop_col, rows, cols, room)
        tally_negative_tile(tile, edges, pool, class_pairs, room, by_class_pair, ranks_wanted)


@njit(nogil=True, cache=True)
def tally_negative_tile(
    tile: Tile,
    edges: Edges,
    pool: Pool,
    class_pairs: ClassPairs,
    room: Room,
    by_class_pair: bool,
    ranks_wanted: bool,
) -> None:
    """Count the negative pairs of a tile of products; arguments as for a block."""
    if class_pairs.wanted:
        begin_tile(tile, class_pairs)
    if by_class_pair:
        _tally_by_class_pair(tile, edges, pool, class_pairs, room)
    else:
        _tally_by_row(tile, edges, pool, class_pairs, room)
    if class_pairs.wanted:
        end_class(tile, tile.rows.number.size, class_pairs)
    if ranks_wanted:
        rank_negatives(tile, room.nearer)


@njit(nogil=True, cache=True)
def _tally_by_class_pair(
    tile: Tile, edges: Edges, pool: Pool, class_pairs: ClassPairs, room: Room
) -> None:
    """Count each pair once, in the histogram of its two classes.

    That is added to both when the row's class ends, or before a count may leave its two bytes.
    """
    row_slot, col_slot = tile.rows.slot, tile.cols.slot
    bins, first_slot = tile.rows.by_class.shape[1], col_slot[0]
    histogram = room.histogram[: col_slot[-1] - first_slot + 1]
    for j in range(tile.width):
        room.offset[j] = np.uint16((col_slot[j] - first_slot) * bins)
    counted_from = 0
    for top in range(0, row_slot.size, BAND):
        bottom = min(top + BAND, row_slot.size)
        place_band(tile, top, bottom, 0, edges, room)
        tally_near(tile, top, bottom, 0, edges.steps.near_from, edges, pool, class_pairs, room)
        start = top
        for i in range(top, bottom):
            full = i - counted_from == _MOST_SHORT // tile.width
            if i > counted_from and (row_slot[i] != row_slot[i - 1] or full):
                _tally_places(tile, start, i, top, histogram, room.places)
                _share_out(histogram, first_slot, row_slot[i - 1], tile)
                start = counted_from = i
        _tally_places(tile, start, bottom, top, histogram, room.places)
    _share_out(histogram, first_slot, row_slot[-1], tile)


@njit(nogil=True, cache=True)
def _tally_places(tile, start, stop, top, histogram, places):
    """Count the places of some rows of a band, which begins at row `top`."""
    flat, first_col, width = histogram.reshape(-1), tile.first_col, np.uint64(tile.width)
    for i in range(start, stop):
        place = np.uint64((i - top) * LINE)
        for k in range(place + np.uint64(first_col[i]), place + width):
            flat[places[k]] += np.uint16(1)


@njit(nogil=True, cache=True)
def _share_out(histogram, first_slot, row_slot, tile):
    """Add the histograms of a class with some others to it and to them; leave nothing behind."""
    row_class = tile.rows.by_class[row_slot]
    for s in range(histogram.shape[0]):
        pairs, col_class = histogram[s], tile.cols.by_class[first_slot + s]
        for e in range(pairs.size):
            row_class[e] += np.uint32(pairs[e])
            col_class[e] += np.uint32(pairs[e])
            pairs[e] = np.uint16(0)


@njit(nogil=True, cache=True)
def _tally_by_row(
    tile: Tile, edges: Edges, pool: Pool, class_pairs: ClassPairs, room: Room
) -> None:
    """Count each pair for the row's class, and once more, column by column, for the column's."""
    height = tile.rows.slot.size
    room.offset[: tile.width] = 0
    for top in range(0, height, BAND):
        bottom = min(top + BAND, height)
        place_band(tile, top, bottom, top, edges, room)
        tally_near(tile, top, bottom, top, edges.steps.near_from, edges, pool, class_pairs, room)
        _tally_rows(tile, top, bottom, room.places)
    _tally_columns(tile, room.places[: height * LINE].reshape(height, LINE))


@njit(nogil=True, cache=True)
def _tally_rows(tile, top, bottom, places):
    bins, by_class = np.uint64(tile.rows.by_class.shape[1]), tile.rows.by_class.reshape(-1)
    slot, first_col, width = tile.rows.slot, tile.first_col, np.uint64(tile.width)
    one = by_class.dtype.type(1)
    for i in range(top, bottom):
        of_class, place = np.uint64(slot[i]) * bins, np.uint64(i * LINE)
        for k in range(place + np.uint64(first_col[i]), place + width):
            by_class[of_class + np.uint64(places[k])] += one


@njit(nogil=True, cache=True)
def _tally_columns(tile, places):
    """Count for the classes of the columns the places that were noted.

    Of column ``j`` these are those of the rows whose negatives have begun there: as `first_col`
    only rises, of the first so many rows.
    """
    slot, by_class, first_col = tile.cols.slot, tile.cols.by_class, tile.first_col
    one, begun, rows = by_class.dtype.type(1), np.empty(slot.size, np.int64), 0
    for j in range(slot.size):
        while rows < first_col.size and first_col[rows] <= j:
            rows += 1
        begun[j] = rows
    for left in range(0, slot.size, _LINE_COLS):
        for top in range(0, first_col.size, _LINE_ROWS):
            for j in range(left, min(left + _LINE_COLS, slot.size)):
                stop = max(top, min(begun[j], top + _LINE_ROWS))
                here, of_class = places[top:stop, j], by_class[slot[j]]
                for i in range(here.size):
                    of_class[here[i]] += one
