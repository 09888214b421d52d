"""The variance of FAR and FRR when classes are drawn anew."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from opiscal.measures.class_influence import (
    ClassInfluence,
    Rate,
    class_influence,
    class_rates,
)
from opiscal.measures.class_pairs import class_pair_part
from opiscal.measures.pair_terms import pair_terms
from opiscal.measures.rate_shape import NORMAL, RateShape, rate_shape
from opiscal.measures.rates import Floats, Pool, RateCurve, rate_curve
from opiscal.pairs.counts import PairCounts

FEWEST_FOR_VARIANCE = 30
"""Accepted (or rejected) pairs below which a variance is carried over, not estimated."""


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
    shape : RateShape
        How the scatter differs from the normal law, carried over in the same way; the normal one
        where nothing is estimated.
    influence : ClassInfluence
    """

    distance: Floats
    rate: Floats
    class_part: Floats
    variance: Floats
    design_effect: Floats
    shape: RateShape
    influence: ClassInfluence

    def effective_number(self, distance: Floats) -> Floats:
        """Independent pairs worth as much, between class edges by the interpolated effect."""
        effect = np.interp(distance, self.distance, self.design_effect)
        return np.maximum(self.influence.pairs / effect, self.influence.independent)

    def interval_reach(self, distance: Floats, confidence: float) -> tuple[Floats, Floats]:
        """How many standard deviations the interval reaches below and above the rate.

        Interpolated between the class edges.
        """
        number = self.effective_number(self.distance)
        at_edges = self.shape.interval_reach(self.rate, number, 0.5 + confidence / 2)
        below, above = (np.interp(distance, self.distance, times) for times in at_edges)
        return below, above

    def bound_reach(self, distance: Floats, confidence: float) -> Floats:
        """How many standard deviations the one-sided upper bound is above the rate."""
        number = self.effective_number(self.distance)
        at_edges = self.shape.bound_reach(self.rate, number, confidence)
        return np.interp(distance, self.distance, at_edges)


