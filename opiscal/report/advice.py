"""What a report comes to: whether one threshold serves all classes, and where to look if not."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.report.class_table import ClassTable, class_table
from opiscal.report.layout import clean, cut
from opiscal.report.notices import FEW_CLASSES
from opiscal.report.number_text import percent_text
from opiscal.report.record import Report

# A label within a sentence is shorter than this.
_LABEL = 30
# Points of utility below which classes are served nearly alike.
_SMALL_GAP = 3.0
# One rate is to blame where it rises so many times as much as the other.
_MUCH_MORE = 2.0
# None is where neither rises by more.
_LEAST_RISE = 0.01


@dataclass(frozen=True, slots=True)
class _Rise:
    """A rate of the worst classes, and of the others, at the recommended threshold."""

    worst: float
    others: float

    @property
    def by(self) -> float:
        return self.worst - self.others


@dataclass(frozen=True, slots=True)
class Advice:
    """What a report comes to, in parts; as a text one or two sentences.

    Attributes
    ----------
    verdict : str
        Without the stop at its end.
    named : str
        The label in either of the two, as it is shown there; empty where there is none.
    beside : str
        What belongs to the verdict, from its punctuation mark on.
    next : str
        What to do, or empty. Programs in it are in backquotes, and there is no user data.
    """

    verdict: str
    named: str
    beside: str
    next: str

    def __str__(self) -> str:
        return f"{self.verdict}{self.beside}. {self.next}".rstrip()


def advice(report: Report, table: ClassTable | None = None) -> str:
    """The text of `find_advice`."""
    return str(find_advice(report, table))


def find_advice(report: Report, table: ClassTable | None = None) -> Advice:
    """What one threshold costs the worst classes, and what to do about it.

    Where the intervals do not show that classes differ, that is said in place of a cost. What
    noise alone would give stands beside every cost: among classes that are alike some come out
    worst too.

    Parameters
    ----------
    report : Report
    table : ClassTable, optional
        Its `class_table`, where that was made already.

    Returns
    -------
    Advice
        Labels in it are `clean`; nothing else is user data.
    """
    table = class_table(report) if table is None else table
    labels = set(report.epsilon_opis.worst_classes)
    worst = np.array([label in labels for label in table.label])
    gap = 100 * float(table.mean_utility[~worst].mean() - table.mean_utility[worst].mean())
    null = report.epsilon_opis.null_value
    noise = None if null is None else 100 * math.sqrt(max(null, 0.0))
    if not _shows_a_difference(report):
        return _no_difference(report, gap, noise)
    beside = ", noise included" if noise is None else f"; noise alone would give {noise:.1f}"
    below = f"{_who(report)} {_lies(report)} {gap:.1f} points of utility below the others"
    if gap < _SMALL_GAP:
        said = "One threshold serves the classes nearly alike"
        return Advice(said, _named(report), f": {below}{beside}", "")
    cost = f"One threshold costs {_who(report)} {gap:.1f} points of utility"
    return Advice(cost, _named(report), beside, _what_next(report, table, worst))


def _shows_a_difference(report: Report) -> bool:
    """Whether OPIS, or 10%-OPIS, is more than the noise of its classes explains."""
    opis, worst = report.opis, report.epsilon_opis
    if opis.value <= 0:
        return False
    if opis.corrected is None:
        return True
    low = opis.corrected if opis.corrected_ci is None else opis.corrected_ci[0]
    return low > 0 and (worst.null_value is None or worst.value > worst.null_value)


def _no_difference(report: Report, gap: float, noise: float | None) -> Advice:
    if report.opis.value <= 0:
        same = ": they have the same utility in the range"
        return Advice("One threshold serves all classes alike", "", same, "")
    beside = "" if noise is None else f", and noise alone would give {noise:.1f}"
    said = "The data do not show that one threshold serves classes differently"
    below = f": {_who(report)} {_lies(report)} {gap:.1f} points of utility below the others{beside}"
    most = report.opis.corrected_ci
    apart = 0.0 if most is None else 100 * math.sqrt(max(most[1], 0.0))
    more = f"They may still lie {apart:.0f} points apart: more rows of each would tell."
    return Advice(said, _named(report), below, "" if apart < _SMALL_GAP else more)


def _who(report: Report) -> str:
    """The worst classes, by name where it is one."""
    worst = report.epsilon_opis.worst_classes
    if len(worst) > 1:
        return f"the worst {100 * report.epsilon_opis.epsilon:g} % of classes"
    return f"the worst of {report.data.classes_scored} classes ({_named(report)})"


def _named(report: Report) -> str:
    worst = report.epsilon_opis.worst_classes
    return "" if len(worst) > 1 else cut(clean(worst[0]), _LABEL).rstrip()


def _lies(report: Report) -> str:
    return "lies" if len(report.epsilon_opis.worst_classes) == 1 else "lie"


def _what_next(report: Report, table: ClassTable, worst: NDArray[np.bool_]) -> str:
    """What is wrong with the worst classes at the recommended threshold, and where it shows."""
    if report.data.classes_scored < FEW_CLASSES:
        return "So few classes say little of others: add classes before you rely on it."
    if table.far is None or table.frr is None:
        return ""
    far, frr = (
        _Rise(float(rate[worst].mean()), float(rate[~worst].mean()))
        for rate in (table.far, table.frr)
    )
    if max(far.by, frr.by) < _LEAST_RISE:
        return ""
    their = "its" if int(worst.sum()) == 1 else "their"
    rejects = f"rejects {percent_text(frr.worst)} of {their} positive pairs"
    accepts = f"accepts {percent_text(far.worst)} of {their} negative pairs"
    # It mines one set: a gallery is not for it.
    where = "`opiscal hard-pairs` lists {}" if report.data.queries is None else ""
    if frr.by >= _MUCH_MORE * far.by:
        said, which = f"{rejects} ({percent_text(frr.others)} of the others')", "the worst of them"
    elif far.by >= _MUCH_MORE * frr.by:
        said = f"{accepts} ({percent_text(far.others)} of the others')"
        which = "the classes they are taken for"
    else:
        said, which = f"{rejects} and {accepts}", "both"
    ending = f": {where.format(which)}" if where else ""
    return f"The recommended threshold {said}{ending}."
