"""Figures and page: what they add to a run folder, on one core.

Synthetic sets are evaluated, and each report is saved with and without its figures and its page, in
a process of its own that may use one core. The difference of the two, loading matplotlib included,
stands against its target; and against the time in which the pairs were counted, in the same run.

Usage: python benchmarks/figures.py [--classes T ...] [--runs N]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

OPISCAL = [sys.executable, "-c", "from opiscal.cli.main import main; main()"]
TARGETS = {659: 4.0, 10_000: 15.0}
ROWS_OF_CLASS = 10

SAVE = """
import sys, time
import opiscal

report = opiscal.load(sys.argv[1])
took = []
for plots in (False, True):
    started = time.perf_counter()
    report.save(sys.argv[2], plots=plots)
    took.append(time.perf_counter() - started)
print(took[1] - took[0])
"""


def one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def measure(classes: int, runs: int) -> tuple[float, float, float]:
    """Seconds of figures and page, seconds of counting, and megabytes of the page."""
    with tempfile.TemporaryDirectory() as folder:
        data, run, saved = (str(Path(folder, name)) for name in ("set.parquet", "run", "saved"))
        sizes = ["--rows", str(ROWS_OF_CLASS * classes), "--classes", str(classes)]
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([*OPISCAL, "simulate", data, *sizes], **quiet)
        subprocess.run([*OPISCAL, "evaluate", data, "-o", run, "--no-plots", "-q"], **quiet)
        took = []
        for _ in range(runs):
            done = subprocess.run(
                [sys.executable, "-c", SAVE, run, saved], check=True, capture_output=True,
                text=True, preexec_fn=one_core,
            )  # fmt: skip
            took.append(float(done.stdout))
        elapsed = json.loads(Path(run, "report.json").read_text())["provenance"]["elapsed_s"]
        size = Path(saved, "report.html").stat().st_size
    return statistics.median(took), sum(elapsed.values()), size / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--classes", type=int, nargs="+", default=list(TARGETS))
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    print("| classes | rows | figures and page, one core | target | over the evaluation | page |")
    print("|---|---|---|---|---|---|")
    for classes in arguments.classes:
        took, counting, size = measure(classes, arguments.runs)
        target = f"{TARGETS[classes]:g} s" if classes in TARGETS else ""
        print(
            f"| {classes:,} | {ROWS_OF_CLASS * classes:,} | {took:.1f} s | {target} "
            f"| {took / counting:.2f} | {size:.1f} MB |"
        )


if __name__ == "__main__":
    main()
