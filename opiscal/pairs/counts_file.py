"""PairCounts on disk: ``pairs.npz``, a zip of plain arrays that NumPy opens too.

Accepted pairs only rise along the edges, so each array is kept as its steps from edge to edge, in
the fewest bytes that hold them: small, quick to read, and the same bytes for the same counts.
"""

import json
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label, Metric
from opiscal.data.storage import Place, open_place
from opiscal.errors import InputError, UsageError
from opiscal.pairs.counts import ClassPairSums, GalleryCounts, PairCounts, SlimCounts
from opiscal.pairs.sampled_counts import SampledCounts

FORMAT = "opiscal pair counts"
VERSION = 4
# Who does not know of it would take what was left out for counts.
SLIM_VERSION = 5

# Kept as they are; the counts of a group are on the edges of the whole.
_EDGE_ARRAYS = ("distance", "class_edge", "moment_edge")
_POOL_ARRAYS = ("pool_positive", "pool_negative")
_CLASS_ARRAYS = ("class_positive", "class_negative")
_MOMENT_ARRAYS = ("positive_squares", "negative_squares", "products")
_CLASS_PAIR_ARRAYS = ("squares", "products", "by_accepted", "by_pairs")
# Of two sets: by class, by kind of other classes, and by pool edge; and what is kept as numbers.
_GALLERY_ROWS = ("query_rows", "gallery_rows", "shared_rows")
_GALLERY_RISING = ("identified", "false_positive")
_GALLERY_NUMBERS = ("queries", "gallery", "known", "unknown")
_RISING_ARRAYS = (*_POOL_ARRAYS, *_CLASS_ARRAYS, *_MOMENT_ARRAYS)
# Of a sample of pairs in their place; those of a class and class edge are the first three.
_PLAIN_STRATA = ("class_columns", "positive_rows")
_CLASS_STRATA = ("class_near", "class_rest", "class_positive")
_RISING_STRATA = (
    *_CLASS_STRATA,
    *("pool_near", "pool_rest", "pool_positive"),
    *("row_sums", "group_squares", "positive_squares"),
)

# Of a slim run.
_SLIM_KEPT, _SLIM_SUMS, _PLANES = "slim_kept", "slim/", ".bytes"

# A zip notes when each member was written; always the same time, or no two files would be equal.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_FAST, _SMALL = 1, 6
_BLOCK_VALUES = 1 << 20

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
        _write_record(archive, counts, "", counts)
        header = {
            **_header(counts),
            "format": FORMAT,
            "version": VERSION if counts.slim is None else SLIM_VERSION,
            **({} if counts.slim is None else {"slim": sorted(counts.slim.sums)}),
            "meta": dict(meta),
            "groups": [
                {**_header(part), "group": _plain(group)} for group, part in counts.within_groups
            ],
        }
        _write_json(archive, "header", header)
        for k, (_, part) in enumerate(counts.within_groups):
            _write_record(archive, part, _prefix(k), counts)
        if counts.slim is not None:
            _write(archive, _SLIM_KEPT, counts.slim.kept)
            for name in sorted(counts.slim.sums):
                _write(archive, _SLIM_SUMS + name, counts.slim.sums[name])


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
        edges = {name: _read(archive, name) for name in _EDGE_ARRAYS}
        groups = tuple(
            (part["group"], _read_record(archive, _prefix(k), part, edges, ()))
            for k, part in enumerate(header["groups"])
        )
        counts = _read_record(archive, "", header, edges, groups)
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


def _class_pair_arrays(sums: ClassPairSums) -> list[str]:
    return [name for name in _CLASS_PAIR_ARRAYS if getattr(sums, name) is not None]


def _prefix(group: int) -> str:
    return f"within_groups/{group}/"


