"""Class curves: utility of every class about the calibration range, and its part in the curves."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.opis import EpsAgainst, EpsRank
from opiscal.measures.rate_variance import RateVariance
from opiscal.measures.rates import Floats
from opiscal.measures.resampling_nodes import Nodes
from opiscal.measures.utility import Utility, precision_recall, sensitivity_specificity
from opiscal.pairs.counts import PairCounts

# Classes whose curves are worked out at a time, so that temporaries stay small.
_CLASSES_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class UtilityNoise:
    """Estimated sampling variance of each class's utility, from its own rows.

    Attributes
    ----------
    distance : float64 array of shape (K,), ascending
        Thresholds it was estimated at, about the calibration range; read on straight lines between.
    variance : float64 array of shape (T, K)
        NaN for classes without one.
    """

    distance: Floats
    variance: Floats


@dataclass(frozen=True, slots=True)
class EpsilonChoice:
    """Which classes are the worst, as in `opiscal.measures.opis.epsilon_opis`."""

    epsilon: float = 0.1
    against: EpsAgainst = "others"
    rank: EpsRank = "range"


@dataclass(frozen=True, slots=True)
class ClassCurves:
    """The curves of the classes as they are, and what each class adds to every curve.

    J nodes, K of them in the window about the calibration range. A slope says how a curve moves
    with FAR where all classes move alike.

    Attributes
    ----------
    far, frr, mean : float64 arrays of shape (J,)
        Rates, and mean utility over classes.
    spread, gap : float64 arrays of shape (K,)
        Variance of utility over classes, over ``T - 1``; worst classes less the others.
    corrected : float64 array of shape (K,) or None
        The variance over the classes with noise, less their mean noise.
    utility_of : float64 array of shape (T, J)
    spread_of, gap_of : float64 arrays of shape (T, K)
    corrected_of : float64 array of shape (T, K) or None
        The part of each class in `mean`, `spread`, `gap` and `corrected`; they sum to 0.
    mean_slope : float64 array of shape (J,)
    spread_slope, gap_slope : float64 arrays of shape (K,)
    corrected_slope : float64 array of shape (K,) or None
    """

    far: Floats
    frr: Floats
    mean: Floats
    spread: Floats
    gap: Floats
    corrected: Floats | None
    utility_of: Floats
    spread_of: NDArray[np.float32]
    gap_of: NDArray[np.float32]
    corrected_of: NDArray[np.float32] | None
    mean_slope: Floats
    spread_slope: Floats
    gap_slope: Floats
    corrected_slope: Floats | None

    @classmethod
    def of(
        cls,
        counts: PairCounts,
        rates: tuple[RateVariance, RateVariance],
        utility: Utility,
        nodes: Nodes,
        choice: EpsilonChoice,
        noise: UtilityNoise | None,
    ) -> "ClassCurves":
        """The curves of the classes of some counts."""
        utility_of, slope_of = _utilities(counts, utility, nodes.edge)
        mean = utility_of.mean(axis=0)
        utility_of -= mean
        mean_slope = slope_of.mean(axis=0)
        away, slope = utility_of[:, nodes.window], slope_of[:, nodes.window]
        weight = _gap_weights(away, nodes.share, choice)
        at_border = _border(away, weight, nodes.share, choice)
        gap = (weight * away).sum(axis=0)
        # Moving a class into the worst ones moves another out: what counts is how far it stands
        # from the class at the border.
        gap_of = weight * (away - at_border)
        gap_of -= gap_of.mean(axis=0)
        gap_slope = (weight * slope).sum(axis=0)
        del weight, at_border
        gap_parts = gap_of.astype(np.float32)
        del gap_of
        spread = _Spread.of(away, slope, np.zeros((1, 1)))
        corrected = None
        if noise is not None:
            variance = _noise_at(noise, counts.class_distance[nodes.edge][nodes.window])
            if np.count_nonzero(~np.isnan(variance[:, 0])) >= 2:
                corrected = _Spread.of(away, slope, variance)
        del away, slope, slope_of
        utility_of /= counts.classes
        return cls(
            far=rates[0].rate[nodes.edge],
            frr=rates[1].rate[nodes.edge],
            mean=mean,
            spread=spread.value,
            gap=gap,
            corrected=None if corrected is None else corrected.value,
            utility_of=utility_of,
            spread_of=spread.of_class,
            gap_of=gap_parts,
            corrected_of=None if corrected is None else corrected.of_class,
            mean_slope=mean_slope,
            spread_slope=spread.slope,
            gap_slope=gap_slope,
            corrected_slope=None if corrected is None else corrected.slope,
        )


@dataclass(frozen=True, slots=True)
class _Spread:
    """The variance over classes less their mean noise: value, part of each class, slope."""

    value: Floats
    of_class: NDArray[np.float32]
    slope: Floats

    @classmethod
    def of(cls, utility: Floats, slope: Floats, noise: Floats) -> "_Spread":
        known = ~np.isnan(np.broadcast_to(noise, utility.shape)).any(axis=1)
        count = int(np.count_nonzero(known))
        away = utility[known]
        away = away - away.mean(axis=0)
        # Over T - 1: the classes are a draw, and the value asked for is that of all there are.
        part = np.square(away) * (count / max(count - 1, 1))
        part -= noise[known] if len(noise) == len(utility) else noise
        value = part.mean(axis=0)
        of_class = np.zeros(utility.shape, dtype=np.float32)
        of_class[known] = (part - value) / count
        return cls(value, of_class, 2.0 * (away * slope[known]).mean(axis=0))


def _utilities(
    counts: PairCounts, utility: Utility, edge: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Utility of every class at class edges, and how it moves with the class's FAR; (T, J)."""
    counts.need_class_edges(edge)
    value = np.empty((counts.classes, edge.size))
    # Slopes and parts of classes enter small shifts: half the digits are enough for them.
    slope = np.empty((counts.classes, edge.size), dtype=np.float32)
    square = 1.0 + utility.c**2
    for start in range(0, counts.classes, _CLASSES_AT_ONCE):
        part = slice(start, start + _CLASSES_AT_ONCE)
        accepted = counts.class_positive[part][:, edge]
        false = counts.class_negative[part][:, edge]
        positives = counts.positives_of_class[part, None]
        negatives = counts.negatives_of_class[part, None]
        if utility.kind == "sensitivity-specificity":
            kept = 1.0 - false / negatives
            value[part] = sensitivity_specificity(accepted / positives, kept, utility.c)
            with np.errstate(divide="ignore", invalid="ignore"):
                slope[part] = -np.square(value[part] / kept) / square
        else:
            value[part] = precision_recall(accepted, positives - accepted, false, utility.c)
            with np.errstate(divide="ignore", invalid="ignore"):
                slope[part] = -np.square(value[part]) * negatives / (square * accepted)
    # Where there is nothing to lose, or nothing left, a slope says nothing.
    return value, np.nan_to_num(slope, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _gap_weights(utility: Floats, share: Floats, choice: EpsilonChoice) -> Floats:
    """Weights of the classes in the gap: worst over their number, less the others over theirs."""
    T = len(utility)
    m = _worst_count(T, choice.epsilon)
    place = np.empty((T, 1 if choice.rank == "range" else utility.shape[1]), dtype=np.int64)
    ranked = utility if choice.rank == "threshold" else (utility @ share)[:, None]
    np.put_along_axis(
        place, np.argsort(ranked, axis=0, kind="stable"), np.arange(T)[:, None], axis=0
    )
    rest = place >= T - m if choice.against == "best" else place >= m
    others = max(int(np.count_nonzero(rest[:, 0])), 1)
    return np.asarray(np.where(place < m, 1.0 / m, 0.0) - np.where(rest, 1.0 / others, 0.0))


def _worst_count(classes: int, epsilon: float) -> int:
    return max(1, math.ceil(epsilon * classes - 1e-9))


def _border(utility: Floats, weight: Floats, share: Floats, choice: EpsilonChoice) -> Floats:
    """The curve of a class that stands at the border of the worst, or of the best, classes."""
    T = len(utility)
    m = _worst_count(T, choice.epsilon)
    reach = max(1, m // 5)
    if choice.rank == "threshold":
        ordered = np.sort(utility, axis=0)
    else:
        ordered = utility[np.argsort(utility @ share, kind="stable")]
    low = ordered[max(m - reach, 0) : m + reach].mean(axis=0)
    if choice.against == "others":
        return np.broadcast_to(low, utility.shape)
    high = ordered[max(T - m - reach, 0) : T - m + reach].mean(axis=0)
    return np.asarray(np.where(weight < 0, high, low))


def _noise_at(noise: UtilityNoise, distance: Floats) -> Floats:
    """Noise at thresholds of shape (K,), on straight lines; shape (T, K)."""
    if noise.distance.size == 1:
        return np.repeat(noise.variance, distance.size, axis=1)
    above = np.clip(np.searchsorted(noise.distance, distance), 1, noise.distance.size - 1)
    low, high = noise.distance[above - 1], noise.distance[above]
    share = np.clip((distance - low) / (high - low), 0.0, 1.0)
    below: Floats = noise.variance[:, above - 1] * (1.0 - share)
    return below + noise.variance[:, above] * share
