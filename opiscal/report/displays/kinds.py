"""The kinds of figures of a report, by name."""

from collections.abc import Iterator, Sequence

from opiscal.errors import UsageError
from opiscal.measures.rate_intervals import rate_intervals
from opiscal.report.class_table import ClassTable, class_table
from opiscal.report.displays.class_ranking import ClassRankingDisplay
from opiscal.report.displays.class_thresholds import ClassThresholdsDisplay
from opiscal.report.displays.display import Display
from opiscal.report.displays.distances import DistancesDisplay, LogDistancesDisplay
from opiscal.report.displays.rates import RatesDisplay
from opiscal.report.displays.spread import SpreadDisplay
from opiscal.report.displays.tradeoff import DetDisplay, RocDisplay
from opiscal.report.displays.utility_curves import UtilityCurvesDisplay
from opiscal.report.record import Report

_OF_CLASSES = (
    UtilityCurvesDisplay,
    ClassRankingDisplay,
    ClassThresholdsDisplay,
    SpreadDisplay,
)
_OF_RATES = (RatesDisplay, DetDisplay, RocDisplay)
_OF_PAIRS = (DistancesDisplay, LogDistancesDisplay)

KINDS = (
    "utility-curves",
    "rates",
    "distances",
    "distances-log",
    "det",
    "roc",
    "class-ranking",
    "class-thresholds",
    "spread",
)
"""In the order in which a page shows them."""


def displays_of(
    report: Report, kinds: Sequence[str] = KINDS, *, table: ClassTable | None = None
) -> Iterator[Display]:
    """Displays of a report, one after the other; what several need is worked out once.

    Parameters
    ----------
    report : Report
    kinds : sequence of str
        Of `KINDS`.
    table : ClassTable, optional
        That of the report, where it is at hand.

    Raises
    ------
    UsageError
        For a kind that is not known.
    """
    check_kinds(kinds)
    of_classes = {one.kind: one for one in _OF_CLASSES}
    of_rates = {one.kind: one for one in _OF_RATES}
    of_pairs = {one.kind: one for one in _OF_PAIRS}
    if table is None and any(kind in of_classes for kind in kinds):
        table = class_table(report)
    intervals = None
    if report.intervals is not None and any(kind in of_rates for kind in kinds):
        intervals = rate_intervals(report.counts, report.settings.pool, report.confidence)
    for kind in kinds:
        if kind in of_classes:
            yield of_classes[kind].from_report(report, table=table)
        elif kind in of_rates:
            yield of_rates[kind].from_report(report, intervals=intervals)
        else:
            yield of_pairs[kind].from_report(report)


def check_kinds(kinds: Sequence[str]) -> None:
    """Refuse a kind that is not known with a `UsageError`."""
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"kind {kind!r}: must be one of {', '.join(KINDS)}")
