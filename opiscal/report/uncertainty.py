"""Uncertainty: the intervals, the noise and the null value of one evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opiscal.measures.calibration_range import CalibrationRange
from opiscal.measures.class_curves import EpsilonChoice, UtilityNoise
from opiscal.measures.corrected_opis import CorrectedOpis, corrected_opis
from opiscal.measures.noise import utility_noise
from opiscal.measures.null_value import null_epsilon_opis
from opiscal.measures.rate_intervals import RateIntervals
from opiscal.measures.rates import Floats
from opiscal.measures.resampling import ResampledIntervals, resampled_intervals
from opiscal.measures.utility import Utility
from opiscal.pairs.counts import PairCounts
from opiscal.report.settings import EvaluateConfig


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How sure the numbers of a report are.

    Attributes
    ----------
    resampled : ResampledIntervals
    corrected : CorrectedOpis
    null_value : float or None
        eps-OPIS of identical classes with the same noise; None where noise cannot be estimated.
    """

    resampled: ResampledIntervals
    corrected: CorrectedOpis
    null_value: float | None


def find_uncertainty(
    counts: PairCounts,
    curves: Floats,
    nodes: Floats,
    weights: Floats,
    found: CalibrationRange,
    intervals: RateIntervals,
    config: EvaluateConfig,
    *,
    far: Sequence[float],
    frr: Sequence[float],
) -> Uncertainty:
    """Intervals by resampling classes, OPIS without noise, and the null value of eps-OPIS.

    Parameters
    ----------
    counts : PairCounts
    curves : float64 array of shape (T, K)
        Utility of the classes at `nodes`.
    nodes, weights : float64 arrays of shape (K,)
        Thresholds of the calibration range, and the share of each.
    found : CalibrationRange
    intervals : RateIntervals
    config : EvaluateConfig
    far, frr : sequence of float
        Targets whose thresholds get an interval.
    """
    utility = Utility(config.utility, config.c)
    corrected = corrected_opis(counts, curves, nodes, weights, utility)
    null_value, noise = None, None
    if corrected.corrected is not None:
        null_value = null_epsilon_opis(
            counts,
            curves,
            nodes,
            weights,
            utility,
            epsilon=config.epsilon,
            against=config.eps_against,
            rank=config.eps_rank,
            seed=config.seed,
        )
        noise = noise_about(counts, intervals, found, utility)
    resampled = resampled_intervals(
        counts,
        utility,
        config.range_spec,
        found,
        pool=config.pool,
        far=far,
        frr=frr,
        choice=EpsilonChoice(config.epsilon, config.eps_against, config.eps_rank),
        noise=noise,
        confidence=config.confidence,
        seed=config.seed,
    )
    return Uncertainty(resampled, corrected, null_value)


def noise_about(
    counts: PairCounts, intervals: RateIntervals, found: CalibrationRange, utility: Utility
) -> UtilityNoise:
    """The noise of utility in the calibration range, and where its ends may move to."""
    about = _about(counts, intervals, found)
    return UtilityNoise(about, utility_noise(counts, about, utility))


def _about(counts: PairCounts, intervals: RateIntervals, found: CalibrationRange) -> Floats:
    """Moment edges in the range, and as far beyond as its ends may move in a replicate."""
    curve, edges = intervals.curve, counts.moment_distance
    # FAR at the ends may move by its interval, and twice that to be sure.
    low = np.searchsorted(intervals.far_high, found.far[0] / 2)
    high = np.searchsorted(intervals.far_low, min(1.0, found.far[1] * 2))
    ends = curve.distance[np.clip([low, high], 0, curve.distance.size - 1)]
    low_end, high_end = min(ends[0], found.low), max(ends[1], found.high)
    inside = np.flatnonzero((edges >= low_end) & (edges <= high_end))
    first = max(int(inside[0]) - 1, 0) if inside.size else 0
    last = min(int(inside[-1]) + 2, edges.size) if inside.size else edges.size
    return np.unique(np.concatenate([edges[first:last], [found.low, found.high]]))
