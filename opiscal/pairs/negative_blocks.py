"""Counting a block of negative pairs."""

import itertools

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.block_counting import (
    BlockCounting,
    ClassSlots,
    SideRoom,
    Workspace,
    class_slots,
)
from opiscal.pairs.blocks import TILE_COLS, TILE_ROWS, Block, cut_between_classes
from opiscal.pairs.kernel.moves import move_moments
from opiscal.pairs.kernel.negatives import tally_negatives
from opiscal.pairs.kernel.ranks import RECALL_CAP, reach_of
from opiscal.pairs.kernel.records import Nearest, Ranks, Side
from opiscal.pairs.tally import Tally

DIAGONAL_ROWS = 128
# Rows of a class from which on pairs are counted by class pair: the histogram of a class pair is
# shared out to both when its pairs are counted, which must not cost more than the pairs.
_CLASS_PAIR_ROWS = 10


def count_negatives(block: Block, counting: BlockCounting, space: Workspace) -> None:
    """Count the negatives of a block into the tally."""
    classes, tally = counting.rows.classes, counting.tally
    r0, r1, c0, c1 = block.row_start, block.row_stop, block.col_start, block.col_stop
    slots = (class_slots(counting.class_index[r0:r1]), class_slots(counting.class_index[c0:c1]))
    by_class_pair = counts_by_class_pair(*slots, space.room.histogram.shape[0])
    # Counts of few rows fit in two bytes: half as much to move between the caches.
    short = not by_class_pair and max(part.largest for part in slots) * (r1 - r0) < 2**16
    short = short and max(part.largest for part in slots) * (c1 - c0) < 2**16
    row_side = NegativeSide(counting, r0, r1, slots[0], space.row_counts, short)
    col_side = NegativeSide(counting, c0, c1, slots[1], space.col_counts, short)
    pool, class_pairs = counting.pool(), counting.class_pairs(counting.class_pairs_wanted)
    first_col = np.maximum(classes.stop[r0:r1] - c0, 0)
    tally_negatives(
        negative_tiles(first_col, c1 - c0, r0 - c0, counting.class_ends - c0),
        first_col,
        row_side.side,
        col_side.side,
        counting.edges,
        pool,
        class_pairs,
        space.room,
        by_class_pair,
        counting.ranks_wanted,
    )
    pooled = counting.pooled(pool, row_side.side.by_class)
    counted = np.clip(c1 - np.maximum(classes.stop[r0:r1], c0), 0, None)
    counted_of_cols = np.clip(np.minimum(classes.start[c0:c1], r1) - r0, 0, None)
    with counting.lock:
        tally.pool_negative += pooled
        if tally.class_pairs is not None:
            tally.class_pairs += np.stack([class_pairs.squares, class_pairs.products])
        row_side.move(tally, counted)
        col_side.move(tally, counted_of_cols)


def counts_by_class_pair(rows: ClassSlots, cols: ClassSlots, histograms: int) -> bool:
    """Whether classes have rows enough to count by class pair."""
    if rows.slot.size * cols.slot.size < _CLASS_PAIR_ROWS**2 * rows.count * cols.count:
        return False
    # A tile may not meet more classes than there are histograms for.
    slot = cols.slot.astype(np.int64)
    last = np.minimum(np.arange(slot.size) + TILE_COLS, slot.size) - 1
    return bool((slot[last] - slot).max() < histograms)


def negative_tiles(
    first_col: NDArray[np.int64], cols: int, ahead: int, ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The tiles of a block that hold negatives, each as rows from and to, columns from and to.

    They end where classes end, but within classes that are larger than a tile.

    Parameters
    ----------
    first_col : int64 array
        For each row of the block the column from which on there are other classes.
    cols : int
        Columns of the block.
    ahead : int
        By how many rows the block's rows come after its columns, in the order of all rows.
    ends : int64 array
        Where classes end, in columns of the block.
    """
    tiles: list[tuple[int, int, int, int]] = []
    ends_of_rows = ends - ahead
    tops = cut_between_classes(ends_of_rows, 0, first_col.size, TILE_ROWS)
    lefts = cut_between_classes(ends, 0, cols, TILE_COLS)
    for top, bottom in itertools.pairwise(tops):
        for left, right in itertools.pairwise(lefts):
            # Rows of a class that reaches past `right` meet no other class here, nor do those after
            # them. About the diagonal, where a tile holds pairs that are not its own, it is flat.
            last = top + int(np.searchsorted(first_col[top:bottom], right))
            above = min(max(top, left - ahead), last)
            flat = cut_between_classes(ends_of_rows, above, last, DIAGONAL_ROWS, whole=True)
            cuts = [top, *flat] if above > top else flat
            tiles += [
                (start, stop, max(left, int(first_col[start])), right)
                for start, stop in itertools.pairwise(cuts)
                if stop > start
            ]
    return np.array(tiles, np.int64).reshape(-1, 4)


class NegativeSide:
    """What a block of negatives counts for its rows, or for its columns."""

    def __init__(
        self,
        counting: BlockCounting,
        start: int,
        stop: int,
        slots: ClassSlots,
        space: SideRoom,
        short: bool,
    ) -> None:
        tally = counting.tally
        self.part, self.slots, self._edges = slice(start, stop), slots, counting.edges
        # How near a negative of each row must be to matter for its rank; -1 where none does.
        best, rank = tally.best[self.part], tally.rank[self.part]
        wanted = np.isfinite(best) & (rank < RECALL_CAP) & counting.ranks_wanted
        low, reach = reach_of(best, counting.rows.half_norm[self.part])
        closed = np.float32(-1)
        self.side = Side(
            rows=counting.rows_of(start, stop),
            nearest=Nearest(np.where(wanted, reach, closed), best, tally.best_order[self.part]),
            ranks=Ranks(np.where(wanted, low, closed), np.zeros(stop - start, np.int32)),
            slot=self.slots.slot,
            number=counting.class_number[self.part],
            by_class=space.by_class(slots.count, short),
            moments=space.moments[: stop - start],
        )

    def move(self, tally: Tally, counted: np.ndarray) -> None:
        """Add to a tally, where so many negatives of each row were counted; none are left here."""
        tally.rank[self.part] += self.side.ranks.rank
        self.slots.move(self.side.by_class, tally.class_negative, self._edges)
        move_moments(self.side.moments, counted, tally.row_negative[self.part])
