"""What the summary says about OPIS and about the recommended threshold."""

from dataclasses import dataclass

from opiscal.report.columns import Column, table_lines
from opiscal.report.findings import Pair
from opiscal.report.layout import Screen, first_that_fits, fit, flow
from opiscal.report.number_text import (
    distance_text,
    interval_text,
    rate_text,
    similarity_text,
    utility_text,
)
from opiscal.report.record import Report

_NAME = 21


@dataclass(frozen=True, slots=True)
class _Figure:
    """One figure over the calibration range."""

    name: str
    value: float
    ci: Pair | None
    meaning: str


def opis_lines(report: Report, screen: Screen) -> list[str]:
    """OPIS, 10%-OPIS and mean utility with their intervals, and the range they are over.

    Where there is little room the meanings are left out, then intervals stand below values, then
    they are left out too.
    """
    figures = _figures(report)
    name = Column("", tuple(f.name for f in figures), "left")
    # Their values stand where the recommended threshold does.
    padded = Column("", tuple(f"{f.name:<{_NAME}}" for f in figures), "left")
    value = Column("", tuple(f"{f.value:.6f}" for f in figures))
    between = tuple("" if f.ci is None else interval_text(f.ci, utility_text) for f in figures)
    ci = Column("", between, "left")
    meaning = Column("", tuple(f.meaning for f in figures), "left")
    below = [
        Column("", tuple(text for cell in name.cells for text in (cell, "")), "left"),
        Column("", tuple(text for pair in zip(value.cells, between, strict=True) for text in pair)),
    ]
    forms = [
        [padded, value, ci, meaning],
        [name, value, ci, meaning],
        [padded, value, ci],
        [name, value, ci],
        below,
        [name, value],
    ]
    lines = [line for line in table_lines(forms, screen.room) if line]
    lines += first_that_fits(
        [[f"{'calibration range':<{_NAME}}  {_range(report)}"], [f"range: {_range(report)}"]],
        screen.room,
    )
    if report.intervals is not None:
        lines += fit(
            f"[ ]: {100 * report.confidence:g} % intervals, for classes drawn anew from where "
            "these came from",
            screen.room,
        )
    return lines


def _figures(report: Report) -> list[_Figure]:
    opis, worst = report.opis, report.epsilon_opis
    figures = [_Figure("OPIS", opis.value, opis.ci, "variance over classes")]
    if opis.corrected is not None and opis.noise is not None:
        less = f"less noise of {opis.noise:.6f}"
        if opis.corrected_classes != report.data.classes_scored:
            less += f", {opis.corrected_classes:,} classes"
        figures.append(_Figure("  without noise", opis.corrected, opis.corrected_ci, less))
    count = len(worst.worst_classes)
    classes = "class" if count == 1 else f"{count:,}"
    against = "others" if worst.against == "others" else "the best"
    figures.append(
        _Figure(
            f"{100 * worst.epsilon:g}%-OPIS",
            worst.value,
            worst.ci,
            f"worst {classes} against {against}",
        )
    )
    if worst.null_value is not None:
        figures.append(
            _Figure("  of classes alike", worst.null_value, None, "what noise alone would give")
        )
    kind, c = report.utility.kind, report.utility.c
    named = kind if c == 1 else f"{kind}, c = {c:g}"
    return [*figures, _Figure("mean utility", report.utility.mean, report.utility.ci, named)]


def _range(report: Report) -> str:
    found = report.calibration_range
    far = f"FAR {rate_text(found.far[0])} to {rate_text(found.far[1])}"
    if found.similarity is not None:
        low, high = map(similarity_text, found.similarity)
        return f"{far}, similarity {low} to {high}"
    low, high = map(distance_text, found.distance)
    return f"{far}, L2 distance {low} to {high}"


def threshold_lines(report: Report, screen: Screen) -> list[str]:
    """The recommended threshold with its FAR and FRR on one line, where there is room for one."""
    point, cosine = report.recommended_threshold, report.metric == "cosine"
    if point.distance is None:
        return fit("recommended threshold  none: the data cannot support it", screen.room)
    scale = "unit L2 distance" if cosine else "L2 distance"
    distance = f"{scale} <= {distance_text(point.distance)}"
    value = f"similarity >= {similarity_text(point.similarity)}" if cosine else distance
    far, frr = f"FAR {rate_text(point.far)}", f"FRR {rate_text(point.frr)}"
    wide = [f"{'recommended threshold':<{_NAME}}  {value}  {far}  {frr}"]
    narrow = ["recommended threshold", f"  {value}"]
    if cosine:
        wide.append(f"{'':<{_NAME}}  (the same: {distance})")
        narrow.append(f"  or {distance}")
    if point.distance_ci is not None and point.far_ci is not None and point.frr_ci is not None:
        between = interval_text(point.distance_ci, lambda end: f"{end:.4g}")
        within = f"  {scale} in" if cosine else "  in"
        of_far, of_frr = interval_text(point.far_ci), interval_text(point.frr_ci)
        wide.append(f"{within:<{_NAME}}  {between}  FAR {of_far}  FRR {of_frr}")
        narrow.append(f"    in {between}")
        far, frr = f"{far} {of_far}", f"{frr} {of_frr}"
    narrow += flow([far, frr], screen.room, start="  ")
    return first_that_fits([wide, narrow], screen.room)
