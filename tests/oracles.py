"""The truth, by plain loops over pairs: every definition of the contract, slowly and obviously.

Nothing of `opiscal` is imported here, and no NumPy. A set is two lists: `vectors`, lists of numbers
in the order of reading, and `classes`, an integer for each row, `DISTRACTOR` (-1) for rows that are
negatives for every class, belong to none and make no pair among themselves.

Make a `PairTable` once with `pair_table`; every other function reads its sorted distances. A pair
is accepted at a threshold when its distance is **at most** the threshold.

Options have one spelling everywhere: `metric` is "cosine" or "l2"; `kind` of utility is
"sensitivity-specificity" or "precision-recall" and `weight` is its c; `pool` is "pairs" (every
unordered pair once) or "classes" (the mean of the per-class rates).
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

DISTRACTOR = -1

Vector = Sequence[float]


@dataclass(frozen=True)
class PairTable:
    """Ascending distances of the pairs of one set.

    Attributes
    ----------
    scored : list of int
        The classes of two rows or more, ascending; a class of one row is a negative and no more.
    positive, negative : dict of class to list
        Of each scored class: pairs with both ends in it; pairs with exactly one end in it.
    pool_positive, pool_negative : list
        All pairs of one class, all pairs of two classes, every unordered pair once.
    row_positive, row_negative : list of lists
        Of each row, distractors included: its distances to rows of its class, and to the others.
    rows_of : dict of class to list of int
        The rows of each scored class.
    """

    scored: list[int]
    positive: dict[int, list[float]]
    negative: dict[int, list[float]]
    pool_positive: list[float]
    pool_negative: list[float]
    row_positive: list[list[float]]
    row_negative: list[list[float]]
    rows_of: dict[int, list[int]]


def distance(x: Vector, y: Vector, metric: str = "cosine") -> float:
    """Euclidean distance, under "cosine" of the rows scaled to unit length: ``sqrt(2 - 2 s)``."""
    if metric == "cosine":
        x, y = unit(x), unit(y)
    return math.sqrt(sum((float(a) - float(b)) ** 2 for a, b in zip(x, y, strict=True)))


def unit(x: Vector) -> list[float]:
    """``x / |x|``."""
    length = math.sqrt(sum(float(a) ** 2 for a in x))
    return [float(a) / length for a in x]


def pair_table(
    vectors: Sequence[Vector], classes: Sequence[int], metric: str = "cosine"
) -> PairTable:
    """Go through all pairs of rows and sort their distances."""
    rows = range(len(vectors))
    sizes: dict[int, int] = {}
    for c in classes:
        if c != DISTRACTOR:
            sizes[c] = sizes.get(c, 0) + 1
    scored = sorted(c for c, size in sizes.items() if size >= 2)
    table = PairTable(
        scored=scored,
        positive={c: [] for c in scored},
        negative={c: [] for c in scored},
        pool_positive=[],
        pool_negative=[],
        row_positive=[[] for _ in rows],
        row_negative=[[] for _ in rows],
        rows_of={c: [i for i in rows if classes[i] == c] for c in scored},
    )
    for i in rows:
        for j in rows[i + 1 :]:
            if classes[i] == DISTRACTOR and classes[j] == DISTRACTOR:
                continue
            d = distance(vectors[i], vectors[j], metric)
            if classes[i] == classes[j]:
                table.pool_positive.append(d)
                table.positive[classes[i]].append(d)
                table.row_positive[i].append(d)
                table.row_positive[j].append(d)
            else:
                table.pool_negative.append(d)
                for end in (i, j):
                    table.row_negative[end].append(d)
                    if classes[end] in table.negative:
                        table.negative[classes[end]].append(d)
    for distances in (
        table.pool_positive,
        table.pool_negative,
        *table.positive.values(),
        *table.negative.values(),
        *table.row_positive,
        *table.row_negative,
    ):
        distances.sort()
    return table


# Counts


def accepted(ascending: Sequence[float], threshold: float) -> int:
    """How many distances are at most `threshold`."""
    return bisect_right(ascending, threshold)


def squares_and_products(table: PairTable, c: int, threshold: float) -> tuple[int, int, int]:
    """Sums over the rows of class `c` of ``p^2``, ``n^2`` and ``p n``.

    ``p`` and ``n`` are the accepted positives and the accepted negatives of a row.
    """
    squares = negative_squares = products = 0
    for row in table.rows_of[c]:
        p = accepted(table.row_positive[row], threshold)
        n = accepted(table.row_negative[row], threshold)
        squares += p * p
        negative_squares += n * n
        products += p * n
    return squares, negative_squares, products


# Rates and utility


def class_far(table: PairTable, c: int, threshold: float) -> float:
    """Accepted negative pairs of the class / its negative pairs; 0 where it has none."""
    total = len(table.negative[c])
    return accepted(table.negative[c], threshold) / total if total else 0.0


def class_frr(table: PairTable, c: int, threshold: float) -> float:
    """Rejected positive pairs of the class / its positive pairs."""
    total = len(table.positive[c])
    return (total - accepted(table.positive[c], threshold)) / total


def far(table: PairTable, threshold: float, pool: str = "pairs") -> float:
    """FAR of all pairs, or the mean of the classes' FARs."""
    if pool == "classes":
        return _mean([class_far(table, c, threshold) for c in table.scored])
    total = len(table.pool_negative)
    return accepted(table.pool_negative, threshold) / total if total else 0.0


