"""SortedRows: the rows of a set in class order, scaled to suit float32 products."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet, Metric
from opiscal.pairs.centred_vectors import (
    CentredVectors,
    HalfNorms,
    pairs_at_once,
    taken_norms,
    taken_rows,
    whole_matrix,
)
from opiscal.pairs.centring import (
    centre_of,
    largest_of,
    put_in_order,
    reach_of,
    scale_of,
    typical_rows,
)
from opiscal.pairs.kernel.keys import half_squared_pairs
from opiscal.pairs.threads import available_threads

_PAIRS_AT_ONCE = 2048


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
    vectors : float32 array of shape (rows, dimensions), HalfRows or StoredRows
        Less the row `centre`, and divided by `scale`. Slices and arrays of places give float32.
    half_norm : float32 array of shape (rows,), or StoredNorms
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
    half_norm: HalfNorms
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
        whole = whole_matrix(self.vectors)
        if whole is not None:
            return np.asarray(half_squared_pairs(whole, first, second))
        out, step = np.empty(first.size, np.float32), pairs_at_once(self.vectors, _PAIRS_AT_ONCE)
        for start in range(0, first.size, step):
            part = slice(start, start + step)
            places, at = np.unique(np.stack([first[part], second[part]]), return_inverse=True)
            here, there = at.reshape(2, -1)
            out[part] = half_squared_pairs(self.vectors[places], here, there)
        return out

    def subset(self, chosen: NDArray[np.bool_]) -> "SortedRows":
        """The rows at the chosen sorted places, in a class order of their own, not scaled anew."""
        kept = np.flatnonzero(chosen)
        classes = class_order(self.classes.class_id[kept])
        at = kept[classes.place]
        return replace(
            self,
            vectors=taken_rows(self.vectors, at),
            half_norm=taken_norms(self.half_norm, at),
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

    They are moved and scaled; see `opiscal.pairs.centring`. What is subtracted is the median of
    the `typical` rows, where these are named.

    With `in_place` the rows are moved within the matrix of the set, so that there is one matrix and
    not two: the set is used up, and its vectors are no longer those of its labels.
    """
    classes = classes or class_order(embeddings.class_of_row)
    given, metric = embeddings.vectors, embeddings.metric
    some = typical_rows(np.arange(len(given)) if typical is None else typical)
    centre = centre_of(given[some], metric)
    scale = scale_of(reach_of(given, centre), metric) if metric == "l2" else 1.0
    vectors, half_norm = put_in_order(
        given, classes.place, centre, scale, threads or available_threads(), in_place=in_place
    )
    return SortedRows(
        vectors,
        half_norm,
        scale,
        largest_of(float(half_norm.max()), metric),
        classes,
        read_order=classes.place,
        centre=centre,
        metric=metric,
    )
