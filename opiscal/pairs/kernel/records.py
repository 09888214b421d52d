"""What the counting loops are given: tables of edges, and the two sides of a tile."""

from typing import NamedTuple

import numpy as np

from opiscal.pairs.kernel.keys import Array, KeyRule


class Edges(NamedTuple):
    """The look-up tables of a lattice: for every key, and for every pool edge.

    Pairs up to and with `near_key` are near: beyond it pool edges are class edges.
    """

    rule: KeyRule
    edge_of_key: Array
    class_edge_of_key: Array
    moment_of_edge: Array
    near_key: np.uint32


class Rows(NamedTuple):
    """The rows, or the columns, of a tile: half squared lengths, and their order of reading."""

    vectors: Array
    half_norm: Array
    order: Array


class Nearest(NamedTuple):
    """Nearest positives: their half squared distance and order of reading.

    A pair may be as near only up to `reach`; -1 where nobody asks any more.
    """

    reach: Array
    best: Array
    order: Array


class Ranks(NamedTuple):
    """Negatives nearer than the nearest positive, those as near but read earlier included.

    A negative is nearer below `low`, and is told from the best by the rows themselves from there to
    its `reach`, where rounding might hide the order. A rank is not counted past `RECALL_CAP`.
    """

    low: Array
    rank: Array
