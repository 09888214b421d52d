"""HalfRows: sorted rows held as float16, centred and scaled when they are read."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.half_matrix import HalfMatrix
from opiscal.pairs.kernel.keys import centre_rows


class HalfRows:
    """What the float32 rows of `SortedRows` would be, were the matrix made of the rounded rows.

    Rows are centred when they are read, not before they are rounded: distances are then those of
    the rounded rows, bit for bit as a float32 matrix of them would give.

    Parameters
    ----------
    matrix : HalfMatrix
        In class order.
    centre : float array of shape (dimensions,)
    factor : float
        A power of two.
    """

    __slots__ = ("_centre", "_factor", "_matrix")

    def __init__(self, matrix: HalfMatrix, centre: NDArray[np.floating], factor: float) -> None:
        """Keep the matrix."""
        self._matrix, self._centre, self._factor = matrix, centre, factor

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions."""
        return self._matrix.shape

    @property
    def nbytes(self) -> int:
        """Memory in use."""
        return self._matrix.nbytes

    def __len__(self) -> int:
        """Rows."""
        return len(self._matrix)

    def __getitem__(self, key: slice | NDArray[Any]) -> NDArray[np.float32]:
        """A fresh float32 array of some rows."""
        return self.measured(key)[0]

    def measured(
        self, key: slice | NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Some rows, and half the squared length of each."""
        rows = self._matrix[key]
        half_norm = np.empty(len(rows), np.float32)
        centre_rows(rows, np.arange(len(rows)), self._centre, self._factor, rows, half_norm)
        return rows, half_norm

    def taken(self, rows: NDArray[np.integer]) -> "HalfRows":
        """Some rows, held alike."""
        return HalfRows(self._matrix.taken(rows), self._centre, self._factor)
