"""The figures of a run folder, and of its page."""

from pathlib import Path

from opiscal.report.class_table import ClassTable
from opiscal.report.displays.figure_files import save_figure, svg_text
from opiscal.report.displays.inline import InlineFigure, inline_figure
from opiscal.report.displays.kinds import displays_of
from opiscal.report.displays.style import figure_style
from opiscal.report.record import Report
from opiscal.report.run_folder import write_text


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
            svg = svg_text(figure, display.kind)
            write_text(folder / f"{display.kind}.svg", svg)
            # Everything has its place by now: to find it again takes as long as to draw.
            figure.set_layout_engine("none")
            save_figure(figure, folder / f"{display.kind}.png", "png")
            made.append(inline_figure(display, svg))
    return tuple(made)
