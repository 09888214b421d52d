"""Utility bias: how far below its true value the mean utility of few rows lies."""

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.calibration_range import CalibrationRange
from opiscal.measures.class_curves import UtilityNoise
from opiscal.measures.opis import Integration
from opiscal.measures.rates import class_counts_at
from opiscal.measures.utility import Utility
from opiscal.pairs.counts import PairCounts

# Classes whose counts are worked out at a time, so that temporaries stay small.
_CLASSES_AT_ONCE = 512


def mean_utility_bias(
    counts: PairCounts, utility: Utility, noise: UtilityNoise, calibration: CalibrationRange
) -> float:
    r"""By how much the mean utility over classes and range is too low, to second order.

    Utility is concave in sensitivity: with few rows a class its mean lies below the utility of the
    mean. As a function of the sensitivity :math:`s` both utilities are :math:`a s / (b s + e)`, and

    .. math:: E[\hat U] - U \approx \tfrac12 U'' \mathrm{Var}(\hat s)
              = -\mathrm{Var}(\hat U) \, \frac{b (b s + e)}{a e}

    Parameters
    ----------
    counts : PairCounts
    utility : Utility
    noise : UtilityNoise
        Classes without one are taken to be as biased as the others.
    calibration : CalibrationRange

    Returns
    -------
    float, at most 0
        0 without noise.

    References
    ----------
    The delta method to second order: Oehlert, A note on the delta method, American Statistician
    1992.

    Examples
    --------
    >>> import opiscal
    >>> from opiscal.measures.calibration_range import RangeSpec, find_range
    >>> from opiscal.measures.noise import utility_noise
    >>> from opiscal.measures.rates import rate_curve
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(np.arange(40), 5)
    >>> vectors = rng.standard_normal((40, 8))[labels] + 0.6 * rng.standard_normal((200, 8))
    >>> counts = opiscal.evaluate(vectors, labels).counts
    >>> found = find_range(rate_curve(counts), RangeSpec.parse("far=0.01:0.1"), "cosine")
    >>> at = np.array([found.low, found.high])
    >>> noise = UtilityNoise(at, utility_noise(counts, at, Utility()))
    >>> -0.05 < mean_utility_bias(counts, Utility(), noise, found) < 0
    True
    """
    known: NDArray[np.bool_] = np.asarray(~np.isnan(noise.variance).any(axis=1))
    if not known.any():
        return 0.0
    square, total = utility.c**2, np.zeros(noise.distance.size)
    for start in range(0, counts.classes, _CLASSES_AT_ONCE):
        part = slice(start, start + _CLASSES_AT_ONCE)
        accepted = class_counts_at(counts, noise.distance, part)
        positives = counts.positives_of_class[part, None]
        share = accepted.negative / counts.negatives_of_class[part, None]
        sens = accepted.positive / positives
        # b is 1 for both utilities.
        if utility.kind == "sensitivity-specificity":
            a, e = (1.0 + square) * (1.0 - share), square * (1.0 - share)
        else:
            a, e = np.full(sens.shape, 1.0 + square), square + accepted.negative / positives
        bent = np.divide(sens + e, a * e, out=np.zeros(sens.shape), where=a * e > 0)
        total += (np.maximum(noise.variance[part], 0.0) * bent)[known[part]].sum(axis=0)
    nodes, weights = Integration().nodes(noise.distance, calibration.low, calibration.high)
    curve = -total / np.count_nonzero(known)
    return float(np.interp(nodes, noise.distance, curve) @ weights)
