"""Hard pairs against plain loops over all pairs, and what must hold whatever the index."""

from dataclasses import asdict

import hard_pair_oracles as oracle
import numpy as np
import pytest

import opiscal
from opiscal.data.embedding_set import EmbeddingSet, Metric, RowPolicy
from opiscal.data.rows import from_arrays
from opiscal.errors import InconclusiveError, InputError, UsageError
from opiscal.mining import MiningConfig, mine
from opiscal.pairs import class_confusions
from opiscal.pairs.index_choice import IndexChoice
from opiscal.report.hard_pairs import HardPairs
from opiscal.report.threshold_source import GivenThreshold


def make_set(metric: Metric, kind: str, seed: int = 0, rows: int = 130) -> EmbeddingSet:
    """Rows about centres, some with a wrong label, some twice, some without a label."""
    rng = np.random.default_rng(seed)
    classes = 12
    labels = np.sort(rng.integers(classes, size=rows))
    labels[-2:] = [50, 51]
    if kind == "tied":
        # Signs: equal and opposite coordinates, so that distances are few.
        vectors = rng.choice([-1.0, 1.0], size=(rows, 6))
    elif kind == "long":
        vectors = rng.normal(size=(rows, 8)) + 1.5 * rng.normal(size=(60, 8))[labels]
        vectors[3] *= 1e6
    else:
        vectors = rng.normal(size=(rows, 8)) + 3 * rng.normal(size=(60, 8))[labels]
    labels[rng.choice(rows, 8, replace=False)] = 3
    vectors[40], vectors[70], vectors[-1] = vectors[10], vectors[10], vectors[20]
    order = rng.permutation(rows)
    names = [None if k % 17 == 0 else f"c{label:02d}" for k, label in enumerate(labels[order])]
    policy = RowPolicy(metric=metric, null_label="distractor")
    return from_arrays(vectors[order], names, policy=policy)


SETS = [(m, k, s) for m in ("cosine", "l2") for k in ("spread", "tied", "long") for s in (0, 1)]


def assert_equals_oracle(embeddings: EmbeddingSet, threshold: float, top: int) -> HardPairs:
    vectors = embeddings.vectors.astype(float).tolist()
    classes = embeddings.class_of_row.tolist()
    found = mine(embeddings, MiningConfig(top=top), GivenThreshold(threshold))
    pairs = oracle.all_pairs(vectors)

    def same(items, expected):
        assert [(p.a.row, p.b.row) for p in items] == [(a, b) for _, a, b in expected[:top]]
        np.testing.assert_allclose(
            [p.distance for p in items], [d for d, _, _ in expected[:top]], rtol=1e-12
        )

    accepted = oracle.accepted_negatives(pairs, classes, threshold)
    same(found.hard_negatives, accepted)
    assert found.accepted_negatives == len(accepted)
    assert found.negative == sum(classes[a] != classes[b] for _, a, b in pairs)
    rejected = oracle.rejected_positives(pairs, classes, threshold)
    same(found.hard_positives, rejected)
    assert found.rejected_positives == len(rejected)

    confused = oracle.class_pairs(accepted, classes)
    assert found.class_pairs == len(confused)
    labels = embeddings.labels
    assert [
        (c.label_a, c.label_b, c.accepted, c.pairs, c.rows_a * c.rows_b)
        for c in found.confused_classes
    ] == [(labels[a], labels[b], n, pairs, pairs) for a, b, n, pairs, _ in confused[:top]]
    np.testing.assert_allclose(
        [c.nearest.distance for c in found.confused_classes],
        [nearest[0] for *_, nearest in confused[:top]],
        rtol=1e-5, atol=1e-9,
    )  # fmt: skip

    errors = oracle.label_errors(oracle.neighbours(vectors, 10), classes, threshold)
    assert found.label_errors_found == len(errors)
    assert [
        (e.row.row, e.suggested, e.share, e.own_share, e.neighbours, e.nearest.row)
        for e in found.label_errors
    ] == [(row, labels[c], *more) for row, c, *more, _ in errors[:top]]

    same_rows = oracle.duplicates(vectors, classes)
    assert found.duplicates_found == len(same_rows)
    assert [[r.row for r in g.rows] for g in found.duplicates] == same_rows[:top]
    return found


