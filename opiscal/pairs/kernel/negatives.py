"""Counting negative pairs: by class pair, or for classes of few rows by row and by column."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import NEAR, Array, half_squared_difference, key_of
from opiscal.pairs.kernel.records import Edges, Rows

# Places are 16 bits wide: 32 columns share a cache line, and 256 lines stay in the first cache.
_LINE_ROWS, _LINE_COLS = 256, 32
_MOST_SHORT = 2**16 - 1


@njit(inline="always")
def _keys_of_line(dots, half, half_col, reach, reach_col, rule, key_line):
    """Keys of a row's pairs; how many of them may be of identical rows, or matter for a rank."""
    # One pass without a branch: there is rarely something to look at, once ranks are settled.
    near, nearer = np.int32(0), np.int32(0)
    for j in range(dots.size):
        weight = half + half_col[j]
        u = weight - dots[j]
        near += np.int32(u <= NEAR * weight)
        nearer += np.int32(u <= max(reach, reach_col[j]))
        key_line[j] = key_of(u, rule)
    return near, nearer


@njit(nogil=True, cache=True)
def _keys_of_identical(dots, half, half_col, row, cols, rule, key_line):
    """Keys anew where rows are identical, or so close that rounding hides how close."""
    for j in range(dots.size):
        weight = half + half_col[j]
        if weight - dots[j] <= NEAR * weight:
            key_line[j] = key_of(np.float32(half_squared_difference(row, cols[j])), rule)


@njit(inline="always")
def _tally_near(
    key_line, chosen, found, edge_of_key, moment_of_edge, pool, row_moments, col_moments
):
    """Count the near pairs of a row, `found` columns in `chosen`, in the pool and for both rows."""
    for k in range(found):
        j = chosen[k]
        edge = edge_of_key[key_line[j]]
        moment = moment_of_edge[edge]
        pool[edge] += np.uint32(1)
        row_moments[moment] += np.uint16(1)
        col_moments[j, moment] += np.uint16(1)


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
def _move(histogram, row_class):
    """Add a histogram to that of a class; leave nothing behind."""
    for e in range(histogram.size):
        row_class[e] += np.uint32(histogram[e])
        histogram[e] = np.uint16(0)


@njit(nogil=True, cache=True)
def tally_class_pairs(
    tile: Array,
    class_stop: Array,
    left: int,
    rows: Rows,
    cols: Rows,
    row_reach: Array,
    col_reach: Array,
    edges: Edges,
    row_slot: Array,
    col_slot: Array,
    histogram: Array,
    pool: Array,
    row_class: Array,
    col_class: Array,
    row_moments: Array,
    col_moments: Array,
    key_line: Array,
    chosen: Array,
    nearer: Array,
) -> None:
    """Count the negative pairs of one tile, where classes have rows enough to count by class pair.

    Rows are in class order, so row ``i`` meets other classes from place ``class_stop[i]`` on; the
    tile begins at place `left`. Each pair is counted once, in the `histogram` of its two classes
    (of ``row_slot`` and ``col_slot``), which is added to both when the row's class ends. Near pairs
    go into the pool and to both rows as well.
    """
    bins, first_slot = np.uint32(histogram.shape[1]), col_slot[0]
    histogram = histogram[: col_slot[-1] - first_slot + 1]
    flat = histogram.reshape(-1)
    last_shared, rows_at_most = 0, _MOST_SHORT // tile.shape[1]
    offset = ((col_slot - first_slot) * bins).astype(np.uint32)
    # Arrays are taken out of their records, and views made, outside of the loops: each costs.
    rule, near_key = edges.rule, edges.near_key
    edge_of_key, class_edge_of_key = edges.edge_of_key, edges.class_edge_of_key
    moment_of_edge = edges.moment_of_edge
    half_row = rows.half_norm
    first = -1
    half_here, reach_here, offset_here, moments_here = (
        cols.half_norm, col_reach, offset, col_moments
    )  # fmt: skip
    for i in range(tile.shape[0]):
        if i > last_shared and (row_slot[i] != row_slot[i - 1] or i == last_shared + rows_at_most):
            _share_out(histogram, first_slot, row_class[row_slot[i - 1]], col_class)
            last_shared = i
        begin = min(max(class_stop[i] - left, 0), tile.shape[1])
        if begin != first:
            first = begin
            half_here, reach_here = cols.half_norm[first:], col_reach[first:]
            offset_here, moments_here = offset[first:], col_moments[first:]
        dots = tile[i, first:]
        near, hits = _keys_of_line(
            dots, half_row[i], half_here, row_reach[i], reach_here, rule, key_line
        )
        if near > 0:
            _keys_of_identical(
                dots, half_row[i], half_here, rows.vectors[i], cols.vectors[first:], rule, key_line
            )
        nearer[i] = hits
        found = np.uint64(0)
        for j in range(dots.size):
            key = key_line[j]
            flat[offset_here[j] + class_edge_of_key[key]] += np.uint16(1)
            chosen[found] = j
            found += np.uint64(key <= near_key)
        _tally_near(
            key_line, chosen, found, edge_of_key, moment_of_edge, pool, row_moments[i], moments_here
        )
    _share_out(histogram, first_slot, row_class[row_slot[-1]], col_class)


