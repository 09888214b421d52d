"""The run folder: it appears whole or not at all.

On this machine it is written under a hidden name beside its place, then renamed; until then an
older run stays as it is. For a URL see `opiscal.report.remote_folder`.
"""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from opiscal.data.storage import Place, Url, is_file, read_text
from opiscal.errors import InputError
from opiscal.report.remote_folder import check_remote_place, writing_remote

REPORT_FILE = "report.json"
COUNTS_FILE = "pairs.npz"
CLASSES_FILE = "classes.parquet"
PLOTS_FOLDER = "plots"
PAGE_FILE = "report.html"

# Errors of the input or of the terminal, not of the folder that is written.
_ELSEWHERE = (ConnectionError, TimeoutError)


def is_run(path: Place) -> bool:
    """Whether a folder holds a run: counts, and a report with a ``schema_version``.

    Raises
    ------
    InputError
        Where it is at a URL whose store does not answer.
    """
    return holds_document(path, REPORT_FILE, "schema_version") and is_file(path / COUNTS_FILE)


def holds_document(folder: Place, name: str, field: str) -> bool:
    """Whether a folder has a file of JSON with a field that only files of a kind have."""
    try:
        if not is_file(folder / name):
            return False
        document = json.loads(read_text(folder / name))
        return isinstance(document, dict) and field in document
    except (OSError, ValueError, RecursionError):
        return False


@dataclass(frozen=True, slots=True)
class FolderKind:
    """A kind of folder that is written whole, and replaced by a newer one.

    Attributes
    ----------
    noun : str
        What messages call it.
    name : str
        An example of a name.
    mark : str
        The file without which no folder is of this kind; it is written last.
    is_one : callable
        Whether a folder is of this kind.
    """

    noun: str
    name: str
    mark: str
    is_one: Callable[[Place], bool]


RUN = FolderKind("run", "opiscal-run", REPORT_FILE, is_run)


def check_run_place(folder: Place, kind: FolderKind = RUN) -> Place:
    """Make sure, before any work, that a run can be written to a folder.

    Parameters
    ----------
    folder : Path or Url
        It may be missing, empty, or an older run. Missing folders above it will be made.
    kind : FolderKind, optional
        Default: a run.

    Returns
    -------
    Path or Url
        Where the run will stand: absolute, links followed. Nothing was changed.

    Raises
    ------
    InputError
        Where the place is a file, holds something that is not a run, cannot be renamed (the
        current folder, one above it, or a mount point), or where nothing can be written beside it.
    """
    if isinstance(folder, Url):
        return check_remote_place(folder, kind)
    return _check_local(folder, kind)


def _check_local(folder: Path, kind: FolderKind) -> Path:
    name = str(folder)
    try:
        place = Path(os.path.realpath(folder))
        exists = _exists(place)
        if exists:
            _check_existing(place, name, kind)
        above = next(parent for parent in place.parents if _exists(parent))
        trial = _hidden(above, "trial")
        try:
            trial.mkdir()
        finally:
            _remove(trial)
    except OSError as error:
        raise _unwritable(name, error) from error
    return place


@contextmanager
def writing_run(folder: Place, kind: FolderKind = RUN) -> Iterator[Path]:
    """Give a new folder to write a run into, and put it in its place at the end.

    An older run is moved aside first, put back if its place cannot be taken, and removed after.
    Whatever is raised inside, an interrupt included, the new folder is removed and an older run
    stays as it was. For a URL see `opiscal.report.remote_folder.writing_remote`.

    Parameters
    ----------
    folder, kind
        As for `check_run_place`, which is called first.

    Yields
    ------
    Path
        An empty folder with a hidden name, in the same file system; for a URL on this machine.

    Raises
    ------
    InputError
        As `check_run_place`; and where writing fails, as on a full disk.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as home:
    ...     with writing_run(Path(home, "run")) as new:
    ...         write_text(new / REPORT_FILE, "{}")
    ...     sorted(path.name for path in Path(home).rglob("*"))
    ['report.json', 'run']
    """
    if isinstance(folder, Url):
        with writing_remote(folder, kind) as remote:
            yield remote
        return
    place = _check_local(folder, kind)
    missing = [parent for parent in place.parents if not parent.exists()]
    new = _hidden(place.parent, "writing")
    done = False
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        new.mkdir()
        yield new
        _sync_tree(new)
        _take_place(new, place, str(folder), kind)
        done = True
    except OSError as error:
        if isinstance(error, _ELSEWHERE):
            raise
        raise _unwritable(str(folder), error) from error
    finally:
        if not done:
            _remove(new)
            for parent in missing:
                with suppress(OSError):  # it is in use by now
                    parent.rmdir()


