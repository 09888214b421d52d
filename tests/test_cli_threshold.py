"""`opiscal threshold`: its answers, the artifact, and runs that are damaged."""

import itertools
import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import DIGITS, DIGITS400, Cli, clean_environment, installed, listing, write_set

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
    "asked",
    [("--far", 0.1), ("--far", 2e-2), ("--far", 1e-2), ("--far", 1e-3), ("--far", 2e-5),
     ("--frr", 0.5)],
)  # fmt: skip
def test_comparison_lines_keep_the_promise(cli: Cli, digits_run, digits_pairs, asked):
    # Ten classes support no FAR below some 1e-4; what is forced is no less exact.
    answer = cli("threshold", digits_run, *asked, "-o", "threshold.json", "-q", "--force")
    assert answer.code == 0
    document = json.loads(Path("threshold.json").read_text(encoding="utf-8"))
    assert list(document["compare"]) == ["similarity", "distance", "cosine_distance", "squared_l2"]
    assert document["supported"] is (asked[0] == "--frr" or asked[1] >= 1e-3)
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
    out = cli("threshold", digits_run, "--far", 1e-3, "--force").out
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
    answer = cli("threshold", digits_run, "--far", "0.02", "-o", "threshold.json")
    assert answer.out.splitlines()[-1] == "written to threshold.json"
    document = json.loads(Path("threshold.json").read_text(encoding="utf-8"))
    point = cli("threshold", digits_run, "--far", "0.02", "--json").document
    for name in (
        "similarity", "distance", "cosine_distance", "squared_l2", "far", "frr", "utility",
        "far_ci", "frr_ci", "distance_ci", "supported", "guaranteed", "exact_at_threshold",
    ):  # fmt: skip
        assert document[name] == point[name]
        assert document[name] is not None
    assert document["confidence"] == 0.95
    for name, line in document["compare"].items():
        assert line.endswith(repr(document[name]))
    assert document["opiscal_threshold"] == 1
    assert document["metric"] == "cosine"
    assert document["normalisation"] == "unit length"
    assert document["ties"].startswith("accepted")
    assert "at most the threshold" in document["rule"]
    assert document["pairs"] == {"positive": 40_071, "negative": 364_479}
    assert (document["criterion"], document["target"]) == ("far", 0.02)
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
    for asked in (("--far", "0.02"), ("--frr", "0.3"), ("--eer",)):
        of_default = cli("threshold", *asked, "--json")
        of_run = cli("threshold", "opiscal-run", *asked, "--json")
        of_data = cli("threshold", DIGITS400, *asked, "--json")
        assert of_default.document == of_run.document == of_data.document
        assert of_default.err == of_run.err == of_data.err
        # A FAR of 0.02 is 6 to 7 false accepts among the effective number of pairs.
        assert ("[wide]" in of_default.err) == (asked[0] == "--far")
        assert cli("threshold", *asked, "--quiet").err == ""
    assert sorted(os.listdir(tmp_path)) == ["opiscal-run"]


def test_data_whose_rows_are_left_out(cli: Cli, tmp_path: Path):
    table = pq.read_table(DIGITS400)
    vectors = table["embedding"].to_pylist()
    vectors[7] = [0.0] * 16
    file = write_set(tmp_path / "zero.parquet", vectors, table["label"].to_pylist())
    answer = cli("threshold", file, "--frr", "0.2")
    assert answer.code == 0
    assert "1 of 400 rows have length zero" in answer.error
    assert cli("threshold", file, "--frr", "0.2", "--quiet").err == ""


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
    first = cli("threshold", digits_run, "--far", "0.02", "-o", "t.json", "--json").document
    again = cli("threshold", digits_run, "--at", "@t.json", "--json").document
    assert (again["far"], again["frr"]) == (first["far"], first["frr"])
    assert again["distance"] == first["distance"]
    other = cli("threshold", places_run, "--at", "@t.json", "--json")
    assert other.code == 0
    assert other.document["frr"] != first["frr"]


