"""Two workers of one thread against two threads of one process, and what a checkpoint costs.

A simulated set of 50,000 rows x 512 dimensions is evaluated by the local engine and by workers on
this machine, in turns; reports must be equal. The workers are started before: a cluster is there.

- *speed*: seconds of the local engine over those of the cluster, of reading, counting and nearest
  classes together; target 0.85.
- *scheduling*: of the time of the workers while pairs are counted, what is neither work nor the
  sending of what it needs; target 3 %.
- *checkpoint*: seconds that keeping all counts on the disk takes more; and, as a shared machine is
  no clock for 2 %, the processor time outside the loops that count pairs, which do the same with
  and without: how much more it is, over that of the count; target 2 %; the most that the folder
  ever held, over the bytes of the finished counts; at most 2.

Usage: python benchmarks/cluster.py [--rows N] [--dimensions D] [--runs K]
"""

import argparse
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from opiscal.data.embedding_set import ColumnNames
from opiscal.data.simulate import SimulationConfig, simulate
from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.dask_cluster import Cluster
from opiscal.engines.dask_engine import DaskEngine
from opiscal.engines.engine import Engine
from opiscal.engines.local import LocalEngine
from opiscal.engines.worker_rows import bytes_read_on_worker
from opiscal.evaluation import evaluate_files
from opiscal.pairs import negative_blocks, positive_blocks
from opiscal.pairs.counting import CountedSet
from opiscal.report.record import Report
from opiscal.report.settings import EvaluateConfig

WORKERS = 2
KEEPING, BY_WORKERS = (2, 3), (1, 3)
STAGES = ("read", "count", "nearest_class")
ENGINES = (
    "local, 2 threads",
    "2 workers",
    "local, with checkpoint",
    "2 workers, with checkpoint",
)
SPEED, SCHEDULING, CHECKPOINT = 0.85, 0.03, 0.02


# The loops over pairs: of the same blocks, whoever counts.
LOOPS = ((negative_blocks, "tally_negatives"), (positive_blocks, "tally_positives"))


