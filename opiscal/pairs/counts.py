"""PairCounts: how many pairs are accepted at each edge, per class and pooled. The landing of the
house.

Above this record nothing sees an embedding; below it nothing knows a utility.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label, Metric

if TYPE_CHECKING:
    from opiscal.pairs.sampled_counts import SampledCounts

Counts = NDArray[np.int64]
ClassCounts = NDArray[np.int32] | NDArray[np.int64]
Estimates = NDArray[np.int64] | NDArray[np.float64]
ClassEstimates = ClassCounts | NDArray[np.float64]


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
class PairCounts:
    """Accepted pairs at every edge: cumulative integers, exact; or estimates of these from a sample
    of pairs (`sampling`), which need not be whole numbers.

    Edges ascend in distance, a pair at an edge's own distance is accepted by it, and the last edge
    accepts every pair.

    Attributes
    ----------
    metric : "cosine" or "l2"
    rows, distractors : int
        Rows that were paired, and how many of them belong to no class.
    labels : tuple, length T
        The scored classes (two rows or more), in order.
    class_rows : int64 array of shape (T,)
    distance : float64 array of shape (E,)
        The pool edges.
    class_edge : int64 array of shape (C,)
        Which pool edges are class edges.
    moment_edge : int64 array of shape (K,)
        Which class edges are moment edges.
    pool_positive, pool_negative : int64 arrays of shape (E,)
        Accepted pairs, every unordered pair once.
    class_positive, class_negative : int32 or int64 arrays of shape (T, C)
        Accepted pairs of each class; a negative pair stands in the rows of both its classes.
    positive_squares, negative_squares, products : int64 arrays of shape (T, K)
        Sums over the rows of a class of ``p^2``, ``n^2`` and ``p n``, where ``p`` and ``n`` are the
        accepted positives and negatives of the row.
    class_pairs : ClassPairSums, optional
        None where a class has more than 512 rows (of up to 700 classes: 1,024), or classes have
        fewer than four on the average.
    sampling : Sampling, optional
        Where the counts are estimates.
    within_groups : tuple of (group, PairCounts)
        The same for the pairs with both ends in one group, on the same edges. Empty without groups.
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
    def positives_of_class(self) -> Counts:
        """Positive pairs of each class, ``n (n - 1) / 2``; shape (T,)."""
        return self.class_rows * (self.class_rows - 1) // 2

    @property
    def negatives_of_class(self) -> Counts:
        """Negative pairs of each class, ``n (N - n)``; shape (T,)."""
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


@dataclass(frozen=True, slots=True)
class NeighbourRanks:
    """For every row whose class has another row: how many negatives come before its nearest
    positive.

    Attributes
    ----------
    rank : int32 array of shape (queries,)
        Counted up to `cap`; a higher rank may stand as any number of at least `cap`.
    cap : int
        The largest k that Recall@k can be asked for.
    """

    rank: NDArray[np.int32]
    cap: int
