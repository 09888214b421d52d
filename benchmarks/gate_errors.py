"""How often the verdict of a gate is wrong, by the usual policy, on real sets.

A draw takes a random part of the classes, and of each class two disjoint halves of its rows: one
is the baseline, the other the candidate, as it is or made worse. How much worse is settled on all
classes of the set, so that it is the same truth in every draw:

- *no difference*: the other half as it is;
- *worse FRR*: noise in all vectors, so much that FRR at FAR 0.01 rises by twice the rule's margin;
- *worse OPIS*: noise in the vectors of a tenth of the classes, so much that OPIS without noise
  rises by twice its margin;
- *a tenth broken*: noise that adds 30 points of FRR, at the recommended threshold, to a tenth of
  the classes.

Usage: python benchmarks/gate_errors.py [--draws N] [--data FOLDER] [--sets NAME ...]
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import opiscal
from opiscal.data.embedding_set import ColumnNames
from opiscal.data.parquet import read_embeddings
from opiscal.gate.gate import gate_reports
from opiscal.gate.verdict import Verdict
from opiscal.report.record import Report
from opiscal.report.settings import EvaluateConfig

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BROKEN, POINTS = 0.1, 0.3
FRR, OPIS = "frr_at_far", "opis.corrected"
FEWEST_ROWS = 8
# The share of the classes in a draw; smaller ones show how many classes it takes.
SETS = {"banking77": (0.8,), "omniglot_baseline_s0": (0.8, 0.3, 0.15)}
CONFIG = EvaluateConfig(retrieval=False, threads=1)


@dataclass(frozen=True)
class Population:
    """A set of rows in class order, and a tenth of its classes."""

    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]
    tenth: NDArray[np.int64]

    @classmethod
    def of(cls, vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> "Population":
        rows = np.bincount(labels)
        kept = rows[labels] >= FEWEST_ROWS
        order = np.argsort(labels[kept], kind="stable")
        vectors, labels = vectors[kept][order], labels[kept][order]
        known = np.unique(labels)
        tenth = np.random.default_rng(7).permutation(known)[: round(BROKEN * known.size)]
        return cls(vectors, labels, tenth)

    def halves(self, seed: int, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Disjoint halves of the rows of a random part of the classes."""
        rng = np.random.default_rng([seed, 3])
        known = np.unique(self.labels)
        chosen = rng.permutation(known)[: round(share * known.size)]
        sides: tuple[list[int], list[int]] = [], []
        start = np.searchsorted(self.labels, known)
        end = np.searchsorted(self.labels, known, side="right")
        for k in np.flatnonzero(np.isin(known, chosen)):
            rows = rng.permutation(np.arange(start[k], end[k])).tolist()
            half = len(rows) // 2
            sides[0].extend(rows[:half])
            sides[1].extend(rows[half : 2 * half])
        return np.array(sides[0]), np.array(sides[1])

    def report(self, rows: NDArray[np.int64], noise: float = 0.0, *, tenth: bool = False) -> Report:
        """The report of some rows, of which all, or those of the tenth, have noise in them."""
        vectors = self.vectors[rows]
        if noise > 0:
            worse = np.isin(self.labels[rows], self.tenth) if tenth else np.ones(rows.size, bool)
            # The same of a row in every draw.
            rng = np.random.default_rng([11, int(tenth)])
            all_noise = rng.standard_normal(self.vectors.shape, dtype=np.float32)
            step = noise / np.sqrt(vectors.shape[1]) * all_noise[rows[worse]]
            vectors = vectors.copy()
            vectors[worse] += step * np.linalg.norm(vectors[worse], axis=1, keepdims=True)
        return opiscal.evaluate(vectors, self.labels[rows], config=CONFIG)

    def frr_of_tenth(self, report: Report, distance: float) -> float:
        counts = report.counts
        own = np.isin(np.array(counts.labels), self.tenth)
        edge = int(np.searchsorted(counts.class_distance, distance))
        return 1.0 - counts.class_positive[own, edge].sum() / counts.positives_of_class[own].sum()


@dataclass(frozen=True)
class Worse:
    """How a candidate is made worse."""

    name: str
    noise: float = 0.0
    tenth: bool = False


