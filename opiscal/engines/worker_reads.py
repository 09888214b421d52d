"""WorkerReads: what a worker will read, by what it keeps of the rows that it was asked for."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.row_cache import spans_room


class WorkerReads:
    """Keeps and gives up spans as `opiscal.pairs.row_cache.RowCache` does, and reads nothing.

    Parameters
    ----------
    cuts : int64 array
        Begins of the spans, ascending from 0, and the number of rows.
    span_bytes : sequence of int
        What it takes to read each.
    row_bytes : int
        Of a row in memory.
    room : int
        Bytes.

    Attributes
    ----------
    bytes_read : int

    Examples
    --------
    Room for two of three spans:

    >>> reads = WorkerReads(np.array([0, 10, 20, 30]), [100, 150, 200], 4, 100)
    >>> [reads.take(start, stop) for start, stop in [(0, 12), (5, 10), (20, 30), (0, 5)]]
    [250, 0, 200, 0]
    >>> reads.take(10, 20), reads.bytes_read
    (150, 600)
    """

    def __init__(
        self, cuts: NDArray[np.int64], span_bytes: Sequence[int], row_bytes: int, room: int
    ) -> None:
        """Begin with no rows."""
        self._cuts, self._span_bytes, self._row_bytes = cuts, span_bytes, row_bytes
        self._room = spans_room(room, cuts.size - 1)
        self._kept: OrderedDict[int, int] = OrderedDict()
        self._in_use = 0
        self.bytes_read = 0

    def take(self, start: int, stop: int) -> int:
        """Ask for a stretch of sorted rows; what has to be read for it."""
        first = int(np.searchsorted(self._cuts, start, side="right")) - 1
        last = int(np.searchsorted(self._cuts, stop, side="left"))
        return sum(self._span(span) for span in range(first, last))

    def read_if_one(self) -> int:
        """Read the rows before they are asked for, where all fit; what has to be read."""
        return self._span(0) if len(self._span_bytes) == 1 else 0

    def _span(self, span: int) -> int:
        if span in self._kept:
            self._kept.move_to_end(span)
            return 0
        need = int(self._cuts[span + 1] - self._cuts[span]) * self._row_bytes
        while self._kept and self._in_use + need > self._room:
            self._in_use -= self._kept.popitem(last=False)[1]
        self._kept[span] = need
        self._in_use += need
        self.bytes_read += self._span_bytes[span]
        return self._span_bytes[span]
