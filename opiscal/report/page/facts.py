"""What the page says of data, pairs and provenance: pairs of a term and a text."""

from opiscal.report.layout import clean
from opiscal.report.number_text import span_text
from opiscal.report.percents import percent
from opiscal.report.record import Report

Fact = tuple[str, str]


def data_facts(report: Report) -> list[Fact]:
    """What was read and used, and which pairs were counted."""
    data, pairs = report.data, report.pairs
    size = data.class_size
    facts = [("Rows", f"{data.rows_used:,} of {data.rows_read:,} read")]
    if data.queries is not None and data.gallery is not None:
        facts.append(("Queries and gallery", f"{data.queries:,} against {data.gallery:,} rows"))
        if data.queries_unknown:
            facts.append(("Queries without a class in the gallery", f"{data.queries_unknown:,}"))
    facts += [
        ("Dimensions", f"{data.dimensions:,}, held as {data.precision}"),
        ("Classes", f"{data.classes:,}, {data.classes_scored:,} of them scored"),
        (
            "Rows of a class",
            f"{span_text(size.min, size.max)}, median {size.median:g}",
        ),
    ]
    left_out = [
        (data.dropped.null_label, "without a label"),
        (data.dropped.null_embedding, "without a vector"),
        (data.dropped.non_finite, "with NaN or infinity"),
        (data.dropped.zero_norm, "of length zero"),
        (data.dropped.singleton, "alone in their class"),
    ]
    if any(count for count, _ in left_out):
        text = ", ".join(f"{count:,} {why}" for count, why in left_out if count)
        facts.append(("Rows left out", text))
    if data.sample is not None:
        facts.append(
            ("Sample of rows", f"whole classes, {data.classes:,} of {data.sample.classes_read:,}")
        )
    if data.distractors:
        facts.append(("Distractors", f"{data.distractors:,} rows, negatives for every class"))
    facts += [
        ("Metric", f"{report.metric}"),
        ("Pairs of one class", f"{pairs.positive:,}"),
        ("Pairs of different classes", f"{pairs.negative:,}"),
    ]
    return facts + _counting(report)


def _counting(report: Report) -> list[Fact]:
    pairs, sampling = report.pairs, report.pairs.sampling
    if sampling is None:
        return [("Counted", "every pair")]
    counted = pairs.positive_counted + pairs.negative_counted
    found = f"{percent(sampling.neighbour_recall)} of the ten nearest rows"
    if sampling.near_recall is not None:
        found += f" and {percent(sampling.near_recall)} of the near pairs"
    facts = [
        ("Counted", f"a sample of {counted:,} pairs ({clean(pairs.reason)})"),
        (
            "Near pairs of different classes",
            f"{sampling.near_pairs:,}, all that the index {clean(sampling.index)} found",
        ),
        ("The index finds", f"{found}; what it misses is in the random part"),
        (
            "The other pairs",
            f"{sampling.columns:,} random columns, each pair with probability "
            f"{sampling.probability:.3g}",
        ),
    ]
    if sampling.corrected_opis_ci is not None:
        low, high = sampling.corrected_opis_ci
        facts.append(("OPIS without noise of every pair", f"{low:.6f} to {high:.6f}"))
    return facts


def provenance_facts(report: Report) -> list[Fact]:
    """By what, from what and how the numbers were made."""
    made, intervals = report.provenance, report.intervals
    columns = ", ".join(
        f"{name}: {clean(column)}" for name, column in made.columns.items() if column is not None
    )
    facts = [("Command", clean(made.command))] if made.command else []
    facts += [("Columns", columns)] if columns else []
    facts += [
        ("Fingerprint of inputs and settings", made.fingerprint),
        ("Seed", str(made.seed)),
        ("Threads", str(made.threads)),
        (
            "Versions",
            ", ".join(
                f"{name} {version}"
                for name, version in {"opiscal": made.opiscal_version, **made.versions}.items()
            ),
        ),
        (
            "Time",
            ", ".join(
                f"{name.replace('_', ' ')} {took:.2f} s" for name, took in made.elapsed_s.items()
            ),
        ),
    ]
    if intervals is not None:
        facts.append(
            (
                "Intervals",
                f"{100 * report.confidence:g} %, from {intervals.replicates:,} replicates, "
                f"seed {intervals.seed}",
            )
        )
    return [(term, text) for term, text in facts if text]
