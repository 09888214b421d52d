"""Waiting for the tasks of a job that workers count, while its checkpoint is kept small."""

import time
from collections.abc import Callable, Sequence

from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.dask_cluster import Cluster, Future
from opiscal.engines.worker_keeping import failure_on_worker
from opiscal.errors import InputError
from opiscal.pairs.tasks.task import Task

# How often a checkpoint in an object store is looked at.
_SECONDS_TO_LOOK = 2.0


def watch(
    cluster: Cluster,
    tasks: Sequence[Task],
    futures: dict[int, Future],
    advance: Callable[[int], None] | None,
    job: str,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Wait until every task is counted, and let go of what it has counted; tell of it.

    Parameters
    ----------
    cluster : Cluster
    tasks : sequence of Task
        All of the job; those that are no future were counted before.
    futures : dict
        By the number of a task what it will have counted; emptied.
    advance : callable, optional
        Is told of pairs that are counted.
    job : str
    checkpoint : Checkpoint, optional
        Where workers keep what they have counted; all of it is there when this returns.

    Raises
    ------
    InputError
        Where it cannot be written.
    """
    by_number = {task.number: task for task in tasks}
    if advance is not None:
        advance(sum(task.pairs for task in tasks if task.number not in futures))
    numbers = {future.key: number for number, future in futures.items()}
    counted = cluster.as_done(list(futures.values()))
    # Once they are added up, workers need not keep the counts of single tasks.
    futures.clear()
    looked = time.monotonic()
    for future in counted:
        number = numbers[future.key]
        if checkpoint is not None and (
            checkpoint.folder.is_near or time.monotonic() - looked > _SECONDS_TO_LOOK
        ):
            checkpoint.look(job)
            looked = time.monotonic()
        if advance is not None:
            advance(by_number[number].pairs)
    if checkpoint is not None:
        for failure in filter(None, cluster.run_everywhere(failure_on_worker)):
            raise InputError(failure)
