"""Sets whose vectors lie in files, in class order: the same rows as of a set in memory."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet
from opiscal.data.row_reader import RowReader, as_float32
from opiscal.data.sides import Sides
from opiscal.pairs.blocks import cut_between_classes
from opiscal.pairs.centring import (
    Centre,
    HeldRows,
    centre_of,
    largest_of,
    moved,
    reach_of,
    scale_of,
    typical_rows,
)
from opiscal.pairs.row_cache import FEWEST_SPANS, SPANS_SHARE, RowCache, RowMove, half_norms
from opiscal.pairs.sorted_rows import ClassOrder, SortedRows, class_order
from opiscal.pairs.stored_rows import StoredRows
from opiscal.pairs.threads import available_threads
from opiscal.pairs.two_sets import TwoSets, side_orders

Rows = NDArray[np.int64]


def sort_stored_rows(
    embeddings: EmbeddingSet,
    reader: RowReader,
    room: int,
    threads: int | None = None,
    *,
    move: RowMove | None = None,
    half_norm: NDArray[np.float32] | None = None,
    largest: float | None = None,
) -> SortedRows:
    """Put the rows of a set into class order, as `opiscal.pairs.sorted_rows.sort_rows`.

    Parameters
    ----------
    embeddings : EmbeddingSet
        Its vectors are not looked at.
    reader : RowReader
    room : int
        Bytes for rows; see `opiscal.pairs.row_cache.RowCache`.
    threads : int, optional
        For moving rows that were read.
    move : RowMove, optional
        What rows are moved and scaled by; default: it is found, see `find_move`. Where all rows fit
        in the room they are then read at once, else when they are asked for.
    half_norm : float32 array of shape (rows,), optional
        Half the squared lengths of the rows, in the order of the set, where these were found by
        `stretch_norms` with this move.
    largest : float, optional
        `SortedRows.largest`, where it is known. Else, under ``l2``, it takes all lengths, for which
        all rows are read where `half_norm` is not given.

    Returns
    -------
    SortedRows
        Bit for bit that of the set in memory; its vectors are StoredRows.
    """
    classes = class_order(embeddings.class_of_row)
    cache, move = _cache(
        embeddings,
        reader,
        room,
        threads,
        place=classes.place,
        ends=classes.ends,
        sides=None,
        move=move,
        half_norm=half_norm,
    )
    return _sorted(embeddings, StoredRows(cache), move, classes, classes.place, largest)


def sort_stored_sides(
    embeddings: EmbeddingSet,
    sides: Sides,
    reader: RowReader,
    room: int,
    threads: int | None = None,
    *,
    move: RowMove | None = None,
    half_norm: NDArray[np.float32] | None = None,
    largest: float | None = None,
) -> TwoSets:
    """Put both sides of a set into class order, as `opiscal.pairs.two_sets.sort_two_sets`.

    Other arguments as `sort_stored_rows`; both sides share the room.
    """
    order = side_orders(embeddings, sides)
    orders, place, queries = order.orders, order.place, order.stretches[0].stop
    cache, move = _cache(
        embeddings,
        reader,
        room,
        threads,
        place=place,
        ends=np.concatenate([orders.queries.ends, queries + orders.gallery.ends]),
        sides=sides,
        move=move,
        half_norm=half_norm,
    )
    both = _sorted(embeddings, StoredRows(cache), move, orders.queries, place, largest)
    windows = [StoredRows(cache, part) for part in order.stretches]
    sorted_sides = [
        replace(
            both,
            vectors=window,
            half_norm=window.norms,
            classes=own,
            read_order=place[part],
        )
        for part, window, own in zip(
            order.stretches, windows, (orders.queries, orders.gallery), strict=True
        )
    ]
    return TwoSets(sorted_sides[0], sorted_sides[1], orders.same_item)


def find_centre(embeddings: EmbeddingSet, reader: RowReader, sides: Sides | None = None) -> Centre:
    """The row that is subtracted from the rows of a set, or of two; it reads some hundred rows."""
    given = reader.read(embeddings.row_number[_typical(embeddings, sides)])
    return centre_of(as_float32(given), embeddings.metric)


def find_move(embeddings: EmbeddingSet, reader: RowReader, sides: Sides | None = None) -> RowMove:
    """How the rows of a set, or of two, are moved and scaled; under ``l2`` it reads all of them.

    Under ``l2`` the work can be shared out: see `stretch_reach`.
    """
    centre = find_centre(embeddings, reader, sides)
    reach = 0.0
    if embeddings.metric == "l2":
        reach = stretch_reach(embeddings, reader, centre, 0, embeddings.rows)
    return RowMove(centre, scale_of(reach, embeddings.metric))


def stretch_reach(
    embeddings: EmbeddingSet, reader: RowReader, centre: Centre, start: int, stop: int
) -> float:
    """The largest difference of an element from that of the centre, of a stretch of rows.

    The largest of all stretches gives the scale: ``scale_of(max(reaches), metric)``. The rows from
    `start` to `stop`, in the order of the set, are those of few row groups; they are read some at a
    time.
    """
    numbers = embeddings.row_number[start:stop]
    return max(
        (reach_of(reader.rounded(rows), centre) for _, rows in reader.blocks(numbers)), default=0.0
    )


def stretch_norms(
    embeddings: EmbeddingSet, reader: RowReader, move: RowMove, start: int, stop: int
) -> NDArray[np.float32]:
    """Half the squared lengths of a stretch of rows, in the order of the set.

    Those of all stretches, one after the other, are what `sort_stored_rows` takes.
    """
    return half_norms(reader, embeddings.row_number[start:stop], move)


def span_cuts(ends: Rows, rows: int, row_bytes: int, room: int) -> Rows:
    """Cut sorted rows into spans for a room, where classes end if one does.

    Parameters
    ----------
    ends : int64 array
        Places at which classes end, ascending.
    rows : int
    row_bytes, room : int

    Returns
    -------
    int64 array
        Begins of the spans, and `rows`: one span where all rows fit, else so small that four
        do: two stretches of rows as long as a span reach into no more.

    Examples
    --------
    >>> span_cuts(np.array([3, 5, 9, 16]), 16, 10, 160).tolist()
    [0, 16]
    >>> span_cuts(np.array([3, 5, 9, 16]), 16, 10, 150).tolist()
    [0, 3, 5, 8, 9, 12, 15, 16]
    """
    if rows * row_bytes <= room:
        return np.array([0, rows])
    return np.array(cut_between_classes(ends, 0, rows, span_rows(row_bytes, room)))


def span_rows(row_bytes: int, room: int) -> int:
    """Rows of a span, where not all rows fit in the room."""
    return max(1, int(SPANS_SHARE * room) // (FEWEST_SPANS * row_bytes))


def _typical(embeddings: EmbeddingSet, sides: Sides | None) -> Rows:
    every = np.arange(embeddings.rows)
    return typical_rows(every if sides is None else np.flatnonzero(~sides.is_gallery))


def _cache(
    embeddings: EmbeddingSet,
    reader: RowReader,
    room: int,
    threads: int | None,
    *,
    place: Rows,
    ends: Rows,
    sides: Sides | None,
    move: RowMove | None,
    half_norm: NDArray[np.float32] | None,
) -> tuple[RowCache, RowMove]:
    numbers, metric = embeddings.row_number[place], embeddings.metric
    cuts = span_cuts(ends, place.size, reader.row_bytes, room)
    workers = threads or available_threads()
    held: HeldRows | None = None
    if move is None and cuts.size == 2:
        # All at once, in one pass: what they are moved by is found in memory.
        given = reader.read_placed(numbers)
        at = np.empty_like(place)
        at[place] = np.arange(place.size)
        centre = centre_of(given[at[_typical(embeddings, sides)]], metric)
        reach = reach_of(given, centre) if metric == "l2" else 0.0
        move = RowMove(centre, scale_of(reach, metric))
        held = moved(given, move.centre, move.scale, workers)
    elif move is None:
        move = find_move(embeddings, reader, sides)
    known = None if half_norm is None else half_norm[place]
    cache = RowCache(reader, numbers, cuts, room, move, workers, half_norm=known, held=held)
    return cache, move


def _sorted(
    embeddings: EmbeddingSet,
    vectors: StoredRows,
    move: RowMove,
    classes: ClassOrder,
    read_order: Rows,
    largest: float | None,
) -> SortedRows:
    metric, half_norm = embeddings.metric, vectors.norms
    if largest is None:
        longest = float(half_norm[:].max()) if metric == "l2" else 0.0
        largest = largest_of(longest, metric)
    return SortedRows(
        vectors=vectors,
        half_norm=half_norm,
        scale=move.scale,
        largest=largest,
        classes=classes,
        read_order=read_order,
        centre=move.centre,
        metric=metric,
    )
