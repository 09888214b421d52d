"""Files in object stores and other places that pyarrow knows: read, listed, written and removed.

One request is sent five times at most, with growing pauses, before it is an error: after a 500 or
503, a lost connection or a server that keeps silent.
"""

import io
import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from opiscal.data.file_systems import place_in_store
from opiscal.data.store_errors import ATTEMPTS, UNREAD_ANSWER, cause_of, has_no_reason, store_error
from opiscal.data.url import Url
from opiscal.data.waiting import interruptible
from opiscal.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Found = TypeVar("Found")
Kind = Literal["file", "folder", "nothing"]

# Less is not asked for: a request takes longer than so many bytes do, and the answer to a short one
# has no room for the words of an error.
_LEAST_READ = 1 << 16
# A file of these is there once it is complete, not before.
_WHOLE_OBJECTS = frozenset({"s3", "gs", "gcs", "abfs", "abfss"})


class RemoteFile(io.RawIOBase):
    """A file in a store, read by ranges: what is not asked for is not fetched."""

    def __init__(self, url: Url, file: Any, size: int) -> None:
        super().__init__()
        self._url = url
        self._file = file
        self._size = size
        self._at = 0
        # Bytes that were fetched beyond what was asked for.
        self._kept, self._kept_at = b"", 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where it is read next."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, counted from the beginning, from here or from the end."""
        self._at = max(0, offset + {0: 0, 1: self._at, 2: self._size}[whence])
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, fewer at the end of the file alone."""
        left = max(0, self._size - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        data = self._bytes(self._at, wanted)
        self._at += len(data)
        return data

    def readall(self) -> bytes:
        """Return all bytes from here to the end."""
        return self.read()

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill a buffer with the next bytes."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Let go of it."""
        if not self.closed:
            self._file.close()
        super().close()

    def _bytes(self, at: int, count: int) -> bytes:
        if count == 0:
            return b""
        if count >= _LEAST_READ:
            return self._fetch(at, count)
        start = at - self._kept_at
        if not 0 <= start <= len(self._kept) - count:
            # Near the end what comes before it: there a footer is.
            self._kept_at = min(at, max(0, self._size - _LEAST_READ))
            self._kept = self._fetch(self._kept_at, min(_LEAST_READ, self._size - self._kept_at))
            start = at - self._kept_at
        return self._kept[start : start + count]

    def _fetch(self, at: int, count: int) -> bytes:
        return _asking(self._url, "read", lambda: bytes(self._file.read_at(count, at)))


def open_remote(url: Url) -> RemoteFile:
    """Open a file for reading, at any place.

    Raises
    ------
    InputError
        Where it is not there or cannot be read.
    """
    filesystem, path = place_in_store(url)
    file = _asking(url, "read", lambda: filesystem.open_input_file(path))
    return RemoteFile(url, file, file.size())


def kind_of(url: Url) -> Kind:
    """What stands at a URL: a file, a folder or nothing."""
    filesystem, path = place_in_store(url)
    found = _asking(url, "read", lambda: filesystem.get_file_info(path))
    return "file" if found.is_file else "folder" if found.type.name == "Directory" else "nothing"


def files_below(url: Url) -> dict[Url, int]:
    """The files in a folder and in those below it, with their sizes in bytes.

    None where there is no such folder.
    """
    found = _listed(url, deep=True)
    return {one: info.size for one, info in found.items() if info.is_file}


def children(url: Url) -> dict[Url, Kind]:
    """What is in a folder; nothing where there is no such folder."""
    found = _listed(url, deep=False)
    return {one: "file" if info.is_file else "folder" for one, info in found.items()}


def _listed(url: Url, *, deep: bool) -> dict[Url, Any]:
    from pyarrow.fs import FileSelector

    filesystem, path = place_in_store(url)
    selector = FileSelector(path, recursive=deep, allow_not_found=True)
    found = _asking(url, "listed", lambda: filesystem.get_file_info(selector))
    above = len(path.rstrip("/")) + 1
    below = f"{url.key}/" if url.key else ""
    return {url.at(below + info.path[above:]): info for info in found}


def write_remote(url: Url, data: bytes | memoryview) -> None:
    """Write a file; it has its name once it is complete, and what had it before is replaced.

    Raises
    ------
    InputError
        Where it cannot be written.
    """
    filesystem, path = place_in_store(url)
    if url.scheme in _WHOLE_OBJECTS:
        _asking(url, "written", lambda: _send(filesystem, path, data))
        return
    partial = url.parent / f".opiscal-writing-{random.getrandbits(48):012x}"
    other = place_in_store(partial)[1]

    def send_and_rename() -> None:
        filesystem.create_dir(other.rpartition("/")[0], recursive=True)
        try:
            _send(filesystem, other, data)
            filesystem.move(other, path)
        except BaseException:
            with suppress(Exception):
                filesystem.delete_file(other)
            raise

    _asking(url, "written", send_and_rename)


def remove_remote(url: Url) -> None:
    """Remove a file, if it is there."""
    filesystem, path = place_in_store(url)
    try:
        _asking(url, "removed", lambda: filesystem.delete_file(path))
    except InputError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise


def _send(filesystem: Any, path: str, data: bytes | memoryview) -> None:
    # In one piece: whatever goes wrong, an end of the file is never set after a part of it.
    stream = filesystem.open_output_stream(path, compression=None)
    stream.write(data)
    stream.close()


def _asking(url: Url, doing: str, ask: Callable[[], Found]) -> Found:
    """Call a library of a store, and turn whatever it raises into one line."""
    for attempt in range(ATTEMPTS):
        try:
            return interruptible(ask)
        except FileNotFoundError as error:
            raise InputError(f"{str(url)!r} does not exist; check the URL") from error
        except Exception as error:
            if UNREAD_ANSWER in str(error) and attempt + 1 < ATTEMPTS:
                time.sleep(random.uniform(0.5, 1.0) * 2**attempt)
                continue
            told = _with_reason(url, error)
            raise store_error(url, told, doing) from cause_of(url, told)
    raise AssertionError


def _with_reason(url: Url, error: Exception) -> Exception:
    """The error itself, or that of a question whose answer has the words that this one lacks."""
    if url.scheme != "s3":
        return error
    from pyarrow.fs import FileSelector

    filesystem, path = place_in_store(url)
    if UNREAD_ANSWER in str(error):
        try:
            if not interruptible(lambda: filesystem.get_file_info(path)).is_file:
                return OSError("it was there, and has been removed")
        except Exception as told:
            error = told
    if not has_no_reason(error) or "status 5" in str(error):
        return error
    try:
        interruptible(lambda: filesystem.get_file_info(FileSelector(path, allow_not_found=True)))
    except Exception as told:
        return error if has_no_reason(told) else told
    return error
