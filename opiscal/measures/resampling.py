"""Resampling: intervals of thresholds, utility and OPIS by drawing the classes anew."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opiscal.errors import UsageError
from opiscal.measures.calibration_range import CalibrationRange, RangeSpec
from opiscal.measures.class_curves import EpsilonChoice, UtilityNoise
from opiscal.measures.opis import Integration, check_epsilon
from opiscal.measures.rate_intervals import check_confidence
from opiscal.measures.rate_variance import RateVariance, rate_variance
from opiscal.measures.rates import Pool, rate_curve
from opiscal.measures.replicate_curves import replicate_curves
from opiscal.measures.replicate_ends import (
    LARGEST_SKEW,
    accelerated_ends,
    plain_ends,
    spread_ends,
)
from opiscal.measures.replicate_readings import Readings
from opiscal.measures.resampling_nodes import MovingEnds, place_nodes
from opiscal.measures.utility import Utility
from opiscal.measures.utility_bias import utility_bias
from opiscal.pairs.counts import PairCounts

Interval = tuple[float, float]

REPLICATES = 2000
"""Replicates by default: ends of two seeds differ by less than 5 % of the width."""

_SKEWED = ("mean_utility", "epsilon_opis")


@dataclass(frozen=True, slots=True)
class ThresholdIntervals:
    """Intervals of thresholds.

    Attributes
    ----------
    far, frr : tuple of (target, interval)
        The threshold for each target rate.
    eer, utility, recommended : pair of float
        Where FAR and FRR meet; of the highest mean utility anywhere, and inside the calibration
        range.
    """

    far: tuple[tuple[float, Interval], ...]
    frr: tuple[tuple[float, Interval], ...]
    eer: Interval
    utility: Interval
    recommended: Interval


@dataclass(frozen=True, slots=True)
class ResampledIntervals:
    """Intervals for classes drawn anew from where these came from.

    Attributes
    ----------
    confidence : float
    replicates : int
    threshold : ThresholdIntervals
        Distances.
    range_low, range_high : pair of float
        Ends of the calibration range, distances.
    eer : pair of float
        The equal error rate.
    mean_utility : pair of float
        Over classes and range, with unlimited rows in each class: moved by the bias of utility
        with few rows (`utility_bias`).
    opis : pair of float
        Of the plain OPIS of many classes with as few rows each: noise included; at least 0.
    corrected_opis : pair of float or None
        Of the OPIS of the population of classes, with unlimited rows in each. May reach below 0.
        None without noise, or with noise for fewer than two classes.
    epsilon_opis : pair of float
        At least 0.
    """

    confidence: float
    replicates: int
    threshold: ThresholdIntervals
    range_low: Interval
    range_high: Interval
    eer: Interval
    mean_utility: Interval
    opis: Interval
    corrected_opis: Interval | None
    epsilon_opis: Interval


def resampled_intervals(
    counts: PairCounts,
    utility: Utility,
    spec: RangeSpec,
    calibration: CalibrationRange,
    *,
    pool: Pool = "pairs",
    far: Sequence[float] = (),
    frr: Sequence[float] = (),
    choice: EpsilonChoice | None = None,
    noise: UtilityNoise | None = None,
    confidence: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> ResampledIntervals:
    r"""Intervals by resampling whole classes from stored counts; no pair is counted again.

    Each class gets a random weight of mean 1 and variance 1, in its own row of pairs and as the
    other side of all other classes' pairs (`replicate_curves`); every figure, the ends of the
    calibration range first, is then found anew. With :math:`q` the quantiles of the replicates,
    the ends are

    .. math:: q\big(\Phi(t + 2 z_0 + a (2 t^2 + 1))\big), \qquad
              a = \frac{\sum_i l_i^3}{6 (\sum_i l_i^2)^{3/2}}

    with :math:`t` the quantiles of Student's law, :math:`z_0` the median bias of the
    replicates and :math:`l_i` what class ``i`` moves the figure by: Efron's accelerated interval,
    for weights that are not skewed themselves. OPIS has its ends on the scale of its logarithm
    (`spread_ends`). For thresholds and the EER ``a`` is 0: their rates move on the scale of log
    odds; a threshold for a rate reaches as far as the interval of that rate
    (`RateVariance.interval_reach`).
    Of the thresholds of highest utility, which jump from place to place, the plain quantiles are
    taken. What few rows a class do to utility, beside noise, moves the intervals of mean utility
    and of the corrected OPIS (`utility_bias`).

    Parameters
    ----------
    counts : PairCounts
        With at least two classes, a positive and a negative pair.
    utility : Utility
    spec : RangeSpec
        The range as asked for: its ends are found anew in every replicate.
    calibration : CalibrationRange
        The range as found.
    pool : "pairs" or "classes"
        Of the rates.
    far, frr : sequence of float
        Target rates whose thresholds get intervals.
    choice : EpsilonChoice, optional
    noise : UtilityNoise, optional
        For `corrected_opis`.
    confidence : float, in (0.5, 1)
    replicates : int
        Even, at least 1,000.
    seed : int

    Returns
    -------
    ResampledIntervals
        Ends ascending and finite; those of thresholds hold the threshold that is reported.

    Raises
    ------
    UsageError
        For a setting that is not allowed.

    References
    ----------
    Efron, Better bootstrap confidence intervals, JASA 1987; Fogliato, Patil and Perona, IJCV 2024,
    arXiv 2306.01198; Owen, The pigeonhole bootstrap, Annals of Applied Statistics 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from opiscal.measures.calibration_range import find_range
    >>> from opiscal.pairs.counts import PairCounts
    >>> accepted = np.random.default_rng(0).binomial(10, 0.6, (40, 1))
    >>> false = np.tile([[10, 100, 975]], (40, 1))
    >>> edges = np.array([0, 1, 2])
    >>> counts = PairCounts("cosine", 200, 0, tuple(range(40)), np.full(40, 5),
    ...     np.array([0.5, 1.0, 2.0]), edges, edges,
    ...     np.array([accepted.sum() // 2, accepted.sum(), 400]), false.sum(axis=0) // 2,
    ...     np.concatenate([accepted // 2, accepted, 0 * accepted + 10], axis=1), false,
    ...     *np.zeros((3, 40, 3), int))
    >>> spec = RangeSpec.parse("distance=0.5:1")
    >>> found = resampled_intervals(counts, Utility(), spec,
    ...                             find_range(rate_curve(counts), spec, "cosine"))
    >>> low, high = found.mean_utility
    >>> 0 < low < high < 1
    True
    """
    _check(confidence, replicates, far, frr)
    choice = choice or EpsilonChoice()
    check_epsilon(choice.epsilon)
    curve = rate_curve(counts, pool)
    rates = (rate_variance(counts, "far", pool), rate_variance(counts, "frr", pool))
    moving = _moving_ends(spec, rates)
    nodes = place_nodes(counts.class_distance, rates[0].rate, rates[1].rate, calibration, moving)
    curves = replicate_curves(counts, rates, utility, nodes, choice, noise, replicates, seed)
    ends = (calibration.low, calibration.high) if moving is None else None
    read = Readings(curves.distance, curves.window, curve, spec, ends)
    values = read.figures(curves.replicates, far, frr)
    base = read.figures(curves.base, far, frr)
    share = 0.5 + confidence / 2
    reaches = [rate.interval_reach(rate.distance, confidence) for rate in rates]

    def interval(name: str, low: float = -np.inf, high: float = np.inf) -> Interval:
        return found(name, None, low, high)

    def found(name: str, target: float | None, low: float, high: float) -> Interval:
        figure = name, target
        value = float(base[figure][0])
        if name in ("utility", "recommended"):
            ends = plain_ends(values[figure], share)
        elif name in ("opis", "corrected_opis"):
            plain = float(base["opis", None][0])
            ends = spread_ends(values[figure], value, plain, curves.sums, curves.pivots, share)
        else:
            # Rates are moved on the scale of their log odds, which has their skewness.
            skew = LARGEST_SKEW if name in _SKEWED else 0.0
            sums, pivots = curves.sums, curves.pivots
            reach = threshold_reach(name, value)
            ends = accelerated_ends(values[figure], value, sums, pivots, share, skew, reach)
        return min(max(min(ends[0], value), low), high), max(min(max(ends[1], value), high), low)

    def threshold_reach(name: str, value: float) -> tuple[float, float] | None:
        """As far as that of the rate: a threshold is the lower the higher FAR, or the lower FRR."""
        rate = spec.kind if name in ("range_low", "range_high") else name
        if rate not in ("far", "frr"):
            return None
        reach = reaches[0] if rate == "far" else reaches[1]
        below, above = (float(np.interp(value, rates[0].distance, end)) for end in reach)
        return (above, below) if rate == "far" else (below, above)

    def thresholds(name: str, targets: Sequence[float]) -> tuple[tuple[float, Interval], ...]:
        return tuple((x, found(name, x, 0.0, np.inf)) for x in targets)

    at, weights = Integration().nodes(counts.moment_distance, calibration.low, calibration.high)
    bias = utility_bias(counts, utility, at, weights)
    corrected = None
    if ("corrected_opis", None) in base:
        low, high = interval("corrected_opis")
        corrected = low - bias.spread, high - bias.spread
    return ResampledIntervals(
        confidence=confidence,
        replicates=replicates,
        threshold=ThresholdIntervals(
            far=thresholds("far", far),
            frr=thresholds("frr", frr),
            eer=interval("eer_threshold"),
            utility=interval("utility"),
            recommended=interval("recommended"),
        ),
        range_low=interval("range_low"),
        range_high=interval("range_high"),
        eer=interval("eer", 0.0, 1.0),
        mean_utility=_less_bias(
            interval("mean_utility", 0.0, 1.0), float(base["mean_utility", None][0]), bias.mean
        ),
        opis=interval("opis", 0.0),
        corrected_opis=corrected,
        epsilon_opis=interval("epsilon_opis", 0.0, 1.0),
    )


def _less_bias(interval: Interval, value: float, bias: float) -> Interval:
    """A share moved by its bias; the value that is reported stays in its interval."""
    return min(interval[0] - bias, value), min(interval[1] - bias, 1.0)


def _moving_ends(spec: RangeSpec, rates: tuple[RateVariance, RateVariance]) -> MovingEnds | None:
    if spec.kind not in ("far", "frr"):
        return None
    rate = rates[0] if spec.kind == "far" else rates[1]
    number = rate.effective_number(rate.distance)
    deviation = np.sqrt(rate.rate * (1.0 - rate.rate) / number)
    if spec.kind == "far":
        return MovingEnds(rate.rate, deviation, spec.low, spec.high)
    return MovingEnds(-rate.rate, deviation, -spec.high, -spec.low)


def _check(confidence: float, replicates: int, far: Sequence[float], frr: Sequence[float]) -> None:
    check_confidence(confidence)
    if replicates < 1000 or replicates % 2:
        raise UsageError(
            f"replicates {replicates!r}: must be even and at least 1000, such as {REPLICATES}"
        )
    for name, targets in (("far", far), ("frr", frr)):
        for target in targets:
            if not 0 <= target <= 1:
                raise UsageError(f"{name} {target!r}: must lie between 0 and 1, such as 1e-3")
