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


def far_shape(found):
    """Skewness, curvature and degrees of freedom of the pooled FAR, class by class.

    ``H_i`` is what class `i` moves ``sum R_j^2`` by, to first order: its own square, and twice what
    it adds to the ``R_j`` of all the others, times these; less the like for a class of its size.
    """
    p, _, whole, squares, _ = far_variance_parts(found)
    units = sorted({unit for pair in found for unit in pair})
    meet = {}
    for (i, j), cell in found.items():
        meet[i, j] = meet[j, i] = cell[0] - p * cell[1]
    own = {i: math.fsum(meet.get((i, j), 0.0) for j in units) for i in units}
    pull = {i: math.fsum(meet.get((i, j), 0.0) * own[j] for j in units) for i in units}
    skewness = math.fsum(r**3 for r in own.values()) / whole**1.5
    curvature = math.fsum(own[i] * pull[i] for i in units) / whole**1.5
    size = {i: sum(cell[1] for pair, cell in found.items() if i in pair) ** 2 for i in units}
    share = {i: size[i] / sum(size.values()) for i in units}
    moved = [own[i] ** 2 + 2 * pull[i] - 3 * whole * share[i] for i in units]
    single = 1 - 2 / 3 * min(1, squares / (whole - squares)) if squares < whole else 1 / 3
    return skewness, curvature, 2 * whole**2 / (single * math.fsum(h**2 for h in moved))


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
