"""Far positives: the pairs of one class that a threshold rejects."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.blas import one_blas_thread
from opiscal.pairs.kernel.near_scan import Strip, Taken, scan_positives
from opiscal.pairs.near_pairs import half_squared, threshold_of
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.threads import available_threads
from opiscal.pairs.top_pairs import RowPairs, TopPairs

_BLOCK_ROWS = 512


@dataclass(frozen=True, slots=True)
class FarPositives:
    """Pairs of one class beyond a threshold: how many, and the farthest of them."""

    rejected: int
    farthest: RowPairs


def find_far_positives(
    rows: SortedRows,
    vectors: NDArray[np.float32],
    threshold: float,
    *,
    top: int,
    threads: int | None = None,
) -> FarPositives:
    """Look at every pair of one class, block by block: memory does not grow with a class.

    Parameters
    ----------
    rows : SortedRows
    vectors : float32 array of shape (rows, dimensions)
        The same rows in the order of reading, as they are in the set.
    threshold : float
        A distance of the set.
    top : int
        Pairs that are wanted.
    threads : int, optional

    Returns
    -------
    FarPositives
    """
    at = threshold_of(rows, threshold)
    order = rows.read_order.astype(np.int32)
    best = TopPairs(vectors, top, farthest=True)
    end = rows.classes.scored_rows
    none = np.empty((1, 0), np.int32)

    def strip(start: int, stop: int) -> Strip:
        part = slice(start, stop)
        class_id = rows.classes.class_id[part]
        return Strip(rows.half_norm[part], order[part], class_id, none[0], none, none)

    def look(start: int) -> int:
        stop, rejected = min(start + _BLOCK_ROWS, end), 0
        last = int(rows.classes.stop[stop - 1])
        for left in range(start, last, _BLOCK_ROWS):
            right = min(left + _BLOCK_ROWS, last)
            dots = rows.vectors[start:stop] @ rows.vectors[left:right].T
            room = np.empty((2, dots.size), np.int32)
            shown = half_squared(rows, max(best.limit, threshold))
            diagonal = 0 if left == start else -_BLOCK_ROWS
            counted, taken = scan_positives(
                dots, vectors, strip(start, stop), strip(left, right), diagonal, at, shown,
                Taken(room[0], room[1]),
            )  # fmt: skip
            rejected += counted
            best.offer(room[0, :taken], room[1, :taken])
        return rejected

    with one_blas_thread(), ThreadPoolExecutor(threads or available_threads()) as pool:
        jobs = [pool.submit(look, start) for start in range(0, end, _BLOCK_ROWS)]
        try:
            rejected = sum(job.result() for job in jobs)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return FarPositives(rejected, best.pairs())
