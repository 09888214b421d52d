"""KeyGrid: the fine grid of half squared distances on which every edge lies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.kernel.keys import KeyRule, keys_of
from opiscal.pairs.sorted_rows import SortedRows

_FINEST_SHIFT, _COARSEST_SHIFT = 2, 9
_MAX_KEYS = 2**24
# Octaves below the largest distance; more where some rows are far longer than others.
_OCTAVES, _OCTAVES_OF_SHORTEST, _MAX_OCTAVES = 32, 16, 80
# So many keys between the 0.1 % and the 99.9 % quantile of the negatives leave several of them to
# the densest spacing of pool edges (0.05 % of FAR), for near-normal similarities of any width.
_KEYS_WANTED = 20_000


@dataclass(frozen=True, slots=True)
class KeyGrid:
    """Keys ``0 .. top`` and the float32 half squared distances they stand for.

    Key ``k`` has the value whose bits are ``base + k 2^shift``; key 0 stands for distance 0 and the
    last key for everything up to the largest distance there can be.
    """

    base: int
    shift: int
    top: int

    @property
    def rule(self) -> KeyRule:
        """The rule in the form that the counting loops take."""
        return KeyRule(np.int32(self.base), np.int32(self.shift), np.int32(self.top))

    def keys(self, half_squared: NDArray[np.floating]) -> NDArray[np.int64]:
        """Keys of half squared distances, shape (m,)."""
        values = np.ascontiguousarray(half_squared, dtype=np.float32).ravel()
        return np.asarray(keys_of(values, self.rule), dtype=np.int64)

    def values(self, keys: NDArray[np.int64]) -> NDArray[np.float64]:
        """Half squared distances that keys stand for, exact in float64; key 0 gives 0."""
        bits = (self.base + (keys << self.shift)).astype(np.int32)
        return np.where(keys == 0, 0.0, bits.view(np.float32).astype(np.float64))


def fit_key_grid(rows: SortedRows, central: tuple[float, float]) -> KeyGrid:
    """Place the grid.

    Parameters
    ----------
    rows : SortedRows
    central : pair of float
        Half squared distances between which nearly all negatives of a sample lie: the grid is made
        as coarse as it can be and still fine there, for the look-up table is then small.
    """
    high = 2.0 ** np.ceil(np.log2(rows.largest)) if rows.largest > 0 else 1.0
    half_norm = np.asarray(rows.half_norm)
    shortest = float(half_norm[half_norm > 0].min(initial=high))
    octaves = max(_OCTAVES, np.ceil(np.log2(high / shortest)) + _OCTAVES_OF_SHORTEST)
    low = high * 2.0 ** -min(octaves, _MAX_OCTAVES)
    base, end = (int(np.float32(v).view(np.int32)) for v in (low, high))
    inner = [int(np.float32(min(max(v, low), high)).view(np.int32)) for v in central]
    shift = _COARSEST_SHIFT
    while (
        shift > _FINEST_SHIFT
        and (inner[1] - inner[0]) >> shift < _KEYS_WANTED
        and (end - base) >> (shift - 1) < _MAX_KEYS
    ):
        shift -= 1
    return KeyGrid(base=base, shift=shift, top=(end - base) >> shift)
