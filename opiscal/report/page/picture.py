"""What the page wants of a figure: whoever draws it need not be known here."""

from typing import Protocol


class Axes(Protocol):
    """Where the axes stand in the SVG's own units, and which data they show."""

    @property
    def left(self) -> float:
        """Left end."""

    @property
    def top(self) -> float:
        """Upper end."""

    @property
    def right(self) -> float:
        """Right end."""

    @property
    def bottom(self) -> float:
        """Lower end."""

    @property
    def x_limits(self) -> tuple[float, float]:
        """Data at the left and the right end."""

    @property
    def y_limits(self) -> tuple[float, float]:
        """Data at the lower and the upper end."""

    @property
    def x_scale(self) -> str:
        """``linear``, ``log`` or another one."""

    @property
    def y_scale(self) -> str:
        """Likewise."""


class Picture(Protocol):
    """A figure: one SVG element that is trusted, as it was made by this program."""

    @property
    def kind(self) -> str:
        """Such as ``utility-curves``."""

    @property
    def title(self) -> str:
        """The conclusion, as plain text."""

    @property
    def description(self) -> str:
        """What is drawn, for who cannot see it."""

    @property
    def svg(self) -> str:
        """With a viewBox, without width and height; colours are CSS variables."""

    @property
    def axes(self) -> Axes:
        """Where the axes stand."""


def axes_of(picture: Picture) -> dict[str, object]:
    """The axes of a figure as plain values."""
    axes = picture.axes
    return {
        "left": axes.left,
        "top": axes.top,
        "right": axes.right,
        "bottom": axes.bottom,
        "x": list(axes.x_limits),
        "y": list(axes.y_limits),
        "xScale": axes.x_scale,
        "yScale": axes.y_scale,
    }
