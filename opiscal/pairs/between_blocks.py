"""The blocks of a count between two sets, and counting one of them.

Both sides are in the same class order, so the negatives are those of every row with the rows of
later classes on the other side, once for the queries and once for the gallery; the positives of a
query are a stretch of the gallery.
"""

import copy
import itertools
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.block_counting import BlockCounting, Workspace, class_slots
from opiscal.pairs.blocks import TILE_COLS, TILE_ROWS, block_rows, cut_between_classes
from opiscal.pairs.kernel.between import (
    Between,
    tally_negatives_between,
    tally_positives_between,
)
from opiscal.pairs.kernel.moves import move_moments
from opiscal.pairs.kernel.ranks import reach_of
from opiscal.pairs.kernel.records import Nearest, Ranks, Side
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.negative_blocks import DIAGONAL_ROWS, NegativeSide, counts_by_class_pair
from opiscal.pairs.positive_blocks import positive_tiles
from opiscal.pairs.two_sets import TwoSets

if TYPE_CHECKING:
    from opiscal.pairs.between import BetweenTally

_POSITIVE_SHARE, _POSITIVES_LEAST = 3, 256
# A pair that is left out is infinitely far, and within no reach.
_LONGEST_REACH = np.finfo(np.float32).max


@dataclass(frozen=True, slots=True)
class BetweenBlock:
    """Pairs of rows of one side with rows of the other.

    Attributes
    ----------
    kind : "positive" or "negative"
    rows_from : 0 or 1
        Which side the rows are of: 0 for the queries, always so for positives, 1 for the gallery.
        Negatives are those with later classes of the other side.
    row_start, row_stop, col_start, col_stop : int
        Sorted places on the two sides.
    """

    kind: Literal["positive", "negative"]
    rows_from: int
    row_start: int
    row_stop: int
    col_start: int
    col_stop: int

    @property
    def pairs(self) -> int:
        """About how many pairs it holds, for the order of work and for progress."""
        rows, cols = self.row_stop - self.row_start, self.col_stop - self.col_start
        return rows * cols // (2 if self.kind == "negative" else 1)


class BetweenCounting:
    """What the blocks of one count share.

    Index 0 is for the queries, 1 for the gallery.
    """

    def __init__(self, two: TwoSets, lattice: Lattice, tally: "BetweenTally") -> None:
        self.two, self.tally = two, tally
        self.sides = (
            BlockCounting(two.queries, lattice, tally.queries, ranks=True),
            BlockCounting(two.gallery, lattice, tally.gallery, ranks=False),
        )
        # The tables are large, and the same.
        self.sides[1].edges = self.sides[0].edges
        self.lock = threading.Lock()
        self.start_there, self.stop_there = two.places_there
        # Of which queries the nearest pair is kept; of no gallery row.
        self.known = two.positives_of_query > 0
        self.unknown = (~self.known, np.zeros(two.gallery.rows, np.bool_))
        positive = self._positive_pair(two.same_item, two.numbers)
        self.same_item = {True: two.same_item[positive], False: two.same_item[~positive]}

    @staticmethod
    def _positive_pair(
        pairs: NDArray[np.int64], number: tuple[NDArray[np.int64], NDArray[np.int64]]
    ) -> NDArray[np.bool_]:
        return np.asarray(number[0][pairs[:, 0]] == number[1][pairs[:, 1]])

    def with_tally(self, tally: "BetweenTally") -> "BetweenCounting":
        """The same tables for another tally, which other threads may count into meanwhile."""
        other = copy.copy(self)
        other.tally, other.lock = tally, threading.Lock()
        sides = copy.copy(self.sides[0]), copy.copy(self.sides[1])
        sides[0].tally, sides[1].tally = tally.queries, tally.gallery
        other.sides = sides
        return other

    def left_out(self, block: BetweenBlock) -> NDArray[np.int64]:
        """Pairs of one item in a block, by its rows and columns."""
        pairs = self.same_item[block.kind == "positive"]
        if block.rows_from == 1:
            pairs = pairs[:, ::-1]
        row, col = pairs.T
        inside = (row >= block.row_start) & (row < block.row_stop)
        inside &= (col >= block.col_start) & (col < block.col_stop)
        if block.kind == "negative":
            inside &= col >= self.stop_there[block.rows_from][row]
        return np.ascontiguousarray(pairs[inside] - [block.row_start, block.col_start])


class Workspaces:
    """The buffers of one thread."""

    def __init__(self, counting: BetweenCounting) -> None:
        self.sides = tuple(Workspace(side) for side in counting.sides)
        self.room = self.sides[0].room


