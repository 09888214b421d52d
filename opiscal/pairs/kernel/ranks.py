"""Ranks of nearest positives: how many negatives come before them."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import NEAR, Array, half_squared_difference
from opiscal.pairs.kernel.records import Tile

RECALL_CAP = 8
"""Recall@k is kept for k up to this: ranks are not counted past it."""

# Two half squared distances closer than this share of the squared lengths are told apart exactly
# where their order matters.
_ROUNDING = 2.0**-21
LOOK_COLS = 64
"""Columns that are looked at one by one where one of them is within a reach."""


@njit(inline="always")
def reach_at(best, half_norm):
    """Up to which rounded half squared distance a pair may be as near as `best`."""
    return np.float32(best + _ROUNDING * (3.0 * half_norm + 2.0 * best))


@njit(nogil=True, cache=True)
def reach_of(best: Array, half_norm: Array) -> tuple[Array, Array]:
    """Between which rounded half squared distances rows may be as near as `best`; shapes (m,).

    A neighbour that near is no longer than ``sqrt(h) + sqrt(best)``, which bounds the rounding.
    """
    low, reach = np.empty(best.size, np.float32), np.empty(best.size, np.float32)
    for k in range(best.size):
        reach[k] = reach_at(best[k], np.float64(half_norm[k]))
        low[k] = np.float32(2.0 * best[k] - np.float64(reach[k]))
    return low, reach


@njit(nogil=True, cache=True)
def rank_negatives(tile: Tile, nearer: Array) -> None:
    """Raise the ranks of the rows and columns of one tile by its negatives.

    Only rows are looked at of which `nearer` says that a pair of theirs may come before a positive.
    """
    rows, cols = tile.rows.rows, tile.cols.rows
    row_nearest, col_nearest = tile.rows.nearest, tile.cols.nearest
    row_ranks, col_ranks = tile.rows.ranks, tile.cols.ranks
    for i in range(tile.first_col.size):
        if nearer[i] == 0:
            continue
        for start in range(tile.first_col[i], tile.width, LOOK_COLS):
            half, reach = rows.half_norm[i], row_nearest.reach[i]
            here = slice(start, min(start + LOOK_COLS, tile.width))
            dots = tile.dots[i * tile.width + here.start : i * tile.width + here.stop]
            half_col, reach_col = cols.half_norm[here], col_nearest.reach[here]
            found = np.int32(0)
            for j in range(dots.size):
                found += np.int32(half + half_col[j] - dots[j] <= max(reach, reach_col[j]))
            if found == 0:
                continue
            for j in range(dots.size):
                c, weight = start + j, half + half_col[j]
                u = weight - dots[j]
                if u > max(row_nearest.reach[i], reach_col[j]):
                    continue
                if u <= NEAR * weight:
                    u = np.float32(half_squared_difference(rows.vectors[i], cols.vectors[c]))
                _raise_rank(row_nearest, row_ranks, i, u, rows, cols, c)
                _raise_rank(col_nearest, col_ranks, c, u, cols, rows, i)


@njit(nogil=True, cache=True)
def _raise_rank(nearest, ranks, k, u, here, there, other):
    """Count a negative of row `k` if it comes before its nearest positive: surely, or by looking at
    the rows where rounding might hide it.
    """
    if u > nearest.reach[k]:
        return
    if u >= ranks.low[k]:
        exact = half_squared_difference(here.vectors[k], there.vectors[other])
        if exact > nearest.best[k] or (
            exact == nearest.best[k] and there.order[other] >= nearest.order[k]
        ):
            return
    ranks.rank[k] += 1
    if ranks.rank[k] >= RECALL_CAP:
        nearest.reach[k] = np.float32(-1)