def frr(table: PairTable, threshold: float, pool: str = "pairs") -> float:
    """FRR of all pairs, or the mean of the classes' FRRs."""
    if pool == "classes":
        return _mean([class_frr(table, c, threshold) for c in table.scored])
    total = len(table.pool_positive)
    return (total - accepted(table.pool_positive, threshold)) / total if total else 0.0


def class_utility(
    table: PairTable,
    c: int,
    threshold: float,
    kind: str = "sensitivity-specificity",
    weight: float = 1.0,
) -> float:
    """Utility ``U_c(threshold)``, the F-score of one class."""
    w = weight * weight
    if kind == "sensitivity-specificity":
        sensitivity = 1.0 - class_frr(table, c, threshold)
        specificity = 1.0 - class_far(table, c, threshold)
        if sensitivity == 0 and specificity == 0:
            return 0.0
        return (1 + w) * specificity * sensitivity / (w * specificity + sensitivity)
    if kind == "precision-recall":
        tp = accepted(table.positive[c], threshold)
        fn = len(table.positive[c]) - tp
        fp = accepted(table.negative[c], threshold)
        return 0.0 if tp == 0 else (1 + w) * tp / ((1 + w) * tp + w * fn + fp)
    raise ValueError(kind)


def mean_utility(
    table: PairTable,
    threshold: float,
    kind: str = "sensitivity-specificity",
    weight: float = 1.0,
) -> float:
    """Mean of the utilities of the scored classes, every class weighing the same."""
    return _mean([class_utility(table, c, threshold, kind, weight) for c in table.scored])


# Thresholds: always one of `edges`, which ascend; None where there is none


def threshold_for_far(
    table: PairTable, edges: Sequence[float], target: float, pool: str = "pairs"
) -> float | None:
    """The largest edge whose FAR is at most `target`; None where the smallest accepts too much."""
    allowed = [d for d in edges if far(table, d, pool) <= target]
    return max(allowed) if allowed else None


def threshold_for_frr(
    table: PairTable, edges: Sequence[float], target: float, pool: str = "pairs"
) -> float | None:
    """The smallest edge whose FRR is at most `target`; None where even the largest rejects more."""
    allowed = [d for d in edges if frr(table, d, pool) <= target]
    return min(allowed) if allowed else None


def threshold_for_utility(
    table: PairTable,
    edges: Sequence[float],
    kind: str = "sensitivity-specificity",
    weight: float = 1.0,
) -> float:
    """The edge with the highest class-mean utility, the smaller distance on a tie."""
    best = -1.0
    chosen = math.nan
    for d in edges:
        utility = mean_utility(table, d, kind, weight)
        if utility > best:
            best, chosen = utility, d
    return chosen


