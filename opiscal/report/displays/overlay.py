"""Two runs on the same axes: before and after."""

from dataclasses import dataclass
from typing import ClassVar, Self

from matplotlib.axes import Axes

from opiscal.errors import UsageError
from opiscal.report.captions import label_text
from opiscal.report.displays.display import Display
from opiscal.report.displays.look import Look, after, before

_NAME = 24


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OverlayDisplay(Display):
    """A display of one run, drawn over the same display of another.

    Attributes
    ----------
    earlier, later : displays of one kind
        Drawn light and thin, and dark and thick.
    names : pair of str
        What they are called; safe to print, and cut.

    Raises
    ------
    UsageError
        For displays of two kinds, or of two metrics.
    """

    kind: ClassVar[str] = "overlay"
    earlier: Display
    later: Display
    names: tuple[str, str]

    @classmethod
    def of(cls, earlier: Display, later: Display, names: tuple[str, str]) -> Self:
        """Lay two displays over one another."""
        if type(earlier) is not type(later):
            raise UsageError(
                f"displays {earlier.kind} and {later.kind}: only two of one kind have the same axes"
            )
        metrics = [one.marks.metric for one in (earlier, later) if hasattr(one, "marks")]
        if len(set(metrics)) > 1:
            raise UsageError(
                f"runs of metrics {metrics[0]} and {metrics[1]}: their distances have no common "
                "axis; evaluate both with one --metric"
            )
        first, second = (label_text(name, _NAME) for name in names)
        return cls(earlier, later, (first, second))

    @property
    def title(self) -> str:
        """What both are compared by."""
        (what, was), (_, now) = self.earlier.headline, self.later.headline
        return f"{what}: {was} ({self.names[0]}), {now} ({self.names[1]})"

    @property
    def headline(self) -> tuple[str, str]:
        """That of the later run."""
        return self.later.headline

    @property
    def description(self) -> str:
        """What is drawn."""
        return (
            f"{self.names[0]}: {self.earlier.description} {self.names[1]}: {self.later.description}"
        )

    def draw(self, ax: Axes, look: Look) -> None:
        """Both runs, each with a look of its own."""
        self.earlier.draw(ax, before(self.names[0]))
        self.later.draw(ax, after(self.names[1]))

    def finish(self, ax: Axes, other: Self | None = None) -> None:
        """Axes that hold both."""
        self.later.finish(ax, self.earlier)
