"""TwoSets: queries and gallery rows in one class order, for counting the pairs between them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet
from opiscal.data.sides import Sides
from opiscal.pairs.blas import one_blas_thread
from opiscal.pairs.centred_vectors import pairs_at_once, taken_norms, taken_rows
from opiscal.pairs.class_orders import ClassOrders, class_orders
from opiscal.pairs.kernel.keys import NEAR, half_squared_pairs
from opiscal.pairs.kernel.ordering import sorted_values
from opiscal.pairs.sample import PairSample, sample_pairs
from opiscal.pairs.sorted_rows import ClassOrder, SortedRows, sort_rows

# As many negatives as the sample of one set has.
_SAMPLED_NEGATIVES, _SAMPLED_ROWS, _SAMPLED_POSITIVES = 662_976, 814, 32_768
_PAIRS_AT_ONCE, _ROWS_AT_ONCE = 4096, 8192

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TwoSets:
    """The rows of both sides, each in class order: scored classes first, the same on both.

    A class is scored where a query and a gallery row of it make a pair.

    Attributes
    ----------
    queries, gallery : SortedRows
        Moved and scaled alike. Their `classes.scored` are the same, their other classes may not be.
    same_item : int64 array of shape (pairs, 2)
        Sorted places of a query and a gallery row that are one item, and so make no pair.
    """

    queries: SortedRows
    gallery: SortedRows
    same_item: Places

    @property
    def pairs(self) -> int:
        """All pairs that are counted, but for those of an item with itself."""
        queries, gallery = self.queries, self.gallery
        distractors = [side.rows - side.classes.labelled for side in (queries, gallery)]
        return queries.rows * gallery.rows - distractors[0] * distractors[1]

    @property
    def shared(self) -> Places:
        """The pairs of `same_item` whose rows have no other, and are of the same class."""
        query, item = self.same_item.T
        alone = (np.bincount(query, minlength=self.queries.rows)[query] == 1) & (
            np.bincount(item, minlength=self.gallery.rows)[item] == 1
        )
        return np.asarray(self.same_item[alone & self._same_class(query, item)])

    @property
    def is_one_set(self) -> bool:
        """Whether the gallery is the query set: the same items with the same vectors."""
        every = np.arange(self.queries.rows)
        return (
            self.queries.rows == self.gallery.rows
            and np.array_equal(self.same_item, np.stack([every, every], axis=1))
            and np.array_equal(self.queries.classes.class_id, self.gallery.classes.class_id)
            and all(
                np.array_equal(self.queries.vectors[part], self.gallery.vectors[part])
                for part in (
                    slice(start, start + _ROWS_AT_ONCE)
                    for start in range(0, self.queries.rows, _ROWS_AT_ONCE)
                )
            )
        )

    @property
    def positives_of_query(self) -> NDArray[np.int64]:
        """How many positive pairs each query has; by sorted place."""
        number, other = self.numbers
        found = np.searchsorted(other, number, "right") - np.searchsorted(other, number, "left")
        found[self.queries.classes.labelled :] = 0
        query, item = self.same_item.T
        found -= np.bincount(query[self._same_class(query, item)], minlength=found.size)
        return found.astype(np.int64)

    @property
    def numbers(self) -> tuple[Places, Places]:
        """The class of every row of both sides as a number that ascends, the same on both sides.

        Distractors have the highest.
        """
        ids = [side.classes.class_id for side in (self.queries, self.gallery)]
        scored = self.queries.classes.scored
        most = int(max(part.max(initial=-1) for part in ids)) + 2
        number = np.arange(most) + scored.size
        number[scored] = np.arange(scored.size)
        # Index -1, the last: distractors.
        number[-1] = most + scored.size
        return number[ids[0]], number[ids[1]]

    @property
    def places_there(self) -> tuple[tuple[Places, Places], tuple[Places, Places]]:
        """For each row of both sides where on the other side its class begins, and where it ends.

        Index 0 is for the queries, 1 for the gallery.
        """
        number = self.numbers
        begins = (
            np.searchsorted(number[1], number[0], side="left"),
            np.searchsorted(number[0], number[1], side="left"),
        )
        ends = (
            np.searchsorted(number[1], number[0], side="right"),
            np.searchsorted(number[0], number[1], side="right"),
        )
        return begins, ends

    def subset(self, queries: NDArray[np.bool_], gallery: NDArray[np.bool_]) -> "TwoSets":
        """The rows at the chosen sorted places, in an order of their own, not scaled anew."""
        kept = np.flatnonzero(queries), np.flatnonzero(gallery)
        new_place = [np.cumsum(queries) - 1, np.cumsum(gallery) - 1]
        query, item = self.same_item.T
        both = queries[query] & gallery[item]
        orders = class_orders(
            self.queries.classes.class_id[kept[0]],
            self.gallery.classes.class_id[kept[1]],
            np.stack([new_place[0][query[both]], new_place[1][item[both]]], axis=1),
        )
        sides = [
            replace(
                side,
                vectors=taken_rows(side.vectors, at[order.place]),
                half_norm=taken_norms(side.half_norm, at[order.place]),
                classes=order,
                read_order=side.read_order[at[order.place]],
            )
            for side, at, order in zip(
                (self.queries, self.gallery), kept, (orders.queries, orders.gallery), strict=True
            )
        ]
        return TwoSets(sides[0], sides[1], orders.same_item)

    def _same_class(self, query: Places, item: Places) -> NDArray[np.bool_]:
        of_query, of_item = (side.classes.class_id for side in (self.queries, self.gallery))
        return np.asarray((of_query[query] >= 0) & (of_query[query] == of_item[item]))


@dataclass(frozen=True, slots=True)
class SideOrders:
    """In which order the rows of a set are those of two sides.

    Attributes
    ----------
    orders : ClassOrders
    place : int64 array of shape (rows,)
        The rows of the set: those of the queries in their order, then those of the gallery.
    """

    orders: ClassOrders
    place: Places

    @property
    def stretches(self) -> tuple[slice, slice]:
        """Where in `place` the queries are, and where the gallery rows."""
        queries = self.orders.queries.place.size
        return slice(0, queries), slice(queries, self.place.size)

    def parted(self, rows: SortedRows) -> TwoSets:
        """Both sides of rows that stand in the order of `place`."""
        orders = self.orders.queries, self.orders.gallery
        queries, gallery = (
            replace(
                rows,
                vectors=rows.vectors[part],
                half_norm=rows.half_norm[part],
                classes=order,
                read_order=self.place[part],
            )
            for part, order in zip(self.stretches, orders, strict=True)
        )
        return TwoSets(queries, gallery, self.orders.same_item)


def side_orders(embeddings: EmbeddingSet, sides: Sides) -> SideOrders:
    """The order of both sides of a set."""
    at = np.flatnonzero(~sides.is_gallery), np.flatnonzero(sides.is_gallery)
    orders = class_orders(
        embeddings.class_of_row[at[0]], embeddings.class_of_row[at[1]], sides.same_item()
    )
    place = np.concatenate([at[0][orders.queries.place], at[1][orders.gallery.place]])
    return SideOrders(orders, place)


def sort_two_sets(embeddings: EmbeddingSet, sides: Sides, threads: int | None = None) -> TwoSets:
    """Put both sides of a set into class order, moved and scaled as `sort_rows` does.

    The row that is subtracted is in the middle of the queries.
    """
    order = side_orders(embeddings, sides)
    # One after the other in one array: each side is a stretch of it, and nothing is copied.
    nothing = np.empty(0, np.int64)
    both = ClassOrder(order.place, nothing, nothing, nothing, nothing, nothing, 0)
    typical = np.flatnonzero(~sides.is_gallery)
    return order.parted(sort_rows(embeddings, threads, classes=both, typical=typical))


def sample_between(two: TwoSets, seed: int) -> PairSample:
    """Negatives between some 814 queries and as many gallery rows, and up to 32,768 positives.

    Drawn without replacement; where there are no more pairs all are taken. Where the gallery is the
    query set it is the sample of that one set, so that its edges are too.
    """
    if two.is_one_set:
        return sample_pairs(two.queries, seed)
    rng = np.random.default_rng(seed)
    queries, gallery = two.queries, two.gallery
    fewer = min(queries.rows, gallery.rows, _SAMPLED_ROWS)
    most = _SAMPLED_NEGATIVES // fewer
    chosen = [_some(rng, side.rows, most) for side in (queries, gallery)]
    lengths = np.concatenate(
        [side.half_norm[at] for side, at in zip((queries, gallery), chosen, strict=True)]
    )
    short, long = np.quantile(lengths, [0.05, 0.95])
    number = two.numbers
    pairs = two.pairs - two.same_item.shape[0]
    positives = int(two.positives_of_query.sum())
    return PairSample(
        positive=sorted_values(_some_positives(two, rng)),
        negative=sorted_values(_negatives(two, chosen[0], chosen[1], number)),
        negatives_in_set=pairs - positives,
        lengths=float(long / short) if short > 0 else np.inf,
    )


def _some(rng: np.random.Generator, rows: int, most: int) -> Places:
    if rows <= most:
        return np.arange(rows)
    return np.sort(rng.choice(rows, most, replace=False))


def _negatives(
    two: TwoSets, query: Places, item: Places, number: tuple[Places, Places]
) -> NDArray[np.float32]:
    queries, gallery = two.queries, two.gallery
    with one_blas_thread():
        dots = queries.vectors[query] @ gallery.vectors[item].T
    weight = queries.half_norm[query][:, None] + gallery.half_norm[item]
    u = weight - dots
    i, j = np.nonzero(u <= NEAR * weight)
    u[i, j] = _half_squared(two, query[i], item[j])
    # Distractors have the same number on both sides, and make no pairs among themselves.
    found = number[0][query][:, None] != number[1][item]
    skipped = _skipped(two, query, item)
    found[skipped[:, 0], skipped[:, 1]] = False
    return np.ascontiguousarray(u[found], dtype=np.float32)


def _skipped(two: TwoSets, query: Places, item: Places) -> Places:
    """The pairs of one item among some rows, by their places among these."""
    at = np.full(two.queries.rows, -1), np.full(two.gallery.rows, -1)
    at[0][query], at[1][item] = np.arange(query.size), np.arange(item.size)
    placed = np.stack([at[0][two.same_item[:, 0]], at[1][two.same_item[:, 1]]], axis=1)
    return placed[(placed >= 0).all(axis=1)]


def _some_positives(two: TwoSets, rng: np.random.Generator) -> NDArray[np.float32]:
    sizes = two.queries.classes.class_rows, two.gallery.classes.class_rows
    starts = np.cumsum(sizes[0]) - sizes[0], np.cumsum(sizes[1]) - sizes[1]
    pairs = sizes[0] * sizes[1]
    if pairs.sum() <= _SAMPLED_POSITIVES:
        of_class = np.repeat(np.arange(pairs.size), pairs)
        within = np.arange(of_class.size) - np.repeat(np.cumsum(pairs) - pairs, pairs)
        query = starts[0][of_class] + within // sizes[1][of_class]
        item = starts[1][of_class] + within % sizes[1][of_class]
    else:
        of_class = np.sort(rng.choice(pairs.size, _SAMPLED_POSITIVES, p=pairs / pairs.sum()))
        query = starts[0][of_class] + rng.integers(0, sizes[0][of_class])
        item = starts[1][of_class] + rng.integers(0, sizes[1][of_class])
    left_out = two.same_item @ np.array([two.gallery.rows, 1])
    kept = ~np.isin(query * two.gallery.rows + item, left_out)
    query, item = query[kept], item[kept]
    return _half_squared(two, query, item)


def _half_squared(two: TwoSets, query: Places, item: Places) -> NDArray[np.float32]:
    """Half squared distances of some pairs."""
    out = np.empty(query.size, np.float32)
    step = pairs_at_once(two.queries.vectors, _PAIRS_AT_ONCE)
    for start in range(0, query.size, step):
        part = slice(start, start + step)
        queries, here = np.unique(query[part], return_inverse=True)
        items, there = np.unique(item[part], return_inverse=True)
        beside = np.concatenate([two.queries.vectors[queries], two.gallery.vectors[items]])
        out[part] = half_squared_pairs(beside, here, there + queries.size)
    return out
