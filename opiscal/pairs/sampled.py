"""Counting a sample of the pairs: the near ones that an index finds, and rows against columns."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label, Metric
from opiscal.pairs.blas import one_blas_thread
from opiscal.pairs.block_counting import BlockCounting, Workspace, class_slots
from opiscal.pairs.blocks import TILE_COLS, TILE_ROWS, cut_between_classes, positive_blocks
from opiscal.pairs.exact import count_blocks
from opiscal.pairs.kernel.moments import accepted_at
from opiscal.pairs.kernel.records import Nearest, Ranks, Rows, Side
from opiscal.pairs.kernel.sampled import sum_sampled_squares, tally_columns, tally_found
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.near_search import FoundPairs
from opiscal.pairs.sampled_counts import GROUPS, SampledCounts
from opiscal.pairs.sorted_rows import ClassOrder, SortedRows
from opiscal.pairs.tally import Tally
from opiscal.pairs.threads import available_threads

_BLOCK_ROWS = 4096
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class ColumnGroups:
    """A simple random sample of rows, in groups of the same size; each in the order of the rows.

    Attributes
    ----------
    place : tuple of int64 arrays
        Sorted places of the rows of each group.
    """

    place: tuple[NDArray[np.int64], ...]

    @classmethod
    def draw(cls, rows: int, columns: int, seed: int) -> "ColumnGroups":
        """Draw so many columns, a multiple of the number of groups, of so many rows."""
        drawn = np.random.default_rng([seed, 2]).permutation(rows)[:columns]
        return cls(tuple(np.sort(part) for part in np.array_split(drawn, GROUPS)))


def count_sampled(
    rows: SortedRows,
    lattice: Lattice,
    near: FoundPairs,
    columns: ColumnGroups,
    *,
    labels: tuple[Label, ...],
    metric: Metric,
    most_positives: int,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> "Sampled":
    """Count the sampled pairs of a set.

    Parameters
    ----------
    rows : SortedRows
    lattice : Lattice
    near : FoundPairs
        The first stratum; no pair of it is counted in the second one.
    columns : ColumnGroups
    labels : tuple
        All labels of the set, of which `rows.classes.scored` names the scored ones.
    metric : "cosine" or "l2"
    most_positives : int
        Positive pairs of a class up to which all are counted; of a larger one as many, those among
        some of its rows.
    seed : int
    threads : int, optional
    progress : callable, optional
        Called now and then with a number of pairs.

    Returns
    -------
    Sampled

    Notes
    -----
    Work: ``N m`` dot products for ``m`` columns, those of the near pairs, and those of the
    positives. Memory: 6 bytes a row and moment edge, 16 bytes a class and class edge, and 8 bytes a
    class, near moment edge and group.
    """
    return _SampledCount(rows, lattice, near, columns, threads).run(
        labels, metric, most_positives, seed, progress
    )


@dataclass(frozen=True, slots=True)
class Sampled:
    """What a sampled count gives.

    Attributes
    ----------
    counts : SampledCounts
    by_group : integer array of shape (G, T, K)
        `SampledCounts.class_rest` at the moment edges, group by group.
    group_columns : int64 array of shape (G, T)
        Columns of each group in each class.
    group_sizes : int64 array of shape (G,)
    near_missed, near_found : int
        Negatives of the columns within the radius of the near pairs: those that the index did not
        find, and those it did.
    """

    counts: SampledCounts
    by_group: NDArray[np.integer]
    group_columns: NDArray[np.int64]
    group_sizes: NDArray[np.int64]
    near_missed: int
    near_found: int


class _SampledCount:
    """The arrays of one count."""

    def __init__(
        self,
        rows: SortedRows,
        lattice: Lattice,
        near: FoundPairs,
        columns: ColumnGroups,
        threads: int | None,
    ) -> None:
        self.rows, self.lattice, self.near, self.columns = rows, lattice, near, columns
        self.threads = threads or available_threads()
        # Of this tally the positives, and the negatives of classes, are used.
        self.tally = Tally.empty(rows, lattice)
        self.counting = BlockCounting(rows, lattice, self.tally, ranks=False)
        T, K, E = rows.classes.class_rows.size, lattice.moment_edge.size, lattice.edge_key.size
        self.pool_near = np.zeros(E, np.int64)
        self.pool_rest = np.zeros((GROUPS, E), np.int64)
        self.class_near = np.zeros_like(self.tally.class_negative)
        self.near_moments = np.zeros((rows.rows, K), near.row_count_type)
        self.row_sums = np.zeros((6, T, K), np.int64)
        largest = int(rows.classes.class_rows.max(initial=0)) * columns.place[0].size
        kind = np.uint16 if largest < 2**16 else np.uint32
        self.by_group = np.zeros((GROUPS, T, K), kind)
        self.found = _found_by_group(near, columns, rows.rows)

    def run(
        self,
        labels: tuple[Label, ...],
        metric: Metric,
        most_positives: int,
        seed: int,
        progress: Progress | None,
    ) -> Sampled:
        classes, lattice, kept = self.rows.classes, self.lattice, self.lattice.kept()
        positive_rows, pool_positive = self._count_positives(most_positives, seed)
        self._count_near()
        self._count_columns(progress)
        index, scored = self.counting.class_index, positive_rows.size
        of_group = [np.bincount(index[p] + 1, minlength=scored + 1)[1:] for p in self.columns.place]
        pool_rest = np.cumsum(self.pool_rest, axis=1)
        # One after the other, and what is not needed any more first: all at once would be much
        # memory.
        self.near_moments = self.near_moments[:0]
        tally = self.tally
        tally.row_positive = tally.row_positive[:0]
        self.class_near = accepted_at(self.class_near, kept)
        tally.class_negative = accepted_at(tally.class_negative, kept)
        tally.class_positive = accepted_at(tally.class_positive, kept)
        counts = SampledCounts(
            metric=metric,
            rows=self.rows.rows,
            distractors=self.rows.rows - classes.labelled,
            labels=tuple(labels[c] for c in classes.scored),
            class_rows=classes.class_rows,
            distance=lattice.distance,
            class_edge=lattice.class_edge[kept],
            moment_edge=np.searchsorted(kept, lattice.moment_edge),
            columns=sum(p.size for p in self.columns.place),
            class_columns=np.sum(of_group, axis=0),
            pool_near=np.cumsum(self.pool_near),
            pool_rest=pool_rest,
            class_near=self.class_near,
            class_rest=tally.class_negative,
            row_sums=self.row_sums[:5],
            group_squares=_sum_of_squares(self.by_group),
            class_positive=tally.class_positive,
            positive_rows=positive_rows,
            positive_squares=self.row_sums[5],
            pool_positive=np.cumsum(pool_positive, axis=1),
        )
        at = np.searchsorted(lattice.distance, self.near.radius * self.rows.scale, "right") - 1
        missed = int(pool_rest[:, at].sum()) if at >= 0 else 0
        found = sum(len(pairs) for pairs in self.found)
        sizes = np.array([place.size for place in self.columns.place])
        return Sampled(counts, self.by_group, np.array(of_group), sizes, missed, found)

    def _count_positives(
        self, most: int, seed: int
    ) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        """Rows that were taken of each class, and the pool's positives: of the classes that were
        taken whole, then of each of the others.
        """
        classes, rows, lattice = self.rows.classes, self.rows, self.lattice
        sizes = classes.class_rows
        large = sizes * (sizes - 1) // 2 > most
        taken = np.where(large, int((1.0 + np.sqrt(1.0 + 8.0 * most)) / 2.0), sizes)
        blocks = positive_blocks(rows, large)
        count_blocks(blocks, rows, lattice, self.tally, threads=self.threads, ranks=False)
        pool = [self.tally.pool_positive]
        rng = np.random.default_rng([seed, 3])
        starts = np.cumsum(sizes) - sizes
        for c in np.flatnonzero(large):
            place = starts[c] + np.sort(rng.choice(sizes[c], taken[c], replace=False))
            chosen = np.zeros(rows.rows, bool)
            chosen[place] = True
            part = rows.subset(chosen)
            tally = Tally.empty(part, lattice)
            blocks = positive_blocks(part)
            count_blocks(blocks, part, lattice, tally, threads=self.threads, ranks=False)
            self.tally.class_positive[c] = tally.class_positive[0]
            self.tally.row_positive[place] = tally.row_positive
            pool.append(tally.pool_positive)
        return taken, pool

    def _count_near(self) -> None:
        near, rows, counting = self.near, self.rows, self.counting
        # Some rows at a time: the row of every pair, and its distance, would take much memory.
        for first in range(0, rows.rows, _BLOCK_ROWS * 16):
            last = min(first + _BLOCK_ROWS * 16, rows.rows)
            part = slice(near.bounds[first], near.bounds[last])
            counted = near.counted[part]
            row = np.repeat(np.arange(first, last), np.diff(near.bounds[first : last + 1]))[counted]
            partner = near.partner[part][counted]
            tally_found(
                row,
                partner,
                rows.half_squared(row, partner),
                counting.class_index,
                counting.edges,
                self.lattice.class_edge,
                self.pool_near,
                self.class_near,
                self.near_moments,
            )

    def _count_columns(self, progress: Progress | None) -> None:
        classes = self.rows.classes
        cuts = cut_between_classes(classes.ends, 0, classes.labelled, _BLOCK_ROWS)
        blocks = list(itertools.pairwise(cuts))
        # Distractors make no pairs among themselves.
        last = range(classes.labelled, self.rows.rows, _BLOCK_ROWS)
        blocks += itertools.pairwise([*last, self.rows.rows])
        groups = [self._columns_of(place) for place in self.columns.place]

        def work(part: list[tuple[int, int]]) -> None:
            space = Workspace(self.counting)
            while part and not self.counting.stopped.is_set():
                try:
                    start, stop = part.pop()
                except IndexError:
                    return
                self._count_block(start, stop, groups, space)
                if progress is not None:
                    progress((stop - start) * sum(p.size for p in self.columns.place))

        with one_blas_thread(), ThreadPoolExecutor(self.threads) as pool:
            jobs = [pool.submit(work, blocks) for _ in range(self.threads)]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                self.counting.stopped.set()
                raise

    def _columns_of(self, place: NDArray[np.int64]) -> Side:
        rows, size = self.rows, place.size
        given = Rows(rows.vectors[place], rows.half_norm[place], rows.read_order[place])
        moments = np.zeros((size, self.lattice.moment_edge.size), np.uint16)
        return _side(given, np.zeros(size, np.uint32), np.zeros((1, 1), np.uint32), moments)

    def _count_block(self, start: int, stop: int, groups: list[Side], space: Workspace) -> None:
        """Count some rows against all columns."""
        counting, classes = self.counting, self.rows.classes
        slots = class_slots(counting.class_index[start:stop])
        by_class = np.zeros((slots.count, self.lattice.class_edge.size), np.uint32)
        shape = (stop - start, self.lattice.moment_edge.size)
        moments, rest = np.zeros(shape, np.uint16), np.zeros(shape, np.uint32)
        rows = _side(counting.rows_of(start, stop), slots.slot, by_class, moments)
        own = slice(slots.first, slots.first + slots.count - 1)
        for g, cols in enumerate(groups):
            place = self.columns.place[g]
            tiles = _Tiles.of(classes, start, stop, place, self.found[g])
            pool = counting.pool()
            tally_columns(
                tiles.bounds,
                tiles.left_out,
                tiles.left_out_from,
                rows,
                # The thread's own: what is counted for columns means nothing, and is not shared.
                cols._replace(moments=np.empty_like(cols.moments)),
                counting.edges,
                pool,
                counting.class_pairs(wanted=False),
                space.room,
            )
            np.subtract.at(by_class[:, -1], slots.slot[tiles.left_out[:, 0]], 1)
            pooled = counting.pooled(pool, by_class)
            accepted = accepted_at(by_class[:-1], self.lattice.moment_edge)
            rest += moments
            rest[:, -1] += (tiles.counted - moments.sum(axis=1, dtype=np.int64)).astype(np.uint32)
            moments[:] = 0
            with counting.lock:
                self.pool_rest[g] += pooled
                self.by_group[g, own] += accepted.astype(self.by_group.dtype)
                slots.move(by_class, self.tally.class_negative)
        scored = classes.scored_rows
        part = slice(start, min(stop, scored))
        if start < scored:
            with counting.lock:
                sum_sampled_squares(
                    self.tally.row_positive[part],
                    self.near_moments[part],
                    rest,
                    counting.class_index[part],
                    self.row_sums,
                )


def _side(rows: Rows, slot: NDArray[np.uint32], by_class: Any, moments: Any) -> Side:
    """One side of a block where nobody asks for nearest positives or for ranks."""
    size = slot.size
    closed = np.full(size, -1, np.float32)
    nearest = Nearest(closed, np.full(size, np.inf), np.zeros(size, np.int64))
    ranks = Ranks(closed, np.zeros(size, np.int32))
    return Side(rows, nearest, ranks, slot, np.zeros(size, np.uint32), by_class, moments)


@dataclass(frozen=True, slots=True)
class _Tiles:
    """The tiles of some rows with the columns of a group, and which of their pairs are left out.

    Attributes
    ----------
    bounds, left_out, left_out_from
        As `tally_columns` takes them.
    counted : int64 array of shape (rows,)
        Pairs of each row that are counted.
    """

    bounds: NDArray[np.int64]
    left_out: NDArray[np.int64]
    left_out_from: NDArray[np.int64]
    counted: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        classes: ClassOrder,
        start: int,
        stop: int,
        place: NDArray[np.int64],
        found: NDArray[np.int64],
    ) -> "_Tiles":
        """Tiles end where classes end; one that is all of one class has the columns of others."""
        bounds: list[tuple[int, int, int, int]] = []
        out = [found[np.searchsorted(found[:, 0], start) : np.searchsorted(found[:, 0], stop)]]
        counted = np.zeros(stop - start, np.int64)
        labelled = classes.labelled
        for top, bottom in itertools.pairwise(
            cut_between_classes(classes.ends, start, stop, TILE_ROWS)
        ):
            spans = [(0, place.size)]
            if top >= labelled:
                spans = [(0, int(np.searchsorted(place, labelled)))]
            elif classes.start[top] == classes.start[bottom - 1]:
                ends = np.searchsorted(place, [classes.start[top], classes.stop[top]])
                spans = [(0, int(ends[0])), (int(ends[1]), place.size)]
            else:
                out.append(_of_one_class(classes, top, bottom, place))
            counted[top - start : bottom - start] = sum(right - left for left, right in spans)
            bounds += [
                (top - start, bottom - start, left, min(left + TILE_COLS, right))
                for first, right in spans
                for left in range(first, right, TILE_COLS)
            ]
        tiles = np.array(bounds, np.int64).reshape(-1, 4)
        left_out = np.concatenate(out) - np.array([start, 0])
        np.subtract.at(counted, left_out[:, 0], 1)
        # Tiles come in the order of their rows, and of the columns within these.
        key = tiles[:, 0] * (place.size + 1) + tiles[:, 2]
        first_row = np.unique(tiles[:, 0])
        row = first_row[np.searchsorted(first_row, left_out[:, 0], "right") - 1]
        tile = np.searchsorted(key, row * (place.size + 1) + left_out[:, 1], "right") - 1
        order = np.argsort(tile, kind="stable")
        begins = np.searchsorted(tile[order], np.arange(len(tiles) + 1))
        return cls(tiles, left_out[order], begins, counted)


def _of_one_class(
    classes: ClassOrder, top: int, bottom: int, place: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Rows from `top` to `bottom` and columns of the same class; the row itself among them."""
    own = np.flatnonzero((classes.stop[place] > top) & (classes.start[place] < bottom))
    first = np.maximum(classes.start[place[own]], top)
    number = np.minimum(classes.stop[place[own]], bottom) - first
    step = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    return np.stack([np.repeat(first, number) + step, np.repeat(own, number)], axis=1)


