"""The whole story: embeddings to pair counts to a report."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, Unpack

from numpy.typing import ArrayLike

from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, Precision
from opiscal.data.rows import from_arrays
from opiscal.data.side_arrays import Gallery, join_sides
from opiscal.data.sides import JoinedSides
from opiscal.engines.engine import CountRequest, Engine
from opiscal.engines.local import LocalEngine
from opiscal.errors import UsageError
from opiscal.gallery_evaluation import check_two_sets, evaluate_two_sets
from opiscal.pairs.jobs import EvaluationJobs
from opiscal.pairs.nearest_class import nearest_labels
from opiscal.pairs.parts import in_pairs, set_jobs, with_groups
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.progress import Progress, stage_of
from opiscal.report.asked_range import asked_range
from opiscal.report.assemble import assemble_report
from opiscal.report.provenance import (
    Clock,
    data_found,
    evaluation_identity,
    identity_of,
    provenance_of,
)
from opiscal.report.record import Report
from opiscal.report.settings import EvaluateConfig
from opiscal.report.split import FEWEST_CLASSES


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
    engine: Engine | None = None,
) -> Report:
    """Evaluate Parquet files; arguments and errors as in `evaluate`.

    With files of a gallery, or with ``columns.split``, queries against the gallery. The index of a
    sampled count is kept in the file `save_index`, where one is given. Whoever the `engine` is that
    reads and counts, this process or workers of a cluster, the numbers are the same.
    """
    started = time.perf_counter()
    engine = engine or LocalEngine(config.threads, save_index)
    if save_index is not None and (gallery or columns.split is not None):
        raise UsageError(
            f"save-index {str(save_index)!r} with a gallery: every pair is counted, and no "
            "index is made; leave it out"
        )
    return evaluate_read(
        read_files(engine, paths, columns, config, gallery),
        config,
        columns=columns,
        command=command,
        progress=progress,
        started=started,
        engine=engine,
        use_up=True,
    )


class HowEvaluated(TypedDict, total=False):
    """What `evaluate_set` and `evaluate_two_sets` take beside the rows and the settings."""

    columns: ColumnNames
    command: str
    progress: Progress | None
    started: float
    engine: Engine
    use_up: bool


def read_files(
    engine: Engine,
    paths: Sequence[str],
    columns: ColumnNames,
    config: EvaluateConfig,
    gallery: Sequence[str] = (),
) -> EmbeddingSet | JoinedSides:
    """What is to be evaluated: one set, or queries and a gallery."""
    if gallery and columns.split is not None:
        raise UsageError(
            f"--split-column {columns.split} and --gallery {gallery[0]}: the gallery is in files "
            "of its own or told by a column; give one of the two"
        )
    if gallery or columns.split is not None:
        check_two_sets(config)
        return engine.read_sides(paths, gallery, columns, config.row_policy)
    return engine.read(paths, columns, config.row_policy)


def evaluate_read(
    read: EmbeddingSet | JoinedSides, config: EvaluateConfig, **more: Unpack[HowEvaluated]
) -> Report:
    """Evaluate what was read, be it one set or two."""
    if isinstance(read, JoinedSides):
        return evaluate_two_sets(read, config, **more)
    return evaluate_set(read, config, **more)


def evaluate_set(
    embeddings: EmbeddingSet,
    config: EvaluateConfig,
    *,
    columns: ColumnNames | None = None,
    command: str = "",
    progress: Progress | None = None,
    started: float | None = None,
    engine: Engine | None = None,
    use_up: bool = False,
) -> Report:
    """Evaluate a set that was read: sort rows, place edges, count pairs, work out the report.

    With `use_up` the vectors are put in order where they lie, which spares a second matrix, and the
    set is of no use afterwards.
    """
    clock = Clock(started)
    clock.lap("read")
    engine = engine or LocalEngine(config.threads)
    asked = prepare_set(embeddings, config, engine, columns, use_up=use_up)
    request, jobs, embeddings = asked.request, asked.jobs, asked.embeddings
    stage = partial(stage_of, progress)
    found = engine.count(request, jobs.first, stage)
    counts = with_groups(found, jobs)
    clock.lap("count")
    halves = None
    if jobs.halves:
        halves = in_pairs([part.counts for part in engine.count(request, jobs.halves, stage)])
        clock.lap("split")
    rows = asked.rows
    nearest = engine.nearest_class(rows, rows.classes.scored)
    names = nearest_labels(embeddings.labels, rows, nearest)
    clock.lap("nearest_class")
    provenance = provenance_of(embeddings, asked.inputs, config, columns, command, clock)
    report = assemble_report(
        replace(found[0], counts=counts),
        jobs.whole.plan,
        names,
        data_found(embeddings, rows, asked.precision),
        provenance,
        config,
        halves,
    )
    clock.lap("report")
    return replace(report, provenance=replace(provenance, elapsed_s=clock.elapsed))


@dataclass(frozen=True, slots=True)
class PreparedSet:
    """What is known of a set before its pairs are counted.

    Attributes
    ----------
    embeddings : EmbeddingSet
        Without vectors.
    rows : SortedRows
    inputs : list
        As `opiscal.report.provenance.identity_of` gives them.
    precision : "float32" or "float16"
    request : CountRequest
    jobs : EvaluationJobs
    """

    embeddings: EmbeddingSet
    rows: SortedRows
    inputs: list[list[Any]]
    precision: Precision
    request: CountRequest
    jobs: EvaluationJobs


def prepare_set(
    embeddings: EmbeddingSet,
    config: EvaluateConfig,
    engine: Engine,
    columns: ColumnNames | None = None,
    *,
    use_up: bool = False,
) -> PreparedSet:
    """Sort the rows of a set, place the edges, and say what is to be counted."""
    inputs, precision = identity_of(embeddings), embeddings.precision
    rows = engine.sort(embeddings, use_up=use_up)
    # From here on nothing may take rows for those of the set: they lie in another order.
    embeddings = embeddings.without_vectors()
    request = CountRequest(
        rows,
        engine.lattice(rows, config.seed, asked_range(config)),
        embeddings.labels,
        embeddings.metric,
        config.seed,
        evaluation_identity(embeddings, inputs, config, columns),
    )
    jobs = set_jobs(
        embeddings,
        rows,
        config.pair_settings,
        engine.threads(),
        ranks=config.retrieval,
        splits=config.splits if rows.classes.scored.size >= FEWEST_CLASSES else 0,
        seed=config.seed,
        plan=engine.kept_plan(request.identity),
    )
    return PreparedSet(embeddings, rows, inputs, precision, request, jobs)
