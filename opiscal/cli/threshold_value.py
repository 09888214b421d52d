"""A threshold as it is written on the command line: with its scale, or in a threshold.json."""

from pathlib import Path

from opiscal.data.embedding_set import Metric
from opiscal.errors import UsageError
from opiscal.measures.operating_points import distance_on_scale
from opiscal.report.artifact import read_artifact


def distance_of(text: str, metric: Metric, option: str) -> float:
    """The distance that is meant by ``SCALE=VALUE`` or ``@threshold.json``.

    Raises
    ------
    UsageError
        For text of another form, as a number without a scale, a scale that the metric does not
        have, a value outside it, or a threshold of another metric.
    InputError
        Where the file cannot be read.
    """
    if text.startswith("@"):
        kind, distance = read_artifact(Path(text[1:]))
        if kind != metric:
            raise UsageError(
                f"{text[1:]!r} is a threshold for {kind}, the run is for {metric}; evaluate "
                f"with --metric {kind}"
                if option == "--at"
                else f"{text[1:]!r} is a threshold for {kind}, and {metric} was asked for; give "
                f"--metric {kind}"
            )
        return distance
    scale, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        raise UsageError(
            f"{option} {text!r}: must be SCALE=VALUE with a number, such as similarity=0.72, or "
            "@threshold.json"
        ) from None
    return distance_on_scale(scale, number, metric)
