"""Verification: equal error rate and area under the ROC curve."""

import numpy as np

from opiscal.measures.rates import RateCurve


def equal_error_rate(curve: RateCurve) -> tuple[float, float]:
    """Bounds of the rate at which FAR and FRR meet.

    The two cross between neighbouring edges ``k`` and ``k + 1``; whatever the thresholds between
    them do, both rates there lie in ``[min(FAR_k, FRR_{k+1}), max(FAR_{k+1}, FRR_k)]``. Where they
    are equal at an edge they have met there, and both bounds are that rate.

    Returns
    -------
    pair of float, in [0, 1]

    Examples
    --------
    >>> curve = RateCurve(np.array([0.4, 0.5, 0.6]), np.array([0.01, 0.09, 0.12]),
    ...                   np.array([0.4, 0.11, 0.08]), 100, 1000)
    >>> equal_error_rate(curve)
    (0.08, 0.12)
    >>> perfect = RateCurve(np.array([0.4, 0.5, 0.6]), np.array([0.0, 0.0, 0.1]),
    ...                     np.array([0.4, 0.0, 0.0]), 100, 1000)
    >>> equal_error_rate(perfect)
    (0.0, 0.0)
    """
    after = int(np.argmax(curve.far >= curve.frr))
    before = max(after - 1, 0)
    low = min(curve.far[before], curve.frr[after])
    high = max(curve.far[after], curve.frr[before])
    if curve.far[after] == curve.frr[after]:
        low = high = curve.far[after]
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
