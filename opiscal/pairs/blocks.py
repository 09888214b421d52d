"""Blocks: the grid of tasks that an exact count consists of."""

import itertools
from dataclasses import dataclass
from typing import Literal

from opiscal.pairs.sorted_rows import SortedRows

# Positives are few, in few stretches of rows: smaller blocks share them out evenly.
_POSITIVE_SHARE, _POSITIVES_LEAST = 3, 256


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
    in the same tile wherever it is counted, and the counts are the same bit for bit.
    """
    size = block_rows(rows.rows)
    classes = rows.classes
    positive: list[Block] = []
    size_of_positives = max(size // _POSITIVE_SHARE, _POSITIVES_LEAST)
    start, scored_rows = 0, classes.scored_rows
    while start < scored_rows:
        stop = int(classes.stop[start])
        if stop - start > size_of_positives:
            cuts = [*range(start, stop, size_of_positives), stop]
            spans = list(itertools.pairwise(cuts))
            positive += [Block("positive", *a, *b) for k, a in enumerate(spans) for b in spans[k:]]
        else:
            while stop < scored_rows and classes.stop[stop] - start <= size_of_positives:
                stop = int(classes.stop[stop])
            positive.append(Block("positive", start, stop, start, stop))
        start = stop

    negative = []
    for top in range(0, classes.labelled, size):
        bottom = min(top + size, classes.labelled)
        for left in range(top, rows.rows, size):
            right = min(left + size, rows.rows)
            if right > classes.stop[top]:
                negative.append(Block("negative", top, bottom, left, right))
    return positive, negative


def block_rows(rows: int) -> int:
    """How many rows a block has, in a set of so many."""
    # Larger blocks are added up less often; smaller ones share out evenly among threads.
    # Counts of a row in a block are 16-bit, so a block has fewer than 65,536 rows.
    if rows <= 8192:
        return 1024
    if rows <= 16_384:
        return 2048
    return 3072 if rows <= 32_768 else 4096
