"""`opiscal hard-pairs`: what it prints and writes, by number, and its wrong uses."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import DIGITS, PLACES, Cli, listing, write_set

FILES = [
    "class_pairs.csv", "class_pairs.parquet", "duplicates.csv", "duplicates.parquet",
    "hard_pairs.csv", "hard_pairs.json", "hard_pairs.parquet", "label_errors.csv",
    "label_errors.parquet",
]  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    """Distances of all pairs of the digits, and their labels."""
    table = pq.read_table(DIGITS)
    vectors = np.array(table["embedding"].to_pylist(), dtype=float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.array(table["label"].to_pylist())
    first, second = np.triu_indices(len(labels), 1)
    apart = np.linalg.norm(vectors[first] - vectors[second], axis=1)
    return first, second, apart, labels


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Three classes on a line, ids, a wrong label, and one vector in two classes."""
    at = [0.0, 0.1, 0.2, 0.3, 5.0, 5.1, 5.2, 5.3, 0.14, 9.0, 9.1, 9.1, 5.07]
    labels = [*"aaaa", *"bbbb", "b", *"cc", "a", None]
    ids = [f"x{k}" for k in range(len(at))]
    return write_set(tmp_path / "small.parquet", [[x, 1.0] for x in at], labels, id=pa.array(ids))


def test_the_document(cli: Cli, digits):
    first, second, apart, labels = digits
    answer = cli("hard-pairs", DIGITS, "--threshold", "distance=0.7", "--top", "40", "--json")
    assert (answer.code, answer.err) == (0, "")
    document = answer.document
    same = labels[first] == labels[second]
    negative = np.flatnonzero(~same & (apart <= 0.7))
    positive = np.flatnonzero(same & (apart > 0.7))
    assert document["accepted_negatives"] == negative.size
    assert document["rejected_positives"] == positive.size
    assert document["far"] == pytest.approx(negative.size / np.count_nonzero(~same))
    assert document["frr"] == pytest.approx(positive.size / np.count_nonzero(same))
    assert document["threshold"] == {
        "similarity": 0.755, "distance": 0.7, "cosine_distance": 0.245, "squared_l2": 0.49,
        "source": "given",
    }  # fmt: skip
    for name, found, sign in (("hard_negatives", negative, 1), ("hard_positives", positive, -1)):
        pairs = document[name]
        expected = found[np.argsort(sign * apart[found], kind="stable")][:40]
        assert len(pairs) == 40
        distances = [pair["distance"] for pair in pairs]
        np.testing.assert_allclose(distances, apart[expected], rtol=1e-6)
        assert [(p["a"]["row"], p["b"]["row"]) for p in pairs[:5]] == [
            (first[k], second[k]) for k in expected[:5]
        ]
        for pair in pairs:
            assert pair["similarity"] == pytest.approx(1 - pair["distance"] ** 2 / 2)
            assert pair["a"]["id"] is None
            assert pair["a"]["label"] == labels[pair["a"]["row"]]
    accepted = sum(pair["accepted"] for pair in document["confused_classes"])
    assert accepted == negative.size
    assert len(document["confused_classes"]) == document["class_pairs"]
    worst = document["confused_classes"][0]
    either = {worst["label_a"], worst["label_b"]}
    met = [{labels[first[k]], labels[second[k]]} == either for k in negative]
    assert worst["accepted"] == sum(met)
    assert worst["share"] == pytest.approx(worst["accepted"] / worst["pairs"])


