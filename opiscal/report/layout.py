"""Lines of text that fit a terminal, whatever the names in them."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opiscal.data.embedding_set import Label

# Lines are not read well when they are longer.
_WIDEST = 100
_HIDDEN = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"))
_COMBINING = frozenset(("Mn", "Me"))
# Of a label that is cut in a smaller room only the beginning is shown.
_ROOM_FOR_ENDS = 10
# Characters in which an end is looked for: combining marks take no room.
_MOST_OF_END = 400
# It asks for the wide picture of the character before it.
_EMOJI_VARIANT = "\N{VARIATION SELECTOR-16}"
# Trigrams, hexagrams, tetragrams and counting rods, which Unicode 16 made wide: the tables of older
# Pythons, and older terminals, have them narrow.
_WIDE_SINCE_16 = ((0x2630, 0x2637), (0x268A, 0x268F), (0x4DC0, 0x4DFF), (0x1D300, 0x1D376))
# "5 %" and "distance <= 0.5" stay together.
_BREAK = re.compile(r"(?<![<>]=) (?!%|[<>]=)")


@dataclass(frozen=True, slots=True)
class Screen:
    """Where lines are shown.

    Attributes
    ----------
    width : int
        Cells in a line, at least 20; of a wider terminal 100 are used.
    encoding : str
        What it can show. Other characters of names become escapes before lines are laid out.
    """

    width: int = 80
    encoding: str = "utf-8"

    @property
    def room(self) -> int:
        """Cells that are used."""
        return min(self.width, _WIDEST)

    def shown(self, text: Label | None) -> str:
        """User data made safe to print here."""
        safe = clean(text)
        return safe.encode(self.encoding, "backslashreplace").decode(self.encoding)


def clean(text: Label | None) -> str:
    r"""User data made safe to print: control and direction characters are shown as escapes.

    So are characters that Unicode does not know, whose width nobody knows either, and a combining
    mark with nothing before it. Where nothing could be seen, it stands in quotes.

    Examples
    --------
    >>> print(clean("\x1b[31mred\n"), clean("  "))
    \x1b[31mred\n '  '
    """
    if not str(text).strip():
        return repr(str(text))
    if str(text).isascii() and str(text).isprintable():
        return str(text)
    safe: list[str] = []
    for character in str(text):
        category = unicodedata.category(character)
        hidden = category in _HIDDEN or (_is_combining(character) and not safe)
        safe.append(character.encode("unicode_escape").decode() if hidden else character)
    return "".join(safe)


def cells_of(text: str) -> int:
    r"""Cells of a terminal that a text takes; where terminals differ, of the widest.

    Examples
    --------
    >>> cells_of("abc"), cells_of("\u65e5\u672c"), cells_of("e\u0301"), cells_of("\u2764\ufe0f")
    (3, 4, 1, 2)
    """
    return len(text) if text.isascii() else sum(cells for _, cells in _characters(text))


def _characters(text: str) -> Iterator[tuple[str, int]]:
    """Each character with the cells that it adds."""
    last = 0
    for character in text:
        if character == _EMOJI_VARIANT:
            cells = 1 if last == 1 else 0
        elif _is_combining(character):
            yield character, 0
            continue
        else:
            cells = 2 if _is_wide(character) else 1
        last = cells
        yield character, cells


def _is_combining(character: str) -> bool:
    return unicodedata.category(character) in _COMBINING


def _is_wide(character: str) -> bool:
    if unicodedata.east_asian_width(character) in "WF":
        return True
    return any(first <= ord(character) <= last for first, last in _WIDE_SINCE_16)


def cut(text: str, room: int) -> str:
    """Text of exactly `room` cells: filled up with spaces, or with dots for its middle.

    Labels often differ at their ends only. Where there is little room the end goes too.

    Examples
    --------
    >>> cut("Latin/character12", 12), cut("Latin/character12", 8), cut("char", 6)
    ('Latin...er12', 'Latin...', 'char  ')
    """
    taken = cells_of(text)
    if taken > room:
        dots = "..."[: max(room, 0)]
        last = "" if room < _ROOM_FOR_ENDS else _end(text, (room - len(dots)) // 2)
        first, _ = _start(text, room - len(dots) - cells_of(last))
        text = first + dots + last
        taken = cells_of(text)
    return text + " " * (room - taken)


def _end(text: str, room: int) -> str:
    """As much of the end as fits; it does not begin with a mark of the character before it."""
    taken, first = 0, len(text)
    for character, cells in reversed(list(_characters(text[-_MOST_OF_END:]))):
        if taken + cells > room:
            break
        taken += cells
        first -= len(character)
    return text[first:].lstrip("".join(c for c in text[first:] if _is_combining(c)))


def _start(text: str, room: int) -> tuple[str, int]:
    """As much of the beginning as fits, and its cells."""
    taken, end = 0, 0
    for character, cells in _characters(text):
        if taken + cells > room:
            break
        taken += cells
        end += len(character)
    return text[:end], taken


def fit(line: str, width: int, hang: str = "  ") -> list[str]:
    """The line, broken at spaces into pieces of at most `width` cells; a longer word is broken too.

    What goes on stands further in than the line begins, by `hang`. No line ends before a percent
    sign or within a comparison.

    Examples
    --------
    >>> fit("  one two three", 11)
    ['  one two', '    three']
    >>> fit("abcdefghij", 6)
    ['abcdef', '  ghij']
    """
    if cells_of(line) <= width:
        return [line]
    start = line[: len(line) - len(line.lstrip(" "))]
    further = start + hang
    pieces: list[str] = []
    empty = current = start
    for word in _words(line[len(start) :], width - len(further)):
        rest = word
        while (
            cells_of(joined := current + rest if current == empty else f"{current} {rest}") > width
        ):
            if current == empty:
                # A wide character needs two cells.
                part, _ = _start(rest, max(width - len(empty), 2))
                current, rest = current + part, rest[len(part) :]
            pieces.append(current.rstrip(" "))
            empty = current = further
        current = joined
    return [*pieces, current.rstrip(" ")]


def _words(text: str, room: int) -> list[str]:
    """What is not to be broken, but for a comparison that has no room in a line."""
    return [
        part
        for word in _BREAK.split(text)
        for part in (word.split(" ") if cells_of(word) > room else [word])
    ]


def flow(parts: Sequence[str], width: int, between: str = "  ", start: str = "") -> list[str]:
    """Parts in as few lines as fit, each line beginning with `start`; a part is not torn apart.

    Unless it alone is wider than a line: then it is broken as `fit` breaks it.

    Examples
    --------
    >>> flow(["FAR 0.1", "FRR 0.2", "AUC 0.9"], 18)
    ['FAR 0.1  FRR 0.2', 'AUC 0.9']
    """
    lines: list[str] = []
    for part in parts:
        if lines and cells_of(lines[-1] + between + part) <= width:
            lines[-1] += between + part
        else:
            lines.append(start + part)
    return [piece for line in lines for piece in fit(line, width)]


def first_that_fits(forms: Sequence[Sequence[str]], width: int) -> list[str]:
    """The first of several forms of the same lines that is narrow enough; else the last, broken."""
    for lines in forms:
        if all(cells_of(line) <= width for line in lines):
            return list(lines)
    return [piece for line in forms[-1] for piece in fit(line, width)]
