"""How well the corrected OPIS of few rows agrees with the truth.

Prints, for real sets (beside the repository; skipped where absent) the mean over seeded subsamples
of the plain and the corrected OPIS relative to the corrected value of all rows, and for simulated
sets relative to the true one. The corrected value is given three ways: as it is, with the
derivative of the utility in place of the chord, and with the delete-one jackknife in place of the
unbiased variances. Then eps-OPIS of classes that are alike against its null value, and times as
ratios to `class_utility` of the same counts.

Usage: python benchmarks/noise.py [--seeds N] [--quick]
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from opiscal.data.embedding_set import ColumnNames, DroppedRows, EmbeddingSet
from opiscal.data.parquet import read_embeddings
from opiscal.data.population import open_world
from opiscal.data.von_mises_fisher import draw
from opiscal.measures.calibration_range import RangeSpec, find_range
from opiscal.measures.corrected_opis import corrected_opis
from opiscal.measures.noise import utility_noise, utility_slopes
from opiscal.measures.null_value import null_epsilon_opis
from opiscal.measures.opis import Integration, epsilon_opis, opis
from opiscal.measures.rates import rate_curve
from opiscal.measures.sampling_moments import SamplingMoments, sampling_moments
from opiscal.measures.utility import Utility, class_utility
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.sorted_rows import sort_rows

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BARS = (
    ("banking77", {40: 0.10, 20: 0.10, 10: 0.15, 5: 0.40}),
    ("omniglot_baseline_s0", {10: 0.20, 5: None}),
)
UTILITY = Utility()


def count(vectors: np.ndarray, classes: np.ndarray) -> PairCounts:
    embeddings = EmbeddingSet(
        vectors=np.ascontiguousarray(vectors, np.float32),
        labels=tuple(range(int(classes.max()) + 1)),
        class_of_row=classes.astype(np.int32),
        row_number=np.arange(len(classes)),
        norms=np.ones(len(classes)),
        metric="cosine",
        rows_read=len(classes),
        dropped=DroppedRows(),
    )
    rows = sort_rows(embeddings)
    lattice = fit_lattice(rows, 0)
    tally = count_exactly(rows, lattice, ranks=False)
    return tally.counts(rows, lattice, embeddings.labels, "cosine")


def nodes_of(counts: PairCounts) -> tuple[np.ndarray, np.ndarray]:
    found = find_range(rate_curve(counts), RangeSpec.parse("far=0.01:0.1"), counts.metric)
    return Integration().nodes(counts.class_distance, found.low, found.high)


def jackknife(counts: PairCounts, edges: np.ndarray) -> SamplingMoments:
    """Variances by leaving out one row at a time, from the same sums over rows."""
    n = counts.class_rows[:, None].astype(float)
    outside = counts.rows - n
    at = counts.moment_edge[edges]
    accepted, false = counts.class_positive[:, at] * 1.0, counts.class_negative[:, at] * 1.0
    pairs, rest = (n - 1) * (n - 2) / 2, (n - 1) * outside
    factor = (n - 1) / n
    return dataclasses.replace(
        sampling_moments(counts, edges),
        sensitivity_variance=factor
        * (counts.positive_squares[:, edges] - (2 * accepted) ** 2 / n)
        / pairs**2,
        false_accepts_variance=factor
        * (counts.negative_squares[:, edges] - false**2 / n)
        / rest**2,
        covariance=factor * (counts.products[:, edges] - 2 * accepted * false / n) / (pairs * rest),
    )


def plain_noise(
    counts: PairCounts,
    nodes: np.ndarray,
    weights: np.ndarray,
    estimate: Callable[[PairCounts, np.ndarray], SamplingMoments],
) -> float:
    """Noise with the derivative at the counted rates, from given variances."""
    edges = np.arange(counts.moment_edge.size)
    m = estimate(counts, edges)
    odds = counts.negatives_of_class[:, None] / counts.positives_of_class[:, None]
    a, b = utility_slopes(m.sensitivity, m.sensitivity, m.false_accepts, odds, UTILITY)
    noise = a * a * m.sensitivity_variance + 2 * a * b * m.covariance
    noise = (noise + b * b * m.false_accepts_variance).mean(axis=0)
    mean = np.interp(nodes, counts.moment_distance, noise) @ weights
    return float(mean) * (1 - 1 / counts.classes)


def readings(counts: PairCounts) -> np.ndarray:
    """Plain OPIS, and corrected: as it is, by the derivative, by the jackknife."""
    nodes, weights = nodes_of(counts)
    curves = class_utility(counts, nodes, UTILITY)
    result = corrected_opis(counts, curves, nodes, weights, UTILITY)
    value = result.value_same_classes
    ways = (sampling_moments, jackknife)
    others = [value - plain_noise(counts, nodes, weights, way) for way in ways]
    return np.array([value, result.corrected, *others])


def variance_of_sensitivity(counts: PairCounts) -> np.ndarray:
    """Mean over classes and the default range: without bias, and by the jackknife."""
    nodes, weights = nodes_of(counts)
    edges = np.arange(counts.moment_edge.size)
    known = counts.moment_distance
    return np.array(
        [
            np.interp(nodes, known, way(counts, edges).sensitivity_variance.mean(axis=0)) @ weights
            for way in (sampling_moments, jackknife)
        ]
    )


def table(title: str, found: np.ndarray, truth: np.ndarray, bar: float | None) -> None:
    """One line: means relative to the truth, with the standard error of the corrected one."""
    scale = truth.mean()
    if scale > 0:
        off = found.mean(axis=0) / scale - 1
        error = (found[:, 1] - truth).std(ddof=1) / scale / len(found) ** 0.5
    else:
        # Nothing to be relative to but the plain value.
        scale = found[:, 0].mean()
        off = found.mean(axis=0) / scale
        error = found[:, 1].std(ddof=1) / scale / len(found) ** 0.5
    kept = bar is None or abs(off[1]) <= max(bar, 2 * error if truth.mean() == 0 else 0)
    verdict = "" if bar is None else f"   bar {bar:.0%} {'kept' if kept else 'MISSED'}"
    plain, chord, derivative, left_out = (f"{v:+8.1%}" for v in off)
    print(f"{title:34}{plain} {chord} +-{error:5.1%} {derivative} {left_out}{verdict}")


def real_sets(seeds: int) -> None:
    for name, bars in BARS:
        file = DATA / f"{name}.parquet"
        if not file.is_file():
            print(f"{name}: no {file}, skipped")
            continue
        embeddings = read_embeddings([str(file)], ColumnNames())
        vectors, classes = embeddings.vectors, embeddings.class_of_row
        full = readings(count(vectors, classes))
        print(f"{name}: all rows, plain {full[0]:.6f}, corrected {full[1]:.6f}")
        for rows, bar in bars.items():
            found, spread = [], []
            for seed in range(seeds):
                rng = np.random.default_rng([rows, seed])
                of_class = (np.flatnonzero(classes == c) for c in range(classes.max() + 1))
                picked = np.concatenate([rng.permutation(own)[:rows] for own in of_class])
                counts = count(vectors[picked], classes[picked])
                found.append(readings(counts))
                spread.append(variance_of_sensitivity(counts))
            table(f"  {rows} rows a class", np.array(found), np.full(seeds, full[1]), bar)
            unbiased, jackknifed = np.mean(spread, axis=0)
            ratio = jackknifed / unbiased
            print(f"{'':34}variance of sensitivity: jackknife over closed form {ratio:.2f}")


def code_words() -> np.ndarray:
    """256 words of a linear code of 32 bits on the sphere: each sees the others alike."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    words = bits @ np.random.default_rng(0).integers(0, 2, (8, 32)) % 2
    return ((1 - 2 * words) / 32**0.5).astype(np.float32)


