"""Lines of text that fit a terminal, whatever the names in them."""

import unicodedata
from collections.abc import Sequence

from opiscal.data.embedding_set import Label


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


def table_lines(rows: Sequence[Sequence[str]], between: str = "  ") -> list[str]:
    """A table with its first column, and intervals, to the left, and numbers to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        between.join(
            cell.ljust(width) if k == 0 or "[" in cell else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def cells_of(text: str) -> int:
    """Cells of a terminal that a text takes."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut(text: str, room: int) -> str:
    """Text of exactly `room` cells: filled up with spaces, or shortened and ended by dots."""
    if cells_of(text) > room:
        kept = ""
        for character in text:
            if cells_of(kept + character) > room - 3:
                break
            kept += character
        text = kept + "..."
    return text + " " * (room - cells_of(text))


def fit(line: str, width: int) -> list[str]:
    """The line, broken at spaces into pieces of at most `width` cells; a long word stays whole."""
    if cells_of(line) <= width:
        return [line]
    indent = line[: len(line) - len(line.lstrip(" "))]
    pieces, current = [], indent
    for word in line[len(indent) :].split(" "):
        if current.strip() and cells_of(f"{current} {word}") > width:
            pieces.append(current.rstrip())
            current = f"{indent}  {word}"
        else:
            current = f"{current} {word}" if current.strip() else current + word
    return [*pieces, current]