class TimedEngine(LocalEngine):
    """Takes the processor time of its count, and what of it is spent in the loops over pairs."""

    seconds = in_loops = 0.0
    lock = threading.Lock()

    def count(self, *given: Any) -> list[CountedSet]:
        with ExitStack() as watched:
            for owner, name in LOOPS:
                plain = getattr(owner, name)
                watched.callback(setattr, owner, name, plain)
                setattr(owner, name, self._timed(plain))
            begin = time.process_time()
            found = super().count(*given)
            self.seconds = time.process_time() - begin
        return found

    def _timed(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        def work(*given: Any) -> Any:
            begin = time.thread_time()
            found = plain(*given)
            spent = time.thread_time() - begin
            with self.lock:
                self.in_loops += spent
            return found

        return work


def evaluated(data: Path, engine: Engine) -> tuple[Report, dict[str, float]]:
    config = EvaluateConfig(threads=WORKERS)
    report = evaluate_files([str(data)], ColumnNames(), config, engine=engine)
    return report, report.provenance.elapsed_s


def seconds(elapsed: dict[str, float]) -> float:
    return sum(elapsed[stage] for stage in STAGES)


def numbers(report: Report) -> dict[str, object]:
    document = report.to_dict()
    document.pop("provenance")
    return document


class LargestSize:
    """Watches a folder: the most bytes that it ever held."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.most, self.over = folder, 0, threading.Event()
        # Processor time of looking.
        self.seconds = 0.0
        self.thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self.over.wait(0.02):
            try:
                size = sum(file.stat().st_size for file in self.folder.iterdir())
            except OSError:
                continue
            self.most = max(self.most, size)
            self.seconds = time.thread_time()

    def __enter__(self) -> "LargestSize":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


def idle_share(stream: list[dict[str, object]], workers: int) -> tuple[float, dict[str, float]]:
    """Of the time from the first counting task to the last what workers did not work or send."""
    spans: dict[str, list[tuple[float, float]]] = {}
    by_kind: dict[str, float] = {}
    for task in stream:
        for part in task["startstops"]:  # type: ignore[attr-defined]
            name = str(task["key"]).rsplit("-", 1)[0]
            kind = name if part["action"] == "compute" else part["action"]
            spans.setdefault(str(task["worker"]), []).append((part["start"], part["stop"]))
            by_kind[kind] = by_kind.get(kind, 0.0) + part["stop"] - part["start"]
    counting = [
        (part["start"], part["stop"])
        for task in stream
        if str(task["key"]).startswith("count-")
        for part in task["startstops"]  # type: ignore[attr-defined]
    ]
    first, last = min(start for start, _ in counting), max(stop for _, stop in counting)
    busy = sum(_covered(part, first, last) for part in spans.values())
    return 1.0 - busy / (workers * (last - first)), by_kind


def _covered(spans: list[tuple[float, float]], first: float, last: float) -> float:
    total, end = 0.0, first
    for start, stop in sorted(spans):
        start, stop = max(start, end), min(stop, last)
        if stop > start:
            total, end = total + stop - start, stop
    return total


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--classes", type=int, default=2500)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    from distributed import get_task_stream

    with tempfile.TemporaryDirectory() as home:
        data = Path(home) / "set.parquet"
        simulate(
            SimulationConfig(rows=asked.rows, dimensions=asked.dimensions, classes=asked.classes),
            data,
        )
        started = time.perf_counter()
        cluster = Cluster(workers=WORKERS)
        print(f"two workers started in {time.perf_counter() - started:.1f} s")
        client = cluster._client
        rows: list[list[dict[str, float]]] = []
        work: list[list[float]] = []
        idle, ratios = [], []
        for turn in range(asked.runs + 1):
            reports: dict[int, Report] = {}
            elapsed: dict[int, dict[str, float]] = {}
            timed: dict[int, TimedEngine] = {}
            # To and fro: a machine that grows slower or faster favours none.
            for k in range(4) if turn % 2 == 0 else range(3, -1, -1):
                folder = Path(home) / f"kept-{k}"
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                kept = Checkpoint(str(folder)) if k in KEEPING else None
                if k in BY_WORKERS:
                    engine: Engine = DaskEngine(cluster, cluster.memory, kept)
                    before = cluster.bytes_between_workers()
                    with get_task_stream(client) as stream:
                        reports[k], elapsed[k] = evaluated(data, engine)
                    if kept is None:
                        sent = cluster.bytes_between_workers() - before
                        read = sum(cluster.run_everywhere(bytes_read_on_worker))
                        idle.append(idle_share(stream.data, WORKERS))
                else:
                    timed[k] = TimedEngine(WORKERS, None, kept)
                    with LargestSize(folder) as watched:
                        reports[k], elapsed[k] = evaluated(data, timed[k])
                    timed[k].seconds -= watched.seconds
                    if kept is not None:
                        ratios.append(watched.most / (kept._room / 2))
            assert all(numbers(reports[k]) == numbers(reports[0]) for k in range(4))
            rows.append([elapsed[k] for k in range(4)])
            outside = {k: timed[k].seconds - timed[k].in_loops for k in (0, 2)}
            work.append([timed[0].seconds, timed[2].seconds, outside[2] - outside[0]])
        # The first run compiles and warms up.
        rows, idle, work = rows[1:], idle[1:], work[1:]
        times = np.array([[seconds(elapsed) for elapsed in run] for run in rows])
        counts = np.array([[elapsed["count"] for elapsed in run] for run in rows])
        print(
            f"\n{asked.rows:,} x {asked.dimensions}, {asked.classes:,} classes, medians of "
            f"{asked.runs} runs in turns; reports equal"
        )
        for run in times:
            print("  run: " + ", ".join(f"{value:.2f}" for value in run) + " s")
        print("| engine | read, s | count, s | nearest classes, s | all three, s |")
        print("|---|---|---|---|---|")
        for k, name in enumerate(ENGINES):
            stages = [np.median([run[k][stage] for run in rows]) for stage in STAGES]
            said = " | ".join(f"{value:.2f}" for value in (*stages, np.median(times[:, k])))
            print(f"| {name} | {said} |")
        speed = np.median(times[:, 0] / times[:, 1])
        count_speed = np.median(counts[:, 0] / counts[:, 1])
        cost, cost_of_workers = np.median(counts[:, 2:] / counts[:, :2], axis=0) - 1
        cpu = np.array(work)
        fastest = counts.min(axis=0)[2:] / counts.min(axis=0)[:2] - 1
        share = np.median([found for found, _ in idle])
        print(
            f"\nspeed of the cluster: {speed:.2f} of the local engine (count alone "
            f"{count_speed:.2f}); target {SPEED}"
        )
        print(
            f"scheduling: {100 * share:.1f} % of the workers' time; target {100 * SCHEDULING:.0f} %"
        )
        print(
            f"workers read {read / 1e6:.1f} MB of rows to count them, after looking at all once "
            f"({asked.rows * asked.dimensions * 4 / 1e6:.1f} MB of vectors), and sent "
            f"{sent / 1e6:.1f} MB of counts"
        )
        print(
            "worker seconds: " + ", ".join(f"{k} {v:.2f}" for k, v in sorted(idle[-1][1].items()))
        )
        print(
            f"checkpoint: {100 * cost:+.1f} % of the count, {100 * cost_of_workers:+.1f} % where "
            f"workers keep it; of the fastest runs {100 * fastest[0]:+.1f} % and "
            f"{100 * fastest[1]:+.1f} %; outside the loops over pairs it takes "
            f"{np.median(cpu[:, 2]):.2f} s more of processor time, "
            f"{100 * np.median(cpu[:, 2] / cpu[:, 0]):.1f} % of that of the count; target "
            f"{100 * CHECKPOINT:.0f} %; at most {max(ratios):.2f} times the finished counts; "
            "target 2"
        )
        for name, found in (
            ("speed", times[:, 0] / times[:, 1]),
            ("scheduling", np.array([part for part, _ in idle])),
            ("checkpoint, local", counts[:, 2] / counts[:, 0] - 1),
            ("checkpoint, processor time", cpu[:, 1] / cpu[:, 0] - 1),
            ("checkpoint, outside the loops", cpu[:, 2] / cpu[:, 0]),
            ("checkpoint, workers", counts[:, 3] / counts[:, 1] - 1),
        ):
            print(f"  {name}, run by run: " + ", ".join(f"{value:.3f}" for value in found))
        cluster.close()


if __name__ == "__main__":
    main()
