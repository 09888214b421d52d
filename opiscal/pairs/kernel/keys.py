"""From dot products to half squared distances, and from these to keys on a grid.

A pair is known here by its **half squared distance** ``u = d^2 / 2 = h_i + h_j - x_i . x_j``, with
``h`` half the squared length of a row. As `u` is not negative, its float32 bits, read as integers,
are in the order of its values: shifting them right gives a **key** on a grid that is fine for near
pairs and for far ones, whatever the scale. Edges are values of that grid, so a pair's place among
them is a table look-up, and exact.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Array = NDArray[Any]

# A float32 product is right to a few 1e-7 of the squared lengths, or to some 1e-6 where rounding
# piles up. Nearer than this share of them, the difference of the rows themselves is taken.
NEAR = np.float32(2.0**-16)


class KeyRule(NamedTuple):
    """How a half squared distance becomes a key.

    ``clip(ceil((bits(u) - base) / 2^shift), 0, top)``.

    A key therefore stands for the values above its lower neighbour's edge and **up to and with**
    its own: a tie with an edge is accepted by it.
    """

    base: np.int32
    shift: np.int32
    top: np.int32


@intrinsic
def _bits(_context: Any, _value: Any) -> Any:
    def generate(_ctx: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@njit(inline="always")
def key_of(u, rule):
    """Key of a half squared distance."""
    below = np.int32((1 << rule.shift) - 1)
    key = (_bits(u) - rule.base + below) >> rule.shift
    return np.uint32(min(max(key, np.int32(0)), rule.top))


# Summed in any order, so that it may be done by vectors; of the same two rows always in the same.
@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def half_squared_difference(a, b):
    """Half the squared distance of two rows, float64; 0 of identical ones."""
    total = 0.0
    for k in range(a.size):
        step = np.float64(a[k]) - np.float64(b[k])
        total += step * step
    return 0.5 * total


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def centre_rows(
    given: Array, place: Array, centre: Array, factor: float, vectors: Array, half_norm: Array
) -> None:
    """Fill rows with those that are given at some places, less a row and times a power of two;
    and half the squared length of each.
    """
    for i in range(place.size):
        row, out, total = given[place[i]], vectors[i], 0.0
        for k in range(row.size):
            out[k] = np.float32((row[k] - centre[k]) * factor)
        for k in range(row.size):
            total += np.float64(out[k]) * np.float64(out[k])
        half_norm[i] = np.float32(0.5 * total)


@njit(nogil=True, cache=True)
def half_squared_line(dots, half, half_col, row, cols, line):
    """Half squared distances of a row to some columns; 0, exactly, where two are identical."""
    near = np.int32(0)
    for j in range(dots.size):
        weight = half + half_col[j]
        u = weight - dots[j]
        line[j] = u
        near += np.int32(u <= NEAR * weight)
    if near > 0:
        for j in range(dots.size):
            if line[j] <= NEAR * (half + half_col[j]):
                line[j] = np.float32(half_squared_difference(row, cols[j]))


@njit(nogil=True, cache=True)
def keys_of(half_squared: Array, rule: KeyRule) -> Array:
    """Keys of half squared distances that are given: shape (m,) to shape (m,), uint32."""
    keys = np.empty(half_squared.size, np.uint32)
    for k in range(half_squared.size):
        keys[k] = key_of(half_squared[k], rule)
    return keys


@njit(nogil=True, cache=True)
def negatives_of(tile: Array, vectors: Array, half_norm: Array, class_id: Array) -> Array:
    """Half squared distances of the negative pairs in a square tile of dot products, each once.

    Rows of the same `class_id` are no negatives; so distractors, which share -1, make none either.
    """
    size = class_id.size
    out = np.empty(size * (size - 1) // 2, np.float32)
    line = np.empty(size, np.float32)
    found = 0
    for i in range(size):
        after = slice(i + 1, size)
        half_squared_line(
            tile[i, after], half_norm[i], half_norm[after], vectors[i], vectors[after], line
        )
        for j in range(size - i - 1):
            if class_id[i] != class_id[i + 1 + j]:
                out[found] = line[j]
                found += 1
    return out[:found]


@njit(nogil=True, cache=True)
def half_squared_pairs(vectors: Array, first: Array, second: Array) -> Array:
    """Half squared distances of pairs of rows that are named, float32; shape (pairs,)."""
    out = np.empty(first.size, np.float32)
    for k in range(first.size):
        out[k] = np.float32(half_squared_difference(vectors[first[k]], vectors[second[k]]))
    return out
