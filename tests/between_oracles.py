"""Two sets by plain loops: every query with every gallery row. Nothing of `opiscal` is imported.

Classes are integers, `DISTRACTOR` (-1) for rows of none. `ids`, where given, are two lists of names
of items: a query and a gallery row of the same name make no pair, and None is no name. Names are
unique on each side in what is asked of items.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from oracles import DISTRACTOR, PairTable, Vector, distance

Names = tuple[Sequence[object], Sequence[object]]


@dataclass(frozen=True)
class Side:
    """The rows of one side."""

    vectors: Sequence[Vector]
    classes: Sequence[int]


def is_pair(queries: Side, gallery: Side, i: int, j: int, ids: Names | None) -> bool:
    """Distractors make no pairs among themselves, an item none with itself."""
    if ids is not None and ids[0][i] is not None and ids[0][i] == ids[1][j]:
        return False
    return not queries.classes[i] == gallery.classes[j] == DISTRACTOR


def between_table(
    queries: Side, gallery: Side, metric: str = "cosine", ids: Names | None = None
) -> PairTable:
    """All pairs of a query and a gallery row, as a table of one set.

    Its rows are the queries, then the gallery rows that are not one item with a query of the same
    class: the pairs of such a row are those of the query.
    """
    item = {}
    rows = len(queries.vectors)
    for j, c in enumerate(gallery.classes):
        same = [
            i
            for i, d in enumerate(queries.classes)
            if ids is not None and c == d != DISTRACTOR and ids[0][i] is not None
            and ids[0][i] == ids[1][j]
        ]  # fmt: skip
        item[j] = same[0] if same else rows
        rows += not same
    pairs = [
        (i, j, distance(queries.vectors[i], gallery.vectors[j], metric))
        for i in range(len(queries.vectors))
        for j in range(len(gallery.vectors))
        if is_pair(queries, gallery, i, j, ids)
    ]
    positive = [p for p in pairs if queries.classes[p[0]] == gallery.classes[p[1]]]
    scored = sorted({queries.classes[i] for i, _, _ in positive})
    table = PairTable(
        scored=scored,
        positive={c: [] for c in scored},
        negative={c: [] for c in scored},
        pool_positive=[],
        pool_negative=[],
        row_positive=[[] for _ in range(rows)],
        row_negative=[[] for _ in range(rows)],
        rows_of={
            c: sorted(
                {i for i, d in enumerate(queries.classes) if d == c}
                | {item[j] for j, d in enumerate(gallery.classes) if d == c}
            )
            for c in scored
        },
    )
    for i, j, d in pairs:
        c, e = queries.classes[i], gallery.classes[j]
        if c == e:
            table.pool_positive.append(d)
            table.positive[c].append(d)
            rows_of_pair = table.row_positive
        else:
            table.pool_negative.append(d)
            for end in (c, e):
                if end in table.negative:
                    table.negative[end].append(d)
            rows_of_pair = table.row_negative
        rows_of_pair[i].append(d)
        rows_of_pair[item[j]].append(d)
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


@dataclass(frozen=True)
class ClassPairs:
    """Sums over all pairs of two classes, of which ``A`` of ``M`` pairs are accepted."""

    squares: int
    products: int
    by_accepted: dict[int, int]
    by_pairs: dict[int, int]


def class_pair_sums(
    queries: Side, gallery: Side, threshold: float, metric: str, ids: Names | None = None
) -> ClassPairs:
    """Of each class the last two are sums over the scored ones it meets.

    A distractor is a class of its own.
    """
    accepted: dict[frozenset[object], int] = {}
    pairs: dict[frozenset[object], int] = {}
    scored = set(between_table(queries, gallery, metric, ids).scored)
    for i, c in enumerate(queries.classes):
        for j, e in enumerate(gallery.classes):
            if c == e or not is_pair(queries, gallery, i, j, ids):
                continue
            of_query: object = ("query", i) if c == DISTRACTOR else c
            of_item: object = ("item", j) if e == DISTRACTOR else e
            ends = frozenset([of_query, of_item])
            near = distance(queries.vectors[i], gallery.vectors[j], metric) <= threshold
            accepted[ends] = accepted.get(ends, 0) + near
            pairs[ends] = pairs.get(ends, 0) + 1

    def of_class(c: int, table: dict[frozenset[object], int]) -> int:
        return sum(many for ends, many in table.items() if c in ends)

    def met(c: int, table: dict[frozenset[object], int]) -> int:
        return sum(
            many * of_class(d, table)
            for d in scored - {c}
            for ends, many in accepted.items()
            if ends == {c, d}
        )

    return ClassPairs(
        squares=sum(many * many for many in accepted.values()),
        products=sum(many * pairs[ends] for ends, many in accepted.items()),
        by_accepted={c: met(c, accepted) for c in scored},
        by_pairs={c: met(c, pairs) for c in scored},
    )


@dataclass(frozen=True)
class Neighbours:
    """What a query meets in the gallery, the nearest first; of rows as near the one read first."""

    distance: list[float]
    is_positive: list[bool]


def neighbours(
    queries: Side, gallery: Side, metric: str = "cosine", ids: Names | None = None
) -> list[Neighbours]:
    """The neighbours of every query."""
    out = []
    for i, c in enumerate(queries.classes):
        met = sorted(
            (distance(queries.vectors[i], gallery.vectors[j], metric), j)
            for j in range(len(gallery.vectors))
            if is_pair(queries, gallery, i, j, ids)
        )
        out.append(
            Neighbours(
                [d for d, _ in met],
                [c != DISTRACTOR and gallery.classes[j] == c for _, j in met],
            )
        )
    return out


def ranks(found: Sequence[Neighbours]) -> list[int]:
    """How many negatives come before the nearest positive, of the queries that have one."""
    return [one.is_positive.index(True) for one in found if any(one.is_positive)]


def unknown(found: Sequence[Neighbours]) -> list[Neighbours]:
    """Those of the queries whose class is not in the gallery."""
    return [one for one in found if not any(one.is_positive)]


def false_positives(found: Sequence[Neighbours], threshold: float) -> int:
    """Unknown queries with an accepted gallery row."""
    return sum(bisect_right(one.distance, threshold) > 0 for one in unknown(found))


def fpir(found: Sequence[Neighbours], threshold: float) -> float:
    """The share of the unknown queries that have an accepted gallery row."""
    return false_positives(found, threshold) / len(unknown(found))


def identified(found: Sequence[Neighbours], threshold: float) -> int:
    """Known queries whose nearest gallery row is of their class and accepted."""
    return sum(
        any(one.is_positive) and one.is_positive[0] and one.distance[0] <= threshold
        for one in found
    )


def fnir(found: Sequence[Neighbours], threshold: float) -> float:
    """The share of the known queries whose nearest row is of another class, or not accepted."""
    known = len(found) - len(unknown(found))
    return 1 - identified(found, threshold) / known
