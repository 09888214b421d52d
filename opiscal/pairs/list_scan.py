"""Near pairs of all rows by an inverted file: list by list, as products of matrices."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.blas import one_blas_thread
from opiscal.pairs.kernel.list_scan import seekers_by_list, within_bound
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.threads import available_threads

_TILE_ROWS, _TILE_COLS = 1024, 1024


def pairs_in_lists(
    rows: SortedRows, lists: NDArray[np.int32], radius: float, threads: int | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Rows within a distance of each other, as far as their lists show them.

    A row looks through its own list and the next nearest ones. All rows that look through a list
    are multiplied with those in it at once: ten times faster than row by row.

    Parameters
    ----------
    rows : SortedRows
    lists : int32 array of shape (rows, nprobe)
        The lists that each row looks through, its own one first.
    radius : float
        In the units of the sorted rows.
    threads : int, optional

    Returns
    -------
    two int32 arrays
        Sorted places of the row that looked, and of the row that it found; itself too.
    """
    number = int(lists.max(initial=-1)) + 1
    bounds, seeking = seekers_by_list(lists, number)
    own_bounds, own = seekers_by_list(lists[:, :1].copy(), number)
    bound = np.float32(0.5 * radius**2)

    def scan(which: int) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        member = own[own_bounds[which] : own_bounds[which + 1]]
        query = seeking[bounds[which] : bounds[which + 1]]
        found = []
        for left in range(0, member.size, _TILE_COLS):
            cols = member[left : left + _TILE_COLS]
            transposed = rows.vectors[cols].T
            for top in range(0, query.size, _TILE_ROWS):
                part = query[top : top + _TILE_ROWS]
                dots = rows.vectors[part] @ transposed
                i, j = within_bound(dots, rows.half_norm[part], rows.half_norm[cols], bound)
                found.append((part[i], cols[j]))
        return found

    with one_blas_thread(), ThreadPoolExecutor(threads or available_threads()) as pool:
        parts = [pair for found in pool.map(scan, range(number)) for pair in found]
    if not parts:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    first, second = zip(*parts, strict=True)
    return np.concatenate(first), np.concatenate(second)
