"""Nearest rows by a faiss index, flat or approximate: the one door to faiss."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Metric
from opiscal.errors import InputError, UsageError
from opiscal.pairs.centred_vectors import CentredVectors
from opiscal.pairs.index_choice import EF_SEARCH, NPROBE, IndexChoice

_BLOCK_ROWS = 8192
_MEDIAN_ROWS = 1001
# Rows to train each list of an inverted file from, and rounds: more of either cost more than they
# find.
TRAINING_ROWS, ROUNDS = 20, 4


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest rows of some queries, the nearest first.

    Attributes
    ----------
    index : int64 array of shape (queries, k)
        Places of the rows in the index; -1 where the index has, or finds, fewer than k rows.
    distance : float64 array of shape (queries, k)
        Infinite where `index` is -1.
    """

    index: NDArray[np.int64]
    distance: NDArray[np.float64]


FLAT = IndexChoice("Flat")


class RowIndex:
    r"""Rows in a faiss index.

    Under ``cosine`` the distance is :math:`\sqrt{2 - 2 s}` with the inner product :math:`s` of unit
    rows, clipped to [0, 2]; under ``l2`` it is Euclidean. A flat index is exact up to the rounding
    of float32; others miss rows, and those with compressed rows give rough distances.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions), HalfRows or StoredRows
        Of unit length under ``cosine`` (a row of zeros has similarity 0 to all). Copied into the
        index, under ``l2`` less a row that stands in their middle and divided by a power of two:
        no distance changes, and neither a common offset nor long rows cost precision.
    metric : "cosine" or "l2"
    choice : IndexChoice
        Default: flat.
    seed : int
        Of the rows that an index is trained on.
    threads : int, optional
        For building it.

    Raises
    ------
    UsageError
        For a string that faiss does not know, or an index that so few rows cannot train.

    Examples
    --------
    >>> index = RowIndex(np.array([[0.0, 0.0], [3.0, 4.0]], np.float32), "l2")
    >>> found = index.search(np.array([[0.0, 1.0]], np.float32), k=3)
    >>> found.index.tolist(), found.distance.round(3).tolist()
    ([[0, 1, -1]], [[1.0, 4.243, inf]])
    """

    __slots__ = ("_centre", "_index", "_scale", "description", "exact", "metric")

    def __init__(
        self,
        vectors: CentredVectors,
        metric: Metric,
        choice: IndexChoice = FLAT,
        *,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.metric = metric
        self._centre, self._scale = np.zeros(vectors.shape[1]), 1.0
        if metric == "l2" and len(vectors):
            self._centre, self._scale = _middle(vectors)
        factory = choice.resolved(len(vectors))
        self._index = _empty_index(factory, vectors.shape[1], metric)
        self.exact = factory == "Flat"
        self.description = factory + _set_effort(self._index, choice)
        with _faiss_threads(threads):
            if not self._index.is_trained:
                self._train(vectors, factory, seed)
            for start in range(0, len(vectors), _BLOCK_ROWS * 16):
                self._index.add(self._placed(vectors[start : start + _BLOCK_ROWS * 16]))

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
        self._check_width(queries)
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
                values = np.where(places < 0, np.float32(np.inf), values)
                order = np.lexsort((places, values))
                index[part, :found] = np.take_along_axis(places, order, axis=1)
                distance[part, :found] = self._distance(np.take_along_axis(values, order, axis=1))
        return Neighbours(index, distance)

    def within(
        self, queries: CentredVectors, radius: float, threads: int | None = None
    ) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Find the rows within a distance of each query, some thousand queries at a time.

        Parameters
        ----------
        queries : float32 array of shape (queries, dimensions)
        radius : float
            Rows about as far, up to rounding, may be found or not.
        threads : int, optional

        Yields
        ------
        first : int
            The first query of a part.
        bounds : int64 array of shape (queries of the part + 1,)
        index : int64 array
            Those of the k-th query of the part are ``index[bounds[k] : bounds[k + 1]]``.

        Raises
        ------
        UsageError
            Where faiss cannot search such an index by distance.
        """
        self._check_width(queries)
        cosine = self.metric == "cosine"
        bound = 1.0 - radius**2 / 2 if cosine else (radius / self._scale) ** 2
        with _faiss_threads(threads):
            for start in range(0, len(queries) if self.rows else 0, _BLOCK_ROWS):
                part = self._placed(queries[start : start + _BLOCK_ROWS])
                try:
                    bounds, _, index = self._index.range_search(part, bound)
                except RuntimeError as error:
                    raise UsageError(
                        f"index {self.description!r}: faiss cannot search it by distance; take "
                        "Flat, IVF4096,Flat or HNSW32 with --index"
                    ) from error
                # Some indexes fill up with -1 where they find nothing.
                known = np.concatenate([[0], np.cumsum(index >= 0)])
                yield start, known[bounds.astype(np.int64)], index[index >= 0]

    def lists(
        self, vectors: CentredVectors, threads: int | None = None
    ) -> NDArray[np.int32] | None:
        """The lists of an inverted file that each row looks through, its own one first.

        Parameters
        ----------
        vectors : float32 array of shape (rows, dimensions), HalfRows or StoredRows
            What the index was made of.
        threads : int, optional

        Returns
        -------
        int32 array of shape (rows, nprobe), or None
            None where the index is no inverted file of whole rows.
        """
        if not isinstance(self._index, faiss.IndexIVFFlat):
            return None
        out = np.empty((len(vectors), min(self._index.nprobe, self._index.nlist)), np.int32)
        with _faiss_threads(threads):
            for start in range(0, len(vectors), _BLOCK_ROWS):
                part = slice(start, start + _BLOCK_ROWS)
                quantizer = self._index.quantizer
                out[part] = quantizer.search(self._placed(vectors[part]), out.shape[1])[1]
        return out

    def recall(
        self, queries: NDArray[np.float32], exact: NDArray[np.int64], threads: int | None = None
    ) -> float:
        """Share of the nearest rows of some queries that the index finds.

        Parameters
        ----------
        queries : float32 array of shape (queries, dimensions)
        exact : int64 array of shape (queries, k)
            Places of their nearest rows, as `exact_neighbours` finds them; -1 for none.
        threads : int, optional
        """
        if self.exact or exact.size == 0:
            return 1.0
        found = self.search(queries, exact.shape[1], threads).index
        hits = (exact[:, :, None] == found[:, None, :]).any(axis=2)
        return float(hits[exact >= 0].mean())

    def save(self, file: Path) -> None:
        """Write the index to a file that faiss reads.

        Raises
        ------
        InputError
            Where the file cannot be written.
        """
        try:
            file.write_bytes(faiss.serialize_index(self._index).tobytes())
        except OSError as error:
            raise InputError(
                f"index {str(file)!r} cannot be written ({error.strerror or error}); give a file "
                "in a folder that exists"
            ) from error

    def _train(self, vectors: CentredVectors, factory: str, seed: int) -> None:
        rows, lists = len(vectors), 256
        inverted = faiss.try_extract_index_ivf(self._index)
        if inverted is not None:
            lists = max(lists, inverted.nlist)
            inverted.cp.niter, inverted.cp.seed = ROUNDS, seed
            inverted.cp.min_points_per_centroid = 1
        wanted = TRAINING_ROWS * lists
        some = np.arange(rows)
        if rows > wanted:
            some = np.sort(np.random.default_rng(seed).choice(rows, wanted, replace=False))
        try:
            self._index.train(self._placed(vectors[some]))
        except RuntimeError as error:
            raise UsageError(
                f"index {factory!r}: cannot be trained on {rows} rows; take fewer lists or "
                "shorter codes, such as --index Flat"
            ) from error

    def _check_width(self, queries: CentredVectors) -> None:
        if len(queries.shape) != 2 or queries.shape[1] != self._index.d:
            raise UsageError(
                f"queries of shape {queries.shape}: the index holds rows of {self._index.d} "
                "dimensions; give vectors of the same model"
            )

    def _distance(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        wide = values.astype(np.float64)
        if self.metric == "cosine":
            wide = np.where(np.isinf(wide), wide, np.clip(2.0 + 2.0 * wide, 0.0, 4.0))
            return np.asarray(np.sqrt(wide))
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


def exact_neighbours(
    vectors: CentredVectors, queries: NDArray[np.float32], k: int, threads: int | None = None
) -> Neighbours:
    """The k nearest rows of some queries by Euclidean distance, without an index.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions), HalfRows or StoredRows
        Not copied.
    queries : float32 array of shape (queries, dimensions)
    k : int
        At most the number of rows.
    threads : int, optional
    """
    found = Neighbours(np.full((len(queries), 0), -1), np.zeros((len(queries), 0)))
    with _faiss_threads(threads):
        for start in range(0, len(vectors), _BLOCK_ROWS * 16):
            part = vectors[start : start + _BLOCK_ROWS * 16]
            squares, places = faiss.knn(queries, part, min(k, len(part)))
            index = np.concatenate([found.index, places + start], axis=1)
            far = np.sqrt(np.maximum(squares, 0.0, dtype=np.float64))
            distance = np.concatenate([found.distance, far], axis=1)
            order = np.argsort(distance, axis=1, kind="stable")[:, :k]
            found = Neighbours(
                np.take_along_axis(index, order, axis=1),
                np.take_along_axis(distance, order, axis=1),
            )
    return found


def _empty_index(factory: str, dimensions: int, metric: Metric) -> faiss.Index:
    kind = faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2
    try:
        return faiss.index_factory(dimensions, factory, kind)
    except RuntimeError as error:
        raise UsageError(
            f"index {factory!r}: not an index that faiss can make of rows of {dimensions} "
            "dimensions; give auto, Flat, IVF4096,Flat, HNSW32 or another index_factory string"
        ) from error


def _set_effort(index: faiss.Index, choice: IndexChoice) -> str:
    """Set how hard an index searches; what was set, in words."""
    space, said = faiss.ParameterSpace(), ""
    asked = (("nprobe", choice.nprobe, NPROBE), ("efSearch", choice.ef_search, EF_SEARCH))
    for name, given, default in asked:
        try:
            space.set_index_parameter(index, name, given or default)
        except RuntimeError as error:
            if given is not None:
                raise UsageError(
                    f"{name} {given}: not a parameter of this index; leave it out, or take an "
                    "inverted file (nprobe) or a graph (ef-search)"
                ) from error
            continue
        said += f", {name} {given or default}"
    return said


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


def _middle(vectors: CentredVectors) -> tuple[NDArray[np.float64], float]:
    """A row amid the rows, and a power of two that no coordinate's distance from it exceeds."""
    # The median, since a mean follows one long row; of an odd number of rows, so that integers
    # stay integers.
    some = vectors[:: max(1, len(vectors) // _MEDIAN_ROWS)]
    centre = np.median(some[: len(some) - 1 + len(some) % 2], axis=0).astype(np.float64)
    largest = 0.0
    for start in range(0, len(vectors), _BLOCK_ROWS):
        largest = max(largest, float(np.abs(vectors[start : start + _BLOCK_ROWS] - centre).max()))
    return centre, float(2.0 ** np.ceil(np.log2(largest))) if largest > 0 else 1.0
