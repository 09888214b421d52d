"""examples/digits, small: it runs, its table has the numbers of its files, and pairs are paired."""

import importlib
import json
import os
import statistics
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

import opiscal
from opiscal import EvaluateConfig

pytest.importorskip("torch", reason="torch is not installed: make torch")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")

EXAMPLE = ROOT / "examples" / "digits"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder that the example writes, and what it prints."""
    out = tmp_path_factory.mktemp("digits") / "out"
    command = [sys.executable, EXAMPLE / "run.py", "-o", out, "--seeds", "2", "--epochs", "1"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*command, "--dimensions", "5"],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def rows_of(file):
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    return np.array(table["embedding"].to_pylist()), table["label"].to_pylist()


def test_numbers_are_those_of_its_files(made):
    out, _ = made
    found = json.loads((out / "results.json").read_text())
    assert len(found) == 8
    for one in found[::3]:
        name = "{dimensions}d-seed{seed}-{loss}.parquet".format(**one)
        rows, labels = rows_of(out / "embeddings" / name)
        assert rows.shape == (900, one["dimensions"])
        report = opiscal.evaluate(rows, labels, config=EvaluateConfig(threads=1))
        assert report.opis.value == pytest.approx(one["opis"], rel=1e-6)
        assert report.epsilon_opis.value == pytest.approx(one["epsilon_opis"], rel=1e-6)
        assert report.retrieval.recall_at["1"] == pytest.approx(one["recall_at_1"])


def test_the_table_is_of_all_seeds(made):
    out, said = made
    assert said == (out / "results.md").read_text()
    found = json.loads((out / "results.json").read_text())
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in said.splitlines()[2:]]
    assert [cell[:2] for cell in cells] == [
        [d, name] for d in ("2", "5") for name in ("OPIS", "10%-OPIS", "Recall@1")
    ]
    for dimensions, name, without, with_tcm, change, signs in cells:
        field = {"OPIS": "opis", "10%-OPIS": "epsilon_opis", "Recall@1": "recall_at_1"}[name]
        values = {
            loss: [one[field] for one in found if (str(one["dimensions"]), one["loss"]) == key]
            for loss in ("arcface", "arcface-tcm")
            for key in [(dimensions, loss)]
        }
        differences = [b - a for a, b in zip(*values.values(), strict=True)]
        for cell, numbers in zip(
            (without, with_tcm, change), (*values.values(), differences), strict=True
        ):
            assert cell == f"{statistics.mean(numbers):.5f} ± {statistics.stdev(numbers):.5f}"
        better = sum((d > 0) == (name == "Recall@1") and d != 0 for d in differences)
        worse = sum((d < 0) == (name == "Recall@1") and d != 0 for d in differences)
        assert signs == f"{better}, {worse}"


def test_what_else_it_writes(made):
    out, _ = made
    assert (out / "circles.png").read_bytes().startswith(b"\x89PNG")
    for dimensions in (2, 5):
        text = (out / "compare" / f"{dimensions}d-seed0.txt").read_text()
        assert "arcface-tcm against arcface" in text
        document = json.loads((out / "compare" / f"{dimensions}d-seed1.json").read_text())
        assert [model["name"] for model in document["models"]] == ["arcface", "arcface-tcm"]


@pytest.fixture
def training(monkeypatch):
    import torch

    monkeypatch.syspath_prepend(str(EXAMPLE))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield importlib.import_module("training")
    torch.set_num_threads(threads)


def test_rows_are_apart_and_pairs_start_alike(training):
    fitted, evaluated = training.Digits.parts()
    assert (len(fitted.digits), len(evaluated.digits)) == (897, 900)
    # Without a step both losses give the same network; after some they do not.
    for epochs, same in ((0, True), (2, False)):
        setting = training.Setting(4, epochs=epochs)
        pair = [training.train(setting, 3, with_tcm=w).embeddings for w in (False, True)]
        assert np.array_equal(*pair) == same
        again = training.train(setting, 3, with_tcm=True).embeddings
        assert np.allclose(pair[1], again, atol=1e-5)
        assert np.allclose(np.linalg.norm(again, axis=1), 1.0, atol=1e-5)


def test_arcface_sets_the_own_class_back(training):
    import torch

    loss = training.ArcFace(2, scale=4.0, margin=0.3)
    with torch.no_grad():
        loss.directions.copy_(torch.tensor([[np.cos(k), np.sin(k)] for k in range(10)]))
    angle = 1.2
    row = torch.tensor([[3 * np.cos(angle), 3 * np.sin(angle)]], dtype=torch.float32)
    logits = [4 * np.cos(angle - k) for k in range(10)]
    logits[1] = 4 * np.cos(abs(angle - 1) + 0.3)
    expected = np.log(np.exp(logits).sum()) - logits[1]
    assert loss(row, torch.tensor([1])).item() == pytest.approx(expected, rel=1e-4)


def test_density_on_the_circle(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLE))
    picture = importlib.import_module("picture")
    at = np.linspace(-np.pi, np.pi, 2001)
    step = at[1] - at[0]
    curve = picture.density(np.array([np.pi, -np.pi + 0.01, 0.5]), at)
    assert curve[1:].sum() * step == pytest.approx(1.0, abs=1e-6)
    # Two of the three lie about the point where angles begin anew.
    assert curve[0] == pytest.approx(curve[-1])
    assert curve[0] > 1.8 * curve[np.argmin(np.abs(at - 0.5))]
