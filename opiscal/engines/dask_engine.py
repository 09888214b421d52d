"""DaskEngine: workers of a cluster read and count; the numbers are those of one machine."""

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, RowPolicy
from opiscal.data.files import sha256
from opiscal.data.row_scan import ScannedRows, collect_rows, scan_part
from opiscal.data.scan_plan import ScanPlan, scan_parts
from opiscal.data.side_files import collect_sides
from opiscal.data.sides import JoinedSides, Sides
from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.dask_cluster import Cluster, Future
from opiscal.engines.dask_sample import SampleWorkers
from opiscal.engines.dask_sums import sums_of
from opiscal.engines.dask_watch import watch
from opiscal.engines.engine import CountRequest, Stage
from opiscal.engines.kept_counts import take_up
from opiscal.engines.task_order import in_turn
from opiscal.engines.worker_memory import room_for_rows
from opiscal.engines.worker_rows import (
    all_nearest,
    centre_on_worker,
    count_on_worker,
    lattice_on_worker,
    nearest_of,
    nearest_on_worker,
    norms_on_worker,
    reach_on_worker,
    read_on_worker,
)
from opiscal.engines.worker_set import WorkerJob, WorkerSet
from opiscal.pairs.absent_rows import absent_rows, absent_sides
from opiscal.pairs.centring import largest_of, scale_of
from opiscal.pairs.counting import CountedSet
from opiscal.pairs.edge_targets import AskedRange
from opiscal.pairs.jobs import Job, Whole
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.plan import PairPlan
from opiscal.pairs.row_cache import RowMove
from opiscal.pairs.sorted_rows import SortedRows, class_order
from opiscal.pairs.tasks.counting import SharedOut, task_counting
from opiscal.pairs.tasks.pieces import Piece
from opiscal.pairs.tasks.task import Task
from opiscal.pairs.two_sets import TwoSets

# Stretches of rows a worker, where all rows are looked at once.
_STRETCHES = 4


