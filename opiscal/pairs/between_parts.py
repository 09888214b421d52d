"""Counts of parts of two sets, on the edges of the whole: its groups, and halves of its classes."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet, Label
from opiscal.pairs.absent_rows import without_vectors
from opiscal.pairs.jobs import EvaluationJobs, Job, whole_job
from opiscal.pairs.parts import half_name
from opiscal.pairs.plan import PairPlan
from opiscal.pairs.two_sets import TwoSets


def between_jobs(
    embeddings: EmbeddingSet, two: TwoSets, plan: PairPlan, *, ranks: bool, splits: int, seed: int
) -> EvaluationJobs:
    """The counts that the evaluation of two sets asks for; as `opiscal.pairs.parts.set_jobs`."""
    return EvaluationJobs(
        whole_job(two, plan, ranks),
        tuple(group_jobs_between(embeddings, two, plan)),
        tuple(half_jobs_between(embeddings, two, plan, splits=splits, seed=seed)),
    )


def group_jobs_between(
    embeddings: EmbeddingSet, two: TwoSets, plan: PairPlan
) -> list[tuple[Label, Job]]:
    """Counts of the pairs with both ends in one group, for every group that has any.

    Empty where the set has no groups.
    """
    if embeddings.groups is None or embeddings.group_of_row is None:
        return []
    order = without_vectors(two)
    of_rows = [embeddings.group_of_row[side.read_order] for side in (two.queries, two.gallery)]
    out = []
    for index, name in enumerate(embeddings.groups):
        chosen = partial(_of_group, of_rows, index)
        part = order.subset(*chosen())
        if part.pairs > len(part.same_item):
            out.append((name, Job(f"group-{index}", f"group {name}", chosen, plan, part.pairs)))
    return out


def half_jobs_between(
    embeddings: EmbeddingSet, two: TwoSets, plan: PairPlan, *, splits: int, seed: int
) -> list[Job]:
    """Counts of both halves of the classes, for every split; every row is in one half.

    Scored classes are halved among themselves, so that both halves have as many; the other classes,
    and distractors one by one, fall to either half by chance.
    """
    out = []
    order = without_vectors(two)
    for number in range(splits):
        for side in (1, 2):
            name, title = half_name(number, side)
            chosen = partial(_half, two, len(embeddings.labels), (seed, number), side)
            out.append(Job(name, title, chosen, plan, order.subset(*chosen()).pairs))
    return out


def _of_group(of_rows: Sequence[NDArray[np.integer]], index: int) -> tuple[NDArray[np.bool_], ...]:
    return of_rows[0] == index, of_rows[1] == index


def _half(
    two: TwoSets, labels: int, seed: tuple[int, int], side: int
) -> tuple[NDArray[np.bool_], ...]:
    rng = np.random.default_rng(seed)
    scored = two.queries.classes.scored
    in_half = rng.random(labels) < 0.5
    in_half[scored] = False
    in_half[rng.permutation(scored)[: scored.size // 2]] = True
    first = [
        np.where(ids >= 0, in_half[ids], rng.random(ids.size) < 0.5)
        for ids in (two.queries.classes.class_id, two.gallery.classes.class_id)
    ]
    return tuple(part if side == 1 else ~part for part in first)
