"""``opiscal validate``: is this policy, threshold or run sound?"""

from typing import Annotated

import typer

from opiscal.cli import options
from opiscal.cli.console import EXIT_USAGE, errors_as_exit_codes, print_json, print_lines, say


def validate(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Policies (.toml), threshold.json, run folders or their report.json.",
            show_default=False,
            parser=options.named,
        ),
    ],
    json_: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Say what each file is, and whether it is sound; exit code 2 if one is not.

    Example: opiscal validate gate.toml threshold.json opiscal-run
    """
    with errors_as_exit_codes(debug):
        from opiscal.data.storage import place_of
        from opiscal.errors import OpiscalError
        from opiscal.gate.validation import validate as told_of
        from opiscal.report.layout import clean

        found = []
        for file in files:
            try:
                found.append({"path": str(file), "valid": True, "message": told_of(place_of(file))})
            except OpiscalError as error:
                found.append({"path": str(file), "valid": False, "message": str(error)})
        if json_:
            print_json(found)
        for one in found:
            if not one["valid"]:
                say(f"error: {one['message']}")
            elif not json_:
                print_lines([f"{clean(str(one['path']))}: {one['message']}"])
        if not all(one["valid"] for one in found):
            raise typer.Exit(EXIT_USAGE)
