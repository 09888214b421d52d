"""Names of rows, read for those rows alone that are to be shown."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from opiscal.data.embedding_set import InputFile, Label
from opiscal.data.files import open_file
from opiscal.errors import InputError

_BATCH_ROWS = 1 << 16


def read_row_ids(
    inputs: Sequence[InputFile], column: str, numbers: Iterable[int]
) -> dict[int, Label | None]:
    """Read the names of some rows.

    Parameters
    ----------
    inputs : sequence of InputFile
        The files in the order of reading.
    column : str
        Strings and integers are taken as they are, any other value as text.
    numbers : iterable of int
        Positions of rows in the input, from 0, counted over all files.

    Returns
    -------
    dict
        The name of each row, None where it is missing.

    Raises
    ------
    InputError
        Where a file cannot be read again, or has lost rows since it was read.
    """
    wanted = np.unique(np.fromiter(numbers, np.int64))
    names: dict[int, Label | None] = {}
    first = 0
    for file in inputs:
        inside = wanted[(wanted >= first) & (wanted < first + file.rows)]
        if inside.size:
            names |= _names_in(file, column, inside, first)
        first += file.rows
    kinds = {type(name) for name in names.values() if name is not None}
    if len(kinds) > 1:
        # Files may disagree; a table of them cannot.
        names = {row: None if name is None else str(name) for row, name in names.items()}
    return names


def _names_in(
    file: InputFile, column: str, wanted: np.ndarray, start: int
) -> dict[int, Label | None]:
    names: dict[int, Label | None] = {}
    try:
        with open_file(file.path) as source:
            for batch in pq.ParquetFile(source).iter_batches(_BATCH_ROWS, columns=[column]):
                stop = start + batch.num_rows
                here = wanted[(wanted >= start) & (wanted < stop)]
                values = batch.column(0).take(pa.array(here - start)).to_pylist()
                names |= dict(zip(here.tolist(), map(_name, values), strict=True))
                start = stop
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:160]
        raise InputError(
            f"the column {column!r} of {file.path!r} cannot be read ({reason}); name another with "
            "--id-column"
        ) from error
    if len(names) < wanted.size:
        raise InputError(
            f"{file.path!r} has changed while it was read: it has lost rows; run it again"
        )
    return names


def _name(value: Any) -> Label | None:
    if value is None or type(value) in (str, int):
        return value  # type: ignore[no-any-return]
    return " ".join(str(value).split())
