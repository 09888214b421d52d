"""Figures as files: the same bytes for the same numbers."""

import io
import warnings
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.figure import Figure

FigureFormat = Literal["svg", "png", "pdf"]
DOTS_PER_INCH = 150.0

# What would say when, or by which version, a file was made.
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


def settle(figure: Figure) -> None:
    """Give everything its place, once: else it is found anew for each file, by drawing."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def figure_bytes(
    figure: Figure, name: str, format: FigureFormat, dpi: float = DOTS_PER_INCH
) -> bytes:
    """A figure as the bytes of a file. Text of SVG stays text: it can be searched and read aloud.

    Parameters
    ----------
    figure : matplotlib Figure
    name : str
        From which the names of the parts of an SVG are made.
    format : "svg", "png" or "pdf"
    dpi : float
        Dots per inch of pictures made of dots.
    """
    out = io.BytesIO()
    settings: dict[Any, Any] = {"svg.hashsalt": name, "svg.fonttype": "none", "pdf.fonttype": 42}
    with mpl.rc_context(settings), warnings.catch_warnings():
        # Labels are in any script; a letter that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(out, format=format, dpi=dpi, metadata=_METADATA[format])
    return out.getvalue()
