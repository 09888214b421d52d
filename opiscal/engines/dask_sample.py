"""Counting a sample of the pairs by the workers of a cluster."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.dask_cluster import Cluster, Future
from opiscal.engines.dask_sums import tree_sum
from opiscal.engines.dask_watch import watch
from opiscal.engines.engine import CountRequest
from opiscal.engines.kept_counts import take_up
from opiscal.engines.worker_rows import (
    columns_of,
    count_columns_on_worker,
    row_head_of,
    start_sample_on_worker,
    without_rows,
)
from opiscal.pairs.counting import CountedSet, StartedSample, finish_sample
from opiscal.pairs.jobs import Job
from opiscal.pairs.sampled_columns import ColumnSums
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.tasks.column_tasks import add_columns, bytes_of_sample, plan_column_tasks
from opiscal.pairs.tasks.counting import dimensions_of


@dataclass(frozen=True)
class SampleWorkers:
    """The workers of a cluster, told of the job that is a sample.

    Attributes
    ----------
    cluster : Cluster
    of : Future
        The set.
    job : Future
    memory : int
        Bytes that a worker may use.
    checkpoint : Checkpoint or None
        Where they keep what they have counted.
    """

    cluster: Cluster
    of: Future
    job: Future
    memory: int
    checkpoint: Checkpoint | None

    def count(
        self,
        request: CountRequest,
        job: Job,
        rows: SortedRows,
        advance: Callable[[int], None] | None,
    ) -> CountedSet:
        """One worker finds the near pairs; all count rows against columns."""
        cluster, lattice = self.cluster, request.lattice
        started = cluster.submit(
            start_sample_on_worker,
            self.of,
            self.job,
            job.plan,
            request.seed,
            self.memory,
            name="find-near-pairs",
        )
        rest = cluster.submit(without_rows, started, name="rest-of-sample", priority=6)
        found: StartedSample = cluster.gather([rest])[0]
        sums = ColumnSums.empty(rows, lattice, found.columns)
        add, done = partial(add_columns, sums), set[int]()
        if self.checkpoint is not None:
            # Not before the near pairs are found: tasks that were counted beside others are gone.
            final_bytes = bytes_of_sample(rows, lattice, sums)
            done = take_up(self.checkpoint, job.name, final_bytes, add)
        tasks = plan_column_tasks(rows.classes, dimensions_of(request.whole), found.columns)
        columns = cluster.submit(columns_of, started, name="draw-columns", priority=6)
        counts = {}
        for task in tasks:
            if task.number in done:
                continue
            (part,) = task.stretches
            head = cluster.submit(
                row_head_of, started, part.start, part.stop, name="head-of-rows", priority=6
            )
            counts[task.number] = cluster.submit(
                count_columns_on_worker,
                self.of,
                self.job,
                columns,
                task,
                head,
                name="count-columns",
            )
        total = tree_sum(cluster, list(counts.values()))
        watch(cluster, tasks, counts, advance, job.name, self.checkpoint)
        if total is not None:
            add(cluster.gather([total])[0])
        return finish_sample(rows, lattice, found, sums, request.labels, request.metric)
