"""FAR and FRR against the threshold, pooled over pairs or averaged over classes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from opiscal.errors import InputError
from opiscal.pairs.counts import ClassEstimates, PairCounts

Floats = NDArray[np.float64]
Pool = Literal["pairs", "classes"]

# Printed distances keep nine digits, and 1.00000001 is the next to 1: one that is read back this
# close to an edge is that edge. No float32 distance lies between the two.
_SAME_EDGE = 1.01e-8

# Classes whose rates are worked out at a time, so that temporaries stay small.
_CLASSES_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class RateCurve:
    """FAR and FRR at every edge.

    Attributes
    ----------
    distance : float64 array of shape (E,), ascending
    far : float64 array of shape (E,), in [0, 1], rising
    frr : float64 array of shape (E,), in [0, 1], falling
    positive, negative : int
        Pairs behind the rates, each unordered pair once.
    """

    distance: Floats
    far: Floats
    frr: Floats
    positive: int
    negative: int

    def edge_at(self, distance: float) -> int | None:
        """The edge at a distance, or None where there is none; a tenth digit does not matter."""
        after = int(np.searchsorted(self.distance, distance))
        for edge in (after, after - 1):
            if 0 <= edge < self.distance.size and (
                abs(self.distance[edge] - distance) <= _SAME_EDGE * max(distance, 1e-300)
            ):
                return edge
        return None

    def at(self, distance: float) -> tuple[float, float]:
        """FAR and FRR at any distance: counted at an edge, interpolated between two."""
        edge = self.edge_at(distance)
        if edge is not None:
            return float(self.far[edge]), float(self.frr[edge])
        return (
            float(np.interp(distance, self.distance, self.far)),
            float(np.interp(distance, self.distance, self.frr)),
        )


def rate_curve(counts: PairCounts, pool: Pool = "pairs") -> RateCurve:
    """FAR and FRR at the edges of some counts.

    With ``pool="pairs"`` every unordered pair counts once: ``FAR(d)`` is accepted negative pairs
    over negative pairs, ``FRR(d)`` rejected positive pairs over positive pairs, at the pool edges.
    With ``pool="classes"`` they are the means of the classes' own rates, at the class edges.

    Parameters
    ----------
    counts : PairCounts
        With at least one positive and one negative pair.
    pool : "pairs" or "classes"

    Returns
    -------
    RateCurve
    """
    if pool == "pairs":
        return RateCurve(
            distance=counts.distance,
            far=counts.pool_negative / counts.negative,
            frr=(counts.positive - counts.pool_positive) / counts.positive,
            positive=counts.distinct_positive,
            negative=counts.distinct_negative,
        )
    far = np.zeros(counts.class_edge.size)
    frr = np.zeros(counts.class_edge.size)
    # Sums of rates, not products with a matrix: they rise and fall as the counts do, to the last
    # bit, and end at 1 and 0.
    for start in range(0, counts.classes, _CLASSES_AT_ONCE):
        part = slice(start, start + _CLASSES_AT_ONCE)
        positives = counts.positives_of_class[part, None]
        far += (counts.class_negative[part] / counts.negatives_of_class[part, None]).sum(axis=0)
        frr += ((positives - counts.class_positive[part]) / positives).sum(axis=0)
    return RateCurve(
        distance=counts.class_distance,
        far=far / counts.classes,
        frr=frr / counts.classes,
        positive=counts.distinct_positive,
        negative=counts.distinct_negative,
    )


@dataclass(frozen=True, slots=True)
class ClassCountsAt:
    """Accepted pairs of every class at some thresholds.

    Attributes
    ----------
    positive, negative : float64 arrays of shape (T, K)
        Whole numbers where `exact`; else interpolated between the class edges on either side.
    exact : bool array of shape (K,)
        Which thresholds are class edges.
    """

    positive: Floats
    negative: Floats
    exact: NDArray[np.bool_]


def has_class_counts_at(counts: PairCounts, distance: float) -> bool:
    """Whether counts per class are known about a threshold; in a slim run they may be left out."""
    try:
        class_counts_at(counts, np.array([distance]), slice(0, 1))
    except InputError:
        return False
    return True


def class_counts_at(
    counts: PairCounts, distance: Floats, classes: slice = slice(None)
) -> ClassCountsAt:
    """Accepted pairs of every class at thresholds of shape (K,), linear between class edges."""
    edges = counts.class_distance
    above = np.clip(np.searchsorted(edges, distance), 1, edges.size - 1)
    below = above - 1
    weight = np.clip((distance - edges[below]) / (edges[above] - edges[below]), 0.0, 1.0)
    # As in RateCurve.edge_at: what differs from an edge in the tenth digit is that edge.
    near = _SAME_EDGE * np.maximum(distance, 1e-300)
    weight = np.where(np.abs(distance - edges[below]) <= near, 0.0, weight)
    weight = np.where(np.abs(distance - edges[above]) <= near, 1.0, weight)
    counts.need_class_edges(np.concatenate([below[weight < 1.0], above[weight > 0.0]]))

    def between(accepted: ClassEstimates) -> Floats:
        part = accepted[classes]
        low = part[:, below].astype(np.float64)
        low += weight * (part[:, above] - part[:, below])
        return low

    return ClassCountsAt(
        positive=between(counts.class_positive),
        negative=between(counts.class_negative),
        exact=(weight == 0.0) | (weight == 1.0),
    )