def _header(counts: PairCounts) -> dict[str, Any]:
    return {
        "metric": counts.metric,
        "rows": counts.rows,
        "distractors": counts.distractors,
        "columns": None if counts.sampling is None else counts.sampling.strata.columns,
        "class_pairs": [] if counts.class_pairs is None else _class_pair_arrays(counts.class_pairs),
        "gallery": None
        if counts.gallery is None
        else {name: getattr(counts.gallery, name) for name in _GALLERY_NUMBERS},
    }


def _plain(label: Label) -> Label:
    # NumPy's own strings and integers are not JSON.
    return str(label) if isinstance(label, str) else int(label)


def _write_record(
    archive: zipfile.ZipFile, counts: PairCounts, prefix: str, whole: PairCounts
) -> None:
    for name in _EDGE_ARRAYS:
        if counts is whole:
            _write(archive, name, getattr(counts, name))
        elif not np.array_equal(getattr(counts, name), getattr(whole, name)):
            raise UsageError(
                f"pairs within groups stand on a {name} of their own; count them on the edges of "
                "the whole set"
            )
    planes = whole.slim is not None
    _write_json(archive, prefix + "labels", [_plain(label) for label in counts.labels])
    _write(archive, prefix + "class_rows", counts.class_rows)
    if counts.sampling is not None:
        strata = counts.sampling.strata
        for name in _PLAIN_STRATA:
            _write(archive, prefix + name, getattr(strata, name))
        for name in _RISING_STRATA:
            _write_steps(archive, prefix + name, getattr(strata, name), planes)
        return
    for name in _RISING_ARRAYS:
        _write_steps(archive, prefix + name, getattr(counts, name), planes)
    if (sums := counts.class_pairs) is not None:
        _write(archive, prefix + "class_pair_edge", sums.edge)
        for name in _class_pair_arrays(sums):
            _write_steps(archive, prefix + "class_pair_" + name, getattr(sums, name), planes)
    if (two := counts.gallery) is not None:
        for name in (*_GALLERY_ROWS, "other_classes"):
            _write(archive, prefix + name, getattr(two, name))
        for name in _GALLERY_RISING:
            _write_steps(archive, prefix + name, getattr(two, name), planes)


