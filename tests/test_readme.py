"""The README tells the truth: its commands are run and print what it says, its Python runs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def steps(block: str) -> list[tuple[str, str]]:
    """Commands of a console block, each with the output that stands below it."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def assert_same(said: str, expected: str) -> None:
    """The same words, and the same numbers to 2 %.

    Float32 products differ in the last bit from machine to machine, so a pair at an edge may fall
    on its other side: at a FAR of 1e-6 of the sample data that is a quarter of the pairs. So may a
    class at the side of a column of the histogram: bars are the same where there are any.
    """
    bars = re.compile("[▁-▏]+(?: +[▁-▏]+)*")
    said, expected = bars.sub("(bars)", said), bars.sub("(bars)", expected)
    number = re.compile(r"(?<![\w./-])\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?![\w/])")
    assert number.sub("#", said).split() == number.sub("#", expected).split()
    values = [
        [float(found.replace(",", "")) for found in number.findall(text)]
        for text in (said, expected)
    ]
    assert values[0] == pytest.approx(values[1], rel=0.02, abs=1e-6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An empty place with the sample data in it, as the README supposes."""
    place = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "sample_data", place / "sample_data")
    return place


def test_commands_print_what_the_readme_says(folder):
    environment = dict(os.environ, COLUMNS="80", NO_COLOR="1")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    ran = 0
    for block in blocks("console"):
        for command, expected in steps(block):
            done = subprocess.run(
                command, shell=True, cwd=folder, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{command}: {done.stderr}"
            if expected.strip():
                assert_same(done.stdout + done.stderr, expected)
            ran += 1
    assert ran >= 3


PAIRS = re.findall(r"^opiscal compare (omniglot\S+) (omniglot\S+) --names (\w+),TCM$", README, re.M)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no real sets in ../shared/data")
@pytest.mark.parametrize("k", [0, 1])
def test_the_table_of_real_models_says_what_compare_finds(k):
    import opiscal
    from opiscal.data.embedding_set import ColumnNames
    from opiscal.evaluation import evaluate_files
    from opiscal.gate.comparison_cells import model_cells

    *files, name = PAIRS[k]
    config = opiscal.EvaluateConfig()
    reports = [evaluate_files([str(SHARED / file)], ColumnNames(), config) for file in files]
    comparison = opiscal.compare_reports(reports, [name, "TCM"])
    known = {d.name: d for d in comparison.candidates[0].differences}
    (table,) = re.findall(r"^\| figure \| CosFace \|.*\n\|[-|]+\n((?:\|.*\n)+)", README, re.M)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert [row[0] for row in rows] == [
        "OPIS", "without noise", "10%-OPIS", "mean utility", "EER", "FRR at FAR 0.01",
        "FRR at FAR 0.001", "Recall@1", "threshold",
    ]  # fmt: skip
    for figure, *cells in rows:
        old, new, change, verdict = cells[4 * k : 4 * k + 4]
        found = known[figure]
        assert [float(old), float(new)] == pytest.approx(
            [found.baseline, found.candidate], rel=2e-3
        )
        difference, *ends = (float(x) for x in re.findall(r"-?\d[\d.]*(?:e-?\d+)?", change))
        width = found.ci[1] - found.ci[0]
        assert difference == pytest.approx(found.difference, abs=0.02 * width)
        # Ends are printed in two digits.
        assert ends[0] == pytest.approx(found.ci[0], rel=0.05, abs=0.03 * width)
        assert ends[1] == pytest.approx(found.ci[1], rel=0.05, abs=0.03 * width)
        assert verdict == found.verdict
    for row in model_cells(comparison.models)[1:]:
        assert f"{float(row[-1]):.4g}" in {
            f"{float(x):.4g}" for x in re.findall(r"0\.\d{6}", README)
        }


@pytest.mark.parametrize("with_torch", [False, True])
def test_python_examples_run(folder, monkeypatch, with_torch):
    if with_torch:
        pytest.importorskip("torch", reason="torch is not installed: make torch")
    monkeypatch.chdir(folder)
    examples = [block for block in blocks("python") if ("import torch" in block) == with_torch]
    assert examples
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})


def test_every_command_and_option_is_told_of():
    from typer.main import get_command

    from opiscal.cli.app import app

    for name, command in get_command(app).commands.items():
        assert f"opiscal {name}" in README
        for parameter in command.params:
            longest = max(parameter.opts, key=len)
            if longest.startswith("--") and longest != "--help":
                assert f"`{longest}" in README, f"opiscal {name} {longest}"


def test_links_to_files_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target


def test_pictures_are_there_and_made_by_the_makefile():
    pictures = re.findall(r"!\[[^]]+\]\((docs/[^)]+)\)", README)
    assert len(pictures) >= 4
    recipe = (
        (ROOT / "Makefile").read_text(encoding="utf-8").split("\npictures:")[1].split("\n\n")[0]
    )
    for picture in pictures:
        assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")
        assert f"--kind {Path(picture).stem}" in recipe
