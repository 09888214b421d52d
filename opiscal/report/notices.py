"""What the reader of a report should know about its numbers."""

from collections.abc import Sequence

from opiscal.data.embedding_set import RowSample
from opiscal.measures.calibration_range import CalibrationRange
from opiscal.measures.operating_points import WIDE_ERRORS, OperatingPoint, expected_errors
from opiscal.measures.rate_intervals import RateIntervals
from opiscal.measures.rates import RateCurve
from opiscal.pairs.counts import PairCounts
from opiscal.report.answers import is_wide
from opiscal.report.findings import Data, Notice
from opiscal.report.settings import EvaluateConfig
from opiscal.report.split import FEWEST_CLASSES

FEW_CLASSES = 10
"""Scored classes below which there is the warning ``few_classes``."""


def range_notices(found: CalibrationRange, curve: RateCurve) -> list[Notice]:
    """What is doubtful about the calibration range."""
    notices = []
    if found.collapsed:
        notices.append(
            Notice(
                "range_collapsed",
                f"the calibration range {found.given} has no width: both ends are at distance "
                f"{found.low:.6g}; OPIS is the variance over classes at that one threshold",
            )
        )
    kind, _, ends = found.given.partition("=")
    if kind == "far":
        lowest = min(float(end) for end in ends.split(":"))
        if expected_errors(curve, "far", lowest) < 3:
            notices.append(
                Notice(
                    "range_unsupported",
                    f"fewer than 3 false accepts are expected at the lower end of the calibration "
                    f"range {found.given}: it is a guess; choose a range of higher FAR",
                )
            )
    return notices


def wide_notices(
    points: Sequence[OperatingPoint], curve: RateCurve, intervals: RateIntervals | None
) -> list[Notice]:
    """Operating points whose target rests on few errors."""
    wide = [f"{point.target:g}" for point in points if is_wide(point, curve, intervals)]
    if not wide:
        return []
    return [
        Notice(
            "wide",
            f"fewer than {WIDE_ERRORS} false accepts are expected at FAR {', '.join(wide)} among "
            "the effective number of pairs: see the intervals of these operating points",
        )
    ]


def data_notices(data: Data) -> list[Notice]:
    """Rows that were left out, and classes that are few."""
    dropped = data.dropped
    reasons = {
        "null_label": (dropped.null_label, "have no label"),
        "null_embedding": (dropped.null_embedding, "have no vector"),
        "non_finite": (dropped.non_finite, "hold NaN or infinity"),
        "zero_norm": (dropped.zero_norm, "have length zero, which has no direction"),
    }
    notices = [
        Notice(f"dropped_{name}", f"{count} of {data.rows_read} rows {why} and were left out")
        for name, (count, why) in reasons.items()
        if count
    ]
    if data.sample is not None:
        notices.append(_sampled(data, data.sample))
    if data.classes_scored < FEW_CLASSES:
        notices.append(
            Notice(
                "few_classes",
                f"only {data.classes_scored} classes "
                f"{'have two rows or more' if data.queries is None else 'are on both sides'}: OPIS "
                "is a variance over classes and is rough with so few",
            )
        )
    return notices


def _sampled(data: Data, sample: RowSample) -> Notice:
    why, how = "", ""
    if sample.automatic:
        why = " since all rows take more than half of the memory of this machine,"
        how = f", and --sample-rows {data.rows_read} takes all of them"
        if data.precision == "float32":
            how = f", --half holds twice as many{how}"
    return Notice(
        "rows_sampled",
        f"{data.rows_used:,} of {data.rows_read:,} rows were used:{why} whole classes, "
        f"{data.classes:,} of {sample.classes_read:,}, were drawn by a hash of their labels and "
        f"the seed; --sample-rows says how many rows{how}",
    )


def split_notices(counts: PairCounts, config: EvaluateConfig) -> list[Notice]:
    """Whether a split that was asked for could not be made."""
    if not config.splits or counts.classes >= FEWEST_CLASSES:
        return []
    return [
        Notice(
            "split_few_classes",
            f"{counts.classes} scored classes: a split needs at least {FEWEST_CLASSES}, two for "
            "each half; none was made",
        )
    ]