class DaskEngine:
    """Reads and counts by the workers of a cluster; no row passes through this process.

    Parameters
    ----------
    cluster : Cluster
    memory : int
        Bytes that a worker may use.
    checkpoint : Checkpoint, optional
        Where workers keep what they have counted; a folder that all of them reach.
    """

    def __init__(self, cluster: Cluster, memory: int, checkpoint: Checkpoint | None = None) -> None:
        """Keep the settings."""
        self._cluster, self._memory, self._checkpoint = cluster, memory, checkpoint
        self._plan: ScanPlan | None = None
        self._set: WorkerSet | None = None
        self._sent: Future = None

    def read(self, paths: Sequence[str], columns: ColumnNames, policy: RowPolicy) -> EmbeddingSet:
        """What is known of the rows without their vectors, part by part."""
        plan = scan_parts(paths, columns, policy)
        return collect_rows(plan, *self._scan(plan))

    def read_sides(
        self,
        paths: Sequence[str],
        gallery: Sequence[str],
        columns: ColumnNames,
        policy: RowPolicy,
    ) -> JoinedSides:
        """The same of queries and of a gallery."""
        plan = scan_parts(paths, columns, policy, gallery)
        return collect_sides(plan, *self._scan(plan))

    def sort(self, embeddings: EmbeddingSet, *, use_up: bool) -> SortedRows:
        """The order of the rows; workers are told of it."""
        self._send(embeddings, None)
        return absent_rows(
            class_order(embeddings.class_of_row), embeddings.dimensions, embeddings.metric
        )

    def sort_sides(self, both: JoinedSides) -> TwoSets:
        """The order of both sides; workers are told of it."""
        self._send(both.embeddings, both.sides)
        return absent_sides(both.embeddings, both.sides)

    def lattice(self, whole: Whole, seed: int, asked: AskedRange | None) -> Lattice:
        """The edges, placed by one worker."""
        assert self._set is not None
        reading: list[Future] = []
        if self._set.all_fit:
            # All read at the same time: none will wait for its rows when it counts.
            reading = self._cluster.on_every_worker(read_on_worker, self._sent, name="read-rows")
        placed = self._cluster.submit(
            lattice_on_worker, self._sent, seed, asked, name="place-edges", priority=10
        )
        found: Lattice = self._cluster.gather([placed, *reading])[0]
        return found

    def kept_plan(self, identity: Mapping[str, Any]) -> PairPlan | None:
        """That of the checkpoint."""
        return None if self._checkpoint is None else self._checkpoint.kept_plan(identity)

    def count(self, request: CountRequest, jobs: Sequence[Job], stage: Stage) -> list[CountedSet]:
        """Tasks of one job after the other; their counts are added up in a tree, by workers."""
        assert self._set is not None
        how = SharedOut(most_rows=self._set.stretch_rows)
        if self._checkpoint is not None:
            how = self._checkpoint.begin(request.identity, request.lattice, how, jobs[0].plan)
        return [self._count(request, job, stage, how) for job in jobs]

    def nearest_class(self, rows: SortedRows, classes: NDArray[np.integer]) -> NDArray[np.int64]:
        """Found by one worker."""
        future = self._cluster.submit(
            nearest_on_worker, self._sent, classes, name="nearest-classes"
        )
        found: NDArray[np.int64] = self._cluster.gather([future])[0]
        return found

    def threads(self) -> int:
        """Threads of all workers."""
        return self._cluster.threads

    def _scan(self, plan: ScanPlan) -> tuple[list[ScannedRows], list[str]]:
        self._plan = plan
        hashes = [self._cluster.submit(sha256, file.path, name="hash-file") for file in plan.files]
        parts = [self._cluster.submit(scan_part, part, name="scan-rows") for part in plan.parts]
        found = self._cluster.gather([*parts, *hashes])
        return found[: len(parts)], found[len(parts) :]

    def _send(self, embeddings: EmbeddingSet, sides: Sides | None) -> None:
        """Tell workers of a set: where its rows are, in which order, and how they are moved."""
        assert self._plan is not None
        reader = self._plan.reader(embeddings.dimensions)
        rows = embeddings.rows
        room = room_for_rows(
            self._memory, rows, reader.row_bytes, threads=self._cluster.threads_of_worker
        )
        of = WorkerSet.of(os.urandom(8).hex(), embeddings, sides, reader, room)
        if not of.all_fit:
            of = self._with_move(of)
        self._set, self._sent = of, self._cluster.everywhere(of)

    def _with_move(self, of: WorkerSet) -> WorkerSet:
        """How rows are moved, found by all workers together: none reads all rows for it."""
        cluster, metric = self._cluster, of.embeddings.metric
        sent = cluster.everywhere(of)
        (centre,) = cluster.gather([cluster.submit(centre_on_worker, sent, name="find-centre")])
        # Workers may all just be started anew.
        parts = _STRETCHES * max(1, cluster.workers)
        cuts = np.linspace(0, of.embeddings.rows, parts + 1).astype(int)
        stretches = list(itertools.pairwise(cuts.tolist()))
        reach = 0.0
        if metric == "l2":
            reach = max(
                cluster.gather(
                    [
                        cluster.submit(reach_on_worker, sent, centre, *stretch, name="find-scale")
                        for stretch in stretches
                    ]
                )
            )
        move = RowMove(centre, scale_of(reach, metric))
        lengths = cluster.gather(
            [
                cluster.submit(norms_on_worker, sent, move, *stretch, name="find-lengths")
                for stretch in stretches
            ]
        )
        half_norm = np.concatenate(lengths)
        largest = largest_of(float(half_norm.max()), metric)
        return replace(of, move=move, half_norm=half_norm, largest=largest)

    def _count(self, request: CountRequest, job: Job, stage: Stage, how: SharedOut) -> CountedSet:
        rows, advance = job.rows(request.whole), stage(job.title, job.pairs)
        worker_job = self._cluster.everywhere(self._worker_job(request, job))
        if job.plan.mode == "sampled":
            assert isinstance(rows, SortedRows)
            workers = SampleWorkers(
                self._cluster, self._sent, worker_job, self._memory, self._checkpoint
            )
            return workers.count(request, job, rows, advance)
        tasks = how.tasks(rows, request.whole)
        counting = task_counting(rows, request.lattice, job.ranks)
        done: set[int] = set()
        nearest: list[Piece] = []

        def add(pieces: Iterable[Piece]) -> None:
            counting.add(pieces)
            nearest.extend(nearest_of(list(pieces)))

        if self._checkpoint is not None:
            done = take_up(self._checkpoint, job.name, counting.bytes_when_finished, add)
        left = [task for task in tasks if task.number not in done]
        futures = self._submit(left, worker_job, nearest if counting.needs_nearest else None)
        assert self._set is not None
        sums = sums_of(self._cluster, tasks, futures, all_fit=self._set.all_fit)
        watch(self._cluster, tasks, futures, advance, job.name, self._checkpoint)
        # One after the other: they are of the rows of the whole.
        for future in self._cluster.as_done(sums):
            counting.add(self._cluster.gather([future])[0])
        return counting.finished(request.labels, request.metric)

    def _worker_job(self, request: CountRequest, job: Job) -> WorkerJob:
        chosen = None if job.chosen is None else tuple(np.packbits(c) for c in job.chosen())
        return WorkerJob(job.name, chosen, request.lattice, job.ranks, self._checkpoint)

    def _submit(
        self, tasks: Sequence[Task], worker_job: Future, nearest: list[Piece] | None
    ) -> dict[int, Future]:
        """Have tasks counted; by number, what each will have counted.

        Parameters
        ----------
        tasks : sequence of Task
        worker_job : Future
        nearest : list of Piece or None
            The nearest positives that are known already; None where no task asks for them.
        """
        cluster, futures = self._cluster, dict[int, Future]()
        assert self._set is not None
        found: list[Future] = []
        ordered = in_turn(tasks, self._set.all_fit)
        for kind, of_kind in itertools.groupby(ordered, key=lambda task: task.kind):
            if kind == "negative" and nearest is not None:
                # One for all tasks: those that need many others are given to a worker at once, not
                # when one is free, and some worker would be left with more than its share.
                known = [cluster.everywhere(nearest)] if nearest else []
                found = [
                    cluster.submit(
                        all_nearest, *known, *futures.values(), name="nearest-positives", priority=3
                    )
                ]
            for task in of_kind:
                futures[task.number] = cluster.submit(
                    count_on_worker,
                    self._sent,
                    worker_job,
                    task,
                    *found,
                    name=f"count-{kind}",
                    # Else those that are handed over at about the same time have no order.
                    priority=-len(futures),
                )
        return futures
