"""`opiscal threshold`: its answers, the artifact, and runs that are damaged."""

import json
import os
import re
import shutil
import stat
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import DIGITS, DIGITS400, Cli, listing

import opiscal


def unit_pairs(file: Path, dtype: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both ends of every pair as a service holds them, and whether they are of one class."""
    table = pq.read_table(file)
    vectors = np.array(table["embedding"].to_pylist(), dtype=dtype)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.array(table["label"].to_pylist())
    first, second = np.triu_indices(len(labels), 1)
    return vectors[first], vectors[second], labels[first] == labels[second]


def accepted(line: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Run a comparison line of threshold.json over many pairs at once."""
    service = {
        "dot": lambda x, y: np.einsum("ij,ij->i", x, y),
        "norm": lambda x: np.sqrt(np.einsum("ij,ij->i", x, x)),
        "sum": lambda x: x.sum(axis=1),
        "a": a,
        "b": b,
        "__builtins__": {},
    }
    exec(line, service)
    found: np.ndarray = service["accept"]
    return found


@pytest.fixture(scope="module")
def digits_pairs() -> dict[type, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    return {dtype: unit_pairs(DIGITS, dtype) for dtype in (np.float64, np.float32)}


@pytest.mark.parametrize(
    "asked", [("--far", 0.1), ("--far", 1e-2), ("--far", 1e-3), ("--far", 2e-5), ("--frr", 0.5)]
)
def test_comparison_lines_keep_the_promise(cli: Cli, digits_run, digits_pairs, asked):
    answer = cli("threshold", digits_run, *asked, "-o", "threshold.json", "-q")
    assert answer.code == 0
    document = json.loads(Path("threshold.json").read_text(encoding="utf-8"))
    assert list(document["compare"]) == ["similarity", "distance", "cosine_distance", "squared_l2"]
    for dtype, (a, b, same) in digits_pairs.items():
        for scale, line in document["compare"].items():
            taken = accepted(line, a, b)
            far = np.mean(taken[~same])
            frr = np.mean(~taken[same])
            where = f"{scale} in {dtype.__name__}"
            if asked[0] == "--far":
                assert far <= asked[1], where
            assert far == pytest.approx(document["far"], abs=2 / 364_479), where
            assert frr == pytest.approx(document["frr"], abs=2 / 40_071), where


def test_printed_values_keep_the_promise(cli: Cli, digits_run, digits_pairs):
    out = cli("threshold", digits_run, "--far", 1e-3).out
    printed = {
        "dot(a, b) >= ": r"similarity +>= (\S+)",
        "norm(a - b) <= ": r"unit L2 distance +<= (\S+)",
        "1 - dot(a, b) <= ": r"cosine distance 1 - s <= (\S+)",
        "sum((a - b) ** 2) <= ": r"squared L2 distance +<= (\S+)",
    }
    for a, b, same in digits_pairs.values():
        for line, pattern in printed.items():
            taken = accepted("accept = " + line + re.search(pattern, out)[1], a, b)
            assert 0.98e-3 < np.mean(taken[~same]) <= 1e-3


def test_the_artifact_says_all(cli: Cli, digits_run):
    answer = cli("threshold", digits_run, "--far", "1e-3", "-o", "threshold.json")
    assert answer.out.splitlines()[-1] == "written to threshold.json"
    document = json.loads(Path("threshold.json").read_text(encoding="utf-8"))
    point = cli("threshold", digits_run, "--far", "1e-3", "--json").document
    for name in ("similarity", "distance", "cosine_distance", "squared_l2", "far", "frr"):
        assert document[name] == point[name]
    for name, line in document["compare"].items():
        assert line.endswith(repr(document[name]))
    assert document["opiscal_threshold"] == 1
    assert document["metric"] == "cosine"
    assert document["normalisation"] == "unit length"
    assert document["ties"].startswith("accepted")
    assert "at most the threshold" in document["rule"]
    assert document["pairs"] == {"positive": 40_071, "negative": 364_479}
    assert (document["criterion"], document["target"]) == ("far", 1e-3)
    assert document["opiscal_version"] == opiscal.__version__
    report = json.loads((digits_run / "report.json").read_text(encoding="utf-8"))
    assert document["fingerprint"] == report["provenance"]["fingerprint"]
    (item,) = document["inputs"]
    assert item["sha256"] == report["provenance"]["inputs"][0]["sha256"]


def test_the_artifact_of_l2(cli: Cli):
    assert cli("evaluate", DIGITS400, "--metric", "l2", "--no-plots", "-q").code == 0
    answer = cli("threshold", "--eer", "-o", "t.json")
    assert "L2 distance  <=" in answer.out
    assert "similarity" not in answer.out
    document = json.loads(Path("t.json").read_text())
    assert list(document["compare"]) == ["distance", "squared_l2"]
    assert document["similarity"] is document["cosine_distance"] is None
    assert document["normalisation"] == "none"
    answer = cli("threshold", "--at", "similarity=0.5")
    assert answer.code == 2
    assert "under l2 it must be one of distance, squared-l2" in answer.error


@pytest.mark.parametrize("far", ["0.1", "0.01", "0.001", "0.0001"])
def test_far_is_at_most_the_asked_one(cli: Cli, places_run, reference, far):
    truth = reference["sample_places"]["global_points"][far]
    point = cli("threshold", places_run, "--far", far, "--json").document
    assert (point["criterion"], point["target"]) == ("far", float(far))
    assert 0.99 * float(far) <= point["far"] <= float(far)
    assert point["frr"] == pytest.approx(truth["frr"], rel=1e-3)
    assert point["distance"] == pytest.approx(truth["distance"], rel=3e-4)
    assert point["supported"] is True


def test_frr_eer_and_utility(cli: Cli, places_run, reference):
    point = cli("threshold", places_run, "--frr", "0.2", "--json").document
    assert 0.199 <= point["frr"] <= 0.2
    point = cli("threshold", places_run, "--eer", "--json").document
    truth = reference["sample_places"]
    assert (point["far"] + point["frr"]) / 2 == pytest.approx(truth["eer"], rel=1e-3)
    report = json.loads((places_run / "report.json").read_text(encoding="utf-8"))
    answer = cli("threshold", places_run, "--utility", "--json")
    best = next(p for p in report["operating_points"] if p["criterion"] == "utility")
    assert answer.document == best


def test_the_default_run_and_data(cli: Cli, tmp_path: Path):
    assert cli("evaluate", DIGITS400, "-q", "--no-plots").code == 0
    of_default = cli("threshold", "--far", "0.01", "--json")
    of_run = cli("threshold", "opiscal-run", "--far", "0.01", "--json")
    of_data = cli("threshold", DIGITS400, "--far", "0.01", "--json")
    assert of_default.document == of_run.document == of_data.document
    assert of_default.err == of_run.err == of_data.err == ""
    assert sorted(os.listdir(tmp_path)) == ["opiscal-run"]


def test_data_whose_rows_are_left_out(cli: Cli, tmp_path: Path):
    table = pq.read_table(DIGITS400)
    vectors = table["embedding"].to_pylist()
    vectors[7] = [0.0] * 16
    from conftest import write_set

    file = write_set(tmp_path / "zero.parquet", vectors, table["label"].to_pylist())
    answer = cli("threshold", file, "--far", "0.01")
    assert answer.code == 0
    assert "1 of 400 rows have length zero" in answer.error
    assert cli("threshold", file, "--far", "0.01", "--quiet").err == ""


SCALES = {
    "similarity=0.6": np.sqrt(0.8),
    "distance=0.9": 0.9,
    "cosine-distance=0.4": np.sqrt(0.8),
    "squared-l2=0.81": 0.9,
}


@pytest.mark.parametrize(("given", "distance"), SCALES.items())
def test_a_threshold_in_use(cli: Cli, digits_run, digits_pairs, given, distance):
    point = cli("threshold", digits_run, "--at", given, "--json").document
    a, b, same = digits_pairs[np.float64]
    taken = np.linalg.norm(a - b, axis=1) <= distance
    assert point["criterion"] == "at"
    assert point["distance"] == pytest.approx(distance, rel=1e-8)
    # Between two edges rates are interpolated, and it is said.
    assert point["far"] == pytest.approx(np.mean(taken[~same]), rel=0.01)
    assert point["frr"] == pytest.approx(np.mean(~taken[same]), rel=0.002)
    assert point["exact_at_threshold"] is False
    out = cli("threshold", digits_run, "--at", given).out
    assert out.startswith("threshold in use\n")
    assert "interpolated" in out


def test_a_threshold_from_an_artifact(cli: Cli, digits_run, places_run):
    first = cli("threshold", digits_run, "--far", "1e-3", "-o", "t.json", "--json").document
    again = cli("threshold", digits_run, "--at", "@t.json", "--json").document
    assert (again["far"], again["frr"]) == (first["far"], first["frr"])
    assert again["distance"] == first["distance"]
    other = cli("threshold", places_run, "--at", "@t.json", "--json")
    assert other.code == 0
    assert other.document["frr"] != first["frr"]


def test_an_artifact_of_another_metric(cli: Cli, digits_run):
    cli("evaluate", DIGITS400, "--metric", "l2", "--no-plots", "-q")
    assert cli("threshold", "--far", "0.01", "-o", "l2.json").code == 0
    answer = cli("threshold", digits_run, "--at", "@l2.json")
    assert answer.code == 2
    assert answer.error == (
        "opiscal: error: 'l2.json' is a threshold for l2, the run is for cosine; evaluate with "
        "--metric l2"
    )


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"metric": "cosine"}', '{"metric": "cosine", "distance": "0.9"}',
     '{"metric": "cosine", "distance": null}', '{"metric": "cosine", "distance": true}',
     '{"metric": "cosine", "distance": NaN}', '{"metric": "cosine", "distance": -1}',
     '{"metric": "cosine", "distance": 7}', "\xff"],
)  # fmt: skip
def test_no_artifact(cli: Cli, digits_run, content):
    Path("t.json").write_bytes(content.encode("latin-1"))
    answer = cli("threshold", digits_run, "--at", "@t.json")
    assert (answer.code, answer.out) == (2, "")
    assert answer.error.startswith("opiscal: error: ")
    assert "this should not happen" not in answer.error


