"""Nearest rows, nearest classes and neighbour ranks, against plain NumPy and the exact count."""

from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest

from opiscal.data.embedding_set import EmbeddingSet, Metric, RowPolicy
from opiscal.data.rows import from_arrays
from opiscal.errors import InputError, UsageError
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.index_choice import IndexChoice
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.list_scan import pairs_in_lists
from opiscal.pairs.nearest_class import nearest_class
from opiscal.pairs.nearest_counts import NeighbourRanks
from opiscal.pairs.neighbour_ranks import ranks_of_neighbours
from opiscal.pairs.search import RowIndex, exact_neighbours
from opiscal.pairs.sorted_rows import sort_rows


def make_set(
    metric: Metric,
    *,
    rows: int = 400,
    classes: int = 30,
    seed: int = 0,
    policy: dict[str, object] | None = None,
) -> EmbeddingSet:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, 12))
    labels = rng.integers(classes, size=rows)
    vectors = centres[labels] + 0.9 * rng.normal(size=(rows, 12))
    names = [f"c{label:02d}" for label in labels]
    return from_arrays(vectors, names, policy=RowPolicy(metric=metric, **(policy or {})))


def distances(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    gaps = queries[:, None, :].astype(float) - rows[None, :, :].astype(float)
    return np.sqrt(np.square(gaps).sum(axis=2))


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_search_finds_the_nearest_rows(metric: Metric) -> None:
    vectors = make_set(metric).vectors
    found = RowIndex(vectors[50:], metric).search(vectors[:50], 7)
    true = distances(vectors[:50], vectors[50:])
    assert np.array_equal(found.index, np.argsort(true, axis=1)[:, :7])
    np.testing.assert_allclose(found.distance, np.sort(true, axis=1)[:, :7], rtol=1e-4)
    assert found.index.dtype == np.int64
    assert found.distance.dtype == np.float64


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_fewer_rows_than_asked(metric: Metric) -> None:
    rows = np.eye(3, dtype=np.float32)
    found = RowIndex(rows, metric).search(rows, 5)
    assert found.index[:, 0].tolist() == [0, 1, 2]
    assert (found.index[:, 3:] == -1).all()
    assert np.isinf(found.distance[:, 3:]).all()
    assert (found.distance[:, 0] == 0).all()
    nothing = RowIndex(rows[:0], metric).search(rows, 2)
    assert (nothing.index == -1).all()
    assert RowIndex(rows, metric).search(rows[:0], 2).index.shape == (0, 2)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_rows_that_tie_come_in_order(metric: Metric) -> None:
    rows = np.tile(np.array([[1, 0, 0, 0], [0, 1, 0, 0]], np.float32), (4, 1))
    found = RowIndex(rows, metric).search(rows[:2], 8)
    assert found.index.tolist() == [[0, 2, 4, 6, 1, 3, 5, 7], [1, 3, 5, 7, 0, 2, 4, 6]]
    assert (found.distance[:, :4] == 0).all()
    np.testing.assert_allclose(found.distance[:, 4:], np.sqrt(2.0))


def test_l2_bears_a_common_offset_and_one_long_row() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.integers(-8, 8, size=(200, 6)).astype(np.float32)
    far_off = vectors + np.float32(1 << 20)
    true = distances(vectors[:20], vectors)
    found = RowIndex(far_off, "l2").search(far_off[:20], 5)
    np.testing.assert_array_equal(found.distance, np.sort(true, axis=1)[:, :5])
    vectors[199] *= 1e6
    found = RowIndex(vectors, "l2").search(vectors[:20], 5)
    np.testing.assert_allclose(
        found.distance, np.sort(distances(vectors[:20], vectors), axis=1)[:, :5], rtol=1e-5
    )
    huge = np.array([[3e38, 0], [-3e38, 0], [3e38, 1e38]], np.float32)
    assert RowIndex(huge, "l2").search(huge, 2).index.tolist() == [[0, 2], [1, 0], [2, 0]]


def test_wrong_questions_are_refused() -> None:
    index = RowIndex(np.eye(3, dtype=np.float32), "cosine")
    with pytest.raises(UsageError, match="k 0: must be at least 1"):
        index.search(np.eye(3, dtype=np.float32), 0)
    with pytest.raises(UsageError, match="3 dimensions"):
        index.search(np.eye(4, dtype=np.float32), 1)
    with pytest.raises(UsageError, match="cap 0"):
        ranks_of(make_set("cosine"), cap=0)


def test_threads_are_set_for_the_call_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(faiss, "omp_get_max_threads", lambda: 5)
    monkeypatch.setattr(faiss, "omp_set_num_threads", asked.append)
    rows = np.eye(3, dtype=np.float32)
    RowIndex(rows, "cosine").search(rows, 1, threads=1)
    assert asked == [1, 5]
    RowIndex(rows, "cosine").search(rows, 1)
    assert asked == [1, 5]


def brute_nearest_class(embeddings: EmbeddingSet) -> list[int]:
    means = []
    for c in range(len(embeddings.labels)):
        mean = embeddings.vectors[embeddings.class_of_row == c].astype(float).mean(axis=0)
        means.append(mean / np.linalg.norm(mean) if embeddings.metric == "cosine" else mean)
    apart = distances(np.array(means), np.array(means))
    np.fill_diagonal(apart, np.inf)
    return apart.argmin(axis=1).tolist()


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("block", [16, 8192])
def test_nearest_class(metric: Metric, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Small blocks: classes larger than a block, and several to a block.
    monkeypatch.setattr("opiscal.pairs.nearest_class._BLOCK_ROWS", block)
    monkeypatch.setattr("opiscal.pairs.class_means._BLOCK_ROWS", block)
    for classes in (2, 30, 300):
        embeddings = make_set(metric, classes=classes)
        assert nearest_class(sort_rows(embeddings)).tolist() == brute_nearest_class(embeddings)
    some = nearest_class(sort_rows(embeddings), classes=np.array([3, 7]))
    assert np.flatnonzero(some >= 0).tolist() == [3, 7]
    assert some[[3, 7]].tolist() == nearest_class(sort_rows(embeddings))[[3, 7]].tolist()


def test_distractors_are_no_class() -> None:
    vectors = [[1, 0], [1, 0.1], [1, 0.05], [0, 1], [0.1, 1]]
    labels = ["a", "a", "none", "b", "b"]
    policy = RowPolicy(distractor_labels=("none",))
    embeddings = from_arrays(vectors, labels, policy=policy)
    assert embeddings.labels == ("a", "b")
    assert nearest_class(sort_rows(embeddings)).tolist() == [1, 0]


def test_one_class_has_no_other() -> None:
    two = from_arrays(np.eye(4), ["a", "a", "b", "b"])
    one = replace(two, labels=("a",), class_of_row=np.array([0, 0, -1, -1], np.int32))
    assert nearest_class(sort_rows(one)).tolist() == [-1]


def test_a_mean_of_no_direction_and_equal_means() -> None:
    vectors = [[1, 0], [-1, 0], [0, 1], [0, 1], [0, 1], [0, 1]]
    found = nearest_class(sort_rows(from_arrays(vectors, ["a", "a", "b", "b", "c", "c"])))
    assert found[0] in (1, 2)
    assert found[1:].tolist() == [2, 1]
    # More classes with one mean than are looked at: each still gets another.
    found = nearest_class(sort_rows(from_arrays(np.ones((40, 4)), [k // 2 for k in range(40)])))
    assert (found >= 0).all()
    assert (found != np.arange(20)).all()


def ranks_of(embeddings: EmbeddingSet, cap: int = 8) -> NeighbourRanks:
    rows = sort_rows(embeddings)
    every = np.arange(rows.classes.scored_rows)
    near = exact_neighbours(rows.vectors, rows.vectors[every], min(cap + 3, rows.rows))
    return ranks_of_neighbours(rows, every, near, min(cap, near.index.shape[1] - 1))


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("classes", [5, 60, 300])
def test_ranks_equal_those_of_the_exact_count(metric: Metric, classes: int) -> None:
    embeddings = make_set(metric, classes=classes, policy={"distractor_labels": ("c01",)})
    rows = sort_rows(embeddings)
    exact = count_exactly(rows, fit_lattice(rows, seed=0)).ranks(rows, 8)
    found = ranks_of(embeddings)
    assert found.cap == exact.cap == 8
    assert found.rank.dtype == np.int32
    assert np.array_equal(np.minimum(found.rank, 8), np.minimum(exact.rank, 8))


def test_ranks_where_fewer_rows_than_the_cap() -> None:
    ranks = ranks_of(from_arrays([[1, 0], [0, 1], [0.9, 0.1]], ["a", "a", "b"]))
    assert ranks.rank.tolist() == [1, 1]


def test_ranks_of_identical_rows_take_the_row_read_first() -> None:
    ranks = ranks_of(from_arrays(np.ones((4, 4)), ["b", "a", "a", "b"]))
    # Row 0 (b) sees 1, 2 (a) before 3 (b); row 1 (a) sees 0 (b) before 2 (a); and so on.
    assert ranks.rank.tolist() == [2, 1, 1, 0]
    many = ranks_of(from_arrays(np.ones((40, 4)), [k % 2 for k in range(40)]))
    assert many.rank.size == 40
    assert (many.rank <= 8).all()


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("factory", ["Flat", "HNSW16", "IVF8,Flat"])
def test_rows_within_a_distance(metric: Metric, factory: str) -> None:
    vectors = make_set(metric).vectors
    true = distances(vectors, vectors)
    radius = float(np.quantile(true, 0.05))
    index = RowIndex(vectors, metric, IndexChoice(factory, nprobe=8 if "IVF" in factory else None))
    found = np.zeros(true.shape, bool)
    for start, bounds, places in index.within(vectors, radius):
        for k in range(bounds.size - 1):
            found[start + k, places[bounds[k] : bounds[k + 1]]] = True
    clear = np.abs(true - radius) > 1e-5
    # What is found is within it, and where every list is looked through nothing is missed.
    assert not (found & clear & (true > radius)).any()
    if factory != "HNSW16":
        assert np.array_equal(found[clear], (true <= radius)[clear])
    assert index.exact == (factory == "Flat")


def test_an_approximate_index_says_what_it_is_and_misses_rows() -> None:
    vectors = make_set("cosine", rows=2000, classes=100).vectors
    index = RowIndex(vectors, "cosine", IndexChoice("IVF64,Flat", nprobe=1), seed=3)
    assert index.description == "IVF64,Flat, nprobe 1"
    exact = RowIndex(vectors, "cosine").search(vectors, 10).index
    found = index.search(vectors, 10)
    recall = np.mean([np.isin(a, b).mean() for a, b in zip(exact, found.index, strict=True)])
    assert 0.2 < recall < 0.999
    again = RowIndex(vectors, "cosine", IndexChoice("IVF64,Flat", nprobe=1), seed=3)
    assert np.array_equal(again.search(vectors, 10).index, found.index)
    assert (found.distance[found.index < 0] == np.inf).all()


def test_the_automatic_index_is_flat_up_to_fifty_thousand_rows() -> None:
    assert IndexChoice().resolved(50_000) == "Flat"
    assert IndexChoice().resolved(50_001) == "IVF512,Flat"
    assert IndexChoice().resolved(1_000_000) == "IVF2048,Flat"
    assert IndexChoice("HNSW32").resolved(10) == "HNSW32"


def test_indexes_that_cannot_be_had() -> None:
    rows = make_set("cosine").vectors
    with pytest.raises(UsageError, match=r"index 'IFV8,Flat': not an index that faiss can make"):
        RowIndex(rows, "cosine", IndexChoice("IFV8,Flat"))
    with pytest.raises(UsageError, match=r"index 'IVF4096,Flat': cannot be trained on 400 rows"):
        RowIndex(rows, "cosine", IndexChoice("IVF4096,Flat"))
    with pytest.raises(UsageError, match=r"nprobe 4: not a parameter of this index"):
        RowIndex(rows, "cosine", IndexChoice("Flat", nprobe=4))
    with pytest.raises(UsageError, match="ef-search 0: must be at least 1"):
        IndexChoice(ef_search=0)


def test_an_index_is_saved_for_faiss(tmp_path: Path) -> None:
    rows = make_set("l2").vectors
    RowIndex(rows, "l2", IndexChoice("HNSW8")).save(tmp_path / "rows.faiss")
    assert faiss.read_index(str(tmp_path / "rows.faiss")).ntotal == 400
    with pytest.raises(InputError, match="cannot be written"):
        RowIndex(rows, "l2").save(tmp_path / "none" / "rows.faiss")


@pytest.mark.parametrize("rows", [400, 2500])
def test_lists_that_are_multiplied_show_what_a_search_finds(rows: int) -> None:
    # Lists of more rows than a tile has, and of fewer.
    sorted_set = sort_rows(make_set("l2", rows=rows))
    index = RowIndex(sorted_set.vectors, "l2", IndexChoice("IVF2,Flat", nprobe=1))
    radius = float(np.quantile(distances(sorted_set.vectors[:200], sorted_set.vectors), 0.02))
    lists = index.lists(sorted_set.vectors)
    assert lists is not None
    assert lists.shape == (rows, 1)
    found = set(zip(*(a.tolist() for a in pairs_in_lists(sorted_set, lists, radius)), strict=True))
    searched = {
        (start + k, int(place))
        for start, bounds, places in index.within(sorted_set.vectors, radius)
        for k in range(bounds.size - 1)
        for place in places[bounds[k] : bounds[k + 1]]
    }
    rounding = found ^ searched
    assert len(rounding) <= 1e-4 * len(found)
    row, partner = np.array(sorted(rounding), int).reshape(-1, 2).T
    away = np.sqrt(2.0 * sorted_set.half_squared(row, partner).astype(float))
    np.testing.assert_allclose(away, radius, rtol=1e-5)
    assert RowIndex(sorted_set.vectors, "l2").lists(sorted_set.vectors) is None


def test_an_index_that_cannot_search_by_distance() -> None:
    vectors = make_set("l2").vectors
    index = RowIndex(vectors, "l2", IndexChoice("PQ4x4fs"))
    with pytest.raises(UsageError, match="faiss cannot search it by distance"):
        list(index.within(vectors, 1.0))
