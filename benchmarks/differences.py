"""Do the intervals of differences hold? Two models on the same classes, drawn together and apart.

Simulated: a population of two models whose true difference is known in closed form. The classes of
both are those of benchmarks/interval_coverage.py; the second model has other rows, moved centres,
for one class in five another concentration, and concentrations that differ less over classes.
Of 10%-OPIS, which has the noise of few rows in it, the mean over all draws stands for the truth.

Real: a random part of the classes of a set under two models, against all its classes. Parts are
drawn without replacement, which makes them steadier than draws from a population without end, by
the root of the share left out.

Usage: python benchmarks/differences.py [--draws N] [--data FOLDER] [--only simulated|real]
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from interval_coverage import CUT, SPREAD, World, count
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from threadpoolctl import threadpool_limits

from opiscal.data.embedding_set import ColumnNames, DroppedRows, EmbeddingSet
from opiscal.data.parquet import read_embeddings
from opiscal.data.von_mises_fisher import draw
from opiscal.measures.calibration_range import RangeSpec, find_range
from opiscal.measures.corrected_opis import corrected_opis
from opiscal.measures.operating_points import edge_for_far
from opiscal.measures.opis import Integration, epsilon_opis, mean_over_range
from opiscal.measures.paired_replicates import PairedReplicates, paired_replicates
from opiscal.measures.rate_intervals import rate_intervals
from opiscal.measures.rates import rate_curve
from opiscal.measures.replicate_parts import ReplicateParts, replicate_parts
from opiscal.measures.replicate_readings import Figure
from opiscal.measures.utility import Utility, class_utility
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.sorted_rows import sort_rows
from opiscal.report.settings import EvaluateConfig
from opiscal.report.uncertainty import noise_about

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FAR = 0.01
FIGURES: dict[str, Figure] = {
    "OPIS without noise": ("corrected_opis", None),
    "10%-OPIS": ("epsilon_opis", None),
    "mean utility": ("mean_utility", None),
    "FRR at FAR 0.01": ("frr_at_far", FAR),
}
# Of the second model: how much tighter its classes are, how much less they differ, how far its
# centres are moved, and the share of classes whose concentration has nothing to do with the first.
TIGHTER, LESS, MOVED, OTHERS = 1.1, 0.8, 0.3, 0.2
CELLS = ((20, 20), (50, 20), (100, 20), (300, 10))
PAIRS = (
    ("omniglot_baseline_s0", "omniglot_tcm_s0"),
    ("omniglot_supcon_baseline_s0", "omniglot_supcon_tcm_s0"),
)
SHARES = (0.25, 0.5)


@dataclass(frozen=True)
class Model:
    """One model: its figures by name, and what its replicates are made of."""

    figures: dict[str, float]
    parts: ReplicateParts

    @classmethod
    def of(cls, counts: PairCounts) -> "Model":
        utility, spec, curve = Utility(), RangeSpec.parse("far=0.01:0.1"), rate_curve(counts)
        found = find_range(curve, spec, counts.metric)
        nodes, weights = Integration().nodes(counts.class_distance, found.low, found.high)
        curves = class_utility(counts, nodes, utility)
        intervals = rate_intervals(counts)
        assert intervals is not None
        noise = noise_about(counts, intervals, found, utility)
        corrected = corrected_opis(counts, curves, nodes, weights, utility).corrected
        figures = {
            "OPIS without noise": np.nan if corrected is None else corrected,
            "10%-OPIS": epsilon_opis(curves, weights).value,
            "mean utility": float(mean_over_range(curves, weights).mean()),
            "FRR at FAR 0.01": float(curve.frr[edge_for_far(curve, FAR) or 0]),
        }
        return cls(figures, replicate_parts(counts, utility, spec, found, noise=noise))


Found = dict[str, tuple[float, tuple[float, float], tuple[float, float]]]


def differences(first: Model, second: Model, seed: int) -> Found:
    """Of each figure the difference, and its intervals of classes drawn together and apart."""

    def interval(drawn: PairedReplicates, name: str) -> tuple[float, float]:
        values = first.figures[name], second.figures[name]
        return drawn.figure(FIGURES[name], *values).difference().interval(0.95)

    together, apart = (
        paired_replicates(first.parts, second.parts, far=[FAR], draw=how, seed=seed)
        for how in ("together", "apart")
    )
    return {
        name: (
            second.figures[name] - first.figures[name],
            interval(together, name),
            interval(apart, name),
        )
        for name in FIGURES
    }


def simulated(cell: tuple[int, int], seed: int) -> Found:
    T, rows = cell
    one, other = worlds()
    rng = np.random.default_rng([seed, T, rows])
    kind = rng.integers(len(one.dimensions), size=T)
    deviation = deviations(rng, T)
    fresh = np.where(rng.uniform(size=T) < OTHERS, deviations(rng, T), deviation)
    centres = [rng.standard_normal((T, d)) for d in one.dimensions]
    moved = [c + MOVED * rng.standard_normal(c.shape) for c in centres]
    with threadpool_limits(1):
        first = model(one, kind, deviation, centres, rows, rng, seed)
        second = model(other, kind, fresh, moved, rows, rng, seed)
        return differences(first, second, seed)


def worlds() -> tuple[World, World]:
    one = World.of("kinds")
    tighter = tuple(TIGHTER * c for c in one.concentration)
    return one, World(one.dimensions, tighter, LESS * SPREAD)


def deviations(rng: np.random.Generator, T: int) -> NDArray[np.float64]:
    return np.clip(ndtri(rng.uniform(ndtr(-CUT), ndtr(CUT), T)), -CUT, CUT)


def model(
    world: World,
    kind: NDArray[np.int64],
    deviation: NDArray[np.float64],
    centres: list[NDArray[np.float64]],
    rows: int,
    rng: np.random.Generator,
    seed: int,
) -> Model:
    """Rows about given centres, of given deviations of their concentrations, counted."""
    T = kind.size
    start = np.cumsum([0, *world.dimensions])
    class_of_row = np.repeat(np.arange(T, dtype=np.int32), rows)
    vectors = np.zeros((class_of_row.size, start[-1]), dtype=np.float32)
    for k, centre in enumerate(centres):
        own = kind[class_of_row] == k
        of_row = class_of_row[own]
        unit = centre / np.linalg.norm(centre, axis=1, keepdims=True)
        concentration = world.concentration[k] * np.exp(world.spread * deviation[of_row])
        vectors[own, start[k] : start[k + 1]] = draw(
            unit[of_row].astype(np.float32), concentration, rng
        )
    embeddings = EmbeddingSet(
        vectors=vectors,
        labels=tuple(range(T)),
        class_of_row=class_of_row,
        row_number=np.arange(len(vectors)),
        norms=np.ones(len(vectors)),
        metric="cosine",
        rows_read=len(vectors),
        dropped=DroppedRows(),
    )
    return Model.of(count(embeddings, seed))


def line(name: str, drawn: list[Found], truth: dict[str, float]) -> str:
    cells = []
    for figure in FIGURES:
        value = np.array([found[figure][0] for found in drawn])
        spread = np.subtract(*np.quantile(value, [0.975, 0.025]))
        for how in (1, 2):
            low, high = np.array([found[figure][how] for found in drawn]).T
            held = np.mean((low <= truth[figure]) & (truth[figure] <= high))
            cells.append(f"{100 * held:.1f} ({np.mean(high - low) / spread:.2f})")
    return f"| {name} | {len(drawn)} | {' | '.join(cells)} |"


def head(name: str) -> str:
    figures = [f"{figure}, {how}" for figure in FIGURES for how in ("paired", "unpaired")]
    return f"| {name} | draws | {' | '.join(figures)} |\n" + "|---" * (len(figures) + 2) + "|"


def simulate_cells(draws: int, processes: int) -> None:
    truths = [world.truth() for world in worlds()]
    names = {"OPIS without noise": "corrected OPIS", "FRR at FAR 0.01": "FRR at 0.01"}
    truth = {
        name: truths[1][known] - truths[0][known]
        for name in FIGURES
        if (known := names.get(name, name)) in truths[0]
    }
    print(head("classes, rows each"), flush=True)
    with ProcessPoolExecutor(processes) as pool:
        for cell in CELLS:
            drawn = list(pool.map(partial(simulated, cell), range(draws)))
            mean = float(np.mean([found["10%-OPIS"][0] for found in drawn]))
            print(line(f"{cell[0]}, {cell[1]}", drawn, truth | {"10%-OPIS": mean}), flush=True)


def part_of_real(files: tuple[Path, Path], share: float, seeds: range) -> list[Found]:
    """Differences of random parts of the classes; of all of them for a share of 1."""
    sides = []
    for file in files:
        embeddings = read_embeddings([str(file)], ColumnNames(), EvaluateConfig().row_policy)
        rows = sort_rows(embeddings)
        sides.append((embeddings, rows, fit_lattice(rows, 0)))
    out = []
    for seed in seeds:
        models = []
        for embeddings, rows, lattice in sides:
            scored = rows.classes.scored
            size = round(share * scored.size)
            chosen = np.random.default_rng([seed, 2]).permutation(scored)[:size]
            part = rows.subset(np.isin(rows.classes.class_id, chosen))
            tally = count_exactly(part, lattice, ranks=False)
            models.append(Model.of(tally.counts(part, lattice, embeddings.labels, "cosine")))
        out.append(differences(*models, seed))
    return out


def real_sets(folder: Path, draws: int) -> None:
    print(head("set, share of its classes"), flush=True)
    for names in PAIRS:
        files = tuple(folder / f"{name}.parquet" for name in names)
        if not all(file.is_file() for file in files):
            print(f"no {' or '.join(names)} in {folder}: give a folder with --data")
            continue
        whole = part_of_real((files[0], files[1]), 1.0, range(1))[0]
        truth = {name: whole[name][0] for name in FIGURES}
        for share in SHARES:
            drawn = part_of_real((files[0], files[1]), share, range(draws))
            print(line(f"{names[0]} and {names[1]}, {share:g}", drawn, truth), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", choices=("simulated", "real"), default=None)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    print("Per cent of 95 % intervals of a difference that hold the truth (mean width over the")
    print("spread that holds 95 % of the differences), classes drawn together and apart.\n")
    if arguments.only != "real":
        simulate_cells(arguments.draws, arguments.processes)
        print()
    if arguments.only != "simulated":
        real_sets(arguments.data, arguments.draws)


if __name__ == "__main__":
    main()
