"""The story of two sets: queries against a gallery, to pair counts, to a report."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from opiscal.data.embedding_set import ColumnNames
from opiscal.data.sides import JoinedSides, check_sides
from opiscal.engines.engine import CountRequest, Engine
from opiscal.engines.local import LocalEngine
from opiscal.errors import InputError, UsageError
from opiscal.pairs.between_parts import between_jobs
from opiscal.pairs.jobs import EvaluationJobs
from opiscal.pairs.nearest_class import nearest_labels
from opiscal.pairs.parts import in_pairs, with_groups
from opiscal.pairs.plan import PairPlan
from opiscal.pairs.two_sets import TwoSets
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


def evaluate_two_sets(
    both: JoinedSides,
    config: EvaluateConfig,
    *,
    columns: ColumnNames | None = None,
    command: str = "",
    progress: Progress | None = None,
    started: float | None = None,
    engine: Engine | None = None,
    use_up: bool = False,
) -> Report:
    """Evaluate queries against a gallery; as `evaluate_set`."""
    clock = Clock(started)
    clock.lap("read")
    engine = engine or LocalEngine(config.threads)
    asked = prepare_two_sets(both, config, engine, columns)
    two, request, jobs = asked.two, asked.request, asked.jobs
    embeddings, sides = both.embeddings, both.sides
    inputs, precision = asked.inputs, embeddings.precision
    scored = two.queries.classes.scored
    stage = partial(stage_of, progress)
    found = engine.count(request, jobs.first, stage)
    counts = with_groups(found, jobs)
    clock.lap("count")
    halves = None
    if jobs.halves:
        halves = in_pairs([part.counts for part in engine.count(request, jobs.halves, stage)])
        clock.lap("split")
    # Means are over the rows of both sides; nothing reads the vectors of the set after this.
    in_order = engine.sort(embeddings, use_up=use_up)
    names = nearest_labels(embeddings.labels, two.queries, engine.nearest_class(in_order, scored))
    clock.lap("nearest_class")
    provenance = provenance_of(embeddings, inputs, config, columns, command, clock, sides)
    data = replace(
        data_found(embeddings, two.queries, precision),
        queries=two.queries.rows,
        gallery=two.gallery.rows,
        queries_unknown=None if counts.gallery is None else counts.gallery.unknown,
    )
    counted = replace(found[0], counts=counts)
    report = assemble_report(counted, jobs.whole.plan, names, data, provenance, config, halves)
    clock.lap("report")
    return replace(report, provenance=replace(provenance, elapsed_s=clock.elapsed))


@dataclass(frozen=True, slots=True)
class PreparedTwoSets:
    """What is known of two sets before their pairs are counted; as `PreparedSet`."""

    two: TwoSets
    inputs: list[list[Any]]
    request: CountRequest
    jobs: EvaluationJobs


def prepare_two_sets(
    both: JoinedSides, config: EvaluateConfig, engine: Engine, columns: ColumnNames | None = None
) -> PreparedTwoSets:
    """Sort the rows of both sides, place the edges, and say what is to be counted."""
    check_two_sets(config)
    embeddings, sides = both.embeddings, both.sides
    check_sides(embeddings, sides)
    two = engine.sort_sides(both)
    scored = two.queries.classes.scored
    if scored.size == 0:
        raise InputError(
            f"all {len(two.same_item):,} pairs of one class are of an item with itself: no query "
            "has another gallery row of its class; add rows, or check --id-column"
        )
    inputs, settings = identity_of(embeddings), config.pair_settings
    request = CountRequest(
        two,
        engine.lattice(two, config.seed, asked_range(config)),
        embeddings.labels,
        embeddings.metric,
        config.seed,
        evaluation_identity(embeddings, inputs, config, columns, sides),
    )
    plan = PairPlan(
        "exact", "every query with every gallery row", 0, settings.most_positives, settings.index
    )
    jobs = between_jobs(
        embeddings,
        two,
        plan,
        ranks=config.retrieval,
        splits=config.splits if scored.size >= FEWEST_CLASSES else 0,
        seed=config.seed,
    )
    return PreparedTwoSets(two, inputs, request, jobs)


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
