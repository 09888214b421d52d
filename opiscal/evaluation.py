"""The whole story: embeddings to pair counts to a report."""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import opiscal
from opiscal.data.embedding_set import ClassSizes, ColumnNames, EmbeddingSet, Label, Precision
from opiscal.data.half_matrix import HalfMatrix
from opiscal.data.parquet import read_embeddings
from opiscal.data.rows import from_arrays
from opiscal.data.side_arrays import Gallery, join_sides
from opiscal.data.side_files import read_sides
from opiscal.data.sides import JoinedSides, Sides, check_sides
from opiscal.errors import InputError, UsageError
from opiscal.pairs.between import count_between
from opiscal.pairs.between_parts import count_groups_between, count_halves_between
from opiscal.pairs.counting import CountedSet, count_pairs
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.edge_targets import AskedRange
from opiscal.pairs.kernel.ranks import RECALL_CAP
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.nearest_class import nearest_class
from opiscal.pairs.parts import count_groups, count_halves
from opiscal.pairs.plan import PairPlan, plan_pairs
from opiscal.pairs.sorted_rows import SortedRows, sort_rows
from opiscal.pairs.threads import available_threads
from opiscal.pairs.two_sets import sample_between, sort_two_sets
from opiscal.report.assemble import assemble_report
from opiscal.report.record import Data, Provenance, Report
from opiscal.report.settings import EvaluateConfig
from opiscal.report.split import FEWEST_CLASSES

Progress = Callable[[str, int, int], None]
"""Called with a stage, the pairs done in it and all its pairs."""


def evaluate(
    vectors: ArrayLike,
    labels: Sequence[Any] | ArrayLike,
    groups: Sequence[Any] | ArrayLike | None = None,
    *,
    gallery: Gallery | tuple[Any, ...] | None = None,
    ids: Sequence[Any] | ArrayLike | None = None,
    config: EvaluateConfig | None = None,
) -> Report:
    """Evaluate embeddings held in memory, over every pair.

    Parameters
    ----------
    vectors : array_like of shape (rows, dimensions), float
        Not changed.
    labels : sequence of length rows
        Strings or integers; None or NaN where missing.
    groups : sequence of length rows, optional
        A customer, a market, a demographic: counts are kept within each.
    gallery : Gallery, or tuple of vectors, labels, groups and ids (the last two optional)
        Where given, pairs are those of a row of `vectors`, a query, with a row of the gallery,
        never within a side, and operating points have FPIR and FNIR. A class is scored where it is
        on both sides.
    ids : sequence of length rows, optional
        With a gallery that has ids too: names of items. The same name on both sides is the same
        item, and makes no pair.
    config : EvaluateConfig, optional

    Returns
    -------
    Report

    Raises
    ------
    InputError
        Where the arrays do not hold what is needed.
    UsageError
        For a setting that is not allowed.
    InconclusiveError
        Where the data cannot answer: one scored class, or a calibration range that does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> import opiscal
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(np.arange(20), 10)
    >>> centres = rng.standard_normal((20, 8))
    >>> report = opiscal.evaluate(centres[labels] + 0.6 * rng.standard_normal((200, 8)), labels)
    >>> report.pairs.positive, report.pairs.negative
    (900, 19000)
    >>> report.threshold(far=0.01).far <= 0.01
    True

    Rows that are not in the gallery, against the rows of the first 15 classes:

    >>> vectors = centres[labels] + 0.6 * rng.standard_normal((200, 8))
    >>> report = opiscal.evaluate(vectors[::2], labels[::2], gallery=(vectors[1:150:2],
    ...                           labels[1:150:2]))
    >>> report.pairs.positive, report.pairs.negative, report.data.queries_unknown
    (375, 7125, 25)
    """
    config = config or EvaluateConfig()
    started = time.perf_counter()
    if gallery is not None:
        both = join_sides(vectors, labels, groups, ids, Gallery(*gallery), config.row_policy)
        return evaluate_two_sets(both, config, started=started, use_up=True)
    if ids is not None:
        raise UsageError(
            "ids were given without a gallery: they tell which rows of two sets are the same item; "
            "give gallery=(vectors, labels, None, ids) with them, or leave them out"
        )
    embeddings = from_arrays(vectors, labels, groups, policy=config.row_policy)
    return evaluate_set(embeddings, config, started=started, use_up=True)


