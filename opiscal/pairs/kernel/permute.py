"""Rows put in another order where they lie."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import Array


@njit(nogil=True, cache=True)
def permute_rows(rows: Array, place: Array) -> None:
    """Put the row that stands at ``place[k]`` at place ``k``, for every ``k``.

    Cycle by cycle, so that beside the rows there is room for one of them and a byte a row.
    """
    moved = np.zeros(place.size, np.bool_)
    for first in range(place.size):
        if moved[first] or place[first] == first:
            continue
        held = rows[first].copy()
        here = first
        while place[here] != first:
            rows[here] = rows[place[here]]
            moved[here] = True
            here = place[here]
        rows[here] = held
        moved[here] = True
