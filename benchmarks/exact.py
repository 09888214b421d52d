"""Speed of the exact count, as a ratio to a flat FAISS search of the same rows.

For each set one run on one machine, with the same number of threads for all: the time of the full
N x N product (by the BLAS of numpy, in strips), of ``faiss.IndexFlatIP.search(k=10)``, and of the
count with Recall@k (rows put in class order, edges placed, all pairs counted, counts finished).
The three take turns, and medians are printed.

Usage: python benchmarks/exact.py [--threads N] [--runs N] [--quick]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from opiscal.data.embedding_set import DroppedRows, EmbeddingSet
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.kernel.ranks import RECALL_CAP
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.sorted_rows import sort_rows
from opiscal.pairs.threads import available_threads

SETS = (
    # rows, dimensions, classes, most allowed of the flat search
    (20_000, 128, 500, 0.60),
    (20_000, 512, 500, 0.55),
    (50_000, 512, 2_000, 0.55),
    (20_000, 128, 10, 0.60),
    (20_000, 128, 10_000, 0.90),
)
STRIP = 2048


def draw(rows: int, dimensions: int, classes: int) -> EmbeddingSet:
    """Unit rows about random centres, so spread that a nearest row is often of another class."""
    rng = np.random.default_rng(0)
    class_of_row = rng.permutation(np.arange(rows) % classes).astype(np.int32)
    centres = rng.standard_normal((classes, dimensions), dtype=np.float32)
    vectors = centres[class_of_row]
    vectors += 2.0 * rng.standard_normal((rows, dimensions), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return EmbeddingSet(
        vectors=vectors,
        labels=tuple(range(classes)),
        class_of_row=class_of_row,
        row_number=np.arange(rows),
        norms=np.ones(rows),
        metric="cosine",
        rows_read=rows,
        dropped=DroppedRows(),
    )


def contestants(embeddings: EmbeddingSet, threads: int) -> dict[str, Callable[[], None]]:
    vectors = embeddings.vectors
    strip = np.empty((STRIP, len(vectors)), np.float32)

    def product() -> None:
        for start in range(0, len(vectors), STRIP):
            part = vectors[start : start + STRIP]
            np.matmul(part, vectors.T, out=strip[: len(part)])

    def search() -> None:
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        index.search(vectors, 10)

    def count() -> None:
        rows = sort_rows(embeddings, threads)
        lattice = fit_lattice(rows, seed=0)
        tally = count_exactly(rows, lattice, threads=threads)
        tally.ranks(rows, RECALL_CAP)
        tally.counts(rows, lattice, embeddings.labels, "cosine")

    return {"product": product, "search": search, "count": count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small sets, to see that it works")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(arguments.threads)
    print(f"{arguments.threads} threads, median of {arguments.runs}")
    print(
        "| rows | D | classes | N x N product | flat FAISS search | count | count / product "
        "| count / search | target |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for rows, dimensions, classes, most in SETS:
        rows, classes = (rows // 10, max(2, classes // 10)) if arguments.quick else (rows, classes)
        runners = contestants(draw(rows, dimensions, classes), arguments.threads)
        took: dict[str, list[float]] = {name: [] for name in runners}
        with threadpool_limits(limits=arguments.threads, user_api="blas"):
            for name in ("product", "count"):
                runners[name]()  # warm: threads started, loops compiled
            for _ in range(arguments.runs):
                for name, run in runners.items():
                    started = time.perf_counter()
                    run()
                    took[name].append(time.perf_counter() - started)
        product, search, count = (statistics.median(took[name]) for name in runners)
        print(
            f"| {rows:,} | {dimensions} | {classes:,} | {product:.2f} s | {search:.2f} s "
            f"| {count:.2f} s | {count / product:.2f} | {count / search:.2f} | {most:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
