"""Style and script of the page, as files beside this module."""

import base64
import hashlib
from functools import cache
from importlib import resources

_SCRIPTS = ("decode.js", "model.js", "figures.js", "control.js", "classes.js", "start.js")


@cache
def style() -> str:
    """The style sheet."""
    return asset("page.css")


@cache
def script() -> str:
    """All scripts in one scope: nothing of them can be reached from elsewhere."""
    body = "\n".join(asset(name) for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{body}}})();\n'


@cache
def script_hash() -> str:
    """The one script that a page may run, as its Content-Security-Policy names it.

    Examples
    --------
    >>> script_hash().startswith("sha256-")
    True
    """
    digest = hashlib.sha256(script().encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def asset(name: str) -> str:
    """The text of one file."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
