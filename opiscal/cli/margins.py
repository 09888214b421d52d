"""``opiscal margins``: the margins of the threshold-consistent margin loss for a run."""

from typing import Annotated

import typer

from opiscal.cli import options
from opiscal.cli.console import errors_as_exit_codes, print_json, print_lines, screen
from opiscal.cli.source import report_of


def margins(
    source: options.RunOrData = None,
    far: Annotated[
        float | None,
        typer.Option(
            "--far",
            help="m_neg is the similarity at this FAR. [default: the far end of the calibration "
            "range]",
            show_default=False,
        ),
    ] = None,
    frr: Annotated[
        float | None,
        typer.Option(
            "--frr",
            help="m_pos is the similarity at this FRR. [default: the near end of the calibration "
            "range]",
            show_default=False,
        ),
    ] = None,
    m_pos: Annotated[
        float | None,
        typer.Option("--m-pos", help="A margin in use, a similarity.", show_default=False),
    ] = None,
    m_neg: Annotated[
        float | None,
        typer.Option("--m-neg", help="A margin in use, a similarity.", show_default=False),
    ] = None,
    embedding_column: options.EmbeddingColumn = None,
    label_column: options.LabelColumn = "label",
    threads: options.Threads = None,
    seed: options.Seed = 0,
    json_: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Say which margins of the threshold-consistent margin (TCM) loss fit an embedding space.

    Which pairs each would call hard, and the value of the loss now, read from the counts. Column,
    thread and seed options are for DATA; a run has its own.

    Example: opiscal margins --far 1e-2 --frr 0.1
    """
    with errors_as_exit_codes(debug):
        from opiscal.data.embedding_set import ColumnNames
        from opiscal.report.margin_lines import margin_lines
        from opiscal.report.settings import EvaluateConfig

        config = EvaluateConfig(threads=threads, seed=seed, retrieval=False)
        columns = ColumnNames(embedding_column, label_column)
        report = report_of(source, columns, config, quiet)
        found = report.margins(far=far, frr=frr, m_pos=m_pos, m_neg=m_neg)
        if json_:
            print_json(found.to_dict())
        else:
            print_lines(margin_lines(found, screen()))
