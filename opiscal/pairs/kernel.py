"""The counting loops: from tiles of dot products to histograms. The one door to numba.

A pair is known here by its **half squared distance** ``u = d^2 / 2 = h_i + h_j - x_i . x_j``, with
``h`` half the squared length of a row. As `u` is not negative, its float32 bits, read as integers,
are in the order of its values: shifting them right gives a **key** on a grid that is fine for near
pairs and for far ones, whatever the scale. Edges are values of that grid, so a pair's place among
them is a table look-up, and exact.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Array = NDArray[Any]

# A float32 product is right to a few 1e-7 of the squared lengths, or to some 1e-6 where rounding
# piles up. Nearer than this share of them, the difference of the rows themselves is taken.
_NEAR = np.float32(2.0**-16)
# Two half squared distances closer than this share of the squared lengths are told apart exactly
# where their order matters: for neighbours.
_ROUNDING = 2.0**-21
# Places are 16 bits wide: 32 columns share a cache line, and 256 lines stay in the first cache.
_LINE_ROWS, _LINE_COLS = 256, 32


class KeyRule(NamedTuple):
    """How a half squared distance becomes a key.

    ``clip(ceil((bits(u) - base) / 2^shift), 0, top)``.

    A key therefore stands for the values above its lower neighbour's edge and **up to and with**
    its own: a tie with an edge is accepted by it.
    """

    base: np.int32
    shift: np.int32
    top: np.int32


@intrinsic
def _bits(_context: Any, _value: Any) -> Any:
    def generate(_ctx: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@njit(inline="always")
def _key(u, rule):
    below = np.int32((1 << rule.shift) - 1)
    key = (_bits(u) - rule.base + below) >> rule.shift
    return np.uint32(min(max(key, np.int32(0)), rule.top))


@njit(nogil=True, cache=True)
def _half_squared_difference(a, b):
    total = 0.0
    for k in range(a.size):
        step = np.float64(a[k]) - np.float64(b[k])
        total += step * step
    return 0.5 * total


@njit(inline="always")
def _reach(best, half_norm):
    return np.float32(best + _ROUNDING * (3.0 * half_norm + 2.0 * best))


@njit(nogil=True, cache=True)
def reach_of(best: Array, half_norm: Array) -> tuple[Array, Array]:
    """Between which rounded half squared distances rows may be as near as `best`; shapes (m,).

    A neighbour that near is no longer than ``sqrt(h) + sqrt(best)``, which bounds the rounding.
    """
    low, reach = np.empty(best.size, np.float32), np.empty(best.size, np.float32)
    for k in range(best.size):
        reach[k] = _reach(best[k], np.float64(half_norm[k]))
        low[k] = np.float32(2.0 * best[k] - np.float64(reach[k]))
    return low, reach


@njit(nogil=True, cache=True)
def _half_squared_line(dots, half, half_col, row, cols, line):
    """Half squared distances of a row to some columns; 0, exactly, where two are identical."""
    near = np.int32(0)
    for j in range(dots.size):
        weight = half + half_col[j]
        u = weight - dots[j]
        line[j] = u
        near += np.int32(u <= _NEAR * weight)
    if near > 0:
        for j in range(dots.size):
            if line[j] <= _NEAR * (half + half_col[j]):
                line[j] = np.float32(_half_squared_difference(row, cols[j]))


@njit(nogil=True, cache=True)
def keys_of(half_squared: Array, rule: KeyRule) -> Array:
    """Keys of half squared distances that are given: shape (m,) to shape (m,), uint32."""
    keys = np.empty(half_squared.size, np.uint32)
    for k in range(half_squared.size):
        keys[k] = _key(half_squared[k], rule)
    return keys


@njit(nogil=True, cache=True)
def negatives_of(tile: Array, vectors: Array, half_norm: Array, class_id: Array) -> Array:
    """Half squared distances of the negative pairs in a square tile of dot products, each once.

    Rows of the same `class_id` are no negatives; so distractors, which share -1, make none either.
    """
    size = class_id.size
    out = np.empty(size * (size - 1) // 2, np.float32)
    line = np.empty(size, np.float32)
    found = 0
    for i in range(size):
        after = slice(i + 1, size)
        _half_squared_line(
            tile[i, after], half_norm[i], half_norm[after], vectors[i], vectors[after], line
        )
        for j in range(size - i - 1):
            if class_id[i] != class_id[i + 1 + j]:
                out[found] = line[j]
                found += 1
    return out[:found]


@njit(nogil=True, cache=True)
def _comes_before(a, b, best, order, best_order):
    exact = _half_squared_difference(a, b)
    return exact < best or (exact == best and order < best_order)


@njit(nogil=True, cache=True)
def place_negatives(
    tile: Array,
    row_vectors: Array,
    col_vectors: Array,
    half_row: Array,
    half_col: Array,
    class_stop: Array,
    left: int,
    rule: KeyRule,
    edge_of_key: Array,
    class_edge_of_edge: Array,
    pool: Array,
    places: Array,
    line: Array,
    key_line: Array,
    low_row: Array,
    reach_row: Array,
    best_row: Array,
    best_row_order: Array,
    rank_row: Array,
    low_col: Array,
    reach_col: Array,
    best_col: Array,
    best_col_order: Array,
    rank_col: Array,
    order_row: Array,
    order_col: Array,
    ranks_wanted: int,
) -> None:
    """Count the negative pairs of one tile in the pool; note the place of each for its two rows.

    Rows are in class order, so row ``i`` meets other classes from place ``class_stop[i]`` on; the
    tile begins at place `left`.

    A rank is the number of negatives nearer than the best positive (`best_row`, `best_col`), those
    as near but read earlier included. A negative is nearer below `low_row` and `low_col`, and is
    told from the best by the rows themselves from there to `reach_row` and `reach_col`, where
    rounding might hide the order. A rank is not counted past `ranks_wanted`, where both are -1.
    """
    for i in range(tile.shape[0]):
        # Views from the first column on: loops that start at 0 are the ones that vectorise.
        first = min(max(class_stop[i] - left, 0), tile.shape[1])
        half, reach, row = half_row[i], reach_row[i], row_vectors[i]
        dots, half_here = tile[i, first:], half_col[first:]
        reach_here, cols = reach_col[first:], col_vectors[first:]
        # One pass without a branch; the sums say whether there is something to look at, which is
        # rare once ranks are settled.
        near, nearer = np.int32(0), np.int32(0)
        for j in range(dots.size):
            weight = half + half_here[j]
            u = weight - dots[j]
            near += np.int32(u <= _NEAR * weight)
            nearer += np.int32(u <= max(reach, reach_here[j]))
            key_line[j] = _key(u, rule)
        if near > 0 or nearer > 0:
            _half_squared_line(dots, half, half_here, row, cols, line)
        if near > 0:
            for j in range(dots.size):
                key_line[j] = _key(line[j], rule)
        place = places[i, first:]
        for j in range(dots.size):
            edge = edge_of_key[key_line[j]]
            pool[edge] += np.uint32(1)
            place[j] = class_edge_of_edge[edge]
        if nearer == 0:
            continue
        # Surely nearer than the best, or so near to it that the rows must be looked at.
        low = low_row[i]
        low_here, rank_here = low_col[first:], rank_col[first:]
        sure, close = np.int32(0), np.int32(0)
        for j in range(dots.size):
            u = line[j]
            sure += np.int32(u < low)
            rank_here[j] += np.int32(u < low_here[j])
            close += np.int32((u >= low) & (u <= reach))
            close += np.int32((u >= low_here[j]) & (u <= reach_here[j]))
        rank_row[i] += sure
        if close > 0:
            for j in range(dots.size):
                c, u = first + j, line[j]
                if low <= u <= reach and _comes_before(
                    row, cols[j], best_row[i], order_col[c], best_row_order[i]
                ):
                    rank_row[i] += 1
                if low_col[c] <= u <= reach_col[c] and _comes_before(
                    row, cols[j], best_col[c], order_row[i], best_col_order[c]
                ):
                    rank_col[c] += 1
        for j in range(dots.size):
            done = rank_here[j] >= ranks_wanted
            reach_here[j] = np.float32(-1) if done else reach_here[j]
            low_here[j] = np.float32(-1) if done else low_here[j]
        if rank_row[i] >= ranks_wanted:
            reach_row[i] = np.float32(-1)
            low_row[i] = np.float32(-1)


@njit(nogil=True, cache=True)
def tally_negative_rows(places: Array, class_stop: Array, left: int, row_histogram: Array) -> None:
    """Count for their rows the places that were noted, of columns from place `left` on.

    Row ``i`` has negatives from place ``class_stop[i]`` on. Each row is counted into a small
    histogram of its own, so that no write is scattered, however many classes.
    """
    for i in range(class_stop.size):
        here, histogram = places[i, max(class_stop[i] - left, 0) :], row_histogram[i]
        for j in range(here.size):
            histogram[here[j]] += np.uint16(1)


@njit(nogil=True, cache=True)
def tally_negative_cols(places: Array, class_start: Array, top: int, col_histogram: Array) -> None:
    """Count for their columns the places that were noted, of rows from place `top` on.

    Column ``j`` has negatives before its class begins, at place ``class_start[j]``: by the order of
    classes these are just the pairs that the rows counted.
    """
    rows = places.shape[0]
    for left in range(0, class_start.size, _LINE_COLS):
        for first in range(0, rows, _LINE_ROWS):
            for j in range(left, min(left + _LINE_COLS, class_start.size)):
                stop = min(class_start[j] - top, rows, first + _LINE_ROWS)
                here, histogram = places[first : max(first, stop), j], col_histogram[j]
                for i in range(here.size):
                    histogram[here[i]] += np.uint16(1)


@njit(nogil=True, cache=True)
def tally_positives(
    tile: Array,
    row_vectors: Array,
    col_vectors: Array,
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
    line: Array,
    reach_row: Array,
    best_row: Array,
    best_row_order: Array,
    reach_col: Array,
    best_col: Array,
    best_col_order: Array,
    order_row: Array,
    order_col: Array,
) -> None:
    """Count the positive pairs of one tile: row ``i`` with columns ``first_col[i] .. stop_col[i]``.

    Each pair goes once to the pool and to its class, and to both of its rows; each row keeps its
    nearest positive, the one read first where two are as near.
    """
    for i in range(tile.shape[0]):
        here = slice(first_col[i], stop_col[i])
        _half_squared_line(
            tile[i, here], half_row[i], half_col[here], row_vectors[i], col_vectors[here], line
        )
        histogram, row_moment = class_histogram[class_slot[i]], row_moments[i]
        col_moment, reach_here = col_moments[here], reach_col[here]
        reach = reach_row[i]
        close = np.int32(0)
        for j in range(reach_here.size):
            u = line[j]
            edge = edge_of_key[_key(u, rule)]
            place = class_edge_of_edge[edge]
            moment = moment_edge_of_class_edge[place]
            pool[edge] += np.uint32(1)
            histogram[place] += np.uint32(1)
            row_moment[moment] += np.uint32(1)
            col_moment[j, moment] += np.uint32(1)
            close += np.int32((u <= reach) | (u <= reach_here[j]))
        if close == 0:
            continue
        for j in range(first_col[i], stop_col[i]):
            u = line[j - first_col[i]]
            if u <= reach_row[i] or u <= reach_col[j]:
                exact = _half_squared_difference(row_vectors[i], col_vectors[j])
                if exact < best_row[i] or (
                    exact == best_row[i] and order_col[j] < best_row_order[i]
                ):
                    best_row[i], best_row_order[i] = exact, order_col[j]
                    reach_row[i] = _reach(exact, np.float64(half_row[i]))
                if exact < best_col[j] or (
                    exact == best_col[j] and order_row[i] < best_col_order[j]
                ):
                    best_col[j], best_col_order[j] = exact, order_row[i]
                    reach_col[j] = _reach(exact, np.float64(half_col[j]))


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


@njit(nogil=True, cache=True)
def sum_squares(
    row_positive: Array,
    row_negative: Array,
    class_of_row: Array,
    positive_squares: Array,
    negative_squares: Array,
    products: Array,
) -> None:
    """Sums over the rows of each class of ``p^2``, ``n^2`` and ``p n`` at each moment edge.

    ``p`` and ``n`` are the positives and negatives of a row up to the edge; the rows' counts are
    given edge by edge.
    """
    for r in range(class_of_row.size):
        p, n, c = np.int64(0), np.int64(0), class_of_row[r]
        for m in range(row_positive.shape[1]):
            p += np.int64(row_positive[r, m])
            n += np.int64(row_negative[r, m])
            positive_squares[c, m] += p * p
            negative_squares[c, m] += n * n
            products[c, m] += p * n
