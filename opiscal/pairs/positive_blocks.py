"""Counting a block of positive pairs."""

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.block_counting import BlockCounting, Workspace, class_slots
from opiscal.pairs.blocks import TILE_COLS, Block
from opiscal.pairs.kernel.moves import move_moments
from opiscal.pairs.kernel.positives import tally_positives
from opiscal.pairs.kernel.ranks import reach_of
from opiscal.pairs.kernel.records import Nearest, Ranks, Side

# Positives lie close to the diagonal: narrow tiles waste less of the product.
_ROWS_LEAST, _ROWS_MOST = 64, 256


def count_positives(block: Block, counting: BlockCounting, space: Workspace) -> None:
    """Count the positives of a block into the tally."""
    classes, lattice, tally = counting.rows.classes, counting.lattice, counting.tally
    r0, r1, c0, c1 = block.row_start, block.row_stop, block.col_start, block.col_stop
    slots = class_slots(counting.class_index[r0:r1])
    pool = counting.pool()
    by_class = np.zeros((slots.count, lattice.class_edge.size), np.uint32)
    row_side = _positive_side(counting, r0, r1, slots.slot, by_class)
    # Each pair is counted for its class once, by its row.
    col_side = _positive_side(counting, c0, c1, np.empty(c1 - c0, np.uint32), by_class)
    stop_col = np.maximum(np.minimum(classes.stop[r0:r1], c1) - c0, 0)
    first_col = np.clip(np.arange(r0 + 1, r1 + 1) - c0, 0, c1 - c0)
    tally_positives(
        positive_tiles(classes.stop[r0:r1] - classes.start[r0:r1], first_col, stop_col),
        first_col,
        stop_col,
        row_side,
        col_side,
        counting.edges,
        pool,
        counting.class_pairs(wanted=False),
        space.room,
    )
    pooled = counting.pooled(pool, by_class)
    after = np.maximum(stop_col - first_col, 0)
    before = np.minimum(np.arange(c0, c1), r1) - np.maximum(classes.start[c0:c1], r0)
    with counting.lock:
        tally.pool_positive += pooled
        slots.move(by_class, tally.class_positive, counting.edges)
        move_moments(row_side.moments, after, tally.row_positive[r0:r1])
        move_moments(col_side.moments, np.maximum(before, 0), tally.row_positive[c0:c1])
        tally.offer_best(np.arange(r0, r1), row_side.nearest.best, row_side.nearest.order)
        tally.offer_best(np.arange(c0, c1), col_side.nearest.best, col_side.nearest.order)


def positive_tiles(
    class_rows: NDArray[np.int64], first_col: NDArray[np.int64], stop_col: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The tiles of a block that hold positives, each as rows from and to, columns from and to."""
    tiles, top = [], 0
    while top < class_rows.size:
        tall = min(max(int(class_rows[top]), _ROWS_LEAST), _ROWS_MOST)
        bottom = min(top + tall, class_rows.size)
        last = int(stop_col[bottom - 1])
        lefts = range(int(first_col[top]), last, TILE_COLS)
        tiles += [(top, bottom, left, min(left + TILE_COLS, last)) for left in lefts]
        top = bottom
    return np.array(tiles, np.int64).reshape(-1, 4)


def _positive_side(
    counting: BlockCounting, start: int, stop: int, slot: np.ndarray, by_class: np.ndarray
) -> Side:
    """What a block of positives counts for its rows, or for its columns: there are no ranks yet.

    It looks for positives that are nearer than those that other blocks have found so far.
    """
    part, rows = slice(start, stop), stop - start
    with counting.lock:
        best, order = counting.tally.best[part].copy(), counting.tally.best_order[part].copy()
    low, reach = reach_of(best, counting.rows.half_norm[part])
    return Side(
        rows=counting.rows_of(start, stop),
        nearest=Nearest(reach, best, order),
        ranks=Ranks(low, np.empty(rows, np.int32)),
        slot=slot,
        number=counting.class_number[part],
        by_class=by_class,
        moments=np.zeros((rows, counting.lattice.moment_edge.size), np.uint16),
    )
