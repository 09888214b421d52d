"""Inverted files: who looks through which list, and pairs within a distance in a tile."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import Array


@njit(nogil=True, cache=True)
def seekers_by_list(lists: Array, number: int) -> tuple[Array, Array]:
    """The rows that look through each list, ascending; those of list ``k`` begin at ``bounds[k]``.

    `lists` of shape (rows, nprobe) has their numbers, below `number`; -1 for none.
    """
    bounds = np.zeros(number + 1, np.int64)
    for i in range(lists.shape[0]):
        for k in range(lists.shape[1]):
            if lists[i, k] >= 0:
                bounds[lists[i, k] + 1] += 1
    for k in range(number):
        bounds[k + 1] += bounds[k]
    filled, seekers = bounds[:-1].copy(), np.empty(bounds[-1], np.int32)
    for i in range(lists.shape[0]):
        for k in range(lists.shape[1]):
            which = lists[i, k]
            if which >= 0:
                seekers[filled[which]] = i
                filled[which] += 1
    return bounds, seekers


@njit(nogil=True, cache=True)
def within_bound(
    dots: Array, half_row: Array, half_col: Array, bound: np.float32
) -> tuple[Array, Array]:
    """Rows and columns of the pairs of a tile whose half squared distance is at most `bound`."""
    of_row = np.zeros(half_row.size, np.int32)
    for i in range(half_row.size):
        line, least, found = dots[i], half_row[i] - bound, np.int32(0)
        for j in range(half_col.size):
            found += np.int32(least + half_col[j] <= line[j])
        of_row[i] = found
    rows, cols = np.empty(of_row.sum(), np.int32), np.empty(of_row.sum(), np.int32)
    k = 0
    for i in range(half_row.size):
        if of_row[i] == 0:
            continue
        line, least = dots[i], half_row[i] - bound
        for j in range(half_col.size):
            if least + half_col[j] <= line[j]:
                rows[k], cols[k] = i, j
                k += 1
    return rows, cols
