"""Near negatives: the pairs of rows of two classes that an index finds within a distance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.kernel.sampled import once_each
from opiscal.pairs.list_scan import pairs_in_lists
from opiscal.pairs.search import RowIndex
from opiscal.pairs.sorted_rows import SortedRows

NEIGHBOURS = 16
"""Near negatives that a row has on the average."""

# Rows and columns of the pairs from which the distance is found that as many lie within.
_PILOT_ROWS, _PILOT_COLUMNS, _PILOT_BLOCK = 1024, 32_768, 128
# Where many pairs are at one distance there may be far more within it than asked for.
_MOST_TIMES = 4


@dataclass(frozen=True, slots=True)
class FoundPairs:
    """Negative pairs that rows found, by row; a pair may be found by both of its rows.

    Attributes
    ----------
    bounds : int64 array of shape (rows + 1,)
    partner : int32 array
        Sorted places; those found by row ``i`` are ``partner[bounds[i] : bounds[i + 1]]``.
    counted : bool array
        One of the two where both found it.
    radius : float
        Within which rows were asked for, in the units of the sorted rows; negative where none were.
    """

    bounds: NDArray[np.int64]
    partner: NDArray[np.int32]
    counted: NDArray[np.bool_]
    radius: float

    @property
    def row_count_type(self) -> type[np.unsignedinteger]:
        """An integer that holds the found pairs of any one row."""
        by_row = np.diff(self.bounds) + np.bincount(self.partner, minlength=self.bounds.size - 1)
        return np.uint16 if by_row.max(initial=0) < 2**16 else np.uint32

    @property
    def row(self) -> NDArray[np.int64]:
        """The row that found each."""
        return np.repeat(np.arange(self.bounds.size - 1), np.diff(self.bounds))


def find_pairs(
    rows: SortedRows, index: RowIndex, seed: int, threads: int | None = None
) -> FoundPairs:
    """Find near negatives of all rows, some sixteen a row.

    Parameters
    ----------
    rows : SortedRows
    index : RowIndex
        Of the vectors of `rows`, under ``l2``.
    seed : int
        Of the pairs that the distance is read off.
    threads : int, optional

    Returns
    -------
    FoundPairs
    """
    radius = _radius(rows, seed)
    class_id = _class_ids(rows)
    row, partner = _within(rows, index, radius, threads)
    negative = class_id[row] != class_id[partner]
    row, partner = row[negative], partner[negative]
    partner = partner[np.argsort(row, kind="stable")]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows.rows))])
    return FoundPairs(bounds, partner, once_each(bounds, partner), radius)


def _within(
    rows: SortedRows, index: RowIndex, radius: float, threads: int | None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Rows, and those that the index finds for them within a distance."""
    if radius <= 0:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    lists = index.lists(rows.vectors, threads)
    if lists is not None:
        return pairs_in_lists(rows, lists, radius, threads)
    found = [
        (np.repeat(np.arange(first, first + bounds.size - 1, dtype=np.int32), np.diff(bounds)), at)
        for first, bounds, at in index.within(rows.vectors, radius, threads)
    ]
    row, partner = zip(*found, strict=True)
    return np.concatenate(row), np.concatenate(partner).astype(np.int32)


def _class_ids(rows: SortedRows) -> NDArray[np.int64]:
    """The class of each sorted place; distractors, which make no pairs, are all of one."""
    return rows.classes.class_id


def _radius(rows: SortedRows, seed: int) -> float:
    """A distance that some sixteen negatives of a row are within, on the average; -1 for none."""
    rng = np.random.default_rng([seed, 1])
    some = _drawn(rng, rows.rows, _PILOT_ROWS)
    others = _drawn(rng, rows.rows, _PILOT_COLUMNS)
    wanted = max(1, round(NEIGHBOURS * some.size * others.size / rows.rows))
    keep = _MOST_TIMES * wanted + 1
    class_id, vectors = _class_ids(rows), rows.vectors[others]
    nearest = np.empty(0, np.float32)
    for start in range(0, some.size, _PILOT_BLOCK):
        part = some[start : start + _PILOT_BLOCK]
        u = rows.half_norm[part][:, None] + rows.half_norm[others] - rows.vectors[part] @ vectors.T
        u[class_id[part][:, None] == class_id[others]] = np.inf
        if nearest.size == keep:
            u = u[u < nearest.max()]
        nearest = np.concatenate([nearest, u.ravel()])
        if nearest.size > keep:
            nearest = np.partition(nearest, keep - 1)[:keep]
    nearest = np.sort(nearest[np.isfinite(nearest)])
    if nearest.size == 0:
        return -1.0
    at = nearest[min(wanted, nearest.size) - 1]
    if nearest.size == keep and nearest[-1] <= at * (1.0 + 1e-6):
        below = nearest[nearest < at * (1.0 - 1e-6)]
        if below.size == 0:
            return -1.0
        at = below[-1]
    return float(np.sqrt(2.0 * max(at, 0.0)) * (1.0 + 1e-6))


def _drawn(rng: np.random.Generator, rows: int, most: int) -> NDArray[np.int64]:
    if rows <= most:
        return np.arange(rows)
    return np.sort(rng.choice(rows, most, replace=False))
