"""Counting rows against columns: the second stratum of a sampled count, some rows at a time."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.block_counting import BlockCounting, Workspace, class_slots
from opiscal.pairs.blocks import TILE_COLS, TILE_ROWS, cut_between_classes
from opiscal.pairs.counts import ClassCounts, Counts
from opiscal.pairs.kernel.moments import accepted_at
from opiscal.pairs.kernel.records import Nearest, Ranks, Rows, Side
from opiscal.pairs.kernel.sampled import sum_sampled_squares, tally_columns
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.sampled_counts import GROUPS
from opiscal.pairs.sorted_rows import ClassOrder, SortedRows
from opiscal.pairs.tally import Tally
from opiscal.pairs.zeros import zeros

BLOCK_ROWS = 4096


@dataclass(frozen=True, slots=True)
class ColumnGroups:
    """A simple random sample of rows, in groups of the same size; each in the order of the rows.

    Attributes
    ----------
    place : tuple of int64 arrays
        Sorted places of the rows of each group.
    """

    place: tuple[NDArray[np.int64], ...]

    @property
    def size(self) -> int:
        """All columns."""
        return sum(place.size for place in self.place)

    @classmethod
    def draw(cls, rows: int, columns: int, seed: int) -> "ColumnGroups":
        """Draw so many columns, a multiple of the number of groups, of so many rows."""
        drawn = np.random.default_rng([seed, 2]).permutation(rows)[:columns]
        return cls(tuple(np.sort(part) for part in np.array_split(drawn, GROUPS)))


@dataclass(frozen=True, slots=True)
class RowHead:
    """What must be known of some rows before they are counted against columns.

    Attributes
    ----------
    start : int
        Sorted place of the first of them.
    positive : uint32 array of shape (scored rows of them, K)
        Their positives, by moment edge.
    near : unsigned array of shape (rows, K)
        Their near pairs, by moment edge.
    found : tuple of int64 arrays of shape (pairs, 2)
        For each group of columns the near pairs that are not to be counted again: the row's sorted
        place, and the column's place in the group.
    """

    start: int
    positive: NDArray[np.uint32]
    near: NDArray[np.unsignedinteger]
    found: tuple[NDArray[np.int64], ...]

    def __sizeof__(self) -> int:
        """With the arrays: a scheduler weighs what it sends by this."""
        arrays = (self.positive, self.near, *self.found)
        return object.__sizeof__(self) + sum(array.nbytes for array in arrays)


@dataclass(slots=True)
class ColumnSums:
    """What rows against columns add up to; those of disjoint rows add.

    Attributes
    ----------
    pool : int64 array of shape (G, E)
        By pool edge, for each group of columns.
    by_class : int32 or int64 array of shape (T, C)
        By kept class edge.
    by_group : uint16 or uint32 array of shape (G, T, K)
        Accepted at the moment edges.
    row_sums : int64 array of shape (6, T, K)
        Sums over rows of products of their counts; see `opiscal.pairs.kernel.sampled`.
    """

    pool: Counts
    by_class: ClassCounts
    by_group: NDArray[np.unsignedinteger]
    row_sums: Counts

    @classmethod
    def empty(cls, rows: SortedRows, lattice: Lattice, columns: ColumnGroups) -> "ColumnSums":
        """Of no rows."""
        T, K, E = rows.classes.class_rows.size, lattice.moment_edge.size, lattice.edge_key.size
        largest = int(rows.classes.class_rows.max(initial=0)) * columns.place[0].size
        shape = (GROUPS, T, K)
        return cls(
            pool=np.zeros((GROUPS, E), np.int64),
            by_class=Tally.empty(rows, lattice).class_negative,
            by_group=zeros(shape, np.uint16) if largest < 2**16 else zeros(shape, np.uint32),
            row_sums=zeros((6, T, K), np.int64),
        )


def row_blocks(classes: ClassOrder) -> list[tuple[int, int]]:
    """The stretches of rows that are counted against columns at a time."""
    cuts = cut_between_classes(classes.ends, 0, classes.labelled, BLOCK_ROWS)
    blocks = list(itertools.pairwise(cuts))
    # Distractors make no pairs among themselves.
    last = range(classes.labelled, classes.place.size, BLOCK_ROWS)
    blocks += itertools.pairwise([*last, classes.place.size])
    return [(start, stop) for start, stop in blocks if start < stop]


class ColumnCounting:
    """Counts rows against columns, on any number of threads.

    Parameters
    ----------
    rows : SortedRows
    lattice : Lattice
    columns : ColumnGroups
    """

    def __init__(self, rows: SortedRows, lattice: Lattice, columns: ColumnGroups) -> None:
        """Read the columns."""
        self.rows, self.lattice, self.columns = rows, lattice, columns
        self.counting = BlockCounting(rows, lattice, Tally.empty(rows, lattice), ranks=False)
        self._groups = [self._columns_of(place) for place in columns.place]

    def workspace(self) -> Workspace:
        """The buffers of one thread."""
        return Workspace(self.counting)

    def count(
        self, start: int, stop: int, head: RowHead, sums: ColumnSums, space: Workspace
    ) -> None:
        """Count some rows against all columns; what they add is added under a lock."""
        counting, classes = self.counting, self.rows.classes
        slots = class_slots(counting.class_index[start:stop])
        by_class = np.zeros((slots.count, self.lattice.class_edge.size), np.uint32)
        shape = (stop - start, self.lattice.moment_edge.size)
        moments, rest = np.zeros(shape, np.uint16), np.zeros(shape, np.uint32)
        rows = _side(counting.rows_of(start, stop), slots.slot, by_class, moments)
        own = slice(slots.first, slots.first + slots.count - 1)
        for g, cols in enumerate(self._groups):
            place = self.columns.place[g]
            tiles = _Tiles.of(classes, start, stop, place, head.found[g])
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
                sums.pool[g] += pooled
                sums.by_group[g, own] += accepted.astype(sums.by_group.dtype)
                slots.move(by_class, sums.by_class, counting.edges)
        scored = min(stop, classes.scored_rows)
        if start < scored:
            here = slice(start - head.start, scored - head.start)
            with counting.lock:
                sum_sampled_squares(
                    head.positive[here],
                    head.near[here],
                    rest,
                    counting.class_index[start:scored],
                    sums.row_sums,
                )

    def _columns_of(self, place: NDArray[np.int64]) -> Side:
        rows, size = self.rows, place.size
        given = Rows(rows.vectors[place], rows.half_norm[place], rows.read_order[place])
        moments = np.zeros((size, self.lattice.moment_edge.size), np.uint16)
        return _side(given, np.zeros(size, np.uint32), np.zeros((1, 1), np.uint32), moments)


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