def observed_edges(table: PairTable) -> list[float]:
    """All distances that occur: the finest edges there can be."""
    return sorted({*table.pool_positive, *table.pool_negative})


def eer(table: PairTable, edges: Sequence[float], pool: str = "pairs") -> tuple[float, float]:
    """Equal error rate: the edge where FAR and FRR are closest (the smaller on a tie), their mean.

    With `observed_edges` it is the value that any lattice can only bracket.
    """
    closest = math.inf
    answer = (math.nan, math.nan)
    for d in edges:
        accepted_wrongly, rejected_wrongly = far(table, d, pool), frr(table, d, pool)
        gap = abs(accepted_wrongly - rejected_wrongly)
        if gap < closest:
            closest, answer = gap, (d, (accepted_wrongly + rejected_wrongly) / 2)
    return answer


def eer_bracket(
    table: PairTable, edges: Sequence[float], pool: str = "pairs"
) -> tuple[float | None, float | None]:
    """The last edge with FAR below FRR, and the first with FAR at least FRR; None where none is."""
    below = [d for d in edges if far(table, d, pool) < frr(table, d, pool)]
    above = [d for d in edges if far(table, d, pool) >= frr(table, d, pool)]
    return (max(below) if below else None), (min(above) if above else None)


def auc(table: PairTable) -> float:
    """Probability that a positive pair is nearer than a negative one; a tie counts half."""
    wins = 0.0
    for p in table.pool_positive:
        for n in table.pool_negative:
            wins += 1.0 if p < n else 0.5 if p == n else 0.0
    return wins / (len(table.pool_positive) * len(table.pool_negative))


def calibration_range(
    table: PairTable,
    edges: Sequence[float],
    kind: str,
    one: float,
    other: float,
    pool: str = "pairs",
) -> tuple[float, float] | None:
    """The ends ``(d_lo, d_hi)`` of ``--range kind=one:other``, given in either order.

    Parameters
    ----------
    kind : "far", "frr", "distance" or "similarity"
        Each end of "far" is the largest edge with FAR at most the asked one, of "frr" the smallest
        edge with FRR at most it. "distance" is taken as it is, and a similarity ``s`` is the
        distance ``sqrt(2 - 2 s)``, no edges asked.

    Returns
    -------
    pair of float, or None
        None where an end does not exist.
    """
    if kind == "far":
        ends = [threshold_for_far(table, edges, rate, pool) for rate in (one, other)]
    elif kind == "frr":
        ends = [threshold_for_frr(table, edges, rate, pool) for rate in (one, other)]
    elif kind == "distance":
        ends = [one, other]
    elif kind == "similarity":
        ends = [math.sqrt(2.0 - 2.0 * s) for s in (one, other)]
    else:
        raise ValueError(kind)
    if ends[0] is None or ends[1] is None:
        return None
    return min(ends[0], ends[1]), max(ends[0], ends[1])


# Consistency


def exact_thresholds(class_edges: Sequence[float], low: float, high: float) -> list[float]:
    """Thresholds of ``--integration exact``: the class edges in the range and its two ends."""
    return sorted({low, high, *(d for d in class_edges if low <= d <= high)})


def grid_thresholds(low: float, high: float, k: int) -> list[float]:
    """Thresholds of ``--integration grid:K``: `k` evenly spaced, the two ends among them."""
    if k == 1 or low == high:
        return [low]
    return [low + (high - low) * step / (k - 1) for step in range(k)]


def mean_over_range(
    values: Sequence[float], thresholds: Sequence[float], integration: str = "exact"
) -> float:
    """Mean of a function that is known at some thresholds.

    "exact": its integral by the trapezoid over ``thresholds[-1] - thresholds[0]``, or its one value
    where the range has no width. "grid": the mean of its values.
    """
    if integration == "grid":
        return _mean(values)
    if thresholds[-1] == thresholds[0]:
        return values[0]
    area = 0.0
    for k in range(1, len(thresholds)):
        area += (thresholds[k] - thresholds[k - 1]) * (values[k] + values[k - 1]) / 2
    return area / (thresholds[-1] - thresholds[0])


