"""`opiscal simulate`: its files, its numbers, and what it refuses."""

import os
import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import Cli, listing

from opiscal.data.truth import read_truth

SMALL = ("--rows", 600, "--dimensions", 8, "--classes", 40, "--seed", 4)


def test_both_files_and_their_numbers(cli: Cli, tmp_path: Path):
    answer = cli("simulate", "set.parquet", *SMALL, "--spread", 0.5, "--json")
    assert (answer.code, answer.err) == (0, "")
    assert sorted(os.listdir(tmp_path)) == ["set.parquet", "set.truth.parquet"]
    said = answer.document
    assert (said["path"], said["truth_path"]) == ("set.parquet", "set.truth.parquet")
    truth = read_truth(tmp_path / "set.truth.parquet")
    settings = {"rows": 600, "dimensions": 8, "classes": 40, "spread": 0.5, "seed": 4}
    assert truth.settings == settings
    assert {name: said[name] for name in settings} == settings
    for name in ("population", "drawn"):
        figures = getattr(truth, name)
        assert said[name] == {
            "opis": figures.opis,
            "epsilon_opis": figures.epsilon_opis,
            "mean_utility": figures.mean_utility,
            "how": figures.how,
        }
    assert said["class_size"] == {"min": int(truth.rows.min()), "max": int(truth.rows.max())}

    table = pq.read_table(tmp_path / "set.parquet")
    assert table.num_rows == 600
    assert sorted(set(table["label"].to_pylist())) == sorted(truth.labels)
    out = cli("simulate", "set.parquet", *SMALL, "--spread", 0.5).out
    assert "600 rows of 8 dimensions in 40 classes" in out
    assert f"{said['population']['opis']:.6f} of the population" in out
    assert f"{said['drawn']['opis']:.6f} of the drawn classes" in out


def test_evaluate_finds_the_truth(cli: Cli, tmp_path: Path):
    said = cli(
        "simulate", "set.parquet", "--rows", 12_000, "--dimensions", 32, "--classes", 300,
        "--spread", 0.6, "--seed", 1, "--json",
    ).document  # fmt: skip
    found = cli("evaluate", "set.parquet", "--json", "--no-plots", "-q").document
    # 40 rows a class: the noise of a utility is small beside how far classes differ, and with 300
    # of them it hardly matters where their centres fell.
    assert found["opis"]["value"] == pytest.approx(said["drawn"]["opis"], rel=0.1)
    assert found["epsilon_opis"]["value"] == pytest.approx(said["drawn"]["epsilon_opis"], rel=0.1)
    assert found["utility"]["mean"] == pytest.approx(said["drawn"]["mean_utility"], abs=0.01)


def test_same_seed_same_bytes(cli: Cli, tmp_path: Path):
    contents = []
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        assert cli("simulate", f"{name}.parquet", *SMALL[:-1], seed).code == 0
        contents.append((tmp_path / f"{name}.parquet").read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_no_spread_no_opis(cli: Cli):
    assert cli("simulate", "set.parquet", *SMALL, "--spread", 0, "--json").document["population"][
        "opis"
    ] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--classes", 1), "classes is 1, allowed is 2 or more"),
        (("--rows", 3, "--classes", 2), "rows is 3, 2 classes need at least 4"),
        (("--dimensions", 1), "dimensions is 1, allowed is 2 to 65536"),
        (("--spread", -1), "spread is -1.0, allowed is 0 to 5"),
        (("--spread", "nan"), "spread is nan, allowed is 0 to 5"),
        (("--seed", -1), "seed is -1, allowed is 0 or more"),
        (("--rows", "many"), "'many'"),
    ],
)
def test_what_is_not_allowed(cli: Cli, tmp_path: Path, arguments, says):
    answer = cli("simulate", "set.parquet", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.error.startswith("opiscal: error: ")
    assert says in answer.error
    assert os.listdir(tmp_path) == []


def test_places_that_cannot_be_written(cli: Cli, tmp_path: Path):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder").mkdir()
    before = listing(tmp_path)
    for place, says in (
        ("missing/set.parquet", "no folder missing, make it first"),
        ("file/set.parquet", "file"),
        ("folder", "it is a folder"),
        ("n" * 300 + ".parquet", "File name too long"),
    ):
        answer = cli("simulate", place, *SMALL)
        assert (answer.code, answer.out) == (2, "")
        assert answer.error.startswith("opiscal: error: cannot write ")
        assert says in answer.error
        assert listing(tmp_path) == before


def test_a_pipe_or_a_device_is_not_replaced(cli: Cli, tmp_path: Path):
    """As root `opiscal simulate /dev/null` would leave the machine without one."""
    os.mkfifo(tmp_path / "pipe")
    answer = cli("simulate", "pipe", *SMALL)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert answer.code == 2
    assert answer.error.startswith("opiscal: error: cannot write ")
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_full_disk_leaves_the_older_files(cli: Cli, tmp_path: Path, monkeypatch):
    assert cli("simulate", "set.parquet", *SMALL).code == 0
    before = listing(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("opiscal.data.simulate.write_truth", full)
    answer = cli("simulate", "set.parquet", *SMALL[:-1], 5)
    assert (answer.code, answer.out) == (2, "")
    assert "No space left on device" in answer.error
    assert listing(tmp_path) == before
