"""Near pairs by an approximate index: for more rows than all pairs can be looked at."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet
from opiscal.pairs.class_confusions import Cell, ConfusionTally, merged
from opiscal.pairs.index_choice import IndexChoice
from opiscal.pairs.kernel.near_scan import pair_distances
from opiscal.pairs.near_pairs import NearPairs, measured_neighbours
from opiscal.pairs.search import RowIndex
from opiscal.pairs.top_pairs import TopPairs

_FIRST_QUERIES, _MOST_QUERIES, _MOST_FOUND = 8, 4096, 1 << 21
_SPARE = 2
_SAMPLED_ROWS, _STRIP = 512, 1 << 13
# The index rounds distances; what it finds a little beyond is measured and left out.
_WIDER = 1.0 + 1e-4


def index_near_pairs(
    embeddings: EmbeddingSet,
    threshold: float,
    choice: IndexChoice,
    *,
    k: int,
    top: int,
    seed: int = 0,
    threads: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> NearPairs:
    """Search an index for the nearest rows of each row, and for those within a threshold.

    Every distance is then taken from the rows themselves: a pair that is found is accepted without
    doubt, but some are not found. A pair of classes has as many as were found from the rows of the
    one class or of the other, whichever are more; all counts are lower bounds.

    Parameters
    ----------
    embeddings : EmbeddingSet
    threshold : float
    choice : IndexChoice
    k : int
        Neighbours of each row.
    top : int
        Pairs, and class pairs, that are wanted.
    seed : int
        Of the rows the index is trained on, and of those its recall is measured on.
    threads : int, optional
    advance : callable, optional
        Called with the rows done since the last call.

    Returns
    -------
    NearPairs

    Raises
    ------
    UsageError
        For an index that faiss cannot make of these rows, or that does not search by distance.
    """
    vectors, class_id = np.asarray(embeddings.vectors), embeddings.class_of_row.astype(np.int64)
    index = RowIndex(vectors, embeddings.metric, choice, seed=seed, threads=threads)
    rows = len(vectors)
    sizes = embeddings.class_sizes()
    tally = ConfusionTally(sizes, np.zeros(sizes.size, np.bool_), top)
    best = TopPairs(vectors, top)
    found_of_row = np.zeros(rows, np.int64)
    loose = np.zeros(2, np.int64)
    for query, found in _within(index, vectors, threshold, threads, advance):
        # Distractors are of class -1 all of them, and make no pair among themselves.
        other = class_id[query] != class_id[found]
        query, found = query[other], found[other]
        distance = pair_distances(vectors, query, found)
        accepted = distance <= threshold
        query, found, distance = query[accepted], found[accepted], distance[accepted]
        found_of_row += np.bincount(query, minlength=rows)
        near = distance <= best.limit
        best.offer(np.minimum(query, found)[near], np.maximum(query, found)[near])
        a, b = class_id[query], class_id[found]
        loose += (np.count_nonzero(a < 0), np.count_nonzero(b < 0))
        named = (a >= 0) & (b >= 0)
        tally.add(_cells(a[named], b[named], distance[named], query[named], found[named], tally))
    confusions, class_pairs, accepted_pairs = tally.finish()
    candidates = index.search(vectors, min(k + _SPARE + 1, rows), threads).index
    # A row is no neighbour of its own, and stands anywhere among rows that are identical.
    candidates[candidates == np.arange(rows)[:, None]] = -1
    some = _sample(rows, seed)
    in_sample = _accepted_of(vectors, class_id, threshold, some)
    found_in_sample = int(found_of_row[some].sum())
    return NearPairs(
        neighbours=measured_neighbours(vectors, candidates, k),
        accepted=accepted_pairs + int(loose.max()),
        nearest=best.pairs(),
        confusions=confusions,
        class_pairs=class_pairs,
        index=index.description,
        recall=min(1.0, found_in_sample / in_sample) if in_sample else None,
        recall_pairs=in_sample,
        exact=False,
    )


def _cells(
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    distance: NDArray[np.float64],
    query: NDArray[np.int64],
    found: NDArray[np.int64],
    tally: ConfusionTally,
) -> Cell:
    forward = (a < b).astype(np.int64)
    return merged(
        [
            Cell(
                code=np.minimum(a, b) * tally.classes + np.maximum(a, b),
                forward=forward,
                backward=1 - forward,
                value=distance,
                row_a=np.minimum(query, found),
                row_b=np.maximum(query, found),
            )
        ]
    )


def _within(
    index: RowIndex,
    vectors: NDArray[np.float32],
    threshold: float,
    threads: int | None,
    advance: Callable[[int], None] | None,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Queries and what is found within the threshold, so many at a time that memory holds them."""
    start, queries = 0, _FIRST_QUERIES
    while start < len(vectors):
        part = vectors[start : start + queries]
        total = 0
        for first, bounds, found in index.within(part, threshold * _WIDER, threads):
            query = np.repeat(np.arange(bounds.size - 1), np.diff(bounds)) + start + first
            total += found.size
            other = found != query
            yield query[other], found[other]
        if advance is not None:
            advance(len(part))
        start += len(part)
        fitting = int(_MOST_FOUND * len(part) / max(1, total))
        queries = max(1, min(_MOST_QUERIES, 4 * len(part), fitting))


def _sample(rows: int, seed: int) -> NDArray[np.int64]:
    """Rows on which it is measured what the index misses."""
    drawn = np.random.default_rng(seed).choice(rows, min(rows, _SAMPLED_ROWS), replace=False)
    return np.sort(drawn)


def _accepted_of(
    vectors: NDArray[np.float32],
    class_id: NDArray[np.int64],
    threshold: float,
    some: NDArray[np.int64],
) -> int:
    """Accepted negative pairs of some rows with all others, a pair of two of them twice."""
    queries = vectors[some].astype(np.float64)
    half = 0.5 * np.einsum("ij,ij->i", queries, queries)
    accepted = 0
    for start in range(0, len(vectors), _STRIP):
        strip = vectors[start : start + _STRIP].astype(np.float64)
        half_strip = 0.5 * np.einsum("ij,ij->i", strip, strip)
        squared = 2.0 * (half[:, None] + half_strip - queries @ strip.T)
        other = class_id[some, None] != class_id[None, start : start + _STRIP]
        accepted += int(np.count_nonzero((squared <= threshold * threshold) & other))
    return accepted
