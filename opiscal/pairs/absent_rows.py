"""AbsentRows: a matrix whose rows are elsewhere, for whoever asks for its shape alone."""

from dataclasses import replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet, Metric
from opiscal.data.sides import Sides
from opiscal.pairs.jobs import Whole
from opiscal.pairs.sorted_rows import ClassOrder, SortedRows, class_order
from opiscal.pairs.two_sets import TwoSets, side_orders


class AbsentRows:
    """Stands in for vectors, or for their half squared lengths, where nobody reads them.

    Parameters
    ----------
    shape : tuple of int
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        """Keep the shape."""
        self.shape = shape

    def __len__(self) -> int:
        """Rows."""
        return self.shape[0]

    def taken(self, rows: NDArray[np.integer]) -> "AbsentRows":
        """Some of the rows, as absent as these."""
        return AbsentRows((rows.size, *self.shape[1:]))

    def __getitem__(self, key: slice | NDArray[Any]) -> "AbsentRows":
        """Some of the rows, as absent as these."""
        return self.taken(np.arange(len(self))[key])


def absent_rows(
    classes: ClassOrder, dimensions: int, metric: Metric, scale: float = 1.0
) -> SortedRows:
    """The order of some rows without the rows.

    Parameters
    ----------
    classes : ClassOrder
    dimensions : int
    metric : "cosine" or "l2"
    scale : float
    """
    rows = classes.place.size
    vectors: Any = AbsentRows((rows, dimensions))
    lengths: Any = AbsentRows((rows,))
    return SortedRows(
        vectors=vectors,
        half_norm=lengths,
        scale=scale,
        largest=0.0,
        classes=classes,
        read_order=classes.place,
        centre=np.zeros(dimensions, np.float32),
        metric=metric,
    )


def absent_set(embeddings: EmbeddingSet) -> SortedRows:
    """As `opiscal.pairs.sorted_rows.sort_rows`, of a set without its vectors."""
    order = class_order(embeddings.class_of_row)
    return absent_rows(order, embeddings.dimensions, embeddings.metric)


def absent_sides(embeddings: EmbeddingSet, sides: Sides) -> TwoSets:
    """As `opiscal.pairs.two_sets.sort_two_sets`, of a set without its vectors."""
    order = side_orders(embeddings, sides)
    both = replace(order.orders.queries, place=order.place)
    return order.parted(absent_rows(both, embeddings.dimensions, embeddings.metric))


@overload
def without_vectors(whole: SortedRows) -> SortedRows: ...


@overload
def without_vectors(whole: TwoSets) -> TwoSets: ...


@overload
def without_vectors(whole: Whole) -> Whole: ...


def without_vectors(whole: Whole) -> Whole:
    """The same order of rows without the rows, of which parts are taken at no cost."""
    if isinstance(whole, TwoSets):
        sides = without_vectors(whole.queries), without_vectors(whole.gallery)
        return TwoSets(*sides, whole.same_item)
    vectors: Any = AbsentRows(whole.vectors.shape)
    lengths: Any = AbsentRows((whole.rows,))
    return replace(whole, vectors=vectors, half_norm=lengths)
