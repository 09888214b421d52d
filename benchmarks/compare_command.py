"""Whole commands: ``opiscal compare`` and ``opiscal gate`` on two finished runs of 2,500 classes.

The second model is the first with noise added to its rows. Wall time from the start of the command
to its end, of full runs and of slim ones; what is asked for is 3 seconds. Beside it the processor
time of all its threads, which other work on the machine hardly moves. Medians of some runs.

Usage: python benchmarks/compare_command.py [--rows N] [--dimensions D] [--classes T] [--runs N]
"""

import argparse
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from command import OPISCAL

import opiscal
from opiscal.data.embedding_set import ColumnNames, RowPolicy
from opiscal.data.parquet import read_embeddings
from opiscal.data.simulate import SimulationConfig, simulate

TARGET = 3.0
NOISE = 0.05
KINDS = ("full", "slim")


def write_runs(folder: Path, rows: int, dimensions: int, classes: int) -> None:
    """The runs of two models, each full and slim."""
    data = folder / "set.parquet"
    simulate(SimulationConfig(rows, dimensions, classes), data)
    read = read_embeddings([str(data)], ColumnNames(), RowPolicy())
    labels = read.class_of_row.tolist()
    noise = np.random.default_rng(0).standard_normal(read.vectors.shape, dtype=np.float32)
    for name, vectors in (("old", read.vectors), ("new", read.vectors + NOISE * noise)):
        report = opiscal.evaluate(vectors, labels)
        for kind in KINDS:
            report.save(folder / f"{name}-{kind}", plots=False, slim=kind == "slim")


def seconds(command: list[str], runs: int) -> tuple[float, float]:
    """Median wall time and processor time of a command."""
    wall, processor = [], []
    for _ in range(runs):
        started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall.append(time.perf_counter() - started)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(wall), statistics.median(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--classes", type=int, default=2_500)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    print("| command | runs | wall time | target | ratio | processor time |")
    print("|---" * 6 + "|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_runs(folder, arguments.rows, arguments.dimensions, arguments.classes)
        for kind in KINDS:
            old, new = (str(folder / f"{name}-{kind}") for name in ("old", "new"))
            for name, command in (
                ("compare", ["compare", old, new]),
                # For any verdict the exit code is 0: a worse model is no failure of the benchmark.
                ("gate", ["gate", new, "--baseline", old, "--report-only"]),
            ):
                # Once before: the disk and the compiled kernels are warm in use.
                seconds([*OPISCAL, *command], 1)
                wall, processor = seconds([*OPISCAL, *command], arguments.runs)
                cells = f"{wall:.2f} s | {TARGET:g} s | {wall / TARGET:.2f} | {processor:.2f} s"
                print(f"| `opiscal {name}` | {kind} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
