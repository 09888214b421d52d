"""AbsentRows: a matrix whose rows are elsewhere, for whoever asks for its shape alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Metric
from opiscal.pairs.sorted_rows import ClassOrder, SortedRows


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

    def __getitem__(self, key: slice | NDArray[Any]) -> "AbsentRows":
        """Some of the rows, as absent as these."""
        rows = len(range(*key.indices(len(self)))) if isinstance(key, slice) else len(key)
        return AbsentRows((rows, *self.shape[1:]))


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
