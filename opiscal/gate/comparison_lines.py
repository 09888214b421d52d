"""A comparison as lines of text, for a terminal of any width."""

from collections.abc import Callable, Sequence

from opiscal.gate.comparison import Candidate, Comparison, Model
from opiscal.gate.comparison_cells import (
    between,
    change_cells,
    difference_cells,
    mismatch_text,
    model_cells,
    notes,
    pairing_text,
    signed_text,
    threshold_text,
    verdict_text,
)
from opiscal.gate.differences import Difference
from opiscal.gate.threshold_transfer import ThresholdTransfer
from opiscal.measures.operating_points import threshold_scales
from opiscal.report.layout import cells_of, clean, cut, fit, table_lines
from opiscal.report.rounding import TEXT_DIGITS, round_down, round_up

_WIDEST, _LEAST_NAME, _LONGEST_NAME = 100, 8, 24


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
    lines = table_lines(rows, " ")
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
        f"  {d.name}: {verdict_text(d)} ({signed_text(d.difference)} {between(d.ci)})"
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
