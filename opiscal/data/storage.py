"""Files and folders that may be on this machine or at a URL.

A `Place` is a path of this machine or a URL; both go down by ``/`` and up by ``parent``, and as
text neither holds a secret. What pyarrow is needed for is loaded for a URL alone.
"""

import os
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from opiscal.data.object_store import kind_of, open_remote, write_remote
from opiscal.data.url import Url, named

Place = Path | Url

# Archives are read in pieces of some kilobytes, each of which would be a request.
_BUFFER_BYTES = 4 << 20


def place_of(text: str | os.PathLike[str]) -> Place:
    """What a path or a URL names.

    Raises
    ------
    InputError
        Where it is a URL without a host, or a ``file://`` of another machine.

    Examples
    --------
    >>> place = place_of("s3://KEY:SECRET@bucket/run") / "report.json"
    >>> str(place), place.name, str(place.parent)
    ('s3://bucket/run/report.json', 'report.json', 's3://bucket/run')
    """
    name = named(os.fspath(text))
    return name if isinstance(name, Url) else Path(name)


def is_file(place: Place) -> bool:
    """Whether a file stands there; an InputError where a store does not answer."""
    return kind_of(place) == "file" if isinstance(place, Url) else place.is_file()


def is_folder(place: Place) -> bool:
    """Whether a folder stands there; an InputError where a store does not answer."""
    return kind_of(place) == "folder" if isinstance(place, Url) else place.is_dir()


def is_there(place: Place) -> bool:
    """Whether anything stands there; an InputError where a store does not answer."""
    return kind_of(place) != "nothing" if isinstance(place, Url) else place.exists()


def open_place(place: Place) -> BinaryIO:
    """Open a file for reading, at any place of it.

    Raises
    ------
    InputError
        Where it is at a URL and cannot be read.
    OSError
        Where it is on this machine and cannot be read.
    """
    if isinstance(place, Url):
        return BufferedReader(open_remote(place), _BUFFER_BYTES)
    return open(place, "rb")


def read_bytes(place: Place) -> bytes:
    """Return the content of a file; errors as `open_place`."""
    with open_place(place) as file:
        return file.read()


def read_text(place: Place) -> str:
    """Return the content of a file of UTF-8, with plain line ends; errors as `open_place`.

    Raises
    ------
    ValueError
        Where it is not UTF-8.
    """
    return read_bytes(place).decode("utf-8").replace("\r\n", "\n")


def name_of(place: Place) -> str:
    """What `place_of` makes the same place of."""
    return place if isinstance(place, Url) else str(place)


__all__ = [
    "Place",
    "Url",
    "is_file",
    "is_folder",
    "is_there",
    "name_of",
    "open_place",
    "place_of",
    "read_bytes",
    "read_text",
    "write_remote",
]
