"""threshold.json: the artifact that a service loads."""

import json
from typing import Any

from opiscal.data.storage import Place, read_text
from opiscal.errors import InputError
from opiscal.measures.operating_points import OperatingPoint
from opiscal.report.record import Report, point_to_dict
from opiscal.report.whole_file import write_whole

ARTIFACT_VERSION = 1
# The largest distance that there is under a metric; that of float32 rows, and to spare.
_LONGEST = {"cosine": 2.0, "l2": 1e100}


def threshold_artifact(
    report: Report, point: OperatingPoint, confidence: float | None = None
) -> dict[str, Any]:
    """The document of ``threshold.json`` for an operating point that has numbers.

    The value on all four scales with a comparison line for each, the acceptance rule in words,
    metric, normalisation, tie rule, the rates found, pair counts, input hashes and tool version.
    `confidence` is that of the point's intervals and guarantee, the report's by default.
    """
    numbers = point_to_dict(point)
    cosine = report.metric == "cosine"
    lines = {
        "similarity": "accept = dot(a, b) >= {}",
        "distance": "accept = norm(a - b) <= {}",
        "cosine_distance": "accept = 1 - dot(a, b) <= {}",
        "squared_l2": "accept = sum((a - b) ** 2) <= {}",
    }
    scales = {name: numbers[name] for name in lines if numbers[name] is not None}
    rows = "rows scaled to unit length" if cosine else "rows as given, not scaled"
    rule = (
        "Two rows are accepted as the same class when their distance is at most the threshold; "
        f"distance is the L2 distance of {rows}."
    )
    return {
        "opiscal_threshold": ARTIFACT_VERSION,
        **{name: numbers[name] for name in lines},
        "compare": {name: lines[name].format(repr(value)) for name, value in scales.items()},
        "rule": rule,
        "metric": report.metric,
        "normalisation": "unit length" if cosine else "none",
        "ties": "accepted: a distance equal to the threshold is accepted",
        "criterion": point.criterion,
        "target": point.target,
        "far": point.far,
        "frr": point.frr,
        "far_ci": None if point.far_ci is None else list(point.far_ci),
        "frr_ci": None if point.frr_ci is None else list(point.frr_ci),
        "distance_ci": None if point.distance_ci is None else list(point.distance_ci),
        "fpir": point.fpir,
        "fnir": point.fnir,
        "utility": point.utility,
        "supported": point.supported,
        "guaranteed": point.guaranteed,
        "confidence": report.confidence if confidence is None else confidence,
        "exact_at_threshold": point.exact_at_threshold,
        "pairs": {"positive": report.pairs.positive, "negative": report.pairs.negative},
        "inputs": [{"path": item.path, "sha256": item.sha256} for item in report.provenance.inputs],
        "fingerprint": report.provenance.fingerprint,
        "opiscal_version": report.provenance.opiscal_version,
    }


def write_artifact(document: dict[str, Any], file: Place) -> None:
    """Write the artifact, whole or not at all; into a pipe or a device it is written straight."""
    # The name of an input may hold bytes that are no text: they become escapes of JSON.
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(file, text.encode("utf-8", "backslashreplace"))


def read_artifact(file: Place) -> tuple[str, float]:
    """The metric and the distance of a ``threshold.json``."""
    try:
        document = json.loads(read_text(file))
        metric, distance = document["metric"], document["distance"]
        if metric not in _LONGEST or type(distance) not in (int, float):
            raise ValueError("metric or distance is not of the right kind")
        if not 0.0 <= distance <= _LONGEST[metric]:
            raise ValueError("no distance of that metric")
    except OSError as error:
        raise InputError(
            f"{str(file)!r} cannot be read ({error.strerror}); give a threshold.json"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{str(file)!r} is not a threshold.json (it needs a metric and a distance of it); "
            "write one with 'opiscal threshold --far 1e-3 -o threshold.json'"
        ) from error
    return metric, float(distance)
