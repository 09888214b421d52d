"""Coverage of the intervals by simulation: how often they hold the truth, and how wide they are.

A population of classes whose truth is known in closed form is drawn from again and again: T classes
with a few rows each, as real embeddings, counted pair by pair like any other set. What the
intervals should hold is what the population has: unlimited classes with unlimited rows in each.

Two populations. In "kinds" classes are of four kinds, each on a sphere of its own of 6 to 16
dimensions at right angles to the others: only classes of one kind are ever confused, and the kinds
differ many times over in FAR, as classes of real sets do. In "alike" there is one kind: every class
has the same true FAR, and all that varies is which class centres happen to lie near each other. In
both the log of the concentration of a class is normal (opiscal.data.population).

Usage: python benchmarks/interval_coverage.py [--draws N] [--minutes M] [--quick]
       [--population kinds|alike] [--processes N]
"""

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, roots_legendre
from threadpoolctl import threadpool_limits

from opiscal.data.embedding_set import DroppedRows, EmbeddingSet
from opiscal.data.von_mises_fisher import (
    concentration_at,
    draw,
    negative_acceptance,
    pair_acceptance,
)
from opiscal.measures.calibration_range import RangeSpec, find_range
from opiscal.measures.class_curves import UtilityNoise
from opiscal.measures.corrected_opis import corrected_opis
from opiscal.measures.guarantee import guaranteed_edge
from opiscal.measures.noise import utility_noise
from opiscal.measures.operating_points import edge_for_far
from opiscal.measures.opis import Integration, mean_over_range
from opiscal.measures.rate_intervals import rate_intervals
from opiscal.measures.rates import rate_curve
from opiscal.measures.resampling import resampled_intervals
from opiscal.measures.utility import Utility, class_utility
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.sorted_rows import sort_rows

Floats = NDArray[np.float64]

FARS = (1e-2, 1e-3)
KINDS = {"kinds": (6, 9, 12, 16), "alike": (16,)}
SPREAD, CUT = 0.3, 2.5
RANGE_NODES = 201
CELLS = tuple(
    (T, rows, unequal) for T in (30, 100, 500) for rows in (5, 20, 100) for unequal in (False, True)
)
# Classes of very unequal sizes: their log has this standard deviation.
SIZE_SPREAD = 0.6
FIGURES = (
    *(f"{name} at {far:g}" for far in FARS for name in ("FAR", "FRR", "threshold")),
    "mean utility",
    "corrected OPIS",
)


