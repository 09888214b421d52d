"""The summary of a report as lines of text, for a terminal of any width."""

from collections.abc import Callable
from pathlib import Path

from opiscal.measures.operating_points import OperatingPoint
from opiscal.measures.rates import rate_curve
from opiscal.report.class_table import ClassTable, class_table
from opiscal.report.layout import clean, cut, fit, table_lines
from opiscal.report.record import Report, Unequal
from opiscal.report.rounding import TEXT_DIGITS, round_down, round_up

_NAME = 22
_WORST_SHOWN = 5
_NARROW = 1.1


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
        *_identification_lines(report),
        *_accuracy_lines(report),
        "",
        *_differential_lines(report),
        *_split_lines(report),
        *_worst_lines(class_table(report), report, width),
        "",
        _advice(report),
    ]
    return [*(piece for line in lines for piece in fit(line, width)), f"run: {clean(str(run))}"]


def point_lines(
    report: Report, point: OperatingPoint, confidence: float | None = None
) -> list[str]:
    """One operating point: the value on every scale, and what it does.

    `confidence` is the level of its intervals; that of the report by default.
    """
    level = f"{100 * (report.confidence if confidence is None else confidence):g} %"
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
    if point.far_ci is not None and point.frr_ci is not None:
        lines.append(
            f"FAR in {_between(point.far_ci)}, FRR in {_between(point.frr_ci)} ({level} intervals)"
        )
    if point.fnir is not None:
        lines.append(f"identification: FPIR {_rate(point.fpir)}   FNIR {_rate(point.fnir)}")
    if point.distance_ci is not None:
        low, high = point.distance_ci
        lines.append(f"the threshold itself in [{_distance(low)}, {_distance(high)}], a distance")
    if point.guaranteed:
        lines.append(f"guaranteed at {level}: the upper bound of FAR is at most {point.target:g}")
    if not point.supported:
        lines.append("NOT SUPPORTED: the data cannot resolve this target; do not ship it")
    if not point.exact_at_threshold and point.distance is not None:
        exact = rate_curve(report.counts, report.settings.pool).edge_at(point.distance) is not None
        what = "utility is" if exact else "FAR, FRR and utility are"
        lines.append(f"({what} interpolated between the two nearest edges that were counted)")
    return lines


def elapsed_line(report: Report) -> str:
    """How long each stage took."""
    stages = report.provenance.elapsed_s
    return ", ".join(f"{name.replace('_', ' ')} {took:.2f} s" for name, took in stages.items())


def span(low: int, high: int) -> str:
    """``2 to 20``, or one number where both are the same."""
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _data_lines(report: Report) -> list[str]:
    data, pairs = report.data, report.pairs
    size = data.class_size
    if data.queries is not None:
        return _two_sets_lines(report)
    lines = [
        *_counted_lines(report),
        f"{pairs.positive:,} positive pairs, {pairs.negative:,} negative pairs",
        f"{data.classes:,} classes of {span(size.min, size.max)} rows, {data.classes_scored:,} "
        f"scored; {data.dimensions:,} dimensions, {report.metric}",
    ]
    if data.dropped.total:
        lines.append(f"{data.dropped.total:,} of {data.rows_read:,} rows were left out")
    if data.precision != "float32":
        lines.append(f"vectors were rounded to {data.precision}: distances move a little")
    if data.sample is not None:
        lines.append(
            f"a sample of {data.rows_read:,} rows: whole classes, {data.classes:,} of "
            f"{data.sample.classes_read:,}"
        )
    if data.distractors:
        lines.append(f"{data.distractors:,} rows are distractors: negatives for every class")
    return lines


def _two_sets_lines(report: Report) -> list[str]:
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
    if data.dropped.total:
        lines.append(f"{data.dropped.total:,} of {data.rows_read:,} rows were left out")
    if data.distractors:
        lines.append(f"{data.distractors:,} rows are distractors: negatives for every class")
    return lines


