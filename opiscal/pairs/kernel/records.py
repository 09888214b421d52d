"""What the counting loops are given: tables of edges, and the two sides of a tile."""

from typing import NamedTuple

import numpy as np

from opiscal.pairs.kernel.keys import Array, KeyRule

STEP_BITS = 16
"""Slopes of steps are whole numbers, times 2 to this power."""


class StepRule(NamedTuple):
    """Class edges at even steps: the place of a pair among them from its key, by arithmetic.

    Up to `far_from` ``near_place + ((key - near_from) near_slope >> 16)``, and from there on
    ``far_place + (min(key - far_from, far_span) far_slope >> 16)``. Keys below `near_from` are
    looked up: where there are no steps, all near ones.
    """

    near_from: np.int32
    near_slope: np.int32
    near_place: np.int32
    far_from: np.int32
    far_slope: np.int32
    far_place: np.int32
    far_span: np.int32


class Edges(NamedTuple):
    """The look-up tables of a lattice: for every key, and for every class edge.

    Pairs up to and with `near_key` are near: beyond it pool edges are class edges. Where `even`,
    class edges stand at even `steps` from some key on; `moment_of_key` begins at that key.
    `edges_of_key` has the pool edge in its lower 16 bits and the class edge in its upper ones, for
    all near keys.
    """

    rule: KeyRule
    edges_of_key: Array
    class_edge_of_key: Array
    moment_of_class_edge: Array
    kept_of_class_edge: Array
    moment_of_key: Array
    near_key: np.int32
    even: bool
    steps: StepRule


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


class Pool(NamedTuple):
    """Near pairs of a block: by pool edge, and from the first step on by key, to be folded."""

    by_edge: Array
    by_key: Array


class ClassPairs(NamedTuple):
    """Near negatives of a block by class pair, where tiles end with classes (`wanted`).

    `histogram` has a line of `LINE` for each class pair edge, and in it a place for each class of
    the tile's columns: the near pairs of these with the one class of rows that is being counted.
    `line_of_moment` says where the line of a moment edge begins. `col_class` is the class of each
    column of the tile, counted from its first, and `col_rows` how many rows each of them has;
    `accepted` is room for as many sums.

    `accepted_of_pairs` has the accepted pairs of scored classes, edge by edge, by row and column
    class; `squares` and `products` are the sums over other class pairs of ``A^2`` and ``A M``, `A`
    of `M` pairs accepted. Where there is no room for the first, the sums are over all class pairs.
    """

    wanted: bool
    line_of_moment: Array
    histogram: Array
    col_class: Array
    col_rows: Array
    accepted: Array
    squares: Array
    products: Array
    accepted_of_pairs: Array


class Side(NamedTuple):
    """The rows, or the columns, of a block or of a tile, and what is counted for them.

    `slot` says which line of `by_class` a row belongs to, `moments` has a line for each row.
    `number` counts the classes, a row without one being one of its own.
    """

    rows: Rows
    nearest: Nearest
    ranks: Ranks
    slot: Array
    number: Array
    by_class: Array
    moments: Array


class Tile(NamedTuple):
    """A tile of dot products, row after row, and its two sides.

    Row ``i`` is paired with the columns from ``first_col[i]`` to ``stop_col[i]``.
    """

    dots: Array
    width: int
    rows: Side
    cols: Side
    first_col: Array
    stop_col: Array


BAND = 32
"""Rows of a tile that are gone through together: what becomes of them stays in the cache."""
LINE = 544
"""Places of a row of a tile stand so far apart: a power of two would put all in one cache set."""


class Room(NamedTuple):
    """The buffers of one thread: the products of a tile, and what becomes of them.

    `places` has a `LINE` for each row of a tile, `histogram` one for each class of its columns; the
    lists of near pairs have room for those of a `BAND` and one vector more.
    """

    dots: Array
    keys: Array
    offset: Array
    places: Array
    near_key: Array
    near_col: Array
    near_stop: Array
    nearer: Array
    histogram: Array