def opis(
    table: PairTable,
    thresholds: Sequence[float],
    integration: str = "exact",
    kind: str = "sensitivity-specificity",
    weight: float = 1.0,
) -> float:
    """OPIS over given thresholds, ascending.

    Mean over classes and over the range of ``(U_i(d) - mean_j U_j(d))^2``. Use `exact_thresholds`
    with "exact" and `grid_thresholds` with "grid".
    """
    integrand = []
    for d in thresholds:
        utilities = [class_utility(table, c, d, kind, weight) for c in table.scored]
        mean = _mean(utilities)
        integrand.append(_mean([(u - mean) ** 2 for u in utilities]))
    return mean_over_range(integrand, thresholds, integration)


def class_mean_utilities(
    table: PairTable,
    thresholds: Sequence[float],
    integration: str = "exact",
    kind: str = "sensitivity-specificity",
    weight: float = 1.0,
) -> dict[int, float]:
    """Mean utility of each scored class over the range: by this eps-OPIS ranks them once."""
    return {
        c: mean_over_range(
            [class_utility(table, c, d, kind, weight) for d in thresholds], thresholds, integration
        )
        for c in table.scored
    }


def worst_count(classes: int, epsilon: float) -> int:
    """How many classes the worst share `epsilon` is: ``max(1, ceil(eps T - 1e-9))``."""
    return max(1, math.ceil(epsilon * classes - 1e-9))


def epsilon_opis(
    table: PairTable,
    thresholds: Sequence[float],
    epsilon: float = 0.1,
    against: str = "others",
    rank: str = "range",
    integration: str = "exact",
    kind: str = "sensitivity-specificity",
    weight: float = 1.0,
) -> float:
    """eps-OPIS over given thresholds, ascending: worst classes against others or against the best.

    Mean over the range of ``(mean_worst U(d) - mean_rest U(d))^2``.

    Parameters
    ----------
    against : "others" or "best"
        The rest is all other classes, or the best `worst_count` of them.
    rank : "range" or "threshold"
        Classes are ranked once by their mean utility over the range, or anew at every threshold;
        ties by class.
    """
    worst = worst_count(len(table.scored), epsilon)
    over_range = class_mean_utilities(table, thresholds, integration, kind, weight)
    integrand = []
    for d in thresholds:
        here = {c: class_utility(table, c, d, kind, weight) for c in table.scored}
        ranked_by = here if rank == "threshold" else over_range
        order = sorted(table.scored, key=lambda c: (ranked_by[c], c))
        rest = order[-worst:] if against == "best" else order[worst:]
        gap = _mean([here[c] for c in order[:worst]]) - _mean([here[c] for c in rest])
        integrand.append(gap * gap)
    return mean_over_range(integrand, thresholds, integration)


# Retrieval


def neighbours(vectors: Sequence[Vector], row: int, metric: str = "cosine") -> list[int]:
    """All other rows, the nearest first; of rows as near the one read first."""
    others = [j for j in range(len(vectors)) if j != row]
    return sorted(others, key=lambda j: (distance(vectors[row], vectors[j], metric), j))


def nearest_positive_ranks(
    vectors: Sequence[Vector], classes: Sequence[int], metric: str = "cosine"
) -> dict[int, int]:
    """How many negatives come before the nearest positive, of each row whose class has another."""
    ranks = {}
    for row, c in enumerate(classes):
        if c == DISTRACTOR or list(classes).count(c) < 2:
            continue
        hits = [classes[j] == c for j in neighbours(vectors, row, metric)]
        ranks[row] = hits.index(True)
    return ranks


def recall_at(
    vectors: Sequence[Vector], classes: Sequence[int], k: int, metric: str = "cosine"
) -> float:
    """Share of the rows whose class has another row that have one among the `k` nearest rows."""
    queries = hits = 0
    for row, c in enumerate(classes):
        if c == DISTRACTOR or list(classes).count(c) < 2:
            continue
        queries += 1
        hits += any(classes[j] == c for j in neighbours(vectors, row, metric)[:k])
    return hits / queries


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
