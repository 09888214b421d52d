"""The counts of some tasks as one file: an npz archive without pickles, checked when it is read."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from opiscal.pairs.tasks.pieces import Piece

_FORMAT = 1
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What the readers of archives and arrays raise where bytes are not those that were written."""


class TornFileError(Exception):
    """A file that is not whole, or is none of ours."""


@dataclass(frozen=True, slots=True)
class CountedTasks:
    """What some tasks of a job have counted.

    Attributes
    ----------
    digest : str
        Of what the counts follow from: counts of two evaluations never add.
    numbers : tuple of int
        Of the tasks.
    pieces : list of Piece
    """

    digest: str
    numbers: tuple[int, ...]
    pieces: list[Piece]


def counted_to_bytes(counted: CountedTasks) -> bytes:
    """The content of a file.

    Examples
    --------
    >>> counted = CountedTasks("abc", (3,), [Piece("pool", (2,), np.array([1, 2], np.uint8))])
    >>> counted_from_bytes(counted_to_bytes(counted)).pieces[0].start
    (2,)
    """
    arrays: dict[str, NDArray[Any]] = {
        "format": np.array(_FORMAT),
        "digest": np.array(counted.digest),
        "tasks": np.array(counted.numbers, np.int64),
    }
    return archive_to_bytes(arrays, counted.pieces)


def counted_from_bytes(data: bytes) -> CountedTasks:
    """The counts in the content of a file.

    Raises
    ------
    TornFileError
        Where it was cut short or changed: every array has a checksum.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            if int(archive["format"]) != _FORMAT:
                raise TornFileError(f"of format {int(archive['format'])}")
            pieces = list(pieces_in(archive))
            numbers = tuple(archive["tasks"].tolist())
            return CountedTasks(str(archive["digest"]), numbers, pieces)
    except DAMAGED as error:
        raise TornFileError(str(error)) from error


def merged(parts: Sequence[CountedTasks], pieces: Iterable[Piece]) -> CountedTasks:
    """The tasks of some files as one, with the pieces that theirs add up to."""
    numbers = sorted(number for part in parts for number in part.numbers)
    return CountedTasks(parts[0].digest, tuple(numbers), list(pieces))


def archive_to_bytes(arrays: Mapping[str, NDArray[Any]], pieces: Sequence[Piece]) -> bytes:
    """An archive of some arrays by name, and of pieces."""
    named = dict(arrays) | {"pieces": np.array(len(pieces))}
    for k, piece in enumerate(pieces):
        named[f"{k}:{piece.name}:{','.join(map(str, piece.start))}"] = piece.values
    out = io.BytesIO()
    np.savez(out, **named)  # type: ignore[arg-type]  # none is called allow_pickle
    return out.getvalue()


def pieces_in(archive: NpzFile) -> Iterator[Piece]:
    """The pieces of an archive, one after the other.

    Raises
    ------
    TornFileError
        Where there are more or fewer than were written: the names of arrays have no checksum.
    """
    names = [name for name in archive.files if name.count(":") == 2]
    if len(names) != int(archive["pieces"]):
        raise TornFileError(f"of {len(names)} pieces")
    for name in names:
        _, of, start = name.split(":")
        yield Piece(of, tuple(int(number) for number in start.split(",")), archive[name])
