"""LocalEngine: this process reads and counts, with threads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, RowPolicy
from opiscal.data.parquet import read_embeddings
from opiscal.data.side_files import read_sides
from opiscal.data.sides import JoinedSides
from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.engine import CountRequest, Stage
from opiscal.engines.kept_counts import KeptCounts
from opiscal.engines.kept_sample import KeptSample
from opiscal.errors import UsageError
from opiscal.pairs.between import count_between
from opiscal.pairs.counting import CountedSet, count_pairs
from opiscal.pairs.edge_targets import AskedRange
from opiscal.pairs.jobs import Job, Whole
from opiscal.pairs.kernel.ranks import RECALL_CAP
from opiscal.pairs.lattice import Lattice, fit_lattice
from opiscal.pairs.nearest_class import nearest_class
from opiscal.pairs.plan import PairPlan
from opiscal.pairs.sorted_rows import SortedRows, sort_rows
from opiscal.pairs.tasks.counting import SharedOut
from opiscal.pairs.threads import available_threads
from opiscal.pairs.two_sets import TwoSets, sample_between, sort_two_sets


class LocalEngine:
    """Everything in this process.

    Parameters
    ----------
    threads : int, optional
        Default: all cores that the process may use.
    save_index : Path, optional
        Where the index of a sample is to be kept.
    checkpoint : Checkpoint, optional
        Where counts are kept while they are made, and taken from.
    """

    def __init__(
        self,
        threads: int | None = None,
        save_index: Path | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        """Keep the settings."""
        self._threads, self._save_index, self._checkpoint = threads, save_index, checkpoint

    def read(self, paths: Sequence[str], columns: ColumnNames, policy: RowPolicy) -> EmbeddingSet:
        """As `opiscal.data.parquet.read_embeddings`."""
        return read_embeddings(paths, columns, policy)

    def read_sides(
        self,
        paths: Sequence[str],
        gallery: Sequence[str],
        columns: ColumnNames,
        policy: RowPolicy,
    ) -> JoinedSides:
        """As `opiscal.data.side_files.read_sides`."""
        return read_sides(paths, gallery, columns, policy)

    def sort(self, embeddings: EmbeddingSet, *, use_up: bool) -> SortedRows:
        """As `opiscal.pairs.sorted_rows.sort_rows`."""
        return sort_rows(embeddings, self._threads, in_place=use_up)

    def sort_sides(self, both: JoinedSides) -> TwoSets:
        """As `opiscal.pairs.two_sets.sort_two_sets`."""
        return sort_two_sets(both.embeddings, both.sides, self._threads)

    def lattice(self, whole: Whole, seed: int, asked: AskedRange | None) -> Lattice:
        """As `opiscal.pairs.lattice.fit_lattice`."""
        if isinstance(whole, TwoSets):
            return fit_lattice(whole.queries, seed, asked, sample_between(whole, seed))
        return fit_lattice(whole, seed, asked)

    def kept_plan(self, identity: Mapping[str, Any]) -> PairPlan | None:
        """That of the checkpoint."""
        return None if self._checkpoint is None else self._checkpoint.kept_plan(identity)

    def count(self, request: CountRequest, jobs: Sequence[Job], stage: Stage) -> list[CountedSet]:
        """One job after the other."""
        how = SharedOut()
        if self._checkpoint is not None:
            how = self._checkpoint.begin(request.identity, request.lattice, how, jobs[0].plan)
        return [self._count(request, job, stage, how) for job in jobs]

    def nearest_class(self, rows: SortedRows, classes: NDArray[np.integer]) -> NDArray[np.int64]:
        """As `opiscal.pairs.nearest_class.nearest_class`."""
        return nearest_class(rows, self._threads, classes)

    def threads(self) -> int:
        """Threads that count."""
        return self._threads or available_threads()

    def _count(self, request: CountRequest, job: Job, stage: Stage, how: SharedOut) -> CountedSet:
        rows, lattice = job.rows(request.whole), request.lattice
        save_index = self._save_index if job.chosen is None else None
        if save_index is not None and job.plan.mode == "exact":
            raise UsageError(
                f"save-index {str(save_index)!r}: every pair is counted ({job.plan.reason}), and "
                "no index is made; give --pairs sampled, or leave it out"
            )
        advance = stage(job.title, job.pairs)
        if self._checkpoint is not None:
            if job.plan.mode == "exact":
                kept = KeptCounts(self._checkpoint, how, self.threads())
                return kept.count(request, job, rows, advance)
            assert isinstance(rows, SortedRows)
            sample = KeptSample(self._checkpoint, self.threads())
            return sample.count(request, job, rows, advance, save_index)
        if isinstance(rows, TwoSets):
            tally = count_between(rows, lattice, threads=self._threads, progress=advance)
            ranks = tally.ranks(rows, RECALL_CAP) if job.ranks else None
            counts = tally.counts(rows, lattice, request.labels, request.metric)
            return CountedSet(counts, ranks)
        return count_pairs(
            rows,
            lattice,
            job.plan,
            request.labels,
            request.metric,
            seed=request.seed,
            threads=self._threads,
            ranks=job.ranks,
            save_index=save_index,
            progress=advance,
        )
