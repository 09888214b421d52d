"""The mean row of every class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.kernel.class_sums import add_rows
from opiscal.pairs.sorted_rows import SortedRows

_BLOCK_ROWS = 8192
# A mean of unit rows that is shorter is rounding, not a direction.
_NO_DIRECTION = 1e-6


@dataclass(frozen=True, slots=True)
class ClassMeans:
    """Classes and their mean rows.

    Attributes
    ----------
    classes : int64 array of shape (classes,), ascending
        Those of one row too; distractors are none.
    means : float32 array of shape (classes, dimensions)
        Of unit length under ``cosine``, zero where rows cancel; on the scale of the rows as they
        were given.
    """

    classes: NDArray[np.int64]
    means: NDArray[np.float32]


def class_means(rows: SortedRows) -> ClassMeans:
    """Mean row of each class, summed in double precision, some whole classes at a time."""
    stops = rows.classes.ends[: rows.classes.ends.size - (rows.rows - rows.classes.labelled)]
    starts = np.concatenate([np.zeros(min(1, stops.size), np.int64), stops[:-1]])
    classes = rows.classes.class_id[starts]
    order = np.argsort(classes)
    line = np.empty_like(order)
    line[order] = np.arange(order.size)
    means = np.empty((stops.size, rows.vectors.shape[1]), np.float32)
    centre = rows.centre.astype(np.float64)
    first = 0
    while first < stops.size:
        fitting = int(np.searchsorted(stops, starts[first] + _BLOCK_ROWS, side="right"))
        last = max(first + 1, fitting)
        sizes = stops[first:last] - starts[first:last]
        mean = _sums(rows, starts[first:last], int(stops[last - 1])) / sizes[:, None]
        mean = mean * rows.scale + centre
        if rows.metric == "cosine":
            length = np.linalg.norm(mean, axis=1)
            mean[length < _NO_DIRECTION] = 0.0
            mean /= np.maximum(length, 1e-300)[:, None]
        means[line[first:last]] = mean
        first = last
    return ClassMeans(classes[order], means)


def _sums(rows: SortedRows, starts: NDArray[np.int64], stop: int) -> NDArray[np.float64]:
    """Sums of the rows from each start to the next; none is empty."""
    sums = np.zeros((starts.size, rows.vectors.shape[1]))
    for first in range(int(starts[0]), stop, _BLOCK_ROWS):
        last = min(first + _BLOCK_ROWS, stop)
        line = np.searchsorted(starts, np.arange(first, last), side="right") - 1
        add_rows(rows.vectors[first:last], line, sums)
    return sums
