"""What the commands share: messages on stderr, data on stdout, errors as exit codes."""

import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import typer

from opiscal.errors import InconclusiveError, InputError, OpiscalError

if TYPE_CHECKING:
    from opiscal.report.layout import Screen

# typer brings its own copy of click: its errors are known by the classes that it exports.
ClickException: type[Exception] = next(
    c
    for c in typer.BadParameter.__mro__
    if c.__name__ == "ClickException" and issubclass(c, Exception)
)

EXIT_USAGE, EXIT_INCONCLUSIVE, EXIT_INTERRUPTED = 2, 3, 130


_DEFAULT_WIDTH = 80
# Terminals without a size say 0.
_LEAST_WIDTH = 20
_LONGEST_REASON = 300


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(_encoding())
    except UnicodeEncodeError:
        text = json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        # It stands in strings alone, and is the same there.
        text = text.replace("##[", "##\\u005b")
    _write(text + "\n")


def print_lines(lines: list[str]) -> None:
    """Lines on stdout; a character that its encoding does not have is shown as an escape."""
    text = _no_commands("\n".join(lines)) + "\n"
    _write(text.encode(_encoding(), "backslashreplace").decode(_encoding()))


def print_commands(lines: list[str], *, to_stderr: bool) -> None:
    """Commands of a workflow, which it reads from both streams."""
    stream = sys.stderr if to_stderr else sys.stdout
    if lines and stream is not None:
        text, encoding = "\n".join(lines) + "\n", getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


def _no_commands(text: str) -> str:
    """Text in which a GitHub workflow finds no command; elsewhere it is left as it is.

    A line that begins with two colons is one, and so is ``##[`` anywhere.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return text
    inert = text.replace("##[", "##\\x5b")
    return "\n".join(
        line.replace("::", "\\x3a\\x3a", 1) if line.lstrip().startswith("::") else line
        for line in inert.split("\n")
    )


def silence_stdout() -> None:
    """Let go of an stdout that takes no more: Python would try again at its end, and complain."""
    _silence(sys.stdout)


def _silence(stream: Any) -> None:
    # In a test it may be no file.
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def _write(text: str) -> None:
    # None where the caller closed it.
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        silence_stdout()
        raise InputError(
            f"standard output cannot be written ({error.strerror}); send it elsewhere"
        ) from error


def say(message: str) -> None:
    """One line on stderr, in which no URL has credentials."""
    if sys.stderr is not None:
        from opiscal.data.url import redacted

        try:
            sys.stderr.write(_no_commands(f"opiscal: {one_line(redacted(message))}") + "\n")
            sys.stderr.flush()
        except OSError:
            # There is nobody to tell, and the exit code is to be ours.
            _silence(sys.stderr)


def one_line(text: str) -> str:
    """The text with control characters made visible: labels and paths are user data."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def command_words() -> list[str]:
    """The command as it was given, without the user and query parts of URLs."""
    from opiscal.data.url import shown

    return ["opiscal", *map(shown, sys.argv[1:])]


def terminal_width() -> int:
    """Columns of the terminal, 80 where there is none."""
    try:
        width = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
    except (OSError, ValueError):
        return _DEFAULT_WIDTH
    return width if width >= _LEAST_WIDTH else _DEFAULT_WIDTH


def screen() -> "Screen":
    """What stdout shows: the columns of the terminal, and the characters of its encoding."""
    from opiscal.report.layout import Screen

    return Screen(terminal_width(), _encoding())


@contextmanager
def errors_as_exit_codes(debug: bool) -> Iterator[None]:
    """Turn errors into one line on stderr and an exit code; a traceback only with ``--debug``."""
    try:
        yield
    except (typer.Exit, ClickException):
        raise
    except KeyboardInterrupt:
        # `opiscal.cli.app.run` says so: one may also fall outside of here.
        if debug and sys.stderr is not None:
            _print_traceback()
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        # The reader of our output went away: no error of ours, and nothing more to print.
        silence_stdout()
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
    except Exception as error:
        # Not code 1, which says that a gate failed.
        from opiscal.data.store_errors import safe_text

        what = safe_text(f"{type(error).__name__}: {error}")[:_LONGEST_REASON]
        _leave(
            f"error: this should not happen ({what}); run it again with --debug, and report what "
            "that prints",
            EXIT_USAGE,
            debug,
        )


def _leave(message: str, code: int, debug: bool) -> None:
    if debug and sys.stderr is not None:
        _print_traceback()  # called from an except block
    say(message)
    raise typer.Exit(code) from None


def _print_traceback() -> None:
    from opiscal.data.store_errors import safe_lines

    sys.stderr.write(safe_lines(traceback.format_exc()))


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Any]:
    """A callback ``(stage, done, total)`` that draws a bar with the time left, or None.

    Drawn on stderr, and only where that is a terminal.
    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():
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
