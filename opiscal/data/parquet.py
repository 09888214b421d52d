"""Parquet files as an EmbeddingSet, streamed: the vectors are held in memory once."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from opiscal.data.collector import BLOCK_ROWS, RowBlock, RowCollector, row_name
from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, InputFile, RowPolicy
from opiscal.data.files import buffer_bytes, find_files, open_file, sha256, unreadable
from opiscal.data.label_codes import CodedLabels, LabelTable, coded_floats
from opiscal.data.parquet_schema import (
    ChosenColumns,
    ShardSchema,
    check_codes,
    choose_columns,
    is_list,
)
from opiscal.errors import InputError

# A record batch: large enough that its overhead does not show, small beside the bound on memory.
_BATCH_VALUES = 1 << 19
_BATCH_ROWS_UNKNOWN = 1 << 9

__all__ = ["ColumnNames", "files_of", "read_codes", "read_embeddings"]


# The first and the last bytes of a Parquet file; between them stand at least a footer and its size.
_MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_SMALLEST = 12
_REASON_LENGTH = 160
_DEFAULT_COLUMNS = ColumnNames()
_DEFAULT_POLICY = RowPolicy()


@dataclass(frozen=True, slots=True)
class _Shard:
    """What the footer of a file says."""

    schema: ShardSchema
    rows: int

    @property
    def path(self) -> str:
        return self.schema.path


def read_embeddings(
    paths: Sequence[str],
    columns: ColumnNames = _DEFAULT_COLUMNS,
    policy: RowPolicy = _DEFAULT_POLICY,
    gallery: Sequence[str] = (),
) -> EmbeddingSet:
    """Read embeddings, labels and groups from Parquet files.

    Parameters
    ----------
    paths : sequence of str
        Files, folders of shards, globs; see `opiscal.data.files.find_files`.
    columns : ColumnNames, optional
        Vectors are lists, large lists or fixed-size lists of float16, float32 or float64, all of
        one width; labels and groups are strings or integers, plain or in a dictionary. Whole
        numbers held as floats, as pandas writes integers beside missing values, are integers.
    policy : RowPolicy, optional
        Which rows are used; see `opiscal.data.rows.from_arrays`.
    gallery : sequence of str, optional
        More of them, read after the others; a file may be among both.

    Returns
    -------
    EmbeddingSet
        Rows in the order of the files and in them. The peak of memory is the matrix of all rows,
        or of the sample and an eighth more, and a few megabytes; files are read once.

    Raises
    ------
    InputError
        Where a file cannot be found or read, a column is missing or of a wrong type, files
        disagree about a column, vectors differ in width, or the rows do not suffice
        (see `opiscal.data.rows.from_arrays`). The message is one line.
    UsageError
        Where a distractor label is the label of no row.

    Examples
    --------
    >>> import os, tempfile
    >>> import pyarrow as pa
    >>> import pyarrow.parquet as pq
    >>> table = pa.table({"embedding": [[3.0, 4.0], [0.0, 2.0], [6.0, 8.0]], "label": [7, 5, 7]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pq.write_table(table, os.path.join(folder, "rows.parquet"))
    ...     rows = read_embeddings([folder], ColumnNames(), RowPolicy())
    >>> rows.vectors[0], rows.labels, rows.class_of_row
    (array([0.6, 0.8], dtype=float32), (5, 7), array([1, 0, 1], dtype=int32))
    """
    shards = [_footer(path) for path in files_of(paths, gallery)]
    rows = sum(shard.rows for shard in shards)
    # Before the columns: pandas gives those of an empty table no type.
    if rows == 0:
        which = repr(shards[0].path) if len(shards) == 1 else f"the {len(shards)} files"
        raise InputError(f"no rows in {which}; give files with vectors and labels")
    chosen = choose_columns([shard.schema for shard in shards], columns)
    inputs = [InputFile(shard.path, shard.rows, sha256(shard.path)) for shard in shards]
    collector = RowCollector(rows, policy, grouped=chosen.group is not None)
    widths = _Widths(inputs)
    for shard in shards:
        for block in _blocks(shard, chosen, widths):
            collector.add(block)
    # What the decoder has set free would else count towards the peak of the counting.
    pa.default_memory_pool().release_unused()
    return collector.finish(inputs)


def files_of(paths: Sequence[str], gallery: Sequence[str] = ()) -> tuple[str, ...]:
    """The files of one set, or of the queries and then of the gallery; errors as `find_files`."""
    return find_files(paths) + (find_files(gallery) if gallery else ())


def read_codes(files: Sequence[str], name: str, role: str, option: str) -> CodedLabels:
    """Read one column of strings or integers, of every row of some files.

    Parameters
    ----------
    files : sequence of str
    name : str
        Of the column.
    role, option : str
        What it is for, and the option that names it, for messages.

    Raises
    ------
    InputError
        Where a file has no such column, or one of another type.
    """
    check_codes([_footer(path).schema for path in files], name, role, option)
    table = LabelTable(f"values of the {role} column {name!r}")
    codes = [np.empty(0, np.int64)]
    for path in files:
        with open_file(path) as file, _decoding(path):
            batches = pq.ParquetFile(file).iter_batches(columns=[name])
            codes += [table.add(_codes(batch.column(name), role, name)) for batch in batches]
    return CodedLabels(table.labels(), np.concatenate(codes))


class _Widths:
    """Checks that all vectors are of one width, over all files."""

    def __init__(self, inputs: Sequence[InputFile]) -> None:
        self._inputs = inputs
        self._rows_before = 0
        # The row that set the width, and the width.
        self._first: tuple[int, int] | None = None

    @property
    def known(self) -> int | None:
        """The width, once a vector was met."""
        return self._first[1] if self._first else None

    def check(self, lengths: NDArray[np.int64]) -> None:
        """Take the number of elements of each of the next rows, -1 for a missing vector."""
        present = np.flatnonzero(lengths >= 0)
        if len(present) and self._first is None:
            row = int(present[0])
            self._first = (self._rows_before + row, int(lengths[row]))
        if self._first is not None:
            first, width = self._first
            odd = present[(lengths[present] != width) | (lengths[present] == 0)]
            if len(odd):
                self._refuse(self._rows_before + int(odd[0]), int(lengths[odd[0]]), first, width)
        self._rows_before += len(lengths)

    def _refuse(self, row: int, found: int, first: int, width: int) -> None:
        name = row_name(row, self._inputs)
        if found == 0:
            raise InputError(
                f"the vector of {name} is empty; give at least one dimension, or null where "
                "there is no vector"
            )
        raise InputError(
            f"the vector of {name} has {found} dimensions, that of "
            f"{row_name(first, self._inputs)} has {width}; all vectors are of one width: "
            "remove the row, or embed it with the same model"
        )


def _footer(path: str) -> _Shard:
    with open_file(path) as file, _decoding(path):
        start = file.read(len(_MAGIC))
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(_MAGIC)))
        end = file.read()
        file.seek(0)
        if size == 0:
            raise InputError(f"{path!r} is an empty file; write it anew or fetch it again")
        if end == _ENCRYPTED:
            raise InputError(f"{path!r} is encrypted Parquet; decrypt it first")
        if start != _MAGIC:
            raise InputError(
                f"{path!r} is not a Parquet file (it begins with {start!r}, not {_MAGIC!r}); "
                "write the vectors and labels as Parquet, for example with "
                "pandas.DataFrame.to_parquet"
            )
        if end != _MAGIC or size < _SMALLEST:
            raise InputError(
                f"{path!r} is a truncated Parquet file (its footer is missing after {size:,} "
                "bytes); write it anew or fetch it again"
            )
        with pq.ParquetFile(file) as parquet:
            return _Shard(ShardSchema(path, parquet.schema_arrow), parquet.metadata.num_rows)


def _blocks(shard: _Shard, chosen: ChosenColumns, widths: _Widths) -> Iterator[RowBlock]:
    read = 0
    with open_file(shard.path) as file, _decoding(shard.path):
        parquet = pq.ParquetFile(
            file,
            pre_buffer=False,
            buffer_size=buffer_bytes(shard.path),
            page_checksum_verification=True,
        )
        for batch in parquet.iter_batches(
            batch_size=_batch_rows(parquet, chosen, widths), columns=chosen.names()
        ):
            read += batch.num_rows
            if read > shard.rows:
                break
            yield _block(batch, chosen, widths)
    if read != shard.rows:
        raise InputError(
            f"{shard.path!r} is damaged: it announces {shard.rows:,} rows and holds "
            f"{'more' if read > shard.rows else f'{read:,}'}; write it anew or fetch it again"
        )


def _batch_rows(parquet: pq.ParquetFile, chosen: ChosenColumns, widths: _Widths) -> int:
    """Return how many rows hold about `_BATCH_VALUES` elements."""
    width = widths.known
    if width is None:
        # Not from the metadata of the column: its sizes are those after compression of repeats,
        # and over some damaged ones pyarrow ends the process.
        first = next(parquet.iter_batches(batch_size=1, columns=[chosen.embedding]), None)
        width = None if first is None else int(_lengths(first.column(chosen.embedding))[0])
    # Negative where the first row has no vector.
    if width is None or width < 0:
        return _BATCH_ROWS_UNKNOWN
    return min(BLOCK_ROWS, max(1, _BATCH_VALUES // max(1, width)))


def _block(batch: pa.RecordBatch, chosen: ChosenColumns, widths: _Widths) -> RowBlock:
    column = batch.column(chosen.embedding)
    lengths = _lengths(column)
    widths.check(lengths)
    present = lengths >= 0
    return RowBlock(
        vectors=_elements(column).reshape(int(np.count_nonzero(present)), widths.known or 0),
        present=present,
        labels=_codes(batch.column(chosen.label), "label", chosen.label),
        groups=None
        if chosen.group is None
        else _codes(batch.column(chosen.group), "group", chosen.group),
    )


def _lengths(column: pa.Array) -> NDArray[np.int64]:
    """Return the number of elements of each vector, -1 where there is none."""
    vectors = _stored(column)
    if not is_list(vectors.type):
        # A column without a type: it holds nothing but nulls.
        return np.full(len(vectors), -1, dtype=np.int64)
    lengths = pc.list_value_length(vectors).cast(pa.int64()).fill_null(-1)
    return np.asarray(lengths.to_numpy())


def _elements(column: pa.Array) -> NDArray[Any]:
    """Return the elements of all vectors, one after the other; NaN for a missing element."""
    vectors = _stored(column)
    if not is_list(vectors.type):
        return np.empty(0, dtype=np.float32)
    # Unlike `values`, `flatten` knows of slices and of missing rows that hide elements.
    return np.asarray(_stored(vectors.flatten()).to_numpy(zero_copy_only=False))


def _codes(column: pa.Array, role: str, name: str) -> CodedLabels:
    array = _stored(column)
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    indices = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy()
    used, inverse = np.unique(indices, return_inverse=True)
    dictionary = encoded.dictionary
    if np.count_nonzero(used >= 0) < len(dictionary):
        # It may be far larger than the batch. Only then: views of strings cannot be taken from.
        dictionary = dictionary.take(pa.array(used[used >= 0]))
    values = [None] * int(np.count_nonzero(used < 0)) + dictionary.to_pylist()
    missing = np.array([value is None for value in values], dtype=np.bool_)
    codes = np.where(missing, -1, np.cumsum(~missing) - 1)[inverse]
    known = [value for value, gone in zip(values, missing.tolist(), strict=True) if not gone]
    if known and isinstance(known[0], float):
        return coded_floats(known, codes, f"values of the {role} column {name!r}")
    return CodedLabels(tuple(known), codes)


def _stored(array: pa.Array) -> pa.Array:
    """Return what an extension array is stored as, else the array itself."""
    while isinstance(array, pa.ExtensionArray):
        array = array.storage
    return array


@contextmanager
def _decoding(path: str) -> Iterator[None]:
    """Turn whatever the decoder raises over a damaged file into one line."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise unreadable(path, error) from error
        reason = " ".join(str(error).split())[:_REASON_LENGTH]
        raise InputError(
            f"{path!r} cannot be decoded ({reason}); it is damaged, or uses a feature that "
            f"pyarrow {pa.__version__} does not know: write it anew or fetch it again"
        ) from error
