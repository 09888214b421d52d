"""Counting a sample of the pairs by the workers of a cluster."""

from collections.abc import Callable

from opiscal.engines.dask_cluster import Cluster, Future
from opiscal.engines.dask_sums import tree_sum
from opiscal.engines.engine import CountRequest
from opiscal.engines.worker_rows import (
    columns_of,
    count_columns_on_worker,
    row_head_of,
    start_sample_on_worker,
    without_rows,
)
from opiscal.pairs.counting import CountedSet, finish_sample
from opiscal.pairs.jobs import Job
from opiscal.pairs.sampled_columns import ColumnGroups
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.tasks.column_tasks import added_columns, plan_column_tasks
from opiscal.pairs.tasks.counting import dimensions_of


def count_sample(
    cluster: Cluster,
    request: CountRequest,
    job: Job,
    rows: SortedRows,
    sent: tuple[Future, Future],
    advance: Callable[[int], None] | None,
) -> CountedSet:
    """One worker finds the near pairs; all count rows against columns."""
    lattice = request.lattice
    started = cluster.submit(
        start_sample_on_worker,
        *sent,
        job.plan,
        request.seed,
        name="find-near-pairs",
    )
    columns = cluster.submit(columns_of, started, name="draw-columns", priority=6)
    known = ColumnGroups.draw(rows.rows, job.plan.columns, request.seed)
    tasks = plan_column_tasks(rows.classes, dimensions_of(request.whole), known)
    counts = {}
    for task in tasks:
        (part,) = task.stretches
        head = cluster.submit(
            row_head_of, started, part.start, part.stop, name="head-of-rows", priority=6
        )
        counts[
            cluster.submit(
                count_columns_on_worker,
                *sent,
                columns,
                task,
                head,
                name="count-columns",
            )
        ] = task
    total = tree_sum(cluster, list(counts))
    rest = cluster.submit(without_rows, started, name="rest-of-sample", priority=6)
    pairs = {future.key: task.pairs for future, task in counts.items()}
    counted = cluster.as_done(list(counts))
    counts.clear()
    for future in counted:
        if advance is not None:
            advance(pairs[future.key])
    found, *pieces = cluster.gather([rest, *([total] if total is not None else [])])
    sums = added_columns(rows, lattice, known, pieces[0] if pieces else [])
    return finish_sample(rows, lattice, found, sums, request.labels, request.metric)
