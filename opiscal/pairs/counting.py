"""Counting the pairs of a set as planned: all of them, or a sample."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from opiscal.data.embedding_set import Label, Metric
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.kernel.ranks import RECALL_CAP
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.near_search import find_pairs
from opiscal.pairs.nearest_counts import NeighbourRanks
from opiscal.pairs.neighbour_ranks import ranks_of_neighbours
from opiscal.pairs.plan import PairPlan
from opiscal.pairs.sampled import Sampled, count_columns, finish_sampled
from opiscal.pairs.sampled_columns import ColumnGroups, ColumnSums
from opiscal.pairs.sampled_head import SampledHead, count_head
from opiscal.pairs.search import RowIndex, exact_neighbours
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.threads import available_threads

Progress = Callable[[int], None]

# Rows whose nearest rows are looked for among all: for Recall@k, and the recall of the index.
_QUERIES, _RECALL_QUERIES, _NEIGHBOURS = 2000, 500, 10


@dataclass(frozen=True, slots=True)
class SampledSet:
    """What is known of a set beside its counts where a sample was counted.

    Attributes
    ----------
    sampled : Sampled
    index : str
        What it was.
    neighbour_recall : float
        Share of the ten nearest rows of some rows that the index finds.
    """

    sampled: Sampled
    index: str
    neighbour_recall: float


@dataclass(frozen=True, slots=True)
class CountedSet:
    """The counts of a set.

    Attributes
    ----------
    counts : PairCounts
    ranks : NeighbourRanks or None
        None where they were not asked for; those of some rows where a sample was counted.
    sample : SampledSet or None
        None where every pair was counted.
    """

    counts: PairCounts
    ranks: NeighbourRanks | None
    sample: SampledSet | None = None


def count_pairs(
    rows: SortedRows,
    lattice: Lattice,
    plan: PairPlan,
    labels: tuple[Label, ...],
    metric: Metric,
    *,
    seed: int = 0,
    threads: int | None = None,
    ranks: bool = False,
    save_index: Path | None = None,
    progress: Progress | None = None,
) -> CountedSet:
    """Count the pairs of some rows as planned.

    Parameters
    ----------
    rows : SortedRows
    lattice : Lattice
    plan : PairPlan
    labels : tuple
        All labels of the set.
    metric : "cosine" or "l2"
    seed : int
        Of the sample.
    threads : int, optional
    ranks : bool
        Whether neighbour ranks are wanted.
    save_index : Path, optional
        Where the index of a sample is to be kept.
    progress : callable, optional
        Called now and then with a number of pairs.

    Returns
    -------
    CountedSet
    """
    if plan.mode == "exact":
        tally = count_exactly(rows, lattice, threads=threads, ranks=ranks, progress=progress)
        found = tally.ranks(rows, RECALL_CAP) if ranks else None
        return CountedSet(tally.counts(rows, lattice, labels, metric), found)
    started = start_sample(
        rows, lattice, plan, seed=seed, threads=threads, ranks=ranks, save_index=save_index
    )
    sums = count_columns(
        rows, lattice, started.columns, started.head, threads=threads, progress=progress
    )
    return finish_sample(rows, lattice, started, sums, labels, metric)


@dataclass(frozen=True, slots=True)
class StartedSample:
    """What is known of a sampled count before rows are counted against columns.

    Attributes
    ----------
    columns : ColumnGroups
    head : SampledHead
    ranks : NeighbourRanks or None
        Of some rows.
    index : str
        What the index was.
    neighbour_recall : float
    """

    columns: ColumnGroups
    head: SampledHead
    ranks: NeighbourRanks | None
    index: str
    neighbour_recall: float

    def __sizeof__(self) -> int:
        """With the arrays: a scheduler weighs what it sends by this."""
        return object.__sizeof__(self) + self.head.nbytes


def start_sample(
    rows: SortedRows,
    lattice: Lattice,
    plan: PairPlan,
    *,
    seed: int = 0,
    threads: int | None = None,
    ranks: bool = False,
    save_index: Path | None = None,
) -> StartedSample:
    """Find the near pairs by an index, and count them and the positives; as `count_pairs`."""
    index = made_index(rows, plan, seed, threads, save_index)
    near = find_pairs(rows, index, seed, threads)
    scored = rows.classes.scored_rows
    rng = np.random.default_rng([seed, 4])
    queries = min(_QUERIES if ranks else _RECALL_QUERIES, scored)
    asked = np.sort(rng.choice(scored, queries, replace=False))
    near_rows = exact_neighbours(rows.vectors, rows.vectors[asked], _NEIGHBOURS + 1, threads)
    # A row is its own nearest one, which is no achievement.
    others = np.where(near_rows.index == asked[:, None], -1, near_rows.index)
    recall = index.recall(rows.vectors[asked], others, threads)
    found = ranks_of_neighbours(rows, asked, near_rows, RECALL_CAP) if ranks else None
    said = index.description
    # It holds all rows once more, and is not needed while they are counted.
    del index
    columns = ColumnGroups.draw(rows.rows, plan.columns, seed)
    head = count_head(
        rows, lattice, near, columns, plan.most_positives, seed, threads or available_threads()
    )
    return StartedSample(columns, head, found, said, recall)


def made_index(
    rows: SortedRows, plan: PairPlan, seed: int, threads: int | None, save_index: Path | None
) -> RowIndex:
    """The index of a sample, kept in a file where one is given."""
    index = RowIndex(rows.vectors, "l2", plan.index, seed=seed, threads=threads)
    if save_index is not None:
        index.save(save_index)
    return index


def finish_sample(
    rows: SortedRows,
    lattice: Lattice,
    started: StartedSample,
    sums: ColumnSums,
    labels: tuple[Label, ...],
    metric: Metric,
) -> CountedSet:
    """The counts, when all rows were counted against the columns; what is given is used up."""
    sampled = finish_sampled(rows, lattice, started.columns, started.head, sums, labels, metric)
    said = SampledSet(sampled, started.index, started.neighbour_recall)
    return CountedSet(sampled.counts.estimate(), started.ranks, said)
