"""Counting sampled pairs: rows against some columns, and the near pairs that an index found."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import Array, key_of
from opiscal.pairs.kernel.near_pairs import tally_near
from opiscal.pairs.kernel.places import place_band
from opiscal.pairs.kernel.records import BAND, LINE, ClassPairs, Edges, Pool, Room, Side
from opiscal.pairs.kernel.tiles import multiply

# The product of a pair that is not to be counted: no distance is as large.
_LEFT_OUT = np.float32(-3e38)


@njit(nogil=True, cache=True)
def tally_columns(
    bounds: Array,
    left_out: Array,
    left_out_from: Array,
    rows: Side,
    cols: Side,
    edges: Edges,
    pool: Pool,
    none: ClassPairs,
    room: Room,
) -> None:
    """Multiply and count the tiles of some rows with sampled columns, for the rows alone.

    Parameters
    ----------
    bounds : int64 array of shape (tiles, 4)
        Of each tile: rows from and to, columns from and to, of the block.
    left_out : int64 array of shape (pairs, 2)
        Rows and columns of the block that are no sampled pairs: of one class, or found by the
        index. They are counted at the last edge, from where the caller takes them.
    left_out_from : int64 array of shape (tiles + 1,)
        Where in `left_out` those of each tile begin.
    rows, cols : Side
        Every pair is counted for the class of its row, near ones in the pool and in the moments of
        the row too. What is counted for the columns means nothing.
    """
    first_col = np.zeros(rows.slot.size, np.int64)
    stop_col = np.full(rows.slot.size, cols.slot.size)
    for t in range(bounds.shape[0]):
        tile = multiply(bounds[t], first_col, stop_col, rows, cols, room)
        for k in range(left_out_from[t], left_out_from[t + 1]):
            i, j = left_out[k, 0] - bounds[t, 0], left_out[k, 1] - bounds[t, 2]
            tile.dots[i * tile.width + j] = _LEFT_OUT
        room.offset[: tile.width] = 0
        for top in range(0, tile.first_col.size, BAND):
            bottom = min(top + BAND, tile.first_col.size)
            place_band(tile, top, bottom, 0, edges, room)
            tally_near(tile, top, bottom, 0, edges.steps.near_from, edges, pool, none, room)
            _tally_rows(tile, top, bottom, room.places)


@njit(nogil=True, cache=True)
def _tally_rows(tile, top, bottom, places):
    bins, by_class = np.uint64(tile.rows.by_class.shape[1]), tile.rows.by_class.reshape(-1)
    slot, width = tile.rows.slot, np.uint64(tile.width)
    for i in range(top, bottom):
        of_class, place = np.uint64(slot[i]) * bins, np.uint64((i - top) * LINE)
        for k in range(place, place + width):
            by_class[of_class + np.uint64(places[k])] += np.uint32(1)


@njit(nogil=True, cache=True)
def once_each(bounds: Array, partner: Array) -> Array:
    """Of pairs that rows found, which are to be counted: each once, even if both rows found it."""
    counted = np.ones(partner.size, np.bool_)
    for i in range(bounds.size - 1):
        for k in range(bounds[i], bounds[i + 1]):
            j = partner[k]
            if j < i:
                for other in range(bounds[j], bounds[j + 1]):
                    if partner[other] == i:
                        counted[k] = False
                        break
    return counted


@njit(nogil=True, cache=True)
def tally_found(
    row: Array,
    partner: Array,
    half_squared: Array,
    class_index: Array,
    edges: Edges,
    pool_of_class_edge: Array,
    by_edge: Array,
    by_class: Array,
    moments: Array,
) -> None:
    """Count near pairs that were found: in the pool, for both classes, and for both rows.

    Parameters
    ----------
    row, partner, half_squared : integer arrays and float32 array of shape (pairs,)
        The two rows of each pair, and half its squared distance.
    class_index : int64 array of shape (rows,)
        -1 for rows of no scored class; these have no line in `by_class`.
    pool_of_class_edge : int64 array of shape (class edges,)
    by_edge, by_class, moments : int64 (E,), int32 or int64 (T, C), uint16 (rows, K)
        Classes by kept class edge.
    """
    for k in range(row.size):
        i, j = row[k], partner[k]
        key = key_of(half_squared[k], edges.rule)
        if key <= np.uint32(edges.near_key):
            both = edges.edges_of_key[key]
            class_edge = np.int64(both >> np.uint32(16))
            by_edge[np.int64(both & np.uint32(2**16 - 1))] += 1
        else:
            class_edge = np.int64(edges.class_edge_of_key[key])
            by_edge[pool_of_class_edge[class_edge]] += 1
        moment = edges.moment_of_class_edge[class_edge]
        kept = edges.kept_of_class_edge[class_edge]
        moments[i, moment] += np.uint16(1)
        moments[j, moment] += np.uint16(1)
        if class_index[i] >= 0:
            by_class[class_index[i], kept] += 1
        if class_index[j] >= 0:
            by_class[class_index[j], kept] += 1


@njit(nogil=True, cache=True)
def sum_sampled_squares(
    positive: Array, near: Array, rest: Array, class_index: Array, out: Array
) -> None:
    """Sums over the rows of each class at each moment edge, from the rows' counts edge by edge.

    With ``p``, ``a`` and ``s`` a row's positives, found negatives and sampled negatives up to an
    edge, `out` of shape (6, T, K) gets ``a^2``, ``a s``, ``s (s - 1)``, ``p a``, ``p s``, ``p^2``.
    """
    for r in range(class_index.size):
        c = class_index[r]
        if c < 0:
            continue
        p, a, s = np.int64(0), np.int64(0), np.int64(0)
        for m in range(near.shape[1]):
            p += np.int64(positive[r, m])
            a += np.int64(near[r, m])
            s += np.int64(rest[r, m])
            out[0, c, m] += a * a
            out[1, c, m] += a * s
            out[2, c, m] += s * (s - 1)
            out[3, c, m] += p * a
            out[4, c, m] += p * s
            out[5, c, m] += p * p
