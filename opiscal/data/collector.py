"""RowCollector: blocks of raw rows go in, one EmbeddingSet comes out."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import (
    DroppedRows,
    EmbeddingSet,
    InputFile,
    RowPolicy,
    RowSample,
)
from opiscal.data.label_codes import CodedLabels, LabelTable
from opiscal.data.row_block import BLOCK_ROWS, MeasuredBlock, RowBlock
from opiscal.data.row_fitness import (
    FAULTS,
    NON_FINITE,
    NOT_SAMPLED,
    NULL_EMBEDDING,
    NULL_LABEL,
    ZERO_NORM,
    measured_steps,
)
from opiscal.data.row_sample import ClassSampler, check_sample
from opiscal.data.row_store import RowPlaces
from opiscal.errors import InputError, UsageError


@dataclass(frozen=True, slots=True)
class _Judged:
    """Rows whose labels were looked at; `reason` is settled when their vectors are."""

    labels: NDArray[np.int64]
    numbers: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    outside: NDArray[np.bool_]
    reason: NDArray[np.int8]

    def settle(self, here: NDArray[np.int64] | slice, fault: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Take what is wrong with the vectors of some rows; which of them are kept."""
        reason = np.where(self.reason[here] == 0, fault, self.reason[here])
        reason[self.outside[here] & (reason == 0)] = NOT_SAMPLED
        self.reason[here] = reason
        return np.asarray(reason == 0)


