"""Class influence: how far each class moves a rate, and the variance that follows from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from opiscal.measures.class_pairs import class_pair_part
from opiscal.measures.rates import Floats, Pool, rate_curve
from opiscal.pairs.counts import PairCounts

Rate = Literal["far", "frr"]

FEWEST_FOR_VARIANCE = 30
"""Accepted (or rejected) pairs below which a variance is carried over, not estimated."""

# Classes whose rates are worked out at a time, so that temporaries stay small.
_CLASSES_AT_ONCE = 256

# With more degrees of freedom Student's law is the normal one to six digits.
_MOST_FREEDOM = 1e7


@dataclass(frozen=True, slots=True)
class ClassInfluence:
    """The weights with which classes, and rows that belong to no scored class, move a rate.

    With ``f_i`` the rate of class ``i`` and ``p`` the rate asked about, dropping or doubling class
    ``i`` moves ``p`` by ``weight_i (f_i - p)``, to first order. For the pooled FAR this is
    ``R_i / M`` of the paper: ``R_i = A_i - p M_i`` over the full row of the class.

    Attributes
    ----------
    weight : float64 array of shape (T,)
    row_squares : float
        Sum of the squared weights of single rows: classes of one row and distractors.
    pairs : float
        Pairs behind the rate; for a mean over classes the equally weighted pairs worth the same.
    independent : float
        Pairs that share no class at all: the effective number never falls below it. Half the
        classes where all weigh the same, and less (Kish) where a few classes hold most pairs.
    """

    weight: Floats
    row_squares: float
    pairs: float
    independent: float


def class_influence(counts: PairCounts, rate: Rate, pool: Pool = "pairs") -> ClassInfluence:
    """The influence of each class on FAR or FRR, pooled over pairs or averaged over classes.

    Parameters
    ----------
    counts : PairCounts
    rate : "far" or "frr"
    pool : "pairs" or "classes"
        In a mean over classes a class counts once for its own rate and once more as the other
        side of the other classes' pairs. What it does to each of them is not stored; its own mean
        rate stands in for it.

    Returns
    -------
    ClassInfluence
    """
    if rate == "frr":
        return _positive_influence(counts.positives_of_class.astype(np.float64), pool)
    rows, sizes = float(counts.rows), counts.class_rows.astype(np.float64)
    distractors = float(counts.distractors)
    singletons = rows - sizes.sum() - distractors
    own = sizes * (rows - sizes)
    if pool == "pairs":
        pairs = float(counts.negative)
        weight = own / pairs
        single, distractor = (rows - 1.0) / pairs, (rows - distractors) / pairs
    else:
        inverse = 1.0 / (rows - sizes)
        as_other = (inverse.sum() - inverse) / sizes.size
        weight = 1.0 / sizes.size + sizes * as_other
        single = distractor = float(inverse.sum()) / sizes.size
        # Sum over pairs of (1/M_i + 1/M_j)^2 / T^2, multiplied out.
        squares = (1.0 / own).sum() + inverse.sum() ** 2 - np.square(inverse).sum()
        pairs = float(sizes.size**2 / squares)
    row_squares = float(singletons * single**2 + distractors * distractor**2)
    total = float(weight.sum() + singletons * single + distractors * distractor)
    kish = total**2 / (float(np.square(weight).sum()) + row_squares)
    # Distractors make no pairs among themselves: each needs a class of its own to pair with.
    independent = min(0.5 * kish, sizes.size + singletons, pairs)
    return ClassInfluence(weight, row_squares, pairs, independent)


def _positive_influence(positives: Floats, pool: Pool) -> ClassInfluence:
    if pool == "pairs":
        weight, pairs = positives / positives.sum(), float(positives.sum())
    else:
        weight = np.full(positives.size, 1.0 / positives.size)
        pairs = float(positives.size**2 / (1.0 / positives).sum())
    kish = 1.0 / float(np.square(weight).sum())
    return ClassInfluence(weight, 0.0, pairs, min(0.5 * kish, pairs))


@dataclass(frozen=True, slots=True)
class RateVariance:
    """The variance of a rate at every class edge.

    Attributes
    ----------
    distance, rate : float64 arrays of shape (C,)
    class_part : float64 array of shape (C,)
        What the stored class rows add, ``sum R_i^2 / M^2``.
    variance : float64 array of shape (C,)
        Item by item of the paper, before the floors of few errors.
    design_effect : float64 array of shape (C,)
        Variance over that of as many independent pairs, at least 1; carried over from the nearest
        threshold with 30 accepted and 30 rejected pairs where there are fewer. Infinite where no
        threshold has as many: the data then show nothing of it.
    freedom : float64 array of shape (C,), at least 1
        Satterthwaite's degrees of freedom of the variance: as many as there are classes where they
        scatter normally, fewer where a few classes make most of it. Carried over in the same way;
        infinite where nothing is estimated.
    influence : ClassInfluence
    """

    distance: Floats
    rate: Floats
    class_part: Floats
    variance: Floats
    design_effect: Floats
    freedom: Floats
    influence: ClassInfluence

    def effective_number(self, distance: Floats) -> Floats:
        """Independent pairs worth as much, between class edges by the interpolated effect."""
        effect = np.interp(distance, self.distance, self.design_effect)
        return np.maximum(self.influence.pairs / effect, self.influence.independent)

    def quantile(self, distance: Floats, share: float) -> Floats:
        """Student's quantiles for the degrees of freedom at thresholds.

        They are interpolated between those of the class edges: the function itself is slow.
        """
        at_edges = stdtrit(np.minimum(self.freedom, _MOST_FREEDOM), share)
        return np.asarray(np.interp(distance, self.distance, at_edges))


def rate_variance(counts: PairCounts, rate: Rate, pool: Pool = "pairs") -> RateVariance:
    r"""Variance of FAR or FRR when classes are drawn anew, at every class edge.

    .. math:: V_{FAR} = \max\Big(\sum_i R_i^2 - S,\; S,\; p (1 - p) M\Big) / M^2, \qquad
              V_{FRR} = \sum_i (M_i (FRR_i - FRR))^2 \big/ \big(\sum_i M_i\big)^2

    with ``R_i = A_i - p M_i`` over all negative pairs of class ``i``, and ``S`` the sum over class
    pairs of their squared centred counts (`class_pairs`). Where ``S`` is not known, and for a mean
    over classes, the first two are replaced by ``sum R_i^2``, which is larger than either.

    A row of no scored class (a class of one row, a distractor) has no counts of its own. It is
    taken to scatter as the rows of the scored classes do, one by one, at the moment edges, and all
    of them to be off by as much as their common rate is. Distractors of one unknown class would
    scatter more.

    Parameters
    ----------
    counts : PairCounts
        With at least one positive and one negative pair.
    rate : "far" or "frr"
    pool : "pairs" or "classes"

    Returns
    -------
    RateVariance

    References
    ----------
    Fogliato, Patil and Perona, Confidence Intervals for Error Rates in 1:1 Matching Tasks,
    IJCV 2024, arXiv 2306.01198.
    """
    influence = class_influence(counts, rate, pool)
    curve = rate_curve(counts, pool)
    at_class_edges = counts.class_edge if pool == "pairs" else slice(None)
    p = (curve.far if rate == "far" else curve.frr)[at_class_edges]
    class_part, fourths = np.zeros((2, p.size))
    for part, rates in class_rates(counts, rate):
        square = np.square(influence.weight[part, None] * (rates - p))
        class_part += square.sum(axis=0)
        fourths += np.square(square).sum(axis=0)
    spread = p * (1.0 - p)
    whole = class_part.copy()
    if influence.row_squares > 0:
        whole += influence.row_squares * _row_scatter(counts, p)
    if rate == "far" and pool == "pairs":
        part_of_pairs = class_pair_part(counts, p, whole)
        known = ~np.isnan(part_of_pairs)
        whole[known] = np.maximum(whole - part_of_pairs, part_of_pairs)[known]
    variance = np.maximum(whole, spread / influence.pairs)
    accepted = counts.pool_negative if rate == "far" else counts.pool_positive
    at_edges = accepted[counts.class_edge]
    fewest = np.minimum(at_edges, accepted[-1] - at_edges)
    sure = np.flatnonzero((fewest >= FEWEST_FOR_VARIANCE) & (spread > 0))
    effect, freedom = np.full((2, p.size), np.inf)
    if sure.size:
        found = np.maximum(variance[sure] * influence.pairs / spread[sure], 1.0)
        # Beyond the outermost sure edges `interp` repeats their values: this is the carrying over.
        at = counts.class_distance
        effect = np.interp(at, at[sure], found)
        freedom = np.interp(at, at[sure], _freedom(class_part, fourths, counts.classes)[sure])
    return RateVariance(counts.class_distance, p, class_part, variance, effect, freedom, influence)


def _freedom(squares: Floats, fourths: Floats, classes: int) -> Floats:
    """Satterthwaite's degrees of freedom of a sum of squares over classes."""
    with np.errstate(invalid="ignore", divide="ignore"):
        excess = np.nan_to_num(fourths / squares**2, nan=1.0) - 1.0 / classes
    return np.asarray(np.maximum(2.0 / np.maximum(excess, 2.0 / _MOST_FREEDOM), 1.0))