def test_unsupported_is_inconclusive(cli: Cli, digits_run, tmp_path: Path):
    for more in ((), ("-o", "t.json")):
        answer = cli("threshold", digits_run, "--far", "1e-6", *more)
        assert (answer.code, answer.out) == (3, "")
        assert answer.error.startswith("opiscal: inconclusive: far 1e-06: ")
        assert "0.364 false accepts are expected among 364479 negative pairs" in answer.error
        assert os.listdir(tmp_path) == []
    advice = float(re.search(r"ask for (\S+) or more", answer.error)[1])
    assert cli("threshold", digits_run, "--far", advice).code == 0

    answer = cli("threshold", digits_run, "--far", "1e-6", "--json")
    assert answer.code == 3
    assert answer.error.startswith("opiscal: inconclusive: ")
    point = answer.document
    assert (point["criterion"], point["target"], point["supported"]) == ("far", 1e-6, False)
    assert all(
        point[name] is None
        for name in ("similarity", "distance", "cosine_distance", "squared_l2", "far", "frr",
                     "utility")
    )  # fmt: skip


def test_same_rows_in_several_classes(cli: Cli, tmp_path: Path):
    from conftest import write_set

    vectors = np.repeat(np.eye(3), 8, axis=0)
    file = write_set(tmp_path / "same.parquet", vectors, list("abcdefgh") * 3)
    assert cli("evaluate", file, "--range", "frr=0.5:0.9", "--no-plots", "-q").code == 0
    answer = cli("threshold", "--far", "0.05")
    assert answer.code == 3
    assert "no threshold reaches it" in answer.error
    answer = cli("evaluate", file, "-o", "other")
    assert answer.code == 3
    assert answer.error.startswith("opiscal: inconclusive: range 'far=0.01:0.1': no threshold has")
    assert sorted(os.listdir(tmp_path)) == ["opiscal-run", "same.parquet"]


