"""Rows in class order: where they lie, and how much memory that takes."""

import tracemalloc

import numpy as np
import pytest
from brute_force import embedding_set

from opiscal import evaluate
from opiscal.data.rows import from_arrays
from opiscal.pairs.kernel.permute import permute_rows
from opiscal.pairs.nearest_class import nearest_class
from opiscal.pairs.sorted_rows import sort_rows


def drawn(rows: int = 600, dimensions: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(rows)
    # Distractors, single rows and classes of many sizes, in any order.
    labels = rng.integers(-1, rows // 8, rows)
    return rng.normal(size=(rows, dimensions)) + 3.0, labels


@pytest.mark.parametrize("size", [0, 1, 2, 7, 500])
def test_rows_are_permuted_where_they_lie(size: int) -> None:
    rng = np.random.default_rng(size)
    for place in (rng.permutation(size), np.arange(size), np.roll(np.arange(size), 1)):
        rows = rng.integers(0, 2**32, (size, 3), dtype=np.uint32)
        wanted = rows[place]
        permute_rows(rows, place.astype(np.int64))
        np.testing.assert_array_equal(rows, wanted)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_sorting_in_place_gives_what_a_copy_gives(metric):
    embeddings = embedding_set(*drawn(), metric)
    given = embeddings.vectors.copy()
    copied = sort_rows(embeddings)
    np.testing.assert_array_equal(embeddings.vectors, given)
    moved = sort_rows(embeddings, in_place=True)
    assert np.shares_memory(moved.vectors, embeddings.vectors)
    for name in ("vectors", "half_norm", "centre", "read_order"):
        np.testing.assert_array_equal(getattr(moved, name), getattr(copied, name))
    assert (moved.scale, moved.largest) == (copied.scale, copied.largest)
    np.testing.assert_allclose(
        moved.vectors * np.float64(moved.scale) + moved.centre,
        given[moved.classes.place],
        rtol=1e-6,
        atol=1e-6,
    )


def test_arrays_that_are_handed_over_stay_as_they_are() -> None:
    vectors, labels = drawn(200)
    for given in (vectors, vectors.astype(np.float32)):
        before = given.copy()
        evaluate(given, np.abs(labels))
        np.testing.assert_array_equal(given, before)


def test_vectors_are_held_once() -> None:
    vectors, labels = drawn(80_000, 128)
    labels = np.abs(labels)
    vectors = vectors.astype(np.float32)
    nearest_class(sort_rows(from_arrays(vectors[:100], labels[:100] % 9), in_place=True))
    tracemalloc.start()
    try:
        embeddings = from_arrays(vectors, labels)
        rows = sort_rows(embeddings, 1, in_place=True)
        embeddings = embeddings.without_vectors()
        nearest_class(rows, 1)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert embeddings.vectors.shape == (0, 128)
    assert (embeddings.rows, embeddings.dimensions) == (80_000, 128)
    # What is kept beside a row: labels, places, norms. Blocks that are worked on are of one size.
    beside, blocks = 80_000 * 120, 15e6
    assert held < vectors.nbytes + beside
    assert peak < vectors.nbytes + beside + blocks < 1.7 * vectors.nbytes


def test_a_set_without_vectors_keeps_the_rest() -> None:
    embeddings = embedding_set(*drawn(60))
    less = embeddings.without_vectors()
    assert (less.rows, less.dimensions, less.distractors) == (60, 24, embeddings.distractors)
    assert less.class_sizes().tolist() == embeddings.class_sizes().tolist()
