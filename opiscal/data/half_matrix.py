"""HalfMatrix: rows held as float16 and read as float32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# The largest element of a row that is scaled lies in [2^14, 2^15): below the end of float16, and
# with 28 more octaves of full precision beneath it.
_TOP_EXPONENT = 15
# 2^128 is beyond float32: the last of its octaves must not be rounded up.
_LAST_EXPONENT, _LAST = 128 - _TOP_EXPONENT, np.float16(2.0**15 - 16)


class HalfMatrix:
    """Rows of half the memory: what is written is rounded to float16, and read as float32.

    Where rows may be of any length each is held times a power of two of its own, so that none
    overflows: an element keeps 11 bits, those below ``2**-28`` of the largest of the row fewer, and
    those below ``2**-39`` of it become zero. Rows of unit length are held as they are.

    Parameters
    ----------
    rows, dimensions : int
    unit : bool
        Whether no element is beyond 1.

    Examples
    --------
    >>> matrix = HalfMatrix(2, 2, unit=False)
    >>> matrix[0:2] = np.array([[1.0001, 2.0], [3e38, 1e30]], np.float32)
    >>> matrix[:].tolist()[0], matrix[1:].dtype, matrix.nbytes
    ([1.0, 2.0], dtype('float32'), 12)
    """

    __slots__ = ("exponent", "stored")

    def __init__(self, rows: int, dimensions: int, *, unit: bool) -> None:
        """Make room; what it holds is not defined until it is written."""
        self.stored = np.empty((rows, dimensions), np.float16)
        self.exponent = None if unit else np.zeros(rows, np.int16)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions."""
        return self.stored.shape[0], self.stored.shape[1]

    @property
    def nbytes(self) -> int:
        """Memory in use."""
        return self.stored.nbytes + (0 if self.exponent is None else self.exponent.nbytes)

    def __len__(self) -> int:
        """Rows."""
        return self.stored.shape[0]

    def __getitem__(self, key: slice | NDArray[Any]) -> NDArray[np.float32]:
        """A fresh float32 array of some rows, exact."""
        rows = self.stored[key].astype(np.float32)
        if self.exponent is not None:
            factor = np.ldexp(1.0, self.exponent[key].astype(np.int32))
            np.multiply(rows, factor[:, None], out=rows, casting="same_kind")
        return rows

    def __setitem__(self, key: slice | NDArray[Any], rows: NDArray[np.float32]) -> None:
        """Round some finite rows and keep them."""
        if self.exponent is None:
            self.stored[key] = rows
            return
        largest = np.abs(rows).max(axis=1, initial=0.0)
        exponent = np.frexp(largest)[1] - _TOP_EXPONENT
        exponent[largest == 0] = 0
        half = np.ldexp(rows.astype(np.float64), -exponent[:, None]).astype(np.float16)
        last = exponent == _LAST_EXPONENT
        half[last] = np.clip(half[last], -_LAST, _LAST)
        self.stored[key], self.exponent[key] = half, exponent

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All rows as a float32 array, which takes twice the memory of this one."""
        return self[:] if dtype is None else self[:].astype(dtype)

    def taken(self, rows: slice | NDArray[np.integer]) -> "HalfMatrix":
        """Some rows, held alike; those of a slice share their memory with these."""
        out = HalfMatrix(0, self.shape[1], unit=True)
        out.stored = self.stored[rows]
        out.exponent = None if self.exponent is None else self.exponent[rows]
        return out

    def arrays(self) -> list[NDArray[Any]]:
        """The arrays that hold it, a row for each row, for code that moves rows about."""
        return [self.stored] if self.exponent is None else [self.stored, self.exponent[:, None]]


Vectors = NDArray[np.float32] | HalfMatrix
"""Rows that give float32 arrays for slices and for arrays of places."""
