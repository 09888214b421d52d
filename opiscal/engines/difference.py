"""Which is the first key in which two documents differ."""

import json
from collections.abc import Mapping
from typing import Any


def first_difference(name: str, there: Any, here: Any) -> str | None:
    """The first key whose values differ, with both of them; None where none does.

    Examples
    --------
    >>> first_difference("settings", {"seed": 1}, {"seed": 2})
    'settings.seed is 1 there and 2 here'
    >>> first_difference("files", ["a", "b", "c"], ["a", "B", "c"])
    'files[1] is "b" there and "B" here'
    """
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for key in [*here, *(key for key in there if key not in here)]:
            found = first_difference(f"{name}.{key}", there.get(key), here.get(key))
            if found is not None:
                return found
        return None
    if isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        pairs = enumerate(zip(there, here, strict=True))
        found_in = (first_difference(f"{name}[{k}]", one, other) for k, (one, other) in pairs)
        return next((found for found in found_in if found is not None), None)
    if there == here:
        return None
    return f"{name} is {_shortened(there)} there and {_shortened(here)} here"


def _shortened(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
