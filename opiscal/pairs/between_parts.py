"""Counts of parts of two sets, on the edges of the whole: its groups, and halves of its classes."""

import numpy as np

from opiscal.data.embedding_set import EmbeddingSet, Label
from opiscal.pairs.between import Progress, count_between
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.parts import Stage
from opiscal.pairs.two_sets import TwoSets


def count_groups_between(
    embeddings: EmbeddingSet, two: TwoSets, lattice: Lattice, threads: int | None, stage: Stage
) -> tuple[tuple[Label, PairCounts], ...]:
    """Counts of the pairs with both ends in one group, for every group that has any.

    Empty where the set has no groups.
    """
    if embeddings.groups is None or embeddings.group_of_row is None:
        return ()
    of_rows = [embeddings.group_of_row[side.read_order] for side in (two.queries, two.gallery)]
    out = []
    for index, name in enumerate(embeddings.groups):
        part = two.subset(of_rows[0] == index, of_rows[1] == index)
        if part.pairs > len(part.same_item):
            advance = stage(f"group {name}", part.pairs)
            out.append((name, _count(embeddings, part, lattice, threads, advance)))
    return tuple(out)


def count_halves_between(
    embeddings: EmbeddingSet,
    two: TwoSets,
    lattice: Lattice,
    threads: int | None,
    stage: Stage,
    *,
    splits: int,
    seed: int,
) -> list[tuple[PairCounts, PairCounts]]:
    """Counts of both halves of the classes, for every split; every row is in one half.

    Scored classes are halved among themselves, so that both halves have as many; the other classes,
    and distractors one by one, fall to either half by chance.
    """
    out = []
    for number in range(splits):
        rng = np.random.default_rng([seed, number])
        scored = two.queries.classes.scored
        in_half = rng.random(len(embeddings.labels)) < 0.5
        in_half[scored] = False
        in_half[rng.permutation(scored)[: scored.size // 2]] = True
        chosen = [
            np.where(ids >= 0, in_half[ids], rng.random(ids.size) < 0.5)
            for ids in (two.queries.classes.class_id, two.gallery.classes.class_id)
        ]
        parts = two.subset(chosen[0], chosen[1]), two.subset(~chosen[0], ~chosen[1])
        advance = stage(f"split {number + 1}", sum(part.pairs for part in parts))
        first, second = (_count(embeddings, part, lattice, threads, advance) for part in parts)
        out.append((first, second))
    return out


def _count(
    embeddings: EmbeddingSet,
    part: TwoSets,
    lattice: Lattice,
    threads: int | None,
    advance: Progress | None,
) -> PairCounts:
    tally = count_between(part, lattice, threads=threads, progress=advance)
    return tally.counts(part, lattice, embeddings.labels, embeddings.metric)
