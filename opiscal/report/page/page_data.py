"""What the script of the page works with: one document of plain values."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.rate_intervals import RateIntervals
from opiscal.measures.rates import Floats, rate_curve
from opiscal.report.class_table import ClassTable
from opiscal.report.page.class_columns import class_columns, shown_labels
from opiscal.report.page.class_grid import class_grid
from opiscal.report.page.names import Names
from opiscal.report.page.picture import Picture, axes_of
from opiscal.report.page.stops import SUFFERS, Stops, find_stops, scale_texts
from opiscal.report.page.whole_numbers import as_text
from opiscal.report.page.words import target_words
from opiscal.report.record import Report
from opiscal.report.visible_range import curve_thresholds, rate_limits

# Text of the page, numbers at the stops and what a class has beside its counts.
_TEXT_BYTES = 200_000
_COLUMN_BYTES = 34
# Six bits a letter in base64.
_CODE_SHARE = 0.745


@dataclass(frozen=True, slots=True)
class PageData:
    """The document, and how many classes and thresholds it holds."""

    document: dict[str, object]
    classes: int
    edges: int


def page_data(
    report: Report,
    table: ClassTable,
    order: NDArray[np.int64],
    names: Names,
    pictures: Sequence[Picture],
    intervals: RateIntervals | None,
    *,
    room: int,
) -> PageData:
    """Everything that the script shows, in at most about `room` bytes.

    Parameters
    ----------
    report : Report
    table : ClassTable
    order : int64 array of shape (S,)
        The classes that may be on the page, the most wanted first.
    names : Names
    pictures : sequence of Picture
    intervals : RateIntervals, optional
        Of the report's counts.
    room : int
    """
    counts = report.counts
    marks = _marks(report)
    distances = np.array([distance for _, distance in marks])
    ends = np.array(report.calibration_range.distance)
    span = _span(report, table, pictures)
    taken = names.size + _TEXT_BYTES + _COLUMN_BYTES * order.size
    grid = class_grid(
        counts,
        order,
        np.concatenate([distances, ends]),
        span,
        room=max(int(_CODE_SHARE * (room - taken)), 100_000),
    )
    labels = shown_labels(table, grid.kept)
    stops = find_stops(report, _stop_distances(report, grid.distance, distances, span), intervals)
    document: dict[str, object] = {
        "metric": report.metric,
        "utility": report.utility.kind,
        "c": report.utility.c,
        "classes": counts.classes,
        "suffers": SUFFERS,
        "edges": grid.distance.tolist(),
        "counts": as_text(grid.code),
        "columns": class_columns(table, grid.kept, labels, names, report.metric),
        "stops": _stops(stops, report),
        "marks": [[name, stops.nearest(distance)] for name, distance in marks],
        "start": stops.nearest(marks[0][1]),
        "recommended": report.recommended_threshold.distance,
        "figures": {picture.kind: axes_of(picture) for picture in pictures},
    }
    return PageData(document, int(grid.kept.size), int(grid.distance.size))


def _marks(report: Report) -> list[tuple[str, float]]:
    """The recommended threshold, where there is one, and the operating points, by distance."""
    first = report.recommended_threshold.distance
    marks = [] if first is None else [("recommended", first)]
    return marks + [
        (target_words(point.criterion, point.target), point.distance)
        for point in report.operating_points
        if point.distance is not None
    ]


def _span(report: Report, table: ClassTable, pictures: Sequence[Picture]) -> tuple[float, float]:
    """The stretch over which curves of classes are drawn."""
    for picture in pictures:
        if picture.kind == "utility-curves":
            low, high = picture.axes.x_limits
            return float(low), float(high)
    low, high = report.calibration_range.distance
    shown = curve_thresholds(report.counts, low, high, report.recommended_threshold.distance)
    return float(shown[0]), float(shown[-1])


def _stop_distances(
    report: Report, edges: Floats, marks: Floats, span: tuple[float, float]
) -> Floats:
    """Where the control can stand: the edges that a figure shows, and the marks."""
    curve = rate_curve(report.counts, report.settings.pool)
    every = (*marks.tolist(), *report.calibration_range.distance)
    low, high = rate_limits(curve.distance, curve.far, every, report.metric)
    low, high = min(low, span[0]), max(high, span[1])
    inside = edges[(edges >= low) & (edges <= high)]
    return _without_twins(np.concatenate([inside, every]))


def _without_twins(distance: Floats) -> Floats:
    """Ascending, and of two that are the same but for rounding in a report the first."""
    found = np.unique(distance)
    apart = np.diff(found, prepend=-1.0) > 2e-8 * np.maximum(found, 1e-300)
    return found[apart]


def _stops(stops: Stops, report: Report) -> dict[str, object]:
    columns: dict[str, object] = {
        "distance": stops.distance.tolist(),
        "far": stops.far.tolist(),
        "frr": stops.frr.tolist(),
        "utility": stops.utility.tolist(),
        "farSuffers": stops.far_suffers.tolist(),
        "frrSuffers": stops.frr_suffers.tolist(),
        "scales": [scale_texts(float(d), report) for d in stops.distance],
    }
    if stops.far_ci is not None and stops.frr_ci is not None:
        columns |= {"farCi": stops.far_ci, "frrCi": stops.frr_ci}
    if stops.fpir is not None and stops.fnir is not None:
        columns |= {"fpir": stops.fpir, "fnir": stops.fnir}
    return columns