def _found_by_group(near: FoundPairs, columns: ColumnGroups, rows: int) -> list[NDArray[np.int64]]:
    """Of each group the found pairs of any row and a column, by row and place in the group."""
    group, at = np.full(rows, -1, np.int64), np.zeros(rows, np.int64)
    for g, place in enumerate(columns.place):
        group[place], at[place] = g, np.arange(place.size)
    parts = []
    for first in range(0, rows, _BLOCK_ROWS * 16):
        last = min(first + _BLOCK_ROWS * 16, rows)
        part = slice(near.bounds[first], near.bounds[last])
        row = np.repeat(np.arange(first, last), np.diff(near.bounds[first : last + 1]))
        partner = near.partner[part].astype(np.int64)
        for here, there in ((row, partner), (partner, row)):
            seen = group[there] >= 0
            parts.append(np.stack([here[seen], there[seen]], axis=1))
    pairs = np.unique(np.concatenate(parts), axis=0) if parts else np.empty((0, 2), np.int64)
    of_group = group[pairs[:, 1]]
    pairs[:, 1] = at[pairs[:, 1]]
    return [pairs[of_group == g] for g in range(len(columns.place))]


def _sum_of_squares(by_group: NDArray[np.integer]) -> NDArray[np.int64]:
    out = np.zeros(by_group.shape[1:], np.int64)
    for part in by_group:
        out += np.square(part.astype(np.int64))
    return out
