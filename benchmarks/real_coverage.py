"""Do the intervals hold on real classes? Random subsets of the classes of a real set, against all.

The classes of the set are taken for the population. A subset of them is counted by itself, and its
95 % intervals are asked whether they hold what all classes give: FAR, FRR and the threshold at two
FARs, mean utility, and OPIS without noise. Subsets are drawn without replacement, which makes their
figures steadier than those of a population without end, by the root of the share left out.

Usage: python benchmarks/real_coverage.py [--draws N] [--share S] [--data FOLDER]
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from opiscal.data.embedding_set import ClassSizes, ColumnNames, DroppedRows, Label, Metric
from opiscal.data.parquet import read_embeddings
from opiscal.measures.guarantee import guaranteed_edge
from opiscal.measures.rate_intervals import rate_intervals
from opiscal.measures.rates import rate_curve
from opiscal.pairs.counting import CountedSet
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.lattice import Lattice, fit_lattice
from opiscal.pairs.pair_settings import PairSettings
from opiscal.pairs.plan import plan_pairs
from opiscal.pairs.sorted_rows import SortedRows, sort_rows
from opiscal.report.assemble import assemble_report
from opiscal.report.findings import Data, Provenance
from opiscal.report.record import Report
from opiscal.report.settings import EvaluateConfig

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FARS = (1e-1, 1e-2)
FIGURES = (*(f"{what} at {far:g}" for far in FARS for what in ("FAR", "FRR", "threshold")),
           "mean utility", "OPIS without noise")  # fmt: skip


def count(
    rows: SortedRows, lattice: Lattice, labels: tuple[Label, ...], metric: Metric
) -> PairCounts:
    return count_exactly(rows, lattice, ranks=False).counts(rows, lattice, labels, metric)


def report(counts: PairCounts, seed: int) -> Report:
    config = EvaluateConfig(retrieval=False, seed=seed)
    sizes = counts.class_rows
    # Nothing here depends on the file that the rows came from.
    data = Data(
        rows_read=counts.rows,
        rows_used=counts.rows,
        dropped=DroppedRows(),
        distractors=0,
        dimensions=0,
        classes=counts.classes,
        classes_scored=counts.classes,
        classes_singleton=0,
        class_size=ClassSizes(int(sizes.min()), float(np.median(sizes)), int(sizes.max())),
    )
    plan = plan_pairs(PairSettings(mode="exact"), counts.rows, 1)
    nowhere = Provenance("", "", seed, 1, (), {}, "", {}, {})
    return assemble_report(
        CountedSet(counts, None), plan, (None,) * counts.classes, data, nowhere, config
    )


def truths(whole: Report) -> dict[str, float]:
    curve = rate_curve(whole.counts)
    found = {"mean utility": whole.utility.mean, "OPIS without noise": whole.opis.corrected or 0.0}
    for far in FARS:
        distance = whole.threshold(far=far, force=True).distance or 0.0
        found[f"threshold at {far:g}"] = distance
        found[f"FAR at {far:g}"], found[f"FRR at {far:g}"] = curve.at(distance)
    return found


def held(part: Report, truth: dict[str, float]) -> Iterator[tuple[str, float, float, float]]:
    """For each figure its value and its interval in a subset."""
    curve, rates = rate_curve(part.counts), rate_intervals(part.counts)
    assert rates is not None
    for far in FARS:
        here = truth[f"threshold at {far:g}"]
        at = rates.at(here)
        yield f"FAR at {far:g}", curve.at(here)[0], *at.far_ci
        yield f"FRR at {far:g}", curve.at(here)[1], *at.frr_ci
        for point in part.operating_points:
            if point.target == far and point.distance is not None and point.distance_ci:
                yield f"threshold at {far:g}", point.distance, *point.distance_ci
    if part.utility.ci is not None:
        yield "mean utility", part.utility.mean, *part.utility.ci
    if part.opis.corrected is not None and part.opis.corrected_ci is not None:
        yield "OPIS without noise", part.opis.corrected, *part.opis.corrected_ci


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.25, help="of the classes, in a subset")
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    files = sorted(arguments.data.glob("*.parquet"))
    if not files:
        print(f"no Parquet files in {arguments.data}: give a folder with --data")
        return
    print("Per cent of 95 % intervals of subsets that hold the value of all classes.")
    print(f"| set | classes, in a subset | {' | '.join(FIGURES)} | guarantee at 0.01 broken |")
    print("|---" * (len(FIGURES) + 3) + "|", flush=True)
    for file in files:
        embeddings = read_embeddings([str(file)], ColumnNames(), EvaluateConfig().row_policy)
        rows = sort_rows(embeddings)
        lattice = fit_lattice(rows, 0)
        whole = report(count(rows, lattice, embeddings.labels, embeddings.metric), 0)
        truth, curve = truths(whole), rate_curve(whole.counts)
        scored = rows.classes.scored
        size = max(10, int(arguments.share * scored.size))
        hits: dict[str, list[bool]] = {name: [] for name in FIGURES}
        broken = []
        for draw in range(arguments.draws):
            chosen = np.random.default_rng([draw, 1]).permutation(scored)[:size]
            part = rows.subset(np.isin(rows.classes.class_id, chosen))
            counts = count(part, lattice, embeddings.labels, embeddings.metric)
            for name, _, low, high in held(report(counts, draw), truth):
                hits[name].append(low <= truth[name] <= high)
            intervals = rate_intervals(counts)
            safe = None if intervals is None else guaranteed_edge(intervals, 0.01)
            if safe is not None:
                broken.append(bool(curve.at(float(counts.distance[safe]))[0] > 0.01))
        cells = [f"{100 * np.mean(hits[name]):.1f}" if hits[name] else "none" for name in FIGURES]
        promise = f"{100 * np.mean(broken):.1f} % of {len(broken)}" if broken else "none given"
        print(
            f"| {file.stem} | {scored.size}, {size} | {' | '.join(cells)} | {promise} |", flush=True
        )


if __name__ == "__main__":
    main()
