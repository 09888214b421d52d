"""Truth for intervals: the paper's sums over pairs of class pairs, in plain Python.

Nothing of `opiscal` is imported here. A set is `vectors` and `classes` as in `oracles.py`; classes
of one row and distractors are classes of their own in these sums.
"""

import math

from oracles import DISTRACTOR, distance


def class_pair_errors(vectors, classes, threshold, metric="cosine"):
    """Accepted and all negative pairs of every two units: ``{(a, b): [accepted, pairs]}``.

    A unit is a class, or one distractor row; units are numbered from 0, scored or not.
    """
    names = [c if c != DISTRACTOR else ("row", i) for i, c in enumerate(classes)]
    units = sorted(set(names), key=str)
    found = {}
    for i in range(len(vectors)):
        for j in range(i + 1, len(vectors)):
            if classes[i] == classes[j]:
                continue
            pair = tuple(sorted((units.index(names[i]), units.index(names[j]))))
            cell = found.setdefault(pair, [0, 0])
            cell[0] += distance(vectors[i], vectors[j], metric) <= threshold
            cell[1] += 1
    return found


def far_variance_parts(found):
    """``p``, ``M``, ``sum R_i^2``, ``S`` and the double loop over class pairs.

    The last is the paper's estimate as it stands: every ``G_ij G_kl`` where ``{i, j}`` and
    ``{k, l}`` share a class, an ordered pair of class pairs at a time.
    """
    accepted = sum(cell[0] for cell in found.values())
    pairs = sum(cell[1] for cell in found.values())
    p = accepted / pairs
    centred = {pair: cell[0] - p * cell[1] for pair, cell in found.items()}
    rows = {}
    for (i, j), g in centred.items():
        rows[i] = rows.get(i, 0.0) + g
        rows[j] = rows.get(j, 0.0) + g
    shared = math.fsum(
        g * h for one, g in centred.items() for other, h in centred.items() if set(one) & set(other)
    )
    squares = math.fsum(g * g for g in centred.values())
    return p, pairs, math.fsum(r * r for r in rows.values()), squares, shared


def frr_variance(errors, pairs):
    """``sum (M_i (FRR_i - FRR))^2 / (sum M_i)^2`` of rejected and all positives of each class."""
    pooled = sum(errors) / sum(pairs)
    moved = [(m * (e / m - pooled)) ** 2 for e, m in zip(errors, pairs, strict=True)]
    return math.fsum(moved) / sum(pairs) ** 2


def wilson(p, n, z):
    """Ends of the Wilson interval: where ``|p - q| = z sqrt(q (1 - q) / n)``, by bisection."""

    def end(low, high):
        # `low` is inside the interval, `high` outside it.
        for _ in range(200):
            middle = (low + high) / 2
            if abs(p - middle) <= z * math.sqrt(middle * (1 - middle) / n):
                low = middle
            else:
                high = middle
        return low

    return end(p, 0.0), end(p, 1.0)


def bound_from_above(bounds):
    """``min over d' >= d`` by looking at every pair of thresholds."""
    return [min(bounds[k:]) for k in range(len(bounds))]


def weighted_figures(weights, utility, nodes):
    """Mean over range and classes, and variance over classes, of curves with class weights.

    `utility` is a list of curves at `nodes`; the trapezoid over all of them.
    """
    total = math.fsum(weights)
    means, spreads = [], []
    for column in zip(*utility, strict=True):
        mean = math.fsum(w * u for w, u in zip(weights, column, strict=True)) / total
        spread = math.fsum(w * (u - mean) ** 2 for w, u in zip(weights, column, strict=True))
        means.append(mean)
        spreads.append(spread / total)

    def over_range(values):
        area = 0.0
        for k in range(1, len(nodes)):
            area += (nodes[k] - nodes[k - 1]) * (values[k] + values[k - 1]) / 2
        return area / (nodes[-1] - nodes[0])

    return over_range(means), over_range(spreads)
