"""Utility bias: how far utilities of few rows lie below the true ones, and apart because of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opiscal.measures.pair_terms import PairTerms, enough_rows, pair_terms
from opiscal.measures.rates import Floats
from opiscal.measures.sampling_moments import CLASSES_AT_ONCE, sampling_moments
from opiscal.measures.utility import Utility
from opiscal.pairs.counts import PairCounts


@dataclass(frozen=True, slots=True)
class UtilityBias:
    """What few rows a class do to utility, averaged over the calibration range.

    Attributes
    ----------
    mean : float
        Expected mean over classes of the measured utilities less that of the true ones; at most 0.
    spread : float
        Expected variance over classes of the measured utilities' means less that of the true ones,
        over the classes of four rows or more: sampling noise comes on top. Above 0 where classes of
        low utility lose most.
    """

    mean: float
    spread: float


def utility_bias(
    counts: PairCounts, utility: Utility, distance: ArrayLike, weights: ArrayLike
) -> UtilityBias:
    r"""The bias of utility with few rows, by a model of the sensitivities that samples give.

    Utility is concave in sensitivity: the mean of the utilities that samples give lies below the
    true one, and farther for classes of few rows, or of middling sensitivity. The sensitivity of a
    class of ``n`` rows and true sensitivity :math:`s` is taken to be beta distributed about it with

    .. math:: Var(\hat s) = s (1 - s) \kappa(n), \qquad
              \kappa(n) = \frac{2 + 4 (n - 2) \rho}{n (n - 1)}

    (of two sets ``(1 + (q + g - 2) rho) / (q g)``), the variance of a mean over pairs of rows, of
    which two that share a row have correlation :math:`\rho`. That is estimated from the sampling
    variances of the classes of four rows or more (`sampling_moments`), and the true sensitivities
    are the measured ones, shrunk to their true spread. Mean utility under the beta law is that at
    two points with the same three moments.

    Parameters
    ----------
    counts : PairCounts
    utility : Utility
    distance, weights : array_like of shape (K,)
        Thresholds of the calibration range and the share of each, as `Integration.nodes` gives.

    Returns
    -------
    UtilityBias
        0 where no class has four rows.

    References
    ----------
    Two-point Gauss quadrature: Golub and Welsch, Calculation of Gauss quadrature rules, Mathematics
    of Computation 1969. The variance: Hoeffding, Annals of Mathematical Statistics 19, 1948.

    Examples
    --------
    >>> import opiscal
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(np.arange(40), 5)
    >>> vectors = rng.standard_normal((40, 8))[labels] + 0.6 * rng.standard_normal((200, 8))
    >>> counts = opiscal.evaluate(vectors, labels).counts
    >>> bias = utility_bias(counts, Utility(), [0.6, 0.9], [0.5, 0.5])
    >>> -0.05 < bias.mean < 0 < bias.spread < 0.01
    True
    """
    enough = enough_rows(counts)
    if not enough.any():
        return UtilityBias(0.0, 0.0)
    known = counts.moment_distance
    nodes, given = np.asarray(distance, np.float64), np.asarray(weights, np.float64)
    first = max(int(np.searchsorted(known, nodes.min(), side="right")) - 1, 0)
    last = min(int(np.searchsorted(known, nodes.max())), known.size - 1)
    edges = np.arange(first, last + 1)
    law = _SensitivityLaw.of(counts, edges)
    at = counts.moment_edge[edges]
    total, sums = np.zeros(edges.size), np.zeros((4, edges.size))
    for start in range(0, counts.classes, CLASSES_AT_ONCE):
        part = slice(start, start + CLASSES_AT_ONCE)
        positives = counts.positives_of_class[part, None].astype(np.float64)
        negatives = counts.negatives_of_class[part, None].astype(np.float64)
        false = counts.class_negative[part][:, at] / negatives
        kappa = law.kappa(pair_terms(counts, part))
        sens = law.shrunk(counts.class_positive[part][:, at] / positives, kappa)
        true = _utility_of(sens, false, negatives / positives, utility)
        expected = np.zeros(true.shape)
        for weight, point in _two_points(sens, kappa):
            expected += weight * _utility_of(point, false, negatives / positives, utility)
        total += (expected - true).sum(axis=0)
        mine = enough[part]
        sums += [values[mine].sum(axis=0) for values in (expected, expected**2, true, true**2)]
    many = np.count_nonzero(enough)
    means = sums / many
    spread = (means[1] - means[0] ** 2) - (means[3] - means[2] ** 2)
    mean, apart = (
        float(np.interp(nodes, known[edges], curve) @ given)
        for curve in (total / counts.classes, spread)
    )
    return UtilityBias(min(mean, 0.0), apart)


def _utility_of(sens: Floats, false: Floats, odds: Floats, utility: Utility) -> Floats:
    """Utility by sensitivity: ``(1 + c^2) h s / (s + b)``, 0 where no positive is accepted."""
    square = utility.c**2
    if utility.kind == "sensitivity-specificity":
        height = 1.0 - false
        offset = square * height
    else:
        height, offset = np.ones(false.shape), square + odds * false
    below = sens + offset
    out: Floats = np.zeros(sens.shape)
    return np.divide((1.0 + square) * height * sens, below, out=out, where=(sens > 0) & (below > 0))


def _two_points(sens: Floats, kappa: Floats) -> tuple[tuple[Floats, Floats], ...]:
    """Two weights and points with the first three moments of a beta law; of a coin at kappa 1."""
    spread = sens * (1.0 - sens)
    deviation = np.sqrt(spread * kappa)
    with np.errstate(invalid="ignore", divide="ignore"):
        skew = 2.0 * (1.0 - 2.0 * sens) * np.sqrt(kappa) / ((1.0 + kappa) * np.sqrt(spread))
    half = np.where(spread > 0, 0.5 * skew, 0.0)
    root = np.sqrt(1.0 + half**2)
    low, high = sens + deviation * (half - root), sens + deviation * (half + root)
    share = 0.5 * (1.0 + half / root)
    return (share, np.clip(low, 0.0, 1.0)), (1.0 - share, np.clip(high, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class _SensitivityLaw:
    """How sensitivities lie: their mean and true variance over classes, and the scatter of each.

    Shapes (e,): `mean`, `variance`, the mean of ``s (1 - s)`` and the correlation of two pairs with
    a common row.
    """

    mean: Floats
    variance: Floats
    pair: Floats
    correlation: Floats

    @classmethod
    def of(cls, counts: PairCounts, edges: NDArray[np.integer]) -> "_SensitivityLaw":
        """By moments, from the classes of four rows or more."""
        sums = np.zeros((6, edges.size))
        for start in range(0, counts.classes, CLASSES_AT_ONCE):
            part = slice(start, start + CLASSES_AT_ONCE)
            mine = enough_rows(counts, part)
            moments = sampling_moments(counts, edges, part)
            sens, scatter = moments.sensitivity[mine], moments.sensitivity_variance[mine]
            # Unbiased too: what a single pair scatters by.
            pair = sens * (1.0 - sens) + scatter
            pairs = pair_terms(counts, part)
            alone, shared = pairs.alone[mine, None], pairs.shared[mine, None]
            terms = (sens, sens**2, scatter, pair, pair * alone, pair * shared)
            sums += [term.sum(axis=0) for term in terms]
        many = np.count_nonzero(enough_rows(counts))
        mean, square, scatter, pair = sums[:4] / many
        left = sums[2] - sums[4]
        found = np.divide(left, sums[5], out=np.zeros(edges.size), where=sums[5] > 0)
        # Of a mean over pairs of independent rows it is between 0 and 1/2.
        spread = (square - mean**2) * many / max(many - 1, 1) - scatter
        return cls(mean, np.maximum(spread, 0.0), np.maximum(pair, 0.0), np.clip(found, 0.0, 0.5))

    def kappa(self, terms: PairTerms) -> Floats:
        """Scatter of the sensitivity of classes, as a part of ``s (1 - s)``; shape (t, e)."""
        return np.asarray(terms.alone[:, None] + terms.shared[:, None] * self.correlation)

    def shrunk(self, sensitivity: Floats, kappa: Floats) -> Floats:
        """Measured sensitivities moved towards their mean, so that they spread as the true do."""
        whole = self.variance + kappa * self.pair
        kept = np.divide(self.variance, whole, out=np.ones(whole.shape), where=whole > 0)
        return np.clip(self.mean + np.sqrt(kept) * (sensitivity - self.mean), 0.0, 1.0)