def plan_between(two: TwoSets) -> tuple[list[BetweenBlock], list[BetweenBlock]]:
    """Blocks of positive and of negative pairs; together every pair between the sets once.

    They depend on the rows alone, so that the counts are the same on any number of threads.
    """
    rows = two.queries, two.gallery
    start_there, stop_there = two.places_there
    size = [block_rows(side.rows) for side in rows]
    positive = []
    most = max(size[0] // _POSITIVE_SHARE, _POSITIVES_LEAST)
    queries = rows[0].classes
    cuts = cut_between_classes(queries.ends, 0, queries.scored_rows, most)
    for start, stop in itertools.pairwise(cuts):
        first = int(start_there[0][start])
        last = int(stop_there[0][stop - 1])
        for left in range(first, last, size[1]):
            right = min(left + size[1], last)
            positive.append(BetweenBlock("positive", 0, start, stop, left, right))
    negative = []
    for k in range(2):
        mine, other = rows[k], rows[1 - k]
        tops = cut_between_classes(mine.classes.ends, 0, mine.classes.labelled, size[k])
        lefts = cut_between_classes(other.classes.ends, 0, other.rows, size[1 - k])
        for top, bottom in itertools.pairwise(tops):
            for left, right in itertools.pairwise(lefts):
                if stop_there[k][top] < right:
                    negative.append(BetweenBlock("negative", k, top, bottom, left, right))
    return positive, negative


def count_block(block: BetweenBlock, counting: BetweenCounting, spaces: Workspaces) -> None:
    """Count the pairs of a block into the tally."""
    if block.kind == "positive":
        _count_positives(block, counting, spaces)
    else:
        _count_negatives(block, counting, spaces)


def _count_negatives(block: BetweenBlock, counting: BetweenCounting, spaces: Workspaces) -> None:
    k = block.rows_from
    rows, cols = counting.sides[k], counting.sides[1 - k]
    r0, r1, c0, c1 = block.row_start, block.row_stop, block.col_start, block.col_stop
    slots = class_slots(rows.class_index[r0:r1]), class_slots(cols.class_index[c0:c1])
    by_class_pair = counts_by_class_pair(*slots, spaces.room.histogram.shape[0])
    # As for the negatives of one set: counts of few rows fit in two bytes.
    short = not by_class_pair and max(part.largest for part in slots) * (r1 - r0) < 2**16
    short = short and max(part.largest for part in slots) * (c1 - c0) < 2**16
    row_side = NegativeSide(rows, r0, r1, slots[0], spaces.sides[k].row_counts, short)
    col_side = NegativeSide(cols, c0, c1, slots[1], spaces.sides[1 - k].col_counts, short)
    pool, class_pairs = rows.pool(), rows.class_pairs(rows.tally.class_pairs is not None)
    first_col = np.clip(counting.stop_there[k][r0:r1] - c0, 0, None)
    left_out = counting.left_out(block)
    wanted = counting.unknown[k][r0:r1], counting.unknown[1 - k][c0:c1]
    near = [np.full(part.size, np.inf, np.float32) for part in wanted]
    tally_negatives_between(
        _negative_tiles(first_col, c1 - c0, rows.class_ends - r0, cols.class_ends - c0),
        first_col,
        row_side.side,
        col_side.side,
        Between(left_out, wanted[0], near[0], wanted[1], near[1]),
        rows.edges,
        pool,
        class_pairs,
        spaces.room,
        by_class_pair,
        True,
    )
    pooled = rows.pooled(pool, row_side.side.by_class)
    counted = np.clip(c1 - np.maximum(counting.stop_there[k][r0:r1], c0), 0, None)
    counted -= np.bincount(left_out[:, 0], minlength=r1 - r0)
    counted_of_cols = np.clip(np.minimum(counting.start_there[1 - k][c0:c1], r1) - r0, 0, None)
    counted_of_cols -= np.bincount(left_out[:, 1], minlength=c1 - c0)
    part = slice(r0, r1) if k == 0 else slice(c0, c1)
    with counting.lock:
        rows.tally.pool_negative += pooled
        if rows.tally.class_pairs is not None:
            rows.tally.class_pairs += np.stack([class_pairs.squares, class_pairs.products])
        row_side.move(rows.tally, counted)
        col_side.move(cols.tally, counted_of_cols)
        nearest = counting.tally.nearest_negative
        nearest[part] = np.minimum(nearest[part], near[k])


def _negative_tiles(
    first_col: NDArray[np.int64],
    cols: int,
    row_ends: NDArray[np.int64],
    col_ends: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The tiles of a block that hold negatives, each as rows from and to, columns from and to.

    They end where classes end, but within classes that are larger than a tile.

    Parameters
    ----------
    first_col : int64 array
        For each row of the block the column from which on there are later classes.
    cols : int
        Columns of the block.
    row_ends, col_ends : int64 arrays
        Where classes end, in rows and in columns of the block.
    """
    tiles: list[tuple[int, int, int, int]] = []
    tops = cut_between_classes(row_ends, 0, first_col.size, TILE_ROWS)
    lefts = cut_between_classes(col_ends, 0, cols, TILE_COLS)
    for top, bottom in itertools.pairwise(tops):
        for left, right in itertools.pairwise(lefts):
            # Later rows meet no later class here. Where a tile holds pairs that are not its own, it
            # is flat.
            last = top + int(np.searchsorted(first_col[top:bottom], right))
            full = top + int(np.searchsorted(first_col[top:last], left, side="right"))
            cuts = [top, *cut_between_classes(row_ends, full, last, DIAGONAL_ROWS, whole=True)]
            tiles += [
                (start, stop, max(left, int(first_col[start])), right)
                for start, stop in itertools.pairwise(cuts)
                if stop > start
            ]
    return np.array(tiles, np.int64).reshape(-1, 4)


def _count_positives(block: BetweenBlock, counting: BetweenCounting, spaces: Workspaces) -> None:
    rows, cols = counting.sides
    r0, r1, c0, c1 = block.row_start, block.row_stop, block.col_start, block.col_stop
    slots = class_slots(rows.class_index[r0:r1])
    pool = rows.pool()
    by_class = np.zeros((slots.count, rows.lattice.class_edge.size), np.uint32)
    with counting.lock:
        best, order = rows.tally.best[r0:r1].copy(), rows.tally.best_order[r0:r1].copy()
    low, reach = reach_of(best, rows.rows.half_norm[r0:r1])
    row_nearest = Nearest(np.minimum(reach, _LONGEST_REACH), best, order)
    row_side = _positive_side(rows, r0, r1, slots.slot, by_class, row_nearest, low)
    # Nobody asks for the nearest query of a gallery row: none is nearer than this.
    closed = np.full(c1 - c0, -1, np.float32)
    col_nearest = Nearest(closed, closed.astype(np.float64), np.zeros(c1 - c0, np.int64))
    # Each pair is counted for its class once, by its row.
    no_slot = np.zeros(c1 - c0, np.uint32)
    col_side = _positive_side(cols, c0, c1, no_slot, by_class, col_nearest, closed)
    first_col = np.clip(counting.start_there[0][r0:r1] - c0, 0, c1 - c0)
    stop_col = np.clip(counting.stop_there[0][r0:r1] - c0, 0, c1 - c0)
    left_out = counting.left_out(block)
    near = np.full(r1 - r0, np.inf, np.float32)
    nobody = np.zeros(c1 - c0, np.bool_)
    classes = rows.rows.classes
    tally_positives_between(
        positive_tiles(classes.stop[r0:r1] - classes.start[r0:r1], first_col, stop_col),
        first_col,
        stop_col,
        row_side,
        col_side,
        Between(left_out, counting.known[r0:r1], near, nobody, near[:0]),
        rows.edges,
        pool,
        rows.class_pairs(wanted=False),
        spaces.room,
    )
    pooled = rows.pooled(pool, by_class)
    counted = stop_col - first_col - np.bincount(left_out[:, 0], minlength=r1 - r0)
    begin, end = (part[1][c0:c1] for part in (counting.start_there, counting.stop_there))
    counted_of_cols = np.clip(np.minimum(end, r1) - np.maximum(begin, r0), 0, None)
    counted_of_cols -= np.bincount(left_out[:, 1], minlength=c1 - c0)
    with counting.lock:
        rows.tally.pool_positive += pooled
        slots.move(by_class, rows.tally.class_positive, rows.edges)
        move_moments(row_side.moments, counted, rows.tally.row_positive[r0:r1])
        move_moments(col_side.moments, counted_of_cols, cols.tally.row_positive[c0:c1])
        rows.tally.offer_best(np.arange(r0, r1), best, order)
        nearest = counting.tally.nearest_positive
        nearest[r0:r1] = np.minimum(nearest[r0:r1], near)


def _positive_side(
    counting: BlockCounting,
    start: int,
    stop: int,
    slot: np.ndarray,
    by_class: np.ndarray,
    nearest: Nearest,
    low: np.ndarray,
) -> Side:
    return Side(
        rows=counting.rows_of(start, stop),
        nearest=nearest,
        ranks=Ranks(low, np.empty(stop - start, np.int32)),
        slot=slot,
        number=counting.class_number[start:stop],
        by_class=by_class,
        moments=np.zeros((stop - start, counting.lattice.moment_edge.size), np.uint16),
    )
