"""Where the pairs of a row belong: the place of each among the class edges, and a list of the near
ones.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from opiscal.pairs.kernel.keys import NEAR, half_squared_difference, key_of
from opiscal.pairs.kernel.lanes import WIDTH, Code
from opiscal.pairs.kernel.records import LINE, STEP_BITS, Edges, Room, Tile

# `_place_sixteen` returns a count and, so many bits above it, flags.
_FLAGS = 16
_COUNT = np.uint64(2**_FLAGS - 1)


@intrinsic
def _place_sixteen(
    _context: Any,
    dots: Any,
    half_col: Any,
    reach_col: Any,
    offset: Any,
    places: Any,
    near_key: Any,
    near_col: Any,
    dot: Any,
    column: Any,
    place: Any,
    found: Any,
    half: Any,
    reach: Any,
    origin: Any,
    shift: Any,
    steps: Any,
) -> Any:
    """Places of the sixteen pairs from a dot product and a column on, by even steps.

    They are written from `place` on, and the near pairs go into the lists from `found` on. Returns
    how many are near, and as bits above that which are within the reach of either row.
    """
    signature = types.uint64(
        *(dots, half_col, reach_col, offset, places, near_key, near_col),
        *(dot, column, place, found, half, reach, origin, shift, steps),
    )

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        code = Code(context, builder, signature)
        dots, half_col, reach_col, offset, places, near_key, near_col = (
            code.array(k, values[k]) for k in range(7)
        )
        dot, column, place, found = values[7:11]
        half, reach = (code.all(value, "float32") for value in values[11:13])
        origin, shift = (code.all(value, "int32") for value in values[13:15])
        near_from, near_slope, near_place, far_from, far_slope, far_place, far_span = (
            code.all(builder.extract_value(values[15], k), "int32") for k in range(7)
        )

        u = half + half_col.load(column, "float32") - dots.load(dot, "float32")
        key = (u.bits() - origin) >> shift
        near = key <= far_from - 1
        nearer = near_place + (((key - near_from) * near_slope) >> STEP_BITS)
        farther = far_place + (((key - far_from).least(far_span) * far_slope) >> STEP_BITS)
        at = near.choose(nearer, farther).to_uint16() + offset.load(column, "uint16")
        places.store(place, at)
        near_key.store(found, key.where(near))
        near_col.store(found, code.count_up(column).where(near))

        look = u <= reach.most(reach_col.load(column, "float32"))
        return builder.or_(near.count(), code.shifted(look.mask(), _FLAGS))

    return signature, generate


@njit(nogil=True, cache=True)
def place_band(tile: Tile, top: int, bottom: int, line: int, edges: Edges, room: Room) -> None:
    """Places of the pairs of some rows of a tile, and lists of the near ones.

    The places of the rows from `top` to `bottom` go into lines of `room.places`, from `line` on;
    the near pairs of row ``i`` end at ``room.near_stop[i - top]``. ``room.nearer[i]`` tells whether
    a pair is within the reach of one of its rows.
    """
    # Arrays are taken out of their records before the loop, in which nothing is made anew: a view
    # or a call costs reference counts, by which the loop would be a third slower.
    dots, width, first_col, stop_col = tile.dots, tile.width, tile.first_col, tile.stop_col
    half_row, half_col = tile.rows.rows.half_norm, tile.cols.rows.half_norm
    row_reach, col_reach = tile.rows.nearest.reach, tile.cols.nearest.reach
    offset, places, near_key, near_col = room.offset, room.places, room.near_key, room.near_col
    near_stop, nearer = room.near_stop, room.nearer
    rule, steps, even = edges.rule, edges.steps, edges.even
    origin = np.int32(rule.base - np.int32((1 << rule.shift) - 1))
    # No smaller than for any pair of a row: some are looked at once more for nothing.
    most_half = half_col.max()
    found = np.uint64(0)
    for i in range(top, bottom):
        begin, column, stop = found, np.uint64(first_col[i]), np.uint64(stop_col[i])
        dot, place = np.uint64(i * width), np.uint64((line + i - top) * LINE)
        half, flags = half_row[i], np.uint64(0)
        if even:
            reach = max(row_reach[i], NEAR * (half + most_half))
            for _ in range((stop - column) // np.uint64(WIDTH)):
                out: np.uint64 = _place_sixteen(
                    dots, half_col, col_reach, offset, places, near_key, near_col,
                    dot + column, column, place + column, found,
                    half, reach, origin, rule.shift, steps,
                )  # fmt: skip
                found += out & _COUNT
                flags |= out
                column += np.uint64(WIDTH)
        look = flags > _COUNT
        if look and _any_same(dots, dot, i, np.uint64(first_col[i]), stop, half_row, half_col):
            column, found = np.uint64(first_col[i]), begin
        if column < stop:
            found, also = _place_rest(tile, i, column, found, place, edges, room)
            look |= also
        nearer[i] = look
        near_stop[i - top] = found


@njit(nogil=True, cache=True)
def _any_same(dots, dot, i, column, stop, half_row, half_col):
    """Whether a pair may be of identical rows, or so close that rounding hides how close."""
    same = np.int32(0)
    for j in range(column, stop):
        weight = half_row[i] + half_col[j]
        same += np.int32(weight - dots[dot + j] <= NEAR * weight)
    return same > 0


@njit(nogil=True, cache=True)
def _place_rest(tile, i, column, found, place, edges, room):
    """Places of the pairs of row `i` from a column on, looked up in the tables of a lattice.

    Identical rows, and rows so close that rounding hides how close, are compared themselves.
    Returns how many near pairs there are with those already found, and whether one is within the
    reach of a row.
    """
    rows, cols, width = tile.rows.rows, tile.cols.rows, tile.width
    here, first = slice(column, tile.stop_col[i]), i * width
    dots, half_col = tile.dots[first : first + width][here], cols.half_norm[here]
    reach, reach_col = tile.rows.nearest.reach[i], tile.cols.nearest.reach[here]
    offset, keys, half = room.offset[here], room.keys, rows.half_norm[i]
    places = room.places[place + column : place + np.uint64(tile.stop_col[i])]
    near_key, near_col, near = room.near_key, room.near_col, np.uint32(edges.near_key)
    class_edge_of_key, rule = edges.class_edge_of_key, edges.rule
    # One pass without a branch or a look-up, so that it is done by vectors.
    same, look = np.int32(0), np.int32(0)
    for j in range(dots.size):
        weight = half + half_col[j]
        u = weight - dots[j]
        same += np.int32(u <= NEAR * weight)
        look += np.int32(u <= max(reach, reach_col[j]))
        keys[j] = key_of(u, rule)
    if same > 0:
        for j in range(dots.size):
            weight = half + half_col[j]
            if weight - dots[j] <= NEAR * weight:
                exact = half_squared_difference(rows.vectors[i], cols.vectors[column + j])
                keys[j] = key_of(np.float32(exact), rule)
    for j in range(dots.size):
        key = keys[j]
        places[j] = offset[j] + class_edge_of_key[key]
        near_key[found], near_col[found] = key, column + j
        found += np.uint64(key <= near)
    return found, look > 0
