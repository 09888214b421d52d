"""Two sets held in memory as one, with its sides."""

from typing import Any, NamedTuple

import numpy as np

from opiscal.data.embedding_set import RowPolicy
from opiscal.data.label_codes import code_labels
from opiscal.data.rows import from_arrays
from opiscal.data.sides import JoinedSides, Sides
from opiscal.errors import InputError, UsageError


class Gallery(NamedTuple):
    """The gallery that queries are compared with; the same arrays as those of the queries.

    Attributes
    ----------
    vectors : array_like of shape (rows, dimensions), float
    labels : sequence of length rows
        Strings or integers, as those of the queries; None or NaN where missing.
    groups : sequence of length rows, optional
        Where the queries have groups.
    ids : sequence of length rows, optional
        Names of items, where the queries have them: the same name on both sides is the same item,
        and makes no pair.
    """

    vectors: Any
    labels: Any
    groups: Any = None
    ids: Any = None


def join_sides(
    vectors: Any, labels: Any, groups: Any, ids: Any, gallery: Gallery, policy: RowPolicy
) -> JoinedSides:
    """Queries and a gallery as one set; arguments and errors as `from_arrays`.

    Raises
    ------
    InputError
        Where the sides differ in width, or as `from_arrays`.
    UsageError
        Where only one side has groups, or ids.
    """
    for name, own, other in (("groups", groups, gallery.groups), ("ids", ids, gallery.ids)):
        if (own is None) != (other is None):
            which = "the queries and not the gallery" if other is None else "the gallery alone"
            raise UsageError(f"{name} were given for {which}; give them for both sides, or neither")
    queries = len(vectors)
    widths = [part.shape[1] for part in map(_matrix, (vectors, gallery.vectors)) if part.ndim == 2]
    if len(set(widths)) > 1:
        raise InputError(
            f"the queries have vectors of {widths[0]} dimensions and the gallery of {widths[1]}; "
            "give vectors of the same model"
        )
    embeddings = from_arrays(
        _joined(vectors, gallery.vectors),
        _joined(labels, gallery.labels),
        None if groups is None else _joined(groups, gallery.groups),
        policy=policy,
    )
    item = None
    if ids is not None:
        coded = code_labels(_joined(ids, gallery.ids), "ids").codes
        if coded.size != embeddings.rows_read:
            raise InputError(
                f"{embeddings.rows_read:,} vectors and {coded.size:,} ids; give one for each vector"
            )
        item = coded[embeddings.row_number]
    return JoinedSides(embeddings, Sides(embeddings.row_number >= queries, item))


def _matrix(vectors: Any) -> Any:
    try:
        return np.asarray(vectors)
    except ValueError:
        # Rows of different widths, or None among them: they are looked at where they are read.
        return np.empty(0)


def _joined(first: Any, second: Any) -> Any:
    arrays = [part for part in (first, second) if isinstance(part, np.ndarray)]
    # A string beside a number must not become one.
    if len(arrays) == 2 and arrays[0].dtype.kind == arrays[1].dtype.kind:
        return np.concatenate(arrays)
    return [*first, *second]
