"""An EmbeddingSet without its vectors as plain arrays, to be kept in a file without pickles."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import DroppedRows, EmbeddingSet, InputFile, RowSample
from opiscal.data.half_matrix import HalfMatrix, Vectors
from opiscal.data.sides import Sides

Arrays = dict[str, NDArray[Any]]


def set_to_arrays(embeddings: EmbeddingSet) -> Arrays:
    """What is known of every row, and of the set, but the vectors.

    Examples
    --------
    >>> from opiscal.data.rows import from_arrays
    >>> rows = from_arrays([[1, 0], [0, 1], [1, 1]], ["a", "b", "b"])
    >>> again = set_from_arrays(set_to_arrays(rows))
    >>> again.labels, again.class_of_row.tolist(), again.dimensions, again.rows
    (('a', 'b'), [0, 1, 1], 2, 3)
    """
    facts = {
        "labels": embeddings.labels,
        "groups": embeddings.groups,
        "metric": embeddings.metric,
        "dimensions": embeddings.dimensions,
        "precision": embeddings.precision,
        "rows_read": embeddings.rows_read,
        "dropped": asdict(embeddings.dropped),
        "inputs": [asdict(item) for item in embeddings.inputs],
        "sample": None if embeddings.sample is None else asdict(embeddings.sample),
    }
    arrays = {
        "set.facts": np.array(json.dumps(facts)),
        "set.class_of_row": embeddings.class_of_row,
        "set.row_number": embeddings.row_number,
        "set.norms": embeddings.norms,
    }
    if embeddings.group_of_row is not None:
        arrays["set.group_of_row"] = embeddings.group_of_row
    return arrays


def set_from_arrays(arrays: Mapping[str, NDArray[Any]]) -> EmbeddingSet:
    """The set, with an empty matrix."""
    facts = json.loads(str(arrays["set.facts"]))
    unit, dimensions = facts["metric"] == "cosine", facts["dimensions"]
    vectors: Vectors = np.empty((0, dimensions), np.float32)
    if facts["precision"] == "float16":
        vectors = HalfMatrix(0, dimensions, unit=unit)
    groups, sample = facts["groups"], facts["sample"]
    return EmbeddingSet(
        vectors=vectors,
        labels=tuple(facts["labels"]),
        class_of_row=arrays["set.class_of_row"],
        row_number=arrays["set.row_number"],
        norms=arrays["set.norms"],
        metric=facts["metric"],
        rows_read=facts["rows_read"],
        dropped=DroppedRows(**facts["dropped"]),
        groups=None if groups is None else tuple(groups),
        group_of_row=None if groups is None else arrays["set.group_of_row"],
        inputs=tuple(InputFile(**item) for item in facts["inputs"]),
        sample=None if sample is None else RowSample(**sample),
    )


def sides_to_arrays(sides: Sides) -> Arrays:
    """Which rows are queries, and which are one item."""
    arrays: Arrays = {"sides.is_gallery": sides.is_gallery}
    return arrays if sides.item is None else arrays | {"sides.item": sides.item}


def sides_from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Sides | None:
    """The sides; None where the arrays are of one set."""
    if "sides.is_gallery" not in arrays:
        return None
    return Sides(arrays["sides.is_gallery"], arrays.get("sides.item"))
