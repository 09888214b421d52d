"""Labels as small integers: one number for each distinct label, -1 for a missing one."""

import math
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label
from opiscal.errors import InputError

_ALLOWED = "labels and groups are strings or integers"
_MISSING = -1


@dataclass(frozen=True, slots=True)
class CodedLabels:
    """Labels of some rows, each distinct one written once.

    Attributes
    ----------
    values : tuple of str or int
        May hold labels that no row has.
    codes : int64 array of shape (rows,)
        Index into `values`; -1 where the label is missing.
    """

    values: tuple[Label, ...]
    codes: NDArray[np.int64]

    def part(self, rows: slice) -> "CodedLabels":
        """The labels of some of the rows."""
        return CodedLabels(self.values, self.codes[rows])

    def by_appearance(self) -> "CodedLabels":
        """The same labels, those that occur, coded in the order in which rows have them first.

        Examples
        --------
        >>> CodedLabels(("a", "b", "c"), np.array([2, -1, 0, 2])).by_appearance()
        CodedLabels(values=('c', 'a'), codes=array([ 0, -1,  1,  0]))
        """
        used, first = np.unique(self.codes, return_index=True)
        first = first[used >= 0]
        used = used[used >= 0][np.argsort(first)]
        new_code = np.full(len(self.values) + 1, _MISSING, dtype=np.int64)
        new_code[used] = np.arange(used.size)
        return CodedLabels(tuple(self.values[code] for code in used.tolist()), new_code[self.codes])


class LabelTable:
    """The distinct labels met so far, in the order in which they were met.

    Parameters
    ----------
    what : str
        The name of the labels in error messages, in the plural.
    """

    def __init__(self, what: str) -> None:
        """Begin with no label."""
        self._what = what
        self._code_of: dict[Label, int] = {}

    def add(self, coded: CodedLabels) -> NDArray[np.int64]:
        """Return the codes of the rows in this table, which learns the labels it did not know.

        Raises
        ------
        InputError
            Where some labels are strings and some integers.
        """
        new_code = np.full(len(coded.values) + 1, _MISSING, dtype=np.int64)
        # A dictionary column may list labels that no row has: they are not classes.
        used = np.bincount(coded.codes + 1, minlength=len(coded.values) + 1)[1:]
        for code in np.flatnonzero(used).tolist():
            new_code[code] = self._code(coded.values[code])
        return new_code[coded.codes]

    def _code(self, label: Label) -> int:
        known = self._code_of.get(label)
        if known is not None:
            return known
        first = next(iter(self._code_of), label)
        if isinstance(first, str) != isinstance(label, str):
            raise InputError(
                f"the {self._what} mix strings and integers ({first!r} and {label!r}); "
                "give all of them as strings, or all as integers"
            )
        self._code_of[label] = len(self._code_of)
        return len(self._code_of) - 1

    def labels(self) -> tuple[Label, ...]:
        """Return the labels in the order of their codes."""
        return tuple(self._code_of)

    def since(self, code: int) -> tuple[Label, ...]:
        """Return the labels from a code on, in the order of their codes."""
        return tuple(islice(reversed(self._code_of), len(self._code_of) - code))[::-1]

    def sort(self, codes: NDArray[np.int64]) -> CodedLabels:
        """Return the labels that occur in `codes`, sorted, with codes to match.

        Integers by value, strings by code point.
        """
        labels = self.labels()
        used = np.flatnonzero(np.bincount(codes + 1, minlength=len(labels) + 1)[1:]).tolist()
        ordered: list[int] = sorted(used, key=lambda code: labels[code])
        rank = np.full(len(labels) + 1, _MISSING, dtype=np.int64)
        rank[ordered] = np.arange(len(ordered))
        return CodedLabels(tuple(labels[code] for code in ordered), rank[codes])


