"""Confidence curves: the bounds of one figure at every level, and the p-value of any limit."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from opiscal.measures.rate_intervals import check_confidence
from opiscal.measures.rates import Floats

_STEP, _OUTERMOST = 0.02, 4.0
LEVELS: Floats = np.linspace(-_OUTERMOST, _OUTERMOST, round(2 * _OUTERMOST / _STEP) + 1)
"""Normal quantiles of the levels at which bounds are kept; shape (G,), the middle one 0."""

LEAST_P = float(ndtr(-_OUTERMOST))
"""No p-value is smaller, 3e-5: replicates say nothing of what is rarer."""


@dataclass(frozen=True, slots=True)
class ConfidenceCurve:
    """What is known of one figure, at all levels: a confidence distribution.

    The truth lies below ``bound_at(share)`` with a confidence of `share`. Intervals and p-values
    are read off the same curve, so that they agree: an interval of 90 % lies above a limit exactly
    where ``p_above(limit)`` is below 0.05.

    Attributes
    ----------
    value : float
        The figure itself.
    bound : float64 array of shape (G,)
        One-sided bounds at the levels ``ndtr(LEVELS)``, rising.

    References
    ----------
    Xie and Singh, Confidence distribution, the frequentist distribution estimator of a parameter,
    International Statistical Review 2013, doi:10.1111/insr.12000.

    Examples
    --------
    >>> curve = ConfidenceCurve(1.0, 1.0 + 0.5 * LEVELS)
    >>> [round(end, 3) for end in curve.interval(0.95)]
    [0.02, 1.98]
    >>> round(curve.p_above(0.0), 4), round(curve.p_below(2.0), 4)
    (0.0228, 0.0228)
    """

    value: float
    bound: Floats

    @classmethod
    def of_ends(
        cls,
        value: float,
        ends: Callable[[Floats], tuple[Floats, Floats]],
        low: float = -np.inf,
        high: float = np.inf,
    ) -> "ConfidenceCurve":
        """The curve of ends at any level; bounds are made to rise from the value outwards.

        Parameters
        ----------
        value : float
        ends : callable
            Given shares above 0.5 it returns lower ends, which the truth lies below with a
            confidence of one less the share, and upper ends.
        low, high : float
            Between which the figure lies; no bound lies beyond.
        """
        middle = LEVELS.size // 2
        below, above = ends(ndtr(LEVELS[middle + 1 :]))
        bound = np.empty(LEVELS.size)
        bound[middle] = value
        bound[middle + 1 :] = np.maximum.accumulate(np.maximum(above, value))
        bound[:middle] = np.minimum.accumulate(np.minimum(below, value))[::-1]
        return cls(value, np.clip(bound, min(low, value), max(high, value)))

    @classmethod
    def sure(cls, value: float) -> "ConfidenceCurve":
        """A figure that nothing can move."""
        return cls(value, np.full(LEVELS.size, value))

    def moved(self, value: float, shift: float) -> "ConfidenceCurve":
        """Bounds shifted, about another value, which they hold."""
        bound = self.bound + shift
        middle = LEVELS.size // 2
        bound[: middle + 1] = np.minimum(bound[: middle + 1], value)
        bound[middle:] = np.maximum(bound[middle:], value)
        return ConfidenceCurve(value, bound)

    def bound_at(self, share: float) -> float:
        """What the truth lies below with a confidence of `share`."""
        return float(np.interp(ndtri(share), LEVELS, self.bound))

    def interval(self, confidence: float) -> tuple[float, float]:
        """The two-sided interval of a confidence in (0.5, 1)."""
        check_confidence(confidence)
        return self.bound_at(0.5 - confidence / 2), self.bound_at(0.5 + confidence / 2)

    def p_above(self, limit: float) -> float:
        """The p-value against "at most the limit": small where the data show more than that.

        From `LEAST_P` to 1.
        """
        return _p_value(self.bound, limit)

    def p_below(self, limit: float) -> float:
        """The p-value against "at least the limit": small where the data show less than that."""
        return _p_value(-self.bound[::-1], -limit)

    def side_of(self, limit: float, confidence: float) -> int:
        """1 where the interval lies above a limit, -1 where below, 0 where it holds it."""
        low, high = self.interval(confidence)
        return int(low > limit) - int(high < limit)


def _p_value(bound: Floats, limit: float) -> float:
    """The largest level at which a bound, of those that rise, is at most the limit."""
    at_most = int(np.searchsorted(bound, limit, side="right"))
    if at_most == 0:
        return LEAST_P
    if at_most == bound.size:
        return 1.0
    low, high = bound[at_most - 1], bound[at_most]
    return float(ndtr(LEVELS[at_most - 1] + _STEP * (limit - low) / (high - low)))
