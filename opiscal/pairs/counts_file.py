"""PairCounts on disk: ``pairs.npz``, a zip of plain arrays that NumPy opens too.

Small, quick to read, and the same bytes for the same counts.
"""

import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from opiscal.data.storage import Place, open_place
from opiscal.errors import InputError
from opiscal.pairs.counts import PairCounts, SlimCounts
from opiscal.pairs.counts_archive import read_array, read_json, write_array, write_json, wrong
from opiscal.pairs.counts_record import (
    EDGE_ARRAYS,
    header_of,
    plain_label,
    read_record,
    write_record,
)

FORMAT = "opiscal pair counts"
VERSION = 4
# Who does not know of it would take what was left out for counts.
SLIM_VERSION = 5

_SLIM_KEPT, _SLIM_SUMS = "slim_kept", "slim/"
_FAST, _SMALL = 1, 6

# What zipfile, zlib, the header parser of NumPy and json raise over damaged bytes.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    EOFError,
    IndexError,
    MemoryError,
    OverflowError,
    RecursionError,
    NotImplementedError,
    RuntimeError,
)


def save_counts(counts: PairCounts, file: Path, *, meta: Mapping[str, str] = {}) -> None:
    """Write counts to a file; equal counts and equal `meta` give equal bytes.

    Parameters
    ----------
    counts : PairCounts
    file : Path
        Replaced where it exists. A half-written file may be left by a failure; a run folder is
        whole or not there at all (`opiscal.report.run_folder.writing_run`).
    meta : mapping of str to str, optional
        What is to be kept beside the counts, such as a fingerprint; see `read_meta`.

    Raises
    ------
    UsageError
        Where counts fall from one edge to the next, or a group is counted on other edges.
    OSError
        Where the file cannot be written.
    """
    level = _FAST if counts.slim is None else _SMALL
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        write_record(archive, counts, "", counts)
        header = {
            **header_of(counts),
            "format": FORMAT,
            "version": VERSION if counts.slim is None else SLIM_VERSION,
            **({} if counts.slim is None else {"slim": sorted(counts.slim.sums)}),
            "meta": dict(meta),
            "groups": [
                {**header_of(part), "group": plain_label(group)}
                for group, part in counts.within_groups
            ],
        }
        write_json(archive, "header", header)
        for k, (_, part) in enumerate(counts.within_groups):
            write_record(archive, part, _prefix(k), counts)
        if counts.slim is not None:
            write_array(archive, _SLIM_KEPT, counts.slim.kept)
            for name in sorted(counts.slim.sums):
                write_array(archive, _SLIM_SUMS + name, counts.slim.sums[name])


def load_counts(file: Place) -> PairCounts:
    """Read counts that `save_counts` wrote.

    Parameters
    ----------
    file : Path

    Returns
    -------
    PairCounts
        Equal to what was saved. Counts per class are int32 where all of the class's pairs fit,
        else int64.

    Raises
    ------
    InputError
        Where the file cannot be opened, is damaged or truncated, holds something else, or was
        written by a newer version.
    """
    with _reading(file) as archive:
        header = _read_header(archive, file)
        edges = {name: read_array(archive, name) for name in EDGE_ARRAYS}
        groups = tuple(
            (part["group"], read_record(archive, _prefix(k), part, edges, ()))
            for k, part in enumerate(header["groups"])
        )
        counts = read_record(archive, "", header, edges, groups)
        slim = _read_slim(archive, header.get("slim"), edges)
        return counts if slim is None else replace(counts, slim=slim)


def read_meta(file: Place) -> dict[str, str]:
    """Read what was kept beside the counts, without reading the counts.

    Raises
    ------
    InputError
        As `load_counts`.
    """
    with _reading(file) as archive:
        return dict(_read_header(archive, file)["meta"])


def _prefix(group: int) -> str:
    return f"within_groups/{group}/"


@contextmanager
def _reading(file: Place) -> Iterator[zipfile.ZipFile]:
    """Open a file of counts, and turn whatever is raised over it into one line."""
    try:
        with open_place(file) as source, zipfile.ZipFile(source) as archive:
            yield archive
    except OSError as error:
        raise InputError(
            f"counts {str(file)!r} cannot be read ({error.strerror or error}); give the pairs.npz "
            "of a run, or make the run with 'opiscal evaluate'"
        ) from error
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"counts {str(file)!r} are damaged or of another kind ({reason}); give the pairs.npz "
            "of a run, or make the run again with 'opiscal evaluate'"
        ) from error


def _read_header(archive: zipfile.ZipFile, file: Place) -> dict[str, Any]:
    if "header.npy" not in archive.namelist():
        wrong("it has no header")
    header = read_json(archive, "header")
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        wrong(f"its header does not say {FORMAT!r}")
    if header["version"] not in (VERSION, SLIM_VERSION):
        raise InputError(
            f"counts {str(file)!r} have version {header['version']!r}, this opiscal reads version "
            f"{VERSION}; use the opiscal that wrote them, or make the run again with 'opiscal "
            "evaluate'"
        )
    return header


def _read_slim(
    archive: zipfile.ZipFile, names: list[str] | None, edges: Mapping[str, Any]
) -> SlimCounts | None:
    if names is None:
        return None
    kept = read_array(archive, _SLIM_KEPT)
    known = np.arange(edges["class_edge"].size)
    if kept.dtype.kind != "i" or not np.isin(kept, known).all():
        wrong("edges of a slim run that are no class edges")
    if not np.isin(np.concatenate([known[:1], edges["moment_edge"], known[-1:]]), kept).all():
        wrong("a slim run without its moment edges")
    sums = {}
    for name in names:
        sums[name] = read_array(archive, _SLIM_SUMS + name)
        if sums[name].dtype != np.float64 or sums[name].shape not in ((known.size,), (1,)):
            wrong(f"{name} of shape {sums[name].shape}")
    return SlimCounts(kept.astype(np.int64), sums)
