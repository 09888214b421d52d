"""Relative increases: what a figure may have grown by, as a part of what it was."""

from collections.abc import Callable

import numpy as np

from opiscal.measures.confidence_curve import ConfidenceCurve

# Beyond some thousand times as far as the differences reach there is no end.
_TRIES = 20
_STEPS = 6


def relative_interval(
    difference: Callable[[float], ConfidenceCurve],
    first: ConfidenceCurve,
    second: float,
    confidence: float,
) -> tuple[float, float] | None:
    """The interval of ``second / first - 1``: the increases that the differences do not rule out.

    Parameters
    ----------
    difference : callable
        What is known of ``second - times * first``, given `times`.
    first : ConfidenceCurve
        What is known of the first figure.
    second : float
    confidence : float, in (0.5, 1)

    Returns
    -------
    pair of float, or None
        It lies above 0 where the interval of ``difference(1)`` does. None where that of `first`
        reaches zero, or lies below: any increase may then be.

    References
    ----------
    Fieller, Some problems in interval estimation, JRSS B 1954.

    Examples
    --------
    >>> from opiscal.measures.confidence_curve import LEVELS
    >>> from opiscal.measures.rate_confidence import square_and_add
    >>> one, other = (ConfidenceCurve(x, x + 0.01 * LEVELS) for x in (1.0, 1.1))
    >>> found = relative_interval(lambda times: square_and_add(one, other, times), one, 1.1, 0.95)
    >>> [round(end, 3) for end in found]
    [0.071, 0.13]
    """
    if first.interval(confidence)[0] <= 0:
        return None
    ratio = second / first.value
    plain = difference(1.0).interval(confidence)
    ends = []
    for side, share in enumerate((0.5 - confidence / 2, 0.5 + confidence / 2)):
        # Where the end would be if the first figure were known.
        guess = 1.0 + plain[side] / first.value
        ends.append(_end(difference, ratio, guess, share))
    return (ends[0] - 1.0, ends[1] - 1.0) if np.isfinite(ends).all() else None


def _end(
    difference: Callable[[float], ConfidenceCurve], ratio: float, guess: float, share: float
) -> float:
    """The ratio at which a bound of the difference is 0; infinite where there is none."""
    side = -1.0 if share < 0.5 else 1.0

    def beyond(times: float) -> float:
        return difference(times).bound_at(share)

    if beyond(ratio) * side <= 0:
        return ratio
    inner = ratio
    step = 1.2 * max(abs(guess - ratio), 1e-4 * abs(ratio))
    for _ in range(_TRIES):
        outer = ratio + side * step
        if beyond(outer) * side < 0:
            # As good as straight between so many; to load a search for roots takes longer.
            times = np.linspace(inner, outer, _STEPS)
            found = np.array([beyond(x) for x in times])
            return float(np.interp(0.0, -side * found, times))
        inner, step = outer, 1.5 * step
    return side * np.inf
