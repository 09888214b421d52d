"""Small tables as Parquet files, such as ``classes.parquet``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from opiscal.errors import InputError, UsageError

Column = Sequence[Any] | NDArray[Any]


def write_table(columns: Mapping[str, Column], file: Path) -> None:
    """Write columns to a Parquet file; equal columns give equal bytes.

    Parameters
    ----------
    columns : mapping of name to values
        In this order, all of one length: strings, integers, floats or booleans; None is null.
    file : Path
        Replaced where it exists.

    Raises
    ------
    UsageError
        Where lengths differ, or the values of a column are of several types.
    OSError
        Where the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table({"label": ["a", ""], "rows": np.array([3, 2])}, Path(folder, "t.parquet"))
    ...     read_table(Path(folder, "t.parquet"))
    {'label': ['a', ''], 'rows': [3, 2]}
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise UsageError(f"columns of different lengths {lengths}; give all the same length")
    arrays = {name: _array(name, values) for name, values in columns.items()}
    # No statistics: nobody searches these, and they would repeat the longest labels.
    with open(file, "wb") as sink:
        pq.write_table(pa.table(arrays), sink, compression="zstd", write_statistics=False)


def read_table(file: Path) -> dict[str, list[Any]]:
    """Read a table: its columns by name, in order; null is None.

    Raises
    ------
    InputError
        Where the file cannot be opened or decoded.
    """
    try:
        with open(file, "rb") as source:
            table = pq.read_table(source)
            return {name: table.column(name).to_pylist() for name in table.column_names}
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:160]
        raise InputError(
            f"table {str(file)!r} cannot be read ({reason}); it must be a Parquet file that "
            "'opiscal evaluate' wrote: make the run again"
        ) from error


def _array(name: str, values: Column) -> pa.Array:
    plain = values.tolist() if isinstance(values, np.ndarray) and values.dtype == object else values
    try:
        return pa.array(plain)
    except (pa.ArrowException, TypeError, OverflowError, UnicodeEncodeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UsageError(
            f"column {name!r} does not fit a table ({reason}); give values of one type: strings, "
            "integers, floats or booleans"
        ) from error
