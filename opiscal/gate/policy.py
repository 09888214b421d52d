"""Policy: the rules of a gate, checked when they are read.

A policy is a TOML file, or the table ``[tool.opiscal.gate]`` of a ``pyproject.toml``::

    confidence = 0.95

    [[rule]]
    metric = "frr_at_far"
    far = 1e-3
    max_increase = 0.0
"""

import difflib
import tomllib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from opiscal.data.storage import Place, is_file, read_bytes
from opiscal.data.url import shown
from opiscal.errors import InputError, UsageError
from opiscal.gate.rule_metrics import (
    AT_FAR,
    AT_THRESHOLD,
    WITH_DIFFERENCE,
    WITH_INTERVAL,
    known_metrics,
)
from opiscal.report.layout import clean, cut

Kind = Literal["max", "min", "max_increase", "max_decrease", "max_relative_increase"]
Level = Literal["required", "advisory"]
Judge = Literal["interval", "value"]

KINDS: tuple[Kind, ...] = ("max", "min", "max_increase", "max_decrease", "max_relative_increase")
OF_DIFFERENCES = KINDS[2:]
"""Limits of what may have changed since the baseline."""

PROJECT_FILE = "pyproject.toml"
_TABLE = ("tool", "opiscal", "gate")
_SHOWN = 60

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(allow_inf_nan=False, ge=0)]


class Rule(BaseModel):
    """One rule: a metric, one limit, and how it is judged.

    Attributes
    ----------
    metric : str
        A path in ``report.json``, ``frr_at_far`` (with `far`), ``far_at_threshold``,
        ``frr_at_threshold`` or ``utility_at_threshold`` (at `threshold`).
    far : float, in (0, 1), optional
        ``at_far`` is the same.
    threshold : str, optional
        ``recommended`` (of the candidate, the default), ``baseline`` (the one it recommends),
        ``far=x`` (that of the candidate for a FAR), or one in production: ``similarity=0.72``,
        ``distance=``, ``cosine-distance=``, ``squared-l2=``, ``@threshold.json``.
    max, min : float, optional
        Of the candidate's number.
    max_increase, max_decrease : float, optional
        Of the candidate's number less that of the baseline.
    max_relative_increase : float, optional
        The same as a part of the baseline's number.
    margin : float or "auto", optional
        How far beyond the limit still counts as within it, in units of the metric; see
        `opiscal.gate.verdict`. By default ``auto`` for limits of what has changed, else 0.
    level : "required" or "advisory"
    judge : "interval" or "value"
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    metric: str
    far: Annotated[float, Field(gt=0, lt=1)] | None = None
    threshold: str | None = None
    max: Number | None = None
    min: Number | None = None
    max_increase: Number | None = None
    max_decrease: Number | None = None
    max_relative_increase: Annotated[float, Field(allow_inf_nan=False, gt=-1)] | None = None
    margin: Positive | Literal["auto"] | None = None
    level: Level = "required"
    judge: Judge = "interval"

    @property
    def kind(self) -> Kind:
        """Which limit it has."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def limit(self) -> float:
        """The limit itself."""
        return float(getattr(self, self.kind))

    @property
    def needs_baseline(self) -> bool:
        """Whether it says nothing of a candidate alone."""
        return self.kind in OF_DIFFERENCES or self.threshold == "baseline"

    @property
    def title(self) -> str:
        """The rule in words, such as ``frr_at_far (far 0.01), max_increase 0``."""
        where = f" (far {self.far:g})" if self.far is not None else ""
        if self.metric in AT_THRESHOLD:
            place = self.threshold or "recommended"
            where = f" (threshold {cut(clean(shown(place)), _SHOWN).rstrip()})"
        return f"{self.metric}{where}, {self.kind} {self.limit:g}"

    @model_validator(mode="before")
    @classmethod
    def _one_name(cls, given: Any) -> Any:
        if isinstance(given, dict) and "at_far" in given:
            if "far" in given:
                raise ValueError("far and at_far are the same: give one of them")
            given = {("far" if key == "at_far" else key): value for key, value in given.items()}
        return given

    @model_validator(mode="after")
    def _fits(self) -> "Rule":
        if self.metric not in known_metrics():
            raise ValueError(
                f"metric {_shown(self.metric)} is not known{_nearest(self.metric, known_metrics())}"
            )
        limits = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(limits) != 1:
            raise ValueError(
                f"limits given: {', '.join(limits) or 'none'}; give exactly one of "
                f"{', '.join(KINDS)}"
            )
        if (self.metric == AT_FAR) != (self.far is not None):
            raise ValueError(f"far is for {AT_FAR}, which needs it, such as far = 1e-3")
        if self.threshold is not None and self.metric not in AT_THRESHOLD:
            raise ValueError(f"threshold is for {', '.join(AT_THRESHOLD)}")
        if self.judge == "value" and self.margin is not None:
            raise ValueError("judge = 'value' compares plain numbers: leave the margin out")
        known = WITH_DIFFERENCE if self.kind in OF_DIFFERENCES else WITH_INTERVAL
        if self.judge == "interval" and self.metric not in known:
            raise ValueError(
                f"metric {self.metric!r} has no interval for {self.kind}; give judge = 'value', or "
                f"one of {', '.join(known)}"
            )
        return self


