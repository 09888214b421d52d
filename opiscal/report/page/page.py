"""The page: one report as one HTML file that needs nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label, Metric
from opiscal.measures.operating_points import OperatingPoint
from opiscal.measures.rate_intervals import rate_intervals
from opiscal.report.advice import find_advice
from opiscal.report.class_table import ClassTable, class_table
from opiscal.report.page.assets import script, script_hash, style
from opiscal.report.page.class_columns import best_text, class_order, shown_labels
from opiscal.report.page.facts import data_facts, provenance_facts
from opiscal.report.page.names import Names, script_json
from opiscal.report.page.page_data import PageData, page_data
from opiscal.report.page.picture import Picture
from opiscal.report.page.template import filled
from opiscal.report.page.words import (
    comparisons,
    opis_words,
    rule_words,
    target_words,
    threshold_words,
    utility_words,
    verdict,
    verdict_words,
)
from opiscal.report.record import Report

PAGE_BYTES = 4_800_000
"""What a page may take; figures alone may take more."""
MOST_CLASSES = 20_000
"""Of more classes those of the lowest mean utility are on the page."""
_NAMES_BYTES = 1_200_000
_STATIC_CLASSES = 50
_WORST_NAMED = 3
_CONTROLLED = ("utility-curves", "rates")


@dataclass(frozen=True, slots=True)
class StaticRow:
    """A class as the page shows it where no script runs."""

    label: Label
    rows: int
    utility: float
    error: float | None
    share: float
    far: float | None
    frr: float | None
    best: str
    nearest: Label | None


def report_page(
    report: Report, pictures: Iterable[Picture], table: ClassTable | None = None
) -> str:
    """A report as one HTML document: summary, figures, classes, operating points, provenance.

    It loads nothing: style and script stand in it, and it forbids everything else by a
    Content-Security-Policy. Without scripts the text, the figures and the tables are there.

    Parameters
    ----------
    report : Report
    pictures : iterable of Picture
        In the order in which they are to be seen. Their SVG is taken as it is.
    table : ClassTable, optional
        That of the report, where it is at hand already.

    Returns
    -------
    str
        Below 5 MB unless the figures take most of that: the more classes there are, the fewer
        thresholds each is known at; of more than 20,000 those of the lowest mean utility are kept.
    """
    table = class_table(report) if table is None else table
    shown = tuple(pictures)
    order = class_order(table, MOST_CLASSES)
    names = Names.that_fit(shown_labels(table, order), _NAMES_BYTES)
    taken = sum(len(picture.svg.encode()) for picture in shown) + len(style()) + len(script())
    intervals = None
    if report.intervals is not None:
        intervals = rate_intervals(report.counts, report.settings.pool, report.confidence)
    data = page_data(
        report, table, order, names, shown, intervals, room=max(PAGE_BYTES - taken, 1_000_000)
    )
    point, said = report.recommended_threshold, find_advice(report, table)
    return filled(
        names,
        report=report,
        point=point,
        pictures=[picture for picture in shown if picture.kind in _CONTROLLED],
        further=[picture for picture in shown if picture.kind not in _CONTROLLED],
        verdict=verdict(said),
        verdict_words=verdict_words(said),
        named=said.named,
        rule_words=rule_words(report, point),
        threshold_words=threshold_words(report, point),
        utility_words=utility_words(report),
        opis_words=opis_words(report),
        worst=report.epsilon_opis.worst_classes,
        worst_named=_WORST_NAMED,
        comparisons=comparisons(report, point),
        distance_name="unit L2 distance" if report.metric == "cosine" else "L2 distance",
        points=_points(report),
        static_rows=_static_rows(table, order, report.metric),
        class_notes=_class_notes(report, data, names),
        eer=sum(report.verification.eer) / 2,
        data_facts=data_facts(report),
        provenance_facts=provenance_facts(report),
        sections=_sections(report, shown),
        style=style(),
        script=script(),
        script_hash=script_hash(),
        data=script_json(data.document),
    )


def _points(report: Report) -> list[tuple[str, OperatingPoint]]:
    first = report.recommended_threshold
    named = [("recommended", first)] if first.distance is not None else []
    return named + [
        (target_words(point.criterion, point.target), point) for point in report.operating_points
    ]


def _static_rows(table: ClassTable, order: NDArray[np.int64], metric: Metric) -> list[StaticRow]:
    return [
        StaticRow(
            label=table.label[i],
            rows=int(table.rows[i]),
            utility=float(table.mean_utility[i]),
            error=None if np.isnan(table.utility_error[i]) else float(table.utility_error[i]),
            share=float(table.opis_share[i]),
            far=None if table.far is None else float(table.far[i]),
            frr=None if table.frr is None else float(table.frr[i]),
            best=best_text(float(table.best_threshold[i]), metric),
            nearest=table.nearest_class[i],
        )
        for i in order[:_STATIC_CLASSES]
    ]


def _class_notes(report: Report, data: PageData, names: Names) -> list[str]:
    """What is not as whole as in the files beside the page."""
    notes = []
    if data.classes < report.data.classes_scored:
        notes.append(
            f"This page has the {data.classes:,} classes of the lowest mean utility, of "
            f"{report.data.classes_scored:,}: classes.parquet has them all. Numbers of the whole "
            "set are over all classes."
        )
    if names.any_cut:
        notes.append(
            f"Names of more than {names.longest:,} characters are shown without their middle; "
            "they are searched as they are shown."
        )
    return notes


def _sections(report: Report, pictures: Sequence[Picture]) -> list[tuple[str, str]]:
    found = [
        ("summary", "Summary", True),
        ("warnings", "Warnings", bool(report.warnings)),
        ("threshold", "Threshold", True),
        ("classes", "Classes", True),
        ("points", "Operating points", True),
        ("figures", "More figures", any(p.kind not in _CONTROLLED for p in pictures)),
        ("accuracy", "Accuracy", True),
        ("unequal", "Inequality", _any_unequal(report)),
        ("split", "Classes never seen", bool(report.split)),
        ("data", "Data", True),
        ("provenance", "Provenance", True),
        ("words", "Words", True),
    ]
    return [(anchor, text) for anchor, text, there in found if there]


def _any_unequal(report: Report) -> bool:
    found = report.differential
    return found is not None and bool(found.far.worst or found.frr.worst)
