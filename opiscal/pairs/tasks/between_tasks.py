"""The tasks of a count of queries against a gallery."""

import threading
from collections.abc import Iterable
from functools import cached_property

import numpy as np

from opiscal.pairs.between import BetweenTally
from opiscal.pairs.between_blocks import (
    BetweenBlock,
    BetweenCounting,
    Workspaces,
    count_block,
    plan_between,
)
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.tasks.exact_tasks import cut_nearest, offer_nearest
from opiscal.pairs.tasks.pieces import Arrays, Piece, add_pieces, cut_out, whole_pieces
from opiscal.pairs.tasks.task import Stretch, Task, classes_of, disjoint, group_spans, tasks_wanted
from opiscal.pairs.two_sets import TwoSets

_SIDES = ("queries", "gallery")
_SMALLEST = ("nearest_positive", "nearest_negative")


def plan_between_tasks(
    two: TwoSets, dimensions: int, *, shares: int = 1, most_rows: int | None = None
) -> tuple[Task, ...]:
    """Share a count between two sets out into tasks; as `plan_exact_tasks`.

    They hold the blocks of `opiscal.pairs.between_blocks.plan_between`.
    """
    positive, negative = plan_between(two)
    wanted = tasks_wanted(two.pairs, dimensions, shares)
    sizes = two.queries.rows, two.gallery.rows
    # Of the longer side as many stretches more; negatives are asked for from either side.
    across = np.sqrt(wanted / 2 * np.array(sizes) / np.array(sizes[::-1]))
    spans = [
        group_spans(
            _cuts(negative, side, sizes[side]), max(1, round(float(across[side]))), most_rows
        )
        for side in range(2)
    ]
    begins = [np.array([start for start, _ in part]) for part in spans]
    tasks: list[Task] = []

    def place(side: int, row: int) -> int:
        return int(np.searchsorted(begins[side], row, side="right")) - 1

    grouped: dict[tuple[int, ...], list[BetweenBlock]] = {}
    for block in (*positive, *negative):
        k = block.rows_from
        kind = 0 if block.kind == "positive" else 1
        where = kind, k, place(k, block.row_start), place(1 - k, block.col_start)
        grouped.setdefault(where, []).append(block)
    for (kind, k, row, col), blocks in sorted(grouped.items()):
        ends = [Stretch(k, *spans[k][row]), Stretch(1 - k, *spans[1 - k][col])]
        if kind == 0:
            ends = [
                Stretch(0, min(b.row_start for b in blocks), max(b.row_stop for b in blocks)),
                Stretch(1, min(b.col_start for b in blocks), max(b.col_stop for b in blocks)),
            ]
        ordered = tuple(sorted(blocks, key=lambda block: -block.pairs))
        pairs = sum(block.pairs for block in blocks)
        name = "positive" if kind == 0 else "negative"
        tasks.append(Task(len(tasks), name, ordered, tuple(ends), pairs))
    return tuple(tasks)


def _cuts(blocks: list[BetweenBlock], side: int, rows: int) -> list[int]:
    """Places of one side at which no block is cut; it is cut in two ways, one for either kind."""
    spans = np.array(
        [
            (b.row_start, b.row_stop) if b.rows_from == side else (b.col_start, b.col_stop)
            for b in blocks
        ]
    ).reshape(-1, 2)
    spans = np.unique(spans, axis=0)
    cuts = np.union1d(spans, [0, rows])
    inside = (spans[:, :1] < cuts) & (cuts < spans[:, 1:])
    return [int(cut) for cut in cuts[~inside.any(axis=0)]]


