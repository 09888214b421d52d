"""Lengths of raw vectors, why a row is unfit, and what is held of those that are fit."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Metric
from opiscal.data.unit_length import MeasuredRows, measure_rows

FAULTS = ("", "null label", "null embedding", "NaN or infinite element", "zero length", "")
"""Why a row is left out, in the order in which the reasons are tried; the last: not sampled."""
NULL_LABEL, NULL_EMBEDDING, NON_FINITE, ZERO_NORM, NOT_SAMPLED = 1, 2, 3, 4, 5
# Doubles of one step of work: they and their copies stay in the cache of a core.
_STEP_VALUES = 1 << 16


@dataclass(frozen=True, slots=True)
class MeasuredStep:
    """Some vectors of a block.

    Attributes
    ----------
    part : slice
        Which vectors of the block.
    norms : float64 array of shape (vectors,)
        Euclidean lengths as given; NaN where an element is NaN or infinite.
    fault : int8 array of shape (vectors,)
        Place in `FAULTS`; 0 for a vector that is fit.
    """

    part: slice
    norms: NDArray[np.float64]
    fault: NDArray[np.int8]
    _held: MeasuredRows | NDArray[np.float32]

    def write(self, chosen: NDArray[np.bool_], out: NDArray[np.float32]) -> None:
        """Write the chosen vectors as they are held: of unit length under ``cosine``."""
        if isinstance(self._held, MeasuredRows):
            self._held.write_unit(chosen, out)
        else:
            out[...] = self._held if chosen.all() else self._held[chosen]


def measured_steps(vectors: NDArray[Any], metric: Metric) -> Iterator[MeasuredStep]:
    """Measure vectors, some at a time.

    Parameters
    ----------
    vectors : array of numbers of shape (vectors, dimensions)
        A missing element is NaN.
    metric : "cosine" or "l2"

    Yields
    ------
    MeasuredStep
        In order, together all vectors.

    Examples
    --------
    >>> [step] = measured_steps(np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 1.0]]), "cosine")
    >>> step.norms, [FAULTS[fault] for fault in step.fault]
    (array([ 5.,  0., nan]), ['', 'zero length', 'NaN or infinite element'])
    """
    size = max(1, _STEP_VALUES // max(1, vectors.shape[1]))
    for start in range(0, len(vectors), size):
        part = slice(start, start + size)
        yield _measured(vectors[part], part, metric)


def _measured(given: NDArray[Any], part: slice, metric: Metric) -> MeasuredStep:
    # A damaged file may hold signalling NaNs, whose conversion would warn.
    with np.errstate(invalid="ignore", over="ignore"):
        measured = measure_rows(given.astype(np.float64))
    fault = np.where(np.isnan(measured.norms), NON_FINITE, 0).astype(np.int8)
    if metric == "cosine":
        fault[measured.norms == 0] = ZERO_NORM
        return MeasuredStep(part, measured.norms, fault, measured)
    with np.errstate(invalid="ignore", over="ignore"):
        # From the vectors as given: those of `measured` may carry a power of two.
        single = given.astype(np.float32)
    # Only a row as long as the largest float32 can have turned infinite.
    for row in np.flatnonzero(measured.norms >= np.finfo(np.float32).max):
        if np.isinf(single[row]).any():
            fault[row] = NON_FINITE
    return MeasuredStep(part, measured.norms, fault, single)
