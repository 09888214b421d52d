"""The pages in docs and examples tell the truth: commands print what they say, links lead on."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from test_readme import assert_same, steps

GUIDE = ROOT / "docs" / "reading-a-report.md"
PAGES = [GUIDE, ROOT / "examples" / "digits" / "README.md", ROOT / "sample_data" / "README.md"]


def blocks(language: str) -> list[str]:
    text = GUIDE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A place with the sample data and the two runs that the guide makes first."""
    place = tmp_path_factory.mktemp("guide")
    shutil.copytree(ROOT / "sample_data", place / "sample_data")
    return place


def test_commands_print_what_the_guide_says(folder, monkeypatch):
    environment = dict(os.environ, COLUMNS="80", NO_COLOR="1")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    ran = 0
    for block in blocks("console"):
        for command, expected in steps(block):
            done = subprocess.run(
                command, shell=True, cwd=folder, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{command}: {done.stderr}"
            assert_same(done.stdout + done.stderr, expected)
            ran += 1
    assert ran == 4
    # Its Python reads the runs that these have made.
    monkeypatch.chdir(folder)
    (example,) = blocks("python")
    exec(compile(example, str(GUIDE), "exec"), {})


def test_the_comparison_that_the_pages_tell_of():
    import pyarrow.parquet as pq

    import opiscal

    reports = []
    for name in ("digits-arcface", "digits-arcface-tcm"):
        table = pq.read_table(ROOT / "sample_data" / f"{name}.parquet")
        assert table.num_rows == 900
        reports.append(opiscal.evaluate(table["embedding"].to_pylist(), table["label"].to_pylist()))
    (candidate,) = opiscal.compare_reports(reports).candidates
    found = candidate.find("opis.value")
    assert (found.baseline, found.candidate) == pytest.approx((0.00190, 0.00155), rel=0.02)
    assert found.ci == pytest.approx((-0.0015, 0.0016), abs=2e-4)
    assert found.verdict == "not distinguishable"
    assert found.relative == pytest.approx(-0.18, abs=0.02)
    fell = candidate.find("frr_at_far", 0.01)
    assert (fell.baseline, fell.candidate) == pytest.approx((0.162, 0.088), rel=0.02)
    assert fell.verdict == "better"
    assert [r.epsilon_opis.value for r in reports] == pytest.approx([0.00866, 0.0124], rel=0.02)
    recall = [r.retrieval.recall_at["1"] for r in reports]
    assert recall == pytest.approx([0.960, 0.954], abs=2e-3)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert targets
    for target in targets:
        if "://" not in target:
            assert (page.parent / target).exists(), target
