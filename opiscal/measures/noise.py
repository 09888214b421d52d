"""The sampling noise of the classes' utilities.

A class of few rows has a utility curve that scatters about its true one, and OPIS takes the scatter
for inconsistency. How far a curve scatters can be read off its own rows: rows whose pairs are
accepted more often than those of others make it scatter most.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opiscal.measures.opis import mean_over_range
from opiscal.measures.pair_terms import pair_terms
from opiscal.measures.rates import Floats
from opiscal.measures.sampling_moments import (
    CLASSES_AT_ONCE,
    SensitivitySpread,
    sampling_moments,
    sensitivity_spread,
)
from opiscal.measures.utility import Utility
from opiscal.pairs.counts import PairCounts


@dataclass(frozen=True, slots=True)
class EdgeNoise:
    """What the utilities of some classes scatter by, at some moment edges.

    Attributes
    ----------
    variance : float64 array of shape (t, e)
        `utility_noise`; NaN for classes under four rows.
    one_pair : float64 array of shape (t, e)
        The part of sensitivity if the class were one pair of rows.
    """

    variance: Floats
    one_pair: Floats


def noise_at_moment_edges(
    counts: PairCounts,
    edges: NDArray[np.integer],
    utility: Utility,
    spread: SensitivitySpread,
    classes: slice = slice(None),
) -> EdgeNoise:
    """The noise of some classes at some moment edges, where all it comes from was counted.

    Parameters
    ----------
    counts : PairCounts
    edges : int array of shape (e,)
        Which moment edges.
    utility : Utility
    spread : SensitivitySpread
        Of all classes at the same edges.
    classes : slice
        Which classes; t of them.
    """
    moments = sampling_moments(counts, edges, classes)
    sensitivity = moments.sensitivity
    odds = counts.negatives_of_class[classes, None] / counts.positives_of_class[classes, None]
    shrunk = spread.shrunk(sensitivity, pair_terms(counts, classes).rows)
    slope, slope_of_false = utility_slopes(
        sensitivity, shrunk, moments.false_accepts, odds, utility
    )
    # The slope first times the deviation: under an extreme c its own square would overflow.
    deviation = np.sqrt(np.maximum(moments.false_accepts_variance, 0.0))
    variance = (
        slope**2 * moments.sensitivity_variance
        + 2 * slope * slope_of_false * moments.covariance
        + (slope_of_false * deviation) ** 2
    )
    pair = sensitivity * (1 - sensitivity) + moments.sensitivity_variance
    return EdgeNoise(variance=variance, one_pair=slope**2 * pair)


def utility_slopes(
    sensitivity: Floats, shrunk: Floats, false_accepts: Floats, odds: Floats, utility: Utility
) -> tuple[Floats, Floats]:
    """Slopes of the utility: the chord by sensitivity, the derivative by FAR.

    Both utilities are ``(1 + c^2) h sens / (sens + b)``: with ``h = spec`` and ``b = c^2 spec``, or
    with ``h = 1`` and ``b = c^2 + odds FAR``.

    Parameters
    ----------
    sensitivity, shrunk : float64 arrays of shape (t, e)
        The ends of the chord; where they are the same its slope is the derivative.
    false_accepts : float64 array of shape (t, e)
    odds : float64 array of shape (t, 1)
        Negative pairs over positive pairs.
    utility : Utility

    Returns
    -------
    two float64 arrays of shape (t, e)
        0 where no positive pair is accepted: no variance is found there.
    """
    weight = utility.c**2
    if utility.kind == "sensitivity-specificity":
        by_far = -sensitivity
        height = 1.0 - false_accepts
        offset = weight * height
    else:
        by_far = -odds
        height = np.ones(false_accepts.shape)
        offset = weight + odds * false_accepts
    some = sensitivity > 0

    def over(part: Floats | float, below: Floats) -> Floats:
        result: Floats = np.divide(part, below, out=np.zeros(below.shape), where=some)
        return result

    # Divided twice, not by a product: c may be as large as 1e100, or as small as its inverse.
    scale = over(1 + weight, sensitivity + offset)
    chord = scale * over(offset, shrunk + offset) * height
    return chord, scale * over(by_far, sensitivity + offset) * sensitivity


@dataclass(frozen=True, slots=True)
class _Bracket:
    """The moment edges on either side of thresholds, and where between them these lie."""

    edges: NDArray[np.int64]
    below: NDArray[np.int64]
    above: NDArray[np.int64]
    weight: Floats


def _bracket(counts: PairCounts, distance: ArrayLike) -> _Bracket:
    thresholds = np.atleast_1d(np.asarray(distance, dtype=np.float64))
    known = counts.moment_distance
    above = np.clip(np.searchsorted(known, thresholds), 1, known.size - 1)
    step = known[above] - known[above - 1]
    weight = np.clip((thresholds - known[above - 1]) / step, 0.0, 1.0)
    edges = np.union1d(above - 1, above)
    place = np.searchsorted(edges, above)
    return _Bracket(edges=edges, below=place - 1, above=place, weight=weight)


def utility_noise(counts: PairCounts, distance: ArrayLike, utility: Utility) -> Floats:
    r"""Sampling variance of each class's utility at some thresholds, from the class's own rows.

    .. math:: \widehat{Var}(U) = a^2 \, \widehat{Var}(sens)
              + 2 \, a \, b \, \widehat{Cov}(sens, FAR) + b^2 \, \widehat{Var}(FAR)

    The variances of the rates are without bias (`sampling_moments`). ``b`` is the slope of ``U`` by
    FAR, and ``a`` that of the chord of ``U`` from the sensitivity that was counted to where it
    comes to lie when the sensitivities of all classes are shrunk to their true spread
    (`SensitivitySpread`). For classes of many rows the two are one, and ``a`` is the derivative;
    for few rows the derivative alone finds too much, since ``U`` is steepest where chance has made
    the sensitivity too small, and there its variance comes out too large as well.

    The sums over rows behind it are counted at the moment edges; between two of them the variance
    is a straight line.

    Parameters
    ----------
    counts : PairCounts
    distance : array_like of shape (K,)
        Thresholds.
    utility : Utility

    Returns
    -------
    float64 array of shape (T, K)
        By chance a value may be a little negative: it is kept, since the mean over classes would
        be too large without. NaN for classes under four rows. 0 where every row of a class accepts
        all or none of its class and as many others as the next row.

    Notes
    -----
    The delete-one jackknife, from the same sums, finds too much variance of sensitivity: on real
    sets by about a tenth at 20 rows a class, a fifth at 10 and a half at 5.
    ``benchmarks/noise.py`` prints both.

    References
    ----------
    Hoeffding, Annals of Mathematical Statistics 19, 1948, doi:10.1214/aoms/1177730196.

    Examples
    --------
    Three classes of four rows on a line. The last row of each lies apart, and takes its three
    pairs with it or not.

    >>> import numpy as np
    >>> from opiscal.pairs.counts import PairCounts
    >>> same = np.ones((3, 1), np.int64)
    >>> counts = PairCounts(
    ...     metric="l2", rows=12, distractors=0, labels=("a", "b", "c"),
    ...     class_rows=np.array([4, 4, 4]), distance=np.array([1.0, 2.0]),
    ...     class_edge=np.array([0, 1]), moment_edge=np.array([0, 1]),
    ...     pool_positive=np.array([9, 18]), pool_negative=np.array([0, 48]),
    ...     class_positive=same * [3, 6], class_negative=same * [0, 32],
    ...     positive_squares=same * [12, 36], negative_squares=same * [0, 256],
    ...     products=same * [0, 96])
    >>> utility_noise(counts, [1.0, 1.5, 2.0], Utility())[0].round(4).tolist()
    [0.1975, 0.0988, 0.0]
    """
    bracket = _bracket(counts, distance)
    spread = sensitivity_spread(counts, bracket.edges)
    out = np.empty((counts.classes, bracket.weight.size))
    for start in range(0, counts.classes, CLASSES_AT_ONCE):
        part = slice(start, start + CLASSES_AT_ONCE)
        noise = noise_at_moment_edges(counts, bracket.edges, utility, spread, part).variance
        steps = np.diff(noise, axis=1)
        np.take(steps, bracket.below, axis=1, out=out[part])
        out[part] *= bracket.weight
        out[part] += np.take(noise, bracket.below, axis=1)
    return out


def mean_noise_by_class(
    counts: PairCounts, distance: ArrayLike, weights: ArrayLike, utility: Utility
) -> Floats:
    """Each class's `utility_noise` averaged over thresholds, without an array of all of them.

    Parameters
    ----------
    counts : PairCounts
    distance, weights : array_like of shape (K,)
        Thresholds, and the share of each in the mean; they sum to 1.
    utility : Utility

    Returns
    -------
    float64 array of shape (T,)
        NaN for classes under four rows.
    """
    bracket = _bracket(counts, distance)
    spread = sensitivity_spread(counts, bracket.edges)
    given = np.asarray(weights, dtype=np.float64)
    share = np.zeros(bracket.edges.size)
    np.add.at(share, bracket.below, given * (1.0 - bracket.weight))
    np.add.at(share, bracket.above, given * bracket.weight)
    out = np.empty(counts.classes)
    for start in range(0, counts.classes, CLASSES_AT_ONCE):
        part = slice(start, start + CLASSES_AT_ONCE)
        noise = noise_at_moment_edges(counts, bracket.edges, utility, spread, part).variance
        out[part] = mean_over_range(noise, share)
    return out
