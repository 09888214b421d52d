"""Sampled pairs against every pair: how right, how fast, how large, and what the index is good for.

accuracy   200,000 x 128 rows in 10,000 classes, 20 seeds: error of OPIS without noise, 10%-OPIS and
           FRR at FAR 1e-2 to 1e-5 against the exact count, how often the sampling intervals hold
           its values, how wide they are over the error, and the time over that of the exact count.
intervals  The same set: how often the sampling intervals of 60 samples on the edges of one exact
           count hold its values, and their median half width over the rms error. Twenty seeds say
           too little of either: the error at one FAR is that of most figures.
million    1,000,000 x 128 rows in 50,000 classes: time and peak memory of the whole command.
growth     Time and memory of the whole command for 50,000 to 800,000 rows, over that of N log N.
advantage  Error of the threshold at FAR 1e-5 with the automatic index, and with random columns
           alone for as many dot products, training and search of the index included.

Sets come from `opiscal simulate`; "16 of 128" is one of 16 dimensions, turned into 128, as real
embeddings lie near a surface of few dimensions: only there has a row near neighbours at all.

Usage: python benchmarks/sampled.py [accuracy|intervals|million|growth|advantage ...]
       [--rows N] [--seeds N] [--folder F]
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import ndtri

import opiscal
from opiscal.data.embedding_set import ColumnNames, EmbeddingSet
from opiscal.data.parquet import read_embeddings
from opiscal.data.simulate import SimulationConfig, simulate
from opiscal.evaluation import evaluate_set
from opiscal.measures.calibration_range import RangeSpec
from opiscal.measures.class_curves import EpsilonChoice
from opiscal.measures.corrected_opis import corrected_opis
from opiscal.measures.opis import Integration, epsilon_opis
from opiscal.measures.rates import rate_curve
from opiscal.measures.sampling_error import sampling_errors
from opiscal.measures.utility import Utility, class_utility
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.index_choice import NPROBE, IndexChoice
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.near_search import FoundPairs, find_pairs
from opiscal.pairs.pair_settings import DEFAULT_COLUMNS
from opiscal.pairs.sampled import count_sampled
from opiscal.pairs.sampled_columns import ColumnGroups
from opiscal.pairs.search import ROUNDS, TRAINING_ROWS, RowIndex
from opiscal.pairs.sorted_rows import sort_rows
from opiscal.report.record import Report

FARS = (1e-2, 1e-3, 1e-4, 1e-5)


def made(folder: Path, rows: int, classes: int, dimensions: int, seed: int = 1) -> Path:
    file = folder / f"{rows}x{dimensions}.parquet"
    if not file.exists():
        simulate(SimulationConfig(rows, dimensions, classes, seed=seed), file)
    return file


def figures(report: Report) -> dict[str, float]:
    curve = rate_curve(report.counts)
    out = {
        "OPIS without noise": report.opis.corrected or 0.0,
        "10%-OPIS": report.epsilon_opis.value,
    }
    out |= {f"FRR at {far:g}": float(np.interp(far, curve.far, curve.frr)) for far in FARS}
    return out


def intervals(report: Report) -> dict[str, tuple[float, float]]:
    found = report.pairs.sampling
    assert found is not None
    assert found.corrected_opis_ci is not None
    assert found.epsilon_opis_ci is not None
    out = {"OPIS without noise": found.corrected_opis_ci, "10%-OPIS": found.epsilon_opis_ci}
    return out | {f"FRR at {t.far:g}": t.frr_ci for t in found.far_targets if t.far in FARS}


def evaluated(embeddings: EmbeddingSet, **settings: object) -> tuple[Report, float]:
    config = opiscal.EvaluateConfig(retrieval=False, **settings)  # type: ignore[arg-type]
    started = time.perf_counter()
    report = evaluate_set(embeddings, config)
    return report, time.perf_counter() - started


def accuracy(folder: Path, rows: int, seeds: int) -> None:
    embeddings = read_embeddings([str(made(folder, rows, rows // 20, 128))], ColumnNames())
    exact, exact_time = evaluated(embeddings, pairs="exact")
    truth = figures(exact)
    found, held, widths, times = [], [], [], []
    for seed in range(seeds):
        report, took = evaluated(embeddings, pairs="sampled", seed=seed)
        found.append(figures(report))
        ends = intervals(report)
        held.append({k: low <= truth[k] <= high for k, (low, high) in ends.items()})
        widths.append({k: (high - low) / 2 for k, (low, high) in ends.items()})
        times.append(took)
    print(f"\n{rows:,} x 128 rows in {rows // 20:,} classes, {seeds} seeds")
    share = np.median(times) / exact_time
    print(f"sampled over exact time {share:.3f} (exact {exact_time:.1f} s)\n")
    print(
        "| figure | exact | rms error, % | largest, % | intervals hold it, % | half width / rms |"
    )
    print("|---|---|---|---|---|---|")
    for name, true in truth.items():
        errors = np.array([f[name] for f in found]) - true
        rms = float(np.sqrt(np.mean(errors**2)))
        inside = [h[name] for h in held if name in h]
        half = float(np.median([w[name] for w in widths if name in w])) if inside else np.nan
        print(
            f"| {name} | {true:.6g} | {100 * rms / true:.3f} | "
            f"{100 * np.abs(errors).max() / true:.3f} | {100 * np.mean(inside):.0f} | "
            f"{half / rms:.2f} |",
            flush=True,
        )


def held(folder: Path, rows: int, seeds: int) -> None:
    embeddings = read_embeddings([str(made(folder, rows, rows // 20, 128))], ColumnNames())
    row_set = sort_rows(embeddings)
    lattice = fit_lattice(row_set, 0)
    found = find_pairs(row_set, RowIndex(row_set.vectors, "l2", IndexChoice()), 0)
    exact = count_exactly(row_set, lattice, ranks=False).counts(
        row_set, lattice, embeddings.labels, "cosine"
    )
    utility, spec, choice = Utility(), RangeSpec.parse("far=0.01:0.1"), EpsilonChoice()

    def values(counts: PairCounts) -> list[float]:
        curve = rate_curve(counts)
        # Ends between the edges, which from one edge to the next would jump.
        low, high = (float(np.interp(end, curve.far, curve.distance)) for end in (0.01, 0.1))
        nodes, weights = Integration().nodes(counts.class_distance, low, high)
        curves = class_utility(counts, nodes, utility)
        corrected = corrected_opis(counts, curves, nodes, weights, utility).corrected
        worst = epsilon_opis(curves, weights, choice.epsilon, choice.against, choice.rank).value
        return [corrected or 0.0, worst, *(float(np.interp(x, curve.far, curve.frr)) for x in FARS)]

    truth, got, said = np.array(values(exact)), [], []
    for seed in range(100, 100 + seeds):
        sampled = count_sampled(
            row_set, lattice, found, ColumnGroups.draw(rows, DEFAULT_COLUMNS, seed),
            labels=embeddings.labels, metric="cosine", most_positives=10**9, seed=seed,
        )  # fmt: skip
        counts = sampled.counts.estimate()
        errors = sampling_errors(counts, sampled, utility, spec, choice, FARS)
        assert errors is not None
        got.append(values(counts))
        said.append([errors.opis, errors.epsilon_opis, *(frr for _, _, frr in errors.far)])
    off, half = np.abs(np.array(got) - truth), ndtri(0.975) * np.array(said)
    names = ["OPIS without noise", "10%-OPIS", *(f"FRR at {far:g}" for far in FARS)]
    print(f"\n{rows:,} x 128 rows, {seeds} samples on the edges of the exact count\n")
    print("| figure | rms error, % | intervals hold it, % | median half width / rms error |")
    print("|---|---|---|---|")
    rms = np.sqrt(np.mean(off**2, axis=0))
    inside, wide = 100 * np.mean(off <= half, axis=0), np.median(half, axis=0) / rms
    for name, true, error, share, times in zip(names, truth, rms, inside, wide, strict=True):
        print(f"| {name} | {100 * error / true:.3f} | {share:.0f} | {times:.2f} |")


def command(file: Path, folder: Path, *more: str) -> tuple[float, float, str]:
    """Seconds, peak megabytes and the first line of a whole `opiscal evaluate`."""
    asked = [str(Path(sys.executable).with_name("opiscal")), "evaluate", str(file), *more]
    asked += ["-o", str(folder / "run"), "--quiet"]
    started = time.perf_counter()
    process = subprocess.Popen(asked, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - started
    assert status == 0, said
    return took, usage.ru_maxrss / 1024, said.splitlines()[0]


def million(folder: Path) -> None:
    file = made(folder, 1_000_000, 50_000, 128)
    took, memory, said = command(file, folder)
    print(f"\n1,000,000 x 128 rows in 50,000 classes: {took:.0f} s, {memory:,.0f} MB; {said}")


def growth(folder: Path) -> None:
    print("\n| rows | seconds | over the first, by N log N | MB |\n|---|---|---|---|")
    first = None
    for rows in (50_000, 100_000, 200_000, 400_000, 800_000):
        file = made(folder, rows, rows // 20, 128)
        took, memory, _ = command(file, folder, "--pairs", "sampled")
        per = took / (rows * np.log(rows))
        first = first or per
        print(f"| {rows:,} | {took:.1f} | {per / first:.2f} | {memory:,.0f} |", flush=True)


def turned(embeddings: EmbeddingSet, dimensions: int) -> EmbeddingSet:
    """The same distances in more dimensions."""
    rng = np.random.default_rng(0)
    given = embeddings.vectors.shape[1]
    axes = np.linalg.qr(rng.standard_normal((dimensions, given)))[0]
    return replace(embeddings, vectors=(embeddings.vectors @ axes.T).astype(np.float32))


def threshold_at(counts: PairCounts, far: float) -> float:
    curve = rate_curve(counts)
    return float(np.interp(np.log(far), np.log(np.maximum(curve.far, 1e-300)), curve.distance))


def advantage(folder: Path, rows: int, seeds: int) -> None:
    print("\n| set | index | dots a row | recall of near pairs | rms error of the threshold at FAR "
          "1e-5: index | columns alone | ratio |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for name, dimensions in (("16 of 128", 16), ("128 of 128", 128)):
        file = made(folder, rows, rows // 20, dimensions)
        embeddings = read_embeddings([str(file)], ColumnNames())
        if dimensions < 128:
            embeddings = turned(embeddings, 128)
        row_set = sort_rows(embeddings)
        lattice = fit_lattice(row_set, 0)
        exact = count_exactly(row_set, lattice, ranks=False).counts(
            row_set, lattice, embeddings.labels, "cosine"
        )
        truth = threshold_at(exact, 1e-5)
        index = RowIndex(row_set.vectors, "l2", IndexChoice())
        near = find_pairs(row_set, index, 0)
        none = FoundPairs(np.zeros(rows + 1, np.int64), near.partner[:0], near.counted[:0], -1.0)
        lists = int(re.findall(r"IVF(\d+)", index.description)[0])
        # Training, adding, and searching: the nearest lists, and the rows in them.
        dots = TRAINING_ROWS * lists * lists * ROUNDS / rows + 2 * lists
        dots += NPROBE * rows / lists + near.partner.size / rows
        columns = DEFAULT_COLUMNS
        alone = -(-int(dots + columns) // 16) * 16
        errors: dict[str, list[float]] = {"index": [], "alone": []}
        recall = 0.0
        for seed in range(seeds):
            for way, stratum, m in (("index", near, columns), ("alone", none, alone)):
                sampled = count_sampled(
                    row_set, lattice, stratum, ColumnGroups.draw(rows, m, seed),
                    labels=embeddings.labels, metric="cosine", most_positives=10**9, seed=seed,
                )  # fmt: skip
                errors[way].append(threshold_at(sampled.counts.estimate(), 1e-5) - truth)
                if way == "index":
                    both = sampled.near_found + sampled.near_missed
                    recall += sampled.near_found / both / seeds
        rms = {way: float(np.sqrt(np.mean(np.square(e)))) for way, e in errors.items()}
        print(
            f"| {name} | {index.description} | {alone:,} | {100 * recall:.1f} % | "
            f"{rms['index']:.2g} | {rms['alone']:.2g} | {rms['alone'] / rms['index']:.1f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts = ("accuracy", "intervals", "million", "growth", "advantage")
    parser.add_argument("parts", nargs="*", default=parts)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=None, help="where sets are kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        for part in arguments.parts:
            if part == "accuracy":
                accuracy(folder, arguments.rows, arguments.seeds)
            elif part == "intervals":
                held(folder, arguments.rows, 3 * arguments.seeds)
            elif part == "million":
                million(folder)
            elif part == "growth":
                growth(folder)
            elif part == "advantage":
                advantage(folder, arguments.rows, arguments.seeds)
            else:
                parser.error(f"{part!r}: must be one of {', '.join(parts)}")


if __name__ == "__main__":
    main()
