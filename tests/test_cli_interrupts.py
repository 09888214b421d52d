"""An interrupt at any moment: exit 130, one line, nothing left behind."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DIGITS400, ROOT, Cli, clean_environment, installed, listing

import opiscal

LINE = "opiscal: interrupted; nothing was left half written\n"

STAGES = (
    "opiscal.engines.local.read_embeddings",
    "opiscal.engines.local.fit_lattice",
    "opiscal.engines.local.count_pairs",
    "opiscal.engines.local.nearest_class",
    "opiscal.report.run.save_counts",
    "opiscal.report.class_table.ClassTable.columns",
    "opiscal.report.plots.write_plots",
    "opiscal.report.record.Report.to_dict",
    "os.fsync",
    "os.rename",
)


@pytest.mark.parametrize("where", STAGES)
def test_an_interrupt_at_each_stage(cli: Cli, tmp_path: Path, digits_run: Path, monkeypatch, where):
    shutil.copytree(digits_run, tmp_path / "run")
    before = listing(tmp_path)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for place in ("run", "new"):
        with monkeypatch.context() as patch:
            patch.setattr(where, interrupted)
            figures = () if where.endswith("write_plots") else ("--no-plots",)
            answer = cli("evaluate", DIGITS400, "-o", place, "-q", *figures)
        assert (answer.code, answer.out, answer.err) == (130, "", LINE)
        assert listing(tmp_path) == before


def test_an_interrupt_of_simulate(cli: Cli, tmp_path: Path, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("opiscal.data.simulate.write_truth", interrupted)
    answer = cli("simulate", "set.parquet", "--rows", 100, "--classes", 10)
    assert (answer.code, answer.out, answer.err) == (130, "", LINE)
    assert os.listdir(tmp_path) == []


def test_debug_shows_where(cli: Cli, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("opiscal.engines.local.count_pairs", interrupted)
    answer = cli("evaluate", DIGITS400, "--debug")
    assert answer.code == 130
    assert "Traceback (most recent call last)" in answer.err
    assert answer.err.endswith(LINE)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set that takes some seconds to count."""
    from opiscal.data.simulate import SimulationConfig, simulate

    file = tmp_path_factory.mktemp("large") / "set.parquet"
    simulate(SimulationConfig(rows=60_000, dimensions=64, classes=6_000), file)
    return file


HALF_WAY = """
import os, signal, sys
from pathlib import Path
import opiscal.engines.local as local
from opiscal.cli.main import main

# A process in the background may have been started with interrupts passed over.
signal.signal(signal.SIGINT, signal.default_int_handler)
share = float(sys.argv.pop(1))
plain = local.count_pairs

def interrupted(rows, *given, progress=None, **named):
    counted, pairs = [0], rows.rows * (rows.rows - 1) // 2

    def advance(more):
        before = counted[0]
        counted[0] += more
        if before <= share * pairs < counted[0]:
            os.kill(os.getpid(), signal.SIGINT)

    try:
        return plain(rows, *given, progress=advance, **named)
    finally:
        if counted[0] > pairs / 2:
            Path("went-on").touch()

local.count_pairs = interrupted
main()
"""


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_an_interrupt_half_way(tmp_path: Path, large: Path, digits_run: Path, share):
    shutil.copytree(digits_run, tmp_path / "run")
    before = listing(tmp_path)
    # It interrupts itself: how far it is after some time depends on what else the machine does.
    done = subprocess.run(
        [sys.executable, "-c", HALF_WAY, str(share), "evaluate", str(large), "-o", "run"],
        cwd=tmp_path, env=clean_environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", LINE)
    # Nor did it first finish what it was at: half of the pairs, and it would have left a file.
    assert listing(tmp_path) == before
    assert opiscal.load(tmp_path / "run").data.rows_read == 900


MODULES = (
    "typer", "opiscal.cli.app", "numpy", "opiscal.evaluation", "pyarrow.parquet", "numba", "faiss",
    "matplotlib.figure",
)  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_an_interrupt_while_a_library_loads(tmp_path: Path, module):
    code = f"""
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

from opiscal.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupt())
sys.argv = ["opiscal", "evaluate", {str(DIGITS400)!r}]
main()
"""
    done = subprocess.run(
        [str(Path(installed()).with_name("python")), "-c", code], cwd=tmp_path,
        env=clean_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr in (LINE, "opiscal: interrupted\n")
    assert os.listdir(tmp_path) == []
