"""The recommended threshold of a report."""

from collections.abc import Callable

from opiscal.measures.calibration_range import CalibrationRange
from opiscal.measures.operating_points import OperatingPoint
from opiscal.measures.rate_intervals import RateIntervals
from opiscal.measures.rates import RateCurve
from opiscal.report.answers import is_wide
from opiscal.report.findings import Notice
from opiscal.report.settings import EvaluateConfig, Recommendation


def recommend(
    find: Callable[..., OperatingPoint],
    curve: RateCurve,
    intervals: RateIntervals | None,
    found: CalibrationRange,
    config: EvaluateConfig,
) -> tuple[OperatingPoint, list[Notice]]:
    """The recommended threshold, and what should be known about it.

    Parameters
    ----------
    find : callable
        Finds the operating point for a criterion, as `opiscal.report.answers.find_point`.
    curve, intervals
        Of the counts.
    found : CalibrationRange
        The best utility is looked for inside.
    config : EvaluateConfig
    """
    how = Recommendation.parse(config.recommend)
    if how.criterion != "utility":
        point = find(how.criterion, how.target)
        notices = []
        if not point.supported:
            notices.append(
                Notice(
                    "recommended_unsupported",
                    f"the data cannot support the recommended threshold {config.recommend}: no "
                    f"threshold reaches it, or fewer than 3 false accepts are expected",
                )
            )
        elif is_wide(point, curve, intervals):
            notices.append(
                Notice(
                    "wide",
                    f"few errors are expected at the recommended threshold {config.recommend}: "
                    "its true rate may be far from the target",
                )
            )
        return point, notices
    point = find("utility", within=(found.low, found.high))
    best = find("utility")
    if not found.low < (best.distance or 0.0) < found.high or point.distance in (
        found.low,
        found.high,
    ):
        message = (
            f"the recommended threshold is at an end of the calibration range {found.given}: "
            f"utility is highest at distance {best.distance:.6g}, where FAR is {best.far:.3g} and "
            f"FRR {best.frr:.3g}; widen --range or choose by --recommend far=x"
        )
        return point, [Notice("recommended_at_range_end", message)]
    return point, []
