"""A flat folder of small files, on this machine or in an object store."""

import os
import tempfile
from contextlib import suppress

from opiscal.data.object_store import (
    children,
    files_below,
    open_remote,
    remove_remote,
    write_remote,
)
from opiscal.data.url import Url, is_url
from opiscal.errors import InputError

# The times of a file need not be there; to write them too slows what is counted meanwhile.
_to_disk = getattr(os, "fdatasync", os.fsync)


class Folder:
    """Named files that are written whole: what is there under a name is complete.

    Parameters
    ----------
    path : str
        A folder on this machine, or a URL that pyarrow knows. It need not be there: it is made by
        the first `write`.

    Attributes
    ----------
    path : str
        As it was given, but a URL without its user and query parts.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as home:
    ...     folder = Folder(os.path.join(home, "new"))
    ...     folder.write("a", b"one")
    ...     folder.write("a", b"two")
    ...     folder.names(), folder.read("a"), folder.remove("a"), folder.names()
    (['a'], b'two', None, [])
    """

    def __init__(self, path: str) -> None:
        self._url = Url(path) if is_url(path) else None
        self.path = str(self._url or path)

    @property
    def shown(self) -> str:
        """What messages call it: `path`."""
        return self.path

    def names(self) -> list[str]:
        """The names of the files in it, sorted; none where there is no folder.

        Names that begin with a dot are passed over: what was left of an interrupted write.

        Raises
        ------
        InputError
            Where it cannot be listed.
        """
        if self._url is not None:
            found = [one.name for one, kind in children(self._url).items() if kind == "file"]
        else:
            try:
                with os.scandir(self.path) as entries:
                    found = [entry.name for entry in entries if entry.is_file()]
            except FileNotFoundError:
                return []
            except OSError as error:
                raise self._failed(self.path, "listed", error) from error
        return sorted(name for name in found if not name.startswith("."))

    def sizes(self) -> dict[str, int]:
        """The bytes of the files in it, by name; as `names`.

        Raises
        ------
        InputError
            Where it cannot be listed.
        """
        if self._url is not None:
            found = {url.name: size for url, size in files_below(self._url).items()}
            return {name: found[name] for name in sorted(found) if not name.startswith(".")}
        out = {}
        for name in self.names():
            # It may have been removed meanwhile.
            with suppress(FileNotFoundError):
                out[name] = os.stat(os.path.join(self.path, name)).st_size
        return out

    @property
    def is_near(self) -> bool:
        """Whether it is on this machine, so that looking at it costs nothing."""
        return self._url is None

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises
        ------
        InputError
            Where it is not there or cannot be read.
        """
        if self._url is not None:
            with open_remote(self._url / name) as remote:
                return remote.read()
        place = os.path.join(self.path, name)
        try:
            with open(place, "rb") as file:
                return file.read()
        except OSError as error:
            raise self._failed(place, "read", error) from error

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all; an older one of the name is replaced.

        On this machine it is on the disk when this returns.

        Raises
        ------
        InputError
            Where it cannot be written.
        """
        if self._url is not None:
            write_remote(self._url / name, data)
            return
        place = os.path.join(self.path, name)
        try:
            os.makedirs(self.path, exist_ok=True)
            handle, partial = tempfile.mkstemp(dir=self.path, prefix=".opiscal-writing-")
            try:
                with os.fdopen(handle, "wb") as out:
                    out.write(data)
                    out.flush()
                    _to_disk(out.fileno())
                os.replace(partial, place)
            except BaseException:
                with suppress(OSError):
                    os.unlink(partial)
                raise
        except OSError as error:
            raise self._failed(place, "written", error) from error

    def remove(self, name: str) -> None:
        """Remove a file; where it is not there nothing happens.

        Raises
        ------
        InputError
            Where it cannot be removed.
        """
        if self._url is not None:
            remove_remote(self._url / name)
            return
        place = os.path.join(self.path, name)
        try:
            with suppress(FileNotFoundError):
                os.unlink(place)
        except OSError as error:
            raise self._failed(place, "removed", error) from error

    def _failed(self, place: str, doing: str, error: OSError) -> InputError:
        return InputError(
            f"{place!r} cannot be {doing} ({error.strerror or type(error).__name__}); check the "
            "folder and its permissions, and that the disk has room"
        )
