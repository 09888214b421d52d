"""The summary of a report as lines of text, for a terminal of any width."""

import unicodedata
from pathlib import Path

from opiscal.data.embedding_set import Label
from opiscal.measures.operating_points import OperatingPoint
from opiscal.measures.rates import rate_curve
from opiscal.report.class_table import ClassTable, class_table
from opiscal.report.record import Report
from opiscal.report.rounding import TEXT_DIGITS, round_down, round_up

_NAME = 22
_WORST_SHOWN = 5


def summary_lines(report: Report, run: Path, width: int = 80) -> list[str]:
    """What a person wants to know first; no line is wider than `width`, nor than 100.

    But for the path of the run, which is never broken.
    """
    width = min(width, 100)
    lines = [
        *_data_lines(report),
        "",
        *_opis_lines(report),
        "",
        *_threshold_lines(report),
        "",
        *_operating_lines(report),
        "",
        *_accuracy_lines(report),
        "",
        *_worst_lines(class_table(report), report, width),
        "",
        _advice(report),
    ]
    return [*(piece for line in lines for piece in fit(line, width)), f"run: {clean(str(run))}"]


def point_lines(report: Report, point: OperatingPoint) -> list[str]:
    """One operating point: the value on every scale, and what it does."""
    asked = point.criterion.upper() if point.criterion in ("far", "frr", "eer") else "best utility"
    asked += "" if point.target is None else f" at most {point.target:g}"
    asked = "use" if point.criterion == "at" else asked
    similarity, distance = _similarity(point.similarity), _distance(point.distance)
    lines = [f"threshold in {asked}" if asked == "use" else f"threshold for {asked}"]
    if report.metric == "cosine":
        lines += [
            f"  accept when similarity   >= {similarity}",
            f"  or unit L2 distance      <= {distance}",
            f"  or cosine distance 1 - s <= {_distance(point.cosine_distance)}",
            f"  or squared L2 distance   <= {_distance(point.squared_l2)}",
        ]
    else:
        lines += [
            f"  accept when L2 distance  <= {distance}",
            f"  or squared L2 distance   <= {_distance(point.squared_l2)}",
        ]
    lines.append(f"FAR {_rate(point.far)}   FRR {_rate(point.frr)}   utility {point.utility:.4f}")
    if not point.exact_at_threshold and point.distance is not None:
        exact = rate_curve(report.counts, report.settings.pool).edge_at(point.distance) is not None
        what = "utility is" if exact else "FAR, FRR and utility are"
        lines.append(f"({what} interpolated between the two nearest edges that were counted)")
    return lines


def elapsed_line(report: Report) -> str:
    """How long each stage took."""
    stages = report.provenance.elapsed_s
    return ", ".join(f"{name.replace('_', ' ')} {took:.2f} s" for name, took in stages.items())


def clean(text: Label | None) -> str:
    """User data made safe to print: control and direction characters are shown as escapes.

    Where nothing could be seen, it stands in quotes.
    """
    if not str(text).strip():
        return repr(str(text))
    safe = []
    for character in str(text):
        hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        safe.append(character.encode("unicode_escape").decode() if hidden else character)
    return "".join(safe)


def span(low: int, high: int) -> str:
    """``2 to 20``, or one number where both are the same."""
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _data_lines(report: Report) -> list[str]:
    data, pairs = report.data, report.pairs
    size = data.class_size
    lines = [
        f"{pairs.mode}: all {pairs.positive + pairs.negative:,} pairs of {data.rows_used:,} rows",
        f"{pairs.positive:,} positive pairs, {pairs.negative:,} negative pairs",
        f"{data.classes:,} classes of {span(size.min, size.max)} rows, {data.classes_scored:,} "
        f"scored; {data.dimensions:,} dimensions, {report.metric}",
    ]
    if data.dropped.total:
        lines.append(f"{data.dropped.total:,} of {data.rows_read:,} rows were left out")
    if data.distractors:
        lines.append(f"{data.distractors:,} rows are distractors: negatives for every class")
    return lines


def _opis_lines(report: Report) -> list[str]:
    found, worst = report.calibration_range, report.epsilon_opis
    against = "the others" if worst.against == "others" else "as many of the best"
    ends = f"FAR {_rate(found.far[0])} to {_rate(found.far[1])}"
    if found.similarity is not None:
        ends += (
            f", similarity {_similarity(found.similarity[0])} to {_similarity(found.similarity[1])}"
        )
    else:
        ends += f", L2 distance {_distance(found.distance[0])} to {_distance(found.distance[1])}"
    return [
        _row("OPIS", f"{report.opis.value:.6f}", "variance of utility over classes; 0: all alike"),
        _row(
            f"{100 * worst.epsilon:g}%-OPIS",
            f"{worst.value:.6f}",
            f"worst {_classes(len(worst.worst_classes))} against {against}",
        ),
        _row(
            "mean utility",
            f"{report.utility.mean:.6f}",
            f"{report.utility.kind}, c = {report.utility.c:g}",
        ),
        f"{'over':<{_NAME}} {ends}",
    ]


