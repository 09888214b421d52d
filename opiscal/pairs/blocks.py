"""Blocks: the grid of tasks that an exact count consists of."""

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.sorted_rows import ClassOrder, SortedRows

TILE_ROWS, TILE_COLS = 1024, 512
"""Size of a tile of products: large enough for the product to run at its full speed."""

# Positives are few, in few stretches of rows: smaller blocks share them out evenly.
_POSITIVE_SHARE, _POSITIVES_LEAST = 3, 256
FEWEST_MEAN_ROWS = 4
"""Rows a class from which on squares of class pairs are summed up."""
# With more classes what is worked out from their single pairs hardly matters, and takes memory.
_MOST_CLASSES_BY_PAIR = 700


@dataclass(frozen=True, slots=True)
class Block:
    """Pairs of the rows ``row_start .. row_stop`` with later rows in ``col_start .. col_stop``."""

    kind: Literal["positive", "negative"]
    row_start: int
    row_stop: int
    col_start: int
    col_stop: int

    @property
    def pairs(self) -> int:
        """About how many pairs it holds, for the order of work and for progress."""
        rows, cols = self.row_stop - self.row_start, self.col_stop - self.col_start
        return rows * cols // (2 if self.row_start == self.col_start else 1)


def plan_blocks(rows: SortedRows) -> tuple[list[Block], list[Block]]:
    """Blocks of positive and of negative pairs; together every pair of the set once.

    They depend on the rows alone, never on the number of threads, so that every pair is multiplied
    in the same tile wherever it is counted, and the counts are the same bit for bit. Those of
    negative pairs end where classes end, but within classes that are larger than a block.
    """
    size, classes = block_rows(rows.rows), rows.classes
    cuts = cut_between_classes(classes.ends, 0, rows.rows, size)
    spans = list(itertools.pairwise(cuts))
    negative = [
        Block("negative", top, min(bottom, classes.labelled), left, right)
        for k, (top, bottom) in enumerate(spans)
        if top < classes.labelled
        for left, right in spans[k:]
        if right > classes.stop[top]
    ]
    return positive_blocks(rows), negative


def positive_blocks(rows: SortedRows, left_out: NDArray[np.bool_] | None = None) -> list[Block]:
    """Blocks of all positive pairs, but those of the scored classes that are left out."""
    classes, blocks = rows.classes, []
    size = max(block_rows(rows.rows) // _POSITIVE_SHARE, _POSITIVES_LEAST)
    skipped = np.zeros(classes.class_rows.size, bool) if left_out is None else left_out
    skipped_row = np.repeat(skipped, classes.class_rows)
    start, scored_rows = 0, classes.scored_rows
    while start < scored_rows:
        stop = int(classes.stop[start])
        if skipped_row[start]:
            pass
        elif stop - start > size:
            spans = list(itertools.pairwise([*range(start, stop, size), stop]))
            blocks += [Block("positive", *a, *b) for k, a in enumerate(spans) for b in spans[k:]]
        else:
            while stop < scored_rows and classes.stop[stop] - start <= size:
                if skipped_row[stop]:
                    break
                stop = int(classes.stop[stop])
            blocks.append(Block("positive", start, stop, start, stop))
        start = stop
    return blocks


def cut_between_classes(
    ends: NDArray[np.int64], start: int, stop: int, size: int, *, whole: bool = False
) -> list[int]:
    """Cut a stretch of rows into parts of at most `size` rows, where classes end if one does.

    Parameters
    ----------
    ends : int64 array
        Places at which classes end, ascending.
    start, stop : int
        The stretch.
    size : int
    whole : bool
        Whether a class of more rows is left whole.

    Returns
    -------
    list of int
        Begins of the parts, and `stop`.

    Examples
    --------
    >>> cut_between_classes(np.array([3, 5, 9, 16]), 0, 16, 5)
    [0, 5, 9, 14, 16]
    >>> cut_between_classes(np.array([3, 5, 9, 16]), 0, 16, 5, whole=True)
    [0, 5, 9, 16]
    """
    cuts = [start]
    while (here := cuts[-1]) < stop:
        last = int(np.searchsorted(ends, here + size, side="right")) - 1
        if last >= 0 and ends[last] > here:
            cut = int(ends[last])
        elif whole and last + 1 < ends.size:
            cut = int(ends[last + 1])
        else:
            cut = here + size
        cuts.append(min(cut, stop))
    return cuts


def keeps_class_pairs(classes: ClassOrder) -> bool:
    """Whether the accepted pairs of every two classes are kept while counting.

    All rows of a class must be in one row of tiles, and there must be room.
    """
    sizes = classes.class_rows
    return 0 < sizes.size <= _MOST_CLASSES_BY_PAIR and sizes.max() <= TILE_ROWS


def class_pair_shape(classes: ClassOrder, edges: int) -> tuple[int, int, int]:
    """Of the accepted pairs of every two classes that are kept, at so many edges; 0 for none."""
    if not (sums_class_pairs(classes) and keeps_class_pairs(classes)):
        return 0, 0, 0
    return edges, classes.class_rows.size, classes.class_rows.size


def sums_class_pairs(classes: ClassOrder) -> bool:
    """Whether the squares of the accepted pairs of every two classes are summed up.

    Either because they are kept, or because all pairs of any two classes are in one tile. Nor must
    classes be so small that there are about as many class pairs as pairs: 10,000 classes of two
    rows would take a sixth longer.
    """
    sizes = classes.class_rows
    if sizes.size == 0 or sizes.mean() < FEWEST_MEAN_ROWS:
        return False
    return keeps_class_pairs(classes) or bool(sizes.max() <= TILE_COLS)


def block_rows(rows: int) -> int:
    """How many rows a block has, in a set of so many."""
    # Larger blocks are added up less often; smaller ones share out evenly among threads.
    # Counts of a row in a block are 16-bit, so a block has fewer than 65,536 rows.
    if rows <= 8192:
        return 1024
    if rows <= 16_384:
        return 2048
    return 3072 if rows <= 32_768 else 4096
