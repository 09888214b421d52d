"""Which classes are taken for one another, counted by class pair."""

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MOST_PENDING = 1 << 20


@dataclass(frozen=True, slots=True)
class ClassConfusions:
    """Class pairs with accepted pairs of rows, most first; ties by share, then by class.

    Attributes
    ----------
    first, second : int64 arrays of shape (class pairs,)
        Classes, ``first < second``.
    accepted : int64 array
        Accepted pairs of rows of the two.
    pairs : int64 array
        All pairs of rows of the two.
    row_a, row_b : int64 arrays
        The nearest of the accepted pairs, ``row_a < row_b``.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    accepted: NDArray[np.int64]
    pairs: NDArray[np.int64]
    row_a: NDArray[np.int64]
    row_b: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cell:
    """What some rows of two classes have in common; columns of equal length.

    `forward` and `backward` are the pairs found from the rows of the one and of the other class:
    what an approximate index finds from one side it may miss from the other.
    """

    code: NDArray[np.int64]
    forward: NDArray[np.int64]
    backward: NDArray[np.int64]
    value: NDArray[np.floating]
    row_a: NDArray[np.int64]
    row_b: NDArray[np.int64]

    def taken(self, at: NDArray[np.integer] | NDArray[np.bool_]) -> "Cell":
        """Some of the lines."""
        return Cell(
            self.code[at], self.forward[at], self.backward[at], self.value[at],
            self.row_a[at], self.row_b[at],
        )  # fmt: skip

    @property
    def accepted(self) -> NDArray[np.int64]:
        """Pairs found from the side from which more are."""
        return np.maximum(self.forward, self.backward)


def merged(cells: list[Cell]) -> Cell:
    """Cells with one line a class pair: counts are added, and the nearest pair is kept."""
    names = ("code", "forward", "backward", "value", "row_a", "row_b")
    columns = {name: np.concatenate([getattr(cell, name) for cell in cells]) for name in names}
    order = np.lexsort((columns["row_b"], columns["row_a"], columns["value"], columns["code"]))
    code = columns["code"][order]
    starts = np.flatnonzero(np.append(True, code[1:] != code[:-1])[: code.size])
    first = order[starts]
    if starts.size == 0:
        return cells[0].taken(np.zeros(cells[0].code.size, np.bool_))
    return Cell(
        code=columns["code"][first],
        forward=np.add.reduceat(columns["forward"][order], starts),
        backward=np.add.reduceat(columns["backward"][order], starts),
        value=columns["value"][first],
        row_a=columns["row_a"][first],
        row_b=columns["row_b"][first],
    )


class ConfusionTally:
    """Adds up what tiles find; of the class pairs that are known to the end only the top is kept.

    Parameters
    ----------
    class_rows : int64 array of shape (classes,)
    whole : bool array of shape (classes,)
        Whether all pairs of the class with another such one come in one piece.
    top : int
        Class pairs that are wanted.
    """

    def __init__(self, class_rows: NDArray[np.int64], whole: NDArray[np.bool_], top: int) -> None:
        self._class_rows, self._whole, self._top = class_rows, whole, top
        self._cells: list[Cell] = []
        self._pending = 0
        self._met = 0
        self._lock = threading.Lock()
        # Half of it may be what is kept: it is put in order again only when as much has come anew.
        self._most = max(_MOST_PENDING, 4 * top)

    @property
    def classes(self) -> int:
        """Classes, of which a pair has the code ``first * classes + second``."""
        return int(self._class_rows.size)

    def add(self, cell: Cell) -> None:
        """Take a piece; a class pair may come in several pieces unless both classes are whole."""
        with self._lock:
            self._cells.append(cell)
            self._pending += cell.code.size
            if self._pending > self._most:
                self._prune()

    def _prune(self) -> Cell:
        cell = merged(self._cells)
        done = self._whole[cell.code // self.classes] & self._whole[cell.code % self.classes]
        # Those kept from before are met again.
        kept = np.union1d(self._ranked(cell, np.flatnonzero(done)), np.flatnonzero(~done))
        self._met += cell.code.size - kept.size
        self._cells, self._pending = [cell.taken(kept)], kept.size
        self._most = max(_MOST_PENDING, 4 * self._top, 2 * kept.size)
        return self._cells[0]

    def _ranked(self, cell: Cell, some: NDArray[np.int64]) -> NDArray[np.int64]:
        code, accepted = cell.code[some], cell.accepted[some]
        share = accepted / self._pairs(code)
        return some[np.lexsort((code, -share, -accepted))[: self._top]]

    def _pairs(self, code: NDArray[np.int64]) -> NDArray[np.int64]:
        rows = self._class_rows
        return np.asarray(rows[code // self.classes] * rows[code % self.classes])

    def finish(self) -> tuple[ClassConfusions, int, int]:
        """The top class pairs, how many there are in all, and the accepted pairs of those kept."""
        if not self._cells:
            none = np.empty(0, np.int64)
            return ClassConfusions(none, none, none, none, none, none), 0, 0
        cell = merged(self._cells)
        found = cell.taken(self._ranked(cell, np.arange(cell.code.size)))
        confusions = ClassConfusions(
            first=found.code // self.classes,
            second=found.code % self.classes,
            accepted=found.accepted,
            pairs=self._pairs(found.code),
            row_a=found.row_a,
            row_b=found.row_b,
        )
        return confusions, self._met + cell.code.size, int(cell.accepted.sum())
