"""Arrays in memory as an EmbeddingSet."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.collector import RowCollector
from opiscal.data.embedding_set import EmbeddingSet, InputFile, RowPolicy
from opiscal.data.label_codes import CodedLabels, code_labels
from opiscal.data.row_block import BLOCK_ROWS, RowBlock
from opiscal.data.row_store import RowStore
from opiscal.errors import InputError

_DEFAULT_POLICY = RowPolicy()


def from_arrays(
    vectors: Any,
    labels: Any,
    groups: Any = None,
    *,
    policy: RowPolicy = _DEFAULT_POLICY,
    inputs: Sequence[InputFile] = (),
) -> EmbeddingSet:
    """Tidy vectors and labels held in memory.

    Parameters
    ----------
    vectors : array-like of shape (rows, dimensions)
        float16, float32, float64 or integers, never modified. A one-dimensional sequence of
        vectors of one width does too; None in it is a missing embedding.
    labels : array-like of shape (rows,)
        Strings or integers; None and NaN are missing. The empty string is a label.
    groups : array-like of shape (rows,), optional
        Strings or integers; None and NaN are missing.
    policy : RowPolicy, optional
        Which rows are used. Under ``cosine`` each row ``v`` becomes ``v / |v|``, computed in
        double precision for any length that a double can hold and rounded to float32 once;
        under ``l2`` it is rounded to float32 as given. Then ``half`` rounds to float16. A sample
        of rows is of whole classes; see `opiscal.data.row_sample`.
    inputs : sequence of InputFile, optional
        Where the arrays are from, for the record.

    Returns
    -------
    EmbeddingSet
        In the order given, without the rows that have a missing label, a missing vector, a NaN
        or an infinity (under ``l2`` also a value beyond float32), or under ``cosine`` zero
        length: each is counted once, under the first of these reasons.

    Raises
    ------
    InputError
        Where shapes or types do not fit; where nothing is left, or one class, or no class of
        two rows; where ``policy.strict`` is set and a row would be left out.
    UsageError
        Where a distractor label is the label of no row.

    Examples
    --------
    >>> import numpy as np
    >>> rows = from_arrays(np.array([[3, 4], [0, 2], [0, 0], [6, 8]]), ["a", "b", "b", "a"])
    >>> rows.vectors
    array([[0.6, 0.8],
           [0. , 1. ],
           [0.6, 0.8]], dtype=float32)
    >>> rows.labels, rows.class_of_row, rows.dropped.zero_norm
    (('a', 'b'), array([0, 1, 0], dtype=int32), 1)
    """
    matrix = _as_matrix(vectors)
    rows = matrix.shape[0]
    coded = _column(labels, "labels", rows)
    coded_groups = None if groups is None else _column(groups, "groups", rows)
    dimensions = matrix.shape[1] if matrix.ndim == 2 else _width(matrix)
    if rows and dimensions == 0:
        what = "no dimensions" if matrix.ndim == 2 else "nothing but missing vectors"
        raise InputError(
            f"the vectors, of shape {matrix.shape}, have {what}; give an array of shape "
            "(rows, dimensions)"
        )
    collector = RowCollector(rows, policy, grouped=coded_groups is not None, store=RowStore())
    for block in _blocks(matrix, coded, coded_groups):
        collector.add(block)
    return collector.finish(inputs)


def _blocks(
    matrix: NDArray[Any], labels: CodedLabels, groups: CodedLabels | None
) -> Iterator[RowBlock]:
    for start in range(0, matrix.shape[0], BLOCK_ROWS):
        here = slice(start, start + BLOCK_ROWS)
        vectors = matrix[here]
        present = np.ones(vectors.shape[0], dtype=np.bool_)
        if matrix.ndim == 1:
            present = np.array([row is not None for row in vectors], dtype=np.bool_)
            vectors = _stacked(vectors[present])
        yield RowBlock(
            vectors=vectors,
            present=present,
            labels=labels.part(here),
            groups=None if groups is None else groups.part(here),
        )


def _column(labels: Any, what: str, rows: int) -> CodedLabels:
    coded = code_labels(labels, what)
    if len(coded.codes) != rows:
        raise InputError(
            f"{rows:,} vectors and {len(coded.codes):,} {what}; give one for each vector"
        )
    return coded


def _as_matrix(vectors: Any) -> NDArray[Any]:
    """Return numbers of shape (rows, dimensions), or objects of shape (rows,), one a vector."""
    if isinstance(vectors, np.ma.MaskedArray):
        vectors = np.where(np.ma.getmaskarray(vectors), np.nan, vectors.data)
    try:
        matrix = np.asarray(vectors)
    except ValueError:
        # Rows of different widths, or None among them.
        matrix = np.empty(len(vectors), dtype=object)
        for number, row in enumerate(vectors):
            matrix[number] = row
    except (TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"the vectors cannot be read as an array ({reason}); give a NumPy array of shape "
            "(rows, dimensions)"
        ) from error
    if matrix.ndim == 2:
        if matrix.dtype.kind == "O":
            matrix = _floats(matrix)
        _check_type(matrix.dtype)
        return matrix
    if matrix.ndim == 1 and (matrix.dtype.kind == "O" or len(matrix) == 0):
        return matrix
    raise InputError(
        f"the vectors have the shape {matrix.shape}; give an array of shape (rows, dimensions)"
    )


def _floats(matrix: NDArray[Any]) -> NDArray[np.float64]:
    try:
        # None becomes NaN.
        return matrix.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            "the vectors hold values that are not numbers; give float16, float32 or float64"
        ) from error


def _width(vectors: NDArray[Any]) -> int:
    """Return the one width of vectors held as objects; 0 where there is none."""
    first: tuple[int, int] | None = None
    for number, row in enumerate(vectors):
        if row is None:
            continue
        shape = np.shape(row)
        if len(shape) != 1:
            raise InputError(
                f"row {number} of the vectors is no vector but has the shape {shape}; "
                "give one list of numbers a row"
            )
        first = first or (number, shape[0])
        if shape[0] != first[1]:
            raise InputError(
                f"row {number} has {shape[0]} dimensions and row {first[0]} has {first[1]}; "
                "all vectors are of one width"
            )
        if shape[0] == 0:
            raise InputError(f"row {number} is an empty vector; give at least one dimension")
    return first[1] if first else 0


def _stacked(vectors: NDArray[Any]) -> NDArray[Any]:
    if len(vectors) == 0:
        return np.empty((0, 0))
    matrix = np.stack([np.asarray(row) for row in vectors])
    if matrix.dtype.kind == "O":
        matrix = _floats(matrix)
    _check_type(matrix.dtype)
    return matrix


def _check_type(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "fiu":
        raise InputError(
            f"the vectors have the type {dtype}; give float16, float32, float64 or integers"
        )
