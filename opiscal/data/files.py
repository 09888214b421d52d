"""The files that DATA names: one file, several, folders of shards, globs; here or by URL."""

import glob
import hashlib
import os
from collections.abc import Sequence
from difflib import get_close_matches
from io import BufferedReader

from opiscal.data.object_store import RemoteFile, open_remote
from opiscal.data.remote_files import remote_files
from opiscal.data.shard_names import are_of_run, is_hidden, is_shard
from opiscal.data.url import Url, is_url, named
from opiscal.errors import InputError

# Read pages as they are needed in place of whole column chunks, which may be the whole file.
_BUFFER_BYTES = 1 << 20
# Where a request takes as long as some megabytes do.
_REMOTE_BUFFER_BYTES = 8 << 20


def find_files(paths: Sequence[str]) -> tuple[str, ...]:
    """Return the files to read, in the order of reading.

    Parameters
    ----------
    paths : sequence of str
        Files, folders and globs. A folder stands for the files below it, at any depth, that end
        in ``.parquet``, ``.pq`` or ``.parq``; a glob (``*``, ``?``, ``[..]``, ``**``) for the
        files and folders it matches. Both are sorted by name, and pass over names that begin
        with ``_`` or a dot, such as ``_SUCCESS``, and run folders. Each may be a URL that pyarrow
        knows; see `opiscal.data.object_store`.

    Returns
    -------
    tuple of str
        At least one path. Those of URLs are `opiscal.data.url.Url`, which show no credentials.

    Raises
    ------
    InputError
        Where a path does not exist, a folder holds no Parquet file, a glob matches nothing, or
        one file is named twice, which would make every row of it a duplicate.
    """
    files: list[str] = []
    for path in paths:
        name = named(os.fspath(path))
        files.extend(remote_files(name) if isinstance(name, Url) else _files_of(name))
    if not files:
        raise InputError("no input is named; give a Parquet file, a folder of them or a glob")
    seen: dict[str, str] = {}
    for file in files:
        real = file if isinstance(file, Url) else os.path.realpath(file)
        if real in seen:
            other = "" if seen[real] == file else f" (also as {seen[real]!r})"
            raise InputError(
                f"{file!r} is named twice{other}: its rows would all be duplicates; "
                "name every file once"
            )
        seen[real] = file
    return tuple(files)


def open_file(path: str) -> BufferedReader | RemoteFile:
    """Open a file for reading, at any place; every byte of the input comes through here.

    Raises
    ------
    InputError
        Where it cannot be opened.
    """
    if is_url(path):
        return open_remote(Url(path))
    try:
        return open(path, "rb")
    except OSError as error:
        raise unreadable(path, error) from error


def buffer_bytes(path: str) -> int:
    """How much of a file is best read at a time."""
    return _REMOTE_BUFFER_BYTES if is_url(path) else _BUFFER_BYTES


def sha256(path: str) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal.

    Raises
    ------
    InputError
        Where it cannot be read.
    """
    with open_file(path) as file:
        try:
            read = BufferedReader(file, 2 * _REMOTE_BUFFER_BYTES) if is_url(path) else file
            return hashlib.file_digest(read, "sha256").hexdigest()
        except OSError as error:
            raise unreadable(path, error) from error


def unreadable(path: str, error: OSError) -> InputError:
    """Return the error for a file that the system does not let us read."""
    return InputError(
        f"{path!r} cannot be read ({error.strerror or 'input or output error'}); "
        "check the file and its permissions"
    )


def _files_of(path: str) -> list[str]:
    # Before globs: a folder may well be called "run[1]".
    if os.path.isdir(path):
        return _files_below(path)
    if os.path.isfile(path):
        return [path]
    if os.path.exists(path):
        raise InputError(f"{path!r} is neither a file nor a folder; give a Parquet file")
    if glob.has_magic(path):
        return _files_matching(path)
    raise _missing(path)


def _files_below(folder: str) -> list[str]:
    found, others = _scan(folder)
    if found:
        return found
    if are_of_run(os.listdir(folder)):
        raise InputError(
            f"the folder {folder!r} is a run, which holds counts and no vectors; give the data "
            "that it was made from"
        )
    holds = f"holds no Parquet file but others, such as {others[0]!r}" if others else "is empty"
    raise InputError(
        f"the folder {folder!r} {holds}; give one with files that end in .parquet or .pq, "
        "or name the files by a glob"
    )


def _scan(folder: str) -> tuple[list[str], list[str]]:
    """Return the Parquet files below a folder, by name, and all other files."""
    found: list[str] = []
    others: list[str] = []

    def refuse(error: OSError) -> None:
        raise unreadable(os.fspath(error.filename or folder), error) from error

    for here, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        if are_of_run(names):
            folders.clear()
            continue
        folders[:] = [name for name in folders if not is_hidden(name)]
        for name in names:
            if not is_hidden(name):
                fits = is_shard(name)
                (found if fits else others).append(os.path.join(here, name))
    return sorted(found, key=_by_name), sorted(others, key=_by_name)


def _by_name(path: str) -> list[str]:
    # Folder by folder: a plain comparison would put "a-b/x" between "a" and "a/x".
    return path.split(os.sep)


def _files_matching(pattern: str) -> list[str]:
    literal = set(pattern.split(os.sep))
    # A dict is a set in order: with "**" a folder and the files in it may both match.
    files: dict[str, None] = {}
    for match in sorted(glob.glob(pattern, recursive=True), key=_by_name):
        if any(is_hidden(part) for part in match.split(os.sep) if part not in literal):
            continue
        if os.path.isfile(match):
            files[match] = None
        elif os.path.isdir(match):
            files.update(dict.fromkeys(_scan(match.rstrip(os.sep))[0]))
    if not files:
        raise InputError(
            f"the glob {pattern!r} matches no file; check the pattern, and quote it for the shell"
        )
    return list(files)


def _missing(path: str) -> InputError:
    folder, name = os.path.split(os.path.normpath(path))
    try:
        near = get_close_matches(name, os.listdir(folder or "."), n=1, cutoff=0.6)
    except OSError:
        near = []
        if folder:
            return InputError(f"{path!r} does not exist, nor can its folder {folder!r} be read")
    hint = f"did you mean {os.path.join(folder, near[0])!r}?" if near else "check the path"
    return InputError(f"{path!r} does not exist; {hint}")
