"""Neighbour ranks by an index, for Recall@k where pairs are not all counted."""

import numpy as np

from opiscal.data.embedding_set import EmbeddingSet
from opiscal.errors import UsageError
from opiscal.pairs.counts import NeighbourRanks
from opiscal.pairs.search import RowIndex

_BLOCK_ROWS = 8192


def recall_at_ranks(
    embeddings: EmbeddingSet, cap: int = 8, threads: int | None = None
) -> NeighbourRanks:
    """Neighbour ranks for Recall@k, without counting pairs.

    Where pairs are counted exactly the ranks fall out of the counting; this is for where they are
    not. Rows equally near come in the order of reading as far as the index finds them: among rows
    that tie across the last place it looks at, faiss chooses.

    Parameters
    ----------
    embeddings : EmbeddingSet
    cap : int
        The largest k that Recall@k can be asked for; at least 1.
    threads : int, optional
        For faiss; default: as it is set.

    Returns
    -------
    NeighbourRanks
        One rank for each row whose class has another row, in the order of reading; `cap` where
        the nearest positive is not among the `cap` nearest rows.

    Raises
    ------
    UsageError
        For `cap` below 1.

    Examples
    --------
    >>> from opiscal.data.rows import from_arrays
    >>> rows = from_arrays([[1, 0], [0.6, 0.8], [1, 0.1], [0, 1]], ["a", "a", "b", "c"])
    >>> recall_at_ranks(rows).rank.tolist()
    [1, 2]
    """
    if cap < 1:
        raise UsageError(f"cap {cap}: must be at least 1")
    of_row = embeddings.class_of_row
    queries = np.flatnonzero((of_row >= 0) & (embeddings.class_sizes()[of_row] >= 2))
    rank = np.full(queries.size, cap, np.int32)
    index = RowIndex(embeddings.vectors, embeddings.metric)
    for start in range(0, queries.size, _BLOCK_ROWS):
        part = queries[start : start + _BLOCK_ROWS]
        # One more than asked: the row itself is among them, unless cap others are the same row.
        found = index.search(embeddings.vectors[part], cap + 1, threads).index
        itself = found == part[:, None]
        positive = (of_row[found] == of_row[part][:, None]) & (found >= 0) & ~itself
        first = positive.argmax(axis=1)
        before = first - np.cumsum(itself, axis=1)[np.arange(part.size), first]
        nearest = np.where(positive.any(axis=1), before, cap)
        rank[start : start + _BLOCK_ROWS] = np.minimum(nearest, cap)
    return NeighbourRanks(rank=rank, cap=cap)
