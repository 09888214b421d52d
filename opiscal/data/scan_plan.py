"""ScanPlan: the parts of an input that are looked at one by one, anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opiscal.data.embedding_set import ColumnNames, InputFile, Metric, RowPolicy
from opiscal.data.parquet import announced_rows, files_of, read_footer
from opiscal.data.parquet_schema import ChosenColumns, check_codes, choose_columns
from opiscal.data.row_groups import FileGroups, file_groups
from opiscal.data.row_reader import RowReader

PART_BYTES = 1 << 25
"""Compressed vectors of a part: some tenths of a second of work."""


@dataclass(frozen=True, slots=True)
class SideColumns:
    """Columns that tell two sets apart; None where there is none.

    Attributes
    ----------
    split : str or None
        Says which rows are queries and which gallery rows.
    item : str or None
        Names of items.
    """

    split: str | None = None
    item: str | None = None


@dataclass(frozen=True, slots=True)
class ScanPart:
    """Some row groups of a file.

    Attributes
    ----------
    path : str
    row_groups : tuple of int
    rows : int
        Rows in these.
    bytes : int
        What their vectors take in the file, compressed.
    chosen : ChosenColumns
    sides : SideColumns
    metric : "cosine" or "l2"
    """

    path: str
    row_groups: tuple[int, ...]
    rows: int
    bytes: int
    chosen: ChosenColumns
    sides: SideColumns
    metric: Metric


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """All parts of an input.

    Attributes
    ----------
    files : tuple of FileGroups
        In the order of reading.
    own : int
        How many of them are no files of a gallery.
    parts : tuple of ScanPart
        In the order of reading.
    chosen : ChosenColumns
    sides : SideColumns
    policy : RowPolicy
    """

    files: tuple[FileGroups, ...]
    own: int
    parts: tuple[ScanPart, ...]
    chosen: ChosenColumns
    sides: SideColumns
    policy: RowPolicy

    @property
    def rows(self) -> int:
        """Rows of the input."""
        return sum(sum(file.rows) for file in self.files)

    def inputs(self, hashes: Sequence[str]) -> list[InputFile]:
        """The files, with the hash of each; see `opiscal.data.files.sha256`."""
        return [
            InputFile(file.path, sum(file.rows), digest)
            for file, digest in zip(self.files, hashes, strict=True)
        ]

    def reader(self, dimensions: int) -> RowReader:
        """What reads the vectors of rows that the scan found fit."""
        return RowReader(self.files, self.chosen.embedding, dimensions, self.policy)


def scan_parts(
    paths: Sequence[str],
    columns: ColumnNames,
    policy: RowPolicy,
    gallery: Sequence[str] = (),
    part_bytes: int = PART_BYTES,
) -> ScanPlan:
    """Plan the scan of an input from the footers of its files.

    Parameters
    ----------
    paths, columns, policy, gallery
        As `opiscal.data.parquet.read_embeddings`, and as `opiscal.data.side_files.read_sides` where
        there is a gallery or ``columns.split``.
    part_bytes : int
        About what the vectors of a part take in the file; a row group is the least.

    Returns
    -------
    ScanPlan

    Raises
    ------
    InputError
        As `read_embeddings`, over files and columns.
    """
    shards = [read_footer(path) for path in files_of(paths, gallery)]
    schemas = [shard.schema for shard in shards]
    two = bool(gallery) or columns.split is not None
    sides = SideColumns(columns.split, columns.id if two else None)
    if sides.split is not None:
        check_codes(schemas, sides.split, "split", "--split-column")
    announced_rows(shards)
    chosen = choose_columns(schemas, columns)
    if sides.item is not None:
        check_codes(schemas, sides.item, "id", "--id-column")
    files = tuple(file_groups(shard, chosen.embedding) for shard in shards)
    parts = [
        ScanPart(
            path=file.path,
            row_groups=tuple(groups),
            rows=sum(file.rows[group] for group in groups),
            bytes=sum(file.bytes[group] for group in groups),
            chosen=chosen,
            sides=sides,
            metric=policy.metric,
        )
        for file in files
        for groups in _even_parts(file, part_bytes)
    ]
    own = len(files_of(paths))
    return ScanPlan(files, own, tuple(parts), chosen, sides, policy)


def _even_parts(file: FileGroups, part_bytes: int) -> list[range]:
    """Cut the row groups of a file into parts of about as many bytes."""
    if not file.rows:
        return []
    total = sum(file.bytes)
    number = max(1, min(len(file.rows), round(total / part_bytes)))
    ends = np.cumsum(file.bytes) if total else np.arange(1, len(file.rows) + 1)
    cuts = np.searchsorted(ends, ends[-1:] * np.arange(number)[:, None] / number, "right").ravel()
    starts = np.unique(cuts).tolist()
    stops = [*starts[1:], len(file.rows)]
    return [range(start, stop) for start, stop in zip(starts, stops, strict=True) if start < stop]
