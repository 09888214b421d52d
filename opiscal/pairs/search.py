"""Nearest rows by a flat faiss index: the one door to faiss."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet, Metric
from opiscal.errors import UsageError
from opiscal.pairs.class_means import class_means
from opiscal.pairs.counts import NeighbourRanks
from opiscal.pairs.sorted_rows import SortedRows

_BLOCK_ROWS = 8192
_MEDIAN_ROWS = 1001


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest rows of some queries, the nearest first.

    Attributes
    ----------
    index : int64 array of shape (queries, k)
        Places of the rows in the index; -1 where the index has fewer than k rows.
    distance : float64 array of shape (queries, k)
        Infinite where `index` is -1.
    """

    index: NDArray[np.int64]
    distance: NDArray[np.float64]


class FlatIndex:
    r"""All rows, compared one by one: exact up to the rounding of float32.

    Under ``cosine`` the distance is :math:`\sqrt{2 - 2 s}` with the inner product :math:`s` of unit
    rows, clipped to [0, 2]; under ``l2`` it is Euclidean.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions)
        Of unit length under ``cosine`` (a row of zeros has similarity 0 to all). Copied into the
        index, under ``l2`` less a row that stands in their middle and divided by a power of two:
        no distance changes, and neither a common offset nor long rows cost precision.
    metric : "cosine" or "l2"

    Examples
    --------
    >>> index = FlatIndex(np.array([[0.0, 0.0], [3.0, 4.0]], np.float32), "l2")
    >>> found = index.search(np.array([[0.0, 1.0]], np.float32), k=3)
    >>> found.index.tolist(), found.distance.round(3).tolist()
    ([[0, 1, -1]], [[1.0, 4.243, inf]])
    """

    __slots__ = ("_centre", "_index", "_scale", "metric")

    def __init__(self, vectors: NDArray[np.float32], metric: Metric) -> None:
        self.metric = metric
        self._centre, self._scale = np.zeros(vectors.shape[1]), 1.0
        kind = faiss.IndexFlatIP if metric == "cosine" else faiss.IndexFlatL2
        self._index = kind(vectors.shape[1])
        if metric == "l2" and len(vectors):
            self._centre, self._scale = _middle(vectors)
        if len(vectors):
            self._index.add(self._placed(vectors))

    @property
    def rows(self) -> int:
        """Rows in the index."""
        return int(self._index.ntotal)

    def search(
        self, queries: NDArray[np.float32], k: int, threads: int | None = None
    ) -> Neighbours:
        """Find the k nearest rows of each query.

        Rows at the very same distance come in the order of the index. Which of them are found
        where the k-th and the next tie is left to faiss.

        Parameters
        ----------
        queries : float32 array of shape (queries, dimensions)
        k : int
            At least 1.
        threads : int, optional
            For this call, in the whole process; default: as faiss is set.

        Returns
        -------
        Neighbours

        Raises
        ------
        UsageError
            For k below 1, or queries of another width.
        """
        if k < 1:
            raise UsageError(f"k {k}: must be at least 1")
        if queries.ndim != 2 or queries.shape[1] != self._index.d:
            raise UsageError(
                f"queries of shape {queries.shape}: the index holds rows of {self._index.d} "
                "dimensions; give vectors of the same model"
            )
        index = np.full((len(queries), k), -1, np.int64)
        distance = np.full((len(queries), k), np.inf)
        found = min(k, self.rows)
        if found == 0 or len(queries) == 0:
            return Neighbours(index, distance)
        with _faiss_threads(threads):
            for start in range(0, len(queries), _BLOCK_ROWS):
                part = slice(start, start + _BLOCK_ROWS)
                values, places = self._index.search(self._placed(queries[part]), found)
                if self.metric == "cosine":
                    values = -values
                order = np.lexsort((places, values))
                index[part, :found] = np.take_along_axis(places, order, axis=1)
                distance[part, :found] = self._distance(np.take_along_axis(values, order, axis=1))
        return Neighbours(index, distance)

    def _distance(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        wide = values.astype(np.float64)
        if self.metric == "cosine":
            return np.asarray(np.sqrt(np.clip(2.0 + 2.0 * wide, 0.0, 4.0)))
        return np.asarray(np.sqrt(np.maximum(wide, 0.0)) * self._scale)

    def _placed(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vectors as the index holds them."""
        if self.metric == "cosine":
            return np.ascontiguousarray(vectors, dtype=np.float32)
        out = np.empty(vectors.shape, np.float32)
        for start in range(0, len(vectors), _BLOCK_ROWS):
            part = slice(start, start + _BLOCK_ROWS)
            out[part] = (vectors[part] - self._centre) / self._scale
        return out


def nearest_class(
    rows: SortedRows,
    threads: int | None = None,
    classes: NDArray[np.integer] | None = None,
) -> NDArray[np.int64]:
    """For each class the other class whose mean row is nearest.

    Under ``cosine`` means are scaled to unit length; a mean of no direction, as of two opposite
    rows, is at the same distance from all. Classes of one row count; distractors are no class.
    Among equally near classes the first label, as far as faiss finds them all.

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
    index = FlatIndex(found.means, rows.metric)
    place = np.searchsorted(found.classes, asked)
    for start in range(0, asked.size, _BLOCK_ROWS):
        part = place[start : start + _BLOCK_ROWS]
        near = index.search(found.means[part], 2, threads).index
        # A class may come second to one with the very same mean, or behind two of them.
        other = np.where(near[:, 0] == part, near[:, 1], near[:, 0])
        out[found.classes[part]] = found.classes[other]
    return out


def recall_at_ranks(
    embeddings: EmbeddingSet, cap: int = 8, threads: int | None = None
) -> NeighbourRanks:
    """Neighbour ranks for Recall@k, without counting pairs.

    Where pairs are counted exactly the ranks fall out of the counting; this is for where they are
    not. Rows equally near come in the order of reading as far as the index finds them: among rows
    that tie across the last place it looks at, faiss chooses.

    Parameters
    ----------
    embeddings : EmbeddingSet
    cap : int
        The largest k that Recall@k can be asked for; at least 1.
    threads : int, optional
        For faiss; default: as it is set.

    Returns
    -------
    NeighbourRanks
        One rank for each row whose class has another row, in the order of reading; `cap` where
        the nearest positive is not among the `cap` nearest rows.

    Raises
    ------
    UsageError
        For `cap` below 1.

    Examples
    --------
    >>> from opiscal.data.rows import from_arrays
    >>> rows = from_arrays([[1, 0], [0.6, 0.8], [1, 0.1], [0, 1]], ["a", "a", "b", "c"])
    >>> recall_at_ranks(rows).rank.tolist()
    [1, 2]
    """
    if cap < 1:
        raise UsageError(f"cap {cap}: must be at least 1")
    of_row = embeddings.class_of_row
    queries = np.flatnonzero((of_row >= 0) & (embeddings.class_sizes()[of_row] >= 2))
    rank = np.full(queries.size, cap, np.int32)
    index = FlatIndex(np.asarray(embeddings.vectors), embeddings.metric)
    for start in range(0, queries.size, _BLOCK_ROWS):
        part = queries[start : start + _BLOCK_ROWS]
        # One more than asked: the row itself is among them, unless cap others are the same row.
        found = index.search(embeddings.vectors[part], cap + 1, threads).index
        itself = found == part[:, None]
        positive = (of_row[found] == of_row[part][:, None]) & (found >= 0) & ~itself
        first = positive.argmax(axis=1)
        before = first - np.cumsum(itself, axis=1)[np.arange(part.size), first]
        nearest = np.where(positive.any(axis=1), before, cap)
        rank[start : start + _BLOCK_ROWS] = np.minimum(nearest, cap)
    return NeighbourRanks(rank=rank, cap=cap)


@contextmanager
def _faiss_threads(threads: int | None) -> Iterator[None]:
    if threads is None:
        yield
        return
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(max(1, threads))
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _middle(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """A row amid the rows, and a power of two that no coordinate's distance from it exceeds."""
    # The median, since a mean follows one long row; of an odd number of rows, so that integers
    # stay integers.
    some = vectors[:: max(1, len(vectors) // _MEDIAN_ROWS)]
    centre = np.median(some[: len(some) - 1 + len(some) % 2], axis=0).astype(np.float64)
    largest = 0.0
    for start in range(0, len(vectors), _BLOCK_ROWS):
        largest = max(largest, float(np.abs(vectors[start : start + _BLOCK_ROWS] - centre).max()))
    return centre, float(2.0 ** np.ceil(np.log2(largest))) if largest > 0 else 1.0
