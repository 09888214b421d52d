"""The commands of ``opiscal``, and what becomes of a wrong use of them."""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

from opiscal import __version__
from opiscal.cli import (
    compare,
    count,
    evaluate,
    gate,
    hard_pairs,
    inspect,
    margins,
    merge,
    plot,
    simulate,
    threshold,
    validate,
)
from opiscal.cli.console import (
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    ClickException,
    say,
    silence_stdout,
)


class PlainHelpGroup(TyperGroup):
    """The list of commands as plain text: to load what draws boxes takes longer than all else."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.rich_markup_mode = None


app = typer.Typer(
    name="opiscal",
    cls=PlainHelpGroup,
    help="Which distance threshold to ship for an embedding model, how sure that is, and whether "
    "one threshold serves all classes.",
    epilog="Exit codes: 0 done, 1 a gate failed, 2 wrong usage or unreadable input, 3 the data "
    "cannot answer, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# One line each in a terminal of 80 columns; the whole help of a command is its docstring.
app.command("inspect", short_help="What is in the data, what is wrong with it, what it costs.")(
    inspect.inspect
)
app.command("evaluate", short_help="Count every pair: OPIS, a threshold to ship, worst classes.")(
    evaluate.evaluate
)
app.command("count", short_help="One block of the pairs, for job arrays on many machines.")(
    count.count
)
app.command("merge", short_help="The report of all blocks that count has counted.")(merge.merge)
app.command("threshold", short_help="One operating point, read from a run in an instant.")(
    threshold.threshold
)
app.command("plot", short_help="The pictures again: another format, size, style or two runs.")(
    plot.plot
)
app.command("hard-pairs", short_help="The pairs, classes and labels that break a threshold.")(
    hard_pairs.hard_pairs
)
app.command("compare", short_help="Models side by side: which differences are more than chance.")(
    compare.compare
)
app.command("gate", short_help="May this model be released? Rules, a baseline, one verdict.")(
    gate.gate
)
app.command("validate", short_help="Is this policy, threshold.json or run sound?")(
    validate.validate
)
app.command("margins", short_help="The margins of the TCM loss that fit, and its value now.")(
    margins.margins
)
app.command("simulate", short_help="Write a synthetic set whose true curves are known.")(
    simulate.simulate
)


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


@cache
def _command() -> Callable[..., Any]:
    # It takes a hundredth of a second, which who runs many commands need not wait for each time.
    return typer.main.get_command(app)


def run(arguments: list[str]) -> int:
    """Run one command, and return its exit code; a wrong use of it is one line and code 2."""
    try:
        code = _command()(arguments, prog_name="opiscal", standalone_mode=False)
    except typer.Exit as left:
        code = left.exit_code
    except ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(str(error))
        else:
            say(f"error: {_wrong_use(error)}")
        code = EXIT_USAGE
    except typer.Abort:
        code = EXIT_INTERRUPTED
    except SystemExit:
        # The way in which typer ends where the reader of a help text went away.
        silence_stdout()
        code = 0
    except OSError as error:
        silence_stdout()
        say(f"error: standard output cannot be written ({error.strerror}); send it elsewhere")
        code = EXIT_USAGE
    if code == EXIT_INTERRUPTED:
        say("interrupted; nothing was left half written")
    return code if isinstance(code, int) else 0


def _wrong_use(error: Exception) -> str:
    message = str(getattr(error, "format_message", error.__str__)()).strip().rstrip(".")
    # Some versions of typer keep the value to themselves.
    details: list[dict[str, object]] = getattr(error.__cause__, "errors", list)()
    value = details[0].get("input") if details else None
    if value is not None and repr(value) not in message:
        message = message.replace("Invalid value for", f"Invalid value {value!r} for", 1)
    message = message[:1].lower() + message[1:]
    context = getattr(error, "ctx", None)
    return message if context is None else f"{message}; see '{context.command_path} --help'"
