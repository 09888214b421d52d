"""Job: one count that an evaluation asks for, of a whole set or of a part of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label
from opiscal.pairs.plan import PairPlan
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.two_sets import TwoSets

Whole = SortedRows | TwoSets
"""The rows of a set, or those of queries and of a gallery."""


@dataclass(frozen=True, slots=True)
class Job:
    """A count.

    Attributes
    ----------
    name : str
        Short, and no other job of the evaluation has it.
    title : str
        For progress.
    chosen : callable, or None
        Gives the sorted places that take part, a bool array of shape (rows,) for each side; there
        may be many jobs, and such arrays are large. None for the whole.
    plan : PairPlan
    pairs : int
        That are compared, for progress.
    ranks : bool
        Whether neighbour ranks are wanted.
    """

    name: str
    title: str
    chosen: Callable[[], tuple[NDArray[np.bool_], ...]] | None
    plan: PairPlan
    pairs: int
    ranks: bool = False

    def rows(self, whole: Whole) -> Whole:
        """The rows of the job, of those of the whole."""
        return whole if self.chosen is None else whole.subset(*self.chosen())


@dataclass(frozen=True, slots=True)
class EvaluationJobs:
    """All counts that an evaluation asks for.

    Attributes
    ----------
    whole : Job
    groups : tuple of pairs of a label and a Job
        Of the pairs with both ends in one group.
    halves : tuple of Job
        Of one half of the classes and of the other, for every split.
    """

    whole: Job
    groups: tuple[tuple[Label, Job], ...] = ()
    halves: tuple[Job, ...] = ()

    @property
    def first(self) -> list[Job]:
        """The whole, and the groups."""
        return [self.whole, *(job for _, job in self.groups)]

    @property
    def every(self) -> list[Job]:
        """All of them."""
        return [*self.first, *self.halves]


def whole_job(whole: Whole, plan: PairPlan, ranks: bool) -> Job:
    """The count of all rows."""
    compared = whole.pairs
    if plan.mode == "sampled":
        assert isinstance(whole, SortedRows)
        compared = whole.rows * plan.columns
    return Job("set", "counting pairs", None, plan, compared, ranks)
