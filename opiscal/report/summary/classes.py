"""What the summary says about how classes differ, and which are the worst."""

import numpy as np

from opiscal.report.bars import bar, glyphs_in, histogram
from opiscal.report.class_table import ClassTable
from opiscal.report.columns import Column, table_lines
from opiscal.report.findings import Unequal
from opiscal.report.layout import Screen, cut, fit, flow
from opiscal.report.number_text import rate_text, utility_text
from opiscal.report.record import Report

_NAME = 21
_WORST_SHOWN = 5
# Columns of the histogram at most, and cells of a class's bar.
_BINS, _BAR = 40, 10
# A label within a sentence is shorter than this.
_LABEL = 30
# Quartiles of fewer classes say nothing.
_FEWEST_FOR_QUARTILES = 4
# Where names stand beside their texts.
_ROOM_FOR_NAMES = 70


def class_lines(report: Report, table: ClassTable, screen: Screen) -> list[str]:
    """How the classes spread, how unequal the threshold is, and the worst classes."""
    return [
        *_spread_lines(table, screen),
        *_differential_lines(report, screen),
        "",
        *_worst_lines(report, table, screen),
    ]


def _entry(name: str, parts: list[str], screen: Screen) -> list[str]:
    """A name and what stands beside it, or below where there is little room."""
    if screen.room < _ROOM_FOR_NAMES:
        return [*fit(name, screen.room), *flow(parts, screen.room, start="  ")]
    lines = flow(parts, screen.room, start=" " * (_NAME + 2))
    return [f"{name:<{_NAME}}{lines[0][_NAME:]}", *lines[1:]]


def _spread_lines(table: ClassTable, screen: Screen) -> list[str]:
    """The classes' mean utility over the range: a histogram between its ends, and quartiles."""
    utility = table.mean_utility
    low, high = utility_text(utility.min()), utility_text(utility.max())
    if low == high:
        return _entry("utility by class", [f"{low} for every class"], screen)
    indent = 2 if screen.room < _ROOM_FOR_NAMES else _NAME + 2
    bins = min(_BINS, screen.room - indent - len(low) - len(high) - 2)
    drawn = f"{low} {histogram(utility, bins, glyphs_in(screen.encoding))} {high}"
    parts = [drawn]
    if utility.size >= _FEWEST_FOR_QUARTILES:
        first, median, third = map(utility_text, np.quantile(utility, (0.25, 0.5, 0.75)))
        parts.append(f"half of them in {first} to {third}, median {median}")
    return _entry("utility by class", parts, screen)


def _differential_lines(report: Report, screen: Screen) -> list[str]:
    """How unequal the recommended threshold is: OPIS hardly sees false accepts, this does."""
    found = report.differential
    if found is None:
        return []
    lines = _unequal_lines("classes", found.far, found.frr, screen)
    if found.groups is not None:
        lines += _unequal_lines("groups", found.groups.far, found.groups.frr, screen)
        across = found.groups.negative_across
        if across is not None:
            said = f"{100 * across:.3g} % of negative pairs lie across groups"
            lines += _entry("", [said], screen)
    return lines


def _unequal_lines(cells: str, far: Unequal, frr: Unequal, screen: Screen) -> list[str]:
    parts = [
        f"{name} up to {spread.max_over_geomean:.2g} times the typical one "
        f"({cut(screen.shown(spread.worst[0].label), _LABEL).rstrip()})"
        for name, spread in (("FAR", far), ("FRR", frr))
        if spread.max_over_geomean is not None and spread.worst
    ]
    return _entry(f"over {cells}:", parts, screen) if parts else []


def _worst_lines(report: Report, table: ClassTable, screen: Screen) -> list[str]:
    """The worst classes, and all of them for comparison."""
    at = _worst(report, table)
    everywhere, point = report.utility.mean, report.recommended_threshold
    utility = [*map(float, table.mean_utility[at]), everywhere]
    glyphs = glyphs_in(screen.encoding)

    def rates(of_class: np.ndarray | None, of_all: float | None) -> tuple[str, ...]:
        each = [None] * len(at) if of_class is None else map(float, of_class[at])
        return tuple(map(rate_text, [*each, of_all]))

    labels = (*(screen.shown(table.label[k]) for k in at), "all classes")
    names = {least: Column("worst classes", labels, "left", least) for least in (24, 13, 8)}
    drawn = Column("", tuple(bar(u, _BAR, glyphs) for u in utility), "left")
    rows = Column("rows", tuple(f"{n:,}" for n in (*table.rows[at], table.rows.sum())))
    value = Column("utility", tuple(map(utility_text, utility)))
    far = Column("FAR", rates(table.far, point.far))
    frr = Column("FRR", rates(table.frr, point.frr))
    forms = [
        [names[24], rows, value, drawn, far, frr],
        [names[13], rows, value, far, frr],
        [names[13], value, far, frr],
        [names[8], value, frr],
    ]
    return table_lines(forms, screen.room)


def _worst(report: Report, table: ClassTable) -> list[int]:
    """Places of those in 10%-OPIS first, then of as many as make five, but half of all at most."""
    place = {label: k for k, label in enumerate(table.label)}
    first = [place[label] for label in report.epsilon_opis.worst_classes[:_WORST_SHOWN]]
    lowest = map(int, np.argsort(table.mean_utility, kind="stable")[: 2 * _WORST_SHOWN])
    rest = [k for k in lowest if k not in first]
    more = min(_WORST_SHOWN, len(place) // 2) - len(first)
    return [*first, *rest[: max(more, 0)]]
