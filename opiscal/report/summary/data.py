"""What the summary says about the rows and the pairs."""

from opiscal.report.layout import Screen, fit
from opiscal.report.number_text import span_text
from opiscal.report.record import Report


def data_lines(report: Report, screen: Screen) -> list[str]:
    """Rows, pairs and classes, and what is unusual about them."""
    said = _two_sets(report) if report.data.queries is not None else _one_set(report, screen)
    return [piece for line in [*said, *_left_out(report)] for piece in fit(line, screen.room)]


def _one_set(report: Report, screen: Screen) -> list[str]:
    data, pairs = report.data, report.pairs
    lines = [
        *_counted(report, screen),
        f"{pairs.positive:,} positive pairs, {pairs.negative:,} negative pairs",
        f"{data.classes:,} classes of {span_text(data.class_size.min, data.class_size.max)} rows, "
        f"{data.classes_scored:,} scored; {data.dimensions:,} dimensions, {report.metric}",
    ]
    if data.precision != "float32":
        lines.append(f"vectors were rounded to {data.precision}: distances move a little")
    if data.sample is not None:
        lines.append(
            f"a sample of {data.rows_read:,} rows: whole classes, {data.classes:,} of "
            f"{data.sample.classes_read:,}"
        )
    return lines


def _two_sets(report: Report) -> list[str]:
    data, pairs = report.data, report.pairs
    lines = [
        f"{pairs.mode}: all {pairs.positive + pairs.negative:,} pairs of {data.queries:,} queries "
        f"with {data.gallery:,} gallery rows",
        f"{pairs.positive:,} positive pairs, {pairs.negative:,} negative pairs; none within a side",
        f"{data.classes:,} classes, {data.classes_scored:,} on both sides and scored; "
        f"{data.dimensions:,} dimensions, {report.metric}",
    ]
    if data.queries_unknown:
        lines.append(
            f"{data.queries_unknown:,} queries have no class in the gallery: FPIR is over these"
        )
    return lines


def _left_out(report: Report) -> list[str]:
    data, lines = report.data, []
    if data.dropped.total:
        lines.append(f"{data.dropped.total:,} of {data.rows_read:,} rows were left out")
    if data.distractors:
        lines.append(f"{data.distractors:,} rows are distractors: negatives for every class")
    return lines


def _counted(report: Report, screen: Screen) -> list[str]:
    pairs, rows = report.pairs, report.data.rows_used
    total, sampling = pairs.positive + pairs.negative, pairs.sampling
    if sampling is None:
        return [f"{pairs.mode}: all {total:,} pairs of {rows:,} rows"]
    counted = pairs.positive_counted + pairs.negative_counted
    lines = [
        f"sampled: {counted:,} of {total:,} pairs of {rows:,} rows ({pairs.reason})",
        f"{sampling.near_pairs:,} near negatives found by {screen.shown(sampling.index)}, the rest "
        f"by {sampling.columns:,} random columns",
    ]
    recall = f"the index finds {100 * sampling.neighbour_recall:.1f} % of the ten nearest rows"
    if sampling.near_recall is not None:
        recall += f" and {100 * sampling.near_recall:.1f} % of the near negatives"
    lines.append(recall + "; what it misses is in the random part")
    if sampling.corrected_opis_ci is not None:
        low, high = sampling.corrected_opis_ci
        lines.append(f"every pair would give OPIS without noise in [{low:.6f}, {high:.6f}]")
    return lines
