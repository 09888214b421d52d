"""Operating points: the threshold for a target, and what is found there."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np

from opiscal.data.embedding_set import Metric
from opiscal.errors import UsageError
from opiscal.measures.identification import identification_rates
from opiscal.measures.rate_intervals import RateIntervals
from opiscal.measures.rates import Floats, RateCurve, class_counts_at
from opiscal.measures.utility import Utility, class_utility, mean_utility
from opiscal.pairs.counts import PairCounts

Criterion = Literal["far", "frr", "eer", "utility", "at"]

FEWEST_ERRORS = 3
"""Expected false accepts below which a target is not supported."""
WIDE_ERRORS = 30
"""Expected errors below which a target is answered with the warning ``wide``."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold with the FAR, FRR and mean utility found there, on all four scales.

    Attributes
    ----------
    criterion : "far", "frr", "eer", "utility" or "at"
    target : float or None
        The rate or distance that was asked for.
    similarity, distance, cosine_distance, squared_l2 : float or None
        The threshold; None where no threshold reaches the target. Under ``cosine`` the distance is
        the L2 distance of unit rows, ``sqrt(2 - 2 s)``, and `cosine_distance` is ``1 - s``; under
        ``l2`` there is no cosine scale.
    far, frr, utility : float or None
        Rates, and the mean over classes of the utility.
    far_ci, frr_ci, distance_ci : pair of float or None
        Intervals; None where they were not asked for.
    supported : bool
        Whether the data can answer: the target is reached, and at least 3 false accepts are
        expected among the effective number of negative pairs.
    guaranteed : bool
        Whether the upper bound, not the estimate, meets the target.
    exact_at_threshold : bool
        Whether every number was counted at this very threshold; False where the utility or a rate
        was interpolated between edges.
    fpir, fnir : float or None
        Rank-1 identification of queries against a gallery; None for one set, and FPIR where every
        query has a gallery row of its class.
    """

    criterion: Criterion
    target: float | None
    similarity: float | None
    distance: float | None
    cosine_distance: float | None
    squared_l2: float | None
    far: float | None
    frr: float | None
    utility: float | None
    far_ci: tuple[float, float] | None
    frr_ci: tuple[float, float] | None
    distance_ci: tuple[float, float] | None
    supported: bool
    guaranteed: bool
    exact_at_threshold: bool
    fpir: float | None = None
    fnir: float | None = None


def edge_for_far(curve: RateCurve, far: float) -> int | None:
    """The largest edge whose FAR is at most `far`; None where even the smallest accepts more.

    Examples
    --------
    >>> curve = RateCurve(np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.1, 1.0]),
    ...                   np.array([1.0, 0.2, 0.0]), 10, 100)
    >>> edge_for_far(curve, 0.1)
    1
    """
    edge = int(np.searchsorted(curve.far, far, side="right")) - 1
    return edge if edge >= 0 else None


def edge_for_frr(curve: RateCurve, frr: float) -> int:
    """The smallest edge whose FRR is at most `frr`; the last edge, at the latest, has FRR 0."""
    return int(np.argmax(curve.frr <= frr))


def edge_for_eer(curve: RateCurve) -> int:
    """The edge where FAR and FRR are closest; the smaller one on a tie."""
    return int(np.argmin(np.abs(curve.far - curve.frr)))


def distance_for_utility(
    counts: PairCounts, utility: Utility, within: tuple[float, float] | None = None
) -> float:
    """The threshold with the highest class-mean utility; the smaller distance on a tie.

    Looked for at the class edges, where utility is exact; inside a range also at its two ends.
    """
    candidates = counts.class_distance
    if counts.slim is not None:
        # The best of all is an operating point, and those are kept.
        candidates = candidates[counts.slim.kept]
    if within is not None:
        low, high = within
        inside = candidates[(candidates > low) & (candidates < high)]
        candidates = np.unique(np.concatenate([[low], inside, [high]]))
    return float(candidates[int(np.argmax(mean_utility(counts, candidates, utility)))])


def operating_point(
    counts: PairCounts,
    curve: RateCurve,
    utility: Utility,
    criterion: Criterion,
    target: float | None,
    distance: float | None,
    *,
    supported: bool = True,
    guaranteed: bool = False,
    intervals: RateIntervals | None = None,
) -> OperatingPoint:
    """What is found at a threshold.

    Parameters
    ----------
    counts : PairCounts
    curve : RateCurve
        Of the same counts.
    utility : Utility
    criterion, target
        What was asked for; they are noted.
    distance : float or None
        The threshold; None gives a point without numbers, unsupported.
    supported, guaranteed : bool
        What is known of the threshold; they are noted.
    intervals : RateIntervals, optional
        Of the same curve; without them the rates have no intervals.

    Returns
    -------
    OperatingPoint
    """
    if distance is None:
        return OperatingPoint(
            criterion, target, *(None,) * 10, supported=False, guaranteed=False,
            exact_at_threshold=False,
        )  # fmt: skip
    far, frr = curve.at(distance)
    scales = threshold_scales(distance, counts.metric)
    at = np.array([distance])
    exact = bool(class_counts_at(counts, at, slice(0, 1)).exact[0])
    between = None if intervals is None else intervals.at(distance)
    identified = identification_rates(counts, distance)
    return OperatingPoint(
        criterion=criterion,
        target=target,
        **scales,
        far=far,
        frr=frr,
        utility=float(class_utility(counts, at, utility).mean()),
        far_ci=None if between is None else between.far_ci,
        frr_ci=None if between is None else between.frr_ci,
        distance_ci=None,
        supported=supported,
        guaranteed=guaranteed,
        exact_at_threshold=exact and curve.edge_at(distance) is not None,
        fpir=None if identified is None else identified.fpir,
        fnir=None if identified is None else identified.fnir,
    )


def expected_errors(curve: RateCurve, criterion: Literal["far", "frr"], target: float) -> float:
    """Errors expected at a target rate: the rate times the pairs that could err.

    Examples
    --------
    >>> expected_errors(RateCurve(np.zeros(1), np.zeros(1), np.zeros(1), 5, 10_000), "far", 3e-4)
    3.0
    """
    errors = target * (curve.negative if criterion == "far" else curve.positive)
    # 3e-4 * 10,000 falls short of 3 in the sixteenth digit.
    return float(f"{errors:.12g}")


def threshold_scales(distance: float, metric: Metric) -> dict[str, float | None]:
    """One threshold on the scales in use; the cosine ones are None under ``l2``.

    Examples
    --------
    >>> threshold_scales(1.0, "cosine")
    {'similarity': 0.5, 'distance': 1.0, 'cosine_distance': 0.5, 'squared_l2': 1.0}
    >>> threshold_scales(3.0**0.5, "cosine")["similarity"]
    -0.5
    """
    cosine = metric == "cosine"
    # The square of a root is off in its sixteenth digit, and similarity -0.5 would be printed as
    # -0.499999999, which takes none of the pairs that stand at it.
    squared = Decimal(f"{distance**2:.15g}")
    return {
        "similarity": float(1 - squared / 2) if cosine else None,
        "distance": distance,
        "cosine_distance": float(squared / 2) if cosine else None,
        "squared_l2": float(squared),
    }


def distance_on_scale(scale: str, value: float, metric: Metric) -> float:
    """A threshold given on one of the scales, as a distance.

    Parameters
    ----------
    scale : "similarity", "distance", "cosine-distance" or "squared-l2"
    value : float
    metric : "cosine" or "l2"

    Raises
    ------
    UsageError
        For an unknown scale, one that the metric does not have, or a value outside it.

    Examples
    --------
    >>> distance_on_scale("similarity", 0.5, "cosine")
    1.0
    """
    scales = {
        "similarity": (-1.0, 1.0),
        "distance": (0.0, 2.0),
        "cosine-distance": (0.0, 2.0),
        "squared-l2": (0.0, 4.0),
    }
    if metric == "l2":
        scales = {"distance": (0.0, np.inf), "squared-l2": (0.0, np.inf)}
    if scale not in scales:
        raise UsageError(
            f"scale {scale!r}: under {metric} it must be one of {', '.join(scales)}, "
            "such as distance=0.9"
        )
    low, high = scales[scale]
    if not low <= value <= high or not np.isfinite(value):
        raise UsageError(f"{scale} {value:g}: must lie between {low:g} and {high:g}")
    if scale == "similarity":
        return float(np.sqrt(2.0 - 2.0 * value))
    if scale == "cosine-distance":
        return float(np.sqrt(2.0 * value))
    return float(np.sqrt(value)) if scale == "squared-l2" else float(value)


@dataclass(frozen=True, slots=True)
class OwnThresholds:
    """The thresholds that classes would choose for themselves.

    Attributes
    ----------
    distance, utility : float64 arrays of shape (T,)
        The class edge of each one's highest utility, the smaller on a tie, and that utility.
    """

    distance: Floats
    utility: Floats


def best_threshold_by_class(counts: PairCounts, utility: Utility) -> OwnThresholds:
    """For each class the class edge of its own highest utility."""
    best = np.full(counts.classes, -1.0)
    at = np.zeros(counts.classes)
    edges = counts.class_distance
    for start in range(0, edges.size, 64):
        part = edges[start : start + 64]
        curves = class_utility(counts, part, utility)
        peak = curves.argmax(axis=1)
        height = curves[np.arange(counts.classes), peak]
        higher = height > best
        best = np.where(higher, height, best)
        at = np.where(higher, part[peak], at)
    return OwnThresholds(at, best)
