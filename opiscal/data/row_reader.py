"""RowReader: the vectors of some rows, straight from the row groups that have them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opiscal.data.column_values import list_elements, list_lengths
from opiscal.data.embedding_set import RowPolicy
from opiscal.data.half_matrix import HalfMatrix, Vectors
from opiscal.data.parquet import batch_rows, open_parquet
from opiscal.data.row_fitness import measured_steps
from opiscal.data.row_groups import FileGroups, bytes_to_read
from opiscal.data.row_store import empty_matrix
from opiscal.errors import InputError


class RowReader:
    """Reads rows as `opiscal.data.parquet.read_embeddings` would hold them, bit for bit.

    It opens files when it reads and holds nothing but where rows lie, so that it can be sent to
    another process.

    Parameters
    ----------
    files : sequence of FileGroups
        In the order of reading.
    embedding : str
        The column of the vectors.
    dimensions : int
    policy : RowPolicy
        Its `metric` and `half` say how rows are held.

    Attributes
    ----------
    bytes_read : int
        Compressed bytes of the vectors that were decoded so far.
    passes : int
        How often it went over files so far.
    """

    def __init__(
        self, files: Sequence[FileGroups], embedding: str, dimensions: int, policy: RowPolicy
    ) -> None:
        """Keep where rows lie; no file is opened."""
        self._files, self._embedding = tuple(files), embedding
        self.dimensions, self.policy = dimensions, policy
        self._starts = np.cumsum([0, *(sum(file.rows) for file in self._files)])
        self.bytes_read = 0
        self.passes = 0

    @property
    def row_bytes(self) -> int:
        """What a row takes in memory."""
        matrix = self.room(1)
        return int(matrix.nbytes)

    @property
    def file_bytes(self) -> int:
        """What the vectors of all row groups take in the files."""
        return sum(sum(file.bytes) for file in self._files)

    def bytes_to_read(self, numbers: NDArray[np.int64]) -> int:
        """By how much `bytes_read` grows when some rows are read in one pass."""
        return bytes_to_read(self._files, numbers)

    def copy(self) -> "RowReader":
        """Another one of the same rows, that has read nothing."""
        return RowReader(self._files, self._embedding, self.dimensions, self.policy)

    def room(self, rows: int) -> Vectors:
        """A matrix for so many rows, not filled."""
        return empty_matrix(rows, self.dimensions, self.policy)

    def read(self, numbers: NDArray[np.int64]) -> Vectors:
        """Read rows, in one pass over the row groups that have any of them.

        Parameters
        ----------
        numbers : int64 array
            Positions of rows in the input, counted over all files, ascending. They are fit for use.

        Returns
        -------
        float32 array of shape (rows, dimensions), or HalfMatrix

        Raises
        ------
        InputError
            Where a file cannot be read, or has changed since its rows were looked at.
        """
        out = self.room(numbers.size)
        for part, rows in self.blocks(numbers):
            out[part] = rows
        return out

    def read_placed(self, numbers: NDArray[np.int64]) -> Vectors:
        """Read rows in any order, in which they come; else as `read`."""
        out, place = self.room(numbers.size), np.argsort(numbers, kind="stable")
        for part, rows in self.blocks(numbers[place]):
            out[place[part]] = rows
        return out

    def blocks(self, numbers: NDArray[np.int64]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Read rows, some at a time, as float32 that are not yet rounded to float16.

        Yields
        ------
        slice
            Which of the numbers.
        float32 array of shape (rows, dimensions)
        """
        self.passes += 1
        for file, begin in zip(self._files, self._starts, strict=False):
            end = begin + sum(file.rows)
            first, last = np.searchsorted(numbers, [begin, end]).tolist()
            if first < last:
                for part, rows in self._from_file(file, numbers[first:last] - begin):
                    yield slice(first + part.start, first + part.stop), rows
        # What the decoder has set free would else count towards the peak of the counting.
        pa.default_memory_pool().release_unused()

    def rounded(self, rows: NDArray[np.float32]) -> Vectors:
        """Rows of `blocks` as they are held."""
        if not self.policy.half:
            return rows
        out = self.room(len(rows))
        out[:] = rows
        return out

    def _from_file(
        self, file: FileGroups, wanted: NDArray[np.int64]
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        bounds = file.bounds
        of_group = np.searchsorted(bounds, wanted, side="right") - 1
        groups, which = np.unique(of_group, return_inverse=True)
        # Where the wanted rows are among those of these row groups, one after the other.
        sizes = np.diff(bounds)[groups]
        wanted = wanted - bounds[groups][which] + (np.cumsum(sizes) - sizes)[which]
        self.bytes_read += sum(file.bytes[group] for group in groups.tolist())
        start = first = 0
        with open_parquet(file.path) as parquet:
            size = batch_rows(parquet, self._embedding, self.dimensions)
            for batch in parquet.iter_batches(
                batch_size=size, row_groups=groups.tolist(), columns=[self._embedding]
            ):
                last = int(np.searchsorted(wanted, start + batch.num_rows))
                if last > first:
                    vectors = self._vectors(batch, wanted[first:last] - start, file.path)
                    for part, rows in self._held(vectors, file.path):
                        yield slice(first + part.start, first + part.stop), rows
                start, first = start + batch.num_rows, last
                if first == wanted.size:
                    break
        if first < wanted.size:
            raise _changed(file.path)

    def _vectors(self, batch: pa.RecordBatch, chosen: NDArray[np.int64], path: str) -> NDArray[Any]:
        """The vectors of some rows of a batch, as they are in the file."""
        column = batch.column(self._embedding)
        lengths = list_lengths(column)
        present = lengths >= 0
        if not present[chosen].all() or (lengths[present] != self.dimensions).any():
            raise _changed(path)
        vectors = list_elements(column).reshape(-1, self.dimensions)
        if chosen.size == len(vectors):
            return vectors
        return np.asarray(vectors[(np.cumsum(present) - 1)[chosen]])

    def _held(
        self, vectors: NDArray[Any], path: str
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        for step in measured_steps(vectors, self.policy.metric):
            if step.fault.any():
                raise _changed(path)
            rows = np.empty((step.fault.size, self.dimensions), np.float32)
            step.write(step.fault == 0, rows)
            yield slice(step.part.start, step.part.start + len(rows)), rows


def as_float32(vectors: Vectors) -> NDArray[np.float32]:
    """All rows as a float32 array; the same one where they are held so."""
    return vectors[:] if isinstance(vectors, HalfMatrix) else vectors


def _changed(path: str) -> InputError:
    return InputError(f"{path!r} has changed since its rows were looked at; run it again")