def write_text(file: Path, text: str) -> None:
    """Write text as UTF-8 with plain line ends, on every system.

    Bytes of a file name that are no text, which UTF-8 does not have, become escapes of JSON.
    """
    with open(file, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as out:
        out.write(text)


def _exists(path: Path) -> bool:
    # Unlike Path.exists, a name that is too long or a loop of links is an error, not a "no".
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _check_existing(place: Path, name: str, kind: FolderKind) -> None:
    if not place.is_dir():
        raise InputError(
            f"output {name!r} is a file; a {kind.noun} is a folder: give a new or empty folder, "
            f"or an older {kind.noun}, with -o"
        )
    here = Path.cwd()
    if place == here or place in here.parents:
        raise InputError(
            f"output {name!r} is the current folder or holds it, and a {kind.noun} replaces its "
            f"folder whole; give a folder inside it, such as -o {kind.name}"
        )
    if os.path.ismount(place):
        raise InputError(
            f"output {name!r} is a mount point, and cannot be renamed; give a folder inside it, "
            f"such as -o {os.path.join(name, kind.name)}"
        )
    found = sorted(os.listdir(place))
    if found and not kind.is_one(place):
        more = ", ..." if len(found) > 3 else ""
        raise InputError(
            f"output {name!r} holds something that is not a {kind.noun} "
            f"({', '.join(found[:3])}{more}), which would be lost; give a new or empty folder, or "
            f"an older {kind.noun}, with -o"
        )


def _hidden(parent: Path, kind: str) -> Path:
    return parent / f".opiscal-run-{secrets.token_hex(6)}.{kind}"


def _take_place(new: Path, place: Path, name: str, kind: FolderKind) -> None:
    """Rename a finished folder to its place. What was there is gone after, or back again."""
    older = _hidden(place.parent, "older")
    try:
        if _exists(place):
            # Once more: someone else may have written there in the meantime.
            _check_existing(place, name, kind)
            place.rename(older)
        new.rename(place)
    finally:
        # By what is there, not by how far the code came: an interrupt may fall between two lines.
        if not _exists(place) and _exists(older):
            _put_back(older, place, name)
        _remove(older)
    _sync_folder(place.parent)


def _put_back(older: Path, place: Path, name: str) -> None:
    try:
        older.rename(place)
    except OSError as error:
        raise InputError(
            f"output {name!r} cannot be written, and the older run could not be put back "
            f"({error.strerror}); it stands in {str(older)!r}: rename that folder"
        ) from error


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _sync_tree(folder: Path) -> None:
    # Some file systems say that the disk is full only now.
    for at, _, files in os.walk(folder):
        for file in files:
            _sync(Path(at, file))
        _sync_folder(Path(at))


def _sync_folder(folder: Path) -> None:
    # Not every file system can, and every file in it is safe already.
    with suppress(OSError):
        _sync(folder)


def _sync(path: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(name: str, error: OSError) -> InputError:
    reason = " ".join(str(error.strerror or error).split()) or type(error).__name__
    return InputError(
        f"output {name!r} cannot be written ({reason}); nothing was left there: free some space "
        "or give another folder with -o"
    )
