"""What a worker of a cluster does: it reads the rows that it needs, and counts tasks of them."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.engines.worker_keeping import keep_behind
from opiscal.engines.worker_memory import check_room_for_index
from opiscal.engines.worker_set import WorkerJob, WorkerSet
from opiscal.pairs.blas import one_blas_thread
from opiscal.pairs.centring import Centre
from opiscal.pairs.counting import StartedSample, start_sample
from opiscal.pairs.edge_targets import AskedRange
from opiscal.pairs.jobs import Whole
from opiscal.pairs.lattice import Lattice, fit_lattice
from opiscal.pairs.nearest_class import nearest_class
from opiscal.pairs.plan import PairPlan
from opiscal.pairs.row_cache import RowMove
from opiscal.pairs.sampled_columns import ColumnGroups, RowHead
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.stored_rows import StoredRows
from opiscal.pairs.stored_sets import (
    find_centre,
    sort_stored_rows,
    sort_stored_sides,
    stretch_norms,
    stretch_reach,
)
from opiscal.pairs.tasks.column_tasks import ColumnTasks
from opiscal.pairs.tasks.counting import TaskCounting, task_counting
from opiscal.pairs.tasks.pieces import Piece, pack, sum_pieces
from opiscal.pairs.tasks.task import Stretch, Task
from opiscal.pairs.two_sets import TwoSets, sample_between


class _Kept:
    """The set that this process reads at present, and what counts its tasks.

    One at a time: the room for rows is that of one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key = ""
        self._whole: Whole | None = None
        self._counting: tuple[str, TaskCounting] | None = None
        self._columns: tuple[str, ColumnTasks] | None = None

    def whole(self, of: WorkerSet) -> Whole:
        with self._lock:
            return self._rows(of)

    def counting(self, of: WorkerSet, job: WorkerJob) -> TaskCounting:
        with self._lock:
            whole = self._rows(of)
            if self._counting is None or self._counting[0] != job.name:
                self._counting = self._columns = None
                self._counting = job.name, task_counting(job.rows(whole), job.lattice, job.ranks)
            return self._counting[1]

    def columns(self, of: WorkerSet, job: WorkerJob, columns: ColumnGroups) -> ColumnTasks:
        with self._lock:
            rows = job.rows(self._rows(of))
            assert isinstance(rows, SortedRows)
            if self._columns is None or self._columns[0] != job.name:
                self._counting = self._columns = None
                self._columns = job.name, ColumnTasks(rows, job.lattice, columns)
            return self._columns[1]

    @property
    def bytes_read(self) -> int:
        """Compressed bytes of vectors that were read of the set."""
        whole = self._whole
        rows = whole.queries if isinstance(whole, TwoSets) else whole
        vectors = None if rows is None else rows.vectors
        return vectors.bytes_read if isinstance(vectors, StoredRows) else 0

    def _rows(self, of: WorkerSet) -> Whole:
        if self._whole is None or self._key != of.key:
            # The rows of the last set make way before those of this one are read.
            self._whole = self._counting = self._columns = None
            self._whole, self._key = _sorted(of), of.key
        return self._whole


_KEPT = _Kept()


def _sorted(of: WorkerSet) -> Whole:
    known: dict[str, Any] = {
        "threads": 1,
        "move": of.move,
        "half_norm": of.half_norm,
        "largest": of.largest,
    }
    if of.sides is not None:
        return sort_stored_sides(of.embeddings, of.sides, of.reader, of.room, **known)
    return sort_stored_rows(of.embeddings, of.reader, of.room, **known)


def centre_on_worker(of: WorkerSet) -> Centre:
    """The row that is subtracted from all."""
    return find_centre(of.embeddings, of.reader, of.sides)


def reach_on_worker(of: WorkerSet, centre: Centre, start: int, stop: int) -> float:
    """The largest difference from the centre, of a stretch of rows in the order of the set."""
    return stretch_reach(of.embeddings, of.reader, centre, start, stop)


def norms_on_worker(of: WorkerSet, move: RowMove, start: int, stop: int) -> NDArray[np.float32]:
    """Half the squared lengths of a stretch of rows in the order of the set."""
    return stretch_norms(of.embeddings, of.reader, move, start, stop)


def read_on_worker(of: WorkerSet) -> int:
    """Read the rows of a set where all fit; returns the bytes that were read."""
    with one_blas_thread():
        _KEPT.whole(of)
    return of.reader.bytes_read


