"""SortedRows: the rows of a set in class order, scaled to suit float32 products."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet, Metric
from opiscal.data.half_matrix import HalfMatrix
from opiscal.pairs.half_rows import CentredVectors, HalfRows
from opiscal.pairs.kernel.keys import centre_rows, half_squared_pairs
from opiscal.pairs.kernel.permute import permute_rows
from opiscal.pairs.threads import available_threads

_COPY_ROWS, _PART_ROWS = 256, 2048
_MEDIAN_ROWS = 301
_LARGEST_OF_UNIT_ROWS = 2.0


@dataclass(frozen=True, slots=True)
class ClassOrder:
    """An order of rows: classes of two rows or more, then singletons, then distractors.

    With rows in this order the positives of row ``i`` that come after it are the columns up to
    ``stop[i]``, and every column from there on is a negative.

    Attributes
    ----------
    place : int64 array of shape (rows,)
        For every sorted place the row that stands there.
    start, stop : int64 arrays of shape (rows,)
        By sorted place, the stretch of rows of the same class. For a distractor both are 0.
    class_id : int64 array of shape (rows,)
        By sorted place, the class as it was named; -1 for a distractor.
    scored : int64 array of shape (scored classes,)
        The classes of two rows or more, as they were named, in order.
    class_rows : int64 array of shape (scored classes,)
        Their sizes.
    labelled : int
        Rows that belong to a class, singletons included.
    """

    place: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    class_id: NDArray[np.int64]
    scored: NDArray[np.int64]
    class_rows: NDArray[np.int64]
    labelled: int

    @property
    def ends(self) -> NDArray[np.int64]:
        """Sorted places at which a class ends, ascending; each distractor is a class of its own."""
        own = np.arange(self.labelled + 1, self.place.size + 1)
        return np.concatenate([np.unique(self.stop[: self.labelled]), own])

    @property
    def scored_rows(self) -> int:
        """Rows of scored classes; they come first."""
        return int(self.class_rows.sum())

    @property
    def class_of_scored(self) -> NDArray[np.int64]:
        """Which scored class each of these rows is of, by sorted place; shape (scored_rows,)."""
        return np.repeat(np.arange(self.class_rows.size), self.class_rows)


def class_order(class_of_row: NDArray[np.integer]) -> ClassOrder:
    """Order rows by class, -1 for distractors; within a class rows keep their order."""
    ids = class_of_row.astype(np.int64)
    sizes = np.bincount(ids[ids >= 0])
    kind = np.full(ids.size, 2)
    kind[ids >= 0] = np.where(sizes[ids[ids >= 0]] >= 2, 0, 1)
    place = np.lexsort((ids, kind)).astype(np.int64)
    class_id = ids[place]
    labelled = int(np.count_nonzero(ids >= 0))

    begins = np.flatnonzero(np.diff(class_id[:labelled], prepend=-1))
    lengths = np.diff(np.append(begins, labelled))
    start = np.zeros(ids.size, np.int64)
    stop = np.zeros(ids.size, np.int64)
    start[:labelled] = np.repeat(begins, lengths)
    stop[:labelled] = np.repeat(begins + lengths, lengths)
    is_scored = lengths >= 2
    return ClassOrder(
        place=place,
        start=start,
        stop=stop,
        class_id=class_id,
        scored=class_id[begins[is_scored]],
        class_rows=lengths[is_scored].astype(np.int64),
        labelled=labelled,
    )


@dataclass(frozen=True, slots=True)
class SortedRows:
    """Rows in class order.

    Attributes
    ----------
    vectors : float32 array of shape (rows, dimensions), or HalfRows
        Less the row `centre`, and divided by `scale`. Slices and arrays of places give float32.
    half_norm : float32 array of shape (rows,)
        Half the squared length of each row.
    scale : float
        A power of two: a distance of the set is `scale` times a distance of `vectors`.
    largest : float
        No half squared distance is above this.
    classes : ClassOrder
    read_order : int64 array of shape (rows,)
        Rank of each row in the order of reading, by which ties of neighbours are settled.
    centre : float array of shape (dimensions,)
    metric : "cosine" or "l2"
    """

    vectors: CentredVectors
    half_norm: NDArray[np.float32]
    scale: float
    largest: float
    classes: ClassOrder
    read_order: NDArray[np.int64]
    centre: NDArray[np.floating]
    metric: Metric

    @property
    def rows(self) -> int:
        """All rows, distractors included."""
        return int(self.vectors.shape[0])

    @property
    def pairs(self) -> int:
        """All pairs that are counted; distractors make none among themselves."""
        labelled, distractors = self.classes.labelled, self.rows - self.classes.labelled
        return labelled * (labelled - 1) // 2 + labelled * distractors

    def half_squared(
        self, first: NDArray[np.integer], second: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """Half squared distances of pairs of rows, by their sorted places; shape (pairs,)."""
        if not isinstance(self.vectors, HalfRows):
            return np.asarray(half_squared_pairs(self.vectors, first, second))
        out = np.empty(first.size, np.float32)
        for start in range(0, first.size, _PART_ROWS):
            part = slice(start, start + _PART_ROWS)
            both = self.vectors[np.concatenate([first[part], second[part]])]
            here, there = np.split(np.arange(len(both)), 2)
            out[part] = half_squared_pairs(both, here, there)
        return out

    def subset(self, chosen: NDArray[np.bool_]) -> "SortedRows":
        """The rows at the chosen sorted places, in a class order of their own, not scaled anew."""
        kept = np.flatnonzero(chosen)
        classes = class_order(self.classes.class_id[kept])
        at = kept[classes.place]
        return replace(
            self,
            vectors=self.vectors.taken(at)
            if isinstance(self.vectors, HalfRows)
            else self.vectors[at],
            half_norm=self.half_norm[at],
            classes=classes,
            read_order=self.read_order[at],
        )


def sort_rows(
    embeddings: EmbeddingSet,
    threads: int | None = None,
    *,
    in_place: bool = False,
    classes: ClassOrder | None = None,
    typical: NDArray[np.int64] | None = None,
) -> SortedRows:
    """Put the rows of a set into class order, or into another one that is given.

    The coordinate-wise median of some rows is subtracted, which changes no distance and spares
    float32 the rounding of a part that all rows share; under ``l2`` all is divided by a power of
    two, so that no square overflows. Both are exact for small integers and powers of two. The
    median is that of the `typical` rows, where these are named.

    With `in_place` the rows are moved within the matrix of the set, so that there is one matrix and
    not two: the set is used up, and its vectors are no longer those of its labels.
    """
    classes = classes or class_order(embeddings.class_of_row)
    given = embeddings.vectors
    # An odd number of rows: the median is then a value of the data, and integers stay integers.
    if typical is None:
        some = given[:: max(1, len(given) // _MEDIAN_ROWS)]
    else:
        some = given[typical[:: max(1, len(typical) // _MEDIAN_ROWS)]]
    columns = np.ascontiguousarray(some[: len(some) - 1 + len(some) % 2].T)
    centre = np.median(columns, axis=1)
    scale = 1.0
    if embeddings.metric == "l2":
        centre = centre.astype(np.float64)
        reach = max(
            float(np.abs(given[start : start + _COPY_ROWS] - centre).max())
            for start in range(0, len(given), _COPY_ROWS)
        )
        scale = float(2.0 ** np.ceil(np.log2(reach))) if reach > 0 else 1.0
    workers, order = threads or available_threads(), classes.place
    vectors: CentredVectors
    if isinstance(given, HalfMatrix):
        vectors, half_norm = _placed_half(given, order, centre, 1.0 / scale, workers, in_place)
    else:
        vectors, half_norm = _placed(given, order, centre, 1.0 / scale, workers, in_place)
    # |x - y|^2 / 2 is at most (|x| + |y|)^2 / 2, which is at most 4 max h.
    unit = embeddings.metric == "cosine"
    largest = _LARGEST_OF_UNIT_ROWS if unit else 4.0 * float(half_norm.max())
    return SortedRows(
        vectors,
        half_norm,
        scale,
        largest,
        classes,
        read_order=classes.place,
        centre=centre,
        metric=embeddings.metric,
    )


def _placed(
    given: NDArray[np.float32],
    place: NDArray[np.int64],
    centre: NDArray[np.floating],
    factor: float,
    threads: int,
    in_place: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows at their places, centred and scaled, and half the squared length of each."""
    vectors, half_norm = given, np.empty(len(given), np.float32)
    if in_place:
        permute_rows(given, place)
        place = np.arange(len(given))
    else:
        vectors = np.empty_like(given)
    _each_part(
        len(given),
        threads,
        lambda p: centre_rows(given, place[p], centre, factor, vectors[p], half_norm[p]),
    )
    return vectors, half_norm


def _placed_half(
    given: HalfMatrix,
    place: NDArray[np.int64],
    centre: NDArray[np.floating],
    factor: float,
    threads: int,
    in_place: bool,
) -> tuple[HalfRows, NDArray[np.float32]]:
    """The same of rows held as float16, which stay as they are until they are read."""
    half_norm = np.empty(len(given), np.float32)
    if in_place:
        for array in given.arrays():
            permute_rows(array.view(np.uint16), place)
    else:
        given = given.taken(place)
    vectors = HalfRows(given, centre, factor)

    def measure(part: slice) -> None:
        half_norm[part] = vectors.measured(part)[1]

    _each_part(len(given), threads, measure)
    return vectors, half_norm


def _each_part(rows: int, threads: int, work: Callable[[slice], None]) -> None:
    parts = [slice(start, start + _PART_ROWS) for start in range(0, rows, _PART_ROWS)]
    with ThreadPoolExecutor(threads) as pool:
        # The list takes the results, and with them what was raised.
        list(pool.map(work, parts))
