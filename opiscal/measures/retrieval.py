"""Recall@k from neighbour ranks."""

import numpy as np

from opiscal.errors import UsageError
from opiscal.pairs.nearest_counts import NeighbourRanks

RECALL_AT = (1, 2, 4, 8)


def recall_at(ranks: NeighbourRanks, k: int) -> float:
    """Share of the queries with a row of their own class among their k nearest rows.

    Queries are the rows whose class has another row. A row is not its own neighbour; rows equally
    near come in the order of reading.

    Parameters
    ----------
    ranks : NeighbourRanks
        With at least one query.
    k : int
        From 1 to ``ranks.cap``.

    Returns
    -------
    float, in [0, 1]

    Raises
    ------
    UsageError
        For another k.

    Examples
    --------
    >>> recall_at(NeighbourRanks(np.array([0, 1, 5, 0]), np.zeros(4, int), cap=8), 2)
    0.75
    """
    if not 1 <= k <= ranks.cap:
        raise UsageError(f"Recall@{k}: ranks were counted for k from 1 to {ranks.cap}")
    return float(np.mean(ranks.rank < k))
