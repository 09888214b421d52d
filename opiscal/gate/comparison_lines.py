"""A comparison as lines of text, for a terminal of any width."""

from collections.abc import Sequence

from opiscal.data.embedding_set import Label
from opiscal.gate.comparison import Candidate, Comparison, Model
from opiscal.gate.comparison_cells import (
    between,
    change_cells,
    difference_cells,
    mismatch_text,
    model_cells,
    notes,
    pairing_text,
    threshold_text,
)
from opiscal.gate.differences import Difference
from opiscal.gate.threshold_transfer import ThresholdTransfer
from opiscal.measures.operating_points import OperatingPoint, threshold_scales
from opiscal.report.columns import Column, table_lines
from opiscal.report.layout import Screen, cut, fit
from opiscal.report.rounding import TEXT_DIGITS, round_down, round_up

# Names of models and of classes: cells that a column may shrink to, or grow to.
_LEAST_NAME, _LONGEST_NAME = 8, 24
_LEFT_FOR_NUMBERS = 30


def comparison_lines(comparison: Comparison, screen: Screen | None = None) -> list[str]:
    """What a person wants to know first, no line wider than the screen."""
    screen = screen or Screen()
    models = comparison.models
    lines = model_lines(models, screen)
    for candidate, model in zip(comparison.candidates, models[1:], strict=True):
        lines += ["", *_candidate_lines(comparison, candidate, model, screen)]
    lines += ["", *_reading_lines(comparison)]
    return [piece for line in lines for piece in fit(line, screen.room)]


def model_lines(models: Sequence[Model], screen: Screen) -> list[str]:
    """The table of models, in as many blocks of columns as the width asks for."""
    head, *rows = model_cells(models, screen.shown)
    names, *others = (
        Column(head[k], tuple(row[k] for row in rows), "left" if k == 0 else "right")
        for k in range(len(head))
    )
    room = min(max(names.width, _LEAST_NAME), _LONGEST_NAME)
    room = min(room, max(_LEAST_NAME, screen.room - _LEFT_FOR_NUMBERS))
    names = Column(names.head, tuple(cut(name, room) for name in names.cells), "left")
    blocks: list[list[Column]] = [[names]]
    for column in others:
        wide = sum(c.width + 2 for c in blocks[-1]) + column.width
        if len(blocks[-1]) > 1 and wide > screen.room:
            blocks.append([names])
        blocks[-1].append(column)
    lines: list[str] = []
    for block in blocks:
        lines += [] if not lines else [""]
        lines += table_lines([block], screen.room)
    return lines


