"""What workers are told of: a set, of which they read the rows that they need, and its jobs."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet
from opiscal.data.row_reader import RowReader
from opiscal.data.sides import Sides
from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.worker_memory import rows_of_stretch
from opiscal.pairs.jobs import Whole
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.row_cache import RowMove
from opiscal.pairs.two_sets import TwoSets


@dataclass(frozen=True)
class WorkerSet:
    """What a worker must know to read the rows of a set, in the order of all.

    Attributes
    ----------
    key : str
        Another set has another.
    embeddings : EmbeddingSet
        Without vectors, labels and lengths.
    sides : Sides or None
        Of two sets.
    reader : RowReader
    room : int
        Bytes for rows that are kept.
    move : RowMove or None
        None where all rows fit in the room: it is then found when they are read.
    half_norm : float32 array of shape (rows,), or None
        In the order of the set.
    largest : float or None
        Of `SortedRows.largest`.
    """

    key: str
    embeddings: EmbeddingSet
    sides: Sides | None
    reader: RowReader
    room: int
    move: RowMove | None = None
    half_norm: NDArray[np.float32] | None = None
    largest: float | None = None

    @classmethod
    def of(
        cls, key: str, embeddings: EmbeddingSet, sides: Sides | None, reader: RowReader, room: int
    ) -> "WorkerSet":
        """What of a set workers need."""
        bare = replace(
            embeddings.without_vectors(),
            labels=(),
            norms=np.empty(0),
            groups=None,
            group_of_row=None,
            inputs=(),
        )
        return cls(key, bare, sides, reader, room)

    @property
    def all_fit(self) -> bool:
        """Whether a worker keeps all rows once they are read."""
        return self.stretch_rows is None

    @property
    def stretch_rows(self) -> int | None:
        """Rows of which two stretches can be kept; None where all are."""
        return rows_of_stretch(self.embeddings.rows, self.reader.row_bytes, self.room)


@dataclass(frozen=True)
class WorkerJob:
    """What a worker must know to count tasks of a job.

    Attributes
    ----------
    name : str
    chosen : tuple of uint8 arrays, or None
        The rows of the job, a bit each; None for all.
    lattice : Lattice
    ranks : bool
    checkpoint : Checkpoint or None
        Where counts are kept.
    """

    name: str
    chosen: tuple[NDArray[np.uint8], ...] | None
    lattice: Lattice
    ranks: bool
    checkpoint: Checkpoint | None = None

    def rows(self, whole: Whole) -> Whole:
        """The rows of the job."""
        if self.chosen is None:
            return whole
        sides = (whole.queries, whole.gallery) if isinstance(whole, TwoSets) else (whole,)
        return whole.subset(
            *(
                np.unpackbits(bits, count=side.rows).astype(np.bool_)
                for bits, side in zip(self.chosen, sides, strict=True)
            )
        )
