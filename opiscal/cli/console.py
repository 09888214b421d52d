"""What the commands share: messages on stderr, data on stdout, errors as exit codes."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from opiscal.errors import InconclusiveError, OpiscalError

# typer brings its own copy of click: its errors are known by the classes that it exports.
ClickException: type[Exception] = next(
    c
    for c in typer.BadParameter.__mro__
    if c.__name__ == "ClickException" and issubclass(c, Exception)
)

EXIT_USAGE, EXIT_INCONCLUSIVE, EXIT_INTERRUPTED = 2, 3, 130


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def print_lines(lines: list[str]) -> None:
    """Lines on stdout; nothing is drawn that the lines do not hold."""
    sys.stdout.write("\n".join(lines) + "\n")


def say(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"opiscal: {one_line(message)}\n")


def one_line(text: str) -> str:
    """The text with control characters made visible: labels and paths are user data."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def terminal_width() -> int:
    """Columns of the terminal, 80 where there is none."""
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
    except (OSError, ValueError):
        return 80


@contextmanager
def errors_as_exit_codes(debug: bool) -> Iterator[None]:
    """Turn errors into one line on stderr and an exit code; a traceback only with ``--debug``."""
    try:
        yield
    except (typer.Exit, ClickException):
        raise
    except KeyboardInterrupt:
        _leave("interrupted; nothing was written", EXIT_INTERRUPTED, debug)
    except BrokenPipeError:
        # The reader of our output went away: no error of ours, and nothing more to print.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except InconclusiveError as error:
        _leave(f"inconclusive: {error}", EXIT_INCONCLUSIVE, debug)
    except OpiscalError as error:
        _leave(f"error: {error}", EXIT_USAGE, debug)
    except MemoryError:
        _leave(
            "error: not enough memory; see 'opiscal inspect DATA' for what is needed",
            EXIT_USAGE,
            debug,
        )


def _leave(message: str, code: int, debug: bool) -> None:
    if debug:
        raise  # called from an except block: the traceback is what was asked for
    say(message)
    raise typer.Exit(code)


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Any]:
    """A callback ``(stage, done, total)`` that draws a bar with the time left, or None.

    Drawn on stderr, and only where that is a terminal.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskID,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    tasks: dict[str, TaskID] = {}
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(one_line(stage), total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield show
