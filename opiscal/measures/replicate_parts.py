"""Replicate parts: all that the replicates of one run are made of, before weights are drawn."""

from dataclasses import dataclass

import numpy as np

from opiscal.measures.calibration_range import CalibrationRange, RangeSpec
from opiscal.measures.class_curves import EpsilonChoice, UtilityNoise
from opiscal.measures.opis import Integration, check_epsilon
from opiscal.measures.rate_variance import RateVariance, rate_variance
from opiscal.measures.rates import Pool, RateCurve, rate_curve
from opiscal.measures.replicate_curves import ClassColumns, class_columns
from opiscal.measures.replicate_readings import Readings
from opiscal.measures.resampling_nodes import MovingEnds, place_nodes
from opiscal.measures.utility import Utility
from opiscal.measures.utility_bias import UtilityBias, utility_bias
from opiscal.pairs.counts import PairCounts


@dataclass(frozen=True, slots=True)
class ReplicateParts:
    """What the classes of one run add to its curves, and how figures are read off curves.

    Attributes
    ----------
    counts : PairCounts
    curve : RateCurve
    rates : pair of RateVariance
        FAR and FRR.
    columns : ClassColumns
    read : Readings
    bias : UtilityBias
        What few rows a class do to utility, over the calibration range.
    """

    counts: PairCounts
    curve: RateCurve
    rates: tuple[RateVariance, RateVariance]
    columns: ClassColumns
    read: Readings
    bias: UtilityBias


def replicate_parts(
    counts: PairCounts,
    utility: Utility,
    spec: RangeSpec,
    calibration: CalibrationRange,
    *,
    pool: Pool = "pairs",
    choice: EpsilonChoice | None = None,
    noise: UtilityNoise | None = None,
) -> ReplicateParts:
    """The parts of some counts; arguments as in `opiscal.measures.resampling.resampled_intervals`.

    Raises
    ------
    UsageError
        For an epsilon that is not allowed.
    """
    choice = choice or EpsilonChoice()
    check_epsilon(choice.epsilon)
    curve = rate_curve(counts, pool)
    rates = (rate_variance(counts, "far", pool), rate_variance(counts, "frr", pool))
    moving = _moving_ends(spec, rates)
    nodes = place_nodes(counts.class_distance, rates[0].rate, rates[1].rate, calibration, moving)
    columns = class_columns(counts, rates, utility, nodes, choice, noise)
    ends = (calibration.low, calibration.high) if moving is None else None
    at, weights = Integration().nodes(counts.moment_distance, calibration.low, calibration.high)
    return ReplicateParts(
        counts=counts,
        curve=curve,
        rates=rates,
        columns=columns,
        read=Readings(columns.distance, nodes.window, curve, spec, ends),
        bias=utility_bias(counts, utility, at, weights),
    )


def _moving_ends(spec: RangeSpec, rates: tuple[RateVariance, RateVariance]) -> MovingEnds | None:
    if spec.kind not in ("far", "frr"):
        return None
    rate = rates[0] if spec.kind == "far" else rates[1]
    number = rate.effective_number(rate.distance)
    deviation = np.sqrt(rate.rate * (1.0 - rate.rate) / number)
    if spec.kind == "far":
        return MovingEnds(rate.rate, deviation, spec.low, spec.high)
    return MovingEnds(-rate.rate, deviation, -spec.high, -spec.low)
