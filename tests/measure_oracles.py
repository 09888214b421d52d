"""More truth: measures on a lattice in plain Python, and whole small sets in double precision.

Nothing of `opiscal` is imported here. `oracles.py` knows the truth at any threshold; the functions
here know what a lattice may say of it: counts at class edges, and straight lines between them.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from oracles import accepted, grid_thresholds, mean_over_range, worst_count

# A printed threshold has nine digits; so near to an edge it is that edge.
SAME_EDGE = 1.01e-8


def nodes(class_edges, low, high, integration="exact"):
    """Thresholds of ``exact`` or ``grid:K`` in a range."""
    if integration.startswith("grid:"):
        return grid_thresholds(low, high, int(integration[5:]))
    return [low, *(d for d in class_edges if low < d < high), *([high] if high > low else [])]


def accepted_on_lattice(ascending, class_edges, threshold):
    """Accepted pairs at a threshold: counted at a class edge, on a straight line between two."""
    at = bisect_left(class_edges, threshold)
    for k in (at, at - 1):
        if 0 <= k < len(class_edges) and (
            abs(class_edges[k] - threshold) <= SAME_EDGE * threshold or class_edges[k] == threshold
        ):
            return accepted(ascending, class_edges[k])
    if at == len(class_edges):
        return accepted(ascending, class_edges[-1])
    low, high = class_edges[at - 1], class_edges[at]
    below, above = accepted(ascending, low), accepted(ascending, high)
    return below + (above - below) * (threshold - low) / (high - low)


def utility_of(positives, accepted_positives, negatives, accepted_negatives, kind, weight):
    """The F-score of the contract from pairs of one class."""
    w = weight * weight
    if kind == "precision-recall":
        tp, fn, fp = accepted_positives, positives - accepted_positives, accepted_negatives
        return 0.0 if tp == 0 else (1 + w) * tp / ((1 + w) * tp + w * fn + fp)
    sens = accepted_positives / positives
    spec = 1.0 - accepted_negatives / negatives
    return 0.0 if sens == 0 and spec == 0 else (1 + w) * spec * sens / (w * spec + sens)


def curves_on_lattice(
    table, class_edges, thresholds, kind="sensitivity-specificity", weight=1.0
) -> list[list[float]]:
    """Utility of each scored class, in order, at some thresholds."""
    return [
        [
            utility_of(
                len(table.positive[c]),
                accepted_on_lattice(table.positive[c], class_edges, d),
                len(table.negative[c]),
                accepted_on_lattice(table.negative[c], class_edges, d),
                kind,
                weight,
            )
            for d in thresholds
        ]
        for c in table.scored
    ]


def _how(integration):
    return "grid" if integration.startswith("grid") else "exact"


def opis_of(curves, thresholds, integration="exact"):
    """OPIS of given utility curves."""
    spread = []
    for column in zip(*curves, strict=True):
        mean = math.fsum(column) / len(column)
        spread.append(math.fsum((u - mean) ** 2 for u in column) / len(column))
    return mean_over_range(spread, thresholds, _how(integration))


def epsilon_opis_of(curves, thresholds, epsilon, against, rank, integration="exact"):
    """eps-OPIS of given utility curves, and the worst classes over the range, the worst first."""
    classes = range(len(curves))
    worst = worst_count(len(curves), epsilon)
    over_range = [mean_over_range(curve, thresholds, _how(integration)) for curve in curves]
    once = sorted(classes, key=lambda c: (over_range[c], c))
    gaps = []
    for k in range(len(thresholds)):
        anew = sorted(classes, key=lambda c, k=k: (curves[c][k], c))
        order = anew if rank == "threshold" else once
        rest = order[-worst:] if against == "best" else order[worst:]
        low = math.fsum(curves[c][k] for c in order[:worst]) / worst
        high = math.fsum(curves[c][k] for c in rest) / len(rest)
        gaps.append((low - high) ** 2)
    return mean_over_range(gaps, thresholds, _how(integration)), once[:worst]


def mean_utility_of(curves, thresholds, integration="exact"):
    """Mean over classes and range."""
    means = [mean_over_range(curve, thresholds, _how(integration)) for curve in curves]
    return math.fsum(means) / len(means)


def auc_on_lattice(table, edges):
    """AUC where pairs between the same two edges count as tied."""
    place = {}
    for pairs, key in ((table.pool_positive, 0), (table.pool_negative, 1)):
        for d in pairs:
            place.setdefault(bisect_left(edges, d), [0, 0])[key] += 1
    wins = passed = 0.0
    for edge in sorted(place):
        positives, negatives = place[edge]
        # A negative here loses to the positives before it, and half to those beside it.
        wins += negatives * (passed + positives / 2)
        passed += positives
    return wins / (len(table.pool_positive) * len(table.pool_negative))


@dataclass(frozen=True)
class DoublePrecision:
    """Every pair of a set of unit vectors by NumPy, for hundreds of rows.

    Attributes
    ----------
    positive, negative : float64 arrays, ascending
    class_positive, class_negative : lists of such arrays, by class
    """

    positive: np.ndarray
    negative: np.ndarray
    class_positive: list
    class_negative: list

    @classmethod
    def of(cls, vectors, classes):
        x = np.asarray(vectors, dtype=np.float64)
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        d = np.sqrt(np.maximum(2.0 - 2.0 * (x @ x.T), 0.0))
        classes = np.asarray(classes)
        same = classes[:, None] == classes[None, :]
        later = np.triu(np.ones(d.shape, bool), 1)
        class_positive, class_negative = [], []
        for c in np.unique(classes):
            own = classes == c
            block = d[np.ix_(own, own)]
            class_positive.append(np.sort(block[np.triu_indices(len(block), 1)]))
            class_negative.append(np.sort(d[np.ix_(own, ~own)].ravel()))
        return cls(
            np.sort(d[same & later]), np.sort(d[~same & later]), class_positive, class_negative
        )

    def far(self, threshold):
        return np.searchsorted(self.negative, threshold, side="right") / len(self.negative)

    def frr(self, threshold):
        return 1.0 - np.searchsorted(self.positive, threshold, side="right") / len(self.positive)

    def plateau(self, far):
        """The largest negative distance with FAR at most `far`, and the next: it rests between."""
        share = np.arange(1, len(self.negative) + 1) / len(self.negative)
        last = int(np.searchsorted(share, far, side="right")) - 1
        return self.negative[last], self.negative[last + 1]

    def consistency(self, low, high, epsilon=0.1, steps=1001):
        """OPIS, eps-OPIS and mean utility over a range, by the trapezoid over even thresholds."""
        thresholds = np.linspace(low, high, steps)
        sens = np.array(
            [np.searchsorted(p, thresholds, side="right") / len(p) for p in self.class_positive]
        )
        spec = np.array(
            [1 - np.searchsorted(n, thresholds, side="right") / len(n) for n in self.class_negative]
        )
        total = sens + spec
        utility = np.divide(2 * sens * spec, total, out=np.zeros_like(total), where=total > 0)
        weight = np.ones(steps)
        weight[[0, -1]] = 0.5
        weight /= weight.sum()
        worst = worst_count(len(utility), epsilon)
        order = np.argsort(utility @ weight, kind="stable")
        gap = utility[order[:worst]].mean(axis=0) - utility[order[worst:]].mean(axis=0)
        return (
            float(((utility - utility.mean(axis=0)) ** 2).mean(axis=0) @ weight),
            float(gap**2 @ weight),
            float((utility @ weight).mean()),
        )
