"""Numbers as a person reads them, the same in the terminal, on the page and in figures."""

from collections.abc import Callable

from opiscal.report.rounding import TEXT_DIGITS, round_down, round_up

NOTHING = "-"
"""What stands where there is no number."""

# Ends closer than this would look alike with two digits.
_NARROW = 1.1


def similarity_text(value: float | None) -> str:
    """A similarity with six digits, rounded up; a dash where there is none.

    Examples
    --------
    >>> similarity_text(0.6012126), similarity_text(None)
    ('0.601213', '-')
    """
    return NOTHING if value is None else f"{round_up(value, TEXT_DIGITS):.6g}"


def distance_text(value: float | None) -> str:
    """A distance (of any scale) with six digits, rounded down; a dash where there is none.

    Examples
    --------
    >>> distance_text(0.8930719)
    '0.893071'
    """
    return NOTHING if value is None else f"{round_down(value, TEXT_DIGITS):.6g}"


def rate_text(value: float | None) -> str:
    """A rate with three digits; a dash where there is none.

    Examples
    --------
    >>> rate_text(0.05648), rate_text(0.0000098)
    ('0.0565', '9.8e-06')
    """
    return NOTHING if value is None else f"{value:.3g}"


def percent_text(share: float) -> str:
    """A share in percent with two digits.

    Examples
    --------
    >>> percent_text(0.4137), percent_text(0.0591), percent_text(0.999)
    ('41 %', '5.9 %', '100 %')
    """
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def utility_text(value: float) -> str:
    """A utility with four decimals."""
    return f"{value:.4f}"


def interval_text(
    interval: tuple[float, float], write: Callable[[float], str] | None = None
) -> str:
    """An interval in brackets; `write` says how an end is written.

    By default an end has two digits, and a third where the ends would look alike.

    Examples
    --------
    >>> interval_text((0.0386, 0.0851)), interval_text((0.0965, 0.104))
    ('[0.039, 0.085]', '[0.0965, 0.104]')
    >>> interval_text((0.5, 0.75), utility_text)
    '[0.5000, 0.7500]'
    """
    if write is None:
        digits = 2 if interval[1] > _NARROW * interval[0] else 3
        return f"[{interval[0]:.{digits}g}, {interval[1]:.{digits}g}]"
    return f"[{write(interval[0])}, {write(interval[1])}]"


def span_text(low: int, high: int) -> str:
    """Two counts as a span, or one number where both are the same.

    Examples
    --------
    >>> span_text(2, 1200), span_text(20, 20)
    ('2 to 1,200', '20')
    """
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def time_text(seconds: float) -> str:
    """About how long something takes.

    Examples
    --------
    >>> time_text(0.3), time_text(75), time_text(4000), time_text(9000), time_text(2e7)
    ('a second', '75 seconds', '67 minutes', '2.5 hours', '231 days')
    """
    if seconds < 1:
        return "a second"
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    hours = seconds / 3600
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:,.0f} days"


def size_text(count: float) -> str:
    """About how many bytes.

    Examples
    --------
    >>> size_text(300_000), size_text(5e8), size_text(2.5e9), size_text(3e12)
    ('0.3 MB', '500 MB', '2.5 GB', '3.0 TB')
    """
    if count < 1e9:
        return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{count / 1e6:.1f} MB"
    return f"{count / 1e9:,.1f} GB" if count < 1e12 else f"{count / 1e12:,.1f} TB"
