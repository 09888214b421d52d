"""Thresholds for targets, answered from the counts of a report."""

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from opiscal.errors import InconclusiveError, UsageError
from opiscal.measures.guarantee import Standing, guaranteed_edge, support
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
from opiscal.measures.rate_intervals import RateIntervals, rate_intervals
from opiscal.measures.rates import RateCurve, rate_curve
from opiscal.measures.threshold_interval import threshold_interval
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
    guarantee: bool = False,
    confidence: float | None = None,
    force: bool = False,
    intervals: RateIntervals | None = None,
) -> OperatingPoint:
    """The operating point for one target; see `Report.threshold`.

    `intervals` are those of the report's counts at the confidence, where they are at hand already.
    """
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
    level = report.confidence if confidence is None else confidence
    if intervals is None:
        intervals = rate_intervals(report.counts, report.settings.pool, level)
    how = Utility(report.settings.utility, report.settings.c)
    point = find_point(
        report.counts,
        rate_curve(report.counts, report.settings.pool),
        how,
        criterion,
        target,
        intervals=intervals,
        guarantee=guarantee,
        force=force,
    )
    return _with_threshold_interval(report, point, intervals)


def _with_threshold_interval(
    report: "Report", point: OperatingPoint, intervals: RateIntervals | None
) -> OperatingPoint:
    """The point with the interval of its threshold, where that follows from a target.

    Taken from the report where it stands there; else read off the intervals of the rate.
    """
    if point.distance is None or point.guaranteed or intervals is None:
        return point
    if intervals.confidence == report.confidence:
        known_points = list(report.operating_points)
        # The recommended one of highest utility was looked for inside the calibration range.
        if report.recommended_threshold.target is not None:
            known_points.append(report.recommended_threshold)
        for known in known_points:
            if (known.criterion, known.target) == (point.criterion, point.target):
                return replace(point, distance_ci=known.distance_ci)
    if point.target is None or point.criterion not in ("far", "frr"):
        return point
    rate: Literal["far", "frr"] = "far" if point.criterion == "far" else "frr"
    return replace(point, distance_ci=threshold_interval(intervals, rate, point.target))


def find_point(
    counts: PairCounts,
    curve: RateCurve,
    utility: Utility,
    criterion: Criterion,
    target: float | None = None,
    within: tuple[float, float] | None = None,
    *,
    intervals: RateIntervals | None = None,
    guarantee: bool = False,
    force: bool = False,
) -> OperatingPoint:
    """The operating point for a criterion.

    Parameters
    ----------
    counts, curve, utility
        What is read.
    criterion, target
        What is asked for.
    within : pair of float, optional
        Bounds of the threshold of highest utility.
    intervals : RateIntervals, optional
        Of the same curve: the point then has intervals, and a target is supported by the effective
        number of pairs.
    guarantee : bool
        Whether the upper bound of FAR is to be at most the target, not its estimate.
    force : bool
        Whether a threshold that the data do not support is given all the same, marked as such.
    """
    distance: float | None
    if guarantee and (criterion != "far" or intervals is None):
        raise UsageError(
            f"guarantee for {criterion}: only a FAR can be guaranteed, such as far=1e-3"
        )
    if criterion in ("far", "frr"):
        if target is None or not 0.0 < target < 1.0:
            raise UsageError(f"{criterion} {target!r}: must be above 0 and below 1, such as 1e-3")
        edge: int | None
        if criterion == "frr":
            edge = edge_for_frr(curve, target)
        elif guarantee and intervals is not None:
            edge = guaranteed_edge(intervals, target)
        else:
            edge = edge_for_far(curve, target)
        distance = None if edge is None else float(curve.distance[edge])
    elif criterion == "eer":
        distance = float(curve.distance[edge_for_eer(curve)])
    elif criterion == "utility":
        distance = distance_for_utility(counts, utility, within)
    else:
        if target is None or not 0.0 <= target <= _LARGEST:
            raise UsageError(f"distance {target!r}: must be between 0 and {_LARGEST:g}")
        distance = target
    supported = (
        criterion != "far" or guarantee or _standing(curve, intervals, target) != "unsupported"
    )
    return operating_point(
        counts,
        curve,
        utility,
        criterion,
        target,
        distance if supported or force else None,
        supported=supported,
        guaranteed=guarantee and distance is not None,
        intervals=intervals,
    )


