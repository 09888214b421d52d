"""Moving the counts of a block to those of the set: added there and cleared here in one pass."""

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import Array


@njit(nogil=True, cache=True)
def move_classes(by_slot: Array, slots: int, by_class: Array, first: int, kept_of: Array) -> None:
    """Add the lines of a block's first `slots` classes to those from `first` on; clear all.

    Those of a block are at all class edges, those of the set at the kept ones, of which `kept_of`
    says for each class edge which takes its pairs; all near ones are kept, and come first.
    """
    near = 0
    while near < kept_of.size and kept_of[near] == near:
        near += 1
    for s in range(by_slot.shape[0]):
        here = by_slot[s]
        if s < slots:
            there = by_class[first + s]
            for e in range(near):
                there[e] += here[e]
            for e in range(near, here.size):
                there[kept_of[e]] += here[e]
        here[:] = 0


@njit(nogil=True, cache=True)
def move_moments(moments: Array, counted: Array, of_rows: Array) -> None:
    """Add the moments of a block's rows, near pairs only, to those of the set; clear them.

    `counted` pairs of each row were counted, the far ones too: those go to its last moment edge.
    Rows beyond the scored ones, which have no line in `of_rows`, are only cleared.
    """
    last = of_rows.shape[1] - 1
    for i in range(moments.shape[0]):
        here = moments[i]
        if i < of_rows.shape[0]:
            near, there = np.int64(0), of_rows[i]
            for m in range(here.size):
                there[m] += here[m]
                near += np.int64(here[m])
            there[last] += np.uint32(counted[i] - near)
        here[:] = 0
