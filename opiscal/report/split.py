"""Split: what a threshold that was chosen on some classes does on others, never seen."""

from collections.abc import Sequence

from opiscal.errors import InconclusiveError
from opiscal.measures.calibration_range import find_range
from opiscal.measures.operating_points import OperatingPoint
from opiscal.measures.rates import RateCurve, rate_curve
from opiscal.measures.utility import Utility
from opiscal.pairs.counts import PairCounts
from opiscal.report.answers import find_point
from opiscal.report.findings import SplitRate
from opiscal.report.settings import EvaluateConfig, Recommendation

FEWEST_CLASSES = 4
"""Scored classes below which a half has no two classes to compare."""


def split_rates(
    halves: Sequence[tuple[PairCounts, PairCounts]],
    far_targets: Sequence[float],
    config: EvaluateConfig,
) -> tuple[SplitRate, ...]:
    """Promised and achieved rates of thresholds chosen on one half and judged on the other.

    Parameters
    ----------
    halves : sequence of pairs of PairCounts
        The counts of both halves of the classes, for each split. Each half chooses once and judges
        once.
    far_targets : sequence of float
        FARs for which a threshold is chosen, where the choosing half supports them; beside them the
        recommended threshold.
    config : EvaluateConfig

    Returns
    -------
    tuple of SplitRate
        By split, by choosing half, and by target; the recommended threshold first.
    """
    out = []
    for number, (first, second) in enumerate(halves, 1):
        for half, (chosen, judged) in enumerate(((first, second), (second, first)), 1):
            curve = rate_curve(chosen, config.pool)
            truth = rate_curve(judged, config.pool)
            for point in _points(chosen, curve, far_targets, config):
                if point.distance is None or point.far is None or point.frr is None:
                    continue
                far, frr = truth.at(point.distance)
                out.append(
                    SplitRate(
                        split=number,
                        half=half,
                        criterion=point.criterion,
                        target=point.target,
                        distance=point.distance,
                        far_promised=point.far,
                        far_achieved=far,
                        frr_promised=point.frr,
                        frr_achieved=frr,
                    )
                )
    return tuple(out)


def _points(
    counts: PairCounts, curve: RateCurve, far_targets: Sequence[float], config: EvaluateConfig
) -> list[OperatingPoint]:
    utility = Utility(config.utility, config.c)
    how = Recommendation.parse(config.recommend)
    within = None
    points = []
    try:
        if how.criterion == "utility":
            found = find_range(curve, config.range_spec, counts.metric)
            within = (found.low, found.high)
        points.append(find_point(counts, curve, utility, how.criterion, how.target, within))
    except InconclusiveError:
        # Half of the classes may have no such range; the targets may still be had.
        pass
    return points + [find_point(counts, curve, utility, "far", far) for far in far_targets]
