"""The null value of eps-OPIS: what it would be if all classes were alike.

The worst tenth of any sample is worse than the rest. Drawn classes of one common curve and the
noise that was estimated show how much of eps-OPIS that alone explains.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from opiscal.measures.corrected_opis import too_few_classes
from opiscal.measures.noise import noise_at_moment_edges
from opiscal.measures.opis import EpsAgainst, EpsRank, epsilon_opis
from opiscal.measures.pair_terms import PairTerms, enough_rows, pair_terms
from opiscal.measures.rates import Floats
from opiscal.measures.sampling_moments import CLASSES_AT_ONCE, sensitivity_spread
from opiscal.measures.utility import Utility, precision_recall, sensitivity_specificity
from opiscal.pairs.counts import PairCounts

# Curves are smooth: so many thresholds stand for all of a range.
_THRESHOLDS = 17
# Curves drawn in all, so that the mean over draws is good to a few percent.
_CURVES, _FEWEST_DRAWS, _MOST_DRAWS = 12_000, 4, 256
# Classes of nearly the same size share a law.
_SIZES = 8
# Normal deviates at which the quantiles of a law are worked out.
_DEVIATES = np.linspace(-4.0, 4.0, 49)
# Variances stay below this share of the largest that a law on its interval can have.
_MOST_VARIANCE = 0.99


def null_epsilon_opis(
    counts: PairCounts,
    curves: ArrayLike,
    distance: ArrayLike,
    weights: ArrayLike,
    utility: Utility,
    epsilon: float = 0.1,
    against: EpsAgainst = "others",
    rank: EpsRank = "range",
    seed: int = 0,
) -> float | None:
    r"""eps-OPIS of classes that all have the mean curve and differ by sampling noise alone.

    As many curves are drawn as there are scored classes. At each threshold a curve follows a beta
    law on the interval from 0 to the utility of full sensitivity. Its mean is the classes' mean
    utility there, its variance that of a class of ``n`` rows,

    .. math:: v(n) = \frac{4 (n - 2) \, c + 2 \, b}{n (n - 1)}

    (of two sets ``((q + g - 2) c + b) / (q g)``), the variance of a mean over pairs, where ``b`` is
    the variance of one pair and ``c`` the covariance of two pairs with a common row. Both are
    common to all classes and chosen so that the mean of ``v`` over the classes of four rows or more
    is that of their `utility_noise`.

    Along the thresholds the share that rows contribute, ``4 c / n``, is one deviate a curve, since
    a row that lies apart lies apart at every threshold. The share that single pairs contribute has
    the correlation of an empirical distribution function,
    ``sqrt(F(d) (1 - F(d')) / (F(d') (1 - F(d))))`` for ``d < d'`` and the pooled sensitivity ``F``.

    Parameters
    ----------
    counts : PairCounts
    curves : array_like of shape (T, K)
        `class_utility` of all scored classes at `distance`.
    distance, weights : array_like of shape (K,)
        Thresholds of the calibration range, rising, and the share of each, as `Integration.nodes`
        gives.
    utility : Utility
        The one that `curves` are of.
    epsilon, against, rank
        As in `epsilon_opis`.
    seed : int
        Not negative. The same seed gives the same value.

    Returns
    -------
    float or None
        The mean over draws, 0 or more; None where `too_few_classes` gives a reason.

    Raises
    ------
    UsageError
        As `epsilon_opis` does.

    References
    ----------
    Variance of a mean over pairs: Hoeffding, Annals of Mathematical Statistics 19, 1948,
    doi:10.1214/aoms/1177730196.

    Examples
    --------
    Twelve classes of four rows on a line, all alike by chance; the last row of each lies apart.

    >>> import numpy as np
    >>> from opiscal.measures.utility import class_utility
    >>> same = np.ones((12, 1), np.int64)
    >>> counts = PairCounts(
    ...     metric="l2", rows=48, distractors=0, labels=tuple("abcdefghijkl"),
    ...     class_rows=np.full(12, 4), distance=np.array([1.0, 2.0]),
    ...     class_edge=np.array([0, 1]), moment_edge=np.array([0, 1]),
    ...     pool_positive=np.array([36, 72]), pool_negative=np.array([0, 1056]),
    ...     class_positive=same * [3, 6], class_negative=same * [0, 176],
    ...     positive_squares=same * [12, 36], negative_squares=same * [0, 7744],
    ...     products=same * [0, 528])
    >>> curves = class_utility(counts, [1.0, 2.0], Utility())
    >>> value = null_epsilon_opis(counts, curves, [1.0, 2.0], [0.5, 0.5], Utility())
    >>> 0.2 < value < 0.4, epsilon_opis(curves, [0.5, 0.5]).value
    (True, 0.0)
    """
    if too_few_classes(counts) is not None:
        return None
    nodes = _nodes(np.asarray(distance, np.float64), np.asarray(weights, np.float64))
    mean = np.asarray(curves, dtype=np.float64).mean(axis=0)[nodes.place]
    noise = _null_noise(counts, nodes.distance, utility)
    sizes = _SizeClasses.of(pair_terms(counts))
    laws = [_law(mean, noise, *size) for size in zip(sizes.rows, sizes.alone, strict=True)]
    keep = _kept_along(noise.sensitivity)
    draws = min(_MOST_DRAWS, max(_FEWEST_DRAWS, math.ceil(_CURVES / counts.classes)))
    generator = np.random.default_rng(np.random.SeedSequence(seed))
    total = 0.0
    at_once = max(1, _CURVES // counts.classes)
    for start in range(0, draws, at_once):
        shape = (min(at_once, draws - start), 1 + mean.size, counts.classes)
        deviates = generator.standard_normal(shape)
        of_rows, of_pairs = deviates[:, :1], deviates[:, 1:]
        for k in range(1, mean.size):
            of_pairs[:, k] *= math.sqrt(1.0 - keep[k - 1] ** 2)
            of_pairs[:, k] += keep[k - 1] * of_pairs[:, k - 1]
        drawn = np.empty(of_pairs.shape)
        for law, members in zip(laws, sizes.members, strict=True):
            own = law.row_share * of_rows[..., members] + law.pair_share * of_pairs[..., members]
            for k, quantiles in enumerate(law.quantiles):
                drawn[:, k, members] = np.interp(own[:, k], _DEVIATES, quantiles)
        for one in drawn:
            total += epsilon_opis(one.T, nodes.weights, epsilon, against, rank).value
    # Quantiles of the beta law differ in their last digits from one machine to another.
    return float(f"{total / draws:.9g}")


@dataclass(frozen=True, slots=True)
class _Nodes:
    """Some of the thresholds, each with the weight of the stretch about it."""

    place: NDArray[np.int64]
    distance: Floats
    weights: Floats


def _nodes(distance: Floats, weights: Floats) -> _Nodes:
    stretches = np.array_split(np.arange(distance.size), min(_THRESHOLDS, distance.size))
    place = np.array([stretch[stretch.size // 2] for stretch in stretches])
    share = np.array([weights[stretch].sum() for stretch in stretches])
    return _Nodes(place, distance[place], share)


@dataclass(frozen=True, slots=True)
class _NullNoise:
    """What the noise of a class of any size is made of, at K thresholds.

    Attributes
    ----------
    pair, row : float64 arrays of shape (K,)
        Variance of one pair, and covariance of two pairs with a common row, in units of utility.
    sensitivity : float64 array of shape (K,), in (0, 1), rising
        Of all classes' positive pairs.
    highest : float64 array of shape (K,)
        The utility of a class that accepts all its positive pairs and the mean share of negatives.
    """

    pair: Floats
    row: Floats
    sensitivity: Floats
    highest: Floats

    def variance(self, rows: float, alone: float) -> Floats:
        """The variance of the utility of a class of so many rows, shape (K,); see `PairTerms`."""
        return (4 / rows - 2 * alone) * self.row + alone * self.pair


def _null_noise(counts: PairCounts, distance: Floats, utility: Utility) -> _NullNoise:
    known = counts.moment_distance
    above = np.clip(np.searchsorted(known, distance), 1, known.size - 1)
    edges = np.union1d(above - 1, above)
    at = counts.moment_edge[edges]
    spread = sensitivity_spread(counts, edges)
    noise, pair, accepted, highest = (np.zeros(edges.size) for _ in range(4))
    of_rows = of_pairs = 0.0
    for start in range(0, counts.classes, CLASSES_AT_ONCE):
        part = slice(start, start + CLASSES_AT_ONCE)
        accepted += counts.class_positive[part][:, at].sum(axis=0)
        highest += _highest(counts, at, part, utility).sum(axis=0)
        terms, enough = pair_terms(counts, part), enough_rows(counts, part)
        found = noise_at_moment_edges(counts, edges, utility, spread, part)
        noise += found.variance[enough].sum(axis=0)
        pair += (terms.alone[:, None] * found.one_pair)[enough].sum(axis=0)
        of_pairs += float(terms.alone[enough].sum())
        of_rows += float(terms.shared[enough].sum())

    def between(values: Floats) -> Floats:
        return np.interp(distance, known[edges], values)

    return _NullNoise(
        pair=between(np.maximum(pair, 0.0) / of_pairs),
        row=between(np.maximum(noise - pair, 0.0) / of_rows),
        sensitivity=between((accepted + 0.5) / (counts.positive + 1.0)),
        highest=between(highest / counts.classes),
    )


def _highest(counts: PairCounts, at: NDArray[np.int64], classes: slice, utility: Utility) -> Floats:
    """The utility of classes if they accepted all their positive pairs, shape (t, e)."""
    false = counts.class_negative[classes][:, at]
    if utility.kind == "sensitivity-specificity":
        specificity = 1.0 - false / counts.negatives_of_class[classes, None]
        return sensitivity_specificity(1.0, specificity, utility.c)
    return precision_recall(counts.positives_of_class[classes, None], 0, false, utility.c)


def _kept_along(sensitivity: Floats) -> Floats:
    """Correlation of an empirical distribution function with itself at the next threshold."""
    odds = sensitivity / (1.0 - sensitivity)
    kept: Floats = np.sqrt(np.minimum(odds[:-1] / odds[1:], 1.0))
    return kept


@dataclass(frozen=True, slots=True)
class _Law:
    """How the curves of classes of one size are drawn, at K thresholds.

    Attributes
    ----------
    row_share, pair_share : float64 arrays of shape (K, 1)
        Parts of a deviate; their squares sum to 1.
    quantiles : float64 array of shape (K, deviates)
    """

    row_share: Floats
    pair_share: Floats
    quantiles: Floats


def _law(mean: Floats, noise: _NullNoise, rows: float, alone: float) -> _Law:
    highest = np.maximum(noise.highest, mean)
    room = mean * (highest - mean)
    variance = np.minimum(noise.variance(rows, alone), _MOST_VARIANCE * room)
    rows_part = np.divide(
        4 * noise.row / rows, variance, out=np.ones(mean.size), where=variance > 0
    )
    rows_part = np.minimum(rows_part, 1.0)
    quantiles = np.repeat(mean[:, None], _DEVIATES.size, axis=1)
    # Below that a law is a point.
    spread = np.flatnonzero(variance > 1e-12)
    if spread.size:
        inside = mean[spread] / highest[spread]
        size = room[spread] / variance[spread] - 1.0
        quantiles[spread] = highest[spread, None] * special.betaincinv(
            (inside * size)[:, None],
            ((1.0 - inside) * size)[:, None],
            special.ndtr(_DEVIATES),
        )
    return _Law(np.sqrt(rows_part)[:, None], np.sqrt(1.0 - rows_part)[:, None], quantiles)


@dataclass(frozen=True, slots=True)
class _SizeClasses:
    """Classes of one size, or of nearly one: their typical rows and which they are.

    `rows` and `alone` are those of `PairTerms`.
    """

    rows: Floats
    alone: Floats
    members: tuple[NDArray[np.int64], ...]

    @classmethod
    def of(cls, terms: PairTerms) -> "_SizeClasses":
        sizes = np.unique(terms.rows)
        if sizes.size > _SIZES:
            sizes = np.geomspace(sizes[0], sizes[-1] + 1.0, _SIZES + 1)[:-1]
        kind = np.searchsorted(sizes, terms.rows, side="right") - 1
        groups = [np.flatnonzero(kind == k) for k in range(sizes.size)]
        members = tuple(group for group in groups if group.size)
        typical = [1.0 / np.mean(1.0 / terms.rows[group]) for group in members]
        alone = [np.mean(terms.alone[group]) for group in members]
        return cls(np.array(typical), np.array(alone), members)