def rate_variance(counts: PairCounts, rate: Rate, pool: Pool = "pairs") -> RateVariance:
    r"""Variance of FAR or FRR when classes are drawn anew, at every class edge.

    .. math:: V_{FAR} = \max\Big(\sum_i R_i^2 - S,\; S,\; p (1 - p) M\Big) / M^2, \qquad
              V_{FRR} = \sum_i (M_i (FRR_i - FRR))^2 \big/ \big(\sum_i M_i\big)^2

    with ``R_i = A_i - p M_i`` over all negative pairs of class ``i``, and ``S`` the sum over class
    pairs of their squared centred counts (`class_pairs`). Where ``S`` is not known, and for a mean
    over classes, the first two are replaced by ``sum R_i^2``, which is larger than either.

    A row of no scored class (a class of one row, a distractor; of two sets a class on one side
    alone, as a whole) has no counts of its own. It is
    taken to scatter as the rows of the scored classes do, one by one, at the moment edges, and all
    of them to be off by as much as their common rate is. Distractors of one unknown class would
    scatter more.

    Of a sample of pairs the variance is that of the classes, without the scatter of each class's
    own sample, and the sampling variance of the pool.

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
    if counts.slim is not None and counts.slim.sums:
        return _kept(counts, rate, curve, influence)
    at_class_edges = counts.class_edge if pool == "pairs" else slice(None)
    p = (curve.far if rate == "far" else curve.frr)[at_class_edges]
    class_part = np.zeros(p.size)
    for part, rates in class_rates(counts, rate):
        class_part += np.square(influence.weight[part, None] * (rates - p)).sum(axis=0)
    spread = p * (1.0 - p)
    whole = class_part.copy()
    if rate == "far" and pool == "pairs" and counts.sampling is not None:
        # The scatter of the classes has in it that of each one's own sample, which is not another
        # draw of classes; what sampling adds to the pool is known by itself.
        of_each = np.square(influence.weight / counts.negatives_of_class)
        own = of_each @ counts.sampling.class_variance
        whole -= np.interp(counts.class_distance, counts.moment_distance, own)
        of_pool = counts.sampling.pool_variance[counts.class_edge] / counts.negative**2
        whole = np.maximum(whole, 0.0) + of_pool
    if influence.row_squares > 0:
        whole += influence.row_squares * _row_scatter(counts, p)
    if rate == "far" and pool == "pairs":
        part_of_pairs = class_pair_part(counts, p, whole)
        known = ~np.isnan(part_of_pairs)
        whole[known] = np.maximum(whole - part_of_pairs, part_of_pairs)[known]
    variance = np.maximum(whole, spread / influence.pairs)
    accepted = counts.pool_negative if rate == "far" else counts.pool_positive
    at_edges = accepted[counts.class_edge]
    distinct = counts.distinct_negative if rate == "far" else counts.distinct_positive
    # The more, the surer; but not where pairs of two sets are met twice.
    fewest = np.minimum(at_edges, accepted[-1] - at_edges) * (distinct / accepted[-1])
    sure = np.flatnonzero((fewest >= FEWEST_FOR_VARIANCE) & (spread > 0))
    at, effect, shape = counts.class_distance, np.full(p.size, np.inf), NORMAL
    if sure.size:
        found = np.maximum(variance[sure] * influence.pairs / spread[sure], 1.0)
        # Beyond the outermost sure edges `interp` repeats their values: this is the carrying over.
        effect = np.interp(at, at[sure], found)
        shape = rate_shape(counts, rate, pool, p, influence, sure)
    return RateVariance(at, p, class_part, variance, effect, shape, influence)


def sums_of(rates: Mapping[Rate, RateVariance]) -> dict[str, Floats]:
    """What of the variances of the pooled rates a slim run keeps, by name."""
    out: dict[str, Floats] = {}
    for rate, found in rates.items():
        parts = {name: getattr(found, name) for name in _KEPT}
        parts |= {name: getattr(found.shape, name) for name in _KEPT_SHAPE}
        parts["most_freedom"] = np.array([found.shape.most_freedom])
        out |= {f"{rate}_{name}": values for name, values in parts.items()}
    return out


_KEPT = ("class_part", "variance", "design_effect")
_KEPT_SHAPE = ("skewness", "curvature", "freedom", "leverage")


def _kept(
    counts: PairCounts, rate: Rate, curve: RateCurve, influence: ClassInfluence
) -> RateVariance:
    """The variance of a pooled rate, as a slim run keeps it."""
    assert counts.slim is not None
    sums = counts.slim.sums
    return RateVariance(
        distance=counts.class_distance,
        rate=(curve.far if rate == "far" else curve.frr)[counts.class_edge],
        class_part=sums[f"{rate}_class_part"],
        variance=sums[f"{rate}_variance"],
        design_effect=sums[f"{rate}_design_effect"],
        shape=RateShape(
            skewness=sums[f"{rate}_skewness"],
            curvature=sums[f"{rate}_curvature"],
            freedom=sums[f"{rate}_freedom"],
            leverage=sums[f"{rate}_leverage"],
            most_freedom=float(sums[f"{rate}_most_freedom"][0]),
        ),
        influence=influence,
    )


def _row_scatter(counts: PairCounts, p: Floats) -> Floats:
    """Mean square of ``rate - p`` of a row of no scored class, at the class edges."""
    moment, sizes = counts.moment_edge, counts.class_rows
    at, negatives = p[moment], counts.negatives_of_class[:, None].astype(np.float64)
    # Of two sets rows have more negatives on one side than on the other, and count by them.
    of_rows = negatives**2 / pair_terms(counts).negative_rows[:, None]
    rows = counts.negative_squares / of_rows + at**2
    rows -= 2.0 * at * counts.class_negative[:, moment] / negatives
    rows *= sizes[:, None]
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
    bias = accepted / ends - p if ends > 0 else np.zeros(p.size)
    scatter = np.maximum(times, 1.0) * of_classes / sizes.sum()
    return np.asarray(np.minimum(scatter, p * (1.0 - p)) + bias**2)