def test_few_expected_errors_are_said(cli: Cli, digits_run):
    answer = cli("threshold", digits_run, "--far", "1e-5")
    assert answer.code == 0
    assert answer.error.startswith("opiscal: warning: ")
    assert answer.error.endswith("[wide]")
    assert cli("threshold", digits_run, "--far", "1e-5", "--quiet").err == ""
    assert cli("threshold", digits_run, "--far", "1e-3").err == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--far", "1e-3", "--frr", "0.1"), "exactly one of --far, --frr, --eer, --utility"),
        (("--eer", "--utility"), "exactly one of"),
        ((), "exactly one of"),
        (("--far", "0"), "far 0.0: must be above 0 and below 1"),
        (("--far", "1"), "far 1.0: must be above 0 and below 1"),
        (("--far", "-0.1"), "far -0.1: must be above 0 and below 1"),
        (("--far", "nan"), "far nan: must be above 0 and below 1"),
        (("--far", "1e-3x"), "'1e-3x'"),
        (("--frr", "2"), "frr 2.0: must be above 0 and below 1"),
        (("--at", "0.7"), "--at '0.7': must be SCALE=VALUE"),
        (("--at", "similarity=0,7"), "--at 'similarity=0,7': must be SCALE=VALUE"),
        (("--at", "similarity=1.2"), "similarity 1.2: must lie between -1 and 1"),
        (("--at", "similarity=nan"), "similarity nan: must lie between"),
        (("--at", "distance=2.1"), "distance 2.1: must lie between 0 and 2"),
        (("--at", "angle=2"), "one of similarity, distance, cosine-distance, squared-l2"),
        (("--at", "@missing.json"), "'missing.json' cannot be read (No such file"),
        (("--far", "0.01", "-o", "no/where.json"), "'no/where.json' cannot be written"),
        (("--far", "0.01", "-o", "."), "cannot be written"),
    ],
)
def test_wrong_use(cli: Cli, digits_run, tmp_path: Path, arguments, says):
    answer = cli("threshold", digits_run, *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.error.startswith("opiscal: error: ")
    assert says in answer.error
    assert os.listdir(tmp_path) == []


def test_no_run(cli: Cli, tmp_path: Path, digits_run, places_run):
    answer = cli("threshold", "--far", "0.01")
    assert answer.code == 2
    assert answer.error == (
        "opiscal: error: no run at 'opiscal-run': a run folder holds report.json and pairs.npz; "
        "make one with 'opiscal evaluate DATA -o RUN'"
    )
    assert cli("threshold", "nowhere", "--far", "0.01").error == (
        "opiscal: error: 'nowhere' does not exist; check the path"
    )
    answer = cli("threshold", digits_run, places_run, "--far", "0.01")
    assert answer.code == 2
    assert "give one run" in answer.error
    assert os.listdir(tmp_path) == []


@pytest.fixture
def damaged(digits_run, tmp_path: Path) -> Path:
    """A copy of a run, to be damaged."""
    return Path(shutil.copytree(digits_run, tmp_path / "damaged"))


def edit(run: Path, change: str) -> None:
    document = json.loads((run / "report.json").read_text(encoding="utf-8"))
    exec(change, {"d": document})
    (run / "report.json").write_text(json.dumps(document), encoding="utf-8")


def truncated(run: Path) -> None:
    content = (run / "pairs.npz").read_bytes()
    (run / "pairs.npz").write_bytes(content[: len(content) // 2])


def flipped(run: Path) -> None:
    content = bytearray((run / "pairs.npz").read_bytes())
    for place in range(len(content) // 4, len(content) // 2, 997):
        content[place] ^= 0xFF
    (run / "pairs.npz").write_bytes(content)


DAMAGES = {
    "truncated counts": truncated,
    "flipped counts": flipped,
    "no counts": lambda run: (run / "pairs.npz").write_bytes(b""),
    "missing counts": lambda run: (run / "pairs.npz").unlink(),
    "missing report": lambda run: (run / "report.json").unlink(),
    "half a report": lambda run: (run / "report.json").write_text('{"schema_version": 1, "prov'),
    "no object": lambda run: (run / "report.json").write_text("[]"),
    "of a later version": lambda run: edit(run, "d['schema_version'] = 2"),
    "without a field": lambda run: edit(run, "del d['opis']"),
    "provenance": lambda run: edit(run, "d['provenance'] = []"),
    "inputs": lambda run: edit(run, "d['provenance']['inputs'] = 3"),
    "fingerprint": lambda run: edit(run, "d['provenance']['fingerprint'] = '0' * 64"),
    "settings": lambda run: edit(run, "d['settings'] = []"),
    "weight": lambda run: edit(run, "d['settings']['c'] = 'x'"),
    "range": lambda run: edit(run, "d['settings']['range'] = 3"),
    "metric": lambda run: edit(run, "d['metric'] = 'l2'"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_one_line(cli: Cli, damaged: Path, damage):
    DAMAGES[damage](damaged)
    before = listing(damaged.parent)
    answer = cli("threshold", damaged, "--far", "0.01", "-o", "t.json")
    assert (answer.code, answer.out) == (2, "")
    assert answer.error.startswith("opiscal: error: ")
    assert "evaluate" in answer.error, "what to do next"
    assert "this should not happen" not in answer.error
    assert listing(damaged.parent) == before


def test_files_of_two_runs(cli: Cli, damaged: Path, places_run: Path):
    shutil.copy(places_run / "report.json", damaged)
    answer = cli("threshold", damaged, "--far", "0.01")
    assert answer.code == 2
    assert "are of two evaluations" in answer.error


def test_a_traceback_with_debug_only(cli: Cli, damaged: Path):
    truncated(damaged)
    answer = cli("threshold", damaged, "--far", "0.01", "--debug")
    assert answer.code == 2
    assert "Traceback (most recent call last)" in answer.err
    assert answer.err.splitlines()[-1].startswith("opiscal: error: ")


def test_a_mistake_of_ours_is_one_line_too(cli: Cli, digits_run, monkeypatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("first\nsecond")

    monkeypatch.setattr("opiscal.measures.rates.rate_curve", broken)
    answer = cli("threshold", digits_run, "--far", "0.01")
    # 1 says that a gate failed.
    assert answer.code == 2
    assert "this should not happen (ZeroDivisionError: first second)" in answer.error
    assert "--debug" in answer.error


def test_writing_the_artifact(cli: Cli, digits_run, tmp_path: Path):
    """An older one is replaced whole, through a link too; a pipe stays a pipe."""
    target = tmp_path / "real.json"
    target.write_text("older")
    (tmp_path / "link.json").symlink_to("real.json")
    assert cli("threshold", digits_run, "--far", "0.01", "-o", "link.json").code == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads(target.read_text())["target"] == 0.01
    assert stat.S_IMODE(target.stat().st_mode) == 0o644

    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert cli("threshold", digits_run, "--far", "0.01", "-o", "pipe").code == 0
    assert json.loads(os.read(reader, 1 << 16))["target"] == 0.01
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["link.json", "pipe", "real.json"]


def test_an_artifact_that_cannot_be_written(cli: Cli, digits_run, tmp_path: Path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "t.json").write_text("older")
    monkeypatch.setattr("os.replace", full)
    answer = cli("threshold", digits_run, "--far", "0.01", "-o", "t.json")
    assert answer.code == 2
    assert "'t.json' cannot be written (No space left on device)" in answer.error
    assert listing(tmp_path) == {"t.json": b"older"}


def test_the_installed_command(command: Cli, places_run):
    answer = command("threshold", places_run, "--far", "1e-3", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.document["far"] <= 1e-3
    answer = command("threshold", places_run, "--far", "1e-12", "--json")
    assert answer.code == 3
    assert answer.document["supported"] is False
    assert answer.error.startswith("opiscal: inconclusive: ")
    answer = command("threshold", DIGITS400, "--far", "1e-3", "--metric", "l2")
    assert answer.code == 0
    assert "L2 distance" in answer.out
