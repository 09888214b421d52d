"""Nearest class: for each class the other one whose mean row is nearest."""

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label
from opiscal.pairs.class_means import class_means
from opiscal.pairs.index_choice import IndexChoice
from opiscal.pairs.search import RowIndex
from opiscal.pairs.sorted_rows import SortedRows

_BLOCK_ROWS = 8192


def nearest_class(
    rows: SortedRows,
    threads: int | None = None,
    classes: NDArray[np.integer] | None = None,
) -> NDArray[np.int64]:
    """For each class the other class whose mean row is nearest.

    Under ``cosine`` means are scaled to unit length; a mean of no direction, as of two opposite
    rows, is at the same distance from all. Classes of one row count; distractors are no class.
    Among equally near classes the first label, as far as faiss finds them all. Of more than 50,000
    classes the index is an inverted file, which may miss the nearest and give another near one.

    Parameters
    ----------
    rows : SortedRows
    threads : int, optional
        For faiss; default: as it is set.
    classes : int array, optional
        The classes that are asked about, as `rows` names them. Default: all. Each costs as many dot
        products as there are classes.

    Returns
    -------
    int64 array of shape (classes,)
        Classes; -1 where there is no other class, and for classes not asked about.

    Examples
    --------
    >>> from opiscal.data.rows import from_arrays
    >>> from opiscal.pairs.sorted_rows import sort_rows
    >>> rows = from_arrays([[1, 0], [1, 0.1], [0, 1], [0.5, 1]], ["a", "a", "b", "c"])
    >>> nearest_class(sort_rows(rows)).tolist()
    [2, 2, 1]
    """
    found = class_means(rows)
    out = np.full(int(found.classes.max(initial=-1)) + 1, -1, np.int64)
    asked = found.classes if classes is None else np.asarray(classes, dtype=np.int64)
    if found.classes.size < 2 or asked.size == 0:
        return out
    index = RowIndex(found.means, rows.metric, IndexChoice(), threads=threads)
    place = np.searchsorted(found.classes, asked)
    for start in range(0, asked.size, _BLOCK_ROWS):
        part = place[start : start + _BLOCK_ROWS]
        near = index.search(found.means[part], 2, threads).index
        # A class may come second to one with the very same mean, or behind two of them.
        other = np.where(near[:, 0] == part, near[:, 1], near[:, 0])
        out[found.classes[part]] = found.classes[other]
    return out


def nearest_labels(
    labels: tuple[Label, ...], rows: SortedRows, nearest: NDArray[np.int64]
) -> tuple[Label | None, ...]:
    """The labels of what `nearest_class` gives, for each scored class."""
    return tuple(labels[nearest[c]] if nearest[c] >= 0 else None for c in rows.classes.scored)
