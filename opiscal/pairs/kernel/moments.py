"""From histograms to accepted pairs: sums along the edges, and sums of squares over rows."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import Array


@njit(nogil=True, cache=True)
def sum_squares(
    row_positive: Array,
    row_negative: Array,
    class_of_row: Array,
    positive_squares: Array,
    negative_squares: Array,
    products: Array,
) -> None:
    """Sums over the rows of each class of ``p^2``, ``n^2`` and ``p n`` at each moment edge.

    ``p`` and ``n`` are the positives and negatives of a row up to the edge; the rows' counts are
    given edge by edge.
    """
    for r in range(class_of_row.size):
        p, n, c = np.int64(0), np.int64(0), class_of_row[r]
        for m in range(row_positive.shape[1]):
            p += np.int64(row_positive[r, m])
            n += np.int64(row_negative[r, m])
            positive_squares[c, m] += p * p
            negative_squares[c, m] += n * n
            products[c, m] += p * n


@njit(nogil=True, cache=True)
def accept_in_place(histogram: Array) -> None:
    """Turn pairs of each class by edge into accepted ones: sums up to and with each edge."""
    for c in range(histogram.shape[0]):
        for edge in range(1, histogram.shape[1]):
            histogram[c, edge] += histogram[c, edge - 1]


@njit(nogil=True, cache=True)
def accepted_at(histogram: Array, kept: Array) -> Array:
    """Accepted pairs of each class at some of the edges, ascending: sums up to and with each."""
    out = np.empty((histogram.shape[0], kept.size), histogram.dtype)
    for c in range(histogram.shape[0]):
        total, edge = np.int64(0), 0
        for k in range(kept.size):
            while edge <= kept[k]:
                total += histogram[c, edge]
                edge += 1
            out[c, k] = total
    return out