def _counted_lines(report: Report) -> list[str]:
    pairs, rows = report.pairs, report.data.rows_used
    total, sampling = pairs.positive + pairs.negative, pairs.sampling
    if sampling is None:
        return [f"{pairs.mode}: all {total:,} pairs of {rows:,} rows"]
    counted = pairs.positive_counted + pairs.negative_counted
    lines = [
        f"sampled: {counted:,} of {total:,} pairs of {rows:,} rows ({pairs.reason})",
        f"{sampling.near_pairs:,} near negatives found by {sampling.index}, the rest by "
        f"{sampling.columns:,} random columns",
    ]
    recall = f"the index finds {100 * sampling.neighbour_recall:.1f} % of the ten nearest rows"
    if sampling.near_recall is not None:
        recall += f" and {100 * sampling.near_recall:.1f} % of the near negatives"
    lines.append(recall + "; what it misses is in the random part")
    if sampling.corrected_opis_ci is not None:
        low, high = sampling.corrected_opis_ci
        lines.append(f"every pair would give OPIS without noise in [{low:.6f}, {high:.6f}]")
    return lines


def _opis_lines(report: Report) -> list[str]:
    found, worst = report.calibration_range, report.epsilon_opis
    against = "others" if worst.against == "others" else "the best"
    ends = f"FAR {_rate(found.far[0])} to {_rate(found.far[1])}"
    if found.similarity is not None:
        ends += (
            f", similarity {_similarity(found.similarity[0])} to {_similarity(found.similarity[1])}"
        )
    else:
        ends += f", L2 distance {_distance(found.distance[0])} to {_distance(found.distance[1])}"
    opis = report.opis
    lines = [
        _row("OPIS", opis.value, opis.ci, "variance over classes"),
    ]
    if opis.corrected is not None and opis.noise is not None:
        share = (
            ""
            if opis.corrected_classes == report.data.classes_scored
            else (f", {opis.corrected_classes:,} classes")
        )
        lines.append(
            _row(
                "  without noise",
                opis.corrected,
                opis.corrected_ci,
                f"less noise of {opis.noise:.6f}{share}",
            )
        )
    lines.append(
        _row(
            f"{100 * worst.epsilon:g}%-OPIS",
            worst.value,
            worst.ci,
            f"worst {_classes(len(worst.worst_classes))} against {against}",
        )
    )
    if worst.null_value is not None:
        lines.append(
            _row("  of classes alike", worst.null_value, None, "what noise alone would give")
        )
    return [
        *lines,
        _row(
            "mean utility",
            report.utility.mean,
            report.utility.ci,
            _utility_name(report),
        ),
        f"{'over':<{_NAME}} {ends}",
        *_confidence_line(report),
    ]


def _confidence_line(report: Report) -> list[str]:
    if report.intervals is None:
        return []
    return [
        f"[ ]: {100 * report.confidence:g} % intervals, for classes drawn anew from where these "
        "came from"
    ]


def _threshold_lines(report: Report) -> list[str]:
    point = report.recommended_threshold
    if point.distance is None:
        return [f"{'recommended threshold':<{_NAME}} none: the data cannot support it"]
    rates = f"FAR {_rate(point.far)}  FRR {_rate(point.frr)}"
    between = []
    if point.distance_ci is not None and point.far_ci is not None and point.frr_ci is not None:
        name = "  unit L2 distance in" if report.metric == "cosine" else "  in"
        between = [
            f"{name:<{_NAME}} {_between(point.distance_ci, lambda end: f'{end:.4g}')}  "
            f"FAR {_between(point.far_ci)}  FRR {_between(point.frr_ci)}"
        ]
    if report.metric == "cosine":
        return [
            f"{'recommended threshold':<{_NAME}} similarity >= {_similarity(point.similarity)}  "
            f"{rates}",
            f"{'':<{_NAME}} (the same: unit L2 distance <= {_distance(point.distance)})",
            *between,
        ]
    return [
        f"{'recommended threshold':<{_NAME}} L2 distance <= {_distance(point.distance)}  {rates}",
        *between,
    ]


def _operating_lines(report: Report) -> list[str]:
    cosine = report.metric == "cosine"
    head = ["target", "similarity" if cosine else "L2 distance", "FAR", "", "FRR", ""]
    rows = [
        [
            *_target_and_threshold(point, cosine),
            _rate(point.far),
            "" if point.far_ci is None else _between(point.far_ci),
            _rate(point.frr),
            "" if point.frr_ci is None else _between(point.frr_ci),
        ]
        for point in report.operating_points
    ]
    return table_lines([head, *rows], " ")