@dataclass(frozen=True)
class World:
    """A population and its truth."""

    dimensions: tuple[int, ...]
    concentration: tuple[float, ...]
    spread: float = SPREAD

    @classmethod
    def of(cls, name: str) -> "World":
        dimensions = KINDS[name]
        near = World._distance(dimensions, FARS[0])
        # As hard for every kind: nine pairs in ten of a median class are accepted at FAR 1 %.
        return cls(dimensions, tuple(concentration_at(0.9, near, d) for d in dimensions))

    @staticmethod
    def _distance(dimensions: tuple[int, ...], far: float) -> float:
        share = 1.0 / len(dimensions) ** 2

        def excess(distance: float) -> float:
            at = np.array([distance])
            return sum(share * float(negative_acceptance(at, d)[0]) for d in dimensions) - far

        return float(brentq(excess, 1e-3, 2.0, xtol=1e-14))

    def distance_at(self, far: float) -> float:
        return World._distance(self.dimensions, far)

    def far(self, distance: Floats) -> Floats:
        share = 1.0 / len(self.dimensions) ** 2
        return sum(
            (share * negative_acceptance(distance, d) for d in self.dimensions),
            start=np.zeros_like(distance),
        )

    def truth(self) -> dict[str, float]:
        """By quadrature over the law of concentrations, kind by kind."""
        nodes, weights = roots_legendre(96)
        weights = weights * np.exp(-np.square(CUT * nodes) / 2)
        weights /= weights.sum() * len(self.dimensions)
        at = np.array([self.distance_at(far) for far in FARS])
        low, high = self.distance_at(0.01), self.distance_at(0.1)
        inside = np.linspace(low, high, RANGE_NODES)
        frr = np.zeros(at.size)
        mean = np.zeros(RANGE_NODES)
        square = np.zeros(RANGE_NODES)
        for d, base in zip(self.dimensions, self.concentration, strict=True):
            knots = np.linspace(-CUT * SPREAD, CUT * SPREAD, 41)
            everywhere = np.concatenate([at, inside])
            curves = np.array([pair_acceptance(base * np.exp(k), everywhere, d) for k in knots])
            sensitivity = CubicSpline(knots, curves)(CUT * self.spread * nodes)
            frr += weights @ (1.0 - sensitivity[:, : at.size])
            sens = sensitivity[:, at.size :]
            spec = 1.0 - negative_acceptance(inside, d) / len(self.dimensions)
            utility = 2.0 * sens * spec / (sens + spec)
            mean += weights @ utility
            square += weights @ utility**2
        step = np.full(RANGE_NODES, 1.0 / (RANGE_NODES - 1))
        step[[0, -1]] *= 0.5
        out = {
            "mean utility": float(step @ mean),
            "corrected OPIS": float(step @ (square - mean**2)),
        }
        for far, distance, rejected in zip(FARS, at, frr, strict=True):
            out |= {f"FAR at {far:g}": far, f"FRR at {far:g}": float(rejected)}
            out[f"threshold at {far:g}"] = float(distance)
        return out

    def draw(self, T: int, rows: int, unequal: bool, seed: int) -> EmbeddingSet:
        # Every cell has draws of its own: what happens by chance in one does not in the next.
        rng = np.random.default_rng([seed, T, rows, unequal])
        kind = rng.integers(len(self.dimensions), size=T)
        size = np.full(T, rows)
        if unequal:
            share = np.exp(SIZE_SPREAD * rng.standard_normal(T))
            size = np.maximum(2, np.round(share / share.mean() * rows)).astype(int)
        deviation = np.clip(ndtri(rng.uniform(ndtr(-CUT), ndtr(CUT), T)), -CUT, CUT)
        start = np.cumsum([0, *self.dimensions])
        vectors = np.zeros((size.sum(), start[-1]), dtype=np.float32)
        class_of_row = np.repeat(np.arange(T, dtype=np.int32), size)
        for k, d in enumerate(self.dimensions):
            centre = rng.standard_normal((T, d))
            centre /= np.linalg.norm(centre, axis=1, keepdims=True)
            own = kind[class_of_row] == k
            of_row = class_of_row[own]
            concentration = self.concentration[k] * np.exp(self.spread * deviation[of_row])
            vectors[own, start[k] : start[k + 1]] = draw(
                centre[of_row].astype(np.float32), concentration, rng
            )
        return EmbeddingSet(
            vectors=vectors,
            labels=tuple(range(T)),
            class_of_row=class_of_row,
            row_number=np.arange(len(vectors)),
            norms=np.ones(len(vectors)),
            metric="cosine",
            rows_read=len(vectors),
            dropped=DroppedRows(),
        )


def count(embeddings: EmbeddingSet, seed: int) -> PairCounts:
    rows = sort_rows(embeddings)
    lattice = fit_lattice(rows, seed)
    tally = count_exactly(rows, lattice, ranks=False, threads=1)
    return tally.counts(rows, lattice, embeddings.labels, embeddings.metric)


@dataclass(frozen=True)
class Drawn:
    """One draw: of each figure the estimate and the interval, and whether guarantees broke."""

    figures: dict[str, tuple[float, float, float]]
    broken: dict[float, bool | None]


def judge(task: tuple[str, int, int, bool, int]) -> Drawn:
    name, T, rows, unequal, seed = task
    world = World.of(name)
    with threadpool_limits(1):
        return measure(world, count(world.draw(T, rows, unequal, seed), seed), seed)