class RowCollector:
    """Scales, filters and stores rows block by block.

    The matrix is allocated once, for all rows announced or for a sample of them, and rows left out
    never enter it, so that the peak of memory is the matrix and one block. Or there is none, and
    rows come measured.

    Parameters
    ----------
    rows : int
        Rows to come; there must not be more.
    policy : RowPolicy
    grouped : bool
        Whether every block carries groups.
    store : RowPlaces
        A RowStore where vectors are to be held, and rows come by `add`; else by `add_measured`.
    """

    def __init__(self, rows: int, policy: RowPolicy, *, grouped: bool, store: RowPlaces) -> None:
        """Begin with no row."""
        self._policy = policy
        self._announced = rows
        self._store = store
        # Decided on with the first vector, which tells the width.
        self._sampler: ClassSampler | None = None
        self._read = 0
        self._labels = LabelTable("labels")
        self._groups = LabelTable("groups") if grouped else None
        self._counts = np.zeros(len(FAULTS), dtype=np.int64)
        self._first_dropped: tuple[int, str] | None = None

    def add(self, block: RowBlock) -> None:
        """Take the rows of one block that are fit for use, and count the others.

        Raises
        ------
        InputError
            Where labels or groups mix strings and integers.
        """
        positions = np.flatnonzero(block.present)
        fault = np.where(block.present, 0, NULL_EMBEDDING).astype(np.int8)
        width = block.vectors.shape[1] if positions.size else 0
        judged = self._judge(block.labels, fault, width)
        norms = np.empty(fault.size, np.float64)
        for step in measured_steps(block.vectors, self._policy.metric):
            here = positions[step.part]
            norms[here] = step.norms
            self._store.append(step, judged.settle(here, step.fault))
        self._note(judged, norms, block.groups)

    def add_measured(self, block: MeasuredBlock) -> None:
        """Take rows whose vectors lie elsewhere; errors as `add`."""
        judged = self._judge(block.labels, block.fault, block.width)
        kept = judged.settle(slice(None), block.fault)
        self._store.append_places(int(np.count_nonzero(kept)))
        self._note(judged, block.norms, block.groups)

    def _judge(self, coded: CodedLabels, fault: NDArray[np.int8], width: int) -> _Judged:
        """Look at labels, and at which rows the sample has."""
        labels = self._labels.add(coded)
        rows, reason = labels.size, fault.copy()
        if self._policy.null_label == "drop":
            reason[labels < 0] = NULL_LABEL
        numbers = np.arange(self._read, self._read + rows)
        if width and self._store.dimensions == 0:
            self._make_room(width)
        outside, hashes = np.zeros(rows, dtype=np.bool_), np.empty(0, np.uint64)
        if self._sampler is not None:
            if self._store.rows + rows > self._store.room:
                self._thin(self._sampler)
            self._sampler.learn(self._labels.since(self._sampler.known))
            hashes = self._sampler.hashes(labels, numbers)
            outside = ~self._sampler.holds(hashes)
        return _Judged(labels, numbers, hashes, outside, reason)

    def _note(
        self, judged: _Judged, norms: NDArray[np.float64], groups: CodedLabels | None
    ) -> None:
        """Keep what stands beside the rows that are kept."""
        reason = judged.reason
        keep = reason == 0
        self._store.note("label", judged.labels[keep])
        self._store.note("row_number", judged.numbers[keep])
        self._store.note("norm", norms[keep])
        if self._sampler is not None:
            self._store.note("hash", judged.hashes[keep])
        if self._groups is not None and groups is not None:
            self._store.note("group", self._groups.add(groups)[keep])
        self._counts += np.bincount(reason, minlength=len(FAULTS))
        unfit = ~keep & (reason != NOT_SAMPLED)
        if self._first_dropped is None and unfit.any():
            first = int(np.argmax(unfit))
            self._first_dropped = (self._read + first, FAULTS[reason[first]])
        self._read += reason.size

    def _make_room(self, dimensions: int) -> None:
        rows = self._announced
        plan = self._store.plan(self._policy, rows, dimensions)
        if plan is not None:
            policy = self._policy
            self._sampler = ClassSampler(plan, policy.seed, policy.distractor_labels)
            # Room for more than the sample, since each thinning moves all rows.
            rows = min(rows, plan.rows + max(plan.rows // 8, BLOCK_ROWS))
        self._store.allocate(rows, dimensions, self._policy)

    def _thin(self, sampler: ClassSampler) -> None:
        """Take the rows out that the sample cannot have."""
        hashes = self._store.column("hash")
        sampler.lower(hashes)
        self._store.keep(np.flatnonzero(sampler.holds(hashes)))

    def finish(self, inputs: Sequence[InputFile] = ()) -> EmbeddingSet:
        """Return the rows collected.

        Raises
        ------
        UsageError
            Where a distractor label is the label of no row.
        InputError
            Where a row was left out and the policy is strict, or what remains has no row, one
            class, or no class of two rows.
        """
        if self._read == 0:
            raise InputError("the input holds no rows; give one with vectors and labels")
        distractors = self._distractor_codes()
        if self._policy.strict and self._first_dropped is not None:
            number, why = self._first_dropped
            raise InputError(
                f"{_counted(self._dropped(0))} of {self._read:,} rows cannot be used, first "
                f"{row_name(number, inputs)} ({why}); mend the input, or do without strict"
            )
        sample = self._sampled()
        labels = self._store.column("label")
        labels[np.isin(labels, distractors)] = -1
        singletons = 0
        if self._policy.singletons == "drop":
            sizes = np.bincount(labels + 1, minlength=1)
            sizes[0] = 0
            keep = np.flatnonzero(sizes[labels + 1] != 1)
            singletons = len(labels) - len(keep)
            self._store.keep(keep)
        classes = self._labels.sort(self._store.column("label"))
        dropped = self._dropped(singletons)
        if sample is not None:
            check_sample(sample, len(classes.values))
        self._check(classes, dropped)
        groups = None
        if self._groups is not None:
            groups = self._groups.sort(self._store.column("group"))
        return EmbeddingSet(
            vectors=self._store.vectors,
            labels=classes.values,
            class_of_row=classes.codes.astype(np.int32),
            row_number=self._store.column("row_number"),
            norms=self._store.column("norm"),
            metric=self._policy.metric,
            rows_read=self._read,
            dropped=dropped,
            groups=None if groups is None else groups.values,
            group_of_row=None if groups is None else groups.codes.astype(np.int32),
            inputs=tuple(inputs),
            sample=sample,
        )

    def _sampled(self) -> RowSample | None:
        """Finish the sample, where there is one."""
        if self._sampler is None:
            return None
        self._thin(self._sampler)
        unfit = int(self._counts[NULL_LABEL:NOT_SAMPLED].sum())
        return self._sampler.result(self._read - self._store.rows - unfit)

    def _distractor_codes(self) -> list[int]:
        by_name = {str(label): code for code, label in enumerate(self._labels.labels())}
        for name in self._policy.distractor_labels:
            if name not in by_name:
                # Comparing names is slow; the first ones do for a hint.
                close = get_close_matches(name, islice(by_name, 20_000), n=3, cutoff=0.5)
                hint = ", ".join(map(repr, close)) or "none"
                raise UsageError(
                    f"the distractor label {name!r} is the label of no row; close to it: {hint}; "
                    "name a label of the input"
                )
        return [by_name[name] for name in self._policy.distractor_labels]

    def _dropped(self, singletons: int) -> DroppedRows:
        counts = self._counts.tolist()
        return DroppedRows(
            null_label=counts[NULL_LABEL],
            null_embedding=counts[NULL_EMBEDDING],
            non_finite=counts[NON_FINITE],
            zero_norm=counts[ZERO_NORM],
            singleton=singletons,
        )

    def _check(self, classes: CodedLabels, dropped: DroppedRows) -> None:
        rows = len(classes.codes)
        if rows == 0:
            raise InputError(
                f"none of the {self._read:,} rows can be used ({_counted(dropped)}); "
                "mend the input, or name other columns"
            )
        if len(classes.values) == 0:
            raise InputError(
                f"all {rows:,} rows used are distractors; OPIS compares classes and needs at "
                "least two: check --distractor-label and the label column"
            )
        if len(classes.values) == 1:
            raise InputError(
                f"one class ({classes.values[0]!r}) in {rows:,} rows; OPIS compares classes and "
                "needs at least two: check the label column"
            )
        if np.bincount(classes.codes[classes.codes >= 0]).max() < 2:
            raise InputError(
                f"none of the {len(classes.values):,} classes has two rows; a positive pair needs "
                "two: check that the label column holds classes and not the names of rows"
            )


def row_name(number: int, inputs: Sequence[InputFile]) -> str:
    """Return ``row 7``, with the file it is from and its place there where there are files."""
    if len(inputs) == 1:
        return f"row {number} of {inputs[0].path!r}"
    first = 0
    for file in inputs:
        if number < first + file.rows:
            return f"row {number} (row {number - first} of {file.path!r})"
        first += file.rows
    return f"row {number}"


def _counted(dropped: DroppedRows) -> str:
    counts = {
        "null label": dropped.null_label,
        "null embedding": dropped.null_embedding,
        "NaN or infinite": dropped.non_finite,
        "zero length": dropped.zero_norm,
        "only one of its class": dropped.singleton,
    }
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
