"""The summary of a report as lines of text, from what was counted to what to do about it."""

from collections.abc import Iterable

from opiscal.data.storage import Place
from opiscal.report.advice import advice
from opiscal.report.class_table import class_table
from opiscal.report.layout import Screen, fit
from opiscal.report.record import Report
from opiscal.report.summary.classes import class_lines
from opiscal.report.summary.consistency import opis_lines, threshold_lines
from opiscal.report.summary.data import data_lines
from opiscal.report.summary.rates import (
    accuracy_lines,
    identification_lines,
    operating_lines,
    split_lines,
)


def summary_lines(
    report: Report, run: Place, screen: Screen | None = None, *, page: Place | None = None
) -> list[str]:
    """What a person wants to know first; no line is wider than the screen, nor than 100 cells.

    ``page: PATH`` and the last one, ``run: PATH``, are where the path makes them so: a broken path
    could not be copied.

    Parameters
    ----------
    report : Report
    run : Path or Url
        The folder that holds the run.
    screen : Screen, optional
        80 cells of UTF-8 by default.
    page : Path or Url, optional
        The page of the run, where there is one.
    """
    screen = Screen() if screen is None else screen
    table = class_table(report)
    sections = (
        data_lines(report, screen),
        opis_lines(report, screen),
        threshold_lines(report, screen),
        operating_lines(report, screen),
        identification_lines(report, screen),
        accuracy_lines(report, screen),
        split_lines(report, screen),
        class_lines(report, table, screen),
        fit(screen.shown(advice(report, table)), screen.room, hang=""),
    )
    paths = [] if page is None else [f"page: {screen.shown(str(page))}"]
    return [*_apart(sections), *paths, f"run: {screen.shown(str(run))}"]


def _apart(sections: Iterable[list[str]]) -> list[str]:
    """All lines, with an empty one between sections that have any."""
    lines: list[str] = []
    for section in sections:
        lines += ["", *section] if lines and section else section
    return lines


def elapsed_line(report: Report) -> str:
    """How long each stage took."""
    stages = report.provenance.elapsed_s
    return ", ".join(f"{name.replace('_', ' ')} {took:.2f} s" for name, took in stages.items())
