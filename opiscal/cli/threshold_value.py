"""A threshold as it is written on the command line: with its scale, or in a threshold.json."""

from opiscal.data.embedding_set import Metric
from opiscal.data.storage import place_of
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
        file = place_of(text[1:])
        kind, distance = read_artifact(file)
        if kind != metric:
            raise UsageError(
                f"{str(file)!r} is a threshold for {kind}, the run is for {metric}; evaluate "
                f"with --metric {kind}"
                if option == "--at"
                else f"{str(file)!r} is a threshold for {kind}, and {metric} was asked for; give "
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
