"""The table of classes as the script of the page reads it: columns of coded numbers."""

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label, Metric
from opiscal.measures.operating_points import threshold_scales
from opiscal.report.class_table import ClassTable
from opiscal.report.number_text import distance_text, similarity_text
from opiscal.report.page.names import Names
from opiscal.report.page.whole_numbers import as_text, coded


def class_order(table: ClassTable, most: int) -> NDArray[np.int64]:
    """The classes of lowest mean utility, the lowest first; ties in the order of labels."""
    return np.argsort(table.mean_utility, kind="stable")[:most]


def shown_labels(table: ClassTable, kept: NDArray[np.int64]) -> list[Label]:
    """Labels of the kept classes, and after them those that are nearest to one and not kept."""
    labels = [table.label[i] for i in kept]
    known = set(labels)
    nearest = (table.nearest_class[i] for i in kept)
    more = dict.fromkeys(label for label in nearest if label is not None and label not in known)
    return labels + list(more)


def class_columns(
    table: ClassTable,
    kept: NDArray[np.int64],
    labels: list[Label],
    names: Names,
    metric: Metric,
) -> dict[str, object]:
    """Columns of the kept classes.

    Parameters
    ----------
    table : ClassTable
    kept : int64 array of shape (S,)
    labels : list
        What `shown_labels` gives.
    names : Names
    metric : "cosine" or "l2"

    Returns
    -------
    dict
        ``names`` as strings; ``rows``, ``positives``, ``negatives``, ``best`` (a place in
        ``best_texts``, which ascend in distance) and ``nearest`` (a place in ``names`` plus one,
        or 0) as whole numbers; ``utility``, ``error`` and ``share`` as little-endian float32.
    """
    place = {label: k for k, label in enumerate(labels, 1)}
    best, of_class = np.unique(table.best_threshold[kept], return_inverse=True)
    nearest = [place.get(table.nearest_class[i], 0) for i in kept]
    return {
        "names": [names.show(label) for label in labels],
        "rows": as_text(coded(table.rows[kept])),
        "positives": as_text(coded(table.positives[kept])),
        "negatives": as_text(coded(table.negatives[kept])),
        "best_texts": [best_text(float(d), metric) for d in best],
        "best": as_text(coded(of_class)),
        "nearest": as_text(coded(nearest)),
        "utility": _floats(table.mean_utility[kept]),
        "error": _floats(table.utility_error[kept]),
        "share": _floats(table.opis_share[kept]),
    }


def best_text(distance: float, metric: Metric) -> str:
    """A threshold as the table shows it: under ``cosine`` the similarity, rounded up.

    Examples
    --------
    >>> best_text(1.0, "cosine"), best_text(1.23456789, "l2")
    ('0.5', '1.23456')
    """
    similarity = threshold_scales(distance, metric)["similarity"]
    return distance_text(distance) if similarity is None else similarity_text(similarity)


def _floats(values: NDArray[np.float64]) -> str:
    return as_text(values.astype("<f4").tobytes())
