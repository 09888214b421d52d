"""Small tables as CSV files, for spreadsheets and other tools."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from opiscal.data.table import Column


def write_csv(columns: Mapping[str, Column], file: Path) -> None:
    """Write columns to a CSV file as UTF-8, with a line of names; None is an empty field.

    Parameters
    ----------
    columns : mapping of name to values
        In this order, all of one length.
    file : Path
        Replaced where it exists.

    Raises
    ------
    OSError
        Where the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_csv({"label": ["a, b", None], "rows": np.array([3, 2])}, Path(folder, "t.csv"))
    ...     print(Path(folder, "t.csv").read_text().strip())
    label,rows
    "a, b",3
    ,2
    """
    lists = [c.tolist() if isinstance(c, np.ndarray) else list(c) for c in columns.values()]
    # Bytes of a name that are no text, which UTF-8 does not have, become escapes.
    with open(file, "w", encoding="utf-8", errors="backslashreplace", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*lists, strict=True))