@pytest.mark.parametrize(("metric", "kind", "seed"), SETS)
@pytest.mark.parametrize("quantile", [0.02, 0.3])
def test_all_of_it_equals_plain_loops(metric, kind, seed, quantile):
    embeddings = make_set(metric, kind, seed)
    vectors = embeddings.vectors.astype(float).tolist()
    apart = sorted(d for d, _, _ in oracle.all_pairs(vectors))
    # The distance of a pair: it is accepted.
    threshold = apart[int(quantile * len(apart))]
    found = assert_equals_oracle(embeddings, threshold, top=25)
    assert found.exact
    assert found.recall is None
    if kind == "spread" and quantile == 0.3:
        assert found.label_errors_found > 0
    assert found.duplicates_found > 0 or found.classes < 3


@pytest.mark.parametrize("threshold", [0.0, 5.0])
def test_tiny_sets(threshold):
    rows = from_arrays([[0.0], [1.0], [0.0]], ["a", "a", "b"], policy=RowPolicy(metric="l2"))
    found = assert_equals_oracle(rows, threshold, top=7)
    assert [[r.row for r in group.rows] for group in found.duplicates] == [[0, 2]]
    assert found.far == (0.5 if threshold == 0.0 else 1.0)
    assert found.frr == (1.0 if threshold == 0.0 else 0.0)


def test_minus_zero_is_zero():
    found = opiscal.hard_pairs([[0.0, 1.0], [-0.0, 1.0], [3.0, 1.0]], list("aba"), threshold=0.1)
    assert [[r.row for r in group.rows] for group in found.duplicates] == [[0, 1]]


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_blocks_and_large_classes(metric, monkeypatch):
    """A class over several blocks, many blocks, and class pairs that are put in order early."""
    monkeypatch.setattr("opiscal.pairs.near_scan._BLOCK_ROWS", 16)
    monkeypatch.setattr("opiscal.pairs.near_scan._TILE_ROWS", 5)
    monkeypatch.setattr("opiscal.pairs.far_positives._BLOCK_ROWS", 7)
    monkeypatch.setattr(class_confusions, "_MOST_PENDING", 10)
    embeddings = make_set(metric, "spread", 3, rows=150)
    classes = embeddings.class_of_row.copy()
    classes[(classes > 0) & (classes < 5)] = 0
    from_scratch = from_arrays(
        embeddings.vectors, classes.tolist(), policy=RowPolicy(metric=metric)
    )
    assert from_scratch.class_sizes().max() > 32
    assert_equals_oracle(from_scratch, 1.0 if metric == "cosine" else 6.0, top=4)


def test_threads_change_nothing():
    embeddings = make_set("cosine", "spread", 5, rows=2500)
    given = GivenThreshold(0.5)
    one = mine(embeddings, MiningConfig(threads=1), given)
    assert asdict(mine(embeddings, MiningConfig(threads=3), given)) == asdict(one)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("factory", ["IVF4,Flat", "HNSW16", "IVF2,SQ8"])
def test_an_index_gives_lower_bounds(metric, factory):
    embeddings = make_set(metric, "spread", 2, rows=600)
    given = GivenThreshold(0.6 if metric == "cosine" else 4.0)
    exact = mine(embeddings, MiningConfig(top=10_000), given)
    choice = IndexChoice(factory, nprobe=1 if factory.startswith("IVF") else None)
    found = mine(embeddings, MiningConfig(top=10_000, index=choice), given)
    assert not found.exact
    assert found.index.startswith(factory)
    assert 0 < found.accepted_negatives <= exact.accepted_negatives
    assert 0.2 < found.recall <= 1.0
    counts = {(c.label_a, c.label_b): c.accepted for c in exact.confused_classes}
    assert all(c.accepted <= counts[c.label_a, c.label_b] for c in found.confused_classes)
    # Pairs that are found are true, and each is listed once.
    distances = {(p.a.row, p.b.row): p.distance for p in exact.hard_negatives}
    listed = {(p.a.row, p.b.row): p.distance for p in found.hard_negatives}
    assert len(listed) == len(found.hard_negatives)
    assert all(distances[rows] == distance for rows, distance in listed.items())
    # These do not go through the index.
    assert found.hard_positives == exact.hard_positives
    assert found.duplicates == exact.duplicates


