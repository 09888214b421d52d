"""Thresholds for targets, answered from the counts of a report."""

from typing import TYPE_CHECKING

from opiscal.errors import InconclusiveError, UsageError
from opiscal.measures.operating_points import (
    FEWEST_ERRORS,
    WIDE_ERRORS,
    Criterion,
    OperatingPoint,
    distance_for_utility,
    edge_for_eer,
    edge_for_far,
    edge_for_frr,
    expected_errors,
    operating_point,
)
from opiscal.measures.rates import RateCurve, rate_curve
from opiscal.measures.utility import Utility
from opiscal.pairs.counts import PairCounts
from opiscal.report.rounding import round_up

if TYPE_CHECKING:
    from opiscal.report.record import Report

# No distance of float32 rows comes near, and its square is a number.
_LARGEST = 1e100


def answer(
    report: "Report",
    *,
    far: float | None = None,
    frr: float | None = None,
    eer: bool = False,
    utility: bool = False,
    at: float | None = None,
) -> OperatingPoint:
    """The operating point for one target; see `Report.threshold`."""
    targets: list[tuple[Criterion, float | None]] = []
    targets += [("far", far)] if far is not None else []
    targets += [("frr", frr)] if frr is not None else []
    targets += [("eer", None)] if eer else []
    targets += [("utility", None)] if utility else []
    targets += [("at", at)] if at is not None else []
    if len(targets) != 1:
        given = ", ".join(name for name, _ in targets) or "none"
        raise UsageError(
            f"targets given: {given}; give exactly one of far, frr, eer, utility and at"
        )
    criterion, target = targets[0]
    curve = rate_curve(report.counts, report.settings.pool)
    how = Utility(report.settings.utility, report.settings.c)
    return find_point(report.counts, curve, how, criterion, target)


def find_point(
    counts: PairCounts,
    curve: RateCurve,
    utility: Utility,
    criterion: Criterion,
    target: float | None = None,
    within: tuple[float, float] | None = None,
) -> OperatingPoint:
    """The operating point for a criterion; `within` bounds the one for utility."""
    distance: float | None
    if criterion in ("far", "frr"):
        if target is None or not 0.0 < target < 1.0:
            raise UsageError(f"{criterion} {target!r}: must be above 0 and below 1, such as 1e-3")
        edge = edge_for_far(curve, target) if criterion == "far" else edge_for_frr(curve, target)
        distance = None if edge is None else float(curve.distance[edge])
    elif criterion == "eer":
        distance = float(curve.distance[edge_for_eer(curve)])
    elif criterion == "utility":
        distance = distance_for_utility(counts, utility, within)
    else:
        if target is None or not 0.0 <= target <= _LARGEST:
            raise UsageError(f"distance {target!r}: must be between 0 and {_LARGEST:g}")
        distance = target
    return operating_point(counts, curve, utility, criterion, target, distance)


def require_support(point: OperatingPoint, curve: RateCurve) -> OperatingPoint:
    """The point itself, or an `InconclusiveError` that says what is missing."""
    if point.supported:
        return point
    target = point.target or 0.0
    expected = expected_errors(curve, "far", target)
    if expected < FEWEST_ERRORS:
        raise InconclusiveError(
            f"far {target:g}: {expected:.3g} false accepts are expected among {curve.negative} "
            f"negative pairs, and at least {FEWEST_ERRORS} are needed; ask for "
            f"{_fewest_rate(curve):g} or more, or bring "
            f"{_times_rows(expected)} times the rows"
        )
    raise InconclusiveError(
        f"far {target:g}: no threshold reaches it, even the smallest accepts {curve.far[0]:.3g} of "
        "the negative pairs; look for the same row in several classes with 'opiscal inspect'"
    )


def is_wide(point: OperatingPoint, curve: RateCurve) -> bool:
    """Whether so few errors are expected at the target that the answer is a rough one."""
    if not point.supported or point.target is None or point.criterion not in ("far", "frr"):
        return False
    pairs = curve.negative if point.criterion == "far" else curve.positive
    return point.target * pairs < WIDE_ERRORS


def _fewest_rate(curve: RateCurve) -> float:
    """The lowest FAR that is supported, in two digits."""
    return round_up(FEWEST_ERRORS / curve.negative, 2)


def _times_rows(expected: float) -> str:
    # Pairs grow with the square of the rows.
    return f"{(FEWEST_ERRORS / max(expected, 1e-12)) ** 0.5:.2g}"
