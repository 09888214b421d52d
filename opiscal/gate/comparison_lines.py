"""A comparison as lines of text, for a terminal of any width."""

from collections.abc import Callable, Sequence

from opiscal.gate.class_changes import ClassChange
from opiscal.gate.comparison import Candidate, Comparison, Model
from opiscal.gate.differences import Difference
from opiscal.gate.figures import ComparedFigure, compared_figures
from opiscal.gate.threshold_transfer import ThresholdTransfer
from opiscal.measures.operating_points import OperatingPoint, threshold_scales
from opiscal.report.layout import cells_of, clean, cut, fit, table_lines
from opiscal.report.rounding import TEXT_DIGITS, round_down, round_up

SHOWN_FARS = (1e-2, 1e-3, 1e-4)
"""FARs whose FRR is in the table of models; all that were compared are among the differences."""

_WIDEST, _LEAST_NAME, _LONGEST_NAME = 100, 8, 24
_SIGNIFICANT = 3
# In per cent: beyond it a decimal says nothing.
_LARGE_CHANGE = 100


def comparison_lines(comparison: Comparison, width: int = 80) -> list[str]:
    """What a person wants to know first; no line is wider than `width`, nor than 100."""
    width = min(width, _WIDEST)
    models = comparison.models
    lines = [*model_lines(models, width)]
    for candidate, model in zip(comparison.candidates, models[1:], strict=True):
        lines += ["", *_candidate_lines(comparison, candidate, model, width)]
    lines += ["", *_reading_lines(comparison)]
    return [piece for line in lines for piece in fit(line, width)]


def model_lines(models: Sequence[Model], width: int) -> list[str]:
    """The table of models, in as many blocks of columns as the width asks for."""
    head, *rows = model_cells(models)
    longest = max(cells_of(row[0]) for row in [head, *rows])
    # Columns need some thirty cells beside the names.
    room = min(max(longest, _LEAST_NAME), _LONGEST_NAME, max(_LEAST_NAME, width - 30))
    widths = [max(cells_of(row[k]) for row in [head, *rows]) for k in range(len(head))]
    blocks: list[list[int]] = [[]]
    left = width - room
    for k in range(1, len(head)):
        if widths[k] + 2 > left and blocks[-1]:
            blocks.append([])
            left = width - room
        blocks[-1].append(k)
        left -= widths[k] + 2
    lines: list[str] = []
    for block in blocks:
        lines += [] if not lines else [""]
        lines += [
            "  ".join([cut(row[0], room), *(row[k].rjust(widths[k]) for k in block)])
            for row in [head, *rows]
        ]
    return lines


def model_cells(models: Sequence[Model]) -> list[list[str]]:
    """The table of models as text, its head first; names are made safe to print."""
    figures = compared_figures(models[0].report, SHOWN_FARS)
    head = ["model", *(figure.name for figure in figures)]
    cosine = all(model.report.metric == "cosine" for model in models)
    head[-1] = "similarity >=" if cosine else "distance <="
    return [
        head,
        *(
            [clean(model.name), *(_value(figure, model, cosine) for figure in figures)]
            for model in models
        ),
    ]


def _value(figure: ComparedFigure, model: Model, cosine: bool) -> str:
    if figure.metric == "recommended_threshold.distance":
        point = model.report.recommended_threshold
        return threshold_text(point, cosine)
    value = figure.of(model.report)
    if value is None:
        return "-"
    return f"{value:.4f}" if figure.better == "higher" else f"{value:.4g}"


def threshold_text(point: OperatingPoint, cosine: bool) -> str:
    """A threshold by its similarity, or by its distance."""
    if point.distance is None:
        return "-"
    if cosine and point.similarity is not None:
        return f"{round_up(point.similarity, TEXT_DIGITS):.6g}"
    return f"{round_down(point.distance, TEXT_DIGITS):.6g}"


def difference_cells(differences: Sequence[Difference]) -> list[list[str]]:
    """Differences as text: figure, difference, interval, change and verdict."""
    return [
        [
            difference.name,
            _signed(difference.difference),
            between(difference.ci),
            change_text(difference),
            verdict_text(difference),
        ]
        for difference in differences
    ]


