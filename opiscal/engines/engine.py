"""Engine: what an evaluation asks of whoever reads its rows and counts their pairs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, Label, Metric, RowPolicy
from opiscal.data.sides import JoinedSides
from opiscal.pairs.counting import CountedSet
from opiscal.pairs.edge_targets import AskedRange
from opiscal.pairs.jobs import Job, Whole
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.plan import PairPlan
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.two_sets import TwoSets

Stage = Callable[[str, int], Callable[[int], None] | None]
"""Opens a stage of work, named, of so many pairs; gives what is called as they are counted."""


@dataclass(frozen=True, slots=True)
class CountRequest:
    """The counts that are asked for.

    Attributes
    ----------
    whole : SortedRows or TwoSets
    lattice : Lattice
    labels : tuple
        All labels of the set.
    metric : "cosine" or "l2"
    seed : int
        Of samples.
    identity : mapping
        What the counts follow from, by name: two requests with the same have the same counts.
    """

    whole: Whole
    lattice: Lattice
    labels: tuple[Label, ...]
    metric: Metric
    seed: int
    identity: Mapping[str, Any]


class Engine(Protocol):
    """Reads rows and counts pairs. Whoever does it, every number is the same bit for bit."""

    def read(self, paths: Sequence[str], columns: ColumnNames, policy: RowPolicy) -> EmbeddingSet:
        """The rows of some files; vectors may be left where they are."""

    def read_sides(
        self,
        paths: Sequence[str],
        gallery: Sequence[str],
        columns: ColumnNames,
        policy: RowPolicy,
    ) -> JoinedSides:
        """The rows of queries and of a gallery."""

    def sort(self, embeddings: EmbeddingSet, *, use_up: bool) -> SortedRows:
        """The rows in class order; with `use_up` the set is of no use afterwards."""

    def sort_sides(self, both: JoinedSides) -> TwoSets:
        """Both sides in class order."""

    def lattice(self, whole: Whole, seed: int, asked: AskedRange | None) -> Lattice:
        """The edges at which pairs are counted."""

    def kept_plan(self, identity: Mapping[str, Any]) -> PairPlan | None:
        """By which plan these counts were begun before, where some of them are kept; else None."""

    def count(self, request: CountRequest, jobs: Sequence[Job], stage: Stage) -> list[CountedSet]:
        """The counts of some jobs, in their order."""

    def nearest_class(self, rows: SortedRows, classes: NDArray[np.integer]) -> NDArray[np.int64]:
        """For some classes the other one whose mean row is nearest; as the function of the name."""

    def threads(self) -> int:
        """How many pairs are worked on at the same time, for the record."""
