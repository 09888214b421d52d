"""Parquet files as an EmbeddingSet, streamed: the vectors are held in memory once."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from opiscal.data.collector import RowCollector
from opiscal.data.column_values import column_codes, list_elements, list_lengths
from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, InputFile, RowPolicy
from opiscal.data.files import buffer_bytes, find_files, open_file, sha256, unreadable
from opiscal.data.label_codes import CodedLabels, LabelTable
from opiscal.data.parquet_schema import (
    ChosenColumns,
    ShardSchema,
    check_codes,
    choose_columns,
)
from opiscal.data.row_block import BLOCK_ROWS, RowBlock
from opiscal.data.row_store import RowStore
from opiscal.data.widths import Widths
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
class Shard:
    """What the footer of a file says."""

    schema: ShardSchema
    metadata: pq.FileMetaData

    @property
    def path(self) -> str:
        """The file."""
        return self.schema.path

    @property
    def rows(self) -> int:
        """Rows that it announces."""
        return int(self.metadata.num_rows)


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
    shards = [read_footer(path) for path in files_of(paths, gallery)]
    rows = announced_rows(shards)
    chosen = choose_columns([shard.schema for shard in shards], columns)
    inputs = [InputFile(shard.path, shard.rows, sha256(shard.path)) for shard in shards]
    collector = RowCollector(rows, policy, grouped=chosen.group is not None, store=RowStore())
    widths = Widths(inputs)
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
    check_codes([read_footer(path).schema for path in files], name, role, option)
    table = LabelTable(f"values of the {role} column {name!r}")
    codes = [np.empty(0, np.int64)]
    for path in files:
        with open_file(path) as file, _decoding(path):
            batches = pq.ParquetFile(file).iter_batches(columns=[name])
            codes += [table.add(column_codes(batch.column(name), role, name)) for batch in batches]
    # How a file is cut into batches must not show, where dictionaries have another order.
    return CodedLabels(table.labels(), np.concatenate(codes)).by_appearance()


def announced_rows(shards: Sequence[Shard]) -> int:
    """Rows of all files.

    Raises
    ------
    InputError
        Where there is none.
    """
    rows = sum(shard.rows for shard in shards)
    # To be asked before columns are chosen: pandas gives those of an empty table no type.
    if rows == 0:
        which = repr(shards[0].path) if len(shards) == 1 else f"the {len(shards)} files"
        raise InputError(f"no rows in {which}; give files with vectors and labels")
    return rows


def read_footer(path: str) -> Shard:
    """Read the footer of a file.

    Raises
    ------
    InputError
        Where it is no Parquet file, or a damaged one.
    """
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
            return Shard(ShardSchema(path, parquet.schema_arrow), parquet.metadata)


def _blocks(shard: Shard, chosen: ChosenColumns, widths: Widths) -> Iterator[RowBlock]:
    read = 0
    with open_parquet(shard.path) as parquet:
        for batch in parquet.iter_batches(
            batch_size=batch_rows(parquet, chosen.embedding, widths.known), columns=chosen.names()
        ):
            read += batch.num_rows
            if read > shard.rows:
                break
            lengths = list_lengths(batch.column(chosen.embedding))
            widths.check(lengths)
            yield row_block(batch, chosen, lengths)
    if read != shard.rows:
        raise damaged(shard.path, shard.rows, read)


@contextmanager
def open_parquet(path: str) -> Iterator[pq.ParquetFile]:
    """Open a file whose pages are read as they are needed; what fails within is one line.

    Raises
    ------
    InputError
    """
    with open_file(path) as file, _decoding(path):
        yield pq.ParquetFile(
            file,
            pre_buffer=False,
            buffer_size=buffer_bytes(path),
            page_checksum_verification=True,
        )


def damaged(path: str, announced: int, read: int) -> InputError:
    """The error for a file that holds another number of rows than it announces."""
    return InputError(
        f"{path!r} is damaged: it announces {announced:,} rows and holds "
        f"{'more' if read > announced else f'{read:,}'}; write it anew or fetch it again"
    )


def batch_rows(
    parquet: pq.ParquetFile,
    embedding: str,
    width: int | None,
    row_groups: Sequence[int] | None = None,
) -> int:
    """How many rows hold about `_BATCH_VALUES` elements; `width` is None where it is not known."""
    if width is None:
        # Not from the metadata of the column: its sizes are those after compression of repeats,
        # and over some damaged ones pyarrow ends the process.
        some = parquet.iter_batches(batch_size=1, columns=[embedding], row_groups=row_groups)
        first = next(some, None)
        width = None if first is None else int(list_lengths(first.column(embedding))[0])
    # Negative where the first row has no vector.
    if width is None or width < 0:
        return _BATCH_ROWS_UNKNOWN
    return min(BLOCK_ROWS, max(1, _BATCH_VALUES // max(1, width)))


def row_block(batch: pa.RecordBatch, chosen: ChosenColumns, lengths: NDArray[np.int64]) -> RowBlock:
    """The rows of a batch, whose vectors have these lengths: one width, or -1 where missing."""
    present = lengths >= 0
    rows = int(np.count_nonzero(present))
    elements = list_elements(batch.column(chosen.embedding))
    return RowBlock(
        vectors=elements.reshape(rows, int(lengths.max(initial=0))),
        present=present,
        labels=column_codes(batch.column(chosen.label), "label", chosen.label),
        groups=None
        if chosen.group is None
        else column_codes(batch.column(chosen.group), "group", chosen.group),
    )


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