def evaluate_files(
    paths: Sequence[str],
    columns: ColumnNames,
    config: EvaluateConfig,
    *,
    gallery: Sequence[str] = (),
    command: str = "",
    progress: Progress | None = None,
    save_index: Path | None = None,
) -> Report:
    """Evaluate Parquet files; arguments and errors as in `evaluate`.

    With files of a gallery, or with ``columns.split``, queries against the gallery. The index of a
    sampled count is kept in the file `save_index`, where one is given.
    """
    started = time.perf_counter()
    if gallery and columns.split is not None:
        raise UsageError(
            f"--split-column {columns.split} and --gallery {gallery[0]}: the gallery is in files "
            "of its own or told by a column; give one of the two"
        )
    if gallery or columns.split is not None:
        check_two_sets(config)
        if save_index is not None:
            raise UsageError(
                f"save-index {str(save_index)!r} with a gallery: every pair is counted, and no "
                "index is made; leave it out"
            )
        return evaluate_two_sets(
            read_sides(paths, gallery, columns, config.row_policy),
            config,
            columns=columns,
            command=command,
            progress=progress,
            started=started,
            use_up=True,
        )
    embeddings = read_embeddings(paths, columns, config.row_policy)
    return evaluate_set(
        embeddings,
        config,
        columns=columns,
        command=command,
        progress=progress,
        started=started,
        save_index=save_index,
        use_up=True,
    )


def evaluate_set(
    embeddings: EmbeddingSet,
    config: EvaluateConfig,
    *,
    columns: ColumnNames | None = None,
    command: str = "",
    progress: Progress | None = None,
    started: float | None = None,
    save_index: Path | None = None,
    use_up: bool = False,
) -> Report:
    """Evaluate a set that was read: sort rows, place edges, count pairs, work out the report.

    With `use_up` the vectors are put in order where they lie, which spares a second matrix, and the
    set is of no use afterwards.
    """
    clock = _Clock(started)
    clock.lap("read")
    identity, precision = _identity(embeddings), embeddings.precision
    rows = sort_rows(embeddings, config.threads, in_place=use_up)
    # From here on nothing may take rows for those of the set: they lie in another order.
    embeddings = embeddings.without_vectors()
    lattice = fit_lattice(rows, config.seed, _asked_range(config))
    settings, threads = config.pair_settings, config.threads
    count = partial(
        count_pairs,
        lattice=lattice,
        labels=embeddings.labels,
        metric=embeddings.metric,
        seed=config.seed,
        threads=threads,
    )
    plan = plan_pairs(settings, rows.rows, embeddings.dimensions, threads)
    compared = rows.pairs if plan.mode == "exact" else rows.rows * plan.columns
    stage = partial(_stage, progress)
    if save_index is not None and plan.mode == "exact":
        raise UsageError(
            f"save-index {str(save_index)!r}: every pair is counted ({plan.reason}), and no index "
            "is made; give --pairs sampled, or leave it out"
        )
    found = count(
        rows,
        plan=plan,
        ranks=config.retrieval,
        save_index=save_index,
        progress=stage("counting pairs", compared),
    )

    def count_part(part: SortedRows, advance: Callable[[int], None] | None) -> PairCounts:
        # A part is planned by its own size; time is not measured again.
        own = replace(settings, budget=None, sample_pairs=None)
        part_plan = plan_pairs(own, part.rows, embeddings.dimensions, threads)
        return count(part, plan=part_plan, progress=advance).counts

    counts = found.counts.with_groups(count_groups(embeddings, rows, count_part, stage))
    clock.lap("count")
    halves = None
    if config.splits and counts.classes >= FEWEST_CLASSES:
        halves = count_halves(
            embeddings, rows, count_part, stage, splits=config.splits, seed=config.seed
        )
        clock.lap("split")
    nearest = nearest_class(rows, config.threads, rows.classes.scored)
    names = _nearest_labels(embeddings.labels, rows, nearest)
    clock.lap("nearest_class")
    provenance = _provenance(embeddings, identity, config, columns, command, clock)
    report = assemble_report(
        replace(found, counts=counts),
        plan,
        names,
        _data(embeddings, rows, precision),
        provenance,
        config,
        halves,
    )
    clock.lap("report")
    return replace(report, provenance=replace(provenance, elapsed_s=clock.elapsed))