def test_an_artifact_of_another_metric(cli: Cli, digits_run):
    cli("evaluate", DIGITS400, "--metric", "l2", "--no-plots", "-q")
    assert cli("threshold", "--far", "0.1", "-o", "l2.json").code == 0
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
        expected, number, pairs = re.search(
            r": (\S+) false accepts are expected among an effective number of (\S+) independent "
            r"negative pairs \(of (\S+), which share classes\), and at least 3 are needed",
            answer.error,
        ).groups()
        assert int(pairs) == 364_479
        number = int(number.replace(",", ""))
        assert 5 <= number < 364_479
        assert float(expected) == pytest.approx(1e-6 * number, rel=0.01)
        times = float(re.search(r"bring (\S+) times the classes", answer.error)[1].replace(",", ""))
        assert 1 <= times * float(expected) / 3 < 1.12, "enough, and in two digits"
        assert "--force" in answer.error
        assert os.listdir(tmp_path) == []
    advice = float(re.search(r"ask for (\S+) or more", answer.error)[1])
    for asked in (advice, 1.01 * advice, 1.5 * advice, 10 * advice):
        assert cli("threshold", digits_run, "--far", asked).code == 0
    assert cli("threshold", digits_run, "--far", 0.8 * advice).code == 3

    answer = cli("threshold", digits_run, "--far", "1e-6", "--json")
    assert answer.code == 3
    assert answer.error.startswith("opiscal: inconclusive: ")
    point = answer.document
    assert (point["criterion"], point["target"], point["supported"]) == ("far", 1e-6, False)
    assert all(
        point[name] is None
        for name in ("similarity", "distance", "cosine_distance", "squared_l2", "far", "frr",
                     "utility", "far_ci", "frr_ci", "distance_ci")
    )  # fmt: skip


def test_a_forced_threshold_is_marked(cli: Cli, digits_run, tmp_path: Path):
    answer = cli("threshold", digits_run, "--far", "2e-5", "--force", "-o", "t.json")
    assert answer.code == 0
    assert answer.error == (
        "opiscal: warning: the data cannot resolve far 2e-05; the threshold was forced and is "
        "marked unsupported [unsupported]"
    )
    assert "NOT SUPPORTED: the data cannot resolve this target; do not ship it" in answer.out
    answer = cli("threshold", digits_run, "--far", "2e-5", "--force", "--json", "-q")
    assert (answer.code, answer.err) == (0, "")
    point = answer.document
    assert (point["supported"], point["guaranteed"]) == (False, False)
    assert 1.6e-5 < point["far"] <= 2e-5
    assert point["far_ci"][0] <= point["far"] <= point["far_ci"][1]
    document = json.loads((tmp_path / "t.json").read_text())
    assert document["supported"] is False
    assert document["distance"] == point["distance"]


@pytest.mark.parametrize("asked", [("--far", "0.1"), ("--frr", "0.2"), ("--utility",)])
def test_force_changes_no_supported_answer(cli: Cli, digits_run, asked):
    plain = cli("threshold", digits_run, *asked, "--json")
    forced = cli("threshold", digits_run, *asked, "--json", "--force")
    assert plain.code == 0
    assert plain == forced


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_no_threshold_to_be_forced(cli: Cli, tmp_path: Path, more):
    """Where even the smallest threshold accepts too much there is no number, not by --force."""
    vectors = np.repeat(np.eye(3), 8, axis=0)
    file = write_set(tmp_path / "same.parquet", vectors, list("abcdefgh") * 3)
    assert cli("evaluate", file, "--range", "frr=0.5:0.9", "--no-plots", "-q").code == 0
    answer = cli("threshold", "--far", "0.05", "--force", "-o", "t.json", *more)
    assert answer.code == 3
    assert answer.error.startswith("opiscal: inconclusive: far 0.05: no threshold reaches it")
    assert "--force" not in answer.error
    assert not more or answer.document["distance"] is None
    assert sorted(os.listdir(tmp_path)) == ["opiscal-run", "same.parquet"]


