"""The figures of a run: those of its folder and its page, and those that are asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from opiscal.errors import UsageError
from opiscal.report.class_table import ClassTable
from opiscal.report.displays.consistency import ConsistencyDisplay
from opiscal.report.displays.display import SIZE, Display, new_axes
from opiscal.report.displays.figure_files import (
    DOTS_PER_INCH,
    FigureFormat,
    figure_bytes,
    settle,
)
from opiscal.report.displays.inline import InlineFigure, inline_figure
from opiscal.report.displays.kinds import KINDS, check_kinds, displays_of
from opiscal.report.displays.overlay import OverlayDisplay
from opiscal.report.displays.style import figure_style
from opiscal.report.record import Report

_INCHES = (1.5, 40.0)
_AROUND = SIZE[1] - 0.5 * SIZE[0]
_DPI = (20.0, 1200.0)
_MOST_DOTS = 30_000
FORMATS: tuple[FigureFormat, ...] = ("svg", "png", "pdf")


@dataclass(frozen=True, slots=True)
class FigureFile:
    """A figure as a file that is not written yet.

    Attributes
    ----------
    name : str
        Its kind, of two runs with ``-overlay``, and the ending of its format.
    title, description : str
        The conclusion, and what is drawn.
    data : bytes
    """

    name: str
    title: str
    description: str
    data: bytes


@dataclass(frozen=True, slots=True)
class FigureShape:
    """How large figures are, and in which style.

    Attributes
    ----------
    width, height : float or None
        Inches, 1.5 to 40; None for what suits the other, of which the default is 4.8 by 3.6.
    dpi : float
        Dots per inch of PNG, 20 to 1200.
    style : str
        ``light``, ``dark`` or ``paper``, a style of matplotlib, or a file of its settings.

    Raises
    ------
    UsageError
        For a size that is not allowed.
    """

    width: float | None = None
    height: float | None = None
    dpi: float = DOTS_PER_INCH
    style: str = "light"

    def __post_init__(self) -> None:
        for name, side in (("width", self.width), ("height", self.height)):
            if side is not None and not _INCHES[0] <= side <= _INCHES[1]:
                raise UsageError(
                    f"{name} {side:g}: must be from {_INCHES[0]:g} to {_INCHES[1]:g} inches, such "
                    "as 3.3 for a column of a paper"
                )
        if not _DPI[0] <= self.dpi <= _DPI[1]:
            raise UsageError(
                f"dpi {self.dpi:g}: must be from {_DPI[0]:g} to {_DPI[1]:g} dots per inch"
            )
        if max(self.inches) * self.dpi > _MOST_DOTS:
            raise UsageError(
                f"{max(self.inches):g} inches at {self.dpi:g} dpi: a side must have at most "
                f"{_MOST_DOTS} dots; take fewer inches or a lower dpi"
            )

    @property
    def inches(self) -> tuple[float, float]:
        """Width and height."""
        # Titles, labels and the legend take as much in a small figure.
        width = self.width or (SIZE[0] if self.height is None else 2 * (self.height - _AROUND))
        return max(width, _INCHES[0]), self.height or 0.5 * width + _AROUND


def write_plots(
    report: Report, folder: Path, *, table: ClassTable | None = None
) -> tuple[InlineFigure, ...]:
    """Write every figure, each as SVG and PNG.

    Parameters
    ----------
    report : Report
    folder : Path
        It is made.
    table : ClassTable, optional
        That of the report, where it is at hand.

    Returns
    -------
    tuple of InlineFigure
        The same figures, for a page.
    """
    folder.mkdir()
    made = []
    with figure_style():
        for display in displays_of(report, table=table):
            figure = display.plot().figure_
            settle(figure)
            svg = figure_bytes(figure, display.kind, "svg")
            (folder / f"{display.kind}.svg").write_bytes(svg)
            png = figure_bytes(figure, display.kind, "png")
            (folder / f"{display.kind}.png").write_bytes(png)
            made.append(inline_figure(display, svg.decode("utf-8")))
    return tuple(made)


def draw_plots(
    report: Report,
    kinds: Sequence[str] = KINDS,
    formats: Sequence[FigureFormat] = ("svg", "png"),
    shape: FigureShape | None = None,
    *,
    against: Report | None = None,
    names: tuple[str, str] = ("before", "after"),
) -> Iterator[FigureFile]:
    """Draw some figures.

    Parameters
    ----------
    report : Report
    kinds : sequence of str
        Of `KINDS`.
    formats : sequence of "svg", "png" or "pdf"
    shape : FigureShape, optional
    against : Report, optional
        An earlier run that is drawn on the same axes.
    names : pair of str
        What the earlier run and this one are called there.

    Yields
    ------
    FigureFile

    Raises
    ------
    UsageError
        For a kind, a format or a style that is not known, or runs without common axes.
    """
    check_kinds(kinds)
    for one in formats:
        if one not in FORMATS:
            raise UsageError(f"format {one!r}: must be one of {', '.join(FORMATS)}")
    shape = FigureShape() if shape is None else shape
    with figure_style(shape.style):
        shown: Iterator[Display] = displays_of(report, kinds)
        if against is not None:
            pairs = zip(displays_of(against, kinds), shown, strict=True)
            shown = (OverlayDisplay.of(earlier, later, names) for earlier, later in pairs)
        for kind, display in zip(kinds, shown, strict=True):
            name = kind if against is None else f"{kind}-overlay"
            figure = display.plot(new_axes(shape.inches)).figure_
            settle(figure)
            for ending in formats:
                data = figure_bytes(figure, name, ending, shape.dpi)
                yield FigureFile(f"{name}.{ending}", display.title, display.description, data)


def draw_models(
    reports: Sequence[Report],
    names: Sequence[str],
    format: FigureFormat,
    *,
    error: str = "eer",
    pairs: Sequence[tuple[str, str]] = (),
) -> FigureFile:
    """Draw models by their error and their OPIS.

    Parameters
    ----------
    reports, names, error, pairs
        As for `opiscal.report.displays.consistency.ConsistencyDisplay.from_reports`.
    format : "svg", "png" or "pdf"
    """
    with figure_style():
        display = ConsistencyDisplay.from_reports(reports, names, error=error, pairs=pairs).plot()
        data = figure_bytes(display.figure_, display.kind, format)
    return FigureFile(f"{display.kind}.{format}", display.title, display.description, data)
