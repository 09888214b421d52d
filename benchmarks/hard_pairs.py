"""Speed of hard pairs, as a ratio to one flat FAISS search of the same rows.

For each set one run on one machine, with the same number of threads for both: the time of
``faiss.IndexFlatIP.search(k=10)`` of all rows, and of all that `opiscal hard-pairs` does with rows
that were read, at its default threshold (FAR 0.001 in a sample of pairs) and at FAR 0.01: rows put
in order, threshold, nearest rows and accepted pairs, far positives, label errors, duplicates. The
two take turns, and medians are printed.

Usage: python benchmarks/hard_pairs.py [--threads N] [--runs N] [--quick]
"""

import argparse
import statistics
import time

import faiss
from exact import draw
from threadpoolctl import threadpool_limits

from opiscal.data.embedding_set import EmbeddingSet
from opiscal.mining import MiningConfig, mine
from opiscal.pairs.threads import available_threads
from opiscal.report import threshold_source
from opiscal.report.hard_pairs import HardPairs

SETS = (
    # rows, dimensions, classes, FAR of the threshold, most allowed of the flat search
    (20_000, 128, 500, 1e-3, 1.5),
    (20_000, 128, 10_000, 1e-3, 1.5),
    (50_000, 512, 2_000, 1e-3, 1.5),
    (50_000, 512, 2_000, 1e-2, 1.5),
    (50_000, 512, 10, 1e-3, 1.5),
)


def search(embeddings: EmbeddingSet) -> None:
    index = faiss.IndexFlatIP(embeddings.dimensions)
    index.add(embeddings.vectors)
    index.search(embeddings.vectors, 10)


def hard(embeddings: EmbeddingSet, far: float, threads: int) -> HardPairs:
    threshold_source.SAMPLE_FAR = far
    return mine(embeddings, MiningConfig(threads=threads))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small sets, to see that it works")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(arguments.threads)
    print(f"{arguments.threads} threads, median of {arguments.runs}")
    print(
        "| rows | D | classes | FAR | accepted pairs | flat FAISS search | hard pairs "
        "| hard pairs / search | target |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for rows, dimensions, classes, far, most in SETS:
        rows, classes = (rows // 10, max(2, classes // 10)) if arguments.quick else (rows, classes)
        embeddings = draw(rows, dimensions, classes)
        hard(draw(2000, dimensions, 100), far, arguments.threads)  # loops compiled
        took: dict[str, list[float]] = {"search": [], "hard": []}
        with threadpool_limits(limits=arguments.threads, user_api="blas"):
            for _ in range(arguments.runs):
                started = time.perf_counter()
                search(embeddings)
                between = time.perf_counter()
                found = hard(embeddings, far, arguments.threads)
                took["hard"].append(time.perf_counter() - between)
                took["search"].append(between - started)
        reference, own = (statistics.median(took[name]) for name in ("search", "hard"))
        print(
            f"| {rows:,} | {dimensions} | {classes:,} | {far:g} | {found.accepted_negatives:,} "
            f"| {reference:.2f} s | {own:.2f} s | {own / reference:.2f} | {most:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