def test_the_table(cli: Cli, small):
    answer = cli(
        "hard-pairs", small, "--threshold", "distance=0.12", "--id-column", "id", "--metric", "l2",
        "--null-label", "distractor", "--top", "2",
    )  # fmt: skip
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == Path(__file__).with_name("data").joinpath("hard_pairs.txt").read_text()


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(cli: Cli, tmp_path, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    rng = np.random.default_rng(0)
    names = ["a very long name of a class " + "of things " * k for k in range(6)]
    ids = [f"https://example.org/images/{k:010d}.jpg" for k in range(60)]
    vectors = rng.normal(size=(60, 3))
    vectors[7] = vectors[20]
    file = write_set(tmp_path / "long.parquet", vectors, names * 10, id=pa.array(ids))
    for more in ((), ("--id-column", "id")):
        answer = cli("hard-pairs", file, "--threshold", "distance=0.6", "--top", "5", *more)
        assert answer.code == 0
        assert max(map(len, answer.out.splitlines())) <= max(width, 60)
        assert "duplicates: equal vectors" in answer.out
        assert width < 80 or max(map(len, answer.out.splitlines())) <= min(width, 100)


def test_the_folder(cli: Cli, small, tmp_path):
    arguments = (
        "hard-pairs", small, "--threshold", "distance=0.12", "--id-column", "id", "--metric", "l2",
        "--null-label", "distractor", "-o", "out",
    )  # fmt: skip
    answer = cli(*arguments, "--json")
    assert answer.code == 0
    assert sorted(os.listdir("out")) == FILES
    assert json.loads(Path("out", "hard_pairs.json").read_text()) == answer.document
    for name in ("hard_pairs", "class_pairs", "label_errors", "duplicates"):
        table = pq.read_table(Path("out", f"{name}.parquet")).to_pylist()
        with open(Path("out", f"{name}.csv"), newline="") as file:
            lines = list(csv.DictReader(file))
        assert lines == [{k: "" if v is None else str(v) for k, v in row.items()} for row in table]
        assert lines
    table = pq.read_table("out/hard_pairs.parquet").to_pylist()
    assert [(r["kind"], r["id_a"], r["label_a"], r["id_b"], r["label_b"]) for r in table[:3]] == [
        ("negative", "x10", "c", "x11", "a"),
        ("negative", "x5", "b", "x12", None),
        ("negative", "x1", "a", "x8", "b"),
    ]
    assert {(r["kind"], r["label_a"] == r["label_b"]) for r in table} == {
        ("negative", False), ("positive", True),
    }  # fmt: skip
    (error,) = pq.read_table("out/label_errors.parquet").to_pylist()
    assert (error["id"], error["label"], error["suggested"]) == ("x8", "b", "a")
    same = pq.read_table("out/duplicates.parquet").to_pylist()
    assert [(r["group"], r["row"], r["id"], r["label"]) for r in same] == [
        (0, 10, "x10", "c"), (0, 11, "x11", "a"),
    ]  # fmt: skip
    # The same once more: an older one is replaced, and equal.
    before = listing(tmp_path)
    assert cli(*arguments, "-q").out.endswith("written to out\n")
    assert listing(tmp_path) == before


def test_the_folder_is_no_other(cli: Cli, small, tmp_path):
    Path("mine").mkdir()
    Path("mine", "thesis.txt").write_text("all of it")
    before = listing(tmp_path)
    answer = cli("hard-pairs", small, "--metric", "l2", "-o", "mine", "-q")
    assert answer.code == 2
    assert "something that is not a folder of hard pairs (thesis.txt)" in answer.error
    answer = cli("hard-pairs", small, "--metric", "l2", "-o", small, "-q")
    assert answer.code == 2
    assert "is a file; a folder of hard pairs is a folder" in answer.error
    assert listing(tmp_path) == before


def test_the_threshold_of_a_run(cli: Cli, places_run, tmp_path):
    report = json.loads((places_run / "report.json").read_text())
    point = report["recommended_threshold"]
    by_name = cli("hard-pairs", PLACES, "--run", places_run, "--json").document
    assert by_name["threshold"]["distance"] == point["distance"]
    assert by_name["threshold"]["source"] == f"the recommended one of {places_run}"
    assert by_name["far"] == pytest.approx(point["far"], abs=1e-5)
    assert by_name["frr"] == pytest.approx(point["frr"], abs=1e-4)
    # A run of the same input is found; one of another is not taken.
    Path("opiscal-run").symlink_to(places_run)
    found = cli("hard-pairs", PLACES, "--json").document
    assert found["threshold"]["source"] == "the recommended one of opiscal-run"
    assert found["accepted_negatives"] == by_name["accepted_negatives"]
    other = cli("hard-pairs", DIGITS, "--json").document
    assert other["threshold"]["source"] == "FAR 0.001 in a seeded sample of pairs"
    assert 0.8e-3 < other["far"] < 1.2e-3
    # Nor is that of another metric, nor one that is damaged.
    other = cli("hard-pairs", PLACES, "--metric", "l2", "--json").document
    assert other["threshold"]["source"].startswith("FAR 0.001")


def test_the_threshold_of_an_artifact(cli: Cli, places_run):
    assert cli("threshold", places_run, "--far", "0.02", "-o", "t.json", "-q").code == 0
    artifact = json.loads(Path("t.json").read_text())
    document = cli("hard-pairs", PLACES, "--threshold", "@t.json", "--json").document
    assert document["far"] == pytest.approx(artifact["far"], rel=1e-3)
    assert document["frr"] == pytest.approx(artifact["frr"], rel=1e-3)
    answer = cli("hard-pairs", PLACES, "--threshold", "@t.json", "--metric", "l2")
    assert answer.code == 2
    assert "'t.json' is a threshold for cosine, and l2 was asked for" in answer.error


def test_an_index_is_said(cli: Cli):
    arguments = ("hard-pairs", DIGITS, "--threshold", "similarity=0.85", "--top", "1")
    answer = cli(*arguments, "--index", "IVF16,Flat", "--nprobe", "2")
    assert answer.code == 0
    assert "IVF16,Flat, nprobe 2: counts of accepted pairs are lower bounds" in answer.out
    assert "(recall " in answer.out
    assert "at least " in answer.out
    assert "lower bounds" in answer.warning("approximate")
    document = cli(*arguments, "--index", "HNSW32", "--ef-search", "200", "--json", "-q").document
    exact = cli(*arguments, "--json").document
    assert document["index"] == "HNSW32, efSearch 200"
    assert (document["exact"], exact["exact"]) == (False, True)
    assert 0.5 < document["accepted_negatives"] / exact["accepted_negatives"] <= 1
    assert document["hard_positives"] == exact["hard_positives"]


def test_rows_left_out_keep_their_numbers(cli: Cli, tmp_path):
    for name, ids in (("a", [1, 2, 3, 4]), ("b", [5, 6, None, 8])):
        vectors = [[1.0, 0], None, [0.8, 0.6], [1, 0.1]]
        labels = ["p", "p", "p", "q"]
        write_set(tmp_path / f"{name}.parquet", vectors, labels, key=pa.array(ids))
    answer = cli(
        "hard-pairs", "a.parquet", "b.parquet", "--threshold", "distance=0.2", "--json",
        "--id-column", "key",
    )  # fmt: skip
    assert answer.warning("dropped_null_embedding")
    negatives = answer.document["hard_negatives"]
    assert [(p["a"]["row"], p["a"]["id"], p["b"]["row"], p["b"]["id"]) for p in negatives] == [
        (0, 1, 3, 4), (0, 1, 7, 8), (3, 4, 4, 5), (4, 5, 7, 8),
    ]  # fmt: skip
    farthest = answer.document["hard_positives"][0]
    assert (farthest["b"]["row"], farthest["b"]["id"]) in ((2, 3), (6, None))
    assert cli("hard-pairs", "a.parquet", "--id-column", "name").error.startswith(
        "opiscal: error: 'a.parquet' has no column 'name'"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--threshold", "0.72"), "--threshold '0.72': must be SCALE=VALUE with a number"),
        (("--threshold", "similarity=0,7"), "must be SCALE=VALUE"),
        (("--threshold", "similarity=1.2"), "similarity 1.2: must lie between -1 and 1"),
        (("--threshold", "angle=1"), "one of similarity, distance, cosine-distance, squared-l2"),
        (("--threshold", "similarity=0.9", "--metric", "l2"), "one of distance, squared-l2"),
        (("--threshold", "@gone.json"), "'gone.json' cannot be read"),
        (("--threshold", "distance=1", "--run", "x"), "both give a threshold"),
        (("--run", "nowhere"), "no run at 'nowhere'"),
        (("--top", "0"), "top 0: must be at least 1"),
        (("--top", "many"), "'many'"),
        (("--index", "Nonsense"), "index 'Nonsense'"),
        (("--nprobe", "4"), "nprobe 4: all pairs of 900 rows are looked at"),
        (("--nprobe", "0"), "nprobe 0: must be at least 1"),
        (("--metric", "dot"), "'dot'"),
        (("--threads", "0"), "threads 0"),
        (("--distractor-label", "none of them"), "'none of them' is the label of no row"),
        (("-o", "x" * 300), "cannot be written"),
    ],
)
def test_wrong_use(cli: Cli, tmp_path, arguments, says):
    answer = cli("hard-pairs", DIGITS, *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.error.startswith("opiscal: error: ")
    assert says in answer.error
    assert os.listdir(tmp_path) == []
