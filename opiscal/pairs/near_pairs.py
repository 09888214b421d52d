"""NearPairs: nearest rows, accepted negatives and class pairs of a set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.class_confusions import ClassConfusions
from opiscal.pairs.kernel.near_scan import Threshold, pair_distances
from opiscal.pairs.search import Neighbours
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.top_pairs import RowPairs

_PART_ROWS = 1 << 12


@dataclass(frozen=True, slots=True)
class NearPairs:
    """What was found within a threshold.

    Attributes
    ----------
    neighbours : Neighbours
        Of every row the k nearest other ones; rows in the order of reading.
    accepted : int
        Accepted negative pairs.
    nearest : RowPairs
        The nearest of them.
    confusions : ClassConfusions
        The class pairs with most of them.
    class_pairs : int
        Class pairs with at least one of them.
    index : str
        How rows were searched.
    recall : float or None
        Share of the accepted negative pairs that a search from one of the two rows finds, on a
        sample of rows; None where all pairs were looked at, and where the sample has none.
    recall_pairs : int or None
        Accepted negative pairs of that sample.
    exact : bool
        Whether all pairs were looked at; if not, counts are lower bounds.
    """

    neighbours: Neighbours
    accepted: int
    nearest: RowPairs
    confusions: ClassConfusions
    class_pairs: int
    index: str
    recall: float | None
    recall_pairs: int | None
    exact: bool


def threshold_of(rows: SortedRows, distance: float) -> Threshold:
    """A threshold in the units of the products of sorted rows."""
    return Threshold(distance, np.float32(half_squared(rows, distance)), rows.scale**-2.0)


def half_squared(rows: SortedRows, distance: float) -> float:
    """Half the square of a distance of the set, in the units of the products of sorted rows."""
    # Not a power, which would raise where a product is infinite.
    return 0.5 * (distance / rows.scale) * (distance / rows.scale)


def measured_neighbours(
    vectors: NDArray[np.float32], candidates: NDArray[np.integer], k: int
) -> Neighbours:
    """Of some candidates for each row the k nearest, in double precision; ties by row.

    A candidate outside the rows stands for none.
    """
    rows, width = candidates.shape
    index = np.full((rows, k), -1, np.int64)
    distance = np.full((rows, k), np.inf)
    for start in range(0, rows, _PART_ROWS):
        part = candidates[start : start + _PART_ROWS].astype(np.int64)
        known = (part >= 0) & (part < rows)
        of_row = np.broadcast_to(np.arange(start, start + len(part))[:, None], part.shape)
        away = np.full(part.shape, np.inf)
        away[known] = pair_distances(vectors, of_row[known], part[known])
        order = np.lexsort((part, away), axis=1)[:, :k]
        best = np.take_along_axis(away, order, axis=1)
        here, found = slice(start, start + len(part)), min(k, width)
        distance[here, :found] = best
        index[here, :found] = np.where(np.isinf(best), -1, np.take_along_axis(part, order, axis=1))
    return Neighbours(index, distance)
