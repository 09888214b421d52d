"""Whole commands: peak memory of an evaluation against its bound, and how quickly commands start.

A synthetic set of the shape of a well-known product benchmark (60,000 rows, 128 dimensions,
11,000 classes) is evaluated in a process of its own. Memory is what the system says of that
process; times are medians, the start of the tool as a ratio to that of ``import typer`` in one run.

Usage: python benchmarks/command.py [--rows N] [--dimensions D] [--classes T] [--runs N]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OPISCAL = [sys.executable, "-c", "from opiscal.cli.main import main; main()"]


def seconds(command: list[str], runs: int) -> float:
    """Median wall time of a command."""
    took = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took.append(time.perf_counter() - started)
    return statistics.median(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--classes", type=int, default=11_000)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    start = seconds([*OPISCAL, "--help"], arguments.runs)
    typer = seconds([sys.executable, "-c", "import typer"], arguments.runs)
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder) / "set.parquet", Path(folder) / "run"
        sizes = [
            f"--{name}={getattr(arguments, name)}" for name in ("rows", "dimensions", "classes")
        ]
        subprocess.run([*OPISCAL, "simulate", str(data), *sizes], check=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        started = time.perf_counter()
        subprocess.run(
            [*OPISCAL, "evaluate", str(data), "-o", str(run)], check=True, stdout=subprocess.DEVNULL
        )
        took = time.perf_counter() - started
        peak = 1024 * max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
        threshold = seconds([*OPISCAL, "threshold", str(run), "--far", "1e-3"], arguments.runs)
        scored = json.loads((run / "report.json").read_text())["data"]["classes_scored"]
    bound = 4 * arguments.rows * arguments.dimensions + 600 * arguments.rows
    bound += 600_000_000 + 16_384 * scored
    print("| what | measured | bound | ratio |")
    print("|---|---|---|---|")
    print(
        f"| peak memory of `evaluate`, {arguments.rows:,} x {arguments.dimensions} in "
        f"{arguments.classes:,} classes | {peak / 1e6:.0f} MB | {bound / 1e6:.0f} MB "
        f"| {peak / bound:.2f} |"
    )
    print(f"| the same, wall time | {took:.1f} s | | |")
    print(f"| `opiscal threshold` on its run | {threshold:.2f} s | 1 s | {threshold:.2f} |")
    print(f"| `opiscal --help` to `import typer` | {start:.2f} s | {2.5 * typer:.2f} s "
          f"| {start / (2.5 * typer):.2f} |")  # fmt: skip


if __name__ == "__main__":
    main()
