"""``opiscal count``: one block of the pairs, for a job array on any batch system."""

from typing import Annotated

import typer

from opiscal.cli import options
from opiscal.cli.console import (
    command_words,
    errors_as_exit_codes,
    print_json,
    print_lines,
    progress_bar,
)
from opiscal.cli.evaluation_options import EvaluationOptions
from opiscal.cli.option_groups import takes_option_groups


@takes_option_groups
def count(
    *,
    data: options.DataPaths,
    block: Annotated[
        str,
        typer.Option(
            "--block", metavar="K/N", help="Which block, of how many: 3/16.", show_default=False
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "-o",
            "--out",
            metavar="PART",
            parser=options.named,
            help="The folder of this block, or a URL. Where the command was stopped, the same "
            "command does only what is missing.",
            show_default=False,
        ),
    ],
    asked: EvaluationOptions,
    json_: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Count one of N blocks of the pairs of DATA; 'opiscal merge' makes the report of all.

    The blocks are about as much work each, and may be counted at any time, on any machine that
    has the same DATA. Give every block the same options.

    Memory: each block reads all rows in its process, and needs about what 'opiscal evaluate' does;
    see 'opiscal inspect DATA'.

    Example: opiscal count embeddings.parquet --block 3/16 -o part-3
    """
    with errors_as_exit_codes(debug):
        from opiscal.engines.block_share import BlockShare
        from opiscal.job_array import count_block_files

        share = BlockShare.parse(block)
        with progress_bar(quiet) as progress:
            done = count_block_files(
                data,
                asked.columns(),
                asked.config(),
                share,
                out,
                gallery=asked.gallery or (),
                command=command_words(),
                progress=progress,
            )
        if json_:
            print_json(
                {
                    "block": str(done.share),
                    "part": done.folder,
                    "tasks": done.tasks,
                    "tasks_counted": done.counted,
                }
            )
        elif not quiet:
            before = done.tasks - done.counted
            print_lines(
                [
                    f"block {done.share}: {done.tasks} {'task' if done.tasks == 1 else 'tasks'} "
                    f"counted{f', {before} of them before' if before else ''}",
                    f"part: {done.folder}",
                ]
            )
