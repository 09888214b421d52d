"""Tally: the histograms that blocks of pairs add to, and how they become PairCounts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label, Metric
from opiscal.errors import UsageError
from opiscal.pairs.blocks import class_pair_shape, sums_class_pairs
from opiscal.pairs.counts import (
    ClassCounts,
    ClassPairSums,
    Counts,
    PairCounts,
)
from opiscal.pairs.kernel.moments import accept_in_place, sum_squares
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.nearest_counts import NeighbourRanks
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.zeros import zeros

_NOWHERE = np.iinfo(np.int64).max


@dataclass(slots=True)
class Tally:
    """Pairs by the edge that is first to accept them, summed over the blocks counted so far.

    Tallies of disjoint blocks of one set of rows add up to the tally of all of them, integer for
    integer, in any order.

    Attributes
    ----------
    lattice : Lattice
        The edges, to refuse a sum over different ones.
    class_rows : int64 array of shape (T,)
        Sizes of the classes, to refuse a sum over different sets.
    pool_positive, pool_negative : int64 arrays of shape (E,)
    class_positive, class_negative : int32 or int64 arrays of shape (T, C)
        At the class edges that are kept; see `Lattice.kept`.
    row_positive, row_negative : uint32 arrays of shape (scored rows, K)
        The pairs of each row, by moment edge.
    class_pairs : int64 array of shape (2, Q), or None
        Sums over class pairs of ``A^2`` and ``A M`` at each class pair edge, of negatives; None
        where `opiscal.pairs.blocks.sums_class_pairs` says no. Of two scored classes only without
        `accepted_of_pairs`.
    accepted_of_pairs : uint32 array of shape (Q, T, T)
        Accepted pairs of two scored classes at each class pair edge, the first class of the two by
        row; of shape (0, 0, 0) where `opiscal.pairs.blocks.keeps_class_pairs` says no.
    best : float64 array of shape (rows,)
        Half squared distance of each row's nearest positive; infinite where none was counted.
    best_order : int64 array of shape (rows,)
        When that neighbour was read; the earlier one where two are as near.
    rank : int32 array of shape (rows,)
        Negatives that come before the nearest positive.
    """

    lattice: Lattice
    class_rows: Counts
    pool_positive: Counts
    pool_negative: Counts
    class_positive: ClassCounts
    class_negative: ClassCounts
    row_positive: NDArray[np.uint32]
    row_negative: NDArray[np.uint32]
    class_pairs: Counts | None
    accepted_of_pairs: NDArray[np.uint32]
    best: NDArray[np.float64]
    best_order: Counts
    rank: NDArray[np.int32]

    @classmethod
    def empty(cls, rows: SortedRows, lattice: Lattice) -> "Tally":
        """A tally of no pairs."""
        sizes = rows.classes.class_rows
        per_class = (sizes.size, lattice.kept().size)
        per_row = (rows.classes.scored_rows, lattice.moment_edge.size)
        # 16 KB a class is the bound: four bytes are enough for all but giant classes.
        most = int((sizes * np.maximum(sizes, rows.rows - sizes)).max(initial=0))
        small = most < np.iinfo(np.int32).max
        histograms: list[ClassCounts] = [
            zeros(per_class, np.int32) if small else zeros(per_class, np.int64) for _ in range(2)
        ]
        summed, pair_edges = sums_class_pairs(rows.classes), lattice.class_pair_edge.size
        return cls(
            lattice=lattice,
            class_rows=sizes,
            pool_positive=np.zeros(lattice.edge_key.size, np.int64),
            pool_negative=np.zeros(lattice.edge_key.size, np.int64),
            class_positive=histograms[0],
            class_negative=histograms[1],
            row_positive=zeros(per_row, np.uint32),
            row_negative=zeros(per_row, np.uint32),
            class_pairs=np.zeros((2, pair_edges), np.int64) if summed else None,
            accepted_of_pairs=zeros(class_pair_shape(rows.classes, pair_edges), np.uint32),
            best=np.full(rows.rows, np.inf),
            best_order=np.full(rows.rows, _NOWHERE, np.int64),
            rank=np.zeros(rows.rows, np.int32),
        )

    def add(self, other: "Tally") -> None:
        """Add the tally of other blocks of the same rows.

        Raises
        ------
        UsageError
            Where the edges or the classes differ: counts of two sets never add.
        """
        if not self.lattice.same_edges(other.lattice):
            raise UsageError(
                f"tallies on different edges ({self.lattice.edge_key.size} and "
                f"{other.lattice.edge_key.size} of them) do not add: count all blocks with one "
                "lattice"
            )
        if self.rank.size != other.rank.size or not np.array_equal(
            self.class_rows, other.class_rows
        ):
            raise UsageError(
                f"tallies of different sets ({self.rank.size} and {other.rank.size} rows, "
                f"{self.class_rows.size} and {other.class_rows.size} classes of two rows or more) "
                "do not add: count blocks of one set"
            )
        self.pool_positive += other.pool_positive
        self.pool_negative += other.pool_negative
        self.class_positive += other.class_positive
        self.class_negative += other.class_negative
        self.row_positive += other.row_positive
        self.row_negative += other.row_negative
        if self.class_pairs is not None and other.class_pairs is not None:
            self.class_pairs += other.class_pairs
            self.accepted_of_pairs += other.accepted_of_pairs
        self.rank += other.rank
        everything = np.arange(self.best.size)
        self.offer_best(everything, other.best, other.best_order)

    def offer_best(
        self, rows: NDArray[np.integer], best: NDArray[np.float64], order: Counts
    ) -> None:
        """Take nearest positives that are nearer than those known, or as near and read earlier."""
        known, known_order = self.best[rows], self.best_order[rows]
        better = (best < known) | ((best == known) & (order < known_order))
        self.best[rows] = np.where(better, best, known)
        self.best_order[rows] = np.where(better, order, known_order)

    def counts(
        self, rows: SortedRows, lattice: Lattice, labels: tuple[Label, ...], metric: Metric
    ) -> PairCounts:
        """The finished counts. The tally is used up.

        Parameters
        ----------
        rows, lattice
            What was counted.
        labels : tuple
            All labels of the set, of which `rows.classes.scored` names the scored ones.
        metric : "cosine" or "l2"
        """
        classes = rows.classes
        squares = self._squares(classes.class_rows)
        kept = lattice.kept()
        accept_in_place(self.class_positive)
        accept_in_place(self.class_negative)
        return PairCounts(
            metric=metric,
            rows=rows.rows,
            distractors=rows.rows - classes.labelled,
            labels=tuple(labels[c] for c in classes.scored),
            class_rows=classes.class_rows,
            distance=lattice.distance,
            class_edge=lattice.class_edge[kept],
            moment_edge=np.searchsorted(kept, lattice.moment_edge),
            pool_positive=np.cumsum(self.pool_positive),
            pool_negative=np.cumsum(self.pool_negative),
            class_positive=self.class_positive,
            class_negative=self.class_negative,
            positive_squares=squares[0],
            negative_squares=squares[1],
            products=squares[2],
            class_pairs=self._class_pair_sums(rows, lattice),
        )

    def ranks(self, rows: SortedRows, cap: int) -> NeighbourRanks:
        """Ranks of the nearest positives, in the order of reading."""
        scored = rows.classes.scored_rows
        in_reading = np.argsort(rows.read_order[:scored])
        return NeighbourRanks(
            rank=self.rank[:scored][in_reading],
            of_class=rows.classes.class_of_scored[in_reading],
            cap=cap,
        )

    def _class_pair_sums(self, rows: SortedRows, lattice: Lattice) -> ClassPairSums | None:
        """To be called when the classes' accepted pairs are final."""
        if self.class_pairs is None:
            return None
        edge = lattice.moment_edge[lattice.class_pair_edge]
        squares, products = self.class_pairs
        if self.accepted_of_pairs.size == 0:
            return ClassPairSums(edge, squares, products)
        sizes = rows.classes.class_rows
        by_accepted, by_pairs = np.zeros((2, sizes.size, edge.size), np.int64)
        weights = np.stack([sizes, sizes * (rows.rows - sizes), 0 * sizes], axis=1).astype(float)
        for q, of_pairs in enumerate(self.accepted_of_pairs):
            # Whole numbers, and exact below 2^53.
            upper = of_pairs.astype(np.float64)
            weights[:, 2] = self.class_negative[:, edge[q]]
            later = upper @ weights
            both = later + upper.T @ weights
            by_pairs[:, q], by_accepted[:, q] = both[:, 1:].T
            squares[q] += int(np.vdot(upper, upper))
            products[q] += int(weights[:, 0] @ later[:, 0])
        return ClassPairSums(edge, squares, products, by_accepted, by_pairs)

    def _squares(self, class_rows: Counts) -> tuple[Counts, Counts, Counts]:
        shape = (class_rows.size, self.row_positive.shape[1])
        out = (np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64))
        class_of_row = np.repeat(np.arange(class_rows.size), class_rows)
        sum_squares(self.row_positive, self.row_negative, class_of_row, *out)
        return out
