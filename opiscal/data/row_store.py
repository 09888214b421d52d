"""RowStore: the rows that are kept, in one matrix, and what stands beside each of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import RowPolicy
from opiscal.data.half_matrix import HalfMatrix, Vectors
from opiscal.data.unit_length import MeasuredRows
from opiscal.errors import InputError

# Elements moved in one step: they stay in the cache of a core.
_STEP_VALUES = 1 << 16


class RowStore:
    """Rows are appended; some may be taken out again, and the others close up where they lie.

    The matrix is allocated once, and what of it is not used is never touched and costs address
    space alone.
    """

    def __init__(self) -> None:
        """Begin with no row, and no room for any."""
        self._matrix: Vectors = np.empty((0, 0), dtype=np.float32)
        self._columns: dict[str, list[NDArray[Any]]] = {}
        self.rows = 0

    @property
    def dimensions(self) -> int:
        """Width of a row; 0 before there is room."""
        return int(self._matrix.shape[1])

    @property
    def room(self) -> int:
        """Rows that there is room for."""
        return int(self._matrix.shape[0])

    @property
    def vectors(self) -> Vectors:
        """The rows, in the memory of the store."""
        here = slice(0, self.rows)
        matrix = self._matrix
        return matrix.taken(here) if isinstance(matrix, HalfMatrix) else matrix[here]

    def allocate(self, rows: int, dimensions: int, policy: RowPolicy) -> None:
        """Make room.

        Raises
        ------
        InputError
            Where the system refuses it.
        """
        try:
            if policy.half:
                self._matrix = HalfMatrix(rows, dimensions, unit=policy.metric == "cosine")
            else:
                self._matrix = np.empty((rows, dimensions), dtype=np.float32)
        except MemoryError as error:
            need = rows * dimensions * (2 if policy.half else 4) / 1e9
            raise InputError(
                f"{rows:,} rows of {dimensions:,} dimensions need {need:,.1f} GB, which this "
                "machine does not give; use fewer rows (--sample-rows), or a machine with more "
                "memory"
            ) from error

    def append(self, vectors: NDArray[np.float32]) -> None:
        """Append rows as they are."""
        self._matrix[self.rows : self.rows + len(vectors)] = vectors
        self.rows += len(vectors)

    def append_unit(self, measured: MeasuredRows, chosen: NDArray[np.bool_]) -> None:
        """Append the chosen rows, scaled to unit length."""
        end = self.rows + int(np.count_nonzero(chosen))
        if isinstance(self._matrix, HalfMatrix):
            unit = np.empty((end - self.rows, self.dimensions), np.float32)
            measured.write_unit(chosen, unit)
            self._matrix[self.rows : end] = unit
        else:
            measured.write_unit(chosen, self._matrix[self.rows : end])
        self.rows = end

    def note(self, name: str, values: NDArray[Any]) -> None:
        """Keep what stands beside the rows that were appended last."""
        self._columns.setdefault(name, []).append(values)

    def column(self, name: str) -> NDArray[Any]:
        """What stands beside all rows."""
        pieces = self._columns[name]
        if len(pieces) > 1:
            self._columns[name] = pieces = [np.concatenate(pieces)]
        return pieces[0]

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Keep some rows, which ascend, and no others.

        They move in place. A row never moves down, so none is overwritten before it is read.
        """
        step = max(1, _STEP_VALUES // max(1, self.dimensions))
        matrix = self._matrix
        for array in matrix.arrays() if isinstance(matrix, HalfMatrix) else [matrix]:
            for start in range(0, len(rows), step):
                part = rows[start : start + step]
                array[start : start + len(part)] = array[part]
        for name in self._columns:
            self._columns[name] = [self.column(name)[rows]]
        self.rows = len(rows)
