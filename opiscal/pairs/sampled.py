"""Counting a sample of the pairs: the near ones that an index finds, and rows against columns."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label, Metric
from opiscal.pairs.block_counting import Workspace
from opiscal.pairs.kernel.moments import accept_in_place
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.near_search import FoundPairs
from opiscal.pairs.sampled_columns import ColumnCounting, ColumnGroups, ColumnSums, row_blocks
from opiscal.pairs.sampled_counts import SampledCounts
from opiscal.pairs.sampled_head import SampledHead, count_head
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.threads import available_threads, share_out

Progress = Callable[[int], None]


def count_sampled(
    rows: SortedRows,
    lattice: Lattice,
    near: FoundPairs,
    columns: ColumnGroups,
    *,
    labels: tuple[Label, ...],
    metric: Metric,
    most_positives: int,
    seed: int = 0,
    threads: int | None = None,
) -> "Sampled":
    """Count the sampled pairs of a set, from its near pairs and its columns on.

    Parameters
    ----------
    rows, lattice, near, columns, most_positives, seed, threads
        As `opiscal.pairs.sampled_head.count_head` and `count_columns`.
    labels : tuple
        All labels of the set, of which `rows.classes.scored` names the scored ones.
    metric : "cosine" or "l2"
    """
    workers = threads or available_threads()
    head = count_head(rows, lattice, near, columns, most_positives, seed, workers)
    sums = count_columns(rows, lattice, columns, head, threads=workers)
    return finish_sampled(rows, lattice, columns, head, sums, labels, metric)


@dataclass(frozen=True, slots=True)
class Sampled:
    """What a sampled count gives.

    Attributes
    ----------
    counts : SampledCounts
    by_group : integer array of shape (G, T, K)
        `SampledCounts.class_rest` at the moment edges, group by group.
    group_columns : int64 array of shape (G, T)
        Columns of each group in each class.
    group_sizes : int64 array of shape (G,)
    near_missed, near_found : int
        Negatives of the columns within the radius of the near pairs: those that the index did not
        find, and those it did.
    """

    counts: SampledCounts
    by_group: NDArray[np.integer]
    group_columns: NDArray[np.int64]
    group_sizes: NDArray[np.int64]
    near_missed: int
    near_found: int


def count_columns(
    rows: SortedRows,
    lattice: Lattice,
    columns: ColumnGroups,
    head: SampledHead,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> ColumnSums:
    """Count all rows against the columns.

    Parameters
    ----------
    rows : SortedRows
    lattice : Lattice
    columns : ColumnGroups
    head : SampledHead
        No pair that was found near is counted again.
    threads : int, optional
    progress : callable, optional
        Called now and then with a number of pairs.

    Returns
    -------
    ColumnSums

    Notes
    -----
    Work: ``N m`` dot products for ``m`` columns. Memory: 6 bytes a row and moment edge, 16 bytes a
    class and kept class edge, and 8 bytes a class, near moment edge and group.
    """
    counting = ColumnCounting(rows, lattice, columns)
    sums, whole = ColumnSums.empty(rows, lattice, columns), head.of_rows(0, rows.rows)

    def work(block: tuple[int, int], space: Workspace) -> None:
        start, stop = block
        counting.count(start, stop, whole, sums, space)
        if progress is not None:
            progress((stop - start) * columns.size)

    share_out(row_blocks(rows.classes), work, counting.workspace, threads)
    return sums


def finish_sampled(
    rows: SortedRows,
    lattice: Lattice,
    columns: ColumnGroups,
    head: SampledHead,
    sums: ColumnSums,
    labels: tuple[Label, ...],
    metric: Metric,
) -> Sampled:
    """The counts, when all rows were counted against the columns; head and sums are used up."""
    classes, kept = rows.classes, lattice.kept()
    index = np.full(rows.rows, -1, np.int64)
    index[: classes.scored_rows] = np.repeat(np.arange(classes.class_rows.size), classes.class_rows)
    of_group = [
        np.bincount(index[place] + 1, minlength=classes.class_rows.size + 1)[1:]
        for place in columns.place
    ]
    pool_rest = np.cumsum(sums.pool, axis=1)
    # What is not needed any more first: all at once would be much memory.
    head.forget_rows()
    for histogram in (head.class_near, sums.by_class, head.class_positive):
        accept_in_place(histogram)
    counts = SampledCounts(
        metric=metric,
        rows=rows.rows,
        distractors=rows.rows - classes.labelled,
        labels=tuple(labels[c] for c in classes.scored),
        class_rows=classes.class_rows,
        distance=lattice.distance,
        class_edge=lattice.class_edge[kept],
        moment_edge=np.searchsorted(kept, lattice.moment_edge),
        columns=columns.size,
        class_columns=np.sum(of_group, axis=0),
        pool_near=np.cumsum(head.pool_near),
        pool_rest=pool_rest,
        class_near=head.class_near,
        class_rest=sums.by_class,
        row_sums=sums.row_sums[:5],
        group_squares=_sum_of_squares(sums.by_group),
        class_positive=head.class_positive,
        positive_rows=head.positive_rows,
        positive_squares=sums.row_sums[5],
        pool_positive=np.cumsum(head.pool_positive, axis=1),
    )
    at = np.searchsorted(lattice.distance, head.radius * rows.scale, "right") - 1
    missed = int(pool_rest[:, at].sum()) if at >= 0 else 0
    sizes = np.array([place.size for place in columns.place])
    return Sampled(counts, sums.by_group, np.array(of_group), sizes, missed, head.pairs_found)


def _sum_of_squares(by_group: NDArray[np.integer]) -> NDArray[np.int64]:
    out = np.zeros(by_group.shape[1:], np.int64)
    for part in by_group:
        out += np.square(part.astype(np.int64))
    return out