def _candidate_lines(
    comparison: Comparison, candidate: Candidate, model: Model, screen: Screen
) -> list[str]:
    baseline = comparison.models[0]
    room = max(_LEAST_NAME, (screen.room - 12) // 2)
    name, first = (cut(screen.shown(n), room).rstrip() for n in (candidate.name, baseline.name))
    return [
        f"{name} against {first}",
        f"({pairing_text(candidate)})",
        *(mismatch_text(m.key, m.baseline, m.candidate) for m in candidate.mismatches),
        *_difference_lines("figure", candidate.differences, screen),
        *(f"({note})" for note in notes(candidate)),
        "",
        *_threshold_lines(candidate.threshold, baseline, model, screen),
        *_class_lines(candidate, screen),
    ]


def _difference_lines(title: str, differences: Sequence[Difference], screen: Screen) -> list[str]:
    heads = [title, "difference", "interval", "change", "verdict"]
    cells = list(zip(*difference_cells(differences), strict=True))
    name, difference, interval, change, verdict = (
        Column(head, column, "left" if k in (0, 2, 4) else "right")
        for k, (head, column) in enumerate(zip(heads, cells, strict=True))
    )
    baseline = Column("baseline", tuple(_plain(d.baseline) for d in differences))
    new = Column("new", tuple(_plain(d.candidate) for d in differences))
    forms = [
        [name, baseline, new, difference, interval, change, verdict],
        [name, difference, interval, change, verdict],
        [name, difference, interval, verdict],
    ]
    return table_lines(forms, screen.room)


def _threshold_lines(
    transfer: ThresholdTransfer | None, baseline: Model, model: Model, screen: Screen
) -> list[str]:
    if transfer is None:
        why = "no threshold is recommended"
        if baseline.report.metric != model.report.metric:
            why = "distances of two metrics are not compared"
        return [f"threshold in production: {why}"]
    similarity = threshold_scales(transfer.distance, baseline.report.metric)["similarity"]
    value = (
        f"similarity >= {round_up(similarity, TEXT_DIGITS):.6g}"
        if similarity is not None
        else f"L2 distance <= {round_down(transfer.distance, TEXT_DIGITS):.6g}"
    )
    source = cut(screen.shown(transfer.source), _LONGEST_NAME + 16).rstrip()
    cosine = model.report.metric == "cosine"
    own = threshold_text(model.report.recommended_threshold, cosine)
    worst = transfer.worst
    before = ["-" if c.baseline_utility is None else _utility(c.baseline_utility) for c in worst]
    return [
        f"threshold in production: {value} ({source}); the new one recommends {own}",
        *_point_lines([transfer.baseline, transfer.candidate], screen),
        *_difference_lines("if it stays", transfer.differences, screen),
        *_table_of_classes(
            "worst classes there, on the new",
            [c.label for c in worst],
            [
                Column("FAR", tuple(_rate(c.far) for c in worst)),
                Column("FRR", tuple(_rate(c.frr) for c in worst)),
                Column("utility", tuple(_utility(c.utility) for c in worst)),
                Column("before", tuple(before)),
            ],
            screen,
        ),
    ]


def _point_lines(points: Sequence[OperatingPoint], screen: Screen) -> list[str]:
    name = Column("if it stays", ("on the baseline", "on the new"), "left")
    far, frr = (
        Column(head, tuple(_rate(rate) for rate in rates))
        for head, rates in (("FAR", [p.far for p in points]), ("FRR", [p.frr for p in points]))
    )
    of_far = Column("", tuple(between(p.far_ci) for p in points), "left")
    of_frr = Column("", tuple(between(p.frr_ci) for p in points), "left")
    utility = Column("utility", tuple(_utility(p.utility or 0.0) for p in points))
    return table_lines(
        [[name, far, of_far, frr, of_frr, utility], [name, far, frr, utility]], screen.room
    )


def _class_lines(candidate: Candidate, screen: Screen) -> list[str]:
    changes = candidate.classes
    if not candidate.shared_classes:
        return ["", "classes gained and lost: no class is in both runs"]
    lines: list[str] = []
    for word, found, beyond in (
        ("gained", changes.gained, changes.gained_beyond_noise),
        ("lost", changes.lost, changes.lost_beyond_noise),
    ):
        title = f"{word}: {beyond:,} of {candidate.shared_classes:,} beyond noise"
        if not found:
            lines += ["", title]
            continue
        cells = list(zip(*(change_cells(change) for change in found), strict=True))
        heads = ("utility", "before", "change", "")
        lines += [
            "",
            *_table_of_classes(
                title,
                [change.label for change in found],
                [Column(head, column) for head, column in zip(heads, cells, strict=True)],
                screen,
            ),
        ]
    return lines


def _table_of_classes(
    title: str, labels: Sequence[Label], columns: list[Column], screen: Screen
) -> list[str]:
    names = tuple(f"  {screen.shown(label)}" for label in labels)
    whole = Column(title, names, "left", least=max(_LEAST_NAME, len(title)))
    # Where the title has no room beside the numbers it has a line of its own.
    below = Column("class", names, "left", least=_LEAST_NAME)
    if len(title) + sum(column.width + 1 for column in columns) <= screen.room:
        return table_lines([[whole, *columns]], screen.room)
    return [title, *table_lines([[below, *columns]], screen.room)]


def _reading_lines(comparison: Comparison) -> list[str]:
    level = f"{100 * comparison.confidence:g} %"
    return [
        f"[ ]: {level} intervals of each difference by itself, for classes drawn anew; better or "
        "worse where it does not hold 0",
        "+-: standard error; beyond noise where noise alone would make no class change as much "
        f"({level}, over all classes)",
    ]


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _utility(value: float) -> str:
    return f"{value:.4f}"
