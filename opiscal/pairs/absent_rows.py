"""AbsentRows: a matrix whose rows are elsewhere, for whoever asks for its shape alone."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet, Metric
from opiscal.data.sides import Sides
from opiscal.pairs.sorted_rows import ClassOrder, SortedRows
from opiscal.pairs.two_sets import TwoSets, class_orders


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


def absent_sides(embeddings: EmbeddingSet, sides: Sides) -> TwoSets:
    """The order of both sides of a set without their rows."""
    at = np.flatnonzero(~sides.is_gallery), np.flatnonzero(sides.is_gallery)
    orders = class_orders(
        embeddings.class_of_row[at[0]], embeddings.class_of_row[at[1]], sides.same_item()
    )
    queries, gallery = (
        replace(
            absent_rows(order, embeddings.dimensions, embeddings.metric),
            read_order=here[order.place],
        )
        for order, here in zip((orders.queries, orders.gallery), at, strict=True)
    )
    return TwoSets(queries, gallery, orders.same_item)