def evaluate_two_sets(
    both: JoinedSides,
    config: EvaluateConfig,
    *,
    columns: ColumnNames | None = None,
    command: str = "",
    progress: Progress | None = None,
    started: float | None = None,
    use_up: bool = False,
) -> Report:
    """Evaluate queries against a gallery; as `evaluate_set`."""
    check_two_sets(config)
    embeddings, sides = both.embeddings, both.sides
    check_sides(embeddings, sides)
    clock = _Clock(started)
    clock.lap("read")
    two = sort_two_sets(embeddings, sides, config.threads)
    scored = two.queries.classes.scored
    if scored.size == 0:
        raise InputError(
            f"all {len(two.same_item):,} pairs of one class are of an item with itself: no query "
            "has another gallery row of its class; add rows, or check --id-column"
        )
    sample = sample_between(two, config.seed)
    lattice = fit_lattice(two.queries, config.seed, _asked_range(config), sample)
    stage = partial(_stage, progress)
    tally = count_between(
        two, lattice, threads=config.threads, progress=stage("counting pairs", two.pairs)
    )
    ranks = tally.ranks(two, RECALL_CAP) if config.retrieval else None
    counts = tally.counts(two, lattice, embeddings.labels, embeddings.metric)
    counts = counts.with_groups(
        count_groups_between(embeddings, two, lattice, config.threads, stage)
    )
    clock.lap("count")
    halves = None
    if config.splits and counts.classes >= FEWEST_CLASSES:
        halves = count_halves_between(
            embeddings,
            two,
            lattice,
            config.threads,
            stage,
            splits=config.splits,
            seed=config.seed,
        )
        clock.lap("split")
    identity, precision = _identity(embeddings), embeddings.precision
    # Means are over the rows of both sides; nothing reads the vectors of the set after this.
    in_order = sort_rows(embeddings, config.threads, in_place=use_up)
    nearest = nearest_class(in_order, config.threads, scored)
    names = _nearest_labels(embeddings.labels, two.queries, nearest)
    clock.lap("nearest_class")
    provenance = _provenance(embeddings, identity, config, columns, command, clock, sides)
    data = replace(
        _data(embeddings, two.queries, precision),
        queries=two.queries.rows,
        gallery=two.gallery.rows,
        queries_unknown=None if counts.gallery is None else counts.gallery.unknown,
    )
    settings = config.pair_settings
    plan = PairPlan(
        "exact", "every query with every gallery row", 0, settings.most_positives, settings.index
    )
    counted = CountedSet(counts, ranks)
    report = assemble_report(counted, plan, names, data, provenance, config, halves)
    clock.lap("report")
    return replace(report, provenance=replace(provenance, elapsed_s=clock.elapsed))


def check_two_sets(config: EvaluateConfig) -> None:
    """Refuse settings that have no meaning for queries against a gallery.

    Raises
    ------
    UsageError
    """
    if config.singletons == "drop":
        raise UsageError(
            "singletons 'drop' with a gallery: a class of one query and one gallery row has a "
            "pair, and FPIR is about the queries without a class there; leave it at 'keep'"
        )
    if config.half:
        raise UsageError(
            "half with a gallery: both sides are held as float32; leave it out, or use a sample of "
            "the classes with --sample-rows"
        )
    for name, asked in (
        ("pairs sampled", config.pairs == "sampled"),
        (f"sample-pairs {config.sample_pairs}", config.sample_pairs is not None),
        (f"budget {config.budget}", config.budget is not None),
    ):
        if asked:
            raise UsageError(
                f"{name} with a gallery: of two sets every pair is counted; leave it out, or give "
                "fewer queries or gallery rows"
            )


