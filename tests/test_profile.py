"""What `opiscal inspect` says: counts, duplicates and lengths against plain loops."""

import itertools
import json

import numpy as np
import pytest

from opiscal.data import profile as module
from opiscal.data.embedding_set import DroppedRows, RowPolicy
from opiscal.data.profile import ClassSizes, DuplicateExample, profile
from opiscal.data.rows import from_arrays

L2 = RowPolicy(metric="l2")


def test_sizes_and_reasons():
    vectors = np.vstack([np.eye(9), np.zeros((1, 9)), np.full((1, 9), np.nan)])
    labels = [4, 4, 4, 1, 1, 7, None, "x", "x", 4, 4]
    labels = [label if label is None else str(label) for label in labels]
    found = profile(from_arrays(vectors, labels, policy=RowPolicy(distractor_labels=("x",))))
    assert (found.rows_read, found.rows_used, found.dimensions) == (11, 8, 9)
    assert found.dropped == DroppedRows(null_label=1, non_finite=1, zero_norm=1)
    assert (found.classes, found.classes_scored, found.classes_singleton) == (3, 2, 1)
    assert found.class_size == ClassSizes(min=1, median=2.0, max=3)
    assert found.distractors == 2


def test_pairs_equal_a_loop_over_pairs():
    labels = ["a", "b", "a", None, "c", "b", None, "a", None, "d"]
    rows = from_arrays(np.eye(10), labels, policy=RowPolicy(null_label="distractor"))
    found = profile(rows)
    pairs = list(itertools.combinations(labels, 2))
    positive = sum(one == other for one, other in pairs if one is not None)
    negative = sum(one != other for one, other in pairs)
    assert (found.positive_pairs, found.negative_pairs) == (positive, negative)


def test_pairs_of_many_rows_are_python_integers():
    vectors = np.ones((100_000, 1), dtype=np.float32)
    found = profile(from_arrays(vectors, np.arange(100_000) % 2))
    assert found.positive_pairs == 2 * (50_000 * 49_999 // 2)
    assert found.negative_pairs == 50_000**2
    assert type(found.negative_pairs) is int
    assert found.duplicates.rows == 99_999
    assert found.duplicates.groups == 1
    assert found.duplicates.examples == (DuplicateExample(0, 0, 1, 1, 100_000),)


def test_norms_as_given():
    vectors = np.array([[1.0, 0], [0, 1.0005], [3, 4], [0, 0.5], [1.0015, 0]])
    norms = profile(from_arrays(vectors, [0, 0, 1, 1, 0])).norms
    assert norms.unit_share == pytest.approx(0.4)
    assert (norms.min, norms.max) == (0.5, 5.0)
    assert norms.median == pytest.approx(1.0005)


def duplicates_by_loop(vectors, classes):
    groups = {}
    for row, vector in enumerate(vectors):
        groups.setdefault(vector.tobytes(), []).append(row)
    groups = [rows for rows in groups.values() if len(rows) > 1]
    across = [rows for rows in groups if len({int(classes[row]) for row in rows}) > 1]
    return sum(len(rows) - 1 for rows in groups), len(groups), across


@pytest.mark.parametrize("distinct", [1, 5, 100, 5000])
@pytest.mark.parametrize("kind", ["signs", "normal"])
def test_duplicates_equal_a_loop(distinct, kind):
    rng = np.random.default_rng(distinct)
    vectors = rng.standard_normal((distinct, 33)).astype(np.float32)
    if kind == "signs":
        vectors = np.sign(vectors)
    vectors = vectors[rng.integers(0, distinct, 1000)]
    labels = rng.integers(0, 4, 1000)
    rows = from_arrays(vectors, labels, policy=RowPolicy("l2", distractor_labels=("3",)))
    found = profile(rows).duplicates
    count, groups, across = duplicates_by_loop(rows.vectors, rows.class_of_row)
    assert (found.rows, found.groups) == (count, groups)
    assert found.groups_across_classes == len(across)
    assert len(found.examples) == min(10, len(across))
    for example, group in zip(found.examples, across, strict=False):
        other = next(row for row in group if labels[row] != labels[group[0]])
        assert (example.row, example.other_row, example.rows) == (group[0], other, len(group))
        expected = [None if labels[row] == 3 else labels[row] for row in (group[0], other)]
        assert [example.label, example.other_label] == expected


def test_examples_carry_row_numbers_of_the_input():
    vectors = np.array([[0.0, 0], [1, 0], [0, 1], [5, 0]])
    found = profile(from_arrays(vectors, ["a", "a", "a", "b"])).duplicates
    assert found.examples == (DuplicateExample(1, "a", 3, "b", 2),)


def test_rows_of_one_hash_are_compared_in_full(monkeypatch):
    hashes = module._hashes
    seeds = []

    def weak(bits, seed):
        seeds.append(seed)
        return hashes(bits, seed) % np.uint64(3) if seed < 2 else hashes(bits, seed)

    monkeypatch.setattr(module, "_hashes", weak)
    vectors = np.array([[1.0], [2], [3], [4], [2], [5], [6], [7]])
    found = profile(from_arrays(vectors, [0, 0, 0, 0, 1, 1, 1, 1], policy=L2)).duplicates
    assert seeds == [0, 1, 2]
    assert (found.rows, found.groups) == (1, 1)
    assert found.examples == (DuplicateExample(1, 0, 4, 1, 2),)


def test_to_dict_is_json():
    vectors = np.array([[1.0, 0], [2, 0], [0, 1], [0, 3]])
    found = profile(from_arrays(vectors, ["a", "b", "b", "b"]))
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document == found.to_dict()
    assert document["class_size"] == {"min": 1, "median": 2.0, "max": 3}
    assert document["dropped"]["null_label"] == 0
    assert document["norms"] == {"unit_share": 0.5, "min": 1.0, "median": 1.0, "max": 3.0}
    assert document["duplicates"] == {
        "rows": 2,
        "groups": 2,
        "groups_across_classes": 1,
        "examples": [{"row": 0, "label": "a", "other_row": 1, "other_label": "b", "rows": 2}],
    }
    assert (document["positive_pairs"], document["negative_pairs"]) == (3, 3)
