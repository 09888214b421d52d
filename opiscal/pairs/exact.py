"""Counting every pair: blocks of rows, worked off tile by tile on any number of threads."""

from collections.abc import Callable, Sequence

from opiscal.pairs.block_counting import BlockCounting, Workspace
from opiscal.pairs.blocks import Block, plan_blocks
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.negative_blocks import count_negatives
from opiscal.pairs.positive_blocks import count_positives
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.tally import Tally
from opiscal.pairs.threads import share_out

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
    and kept class edge, and up to 40 MB a thread.
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

    def work(block: Block, space: Workspace) -> None:
        count = count_positives if block.kind == "positive" else count_negatives
        count(block, counting, space)
        if progress is not None:
            progress(block.pairs)

    # The largest first, so that no thread is left with one at the end.
    ordered = sorted(blocks, key=lambda block: -block.pairs)
    share_out(ordered, work, lambda: Workspace(counting), threads)
