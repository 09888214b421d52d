"""ClusterEstimate: what counting some files on a cluster will cost, beside a sample of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, RowPolicy
from opiscal.data.row_scan import collect_rows, scan_part
from opiscal.data.scan_plan import ScanPlan, scan_parts
from opiscal.engines.cluster_plan import (
    ClusterPlan,
    WorkerRates,
    plan_cluster,
    read_rate,
    too_large,
)
from opiscal.engines.worker_memory import memory_bytes
from opiscal.errors import UsageError
from opiscal.pairs.cost import pairs_per_second
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.pair_settings import DEFAULT_COLUMNS
from opiscal.pairs.plan import exact_seconds, most_exact_rows, rows_for_sampling, sample_seconds
from opiscal.pairs.sorted_rows import sort_rows


@dataclass(frozen=True, slots=True)
class PlannedCluster:
    """Workers that are thought of.

    Attributes
    ----------
    workers : int
    memory : int or None
        Bytes of each; None for an even share of this machine's.
    """

    workers: int
    memory: int | None = None

    @classmethod
    def asked(cls, workers: int | None, memory: str | None) -> "PlannedCluster | None":
        """What was asked for; None where it was not.

        Raises
        ------
        UsageError
            For memory without workers, or one that is no size.

        Examples
        --------
        >>> PlannedCluster.asked(64, "4GB")
        PlannedCluster(workers=64, memory=4000000000)
        """
        if workers is None:
            if memory is not None:
                raise UsageError(
                    f"worker-memory {memory}: of how many workers? give --workers too, or leave "
                    "it out"
                )
            return None
        return cls(workers, None if memory is None else memory_bytes(memory))


@dataclass(frozen=True, slots=True)
class ClusterEstimate:
    """What every pair costs on a cluster, and what a sample costs.

    Attributes
    ----------
    workers, rows, dimensions : int
    rates : WorkerRates
        Of one thread of this machine; workers are taken to be as fast.
    plan : ClusterPlan or None
        None where there are too many rows.
    exact_seconds : float
        About how long the workers take for every pair.
    columns : int
        Of a sample: rows that every row is paired with.
    sample_seconds : float or None
        About how long the workers take for it, one of which finds the near pairs; None where it is
        as large as every pair.
    rows_for_sampling : int
        From how many rows on the sample is faster than every pair.
    most_exact_rows : int
        Rows up to which an evaluation counts every pair without being told to.
    """

    workers: int
    rows: int
    dimensions: int
    rates: WorkerRates
    plan: ClusterPlan | None
    exact_seconds: float
    columns: int
    sample_seconds: float | None
    rows_for_sampling: int
    most_exact_rows: int


def estimate_cluster(
    embeddings: EmbeddingSet,
    paths: Sequence[str],
    columns: ColumnNames,
    policy: RowPolicy,
    asked: PlannedCluster,
) -> ClusterEstimate:
    """Plan the count of every pair of some files on a cluster, and measure how fast it would be.

    Parameters
    ----------
    embeddings : EmbeddingSet
        As `opiscal.data.parquet.read_embeddings` read it, or a sample of it; it is used up.
    paths, columns, policy
        What it was read from.
    asked : PlannedCluster

    Raises
    ------
    UsageError
        Where workers have too little memory to count with.
    """
    scan = scan_parts(paths, columns, policy)
    every = _all_rows(embeddings, scan)
    reader = scan.reader(every.dimensions)
    rates = WorkerRates(pairs_per_second(every.dimensions, 1), read_rate(reader, every.row_number))
    plan = None
    if not too_large(every.rows):
        lattice = fit_lattice(sort_rows(embeddings, in_place=True), policy.seed)
        plan = plan_cluster(every, reader, lattice, asked.workers, asked.memory, rates)
    seconds = exact_seconds(every.rows, asked.workers * rates.pairs)
    sample = None
    if every.rows > 2 * DEFAULT_COLUMNS:
        sample = sample_seconds(every.rows, DEFAULT_COLUMNS, rates.pairs, asked.workers)
    return ClusterEstimate(
        workers=asked.workers,
        rows=every.rows,
        dimensions=every.dimensions,
        rates=rates,
        plan=plan,
        exact_seconds=seconds if plan is None else plan.seconds,
        columns=DEFAULT_COLUMNS,
        sample_seconds=sample,
        rows_for_sampling=rows_for_sampling(rates.pairs, asked.workers),
        most_exact_rows=most_exact_rows(every.dimensions),
    )


def _all_rows(embeddings: EmbeddingSet, scan: ScanPlan) -> EmbeddingSet:
    """All rows without their vectors, as workers find them: memory makes no sample of them."""
    if embeddings.sample is None:
        return embeddings.without_vectors()
    scanned = (scan_part(part) for part in scan.parts)
    return collect_rows(scan, scanned, [file.sha256 for file in embeddings.inputs])
