"""Near pairs by looking at all pairs once, in half of the product of all rows with all.

What an index of rows does in two searches, for the nearest rows and for those within a threshold,
and for every pair from both of its rows, is done here in one go.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.blas import one_blas_thread
from opiscal.pairs.class_confusions import Cell, ConfusionTally
from opiscal.pairs.kernel.near_scan import Cells, Strip, Taken, scan_tile
from opiscal.pairs.near_pairs import NearPairs, half_squared, measured_neighbours, threshold_of
from opiscal.pairs.sorted_rows import ClassOrder, SortedRows
from opiscal.pairs.threads import available_threads
from opiscal.pairs.top_pairs import TopPairs

_BLOCK_ROWS, _TILE_ROWS = 1024, 256
# Neighbours are told apart by rounded products; among a few more the nearest are found exactly.
_SPARE = 2
_NO_ROW = np.iinfo(np.int32).max


def scan_near_pairs(
    rows: SortedRows,
    vectors: NDArray[np.float32],
    threshold: float,
    *,
    k: int,
    top: int,
    threads: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> NearPairs:
    """Look at all pairs of rows.

    Parameters
    ----------
    rows : SortedRows
    vectors : float32 array of shape (rows, dimensions)
        The same rows in the order of reading, as they are in the set.
    threshold : float
        A distance of the set.
    k : int
        Neighbours of each row.
    top : int
        Pairs, and class pairs, that are wanted.
    threads : int, optional
    advance : callable, optional
        Called with the pairs looked at since the last call.

    Returns
    -------
    NearPairs
        Memory: k + 2 neighbours a row, a tile a thread, and the class pairs of classes of more
        than 1,024 rows; others are dropped when they are known not to be among the top.
    """
    scan = _Scan(rows, vectors, threshold, k, top)
    accepted = 0
    with one_blas_thread(), ThreadPoolExecutor(threads or available_threads()) as pool:
        # Within a round no block is in two pairs: the neighbours of its rows are one thread's.
        for meetings in rounds(len(scan.blocks)):
            jobs = [pool.submit(scan.meet, *meeting) for meeting in meetings]
            try:
                for job in jobs:
                    found = job.result()
                    accepted += found[0]
                    if advance is not None:
                        advance(found[1])
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    confusions, class_pairs, _ = scan.tally.finish()
    candidates = np.empty_like(scan.nearest)
    candidates[rows.read_order] = scan.nearest
    return NearPairs(
        neighbours=measured_neighbours(vectors, candidates, k),
        accepted=accepted,
        nearest=scan.top.pairs(),
        confusions=confusions,
        class_pairs=class_pairs,
        index="Flat",
        recall=None,
        recall_pairs=None,
        exact=True,
    )


class _Scan:
    """What the meetings of blocks share."""

    def __init__(
        self, rows: SortedRows, vectors: NDArray[np.float32], threshold: float, k: int, top: int
    ) -> None:
        self.rows, self.vectors, self.threshold = rows, vectors, threshold
        self.at = threshold_of(rows, threshold)
        self.blocks = class_blocks(rows.classes)
        width = min(k + _SPARE, max(1, rows.rows - 1))
        self.value = np.full((rows.rows, width), np.inf, np.float32)
        self.nearest = np.full((rows.rows, width), _NO_ROW, np.int32)
        self.order = rows.read_order.astype(np.int32)
        self.top = TopPairs(vectors, top)
        # Classes numbered as they stand; a block numbers its own from its first.
        labelled, class_id = rows.classes.labelled, rows.classes.class_id
        begins = np.flatnonzero(np.diff(class_id[:labelled], prepend=-1))
        self.class_at = class_id[begins]
        self.number = np.full(rows.rows, -1, np.int64)
        self.number[:labelled] = np.repeat(
            np.arange(begins.size), np.diff(np.append(begins, labelled))
        )
        sizes = np.bincount(class_id[:labelled])
        self.tally = ConfusionTally(sizes, sizes <= _BLOCK_ROWS, top)

    def meet(self, a: int, b: int) -> tuple[int, int]:
        """Look at all pairs of a row of one block and a row of another; accepted, and all."""
        (top, bottom), (left, right) = self.blocks[a], self.blocks[b]
        shape = self._classes(top, bottom), self._classes(left, right)
        cells = Cells(
            np.zeros(shape, np.int32), np.empty(shape, np.float32),
            np.empty(shape, np.int32), np.empty(shape, np.int32),
        )  # fmt: skip
        cols = self._strip(left, right, left)
        room = np.empty((2, min(_TILE_ROWS, bottom - top) * (right - left)), np.int32)
        accepted = 0
        for start in range(top, bottom, _TILE_ROWS):
            stop = min(start + _TILE_ROWS, bottom)
            dots = self.rows.vectors[start:stop] @ self.rows.vectors[left:right].T
            shown = half_squared(self.rows, min(self.top.limit, self.threshold))
            # Of a block with itself the pairs above the diagonal.
            diagonal = start - left if a == b else -_BLOCK_ROWS
            counted, taken = scan_tile(
                dots, self.vectors, self._strip(start, stop, top), cols, diagonal, self.at, shown,
                cells, Taken(room[0], room[1]),
            )  # fmt: skip
            accepted += counted
            self.top.offer(room[0, :taken], room[1, :taken])
        self._count(cells, top, left)
        height, width = bottom - top, right - left
        return accepted, height * (height - 1) // 2 if a == b else height * width

    def _strip(self, start: int, stop: int, block: int) -> Strip:
        part, number = slice(start, stop), self.number[start:stop]
        return Strip(
            half_norm=self.rows.half_norm[part],
            order=self.order[part],
            class_id=self.rows.classes.class_id[part],
            slot=np.where(number >= 0, number - max(0, self.number[block]), -1).astype(np.int32),
            value=self.value[part],
            nearest=self.nearest[part],
        )

    def _classes(self, start: int, stop: int) -> int:
        return int(self.number[start:stop].max() - max(0, self.number[start])) + 1

    def _count(self, cells: Cells, top: int, left: int) -> None:
        a, b = np.nonzero(cells.accepted)
        first = self.class_at[a + max(0, self.number[top])]
        second = self.class_at[b + max(0, self.number[left])]
        count = cells.accepted[a, b].astype(np.int64)
        self.tally.add(
            Cell(
                code=np.minimum(first, second) * self.tally.classes + np.maximum(first, second),
                forward=count,
                backward=np.zeros_like(count),
                value=cells.value[a, b],
                row_a=cells.first[a, b].astype(np.int64),
                row_b=cells.second[a, b].astype(np.int64),
            )
        )


def class_blocks(classes: ClassOrder) -> list[tuple[int, int]]:
    """Stretches of at most 1,024 sorted rows that cut no class, but for larger classes.

    Examples
    --------
    >>> from opiscal.pairs.sorted_rows import class_order
    >>> class_blocks(class_order(np.repeat([0, 1, 2], [700, 600, 1500])))
    [(0, 700), (700, 1300), (1300, 2324), (2324, 2800)]
    >>> class_blocks(class_order(np.repeat([0, 1], [1500, 20])))
    [(0, 1024), (1024, 1520)]
    """
    blocks, start, rows = [], 0, int(classes.place.size)
    ends = np.append(0, classes.ends)
    while start < rows:
        last = int(ends[np.searchsorted(ends, start + _BLOCK_ROWS, side="right") - 1])
        stop = last if start < last else start + _BLOCK_ROWS
        blocks.append((start, min(stop, rows)))
        start = blocks[-1][1]
    return blocks


def rounds(blocks: int) -> Iterator[list[tuple[int, int]]]:
    """Every block with itself and with every other, once; each at most once in a round.

    Examples
    --------
    >>> list(rounds(3))
    [[(0, 0), (1, 1), (2, 2)], [(1, 2)], [(0, 2)], [(0, 1)]]
    """
    yield [(block, block) for block in range(blocks)]
    # The circle method: one stays, the others go round; with an odd number one rests.
    seats = blocks + blocks % 2
    circle = list(range(seats))
    for _ in range(seats - 1 if blocks > 1 else 0):
        pairs = [(circle[k], circle[seats - 1 - k]) for k in range(seats // 2)]
        yield sorted((min(p), max(p)) for p in pairs if max(p) < blocks)
        circle = [circle[0], circle[-1], *circle[1:-1]]
