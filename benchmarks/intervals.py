"""What the intervals cost, as a share of the exact count of the same rows.

For 20,000 x 128 rows in 500 classes: the time of the count (rows put in order, edges placed, all
pairs counted) and of everything that a report adds for its uncertainty: intervals of rates, of
thresholds, of OPIS and the rest by resampling, noise and null value. They take turns, and medians
are printed. Then the time of `opiscal threshold` on a run of 2,500 classes.

Usage: python benchmarks/intervals.py [--threads N] [--runs N]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from exact import draw
from threadpoolctl import threadpool_limits

from opiscal.measures.calibration_range import find_range
from opiscal.measures.opis import Integration
from opiscal.measures.rate_intervals import rate_intervals
from opiscal.measures.rates import rate_curve
from opiscal.measures.utility import Utility, class_utility
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.sorted_rows import sort_rows
from opiscal.pairs.threads import available_threads
from opiscal.report.settings import EvaluateConfig
from opiscal.report.uncertainty import find_uncertainty

FARS = (1e-1, 1e-2, 1e-3, 1e-4)
MOST = 0.25


def uncertainty(counts: PairCounts) -> None:
    config = EvaluateConfig(retrieval=False)
    curve = rate_curve(counts)
    found = find_range(curve, config.range_spec, counts.metric)
    nodes, weights = Integration().nodes(counts.class_distance, found.low, found.high)
    curves = class_utility(counts, nodes, Utility())
    intervals = rate_intervals(counts)
    find_uncertainty(counts, curves, nodes, weights, found, intervals, config, far=FARS, frr=())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    embeddings = draw(20_000, 128, 500)
    counting, adding = [], []
    with threadpool_limits(limits=arguments.threads, user_api="blas"):
        for run in range(arguments.runs + 1):
            started = time.perf_counter()
            rows = sort_rows(embeddings)
            lattice = fit_lattice(rows, seed=0)
            tally = count_exactly(rows, lattice, threads=arguments.threads)
            counts = tally.counts(rows, lattice, embeddings.labels, "cosine")
            counted = time.perf_counter()
            uncertainty(counts)
            if run > 0:  # the first compiles and warms
                counting.append(counted - started)
                adding.append(time.perf_counter() - counted)
    count, added = statistics.median(counting), statistics.median(adding)
    print(f"{arguments.threads} threads, median of {arguments.runs}")
    print("| rows | D | classes | count | intervals, noise, null value | share | target |")
    print("|---|---|---|---|---|---|---|")
    print(f"| 20,000 | 128 | 500 | {count:.2f} s | {added:.2f} s | {added / count:.2f} | {MOST} |")
    print(f"opiscal threshold on a run of 2,500 classes: {threshold_seconds(arguments.runs):.2f} s")


def threshold_seconds(runs: int) -> float:
    tool = [sys.executable, "-c", "from opiscal.cli.main import main; main()"]
    with tempfile.TemporaryDirectory() as folder:
        data, run = str(Path(folder) / "set.parquet"), str(Path(folder) / "run")
        size = ["--rows", "20000", "--dimensions", "128", "--classes", "2500"]
        subprocess.run([*tool, "simulate", data, *size], check=True, capture_output=True)
        subprocess.run([*tool, "evaluate", data, "-o", run, "--no-plots"], check=True,
                       capture_output=True)  # fmt: skip
        took = []
        for _ in range(runs):
            started = time.perf_counter()
            subprocess.run([*tool, "threshold", run, "--far", "3e-3"], check=True,
                           capture_output=True)  # fmt: skip
            took.append(time.perf_counter() - started)
    return statistics.median(took)


if __name__ == "__main__":
    main()
