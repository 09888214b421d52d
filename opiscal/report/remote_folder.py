"""A folder of results in an object store, where nothing can be renamed.

It is written on this machine first, then sent file by file, and the file without which it is no run
comes last: nothing half written is taken for a run. Until all else is there, an older run is gone,
and a marker says that the folder may be written to again.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from opiscal.data.object_store import children, files_below, kind_of, remove_remote, write_remote
from opiscal.data.url import Url
from opiscal.data.waiting import try_for
from opiscal.errors import InputError

if TYPE_CHECKING:
    from opiscal.report.run_folder import FolderKind

MARKER = ".opiscal-writing"
"""Stands in a folder while it is written, and where that was interrupted."""

# For removing what was sent before an interrupt; what is left after it is no run.
_TIDY_SECONDS = 5


def check_remote_place(url: Url, kind: "FolderKind") -> Url:
    """Make sure, before any work, that a folder can be written to; as `check_run_place`.

    A trial file is written there and removed again; of that an empty folder may be left.
    """
    name = str(url)
    if not url.key:
        raise InputError(
            f"output {name!r} is a whole bucket, and a {kind.noun} replaces its folder; give a "
            f"folder in it, such as -o {url / kind.name}"
        )
    if kind_of(url) == "file":
        raise InputError(
            f"output {name!r} is a file; a {kind.noun} is a folder: give a new or empty folder, "
            f"or an older {kind.noun}, with -o"
        )
    found = sorted(one.name for one in children(url))
    if found and MARKER not in found and not kind.is_one(url):
        more = ", ..." if len(found) > 3 else ""
        raise InputError(
            f"output {name!r} holds something that is not a {kind.noun} "
            f"({', '.join(found[:3])}{more}), which would be lost; give a new or empty folder, or "
            f"an older {kind.noun}, with -o"
        )
    try:
        write_remote(url / MARKER, b"")
        if MARKER not in found:
            remove_remote(url / MARKER)
    except InputError as error:
        raise InputError(f"output {str(error).replace(str(url / MARKER), name)}") from error
    return url


@contextmanager
def writing_remote(url: Url, kind: "FolderKind") -> Iterator[Path]:
    """Give a folder of this machine to write to, and send what is in it to a URL at the end.

    Raises
    ------
    InputError
        As `check_remote_place`; and where a file cannot be sent: then all of it is kept here, and
        the message says where.
    """
    check_remote_place(url, kind)
    try:
        new = Path(tempfile.mkdtemp(prefix="opiscal-"))
    except OSError as error:
        raise _no_room(url, error) from error
    try:
        yield new
        _send(new, url, kind)
    except InputError as error:
        if _is_whole(new, kind):
            raise InputError(
                f"{error}; all of the {kind.noun} is kept in {str(new)!r}, to be copied by hand"
            ) from error
        raise
    except (ConnectionError, TimeoutError):
        raise
    except OSError as error:
        raise _no_room(url, error) from error
    else:
        shutil.rmtree(new, ignore_errors=True)
    finally:
        if not _is_whole(new, kind):
            shutil.rmtree(new, ignore_errors=True)


def _is_whole(folder: Path, kind: "FolderKind") -> bool:
    # It is written last.
    return (folder / kind.mark).is_file()


def _send(folder: Path, url: Url, kind: "FolderKind") -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    target = {path: url.at(f"{url.key}/{path.relative_to(folder).as_posix()}") for path in files}
    mark = folder / kind.mark
    older = files_below(url)
    write_remote(url / MARKER, b"")
    try:
        if target[mark] in older:
            remove_remote(target[mark])
        for path in files:
            if path != mark:
                _send_file(path, target[path])
        for file in older.keys() - set(target.values()) - {url / MARKER}:
            remove_remote(file)
        _send_file(mark, target[mark])
    except KeyboardInterrupt:
        try_for(_TIDY_SECONDS, lambda: _remove([*target.values(), url / MARKER]))
        shutil.rmtree(folder, ignore_errors=True)
        raise
    remove_remote(url / MARKER)


def _remove(files: Iterable[Url]) -> None:
    for file in files:
        remove_remote(file)


def _send_file(path: Path, url: Url) -> None:
    write_remote(url, path.read_bytes())


def _no_room(url: Url, error: OSError) -> InputError:
    where = os.fspath(error.filename or tempfile.gettempdir())
    return InputError(
        f"output {str(url)!r} cannot be written: it is put together in {where!r} first "
        f"({error.strerror or type(error).__name__}); free some space there, or set TMPDIR"
    )
