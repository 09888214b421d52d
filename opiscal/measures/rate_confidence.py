"""Confidence curves of FAR and FRR at one threshold, and of the difference of two rates."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from opiscal.measures.confidence_curve import LEVELS, ConfidenceCurve
from opiscal.measures.operating_points import FEWEST_ERRORS
from opiscal.measures.rate_intervals import wilson_interval
from opiscal.measures.rate_variance import RateVariance
from opiscal.measures.rates import Floats, RateCurve
from opiscal.measures.relative_increase import relative_interval

# The ends of Wilson intervals run so smoothly with the level that some tell of all.
_EVERY = 8


def rate_confidence(
    rates: tuple[RateVariance, RateVariance], curve: RateCurve, distance: float
) -> tuple[ConfidenceCurve, ConfidenceCurve]:
    """FAR and FRR at a threshold, at every level: the intervals of `rate_intervals`, inverted.

    Parameters
    ----------
    rates : pair of RateVariance
        FAR and FRR of the same counts.
    curve : RateCurve
        Of the same counts.
    distance : float
        The threshold; between two edges rates and effective numbers are interpolated.

    Returns
    -------
    pair of ConfidenceCurve
        Their intervals are those of ``rate_intervals(counts, pool, confidence).at(distance)``.
    """
    edge = curve.edge_at(distance)
    after = int(np.searchsorted(curve.distance, distance))
    # What bounds FAR at a larger threshold bounds it here, and FRR at a smaller one.
    first = min(after, curve.distance.size - 1) if edge is None else edge
    last = max(after - 1, 0) if edge is None else edge
    here = curve.at(distance)
    far = _curve(rates[0], curve.distance, curve.far, distance, here[0], slice(first, None))
    frr = _curve(rates[1], curve.distance, curve.frr, distance, here[1], slice(None, last + 1))
    return far, frr


def few_errors(variance: RateVariance, distance: float, rate: float) -> bool:
    """Whether a rate rests on so few errors that its replicates cannot tell what it scatters by.

    Fewer than 3 among its effective number of pairs, or fewer than 3 pairs that are no error.
    """
    number = float(variance.effective_number(np.array([distance]))[0])
    return min(rate, 1.0 - rate) * number < FEWEST_ERRORS


def _curve(
    variance: RateVariance,
    edges: Floats,
    rates: Floats,
    distance: float,
    value: float,
    bounding: slice,
) -> ConfidenceCurve:
    at = np.array([distance])
    others, of_others = edges[bounding], rates[bounding]
    number, numbers = variance.effective_number(at), variance.effective_number(others)

    def interval(confidence: float) -> tuple[float, float]:
        below, above = variance.interval_reach(at, confidence)
        ends = wilson_interval(np.array([value]), number, below, above)
        reach = variance.interval_reach(others, confidence)[1]
        least = wilson_interval(of_others, numbers, reach)[1].min(initial=1.0)
        return float(ends[0][0]), min(float(ends[1][0]), float(least))

    return curve_of_intervals(value, interval)


def curve_of_intervals(
    value: float, interval: Callable[[float], tuple[float, float]]
) -> ConfidenceCurve:
    """The curve of a share in [0, 1] whose interval of any confidence is known.

    Parameters
    ----------
    value : float
    interval : callable
        Of a confidence in (0, 1), wider for a higher one.

    Examples
    --------
    >>> curve = curve_of_intervals(0.5, lambda x: (0.5 - 0.1 * x, 0.5 + 0.1 * x))
    >>> [round(end, 3) for end in curve.interval(0.9)]
    [0.41, 0.59]
    """
    middle = LEVELS.size // 2
    some = LEVELS[middle::_EVERY][1:]
    low, high = np.array([interval(2.0 * share - 1.0) for share in ndtr(some)]).T

    def between(share: Floats) -> tuple[Floats, Floats]:
        levels, known = LEVELS[middle + 1 :], np.concatenate([[0.0], some])
        assert share.size == levels.size
        return (
            np.interp(levels, known, np.concatenate([[value], low])),
            np.interp(levels, known, np.concatenate([[value], high])),
        )

    return ConfidenceCurve.of_ends(value, between, 0.0, 1.0)


def square_and_add(
    first: ConfidenceCurve, second: ConfidenceCurve, times: float = 1.0
) -> ConfidenceCurve:
    r"""The difference ``second - times * first`` of two independent figures, from their curves.

    .. math:: b - a \mp \sqrt{(b - l_b)^2 + (u_a - a)^2}, \qquad \text{and above likewise}

    It knows the scatter of rates of no error, which replicates do not.

    Parameters
    ----------
    first, second : ConfidenceCurve
    times : float, at least 0

    References
    ----------
    Newcombe, Interval estimation for the difference between independent proportions, Statistics in
    Medicine 1998, method 10; Zou and Donner, Construction of confidence limits about effect
    measures, Statistics in Medicine 2008.

    Examples
    --------
    >>> one = ConfidenceCurve(1.0, 1.0 + 3.0 * LEVELS)
    >>> other = ConfidenceCurve(5.0, 5.0 + 4.0 * LEVELS)
    >>> found = square_and_add(one, other)
    >>> found.value, round(found.bound_at(0.975) - found.value, 2)
    (4.0, 9.8)
    """
    value = second.value - times * first.value
    of_first, of_second = times * (first.bound - first.value), second.bound - second.value
    reach = np.hypot(of_second, of_first[::-1])
    return ConfidenceCurve(value, value + np.sign(LEVELS) * reach)


@dataclass(frozen=True, slots=True)
class ApartFigure:
    """One figure of two runs, each known by itself: the two are taken to be independent.

    For rates of so few errors that replicates cannot tell what they scatter by.
    """

    first: ConfidenceCurve
    second: ConfidenceCurve

    def difference(self, times: float = 1.0) -> ConfidenceCurve:
        """What is known of ``second - times * first``, at all levels; see `square_and_add`."""
        return square_and_add(self.first, self.second, times)

    def relative_interval(self, confidence: float) -> tuple[float, float] | None:
        """The interval of ``second / first - 1``; see `relative_interval`."""
        return relative_interval(self.difference, self.first, self.second.value, confidence)
