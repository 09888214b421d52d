"""A comparison as Markdown, for a pull request or a wiki, in which names are text and no more."""

from collections.abc import Iterator, Sequence

from opiscal.gate.comparison import Candidate, Comparison
from opiscal.gate.comparison_cells import (
    change_cells,
    difference_cells,
    mismatch_text,
    model_cells,
    notes,
    pairing_text,
)
from opiscal.report.layout import clean, cut

_LONGEST_NAME = 80
_SPECIAL = frozenset("\\`*_{}[]()<>#+-.!|~$@&:'\"=")


def markdown_lines(comparison: Comparison) -> list[str]:
    """The tables of a comparison in Markdown."""
    head, *rows = model_cells(comparison.models)
    lines = [*markdown_table([head, *([name_text(row[0]), *row[1:]] for row in rows)])]
    for candidate in comparison.candidates:
        lines += ["", *_candidate_lines(comparison, candidate)]
    level = f"{100 * comparison.confidence:g} %"
    return [
        *lines,
        "",
        f"Intervals are of {level}, of each difference by itself, for classes drawn anew.",
    ]


def markdown_table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table, the head first; cells are Markdown already."""
    head, *others = rows
    yield f"| {' | '.join(head)} |"
    yield "|---" + "|---:" * (len(head) - 1) + "|"
    for row in others:
        yield f"| {' | '.join(row)} |"


def name_text(name: object) -> str:
    """A name or a label as code that no renderer takes for anything else.

    Examples
    --------
    >>> name_text("a|b")
    '<code>a&#124;b</code>'
    """
    text = cut(clean(str(name)), _LONGEST_NAME).rstrip()
    safe = "".join(f"&#{ord(c)};" if c in _SPECIAL else c for c in text)
    return f"<code>{safe}</code>"


def plain_text(text: str) -> str:
    """Words with names in them as text that no renderer takes for anything else."""
    return "".join(f"&#{ord(c)};" if c in _SPECIAL - {":", ".", "-", "'"} else c for c in text)


def _candidate_lines(comparison: Comparison, candidate: Candidate) -> Iterator[str]:
    yield f"**{name_text(candidate.name)} against {name_text(comparison.models[0].name)}** "
    yield f"({pairing_text(candidate)})"
    yield ""
    for mismatch in candidate.mismatches:
        told = mismatch_text(mismatch.key, mismatch.baseline, mismatch.candidate)
        yield f"- {plain_text(told)}"
    if candidate.mismatches:
        yield ""
    yield from markdown_table(
        [
            ["figure", "difference", "interval", "change", "verdict"],
            *difference_cells(candidate.differences),
        ]
    )
    for note in notes(candidate):
        yield ""
        yield note
    transfer = candidate.threshold
    if transfer is not None:
        yield ""
        yield f"If the threshold stays (distance {transfer.distance:.6g}):"
        yield ""
        yield from markdown_table(
            [
                ["figure", "difference", "interval", "change", "verdict"],
                *difference_cells(transfer.differences),
            ]
        )
    changes = candidate.classes
    if changes.gained or changes.lost:
        yield ""
        yield from markdown_table(
            [
                ["class", "utility", "before", "change", "noise"],
                *(
                    [name_text(change.label), *change_cells(change)]
                    for change in (*changes.gained, *changes.lost)
                ),
            ]
        )
