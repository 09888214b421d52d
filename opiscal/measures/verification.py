"""Verification: equal error rate and area under the ROC curve."""

import numpy as np

from opiscal.measures.rates import RateCurve


def equal_error_rate(curve: RateCurve) -> tuple[float, float]:
    """Bounds of the rate at which FAR and FRR meet.

    The two cross between neighbouring edges ``k`` and ``k + 1``; whatever the thresholds between
    them do, both rates there lie in ``[min(FAR_k, FRR_{k+1}), max(FAR_{k+1}, FRR_k)]``. Rounding of
    float32 products may put a pair on the other side of an edge, so the bounds are taken one edge
    further out. Where the two are equal at an edge they have met there: both bounds are that rate.

    Returns
    -------
    pair of float, in [0, 1]

    Examples
    --------
    >>> curve = RateCurve(np.array([0.4, 0.5, 0.6, 0.7]), np.array([0.07, 0.09, 0.12, 0.13]),
    ...                   np.array([0.14, 0.11, 0.08, 0.06]), 100, 1000)
    >>> equal_error_rate(curve)
    (0.06, 0.14)
    >>> perfect = RateCurve(np.array([0.4, 0.5, 0.6]), np.array([0.0, 0.0, 0.1]),
    ...                     np.array([0.4, 0.0, 0.0]), 100, 1000)
    >>> equal_error_rate(perfect)
    (0.0, 0.0)
    """
    meet = int(np.argmax(curve.far >= curve.frr))
    if curve.far[meet] == curve.frr[meet]:
        return float(curve.far[meet]), float(curve.far[meet])
    before, after = max(meet - 2, 0), min(meet + 1, curve.far.size - 1)
    low = min(curve.far[before], curve.frr[after])
    high = max(curve.far[after], curve.frr[before])
    return float(low), float(high)


def area_under_roc(curve: RateCurve) -> float:
    """Chance that a positive pair is nearer than a negative one, a tie counting half.

    The trapezoid over the edges, from (0, 0): pairs between the same two edges count as tied.

    Examples
    --------
    >>> curve = RateCurve(np.array([0.5, 1.0]), np.array([0.0, 1.0]), np.array([0.0, 0.0]), 5, 5)
    >>> area_under_roc(curve)
    1.0
    """
    far = np.concatenate([[0.0], curve.far])
    sensitivity = np.concatenate([[0.0], 1.0 - curve.frr])
    return float(np.trapezoid(sensitivity, far))
