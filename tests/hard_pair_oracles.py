"""Hard pairs by plain loops over all pairs; nothing of `opiscal` is imported, and no NumPy.

A set is `vectors`, lists of numbers as the set holds them (of unit length under cosine), and
`classes`, an integer a row, -1 for a row without a class.
"""

import math
from collections import defaultdict
from collections.abc import Sequence

Vectors = Sequence[Sequence[float]]


def distance(a: Sequence[float], b: Sequence[float]) -> float:
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def all_pairs(vectors: Vectors) -> list[tuple[float, int, int]]:
    rows = range(len(vectors))
    return [(distance(vectors[a], vectors[b]), a, b) for a in rows for b in rows if a < b]


def accepted_negatives(
    pairs: list[tuple[float, int, int]], classes: Sequence[int], threshold: float
) -> list[tuple[float, int, int]]:
    """Nearest first, ties by rows; rows without a class make no pair among themselves."""
    return sorted(p for p in pairs if p[0] <= threshold and classes[p[1]] != classes[p[2]])


def rejected_positives(
    pairs: list[tuple[float, int, int]], classes: Sequence[int], threshold: float
) -> list[tuple[float, int, int]]:
    """Farthest first, ties by rows."""
    found = [p for p in pairs if p[0] > threshold and classes[p[1]] == classes[p[2]] >= 0]
    return sorted(found, key=lambda p: (-p[0], p[1], p[2]))


def class_pairs(
    accepted: list[tuple[float, int, int]], classes: Sequence[int]
) -> list[tuple[int, int, int, int, tuple[float, int, int]]]:
    """Two classes, accepted pairs, all pairs, and the nearest; most accepted first."""
    found = defaultdict(list)
    for pair in accepted:
        a, b = sorted((classes[pair[1]], classes[pair[2]]))
        if a >= 0:
            found[a, b].append(pair)
    size = {c: list(classes).count(c) for c in set(classes)}
    out = [(a, b, len(ps), size[a] * size[b], min(ps)) for (a, b), ps in found.items()]
    return sorted(out, key=lambda o: (-o[2], -o[2] / o[3], o[0], o[1]))


def neighbours(vectors: Vectors, k: int) -> list[list[tuple[float, int]]]:
    rows = range(len(vectors))
    return [sorted((distance(vectors[a], vectors[b]), b) for b in rows if b != a)[:k] for a in rows]


def label_errors(
    near: list[list[tuple[float, int]]], classes: Sequence[int], threshold: float
) -> list[tuple[int, int, float, float, int, int, float]]:
    """Row, suggested class, share, own share, neighbours looked at, nearest of the class."""
    out = []
    size = {c: list(classes).count(c) for c in set(classes)}
    for row, mine in enumerate(classes):
        if mine < 0:
            continue
        for other in sorted(set(classes) - {mine, -1}):
            m = min(len(near[row]), size[other])
            if size[other] < 3:
                continue
            looked = near[row][:m]
            votes = sum(classes[b] == other for _, b in looked)
            own = sum(classes[b] == mine for _, b in looked)
            if votes < 0.8 * m or own > 1:
                continue
            if size[mine] == 1 and (votes < m or looked[-1][0] > threshold):
                continue
            away, nearest = next((d, b) for d, b in looked if classes[b] == other)
            out.append((row, other, votes / m, own / m, m, nearest, away))
    return sorted(out, key=lambda o: (-o[2], o[6], o[0]))


def duplicates(vectors: Vectors, classes: Sequence[int]) -> list[list[int]]:
    groups = defaultdict(list)
    for row, vector in enumerate(vectors):
        groups[tuple(x + 0.0 for x in vector)].append(row)
    return [rows for rows in groups.values() if len({classes[r] for r in rows} - {-1}) > 1]
