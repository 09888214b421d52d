"""Numbers as people read them: rates in per cent, few digits, never an exponent."""

from decimal import ROUND_HALF_UP, Context, Decimal

_DIGITS = 3
_ENDS = 2
_NARROW = 1.1


def percent(rate: float | None) -> str:
    """A rate in per cent; a dash for None. The script of the page writes the same text.

    Examples
    --------
    >>> [percent(rate) for rate in (0.05647, 1.0, 9.84e-06, 0.0, None)]
    ['5.65\\xa0%', '100\\xa0%', '0.000984\\xa0%', '0\\xa0%', '–']
    """
    return "–" if rate is None else f"{_digits(100 * rate, _DIGITS)}\u00a0%"


def percent_between(interval: tuple[float, float] | None) -> str:
    """An interval in per cent, in two digits, or three where its ends would look alike.

    Examples
    --------
    >>> [percent_between(ends) for ends in ((0.0391, 0.085), (0.0998, 0.1002), None)]
    ['3.9 to 8.5\\xa0%', '9.98 to 10\\xa0%', '']
    """
    if interval is None:
        return ""
    low, high = interval
    digits = _end_digits(interval)
    return f"{_digits(100 * low, digits)} to {_digits(100 * high, digits)}\u00a0%"


def few_digits(value: float) -> str:
    """A number in three digits.

    Examples
    --------
    >>> few_digits(0.0124671), few_digits(-3.2e-7), few_digits(1234.5)
    ('0.0125', '-0.00000032', '1230')
    """
    return _digits(value, _DIGITS)


def few_digits_between(interval: tuple[float, float]) -> str:
    """An interval, in digits as `percent_between`.

    Examples
    --------
    >>> few_digits_between((0.00812, 0.01998))
    '0.0081 to 0.02'
    """
    digits = _end_digits(interval)
    return " to ".join(_digits(end, digits) for end in interval)


def _end_digits(interval: tuple[float, float]) -> int:
    low, high = interval
    return _ENDS if high > _NARROW * low else _DIGITS


def _digits(value: float, digits: int) -> str:
    rounded = Context(prec=digits, rounding=ROUND_HALF_UP).create_decimal(Decimal(value))
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
