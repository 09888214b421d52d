"""KeptSample: counting a sample in this process, task by task, into a checkpoint."""

from functools import partial
from pathlib import Path

from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.engine import CountRequest
from opiscal.engines.kept_counts import Advance, take_up
from opiscal.engines.task_pool import count_tasks
from opiscal.pairs.counting import (
    CountedSet,
    StartedSample,
    finish_sample,
    made_index,
    start_sample,
)
from opiscal.pairs.jobs import Job
from opiscal.pairs.sampled_columns import ColumnSums
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.tasks.column_tasks import (
    ColumnTasks,
    add_columns,
    arrays_of,
    bytes_of_sample,
    plan_column_tasks,
)
from opiscal.pairs.tasks.counting import dimensions_of
from opiscal.pairs.tasks.pieces import Piece, pack, whole_pieces
from opiscal.pairs.tasks.pieces_file import CountedTasks
from opiscal.pairs.tasks.task import Task


class KeptSample:
    """Counts what a checkpoint does not have yet of a sample of the pairs.

    Parameters
    ----------
    checkpoint : Checkpoint
        Begun.
    threads : int
    """

    def __init__(self, checkpoint: Checkpoint, threads: int) -> None:
        """Nothing is counted yet."""
        self._checkpoint, self._threads = checkpoint, threads

    def count(
        self,
        request: CountRequest,
        job: Job,
        rows: SortedRows,
        advance: Advance | None = None,
        save_index: Path | None = None,
    ) -> CountedSet:
        """The counts of a job; what it begins with, and then every task, is on the disk before it
        is taken for done.
        """
        lattice = request.lattice
        started = self._started(request, job, rows, save_index)
        sums = ColumnSums.empty(rows, lattice, started.columns)
        add = partial(add_columns, sums)
        done = take_up(self._checkpoint, job.name, bytes_of_sample(rows, lattice, sums), add)
        tasks = plan_column_tasks(rows.classes, dimensions_of(request.whole), started.columns)
        if advance is not None and done:
            advance(sum(task.pairs for task in tasks if task.number in done))
        left = [task for task in tasks if task.number not in done]
        counting = ColumnTasks(rows, lattice, started.columns)

        def count(task: Task) -> list[Piece]:
            (part,) = task.stretches
            return counting.count(task, started.head.of_rows(part.start, part.stop))

        def keep(task: Task, pieces: list[Piece]) -> None:
            self._checkpoint.keep_task(job.name, task.number, pieces)
            add(pieces)
            done.add(task.number)
            self._checkpoint.save_room(job.name, whole)
            if advance is not None:
                advance(task.pairs)

        def whole() -> CountedTasks:
            digest, numbers = self._checkpoint.digest, tuple(sorted(done))
            return CountedTasks(digest, numbers, pack(whole_pieces(arrays_of(sums))))

        count_tasks(left, count, self._threads, keep)
        return finish_sample(rows, lattice, started, sums, request.labels, request.metric)

    def _started(
        self, request: CountRequest, job: Job, rows: SortedRows, save_index: Path | None
    ) -> StartedSample:
        kept = self._checkpoint.head(job.name)
        if kept is None:
            started = start_sample(
                rows,
                request.lattice,
                job.plan,
                seed=request.seed,
                threads=self._threads,
                ranks=job.ranks,
                save_index=save_index,
            )
            return self._checkpoint.keep_head(job.name, started)
        if save_index is not None:
            # It is not in the checkpoint, and the command that had made it may not have kept it.
            made_index(rows, job.plan, request.seed, self._threads, save_index)
        return kept
