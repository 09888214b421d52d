"""Options of the commands that write a run: where, what of it, and what is printed of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from opiscal.cli import options
from opiscal.cli.console import print_json, print_lines, say, screen

if TYPE_CHECKING:
    from opiscal.report.record import Report

RunFolder = Annotated[
    str,
    typer.Option(
        "-o",
        "--out",
        metavar="RUN",
        help="The run folder that is written, here or at a URL.",
        parser=options.named,
    ),
]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What becomes of a report."""

    no_plots: Annotated[
        bool, typer.Option("--no-plots", help="Draw no figures and write no page.")
    ] = False
    slim: Annotated[
        bool,
        typer.Option(
            "--slim",
            help="Write a small run to keep as a baseline: compare and gate read it, questions "
            "about other thresholds are not answered; no figures, no page.",
        ),
    ] = False
    json_: options.Json = False
    quiet: options.Quiet = False
    verbose: options.Verbose = False

    def deliver(self, report: "Report", out: str) -> None:
        """Write the run, and say what is in it."""
        from opiscal.data.storage import place_of
        from opiscal.report.run_folder import PAGE_FILE
        from opiscal.report.summary.story import elapsed_line, summary_lines

        report.save(out, plots=not self.no_plots, slim=self.slim)
        if not self.quiet:
            for notice in report.warnings:
                say(f"warning: {notice.message} [{notice.code}]")
        if self.verbose:
            say(elapsed_line(report))
        if self.json_:
            print_json(report.to_dict())
        else:
            run = place_of(out)
            page = None if self.no_plots or self.slim else run / PAGE_FILE
            print_lines(summary_lines(report, run, screen(), page=page))
