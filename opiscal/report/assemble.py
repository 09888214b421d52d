"""From pair counts to the Report."""

import numpy as np

from opiscal.data.embedding_set import Label
from opiscal.errors import InconclusiveError
from opiscal.measures.calibration_range import CalibrationRange, find_range
from opiscal.measures.operating_points import (
    WIDE_ERRORS,
    OperatingPoint,
    expected_errors,
    threshold_scales,
)
from opiscal.measures.opis import Integration, epsilon_opis, mean_over_range, opis
from opiscal.measures.rates import RateCurve, rate_curve
from opiscal.measures.retrieval import RECALL_AT, recall_at
from opiscal.measures.utility import Utility, class_utility
from opiscal.measures.verification import area_under_roc, equal_error_rate
from opiscal.pairs.counts import NeighbourRanks, PairCounts
from opiscal.report.answers import find_point, is_wide
from opiscal.report.record import (
    SCHEMA_VERSION,
    Data,
    EpsilonOpis,
    Notice,
    Opis,
    Pairs,
    Provenance,
    RangeFound,
    Report,
    Retrieval,
    UtilityFound,
    Verification,
)
from opiscal.report.settings import EvaluateConfig, Recommendation

_FAR_TARGETS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def assemble_report(
    counts: PairCounts,
    ranks: NeighbourRanks | None,
    nearest_class: tuple[Label | None, ...],
    data: Data,
    provenance: Provenance,
    config: EvaluateConfig,
) -> Report:
    """Work out everything that follows from the counts.

    Parameters
    ----------
    counts : PairCounts
    ranks : NeighbourRanks or None
        None where retrieval was not asked for.
    nearest_class : tuple, length T
        The class nearest to each scored class.
    data, provenance
        Taken over as they are.
    config : EvaluateConfig

    Returns
    -------
    Report

    Raises
    ------
    InconclusiveError
        For fewer than two scored classes, or a calibration range that does not exist.
    """
    if counts.classes < 2:
        raise InconclusiveError(
            f"{counts.classes} class of two rows or more: OPIS compares classes and needs at least "
            "two; add rows to the others"
        )
    utility = Utility(config.utility, config.c)
    curve = rate_curve(counts, config.pool)
    found = find_range(curve, config.range_spec, counts.metric)
    nodes, weights = Integration.parse(config.integration).nodes(
        counts.class_distance, found.low, found.high
    )
    curves = class_utility(counts, nodes, utility)
    worst = epsilon_opis(curves, weights, config.epsilon, config.eps_against, config.eps_rank)
    recommended, notices = _recommend(counts, curve, utility, found, config)
    points = [find_point(counts, curve, utility, "far", far) for far in _FAR_TARGETS]
    points = [point for point in points if point.supported]
    points += [find_point(counts, curve, utility, "eer")]
    points += [find_point(counts, curve, utility, "utility")]
    return Report(
        schema_version=SCHEMA_VERSION,
        provenance=provenance,
        settings=config,
        data=data,
        pairs=Pairs(
            mode="exact",
            positive=counts.positive,
            negative=counts.negative,
            positive_counted=counts.positive,
            negative_counted=counts.negative,
        ),
        metric=counts.metric,
        calibration_range=_range_found(found, counts),
        utility=UtilityFound(
            config.utility, config.c, float(mean_over_range(curves, weights).mean())
        ),
        opis=Opis(value=opis(curves, weights)),
        epsilon_opis=EpsilonOpis(
            epsilon=config.epsilon,
            against=config.eps_against,
            rank=config.eps_rank,
            value=worst.value,
            worst_classes=tuple(counts.labels[i] for i in worst.worst),
        ),
        recommended_threshold=recommended,
        operating_points=tuple(points),
        verification=Verification(eer=equal_error_rate(curve), auc=area_under_roc(curve)),
        retrieval=_retrieval(ranks),
        differential=None,
        confidence=config.confidence,
        warnings=tuple(
            _data_notices(data)
            + _range_notices(found, curve)
            + notices
            + _wide_notices(points, curve)
        ),
        counts=counts,
        nearest_class=nearest_class,
    )


