"""The tasks of an exact count of one set."""

import copy
import threading
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from opiscal.pairs.block_counting import BlockCounting, Workspace
from opiscal.pairs.blocks import Block, plan_blocks
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.negative_blocks import count_negatives
from opiscal.pairs.positive_blocks import count_positives
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.tally import Tally
from opiscal.pairs.tasks.pieces import NEAREST, Arrays, Piece, add_pieces, cut_out, whole_pieces
from opiscal.pairs.tasks.task import Stretch, Task, classes_of, disjoint, group_spans, tasks_wanted


def plan_exact_tasks(
    rows: SortedRows, dimensions: int, *, shares: int = 1, most_rows: int | None = None
) -> tuple[Task, ...]:
    """Share an exact count out into tasks: a grid of stretches of rows against each other.

    They hold the blocks of `opiscal.pairs.blocks.plan_blocks`, each whole and in one task, so that
    every pair is multiplied in the same tile as in a count without tasks: counts are the same bit
    for bit. They depend on the rows and on what is given here, never on who counts them.

    Parameters
    ----------
    rows : SortedRows
        Only their order is looked at.
    dimensions : int
    shares : int
        Blocks of a job array.
    most_rows : int, optional
        Rows of a stretch, so that two of them fit in the memory of a worker.

    Returns
    -------
    tuple of Task
        Positive ones first: ranks ask for the nearest positive of every row.
    """
    positive, negative = plan_blocks(rows)
    wanted = tasks_wanted(rows.pairs, dimensions, shares)
    cuts = sorted({0, rows.rows, *(b.col_start for b in negative), *(b.col_stop for b in negative)})
    across = int(np.ceil((np.sqrt(8.0 * wanted + 1.0) - 1.0) / 2.0))
    spans = group_spans(cuts, across, most_rows)
    begins = np.array([start for start, _ in spans])
    tasks: list[Task] = []

    def add(kind: str, blocks: list[Block], stretches: tuple[Stretch, ...]) -> None:
        ordered = tuple(sorted(blocks, key=lambda block: -block.pairs))
        pairs = sum(block.pairs for block in blocks)
        tasks.append(Task(len(tasks), kind, ordered, stretches, pairs))

    by_span = _grouped(positive, begins, lambda block: (block.row_start,))
    for blocks in by_span.values():
        first, last = min(b.row_start for b in blocks), max(b.col_stop for b in blocks)
        add("positive", blocks, (Stretch(0, first, last),))
    by_spans = _grouped(negative, begins, lambda block: (block.row_start, block.col_start))
    for where, blocks in by_spans.items():
        add("negative", blocks, tuple(Stretch(0, *spans[k]) for k in dict.fromkeys(where)))
    return tuple(tasks)


def _grouped(
    blocks: Iterable[Block], begins: np.ndarray, place: Any
) -> dict[tuple[int, ...], list[Block]]:
    out: dict[tuple[int, ...], list[Block]] = {}
    for block in blocks:
        where = np.searchsorted(begins, place(block), side="right") - 1
        out.setdefault(tuple(where.tolist()), []).append(block)
    return dict(sorted(out.items()))


