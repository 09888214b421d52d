"""Sums over class pairs: how many of the pairs of two classes are near, squared."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.records import LINE, ClassPairs, Tile


@njit(nogil=True, cache=True)
def begin_tile(tile: Tile, pairs: ClassPairs) -> None:
    """Number the classes of the columns of a tile, and count their rows."""
    number = tile.cols.number
    pairs.col_rows[: number[-1] - number[0] + 1] = 0
    for j in range(number.size):
        col_class = number[j] - number[0]
        pairs.col_class[j] = col_class
        pairs.col_rows[col_class] += np.uint32(1)


@njit(nogil=True, cache=True)
def end_class(tile: Tile, stop: int, pairs: ClassPairs) -> None:
    """Add up the class pairs of the class whose rows end before row `stop`; clear the histogram.

    Its rows are all in this tile. Up to each class pair edge there are ``A`` of the ``M`` pairs of
    two classes.
    """
    row_number, col_number = tile.rows.number, tile.cols.number
    start = stop
    while start > 0 and row_number[start - 1] == row_number[stop - 1]:
        start -= 1
    rows, classes = np.int64(stop - start), int(col_number[-1] - col_number[0] + 1)
    # Scored classes come first: theirs are the first numbers. The pairs of two of them may be in
    # several tiles of a block: they are summed up when all are counted.
    row_class, first, scored = row_number[stop - 1], col_number[0], pairs.accepted_of_pairs.shape[1]
    kept = min(classes, max(int(scored) - int(first), 0)) if row_class < scored else 0
    accepted, col_rows = pairs.accepted[:classes], pairs.col_rows[:classes]
    accepted[:] = 0
    for e in range(pairs.squares.size):
        added = pairs.histogram[e * LINE : e * LINE + classes]
        squares, products = np.uint64(0), np.uint64(0)
        if kept > 0:
            out = pairs.accepted_of_pairs[e, row_class, first : first + kept]
            for c in range(kept):
                accepted[c] += added[c]
                out[c] += accepted[c]
                added[c] = np.uint32(0)
        # Sliced, so that the loop begins at 0: otherwise it is not done by vectors.
        accepted_rest, added_rest, rows_rest = accepted[kept:], added[kept:], col_rows[kept:]
        for c in range(accepted_rest.size):
            a = np.uint32(accepted_rest[c] + added_rest[c])
            accepted_rest[c], added_rest[c] = a, np.uint32(0)
            squares += np.uint64(a) * np.uint64(a)
            products += np.uint64(a) * np.uint64(rows_rest[c])
        pairs.squares[e] += np.int64(squares)
        pairs.products[e] += np.int64(products) * rows