def test_an_index_that_looks_everywhere_misses_nothing():
    embeddings = make_set("cosine", "spread", 2, rows=600)
    given = GivenThreshold(0.6)
    exact = mine(embeddings, MiningConfig(), given)
    found = mine(embeddings, MiningConfig(index=IndexChoice("IVF4,Flat", nprobe=4)), given)
    assert found.recall == 1.0
    for name in ("hard_negatives", "confused_classes", "label_errors", "accepted_negatives"):
        assert getattr(found, name) == getattr(exact, name), name


def test_the_nearest_class_is_that_of_the_class_table():
    from opiscal.pairs.nearest_class import nearest_class
    from opiscal.pairs.sorted_rows import sort_rows

    embeddings = make_set("cosine", "spread", 4, rows=400)
    nearest = nearest_class(sort_rows(embeddings))
    place = {label: k for k, label in enumerate(embeddings.labels)}
    found = mine(embeddings, MiningConfig(), GivenThreshold(1.2))
    for pair in found.confused_classes:
        a, b = place[pair.label_a], place[pair.label_b]
        assert pair.nearest_means == (nearest[a] == b or nearest[b] == a)
    assert {pair.nearest_means for pair in found.confused_classes} == {True, False}


def test_a_threshold_from_a_sample():
    embeddings = make_set("cosine", "spread", 6, rows=1000)
    found = mine(embeddings, MiningConfig())
    # A set of so few rows is its own sample.
    assert found.far == pytest.approx(1e-3, rel=0.01)
    assert found.threshold.source == "FAR 0.001 in a seeded sample of pairs"
    # Too few pairs for that: the nearest one.
    few = opiscal.hard_pairs([[0.0, 1], [0.1, 1], [0.5, 1], [2, 1]], list("aabb"))
    assert few.accepted_negatives == 1
    assert few.threshold.source == "FAR 0.25 in a seeded sample of pairs"


def test_without_negatives_in_the_sample():
    labels = ["a"] * 20_000 + ["b"]
    vectors = np.random.default_rng(0).normal(size=(20_001, 2))
    with pytest.raises(InconclusiveError, match="give one with --threshold"):
        opiscal.hard_pairs(vectors, labels, seed=1)


def test_ids_and_labels_are_carried_through():
    vectors = [[0.0, 1], [1, 1], [np.nan, 1], [1, 1.01], [0.1, 1]]
    found = opiscal.hard_pairs(
        vectors, ["a", "b", "a", "a", "b"], ["p", "q", "r", "s", None], threshold=0.1
    )
    pair = found.hard_negatives[0]
    assert (pair.a.row, pair.a.id, pair.a.label) == (1, "q", "b")
    assert (pair.b.row, pair.b.id, pair.b.label) == (3, "s", "a")
    assert pair.similarity == pytest.approx(0.99998763, abs=1e-7)
    assert found.hard_negatives[1].b.id is None
    document = found.to_dict()
    assert document["id_column"] == "ids"
    assert document["hard_negatives"][0]["a"] == {"row": 1, "id": "q", "label": "b"}
    table = found.tables()["hard_pairs"]
    assert (table["kind"][0], table["id_a"][0], table["label_b"][0]) == ("negative", "q", "a")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"top": 0}, "top 0: must be at least 1"),
        ({"threshold": 2.5}, "threshold 2.5: a distance under cosine lies between 0 and 2"),
        ({"threshold": float("nan")}, "threshold nan"),
        ({"metric": "dot"}, "metric 'dot': must be cosine or l2"),
        ({"index": "Nonsense"}, "index 'Nonsense'"),
        ({"index": IndexChoice(nprobe=3)}, "nprobe 3: all pairs of 4 rows are looked at"),
        ({"threads": 0}, "threads 0"),
    ],
)
def test_wrong_settings(settings, says):
    with pytest.raises(UsageError, match=says):
        opiscal.hard_pairs(np.eye(4), list("aabb"), **settings)


def test_too_few_ids():
    with pytest.raises(InputError, match="4 vectors and 2 ids"):
        opiscal.hard_pairs(np.eye(4), list("aabb"), ["x", "y"])


def test_an_index_that_does_not_search_by_distance():
    embeddings = make_set("cosine", "spread", 2, rows=600)
    with pytest.raises(UsageError, match="cannot search it by distance"):
        mine(embeddings, MiningConfig(index=IndexChoice("PQ4x4fs")), GivenThreshold(0.6))
