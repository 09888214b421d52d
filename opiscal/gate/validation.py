"""Validation: what a file of opiscal is, and whether it is sound."""

import json
import os
from pathlib import Path
from typing import Any

from opiscal.data.storage import Place, is_file, is_folder, read_bytes
from opiscal.errors import InputError
from opiscal.gate.policy import has_policy, read_policy
from opiscal.measures.operating_points import threshold_scales
from opiscal.report.artifact import ARTIFACT_VERSION, read_artifact
from opiscal.report.run import load
from opiscal.report.run_folder import COUNTS_FILE, REPORT_FILE

# Nine digits are kept, and rounded towards the safe side.
_CLOSE = 1e-8


def validate(path: Place) -> str:
    """Say what a policy, a threshold.json, a run folder or its report.json is.

    Returns
    -------
    str
        In words, such as ``policy: 3 rules, 2 of them required; confidence 0.95``.

    Raises
    ------
    OpiscalError
        Where it is none of these, or not sound.
    """
    if is_folder(path):
        return _run(path)
    if path.suffix == ".toml":
        return _policy(path)
    document = _document(path)
    if "opiscal_threshold" in document:
        return _threshold(path, document)
    if "schema_version" in document:
        if path.name != REPORT_FILE or not is_file(path.parent / COUNTS_FILE):
            raise InputError(
                f"{str(path)!r} is the report of a run without the {COUNTS_FILE} beside it, from "
                f"which all questions are answered; keep both, as {REPORT_FILE} and {COUNTS_FILE}"
            )
        return _run(path.parent)
    raise _unknown(path)


def run_folder_of(path: Place) -> Place:
    """The folder of a run that is named by itself, or by its ``report.json``."""
    return path.parent if path.name == REPORT_FILE and is_file(path) else path


def _run(folder: Place) -> str:
    report = load(folder)
    data = report.data
    return (
        f"run: {data.classes_scored:,} classes scored, {data.rows_used:,} rows, {report.metric}, "
        f"OPIS {report.opis.value:.4g}"
    )


def _policy(file: Place) -> str:
    policy = read_policy(file)
    required = sum(rule.level == "required" for rule in policy.rules)
    many = "1 rule" if len(policy.rules) == 1 else f"{len(policy.rules)} rules"
    return f"policy: {many}, {required} of them required; confidence {policy.confidence:g}"


def _document(path: Place) -> dict[str, Any]:
    try:
        text = read_bytes(path).decode("utf-8")
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be read ({error.strerror}); give a policy, a threshold.json or "
            "a run"
        ) from error
    except ValueError as error:
        raise _unknown(path) from error
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unknown(path) from error
    if not isinstance(document, dict):
        raise _unknown(path)
    return document


def _unknown(path: Place) -> InputError:
    return InputError(
        f"{str(path)!r} is no policy (.toml), threshold.json, run folder or its {REPORT_FILE}; "
        "give one of these"
    )


def _threshold(path: Place, document: dict[str, Any]) -> str:
    if document["opiscal_threshold"] != ARTIFACT_VERSION:
        raise InputError(
            f"{str(path)!r} has opiscal_threshold {document['opiscal_threshold']!r}, this version "
            f"reads {ARTIFACT_VERSION}; write it again with 'opiscal threshold -o'"
        )
    metric, distance = read_artifact(path)
    known = threshold_scales(distance, "cosine" if metric == "cosine" else "l2")
    for name, value in known.items():
        found = document.get(name)
        if value is None and found is None:
            continue
        if (
            value is None
            or not isinstance(found, int | float)
            or not abs(found - value) <= _CLOSE * max(abs(value), 1.0)
        ):
            raise InputError(
                f"{str(path)!r} has {name} {found!r}, and its distance {distance!r} is "
                f"{'none' if value is None else format(value, '.9g')} on that scale; write it "
                "again with 'opiscal threshold -o'"
            )
    far = document.get("far")
    told = f", FAR {far:.3g}" if type(far) in (int, float) else ""
    place = f"distance {distance:.6g}"
    if known["similarity"] is not None:
        place = f"similarity {known['similarity']:.6g}"
    return f"threshold: {metric}, {place}{told}"


def project_policy() -> Path | None:
    """The project file here, where it has a policy in it."""
    file = Path("pyproject.toml")
    return file if os.access(file, os.R_OK) and has_policy(file) else None