def between(interval: tuple[float, float] | None) -> str:
    """An interval in two digits, and a third where its ends would look alike."""
    if interval is None:
        return "-"
    low, high = interval
    digits = 2 if f"{low:.2g}" != f"{high:.2g}" or low == high else _SIGNIFICANT
    return f"[{low:.{digits}g}, {high:.{digits}g}]"


def change_text(difference: Difference) -> str:
    """The relative difference in per cent."""
    if difference.relative is None:
        return ""
    change = 100 * difference.relative
    return f"{change:+.1f} %" if abs(change) < _LARGE_CHANGE else f"{change:+,.0f} %"


def verdict_text(difference: Difference) -> str:
    """The verdict in words, or that there is none."""
    if difference.verdict is not None:
        return difference.verdict
    return "no interval" if difference.difference is not None else "not known"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3g}" if value else "0"


def _candidate_lines(
    comparison: Comparison, candidate: Candidate, model: Model, width: int
) -> list[str]:
    baseline = comparison.models[0]
    room = max(_LEAST_NAME, (width - 12) // 2)
    name, first = (cut(clean(n), room).rstrip() for n in (candidate.name, baseline.name))
    return [
        f"{name} against {first}",
        f"({pairing_text(candidate)})",
        *(mismatch_text(m.key, m.baseline, m.candidate) for m in candidate.mismatches),
        *_difference_lines(candidate.differences, width),
        *(f"({note})" for note in notes(candidate)),
        "",
        *_threshold_lines(candidate.threshold, baseline, model, width),
        *_class_lines(candidate, width),
    ]


def pairing_text(candidate: Candidate) -> str:
    """How the classes of the two runs were drawn anew."""
    shared = f"{candidate.shared_classes:,} classes in both"
    if candidate.pairing == "unpaired":
        return "unpaired: no class is in both, and each run is drawn anew by itself"
    if candidate.pairing == "paired":
        return f"paired: {shared}, drawn anew together"
    alone = len(candidate.only_in_baseline), len(candidate.only_in_candidate)
    return (
        f"partly paired: {shared} are drawn anew together, {alone[0]:,} and {alone[1]:,} of one "
        "run alone by themselves"
    )


def mismatch_text(key: str, baseline: str, candidate: str) -> str:
    """What weakens a comparison."""
    return f"they differ in {key}: {baseline} and {candidate}"


def notes(candidate: Candidate) -> list[str]:
    """Why figures have no interval, each reason once."""
    reasons: dict[str, list[str]] = {}
    for difference in candidate.differences:
        if difference.reason is not None:
            reasons.setdefault(difference.reason, []).append(difference.name)
    told = [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]
    return told + ([] if candidate.threshold_reason is None else [candidate.threshold_reason])


def _difference_lines(differences: Sequence[Difference], width: int) -> list[str]:
    rows = difference_cells(differences)
    head = ["figure", "difference", "interval", "change", "verdict"]
    sides = {d.name: [_plain(d.baseline), _plain(d.candidate)] for d in differences}
    wide = [["figure", "baseline", "new", *head[1:]]]
    wide += [[row[0], *sides[row[0]], *row[1:]] for row in rows]
    # As much of it as fits.
    layouts = (wide, [head, *rows], [[r[k] for k in (0, 1, 2, 4)] for r in [head, *rows]])
    for layout in layouts:
        lines = _left_and_right(layout)
        if max(map(cells_of, lines)) <= width:
            return lines
    return [f"{row[0]}: {row[1]} {row[2]} {row[4]}" for row in rows]


def _left_and_right(rows: list[list[str]]) -> list[str]:
    """A table whose last column is words."""
    words = [row[-1] for row in rows]
    return [
        f"{line}  {word}"
        for line, word in zip(_padded([row[:-1] for row in rows]), words, strict=True)
    ]


def _padded(rows: list[list[str]]) -> list[str]:
    lines = table_lines(rows)
    longest = max(map(cells_of, lines))
    return [line + " " * (longest - cells_of(line)) for line in lines]


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _threshold_lines(
    transfer: ThresholdTransfer | None, baseline: Model, model: Model, width: int
) -> list[str]:
    new = model.report.recommended_threshold
    cosine = model.report.metric == "cosine"
    if transfer is None:
        why = "no threshold is recommended"
        if baseline.report.metric != model.report.metric:
            why = "distances of two metrics are not compared"
        return [f"threshold in production: {why}"]
    scale = threshold_scales(transfer.distance, baseline.report.metric)["similarity"]
    value = (
        f"similarity >= {round_up(scale, TEXT_DIGITS):.6g}"
        if scale is not None
        else f"L2 distance <= {round_down(transfer.distance, TEXT_DIGITS):.6g}"
    )
    source = cut(clean(transfer.source), _LONGEST_NAME + 16).rstrip()
    rows = [["if the threshold stays", "FAR", "", "FRR", "", "utility"]]
    for name, point in (("on the baseline", transfer.baseline), ("on the new", transfer.candidate)):
        rows.append(
            [
                f"  {name}",
                _rate(point.far),
                between(point.far_ci),
                _rate(point.frr),
                between(point.frr_ci),
                f"{point.utility:.4f}",
            ]
        )
    lines = table_lines(rows, " ")
    if max(map(cells_of, lines)) > width:
        lines = table_lines([[r[0], r[1], r[3], r[5]] for r in rows], " ")
    moved = [
        f"  {d.name}: {verdict_text(d)} ({_signed(d.difference)} {between(d.ci)})"
        for d in transfer.differences
    ]
    own = threshold_text(new, cosine)
    return [
        f"threshold in production: {value} ({source}); the new one recommends {own}",
        *lines,
        *moved,
        *_table_of_classes(
            "worst classes there, on the new",
            [["FAR", "FRR", "utility", "before"]],
            [c.label for c in transfer.worst],
            [
                [_rate(c.far), _rate(c.frr), f"{c.utility:.4f}",
                 "-" if c.baseline_utility is None else f"{c.baseline_utility:.4f}"]
                for c in transfer.worst
            ],
            width,
        ),
    ]  # fmt: skip


def _class_lines(candidate: Candidate, width: int) -> list[str]:
    changes = candidate.classes
    if not candidate.shared_classes:
        return ["", "classes gained and lost: no class is in both runs"]
    lines = []
    for word, found, beyond in (
        ("gained", changes.gained, changes.gained_beyond_noise),
        ("lost", changes.lost, changes.lost_beyond_noise),
    ):
        lines += [
            "",
            *_table_of_classes(
                f"{word}: {beyond:,} of {candidate.shared_classes:,} beyond noise",
                [["utility", "before", "change", ""]],
                [c.label for c in found],
                [change_cells(c) for c in found],
                width,
            ),
        ]
    return lines


def change_cells(change: ClassChange) -> list[str]:
    """One class that gained or lost, without its name."""
    error = "" if change.error is None else f" +- {change.error:.2g}"
    return [
        f"{change.candidate:.4f}",
        f"{change.baseline:.4f}",
        f"{change.change:+.3f}{error}",
        "beyond noise" if change.beyond_noise else "within noise",
    ]


def _table_of_classes(
    title: str,
    head: list[list[str]],
    labels: Sequence[object],
    cells: list[list[str]],
    width: int,
    write: Callable[[object], str] = lambda label: clean(str(label)),
) -> list[str]:
    rows = head + cells
    widths = [max(len(row[k]) for row in rows) for k in range(len(head[0]))]
    room = max(_LEAST_NAME, width - sum(widths) - 2 * len(widths))
    names = [title, *(f"  {write(label)}" for label in labels)]
    return [
        "  ".join(
            [cut(name, room), *(c.rjust(w) for c, w in zip(row, widths, strict=True))]
        ).rstrip()
        for name, row in zip(names, rows, strict=True)
    ]


def _reading_lines(comparison: Comparison) -> list[str]:
    level = f"{100 * comparison.confidence:g} %"
    return [
        f"[ ]: {level} intervals of each difference by itself, for classes drawn anew; better or "
        "worse where it does not hold 0",
        "+-: standard error; beyond noise where noise alone would make no class change as much "
        f"({level}, over all classes)",
    ]


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
