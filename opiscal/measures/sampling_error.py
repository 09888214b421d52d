"""Sampling error: how far the figures of a sample of pairs are from those of every pair."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from opiscal.errors import InconclusiveError
from opiscal.measures.calibration_range import RangeSpec, find_range
from opiscal.measures.class_curves import EpsilonChoice
from opiscal.measures.opis import Integration, epsilon_opis, mean_over_range, opis
from opiscal.measures.rates import RateCurve, rate_curve
from opiscal.measures.utility import Utility, class_utility
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.sampled import Sampled


@dataclass(frozen=True, slots=True)
class SamplingErrors:
    """Standard errors against what an exact count of the same rows would give.

    Attributes
    ----------
    opis, epsilon_opis, mean_utility : float
        Of the plain and of the corrected OPIS alike.
    far : tuple of (target, error of the threshold, error of FRR there)
    groups : int
        Groups of columns that they are worked out from: degrees of freedom, and one more.
    """

    opis: float
    epsilon_opis: float
    mean_utility: float
    far: tuple[tuple[float, float, float], ...]
    groups: int


def sampling_errors(
    counts: PairCounts,
    sampled: Sampled,
    utility: Utility,
    spec: RangeSpec,
    choice: EpsilonChoice,
    far: Sequence[float] = (),
) -> SamplingErrors | None:
    r"""Delete-a-group jackknife over the groups of columns.

    .. math:: SE^2 = \Big(1 - \frac{m}{N}\Big) \frac{G - 1}{G} \sum_g (\theta_g - \bar\theta)^2

    with :math:`\theta_g` the figure without the columns of group ``g``, the calibration range found
    anew. The pairs of rows that an index found have no error. That of classes of so many rows that
    not all of their positives were counted is not in it.

    Parameters
    ----------
    counts : PairCounts
        As estimated from all groups.
    sampled : Sampled
    utility : Utility
    spec : RangeSpec
    choice : EpsilonChoice
    far : sequence of float
        Targets whose threshold and FRR get an error.

    Returns
    -------
    SamplingErrors, or None
        None where the calibration range does not exist without one of the groups.

    References
    ----------
    Wolter, Introduction to Variance Estimation, 2007, chapter 4.
    """
    strata, groups = sampled.counts, len(sampled.by_group)
    figures = []
    for group in range(groups):
        part = _without(counts, sampled, group)
        curve = rate_curve(part)
        try:
            found = find_range(curve, spec, part.metric)
        except InconclusiveError:
            return None
        # Ends between the edges: from one edge to the next they would jump by more than a group
        # of columns moves them.
        low, high = _ends(curve, spec) or (found.low, found.high)
        nodes, weights = Integration().nodes(part.class_distance, low, high)
        curves = class_utility(part, nodes, utility)
        worst = epsilon_opis(curves, weights, choice.epsilon, choice.against, choice.rank)
        mean = float(mean_over_range(curves, weights).mean())
        at = [float(np.interp(x, curve.far, curve.distance)) for x in far]
        frr = [float(np.interp(x, curve.far, curve.frr)) for x in far]
        figures.append([opis(curves, weights), worst.value, mean, *at, *frr])
    values = np.array(figures)
    unseen = 1.0 - strata.columns / strata.rows
    squares = np.square(values - values.mean(axis=0)).sum(axis=0)
    errors = np.sqrt(unseen * (groups - 1) / groups * squares).tolist()
    at, frr = errors[3 : 3 + len(far)], errors[3 + len(far) :]
    targets = tuple(zip(far, at, frr, strict=True))
    return SamplingErrors(errors[0], errors[1], errors[2], targets, groups)


def _ends(curve: RateCurve, spec: RangeSpec) -> tuple[float, float] | None:
    """The ends of a range of rates, on a straight line between two edges."""
    if spec.kind not in ("far", "frr"):
        return None
    rising = curve.far if spec.kind == "far" else 1.0 - curve.frr
    rates = (spec.low, spec.high) if spec.kind == "far" else (1.0 - spec.high, 1.0 - spec.low)
    low, high = (float(np.interp(rate, rising, curve.distance)) for rate in rates)
    return low, high


def _without(counts: PairCounts, sampled: Sampled, group: int) -> PairCounts:
    """What the columns of the other groups give, at the pool edges and at the moment edges."""
    strata, edge = sampled.counts, counts.moment_edge
    rest = strata.class_rest[:, edge] - sampled.by_group[group].astype(np.int64)
    own = sampled.group_columns[group]
    columns = strata.columns - int(sampled.group_sizes[group])
    outside = np.maximum(columns - (strata.class_columns - own), 1)
    weight = (strata.rows - strata.class_rows) / outside
    by_class = strata.class_near[:, edge] + weight[:, None] * rest
    total = counts.negatives_of_class[:, None].astype(np.float64)
    by_class[:, -1:] = total
    pool = (strata.pool_rest.sum(axis=0) - strata.pool_rest[group]) * strata.rows / (2.0 * columns)
    pool = np.minimum(strata.pool_near + pool, counts.negative)
    pool[-1] = counts.negative
    return replace(
        counts,
        pool_negative=pool,
        class_edge=counts.class_edge[edge],
        moment_edge=np.arange(edge.size),
        class_positive=counts.class_positive[:, edge],
        class_negative=np.minimum(by_class, total),
        sampling=None,
    )
