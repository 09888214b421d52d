"""Counting every pair of a query with a gallery row."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label, Metric
from opiscal.pairs.between_blocks import (
    BetweenBlock,
    BetweenCounting,
    Workspaces,
    count_block,
    plan_between,
)
from opiscal.pairs.between_class_pairs import (
    class_pair_sums_between,
    sums_class_pairs_between,
)
from opiscal.pairs.counts import ClassCounts, Counts, GalleryCounts, PairCounts
from opiscal.pairs.kernel.moments import accept_in_place, sum_squares
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.nearest_counts import NeighbourRanks
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.tally import Tally
from opiscal.pairs.threads import share_out
from opiscal.pairs.two_sets import TwoSets
from opiscal.pairs.zeros import zeros

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class BetweenTally:
    """Pairs between two sets by the edge that is first to accept them.

    Attributes
    ----------
    queries, gallery : Tally
        The counts of the rows of each side. What is counted for classes and for the pool is the
        same array in both, but for the accepted pairs of two classes: of these each has those whose
        first class is on its side.
    nearest_positive, nearest_negative : float32 arrays of shape (queries,)
        Half squared distances, as they were placed among the edges, of the nearest positive of
        every query that has one, and of the nearest negative of those that have none. Infinite
        elsewhere.
    """

    queries: Tally
    gallery: Tally
    nearest_positive: NDArray[np.float32]
    nearest_negative: NDArray[np.float32]

    @classmethod
    def empty(cls, two: TwoSets, lattice: Lattice) -> "BetweenTally":
        """A tally of no pairs."""
        queries, gallery = two.queries, two.gallery
        sizes = queries.classes.class_rows, gallery.classes.class_rows
        most = int((sizes[0] * gallery.rows + sizes[1] * queries.rows).max(initial=0))
        small = most < np.iinfo(np.int32).max
        per_class = (sizes[0].size, lattice.kept().size)
        by_class: list[ClassCounts] = [
            zeros(per_class, np.int32) if small else zeros(per_class, np.int64) for _ in range(2)
        ]
        pool = [np.zeros(lattice.edge_key.size, np.int64) for _ in range(2)]
        kept, pair_edges = sums_class_pairs_between(two), lattice.class_pair_edge.size
        summed = np.zeros((2, pair_edges), np.int64) if kept else None

        def side(rows: SortedRows) -> Tally:
            per_row = (rows.classes.scored_rows, lattice.moment_edge.size)
            return Tally(
                lattice=lattice,
                class_rows=rows.classes.class_rows,
                pool_positive=pool[0],
                pool_negative=pool[1],
                class_positive=by_class[0],
                class_negative=by_class[1],
                row_positive=zeros(per_row, np.uint32),
                row_negative=zeros(per_row, np.uint32),
                class_pairs=summed,
                accepted_of_pairs=zeros(
                    (pair_edges, per_class[0], per_class[0]) if kept else (0, 0, 0), np.uint32
                ),
                best=np.full(rows.rows, np.inf),
                best_order=np.full(rows.rows, np.iinfo(np.int64).max, np.int64),
                rank=np.zeros(rows.rows, np.int32),
            )

        far = np.full(queries.rows, np.inf, np.float32)
        return cls(side(queries), side(gallery), far, far.copy())

    def ranks(self, two: TwoSets, cap: int) -> NeighbourRanks:
        """Ranks of the nearest positives of the queries that have one, in the order of reading."""
        in_reading = np.argsort(two.queries.read_order)
        known = (two.positives_of_query > 0)[in_reading]
        return NeighbourRanks(
            rank=self.queries.rank[in_reading][known],
            of_class=two.numbers[0][in_reading][known],
            cap=cap,
        )

    def counts(
        self, two: TwoSets, lattice: Lattice, labels: tuple[Label, ...], metric: Metric
    ) -> PairCounts:
        """The finished counts. The tally is used up.

        Parameters
        ----------
        two, lattice
            What was counted.
        labels : tuple
            All labels, of which ``two.queries.classes.scored`` names the scored ones.
        metric : "cosine" or "l2"
        """
        totals = _Totals.of(two)
        tally, kept = self.queries, lattice.kept()
        # The pairs of an item with itself were counted as the farthest of all.
        for histogram, total in (
            (tally.class_positive, totals.class_positive),
            (tally.class_negative, totals.class_negative),
            (tally.pool_positive[None], np.array([totals.positive])),
            (tally.pool_negative[None], np.array([totals.negative])),
        ):
            histogram[:, -1] = total - histogram[:, :-1].sum(axis=1, dtype=np.int64)
        squares = self._squares(two)
        for histogram in (tally.class_positive, tally.class_negative):
            accept_in_place(histogram)
        class_negative = tally.class_negative
        sizes = two.queries.classes.class_rows, two.gallery.classes.class_rows
        shared = two.shared
        shared_rows = np.bincount(self._class_of(two, shared), minlength=sizes[0].size)
        distractors = sum(side.rows - side.classes.labelled for side in (two.queries, two.gallery))
        return PairCounts(
            metric=metric,
            rows=two.queries.rows + two.gallery.rows - len(shared),
            distractors=distractors,
            labels=tuple(labels[c] for c in two.queries.classes.scored),
            class_rows=sizes[0] + sizes[1] - shared_rows,
            distance=lattice.distance,
            class_edge=lattice.class_edge[kept],
            moment_edge=np.searchsorted(kept, lattice.moment_edge),
            pool_positive=np.cumsum(tally.pool_positive),
            pool_negative=np.cumsum(tally.pool_negative),
            class_positive=tally.class_positive,
            class_negative=class_negative,
            positive_squares=squares[0],
            negative_squares=squares[1],
            products=squares[2],
            class_pairs=class_pair_sums_between(
                two, lattice, (self.queries, self.gallery), class_negative, totals.class_negative
            ),
            gallery=self._gallery(two, lattice, shared_rows),
        )

    def _gallery(self, two: TwoSets, lattice: Lattice, shared_rows: Counts) -> GalleryCounts:
        known = two.positives_of_query > 0
        # Ties of nearest rows are those of Recall@k: the gallery row that was read first.
        found = known & (self.queries.rank == 0)
        return GalleryCounts(
            queries=two.queries.rows,
            gallery=two.gallery.rows,
            query_rows=two.queries.classes.class_rows,
            gallery_rows=two.gallery.classes.class_rows,
            shared_rows=shared_rows,
            other_classes=_other_classes(two),
            known=int(np.count_nonzero(known)),
            unknown=int(np.count_nonzero(~known)),
            identified=_accepted(self.nearest_positive[found], lattice),
            false_positive=_accepted(self.nearest_negative[~known], lattice),
        )

    @staticmethod
    def _class_of(two: TwoSets, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """The scored class of pairs of one class, where it is one."""
        number = two.numbers[0][pairs[:, 0]]
        return number[number < two.queries.classes.scored.size]

    def _squares(self, two: TwoSets) -> tuple[Counts, Counts, Counts]:
        shared = two.shared
        shared = shared[shared[:, 0] < two.queries.classes.scored_rows]
        for own, other in (
            (self.queries.row_positive, self.gallery.row_positive),
            (self.queries.row_negative, self.gallery.row_negative),
        ):
            # One item, drawn once: its two rows are no independent ones.
            own[shared[:, 0]] += other[shared[:, 1]]
            other[shared[:, 1]] = 0
        shape = (self.queries.class_rows.size, self.queries.row_positive.shape[1])
        out = (np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64))
        for side in (self.queries, self.gallery):
            class_of_row = np.repeat(np.arange(shape[0]), side.class_rows)
            sum_squares(side.row_positive, side.row_negative, class_of_row, *out)
        return out


@dataclass(frozen=True, slots=True)
class _Totals:
    """How many pairs there are, without those of an item with itself."""

    positive: int
    negative: int
    class_positive: Counts
    class_negative: Counts

    @classmethod
    def of(cls, two: TwoSets) -> "_Totals":
        q, g = two.queries.classes.class_rows, two.gallery.classes.class_rows
        ends = [number[at] for number, at in zip(two.numbers, two.same_item.T, strict=True)]
        of_none = two.queries.classes.labelled <= two.same_item[:, 0]
        of_none &= two.gallery.classes.labelled <= two.same_item[:, 1]
        same, other = (ends[0] == ends[1]) & ~of_none, ends[0] != ends[1]
        positive = q * g - np.bincount(ends[0][same & (ends[0] < q.size)], minlength=q.size)
        negative = q * (two.gallery.rows - g) + g * (two.queries.rows - q)
        for end in ends:
            negative -= np.bincount(end[other & (end < q.size)], minlength=q.size)
        # Pairs of one class that is not scored are all of an item with itself.
        pairs = two.pairs - np.count_nonzero(same) - np.count_nonzero(other)
        return cls(
            positive=int(positive.sum()),
            negative=int(pairs - positive.sum()),
            class_positive=positive,
            class_negative=negative,
        )


def _other_classes(two: TwoSets) -> Counts:
    sides = two.queries, two.gallery
    found = []
    for side in sides:
        ids = side.classes.class_id[side.classes.scored_rows : side.classes.labelled]
        found.append(np.unique(ids, return_counts=True))
    names = np.union1d(found[0][0], found[1][0])
    rows_of = np.zeros((names.size, 3), np.int64)
    for column, (of_side, rows) in enumerate(found):
        rows_of[np.searchsorted(names, of_side), column] = rows
    kinds, many = np.unique(rows_of, axis=0, return_counts=True)
    alone = [side.rows - side.classes.labelled for side in sides]
    distractors = np.array([[1, 0, 1, alone[0]], [0, 1, 1, alone[1]]])
    table = np.concatenate([np.column_stack([kinds, many]), distractors])
    return table[table[:, 3] > 0].astype(np.int64)


def _accepted(half_squared: NDArray[np.float32], lattice: Lattice) -> Counts:
    """How many of some pairs each pool edge accepts; an infinite one is none."""
    finite = half_squared[np.isfinite(half_squared)]
    first = lattice.edge_of_key()[lattice.grid.keys(finite)]
    return np.cumsum(np.bincount(first, minlength=lattice.edge_key.size)).astype(np.int64)


def count_between(
    two: TwoSets,
    lattice: Lattice,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> BetweenTally:
    """Count every pair of a query with a gallery row, but for those of an item with itself.

    Parameters
    ----------
    two : TwoSets
    lattice : Lattice
    threads : int, optional
        Default: all cores this process may use. The counts do not depend on it.
    progress : callable, optional
        Called now and then with a number of pairs that were counted since the last call.

    Returns
    -------
    BetweenTally

    Notes
    -----
    Work: ``Q G`` dot products. Memory: as `opiscal.pairs.exact.count_exactly`; nothing grows with
    the number of pairs.
    """
    tally = BetweenTally.empty(two, lattice)
    counting = BetweenCounting(two, lattice, tally)
    positive, negative = plan_between(two)
    # Ranks ask where each query's nearest positive is, so all positives are counted before.
    for blocks in (positive, negative):
        _count_blocks(blocks, counting, threads, progress)
    return tally


def _count_blocks(
    blocks: list[BetweenBlock],
    counting: BetweenCounting,
    threads: int | None,
    progress: Progress | None,
) -> None:
    def work(block: BetweenBlock, spaces: Workspaces) -> None:
        count_block(block, counting, spaces)
        if progress is not None:
            progress(block.pairs)

    ordered = sorted(blocks, key=lambda block: -block.pairs)
    share_out(ordered, work, lambda: Workspaces(counting), threads)
