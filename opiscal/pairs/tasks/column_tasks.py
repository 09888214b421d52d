"""The tasks of the second stratum of a sampled count: some rows against all columns."""

import threading
from collections.abc import Iterable

import numpy as np

from opiscal.pairs.lattice import Lattice
from opiscal.pairs.sampled_columns import (
    ColumnCounting,
    ColumnGroups,
    ColumnSums,
    RowHead,
    row_blocks,
)
from opiscal.pairs.sorted_rows import ClassOrder, SortedRows
from opiscal.pairs.tally import Tally
from opiscal.pairs.tasks.pieces import Arrays, Piece, add_pieces, cut_out
from opiscal.pairs.tasks.task import Stretch, Task, classes_of, group_spans, tasks_wanted

# At the least, where there are as many blocks: with two or three large ones workers do not end
# together, and an interrupt costs much.
_FEWEST_TASKS = 16


def plan_column_tasks(
    classes: ClassOrder, dimensions: int, columns: ColumnGroups
) -> tuple[Task, ...]:
    """Share the rows out; every task is a stretch of them."""
    blocks = row_blocks(classes)
    cuts = [blocks[0][0], *(stop for _, stop in blocks)] if blocks else []
    pairs = classes.place.size * columns.size
    spans = group_spans(cuts, max(_FEWEST_TASKS, tasks_wanted(pairs, dimensions)))
    return tuple(
        Task(
            number,
            "columns",
            tuple(block for block in blocks if start <= block[0] < stop),
            (Stretch(0, start, stop),),
            (stop - start) * columns.size,
        )
        for number, (start, stop) in enumerate(spans)
    )


class ColumnTasks:
    """Counts stretches of rows against columns.

    Parameters
    ----------
    rows : SortedRows
    lattice : Lattice
    columns : ColumnGroups
    """

    def __init__(self, rows: SortedRows, lattice: Lattice, columns: ColumnGroups) -> None:
        """Read the columns."""
        self.rows, self.lattice, self.columns = rows, lattice, columns
        self._counting = ColumnCounting(rows, lattice, columns)
        self._thread = threading.local()

    def count(self, task: Task, head: RowHead) -> list[Piece]:
        """Count a task, on one thread, within `one_blas_thread`."""
        if not hasattr(self._thread, "space"):
            self._thread.space = self._counting.workspace()
        # Only what is written to takes memory.
        sums = ColumnSums.empty(self.rows, self.lattice, self.columns)
        for start, stop in task.blocks:
            self._counting.count(start, stop, head, sums, self._thread.space)
        arrays = arrays_of(sums)
        lines = classes_of(self._counting.counting.class_index, task.stretches[0].rows)
        out = [cut_out(arrays, "pool")]
        if lines.stop > lines.start:
            out += [
                cut_out(arrays, "by_class", lines),
                cut_out(arrays, "by_group", slice(0, len(sums.by_group)), lines),
                cut_out(arrays, "row_sums", slice(0, len(sums.row_sums)), lines),
            ]
        return out


def arrays_of(sums: ColumnSums) -> Arrays:
    """The arrays of the sums, all of which add."""
    return {name: getattr(sums, name) for name in ("pool", "by_class", "by_group", "row_sums")}


def added_columns(
    rows: SortedRows, lattice: Lattice, columns: ColumnGroups, pieces: Iterable[Piece]
) -> ColumnSums:
    """The sums that pieces add up to."""
    sums = ColumnSums.empty(rows, lattice, columns)
    add_columns(sums, pieces)
    return sums


def add_columns(sums: ColumnSums, pieces: Iterable[Piece]) -> None:
    """Add what tasks have counted."""
    add_pieces(pieces, arrays_of(sums))


def bytes_of_sample(rows: SortedRows, lattice: Lattice, sums: ColumnSums) -> int:
    """What the counts of a sample take at the least while they are added up: those of near pairs
    and of positives, by row and by class, and the sums of the columns.
    """
    tally = Tally.empty(rows, lattice)
    near_rows = rows.rows * lattice.moment_edge.size * np.dtype(np.uint16).itemsize
    head = (tally.class_positive, tally.class_negative, tally.row_positive)
    arrays = (*head, *arrays_of(sums).values())
    return near_rows + sum(array.nbytes for array in arrays)