def test_a_guaranteed_threshold(cli: Cli, places_run, tmp_path: Path):
    plain = cli("threshold", places_run, "--far", "1e-2", "--json").document
    answer = cli("threshold", places_run, "--far", "1e-2", "--guarantee", "-o", "t.json")
    assert (answer.code, answer.err) == (0, "")
    assert "guaranteed at 95 %: the upper bound of FAR is at most 0.01" in answer.out
    assert "NOT SUPPORTED" not in answer.out
    document = json.loads((tmp_path / "t.json").read_text())
    assert (document["guaranteed"], document["supported"]) == (True, True)
    assert (document["criterion"], document["target"]) == ("far", 0.01)
    assert document["confidence"] == 0.95
    assert document["distance"] < plain["distance"]
    assert document["far"] < plain["far"]
    assert document["frr"] > plain["frr"]
    # The threshold is the promise: it was read off no estimate, and has no interval.
    assert document["distance_ci"] is None
    assert document["far_ci"][0] <= document["far"] <= document["far_ci"][1]
    assert plain["guaranteed"] is False


def test_the_confidence_of_a_guarantee(cli: Cli, places_run, tmp_path: Path):
    found = [
        cli("threshold", places_run, "--far", "1e-2", "--guarantee", "--confidence", level,
            "--json").document
        for level in ("0.8", "0.9", "0.99")
    ]  # fmt: skip
    assert found[0]["distance"] > found[1]["distance"] > found[2]["distance"]
    assert all(point["guaranteed"] for point in found)
    between = [
        cli("threshold", places_run, "--far", "1e-2", "--confidence", level, "--json").document
        for level in ("0.8", "0.9", "0.99")
    ]
    assert len({point["distance"] for point in between}) == 1
    for one, other in itertools.pairwise(between):
        for name in ("far_ci", "frr_ci", "distance_ci"):
            assert other[name][0] < one[name][0] < one[name][1] < other[name][1], name
    cli("threshold", places_run, "--far", "0.01", "--confidence", "0.8", "-o", "t.json")
    assert json.loads((tmp_path / "t.json").read_text())["confidence"] == 0.8


def test_the_confidence_is_that_of_the_run(cli: Cli, tmp_path: Path):
    level = ("--confidence", "0.8")
    assert cli("evaluate", DIGITS400, "--no-plots", "-q", *level).code == 0
    for asked in (("--far", "0.1"), ("--frr", "0.2"), ("--eer",), ("--utility",)):
        of_run = cli("threshold", *asked, "--json", "-q", "-o", "t.json")
        assert json.loads((tmp_path / "t.json").read_text())["confidence"] == 0.8
        assert of_run.document == cli("threshold", *asked, *level, "--json", "-q").document
        of_data = cli("threshold", DIGITS400, *asked, *level, "--json", "-q")
        assert of_run.document == of_data.document
        assert of_run.document["distance_ci"] is not None
        wider = cli("threshold", *asked, "--confidence", "0.95", "--json", "-q").document
        assert wider["far_ci"][1] > of_run.document["far_ci"][1]


def test_a_guarantee_that_cannot_be_given(cli: Cli, digits_run, tmp_path: Path):
    for more in ((), ("--force",), ("-o", "t.json")):
        answer = cli("threshold", digits_run, "--far", "1e-6", "--guarantee", *more)
        assert (answer.code, answer.out) == (3, "")
        assert answer.error.startswith(
            "opiscal: inconclusive: far 1e-06: no threshold keeps it with a confidence of 0.95: "
        )
        assert os.listdir(tmp_path) == []
    least = float(re.search(r"the upper bound is (\S+) at the least", answer.error)[1])
    assert cli("threshold", digits_run, "--far", 1.01 * least, "--guarantee").code == 0
    assert cli("threshold", digits_run, "--far", 0.99 * least, "--guarantee").code == 3
    answer = cli("threshold", digits_run, "--far", "1e-6", "--guarantee", "--json")
    assert answer.code == 3
    point = answer.document
    assert (point["distance"], point["guaranteed"], point["supported"]) == (None, False, False)


