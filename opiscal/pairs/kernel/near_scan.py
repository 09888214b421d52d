"""A tile of products looked through once: nearest rows, accepted negatives, class pairs.

Most pairs of a tile are of no interest, and a comparison that runs by vectors passes them over. The
others are looked at one by one. Near a bound the product, float32, is not trusted: there the
difference of the two rows themselves decides.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import NEAR, Array, half_squared_difference

# A product may be wrong by this share of the two half squared lengths.
SLACK = np.float32(4e-6)
_CHUNK = 64


class Strip(NamedTuple):
    """Some rows in class order, and the nearest rows that each has met so far.

    `order` is the row in the order of reading, `slot` the class counted from the first of the
    block, -1 for a row of no class. `value` and `nearest`, of shape (rows, k), ascend.
    """

    half_norm: Array
    order: Array
    class_id: Array
    slot: Array
    value: Array
    nearest: Array


class Threshold(NamedTuple):
    """A threshold: as a distance, and as half its square in the units of the products."""

    distance: float
    half_squared: np.float32
    # A half squared difference of the rows as given, times this, is in the units of the products.
    factor: float


class Cells(NamedTuple):
    """Accepted pairs of a block by class pair: how many, and the nearest of them."""

    accepted: Array
    value: Array
    first: Array
    second: Array


class Taken(NamedTuple):
    """Room for pairs that may be among the ones to be shown."""

    first: Array
    second: Array


@njit(inline="always")
def _offer(value, nearest, u, row):
    """Put a row in its place among the nearest; of equally near ones the one read first."""
    last = value.size - 1
    if u > value[last] or (u == value[last] and row >= nearest[last]):
        return
    k = last
    while k > 0 and (value[k - 1] > u or (value[k - 1] == u and nearest[k - 1] > row)):
        value[k] = value[k - 1]
        nearest[k] = nearest[k - 1]
        k -= 1
    value[k] = u
    nearest[k] = row


@njit(inline="always")
def _count(cells, a, b, u, first, second):
    """Count an accepted pair for its classes, and keep the nearest; of ties the one read first."""
    cells.accepted[a, b] += 1
    value = cells.value[a, b]
    nearer = cells.accepted[a, b] == 1 or u < value
    if not nearer and u == value:
        nearer = first < cells.first[a, b] or (
            first == cells.first[a, b] and second < cells.second[a, b]
        )
    if nearer:
        cells.value[a, b] = u
        cells.first[a, b] = first
        cells.second[a, b] = second


@njit(nogil=True, cache=True)
def scan_tile(
    dots: Array,
    given: Array,
    rows: Strip,
    cols: Strip,
    diagonal: int,
    at: Threshold,
    shown: float,
    cells: Cells,
    taken: Taken,
) -> tuple[int, int]:
    """Look through the products of some rows with some columns.

    Parameters
    ----------
    dots : float32 array of shape (rows, cols)
    given : float32 array
        All rows, in the order of reading.
    rows, cols : Strip
    diagonal : int
        Columns up to and with ``row + diagonal`` are passed over: they were met before.
    at : Threshold
    shown : float
        Half squared distance, in the units of the products, up to which pairs are taken.
    cells : Cells
        Of shape (classes of the rows' block, classes of the columns' block).
    taken : Taken

    Returns
    -------
    accepted, pairs taken : int
    """
    width, last = cols.order.size, rows.value.shape[1] - 1
    trust = np.float32(1.0) - SLACK
    half_col = cols.half_norm * trust
    reach_col = cols.value[:, last].copy()
    accepted, found = 0, 0
    for i in range(rows.order.size):
        half, row, line = rows.half_norm[i], rows.order[i], dots[i]
        loose = half * trust
        # Columns of the row's own class come first. To be accepted makes them no more interesting.
        left = max(0, i + diagonal + 1)
        own_stop = left
        while own_stop < width and cols.class_id[own_stop] == rows.class_id[i]:
            own_stop += 1
        while left < width:
            own = left < own_stop
            right = min(left + _CHUNK, own_stop if own else width)
            reach = rows.value[i, last]
            if not own:
                reach = max(at.half_squared, reach)
            hits = np.int32(0)
            for j in range(left, right):
                u = (loose + half_col[j]) - line[j]
                hits += np.int32(u <= reach) | np.int32(u <= reach_col[j])
            begin = left if hits > 0 else right
            left = right
            for j in range(begin, right):
                u = (loose + half_col[j]) - line[j]
                if u > reach and u > reach_col[j]:
                    continue
                col = cols.order[j]
                weight = half + cols.half_norm[j]
                u = max(weight - line[j], np.float32(0.0))
                exact = -1.0
                if u <= NEAR * weight:
                    exact = half_squared_difference(given[row], given[col])
                    u = np.float32(exact * at.factor)
                _offer(rows.value[i], rows.nearest[i], u, col)
                _offer(cols.value[j], cols.nearest[j], u, row)
                reach_col[j] = cols.value[j, last]
                if rows.class_id[i] == cols.class_id[j]:
                    continue
                slack = SLACK * weight
                if u > at.half_squared + slack:
                    continue
                if u >= at.half_squared - slack or exact >= 0.0:
                    if exact < 0.0:
                        exact = half_squared_difference(given[row], given[col])
                    if np.sqrt(2.0 * exact) > at.distance:
                        continue
                accepted += 1
                first, second = min(row, col), max(row, col)
                if u <= shown + slack:
                    taken.first[found] = first
                    taken.second[found] = second
                    found += 1
                if rows.slot[i] >= 0 and cols.slot[j] >= 0:
                    _count(cells, rows.slot[i], cols.slot[j], u, first, second)
    return accepted, found


@njit(nogil=True, cache=True)
def scan_positives(
    dots: Array,
    given: Array,
    rows: Strip,
    cols: Strip,
    diagonal: int,
    at: Threshold,
    shown: float,
    taken: Taken,
) -> tuple[int, int]:
    """Look for the far pairs of one class in a tile; as in `scan_tile`, but for pairs beyond.

    Returns
    -------
    rejected, pairs taken : int
    """
    rejected, found = 0, 0
    for i in range(rows.order.size):
        half, row, line = rows.half_norm[i], rows.order[i], dots[i]
        for j in range(max(0, i + diagonal + 1), cols.order.size):
            if rows.class_id[i] < 0 or rows.class_id[i] != cols.class_id[j]:
                continue
            weight = half + cols.half_norm[j]
            u = weight - line[j]
            slack = max(SLACK, NEAR) * weight
            if u < at.half_squared - slack:
                continue
            col = cols.order[j]
            if u <= at.half_squared + slack:
                exact = half_squared_difference(given[row], given[col])
                if np.sqrt(2.0 * exact) <= at.distance:
                    continue
            rejected += 1
            if u >= shown - slack:
                taken.first[found] = min(row, col)
                taken.second[found] = max(row, col)
                found += 1
    return rejected, found


@njit(nogil=True, cache=True)
def pair_distances(vectors: Array, first: Array, second: Array) -> Array:
    """Distances of pairs of rows that are named, float64; shape (pairs,)."""
    out = np.empty(first.size, np.float64)
    for k in range(first.size):
        out[k] = np.sqrt(2.0 * half_squared_difference(vectors[first[k]], vectors[second[k]]))
    return out
