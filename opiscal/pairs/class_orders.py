"""ClassOrders: the orders of queries and of gallery rows, scored classes first."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.sorted_rows import ClassOrder

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassOrders:
    """The orders of both sides, and the pairs of one item by sorted places."""

    queries: ClassOrder
    gallery: ClassOrder
    same_item: Places


def class_orders(
    class_of_query: NDArray[np.integer], class_of_item: NDArray[np.integer], same_item: Places
) -> ClassOrders:
    """Order both sides by class: scored classes, then the others, then distractors (-1).

    `same_item` names pairs that are none, by places among the queries and the gallery rows; it
    comes back by sorted places, in their order. Within a class rows keep their order.
    """
    ids = [part.astype(np.int64) for part in (class_of_query, class_of_item)]
    classes = int(max(part.max(initial=-1) for part in ids)) + 1
    sizes = [np.bincount(part[part >= 0], minlength=classes) for part in ids]
    query, item = same_item.T
    of_class = ids[0][query][(ids[0][query] == ids[1][item]) & (ids[0][query] >= 0)]
    positives = sizes[0] * sizes[1] - np.bincount(of_class, minlength=classes)
    scored = np.flatnonzero(positives > 0)
    orders = [_side_order(part, size, scored) for part, size in zip(ids, sizes, strict=True)]
    sorted_place = [np.argsort(order.place) for order in orders]
    placed = np.stack([sorted_place[0][query], sorted_place[1][item]], axis=1)
    placed = placed[np.lexsort((placed[:, 1], placed[:, 0]))]
    return ClassOrders(orders[0], orders[1], placed.astype(np.int64))


def _side_order(ids: Places, sizes: NDArray[np.int64], scored: Places) -> ClassOrder:
    kind = np.where(ids < 0, 2, np.where(np.isin(ids, scored), 0, 1))
    place = np.lexsort((ids, kind)).astype(np.int64)
    class_id = ids[place]
    labelled = int(np.count_nonzero(ids >= 0))
    begins = np.flatnonzero(np.diff(class_id[:labelled], prepend=-1))
    lengths = np.diff(np.append(begins, labelled))
    start, stop = np.zeros(ids.size, np.int64), np.zeros(ids.size, np.int64)
    start[:labelled] = np.repeat(begins, lengths)
    stop[:labelled] = np.repeat(begins + lengths, lengths)
    return ClassOrder(
        place=place,
        start=start,
        stop=stop,
        class_id=class_id,
        scored=scored.astype(np.int64),
        class_rows=sizes[scored].astype(np.int64),
        labelled=labelled,
    )