class BetweenTasks:
    """Counts tasks of two sets; several threads may do so at the same time.

    Parameters
    ----------
    two : TwoSets
    lattice : Lattice
    """

    def __init__(self, two: TwoSets, lattice: Lattice) -> None:
        """Make the tables that all tasks share."""
        self.two, self.lattice = two, lattice
        self._shared = BetweenCounting(two, lattice, BetweenTally.empty(two, lattice))
        self._thread = threading.local()

    def count(self, task: Task, nearest: Iterable[Piece] = ()) -> list[Piece]:
        """Count the pairs of a task; as `opiscal.pairs.tasks.exact_tasks.ExactTasks.count`."""
        tally = BetweenTally.empty(self.two, self.lattice)
        for piece in nearest:
            offer_nearest(piece, tally.queries)
        counting = self._shared.with_tally(tally)
        if not hasattr(self._thread, "spaces"):
            self._thread.spaces = Workspaces(counting)
        for block in task.blocks:
            count_block(block, counting, self._thread.spaces)
        return self._cut(task, tally)

    @cached_property
    def whole(self) -> BetweenTally:
        """The tally of what was added."""
        return BetweenTally.empty(self.two, self.lattice)

    @property
    def needs_nearest(self) -> bool:
        """Always: whether the nearest gallery row is of the query's class is counted of each."""
        return True

    @property
    def bytes_when_finished(self) -> int:
        """What the counts of all tasks take while they are added up."""
        ends = self.whole.queries.best.nbytes + self.whole.queries.best_order.nbytes
        return ends + sum(array.nbytes for array in arrays_of(self.whole).values())

    def add(self, pieces: Iterable[Piece]) -> None:
        """Add what tasks have counted to the tally of the whole."""
        arrays = arrays_of(self.whole)
        for piece in pieces:
            if piece.name == "nearest":
                offer_nearest(piece, self.whole.queries)
            else:
                add_pieces([piece], arrays)

    def added(self) -> list[Piece]:
        """All that was added, as pieces that share the tally."""
        found = cut_nearest(self.whole.queries, Stretch(0, 0, self.two.queries.rows))
        return [*whole_pieces(arrays_of(self.whole)), found]

    def nearest(self, task: Task) -> list[Piece]:
        """The nearest positives of the queries of a task, as far as they were added."""
        if task.kind == "positive":
            return []
        return [cut_nearest(self.whole.queries, part) for part in task.stretches if part.side == 0]

    def _cut(self, task: Task, tally: BetweenTally) -> list[Piece]:
        arrays, kind = arrays_of(tally), task.kind
        sides = self._shared.sides
        classes = [classes_of(sides[p.side].class_index, p.rows) for p in task.stretches]
        out = [cut_out(arrays, f"pool_{kind}")]
        out += [cut_out(arrays, f"class_{kind}", lines) for lines in disjoint(classes)]
        for part in task.stretches:
            side = _SIDES[part.side]
            scored = sides[part.side].rows.classes.scored_rows
            if part.start < scored:
                rows = slice(part.start, min(part.stop, scored))
                out.append(cut_out(arrays, f"{side}.row_{kind}", rows))
            if part.side == 0:
                out.append(cut_out(arrays, f"nearest_{kind}.smallest", part.rows))
                out.append(
                    cut_nearest(tally.queries, part)
                    if kind == "positive"
                    else cut_out(arrays, "rank", part.rows)
                )
        if kind == "negative" and tally.queries.class_pairs is not None:
            out.append(cut_out(arrays, "class_pairs"))
            name = f"{_SIDES[task.stretches[0].side]}.accepted_of_pairs"
            edges = slice(0, arrays[name].shape[0])
            out.append(cut_out(arrays, name, edges, classes[0], classes[1]))
        return out


def arrays_of(tally: BetweenTally) -> Arrays:
    """The arrays of a tally that are added up; what both sides have in common is there once."""
    queries, gallery = tally.queries, tally.gallery
    out = {
        "pool_positive": queries.pool_positive,
        "pool_negative": queries.pool_negative,
        "class_positive": queries.class_positive,
        "class_negative": queries.class_negative,
        "rank": queries.rank,
        "nearest_positive.smallest": tally.nearest_positive,
        "nearest_negative.smallest": tally.nearest_negative,
    }
    if queries.class_pairs is not None:
        out["class_pairs"] = queries.class_pairs
    for name, side in zip(_SIDES, (queries, gallery), strict=True):
        for array in ("row_positive", "row_negative", "accepted_of_pairs"):
            out[f"{name}.{array}"] = getattr(side, array)
    return out
