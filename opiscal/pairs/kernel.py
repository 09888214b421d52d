"""The counting loops: from a tile of dot products to histograms over the edges. The one door to
numba.

A pair is known here by its **half squared distance** ``u = d^2 / 2 = h_i + h_j - x_i . x_j``, with
``h`` half the squared length of a row (1/2 under ``cosine``, so that ``u = 1 - s``). `u` is not
negative, so its float32 bits, read as an integer, are in the order of its values: shifting them
right gives a **key** on a grid that is fine for near pairs and for far ones, whatever the scale.
Edges are values of that grid, so a pair's place among them is a table look-up, and exact.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Array = NDArray[Any]


class KeyRule(NamedTuple):
    """How a half squared distance becomes a key: ``clip(ceil((bits(u) - base) / 2^shift), 0,
    top)``.

    A key therefore stands for the values above its lower neighbour's edge and **up to and with**
    its own: a tie with an edge is accepted by it. `snap` is the share of ``h_i + h_j`` below which
    `u` is rounding of a float32 product and is taken as 0: identical rows are at distance 0, and a
    cosine a hair above 1 is 1.
    """

    base: np.int32
    shift: np.int32
    top: np.int32
    snap: np.float32


@intrinsic
def _bits(_context: Any, _value: Any) -> Any:
    def generate(_ctx: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@njit(inline="always")
def _half_squared(dot, weight, snap):
    u = weight - dot
    return u if u > snap * weight else np.float32(0)


@njit(inline="always")
def _key(u, rule):
    below = np.int32((1 << rule.shift) - 1)
    key = (_bits(u) - rule.base + below) >> rule.shift
    return np.uint32(min(max(key, np.int32(0)), rule.top))


@njit(nogil=True, cache=True)
def keys_of(half_squared: Array, rule: KeyRule) -> Array:
    """Keys of half squared distances that are given: shape (m,) to shape (m,), uint32."""
    keys = np.empty(half_squared.size, np.uint32)
    for k in range(half_squared.size):
        keys[k] = _key(half_squared[k], rule)
    return keys


@njit(nogil=True, cache=True)
def negatives_of(tile: Array, half_norm: Array, class_id: Array, snap: np.float32) -> Array:
    """Half squared distances of the negative pairs in a square tile of dot products, each pair
    once.

    Rows of the same `class_id` are no negatives; so distractors, which share -1, make none either.
    """
    out = np.empty(class_id.size * (class_id.size - 1) // 2, np.float32)
    found = 0
    for i in range(class_id.size):
        for j in range(i + 1, class_id.size):
            if class_id[i] != class_id[j]:
                out[found] = _half_squared(tile[i, j], half_norm[i] + half_norm[j], snap)
                found += 1
    return out[:found]


@njit(nogil=True, cache=True)
def tally_negative_rows(
    tile: Array,
    half_row: Array,
    half_col: Array,
    first_col: Array,
    rule: KeyRule,
    edge_of_key: Array,
    class_edge_of_edge: Array,
    pool: Array,
    row_histogram: Array,
    places: Array,
    key_line: Array,
    best_row: Array,
    best_row_order: Array,
    rank_row: Array,
    best_col: Array,
    best_col_order: Array,
    rank_col: Array,
    order_row: Array,
    order_col: Array,
    ranks_wanted: int,
) -> None:
    """Count the negative pairs of one tile in the pool and for their rows; note the place of each.

    Rows are in class order, so row ``i`` meets other classes from column ``first_col[i]`` on. Each
    row is counted into its own small histogram, so that no write is scattered, however many
    classes.

    A rank is the number of negatives nearer than the best positive (`best_row`, `best_col`), those
    as near but read earlier included; it is not counted past `ranks_wanted`, where the best is set
    to -1.
    """
    rows, cols = tile.shape
    for i in range(rows):
        first, half, best = first_col[i], half_row[i], best_row[i]
        # Views from the first column on: loops that start at 0 are the ones that vectorise.
        dots, half_here, best_here = tile[i, first:], half_col[first:], best_col[first:]
        nearer_than_row, nearer_than_col = np.int32(0), np.int32(0)
        for j in range(dots.size):
            u = _half_squared(dots[j], half + half_here[j], rule.snap)
            nearer_than_row += np.int32(u <= best)
            nearer_than_col += np.int32(u <= best_here[j])
            key_line[j] = _key(u, rule)
        line, histogram = places[i, first:], row_histogram[i]
        for j in range(dots.size):
            edge = edge_of_key[key_line[j]]
            pool[edge] += np.uint32(1)
            line[j] = class_edge_of_edge[edge]
        for j in range(dots.size):
            histogram[line[j]] += np.uint16(1)
        # Rare once ranks are settled: the sums above only say that there is something to look at.
        if nearer_than_row > 0:
            for j in range(first, cols):
                u = _half_squared(tile[i, j], half + half_col[j], rule.snap)
                if u < best or (u == best and order_col[j] < best_row_order[i]):
                    rank_row[i] += 1
            if rank_row[i] >= ranks_wanted:
                best_row[i] = np.float32(-1)
        if nearer_than_col > 0:
            for j in range(first, cols):
                u = _half_squared(tile[i, j], half + half_col[j], rule.snap)
                if u < best_col[j] or (u == best_col[j] and order_row[i] < best_col_order[j]):
                    rank_col[j] += 1
                    if rank_col[j] >= ranks_wanted:
                        best_col[j] = np.float32(-1)


@njit(nogil=True, cache=True)
def tally_negative_cols(places: Array, stop_row: Array, col_histogram: Array) -> None:
    """Count for their columns the places that were noted: column ``j`` in rows before
    ``stop_row[j]``.

    By the order of classes these are just the pairs that the rows counted. Many rows at a time, so
    that a histogram, once fetched, is used often.
    """
    for j in range(stop_row.size):
        histogram = col_histogram[j]
        for i in range(stop_row[j]):
            histogram[places[i, j]] += np.uint16(1)


@njit(nogil=True, cache=True)
def tally_positives(
    tile: Array,
    half_row: Array,
    half_col: Array,
    first_col: Array,
    stop_col: Array,
    class_slot: Array,
    rule: KeyRule,
    edge_of_key: Array,
    class_edge_of_edge: Array,
    moment_edge_of_class_edge: Array,
    pool: Array,
    class_histogram: Array,
    row_moments: Array,
    col_moments: Array,
    best_row: Array,
    best_row_order: Array,
    best_col: Array,
    best_col_order: Array,
    order_row: Array,
    order_col: Array,
) -> None:
    """Count the positive pairs of one tile: row ``i`` with columns ``first_col[i]`` to
    ``stop_col[i]``.

    Each pair goes once to the pool and to its class, and to both of its rows; each row keeps its
    nearest positive, the one read first where two are as near.
    """
    for i in range(tile.shape[0]):
        histogram = class_histogram[class_slot[i]]
        for j in range(first_col[i], stop_col[i]):
            u = _half_squared(tile[i, j], half_row[i] + half_col[j], rule.snap)
            edge = edge_of_key[_key(u, rule)]
            place = class_edge_of_edge[edge]
            moment = moment_edge_of_class_edge[place]
            pool[edge] += np.uint32(1)
            histogram[place] += np.uint32(1)
            row_moments[i, moment] += np.uint32(1)
            col_moments[j, moment] += np.uint32(1)
            if u < best_row[i] or (u == best_row[i] and order_col[j] < best_row_order[i]):
                best_row[i] = u
                best_row_order[i] = order_col[j]
            if u < best_col[j] or (u == best_col[j] and order_row[i] < best_col_order[j]):
                best_col[j] = u
                best_col_order[j] = order_row[i]


@njit(nogil=True, cache=True)
def fold_rows(
    histograms: Array, class_slot: Array, class_histogram: Array, moment_stop: Array, moments: Array
) -> None:
    """Add row histograms to those of their classes and, summed between moment edges, to the rows'.

    Row ``r`` belongs to ``class_slot[r]``; a negative slot (no scored class) is passed over. Moment
    edge ``m`` ends before class edge ``moment_stop[m]``.
    """
    for r in range(histograms.shape[0]):
        slot = class_slot[r]
        if slot < 0:
            continue
        line, total = histograms[r], class_histogram[slot]
        for e in range(line.size):
            total[e] += np.uint32(line[e])
        start = 0
        for m in range(moment_stop.size):
            accepted = np.uint32(0)
            for e in range(start, moment_stop[m]):
                accepted += np.uint32(line[e])
            moments[r, m] += accepted
            start = moment_stop[m]
