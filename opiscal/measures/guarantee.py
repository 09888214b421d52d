"""Guarantee: a threshold whose upper bound on FAR meets the target, and what a target needs."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from opiscal.errors import UsageError
from opiscal.measures.operating_points import FEWEST_ERRORS, WIDE_ERRORS
from opiscal.measures.rate_intervals import RateIntervals

Standing = Literal["unsupported", "wide", "supported"]


def guaranteed_edge(intervals: RateIntervals, far: float) -> int | None:
    """The largest edge whose one-sided upper bound on FAR is at most `far`.

    The bound rises with the threshold, so that every smaller edge keeps the promise too.

    Parameters
    ----------
    intervals : RateIntervals
        At the confidence of the promise.
    far : float, in [0, 1]

    Returns
    -------
    int, or None
        None where even the smallest edge promises less.

    Raises
    ------
    UsageError
        For a rate outside [0, 1].

    References
    ----------
    Fogliato, Patil and Perona, IJCV 2024, arXiv 2306.01198.

    Examples
    --------
    >>> import numpy as np
    >>> from opiscal.measures.rate_intervals import Reach
    >>> from opiscal.measures.rates import RateCurve
    >>> curve = RateCurve(np.array([0.4, 0.6, 2.0]), np.array([0.001, 0.01, 1.0]),
    ...                   np.array([0.5, 0.1, 0.0]), 100, 10_000)
    >>> bound = np.array([0.002, 0.012, 1.0])
    >>> reach = Reach(bound, bound, bound)
    >>> intervals = RateIntervals(curve, 0.95, bound, bound, reach, reach, *[bound] * 6, True, 0)
    >>> guaranteed_edge(intervals, 0.011), guaranteed_edge(intervals, 0.001)
    (0, None)
    """
    if not 0 <= far <= 1:
        raise UsageError(f"far {far!r}: must lie between 0 and 1, such as 1e-3")
    edge = int(np.searchsorted(intervals.far_bound, far, side="right")) - 1
    return edge if edge >= 0 else None


@dataclass(frozen=True, slots=True)
class Support:
    """Whether the data can resolve a target FAR.

    Attributes
    ----------
    expected : float
        Expected false accepts: the target times the effective number of negative pairs.
    standing : "unsupported", "wide" or "supported"
        Fewer than 3 expected, 3 to 30, more.
    times : float
        How many times as many effective pairs 3 expected false accepts would take; 1 where they
        are there already.
    classes_factor : float
        How many times as many classes of the same sizes that is. Where classes limit, the
        effective number grows with them; where pairs do, with their square. The smaller growth is
        assumed, so that the advice is enough.
    rows_factor : float
        How many times as many rows a class, the classes as they are; infinite where rows of the
        same classes would not do.
    """

    expected: float
    standing: Standing
    times: float
    classes_factor: float
    rows_factor: float


def support(intervals: RateIntervals, far: float) -> Support:
    """What the data can say of a target FAR, and how much more would do.

    The effective number is that at the largest edge whose FAR is at most the target; at the
    smallest edge where there is none.

    Parameters
    ----------
    intervals : RateIntervals
    far : float, in [0, 1]

    Returns
    -------
    Support

    Raises
    ------
    UsageError
        For a rate outside [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from opiscal.measures.rate_intervals import Reach
    >>> from opiscal.measures.rates import RateCurve
    >>> curve = RateCurve(np.array([0.4, 2.0]), np.array([0.001, 1.0]), np.array([0.5, 0.0]),
    ...                   100, 10_000)
    >>> number = np.full(2, 2000.0)
    >>> reach = Reach(number, number, number)
    >>> intervals = RateIntervals(curve, 0.95, number, number, reach, reach, *[number] * 6, True, 0)
    >>> found = support(intervals, 1e-3)
    >>> found.standing, found.expected, found.times
    ('unsupported', 2.0, 1.5)
    """
    if not 0 <= far <= 1:
        raise UsageError(f"far {far!r}: must lie between 0 and 1, such as 1e-3")
    edge = max(int(np.searchsorted(intervals.curve.far, far, side="right")) - 1, 0)
    number = float(intervals.far_number[edge])
    # 3e-4 * 10,000 falls short of 3 in the sixteenth digit.
    expected = float(f"{far * number:.12g}")
    standing: Standing = "supported"
    if expected < WIDE_ERRORS:
        standing = "unsupported" if expected < FEWEST_ERRORS else "wide"
    times = max(1.0, FEWEST_ERRORS / expected) if expected > 0 else np.inf
    # With twice the rows a class the pairs are fourfold, and so is the effective number as long as
    # the design effect stays near 1; it cannot exceed what the pairs of now allow otherwise.
    effect = intervals.curve.negative / number
    rows = float(np.sqrt(times)) if effect < 2 else np.inf
    return Support(expected, standing, float(times), float(times), 1.0 if times == 1 else rows)
