"""Counting the near pairs of a band: in the pool, for both rows of each, and by class pair."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.class_pairs import end_class
from opiscal.pairs.kernel.records import LINE, ClassPairs, Edges, Pool, Room, Tile

_LOWER = np.uint32(2**16 - 1)


@njit(nogil=True, cache=True)
def tally_near(
    tile: Tile,
    top: int,
    bottom: int,
    line: int,
    first_key: np.int32,
    edges: Edges,
    pool: Pool,
    class_pairs: ClassPairs,
    room: Room,
) -> None:
    """Count the near pairs of a band in the pool, for both rows, and by class pair if wanted.

    From `first_key` on they are counted by key. Nearer ones are looked up, and their places mended:
    below the steps they are not yet known.
    """
    row_moments, col_moments = tile.rows.moments.reshape(-1), tile.cols.moments.reshape(-1)
    kinds = np.uint64(tile.rows.moments.shape[1])
    edges_of_key = edges.edges_of_key
    moment_of_class_edge, moment_of_key = edges.moment_of_class_edge, edges.moment_of_key
    by_edge, by_key = pool.by_edge, pool.by_key
    offset, places, near_key, near_col = room.offset, room.places, room.near_key, room.near_col
    wanted, histogram, number = class_pairs.wanted, class_pairs.histogram, tile.rows.number
    line_of_moment, col_class = class_pairs.line_of_moment, class_pairs.col_class
    begin = np.uint64(0)
    for i in range(top, bottom):
        if wanted and i > 0 and number[i] != number[i - 1]:
            end_class(tile, i, class_pairs)
        place, row = np.uint64((line + i - top) * LINE), np.uint64(i) * kinds
        stop = room.near_stop[i - top]
        for k in range(begin, stop):
            j, key = np.uint64(near_col[k]), near_key[k]
            if key >= first_key:
                at = np.uint64(key - first_key)
                by_key[at] += np.uint32(1)
                moment = np.uint64(moment_of_key[at])
            else:
                at = np.uint64(max(key, np.int32(0)))
                # One look-up in place of two: the tables are larger than the first cache.
                both = edges_of_key[at]
                by_edge[np.uint64(both & _LOWER)] += np.uint32(1)
                class_edge = both >> np.uint32(16)
                places[place + j] = offset[j] + class_edge
                moment = np.uint64(moment_of_class_edge[np.uint64(class_edge)])
            row_moments[row + moment] += np.uint16(1)
            col_moments[j * kinds + moment] += np.uint16(1)
            if wanted:
                at = np.uint64(line_of_moment[moment]) + np.uint64(col_class[j])
                histogram[at] += np.uint32(1)
        begin = stop
