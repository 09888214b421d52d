"""Where a threshold comes from that nobody wrote down: a run, or a sample of pairs."""

from dataclasses import dataclass

import numpy as np

from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, Metric
from opiscal.data.storage import Place
from opiscal.errors import InconclusiveError, InputError, OpiscalError, UsageError
from opiscal.pairs.sample import sample_pairs
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.report.record import Report
from opiscal.report.run import load
from opiscal.report.run_folder import is_run

SAMPLE_FAR = 1e-3
"""FAR, in a sample of pairs, of the threshold that is taken where none is known."""


@dataclass(frozen=True, slots=True)
class GivenThreshold:
    """A threshold, as a distance, and where it comes from."""

    distance: float
    source: str = "given"


def check_threshold(threshold: GivenThreshold | None, metric: Metric) -> None:
    """Make sure that a threshold is a distance of a metric."""
    longest = 2.0 if metric == "cosine" else np.inf
    if threshold is not None and not (
        0.0 <= threshold.distance <= longest and np.isfinite(threshold.distance)
    ):
        raise UsageError(
            f"threshold {threshold.distance:g}: a distance under {metric} lies between 0 and "
            f"{longest:g}"
        )


def sampled_threshold(rows: SortedRows, metric: Metric, seed: int) -> GivenThreshold:
    """The threshold with FAR 0.001 in a seeded sample, or of its nearest pair if it has few."""
    negative = sample_pairs(rows, seed).negative
    if negative.size == 0:
        raise InconclusiveError(
            "a sample of the rows has no pair of two classes to take a threshold from; give one "
            "with --threshold"
        )
    accepted = max(1, int(SAMPLE_FAR * negative.size))
    # The next number, so that the pair itself is within it in double precision too.
    half_squared = float(np.nextafter(negative[accepted - 1], np.float32(np.inf)))
    distance = float(np.sqrt(2.0 * half_squared)) * rows.scale
    return GivenThreshold(
        min(distance, 2.0) if metric == "cosine" else distance,
        f"FAR {max(SAMPLE_FAR, 1 / negative.size):.3g} in a seeded sample of pairs",
    )


def threshold_of_run(run: Place, metric: Metric) -> GivenThreshold:
    """The recommended threshold of a run.

    Raises
    ------
    InputError
        Where there is no run, or it recommends no threshold.
    UsageError
        Where it is a run of another metric.
    """
    report = load(run)
    if report.metric != metric:
        raise UsageError(
            f"run {str(run)!r} is for {report.metric}, and {metric} was asked for; give "
            f"--metric {report.metric}"
        )
    distance = report.recommended_threshold.distance
    if distance is None:
        raise InputError(
            f"run {str(run)!r} recommends no threshold; give one with --threshold similarity=0.72"
        )
    return GivenThreshold(distance, f"the recommended one of {run}")


def threshold_of_same_input(
    run: Place, embeddings: EmbeddingSet, columns: ColumnNames
) -> GivenThreshold | None:
    """The recommended threshold of a run, if it was made from the same files and columns."""
    if not is_run(run):
        return None
    try:
        report = load(run)
        if not _is_of(report, embeddings, columns):
            return None
        return threshold_of_run(run, embeddings.metric)
    except OpiscalError:
        # It was not asked for: a run that is damaged is as good as none.
        return None


def _is_of(report: Report, embeddings: EmbeddingSet, columns: ColumnNames) -> bool:
    named = report.provenance.columns
    return (
        [item.sha256 for item in report.provenance.inputs]
        == [item.sha256 for item in embeddings.inputs]
        and report.metric == embeddings.metric
        and named.get("label") == columns.label
        and named.get("embedding") == columns.embedding
    )
