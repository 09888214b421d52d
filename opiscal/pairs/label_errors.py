"""Likely label errors: rows that stand amid the rows of another class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.search import Neighbours

FEWEST_ROWS = 3
"""Rows that a class must have before it can claim a row of another."""
SHARE, MOST_OWN = 0.8, 1
# A label that four fifths of some rows carry is among the labels of the nearest three.
_CANDIDATES = 3


@dataclass(frozen=True, slots=True)
class LabelErrors:
    """Rows whose label is likely wrong, the likeliest first.

    Attributes
    ----------
    row : int64 array of shape (rows found,)
        Places in the order of reading.
    suggested : int64 array
        The class that their neighbours belong to.
    share : float64 array
        Share of the neighbours looked at that are of that class.
    own_share : float64 array
        Share of them that are of the row's own class.
    neighbours : int64 array
        Neighbours looked at.
    nearest : int64 array
        The nearest row of the suggested class.
    distance : float64 array
        Its distance.
    """

    row: NDArray[np.int64]
    suggested: NDArray[np.int64]
    share: NDArray[np.float64]
    own_share: NDArray[np.float64]
    neighbours: NDArray[np.int64]
    nearest: NDArray[np.int64]
    distance: NDArray[np.float64]

    def __len__(self) -> int:
        """Rows found."""
        return int(self.row.size)

    def head(self, most: int) -> "LabelErrors":
        """The likeliest of them."""
        return LabelErrors(
            self.row[:most], self.suggested[:most], self.share[:most], self.own_share[:most],
            self.neighbours[:most], self.nearest[:most], self.distance[:most],
        )  # fmt: skip


def find_label_errors(
    neighbours: Neighbours, class_of_row: NDArray[np.integer], threshold: float
) -> LabelErrors:
    """Find rows whose nearest rows nearly all carry one other label.

    A class of ``n`` rows, at least three, claims a row of another class when of the row's ``m``
    nearest other rows, ``m = min(k, n)``, at least 80 % are of the claiming class and at most one
    is of the row's own. No row is claimed twice. A row that is alone in its class would never have
    neighbours of its own: it is listed only where all ``m`` are of the claiming class and lie
    within the threshold. Rows without a label are not listed, but count as neighbours.

    Parameters
    ----------
    neighbours : Neighbours
        The k nearest other rows of each row, in the order of reading.
    class_of_row : int array of shape (rows,)
        -1 for a row without a class.
    threshold : float
        A distance; it bears on rows that are alone in their class.

    Returns
    -------
    LabelErrors
        By share, the largest first; then by distance, then by row.

    Examples
    --------
    >>> from opiscal.pairs.search import RowIndex
    >>> rows = np.array([[0], [1], [2], [3], [8], [9], [10], [1.5]], np.float32)
    >>> found = RowIndex(rows, "l2").search(rows, 8)
    >>> others = Neighbours(found.index[:, 1:], found.distance[:, 1:])
    >>> errors = find_label_errors(others, np.array([0, 0, 0, 0, 1, 1, 1, 1]), threshold=1.0)
    >>> errors.row.tolist(), errors.suggested.tolist(), errors.share.tolist()
    ([7], [0], [1.0])
    """
    class_id = class_of_row.astype(np.int64)
    sizes = np.bincount(class_id[class_id >= 0])
    rows, k = neighbours.index.shape
    # A row of its own for what is not there: it is of no class.
    label = np.append(class_id, -1)[neighbours.index]
    place = np.arange(k)
    parts = []
    taken = class_id < 0
    for candidate in range(min(_CANDIDATES, k)):
        claim = label[:, candidate]
        size = np.where(claim >= 0, sizes[claim], 0)
        m = np.minimum(k, size)
        looked = place < m[:, None]
        votes = np.count_nonzero(looked & (label == claim[:, None]), axis=1)
        own = np.count_nonzero(looked & (label == class_id[:, None]), axis=1)
        last = neighbours.distance[np.arange(rows), np.maximum(m, 1) - 1]
        alone = sizes[np.maximum(class_id, 0)] == 1
        claimed = (
            ~taken
            & (claim >= 0)
            & (claim != class_id)
            & (size >= FEWEST_ROWS)
            & (votes >= SHARE * m)
            & (own <= MOST_OWN)
            & (~alone | ((votes == m) & (last <= threshold)))
        )
        taken |= claimed
        here = np.flatnonzero(claimed)
        at = (label[here] == claim[here, None]).argmax(axis=1)
        parts.append(
            LabelErrors(
                row=here,
                suggested=claim[here],
                share=votes[here] / m[here],
                own_share=own[here] / m[here],
                neighbours=m[here],
                nearest=neighbours.index[here, at],
                distance=neighbours.distance[here, at],
            )
        )
    names = LabelErrors.__slots__
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    order = np.lexsort((columns["row"], columns["distance"], -columns["share"]))
    return LabelErrors(**{name: column[order] for name, column in columns.items()})
