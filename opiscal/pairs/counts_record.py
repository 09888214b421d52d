"""Records in ``pairs.npz``: which arrays counts are made of, by name, and what fits what."""

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label, Metric
from opiscal.errors import UsageError
from opiscal.pairs.counts import ClassPairSums, GalleryCounts, PairCounts
from opiscal.pairs.counts_archive import (
    read_array,
    read_json,
    read_steps,
    write_array,
    write_json,
    write_steps,
    wrong,
)
from opiscal.pairs.nearest_counts import NearestCounts
from opiscal.pairs.sampled_counts import SampledCounts

# Kept as they are; the counts of a group are on the edges of the whole.
EDGE_ARRAYS = ("distance", "class_edge", "moment_edge")
_POOL_ARRAYS = ("pool_positive", "pool_negative")
_CLASS_ARRAYS = ("class_positive", "class_negative")
_MOMENT_ARRAYS = ("positive_squares", "negative_squares", "products")
_CLASS_PAIR_ARRAYS = ("squares", "products", "by_accepted", "by_pairs")
# Of two sets: by class, by kind of other classes, and by pool edge; and what is kept as numbers.
_GALLERY_ROWS = ("query_rows", "gallery_rows", "shared_rows")
_GALLERY_RISING = ("identified", "false_positive")
_GALLERY_NUMBERS = ("queries", "gallery", "known", "unknown")
# Not in runs of earlier versions, nor where Recall@k was not asked for.
_NEAREST_ARRAYS = ("asked", "found")
_RISING_ARRAYS = (*_POOL_ARRAYS, *_CLASS_ARRAYS, *_MOMENT_ARRAYS)
# Of a sample of pairs in their place; those of a class and class edge are the first three.
_PLAIN_STRATA = ("class_columns", "positive_rows")
_CLASS_STRATA = ("class_near", "class_rest", "class_positive")
_RISING_STRATA = (
    *_CLASS_STRATA,
    *("pool_near", "pool_rest", "pool_positive"),
    *("row_sums", "group_squares", "positive_squares"),
)


def header_of(counts: PairCounts) -> dict[str, Any]:
    """What of counts is no array: a metric, and numbers."""
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


def plain_label(label: Label) -> Label:
    """A label as JSON has it."""
    # NumPy's own strings and integers are not JSON.
    return str(label) if isinstance(label, str) else int(label)


def _class_pair_arrays(sums: ClassPairSums) -> list[str]:
    return [name for name in _CLASS_PAIR_ARRAYS if getattr(sums, name) is not None]


def write_record(
    archive: zipfile.ZipFile, counts: PairCounts, prefix: str, whole: PairCounts
) -> None:
    """Write the arrays of some counts, their names beginning with a prefix.

    Parameters
    ----------
    archive : ZipFile
    counts : PairCounts
        The whole set, or a group of it.
    prefix : str
    whole : PairCounts
        On its edges both are counted.

    Raises
    ------
    UsageError
        Where counts fall from one edge to the next, or a group is counted on other edges.
    """
    for name in EDGE_ARRAYS:
        if counts is whole:
            write_array(archive, name, getattr(counts, name))
        elif not np.array_equal(getattr(counts, name), getattr(whole, name)):
            raise UsageError(
                f"pairs within groups stand on a {name} of their own; count them on the edges of "
                "the whole set"
            )
    planes = whole.slim is not None
    write_json(archive, prefix + "labels", [plain_label(label) for label in counts.labels])
    write_array(archive, prefix + "class_rows", counts.class_rows)
    if counts.nearest is not None:
        for name in _NEAREST_ARRAYS:
            write_array(archive, prefix + "nearest_" + name, getattr(counts.nearest, name))
    if counts.sampling is not None:
        strata = counts.sampling.strata
        for name in _PLAIN_STRATA:
            write_array(archive, prefix + name, getattr(strata, name))
        for name in _RISING_STRATA:
            write_steps(archive, prefix + name, getattr(strata, name), planes)
        return
    for name in _RISING_ARRAYS:
        write_steps(archive, prefix + name, getattr(counts, name), planes)
    if (sums := counts.class_pairs) is not None:
        write_array(archive, prefix + "class_pair_edge", sums.edge)
        for name in _class_pair_arrays(sums):
            write_steps(archive, prefix + "class_pair_" + name, getattr(sums, name), planes)
    if (two := counts.gallery) is not None:
        for name in (*_GALLERY_ROWS, "other_classes"):
            write_array(archive, prefix + name, getattr(two, name))
        for name in _GALLERY_RISING:
            write_steps(archive, prefix + name, getattr(two, name), planes)


