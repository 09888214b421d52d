"""A pool of threads that counts tasks, and hands over what each has counted."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from opiscal.pairs.blas import one_blas_thread
from opiscal.pairs.tasks.pieces import Piece, pack
from opiscal.pairs.tasks.task import Task


def count_tasks(
    tasks: Sequence[Task],
    count: Callable[[Task], list[Piece]],
    threads: int,
    take: Callable[[Task, list[Piece]], None],
) -> None:
    """Count some tasks, none of which needs what another one of them counts.

    Parameters
    ----------
    tasks : sequence of Task
    count : callable
        Counts a task on one thread.
    threads : int
    take : callable
        Is given a task and what it has counted, packed, as soon as it is counted, on the thread of
        the caller. Where it raises an error no further task is begun.
    """
    # The largest first, so that no thread is left with one at the end.
    waiting = sorted(tasks, key=lambda task: -task.pairs)

    def work(task: Task) -> list[Piece]:
        return pack(count(task))

    with one_blas_thread(), ThreadPoolExecutor(threads) as pool:
        running: dict[Future[list[Piece]], Task] = {}
        try:
            while waiting or running:
                # One more than there are threads, so that none waits while counts are taken.
                while waiting and len(running) <= threads:
                    task = waiting.pop(0)
                    running[pool.submit(work, task)] = task
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    take(running.pop(future), future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
