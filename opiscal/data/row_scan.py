"""What is known of rows without their vectors: scanned part by part, collected in order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.collector import RowCollector
from opiscal.data.column_values import column_codes, list_lengths
from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, InputFile, Metric, RowPolicy
from opiscal.data.label_codes import CodedLabels, LabelTable
from opiscal.data.parquet import (
    announced_rows,
    batch_rows,
    damaged,
    files_of,
    open_parquet,
    read_footer,
    row_block,
)
from opiscal.data.parquet_schema import ChosenColumns, check_codes, choose_columns
from opiscal.data.row_block import BLOCK_ROWS, MeasuredBlock
from opiscal.data.row_fitness import NULL_EMBEDDING, measured_steps
from opiscal.data.row_groups import FileGroups, file_groups
from opiscal.data.row_reader import RowReader
from opiscal.data.row_store import RowPlaces
from opiscal.data.widths import Widths

PART_BYTES = 1 << 26
"""Compressed vectors of a part: a second of work or so."""


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


@dataclass(frozen=True, slots=True)
class ScannedRows:
    """The rows of a part. Small: it has no vectors, and may be sent about.

    Attributes
    ----------
    lengths : int32 array of shape (rows,)
        Elements of each vector; -1 where it is missing. Where they are not all of one width, which
        is refused when parts are collected, the scan has ended there and the rest is shorter.
    norms : float64 array of shape (rows,)
    fault : int8 array of shape (rows,)
        What is wrong with a vector; a place in `opiscal.data.row_fitness.FAULTS`.
    labels : CodedLabels
    groups, split, item : CodedLabels or None
    """

    lengths: NDArray[np.int32]
    norms: NDArray[np.float64]
    fault: NDArray[np.int8]
    labels: CodedLabels
    groups: CodedLabels | None
    split: CodedLabels | None
    item: CodedLabels | None

    def blocks(self) -> Iterator[MeasuredBlock]:
        """The rows as they are collected, some at a time."""
        width = max(0, int(self.lengths.max(initial=0)))
        for start in range(0, self.norms.size, BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            fault = self.fault[part]
            yield MeasuredBlock(
                norms=self.norms[part],
                fault=fault,
                width=width if (fault != NULL_EMBEDDING).any() else 0,
                labels=self.labels.part(part),
                groups=None if self.groups is None else self.groups.part(part),
            )


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


def scan_part(part: ScanPart) -> ScannedRows:
    """Read a part and measure its vectors, in bounded memory.

    Raises
    ------
    InputError
        Where the file cannot be read or decoded.
    """
    chosen, sides = part.chosen, part.sides
    found = _Found(part)
    names = [name for name in (*chosen.names(), sides.split, sides.item) if name is not None]
    with open_parquet(part.path) as parquet:
        size = batch_rows(parquet, chosen.embedding, None, part.row_groups)
        for batch in parquet.iter_batches(
            batch_size=size, row_groups=part.row_groups, columns=list(dict.fromkeys(names))
        ):
            lengths = list_lengths(batch.column(chosen.embedding))
            if not found.of_one_width(lengths):
                return found.result()
            block = row_block(batch, chosen, lengths)
            fault = np.where(block.present, 0, NULL_EMBEDDING).astype(np.int8)
            norms, positions = np.zeros(fault.size), np.flatnonzero(block.present)
            for step in measured_steps(block.vectors, part.metric):
                here = positions[step.part]
                norms[here], fault[here] = step.norms, step.fault
            found.norms.append(norms)
            found.fault.append(fault)
            found.add("labels", block.labels)
            if block.groups is not None:
                found.add("groups", block.groups)
            for kind, role, name in (("split", "split", sides.split), ("item", "id", sides.item)):
                if name is not None:
                    found.add(kind, column_codes(batch.column(name), role, name))
    rows = found.result()
    if rows.norms.size != part.rows:
        raise damaged(part.path, part.rows, rows.norms.size)
    return rows


class _Found:
    """What was found of a part so far."""

    def __init__(self, part: ScanPart) -> None:
        self.lengths: list[NDArray[np.int64]] = []
        self.norms: list[NDArray[np.float64]] = []
        self.fault: list[NDArray[np.int8]] = []
        wanted = {
            "labels": "labels",
            "groups": part.chosen.group and "groups",
            "split": part.sides.split and f"values of the split column {part.sides.split!r}",
            "item": part.sides.item and f"values of the id column {part.sides.item!r}",
        }
        self._tables = {kind: LabelTable(what) for kind, what in wanted.items() if what}
        self._codes: dict[str, list[NDArray[np.int64]]] = {kind: [] for kind in self._tables}
        self._width: int | None = None

    def of_one_width(self, lengths: NDArray[np.int64]) -> bool:
        """Take the lengths of more vectors; whether they are of the width of the first."""
        self.lengths.append(lengths)
        widths = lengths[lengths >= 0]
        if widths.size and self._width is None:
            self._width = int(widths[0])
        return bool((widths == self._width).all()) and self._width != 0

    def add(self, kind: str, coded: CodedLabels) -> None:
        """Take more labels."""
        self._codes[kind].append(self._tables[kind].add(coded))

    def result(self) -> ScannedRows:
        """All of it."""
        coded = {
            kind: CodedLabels(
                table.labels(), np.concatenate([np.empty(0, np.int64), *self._codes[kind]])
            )
            for kind, table in self._tables.items()
        }
        return ScannedRows(
            lengths=np.concatenate([np.empty(0, np.int64), *self.lengths]).astype(np.int32),
            norms=np.concatenate([np.empty(0), *self.norms]),
            fault=np.concatenate([np.empty(0, np.int8), *self.fault]),
            labels=coded["labels"],
            groups=coded.get("groups"),
            split=coded.get("split"),
            item=coded.get("item"),
        )


def collect_rows(
    plan: ScanPlan, scanned: Iterable[ScannedRows], hashes: Sequence[str]
) -> EmbeddingSet:
    """The set that `opiscal.data.parquet.read_embeddings` gives, without its vectors.

    But for one thing: memory never decides that a sample is taken.

    Parameters
    ----------
    plan : ScanPlan
    scanned : iterable of ScannedRows
        Of every part of the plan, in order.
    hashes : sequence of str
        Of every file; see `opiscal.data.files.sha256`.

    Raises
    ------
    InputError, UsageError
        As `read_embeddings`.
    """
    inputs = plan.inputs(hashes)
    grouped = plan.chosen.group is not None
    collector = RowCollector(plan.rows, plan.policy, grouped=grouped, store=RowPlaces())
    widths = Widths(inputs)
    for _, rows in zip(plan.parts, scanned, strict=True):
        widths.check(rows.lengths.astype(np.int64))
        for block in rows.blocks():
            collector.add_measured(block)
    return collector.finish(inputs)
