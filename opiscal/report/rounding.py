"""Printed thresholds: rounded so that whoever uses the printed value accepts no pair too many."""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

JSON_DIGITS = 9
TEXT_DIGITS = 6


def round_down(value: float, digits: int = JSON_DIGITS) -> float:
    """The largest number of so many significant digits that is at most `value`.

    For distances: a pair is accepted when its distance is at most the threshold.

    Examples
    --------
    >>> round_down(0.893071523456, 6)
    0.893071
    >>> round_down(-0.12345678, 3)
    -0.124
    >>> round_down(0.3)
    0.3
    """
    return _rounded(value, digits, ROUND_FLOOR)


def round_up(value: float, digits: int = JSON_DIGITS) -> float:
    """The smallest number of so many significant digits that is at least `value`.

    For similarities: a pair is accepted when its similarity is at least the threshold.

    Examples
    --------
    >>> round_up(0.601212601, 6)
    0.601213
    >>> round_up(-0.25, 6)
    -0.25
    """
    return _rounded(value, digits, ROUND_CEILING)


def _rounded(value: float, digits: int, rounding: str) -> float:
    if value == 0 or not math.isfinite(value):
        return value
    # The double nearest to 0.3 lies a hair below it: a number of so few digits stays as it is.
    if float(f"{value:.{digits - 1}e}") == value:
        return value
    return float(Context(prec=digits, rounding=rounding).create_decimal(Decimal(value)))