def alike(rows: int, seed: int, concentration: float) -> PairCounts:
    """Classes of one law about the words of a code: their true OPIS is exactly 0."""
    labels = np.repeat(np.arange(256), rows)
    rng = np.random.default_rng([rows, seed])
    return count(draw(code_words()[labels], np.full(labels.size, concentration), rng), labels)


def open_sets(
    dimensions: int, spread: float, rows: int, seeds: int
) -> Iterator[tuple[PairCounts, float]]:
    """Counts of 500 classes about centres at random, and the true OPIS of these classes."""
    world = open_world(dimensions, spread)
    low, high = world.range_distance
    inside = (world.thresholds >= low) & (world.thresholds <= high)
    weights = np.ones(np.count_nonzero(inside))
    weights[[0, -1]] = 0.5
    weights /= weights.sum()
    for seed in range(seeds):
        rng = np.random.default_rng([rows, seed])
        concentrations = world.draw_concentrations(500, rng)
        centres = rng.standard_normal((500, dimensions)).astype(np.float32)
        centres /= np.linalg.norm(centres, axis=1)[:, None]
        labels = np.repeat(np.arange(500), rows)
        counts = count(draw(centres[labels], concentrations[labels], rng), labels)
        sens, spec = world.sensitivity(concentrations)[:, inside], 1.0 - world.far[inside]
        yield counts, opis(2 * sens * spec / (sens + spec), weights)