def _recommend(
    counts: PairCounts,
    curve: RateCurve,
    utility: Utility,
    found: CalibrationRange,
    config: EvaluateConfig,
) -> tuple[OperatingPoint, list[Notice]]:
    how = Recommendation.parse(config.recommend)
    if how.criterion != "utility":
        point = find_point(counts, curve, utility, how.criterion, how.target)
        notices = []
        if not point.supported:
            notices.append(
                Notice(
                    "recommended_unsupported",
                    f"the data cannot support the recommended threshold {config.recommend}: no "
                    f"threshold reaches it, or fewer than 3 false accepts are expected",
                )
            )
        elif is_wide(point, curve):
            notices.append(
                Notice(
                    "wide",
                    f"few errors are expected at the recommended threshold {config.recommend}: "
                    "its true rate may be far from the target",
                )
            )
        return point, notices
    point = find_point(counts, curve, utility, "utility", within=(found.low, found.high))
    best = find_point(counts, curve, utility, "utility")
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


def _range_found(found: CalibrationRange, counts: PairCounts) -> RangeFound:
    similarity = [
        threshold_scales(distance, counts.metric)["similarity"]
        for distance in (found.low, found.high)
    ]
    return RangeFound(
        given=found.given,
        distance=(found.low, found.high),
        similarity=(
            None
            if similarity[0] is None or similarity[1] is None
            else (similarity[0], similarity[1])
        ),
        far=found.far,
        frr=found.frr,
    )


def _range_notices(found: CalibrationRange, curve: RateCurve) -> list[Notice]:
    notices = []
    if found.collapsed:
        notices.append(
            Notice(
                "range_collapsed",
                f"the calibration range {found.given} has no width: both ends are at distance "
                f"{found.low:.6g}; OPIS is the variance over classes at that one threshold",
            )
        )
    kind, _, ends = found.given.partition("=")
    if kind == "far":
        lowest = min(float(end) for end in ends.split(":"))
        if expected_errors(curve, "far", lowest) < 3:
            notices.append(
                Notice(
                    "range_unsupported",
                    f"fewer than 3 false accepts are expected at the lower end of the calibration "
                    f"range {found.given}: it is a guess; choose a range of higher FAR",
                )
            )
    return notices


def _wide_notices(points: list[OperatingPoint], curve: RateCurve) -> list[Notice]:
    wide = [f"{point.target:g}" for point in points if is_wide(point, curve)]
    if not wide:
        return []
    return [
        Notice(
            "wide",
            f"fewer than {WIDE_ERRORS} false accepts are expected at FAR {', '.join(wide)}: the "
            "true rates at these operating points may be far from the targets",
        )
    ]


def _data_notices(data: Data) -> list[Notice]:
    dropped = data.dropped
    reasons = {
        "null_label": (dropped.null_label, "have no label"),
        "null_embedding": (dropped.null_embedding, "have no vector"),
        "non_finite": (dropped.non_finite, "hold NaN or infinity"),
        "zero_norm": (dropped.zero_norm, "have length zero, which has no direction"),
    }
    notices = [
        Notice(f"dropped_{name}", f"{count} of {data.rows_read} rows {why} and were left out")
        for name, (count, why) in reasons.items()
        if count
    ]
    few = data.classes_scored < 10
    if few:
        notices.append(
            Notice(
                "few_classes",
                f"only {data.classes_scored} classes have two rows or more: OPIS is a variance "
                "over classes and is rough with so few",
            )
        )
    return notices


def _retrieval(ranks: NeighbourRanks | None) -> Retrieval | None:
    if ranks is None or ranks.rank.size == 0:
        return None
    return Retrieval(
        recall_at={str(k): recall_at(ranks, k) for k in RECALL_AT},
        queries=int(np.size(ranks.rank)),
    )
