"""``opiscal compare``: models side by side, and what is known of their differences."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from opiscal.cli import options
from opiscal.cli.console import (
    errors_as_exit_codes,
    print_json,
    print_lines,
    say,
    screen,
)
from opiscal.cli.source import report_of

if TYPE_CHECKING:
    from opiscal.data.storage import Place
    from opiscal.gate.comparison import Comparison


def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C...]",
            help="Run folders, or files of data to evaluate first, one a model. The first is the "
            "baseline.",
            show_default=False,
            parser=options.named,
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
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            parser=options.named,
            help="Draw OPIS against recognition error, a point a model with its intervals, and the "
            "Pareto front: a .svg, .png or .pdf.",
            show_default=False,
        ),
    ] = None,
    error: Annotated[
        str,
        typer.Option(
            "--error",
            help="With --plot: eer, recall (1 - Recall@1) or far=x (FRR at that FAR).",
        ),
    ] = "eer",
    pair: Annotated[
        list[str] | None,
        typer.Option(
            "--pair",
            metavar="BASE:NEW",
            help="With --plot: names of two models that an arrow joins. Repeatable.",
            show_default=False,
        ),
    ] = None,
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
        from opiscal.data.storage import place_of
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
        if plot is None and (pair or error != "eer"):
            raise UsageError("--pair and --error: they are of a picture; give --plot FILE too")
        called = _names(names, sources)
        pairs = [_pair(text, called) for text in pair or ()]
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
        if plot is not None:
            _draw(place_of(plot), comparison, error, pairs)
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
            print_lines(comparison_lines(comparison, screen()))


def _pair(text: str, called: list[str]) -> tuple[str, str]:
    """The two names of ``BASE:NEW``, either of which may have a colon in it."""
    from opiscal.errors import UsageError

    parts = text.split(":")
    for cut in range(1, len(parts)):
        base, new = ":".join(parts[:cut]), ":".join(parts[cut:])
        if base in called and new in called:
            return base, new
    raise UsageError(
        f"--pair {text!r}: must be two names of models with a colon between them, such as "
        f"{called[0]}:{called[1]}"
    )


def _draw(
    file: "Place", comparison: "Comparison", error: str, pairs: Sequence[tuple[str, str]]
) -> None:
    from opiscal.errors import UsageError
    from opiscal.report.plots import FORMATS, draw_models
    from opiscal.report.whole_file import write_whole

    ending = file.suffix.removeprefix(".").lower()
    if ending not in FORMATS:
        raise UsageError(
            f"--plot {str(file)!r}: must end in {', '.join(f'.{one}' for one in FORMATS)}"
        )
    reports = [model.report for model in comparison.models]
    names = [model.name for model in comparison.models]
    drawn = draw_models(reports, names, ending, error=error, pairs=pairs)
    write_whole(file, drawn.data)


def _names(names: str | None, sources: list[str]) -> list[str]:
    """The names given, or the paths, told apart where one is given twice."""
    from opiscal.data.storage import place_of
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
        name, again = str(place_of(source)), 2
        while name in called:
            name, again = f"{place_of(source)} ({again})", again + 1
        called.append(name)
    return called
