"""Counting every pair: blocks of rows, worked off tile by tile on any number of threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from opiscal.pairs.blas import one_blas_thread
from opiscal.pairs.block_counting import BlockCounting, Workspace
from opiscal.pairs.blocks import Block, plan_blocks
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.negative_blocks import count_negatives
from opiscal.pairs.positive_blocks import count_positives
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.tally import Tally
from opiscal.pairs.threads import available_threads

Progress = Callable[[int], None]


def count_exactly(
    rows: SortedRows,
    lattice: Lattice,
    *,
    threads: int | None = None,
    ranks: bool = True,
    progress: Progress | None = None,
) -> Tally:
    """Count every pair of a set.

    Parameters
    ----------
    rows : SortedRows
    lattice : Lattice
    threads : int, optional
        Default: all cores this process may use.
    ranks : bool
        Whether neighbour ranks are kept for Recall@k.
    progress : callable, optional
        Called now and then with a number of pairs that were counted since the last call.

    Returns
    -------
    Tally

    Notes
    -----
    Work: ``N^2 / 2`` dot products. Memory: the rows, 8 bytes a row and moment edge, 8 bytes a class
    and class edge, and up to 40 MB a thread.
    """
    positive, negative = plan_blocks(rows)
    tally = Tally.empty(rows, lattice)
    # Ranks ask where each row's nearest positive is, so all positives are counted before.
    count_blocks(positive, rows, lattice, tally, threads=threads, ranks=ranks, progress=progress)
    count_blocks(negative, rows, lattice, tally, threads=threads, ranks=ranks, progress=progress)
    return tally


def count_blocks(
    blocks: Sequence[Block],
    rows: SortedRows,
    lattice: Lattice,
    tally: Tally,
    *,
    threads: int | None = None,
    ranks: bool = True,
    progress: Progress | None = None,
) -> None:
    """Count some blocks into a tally; negatives rank by the nearest positives already in it."""
    counting = BlockCounting(rows, lattice, tally, ranks)
    waiting = sorted(blocks, key=lambda block: -block.pairs)
    workers = min(threads or available_threads(), max(1, len(waiting)))
    with one_blas_thread():
        if workers == 1:
            _work(waiting, counting, progress)
            return
        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(_work, waiting, counting, progress) for _ in range(workers)]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                counting.stopped.set()
                raise


def _work(waiting: list[Block], counting: BlockCounting, progress: Progress | None) -> None:
    """Take blocks off the list until it is empty."""
    space = Workspace(counting)
    while not counting.stopped.is_set():
        with counting.lock:
            if not waiting:
                return
            block = waiting.pop(0)
        count = count_positives if block.kind == "positive" else count_negatives
        count(block, counting, space)
        if progress is not None:
            progress(block.pairs)