@njit(nogil=True, cache=True)
def tally_rows(
    tile: Array,
    class_stop: Array,
    left: int,
    rows: Rows,
    cols: Rows,
    row_reach: Array,
    col_reach: Array,
    edges: Edges,
    row_slot: Array,
    histogram: Array,
    pool: Array,
    row_class: Array,
    row_moments: Array,
    col_moments: Array,
    places: Array,
    key_line: Array,
    chosen: Array,
    nearer: Array,
) -> None:
    """Count the negative pairs of one tile for the classes of its rows; note where each belongs.

    For classes of few rows: `tally_columns` counts the places that were noted for the other side.
    Near pairs go into the pool and to both rows.
    """
    rule, near_key = edges.rule, edges.near_key
    edge_of_key, class_edge_of_key = edges.edge_of_key, edges.class_edge_of_key
    moment_of_edge = edges.moment_of_edge
    half_row = rows.half_norm
    first, last_moved, rows_at_most = -1, 0, _MOST_SHORT // tile.shape[1]
    half_here, reach_here, moments_here = cols.half_norm, col_reach, col_moments
    for i in range(tile.shape[0]):
        if i > last_moved and (row_slot[i] != row_slot[i - 1] or i == last_moved + rows_at_most):
            _move(histogram, row_class[row_slot[i - 1]])
            last_moved = i
        begin = min(max(class_stop[i] - left, 0), tile.shape[1])
        if begin != first:
            first = begin
            half_here, reach_here = cols.half_norm[first:], col_reach[first:]
            moments_here = col_moments[first:]
        dots, here = tile[i, first:], places[i, first:]
        near, hits = _keys_of_line(
            dots, half_row[i], half_here, row_reach[i], reach_here, rule, key_line
        )
        if near > 0:
            _keys_of_identical(
                dots, half_row[i], half_here, rows.vectors[i], cols.vectors[first:], rule, key_line
            )
        nearer[i] = hits
        found = np.uint64(0)
        for j in range(dots.size):
            key = key_line[j]
            place = class_edge_of_key[key]
            here[j] = place
            histogram[place] += np.uint16(1)
            chosen[found] = j
            found += np.uint64(key <= near_key)
        _tally_near(
            key_line, chosen, found, edge_of_key, moment_of_edge, pool, row_moments[i], moments_here
        )
    _move(histogram, row_class[row_slot[-1]])


@njit(nogil=True, cache=True)
def tally_columns(
    places: Array, class_start: Array, top: int, col_slot: Array, col_class: Array
) -> None:
    """Count for the classes of the columns the places that were noted, of rows from `top` on.

    Column ``j`` has negatives before its class begins, at place ``class_start[j]``: by the order of
    classes these are just the pairs that the rows counted.
    """
    rows = places.shape[0]
    for left in range(0, class_start.size, _LINE_COLS):
        for first in range(0, rows, _LINE_ROWS):
            for j in range(left, min(left + _LINE_COLS, class_start.size)):
                stop = min(class_start[j] - top, rows, first + _LINE_ROWS)
                here, histogram = places[first : max(first, stop), j], col_class[col_slot[j]]
                for i in range(here.size):
                    histogram[here[i]] += np.uint32(1)