def test_same_rows_in_several_classes(cli: Cli, tmp_path: Path):
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
    answer = cli("threshold", digits_run, "--far", "0.02")
    assert answer.code == 0
    assert answer.error.startswith("opiscal: warning: ")
    assert answer.error.endswith("[wide]")
    assert cli("threshold", digits_run, "--far", "0.02", "--quiet").err == ""
    assert cli("threshold", digits_run, "--far", "0.4").err == ""
    # 7 pairs are accepted, but of ten classes.
    assert cli("threshold", digits_run, "--far", "2e-5").code == 3


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
        (("--frr", "0.1", "-o", "no/where.json"), "'no/where.json' cannot be written"),
        (("--frr", "0.1", "-o", "."), "cannot be written"),
        (("--frr", "0.1", "--guarantee"), "--guarantee: only a FAR can be guaranteed"),
        (("--eer", "--guarantee"), "--guarantee: only a FAR can be guaranteed"),
        (("--at", "distance=0.5", "--guarantee"), "give --far 1e-3 with it"),
        (("--far", "0", "--guarantee"), "far 0.0: must be above 0 and below 1"),
        (("--far", "0", "--force"), "far 0.0: must be above 0 and below 1"),
        (("--far", "0.1", "--confidence", "95"), "confidence 95.0: must be above 0.5 and below 1"),
        (("--far", "0.1", "--confidence", "1"), "confidence 1.0: must be above 0.5 and below 1"),
        (("--far", "0.1", "--confidence", "0.5"), "confidence 0.5: must be above 0.5 and below 1"),
        (("--far", "0.1", "--confidence", "nan"), "confidence nan: must be above 0.5 and below 1"),
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
    assert cli("threshold", digits_run, "--far", "0.05", "-o", "link.json").code == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads(target.read_text())["target"] == 0.05
    assert stat.S_IMODE(target.stat().st_mode) == 0o644

    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert cli("threshold", digits_run, "--far", "0.05", "-o", "pipe").code == 0
    assert json.loads(os.read(reader, 1 << 16))["target"] == 0.05
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["link.json", "pipe", "real.json"]


def test_an_artifact_that_cannot_be_written(cli: Cli, digits_run, tmp_path: Path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "t.json").write_text("older")
    monkeypatch.setattr("os.replace", full)
    answer = cli("threshold", digits_run, "--far", "0.05", "-o", "t.json", "-q")
    assert answer.code == 2
    assert "'t.json' cannot be written (No space left on device)" in answer.error
    assert listing(tmp_path) == {"t.json": b"older"}


@pytest.mark.parametrize(("far", "code"), [("0.02", 0), ("2e-5", 3)])
def test_nobody_reads_the_warnings(digits_run, tmp_path: Path, far, code):
    """A pipe on stderr that nobody reads any more leaves answer and exit code alone."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [installed(), "threshold", str(digits_run), "--far", far, "--json"],
        cwd=tmp_path, env=clean_environment(), stdout=subprocess.PIPE, stderr=writer, check=False,
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == code
    assert json.loads(done.stdout)["supported"] is (code == 0)


def test_the_installed_command(command: Cli, places_run):
    answer = command("threshold", places_run, "--far", "0.1", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.document["far"] <= 0.1
    answer = command("threshold", places_run, "--far", "1e-3", "--json")
    assert (answer.code, answer.document["supported"]) == (0, True)
    assert answer.error.endswith("[wide]")
    answer = command("threshold", places_run, "--far", "1e-12", "--json")
    assert answer.code == 3
    assert answer.document["supported"] is False
    assert answer.error.startswith("opiscal: inconclusive: ")
    answer = command("threshold", DIGITS400, "--far", "0.1", "--metric", "l2")
    assert answer.code == 0
    assert "L2 distance" in answer.out
