"""``opiscal simulate``: a synthetic set whose true curves are known."""

from pathlib import Path
from typing import Annotated

import typer

from opiscal.cli import options
from opiscal.cli.console import errors_as_exit_codes, print_json, print_lines, progress_bar


def simulate(
    out: Annotated[
        str,
        typer.Argument(
            metavar="OUT", help="The Parquet file that is written.", parser=options.on_this_machine
        ),
    ],
    rows: Annotated[int, typer.Option("--rows", help="Rows in all.")] = 20_000,
    dimensions: Annotated[int, typer.Option("--dimensions", help="Width of a row.")] = 64,
    classes: Annotated[int, typer.Option("--classes", help="Classes, of two rows or more.")] = 500,
    spread: Annotated[
        float,
        typer.Option(
            "--spread",
            help="How unequal classes are: standard deviation of their log concentrations; with 0 "
            "the true OPIS is 0.",
        ),
    ] = 0.3,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same set.")] = 0,
    json_: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write a synthetic open-world set, and beside it OUT.truth.parquet with its true curves.

    Classes lie on the sphere (von Mises-Fisher), with different concentrations and sizes. Rows are
    streamed to disk: ten million need no ten million rows of memory.

    Example: opiscal simulate set.parquet --rows 20000 --classes 500 --spread 0.3
    """
    with errors_as_exit_codes(debug):
        from opiscal.data.simulate import SimulationConfig
        from opiscal.data.simulate import simulate as write_set
        from opiscal.report.inspection import simulation_dict, simulation_lines

        config = SimulationConfig(rows, dimensions, classes, spread, seed)
        written = 0
        with progress_bar(quiet) as progress:

            def advance(more: int) -> None:
                nonlocal written
                written += more
                if progress is not None:
                    progress("writing rows", written, rows)

            result = write_set(config, Path(out), advance)
        if json_:
            print_json(simulation_dict(result))
        else:
            print_lines(simulation_lines(result))
