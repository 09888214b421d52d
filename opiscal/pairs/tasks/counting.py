"""Counting by tasks, be it one set or two."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from opiscal.data.embedding_set import Label, Metric
from opiscal.pairs.counting import CountedSet
from opiscal.pairs.jobs import Whole
from opiscal.pairs.kernel.ranks import RECALL_CAP
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.tasks.between_tasks import BetweenTasks, plan_between_tasks
from opiscal.pairs.tasks.exact_tasks import ExactTasks, plan_exact_tasks
from opiscal.pairs.tasks.pieces import Piece
from opiscal.pairs.tasks.task import Task
from opiscal.pairs.two_sets import TwoSets


class TaskCounting(Protocol):
    """Counts tasks of some rows."""

    @property
    def needs_nearest(self) -> bool:
        """Whether tasks of negative pairs ask for the nearest positives of their rows."""

    @property
    def bytes_when_finished(self) -> int:
        """What the counts of all tasks take while they are added up."""

    def count(self, task: Task, nearest: Iterable[Piece] = ()) -> list[Piece]:
        """Count the pairs of a task on one thread, within `one_blas_thread`.

        Parameters
        ----------
        task : Task
        nearest : iterable of Piece
            What the tasks that it needs have counted; other pieces than those of nearest
            positives are passed over.
        """

    def add(self, pieces: Iterable[Piece]) -> None:
        """Add what tasks have counted to the tally of the whole."""

    def added(self) -> list[Piece]:
        """All that was added, as pieces that share the tally."""

    def nearest(self, task: Task) -> list[Piece]:
        """The nearest positives of the rows of a task, as far as they were added."""

    def finished(self, labels: tuple[Label, ...], metric: Metric) -> CountedSet:
        """The counts of all that was added; it is used up."""


def plan_tasks(
    rows: Whole, dimensions: int, *, shares: int = 1, most_rows: int | None = None
) -> tuple[Task, ...]:
    """Share the exact count of some rows out; see `plan_exact_tasks` and `plan_between_tasks`."""
    if isinstance(rows, TwoSets):
        return plan_between_tasks(rows, dimensions, shares=shares, most_rows=most_rows)
    return plan_exact_tasks(rows, dimensions, shares=shares, most_rows=most_rows)


@dataclass(frozen=True, slots=True)
class SharedOut:
    """How the jobs of an evaluation are shared out into tasks.

    Attributes
    ----------
    shares : int
        Blocks of a job array.
    most_rows : int or None
        Rows of a stretch of the whole, so that two of them fit in the memory of a worker.
    """

    shares: int = 1
    most_rows: int | None = None

    def tasks(self, rows: Whole, whole: Whole) -> tuple[Task, ...]:
        """The tasks of a job, of whose whole the rows are all or a part.

        Those of a part lie among the others: stretches of them are so much shorter.
        """
        most = None
        if self.most_rows is not None:
            most = max(1, self.most_rows * _rows_of(rows) // _rows_of(whole))
        return plan_tasks(rows, dimensions_of(whole), shares=self.shares, most_rows=most)


def dimensions_of(rows: Whole) -> int:
    """Width of a row."""
    side = rows.queries if isinstance(rows, TwoSets) else rows
    return int(side.vectors.shape[1])


def _rows_of(rows: Whole) -> int:
    return rows.queries.rows + rows.gallery.rows if isinstance(rows, TwoSets) else rows.rows


def task_counting(rows: Whole, lattice: Lattice, ranks: bool) -> TaskCounting:
    """What counts the tasks of some rows."""
    if isinstance(rows, TwoSets):
        return _OfTwoSets(rows, lattice, ranks)
    return _OfOneSet(rows, lattice, ranks)


class _OfOneSet(ExactTasks):
    def finished(self, labels: tuple[Label, ...], metric: Metric) -> CountedSet:
        tally = self.whole
        ranks = tally.ranks(self.rows, RECALL_CAP) if self.ranks else None
        return CountedSet(tally.counts(self.rows, self.lattice, labels, metric), ranks)


class _OfTwoSets(BetweenTasks):
    def __init__(self, two: TwoSets, lattice: Lattice, ranks: bool) -> None:
        super().__init__(two, lattice)
        self._ranks = ranks

    def finished(self, labels: tuple[Label, ...], metric: Metric) -> CountedSet:
        tally = self.whole
        ranks = tally.ranks(self.two, RECALL_CAP) if self._ranks else None
        return CountedSet(tally.counts(self.two, self.lattice, labels, metric), ranks)
