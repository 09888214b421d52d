"""A seeded sample of pairs, from which the edges are placed before counting."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.blas import one_blas_thread
from opiscal.pairs.kernel.keys import negatives_of
from opiscal.pairs.kernel.ordering import sorted_values
from opiscal.pairs.sorted_rows import SortedRows

_ROWS = 1152
_POSITIVES = 32_768


@dataclass(frozen=True, slots=True)
class PairSample:
    """Sorted half squared distances of some pairs.

    Attributes
    ----------
    positive, negative : float32 arrays, ascending
    negatives_in_set : int
        Negative pairs of the whole set, of which `negative` is a sample.
    lengths : float
        The 95 % quantile of the rows' half squared lengths over the 5 % quantile: where it is
        large, a pair is as far as its longer row is long, and the pairs of one row lie together.
    """

    positive: NDArray[np.float32]
    negative: NDArray[np.float32]
    negatives_in_set: int
    lengths: float = 1.0


def sample_pairs(rows: SortedRows, seed: int) -> PairSample:
    """All negatives among 1,152 rows drawn without replacement, and up to 32,768 positives.

    A set with no more rows, or no more positives, is taken whole.
    """
    rng = np.random.default_rng(seed)
    chosen = np.arange(rows.rows)
    if rows.rows > _ROWS:
        chosen = np.sort(rng.choice(rows.rows, _ROWS, replace=False))
    sizes, labelled = rows.classes.class_rows, rows.classes.labelled
    positives_in_set = int((sizes * (sizes - 1) // 2).sum())
    distractors = rows.rows - labelled
    short, long = np.quantile(rows.half_norm[chosen], [0.05, 0.95])
    with ThreadPoolExecutor(1) as beside, one_blas_thread():
        negative = beside.submit(_negatives, rows, chosen)
        positive = rows.half_squared(*_positive_places(rows, rng))
    return PairSample(
        positive=sorted_values(positive),
        negative=negative.result(),
        negatives_in_set=labelled * (labelled - 1) // 2 - positives_in_set + labelled * distractors,
        lengths=float(long / short) if short > 0 else np.inf,
    )


def _negatives(rows: SortedRows, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    block, half = rows.vectors[chosen], rows.half_norm[chosen]
    found = negatives_of(block @ block.T, block, half, rows.classes.class_id[chosen])
    return np.asarray(sorted_values(found))


def _positive_places(
    rows: SortedRows, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    sizes = rows.classes.class_rows
    starts = np.cumsum(sizes) - sizes
    pairs = sizes * (sizes - 1) // 2
    if pairs.sum() == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    if pairs.sum() <= _POSITIVES:
        first, second = [], []
        for size in np.unique(sizes):
            i, j = np.triu_indices(size, 1)
            of_size = starts[sizes == size, None]
            first.append((of_size + i).ravel())
            second.append((of_size + j).ravel())
        return np.concatenate(first), np.concatenate(second)
    drawn = np.sort(rng.choice(sizes.size, _POSITIVES, p=pairs / pairs.sum()))
    a = rng.integers(0, sizes[drawn])
    b = rng.integers(0, sizes[drawn] - 1)
    return starts[drawn] + a, starts[drawn] + b + (b >= a)
