"""Neighbour ranks from the nearest rows of some rows, for Recall@k where pairs are sampled."""

import numpy as np
from numpy.typing import NDArray

from opiscal.errors import UsageError
from opiscal.pairs.nearest_counts import NeighbourRanks
from opiscal.pairs.search import Neighbours
from opiscal.pairs.sorted_rows import SortedRows


def ranks_of_neighbours(
    rows: SortedRows, asked: NDArray[np.int64], near: Neighbours, cap: int
) -> NeighbourRanks:
    """Neighbour ranks of some rows, read off their nearest rows, without counting pairs.

    Where every pair is counted the ranks fall out of the counting; this is for where it is not.
    Rows equally near come in the order of reading, as far as they are among those that were found.

    Parameters
    ----------
    rows : SortedRows
    asked : int64 array of shape (queries,)
        Sorted places, each of a row whose class has another row.
    near : Neighbours
        Of these rows, as places; the row itself is one of them, unless as many others are the same
        row. At least ``cap + 1`` each.
    cap : int
        The largest k that Recall@k can be asked for; at least 1.

    Returns
    -------
    NeighbourRanks
        In the order of reading; `cap` where the nearest positive is not among the `cap` nearest
        rows.

    Raises
    ------
    UsageError
        For `cap` below 1, or fewer neighbours than that.

    Examples
    --------
    >>> from opiscal.data.rows import from_arrays
    >>> from opiscal.pairs.search import exact_neighbours
    >>> from opiscal.pairs.sorted_rows import sort_rows
    >>> rows = sort_rows(from_arrays([[1, 0], [0.6, 0.8], [1, 0.1], [0, 1]], ["a", "a", "b", "c"]))
    >>> near = exact_neighbours(rows.vectors, rows.vectors[:2], 4)
    >>> ranks_of_neighbours(rows, np.array([0, 1]), near, cap=3).rank.tolist()
    [1, 2]
    """
    if not 1 <= cap < near.index.shape[1]:
        raise UsageError(
            f"cap {cap}: must be at least 1, and below the {near.index.shape[1]} neighbours given"
        )
    classes = rows.classes
    # A place of -1, where fewer rows were found, comes last: it is at no distance.
    order = np.lexsort((rows.read_order[near.index], near.distance))[:, : cap + 1]
    found = np.take_along_axis(near.index, order, axis=1)
    itself = found == asked[:, None]
    own = (found >= classes.start[asked][:, None]) & (found < classes.stop[asked][:, None])
    positive = own & ~itself
    first = positive.argmax(axis=1)
    before = first - np.cumsum(itself, axis=1)[np.arange(asked.size), first]
    nearest = np.minimum(np.where(positive.any(axis=1), before, cap), cap)
    in_reading = np.argsort(rows.read_order[asked])
    return NeighbourRanks(
        rank=nearest[in_reading].astype(np.int32),
        of_class=classes.class_of_scored[asked[in_reading]],
        cap=cap,
    )
