"""What is known of rows without their vectors: scanned part by part, collected in order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.collector import RowCollector
from opiscal.data.column_values import column_codes, list_lengths
from opiscal.data.embedding_set import EmbeddingSet
from opiscal.data.label_codes import CodedLabels, LabelTable
from opiscal.data.parquet import (
    batch_rows,
    damaged,
    open_parquet,
    row_block,
)
from opiscal.data.row_block import BLOCK_ROWS, MeasuredBlock
from opiscal.data.row_fitness import NULL_EMBEDDING, measured_steps
from opiscal.data.row_store import RowPlaces
from opiscal.data.scan_plan import ScanPart, ScanPlan
from opiscal.data.widths import Widths


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