def _write_json(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    _write(archive, name, np.frombuffer(text.encode("ascii"), dtype=np.uint8))


def _write(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    member = zipfile.ZipInfo(name + ".npy", date_time=_NO_TIME)
    # Else they tell the operating system.
    member.create_system, member.external_attr = 3, 0o600 << 16
    content = BytesIO()
    np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
    archive.writestr(member, content.getbuffer(), zipfile.ZIP_DEFLATED, archive.compresslevel)


def _write_steps(
    archive: zipfile.ZipFile, name: str, accepted: NDArray[np.integer], planes: bool
) -> None:
    """Write what each edge adds; of a slim run byte by byte, the high ones apart: a third less."""
    steps = _steps(accepted, name)
    if not planes or steps.dtype.itemsize == 1:
        _write(archive, name, steps)
        return
    # The lowest byte first, on any machine.
    low_first = steps.astype(steps.dtype.newbyteorder("<"), copy=False)
    by_byte = low_first.view(np.uint8).reshape(*steps.shape, steps.dtype.itemsize)
    _write(archive, name + _PLANES, np.moveaxis(by_byte, -1, 0))


def _steps(accepted: NDArray[np.integer], name: str) -> NDArray[np.unsignedinteger]:
    """Return what each edge adds, in the smallest unsigned type that holds it."""
    rows = accepted.reshape(-1, accepted.shape[-1])
    # In blocks: two arrays as large as all classes' counts would count against the memory bound.
    block = max(1, _BLOCK_VALUES // max(1, rows.shape[1]))
    starts = range(0, rows.shape[0], block)

    def steps_from(start: int) -> NDArray[np.integer]:
        return np.diff(rows[start : start + block], axis=1, prepend=rows.dtype.type(0))

    lowest = min((int(steps_from(start).min(initial=0)) for start in starts), default=0)
    if lowest < 0:
        raise UsageError(
            f"{name} falls by {-lowest} from one edge to the next; accepted pairs only rise, so "
            "these are not counts: count the pairs again"
        )
    highest = max((int(steps_from(start).max(initial=0)) for start in starts), default=0)
    out = np.empty(rows.shape, np.min_scalar_type(highest))
    for start in starts:
        out[start : start + block] = steps_from(start)
    return out.reshape(accepted.shape)


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
        _wrong("it has no header")
    header = _read_json(archive, "header")
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        _wrong(f"its header does not say {FORMAT!r}")
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
    kept = _read(archive, _SLIM_KEPT)
    known = np.arange(edges["class_edge"].size)
    if kept.dtype.kind != "i" or not np.isin(kept, known).all():
        _wrong("edges of a slim run that are no class edges")
    if not np.isin(np.concatenate([known[:1], edges["moment_edge"], known[-1:]]), kept).all():
        _wrong("a slim run without its moment edges")
    sums = {}
    for name in names:
        sums[name] = _read(archive, _SLIM_SUMS + name)
        if sums[name].dtype != np.float64 or sums[name].shape not in ((known.size,), (1,)):
            _wrong(f"{name} of shape {sums[name].shape}")
    return SlimCounts(kept.astype(np.int64), sums)


def _read_json(archive: zipfile.ZipFile, name: str) -> Any:
    return json.loads(_read(archive, name).tobytes().decode("ascii"))


def _read(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name + ".npy") as member:
        # Reading to the end checks the sum over the bytes too.
        array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1):
            _wrong(f"{name} goes on behind its end")
    return array


def _read_record(
    archive: zipfile.ZipFile,
    prefix: str,
    header: Mapping[str, Any],
    edges: Mapping[str, Any],
    groups: tuple[tuple[Label, PairCounts], ...],
) -> PairCounts:
    labels = _read_json(archive, prefix + "labels")
    class_rows = _read(archive, prefix + "class_rows")
    rows, distractors = header["rows"], header["distractors"]
    if header["metric"] not in get_args(Metric):
        _wrong(f"metric {header['metric']!r}")
    if class_rows.shape != (len(labels),):
        _wrong(f"{len(labels)} labels and sizes of shape {class_rows.shape}")
    gallery = _read_gallery(archive, prefix, header["gallery"], class_rows, edges["distance"])
    # The same rules as those of `Tally.empty` and `BetweenTally.empty`.
    most = int((class_rows * np.maximum(class_rows, rows - class_rows)).max(initial=0))
    if gallery is not None:
        most = gallery.most_pairs_of_class
    class_type = np.int32 if most < np.iinfo(np.int32).max else np.int64
    by_class: tuple[int, ...]
    pool, by_class = (edges["distance"].size,), (len(labels), edges["class_edge"].size)
    moments = (len(labels), edges["moment_edge"].size)
    if header["columns"] is not None:
        plain = {name: _read(archive, prefix + name) for name in _PLAIN_STRATA}
        rising = {name: _rising(archive, prefix, name, class_type) for name in _RISING_STRATA}
        wanted: dict[str, tuple[int, ...]] = dict.fromkeys(_CLASS_STRATA, by_class) | dict.fromkeys(
            _PLAIN_STRATA, by_class[:1]
        )
        wanted |= {"pool_near": pool, "group_squares": moments, "positive_squares": moments}
        wanted |= {"row_sums": (5, *moments)}
        wanted |= {name: (len(rising[name]), *pool) for name in ("pool_rest", "pool_positive")}
        for name, shape in wanted.items():
            if (plain | rising)[name].shape != shape:
                _wrong(f"{name} of shape {(plain | rising)[name].shape}, not {shape}")
        strata = SampledCounts(
            metric=header["metric"],
            rows=int(rows),
            distractors=int(distractors),
            labels=tuple(labels),
            class_rows=class_rows,
            columns=int(header["columns"]),
            **edges,
            **plain,
            **rising,
        )
        return replace(strata.estimate(), within_groups=groups)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(_POOL_ARRAYS, pool)
    shapes |= dict.fromkeys(_CLASS_ARRAYS, by_class) | dict.fromkeys(_MOMENT_ARRAYS, moments)
    arrays: dict[str, Any] = {}
    for name, shape in shapes.items():
        arrays[name] = _rising(archive, prefix, name, class_type)
        if arrays[name].shape != shape:
            _wrong(f"{name} of shape {arrays[name].shape}, not {shape}")
    return PairCounts(
        metric=header["metric"],
        rows=int(rows),
        distractors=int(distractors),
        labels=tuple(labels),
        class_rows=class_rows,
        class_pairs=_read_class_pairs(archive, prefix, header["class_pairs"], len(labels)),
        within_groups=groups,
        gallery=gallery,
        distance=edges["distance"],
        class_edge=edges["class_edge"],
        moment_edge=edges["moment_edge"],
        **arrays,
    )


def _read_gallery(
    archive: zipfile.ZipFile,
    prefix: str,
    numbers: dict[str, int] | None,
    class_rows: NDArray[Any],
    distance: NDArray[Any],
) -> GalleryCounts | None:
    if numbers is None:
        return None
    arrays = {name: _read(archive, prefix + name) for name in (*_GALLERY_ROWS, "other_classes")}
    for name in _GALLERY_ROWS:
        if arrays[name].shape != class_rows.shape:
            _wrong(f"{name} of shape {arrays[name].shape}, not {class_rows.shape}")
    if arrays["other_classes"].shape[1:] != (4,):
        _wrong(f"other classes of shape {arrays['other_classes'].shape}")
    for name in _GALLERY_RISING:
        steps = _read_steps(archive, prefix + name)
        if steps.shape != distance.shape or steps.dtype.kind != "u":
            _wrong(f"{name} of shape {steps.shape} and type {steps.dtype}, not {distance.shape}")
        arrays[name] = np.cumsum(steps, dtype=np.int64)
    known = {name: int(numbers[name]) for name in _GALLERY_NUMBERS}
    return GalleryCounts(**known, **arrays)  # type: ignore[arg-type]  # numbers, then arrays


def _read_steps(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """What each edge adds, however it was written."""
    if name + _PLANES + ".npy" not in archive.namelist():
        return _read(archive, name)
    by_byte = _read(archive, name + _PLANES)
    if by_byte.dtype != np.uint8 or by_byte.ndim < 2 or len(by_byte) not in (2, 4, 8):
        _wrong(f"{name} of type {by_byte.dtype} and shape {by_byte.shape}")
    together = np.ascontiguousarray(np.moveaxis(by_byte, 0, -1))
    steps: NDArray[Any] = together.view(f"<u{len(by_byte)}")[..., 0]
    return steps


def _rising(
    archive: zipfile.ZipFile, prefix: str, name: str, class_type: type[np.integer]
) -> NDArray[Any]:
    """An array that was kept as its steps."""
    steps = _read_steps(archive, prefix + name)
    if steps.dtype.kind != "u":
        _wrong(f"{name} of type {steps.dtype}")
    of_class = name in _CLASS_ARRAYS or name in _CLASS_STRATA
    return np.asarray(np.cumsum(steps, axis=-1, dtype=class_type if of_class else np.int64))


def _read_class_pairs(
    archive: zipfile.ZipFile, prefix: str, names: list[str], classes: int
) -> ClassPairSums | None:
    if not names:
        return None
    edge = _read(archive, prefix + "class_pair_edge")
    sums = {}
    for name in names:
        steps = _read_steps(archive, prefix + "class_pair_" + name)
        shape = (classes, edge.size) if name.startswith("by") else edge.shape
        if steps.shape != shape or steps.dtype.kind != "u":
            _wrong(f"{name} of class pairs of shape {steps.shape}, not {shape}")
        sums[name] = np.cumsum(steps, axis=-1, dtype=np.int64)
    return ClassPairSums(edge, **sums)


def _wrong(reason: str) -> NoReturn:
    raise ValueError(reason)
