"""Sorted rows and their lengths, whichever way they are held."""

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.half_rows import HalfRows
from opiscal.pairs.stored_rows import StoredNorms, StoredRows

CentredVectors = NDArray[np.float32] | HalfRows | StoredRows
"""Sorted rows: slices and arrays of places give float32 arrays."""

HalfNorms = NDArray[np.float32] | StoredNorms
"""Half the squared length of sorted rows."""


def taken_rows(vectors: CentredVectors, places: NDArray[np.int64]) -> CentredVectors:
    """Some rows, held alike."""
    return vectors[places] if isinstance(vectors, np.ndarray) else vectors.taken(places)


def taken_norms(half_norm: HalfNorms, places: NDArray[np.int64]) -> HalfNorms:
    """Those of some rows, held alike."""
    return half_norm[places] if isinstance(half_norm, np.ndarray) else half_norm.taken(places)


def whole_matrix(vectors: CentredVectors) -> NDArray[np.float32] | None:
    """All rows as one float32 array, where that is what they are in memory."""
    if isinstance(vectors, StoredRows):
        return vectors.whole
    return None if isinstance(vectors, HalfRows) else vectors


def pairs_at_once(vectors: CentredVectors, least: int) -> int:
    """Of how many pairs the rows are taken at once; more than `least` where they are read."""
    return max(least, vectors.gathered_rows // 2) if isinstance(vectors, StoredRows) else least