def code_labels(labels: Any, what: str) -> CodedLabels:
    """Turn a sequence of labels into codes.

    Parameters
    ----------
    labels : array-like of shape (rows,)
        Strings or integers. None, NaN and the missing values of pandas are missing; whole
        numbers held as floats, as pandas does beside missing values, are integers.
    what : str
        The name of these labels in error messages, in the plural.

    Returns
    -------
    CodedLabels

    Raises
    ------
    InputError
        Where the labels are not one-dimensional, or one is neither a string nor an integer.

    Examples
    --------
    >>> code_labels(["cat", None, "cat", ""], "labels")
    CodedLabels(values=('cat', ''), codes=array([ 0, -1,  0,  1]))
    """
    array = _one_dimensional(labels, what)
    if array.dtype.kind == "O":
        return _code_objects(array.tolist(), what)
    if array.dtype.kind in "iuU":
        values, codes = np.unique(array, return_inverse=True)
        return CodedLabels(tuple(values.tolist()), codes.astype(np.int64))
    if array.dtype.kind == "f":
        values, codes = np.unique(array, return_inverse=True)
        return coded_floats(values.tolist(), codes.astype(np.int64), what)
    raise InputError(
        f"the {what} have the type {array.dtype}; {_ALLOWED}: convert them, "
        "for example with astype(str)"
    )


def coded_floats(values: Sequence[float], codes: NDArray[np.int64], what: str) -> CodedLabels:
    """Return codes for whole numbers held as floats; NaN is missing.

    Raises
    ------
    InputError
        Where a value is not a whole number.
    """
    known: list[Label] = []
    new_code = np.full(len(values) + 1, _MISSING, dtype=np.int64)
    for code, value in enumerate(values):
        if not math.isnan(value):
            new_code[code] = len(known)
            known.append(_whole(value, what))
    return CodedLabels(tuple(known), new_code[codes])


def _whole(value: float, what: str) -> int:
    if not value.is_integer():
        raise InputError(
            f"the {what} hold the number {value!r}; {_ALLOWED}: "
            "name another column, or convert the values to strings"
        )
    return int(value)


def _one_dimensional(labels: Any, what: str) -> NDArray[Any]:
    if isinstance(labels, (str, bytes)):
        raise InputError(f"the {what} are one {type(labels).__name__}; give one label a row")
    if isinstance(labels, np.ma.MaskedArray):
        missing = np.ma.getmaskarray(labels)
        labels = labels.data.astype(object)
        labels[missing] = None
    if hasattr(labels, "__array__"):
        array = np.asarray(labels)
    else:
        # np.asarray would turn ["a", nan] and ["a", 1] into strings.
        items = list(labels)
        array = np.empty(len(items), dtype=object)
        for position, item in enumerate(items):
            array[position] = item
    # Strings of variable width know missing values of their own.
    if array.dtype.kind == "T":
        array = array.astype(object)
    if array.ndim != 1:
        raise InputError(
            f"the {what} have the shape {array.shape}; they are one-dimensional, one a row"
        )
    return array


def _code_objects(items: Iterable[Any], what: str) -> CodedLabels:
    code_of: dict[Label, int] = {}
    codes: list[int] = []
    for position, item in enumerate(items):
        # The common case first; a subclass such as np.str_ goes the long way.
        label = item if type(item) is str else _label_of(item, position, what)
        codes.append(_MISSING if label is None else code_of.setdefault(label, len(code_of)))
    return CodedLabels(tuple(code_of), np.array(codes, dtype=np.int64))


def _label_of(item: Any, position: int, what: str) -> Label | None:
    # The missing values of pandas are told by name: comparing them raises, importing it is heavy.
    if item is None or type(item).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(item, str):
        return str(item)
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return int(item)
    if isinstance(item, (float, np.floating)):
        return None if math.isnan(item) else _whole(float(item), what)
    # An array as a label would print over several lines.
    shown = " ".join(reprlib.repr(item).split())
    raise InputError(
        f"the {what} hold {shown} at row {position}, of type {type(item).__name__}; {_ALLOWED}: "
        "convert them to strings"
    )
