"""Small sets that are shared out into many tasks, and what two runs of them have in common."""

import json
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import ROOT, clean_environment, write_set

from opiscal.pairs.tasks.exact_tasks import ExactTasks

HARD_LABELS = ("two\nlines", "<script>", "عربى", "../up", "\x1b[31m", "$x$", "a" * 500)


def drawn_set(file: Path, rows: int, classes: int, seed: int, **columns: list) -> Path:
    """Vectors about the centres of classes; some rows have no label."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, rows)
    vectors = np.random.default_rng(7).standard_normal((classes, 16))[label]
    vectors = vectors + rng.standard_normal((rows, 16))
    names = [*HARD_LABELS, *(f"class {k}" for k in range(classes))]
    labels = [None if rng.random() < 0.03 else names[c] for c in label]
    groups = pa.array([("east", "we\nst", "north")[k] for k in rng.integers(0, 3, rows)])
    more = {name: pa.array(values) for name, values in columns.items()}
    return write_set(file, vectors.astype(np.float32), labels, group=groups, **more)


def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share even small sets out into many tasks."""
    monkeypatch.setattr("opiscal.pairs.tasks.task._TASK_WORK", 1e5)


class StoppedError(Exception):
    """What a test lets happen."""


def watch_tasks(monkeypatch: pytest.MonkeyPatch, fail_after: int | None = None) -> list[str]:
    """Kinds of the tasks of one set as they are counted; counting fails after so many."""
    counted: list[str] = []
    plain = ExactTasks.count

    def count(self, task, nearest=()):
        if fail_after is not None and len(counted) >= fail_after:
            raise StoppedError
        counted.append(task.kind)
        return plain(self, task, nearest)

    monkeypatch.setattr(ExactTasks, "count", count)
    return counted


KILLED = """
import os, signal
from opiscal.cli.main import main
from opiscal.engines.checkpoint import Checkpoint

plain = Checkpoint.keep_task

def keep_task(*given):
    plain(*given)
    os.kill(os.getpid(), signal.SIGKILL)

Checkpoint.keep_task = keep_task
main()
"""


def killed_once_it_keeps_a_task(place: Path, *words: str) -> None:
    """Run a command that kills itself: who kills it from outside may find that it is done."""
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *words], cwd=place,
        env=clean_environment(PYTHONPATH=str(ROOT)), capture_output=True, check=False,
    )  # fmt: skip
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, b""), killed.stderr


def assert_same_run(one: Path, other: Path) -> None:
    """The same report but for where it came from, and the same counts bit for bit."""
    reports = [json.loads((run / "report.json").read_text()) for run in (one, other)]
    origins = [report.pop("provenance") for report in reports]
    assert reports[0] == reports[1]
    for name in ("fingerprint", "inputs", "columns", "seed"):
        assert origins[0][name] == origins[1][name], name
    archives = [np.load(run / "pairs.npz", allow_pickle=False) for run in (one, other)]
    assert archives[0].files == archives[1].files
    for name in archives[0].files:
        if name != "report":
            first, second = archives[0][name], archives[1][name]
            assert first.dtype == second.dtype, name
            assert np.array_equal(first, second), name
    assert zipfile.is_zipfile(one / "pairs.npz")
    assert (one / "classes.parquet").read_bytes() == (other / "classes.parquet").read_bytes()
