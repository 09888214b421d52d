"""SampledHead: what a sampled count counts before it counts rows against columns."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.block_counting import BlockCounting
from opiscal.pairs.blocks import positive_blocks
from opiscal.pairs.counts import ClassCounts, Counts
from opiscal.pairs.exact import count_blocks
from opiscal.pairs.kernel.sampled import tally_found
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.near_search import FoundPairs
from opiscal.pairs.sampled_columns import BLOCK_ROWS, ColumnGroups, RowHead
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.tally import Tally


@dataclass(slots=True)
class SampledHead:
    """Positives and near pairs.

    Attributes
    ----------
    positive_rows : int64 array of shape (T,)
        Rows of each class whose positives were counted.
    pool_positive : int64 array of shape (parts, E)
        By pool edge: of the classes that were taken whole, then of each of the others.
    class_positive, class_near : int32 or int64 arrays of shape (T, C)
        By kept class edge.
    pool_near : int64 array of shape (E,)
    row_positive : uint32 array of shape (scored rows, K)
    row_near : unsigned array of shape (rows, K)
    found : tuple of int64 arrays of shape (pairs, 2)
        As `opiscal.pairs.sampled_columns.RowHead.found`, of all rows.
    radius : float
        Within which near pairs were looked for, in the units of the sorted rows.
    """

    positive_rows: Counts
    pool_positive: Counts
    class_positive: ClassCounts
    class_near: ClassCounts
    pool_near: Counts
    row_positive: NDArray[np.uint32]
    row_near: NDArray[np.unsignedinteger]
    found: tuple[NDArray[np.int64], ...]
    radius: float

    @property
    def nbytes(self) -> int:
        """Memory of all arrays."""
        values = [getattr(self, field.name) for field in fields(self)]
        arrays = [*(value for value in values if isinstance(value, np.ndarray)), *self.found]
        return sum(array.nbytes for array in arrays)

    @property
    def pairs_found(self) -> int:
        """Near pairs of any row and a column."""
        return sum(len(pairs) for pairs in self.found)

    def of_rows(self, start: int, stop: int) -> RowHead:
        """What is needed of some rows."""
        parts = []
        for pairs in self.found:
            first, last = np.searchsorted(pairs[:, 0], [start, stop])
            parts.append(pairs[first:last])
        here = slice(start, stop)
        return RowHead(start, self.row_positive[here], self.row_near[here], tuple(parts))

    def forget_rows(self) -> None:
        """Set free what is known of single rows, when all are counted."""
        self.row_positive, self.row_near = self.row_positive[:0], self.row_near[:0]

    def without_rows(self) -> "SampledHead":
        """The same without what is known of single rows."""
        return replace(self, row_positive=self.row_positive[:0], row_near=self.row_near[:0])


def count_head(
    rows: SortedRows,
    lattice: Lattice,
    near: FoundPairs,
    columns: ColumnGroups,
    most_positives: int,
    seed: int,
    threads: int,
) -> SampledHead:
    """Count the positives and the near pairs.

    Parameters
    ----------
    rows : SortedRows
    lattice : Lattice
    near : FoundPairs
        The first stratum; no pair of it is counted in the second one.
    columns : ColumnGroups
    most_positives : int
        Positive pairs of a class up to which all are counted; of a larger one as many, those among
        some of its rows.
    seed : int
    threads : int
    """
    tally = Tally.empty(rows, lattice)
    positive_rows, pool_positive = _count_positives(
        rows, lattice, tally, most_positives, seed, threads
    )
    head = SampledHead(
        positive_rows=positive_rows,
        pool_positive=np.array(pool_positive),
        class_positive=tally.class_positive,
        class_near=np.zeros_like(tally.class_negative),
        pool_near=np.zeros(lattice.edge_key.size, np.int64),
        row_positive=tally.row_positive,
        row_near=np.zeros((rows.rows, lattice.moment_edge.size), near.row_count_type),
        found=tuple(_found_by_group(near, columns, rows.rows)),
        radius=near.radius,
    )
    _count_near(rows, lattice, near, BlockCounting(rows, lattice, tally, ranks=False), head)
    return head


def _count_positives(
    rows: SortedRows, lattice: Lattice, tally: Tally, most: int, seed: int, threads: int
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Rows that were taken of each class, and the pool's positives: of the classes that were
    taken whole, then of each of the others.
    """
    classes = rows.classes
    sizes = classes.class_rows
    large = sizes * (sizes - 1) // 2 > most
    taken = np.where(large, int((1.0 + np.sqrt(1.0 + 8.0 * most)) / 2.0), sizes)
    blocks = positive_blocks(rows, large)
    count_blocks(blocks, rows, lattice, tally, threads=threads, ranks=False)
    pool = [tally.pool_positive]
    rng = np.random.default_rng([seed, 3])
    starts = np.cumsum(sizes) - sizes
    for c in np.flatnonzero(large):
        place = starts[c] + np.sort(rng.choice(sizes[c], taken[c], replace=False))
        chosen = np.zeros(rows.rows, bool)
        chosen[place] = True
        part = rows.subset(chosen)
        own = Tally.empty(part, lattice)
        blocks = positive_blocks(part)
        count_blocks(blocks, part, lattice, own, threads=threads, ranks=False)
        tally.class_positive[c] = own.class_positive[0]
        tally.row_positive[place] = own.row_positive
        pool.append(own.pool_positive)
    return taken, pool


def _count_near(
    rows: SortedRows,
    lattice: Lattice,
    near: FoundPairs,
    counting: BlockCounting,
    head: SampledHead,
) -> None:
    # Some rows at a time: the row of every pair, and its distance, would take much memory.
    for first in range(0, rows.rows, BLOCK_ROWS * 16):
        last = min(first + BLOCK_ROWS * 16, rows.rows)
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
            lattice.class_edge,
            head.pool_near,
            head.class_near,
            head.row_near,
        )


def _found_by_group(near: FoundPairs, columns: ColumnGroups, rows: int) -> list[NDArray[np.int64]]:
    """Of each group the found pairs of any row and a column, by row and place in the group."""
    group, at = np.full(rows, -1, np.int64), np.zeros(rows, np.int64)
    for g, place in enumerate(columns.place):
        group[place], at[place] = g, np.arange(place.size)
    parts = []
    for first in range(0, rows, BLOCK_ROWS * 16):
        last = min(first + BLOCK_ROWS * 16, rows)
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
