"""Counting every pair: blocks of rows, worked off tile by tile on any number of threads."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from opiscal.pairs.blocks import Block, block_rows, plan_blocks
from opiscal.pairs.kernel import (
    fold_rows,
    place_negatives,
    reach_of,
    tally_negative_cols,
    tally_negative_rows,
    tally_positives,
)
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.tally import Tally

RECALL_CAP = 8
"""Recall@k is kept for k up to this."""

# A tile of products of 256 x 512 float32 is half a megabyte: it stays in a core's cache while it is
# counted. Of wide rows the product takes longer than the counting, and runs faster on 512 rows.
_TILE_COLS = 512
_TILE_ROWS, _TILE_ROWS_WIDE, _WIDE = 256, 512, 256
# Tiles whose rows and columns are counted together: a histogram, once fetched, is used often.
_PANEL_ROWS, _PANEL_COLS = 1024, 1024
# Columns of a tile are walked with this stride; a power of two would put them all in one cache set.
_PADDING = 32

Progress = Callable[[int], None]


def count_exactly(
    rows: SortedRows,
    lattice: Lattice,
    *,
    threads: int | None = None,
    ranks: bool = True,
    progress: Progress | None = None,
) -> Tally:
    """Count every pair of a set.

    Parameters
    ----------
    rows : SortedRows
    lattice : Lattice
    threads : int, optional
        Default: all cores this process may use.
    ranks : bool
        Whether neighbour ranks are kept for Recall@k.
    progress : callable, optional
        Called now and then with a number of pairs that were counted since the last call.

    Returns
    -------
    Tally

    Notes
    -----
    Work: ``N^2 / 2`` dot products. Memory: the rows, 8 bytes a row and moment edge, 8 bytes a class
    and class edge, and about 10 MB a thread.
    """
    positive, negative = plan_blocks(rows)
    tally = Tally.empty(rows, lattice)
    # Ranks ask where each row's nearest positive is, so all positives are counted before.
    count_blocks(positive, rows, lattice, tally, threads=threads, ranks=ranks, progress=progress)
    count_blocks(negative, rows, lattice, tally, threads=threads, ranks=ranks, progress=progress)
    return tally


def count_blocks(
    blocks: Sequence[Block],
    rows: SortedRows,
    lattice: Lattice,
    tally: Tally,
    *,
    threads: int | None = None,
    ranks: bool = True,
    progress: Progress | None = None,
) -> None:
    """Count some blocks into a tally; negatives rank by the nearest positives already in it."""
    counter = _Counter(rows, lattice, tally, ranks, progress)
    waiting = sorted(blocks, key=lambda block: -block.pairs)
    workers = min(threads or available_threads(), max(1, len(waiting)))
    with threadpool_limits(limits=1, user_api="blas"):
        if workers == 1:
            counter.work(waiting)
            return
        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(counter.work, waiting) for _ in range(workers)]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                counter.stopped.set()
                raise


def available_threads() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


class _Counter:
    """What the threads of one count share."""

    def __init__(
        self,
        rows: SortedRows,
        lattice: Lattice,
        tally: Tally,
        ranks: bool,
        progress: Progress | None,
    ) -> None:
        self.rows, self.lattice, self.tally = rows, lattice, tally
        self.ranks, self.progress = ranks, progress
        self.rule = lattice.grid.rule
        self.edge_of_key = lattice.edge_of_key()
        self.class_edge_of_edge = lattice.class_edge_of_edge()
        self.moment_edge_of_class_edge = lattice.moment_edge_of_class_edge()
        self.moment_stop = lattice.moment_edge + 1
        # Which row of the class histograms a sorted row belongs to.
        self.class_index = np.full(rows.rows, -1, np.int64)
        sizes = rows.classes.class_rows
        self.class_index[: rows.classes.scored_rows] = np.repeat(np.arange(sizes.size), sizes)
        self.tile_rows = _TILE_ROWS_WIDE if rows.vectors.shape[1] >= _WIDE else _TILE_ROWS
        self.lock = threading.Lock()
        self.stopped = threading.Event()

    def work(self, waiting: list[Block]) -> None:
        """Take blocks off the list until it is empty."""
        space = _Workspace(self)
        while not self.stopped.is_set():
            with self.lock:
                if not waiting:
                    return
                block = waiting.pop(0)
            if block.kind == "positive":
                self._count_positives(block, space)
            else:
                self._count_negatives(block, space)
            if self.progress is not None:
                self.progress(block.pairs)

    def _slots(self, start: int, stop: int) -> tuple[np.ndarray, int, int]:
        """Class of each row counted from the first class of the stretch; that class; how many."""
        index = self.class_index[start:stop]
        known = index[index >= 0]
        if known.size == 0:
            return index, 0, 0
        first = int(known[0])
        return np.where(index >= 0, index - first, -1), first, int(known[-1]) - first + 1

    def _count_positives(self, block: Block, space: "_Workspace") -> None:
        rows, classes = self.rows, self.rows.classes
        r0, r1, c0, c1 = block.row_start, block.row_stop, block.col_start, block.col_stop
        slot, first, slots = self._slots(r0, r1)
        kinds = self.lattice.moment_edge.size
        pool = np.zeros(self.lattice.edge_key.size, np.uint32)
        histogram = np.zeros((slots, self.lattice.class_edge.size), np.uint32)
        row_moments = np.zeros((r1 - r0, kinds), np.uint32)
        col_moments = np.zeros((c1 - c0, kinds), np.uint32)
        reach = [np.full(n, np.inf, np.float32) for n in (r1 - r0, c1 - c0)]
        best = [np.full(n, np.inf) for n in (r1 - r0, c1 - c0)]
        order = [np.full(n, np.iinfo(np.int64).max, np.int64) for n in (r1 - r0, c1 - c0)]
        for r in range(r0, r1, self.tile_rows):
            r_end = min(r + self.tile_rows, r1)
            c_last = min(c1, int(classes.stop[r_end - 1]))
            for c in range(max(c0, r), c_last, _TILE_COLS):
                if self.stopped.is_set():
                    return
                c_end = min(c + _TILE_COLS, c_last)
                row_part, col_part = slice(r - r0, r_end - r0), slice(c - c0, c_end - c0)
                stop_col = np.clip(classes.stop[r:r_end] - c, 0, c_end - c)
                tally_positives(
                    space.product(rows, r, r_end, c, c_end),
                    rows.vectors[r:r_end],
                    rows.vectors[c:c_end],
                    rows.half_norm[r:r_end],
                    rows.half_norm[c:c_end],
                    np.clip(np.arange(r + 1, r_end + 1) - c, 0, stop_col),
                    stop_col,
                    slot[row_part],
                    self.rule,
                    self.edge_of_key,
                    self.class_edge_of_edge,
                    self.moment_edge_of_class_edge,
                    pool,
                    histogram,
                    row_moments[row_part],
                    col_moments[col_part],
                    space.line,
                    reach[0][row_part],
                    best[0][row_part],
                    order[0][row_part],
                    reach[1][col_part],
                    best[1][col_part],
                    order[1][col_part],
                    rows.read_order[r:r_end],
                    rows.read_order[c:c_end],
                )
        tally = self.tally
        with self.lock:
            tally.pool_positive += pool
            tally.class_positive[first : first + slots] += histogram.astype(
                tally.class_positive.dtype
            )
            tally.row_positive[r0:r1] += row_moments
            tally.row_positive[c0:c1] += col_moments
            tally.offer_best(np.arange(r0, r1), best[0], order[0])
            tally.offer_best(np.arange(c0, c1), best[1], order[1])

    def _count_negatives(self, block: Block, space: "_Workspace") -> None:
        rows, classes, tally = self.rows, self.rows.classes, self.tally
        r0, r1, c0, c1 = block.row_start, block.row_stop, block.col_start, block.col_stop
        pool = np.zeros(self.lattice.edge_key.size, np.uint32)
        row_histogram, col_histogram = space.histograms(r1 - r0, c1 - c0)
        low_row, reach_row = self._reach(r0, r1)
        low_col, reach_col = self._reach(c0, c1)
        rank_row, rank_col = np.zeros(r1 - r0, np.int32), np.zeros(c1 - c0, np.int32)
        for r in range(r0, r1, _PANEL_ROWS):
            r_end = min(r + _PANEL_ROWS, r1)
            for c in range(max(c0, int(classes.stop[r])), c1, _PANEL_COLS):
                c_end = min(c + _PANEL_COLS, c1)
                for t, t_end, left, right in self._tiles(r, r_end, c, c_end):
                    if self.stopped.is_set():
                        return
                    row_part, col_part = slice(t - r0, t_end - r0), slice(left - c0, right - c0)
                    place_negatives(
                        space.product(rows, t, t_end, left, right),
                        rows.vectors[t:t_end],
                        rows.vectors[left:right],
                        rows.half_norm[t:t_end],
                        rows.half_norm[left:right],
                        classes.stop[t:t_end],
                        left,
                        self.rule,
                        self.edge_of_key,
                        self.class_edge_of_edge,
                        pool,
                        space.places[t - r : t_end - r, left - c : right - c],
                        space.line,
                        space.key_line,
                        low_row[row_part],
                        reach_row[row_part],
                        tally.best[t:t_end],
                        tally.best_order[t:t_end],
                        rank_row[row_part],
                        low_col[col_part],
                        reach_col[col_part],
                        tally.best[left:right],
                        tally.best_order[left:right],
                        rank_col[col_part],
                        rows.read_order[t:t_end],
                        rows.read_order[left:right],
                        RECALL_CAP,
                    )
                places = space.places[: r_end - r, : c_end - c]
                tally_negative_rows(places, classes.stop[r:r_end], c, row_histogram[r - r0 :])
                tally_negative_cols(places, classes.start[c:c_end], r, col_histogram[c - c0 :])
        folded = [
            self._fold(start, stop, histogram)
            for start, stop, histogram in ((r0, r1, row_histogram), (c0, c1, col_histogram))
        ]
        with self.lock:
            tally.pool_negative += pool
            tally.rank[r0:r1] += rank_row
            tally.rank[c0:c1] += rank_col
            for start, first, class_histogram, moments in folded:
                tally.class_negative[first : first + len(class_histogram)] += (
                    class_histogram.astype(tally.class_negative.dtype)
                )
                tally.row_negative[start : start + len(moments)] += moments

    def _tiles(self, r: int, r_end: int, c: int, c_end: int) -> Iterator[tuple[int, int, int, int]]:
        """The tiles of a panel that hold negatives, each as rows from, to, columns from, to."""
        for left in range(c, c_end, _TILE_COLS):
            right = min(left + _TILE_COLS, c_end)
            for t in range(r, r_end, self.tile_rows):
                first = max(left, int(self.rows.classes.stop[t]))
                if first >= right:
                    break
                yield t, min(t + self.tile_rows, r_end), first, right

    def _reach(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """How near a negative of each row must be to matter for its rank; -1 where none does."""
        best, rank = self.tally.best[start:stop], self.tally.rank[start:stop]
        wanted = np.isfinite(best) & (rank < RECALL_CAP) & self.ranks
        low, reach = reach_of(best, self.rows.half_norm[start:stop])
        closed = np.float32(-1)
        return np.where(wanted, low, closed), np.where(wanted, reach, closed)

    def _fold(
        self, start: int, stop: int, histogram: np.ndarray
    ) -> tuple[int, int, np.ndarray, np.ndarray]:
        stop = max(start, min(stop, self.rows.classes.scored_rows))
        slot, first, slots = self._slots(start, stop)
        class_histogram = np.zeros((slots, histogram.shape[1]), np.uint32)
        moments = np.zeros((stop - start, self.moment_stop.size), np.uint32)
        fold_rows(histogram[: stop - start], slot, class_histogram, self.moment_stop, moments)
        return start, first, class_histogram, moments


class _Workspace:
    """The buffers of one thread."""

    def __init__(self, counter: _Counter) -> None:
        self.tile = np.empty(counter.tile_rows * _TILE_COLS, np.float32)
        self.places = np.empty((_PANEL_ROWS, _PANEL_COLS + _PADDING), np.uint16)
        self.line = np.empty(_TILE_COLS, np.float32)
        self.key_line = np.empty(_TILE_COLS, np.uint32)
        rows = min(block_rows(counter.rows.rows), counter.rows.rows)
        self.row_histogram, self.col_histogram = (
            np.empty((rows, counter.lattice.class_edge.size), np.uint16) for _ in range(2)
        )

    def histograms(self, rows: int, cols: int) -> tuple[np.ndarray, np.ndarray]:
        """Empty histograms for the rows and the columns of a block."""
        parts = self.row_histogram[:rows], self.col_histogram[:cols]
        for part in parts:
            part[:] = 0
        return parts

    def product(self, rows: SortedRows, r: int, r_end: int, c: int, c_end: int) -> np.ndarray:
        """Dot products of two stretches of rows; overwritten by the next call."""
        height, width = r_end - r, c_end - c
        tile = self.tile[: height * width].reshape(height, width)
        return np.matmul(rows.vectors[r:r_end], rows.vectors[c:c_end].T, out=tile)
