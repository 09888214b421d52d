"""Resampling: intervals of thresholds, utility and OPIS by drawing the classes anew."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opiscal.errors import UsageError
from opiscal.measures.calibration_range import CalibrationRange, RangeSpec
from opiscal.measures.class_curves import EpsilonChoice, UtilityNoise
from opiscal.measures.figure_replicates import REPLICATES, figure_replicates
from opiscal.measures.opis import LARGEST_OPIS
from opiscal.measures.rate_intervals import check_confidence
from opiscal.measures.rates import Pool
from opiscal.measures.replicate_ends import AcceleratedEnds
from opiscal.measures.replicate_parts import replicate_parts
from opiscal.measures.utility import Utility
from opiscal.pairs.counts import PairCounts

Interval = tuple[float, float]


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
    other side of all other classes' pairs (`class_columns`); every figure, the ends of the
    calibration range first, is then found anew. With :math:`q` the quantiles of the replicates,
    the ends are

    .. math:: q\big(\Phi(t + 2 z_0 + a (2 t^2 + 1))\big), \qquad
              a = \frac{\sum_i l_i^3}{6 (\sum_i l_i^2)^{3/2}}

    with :math:`t` the quantiles of Student's law, :math:`z_0` the median bias of the
    replicates and :math:`l_i` what class ``i`` moves the figure by: Efron's accelerated interval,
    for weights that are not skewed themselves. OPIS has its ends on the scale of its logarithm
    (`SpreadEnds`). For thresholds and the EER ``a`` is 0: their rates move on the scale of log
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
    >>> from opiscal.measures.rates import rate_curve
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
    parts = replicate_parts(
        counts, utility, spec, calibration, pool=pool, choice=choice, noise=noise
    )
    rates = parts.rates
    drawn = figure_replicates(parts, far=far, frr=frr, replicates=replicates, seed=seed)
    share = 0.5 + confidence / 2
    reaches = [rate.interval_reach(rate.distance, confidence) for rate in rates]

    def interval(name: str, low: float = -np.inf, high: float = np.inf) -> Interval:
        return found(name, None, low, high)

    def found(name: str, target: float | None, low: float, high: float) -> Interval:
        figure = name, target
        value = drawn.base[figure]
        of_figure, reach = drawn.ends(figure), threshold_reach(name, value)
        if isinstance(of_figure, AcceleratedEnds):
            ends = of_figure.at(share, reach)
        else:
            ends = of_figure.at(share)
        below, above = min(float(ends[0]), value), max(float(ends[1]), value)
        return min(max(below, low), high), max(min(above, high), low)

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

    bias = parts.bias
    corrected = None
    if ("corrected_opis", None) in drawn.base:
        low, high = interval("corrected_opis")
        corrected = low - bias.spread, min(high - bias.spread, LARGEST_OPIS)
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
            interval("mean_utility", 0.0, 1.0), drawn.base["mean_utility", None], bias.mean
        ),
        opis=interval("opis", 0.0, LARGEST_OPIS),
        corrected_opis=corrected,
        epsilon_opis=interval("epsilon_opis", 0.0, 1.0),
    )


def _less_bias(interval: Interval, value: float, bias: float) -> Interval:
    """A share moved by its bias; the value that is reported stays in its interval."""
    return min(interval[0] - bias, value), min(interval[1] - bias, 1.0)


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