def _standing(curve: RateCurve, intervals: RateIntervals | None, target: float | None) -> Standing:
    """Whether a FAR can be resolved, by the effective number of pairs where it is known."""
    if target is None:
        return "supported"
    if intervals is not None:
        return support(intervals, target).standing
    expected = expected_errors(curve, "far", target)
    if expected < FEWEST_ERRORS:
        return "unsupported"
    return "wide" if expected < WIDE_ERRORS else "supported"


def require_support(
    point: OperatingPoint,
    curve: RateCurve,
    intervals: RateIntervals | None = None,
    *,
    guarantee: bool = False,
) -> OperatingPoint:
    """The point itself, or an `InconclusiveError` that says what is missing."""
    if point.supported and point.distance is not None:
        return point
    target = point.target or 0.0
    if guarantee and intervals is not None:
        raise InconclusiveError(
            f"far {target:g}: no threshold keeps it with a confidence of {intervals.confidence:g}: "
            f"the upper bound is {intervals.far_bound[0]:.3g} at the least; ask for that or more, "
            "bring more classes, or leave --guarantee out"
        )
    # Where even the smallest threshold accepts too much neither more classes nor force would help.
    unreached = intervals is not None and edge_for_far(curve, target) is None
    if (
        intervals is not None
        and not unreached
        and (found := support(intervals, target)).standing == "unsupported"
    ):
        number = found.expected / target if target else 0.0
        fewest = _fewest_supported(intervals)
        ask = "" if fewest is None else f"ask for {fewest:g} or more, "
        rows = f" or {_times(found.rows_factor)} times the rows" if found.rows_factor < 100 else ""
        raise InconclusiveError(
            f"far {target:g}: {found.expected:.3g} false accepts are expected among an effective "
            f"number of {number:{',.0f' if number >= 100 else '.3g'}} independent negative pairs "
            f"(of {curve.negative}, which share classes), and at least {FEWEST_ERRORS} are needed; "
            f"{ask}bring {_times(found.classes_factor)} times the classes{rows}, or see the number "
            "all the same with --force"
        )
    expected = expected_errors(curve, "far", target)
    if expected < FEWEST_ERRORS and not unreached:
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


def is_wide(
    point: OperatingPoint, curve: RateCurve, intervals: RateIntervals | None = None
) -> bool:
    """Whether so few errors are expected at the target that the answer is a rough one."""
    if not point.supported or point.target is None or point.criterion not in ("far", "frr"):
        return False
    if point.criterion == "far":
        return _standing(curve, intervals, point.target) == "wide"
    return point.target * curve.positive < WIDE_ERRORS


def _fewest_supported(intervals: RateIntervals) -> float | None:
    """The lowest FAR of an edge that the effective number supports, in two digits.

    None where there is none below 1.
    """
    curve = intervals.curve
    enough = np.flatnonzero(curve.far * intervals.far_number >= FEWEST_ERRORS)
    fewest = round_up(float(curve.far[enough[0]]), 2) if enough.size else 1.0
    return fewest if fewest < 1.0 else None


def _times(factor: float) -> str:
    """A factor in two digits, rounded up so that it is enough."""
    return f"{round_up(factor, 2):,.15g}"


def _fewest_rate(curve: RateCurve) -> float:
    """The lowest FAR that is supported, in two digits."""
    return round_up(FEWEST_ERRORS / curve.negative, 2)


def _times_rows(expected: float) -> str:
    # Pairs grow with the square of the rows.
    return f"{(FEWEST_ERRORS / max(expected, 1e-12)) ** 0.5:.2g}"
