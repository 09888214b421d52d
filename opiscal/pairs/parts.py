"""Counts of parts of a set, on the edges of the whole: its groups, and halves of its classes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet, Label
from opiscal.pairs.counting import CountedSet
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.jobs import EvaluationJobs, Job, whole_job
from opiscal.pairs.pair_settings import PairSettings
from opiscal.pairs.plan import PairPlan, plan_pairs
from opiscal.pairs.sorted_rows import SortedRows

T = TypeVar("T")


def set_jobs(
    embeddings: EmbeddingSet,
    rows: SortedRows,
    settings: PairSettings,
    threads: int | None,
    *,
    ranks: bool,
    splits: int,
    seed: int,
    plan: PairPlan | None = None,
) -> EvaluationJobs:
    """The counts that the evaluation of a set asks for.

    Parameters
    ----------
    embeddings : EmbeddingSet
    rows : SortedRows
    settings : PairSettings
        By which each is planned.
    threads : int, optional
        For a budget.
    ranks : bool
        Whether neighbour ranks of the whole are wanted.
    splits : int
        How often classes are halved.
    seed : int
    plan : PairPlan, optional
        By which the count of the whole was begun before.
    """
    plan = plan or plan_pairs(settings, rows.rows, embeddings.dimensions, threads)
    return EvaluationJobs(
        whole_job(rows, plan, ranks),
        tuple(group_jobs(embeddings, rows, settings, threads)),
        tuple(half_jobs(embeddings, rows, settings, threads, splits=splits, seed=seed)),
    )


def group_jobs(
    embeddings: EmbeddingSet, rows: SortedRows, settings: PairSettings, threads: int | None
) -> list[tuple[Label, Job]]:
    """Counts of the pairs with both ends in one group, for every group that has a labelled row.

    Empty where the set has no groups.
    """
    if embeddings.groups is None or embeddings.group_of_row is None:
        return []
    group = embeddings.group_of_row[rows.classes.place]
    labelled = np.bincount(group[(rows.classes.class_id >= 0) & (group >= 0)])
    out = []
    for index in np.flatnonzero(labelled).tolist():
        name = embeddings.groups[index]
        chosen = partial(_of_group, group, index)
        out.append(
            (name, _part_job(f"group-{index}", f"group {name}", chosen, rows, settings, threads))
        )
    return out


def half_jobs(
    embeddings: EmbeddingSet,
    rows: SortedRows,
    settings: PairSettings,
    threads: int | None,
    *,
    splits: int,
    seed: int,
) -> list[Job]:
    """Counts of both halves of the classes, for every split; every row is in one half.

    Scored classes are halved among themselves, so that both halves have as many; classes of one
    row and distractors fall to either half by chance.
    """
    out = []
    for number in range(splits):
        for side in (1, 2):
            name, title = half_name(number, side)
            chosen = partial(_half, rows, len(embeddings.labels), (seed, number), side)
            out.append(_part_job(name, title, chosen, rows, settings, threads))
    return out


def half_name(split: int, side: int) -> tuple[str, str]:
    """Name and title of the count of one half of a split."""
    return f"split-{split}-{side}", f"split {split + 1}, half {side}"


def with_groups(found: Sequence[CountedSet], jobs: EvaluationJobs) -> PairCounts:
    """The counts of the whole, with those of its groups, of what was counted for `jobs.first`."""
    whole, *groups = found
    names = [name for name, _ in jobs.groups]
    counts = [part.counts for part in groups]
    return whole.counts.with_groups(tuple(zip(names, counts, strict=True)))


def in_pairs(found: Sequence[T]) -> list[tuple[T, T]]:
    """What was counted of halves, split by split.

    Examples
    --------
    >>> in_pairs([1, 2, 3, 4])
    [(1, 2), (3, 4)]
    """
    return list(zip(found[::2], found[1::2], strict=True))


def _part_job(
    name: str,
    title: str,
    chosen: Callable[[], tuple[NDArray[np.bool_]]],
    rows: SortedRows,
    settings: PairSettings,
    threads: int | None,
) -> Job:
    """The count of some rows of a set, planned by its own size; time is not measured again."""
    own = replace(settings, budget=None, sample_pairs=None)
    (here,) = chosen()
    plan = plan_pairs(own, int(np.count_nonzero(here)), rows.vectors.shape[1], threads)
    labelled = int(np.count_nonzero(here & (rows.classes.class_id >= 0)))
    distractors = int(np.count_nonzero(here)) - labelled
    pairs = labelled * (labelled - 1) // 2 + labelled * distractors
    return Job(name, title, chosen, plan, pairs)


def _of_group(group: NDArray[np.integer], index: int) -> tuple[NDArray[np.bool_]]:
    return (group == index,)


def _half(
    rows: SortedRows, labels: int, seed: tuple[int, int], side: int
) -> tuple[NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    scored, ids = rows.classes.scored, rows.classes.class_id
    in_half = rng.random(labels) < 0.5
    in_half[scored] = False
    in_half[rng.permutation(scored)[: scored.size // 2]] = True
    first = np.where(ids >= 0, in_half[ids], rng.random(ids.size) < 0.5)
    return (first if side == 1 else ~first,)
