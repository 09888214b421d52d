"""Options of the commands that count: who does it, and where counts are kept."""

from typing import Annotated

import typer

from opiscal.cli.options import named

_PANEL = "Engine"

EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="Who reads and counts: local, this process, or dask, workers that a Dask scheduler "
        "knows. The numbers are the same.",
        rich_help_panel=_PANEL,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Of a running Dask cluster, such as tcp://host:8786. Without one, workers are started "
        "on this machine, which listen on the loopback address alone.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        help="How many are started where no scheduler is named. [default: one for each core]",
        min=1,
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
PlannedWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        help="Say what so many workers of one thread, on any machines, will do: tasks, bytes that "
        "each reads, time.",
        min=1,
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
PlannedMemory = Annotated[
    str | None,
    typer.Option(
        "--worker-memory",
        metavar="SIZE",
        help="Memory of each of them, such as 4GB. [default: an even share of this machine's]",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
WorkerMemory = Annotated[
    str | None,
    typer.Option(
        "--worker-memory",
        metavar="SIZE",
        help="Memory of each worker, such as 4GB: the rows that it holds follow from it. [default: "
        "an even share of this machine's, or what the scheduler says]",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
CheckpointFolder = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="FOLDER",
        parser=named,
        help="Keep counts there while they are made, those of a sample too: the same command again "
        "does only what is missing.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
