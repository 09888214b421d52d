"""From pair counts to the Report."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from opiscal.data.embedding_set import Label
from opiscal.errors import InconclusiveError
from opiscal.measures.calibration_range import CalibrationRange, find_range
from opiscal.measures.operating_points import (
    OperatingPoint,
    threshold_scales,
)
from opiscal.measures.opis import Integration, epsilon_opis, mean_over_range, opis
from opiscal.measures.rate_intervals import RateIntervals, rate_intervals
from opiscal.measures.rates import rate_curve
from opiscal.measures.resampling import ThresholdIntervals
from opiscal.measures.retrieval import RECALL_AT, recall_at
from opiscal.measures.utility import Utility, class_utility
from opiscal.measures.verification import area_under_roc, equal_error_rate
from opiscal.pairs.counting import CountedSet
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.nearest_counts import NeighbourRanks
from opiscal.pairs.plan import PairPlan
from opiscal.report.answers import find_point
from opiscal.report.differential import differential_found
from opiscal.report.findings import (
    Data,
    EpsilonOpis,
    IntervalMethod,
    Notice,
    Opis,
    Provenance,
    RangeFound,
    Retrieval,
    UtilityFound,
    Verification,
)
from opiscal.report.notices import data_notices, range_notices, split_notices, wide_notices
from opiscal.report.recommend import recommend
from opiscal.report.record import SCHEMA_VERSION, Report
from opiscal.report.rounding import round_down
from opiscal.report.sampling import pairs_found
from opiscal.report.settings import EvaluateConfig
from opiscal.report.split import split_rates
from opiscal.report.uncertainty import Uncertainty, find_uncertainty

_FAR_TARGETS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def assemble_report(
    counted: CountedSet,
    plan: PairPlan,
    nearest_class: tuple[Label | None, ...],
    data: Data,
    provenance: Provenance,
    config: EvaluateConfig,
    halves: Sequence[tuple[PairCounts, PairCounts]] | None = None,
) -> Report:
    """Work out everything that follows from the counts.

    Parameters
    ----------
    counted : CountedSet
        The counts; neighbour ranks where retrieval was asked for.
    plan : PairPlan
        By which they came about.
    nearest_class : tuple, length T
        The class nearest to each scored class.
    data, provenance
        Taken over as they are.
    config : EvaluateConfig
    halves : sequence of pairs of PairCounts, optional
        The counts of both halves of the classes, for each split.

    Returns
    -------
    Report

    Raises
    ------
    InconclusiveError
        For fewer than two scored classes, or a calibration range that does not exist.
    """
    counts = counted.counts
    if counted.ranks is not None and counted.ranks.rank.size:
        counts = replace(counts, nearest=counted.ranks.by_class(counts.classes))
    if counts.classes < 2:
        scored = "of two rows or more" if counts.gallery is None else "on both sides"
        raise InconclusiveError(
            f"{counts.classes} class {scored}: OPIS compares classes and needs at least two; add "
            "rows to the others"
        )
    utility = Utility(config.utility, config.c)
    curve = rate_curve(counts, config.pool)
    found = find_range(curve, config.range_spec, counts.metric)
    nodes, weights = Integration.parse(config.integration).nodes(
        counts.class_distance, found.low, found.high
    )
    curves = class_utility(counts, nodes, utility)
    mean = float(mean_over_range(curves, weights).mean())
    worst = epsilon_opis(curves, weights, config.epsilon, config.eps_against, config.eps_rank)
    intervals = rate_intervals(counts, config.pool, config.confidence)
    find = partial(find_point, counts, curve, utility, intervals=intervals)
    recommended, notices = recommend(find, curve, intervals, found, config)
    points = [find("far", far) for far in _FAR_TARGETS]
    points = [point for point in points if point.distance is not None]
    points += [find("eer"), find("utility")]
    sure = None
    if intervals is not None:
        asked = (*points, recommended)
        sure = find_uncertainty(
            counts,
            curves,
            nodes,
            weights,
            found,
            intervals,
            config,
            far=sorted({p.target for p in asked if p.criterion == "far" and p.target}),
            frr=sorted({p.target for p in asked if p.criterion == "frr" and p.target}),
        )
        points = [_with_threshold_interval(point, sure.resampled.threshold) for point in points]
        recommended = _with_threshold_interval(
            recommended, sure.resampled.threshold, recommended=True
        )
        notices += [Notice("noise_unknown", sure.corrected.reason)] if sure.corrected.reason else []
    opis_found = _opis_found(opis(curves, weights), sure)
    return Report(
        schema_version=SCHEMA_VERSION,
        provenance=provenance,
        settings=config,
        data=data,
        pairs=pairs_found(counted, plan, config, opis_found, worst.value, mean, points),
        metric=counts.metric,
        calibration_range=_range_found(found, counts),
        utility=UtilityFound(
            config.utility,
            config.c,
            mean,
            None if sure is None else sure.resampled.mean_utility,
        ),
        opis=opis_found,
        epsilon_opis=EpsilonOpis(
            epsilon=config.epsilon,
            against=config.eps_against,
            rank=config.eps_rank,
            value=worst.value,
            worst_classes=tuple(counts.labels[i] for i in worst.worst),
            null_value=None if sure is None else sure.null_value,
            ci=None if sure is None else sure.resampled.epsilon_opis,
        ),
        recommended_threshold=recommended,
        operating_points=tuple(points),
        verification=Verification(
            eer=equal_error_rate(curve),
            auc=area_under_roc(curve),
            eer_ci=None if sure is None else sure.resampled.eer,
        ),
        retrieval=_retrieval(counted.ranks),
        differential=differential_found(counts, recommended, nodes, weights, utility, config),
        split=None if halves is None else split_rates(halves, _FAR_TARGETS[:4], config),
        intervals=_method(intervals, sure, config),
        confidence=config.confidence,
        warnings=tuple(
            data_notices(data)
            + range_notices(found, curve)
            + notices
            + wide_notices(points, curve, intervals)
            + split_notices(counts, config)
        ),
        counts=counts,
        nearest_class=nearest_class,
    )


def _opis_found(value: float, sure: Uncertainty | None) -> Opis:
    if sure is None:
        return Opis(value=value)
    corrected = sure.corrected
    return Opis(
        value=value,
        noise=corrected.noise,
        corrected=corrected.corrected,
        corrected_classes=corrected.corrected_classes,
        value_same_classes=corrected.value_same_classes,
        ci=sure.resampled.opis,
        corrected_ci=sure.resampled.corrected_opis,
    )


def _with_threshold_interval(
    point: OperatingPoint, found: ThresholdIntervals, *, recommended: bool = False
) -> OperatingPoint:
    interval = {
        "far": dict(found.far).get(point.target or 0.0),
        "frr": dict(found.frr).get(point.target or 0.0),
        "eer": found.eer,
        "utility": found.recommended if recommended else found.utility,
    }.get(point.criterion)
    if point.distance is None or interval is None:
        return point
    # Replicates are read off at fewer edges than the threshold: with few pairs it may lie beyond.
    # It is kept rounded down.
    low, high = min(interval[0], round_down(point.distance)), max(interval[1], point.distance)
    return replace(point, distance_ci=(low, high))


def _method(
    intervals: RateIntervals | None, sure: Uncertainty | None, config: EvaluateConfig
) -> IntervalMethod | None:
    if intervals is None or sure is None:
        return None
    return IntervalMethod(
        replicates=sure.resampled.replicates,
        seed=config.seed,
        class_pair_sum=intervals.class_pairs_known,
        unclassed_rows=intervals.single_rows,
    )


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


def _retrieval(ranks: NeighbourRanks | None) -> Retrieval | None:
    if ranks is None or ranks.rank.size == 0:
        return None
    return Retrieval(
        recall_at={str(k): recall_at(ranks, k) for k in RECALL_AT},
        queries=int(np.size(ranks.rank)),
    )