def read_record(
    archive: zipfile.ZipFile,
    prefix: str,
    header: Mapping[str, Any],
    edges: Mapping[str, Any],
    groups: tuple[tuple[Label, PairCounts], ...],
) -> PairCounts:
    """Read what `write_record` wrote.

    Parameters
    ----------
    archive : ZipFile
    prefix : str
    header : mapping
        What `header_of` said of these counts.
    edges : mapping
        The arrays of `EDGE_ARRAYS`, by name.
    groups : tuple of (group, PairCounts)
        Those of the whole set, read before it.

    Raises
    ------
    ValueError
        Where arrays do not fit one another.
    """
    labels = read_json(archive, prefix + "labels")
    class_rows = read_array(archive, prefix + "class_rows")
    rows, distractors = header["rows"], header["distractors"]
    if header["metric"] not in get_args(Metric):
        wrong(f"metric {header['metric']!r}")
    if class_rows.shape != (len(labels),):
        wrong(f"{len(labels)} labels and sizes of shape {class_rows.shape}")
    gallery = _read_gallery(archive, prefix, header["gallery"], class_rows, edges["distance"])
    nearest = _read_nearest(archive, prefix, class_rows)
    # The same rules as those of `Tally.empty` and `BetweenTally.empty`.
    most = int((class_rows * np.maximum(class_rows, rows - class_rows)).max(initial=0))
    if gallery is not None:
        most = gallery.most_pairs_of_class
    class_type = np.int32 if most < np.iinfo(np.int32).max else np.int64
    by_class: tuple[int, ...]
    pool, by_class = (edges["distance"].size,), (len(labels), edges["class_edge"].size)
    moments = (len(labels), edges["moment_edge"].size)
    if header["columns"] is not None:
        plain = {name: read_array(archive, prefix + name) for name in _PLAIN_STRATA}
        rising = {name: _rising(archive, prefix, name, class_type) for name in _RISING_STRATA}
        wanted: dict[str, tuple[int, ...]] = dict.fromkeys(_CLASS_STRATA, by_class) | dict.fromkeys(
            _PLAIN_STRATA, by_class[:1]
        )
        wanted |= {"pool_near": pool, "group_squares": moments, "positive_squares": moments}
        wanted |= {"row_sums": (5, *moments)}
        wanted |= {name: (len(rising[name]), *pool) for name in ("pool_rest", "pool_positive")}
        for name, shape in wanted.items():
            if (plain | rising)[name].shape != shape:
                wrong(f"{name} of shape {(plain | rising)[name].shape}, not {shape}")
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
        return replace(strata.estimate(), within_groups=groups, nearest=nearest)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(_POOL_ARRAYS, pool)
    shapes |= dict.fromkeys(_CLASS_ARRAYS, by_class) | dict.fromkeys(_MOMENT_ARRAYS, moments)
    arrays: dict[str, Any] = {}
    for name, shape in shapes.items():
        arrays[name] = _rising(archive, prefix, name, class_type)
        if arrays[name].shape != shape:
            wrong(f"{name} of shape {arrays[name].shape}, not {shape}")
    return PairCounts(
        metric=header["metric"],
        rows=int(rows),
        distractors=int(distractors),
        labels=tuple(labels),
        class_rows=class_rows,
        class_pairs=_read_class_pairs(archive, prefix, header["class_pairs"], len(labels)),
        within_groups=groups,
        gallery=gallery,
        nearest=nearest,
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
    arrays = {
        name: read_array(archive, prefix + name) for name in (*_GALLERY_ROWS, "other_classes")
    }
    for name in _GALLERY_ROWS:
        if arrays[name].shape != class_rows.shape:
            wrong(f"{name} of shape {arrays[name].shape}, not {class_rows.shape}")
    if arrays["other_classes"].shape[1:] != (4,):
        wrong(f"other classes of shape {arrays['other_classes'].shape}")
    for name in _GALLERY_RISING:
        steps = read_steps(archive, prefix + name)
        if steps.shape != distance.shape or steps.dtype.kind != "u":
            wrong(f"{name} of shape {steps.shape} and type {steps.dtype}, not {distance.shape}")
        arrays[name] = np.cumsum(steps, dtype=np.int64)
    known = {name: int(numbers[name]) for name in _GALLERY_NUMBERS}
    return GalleryCounts(**known, **arrays)  # type: ignore[arg-type]  # numbers, then arrays


def _read_nearest(
    archive: zipfile.ZipFile, prefix: str, class_rows: NDArray[Any]
) -> NearestCounts | None:
    if f"{prefix}nearest_asked.npy" not in archive.namelist():
        return None
    asked, found = (read_array(archive, f"{prefix}nearest_{name}") for name in _NEAREST_ARRAYS)
    for array in (asked, found):
        if array.shape != class_rows.shape or array.dtype != np.int64:
            wrong(f"nearest rows of shape {array.shape} and type {array.dtype}")
    if not np.all((found >= 0) & (found <= asked) & (asked <= class_rows)):
        wrong("nearest rows of more rows than there are")
    return NearestCounts(asked, found)


def _rising(
    archive: zipfile.ZipFile, prefix: str, name: str, class_type: type[np.integer]
) -> NDArray[Any]:
    """An array that was kept as its steps."""
    steps = read_steps(archive, prefix + name)
    if steps.dtype.kind != "u":
        wrong(f"{name} of type {steps.dtype}")
    of_class = name in _CLASS_ARRAYS or name in _CLASS_STRATA
    return np.asarray(np.cumsum(steps, axis=-1, dtype=class_type if of_class else np.int64))


def _read_class_pairs(
    archive: zipfile.ZipFile, prefix: str, names: list[str], classes: int
) -> ClassPairSums | None:
    if not names:
        return None
    edge = read_array(archive, prefix + "class_pair_edge")
    sums = {}
    for name in names:
        steps = read_steps(archive, prefix + "class_pair_" + name)
        shape = (classes, edge.size) if name.startswith("by") else edge.shape
        if steps.shape != shape or steps.dtype.kind != "u":
            wrong(f"{name} of class pairs of shape {steps.shape}, not {shape}")
        sums[name] = np.cumsum(steps, axis=-1, dtype=np.int64)
    return ClassPairSums(edge, **sums)
