"""MergedEngine: what others have counted, block by block, as if it were counted here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, RowPolicy
from opiscal.data.sides import JoinedSides
from opiscal.engines.array_parts import Part
from opiscal.engines.block_frame import FRAME_FILE, KnownSet
from opiscal.engines.difference import first_difference
from opiscal.engines.engine import CountRequest, Stage
from opiscal.errors import InputError
from opiscal.pairs.absent_rows import absent_set, absent_sides
from opiscal.pairs.counting import CountedSet
from opiscal.pairs.edge_targets import AskedRange
from opiscal.pairs.jobs import Job, Whole
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.lattice_arrays import edges_digest
from opiscal.pairs.plan import PairPlan
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.tasks.counting import task_counting
from opiscal.pairs.threads import available_threads
from opiscal.pairs.two_sets import TwoSets


class MergedEngine:
    """Adds up what the parts of a job array hold; no vector is read.

    Parameters
    ----------
    parts : list of Part
        As `opiscal.engines.array_parts.read_parts` gives them.

    Raises
    ------
    InputError
        Where the first part does not say what the set is.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        """Keep the parts."""
        known = parts[0].frame.known
        if known is None:
            raise _not_whole(parts[0])
        self._parts = parts
        self.known: KnownSet = known

    def whole(self) -> EmbeddingSet | JoinedSides:
        """The set that was counted, or both sides of it, without vectors."""
        known = self.known
        if known.sides is None:
            return known.embeddings
        return JoinedSides(known.embeddings, known.sides)

    def read(self, paths: Sequence[str], columns: ColumnNames, policy: RowPolicy) -> EmbeddingSet:
        """The rows that were counted, of whichever files."""
        return self.known.embeddings

    def read_sides(
        self,
        paths: Sequence[str],
        gallery: Sequence[str],
        columns: ColumnNames,
        policy: RowPolicy,
    ) -> JoinedSides:
        """Both sides that were counted, of whichever files."""
        assert self.known.sides is not None
        return JoinedSides(self.known.embeddings, self.known.sides)

    def sort(self, embeddings: EmbeddingSet, *, use_up: bool) -> SortedRows:
        """The order of the rows."""
        return absent_set(embeddings)

    def sort_sides(self, both: JoinedSides) -> TwoSets:
        """The order of both sides."""
        return absent_sides(both.embeddings, both.sides)

    def lattice(self, whole: Whole, seed: int, asked: AskedRange | None) -> Lattice:
        """The edges at which all blocks were counted."""
        return self.known.lattice

    def kept_plan(self, identity: Mapping[str, Any]) -> PairPlan | None:
        """None: in blocks every pair is counted."""
        return None

    def count(self, request: CountRequest, jobs: Sequence[Job], stage: Stage) -> list[CountedSet]:
        """The counts of all blocks, added up."""
        first = self._parts[0]
        here = {"identity": dict(request.identity), "edges": edges_digest(request.lattice)}
        if any(first_difference(key, first.manifest[key], here[key]) for key in here):
            raise _not_whole(first)
        return [self._count(request, job, stage) for job in jobs]

    def nearest_class(self, rows: SortedRows, classes: NDArray[np.integer]) -> NDArray[np.int64]:
        """As it was found where the first block was counted."""
        return self.known.nearest_class

    def threads(self) -> int:
        """Those of this process, which counts nothing."""
        return available_threads()

    def _count(self, request: CountRequest, job: Job, stage: Stage) -> CountedSet:
        counting = task_counting(job.rows(request.whole), request.lattice, job.ranks)
        advance = stage(f"adding up: {job.title}", len(self._parts))
        numbers: list[int] = []
        for part in self._parts:
            for counted in part.counted(job.name):
                counting.add(counted.pieces)
                numbers += counted.numbers
            if advance is not None:
                advance(1)
        if sorted(numbers) != list(range(len(numbers))):
            raise InputError(
                f"the parts do not make up the whole: of {job.title!r} they hold {len(numbers)} "
                "tasks, some of them not at all or twice; count the blocks again into new folders"
            )
        return counting.finished(request.labels, request.metric)


def _not_whole(part: Part) -> InputError:
    return InputError(
        f"{FRAME_FILE!r} in the part {part.name!r} is not whole; remove that file, and "
        "run the command of the block again"
    )
