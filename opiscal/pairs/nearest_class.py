"""Nearest class: for each class the other one whose mean row is nearest."""

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet
from opiscal.pairs.search import RowIndex

_BLOCK_ROWS = 8192
# A mean of unit rows that is shorter is rounding, not a direction.
_NO_DIRECTION = 1e-6


def nearest_class(
    embeddings: EmbeddingSet,
    threads: int | None = None,
    classes: NDArray[np.integer] | None = None,
) -> NDArray[np.int64]:
    """For each class the other class whose mean row is nearest.

    Under ``cosine`` means are scaled to unit length; a mean of no direction, as of two opposite
    rows, is at the same distance from all. Classes of one row count; distractors are no class.
    Among equally near classes the first label, as far as faiss finds them all.

    Parameters
    ----------
    embeddings : EmbeddingSet
    threads : int, optional
        For faiss; default: as it is set.
    classes : int array, optional
        The classes that are asked about, indices into ``embeddings.labels``. Default: all. Each
        costs as many dot products as there are classes.

    Returns
    -------
    int64 array of shape (classes,)
        Indices into the labels; -1 where there is no other class, and for classes not asked about.

    Examples
    --------
    >>> from opiscal.data.rows import from_arrays
    >>> rows = from_arrays([[1, 0], [1, 0.1], [0, 1], [0.5, 1]], ["a", "a", "b", "c"])
    >>> nearest_class(rows).tolist()
    [2, 2, 1]
    """
    out = np.full(len(embeddings.labels), -1, np.int64)
    asked = np.arange(out.size) if classes is None else np.asarray(classes, dtype=np.int64)
    if out.size < 2 or asked.size == 0:
        return out
    means = _class_means(embeddings)
    index = RowIndex(means, embeddings.metric)
    for start in range(0, asked.size, _BLOCK_ROWS):
        part = asked[start : start + _BLOCK_ROWS]
        found = index.search(means[part], 2, threads).index
        # A class may come second to one with the very same mean, or behind two of them.
        out[part] = np.where(found[:, 0] == part, found[:, 1], found[:, 0])
    return out


def _class_means(embeddings: EmbeddingSet) -> NDArray[np.float32]:
    """Mean row of each class, of unit length under ``cosine``; shape (classes, dimensions)."""
    of_row = embeddings.class_of_row
    place = np.argsort(of_row, kind="stable")[embeddings.distractors :]
    stops = np.cumsum(embeddings.class_sizes())
    starts = np.concatenate([[0], stops[:-1]])
    means = np.empty((stops.size, embeddings.dimensions), np.float32)
    first = 0
    # Blocks of whole classes: double precision is needed for few of them at a time.
    while first < stops.size:
        fitting = int(np.searchsorted(stops, starts[first] + _BLOCK_ROWS, side="right"))
        last = max(first + 1, fitting)
        sums = _sums(embeddings.vectors, place, starts[first:last], int(stops[last - 1]))
        if embeddings.metric == "cosine":
            length = np.linalg.norm(sums, axis=1)
            rows = stops[first:last] - starts[first:last]
            sums[length < _NO_DIRECTION * rows] = 0.0
            means[first:last] = sums / np.maximum(length, 1e-300)[:, None]
        else:
            means[first:last] = sums / (stops[first:last] - starts[first:last])[:, None]
        first = last
    return means


def _sums(
    vectors: NDArray[np.float32], place: NDArray[np.int64], starts: NDArray[np.int64], stop: int
) -> NDArray[np.float64]:
    """Sums of the rows at sorted places, from each start to the next; none is empty."""
    if starts.size > 1:
        rows = vectors[place[starts[0] : stop]].astype(np.float64)
        return np.asarray(np.add.reduceat(rows, starts - starts[0], axis=0))
    total = np.zeros((1, vectors.shape[1]))
    for start in range(int(starts[0]), stop, _BLOCK_ROWS):
        part = place[start : min(start + _BLOCK_ROWS, stop)]
        total += vectors[part].sum(axis=0, dtype=np.float64)
    return total
