"""Counting positive pairs, and finding the nearest one of each row."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import Array, half_squared_difference, half_squared_line, key_of
from opiscal.pairs.kernel.ranks import reach_at
from opiscal.pairs.kernel.records import Edges, Nearest, Rows


@njit(nogil=True, cache=True)
def tally_positives(
    tile: Array,
    first_col: Array,
    stop_col: Array,
    rows: Rows,
    cols: Rows,
    row_nearest: Nearest,
    col_nearest: Nearest,
    edges: Edges,
    row_slot: Array,
    pool: Array,
    class_histogram: Array,
    row_moments: Array,
    col_moments: Array,
    line: Array,
    key_line: Array,
) -> None:
    """Count the positive pairs of one tile: row ``i`` with columns ``first_col[i] .. stop_col[i]``.

    Each pair goes once to the pool and to its class, and to both of its rows; each row keeps its
    nearest positive, the one read first where two are as near.
    """
    for i in range(tile.shape[0]):
        here = slice(first_col[i], stop_col[i])
        half_col, reach_here = cols.half_norm[here], col_nearest.reach[here]
        half_squared_line(
            tile[i, here], rows.half_norm[i], half_col, rows.vectors[i], cols.vectors[here], line
        )
        reach, close = row_nearest.reach[i], np.int32(0)
        for j in range(reach_here.size):
            close += np.int32(line[j] <= max(reach, reach_here[j]))
            key_line[j] = key_of(line[j], edges.rule)
        histogram, row_moment = class_histogram[row_slot[i]], row_moments[i]
        col_moment = col_moments[here]
        for j in range(reach_here.size):
            key = key_line[j]
            edge = edges.edge_of_key[key]
            moment = edges.moment_of_edge[edge]
            pool[edge] += np.uint32(1)
            histogram[edges.class_edge_of_key[key]] += np.uint32(1)
            row_moment[moment] += np.uint32(1)
            col_moment[j, moment] += np.uint32(1)
        if close == 0:
            continue
        for j in range(first_col[i], stop_col[i]):
            u = line[j - first_col[i]]
            if u <= row_nearest.reach[i] or u <= col_nearest.reach[j]:
                exact = half_squared_difference(rows.vectors[i], cols.vectors[j])
                _offer_best(row_nearest, i, exact, cols.order[j], rows.half_norm[i])
                _offer_best(col_nearest, j, exact, rows.order[i], cols.half_norm[j])


@njit(nogil=True, cache=True)
def _offer_best(nearest, i, exact, order, half_norm):
    if exact < nearest.best[i] or (exact == nearest.best[i] and order < nearest.order[i]):
        nearest.best[i], nearest.order[i] = exact, order
        nearest.reach[i] = reach_at(exact, np.float64(half_norm))
