"""ClusterPlan: what an exact count on a cluster will do, before any worker is there."""

import heapq
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet
from opiscal.data.memory import memory_limit
from opiscal.data.row_reader import RowReader
from opiscal.engines.task_order import in_turn
from opiscal.engines.worker_memory import room_for_rows, rows_of_stretch
from opiscal.engines.worker_reads import WorkerReads
from opiscal.pairs.absent_rows import absent_rows
from opiscal.pairs.blocks import block_rows
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.plan import exact_seconds
from opiscal.pairs.sorted_rows import class_order
from opiscal.pairs.stored_sets import span_cuts
from opiscal.pairs.tasks.counting import SharedOut
from opiscal.pairs.tasks.exact_tasks import ExactTasks
from opiscal.pairs.tasks.task import Task

MOST_BLOCKS = 4_000_000
"""Blocks of pairs up to which a count is planned; every one of them passes through the client."""

# How often all workers together go over the rows where none keeps all of them; and how often one of
# them does, for rows far apart, beside once over all stretches.
_LOOKS = {"cosine": 2, "l2": 3}
_PASSES_FOR_EDGES = 3
# What is read for a rate, in memory; tasks whose counts are measured.
_TRIAL_BYTES, _TRIAL_TASKS = 1 << 26, 32


@dataclass(frozen=True, slots=True)
class WorkerRates:
    """How fast one thread of this machine is.

    Attributes
    ----------
    pairs : float
        Counted in a second; see `opiscal.pairs.cost.pairs_per_second`.
    bytes : float
        Of vectors, as they are in the files, read and decoded in a second; see `read_rate`.
    """

    pairs: float
    bytes: float


@dataclass(frozen=True, slots=True)
class TaskSizes:
    """The tasks of a count, and about how many pairs each of them has."""

    number: int
    fewest: int
    median: float
    most: int


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """What an exact count by some workers of one thread each will do.

    Attributes
    ----------
    workers : int
    memory : int or None
        Bytes that each may use; None where nothing limits it.
    rows : int
    stretch_rows : int or None
        Rows of the stretches of which a worker keeps four at a time; None where it keeps all rows.
    tasks : TaskSizes
    pairs : int
    look_bytes : int
        Of vectors, compressed, that all workers together read to look at every row once: labels,
        lengths, and whether it is fit; and once more, or twice under ``l2``, where none keeps all
        rows.
    worker_bytes : tuple of int
        That each worker then reads to count its tasks.
    alone_bytes : int
        That one worker reads while the others wait, about: for the edges at which pairs are
        counted, and for the nearest class of each; 0 where workers keep all rows.
    count_bytes : int
        What all tasks count takes at the most before it is packed: workers send it to one another.
    look_seconds, count_seconds, alone_seconds : float
    """

    workers: int
    memory: int | None
    rows: int
    stretch_rows: int | None
    tasks: TaskSizes
    pairs: int
    look_bytes: int
    worker_bytes: tuple[int, ...]
    alone_bytes: int
    count_bytes: int
    look_seconds: float
    count_seconds: float
    alone_seconds: float

    @property
    def bytes_read(self) -> int:
        """All that is read."""
        return self.look_bytes + sum(self.worker_bytes) + self.alone_bytes

    @property
    def seconds(self) -> float:
        """About how long the whole command takes."""
        work = self.look_seconds + self.count_seconds + self.alone_seconds
        return exact_seconds(0, 1.0) + work


