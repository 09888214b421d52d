"""The files that a URL names: one, those of a folder, or those that a glob matches."""

import glob
from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from opiscal.data.object_store import children, files_below, kind_of
from opiscal.data.shard_names import are_of_run, is_hidden, is_shard
from opiscal.data.url import Url
from opiscal.errors import InputError


def remote_files(url: Url) -> list[Url]:
    """The files to read at a URL; the same rules as for paths of this machine.

    A ``?`` begins the query of a URL, so that globs have ``*``, ``[..]`` and ``**`` alone.

    Raises
    ------
    InputError
        Where there is none, or where the store cannot be asked.
    """
    kind = kind_of(url)
    if kind == "file":
        return [url]
    if kind == "folder":
        return _files_in(url)
    if glob.has_magic(url.key):
        return _files_matching(url)
    raise missing(url)


def missing(url: Url) -> InputError:
    """The error for a URL at which nothing stands."""
    top = url.at("")
    try:
        if kind_of(top) == "nothing":
            return InputError(
                f"{str(url)!r} does not exist: there is no {str(top)!r}; check its name, and the "
                "server that is asked"
            )
        near = get_close_matches(
            url.name, [one.name for one in children(url.parent)], n=1, cutoff=0.6
        )
    except InputError:
        near = []
    hint = f"did you mean {str(url.parent / near[0])!r}?" if near else "check the URL"
    return InputError(f"{str(url)!r} does not exist; {hint}")


def _files_in(folder: Url) -> list[Url]:
    everything = list(files_below(folder))
    found = _shards(everything, folder)
    if found:
        return found
    if are_of_run(file.name for file in everything if file.parent == folder):
        raise InputError(
            f"the folder {str(folder)!r} is a run, which holds counts and no vectors; give the "
            "data that it was made from"
        )
    other = next((str(file) for file in everything if not is_hidden(file.name)), None)
    holds = "is empty" if other is None else f"holds no Parquet file but others, such as {other!r}"
    raise InputError(
        f"the folder {str(folder)!r} {holds}; give one with files that end in .parquet or .pq, "
        "or name the files by a glob"
    )


def _shards(files: Iterable[Url], folder: Url) -> list[Url]:
    """Those of the files below a folder that hold data."""
    names: dict[Url, set[str]] = {}
    for file in files:
        names.setdefault(file.parent, set()).add(file.name)
    runs = {place for place, held in names.items() if are_of_run(held)}
    found = [file for file in files if is_shard(file.name) and not _passed_over(file, folder, runs)]
    return sorted(found, key=_by_name)


def _passed_over(file: Url, folder: Url, runs: set[Url]) -> bool:
    while file != folder:
        if is_hidden(file.name) or file.parent in runs:
            return True
        file = file.parent
    return False


def _by_name(url: Url) -> list[str]:
    return url.split("/")


def _files_matching(pattern: Url) -> list[Url]:
    parts = pattern.key.split("/")
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    base = pattern.at("/".join(parts[:first]))
    if first == len(parts) - 1 and parts[-1] != "**":
        # Not what is in folders below, which may be very much.
        listed = children(base)
        known = {one for one, kind in listed.items() if kind == "file"}
        folders = [one for one, kind in listed.items() if kind == "folder"]
    else:
        known = set(files_below(base))
        folders = [base, *{above for file in known for above in _folders_above(file, base)}]
    # A dict is a set in order: with "**" a folder and the files in it may both match.
    found: dict[Url, None] = {}
    for match in sorted([*known, *folders], key=_by_name):
        names = [name for name in match.key.removeprefix(base.key).split("/") if name]
        if not _fits(names, parts[first:]) or any(
            is_hidden(name) for name in names if name not in parts
        ):
            continue
        if match in known:
            found[match] = None
        else:
            found.update(dict.fromkeys(_shards(list(files_below(match)), match)))
    if not found:
        if kind_of(pattern.at("")) == "nothing":
            raise missing(pattern)
        raise InputError(
            f"the glob {str(pattern)!r} matches no file; check the pattern, and quote it for the "
            "shell"
        )
    return list(found)


def _folders_above(file: Url, base: Url) -> list[Url]:
    above = []
    while (file := file.parent) != base:
        above.append(file)
    return above


def _fits(names: list[str], parts: list[str]) -> bool:
    """Whether the names on the way to a match are those of a glob."""
    if not parts:
        return not names
    if parts[0] == "**":
        return any(_fits(names[skip:], parts[1:]) for skip in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], parts[0]) and _fits(names[1:], parts[1:])
