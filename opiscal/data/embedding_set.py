"""EmbeddingSet: rows and labels, tidied once, in the order in which they were read."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from opiscal.data.half_matrix import HalfMatrix, Vectors

Metric = Literal["cosine", "l2"]
NullLabel = Literal["drop", "distractor"]
Singletons = Literal["keep", "drop"]
Precision = Literal["float32", "float16"]
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
    split : str or None
        Says which rows are queries and which gallery rows; None for one set, or where the gallery
        has files of its own.
    """

    embedding: str | None = None
    label: str = "label"
    id: str | None = None
    group: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class RowPolicy:
    """Which rows are used, and as what.

    With `half` they are held as float16. `sample_rows` is how many rows are used at most, chosen by
    `seed`; None: as many as half of the memory holds.
    """

    metric: Metric = "cosine"
    null_label: NullLabel = "drop"
    singletons: Singletons = "keep"
    distractor_labels: tuple[str, ...] = ()
    strict: bool = False
    half: bool = False
    sample_rows: int | None = None
    seed: int = 0


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
class RowSample:
    """That only a sample of the rows is used: whole classes, by a hash of their labels.

    Attributes
    ----------
    rows : int
        How many rows it may have; it has nearly as many.
    share : float, in (0, 1)
        The chance of a class, and of a distractor row, to be in it.
    classes_read : int
        Classes of the input.
    rows_left_out : int
        Rows that are fit for use and not in it.
    automatic : bool
        Whether the memory of the machine decided, and not the caller.
    """

    rows: int
    share: float
    classes_read: int
    rows_left_out: int
    automatic: bool


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
    vectors : float32 array of shape (rows, dimensions), C-contiguous, finite; or HalfMatrix
        Unit length under ``cosine``; as given under ``l2``. In the order of reading. A HalfMatrix
        holds them rounded to float16; slices and arrays of places give float32 of either.
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
    sample : RowSample or None
        None where all rows that are fit are used.
    """

    vectors: Vectors
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
    sample: RowSample | None = None

    @property
    def rows(self) -> int:
        """Rows used, distractors included."""
        return int(self.class_of_row.shape[0])

    @property
    def dimensions(self) -> int:
        """Width of a row."""
        return int(self.vectors.shape[1])

    @property
    def precision(self) -> Precision:
        """What an element is held as."""
        return "float16" if isinstance(self.vectors, HalfMatrix) else "float32"

    @property
    def distractors(self) -> int:
        """Rows that are negatives for every class and belong to none."""
        return int(np.count_nonzero(self.class_of_row < 0))

    def without_vectors(self) -> "EmbeddingSet":
        """The same set with an empty matrix, for when its rows lie elsewhere."""
        return replace(self, vectors=np.empty((0, self.dimensions), np.float32))

    def class_sizes(self) -> NDArray[np.int64]:
        """Rows of each class, in the order of `labels`."""
        used = self.class_of_row[self.class_of_row >= 0]
        return np.bincount(used, minlength=len(self.labels)).astype(np.int64)