class ExactTasks:
    """Counts tasks of one set; several threads may do so at the same time.

    Parameters
    ----------
    rows : SortedRows
    lattice : Lattice
    ranks : bool
        Whether neighbour ranks are kept.
    """

    def __init__(self, rows: SortedRows, lattice: Lattice, ranks: bool) -> None:
        """Make the tables that all tasks share."""
        self.rows, self.lattice, self.ranks = rows, lattice, ranks
        self._shared = BlockCounting(rows, lattice, Tally.empty(rows, lattice), ranks)
        self._thread = threading.local()

    def count(self, task: Task, nearest: Iterable[Piece] = ()) -> list[Piece]:
        """Count the pairs of a task, on one thread; to be called within `one_blas_thread`.

        Parameters
        ----------
        task : Task
        nearest : iterable of Piece
            What the tasks that it needs have counted; other pieces than those of nearest
            positives are passed over.
        """
        # Of a tally as large as the set only what is written to takes memory.
        tally = Tally.empty(self.rows, self.lattice)
        for piece in nearest:
            offer_nearest(piece, tally)
        counting = copy.copy(self._shared)
        counting.tally, counting.lock = tally, threading.Lock()
        if not hasattr(self._thread, "space"):
            self._thread.space = Workspace(counting)
        count = count_positives if task.kind == "positive" else count_negatives
        for block in task.blocks:
            count(block, counting, self._thread.space)
        return self._cut(task, tally)

    @cached_property
    def whole(self) -> Tally:
        """The tally of what was added."""
        return Tally.empty(self.rows, self.lattice)

    @property
    def needs_nearest(self) -> bool:
        """Whether tasks of negative pairs ask for the nearest positives of their rows."""
        return self.ranks

    @property
    def bytes_when_finished(self) -> int:
        """What the counts of all tasks take while they are added up."""
        return tally_bytes(self.whole)

    def bytes_of(self, task: Task) -> int:
        """What the counts of a task take at the most, before they are packed."""
        return sum(piece.values.nbytes for piece in self._cut(task, self.whole))

    def add(self, pieces: Iterable[Piece]) -> None:
        """Add what tasks have counted to the tally of the whole."""
        arrays = arrays_of(self.whole)
        for piece in pieces:
            if piece.name == "nearest":
                offer_nearest(piece, self.whole)
            else:
                add_pieces([piece], arrays)

    def added(self) -> list[Piece]:
        """All that was added, as pieces that share the tally."""
        found = [cut_nearest(self.whole, Stretch(0, 0, self.rows.rows))] if self.ranks else []
        return whole_pieces(arrays_of(self.whole)) + found

    def nearest(self, task: Task) -> list[Piece]:
        """The nearest positives of the rows of a task, as far as they were added."""
        if not self.needs_nearest or task.kind == "positive":
            return []
        return [cut_nearest(self.whole, part) for part in task.stretches]

    def _cut(self, task: Task, tally: Tally) -> list[Piece]:
        arrays, kind = arrays_of(tally), task.kind
        out = [cut_out(arrays, f"pool_{kind}")]
        scored = self.rows.classes.scored_rows
        classes = [classes_of(self._shared.class_index, part.rows) for part in task.stretches]
        out += [cut_out(arrays, f"class_{kind}", lines) for lines in disjoint(classes)]
        for part in task.stretches:
            out += cut_rows(arrays, kind, part, scored, ranks=self.ranks)
            if kind == "positive" and self.ranks:
                out.append(cut_nearest(tally, part))
        if kind == "negative" and tally.class_pairs is not None:
            out.append(cut_out(arrays, "class_pairs"))
            if tally.accepted_of_pairs.size:
                edges = slice(0, tally.accepted_of_pairs.shape[0])
                out.append(cut_out(arrays, "accepted_of_pairs", edges, classes[0], classes[-1]))
        return out


def arrays_of(tally: Tally) -> Arrays:
    """The arrays of a tally that are added up."""
    names = [
        "pool_positive",
        "pool_negative",
        "class_positive",
        "class_negative",
        "row_positive",
        "row_negative",
        "rank",
        *(["class_pairs", "accepted_of_pairs"] if tally.class_pairs is not None else []),
    ]
    return {name: getattr(tally, name) for name in names}


def cut_rows(arrays: Arrays, kind: str, part: Stretch, scored: int, *, ranks: bool) -> list[Piece]:
    """What was counted of the rows of a stretch, of which the first so many are scored."""
    out = []
    if part.start < scored:
        out.append(cut_out(arrays, f"row_{kind}", slice(part.start, min(part.stop, scored))))
    if kind == "negative" and ranks:
        out.append(cut_out(arrays, "rank", part.rows))
    return out


def cut_nearest(tally: Tally, part: Stretch) -> Piece:
    """The nearest positives of the rows of a stretch."""
    found = np.empty(part.stop - part.start, NEAREST)
    found["best"], found["order"] = tally.best[part.rows], tally.best_order[part.rows]
    return Piece("nearest", (part.start,), found)


def tally_bytes(tally: Tally) -> int:
    """Memory of the counts of a tally."""
    ends = tally.best.nbytes + tally.best_order.nbytes
    return ends + sum(array.nbytes for array in arrays_of(tally).values())


def offer_nearest(piece: Piece, tally: Tally) -> None:
    """Take the nearest positives of a piece; other pieces are passed over."""
    if piece.name != "nearest":
        return
    (rows,) = piece.box
    places = np.arange(rows.start, rows.stop)
    tally.offer_best(places, piece.values["best"], piece.values["order"])
