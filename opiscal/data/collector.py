"""RowCollector: blocks of raw rows go in, one EmbeddingSet comes out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import DroppedRows, EmbeddingSet, InputFile, RowPolicy
from opiscal.data.label_codes import CodedLabels, LabelTable
from opiscal.data.unit_length import measure_rows
from opiscal.errors import InputError, UsageError

# Why a row is left out, in the order in which the reasons are tried.
_REASONS = ("", "null label", "null embedding", "NaN or infinite element", "zero length")
_NULL_LABEL, _NULL_EMBEDDING, _NON_FINITE, _ZERO_NORM = 1, 2, 3, 4
# Doubles of one step of work: they and their copies stay in the cache of a core.
_STEP_VALUES = 1 << 16


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


@dataclass(slots=True)
class _Columns:
    """What is kept beside the vectors, a piece for each block."""

    labels: list[NDArray[np.int64]] = field(default_factory=list)
    groups: list[NDArray[np.int64]] = field(default_factory=list)
    row_number: list[NDArray[np.int64]] = field(default_factory=list)
    norms: list[NDArray[np.float64]] = field(default_factory=list)


class RowCollector:
    """Scales, filters and stores rows block by block.

    The float32 matrix is allocated once, for all rows announced, and rows left out never enter
    it, so that the peak of memory is the matrix and one block. What the matrix does not use is
    never touched, and costs address space alone.

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
        # Takes its width from the first block that holds a vector.
        self._matrix = np.empty((0, 0), dtype=np.float32)
        self._read = 0
        self._kept = 0
        self._columns = _Columns()
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

        positions = np.flatnonzero(block.present)
        if len(positions) and self._matrix.shape[1] == 0:
            self._matrix = _allocate(self._announced, block.vectors.shape[1])
        step = max(1, _STEP_VALUES // max(1, self._matrix.shape[1]))
        for start in range(0, len(positions), step):
            here = positions[start : start + step]
            self._store(block.vectors[start : start + step], here, reason, norms)

        keep = reason == 0
        self._columns.labels.append(labels[keep])
        self._columns.row_number.append(np.flatnonzero(keep) + self._read)
        self._columns.norms.append(norms[keep])
        if self._groups is not None and block.groups is not None:
            self._columns.groups.append(self._groups.add(block.groups)[keep])
        self._counts += np.bincount(reason, minlength=len(_REASONS))
        if self._first_dropped is None and not keep.all():
            first = int(np.argmin(keep))
            self._first_dropped = (self._read + first, _REASONS[reason[first]])
        self._read += rows

    def _store(
        self,
        vectors: NDArray[Any],
        here: NDArray[np.int64],
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
        keep = reason[here] == 0
        end = self._kept + int(np.count_nonzero(keep))
        if self._policy.metric == "cosine":
            measured.write_unit(keep, self._matrix[self._kept : end])
        else:
            self._matrix[self._kept : end] = single if keep.all() else single[keep]
        self._kept = end

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
        labels = np.concatenate(self._columns.labels)
        labels[np.isin(labels, distractors)] = -1
        keep = np.arange(self._kept)
        if self._policy.singletons == "drop":
            sizes = np.bincount(labels + 1, minlength=1)
            sizes[0] = 0
            keep = np.flatnonzero(sizes[labels + 1] != 1)
            _compact(self._matrix, keep)
        classes = self._labels.sort(labels[keep])
        dropped = self._dropped(self._kept - len(keep))
        self._check(classes, dropped)
        groups = None
        if self._groups is not None:
            groups = self._groups.sort(np.concatenate(self._columns.groups)[keep])
        return EmbeddingSet(
            vectors=self._matrix[: len(keep)],
            labels=classes.values,
            class_of_row=classes.codes.astype(np.int32),
            row_number=np.concatenate(self._columns.row_number)[keep],
            norms=np.concatenate(self._columns.norms)[keep],
            metric=self._policy.metric,
            rows_read=self._read,
            dropped=dropped,
            groups=None if groups is None else groups.values,
            group_of_row=None if groups is None else groups.codes.astype(np.int32),
            inputs=tuple(inputs),
        )

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


def _allocate(rows: int, dimensions: int) -> NDArray[np.float32]:
    try:
        return np.empty((rows, dimensions), dtype=np.float32)
    except MemoryError as error:
        raise InputError(
            f"{rows:,} rows of {dimensions:,} dimensions need "
            f"{rows * dimensions * 4 / 1e9:,.1f} GB, which this machine does not give; "
            "use fewer rows, or a machine with more memory"
        ) from error


def _compact(matrix: NDArray[np.float32], keep: NDArray[np.int64]) -> None:
    """Move the rows `keep`, which ascend, to the top, in place.

    A row never moves down, so no row is overwritten before it is read.
    """
    step = max(1, _STEP_VALUES // max(1, matrix.shape[1]))
    for start in range(0, len(keep), step):
        rows = keep[start : start + step]
        matrix[start : start + len(rows)] = matrix[rows]
