"""Counting a block of positive pairs."""

import numpy as np

from opiscal.pairs.block_counting import TILE_COLS, BlockCounting, Workspace, class_slots
from opiscal.pairs.blocks import Block
from opiscal.pairs.kernel.positives import tally_positives
from opiscal.pairs.kernel.records import Nearest

# Positives lie close to the diagonal: narrow tiles waste less of the product.
_POSITIVE_ROWS_LEAST, _POSITIVE_ROWS_MOST = 128, 256


def count_positives(block: Block, counting: BlockCounting, space: Workspace) -> None:
    """Count the positives of a block into the tally."""
    rows, classes = counting.rows, counting.rows.classes
    r0, r1, c0, c1 = block.row_start, block.row_stop, block.col_start, block.col_stop
    slots = class_slots(counting.class_index[r0:r1])
    kinds = counting.lattice.moment_edge.size
    pool = np.zeros(counting.lattice.edge_key.size, np.uint32)
    histogram = np.zeros((slots.count, counting.lattice.class_edge.size), np.uint32)
    row_moments = np.zeros((r1 - r0, kinds), np.uint32)
    col_moments = np.zeros((c1 - c0, kinds), np.uint32)
    row_nearest, col_nearest = _no_nearest(r1 - r0), _no_nearest(c1 - c0)
    r_end = r0
    while r_end < r1:
        r = r_end
        here = int(classes.stop[r] - classes.start[r])
        r_end = min(r + int(np.clip(here, _POSITIVE_ROWS_LEAST, _POSITIVE_ROWS_MOST)), r1)
        c_last = min(c1, int(classes.stop[r_end - 1]))
        for c in range(max(c0, r), c_last, TILE_COLS):
            if counting.stopped.is_set():
                return
            c_end = min(c + TILE_COLS, c_last)
            row_part, col_part = slice(r - r0, r_end - r0), slice(c - c0, c_end - c0)
            stop_col = np.clip(classes.stop[r:r_end] - c, 0, c_end - c)
            tally_positives(
                space.product(rows, r, r_end, c, c_end),
                np.clip(np.arange(r + 1, r_end + 1) - c, 0, stop_col),
                stop_col,
                counting.rows_of(r, r_end),
                counting.rows_of(c, c_end),
                Nearest(*(part[row_part] for part in row_nearest)),
                Nearest(*(part[col_part] for part in col_nearest)),
                counting.edges,
                slots.slot[row_part],
                pool,
                histogram,
                row_moments[row_part],
                col_moments[col_part],
                space.line,
                space.key_line,
            )
    tally = counting.tally
    with counting.lock:
        tally.pool_positive += pool
        slots.add(histogram, tally.class_positive)
        tally.row_positive[r0:r1] += row_moments
        tally.row_positive[c0:c1] += col_moments
        tally.offer_best(np.arange(r0, r1), row_nearest.best, row_nearest.order)
        tally.offer_best(np.arange(c0, c1), col_nearest.best, col_nearest.order)


def _no_nearest(rows: int) -> Nearest:
    return Nearest(
        reach=np.full(rows, np.inf, np.float32),
        best=np.full(rows, np.inf),
        order=np.full(rows, np.iinfo(np.int64).max, np.int64),
    )
