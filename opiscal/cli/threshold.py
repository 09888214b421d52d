"""``opiscal threshold``: one operating point, read from a run."""

from typing import Annotated

import typer

from opiscal.cli import options
from opiscal.cli.console import (
    errors_as_exit_codes,
    print_json,
    print_lines,
    say,
)
from opiscal.cli.source import report_of


def threshold(
    source: options.RunOrData = None,
    far: Annotated[
        float | None,
        typer.Option("--far", help="The largest threshold with FAR at most this, such as 1e-3."),
    ] = None,
    frr: Annotated[
        float | None,
        typer.Option("--frr", help="The smallest threshold with FRR at most this."),
    ] = None,
    eer: Annotated[bool, typer.Option("--eer", help="Where FAR and FRR are closest.")] = False,
    utility: Annotated[
        bool, typer.Option("--utility", help="Where the mean utility of the classes is highest.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="SCALE=VALUE",
            help="What a threshold in use does: similarity=0.72, distance=, cosine-distance=, "
            "squared-l2= or @threshold.json.",
        ),
    ] = None,
    guarantee: Annotated[
        bool,
        typer.Option(
            "--guarantee",
            help="With --far: the largest threshold whose upper bound on FAR, not its estimate, is "
            "at most the target.",
        ),
    ] = False,
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence",
            help="Level of the intervals and of the guarantee. [default: that of the run, or 0.95]",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Give a threshold that the data do not support, marked as such."
        ),
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="Write a threshold.json for a service.",
            parser=options.named,
        ),
    ] = None,
    embedding_column: options.EmbeddingColumn = None,
    label_column: options.LabelColumn = "label",
    metric: options.MetricOption = "cosine",
    threads: options.Threads = None,
    seed: options.Seed = 0,
    json_: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Read one operating point from a run, without touching the embeddings.

    Column, metric, thread and seed options are for DATA; a run has its own.

    Example: opiscal threshold --far 1e-3 -o threshold.json
    """
    with errors_as_exit_codes(debug):
        from opiscal.cli.threshold_value import distance_of
        from opiscal.data.embedding_set import ColumnNames
        from opiscal.data.storage import place_of
        from opiscal.errors import UsageError
        from opiscal.measures.rate_intervals import rate_intervals
        from opiscal.measures.rates import rate_curve
        from opiscal.report.answers import answer, is_wide, require_support
        from opiscal.report.artifact import threshold_artifact, write_artifact
        from opiscal.report.record import point_to_dict
        from opiscal.report.settings import EvaluateConfig
        from opiscal.report.summary.point import point_lines

        if sum((far is not None, frr is not None, eer, utility, at is not None)) != 1:
            raise UsageError(
                "give exactly one of --far, --frr, --eer, --utility and --at, such as --far 1e-3"
            )
        if guarantee and far is None:
            raise UsageError("--guarantee: only a FAR can be guaranteed; give --far 1e-3 with it")
        columns = ColumnNames(embedding_column, label_column)
        config = EvaluateConfig(
            metric=metric,  # type: ignore[arg-type]  # checked there, with a message
            threads=threads,
            seed=seed,
            retrieval=False,
            confidence=0.95 if confidence is None else confidence,
        )
        report = report_of(source, columns, config, quiet)
        confidence = report.confidence if confidence is None else confidence
        distance = None if at is None else distance_of(at, report.metric, "--at")
        intervals = rate_intervals(report.counts, report.settings.pool, confidence)
        point = answer(
            report,
            far=far,
            frr=frr,
            eer=eer,
            utility=utility,
            at=distance,
            guarantee=guarantee,
            confidence=confidence,
            force=force,
            intervals=intervals,
        )
        curve = rate_curve(report.counts, report.settings.pool)
        if json_:
            print_json(point_to_dict(point))
        if not (force and point.distance is not None):
            require_support(point, curve, intervals, guarantee=guarantee)
        elif not point.supported and not quiet:
            say(
                f"warning: the data cannot resolve {point.criterion} {point.target:g}; the "
                "threshold was forced and is marked unsupported [unsupported]"
            )
        if is_wide(point, curve, intervals) and not guarantee and not quiet:
            say(
                f"warning: fewer than 30 errors are expected at {point.criterion} "
                f"{point.target:g} among the effective number of pairs: see its interval [wide]"
            )
        if out is not None:
            write_artifact(threshold_artifact(report, point, confidence), place_of(out))
        if not json_:
            print_lines(point_lines(report, point, confidence))
            if out is not None:
                print_lines([f"written to {out}"])
