"""Counts of parts of a set, on the edges of the whole: its groups, and halves of its classes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet, Label
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.exact import Progress
from opiscal.pairs.sorted_rows import SortedRows

Stage = Callable[[str, int], Progress | None]
"""Opens a stage of work, named, of so many pairs; gives what is called as they are counted."""


Count = Callable[[SortedRows, Progress | None], PairCounts]
"""Counts the pairs of some rows of the set."""


def count_groups(
    embeddings: EmbeddingSet, rows: SortedRows, count: Count, stage: Stage
) -> tuple[tuple[Label, PairCounts], ...]:
    """Counts of the pairs with both ends in one group, for every group that has a labelled row.

    Empty where the set has no groups.
    """
    if embeddings.groups is None or embeddings.group_of_row is None:
        return ()
    group = embeddings.group_of_row[rows.classes.place]
    out = []
    for index, name in enumerate(embeddings.groups):
        part = rows.subset(group == index)
        if part.classes.labelled > 0:
            out.append((name, count(part, stage(f"group {name}", part.pairs))))
    return tuple(out)


def count_halves(
    embeddings: EmbeddingSet,
    rows: SortedRows,
    count: Count,
    stage: Stage,
    *,
    splits: int,
    seed: int,
) -> list[tuple[PairCounts, PairCounts]]:
    """Counts of both halves of the classes, for every split; every row is in one half.

    Scored classes are halved among themselves, so that both halves have as many; classes of one
    row and distractors fall to either half by chance.
    """
    out = []
    for number in range(splits):
        chosen = _half(rows, len(embeddings.labels), np.random.default_rng([seed, number]))
        parts = (rows.subset(chosen), rows.subset(~chosen))
        advance = stage(f"split {number + 1}", sum(part.pairs for part in parts))
        first, second = (count(part, advance) for part in parts)
        out.append((first, second))
    return out


def _half(rows: SortedRows, labels: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    scored, ids = rows.classes.scored, rows.classes.class_id
    in_half = rng.random(labels) < 0.5
    in_half[scored] = False
    in_half[rng.permutation(scored)[: scored.size // 2]] = True
    return np.where(ids >= 0, in_half[ids], rng.random(ids.size) < 0.5)
