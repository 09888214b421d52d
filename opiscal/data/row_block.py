"""Blocks of rows as they come in: with their vectors, or measured elsewhere."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.label_codes import CodedLabels

BLOCK_ROWS = 1 << 14
"""A block has no more rows, so that beside a sample there is always room for it."""


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Some rows of the input, as they were found.

    Attributes
    ----------
    vectors : array of numbers of shape (rows with an embedding, dimensions)
        A missing element is NaN. Of the same width in every block that holds a vector.
    present : bool array of shape (rows,)
        False where the embedding is missing.
    labels : CodedLabels of length rows
    groups : CodedLabels of length rows, or None
    """

    vectors: NDArray[Any]
    present: NDArray[np.bool_]
    labels: CodedLabels
    groups: CodedLabels | None = None


@dataclass(frozen=True, slots=True)
class MeasuredBlock:
    """Some rows of the input, measured already, whose vectors lie elsewhere.

    Attributes
    ----------
    norms : float64 array of shape (rows,)
        Of no meaning where the embedding is missing.
    fault : int8 array of shape (rows,)
        What is wrong with the embedding, as a place in `opiscal.data.row_fitness.FAULTS`.
    width : int
        Dimensions; 0 where no row has an embedding.
    labels : CodedLabels of length rows
    groups : CodedLabels of length rows, or None
    """

    norms: NDArray[np.float64]
    fault: NDArray[np.int8]
    width: int
    labels: CodedLabels
    groups: CodedLabels | None = None
