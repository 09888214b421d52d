"""The rows that are kept: in one matrix with what stands beside each of them, or that alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import RowPolicy
from opiscal.data.half_matrix import HalfMatrix, Vectors
from opiscal.data.row_fitness import MeasuredStep
from opiscal.data.row_sample import SamplePlan, plan_sample
from opiscal.errors import InputError

# Elements moved in one step: they stay in the cache of a core.
_STEP_VALUES = 1 << 16


class RowPlaces:
    """What stands beside the rows that are kept, whose vectors lie elsewhere.

    Rows are appended; some may be taken out again.
    """

    def __init__(self) -> None:
        """Begin with no row, and no room for any."""
        self._matrix: Vectors = np.empty((0, 0), dtype=np.float32)
        self._columns: dict[str, list[NDArray[Any]]] = {}
        self.rows = 0
        self.room = 0
        """Rows that there is room for."""

    @property
    def dimensions(self) -> int:
        """Width of a row; 0 before there is room."""
        return int(self._matrix.shape[1])

    @property
    def vectors(self) -> Vectors:
        """The rows, in the memory of the store; none of them where they lie elsewhere."""
        here = slice(0, self.rows)
        matrix = self._matrix
        return matrix.taken(here) if isinstance(matrix, HalfMatrix) else matrix[here]

    def plan(self, policy: RowPolicy, rows: int, dimensions: int) -> SamplePlan | None:
        """What to do with a set of so many rows: it need not fit in memory."""
        if policy.sample_rows is None:
            return None
        return plan_sample(policy, rows, dimensions)

    def allocate(self, rows: int, dimensions: int, policy: RowPolicy) -> None:
        """Make room."""
        self._matrix = empty_matrix(0, dimensions, policy)
        self.room = rows

    def append(self, step: MeasuredStep, chosen: NDArray[np.bool_]) -> None:
        """Append the chosen vectors of a step."""
        self.append_places(int(np.count_nonzero(chosen)))

    def append_places(self, rows: int) -> None:
        """Append so many rows, whose vectors are not here."""
        self.rows += rows

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
        """Keep some rows, which ascend, and no others."""
        for name in self._columns:
            self._columns[name] = [self.column(name)[rows]]
        self.rows = len(rows)


class RowStore(RowPlaces):
    """Rows are appended; some may be taken out again, and the others close up where they lie.

    The matrix is allocated once, and what of it is not used is never touched and costs address
    space alone.
    """

    def plan(self, policy: RowPolicy, rows: int, dimensions: int) -> SamplePlan | None:
        """What to do with a set of so many rows, which are to be in memory."""
        return plan_sample(policy, rows, dimensions)

    def allocate(self, rows: int, dimensions: int, policy: RowPolicy) -> None:
        """Make room.

        Raises
        ------
        InputError
            Where the system refuses it.
        """
        try:
            self._matrix = empty_matrix(rows, dimensions, policy)
        except MemoryError as error:
            need = rows * dimensions * (2 if policy.half else 4) / 1e9
            raise InputError(
                f"{rows:,} rows of {dimensions:,} dimensions need {need:,.1f} GB, which this "
                "machine does not give; use fewer rows (--sample-rows), or a machine with more "
                "memory"
            ) from error
        self.room = rows

    def append(self, step: MeasuredStep, chosen: NDArray[np.bool_]) -> None:
        """Append the chosen vectors of a step."""
        end = self.rows + int(np.count_nonzero(chosen))
        if isinstance(self._matrix, HalfMatrix):
            single = np.empty((end - self.rows, self.dimensions), np.float32)
            step.write(chosen, single)
            self._matrix[self.rows : end] = single
        else:
            step.write(chosen, self._matrix[self.rows : end])
        self.rows = end

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
        super().keep(rows)


def empty_matrix(rows: int, dimensions: int, policy: RowPolicy) -> Vectors:
    """A matrix for so many rows, not filled."""
    if policy.half:
        return HalfMatrix(rows, dimensions, unit=policy.metric == "cosine")
    return np.empty((rows, dimensions), dtype=np.float32)
