"""Groups of options: a record whose fields are options, for the commands that share them."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

Command = TypeVar("Command", bound=Callable[..., None])


def takes_option_groups(command: Command) -> Command:
    """A command whose parameters that are records are given option by option.

    Parameters
    ----------
    command : callable
        Every parameter that is annotated with a dataclass stands for the fields of it: each is
        annotated as an option of typer and has a default.

    Returns
    -------
    callable
        What typer is given; its parameters stand in the order of those of `command`, with the
        fields of a record in the place of it.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Size:
    ...     rows: int = 1
    ...     columns: int = 2
    >>> def show(name: str, size: Size, loud: bool = False) -> None:
    ...     print(name, size, loud)
    >>> shown = takes_option_groups(show)
    >>> str(inspect.signature(shown))
    '(*, name: str, rows: int = 1, columns: int = 2, loud: bool = False) -> None'
    >>> shown(name="a", columns=3, rows=1)
    a Size(rows=1, columns=3) False
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {}
    parameters = []
    for parameter in inspect.signature(command).parameters.values():
        kind = hints[parameter.name]
        if not is_dataclass(kind):
            parameters.append(_option(parameter.name, kind, parameter.default))
            continue
        groups[parameter.name] = kind
        of_fields = get_type_hints(kind, include_extras=True)
        parameters += [_option(f.name, of_fields[f.name], f.default) for f in fields(kind)]

    def called(**given: Any) -> None:
        records = {
            name: kind(**{f.name: given.pop(f.name) for f in fields(kind) if f.name in given})
            for name, kind in groups.items()
        }
        command(**records, **given)

    called.__name__, called.__doc__ = command.__name__, command.__doc__
    called.__module__ = command.__module__
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    called.__signature__ = inspect.Signature(parameters, return_annotation=None)  # type: ignore[attr-defined]
    return called  # type: ignore[return-value]


def _option(name: str, kind: Any, default: Any) -> inspect.Parameter:
    missing = default is MISSING or default is inspect.Parameter.empty
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if missing else default,
        annotation=kind,
    )
