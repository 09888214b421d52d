"""KeptCounts: counting in this process, task by task, into a checkpoint."""

from collections.abc import Callable, Iterable
from functools import partial

from opiscal.engines.block_share import BlockShare
from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.engine import CountRequest, Stage
from opiscal.engines.task_pool import count_tasks
from opiscal.pairs.counting import CountedSet
from opiscal.pairs.jobs import Job, Whole
from opiscal.pairs.tasks.counting import SharedOut, TaskCounting, task_counting
from opiscal.pairs.tasks.pieces import Piece, pack
from opiscal.pairs.tasks.pieces_file import CountedTasks
from opiscal.pairs.tasks.task import Task

Advance = Callable[[int], None]


class KeptCounts:
    """Counts what a checkpoint does not have yet.

    Parameters
    ----------
    checkpoint : Checkpoint
        Begun.
    how : SharedOut
        What the checkpoint has is shared out so.
    threads : int
    """

    def __init__(self, checkpoint: Checkpoint, how: SharedOut, threads: int) -> None:
        """Nothing is counted yet."""
        self._checkpoint, self._how, self._threads = checkpoint, how, threads

    def count(
        self, request: CountRequest, job: Job, rows: Whole, advance: Advance | None = None
    ) -> CountedSet:
        """The counts of a job; every task is on the disk before it is taken for done."""
        tasks = self._how.tasks(rows, request.whole)
        counting = task_counting(rows, request.lattice, job.ranks)
        done = take_up(self._checkpoint, job.name, counting.bytes_when_finished, counting.add)
        if advance is not None and done:
            advance(sum(task.pairs for task in tasks if task.number in done))
        left = [task for task in tasks if task.number not in done]

        def keep(task: Task, pieces: list[Piece]) -> None:
            self._keep(job.name, counting.add, advance, task, pieces)
            done.add(task.number)
            self._checkpoint.save_room(job.name, partial(self._whole, done, counting.added))

        # Ranks ask where each row's nearest positive is, so all positives are counted before.
        for kind in ("positive", "negative"):
            of_kind = [task for task in left if task.kind == kind]
            count_tasks(of_kind, partial(_count, counting), self._threads, keep)
        return counting.finished(request.labels, request.metric)

    def count_block(
        self, share: BlockShare, request: CountRequest, job: Job, rows: Whole, stage: Stage
    ) -> int:
        """Count the tasks of a job that are those of a block; gives how many were missing.

        Afterwards the counts of the job are one file. Tasks of positives that are another block's
        are counted where a task needs them, and not kept.
        """
        tasks = self._how.tasks(rows, request.whole)
        counting = task_counting(rows, request.lattice, job.ranks)

        def remember(pieces: Iterable[Piece]) -> None:
            counting.add(piece for piece in pieces if piece.name == "nearest")

        done = take_up(self._checkpoint, job.name, counting.bytes_when_finished, remember)
        own = share.own(tasks)
        advance = stage(job.title, sum(task.pairs for task in own))
        if advance is not None and done:
            advance(sum(task.pairs for task in own if task.number in done))
        left = [task for task in own if task.number not in done]

        def keep(task: Task, pieces: list[Piece]) -> None:
            self._keep(job.name, remember, advance, task, pieces)
            self._checkpoint.save_room(job.name)

        first = [task for task in left if task.kind == "positive"]
        negative = [task for task in left if task.kind == "negative"]
        count = partial(_count, counting)
        count_tasks(first, count, self._threads, keep)
        if counting.needs_nearest:
            known = done | {task.number for task in first}
            others = needed_of(tasks, negative, known)
            count_tasks(others, count, self._threads, lambda _, pieces: remember(pieces))
        count_tasks(negative, count, self._threads, keep)
        self._checkpoint.put_together(job.name)
        return len(left)

    def _keep(
        self,
        job: str,
        add: Callable[[Iterable[Piece]], None],
        advance: Advance | None,
        task: Task,
        pieces: list[Piece],
    ) -> None:
        self._checkpoint.keep_task(job, task.number, pieces)
        add(pieces)
        if advance is not None:
            advance(task.pairs)

    def _whole(self, done: Iterable[int], added: Callable[[], list[Piece]]) -> CountedTasks:
        return CountedTasks(self._checkpoint.digest, tuple(sorted(done)), pack(added()))


def take_up(
    checkpoint: Checkpoint, job: str, final_bytes: int, add: Callable[[Iterable[Piece]], None]
) -> set[int]:
    """Take what a checkpoint has of a job; gives the tasks.

    Parameters
    ----------
    checkpoint : Checkpoint
    job : str
    final_bytes : int
        What the finished counts of the job take.
    add : callable
        Is given what some tasks have counted.
    """
    checkpoint.make_room(final_bytes)
    done: set[int] = set()
    for part in checkpoint.counted(job):
        add(part.pieces)
        done.update(part.numbers)
    return done


def _count(counting: TaskCounting, task: Task) -> list[Piece]:
    return counting.count(task, counting.nearest(task))


def needed_of(tasks: Iterable[Task], negative: Iterable[Task], known: set[int]) -> list[Task]:
    """The tasks of positives that some negative ones need and that are not known."""
    positive = [task for task in tasks if task.kind == "positive"]
    needed = {task.number: task for one in negative for task in one.needs(positive)}
    return [task for number, task in sorted(needed.items()) if number not in known]
