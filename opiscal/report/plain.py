"""Records as plain values, for JSON, and back."""

import dataclasses
import types
import typing
from typing import Any

from opiscal.errors import InputError
from opiscal.pairs.counts import PairCounts
from opiscal.report.settings import EvaluateConfig


def record_from_dict(kind: Any, value: Any) -> Any:
    """A record, or whatever `kind` is, from plain values; fields that are not known are left out.

    Raises
    ------
    InputError
        Where a field is missing.
    """
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        hints = typing.get_type_hints(kind)
        made = {}
        for f in dataclasses.fields(kind):
            if f.name in value:
                made[f.name] = record_from_dict(hints[f.name], value[f.name])
            elif f.default is dataclasses.MISSING:
                raise InputError(
                    f"field {f.name!r} is missing in the report: it is damaged or was written by "
                    "another version; evaluate again"
                )
        return typing.cast(type[Any], kind)(**made)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if value is None or origin is None:
        return value
    if origin is types.UnionType or origin is typing.Union:
        first = next(a for a in arguments if a is not type(None))
        plain = all(typing.get_origin(a) is None for a in arguments)
        return (
            value
            if plain and not dataclasses.is_dataclass(first)
            else record_from_dict(first, value)
        )
    if origin is tuple:
        return tuple(record_from_dict(arguments[0], item) for item in value)
    return value


def plain(value: Any) -> Any:
    """Records as dicts, tuples as lists; counts and settings are left out."""
    if isinstance(value, PairCounts | EvaluateConfig):
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value