def lattice_on_worker(of: WorkerSet, seed: int, asked: AskedRange | None) -> Lattice:
    """The edges at which pairs are counted."""
    whole = _KEPT.whole(of)
    if isinstance(whole, TwoSets):
        return fit_lattice(whole.queries, seed, asked, sample_between(whole, seed))
    return fit_lattice(whole, seed, asked)


def nearest_on_worker(of: WorkerSet, classes: NDArray[np.integer]) -> NDArray[np.int64]:
    """For some classes the other one whose mean row is nearest."""
    whole = _KEPT.whole(of)
    assert isinstance(whole, SortedRows)
    return nearest_class(whole, None, classes)


def count_on_worker(
    of: WorkerSet, job: WorkerJob, task: Task, nearest: Sequence[Piece] = ()
) -> list[Piece]:
    """Count a task, and keep its counts where there is a checkpoint.

    What is there already, as where another worker had counted it and was lost, is taken. The
    nearest positives may be those of all rows.
    """

    def count() -> list[Piece]:
        counting = _KEPT.counting(of, job)
        known = [piece for part in task.stretches for piece in row_pieces(nearest, part)]
        with one_blas_thread():
            return counting.count(task, known)

    return _counted(job, task, count)


def _counted(job: WorkerJob, task: Task, count: Callable[[], list[Piece]]) -> list[Piece]:
    if job.checkpoint is not None:
        kept = job.checkpoint.kept_task(job.name, task.number)
        if kept is not None:
            return kept
    pieces = pack(count())
    if job.checkpoint is not None:
        keep_behind(job.checkpoint, job.name, task.number, pieces)
    return pieces


def nearest_of(pieces: Sequence[Piece]) -> list[Piece]:
    """Of what a task has counted the nearest positives, which others need."""
    return [piece for piece in pieces if piece.name == "nearest"]


def all_nearest(*parts: Sequence[Piece]) -> list[Piece]:
    """The nearest positives of all rows."""
    return [piece for part in parts for piece in nearest_of(part)]


def class_pieces(pieces: Sequence[Piece]) -> list[Piece]:
    """Of what a task has counted what is of classes, or of all pairs."""
    return [piece for piece in pieces if not piece.is_of_rows]


def row_pieces(pieces: Sequence[Piece], span: Stretch) -> list[Piece]:
    """Of what a task has counted what is of some rows."""
    cut = [
        piece.cut([span.rows]) for piece in pieces if piece.is_of_rows and piece.side == span.side
    ]
    return [piece for piece in cut if piece is not None]


def sum_on_worker(*parts: Sequence[Piece]) -> list[Piece]:
    """What some tasks have counted together."""
    return pack(sum_pieces(parts))


def start_sample_on_worker(
    of: WorkerSet, job: WorkerJob, plan: PairPlan, seed: int, memory: int
) -> StartedSample:
    """Find the near pairs of a job, and count them and the positives, if they are not kept.

    Raises
    ------
    UsageError
        Where so much memory is too little for it.
    """
    if job.checkpoint is not None:
        kept = job.checkpoint.head(job.name)
        if kept is not None:
            return kept
    rows = job.rows(_KEPT.whole(of))
    assert isinstance(rows, SortedRows)
    check_room_for_index(memory, rows.rows, of.reader.row_bytes, of.all_fit)
    started = start_sample(rows, job.lattice, plan, seed=seed, threads=1, ranks=job.ranks)
    return started if job.checkpoint is None else job.checkpoint.keep_head(job.name, started)


def columns_of(started: StartedSample) -> ColumnGroups:
    """The columns of a sample."""
    return started.columns


def row_head_of(started: StartedSample, start: int, stop: int) -> RowHead:
    """What must be known of some rows before they are counted against columns."""
    return started.head.of_rows(start, stop)


def without_rows(started: StartedSample) -> StartedSample:
    """What is known of a sample, but of its single rows."""
    return replace(started, head=started.head.without_rows())


def count_columns_on_worker(
    of: WorkerSet, job: WorkerJob, columns: ColumnGroups, task: Task, head: RowHead
) -> list[Piece]:
    """Count some rows against all columns; as `count_on_worker`."""

    def count() -> list[Piece]:
        counting = _KEPT.columns(of, job, columns)
        with one_blas_thread():
            return counting.count(task, head)

    return _counted(job, task, count)


def bytes_read_on_worker() -> int:
    """Compressed bytes of vectors that this process has read of its present set."""
    return _KEPT.bytes_read
