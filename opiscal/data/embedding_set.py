"""EmbeddingSet: rows and labels, tidied once, in the order in which they were read."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Metric = Literal["cosine", "l2"]
NullLabel = Literal["drop", "distractor"]
Singletons = Literal["keep", "drop"]
Label = str | int


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """Which columns of the input hold what.

    Attributes
    ----------
    embedding : str or None
        None means the column ``embedding``, else the only list-of-float column.
    label : str
    id : str or None
        Names of rows; None where there are none.
    group : str or None
        None where rows have no groups.
    """

    embedding: str | None = None
    label: str = "label"
    id: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class RowPolicy:
    """Which rows are used, and as what."""

    metric: Metric = "cosine"
    null_label: NullLabel = "drop"
    singletons: Singletons = "keep"
    distractor_labels: tuple[str, ...] = ()
    strict: bool = False


@dataclass(frozen=True, slots=True)
class DroppedRows:
    """How many rows were left out, each row under the first reason that holds."""

    null_label: int = 0
    null_embedding: int = 0
    non_finite: int = 0
    zero_norm: int = 0
    singleton: int = 0

    @property
    def total(self) -> int:
        """All rows left out."""
        return (
            self.null_label
            + self.null_embedding
            + self.non_finite
            + self.zero_norm
            + self.singleton
        )


@dataclass(frozen=True, slots=True)
class ClassSizes:
    """Rows a class, over all classes."""

    min: int
    median: float
    max: int


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file that was read."""

    path: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class EmbeddingSet:
    """Embeddings and labels, ready for counting pairs.

    Attributes
    ----------
    vectors : float32 array of shape (rows, dimensions), C-contiguous, finite
        Unit length under ``cosine``; as given under ``l2``. In the order of reading.
    labels : tuple of str or int, length classes
        The distinct labels, sorted; integers by value, strings by code point.
    class_of_row : int32 array of shape (rows,)
        Index into `labels`; -1 for a distractor.
    groups : tuple of str or int, or None
        The distinct groups, sorted; None where no group column was named.
    group_of_row : int32 array of shape (rows,), or None
        Index into `groups`; -1 where the group is missing.
    row_number : int64 array of shape (rows,)
        Position of the row in the input, from 0, counted over all files.
    norms : float64 array of shape (rows,)
        Euclidean length of the row as it was given, before any scaling.
    metric : "cosine" or "l2"
    rows_read : int
        Rows in the input, those left out included.
    dropped : DroppedRows
    inputs : tuple of InputFile
        Empty for arrays handed over in memory.
    """

    vectors: NDArray[np.float32]
    labels: tuple[Label, ...]
    class_of_row: NDArray[np.int32]
    row_number: NDArray[np.int64]
    norms: NDArray[np.float64]
    metric: Metric
    rows_read: int
    dropped: DroppedRows
    groups: tuple[Label, ...] | None = None
    group_of_row: NDArray[np.int32] | None = None
    inputs: tuple[InputFile, ...] = field(default=())

    @property
    def rows(self) -> int:
        """Rows used, distractors included."""
        return int(self.class_of_row.shape[0])

    @property
    def dimensions(self) -> int:
        """Width of a row."""
        return int(self.vectors.shape[1])

    @property
    def distractors(self) -> int:
        """Rows that are negatives for every class and belong to none."""
        return int(np.count_nonzero(self.class_of_row < 0))

    def without_vectors(self) -> "EmbeddingSet":
        """The same set with an empty matrix, for when its rows lie elsewhere."""
        return replace(self, vectors=np.empty((0, self.dimensions), self.vectors.dtype))

    def class_sizes(self) -> NDArray[np.int64]:
        """Rows of each class, in the order of `labels`."""
        used = self.class_of_row[self.class_of_row >= 0]
        return np.bincount(used, minlength=len(self.labels)).astype(np.int64)