def _target_and_threshold(point: OperatingPoint, cosine: bool) -> list[str]:
    target = point.criterion.upper() if point.criterion != "utility" else "best utility"
    if point.target is not None:
        target += f" {point.target:g}"
    return [target, _similarity(point.similarity) if cosine else _distance(point.distance)]


def _identification_lines(report: Report) -> list[str]:
    """FPIR and FNIR of the operating points, where there is a gallery."""
    data, cosine = report.data, report.metric == "cosine"
    if data.queries is None:
        return []
    rows = [["identification", "similarity" if cosine else "L2 distance", "FPIR", "FNIR"]]
    points = [("recommended", report.recommended_threshold)]
    points += [("", point) for point in report.operating_points]
    for name, point in points:
        target, value = _target_and_threshold(point, cosine)
        rows.append([name or target, value, _rate(point.fpir), _rate(point.fnir)])
    return [*table_lines(rows), ""]


def _accuracy_lines(report: Report) -> list[str]:
    low, high = report.verification.eer
    between = (
        "" if report.verification.eer_ci is None else f" {_between(report.verification.eer_ci)}"
    )
    line = f"EER {(low + high) / 2:.4f}{between}   AUC {report.verification.auc:.5f}"
    if report.retrieval is None:
        return [line]
    recall = "   ".join(
        f"Recall@{k} {value:.4f}" for k, value in report.retrieval.recall_at.items()
    )
    return [line, recall]


def _differential_lines(report: Report) -> list[str]:
    """How unequal the recommended threshold is: OPIS hardly sees false accepts, this does."""
    found = report.differential
    if found is None:
        return []
    lines = [_unequal_line("classes", found.far, found.frr)]
    if found.groups is not None:
        lines.append(_unequal_line("groups", found.groups.far, found.groups.frr))
        across = found.groups.negative_across
        if across is not None:
            lines.append(f"  {100 * across:.3g} % of negative pairs lie across groups")
    return [*(line for line in lines if line), ""]


def _unequal_line(cells: str, far: Unequal, frr: Unequal) -> str:
    parts = [
        f"{name} up to {spread.max_over_geomean:.2g} times the typical one "
        f"({clean(spread.worst[0].label)})"
        for name, spread in (("FAR", far), ("FRR", frr))
        if spread.max_over_geomean is not None and spread.worst
    ]
    return f"over {cells}: {'; '.join(parts)}" if parts else ""


def _split_lines(report: Report) -> list[str]:
    """Promised and achieved rates of thresholds, side by side."""
    if not report.split:
        return []
    cells = [["chosen on half of the classes", "FAR", "achieved", "FRR", "achieved"]]
    for rate in report.split:
        target = (
            f"{rate.criterion} {rate.target:g}"
            if rate.target
            else f"{rate.criterion} (recommended)"
        )
        cells.append(
            [
                f"split {rate.split}, half {rate.half}: {target}",
                _rate(rate.far_promised),
                _rate(rate.far_achieved),
                _rate(rate.frr_promised),
                _rate(rate.frr_achieved),
            ]
        )
    return [*table_lines(cells), ""]


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


def _row(name: str, value: float, interval: tuple[float, float] | None, meaning: str) -> str:
    between = "" if interval is None else _between(interval, lambda end: f"{end:.4f}")
    return f"{name:<{_NAME}} {value:.6f} {between:<16} {meaning}".rstrip()


def _utility_name(report: Report) -> str:
    kind, c = report.utility.kind, report.utility.c
    return kind if c == 1 else f"{kind}, c = {c:g}"


def _between(interval: tuple[float, float], write: Callable[[float], str] | None = None) -> str:
    if write is None:
        # Two digits, and a third where the ends would look alike.
        digits = 2 if interval[1] > _NARROW * interval[0] else 3
        return f"[{interval[0]:.{digits}g}, {interval[1]:.{digits}g}]"
    return f"[{write(interval[0])}, {write(interval[1])}]"


def _similarity(value: float | None) -> str:
    return "-" if value is None else f"{round_up(value, TEXT_DIGITS):.6g}"


def _distance(value: float | None) -> str:
    return "-" if value is None else f"{round_down(value, TEXT_DIGITS):.6g}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
