"""How often 95 % intervals of Recall@1, and of the difference of two, hold the truth.

Two simulated models of classes drawn anew each time, whose mean over all draws is the truth; and
random parts of the classes of real sets. A smaller part has a higher recall, so that the mean over
the parts is the truth there too; they are drawn without replacement, and what they scatter by is
made larger by as much.

Usage: python benchmarks/recall.py [--draws N] [--data FOLDER]
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import ColumnNames, RowPolicy
from opiscal.data.parquet import read_embeddings
from opiscal.measures.paired_replicates import SharedClasses
from opiscal.measures.recall_confidence import RecallScatter, recall_difference
from opiscal.pairs.nearest_counts import NearestCounts

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
Vectors = NDArray[np.float32]
Draw = Callable[[int], tuple[NDArray[np.int64], Vectors, Vectors]]


def nearest(vectors: Vectors, labels: NDArray[np.int64]) -> NearestCounts:
    """Rows by class, and how many of them have one of their class for their nearest."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -2.0)
    hit = labels[similarity.argmax(axis=1)] == labels
    return NearestCounts(np.bincount(labels), np.bincount(labels[hit], minlength=labels[-1] + 1))


def simulated(classes: int, rows: int, width: int, noise: float, spread: float) -> Draw:
    """Classes about normal centres, some wider than others; the second model has other noise."""

    def draw(seed: int) -> tuple[NDArray[np.int64], Vectors, Vectors]:
        rng = np.random.default_rng(seed)
        labels = np.repeat(np.arange(classes), rows)
        centres = rng.standard_normal((classes, width), dtype=np.float32)[labels]
        wide = noise * rng.lognormal(0.0, spread, classes).astype(np.float32)[labels, None]
        one, other = rng.standard_normal((2, labels.size, width), dtype=np.float32)
        return labels, centres + wide * one, centres + 0.95 * wide * (0.8 * one + 0.6 * other)

    return draw


def parts_of_real(folder: Path, names: tuple[str, str], share: float) -> tuple[Draw, float]:
    """Random parts of the classes of two models, and how much more whole draws would scatter."""
    policy = RowPolicy()
    sets = [read_embeddings([str(folder / f"{n}.parquet")], ColumnNames(), policy) for n in names]
    labels = sets[0].class_of_row.astype(np.int64)

    def draw(seed: int) -> tuple[NDArray[np.int64], Vectors, Vectors]:
        known = np.unique(labels)
        chosen = np.random.default_rng(seed).permutation(known)[: round(share * known.size)]
        rows = np.flatnonzero(np.isin(labels, chosen))
        rows = rows[np.argsort(labels[rows], kind="stable")]
        _, own = np.unique(labels[rows], return_inverse=True)
        return own, sets[0].vectors[rows], sets[1].vectors[rows]

    return draw, float(1.0 / np.sqrt(1.0 - share))


def measure(name: str, draw: Draw, draws: int, wider: float = 1.0) -> None:
    values, ends = np.empty((4, draws)), np.empty((4, draws, 2))
    for k in range(draws):
        labels, *models = draw(k)
        one, other = (nearest(vectors, labels) for vectors in models)
        classes = range(one.asked.size)
        figures = [RecallScatter.of(counts).curve() for counts in (one, other)]
        together = SharedClasses.of(classes, classes)
        apart = SharedClasses.of(classes, range(-one.asked.size, 0))
        figures += [recall_difference(one, other, m).difference() for m in (together, apart)]
        values[:, k] = [figure.value for figure in figures]
        ends[:, k] = [figure.interval(0.95) for figure in figures]
    cells = []
    for value, end in zip(values, ends, strict=True):
        truth = value.mean()
        # As if classes had been drawn from endlessly many.
        moved = truth + wider * (value - truth)
        held = (end + (moved - value)[:, None] - truth) * np.array([1.0, -1.0]) <= 0
        ratio = np.diff(end, axis=1).mean() / np.diff(np.quantile(moved, [0.025, 0.975]))[0]
        cells.append(f"{100 * held.all(axis=1).mean():.1f} ({ratio:.2f})")
    print(f"| {name} | {values[0].mean():.3f} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    print("| set | Recall@1 | of one | of the other | difference, paired | unpaired |")
    print("|---" * 6 + "|")
    for classes, rows, width, noise, spread in (
        (50, 10, 8, 0.6, 0.3), (100, 10, 8, 0.6, 0.3), (100, 10, 8, 0.35, 0.3),
        (100, 20, 16, 0.5, 0.3), (300, 5, 12, 0.5, 0.6),
    ):  # fmt: skip
        name = f"simulated: {classes} classes, {rows} rows each"
        measure(name, simulated(classes, rows, width, noise, spread), arguments.draws)
    for loss, one, other in (
        ("CosFace", "omniglot_baseline_s0", "omniglot_tcm_s0"),
        ("SupCon", "omniglot_supcon_baseline_s0", "omniglot_supcon_tcm_s0"),
    ):
        if (arguments.data / f"{one}.parquet").is_file():
            draw, wider = parts_of_real(arguments.data, (one, other), 0.25)
            name = f"Omniglot, {loss} without and with TCM: a quarter of its classes"
            measure(name, draw, arguments.draws, wider)


if __name__ == "__main__":
    main()
