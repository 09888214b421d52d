"""Tables of text that fit a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from opiscal.report.layout import cells_of, cut, fit


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    head : str
    cells : tuple of str
    side : "left" or "right"
        Where the text of a cell stands.
    least : int or None
        Cells to which a column of names may shrink, long ones being cut; None where every cell is
        shown whole.
    """

    head: str
    cells: tuple[str, ...]
    side: Literal["left", "right"] = "right"
    least: int | None = None

    @property
    def width(self) -> int:
        """Cells of the widest text."""
        return max(map(cells_of, (self.head, *self.cells)))


def table_lines(forms: Sequence[Sequence[Column]], width: int) -> list[str]:
    """A table in the first of its forms that fits, from the fullest to the barest.

    Each is tried with two spaces between columns, then with one. Where none fits, each row of the
    last one becomes a paragraph: the first cell, and below it the others with their heads.

    Examples
    --------
    >>> name, far = Column("target", ("FAR 0.1",), "left"), Column("FAR", ("0.0998",))
    >>> more = Column("", ("[0.09, 0.11]",), "left")
    >>> table_lines([[name, far, more], [name, far]], 30)
    ['target      FAR', 'FAR 0.1  0.0998  [0.09, 0.11]']
    >>> table_lines([[name, far, more], [name, far]], 14)
    ['target     FAR', 'FAR 0.1 0.0998']
    >>> table_lines([[name, far, more], [name, far]], 10)
    ['target', 'FAR 0.1', '  FAR', '    0.0998']
    """
    for columns, gap in product(forms, (2, 1)):
        sizes = _sizes(columns, width - gap * (len(columns) - 1))
        if sizes is not None:
            return _rows(columns, sizes, " " * gap)
    return _paragraphs(forms[-1], width)


def _sizes(columns: Sequence[Column], room: int) -> list[int] | None:
    """The width of each column; None where they do not fit."""
    sizes = [column.width for column in columns]
    for k, column in enumerate(columns):
        if column.least is not None and sum(sizes) > room:
            sizes[k] = max(min(column.least, sizes[k]), sizes[k] - (sum(sizes) - room))
    return sizes if sum(sizes) <= room else None


def _rows(columns: Sequence[Column], sizes: Sequence[int], gap: str) -> list[str]:
    lines = []
    for cells in zip(*((column.head, *column.cells) for column in columns), strict=True):
        padded = [
            cut(cell, size) if column.side == "left" else " " * (size - cells_of(cell)) + cell
            for cell, size, column in zip(cells, sizes, columns, strict=True)
        ]
        lines.append(gap.join(padded).rstrip())
    return lines


def _paragraphs(columns: Sequence[Column], width: int) -> list[str]:
    first, *others = columns
    lines = fit(first.head, width) if first.head else []
    for k, cell in enumerate(first.cells):
        lines.append(cut(cell, width).rstrip())
        for column in others:
            if column.cells[k].strip():
                head = f"{column.head} " if column.head else ""
                lines += fit(f"  {head}{column.cells[k].strip()}", width)
    return lines
