"""Figures as files: the same bytes for the same numbers."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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


def svg_text(figure: Figure, name: str) -> str:
    """A figure as SVG. Text stays text: it can be searched and read aloud.

    Parameters
    ----------
    figure : matplotlib Figure
    name : str
        From which the names of its parts are made.
    """
    out = io.BytesIO()
    with _settings(name):
        figure.savefig(out, format="svg", metadata=_METADATA["svg"])
    return out.getvalue().decode("utf-8")


def save_figure(
    figure: Figure, file: Path, format: FigureFormat, dpi: float = DOTS_PER_INCH
) -> Path:
    """Write a figure.

    Parameters
    ----------
    figure : matplotlib Figure
    file : Path
    format : "svg", "png" or "pdf"
    dpi : float
        Dots per inch of pictures made of dots.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    with _settings(file.stem):
        figure.savefig(file, format=format, dpi=dpi, metadata=_METADATA[format])
    return file


@contextmanager
def _settings(name: str) -> Iterator[None]:
    settings: dict[Any, Any] = {"svg.hashsalt": name, "svg.fonttype": "none", "pdf.fonttype": 42}
    with mpl.rc_context(settings), warnings.catch_warnings():
        # Labels are in any script; a letter that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
