"""``opiscal compare``: whole commands, by their numbers."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import PLACES, write_set

import opiscal


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """The places under a worse model, as data and as a run."""
    from opiscal.cli.app import run

    folder = tmp_path_factory.mktemp("noisy")
    table = pq.read_table(PLACES)
    vectors = np.stack(table["embedding"].to_numpy())
    vectors = vectors + 0.02 * np.random.default_rng(0).standard_normal(vectors.shape)
    file = write_set(
        folder / "noisy.parquet", vectors.astype("float32"), table["label"].to_pylist()
    )
    assert run(["evaluate", str(file), "-o", str(folder / "run"), "--quiet", "--no-plots"]) == 0
    return folder


def test_numbers_are_those_of_the_library(cli, places_run, noisy):
    answer = cli("compare", places_run, noisy / "run", "--names", "old,new", "--json")
    assert (answer.code, answer.err) == (0, "")
    document = answer.document
    reports = [opiscal.load(run) for run in (places_run, noisy / "run")]
    expected = opiscal.compare_reports(reports, ["old", "new"]).to_dict()
    assert document == json.loads(json.dumps(expected))
    found = {(d["metric"], d["target"]): d for d in document["differences"]}
    opis = found["opis.corrected", None]
    assert opis["difference"] == reports[1].opis.corrected - reports[0].opis.corrected
    assert opis["ci"][0] < opis["difference"] < opis["ci"][1]
    assert found["frr_at_far", 0.01]["candidate"] == reports[1].threshold(far=0.01).frr
    assert document["comparisons"][0]["shared_classes"] == 150
    assert [model["name"] for model in document["models"]] == ["old", "new"]


def test_data_is_evaluated_first(cli, places_run, noisy):
    run = cli("compare", places_run, noisy / "run", "--names", "a,b", "--json")
    data = cli("compare", places_run, noisy / "noisy.parquet", "--names", "a,b", "--json")
    assert data.code == 0
    for one, other in zip(run.document["differences"], data.document["differences"], strict=True):
        assert (one["metric"], one["verdict"]) == (other["metric"], other["verdict"])
        # Thresholds of a run are kept in nine digits.
        assert other["difference"] == pytest.approx(one["difference"], rel=1e-6, abs=1e-9)


def test_text_and_markdown(cli, places_run, noisy):
    text = cli("compare", places_run, noisy / "run", "--names", "old,new")
    assert (text.code, text.err) == (0, "")
    assert all(len(line) <= 80 for line in text.out.splitlines())
    assert "new against old" in text.out
    assert "150 classes in both" in text.out
    markdown = cli("compare", places_run, noisy / "run", "--names", "old,new", "--markdown")
    assert markdown.code == 0
    assert markdown.out.startswith("| model | OPIS |")
    found = {line.split(" |")[0] for line in markdown.out.splitlines()}
    assert {"| OPIS", "| without noise", "| Recall@1", "| FAR there"} <= found


def test_a_run_against_itself(cli, places_run):
    answer = cli("compare", places_run, places_run, "--json")
    assert answer.code == 0
    names = [model["name"] for model in answer.document["models"]]
    assert names == [str(places_run), f"{places_run} (2)"]
    for found in answer.document["differences"]:
        if found["ci"] is not None:
            assert (found["difference"], found["ci"]) == (0.0, [0.0, 0.0])
            assert found["verdict"] == "not distinguishable"


def test_a_threshold_in_production(cli, places_run, noisy):
    answer = cli("compare", places_run, noisy / "run", "--threshold", "similarity=0.9", "--json")
    point = answer.document["comparisons"][0]["threshold"]["candidate"]
    expected = opiscal.load(noisy / "run").threshold(at=np.sqrt(0.2))
    assert point["far"] == pytest.approx(expected.far)
    assert point["frr_ci"] == pytest.approx(expected.frr_ci)
    assert cli("threshold", places_run, "--far", "0.05", "-o", "t.json").code == 0
    answer = cli("compare", places_run, noisy / "run", "--threshold", "@t.json", "--json")
    kept = json.loads(Path("t.json").read_text())["distance"]
    given = answer.document["comparisons"][0]["threshold"]["candidate"]["distance"]
    assert given == pytest.approx(kept, rel=1e-8)


def test_seed_and_confidence(cli, places_run, noisy):
    def interval(*more):
        answer = cli("compare", places_run, noisy / "run", "--json", *more)
        (found,) = [d for d in answer.document["differences"] if d["metric"] == "utility.mean"]
        return found["ci"]

    plain, other, wide = interval(), interval("--seed", "1"), interval("--confidence", "0.99")
    assert plain == interval()
    assert plain != other
    assert plain == pytest.approx(other, abs=0.1 * (plain[1] - plain[0]))
    assert wide[0] < plain[0] < plain[1] < wide[1]


def test_mismatches(cli, places_run, digits_run, noisy):
    answer = cli("compare", places_run, digits_run)
    assert answer.code == 2
    assert "classes (150 that the other has not: china/00" in answer.error
    assert "--allow-mismatch" in answer.error
    answer = cli("compare", places_run, digits_run, "--allow-mismatch", "--json")
    assert answer.code == 0
    assert answer.document["comparisons"][0]["pairing"] == "unpaired"
    assert all(line.endswith("[mismatch]") for line in answer.err.splitlines())
    answer = cli("compare", places_run, digits_run, "--allow-mismatch", "--quiet", "--json")
    assert answer.err == ""
    assert cli("evaluate", PLACES, "--c", "2", "-o", "c2", "--quiet", "--no-plots").code == 0
    answer = cli("compare", places_run, "c2", "--allow-mismatch")
    assert answer.code == 2
    assert "c (1 and 2)" in answer.error


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "two models or more"),
        (("nowhere",), "nowhere"),
        (("damaged",), "damaged"),
        (("PLACES", "--names", "a"), "--names 'a': 2 models need as many names"),
        (("PLACES", "--names", "a,a"), "no two of them the same"),
        (("PLACES", "--names", "a,"), "as many names"),
        (("PLACES", "--json", "--markdown"), "--json and --markdown"),
        (("PLACES", "--threshold", "0.9"), "--threshold '0.9': must be SCALE=VALUE"),
        (("PLACES", "--threshold", "similarity=2"), "similarity 2"),
        (("PLACES", "--confidence", "1.5"), "confidence 1.5"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(cli, places_run, tmp_path, more, words):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "pairs.npz").write_bytes(b"nothing")
    answer = cli("compare", places_run, *(places_run if m == "PLACES" else m for m in more))
    assert answer.code == 2
    assert answer.out == ""
    assert words in answer.error


def test_as_installed(command, places_run, noisy):
    answer = command("compare", places_run, noisy / "run", "--names", "old,new")
    assert (answer.code, answer.err) == (0, "")
    assert "mean utility" in answer.out
    answer = command("compare", places_run)
    assert answer.code == 2


def test_a_picture_of_the_models(cli, places_run, noisy, tmp_path):
    file = tmp_path / "models.svg"
    more = ("--names", "a:b,c", "--pair", "a:b:c", "--error", "recall", "--plot", file)
    assert cli("compare", places_run, noisy, *more).code == 0
    text = file.read_text(encoding="utf-8")
    assert "recognition error: 1 - Recall@1" in text
    assert ">a:b</text>" in text
    assert [path.name for path in tmp_path.iterdir()] == ["models.svg"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--pair", "a:b"), "--pair and --error: they are of a picture; give --plot FILE too"),
        (("--plot", "x.gif"), "--plot 'x.gif': must end in .svg, .png, .pdf"),
        (("--plot", "x.svg", "--pair", "a:z", "--names", "a,b"), "--pair 'a:z': must be two names"),
        (("--plot", "x.svg", "--error", "pie"), "error 'pie': must be eer, recall or far=x"),
    ],
)
def test_a_picture_that_cannot_be_drawn(cli, places_run, noisy, tmp_path, more, said):
    answer = cli("compare", places_run, noisy, *more)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert not list(tmp_path.iterdir())
