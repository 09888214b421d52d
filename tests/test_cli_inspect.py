"""`opiscal inspect`: what is in a file, on a crafted one whose every number is known."""

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import PLACES, Cli, write_set


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short trial: the estimate is of no interest here but for being one."""
    monkeypatch.setattr("opiscal.pairs.cost._TRIAL_ROWS", 512)


@pytest.fixture
def crafted(tmp_path: Path) -> Path:
    """20 rows: 3 classes of 4, 3 and 2, two alone, and rows of every kind that is left out."""
    rows: list[tuple[object, object]] = []
    rng = np.random.default_rng(2)
    for label, count in (("a", 4), ("b", 3), ("c", 2), ("alone", 1), ("", 1)):
        rows += [(rng.standard_normal(4) * 3, label) for _ in range(count)]
    same = [1.0, 0.0, 0.0, 0.0]
    rows += [(same, "a"), (same, "b"), (same, "b")]  # a vector of two classes, three times
    rows += [
        (same, None),
        (None, "a"),
        ([np.nan, 0, 0, 0], "a"),
        ([0, np.inf, 0, 0], "b"),
        ([0.0] * 4, "c"),
        ([0.0] * 4, "c"),
    ]
    vectors, labels = zip(*rows, strict=True)
    plain = [None if v is None else np.asarray(v, dtype="f4").tolist() for v in vectors]
    return write_set(tmp_path / "crafted.parquet", plain, labels)


def test_numbers_of_a_crafted_file(cli: Cli, crafted):
    answer = cli("inspect", crafted, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.document
    assert (found["rows_read"], found["rows_used"], found["dimensions"]) == (20, 14, 4)
    assert found["dropped"] == {
        "null_label": 1,
        "null_embedding": 1,
        "non_finite": 2,
        "zero_norm": 2,
        "singleton": 0,
    }
    # a 5, b 5, c 2, and two single rows, the empty string among them.
    assert (found["classes"], found["classes_scored"], found["classes_singleton"]) == (5, 3, 2)
    assert found["class_size"] == {"min": 1, "median": 2.0, "max": 5}
    assert found["positive_pairs"] == 10 + 10 + 1
    assert found["negative_pairs"] == 14 * 13 // 2 - 21
    same = found["duplicates"]
    assert (same["rows"], same["groups"], same["groups_across_classes"]) == (2, 1, 1)
    assert same["examples"] == [
        {"row": 11, "label": "a", "other_row": 12, "other_label": "b", "rows": 3}
    ]
    assert found["norms"]["unit_share"] == pytest.approx(3 / 14)
    assert found["norms"]["min"] == 1.0
    assert found["norms"]["max"] > 2
    cost = found["exact_evaluation"]
    assert cost["seconds"] > 0
    assert cost["bytes"] > 100e6
    assert cost["threads"] >= 1


def test_text_says_the_same(cli: Cli, crafted, tmp_path: Path):
    answer = cli("inspect", crafted)
    assert (answer.code, answer.err) == (0, "")
    text = " ".join(answer.out.split())
    for part in (
        "rows 20 read, 14 used",
        "dimensions 4",
        "classes 5, of 1 to 5 rows (median 2); 3 of two rows or more are scored, 2 are single",
        "left out 1 no label, 1 no vector, 2 NaN or infinity, 2 zero length",
        "normalised no: 21.43 % of rows have length 1",
        "duplicates 2 rows repeat an earlier vector; 1 vectors stand in several classes",
        "row 11 (a) = row 12 (b)",
        "pairs 21 positive, 70 negative",
        "exact run about 2 seconds and",
    ):
        assert part in text
    assert max(map(len, answer.out.splitlines())) <= 80
    assert os.listdir(tmp_path) == ["crafted.parquet"]


def test_options_change_what_is_used(cli: Cli, crafted):
    dropped = cli("inspect", crafted, "--singletons", "drop", "--json").document
    assert (dropped["rows_used"], dropped["dropped"]["singleton"]) == (12, 2)
    kept = cli("inspect", crafted, "--null-label", "distractor", "--json").document
    assert (kept["rows_used"], kept["distractors"], kept["dropped"]["null_label"]) == (15, 1, 0)
    assert kept["negative_pairs"] == 15 * 14 // 2 - 21
    noise = cli("inspect", crafted, "--distractor-label", "c", "--json").document
    assert (noise["distractors"], noise["classes"]) == (2, 4)
    assert "distractors   2 (negatives" in cli("inspect", crafted, "--distractor-label", "c").out
    # Rows of length zero are rows under l2.
    far = cli("inspect", crafted, "--metric", "l2", "--json").document
    assert (far["rows_used"], far["dropped"]["zero_norm"]) == (16, 0)
    one = cli("inspect", crafted, "--threads", "1", "--json").document
    assert one["exact_evaluation"]["threads"] == 1


def test_a_normalised_set(cli: Cli):
    found = cli("inspect", PLACES, "--json").document
    assert found["norms"]["unit_share"] == 1.0
    assert (found["positive_pairs"], found["negative_pairs"]) == (28_500, 4_470_000)
    assert "normalised    yes: 100 % of rows" in cli("inspect", PLACES).out


@pytest.mark.parametrize("columns", [60, 80])
def test_long_and_wild_labels(cli: Cli, tmp_path: Path, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    labels = ["x" * 500, "\x1b[31m" + "y" * 90, "\u65e5\u672c" * 60, "\u202ertl", "new\nline", ""]
    vectors = [[1.0, 0.0]] * 6 + [[0.0, 1.0]] * 6
    file = write_set(tmp_path / "wild.parquet", vectors, labels * 2)
    answer = cli("inspect", file)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert all(c.isprintable() for line in lines for c in line)
    assert max(len(line) + sum(c > "\u2e80" for c in line) for line in lines) <= columns
    assert cli("inspect", file, "--json").document["duplicates"]["groups_across_classes"] == 2


def test_errors_are_one_line(cli: Cli, tmp_path: Path):
    answer = cli("inspect", "missing.parquet")
    assert (answer.code, answer.out) == (2, "")
    assert answer.error == "opiscal: error: 'missing.parquet' does not exist; check the path"
    answer = cli("inspect", PLACES, "--metric", "angle")
    assert answer.error == "opiscal: error: metric 'angle': must be one of cosine, l2"
    assert os.listdir(tmp_path) == []