def simulated_sets(seeds: int) -> None:
    for rows in (20, 10, 5):
        bar = 0.10 if rows == 20 else None
        for dimensions, spread in ((64, 0.3), (32, 0.6)):
            pairs = [(readings(c), t) for c, t in open_sets(dimensions, spread, rows, seeds)]
            found, truth = (np.array(part) for part in zip(*pairs, strict=True))
            table(f"  {dimensions} dimensions, spread {spread}, {rows} rows", found, truth, bar)
        for concentration in (25.0, 40.0):
            found = np.array([readings(alike(rows, s, concentration)) for s in range(seeds)])
            title = f"  alike, {rows} rows, {concentration:g} (of plain)"
            # Within two standard errors of 0.
            table(title, found, np.zeros(seeds), None if bar is None else 0.0)


def null_values(seeds: int) -> None:
    for rows in (20, 10, 5):
        for concentration in (25.0, 40.0):
            found = []
            for seed in range(seeds):
                counts = alike(rows, seed, concentration)
                nodes, weights = nodes_of(counts)
                curves = class_utility(counts, nodes, UTILITY)
                null = null_epsilon_opis(counts, curves, nodes, weights, UTILITY)
                found.append((epsilon_opis(curves, weights).value, null))
            value, null = np.mean(found, axis=0)
            print(f"  alike, {rows} rows, {concentration:g}: eps-OPIS {value:.5f}, null {null:.5f}")


def times() -> None:
    counts, _ = next(open_sets(64, 0.3, 20, 1))
    nodes, weights = nodes_of(counts)
    curves = class_utility(counts, nodes, UTILITY)
    calls: dict[str, Callable[[], object]] = {
        "class_utility": lambda: class_utility(counts, nodes, UTILITY),
        "utility_noise": lambda: utility_noise(counts, nodes, UTILITY),
        "corrected_opis": lambda: corrected_opis(counts, curves, nodes, weights, UTILITY),
        "null_epsilon_opis": lambda: null_epsilon_opis(counts, curves, nodes, weights, UTILITY),
    }
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(9):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - started)
    unit = statistics.median(taken["class_utility"])
    for name, found in taken.items():
        middle = statistics.median(found)
        print(f"  {name}: {1e3 * middle:.1f} ms, {middle / unit:.1f} x class_utility")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="four seeds")
    given = parser.parse_args()
    seeds = 4 if given.quick else given.seeds
    print(f"{'off by':34}{'plain':>8} {'corrected':>17} {'derivat.':>8} {'jackknife':>9}")
    real_sets(seeds)
    simulated_sets(seeds)
    null_values(seeds)
    times()


if __name__ == "__main__":
    main()
