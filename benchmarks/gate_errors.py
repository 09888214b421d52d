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

Sets of more classes than a real one has are drawn *like* it, to show how many classes and rows it
takes: the mean of a class is normal, with the mean and the covariance of the means of the real
classes; its rows lie about it as those of a real class, drawn at random, lie about theirs.

The tally so far goes to standard error every 20 draws, so that a run that is stopped has told what
it found.

Usage: python benchmarks/gate_errors.py [--draws N] [--data FOLDER] [--sets NAME ...]
           [--classes N ...] [--pilot N] [--processes N]
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import opiscal
from opiscal.data.embedding_set import ColumnNames
from opiscal.data.parquet import read_embeddings
from opiscal.data.simulate import SimulationConfig, simulate
from opiscal.gate.gate import gate_reports
from opiscal.gate.verdict import Verdict
from opiscal.report.record import Report
from opiscal.report.settings import EvaluateConfig

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BROKEN, POINTS = 0.1, 0.3
FRR, OPIS = "frr_at_far", "opis.corrected"
FEWEST_ROWS = 8
SHARE = 0.8
STEP = 20  # draws between two tallies
CONFIG = EvaluateConfig(retrieval=False, threads=1)


@dataclass(frozen=True)
class Population:
    """A set of rows in class order, and a tenth of its classes."""

    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]
    tenth: NDArray[np.int64]

    @property
    def classes(self) -> int:
        return int(np.unique(self.labels).size)

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
class Case:
    """A set, how many of its classes are in a draw, and of a set drawn like it its rows a class."""

    name: str
    classes: int
    rows: int | None = None

    def population(self, real: Population) -> Population:
        return real if self.rows is None else like(real, round(self.classes / SHARE), self.rows)

    @property
    def told(self) -> str:
        return self.name if self.rows is None else f"like {self.name}"


# Fewer classes, and more of them like those of a set, show how many it takes.
CASES = (
    Case("omniglot_baseline_s0", 99),
    Case("banking77", 62),
    Case("banking77", 150, 40),
    Case("omniglot_baseline_s0", 198),
    Case("omniglot_baseline_s0", 527),
    Case("banking77", 62, 166),
    Case("banking77", 300, 40),
    Case("banking77", 150, 166),
    Case("simulated", 1_000),
)


def like(real: Population, classes: int, rows: int) -> Population:
    """A set of more classes, with means and residuals like those of a real one."""
    rng = np.random.default_rng(5)
    vectors = real.vectors / np.linalg.norm(real.vectors, axis=1, keepdims=True)
    known = np.unique(real.labels)
    means = np.stack([vectors[real.labels == k].mean(axis=0) for k in known])
    centre = means.mean(axis=0)
    parts, labels = [], []
    for k in range(classes):
        weights = rng.standard_normal(known.size) / np.sqrt(known.size - 1)
        source = rng.integers(known.size)
        own = np.flatnonzero(real.labels == known[source])
        own = rng.choice(own, min(rows, own.size), replace=False)
        parts.append(centre + weights @ (means - centre) + vectors[own] - means[source])
        labels.append(np.full(own.size, k))
    return Population.of(np.concatenate(parts).astype(np.float32), np.concatenate(labels))


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


def baseline_of(verdicts: list[Verdict], metric: str) -> float:
    found = [r.baseline for v in verdicts for r in v.rules if r.rule.metric == metric]
    return float(np.mean([value for value in found if value is not None]))


def shares(verdicts: list[Verdict]) -> str:
    found = [verdict.verdict for verdict in verdicts]
    cells = [100 * np.mean([v == name for v in found]) for name in ("pass", "fail", "inconclusive")]
    return " | ".join(f"{cell:.1f}" for cell in cells)


def tally(head: str, ways: list[Worse], drawn: list[list[Verdict]]) -> None:
    """The shares of each way, so far, to standard error."""
    for k, way in enumerate(ways):
        row = f"{head} | {len(drawn)} | {way.name} | {shares([found[k] for found in drawn])}"
        print(f"so far {row} |", file=sys.stderr, flush=True)


def measure(case: Case, population: Population, draws: int, pilot: int, processes: int) -> None:
    share = case.classes / population.classes
    rows = np.median(np.unique(population.labels, return_counts=True)[1]) // 2
    head = f"| {case.told} | {case.classes} | {rows:.0f}"

    def verdicts(pool: ProcessPoolExecutor, ways: list[Worse], many: int) -> list[list[Verdict]]:
        found: list[list[Verdict]] = []
        for one in pool.map(partial(draw, population, share, ways), range(many)):
            found.append(one)
            if len(found) % STEP == 0:
                tally(head, ways, found)
        return found

    with ProcessPoolExecutor(processes) as pool:
        null = [found[0] for found in verdicts(pool, [Worse("no difference")], pilot)]
        metrics = (OPIS, "epsilon_opis.value", FRR)
        margins = {metric: margin_of(null, metric) for metric in metrics}
        told = ", ".join(f"{m} {margins[m]:.3g} of {baseline_of(null, m):.3g}" for m in metrics)
        print(f"{head} | {pilot} | no difference | {shares(null)} | {told} |", flush=True)
        ways = [
            tuned(population, "worse FRR", False, 2.0 * margins[FRR]),
            tuned(population, "worse OPIS", True, 2.0 * margins[OPIS]),
            tuned(population, "a tenth broken", True, POINTS),
        ]
        drawn = verdicts(pool, ways, draws)
    for k, way in enumerate(ways):
        mine = shares([found[k] for found in drawn])
        print(f"{head} | {draws} | {way.name} | {mine} | noise {way.noise:.3g} |", flush=True)


def population_of(name: str, folder: Path) -> Population | None:
    if name == "simulated":
        with TemporaryDirectory() as place:
            file = Path(place) / "set.parquet"
            simulate(SimulationConfig(rows=25_000, dimensions=64, classes=1_250), file)
            return read(file)
    file = folder / f"{name}.parquet"
    if not file.is_file():
        print(f"no {name} in {folder}: give a folder with --data", file=sys.stderr)
        return None
    return read(file)


def read(file: Path) -> Population:
    found = read_embeddings([str(file)], ColumnNames(), CONFIG.row_policy)
    return Population.of(found.vectors, found.class_of_row.astype(np.int64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="*", default=sorted({case.name for case in CASES}))
    parser.add_argument("--classes", nargs="*", type=int, help="only draws of so many classes")
    parser.add_argument(
        "--pilot", type=int, help="draws with no difference, which settle the margins; as --draws"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    print("Per cent of verdicts; classes and rows a class are those of one run of a draw.\n")
    print(
        "| set | classes | rows each | draws | candidate | pass | fail | inconclusive | margins |"
    )
    print("|---" * 9 + "|")
    for case in CASES:
        if case.name in arguments.sets and case.classes in (arguments.classes or [case.classes]):
            real = population_of(case.name, arguments.data)
            if real is not None:
                pilot = arguments.pilot or arguments.draws
                measure(case, case.population(real), arguments.draws, pilot, arguments.processes)


if __name__ == "__main__":
    main()
