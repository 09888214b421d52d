"""Counting the pairs between two sets: blocks whose rows are of one and whose columns of the other.

Pairs of one item with itself are left out: their products are made infinitely small before they are
placed. They then are the farthest pairs there are, within reach of nobody, and whoever adds up the
counts takes them off the last edge.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from opiscal.pairs.kernel.keys import NEAR, Array, half_squared_difference
from opiscal.pairs.kernel.negatives import tally_negative_tile
from opiscal.pairs.kernel.positives import tally_positive_tile
from opiscal.pairs.kernel.records import ClassPairs, Edges, Pool, Room, Side
from opiscal.pairs.kernel.tiles import multiply


class Between(NamedTuple):
    """What blocks between two sets have beside those of one set.

    `left_out` names pairs, each by row and column of the block. `row_nearest` and `col_nearest` are
    half squared distances of nearest pairs, as they are placed among the edges, of the rows and
    columns that are `wanted`.
    """

    left_out: Array
    row_wanted: Array
    row_nearest: Array
    col_wanted: Array
    col_nearest: Array


@njit(nogil=True, cache=True)
def tally_positives_between(
    bounds: Array,
    first_col: Array,
    stop_col: Array,
    rows: Side,
    cols: Side,
    between: Between,
    edges: Edges,
    pool: Pool,
    none: ClassPairs,
    room: Room,
) -> None:
    """Count a block of positive pairs; as `tally_positives`."""
    for t in range(bounds.shape[0]):
        tile = multiply(bounds[t], first_col, stop_col, rows, cols, room)
        _leave_out(tile, bounds[t], between.left_out)
        tally_positive_tile(tile, edges, pool, none, room)
        _keep_nearest(tile, bounds[t], between)


@njit(nogil=True, cache=True)
def tally_negatives_between(
    bounds: Array,
    first_col: Array,
    rows: Side,
    cols: Side,
    between: Between,
    edges: Edges,
    pool: Pool,
    none: ClassPairs,
    room: Room,
    by_class_pair: bool,
    ranks_wanted: bool,
) -> None:
    """Count a block of negative pairs; as `tally_negatives`."""
    stop_col = np.full(first_col.size, cols.slot.size)
    for t in range(bounds.shape[0]):
        tile = multiply(bounds[t], first_col, stop_col, rows, cols, room)
        _leave_out(tile, bounds[t], between.left_out)
        tally_negative_tile(tile, edges, pool, none, room, by_class_pair, ranks_wanted)
        _keep_nearest(tile, bounds[t], between)


@njit(nogil=True, cache=True)
def _leave_out(tile, bounds, left_out):
    top, bottom, left, right = bounds
    for k in range(left_out.shape[0]):
        row, col = left_out[k]
        if top <= row < bottom and left <= col < right:
            tile.dots[(row - top) * tile.width + col - left] = -np.float32(np.inf)


@njit(nogil=True, cache=True)
def _keep_nearest(tile, bounds, between):
    top, bottom, left, right = bounds
    row_wanted, row_nearest = between.row_wanted[top:bottom], between.row_nearest[top:bottom]
    col_wanted, col_nearest = between.col_wanted[left:right], between.col_nearest[left:right]
    any_row, any_col = row_wanted.any(), col_wanted.any()
    if not any_row and not any_col:
        return
    rows, cols = tile.rows.rows, tile.cols.rows
    for i in range(tile.first_col.size):
        if not row_wanted[i] and not any_col:
            continue
        half, dot = rows.half_norm[i], i * tile.width
        for j in range(tile.first_col[i], tile.stop_col[i]):
            weight = half + cols.half_norm[j]
            u = weight - tile.dots[dot + j]
            if u <= NEAR * weight:
                # As `place_band` does, so that it is the place of the pair.
                u = np.float32(half_squared_difference(rows.vectors[i], cols.vectors[j]))
            if row_wanted[i] and u < row_nearest[i]:
                row_nearest[i] = u
            if col_wanted[j] and u < col_nearest[j]:
                col_nearest[j] = u
