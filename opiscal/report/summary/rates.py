"""What the summary says about operating points and accuracy."""

from collections.abc import Sequence

from opiscal.measures.operating_points import OperatingPoint
from opiscal.report.columns import Column, table_lines
from opiscal.report.findings import Pair, SplitRate
from opiscal.report.layout import Screen, flow
from opiscal.report.number_text import (
    NOTHING,
    interval_text,
    rate_text,
)
from opiscal.report.record import Report
from opiscal.report.rounding import TEXT_DIGITS, round_down, round_up


def operating_lines(report: Report, screen: Screen) -> list[str]:
    """The operating points.

    Where there is little room intervals stand below their rates, then they are left out, then FAR,
    which is the target of most, is left out.
    """
    points = report.operating_points
    name, value = _target(points, "target"), _threshold(report, points)
    far, frr = [point.far for point in points], [point.frr for point in points]
    far_ci, frr_ci = [point.far_ci for point in points], [point.frr_ci for point in points]
    forms = [[name, value, _rates("FAR", far), _rates("FRR", frr)]]
    if any(far_ci) and any(frr_ci):
        beside = [
            name,
            value,
            _rates("FAR", far),
            _intervals(far_ci),
            _rates("FRR", frr),
            _intervals(frr_ci),
        ]
        below = [
            Column(name.head, _spread(name.cells), "left"),
            Column(value.head, _spread(value.cells)),
            Column("FAR", _woven(_rates("FAR", far).cells, _intervals(far_ci).cells)),
            Column("FRR", _woven(_rates("FRR", frr).cells, _intervals(frr_ci).cells)),
        ]
        forms = [beside, below, *forms]
    return table_lines([*forms, [name, value, _rates("FRR", frr)]], screen.room)


def _target(points: Sequence[OperatingPoint], head: str) -> Column:
    return Column(head, tuple(map(_target_name, points)), "left")


def _target_name(point: OperatingPoint) -> str:
    name = point.criterion.upper() if point.criterion != "utility" else "best utility"
    return name if point.target is None else f"{name} {point.target:g}"


def _threshold(report: Report, points: Sequence[OperatingPoint]) -> Column:
    """Thresholds with all of their digits, so that they stand below one another."""
    if report.metric == "cosine":
        return Column("similarity", tuple(_digits(p.similarity, up=True) for p in points))
    return Column("L2 distance", tuple(_digits(p.distance, up=False) for p in points))


def _digits(value: float | None, *, up: bool) -> str:
    if value is None:
        return NOTHING
    rounded = round_up(value, TEXT_DIGITS) if up else round_down(value, TEXT_DIGITS)
    return f"{rounded:#.6g}"


def _rates(head: str, rates: Sequence[float | None]) -> Column:
    return Column(head, tuple(map(rate_text, rates)))


def _intervals(intervals: Sequence[Pair | None]) -> Column:
    return Column("", tuple("" if ci is None else interval_text(ci) for ci in intervals), "left")


def _spread(cells: Sequence[str]) -> tuple[str, ...]:
    return _woven(cells, [""] * len(cells))


def _woven(cells: Sequence[str], below: Sequence[str]) -> tuple[str, ...]:
    return tuple(text for pair in zip(cells, below, strict=True) for text in pair)


def identification_lines(report: Report, screen: Screen) -> list[str]:
    """FPIR and FNIR of the operating points, where there is a gallery."""
    if report.data.queries is None:
        return []
    points = [report.recommended_threshold, *report.operating_points]
    names = ("recommended", *map(_target_name, report.operating_points))
    name = Column("identification", names, "left")
    fpir = _rates("FPIR", [point.fpir for point in points])
    fnir = _rates("FNIR", [point.fnir for point in points])
    bare = [name, fpir, fnir]
    return table_lines([[name, _threshold(report, points), fpir, fnir], bare], screen.room)


def accuracy_lines(report: Report, screen: Screen) -> list[str]:
    """EER, AUC and Recall@k."""
    found = report.verification
    eer = f"EER {sum(found.eer) / 2:.4f}"
    if found.eer_ci is not None:
        eer += f" {interval_text(found.eer_ci)}"
    lines = flow([eer, f"AUC {found.auc:.5f}"], screen.room, "   ")
    if report.retrieval is not None:
        recall = [f"Recall@{k} {value:.4f}" for k, value in report.retrieval.recall_at.items()]
        lines += flow(recall, screen.room, "   ")
    return lines


def split_lines(report: Report, screen: Screen) -> list[str]:
    """Rates where thresholds were chosen, in the mean, and from lowest to highest elsewhere."""
    if not report.split:
        return []
    chosen: dict[tuple[str, float | None], list[SplitRate]] = {}
    for rate in report.split:
        chosen.setdefault((rate.criterion, rate.target), []).append(rate)
    names = tuple(
        f"{criterion.upper()} {target:g}" if target else f"recommended ({criterion})"
        for criterion, target in chosen
    )
    name = Column("chosen on half", names, "left")
    found = list(chosen.values())
    far = Column("FAR", tuple(_mean([r.far_promised for r in rates]) for rates in found))
    frr = Column("FRR", tuple(_mean([r.frr_promised for r in rates]) for rates in found))
    far_there = _ends([[r.far_achieved for r in rates] for rates in found])
    frr_there = _ends([[r.frr_achieved for r in rates] for rates in found])
    times = len({rate.split for rate in report.split})
    said = flow(
        [
            "thresholds chosen on half of the classes,",
            "and what they do on the other half:",
            f"{times} split{'s' if times > 1 else ''}, both ways",
        ],
        screen.room,
        " ",
    )
    return said + table_lines(
        [[name, far, far_there, frr, frr_there], [name, far_there, frr_there]], screen.room
    )


def _mean(rates: Sequence[float]) -> str:
    return rate_text(sum(rates) / len(rates))


def _ends(rates: Sequence[Sequence[float]]) -> Column:
    return Column("achieved", tuple(f"{min(r):.3g} to {max(r):.3g}" for r in rates))
