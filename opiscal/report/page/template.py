"""The template of the page, filled in. The one door to jinja2."""

from functools import partial
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from opiscal.data.embedding_set import Label
from opiscal.report.layout import clean
from opiscal.report.number_text import distance_text, similarity_text
from opiscal.report.page.assets import asset
from opiscal.report.page.names import Names
from opiscal.report.page.words import target_words
from opiscal.report.percents import percent, percent_between

_TITLE_FROM = 40


def filled(names: Names, **values: Any) -> str:
    """The page with values in it; whatever is not marked as safe is shown as text."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {
        "cleaned": clean,
        "criterion": target_words,
        "down": distance_text,
        "fixed": _fixed,
        "name": partial(_name, names),
        "percent": percent,
        "percent_between": percent_between,
        "programs": _programs,
        "set_apart": _set_apart,
        "short": lambda value: f"{value:.2g}",
        "up": similarity_text,
        "whole": lambda value: f"{value:,}",
    }
    return environment.from_string(asset("page.html.jinja")).render(values)


def _name(names: Names, label: Label | None) -> Markup:
    """A label on its own: its direction changes nothing around it, and a long one has a title."""
    shown = names.show(label)
    if len(shown) > _TITLE_FROM:
        return Markup('<bdi class="name long" title="{0}">{0}</bdi>').format(shown)
    return Markup('<bdi class="name">{}</bdi>').format(shown)


def _set_apart(text: str, name: str) -> Markup:
    """A sentence with a name in it, whose direction changes nothing around it."""
    before, found, after = text.partition(name) if name else (text, "", "")
    return (
        Markup("{}<bdi>{}</bdi>{}").format(before, found, after) if found else Markup.escape(text)
    )


def _programs(text: str, name: str) -> Markup:
    """Sentences with programs in backquotes, or with a name in them."""
    if name and name in text:
        return _set_apart(text, name)
    parts = [Markup.escape(part) for part in text.split("`")]
    parts[1::2] = [Markup("<code>{}</code>").format(part) for part in parts[1::2]]
    return Markup("").join(parts)


def _fixed(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
