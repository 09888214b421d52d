"""Lengths of rows, and rows of unit length, that neither overflow nor vanish."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Between these bounds a sum of squares has lost nothing that double precision could have kept.
_SAFE_LOW = 1e-280
_SAFE_HIGH = 1e280


@dataclass(frozen=True, slots=True)
class MeasuredRows:
    """Rows beside their Euclidean lengths.

    Attributes
    ----------
    values : float64 array of shape (rows, dimensions)
        The rows, each multiplied by a power of two of its own where its squares would overflow
        or vanish.
    lengths : float64 array of shape (rows,)
        Euclidean lengths of `values`; NaN where an element is NaN or infinite.
    norms : float64 array of shape (rows,)
        Euclidean lengths of the rows as they were given; the largest double where the length is
        beyond it, NaN where an element is NaN or infinite.
    """

    values: NDArray[np.float64]
    lengths: NDArray[np.float64]
    norms: NDArray[np.float64]

    def write_unit(self, rows: NDArray[np.bool_], out: NDArray[np.float32]) -> None:
        """Write the chosen rows, divided by their lengths and rounded once, to `out`."""
        values, lengths = self.values, self.lengths
        if not rows.all():
            values, lengths = values[rows], lengths[rows]
        np.divide(values, lengths[:, None], out=out, casting="same_kind")


def measure_rows(values: NDArray[np.float64]) -> MeasuredRows:
    """Measure the Euclidean length of every row.

    The rows whose squares leave the range of doubles are first multiplied by the power of two
    that brings their largest element into [0.5, 1), which rounds nothing. So the direction of a
    row survives whatever its length, and in ``4**k`` dimensions a row of +-v has elements of
    exactly ``+-2**-k`` after division and rounding to float32.

    Parameters
    ----------
    values : float64 array of shape (rows, dimensions)
        Not modified.

    Returns
    -------
    MeasuredRows
        For no rows, empty arrays.

    Examples
    --------
    >>> import numpy as np
    >>> measured = measure_rows(np.array([[3e200, 4e200], [1.0, np.inf], [0.0, 0.0]]))
    >>> measured.norms
    array([5.e+200,     nan, 0.e+000])
    >>> unit = np.empty((1, 2), dtype=np.float32)
    >>> measured.write_unit(np.array([True, False, False]), unit)
    >>> unit
    array([[0.6, 0.8]], dtype=float32)
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        squares = np.einsum("ij,ij->i", values, values)
        lengths = np.sqrt(squares)
    # Written so that NaN counts as extreme.
    extreme = ~((squares >= _SAFE_LOW) & (squares <= _SAFE_HIGH))
    if not extreme.any():
        return MeasuredRows(values, lengths, lengths)

    largest = np.abs(values[extreme]).max(axis=1)
    finite = np.isfinite(largest)
    # frexp has no exponent for NaN and infinity, and 0 keeps exponent 0.
    exponents = np.frexp(np.where(finite, largest, 0.0))[1]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        rescaled = np.ldexp(values[extreme], -exponents[:, None])
        rescaled_lengths = np.sqrt(np.einsum("ij,ij->i", rescaled, rescaled))
        rescaled_lengths[~finite] = np.nan
        rescaled_norms = np.ldexp(rescaled_lengths, exponents)
    scaled = values.copy()
    scaled[extreme] = rescaled
    norms = lengths.copy()
    # np.minimum hands a NaN on.
    norms[extreme] = np.minimum(rescaled_norms, np.finfo(np.float64).max)
    lengths[extreme] = rescaled_lengths
    return MeasuredRows(scaled, lengths, norms)