def read_rate(reader: RowReader, numbers: NDArray[np.int64]) -> float:
    """How many bytes of vectors, as they are in the files, one thread reads in a second.

    Parameters
    ----------
    reader : RowReader
    numbers : int64 array
        Positions of the rows in the input, ascending; the first 64 MB of them are read.
    """
    some = numbers[: max(1, _TRIAL_BYTES // reader.row_bytes)]
    share = (some[-1] + 1) / (numbers[-1] + 1)
    trial = reader.copy()
    started = time.perf_counter()
    trial.read(some)
    took = time.perf_counter() - started
    return float(share * reader.file_bytes / took)


def too_large(rows: int) -> bool:
    """Whether a set has too many rows to plan the exact count of every pair."""
    return (rows / block_rows(rows)) ** 2 / 2 > MOST_BLOCKS


def plan_cluster(
    embeddings: EmbeddingSet,
    reader: RowReader,
    lattice: Lattice,
    workers: int,
    memory: int | None,
    rates: WorkerRates,
) -> ClusterPlan:
    """Plan the count of every pair by workers of a cluster.

    Tasks, stretches of rows and their order are those of `opiscal.engines.dask_engine.DaskEngine`.
    Who counts which task is for the scheduler to say, and taken here as: the next one goes to the
    worker that is the first to be free.

    Parameters
    ----------
    embeddings : EmbeddingSet
        Its vectors are not looked at.
    reader : RowReader
    lattice : Lattice
        For the size of the counts.
    workers : int
    memory : int, optional
        Bytes of each; default: an even share of this machine's, as that of workers started on it.
    rates : WorkerRates

    Raises
    ------
    UsageError
        Where the memory is too little to count with.
    """
    if memory is None:
        every = memory_limit()
        memory = None if every is None else every // workers
    rows, row_bytes, file_bytes = embeddings.rows, reader.row_bytes, reader.file_bytes
    room = room_for_rows(memory or 0, rows, row_bytes)
    stretch = rows_of_stretch(rows, row_bytes, room)
    order = absent_rows(
        class_order(embeddings.class_of_row), embeddings.dimensions, embeddings.metric
    )
    tasks = SharedOut(most_rows=stretch).tasks(order, order)
    cuts = span_cuts(order.classes.ends, rows, row_bytes, room)
    numbers = embeddings.row_number[order.classes.place]
    span_bytes = [
        reader.bytes_to_read(numbers[start:stop])
        for start, stop in itertools.pairwise(cuts.tolist())
    ]
    reads = [WorkerReads(cuts, span_bytes, row_bytes, room) for _ in range(workers)]
    count_seconds = _counted(in_turn(tasks, stretch is None), reads, rates)
    look, alone = file_bytes, 0
    if stretch is not None:
        # Of all rows one worker reads each stretch for the edges, and one for the class means.
        look *= _LOOKS[embeddings.metric]
        alone = 2 * sum(span_bytes) + _PASSES_FOR_EDGES * file_bytes
    sizes = [task.pairs for task in tasks]
    return ClusterPlan(
        workers=workers,
        memory=memory,
        rows=rows,
        stretch_rows=stretch,
        tasks=TaskSizes(len(tasks), min(sizes), float(np.median(sizes)), max(sizes)),
        pairs=order.pairs,
        look_bytes=look,
        worker_bytes=tuple(worker.bytes_read for worker in reads),
        alone_bytes=alone,
        count_bytes=_count_bytes(tasks, ExactTasks(order, lattice, ranks=True)),
        look_seconds=look / workers / rates.bytes,
        count_seconds=count_seconds,
        alone_seconds=alone / rates.bytes,
    )


def _counted(tasks: Sequence[Task], reads: Sequence[WorkerReads], rates: WorkerRates) -> float:
    """Hand out the tasks; when the last worker is done, in seconds."""
    free = [(worker.read_if_one() / rates.bytes, k) for k, worker in enumerate(reads)]
    heapq.heapify(free)
    done = 0.0
    for task in tasks:
        now, worker = heapq.heappop(free)
        to_read = 0
        for block in task.blocks:
            to_read += reads[worker].take(block.row_start, block.row_stop)
            to_read += reads[worker].take(block.col_start, block.col_stop)
        now += task.pairs / rates.pairs + to_read / rates.bytes
        done = max(done, now)
        heapq.heappush(free, (now, worker))
    return done


def _count_bytes(tasks: Sequence[Task], counting: ExactTasks) -> int:
    """What tasks count takes, by some of them that are spread evenly."""
    some = tasks[:: -(-len(tasks) // _TRIAL_TASKS)]
    return sum(counting.bytes_of(task) for task in some) * len(tasks) // len(some)
