"""How pairs were counted, and what a sample of them leaves open, for the report."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import ndtri

from opiscal.measures.class_curves import EpsilonChoice
from opiscal.measures.operating_points import OperatingPoint
from opiscal.measures.sampling_error import sampling_errors
from opiscal.measures.utility import Utility
from opiscal.pairs.counting import CountedSet
from opiscal.pairs.plan import PairPlan
from opiscal.report.findings import Opis, Pair, Pairs, SampledTarget, SamplingFound
from opiscal.report.settings import EvaluateConfig


def pairs_found(
    counted: CountedSet,
    plan: PairPlan,
    config: EvaluateConfig,
    opis: Opis,
    epsilon_opis: float,
    mean_utility: float,
    points: Sequence[OperatingPoint],
) -> Pairs:
    """How many pairs there are, how many were counted, and the sampling intervals of figures.

    Parameters
    ----------
    counted : CountedSet
    plan : PairPlan
    config : EvaluateConfig
    opis : Opis
    epsilon_opis, mean_utility : float
        As they are reported.
    points : sequence of OperatingPoint
        Those for a FAR get intervals.
    """
    counts = counted.counts
    if counted.sample is None:
        return Pairs(
            mode="exact",
            positive=counts.positive,
            negative=counts.negative,
            positive_counted=counts.positive,
            negative_counted=counts.negative,
            reason=plan.reason,
        )
    sampled = counted.sample.sampled
    strata = sampled.counts
    far = [p for p in points if p.criterion == "far"]
    errors = None
    if config.pool == "pairs":
        errors = sampling_errors(
            counts,
            sampled,
            Utility(config.utility, config.c),
            config.range_spec,
            EpsilonChoice(config.epsilon, config.eps_against, config.eps_rank),
            [p.target for p in far if p.target is not None],
        )
    near = sampled.near_found + sampled.near_missed
    found = SamplingFound(
        columns=strata.columns,
        probability=strata.pool_probability,
        near_pairs=int(strata.pool_near[-1]),
        near_recall=sampled.near_found / near if near else None,
        index=counted.sample.index,
        neighbour_recall=counted.sample.neighbour_recall,
        classes_sampled=int(np.count_nonzero(strata.positive_rows < strata.class_rows)),
    )
    if errors is not None:
        # Sixteen groups know the error to a fifth: of nominal 95 % some 93 are held.
        times = float(ndtri(0.5 + config.confidence / 2))
        found = replace(
            found,
            opis_ci=_about(opis.value, times * errors.opis),
            corrected_opis_ci=(
                None
                if opis.corrected is None
                else _about(opis.corrected, times * errors.opis, least=-np.inf)
            ),
            epsilon_opis_ci=_about(epsilon_opis, times * errors.epsilon_opis),
            mean_utility_ci=_about(mean_utility, times * errors.mean_utility),
            far_targets=tuple(
                SampledTarget(
                    target,
                    _about(p.distance or 0.0, times * of_distance, most=np.inf),
                    _about(p.frr or 0.0, times * of_frr),
                )
                for p, (target, of_distance, of_frr) in zip(far, errors.far, strict=True)
            ),
        )
    return Pairs(
        mode="sampled",
        positive=counts.positive,
        negative=counts.negative,
        positive_counted=strata.positive_counted,
        negative_counted=strata.negative_counted,
        reason=plan.reason,
        sampling=found,
    )


def _about(value: float, reach: float, least: float = 0.0, most: float = 1.0) -> Pair:
    return max(value - reach, least), min(value + reach, most)
