"""``opiscal evaluate``: OPIS, 10%-OPIS, recommended threshold, worst classes, plots."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from opiscal.cli import engine_options, options
from opiscal.cli.console import (
    errors_as_exit_codes,
    print_json,
    print_lines,
    progress_bar,
    say,
    screen,
)


def evaluate(
    data: options.DataPaths,
    gallery: options.GalleryPaths = None,
    out: Annotated[
        str,
        typer.Option(
            "-o",
            "--out",
            metavar="RUN",
            help="The run folder that is written, here or at a URL.",
            parser=options.named,
        ),
    ] = "opiscal-run",
    embedding_column: options.EmbeddingColumn = None,
    label_column: options.LabelColumn = "label",
    id_column: options.IdColumn = None,
    group_column: options.GroupColumn = None,
    split_column: options.SplitColumn = None,
    metric: options.MetricOption = "cosine",
    singletons: options.Singletons = "keep",
    null_label: options.NullLabel = "drop",
    distractor_label: options.DistractorLabel = None,
    strict: options.Strict = False,
    half: options.Half = False,
    sample_rows: options.SampleRows = None,
    utility: options.UtilityKind = "sensitivity-specificity",
    c: options.Weight = 1.0,
    range_: options.Range = "far=0.01:0.1",
    integration: options.IntegrationOption = "exact",
    epsilon: options.Epsilon = 0.1,
    eps_against: options.EpsAgainst = "others",
    eps_rank: options.EpsRank = "range",
    pool: options.PoolOption = "pairs",
    recommend: options.Recommend = "utility",
    split: Annotated[
        bool,
        typer.Option(
            "--split",
            help="Choose thresholds on half of the classes and judge them on the other half, "
            "which costs about half as much again for each split.",
        ),
    ] = False,
    splits: Annotated[
        int | None,
        typer.Option(
            "--splits",
            help="How many seeded splits --split makes. [default: 3]",
            min=1,
            show_default=False,
        ),
    ] = None,
    confidence: options.Confidence = 0.95,
    pairs: options.PairsOption = "auto",
    sample_pairs: options.SamplePairs = None,
    budget: options.Budget = None,
    positive_cap: options.PositiveCap = 200_000,
    index: options.Index = "auto",
    nprobe: options.Nprobe = None,
    ef_search: options.EfSearch = None,
    save_index: options.SaveIndex = None,
    engine: engine_options.EngineName = "local",
    scheduler: engine_options.Scheduler = None,
    workers: engine_options.Workers = None,
    worker_memory: engine_options.WorkerMemory = None,
    checkpoint: engine_options.CheckpointFolder = None,
    no_plots: Annotated[
        bool, typer.Option("--no-plots", help="Draw no figures and write no page.")
    ] = False,
    slim: Annotated[
        bool,
        typer.Option(
            "--slim",
            help="Write a small run to keep as a baseline: compare and gate read it, questions "
            "about other thresholds are not answered; no figures, no page.",
        ),
    ] = False,
    no_retrieval: Annotated[
        bool, typer.Option("--no-retrieval", help="Do not work out Recall@k.")
    ] = False,
    threads: options.Threads = None,
    seed: options.Seed = 0,
    json_: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Count the pairs of DATA and say which threshold to ship, and for whom it fails.

    Writes a run folder that every other command reads: report.json, classes.parquet, pairs.npz,
    plots/ and report.html, the page to send to a colleague.

    Example: opiscal evaluate embeddings.parquet -o run
    """
    with errors_as_exit_codes(debug):
        from opiscal.data.embedding_set import ColumnNames
        from opiscal.data.storage import place_of
        from opiscal.data.url import shown
        from opiscal.engines.choice import EngineChoice
        from opiscal.errors import UsageError
        from opiscal.report.run_folder import PAGE_FILE, check_run_place
        from opiscal.report.settings import EvaluateConfig
        from opiscal.report.summary.story import elapsed_line, summary_lines

        if splits is not None and not split:
            raise UsageError(f"--splits {splits}: no split was asked for; give --split too")
        config = EvaluateConfig(
            metric=metric,  # type: ignore[arg-type]  # checked there, with a message
            utility=utility,  # type: ignore[arg-type]
            c=c,
            range=range_,
            integration=integration,
            epsilon=epsilon,
            eps_against=eps_against,  # type: ignore[arg-type]
            eps_rank=eps_rank,  # type: ignore[arg-type]
            pool=pool,  # type: ignore[arg-type]
            recommend=recommend,
            singletons=singletons,  # type: ignore[arg-type]
            null_label=null_label,  # type: ignore[arg-type]
            distractor_labels=tuple(distractor_label or ()),
            strict=strict,
            half=half,
            sample_rows=sample_rows,
            retrieval=not no_retrieval,
            seed=seed,
            threads=threads,
            confidence=confidence,
            splits=(3 if splits is None else splits) if split else 0,
            pairs=pairs,  # type: ignore[arg-type]
            sample_pairs=sample_pairs,
            budget=budget,
            positive_cap=positive_cap,
            index=index,
            nprobe=nprobe,
            ef_search=ef_search,
        )
        choice = EngineChoice(engine, scheduler, workers, worker_memory, checkpoint)
        index_file = None if save_index is None else Path(save_index)
        # Before the work, not after it.
        run = place_of(out)
        check_run_place(run)
        from opiscal.evaluation import evaluate_files

        with (
            choice.opened(threads, index_file, None if quiet else say) as counting,
            progress_bar(quiet) as progress,
        ):
            report = evaluate_files(
                data,
                ColumnNames(embedding_column, label_column, id_column, group_column, split_column),
                config,
                gallery=gallery or (),
                command=shlex.join(["opiscal", *map(shown, sys.argv[1:])]),
                progress=progress,
                engine=counting,
                save_index=index_file,
            )
        report.save(out, plots=not no_plots, slim=slim)
        if not quiet:
            for notice in report.warnings:
                say(f"warning: {notice.message} [{notice.code}]")
        if verbose:
            say(elapsed_line(report))
        if json_:
            print_json(report.to_dict())
        else:
            page = None if no_plots or slim else run / PAGE_FILE
            print_lines(summary_lines(report, run, screen(), page=page))
