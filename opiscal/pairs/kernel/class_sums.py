"""Sums of the rows of each class, in double precision."""

from numba import njit

from opiscal.pairs.kernel.keys import Array


@njit(nogil=True, cache=True)
def add_rows(rows: Array, line: Array, sums: Array) -> None:
    """Add every row to a line of some sums, one after the other."""
    for i in range(rows.shape[0]):
        total, row = sums[line[i]], rows[i]
        for d in range(row.size):
            total[d] += row[d]
