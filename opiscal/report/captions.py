"""What figures say in words: titles that give the conclusion, and labels."""

import numpy as np

from opiscal.data.embedding_set import Metric
from opiscal.measures.rates import Floats
from opiscal.report.rounding import TEXT_DIGITS, round_down, round_up


def utility_title(
    distance: Floats,
    utility: Floats,
    mean: Floats,
    stretch: tuple[float, float],
    threshold: float | None,
) -> str:
    """Mean and worst utility at the threshold, or where there is none the mean over the range.

    Examples
    --------
    >>> curves = np.array([[0.2, 0.6], [0.4, 0.8]])
    >>> utility_title(np.array([0.5, 1.0]), curves, curves.mean(axis=0), (0.5, 1.0), 1.0)
    'At the threshold: mean utility 0.70, worst class 0.60'
    """
    if threshold is None:
        low, high = stretch
        inside = mean[(distance >= low) & (distance <= high)]
        if inside.size == 0:
            return "Utility of each class"
        return f"Mean utility {inside.min():.2f} to {inside.max():.2f} in the calibration range"
    typical = np.interp(threshold, distance, mean)
    worst = min(np.interp(threshold, distance, curve) for curve in utility)
    return f"At the threshold: mean utility {typical:.2f}, worst class {worst:.2f}"


def rates_title(rates: tuple[float, float] | None) -> str:
    """FAR and FRR at the threshold.

    Examples
    --------
    >>> rates_title((0.1, 0.16421))
    'At the threshold: FAR 10 %, FRR 16.4 %'
    """
    if rates is None:
        return "False accepts rise and false rejects fall with the threshold"
    return f"At the threshold: FAR {100 * rates[0]:.3g} %, FRR {100 * rates[1]:.3g} %"


def threshold_label(threshold: float, metric: Metric) -> str:
    """The threshold on its scales, rounded so that the printed value accepts no pair too many.

    Examples
    --------
    >>> threshold_label(0.8930715, "cosine")
    'threshold: similarity 0.601212, distance 0.893071'
    """
    distance = f"distance {round_down(threshold, TEXT_DIGITS):g}"
    if metric == "l2":
        return f"threshold: {distance}"
    similarity = round_up(1.0 - 0.5 * threshold**2, TEXT_DIGITS)
    return f"threshold: similarity {similarity:g}, {distance}"
