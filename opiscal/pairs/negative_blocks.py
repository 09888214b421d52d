"""Counting a block of negative pairs."""

from collections.abc import Iterator

import numpy as np

from opiscal.pairs.block_counting import (
    PANEL_COLS,
    TILE_COLS,
    TILE_ROWS,
    BlockCounting,
    SideRoom,
    Workspace,
    class_slots,
)
from opiscal.pairs.blocks import Block
from opiscal.pairs.kernel.negatives import tally_class_pairs, tally_columns, tally_rows
from opiscal.pairs.kernel.ranks import RECALL_CAP, rank_negatives, reach_of
from opiscal.pairs.kernel.records import Nearest, Ranks
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.tally import Tally

_DIAGONAL_ROWS = 128
# Rows of a class from which on pairs are counted by class pair: the histogram of a class pair is
# shared out to both when its pairs are counted, which must not cost more than the pairs.
_CLASS_PAIR_ROWS = 10


def count_negatives(block: Block, counting: BlockCounting, space: Workspace) -> None:
    """Count the negatives of a block into the tally."""
    rows, classes, tally = counting.rows, counting.rows.classes, counting.tally
    r0, r1, c0, c1 = block.row_start, block.row_stop, block.col_start, block.col_stop
    row_side = _NegativeSide(counting, r0, r1, space.row_counts)
    col_side = _NegativeSide(counting, c0, c1, space.col_counts)
    pool = np.zeros(counting.lattice.edge_key.size, np.uint32)
    by_class_pair = (r1 - r0) * (c1 - c0) >= _CLASS_PAIR_ROWS**2 * (
        row_side.slots.count * col_side.slots.count
    )
    for r in range(r0, r1, TILE_ROWS):
        r_end = min(r + TILE_ROWS, r1)
        for c in range(max(c0, int(classes.stop[r])), c1, PANEL_COLS):
            c_end = min(c + PANEL_COLS, c1)
            for t, t_end, left, right in negative_tiles(counting.rows, r, r_end, c, c_end):
                if counting.stopped.is_set():
                    return
                here, there = slice(t - r0, t_end - r0), slice(left - c0, right - c0)
                tile = space.product(rows, t, t_end, left, right)
                sides = (
                    classes.stop[t:t_end],
                    left,
                    counting.rows_of(t, t_end),
                    counting.rows_of(left, right),
                )
                tables = (
                    row_side.reach[here],
                    col_side.reach[there],
                    counting.edges,
                    row_side.slots.slot[here],
                )
                if by_class_pair:
                    tally_class_pairs(
                        tile,
                        *sides,
                        *tables,
                        col_side.slots.slot[there],
                        space.histogram,
                        pool,
                        row_side.by_class,
                        col_side.by_class,
                        row_side.moments[here],
                        col_side.moments[there],
                        space.key_line,
                        space.chosen,
                        space.nearer,
                    )
                else:
                    tally_rows(
                        tile,
                        *sides,
                        *tables,
                        space.histogram[0],
                        pool,
                        row_side.by_class,
                        row_side.moments[here],
                        col_side.moments[there],
                        space.places[t - r : t_end - r, left - c : right - c],
                        space.key_line,
                        space.chosen,
                        space.nearer,
                    )
                if counting.ranks_wanted:
                    rank_negatives(
                        tile,
                        *sides,
                        row_side.nearest(here),
                        col_side.nearest(there),
                        row_side.ranks(here),
                        col_side.ranks(there),
                        space.nearer,
                    )
            if not by_class_pair:
                tally_columns(
                    space.places[: r_end - r, : c_end - c],
                    classes.start[c:c_end],
                    r,
                    col_side.slots.slot[c - c0 : c_end - c0],
                    col_side.by_class,
                )
    far = slice(counting.lattice.near + 1, None)
    pool[counting.lattice.class_edge[far]] = row_side.by_class[:, far].sum(axis=0, dtype=np.uint32)
    counted = np.clip(c1 - np.maximum(classes.stop[r0:r1], c0), 0, None)
    counted_of_cols = np.clip(np.minimum(classes.start[c0:c1], r1) - r0, 0, None)
    with counting.lock:
        tally.pool_negative += pool
        row_side.add(tally, counted)
        col_side.add(tally, counted_of_cols)


def negative_tiles(
    rows: SortedRows, r: int, r_end: int, c: int, c_end: int
) -> Iterator[tuple[int, int, int, int]]:
    """The tiles of a panel that hold negatives, each as rows from, to, columns from, to."""
    stop = rows.classes.stop
    for left in range(c, c_end, TILE_COLS):
        right = min(left + TILE_COLS, c_end)
        # Rows of a class that reaches past `right` meet no other class here, nor do those after
        # them. About the diagonal, where a tile holds pairs that are not its own, it is flat.
        last = r + int(np.searchsorted(stop[r:r_end], right))
        above = min(max(r, left), last)
        steps = [(r, above)] if above > r else []
        steps += [(t, min(t + _DIAGONAL_ROWS, last)) for t in range(above, last, _DIAGONAL_ROWS)]
        for top, bottom in steps:
            yield top, bottom, max(left, int(stop[top])), right


class _NegativeSide:
    """What a block of negatives counts for its rows, or for its columns."""

    def __init__(self, counting: BlockCounting, start: int, stop: int, space: SideRoom) -> None:
        tally = counting.tally
        self.part = slice(start, stop)
        self.slots = class_slots(counting.class_index[start:stop])
        self.by_class = space.by_class[: self.slots.count]
        self.moments = space.moments[: stop - start]
        self.by_class[:], self.moments[:] = 0, 0
        # How near a negative of each row must be to matter for its rank; -1 where none does.
        best, rank = tally.best[self.part], tally.rank[self.part]
        wanted = np.isfinite(best) & (rank < RECALL_CAP) & counting.ranks_wanted
        low, reach = reach_of(best, counting.rows.half_norm[self.part])
        closed = np.float32(-1)
        self._nearest = Nearest(np.where(wanted, reach, closed), best, tally.best_order[self.part])
        self._ranks = Ranks(np.where(wanted, low, closed), np.zeros(stop - start, np.int32))

    @property
    def reach(self) -> np.ndarray:
        """How near a negative of each row must be to matter for its rank."""
        return self._nearest.reach

    def nearest(self, part: slice) -> Nearest:
        """Nearest positives of some rows of the block."""
        return Nearest(*(field[part] for field in self._nearest))

    def ranks(self, part: slice) -> Ranks:
        """Ranks of some rows of the block."""
        return Ranks(*(field[part] for field in self._ranks))

    def add(self, tally: Tally, counted: np.ndarray) -> None:
        """Add to a tally, where so many negatives of each row were counted, the far ones too."""
        tally.rank[self.part] += self._ranks.rank
        self.slots.add(self.by_class, tally.class_negative)
        of_rows = tally.row_negative[self.part]
        scored = slice(len(of_rows))
        of_rows += self.moments[scored]
        of_rows[:, -1] += (counted - self.moments.sum(axis=1, dtype=np.uint32))[scored].astype(
            of_rows.dtype
        )
