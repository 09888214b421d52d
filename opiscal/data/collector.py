"""RowCollector: blocks of raw rows go in, one EmbeddingSet comes out."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any

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
from opiscal.data.row_sample import ClassSampler, check_sample, plan_sample
from opiscal.data.row_store import RowStore
from opiscal.data.unit_length import measure_rows
from opiscal.errors import InputError, UsageError

# Why a row is left out, in the order in which the reasons are tried.
_REASONS = ("", "null label", "null embedding", "NaN or infinite element", "zero length", "")
_NULL_LABEL, _NULL_EMBEDDING, _NON_FINITE, _ZERO_NORM, _NOT_SAMPLED = 1, 2, 3, 4, 5
# Doubles of one step of work: they and their copies stay in the cache of a core.
_STEP_VALUES = 1 << 16
BLOCK_ROWS = 1 << 14
"""A block has no more rows, so that beside a sample there is always room for it."""


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Some rows of the input, as they were found.

    Attributes
    ----------
    vectors : array of numbers of shape (rows with an embedding, dimensions)
        A missing element is NaN. Of the same width in every block that holds a vector.
    present : bool array of shape (rows,)
        False where the embedding is missing.
    labels : CodedLabels of length rows
    groups : CodedLabels of length rows, or None
    """

    vectors: NDArray[Any]
    present: NDArray[np.bool_]
    labels: CodedLabels
    groups: CodedLabels | None = None


class RowCollector:
    """Scales, filters and stores rows block by block.

    The matrix is allocated once, for all rows announced or for a sample of them, and rows left out
    never enter it, so that the peak of memory is the matrix and one block.

    Parameters
    ----------
    rows : int
        Rows to come; `add` must not be given more.
    policy : RowPolicy
    grouped : bool
        Whether every block carries groups.
    """

    def __init__(self, rows: int, policy: RowPolicy, *, grouped: bool) -> None:
        """Begin with no row."""
        self._policy = policy
        self._announced = rows
        self._store = RowStore()
        # Decided on with the first vector, which tells the width.
        self._sampler: ClassSampler | None = None
        self._read = 0
        self._labels = LabelTable("labels")
        self._groups = LabelTable("groups") if grouped else None
        self._counts = np.zeros(len(_REASONS), dtype=np.int64)
        self._first_dropped: tuple[int, str] | None = None

    def add(self, block: RowBlock) -> None:
        """Take the rows of one block that are fit for use, and count the others.

        Raises
        ------
        InputError
            Where labels or groups mix strings and integers.
        """
        rows = block.present.shape[0]
        labels = self._labels.add(block.labels)
        reason = np.zeros(rows, dtype=np.int8)
        reason[~block.present] = _NULL_EMBEDDING
        if self._policy.null_label == "drop":
            reason[labels < 0] = _NULL_LABEL
        norms = np.empty(rows, dtype=np.float64)

        numbers = np.arange(self._read, self._read + rows)
        positions = np.flatnonzero(block.present)
        if len(positions) and self._store.dimensions == 0:
            self._make_room(block.vectors.shape[1])
        outside, hashes = np.zeros(rows, dtype=np.bool_), np.empty(0, np.uint64)
        if self._sampler is not None:
            if self._store.rows + rows > self._store.room:
                self._thin(self._sampler)
            self._sampler.learn(self._labels.since(self._sampler.known))
            hashes = self._sampler.hashes(labels, numbers)
            outside = ~self._sampler.holds(hashes)
        step = max(1, _STEP_VALUES // max(1, self._store.dimensions))
        for start in range(0, len(positions), step):
            here = positions[start : start + step]
            self._take(block.vectors[start : start + step], here, outside[here], reason, norms)

        keep = reason == 0
        self._store.note("label", labels[keep])
        self._store.note("row_number", numbers[keep])
        self._store.note("norm", norms[keep])
        if self._sampler is not None:
            self._store.note("hash", hashes[keep])
        if self._groups is not None and block.groups is not None:
            self._store.note("group", self._groups.add(block.groups)[keep])
        self._counts += np.bincount(reason, minlength=len(_REASONS))
        unfit = ~keep & (reason != _NOT_SAMPLED)
        if self._first_dropped is None and unfit.any():
            first = int(np.argmax(unfit))
            self._first_dropped = (self._read + first, _REASONS[reason[first]])
        self._read += rows

    def _make_room(self, dimensions: int) -> None:
        rows = self._announced
        plan = plan_sample(self._policy, rows, dimensions)
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

    def _take(
        self,
        vectors: NDArray[Any],
        here: NDArray[np.int64],
        outside: NDArray[np.bool_],
        reason: NDArray[np.int8],
        norms: NDArray[np.float64],
    ) -> None:
        """Scale the rows at positions `here` of a block, and append those without a reason."""
        # A damaged file may hold signalling NaNs, whose conversion would warn.
        with np.errstate(invalid="ignore", over="ignore"):
            measured = measure_rows(vectors.astype(np.float64))
        norms[here] = measured.norms
        unfit = np.where(np.isnan(measured.norms), _NON_FINITE, 0).astype(np.int8)
        if self._policy.metric == "cosine":
            unfit[measured.norms == 0] = _ZERO_NORM
        else:
            with np.errstate(invalid="ignore", over="ignore"):
                # From the vectors as given: those of `measured` may carry a power of two.
                single = vectors.astype(np.float32)
            # Only a row as long as the largest float32 can have turned infinite.
            for row in np.flatnonzero(measured.norms >= np.finfo(np.float32).max):
                if np.isinf(single[row]).any():
                    unfit[row] = _NON_FINITE
        reason[here] = np.where(reason[here] == 0, unfit, reason[here])
        reason[here[outside & (reason[here] == 0)]] = _NOT_SAMPLED
        keep = reason[here] == 0
        if self._policy.metric == "cosine":
            self._store.append_unit(measured, keep)
        else:
            self._store.append(single if keep.all() else single[keep])

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
        unfit = int(self._counts[_NULL_LABEL:_NOT_SAMPLED].sum())
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
            null_label=counts[_NULL_LABEL],
            null_embedding=counts[_NULL_EMBEDDING],
            non_finite=counts[_NON_FINITE],
            zero_norm=counts[_ZERO_NORM],
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
