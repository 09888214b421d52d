"""``opiscal plot``: the pictures again, in another format, size or style, or over another run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opiscal.cli import options
from opiscal.cli.console import errors_as_exit_codes, one_line, print_json, print_lines
from opiscal.cli.source import DEFAULT_RUN, is_meant_as_run, report_of

if TYPE_CHECKING:
    from opiscal.data.storage import Place
    from opiscal.report.displays.figure_files import FigureFormat


def plot(
    source: options.RunOrData = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            help="utility-curves, rates, distances, distances-log, det, roc, class-ranking, "
            "class-thresholds or spread. Repeatable. [default: all]",
            show_default=False,
        ),
    ] = None,
    format_: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="svg, png or pdf. Repeatable. [default: svg and png, or by the ending of --out]",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="RUN",
            parser=options.named,
            help="An earlier run, drawn on the same axes: before and after.",
            show_default=False,
        ),
    ] = None,
    width: Annotated[
        float | None,
        typer.Option("--width", help="Inches. [default: 4.8]", show_default=False),
    ] = None,
    height: Annotated[
        float | None,
        typer.Option(
            "--height", help="Inches. [default: half of the width and 1.2]", show_default=False
        ),
    ] = None,
    dpi: Annotated[float, typer.Option("--dpi", help="Dots per inch of PNG.")] = 150.0,
    style: Annotated[
        str,
        typer.Option(
            "--style",
            help="light, dark or paper (serifs, smaller), a style of matplotlib such as ggplot, or "
            "a .mplstyle file.",
        ),
    ] = "light",
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FOLDER or FILE",
            parser=options.named,
            help="A folder, or for one figure a file such as rates.pdf. [default: the plots folder "
            "of RUN; ./plots for DATA]",
            show_default=False,
        ),
    ] = None,
    embedding_column: options.EmbeddingColumn = None,
    label_column: options.LabelColumn = "label",
    group_column: options.GroupColumn = None,
    metric: options.MetricOption = "cosine",
    threads: options.Threads = None,
    seed: options.Seed = 0,
    json_: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Draw the pictures of a run again, without touching the embeddings, and print their paths.

    Column, metric, thread and seed options are for DATA; a run has its own.

    Example: opiscal plot --kind rates --format pdf --width 3.3 --style paper
    """
    with errors_as_exit_codes(debug):
        from opiscal.data.embedding_set import ColumnNames
        from opiscal.data.storage import place_of
        from opiscal.report.plots import FigureShape, draw_plots
        from opiscal.report.run import load
        from opiscal.report.settings import EvaluateConfig
        from opiscal.report.whole_file import write_whole

        shape = FigureShape(width, height, dpi, style)
        kinds, formats, folder, file = _what_and_where(
            source, kind, format_, None if out is None else place_of(out)
        )
        config = EvaluateConfig(
            metric=metric,  # type: ignore[arg-type]  # checked there, with a message
            threads=threads,
            seed=seed,
            retrieval=False,
        )
        earlier = None if against is None else load(against)
        columns = ColumnNames(embedding_column, label_column, group=group_column)
        report = report_of(source, columns, config, quiet)
        names = (
            place_of(against or "before").name,
            place_of(source[0] if source else DEFAULT_RUN).name,
        )
        # All are drawn before the first is written: where one fails nothing changes.
        drawn = list(draw_plots(report, kinds, formats, shape, against=earlier, names=names))
        if file is None:
            _make(folder)
        written = [write_whole(file or folder / one.name, one.data) for one in drawn]
        if json_:
            print_json(
                [
                    {"path": str(path), "title": one.title, "description": one.description}
                    for path, one in zip(written, drawn, strict=True)
                ]
            )
        else:
            print_lines([one_line(str(path)) for path in written])


def _what_and_where(
    source: list[str] | None,
    kind: list[str] | None,
    format_: list[str] | None,
    out: "Place | None",
) -> tuple[list[str], "list[FigureFormat]", "Place", "Place | None"]:
    """Kinds, formats, a folder, and the file where one figure has its own name."""
    from opiscal.data.storage import is_folder, place_of
    from opiscal.errors import UsageError
    from opiscal.report.displays.kinds import KINDS
    from opiscal.report.plots import FORMATS

    kinds = list(dict.fromkeys(kind or KINDS))
    formats = list(dict.fromkeys(format_ or ("svg", "png")))
    ending = "" if out is None else out.suffix.removeprefix(".").lower()
    if out is not None and ending in FORMATS and not is_folder(out):
        formats = formats if format_ else [ending]
        if len(kinds) != 1 or formats != [ending]:
            raise UsageError(
                f"output {str(out)!r} is one file of format {ending}; give one --kind, such as "
                "rates, and no other --format, or a folder"
            )
        return kinds, formats, out.parent, out  # type: ignore[return-value]
    if out is None:
        run = place_of(source[0] if source else DEFAULT_RUN)
        of_run = not source or (len(source) == 1 and is_meant_as_run(run))
        out = run / "plots" if of_run else Path("plots")
    return kinds, formats, out, None  # type: ignore[return-value]  # draw_plots checks them


def _make(folder: "Place") -> None:
    from opiscal.errors import InputError

    if not isinstance(folder, Path):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"output {str(folder)!r} cannot be made ({error.strerror}); give another folder with -o"
        ) from error