def class_rates(
    counts: PairCounts, rate: Rate, edge: NDArray[np.int64] | None = None
) -> Iterator[tuple[slice, Floats]]:
    """Some classes and their own FAR or FRR at class edges, in turn; shape (classes, edges)."""
    at = slice(None) if edge is None else edge
    for start in range(0, counts.classes, _CLASSES_AT_ONCE):
        part = slice(start, start + _CLASSES_AT_ONCE)
        if rate == "far":
            yield part, counts.class_negative[part][:, at] / counts.negatives_of_class[part, None]
        else:
            positives = counts.positives_of_class[part, None]
            yield part, (positives - counts.class_positive[part][:, at]) / positives


def _row_scatter(counts: PairCounts, p: Floats) -> Floats:
    """Mean square of ``rate - p`` of a row of no scored class, at the class edges."""
    others = (counts.rows - counts.class_rows)[:, None].astype(np.float64)
    moment, sizes = counts.moment_edge, counts.class_rows
    at = p[moment]
    rows = counts.negative_squares / others**2 + sizes[:, None] * at**2
    rows -= 2.0 * at * counts.class_negative[:, moment] / others
    # Rows scatter more than the means of their classes: by how much is known at the moment edges.
    of_classes = np.zeros(p.size)
    for part, rates in class_rates(counts, "far"):
        of_classes += sizes[part] @ np.square(rates - p)
    known = (at > 0) & (at < 1) & (of_classes[moment] > 0)
    times = np.ones(p.size)
    if known.any():
        found = rows.sum(axis=0)[known] / of_classes[moment][known]
        times = np.interp(counts.class_distance, counts.moment_distance[known], found)
    # Of every pair with an end in a scored class that end is in a class row; the rest are these.
    ends = 2.0 * counts.negative - counts.negatives_of_class.sum()
    accepted = 2.0 * counts.pool_negative[counts.class_edge] - counts.class_negative.sum(axis=0)
    bias = accepted / ends - p
    scatter = np.maximum(times, 1.0) * of_classes / sizes.sum()
    return np.asarray(np.minimum(scatter, p * (1.0 - p)) + bias**2)
