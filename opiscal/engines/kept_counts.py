"""KeptCounts: counting in this process, task by task, into a checkpoint."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.engine import CountRequest
from opiscal.pairs.blas import one_blas_thread
from opiscal.pairs.counting import CountedSet
from opiscal.pairs.jobs import Job, Whole
from opiscal.pairs.tasks.counting import TaskCounting, plan_tasks, task_counting
from opiscal.pairs.tasks.pieces import Piece, pack
from opiscal.pairs.tasks.task import Task
from opiscal.pairs.two_sets import TwoSets


class KeptCounts:
    """Counts what a checkpoint does not have yet.

    Parameters
    ----------
    checkpoint : Checkpoint
        Begun.
    shares : int
        Blocks that the tasks are shared out for.
    threads : int
    """

    def __init__(self, checkpoint: Checkpoint, shares: int, threads: int) -> None:
        """Nothing is counted yet."""
        self._checkpoint, self._shares, self._threads = checkpoint, shares, threads

    def count(
        self,
        request: CountRequest,
        job: Job,
        rows: Whole,
        advance: Callable[[int], None] | None = None,
    ) -> CountedSet:
        """The counts of a job; every task is on the disk before it is taken for done."""
        tasks = plan_tasks(rows, dimensions_of(rows), shares=self._shares)
        counting = task_counting(rows, request.lattice, job.ranks)
        self._checkpoint.make_room(counting.bytes_when_finished)
        done: set[int] = set()
        for part in self._checkpoint.counted(job.name):
            counting.add(part.pieces)
            done.update(part.numbers)
        if advance is not None and done:
            advance(sum(task.pairs for task in tasks if task.number in done))
        # Ranks ask where each row's nearest positive is, so all positives are counted before.
        for kind in ("positive", "negative"):
            left = [task for task in tasks if task.kind == kind and task.number not in done]
            self._count(left, job.name, counting, advance)
        return counting.finished(request.labels, request.metric)

    def _count(
        self,
        tasks: Sequence[Task],
        job: str,
        counting: TaskCounting,
        advance: Callable[[int], None] | None,
    ) -> None:
        # The largest first, so that no thread is left with one at the end.
        waiting = sorted(tasks, key=lambda task: -task.pairs)

        def work(task: Task) -> list[Piece]:
            return pack(counting.count(task, counting.nearest(task)))

        with one_blas_thread(), ThreadPoolExecutor(self._threads) as pool:
            running: dict[Future[list[Piece]], Task] = {}
            try:
                while waiting or running:
                    # One more than there are threads, so that none waits while counts are saved.
                    while waiting and len(running) <= self._threads:
                        task = waiting.pop(0)
                        running[pool.submit(work, task)] = task
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        task = running.pop(future)
                        pieces = future.result()
                        self._checkpoint.save(job, task.number, pieces)
                        counting.add(pieces)
                        if advance is not None:
                            advance(task.pairs)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def dimensions_of(rows: Whole) -> int:
    """Width of a row."""
    side = rows.queries if isinstance(rows, TwoSets) else rows
    return int(side.vectors.shape[1])
