"""Sides: which rows of a set are queries and which are gallery rows, and which are one item."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet
from opiscal.errors import InputError

# Pairs of an item with itself are listed: far more of them are no accident of some crops.
_MOST_SAME_ITEM = 50_000_000


@dataclass(frozen=True, slots=True)
class Sides:
    """The two sides of a set that is evaluated query against gallery.

    Attributes
    ----------
    is_gallery : bool array of shape (rows,)
        Which rows of the set are gallery rows; the others are queries.
    item : int64 array of shape (rows,), or None
        Rows with the same number are the same item, and make no pair across the sides; -1 where the
        name of the item is missing. None where rows have no names.
    """

    is_gallery: NDArray[np.bool_]
    item: NDArray[np.int64] | None = None

    def digest(self) -> str:
        """A hash of which rows are which."""
        found = hashlib.sha256(np.packbits(self.is_gallery).tobytes())
        if self.item is not None:
            found.update(np.ascontiguousarray(self.item).data)
        return found.hexdigest()

    def same_item(self) -> NDArray[np.int64]:
        """All pairs of a query and a gallery row that are one item; shape (pairs, 2).

        Places among the queries and among the gallery rows, in the order of reading.

        Raises
        ------
        InputError
            Where there are so many that the names cannot be those of items.
        """
        if self.item is None:
            return np.empty((0, 2), np.int64)
        queries, gallery = self.item[~self.is_gallery], self.item[self.is_gallery]
        order = np.argsort(gallery, kind="stable")
        ascending = gallery[order]
        first = np.searchsorted(ascending, queries, side="left")
        many = np.searchsorted(ascending, queries, side="right") - first
        many[queries < 0] = 0
        total = int(many.sum())
        if total > _MOST_SAME_ITEM:
            raise InputError(
                f"{total:,} pairs of a query and a gallery row have the same id, and at most "
                f"{_MOST_SAME_ITEM:,} may have: check that --id-column names rows and not classes"
            )
        query = np.repeat(np.arange(queries.size), many)
        within = np.arange(total) - np.repeat(np.cumsum(many) - many, many)
        return np.stack([query, order[np.repeat(first, many) + within]], axis=1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class JoinedSides:
    """Both sides as one set, and which of its rows are which."""

    embeddings: EmbeddingSet
    sides: Sides


def check_sides(embeddings: EmbeddingSet, sides: Sides) -> None:
    """Make sure that there are pairs between the sides.

    Raises
    ------
    InputError
        Where a side is empty, or no class is on both.
    """
    queries, gallery = (
        np.unique(embeddings.class_of_row[side]) for side in (~sides.is_gallery, sides.is_gallery)
    )
    for name, found in (("queries", queries), ("gallery", gallery)):
        if found.size == 0:
            raise InputError(
                f"0 rows of the {name} can be used; mend the input, or name other columns"
            )
    if not np.any(np.isin(queries[queries >= 0], gallery)):
        first = [
            repr(embeddings.labels[found[found >= 0][0]]) if np.any(found >= 0) else "none"
            for found in (queries, gallery)
        ]
        raise InputError(
            f"no class is both among the queries ({_classes(queries)}, such as {first[0]}) and in "
            f"the gallery ({_classes(gallery)}, such as {first[1]}); at least two must be: check "
            "the label column of both"
        )


def _classes(found: NDArray[np.integer]) -> str:
    many = int(np.count_nonzero(found >= 0))
    return "1 class" if many == 1 else f"{many:,} classes"
