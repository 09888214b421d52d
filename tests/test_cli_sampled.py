"""`opiscal evaluate --pairs sampled`: what it finds, keeps and says, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import faiss
import pytest
from conftest import PLACES, Cli


def simulate(cli: Cli, file: Path, rows: int, classes: int) -> Path:
    answer = cli(
        *("simulate", file, "--rows", rows, "--classes", classes, "--dimensions", 16, "--quiet")
    )
    assert answer.code == 0
    return file


def evaluated(cli: Cli, *arguments: object) -> tuple[str, dict[str, Any]]:
    """The summary, and the report."""
    answer = cli("evaluate", *arguments, "-o", "run", "--no-plots")
    assert answer.code == 0, answer.err
    return answer.out, json.loads(Path("run/report.json").read_text(encoding="utf-8"))


def test_a_sample_gives_what_every_pair_gives(cli, tmp_path):
    data = simulate(cli, tmp_path / "set.parquet", 12_000, 600)
    _, one = evaluated(cli, data, "--pairs", "exact")
    asked = ("--pairs", "sampled", "--sample-pairs", 12_000 * 1024)
    said, other = evaluated(cli, data, *asked)
    assert said.startswith("sampled: ")
    assert "near negatives found by Flat, the rest by 1,024" in said
    assert (one["pairs"]["mode"], other["pairs"]["mode"]) == ("exact", "sampled")
    assert one["pairs"]["sampling"] is None
    for name in ("positive", "negative", "positive_counted"):
        assert one["pairs"][name] == other["pairs"][name]
    assert other["pairs"]["negative_counted"] < one["pairs"]["negative"] / 4
    found = other["pairs"]["sampling"]
    assert found["columns"] == 1024
    assert found["probability"] == pytest.approx(1024 / 12_000)
    assert found["near_recall"] == found["neighbour_recall"] == 1.0
    # Within twice the width of the intervals: a seed may be one of the five in a hundred.
    for name, value in (
        ("corrected_opis_ci", one["opis"]["corrected"]),
        ("epsilon_opis_ci", one["epsilon_opis"]["value"]),
        ("mean_utility_ci", one["utility"]["mean"]),
    ):
        low, high = found[name]
        assert 0 < high - low < 0.05 * abs(value)
        assert low - (high - low) < value < high + (high - low)
    points = {p["target"]: p for p in one["operating_points"] if p["criterion"] == "far"}
    assert {t["far"] for t in found["far_targets"]} >= {0.1, 0.01, 0.001}
    for target in found["far_targets"]:
        low, high = target["frr_ci"]
        reach = high - low + 0.002
        assert low - reach < points[target["far"]]["frr"] < high + reach
    # Later questions are answered from the counts that were kept.
    later = cli("threshold", "run", "--far", "0.01", "--json").document
    at = next(p for p in other["operating_points"] if p["target"] == 0.01)
    assert {k: later[k] for k in ("distance", "far_ci", "frr")} == {
        k: at[k] for k in ("distance", "far_ci", "frr")
    }
    again, same = evaluated(cli, data, *asked, "--threads", 1)
    assert again == said
    del same["provenance"], other["provenance"]
    assert same == other


def test_an_index_of_ones_own_is_named_measured_and_kept(cli, tmp_path):
    data = simulate(cli, tmp_path / "set.parquet", 6000, 300)
    asked = ("--pairs", "sampled", "--sample-pairs", 6000 * 512, "--index", "IVF64,Flat")
    said, report = evaluated(cli, data, *asked, "--nprobe", 1, "--save-index", "rows.faiss")
    found = report["pairs"]["sampling"]
    assert found["index"] == "IVF64,Flat, nprobe 1"
    assert 0 < found["near_recall"] < 0.9
    assert 0 < found["neighbour_recall"] < 0.95
    assert "what it misses is in the random part" in said
    assert faiss.read_index("rows.faiss").ntotal == 6000
    assert report["retrieval"]["queries"] == 2000


def test_groups_and_splits_of_a_sample_are_small_enough_to_be_exact(cli, tmp_path):
    data = simulate(cli, tmp_path / "set.parquet", 6000, 300)
    _, report = evaluated(
        *(cli, data, "--pairs", "sampled", "--sample-pairs", 6000 * 256, "--split", "--splits", 1)
    )
    assert report["pairs"]["mode"] == "sampled"
    promised = [(r["far_promised"], r["target"]) for r in report["split"] if r["target"]]
    assert all(rate <= target for rate, target in promised)


def test_a_sample_of_all_pairs_is_an_exact_count(cli):
    said, report = evaluated(cli, PLACES, "--pairs", "sampled")
    assert said.startswith("exact: all ")
    assert report["pairs"]["mode"] == "exact"
    assert "costs as much as every pair" in report["pairs"]["reason"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("--pairs", "some"), "pairs 'some': must be one of auto, exact, sampled"),
        (("--positive-cap", "0"), "positive-cap 0: must be at least 6 pairs"),
        (("--budget", "0.001", "--pairs", "exact"), "budget 0.001: every pair takes some"),
        (("--save-index", "x.faiss"), "save-index 'x.faiss': every pair is counted"),
        (("--nprobe", "0"), "nprobe 0: must be at least 1"),
        (
            ("--pairs", "sampled", "--sample-pairs", "1000000", "--index", "IVX1"),
            "index 'IVX1': not an index that faiss can make",
        ),
        (
            ("--pairs", "sampled", "--sample-pairs", "1000000", "--index", "IVF9000,Flat"),
            "index 'IVF9000,Flat': cannot be trained on 4000 rows",
        ),
        (
            ("--pairs", "sampled", "--sample-pairs", "1000"),
            "sample-pairs 1000: 1 for each of 4,000 rows",
        ),
    ],
)
def test_samples_that_cannot_be(cli, tmp_path, asked, message):
    data = simulate(cli, tmp_path / "set.parquet", 4000, 200)
    failed = cli("evaluate", data, "-o", "run", "--quiet", *asked)
    assert failed.code == 2
    assert message in failed.error
    assert not Path("run").exists()
