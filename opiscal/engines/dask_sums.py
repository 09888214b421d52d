"""How what tasks have counted is added up by workers, in trees."""

import itertools
from collections.abc import Callable, Mapping, Sequence

from opiscal.engines.dask_cluster import Cluster, Future
from opiscal.engines.worker_rows import class_pieces, row_pieces, sum_on_worker
from opiscal.pairs.tasks.task import Stretch, Task

# Parts that are added up at a time.
_FAN_IN = 8


def tree_sum(cluster: Cluster, parts: Sequence[Future]) -> Future | None:
    """What some tasks have counted together; None of none."""
    level = list(parts)
    while len(level) > 1:
        level = [
            cluster.submit(sum_on_worker, *level[k : k + _FAN_IN], name="add-counts", priority=5)
            for k in range(0, len(level), _FAN_IN)
        ]
    return level[0] if level else None


def sums_of(
    cluster: Cluster, tasks: Sequence[Task], counted: Mapping[int, Future], *, all_fit: bool
) -> list[Future]:
    """The sums of what tasks count.

    Where workers keep all rows it is one; the counts of rows are not larger than these. Else it is
    one of all classes, and one for each stretch of rows: no worker has that of all rows at a time.

    Parameters
    ----------
    cluster : Cluster
    tasks : sequence of Task
    counted : mapping
        By the number of a task what it will have counted, in the order in which that is begun:
        what is counted at about the same time is added up early.
    all_fit : bool
    """
    if all_fit:
        total = tree_sum(cluster, list(counted.values()))
        return [] if total is None else [total]

    def part(work: Callable[..., object], *given: object) -> Future:
        return cluster.submit(work, *given, name="part-of-counts", priority=4)

    sums = [tree_sum(cluster, [part(class_pieces, future) for future in counted.values()])]
    by_number = {task.number: task for task in tasks}
    for span in spans_of(tasks):
        touching = [
            future
            for number, future in counted.items()
            if any(own.meets(span) for own in by_number[number].stretches)
        ]
        parts = [part(row_pieces, future, span) for future in touching]
        sums.append(tree_sum(cluster, parts))
    return [future for future in sums if future is not None]


def spans_of(tasks: Sequence[Task]) -> list[Stretch]:
    """All rows that tasks touch, cut where a stretch of negative pairs begins or ends.

    Examples
    --------
    >>> task = Task(0, "negative", (), (Stretch(0, 0, 5), Stretch(0, 5, 9)), 45)
    >>> first = Task(1, "positive", (), (Stretch(0, 3, 12),), 30)
    >>> [(span.start, span.stop) for span in spans_of([task, first])]
    [(0, 5), (5, 9), (9, 12)]
    """
    spans = []
    for side in (0, 1):
        every = [part for task in tasks for part in task.stretches if part.side == side]
        if not every:
            continue
        cuts = {min(part.start for part in every), max(part.stop for part in every)}
        for task in tasks:
            if task.kind == "negative":
                own = [part for part in task.stretches if part.side == side]
                cuts |= {place for part in own for place in (part.start, part.stop)}
        spans += [Stretch(side, *ends) for ends in itertools.pairwise(sorted(cuts))]
    return spans
