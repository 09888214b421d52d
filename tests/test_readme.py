"""The README tells the truth: its commands are run and print what it says, its Python runs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
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
