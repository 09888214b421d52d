"""Which thresholds a figure shows."""

import numpy as np

from opiscal.data.embedding_set import Metric
from opiscal.measures.rates import Floats
from opiscal.pairs.counts import PairCounts

# Enough for a smooth curve; with hundreds of classes each more makes the file larger.
_POINTS = 160
LOWEST_RATE = 1e-6
"""Where the axis of rates ends at the latest."""
_MOST_FAR = 0.5


def curve_thresholds(
    counts: PairCounts, low: float, high: float, threshold: float | None
) -> Floats:
    """Thresholds for curves of classes: the calibration range, and as far again on either side.

    Parameters
    ----------
    counts : PairCounts
    low, high : float
        Ends of the calibration range. One of no width is shown amid a tenth of where pairs lie.
    threshold : float or None
        A threshold that is to be seen too.

    Returns
    -------
    float64 array of shape (K,), ascending
        Class edges, the marks and the two ends of the axis; about 160 of them.
    """
    marks = np.array([low, high] if threshold is None else [low, high, threshold])
    left, right = float(marks.min()), float(marks.max())
    width = right - left if high > low else 0.05 * _spread(counts)
    left, right = _limits(left - width, right + width, counts.metric)
    edges = counts.class_distance
    inside = edges[(edges > left) & (edges < right)]
    if inside.size > _POINTS:
        wanted = np.linspace(left, right, _POINTS)
        inside = inside[np.clip(np.searchsorted(inside, wanted), 0, inside.size - 1)]
    return np.unique(np.concatenate([[left], inside, marks, [right]]))


def rate_limits(
    distance: Floats, far: Floats, marks: tuple[float, ...], metric: Metric
) -> tuple[float, float]:
    """Ends of the axis for rates: from where false accepts begin to where half of the negatives
    are accepted, all marks within.
    """
    at = np.minimum(np.searchsorted(far, [LOWEST_RATE, _MOST_FAR]), distance.size - 1)
    shown = np.concatenate([distance[at], marks])
    left, right = float(shown.min()), float(shown.max())
    margin = 0.05 * (right - left)
    return _limits(left - margin, right + margin, metric)


def _limits(left: float, right: float, metric: Metric) -> tuple[float, float]:
    """Ends of an axis: within the distances there are, and never the same."""
    least = max(1e-6, 1e-3 * abs(right))
    if right - left < least:
        left, right = left - least, right + least
    return max(left, 0.0), min(right, 2.0) if metric == "cosine" else right


def _spread(counts: PairCounts) -> float:
    """The width of the stretch in which nearly all pairs lie."""
    pairs = counts.pool_positive + counts.pool_negative
    ends = np.searchsorted(pairs, np.array([0.005, 0.995]) * pairs[-1])
    return float(np.diff(counts.distance[ends])[0])
