"""Pieces: what a task has counted, cut out of the arrays of a tally, to be added up anywhere."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAREST = np.dtype([("best", np.float64), ("order", np.int64)])
"""Of a row the half squared distance of its nearest positive, and when that one was read."""

Arrays = Mapping[str, NDArray[Any]]
"""The arrays of a tally by name. Of those that are not added up the name says what is done."""

# Names end with what they are of: one tally has two sides.
_NEAREST, _SMALLEST = "nearest", "smallest"


@dataclass(frozen=True, slots=True)
class Piece:
    """A box of an array.

    Attributes
    ----------
    name : str
        Of the array. The last part, after a dot, says how two pieces become one: ``nearest`` takes
        the nearer of two positives, or the one that was read earlier, ``smallest`` the smaller
        number; all others add.
    start : tuple of int
        Where the box begins, by axis.
    values : array
        What was counted in it.
    """

    name: str
    start: tuple[int, ...]
    values: NDArray[Any]

    def __sizeof__(self) -> int:
        """With the array: a scheduler weighs what it sends by this."""
        return object.__sizeof__(self) + self.values.nbytes

    @property
    def key(self) -> tuple[Any, ...]:
        """The same for pieces of the same box."""
        return self.name, self.start, self.values.shape

    @property
    def is_of_rows(self) -> bool:
        """Whether its first axis is that of single rows; else it is of classes, or of all."""
        last = self.name.rpartition(".")[2]
        return last.startswith("row_") or last in ("rank", _NEAREST, _SMALLEST)

    @property
    def side(self) -> int:
        """Of pieces of rows the side: 1 for those of a gallery."""
        return 1 if self.name.startswith("gallery.") else 0

    @property
    def box(self) -> tuple[slice, ...]:
        """The box as an index."""
        return tuple(
            slice(begin, begin + size)
            for begin, size in zip(self.start, self.values.shape, strict=True)
        )

    def cut(self, bounds: Sequence[slice]) -> "Piece | None":
        """What of it lies within some bounds, one for each of the first axes; None if nothing."""
        start, inner = list(self.start), [slice(None)] * self.values.ndim
        for axis, bound in enumerate(bounds):
            begin = max(self.start[axis], bound.start)
            end = min(self.start[axis] + self.values.shape[axis], bound.stop)
            if end <= begin:
                return None
            start[axis] = begin
            inner[axis] = slice(begin - self.start[axis], end - self.start[axis])
        return Piece(self.name, tuple(start), self.values[tuple(inner)])


def cut_out(arrays: Arrays, name: str, *bounds: slice) -> Piece:
    """A box of one of some arrays, which it shares; axes beyond the bounds are whole.

    Examples
    --------
    >>> cut_out({"rows": np.arange(12).reshape(4, 3)}, "rows", slice(1, 3)).values.tolist()
    [[3, 4, 5], [6, 7, 8]]
    """
    array = arrays[name]
    starts = tuple(bound.start for bound in bounds) + (0,) * (array.ndim - len(bounds))
    return Piece(name, starts, array[tuple(bounds)])


def whole_pieces(arrays: Arrays) -> list[Piece]:
    """Arrays of a tally as pieces, which share them; those of no elements are none.

    Examples
    --------
    >>> [piece.start for piece in whole_pieces({"rows": np.ones((2, 3)), "none": np.ones(0)})]
    [(0, 0)]
    """
    return [Piece(name, (0,) * array.ndim, array) for name, array in arrays.items() if array.size]


def add_pieces(pieces: Iterable[Piece], arrays: Arrays) -> None:
    """Add pieces to the arrays of a tally, whichever task they are of, in any order."""
    for piece in pieces:
        _combine(piece.name, arrays[piece.name][piece.box], piece.values)


def sum_pieces(parts: Iterable[Iterable[Piece]]) -> list[Piece]:
    """The pieces of some tasks, those of the same box made one; integers as narrow as they fit.

    Examples
    --------
    >>> one, two = Piece("pool", (0,), np.array([1, 2])), Piece("pool", (0,), np.array([3, 4]))
    >>> [piece.values.tolist() for piece in sum_pieces([[one], [two]])]
    [[4, 6]]
    """
    sums: dict[tuple[Any, ...], Piece] = {}
    for part in parts:
        for piece in part:
            known = sums.get(piece.key)
            total = piece.values.copy()
            if known is not None:
                total = _with_room(known.values, piece.values)
                _combine(piece.name, total, piece.values)
            sums[piece.key] = Piece(piece.name, piece.start, total)
    return list(sums.values())


def pack(pieces: Iterable[Piece]) -> list[Piece]:
    """The same counts in the fewest bytes: integers as narrow as they fit, zeros left out.

    Columns of a histogram that take more bytes than others are apart from them.

    Examples
    --------
    >>> packed = pack([Piece("rows", (5, 0), np.array([[1, 0, 70_000], [2, 0, 80_000]]))])
    >>> [(piece.start, piece.values.dtype.name) for piece in packed]
    [((5, 0), 'uint8'), ((5, 2), 'uint32')]
    """
    return [part for piece in pieces for part in _packed(piece)]


def _packed(piece: Piece) -> list[Piece]:
    """A piece in the fewest bytes, of which none is shared with the array that it was cut from."""
    values = piece.values
    if not np.issubdtype(values.dtype, np.integer):
        says = bool(np.isfinite(values["best"] if _rule(piece.name) == _NEAREST else values).any())
        return [Piece(piece.name, piece.start, values.copy())] if says else []
    if values.size == 0:
        return []
    # Numbers below zero are larger than all others then, and stay as wide as they are.
    unsigned = values.view(np.dtype(f"u{values.dtype.itemsize}"))
    if values.ndim != 2:
        return _narrow(piece, int(unsigned.max()))
    # Columns of a histogram that take as many bytes, in stretches; near ones hold few pairs.
    most = unsigned.max(axis=0)
    wide = np.searchsorted([2**8, 2**16, 2**32], most, side="right")
    # Never narrower than what comes before: counts rise, and many stretches would take room too.
    cuts = np.flatnonzero(np.diff(np.maximum.accumulate(wide))) + 1
    (row, column), packed = piece.start, list[Piece]()
    for first, last in itertools.pairwise([0, *cuts.tolist(), values.shape[1]]):
        part = Piece(piece.name, (row, column + first), values[:, first:last])
        packed += _narrow(part, int(most[first:last].max()))
    return packed


def _narrow(piece: Piece, most: int) -> list[Piece]:
    """Counts of which none is above the most; nothing where that is zero."""
    if most == 0:
        return []
    values, narrow = piece.values, np.min_scalar_type(most)
    fitting = narrow if narrow.itemsize < values.dtype.itemsize else values.dtype
    return [Piece(piece.name, piece.start, values.astype(fitting, order="C"))]


def _with_room(known: NDArray[Any], more: NDArray[Any]) -> NDArray[Any]:
    """Integers in a type that holds their sum with others too."""
    if not np.issubdtype(known.dtype, np.integer) or known.size == 0:
        return known
    most = int(known.max()) + int(more.max())
    if most <= np.iinfo(known.dtype).max:
        return known
    return known.astype(np.min_scalar_type(most))


def _combine(name: str, known: NDArray[Any], more: NDArray[Any]) -> None:
    rule = _rule(name)
    if rule == _NEAREST:
        nearer = more["best"] < known["best"]
        nearer |= (more["best"] == known["best"]) & (more["order"] < known["order"])
        known[nearer] = more[nearer]
    elif rule == _SMALLEST:
        np.minimum(known, more, out=known)
    else:
        # In the type of the sum: of a signed and an unsigned one numpy would make floats.
        np.add(known, more, out=known, dtype=known.dtype, casting="unsafe")


def _rule(name: str) -> str:
    return name.rpartition(".")[2]