def _asked_range(config: EvaluateConfig) -> AskedRange | None:
    spec = config.range_spec
    ends = spec.distances(config.metric)
    if ends is not None:
        return AskedRange("distance", *ends)
    # Means of class rates lie elsewhere than pooled rates: edges are placed well beyond the range.
    wider = 3.0 if config.pool == "classes" else 1.0
    if spec.kind == "far" and wider == 1.0 and (spec.low, spec.high) == (0.01, 0.1):
        return None
    return AskedRange(
        "frr" if spec.kind == "frr" else "far", spec.low / wider, min(1.0, spec.high * wider)
    )


def _nearest_labels(
    labels: tuple[Label, ...], rows: SortedRows, nearest: np.ndarray
) -> tuple[Label | None, ...]:
    return tuple(labels[nearest[c]] if nearest[c] >= 0 else None for c in rows.classes.scored)


def _data(embeddings: EmbeddingSet, rows: SortedRows, precision: Precision) -> Data:
    sizes = embeddings.class_sizes()
    sizes = sizes[sizes > 0]
    return Data(
        rows_read=embeddings.rows_read,
        rows_used=embeddings.rows,
        dropped=embeddings.dropped,
        distractors=embeddings.distractors,
        dimensions=embeddings.dimensions,
        classes=int(sizes.size),
        classes_scored=int(rows.classes.class_rows.size),
        classes_singleton=int(np.count_nonzero(sizes == 1)),
        class_size=ClassSizes(int(sizes.min()), float(np.median(sizes)), int(sizes.max())),
        precision=precision,
        sample=embeddings.sample,
    )


def _stage(progress: Progress | None, stage: str, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    done = 0

    def advance(pairs: int) -> None:
        nonlocal done
        done += pairs
        progress(stage, min(done, total), total)

    return advance


class _Clock:
    def __init__(self, started: float | None) -> None:
        self.started = self.last = time.perf_counter() if started is None else started
        self.elapsed: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.elapsed[name] = round(now - self.last, 3)
        self.last = now


def _identity(embeddings: EmbeddingSet) -> list[list[Any]]:
    """What was read: a hash and the rows of each file, or of the arrays."""
    if embeddings.inputs:
        return [[item.sha256, item.rows] for item in embeddings.inputs]
    vectors = embeddings.vectors
    digest = hashlib.sha256()
    for array in vectors.arrays() if isinstance(vectors, HalfMatrix) else [vectors]:
        digest.update(np.ascontiguousarray(array).data)
    digest.update(np.ascontiguousarray(embeddings.class_of_row).data)
    digest.update(json.dumps([embeddings.labels, embeddings.groups]).encode())
    if embeddings.group_of_row is not None:
        digest.update(np.ascontiguousarray(embeddings.group_of_row).data)
    return [[digest.hexdigest(), embeddings.rows]]


def _provenance(
    embeddings: EmbeddingSet,
    inputs: list[list[Any]],
    config: EvaluateConfig,
    columns: ColumnNames | None,
    command: str,
    clock: _Clock,
    sides: Sides | None = None,
) -> Provenance:
    identity: dict[str, Any] = {"inputs": inputs, "settings": config.to_dict()}
    if embeddings.sample is not None:
        # Where memory decided, the settings do not say how many rows.
        identity["sample_rows"] = embeddings.sample.rows
    names: dict[str, str | None] = {}
    if columns is not None:
        names = {
            "embedding": columns.embedding,
            "label": columns.label,
            "id": columns.id,
            "group": columns.group,
        }
        if columns.split is not None:
            names["split"] = columns.split
        identity["columns"] = names
    if sides is not None:
        identity["sides"] = sides.digest()
    text = json.dumps(identity, sort_keys=True, ensure_ascii=True)
    return Provenance(
        opiscal_version=opiscal.__version__,
        command=command,
        seed=config.seed,
        threads=config.threads or available_threads(),
        inputs=embeddings.inputs,
        columns=names,
        fingerprint=hashlib.sha256(text.encode()).hexdigest(),
        versions={"python": platform.python_version()} | _versions(),
        elapsed_s=clock.elapsed,
    )


def _versions() -> dict[str, str]:
    out = {}
    for name in ("numpy", "numba", "pyarrow", "faiss-cpu"):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            out[name] = "unknown"
    return out
