"""The row groups of Parquet files: where rows lie, and what it takes to read them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.parquet import Shard, damaged


@dataclass(frozen=True, slots=True)
class FileGroups:
    """The row groups of one file.

    Attributes
    ----------
    path : str
    rows : tuple of int
        Rows of each row group.
    bytes : tuple of int
        What its vectors take in the file, compressed.
    """

    path: str
    rows: tuple[int, ...]
    bytes: tuple[int, ...]

    @property
    def bounds(self) -> NDArray[np.int64]:
        """Row of the file at which each row group begins, and the number of rows."""
        return np.concatenate([[0], np.cumsum(np.array(self.rows, np.int64))]).astype(np.int64)


def file_groups(shard: Shard, embedding: str) -> FileGroups:
    """The row groups of a file, from its footer.

    Raises
    ------
    InputError
        Where they have not as many rows as the file announces.
    """
    metadata = shard.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    rows = tuple(int(group.num_rows) for group in groups)
    if sum(rows) != shard.rows or min(rows, default=0) < 0:
        raise damaged(shard.path, shard.rows, sum(rows))
    paths = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    leaves = [
        number
        for number, path in enumerate(paths)
        if path == embedding or path.startswith(f"{embedding}.")
    ]
    sizes = [
        sum(int(group.column(leaf).total_compressed_size) for leaf in leaves) for group in groups
    ]
    return FileGroups(shard.path, rows, tuple(sizes))


def bytes_to_read(files: Sequence[FileGroups], numbers: NDArray[np.int64]) -> int:
    """Compressed bytes of the vectors in the row groups that have any of some rows.

    Parameters
    ----------
    files : sequence of FileGroups
    numbers : int64 array
        Positions of rows in the input, counted over all files, in any order.

    Examples
    --------
    >>> files = [FileGroups("a", (4, 4), (100, 200)), FileGroups("b", (2,), (50,))]
    >>> bytes_to_read(files, np.array([9, 5, 6])), bytes_to_read(files, np.array([], np.int64))
    (250, 0)
    """
    ends = np.cumsum([rows for file in files for rows in file.rows])
    sizes = np.array([size for file in files for size in file.bytes], np.int64)
    # Of groups that end together all but the first have no rows.
    return int(sizes[np.unique(np.searchsorted(ends, numbers, side="right"))].sum())
