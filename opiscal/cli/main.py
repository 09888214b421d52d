"""The door: ``opiscal``."""

import sys
from typing import Annotated

import typer

from opiscal import __version__
from opiscal.cli import evaluate, inspect, simulate, threshold
from opiscal.cli.console import EXIT_INTERRUPTED, EXIT_USAGE, ClickException, say

app = typer.Typer(
    name="opiscal",
    help="Which distance threshold to ship for an embedding model, how sure that is, and whether "
    "one threshold serves all classes.",
    epilog="Exit codes: 0 done, 2 wrong usage or unreadable input, 3 the data cannot answer, "
    "130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("inspect")(inspect.inspect)
app.command("evaluate")(evaluate.evaluate)
app.command("threshold")(threshold.threshold)
app.command("simulate")(simulate.simulate)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"opiscal {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options that come before a command."""


def main() -> None:
    """Run the command line; errors in its use are one line and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except typer.Exit as left:
        code = left.exit_code
    except ClickException as error:
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError":
            print(context.get_help() if context is not None else "")
        else:
            help_at = f"; see '{context.command_path} --help'" if context is not None else ""
            say(f"error: {error.format_message().rstrip('.')}{help_at}")
        code = EXIT_USAGE
    except (typer.Abort, KeyboardInterrupt):
        say("interrupted")
        code = EXIT_INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)
