"""Margins of the TCM loss as lines of text that fit a terminal."""

from opiscal.measures.margins import Bounded
from opiscal.report.columns import Column, table_lines
from opiscal.report.layout import Screen, cells_of, fit, flow
from opiscal.report.margins import Margin, Margins
from opiscal.report.number_text import percent_text, rate_text
from opiscal.report.rounding import TEXT_DIGITS, round_up

_KIND = {"m_pos": "positive", "m_neg": "negative"}


def margin_lines(found: Margins, screen: Screen | None = None) -> list[str]:
    """What ``opiscal margins`` prints.

    No line is wider than the screen, but for those of Python where it has fewer than 56 cells.
    """
    screen = Screen() if screen is None else screen
    width = screen.room
    rows = (found.m_pos, found.m_neg, *found.paper)
    name = Column("margin", tuple(map(_name, rows)), "left")
    similarity = Column("similarity", tuple(map(_similarity, rows)))
    far = Column("FAR", tuple(rate_text(m.far) for m in rows))
    frr = Column("FRR", tuple(rate_text(m.frr) for m in rows))
    share = Column("hard pairs", tuple(percent_text(m.share.value) for m in rows))
    kind = Column("", tuple(f"of {m.pairs:,} {_KIND[m.name]}" for m in rows), "left")
    term = Column("mean term", tuple(f"{m.term.value:.4f}" for m in rows))
    table = table_lines(
        [
            [name, similarity, far, frr, share, kind, term],
            [name, similarity, far, frr, share, term],
            [name, similarity, share, term],
        ],
        width,
    )
    loss = flow(
        [
            f"loss now {found.loss.value:.4f} (both terms, each with weight 1);",
            f"with the paper's margins {found.paper_loss.value:.4f}",
        ],
        width,
        " ",
    )
    notes = [fit(f"{note.message} [{note.code}]", width, "") for note in found.notes]
    sections = [
        fit(_origins(found), width, "") + table,
        loss + fit(_exactness(found, rows), width),
        [line for note in notes for line in note],
        _code_lines(found, width),
    ]
    return [
        line
        for k, section in enumerate(filter(None, sections))
        for line in ([""] if k else []) + section
    ]


def _name(margin: Margin) -> str:
    return f"paper's {margin.name}" if margin.criterion == "paper" else margin.name


def _similarity(margin: Margin) -> str:
    return f"{round_up(margin.similarity, TEXT_DIGITS):#.6g}"


def _origins(found: Margins) -> str:
    if found.m_pos.criterion == found.m_neg.criterion == "range":
        return "m_pos and m_neg at the near and at the far end of the calibration range"
    return f"m_pos {_origin(found.m_pos)}; m_neg {_origin(found.m_neg)}"


def _origin(margin: Margin) -> str:
    if margin.criterion == "range":
        return f"at the {'near' if margin.name == 'm_pos' else 'far'} end of the calibration range"
    if margin.target is not None:
        return f"for {margin.criterion.upper()} {margin.target:g}"
    return "as given"


def _exactness(found: Margins, rows: tuple[Margin, ...]) -> str:
    points = 100 * max(map(_error, (m.share for m in rows)))
    term = max(map(_error, (m.term for m in rows)))
    said = (
        f"read off the counts between edges: shares are right to {_up(points)} points, terms to "
        f"{_up(term)}"
    )
    return f"({said} of the sample's estimates)" if found.sampled else f"({said})"


def _error(number: Bounded) -> float:
    return max(number.high - number.value, number.value - number.low)


def _up(error: float) -> str:
    return f"{round_up(error, 2):.2g}"


def _code_lines(found: Margins, width: int) -> list[str]:
    name, arguments = found.code.removesuffix(")").split("(")
    call = [f"loss = {found.code}"]
    if cells_of(call[0]) > width:
        call = [f"loss = {name}(", *(f"    {one}," for one in arguments.split(", ")), ")"]
    return [f"from opiscal.losses import {name}", *call]
