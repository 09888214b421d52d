"""Figures that stand in a page: SVG whose colours the page sets, and where its axes are."""

import re
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

from matplotlib.axes import Axes

from opiscal.report.displays.display import Display, figure_of
from opiscal.report.displays.look import LIGHT

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"

VARIABLES = {
    "#000000": "ink",
    "#ffffff": "paper",
    LIGHT.blue: "blue",
    LIGHT.vermilion: "vermilion",
    LIGHT.orange: "orange",
    LIGHT.grey: "grey",
    "#b0b0b0": "grid",
}
"""Colours of the light style, and the variables of a style sheet that may stand for them."""

_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_POINTS_PER_INCH = 72.0


@dataclass(frozen=True, slots=True)
class AxesBox:
    """Where the axes of a figure stand.

    Attributes
    ----------
    left, top, right, bottom : float
        In the units of the SVG's viewBox.
    x_limits, y_limits : pair of float
        Data at the left and right, and at the bottom and top.
    x_scale, y_scale : "linear" or "log"
    """

    left: float
    top: float
    right: float
    bottom: float
    x_limits: tuple[float, float]
    y_limits: tuple[float, float]
    x_scale: Literal["linear", "log"]
    y_scale: Literal["linear", "log"]


@dataclass(frozen=True, slots=True)
class InlineFigure:
    """A figure for a page.

    Attributes
    ----------
    kind : str
    title, description : str
        The conclusion, and what is drawn; user data in them are safe to print.
    svg : str
        One ``svg`` element with a viewBox and no size. Its ids begin with the kind; its colours
        are variables of a style sheet, with those of the light style where they are not set.
    axes : AxesBox
    """

    kind: str
    title: str
    description: str
    svg: str
    axes: AxesBox


def inline_figure(display: Display, svg: str) -> InlineFigure:
    """A display that is drawn, and its SVG, made ready for a page.

    Parameters
    ----------
    display : Display
        Drawn in the light style.
    svg : str
        Of its figure (`opiscal.report.displays.figure_files.svg_text`).
    """
    return InlineFigure(
        kind=display.kind,
        title=display.title.replace("\n", "; "),
        description=display.description,
        svg=_for_page(svg, display.kind, display.title, display.description),
        axes=_box(display.ax_),
    )


def _for_page(svg: str, kind: str, title: str, description: str) -> str:
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(svg)
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        for name, value in element.attrib.items():
            element.set(name, _attribute(name, value, kind))
    heading = ElementTree.Element(f"{{{_SVG}}}title", {"id": f"{kind}-title"})
    heading.text = title
    said = ElementTree.Element(f"{{{_SVG}}}desc", {"id": f"{kind}-description"})
    said.text = description
    root.insert(0, heading)
    root.insert(1, said)
    root.set("role", "img")
    root.set("aria-labelledby", f"{kind}-title {kind}-description")
    return ElementTree.tostring(root, encoding="unicode")


def _attribute(name: str, value: str, kind: str) -> str:
    """Ids apart from those of other figures, and variables in place of colours."""
    if name == "id":
        return f"{kind}-{value}"
    if name.endswith("href") and value.startswith("#"):
        return f"#{kind}-{value[1:]}"
    if name in ("style", "fill", "stroke"):
        return _COLOUR.sub(_variable, value)
    return value.replace("url(#", f"url(#{kind}-")


def _variable(found: re.Match[str]) -> str:
    name = VARIABLES.get(found[0])
    return found[0] if name is None else f"var(--{name}, {found[0]})"


def _box(ax: Axes) -> AxesBox:
    width, height = _POINTS_PER_INCH * figure_of(ax).get_size_inches()
    place = ax.get_position()
    return AxesBox(
        left=float(place.x0 * width),
        right=float(place.x1 * width),
        top=float((1 - place.y1) * height),
        bottom=float((1 - place.y0) * height),
        x_limits=ax.get_xlim(),
        y_limits=ax.get_ylim(),
        x_scale=_scale(ax.get_xscale()),
        y_scale=_scale(ax.get_yscale()),
    )


def _scale(name: str) -> Literal["linear", "log"]:
    return "log" if name == "log" else "linear"
