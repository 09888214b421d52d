"""What an exact count will cost on this machine: measured on a small one, and carried over."""

import math
import time
from dataclasses import dataclass

import numpy as np

from opiscal.data.embedding_set import DroppedRows, EmbeddingSet
from opiscal.pairs.blocks import class_pair_shape
from opiscal.pairs.edge_targets import MOST_CLASS_PAIR_EDGES
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.sorted_rows import class_order, sort_rows
from opiscal.pairs.threads import available_threads

_TRIAL_ROWS = 6144
# Interpreter and libraries, with room for their buffers; the counting buffers of one thread.
_BASE_BYTES, _THREAD_BYTES = 300_000_000, 40_000_000
_BYTES_A_ROW, _BYTES_A_CLASS, _BYTES_A_CLASS_PAIR = 8 * 80 + 64, 12_000, 4
# Reading, the report and its figures, beside the counting.
_FIXED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Estimated cost of an exact evaluation.

    Attributes
    ----------
    seconds : float
    bytes : int
        Peak memory of the whole command.
    threads : int
        For which the time holds.
    """

    seconds: float
    bytes: int
    threads: int


def estimate_cost(embeddings: EmbeddingSet, threads: int | None = None) -> Cost:
    """Time a count of a few thousand rows of the same width, and scale it by the pairs.

    Parameters
    ----------
    embeddings : EmbeddingSet
    threads : int, optional
        Default: all cores that the process may use.

    Returns
    -------
    Cost
        The time is right to a factor of two or so; other programs on the machine slow it down.
    """
    workers = threads or available_threads()
    rate = pairs_per_second(embeddings.dimensions, workers)
    labelled = embeddings.rows - embeddings.distractors
    pairs = labelled * (labelled - 1) // 2 + labelled * embeddings.distractors
    by_pair = class_pair_shape(class_order(embeddings.class_of_row), MOST_CLASS_PAIR_EDGES)
    return Cost(
        seconds=_FIXED_SECONDS + pairs / rate,
        bytes=embeddings.vectors.nbytes
        + embeddings.rows * _BYTES_A_ROW
        + len(embeddings.labels) * _BYTES_A_CLASS
        + math.prod(by_pair) * _BYTES_A_CLASS_PAIR
        + workers * _THREAD_BYTES
        + _BASE_BYTES,
        threads=workers,
    )


def pairs_per_second(dimensions: int, threads: int | None = None) -> float:
    """How many pairs this machine counts in a second, by a trial of a few thousand rows."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((_TRIAL_ROWS, dimensions), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    classes = _TRIAL_ROWS // 16
    trial = EmbeddingSet(
        vectors=vectors,
        labels=tuple(range(classes)),
        class_of_row=np.arange(_TRIAL_ROWS, dtype=np.int32) % np.int32(classes),
        row_number=np.arange(_TRIAL_ROWS),
        norms=np.ones(_TRIAL_ROWS),
        metric="cosine",
        rows_read=_TRIAL_ROWS,
        dropped=DroppedRows(),
    )
    rows = sort_rows(trial)
    lattice = fit_lattice(rows, seed=0)
    took = np.inf
    for _ in range(2):  # the first one may have to load the compiled loops
        started = time.perf_counter()
        count_exactly(rows, lattice, threads=threads or available_threads())
        took = min(took, time.perf_counter() - started)
    return rows.pairs / took
