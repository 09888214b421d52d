"""``opiscal merge``: the report of what a job array has counted."""

import shlex
from typing import Annotated

import typer

from opiscal.cli import options
from opiscal.cli.console import command_words, errors_as_exit_codes, progress_bar
from opiscal.cli.option_groups import takes_option_groups
from opiscal.cli.run_options import RunFolder, RunOptions


@takes_option_groups
def merge(
    *,
    parts: Annotated[
        list[str],
        typer.Argument(
            metavar="PART...",
            parser=options.named,
            help="The folders or URLs that 'opiscal count' has written, one of every block.",
            show_default=False,
        ),
    ],
    out: RunFolder = "opiscal-run",
    delivery: RunOptions,
    debug: options.Debug = False,
) -> None:
    """Add up the blocks that 'opiscal count' has counted, and write the run of the whole.

    It is the run of 'opiscal evaluate' on the same data with the same options, number for number.
    No vector is read. Blocks that are missing, double, not finished or of other data are named.

    Example: opiscal merge part-* -o run
    """
    with errors_as_exit_codes(debug):
        from opiscal.data.storage import place_of
        from opiscal.report.run_folder import check_run_place

        # Before the work, not after it.
        check_run_place(place_of(out))
        from opiscal.job_array import merge_parts

        with progress_bar(delivery.quiet) as progress:
            report = merge_parts(parts, command=shlex.join(command_words()), progress=progress)
        delivery.deliver(report, out)