def _threshold_lines(report: Report) -> list[str]:
    point = report.recommended_threshold
    if point.distance is None:
        return [f"{'recommended threshold':<{_NAME}} none: the data cannot support it"]
    rates = f"FAR {_rate(point.far)}  FRR {_rate(point.frr)}"
    if report.metric == "cosine":
        return [
            f"{'recommended threshold':<{_NAME}} similarity >= {_similarity(point.similarity)}  "
            f"{rates}",
            f"{'':<{_NAME}} (the same: unit L2 distance <= {_distance(point.distance)})",
        ]
    return [
        f"{'recommended threshold':<{_NAME}} L2 distance <= {_distance(point.distance)}  {rates}"
    ]


def _operating_lines(report: Report) -> list[str]:
    cosine = report.metric == "cosine"
    head = ["target", "similarity" if cosine else "L2 distance", "FAR", "FRR", "utility"]
    rows = [head]
    for point in report.operating_points:
        target = point.criterion.upper() if point.criterion != "utility" else "best utility"
        if point.target is not None:
            target += f" {point.target:g}"
        value = _similarity(point.similarity) if cosine else _distance(point.distance)
        rows.append([target, value, _rate(point.far), _rate(point.frr), f"{point.utility:.4f}"])
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _accuracy_lines(report: Report) -> list[str]:
    low, high = report.verification.eer
    line = f"EER {(low + high) / 2:.4f}   AUC {report.verification.auc:.5f}"
    if report.retrieval is None:
        return [line]
    recall = "   ".join(
        f"Recall@{k} {value:.4f}" for k, value in report.retrieval.recall_at.items()
    )
    return [line, recall]


def _worst_lines(table: ClassTable, report: Report, width: int) -> list[str]:
    worst = report.epsilon_opis.worst_classes[:_WORST_SHOWN]
    place = {label: k for k, label in enumerate(table.label)}
    cells = [["rows", "utility", "FAR", "FRR"]]
    for label in worst:
        k = place[label]
        far = "-" if table.far is None else _rate(float(table.far[k]))
        frr = "-" if table.frr is None else _rate(float(table.frr[k]))
        cells.append([f"{table.rows[k]:,}", f"{table.mean_utility[k]:.4f}", far, frr])
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    room = max(8, width - sum(widths) - 2 * len(widths) - 1)
    names = ["worst classes", *(clean(label) for label in worst)]
    return [
        "  ".join([cut(name, room), *(c.rjust(w) for c, w in zip(row, widths, strict=True))])
        for name, row in zip(names, cells, strict=True)
    ]


def _advice(report: Report) -> str:
    table = class_table(report)
    worst = set(report.epsilon_opis.worst_classes)
    inside = [u for label, u in zip(table.label, table.mean_utility, strict=True) if label in worst]
    others = [
        u for label, u in zip(table.label, table.mean_utility, strict=True) if label not in worst
    ]
    gap = 100 * (sum(others) / len(others) - sum(inside) / len(inside))
    return (
        f"One threshold costs the worst {100 * report.epsilon_opis.epsilon:g} % of classes "
        f"{gap:.1f} points of utility."
    )


def _classes(count: int) -> str:
    return "class" if count == 1 else f"{count:,} classes"


def _row(name: str, value: str, meaning: str) -> str:
    return f"{name:<{_NAME}} {value:<10} {meaning}"


def _similarity(value: float | None) -> str:
    return "-" if value is None else f"{round_up(value, TEXT_DIGITS):.6g}"


def _distance(value: float | None) -> str:
    return "-" if value is None else f"{round_down(value, TEXT_DIGITS):.6g}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut(text: str, room: int) -> str:
    """Text of exactly `room` cells: filled up with spaces, or shortened and ended by dots."""
    if _cells(text) > room:
        kept = ""
        for character in text:
            if _cells(kept + character) > room - 3:
                break
            kept += character
        text = kept + "..."
    return text + " " * (room - _cells(text))


def fit(line: str, width: int) -> list[str]:
    """The line, broken at spaces into pieces of at most `width` cells; a long word stays whole."""
    if _cells(line) <= width:
        return [line]
    pieces, current = [], ""
    for word in line.split(" "):
        if current.strip() and _cells(f"{current} {word}") > width:
            pieces.append(current.rstrip())
            current = "  " + word
        else:
            current = f"{current} {word}" if current else word
    return [*pieces, current]
