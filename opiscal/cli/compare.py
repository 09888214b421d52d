"""``opiscal compare``: models side by side, and what is known of their differences."""

from pathlib import Path
from typing import Annotated

import typer

from opiscal.cli import options
from opiscal.cli.console import (
    errors_as_exit_codes,
    print_json,
    print_lines,
    say,
    terminal_width,
)
from opiscal.cli.source import report_of


def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C...]",
            help="Run folders, or files of data to evaluate first, one a model. The first is the "
            "baseline.",
            show_default=False,
        ),
    ],
    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold",
            metavar="SCALE=VALUE",
            help="The threshold in production: similarity=0.72, distance=, cosine-distance=, "
            "squared-l2= or @threshold.json. [default: the one that A recommends]",
            show_default=False,
        ),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(
            "--names",
            metavar="A,B,...",
            help="What the models are called, separated by commas. [default: their paths]",
            show_default=False,
        ),
    ] = None,
    allow_mismatch: Annotated[
        bool,
        typer.Option(
            "--allow-mismatch",
            help="Compare runs that differ in what only weakens a comparison: classes, rows, "
            "metric, sampled pairs.",
        ),
    ] = False,
    confidence: options.Confidence = 0.95,
    embedding_column: options.EmbeddingColumn = None,
    label_column: options.LabelColumn = "label",
    metric: options.MetricOption = "cosine",
    threads: options.Threads = None,
    seed: options.Seed = 0,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown tables on stdout.")
    ] = False,
    json_: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Set models side by side, and say which differences are more than chance.

    Classes that both runs have are drawn anew for both together, so that the
    interval of a difference is much narrower than those of the two models.
    Column, metric and thread options are for data; a run has its own.

    Example: opiscal compare run-old run-new --names old,new
    """
    with errors_as_exit_codes(debug):
        from opiscal.cli.threshold_value import distance_of
        from opiscal.data.embedding_set import ColumnNames
        from opiscal.errors import UsageError
        from opiscal.gate.comparison import compare_reports
        from opiscal.gate.comparison_lines import comparison_lines
        from opiscal.gate.comparison_markdown import markdown_lines
        from opiscal.report.settings import EvaluateConfig

        if json_ and markdown:
            raise UsageError("--json and --markdown: one document at a time; give one of them")
        if len(sources) < 2:
            raise UsageError(
                f"{sources[0]!r} alone: a comparison needs two models or more; give the baseline "
                "first, then the others"
            )
        called = _names(names, sources)
        config = EvaluateConfig(
            metric=metric,  # type: ignore[arg-type]  # checked there, with a message
            threads=threads,
            seed=seed,
            confidence=confidence,
        )
        columns = ColumnNames(embedding_column, label_column)
        reports = [report_of([source], columns, config, quiet) for source in sources]
        at = None
        if threshold is not None:
            at = distance_of(threshold, reports[0].metric, "--threshold")
        comparison = compare_reports(
            reports,
            called,
            at=at,
            allow_mismatch=allow_mismatch,
            confidence=confidence,
            seed=seed,
        )
        if not quiet:
            for candidate in comparison.candidates:
                for found in candidate.mismatches:
                    say(
                        f"warning: {called[0]} and {candidate.name} differ in {found.key}: "
                        f"{found.baseline} and {found.candidate} [mismatch]"
                    )
        if json_:
            print_json(comparison.to_dict())
        elif markdown:
            print_lines(markdown_lines(comparison))
        else:
            print_lines(comparison_lines(comparison, terminal_width()))


def _names(names: str | None, sources: list[str]) -> list[str]:
    """The names given, or the paths, told apart where one is given twice."""
    from opiscal.errors import UsageError

    if names is not None:
        given = [name.strip() for name in names.split(",")]
        if len(given) != len(sources) or len(set(given)) < len(given) or "" in given:
            raise UsageError(
                f"--names {names!r}: {len(sources)} models need as many names, no two of them the "
                "same, separated by commas, such as old,new"
            )
        return given
    called: list[str] = []
    for source in sources:
        name, again = str(Path(source)), 2
        while name in called:
            name, again = f"{Path(source)} ({again})", again + 1
        called.append(name)
    return called