class Policy(BaseModel):
    """The rules of a gate.

    Attributes
    ----------
    confidence : float, in (0.5, 0.999]
        Of the verdict.
    rules : tuple of Rule
        ``[[rule]]`` in a file; at least one of them required.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    confidence: Annotated[float, Field(gt=0.5, le=0.999)] = 0.95
    rules: Annotated[list[Rule], Field(alias="rule", min_length=1)]

    @model_validator(mode="after")
    def _some_required(self) -> "Policy":
        if all(rule.level == "advisory" for rule in self.rules):
            raise ValueError("no rule is required, so that everything would pass")
        return self

    def to_toml(self) -> str:
        """The policy as TOML, which reads back as the same."""
        lines = [f"confidence = {self.confidence!r}"]
        for rule in self.rules:
            given = rule.model_dump(exclude_none=True)
            given = {k: v for k, v in given.items() if v != Rule.model_fields[k].default}
            lines += ["", "[[rule]]", *(f"{k} = {_toml(v)}" for k, v in given.items())]
        return "\n".join(lines) + "\n"


def policy_of(table: Any, source: str) -> Policy:
    """The policy that a table describes.

    Raises
    ------
    UsageError
        Names the first thing that is wrong with it, and the nearest name of what is not known.

    Examples
    --------
    >>> policy_of({"rule": [{"metric": "opis.value", "max": 0.02}]}, "here").rules[0].title
    'opis.value, max 0.02'
    >>> policy_of({"rule": [{"metric": "opis.valeu", "max": 0.02}]}, "here")
    Traceback (most recent call last):
    opiscal.errors.UsageError: policy here: rule 1: metric 'opis.valeu' is not known (did you mean \
'opis.value'?)
    """
    try:
        return Policy.model_validate(table)
    except ValidationError as error:
        # A name that is not known explains others that are missing.
        found = error.errors(include_url=False)
        found.sort(key=lambda one: one["type"] != "extra_forbidden")
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise UsageError(f"policy {source}: {_told(found[0])}{more}") from None


def read_policy(file: Place) -> Policy:
    """Read a policy from a TOML file, or from ``[tool.opiscal.gate]`` of one that has it.

    Raises
    ------
    InputError
        Where the file cannot be read.
    UsageError
        Where it is no policy.
    """
    table = _table(file)
    source = repr(str(file))
    inner = _inner(table)
    if inner is None and (file.name == PROJECT_FILE or "tool" in table):
        raise UsageError(
            f"policy {source}: it has no table [{'.'.join(_TABLE)}]; write one there, or a file "
            "of rules with 'opiscal gate --init'"
        )
    return policy_of(table if inner is None else inner, source)


def has_policy(file: Place) -> bool:
    """Whether there is a project file with a table of rules."""
    return is_file(file) and _inner(_table(file)) is not None


def _table(file: Place) -> dict[str, Any]:
    try:
        return tomllib.loads(read_bytes(file).decode("utf-8"))
    except OSError as error:
        raise InputError(
            f"policy {str(file)!r} cannot be read ({error.strerror}); write one with 'opiscal gate "
            "--init'"
        ) from error
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"policy {str(file)!r} is not TOML ({reason}); mend that line") from error


def _inner(table: dict[str, Any]) -> Any:
    found: Any = table
    for name in _TABLE:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _told(error: Any) -> str:
    """What is wrong, and where, in one line."""
    where, kind = list(error["loc"]), error["type"]
    place = ""
    fields = tuple("rule" if f == "rules" else f for f in Policy.model_fields)
    if where[:1] == ["rule"] and len(where) > 1:
        place, where = f"rule {where[1] + 1}: ", where[2:]
        fields = (*Rule.model_fields, "at_far")
    name = str(where[0]) if where else ""
    value = "" if isinstance(error["input"], dict | list) else f" {_shown(error['input'])}"
    if kind == "extra_forbidden":
        return f"{place}{_shown(name)} is not known{_nearest(name, fields)}"
    if kind == "missing":
        return f"{place}{name} is missing"
    message = str(error["msg"]).removeprefix("Value error, ")
    if name == "margin":
        message = "must be a number, 0 or more, or 'auto'"
    if kind != "value_error":
        message = f"{message[:1].lower()}{message[1:]}"
    return f"{place}{name}{value}: {message}" if name else f"{place}{message}"


def _nearest(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, 1, 0.5)
    if not close:
        # A part of a path, such as "eer".
        close = [other for other in known if name and name in other.split(".")]
    return (
        f" (did you mean {close[0]!r}?)" if close else f"; known are {', '.join(known[:12])}, ..."
    )


def _shown(value: object) -> str:
    text = clean(value) if isinstance(value, str) else str(value)
    return repr(cut(text, _SHOWN).rstrip()) if isinstance(value, str) else text


def _toml(value: object) -> str:
    if not isinstance(value, str):
        return repr(value)
    special = {'"': '\\"', "\\": "\\\\"}
    safe = (special.get(c, c if c.isprintable() else f"\\U{ord(c):08X}") for c in value)
    return '"' + "".join(safe) + '"'
