"""The interval of a threshold, read off the intervals of the rate it is chosen by."""

from typing import Literal

import numpy as np

from opiscal.measures.rate_intervals import RateIntervals


def threshold_interval(
    intervals: RateIntervals, rate: Literal["far", "frr"], target: float
) -> tuple[float, float]:
    """The thresholds at which the true rate may be the target: the inverted intervals of the rate.

    For any target, at once; where a whole evaluation is at hand, resampling of classes
    (`opiscal.measures.resampling`) gives the same to first order.

    Parameters
    ----------
    intervals : RateIntervals
    rate : "far" or "frr"
    target : float, in (0, 1)

    Returns
    -------
    pair of float
        Distances of edges, ascending: between them the two-sided interval of the rate holds the
        target.

    References
    ----------
    Inverting a confidence band: Brookmeyer and Crowley, A confidence interval for the median
    survival time, Biometrics 1982, for quantiles.

    Examples
    --------
    >>> import opiscal
    >>> from opiscal.measures.rate_intervals import rate_intervals
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(np.arange(20), 10)
    >>> vectors = rng.standard_normal((20, 8))[labels] + 0.6 * rng.standard_normal((200, 8))
    >>> report = opiscal.evaluate(vectors, labels)
    >>> low, high = threshold_interval(rate_intervals(report.counts), "far", 0.05)
    >>> low < report.threshold(far=0.05).distance < high
    True
    """
    edges = intervals.curve.distance
    if rate == "far":
        # Lower ends are not smoothed; the last that still holds the target counts.
        first = int(np.searchsorted(intervals.far_high, target))
        inside = np.flatnonzero(intervals.far_low <= target)
    else:
        first = int(np.argmax(intervals.frr_low <= target))
        inside = np.flatnonzero(intervals.frr_high >= target)
    last = int(inside[-1]) if inside.size else edges.size - 1
    low, high = sorted((min(first, edges.size - 1), last))
    return float(edges[low]), float(edges[high])