def measure(world: World, counts: PairCounts, seed: int) -> Drawn:
    curve = rate_curve(counts)
    spec = RangeSpec.parse("far=0.01:0.1")
    calibration = find_range(curve, spec, "cosine")
    utility = Utility()
    nodes, weights = Integration().nodes(counts.class_distance, calibration.low, calibration.high)
    curves = class_utility(counts, nodes, utility)
    about = counts.moment_distance
    about = about[(about > 0.9 * calibration.low) & (about < 1.1 * calibration.high)]
    noise = UtilityNoise(about, utility_noise(counts, about, utility))
    found = resampled_intervals(
        counts, utility, spec, calibration, far=FARS, noise=noise, seed=seed
    )
    rates = rate_intervals(counts)
    assert rates is not None
    figures: dict[str, tuple[float, float, float]] = {}
    broken: dict[float, bool | None] = {}
    for far, (_, threshold) in zip(FARS, found.threshold.far, strict=True):
        distance = world.distance_at(far)
        here = curve.at(distance)
        at = rates.at(distance)
        figures[f"FAR at {far:g}"] = (here[0], *at.far_ci)
        figures[f"FRR at {far:g}"] = (here[1], *at.frr_ci)
        edge = edge_for_far(curve, far)
        figures[f"threshold at {far:g}"] = (float(curve.distance[edge or 0]), *threshold)
        safe = guaranteed_edge(rates, far)
        broken[far] = None if safe is None else bool(world.far(curve.distance[[safe]])[0] > far)
    mean = float(mean_over_range(curves, weights).mean())
    figures["mean utility"] = (mean, *found.mean_utility)
    value = corrected_opis(counts, curves, nodes, weights, utility).corrected
    if value is not None and found.corrected_opis is not None:
        figures["corrected OPIS"] = (value, *found.corrected_opis)
    return Drawn(figures, broken)


def row(cell: tuple[int, int, bool], drawn: list[Drawn], truth: dict[str, float]) -> Iterator[str]:
    T, rows, unequal = cell
    lead = f"| {T} | {rows}{', unequal' if unequal else ''} | {len(drawn)} "
    covered, widths = [], []
    for name in FIGURES:
        all_of = np.array([d.figures[name] for d in drawn if name in d.figures])
        if not len(all_of):
            covered.append("none")
            widths.append("none")
            continue
        value, low, high = all_of.T
        held = np.mean((low <= truth[name]) & (truth[name] <= high))
        spread = np.subtract(*np.quantile(value, [0.975, 0.025]))
        covered.append(f"{100 * held:.1f}")
        widths.append(f"{np.mean(high - low) / spread:.2f}" if spread > 0 else "none")
    breaks = []
    for far in FARS:
        given = [d.broken[far] for d in drawn if d.broken[far] is not None]
        breaks.append(f"{100 * np.mean(given):.1f} of {len(given)}" if given else "none")
    yield (
        lead
        + "".join(f"| {held} ({wide}) " for held, wide in zip(covered, widths, strict=True))
        + "".join(f"| {part} " for part in breaks)
        + "|"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=1000, help="most draws a cell")
    parser.add_argument("--minutes", type=float, default=60.0, help="for all cells together")
    parser.add_argument("--quick", action="store_true", help="few draws, small sets")
    parser.add_argument("--population", choices=sorted(KINDS), default=None)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    draws, minutes = (20, 1.0) if arguments.quick else (arguments.draws, arguments.minutes)
    cells = [c for c in CELLS if not arguments.quick or c[0] * c[1] <= 2000]
    names = [arguments.population] if arguments.population else list(KINDS)
    left = len(cells) * len(names)
    ends = time.monotonic() + 60.0 * minutes
    heads = [*FIGURES, *(f"guarantee at {far:g} broken, % of given" for far in FARS)]
    print("Per cent of the nominal 95 % intervals that hold the truth (mean width over the spread")
    print("that holds 95 % of the estimates).")
    with ProcessPoolExecutor(arguments.processes) as pool:
        for name in names:
            truth = World.of(name).truth()
            print(f"\n{name}: " + ", ".join(f"{k} {v:.6g}" for k, v in truth.items()), "\n")
            print(f"| T | rows a class | draws | {' | '.join(heads)} |")
            print("|---" * (len(heads) + 3) + "|", flush=True)
            for cell in cells:
                # What one cell leaves of its time the next ones share.
                until = time.monotonic() + max(ends - time.monotonic(), 0.0) / left
                left -= 1
                drawn: list[Drawn] = []
                # At least ten, or the row would say nothing at all.
                while len(drawn) < draws and (time.monotonic() < until or len(drawn) < 10):
                    batch = range(len(drawn), min(len(drawn) + 2 * arguments.processes, draws))
                    if cell[0] * cell[1] <= 3000:
                        batch = range(len(drawn), min(len(drawn) + 20, draws))
                    drawn += pool.map(judge, [(name, *cell, seed) for seed in batch])
                for line in row(cell, drawn, truth):
                    print(line, flush=True)


if __name__ == "__main__":
    main()