def draw(population: Population, share: float, ways: list[Worse], seed: int) -> list[Verdict]:
    """The verdicts on candidates made worse in some ways, all on the same two halves."""
    with threadpool_limits(1):
        one, other = population.halves(seed, share)
        baseline = population.report(one)
        return [
            gate_reports(
                population.report(other, way.noise, tenth=way.tenth), baseline, seed=seed
            ).verdict
            for way in ways
        ]


def tuned(population: Population, name: str, tenth: bool, rise: float) -> Worse:
    """The noise by which a figure of all classes rises so much, by bisection."""
    _, rows = population.halves(0, 1.0)
    plain = population.report(rows)
    place = plain.recommended_threshold.distance
    assert place is not None

    def figure(report: Report) -> float:
        if name == "a tenth broken":
            return population.frr_of_tenth(report, place)
        return value_of(report, FRR if name == "worse FRR" else OPIS)

    least, most, before = 0.0, 4.0, figure(plain)
    with threadpool_limits(1):
        for _ in range(12):
            middle = 0.5 * (least + most)
            risen = figure(population.report(rows, middle, tenth=tenth)) - before
            least, most = (middle, most) if risen < rise else (least, middle)
    return Worse(name, 0.5 * (least + most), tenth)


def value_of(report: Report, metric: str) -> float:
    if metric == OPIS:
        return report.opis.corrected or 0.0
    return report.threshold(far=0.01, force=True).frr or 0.0


def margin_of(verdicts: list[Verdict], metric: str) -> float:
    return float(np.mean([r.margin for v in verdicts for r in v.rules if r.rule.metric == metric]))


def shares(verdicts: list[Verdict]) -> str:
    found = [verdict.verdict for verdict in verdicts]
    cells = [100 * np.mean([v == name for v in found]) for name in ("pass", "fail", "inconclusive")]
    return " | ".join(f"{cell:.1f}" for cell in cells)


def measure(name: str, population: Population, share: float, draws: int, processes: int) -> None:
    with ProcessPoolExecutor(processes) as pool:
        null = [
            found[0]
            for found in pool.map(
                partial(draw, population, share, [Worse("no difference")]), range(draws)
            )
        ]
        margins = {m: margin_of(null, m) for m in (OPIS, "epsilon_opis.value", FRR)}
        base = {
            m: [r.baseline for v in null for r in v.rules if r.rule.metric == m] for m in margins
        }
        told = ", ".join(
            f"{m} {margins[m]:.3g} of {np.mean(base[m]):.3g}"
            for m in margins  # type: ignore[arg-type]
        )
        classes = round(share * np.unique(population.labels).size)
        rows = np.median(np.unique(population.labels, return_counts=True)[1]) // 2
        head = f"| {name} | {classes} | {rows:.0f} | {len(null)}"
        print(f"{head} | no difference | {shares(null)} | {told} |", flush=True)
        ways = [
            tuned(population, "worse FRR", False, 2.0 * margins[FRR]),
            tuned(population, "worse OPIS", True, 2.0 * margins[OPIS]),
            tuned(population, "a tenth broken", True, POINTS),
        ]
        drawn = list(pool.map(partial(draw, population, share, ways), range(draws)))
    for k, way in enumerate(ways):
        mine = [found[k] for found in drawn]
        print(f"{head} | {way.name} | {shares(mine)} | noise {way.noise:.3g} |", flush=True)


def population_of(name: str, folder: Path) -> Population | None:
    file = folder / f"{name}.parquet"
    if not file.is_file():
        print(f"no {name} in {folder}: give a folder with --data", file=sys.stderr)
        return None
    found = read_embeddings([str(file)], ColumnNames(), CONFIG.row_policy)
    return Population.of(found.vectors, found.class_of_row.astype(np.int64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    print("Per cent of verdicts; classes and rows a class are those of one run of a draw.\n")
    print(
        "| set | classes | rows each | draws | candidate | pass | fail | inconclusive | margins |"
    )
    print("|---" * 9 + "|")
    for name in arguments.sets:
        population = population_of(name, arguments.data)
        for share in SETS.get(name, (0.8,)):
            if population is not None:
                measure(name, population, share, arguments.draws, arguments.processes)


if __name__ == "__main__":
    main()
