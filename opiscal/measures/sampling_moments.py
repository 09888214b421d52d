"""How the rates of a class scatter from sample to sample, from the accepted pairs of its rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.pair_terms import enough_rows, pair_terms
from opiscal.measures.rates import Floats
from opiscal.pairs.counts import PairCounts

# Classes that are worked out at a time, so that temporaries stay small.
CLASSES_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class SamplingMoments:
    """Rates of some classes at some moment edges, and how they scatter from sample to sample.

    Attributes
    ----------
    sensitivity, false_accepts : float64 arrays of shape (t, e), in [0, 1]
        Accepted positive pairs over positive pairs, and accepted negative pairs over negative
        pairs.
    sensitivity_variance, false_accepts_variance, covariance : float64 arrays of shape (t, e)
        Unbiased estimates; by chance the first may be a little negative. NaN for classes under
        four rows.
    """

    sensitivity: Floats
    false_accepts: Floats
    sensitivity_variance: Floats
    false_accepts_variance: Floats
    covariance: Floats


def sampling_moments(
    counts: PairCounts, edges: NDArray[np.integer], classes: slice = slice(None)
) -> SamplingMoments:
    r"""Variances of a class's rates over samples of its rows, estimated from one sample.

    Sensitivity is a mean over pairs, and pairs share rows. Its variance is the mean of its square
    less the square of its mean; the latter is estimated without bias by the share of accepted ones
    among the ordered pairs of pairs that have no row in common. With ``p_j`` and ``n_j`` the
    accepted positives and negatives of row ``j`` of ``n``, ``P`` accepted pairs among
    ``M = n (n - 1) / 2``, and ``N`` rows outside the class:

    .. math::

        \widehat{Var}(sens) &= \frac{P^2}{M^2}
            - \frac{P^2 - \sum_j p_j (p_j - 1) - P}{M^2 - n (n - 1)(n - 2) - M} \\
        \widehat{Var}(FAR) &= \frac{\sum_j n_j^2 - (\sum_j n_j)^2 / n}{n (n - 1) N^2} \\
        \widehat{Cov}(sens, FAR) &= \frac{P \sum_j n_j}{M n N}
            - \frac{P \sum_j n_j - \sum_j p_j n_j}{M (n - 2) N}

    The rows outside the class are taken as given. Of two sets the rows are those of both, and the
    numbers of pairs without a common row are those of `pair_terms`.

    Parameters
    ----------
    counts : PairCounts
    edges : int array of shape (e,)
        Which moment edges.
    classes : slice
        Which classes; t of them.

    Returns
    -------
    SamplingMoments

    References
    ----------
    Hoeffding, A Class of Statistics with Asymptotically Normal Distribution, Annals of
    Mathematical Statistics 19, 1948, doi:10.1214/aoms/1177730196.
    """
    at = counts.moment_edge[edges]
    terms = pair_terms(counts, classes)
    accepted = counts.class_positive[classes][:, at].astype(np.float64)
    false = counts.class_negative[classes][:, at].astype(np.float64)
    # A pair shares both rows with itself, and is in the squares of both.
    same = terms.same[:, None] * accepted
    apart = accepted**2 - counts.positive_squares[classes][:, edges] + same
    defined = enough_rows(counts, classes)[:, None]
    nan = np.full(accepted.shape, np.nan)

    def share(part: Floats, whole: Floats) -> Floats:
        result: Floats = np.divide(part, whole[:, None], out=nan.copy(), where=defined)
        return result

    sensitivity = accepted / counts.positives_of_class[classes, None]
    rate = false / counts.negatives_of_class[classes, None]
    own = false * false / terms.negative_rows[:, None]
    between = counts.negative_squares[classes][:, edges] - own
    mixed = accepted * false - counts.products[classes][:, edges]
    return SamplingMoments(
        sensitivity=sensitivity,
        false_accepts=rate,
        sensitivity_variance=sensitivity**2 - share(apart, terms.disjoint),
        false_accepts_variance=share(between, terms.disjoint_negative),
        covariance=sensitivity * rate - share(mixed, terms.disjoint_mixed),
    )


@dataclass(frozen=True, slots=True)
class SensitivitySpread:
    """How far the sensitivities of classes truly lie apart, over those of four rows or more.

    Attributes
    ----------
    mean : float64 array of shape (e,)
        Mean sensitivity.
    variance : float64 array of shape (e,), 0 or more
        Variance over classes of the true sensitivities: that of the counted ones less the mean of
        their sampling variances.
    noise : float64 array of shape (e,), 0 or more
        Sampling variance of the sensitivity of a class, times its rows.
    """

    mean: Floats
    variance: Floats
    noise: Floats

    def shrunk(self, sensitivity: Floats, rows: Floats) -> Floats:
        """Counted sensitivities of classes of so many `PairTerms.rows`, moved towards the mean.

        They then spread as the true ones do; a class of few rows is moved more. Shapes (t, e) and
        (t,) to (t, e).
        """
        total = self.variance + self.noise / rows[:, None]
        kept = np.divide(self.variance, total, out=np.ones(total.shape), where=total > 0)
        moved: Floats = self.mean + np.sqrt(kept) * (sensitivity - self.mean)
        return moved


def sensitivity_spread(counts: PairCounts, edges: NDArray[np.integer]) -> SensitivitySpread:
    """The spread of the classes' sensitivities at some moment edges; NaN without a class of four
    rows.
    """
    enough = enough_rows(counts)
    classes = np.count_nonzero(enough)
    if classes == 0:
        return SensitivitySpread(*(np.full(edges.size, np.nan) for _ in range(3)))
    counted = np.empty((classes, edges.size))
    sampling = np.zeros(edges.size)
    filled = 0
    for start in range(0, counts.classes, CLASSES_AT_ONCE):
        part = slice(start, start + CLASSES_AT_ONCE)
        moments = sampling_moments(counts, edges, part)
        known = moments.sensitivity[enough[part]]
        counted[filled : filled + len(known)] = known
        filled += len(known)
        sampling += moments.sensitivity_variance[enough[part]].sum(axis=0)
    sampling = np.maximum(sampling / classes, 0.0)
    spread = counted.var(axis=0, ddof=1) if classes > 1 else sampling
    return SensitivitySpread(
        mean=counted.mean(axis=0),
        variance=np.maximum(spread - sampling, 0.0),
        noise=sampling / np.mean(1.0 / pair_terms(counts).rows[enough]),
    )
