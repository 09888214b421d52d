"""PairCounts: how many pairs are accepted at each edge, per class and pooled. The landing of the
house.

Above this record nothing sees an embedding; below it nothing knows a utility.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label, Metric
from opiscal.errors import InputError
from opiscal.pairs.nearest_counts import NearestCounts

if TYPE_CHECKING:
    from opiscal.pairs.sampled_counts import SampledCounts

Counts = NDArray[np.int64]
ClassCounts = NDArray[np.int32] | NDArray[np.int64]
Estimates = NDArray[np.int64] | NDArray[np.float64]
ClassEstimates = ClassCounts | NDArray[np.float64]

SLIM = (
    "slim run: it answers for its calibration range and its operating points, and this is about "
    "another place; evaluate again without --slim"
)


@dataclass(frozen=True, slots=True)
class ClassPairSums:
    """Sums over all pairs of two classes, of which ``A`` of ``M`` negative pairs are accepted.

    Every row that belongs to no scored class is a class of its own here; distractors make no pairs
    among themselves.

    Attributes
    ----------
    edge : int64 array of shape (Q,)
        Which class edges they are known at: a dozen or more, up to about FAR 0.125 or the end of
        the calibration range.
    squares, products : int64 arrays of shape (Q,)
        The sums of ``A^2`` and of ``A M``.
    by_accepted, by_pairs : int64 arrays of shape (T, Q), optional
        For each scored class the sums over the other scored ones of ``A_ij A_j`` and ``A_ij M_j``,
        where ``A_ij`` pairs of the two are accepted, and ``A_j`` of all ``M_j`` of the other. None
        for more than 700 classes, or a class of more than 1,024 rows.
    """

    edge: Counts
    squares: Counts
    products: Counts
    by_accepted: Counts | None = None
    by_pairs: Counts | None = None


@dataclass(frozen=True, slots=True)
class GalleryCounts:
    """What counts of queries against a gallery have beside those of one set.

    Attributes
    ----------
    queries, gallery : int
        Rows of the two sides.
    query_rows, gallery_rows, shared_rows : int64 arrays of shape (T,)
        Rows of each class among the queries and in the gallery, and items that are in both, once
        in each: these make no pair with themselves.
    other_classes : int64 array of shape (kinds, 4)
        Of the classes that are not scored, each distractor being one: query rows, gallery rows,
        whether it is a distractor, and how many such classes there are.
    known, unknown : int
        Queries that have a positive pair, and those that have none.
    identified : int64 array of shape (E,)
        Of the known ones those whose nearest gallery row is of their class and accepted.
    false_positive : int64 array of shape (E,)
        Of the unknown ones those that have an accepted gallery row.
    """

    queries: int
    gallery: int
    query_rows: Counts
    gallery_rows: Counts
    shared_rows: Counts
    other_classes: Counts
    known: int
    unknown: int
    identified: Counts
    false_positive: Counts

    @property
    def most_pairs_of_class(self) -> int:
        """No class has more pairs of a kind."""
        ends = self.query_rows * self.gallery + self.gallery_rows * self.queries
        return int(ends.max(initial=0))


@dataclass(frozen=True, slots=True)
class Sampling:
    """What sampling adds to the scatter of counts that were estimated from a sample of pairs.

    Attributes
    ----------
    pool_variance : float64 array of shape (E,)
        Of the pool's accepted negatives.
    class_variance : float64 array of shape (T, K)
        Of each class's accepted negatives at the moment edges; `PairCounts.negative_squares` has it
        in it.
    strata : SampledCounts
        What was counted.
    """

    pool_variance: NDArray[np.float64]
    class_variance: NDArray[np.float64]
    strata: "SampledCounts"


@dataclass(frozen=True, slots=True)
class SlimCounts:
    """What is left of counts per class in a slim run.

    Attributes
    ----------
    kept : int64 array of shape (L,)
        The class edges at which there are counts per class; at others these are as at the kept one
        before. Always the first and the last, and all moment edges.
    sums : mapping of str to float64 array
        What was worked out from the counts of all classes at all class edges, by name; empty where
        nothing was left out.
    """

    kept: Counts
    sums: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Accepted pairs at every edge: cumulative integers, exact; or estimates of these from a sample
    of pairs (`sampling`), which need not be whole numbers.

    Edges ascend in distance, a pair at an edge's own distance is accepted by it, and the last edge
    accepts every pair.

    Attributes
    ----------
    metric : "cosine" or "l2"
    rows, distractors : int
        Rows that were paired, and how many of them belong to no class. Of two sets those of both,
        an item that is in both once.
    labels : tuple, length T
        The scored classes (two rows or more; of two sets those with a positive pair), in order.
    class_rows : int64 array of shape (T,)
        Of two sets the rows of both, an item that is in both once.
    distance : float64 array of shape (E,)
        The pool edges.
    class_edge : int64 array of shape (C,)
        Which pool edges are class edges.
    moment_edge : int64 array of shape (K,)
        Which class edges are moment edges.
    pool_positive, pool_negative : int64 arrays of shape (E,)
        Accepted pairs, every unordered pair once; of two sets every query with every gallery row.
    class_positive, class_negative : int32 or int64 arrays of shape (T, C)
        Accepted pairs of each class; a negative pair stands in the rows of both its classes.
    positive_squares, negative_squares, products : int64 arrays of shape (T, K)
        Sums over the rows of a class of ``p^2``, ``n^2`` and ``p n``, where ``p`` and ``n`` are the
        accepted positives and negatives of the row. Of two sets over the rows of both; the pairs
        of an item that is in both are those of its two rows together.
    class_pairs : ClassPairSums, optional
        None where a class has more than 512 rows (of up to 700 classes: 1,024), or classes have
        fewer than four on the average; for two sets also with more than 700 classes, or where a
        class that is not scored has more than 512 rows or is on both sides, or an item has a class
        on each side.
    sampling : Sampling, optional
        Where the counts are estimates.
    within_groups : tuple of (group, PairCounts)
        The same for the pairs with both ends in one group, on the same edges. Empty without groups.
    gallery : GalleryCounts, optional
        For pairs of queries with gallery rows; None for the pairs of one set.
    slim : SlimCounts, optional
        Where counts per class were left out.
    nearest : NearestCounts, optional
        Which rows have one of their own class for their nearest; None where that was not asked for,
        and in runs of earlier versions.
    """

    metric: Metric
    rows: int
    distractors: int
    labels: tuple[Label, ...]
    class_rows: Counts
    distance: NDArray[np.float64]
    class_edge: Counts
    moment_edge: Counts
    pool_positive: Estimates
    pool_negative: Estimates
    class_positive: ClassEstimates
    class_negative: ClassEstimates
    positive_squares: Estimates
    negative_squares: Estimates
    products: Estimates
    class_pairs: ClassPairSums | None = None
    sampling: Sampling | None = None
    within_groups: "tuple[tuple[Label, PairCounts], ...]" = ()
    gallery: GalleryCounts | None = None
    slim: SlimCounts | None = None
    nearest: NearestCounts | None = None

    def need_class_edges(self, edge: NDArray[np.int64] | None = None) -> None:
        """Make sure that there are counts per class at some class edges, or at all of them.

        Raises
        ------
        InputError
            Where they were left out.
        """
        if self.slim is None or self.slim.kept.size == self.class_edge.size:
            return
        if edge is None or not np.isin(edge, self.slim.kept).all():
            raise InputError(SLIM)

    @property
    def classes(self) -> int:
        """Number of scored classes, T."""
        return len(self.labels)

    @property
    def positive(self) -> int:
        """All positive pairs."""
        return int(self.pool_positive[-1])

    @property
    def negative(self) -> int:
        """All negative pairs, each once."""
        return int(self.pool_negative[-1])

    @property
    def distinct_positive(self) -> int:
        """Positive pairs; of two sets as many as are worth the same, none being met twice.

        Two items that are both in both sets make two pairs, which are one.
        """
        if self.gallery is None:
            return self.positive
        shared = self.gallery.shared_rows
        return _met_once(self.positive, int((shared * (shared - 1)).sum()))

    @property
    def distinct_negative(self) -> int:
        """Negative pairs, likewise."""
        if self.gallery is None:
            return self.negative
        scored = self.gallery.shared_rows
        shared = self.gallery.queries + self.gallery.gallery - self.rows
        # Of another class only one item can be in both sets: two would make a positive pair.
        of_class = int((scored**2).sum()) + shared - int(scored.sum())
        return _met_once(self.negative, shared**2 - of_class)

    @property
    def positives_of_class(self) -> Counts:
        """Positive pairs of each class, ``n (n - 1) / 2``; shape (T,).

        Of two sets ``q g`` less the pairs of an item with itself.
        """
        if self.gallery is not None:
            return self.class_positive[:, -1].astype(np.int64)
        return self.class_rows * (self.class_rows - 1) // 2

    @property
    def negatives_of_class(self) -> Counts:
        """Negative pairs of each class, ``n (N - n)``; shape (T,).

        Of two sets ``q (G - g) + g (Q - q)``, less the pairs of an item with itself.
        """
        if self.gallery is not None:
            return self.class_negative[:, -1].astype(np.int64)
        return self.class_rows * (self.rows - self.class_rows)

    @property
    def class_distance(self) -> NDArray[np.float64]:
        """Distances of the class edges; shape (C,)."""
        return self.distance[self.class_edge]

    def with_groups(self, groups: "tuple[tuple[Label, PairCounts], ...]") -> "PairCounts":
        """The same counts with those within groups beside them."""
        return replace(self, within_groups=groups)

    @property
    def moment_distance(self) -> NDArray[np.float64]:
        """Distances of the moment edges; shape (K,)."""
        return self.class_distance[self.moment_edge]


def _met_once(pairs: int, twice: int) -> int:
    """How many independent pairs are worth some of which so many are each other's double."""
    return round(pairs**2 / (pairs + twice)) if pairs else 0
