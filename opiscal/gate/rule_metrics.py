"""Rule metrics: the numbers of a report that a rule of a gate can be about."""

import dataclasses
import types
import typing
from functools import cache
from typing import Any

from opiscal.gate.figures import RECALL
from opiscal.measures.retrieval import RECALL_AT
from opiscal.report.record import Report

AT_FAR = "frr_at_far"
"""FRR at the threshold for a FAR, which the rule gives."""

AT_THRESHOLD = ("far_at_threshold", "frr_at_threshold", "utility_at_threshold")
"""What is found at one threshold."""

_OF_RECOMMENDED = tuple(
    f"recommended_threshold.{name.removesuffix('_at_threshold')}" for name in AT_THRESHOLD
)
_REPLICATED = (
    "opis.value",
    "opis.corrected",
    "epsilon_opis.value",
    "utility.mean",
    "verification.eer",
    RECALL,
    "recommended_threshold.distance",
    AT_FAR,
    *AT_THRESHOLD,
)

WITH_INTERVAL = (*_REPLICATED, *_OF_RECOMMENDED)
"""Metrics of which one run by itself shows how sure they are."""

WITH_DIFFERENCE = _REPLICATED
"""Metrics whose difference between two runs has an interval."""

_SKIPPED = ("provenance", "settings", "counts", "nearest_class", "warnings", "schema_version")


@cache
def known_metrics() -> tuple[str, ...]:
    """Every name that a rule may give as its metric: paths in ``report.json``, and a few more.

    Examples
    --------
    >>> "opis.corrected" in known_metrics(), "opis.ci" in known_metrics()
    (True, False)
    """
    return (AT_FAR, *AT_THRESHOLD, *_paths(Report, ""))


def at_recommended(metric: str) -> str | None:
    """``far_at_threshold`` for ``recommended_threshold.far``, and so on; None for others."""
    if metric not in _OF_RECOMMENDED:
        return None
    return AT_THRESHOLD[_OF_RECOMMENDED.index(metric)]


def reported(report: Report, metric: str) -> float | None:
    """The number at a path of a report; None where it is missing or no number.

    The equal error rate, which a report has as two bounds, is their middle.

    Parameters
    ----------
    report : Report
    metric : str
        One of `known_metrics` that is a path.
    """
    value: Any = report
    for name in metric.split("."):
        value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
    if metric == "verification.eer" and value is not None:
        value = sum(value) / 2
    return float(value) if isinstance(value, int | float) else None


def _paths(record: Any, prefix: str) -> list[str]:
    hints = typing.get_type_hints(record)
    out: list[str] = []
    for f in dataclasses.fields(record):
        if prefix == "" and f.name in _SKIPPED:
            continue
        path = f"{prefix}{f.name}"
        kinds = _alternatives(hints[f.name])
        if path == "verification.eer" or float in kinds or int in kinds:
            out.append(path)
        out += [found for kind in kinds for found in _below(kind, path)]
    return out


def _below(kind: Any, path: str) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return _paths(kind, f"{path}.")
    return [f"{path}.{k}" for k in RECALL_AT] if typing.get_origin(kind) is dict else []


def _alternatives(hint: Any) -> tuple[Any, ...]:
    """The kinds of a union, or the one there is; labels, which may be numbers, are none."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = typing.get_args(hint)
        return () if str in kinds else kinds
    return (hint,)
