"""RowCache: sorted rows that lie in files, of which some are in memory at a time."""

import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.row_reader import RowReader
from opiscal.pairs.centring import Centre, HeldRows, moved
from opiscal.pairs.half_rows import HalfRows

SPANS_SHARE, FEWEST_SPANS = 0.8, 4
"""The share of spans in a room that does not hold all rows, and how many fit; the rest is of single
rows."""

# A span is read for some of its rows where they are not few.
_DENSE = 4

Places = slice | NDArray[np.int64]
"""A stretch of sorted places, or some of them in any order."""


@dataclass(frozen=True, slots=True)
class RowMove:
    """How rows are moved and scaled; see `opiscal.pairs.centring`.

    Attributes
    ----------
    centre : float array of shape (dimensions,)
    scale : float
        A power of two.
    """

    centre: Centre
    scale: float


class RowCache:
    """Sorted rows read when they are asked for, and kept as long as there is room.

    All of them are read at once and kept where there is room for that. Else they are cut into
    spans: one is read as a whole, in one pass over the row groups that have its rows, and the span
    that was used least lately makes way. Rows far apart are read alone. Half the squared length of
    every row that was ever read is kept.

    Any number of threads may ask; one reads at a time. What they were given lives as long as they
    hold it: the room is that of what is kept.

    Parameters
    ----------
    reader : RowReader
    numbers : int64 array of shape (rows,)
        By sorted place, the position of the row in the input.
    cuts : int64 array
        Begins of the spans, ascending from 0, and the number of rows.
    room : int
        Bytes.
    move : RowMove
    threads : int
        For moving rows that were read.
    half_norm : float32 array of shape (rows,), optional
        Where they are known; NaN where not.
    held : HeldRows, optional
        All rows, where they were read already.
    """

    def __init__(
        self,
        reader: RowReader,
        numbers: NDArray[np.int64],
        cuts: NDArray[np.int64],
        room: int,
        move: RowMove,
        threads: int = 1,
        *,
        half_norm: NDArray[np.float32] | None = None,
        held: HeldRows | None = None,
    ) -> None:
        self._reader, self._numbers, self._move, self._threads = reader, numbers, move, threads
        self.cuts = cuts
        self._row_bytes = reader.row_bytes
        self._span_room = spans_room(room, cuts.size - 1)
        self._single_room = room - self._span_room
        self._norms = np.full(numbers.size, np.nan, np.float32) if half_norm is None else half_norm
        self._spans: OrderedDict[int, HeldRows] = OrderedDict()
        # Rows that were read alone: places that ascend, and the rows there.
        self._singles: list[tuple[NDArray[np.int64], HeldRows]] = []
        self._lock, self._reading = threading.Lock(), threading.Lock()
        if held is not None:
            self._spans[0] = held
            self._norms[:] = held[1]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions."""
        return self._numbers.size, self._reader.dimensions

    @property
    def nbytes(self) -> int:
        """Memory in use by the rows that are kept."""
        with self._lock:
            singles = [held for _, held in self._singles]
            return sum(vectors.nbytes for vectors, _ in [*self._spans.values(), *singles])

    @property
    def bytes_read(self) -> int:
        """Compressed bytes of vectors that were read from files so far."""
        return self._reader.bytes_read

    @property
    def single_rows(self) -> int:
        """How many rows that are read alone are kept."""
        return self._single_room // self._row_bytes

    @property
    def whole(self) -> NDArray[np.float32] | None:
        """All rows as one float32 array, where they fit and are held so."""
        if self.cuts.size > 2 or self._reader.policy.half or self.shape[0] == 0:
            return None
        vectors = self._span(0)[0]
        return None if isinstance(vectors, HalfRows) else vectors

    def rows(self, at: Places) -> NDArray[np.float32]:
        """Rows at some places, which are a view of those that are kept where they can be."""
        if isinstance(at, slice):
            parts = [self._span(k)[0][part] for k, part in self._stretches(at)]
            if len(parts) == 1:
                return parts[0]
            return np.concatenate([np.empty((0, self.shape[1]), np.float32), *parts])
        if self.cuts.size == 2 and at.size:
            return self._span(0)[0][at]
        out = np.empty((at.size, self.shape[1]), np.float32)
        for of_out, held, rows in self._found(at):
            out[of_out] = held[0][rows]
        return out

    def norms(self, at: Places) -> NDArray[np.float32]:
        """Half the squared lengths of the rows at some places.

        Rows that were never read are, and kept where their number allows it: they will be asked
        for themselves.
        """
        found = self._norms[at]
        unknown = np.isnan(found)
        if not unknown.any():
            return found
        places = np.arange(at.start, at.stop) if isinstance(at, slice) else at
        spans = np.unique(self._span_of(places[unknown]))
        every = np.unique(places)
        if spans.size <= FEWEST_SPANS:
            for span in spans.tolist():
                self._span(span)
        elif every.size <= self.single_rows:
            for _ in self._found(every):
                pass
        else:
            self._measure(np.unique(places[unknown]))
        return self._norms[at]

    def _span_of(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self.cuts, places, side="right") - 1

    def _stretches(self, at: slice) -> list[tuple[int, slice]]:
        """Of a stretch of places the spans, and the stretch of each."""
        first = int(np.searchsorted(self.cuts, at.start, side="right")) - 1
        out = []
        for span, (start, stop) in enumerate(itertools.pairwise(self.cuts[first:].tolist()), first):
            if start >= at.stop:
                break
            part = slice(max(at.start, start) - start, min(at.stop, stop) - start)
            if part.start < part.stop:
                out.append((span, part))
        return out

    def _span(self, span: int) -> HeldRows:
        with self._lock:
            if span in self._spans:
                self._spans.move_to_end(span)
                return self._spans[span]
        with self._reading:
            with self._lock:
                # Another thread may have read it meanwhile.
                if span in self._spans:
                    return self._spans[span]
                part = slice(*self.cuts[span : span + 2].tolist())
                need = (part.stop - part.start) * self._row_bytes
                while self._spans and self._spans_bytes() + need > self._span_room:
                    self._spans.popitem(last=False)
            held = self._read(self._numbers[part])
            self._norms[part] = held[1]
            with self._lock:
                self._spans[span] = held
            return held

    def _spans_bytes(self) -> int:
        return sum(vectors.nbytes for vectors, _ in self._spans.values())

    def _found(
        self, places: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], HeldRows, NDArray[np.int64]]]:
        """Where rows are: which of the places, what holds these, and where therein."""
        span_of = self._span_of(places)
        spans, rows_in = np.unique(span_of, return_counts=True)
        sizes = np.diff(self.cuts)[spans]
        with self._lock:
            kept = np.array([*self._spans], np.int64)
        alone = np.isin(
            span_of,
            spans[(sizes > _DENSE * rows_in) & ~np.isin(spans, kept)],
        )
        if alone.any():
            which = np.flatnonzero(alone)
            wanted, back = np.unique(places[which], return_inverse=True)
            known, held = self._singly(wanted)
            yield which, held, np.searchsorted(known, wanted)[back]
        for span in spans.tolist():
            which = np.flatnonzero((span_of == span) & ~alone)
            if which.size:
                held = self._span(span)
                yield which, held, places[which] - self.cuts[span]

    def _singly(self, wanted: NDArray[np.int64]) -> tuple[NDArray[np.int64], HeldRows]:
        """Some rows, whose places ascend, read alone; places that are held, and the rows there."""
        with self._reading:
            for known, held in self._singles:
                if np.isin(wanted, known, assume_unique=True).all():
                    return known, held
            # The oldest makes way.
            while self._singles and self._singles_rows() + wanted.size > self.single_rows:
                self._singles.pop(0)
            held = self._read(self._numbers[wanted])
            self._norms[wanted] = held[1]
            if self._singles_rows() + wanted.size <= self.single_rows:
                with self._lock:
                    self._singles.append((wanted, held))
            return wanted, held

    def _singles_rows(self) -> int:
        return sum(known.size for known, _ in self._singles)

    def _measure(self, places: NDArray[np.int64]) -> None:
        """Read rows for their lengths alone, in one pass and some at a time."""
        with self._reading:
            numbers = self._numbers[places]
            order = np.argsort(numbers)
            half_norm = half_norms(self._reader, numbers[order], self._move)
            self._norms[places[order]] = half_norm

    def _read(self, numbers: NDArray[np.int64]) -> HeldRows:
        given = self._reader.read_placed(numbers)
        return moved(given, self._move.centre, self._move.scale, self._threads)


def spans_room(room: int, spans: int) -> int:
    """Of a room the part for spans, of which the rows have so many."""
    return room if spans <= 1 else int(SPANS_SHARE * room)


def half_norms(reader: RowReader, numbers: NDArray[np.int64], move: RowMove) -> NDArray[np.float32]:
    """Half the squared lengths of rows, moved and scaled, that are read some at a time.

    Parameters
    ----------
    reader : RowReader
    numbers : int64 array
        Positions in the input, ascending.
    move : RowMove
    """
    out = np.empty(numbers.size, np.float32)
    for part, rows in reader.blocks(numbers):
        out[part] = moved(reader.rounded(rows), move.centre, move.scale, 1)[1]
    return out
