"""Values of a column of a record batch: vectors as elements, labels as codes."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opiscal.data.label_codes import CodedLabels, coded_floats
from opiscal.data.parquet_schema import is_list


def list_lengths(column: pa.Array) -> NDArray[np.int64]:
    """Return the number of elements of each vector, -1 where there is none."""
    vectors = _stored(column)
    if not is_list(vectors.type):
        # A column without a type: it holds nothing but nulls.
        return np.full(len(vectors), -1, dtype=np.int64)
    lengths = pc.list_value_length(vectors).cast(pa.int64()).fill_null(-1)
    return np.asarray(lengths.to_numpy())


def list_elements(column: pa.Array) -> NDArray[Any]:
    """Return the elements of all vectors, one after the other; NaN for a missing element."""
    vectors = _stored(column)
    if not is_list(vectors.type):
        return np.empty(0, dtype=np.float32)
    # Unlike `values`, `flatten` knows of slices and of missing rows that hide elements.
    return np.asarray(_stored(vectors.flatten()).to_numpy(zero_copy_only=False))


def column_codes(column: pa.Array, role: str, name: str) -> CodedLabels:
    """Return the codes of strings or integers; `role` and `name` are for messages."""
    array = _stored(column)
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    indices = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy()
    used, inverse = np.unique(indices, return_inverse=True)
    dictionary = encoded.dictionary
    if np.count_nonzero(used >= 0) < len(dictionary):
        # It may be far larger than the batch. Only then: views of strings cannot be taken from.
        dictionary = dictionary.take(pa.array(used[used >= 0]))
    values = [None] * int(np.count_nonzero(used < 0)) + dictionary.to_pylist()
    missing = np.array([value is None for value in values], dtype=np.bool_)
    codes = np.where(missing, -1, np.cumsum(~missing) - 1)[inverse]
    known = [value for value, gone in zip(values, missing.tolist(), strict=True) if not gone]
    if known and isinstance(known[0], float):
        return coded_floats(known, codes, f"values of the {role} column {name!r}")
    return CodedLabels(tuple(known), codes)


def _stored(array: pa.Array) -> pa.Array:
    """Return what an extension array is stored as, else the array itself."""
    while isinstance(array, pa.ExtensionArray):
        array = array.storage
    return array
