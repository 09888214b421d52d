"""The axis of distances, with similarity above it, and what is marked on it."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from opiscal.data.embedding_set import Metric
from opiscal.report.captions import short_threshold
from opiscal.report.displays.display import width_of
from opiscal.report.displays.look import Look, ink, palette
from opiscal.report.displays.ticks import apart, fix_ticks
from opiscal.report.record import Report

Pair = tuple[float, float]

# Points that the label of a tick takes.
_TICK = 34.0


@dataclass(frozen=True, slots=True)
class DistanceMarks:
    """What is marked on the axis of distances.

    Attributes
    ----------
    range : pair of float
        Ends of the calibration range.
    threshold : float or None
        The recommended threshold.
    metric : "cosine" or "l2"
    """

    range: Pair
    threshold: float | None
    metric: Metric

    @classmethod
    def of(cls, report: Report) -> "DistanceMarks":
        """Those of a report."""
        low, high = report.calibration_range.distance
        return cls((low, high), report.recommended_threshold.distance, report.metric)

    @property
    def note(self) -> str:
        """That the range has no width, where it has none."""
        low, high = self.range
        return "" if high > low else "the calibration range is a single threshold"


def draw_marks(ax: Axes, marks: DistanceMarks, look: Look) -> None:
    """The recommended threshold, and the calibration range of a run that stands alone.

    The range has a line at either end, so that one of no width can be seen too.
    """
    if look.alone:
        ax.axvspan(
            *marks.range, facecolor=ink(), alpha=0.1, linewidth=0, zorder=0,
            label="calibration range",
        )  # fmt: skip
        for end in marks.range:
            ax.axvline(end, color=palette().grey, linewidth=0.6, zorder=0.5)
    if marks.threshold is not None:
        colour, width = (ink(), 1.1) if look.alone else (look.first.colour, look.first.width)
        value = f": {short_threshold(marks.threshold, marks.metric)}" if look.alone else ""
        label = look.label(f"recommended{value}")
        ax.axvline(
            marks.threshold, color=colour, linewidth=width, linestyle=(0, (1.5, 1.5)), zorder=2.5,
            label=label,
        )  # fmt: skip


def label_distance(ax: Axes, metric: Metric, limits: Pair) -> None:
    """Limits and labels of the axis; under cosine with the similarity on top."""
    ax.set_xlim(*limits)
    ax.set_xlabel("unit L2 distance" if metric == "cosine" else "L2 distance")
    if metric == "cosine":
        top = ax.secondary_xaxis("top", functions=(_similarity, _unit_distance))
        top.set_xlabel("cosine similarity")
        # Even steps of similarity crowd where distances are large.
        room = max(0.13, _TICK / width_of(ax))
        ends = sorted(1.0 - 0.5 * np.square(limits))
        values = MaxNLocator(nbins=14, steps=[1, 2, 2.5, 5, 10]).tick_values(*ends)[::-1]
        values = values[(values >= ends[0] - 1e-12) & (values <= ends[1] + 1e-12)]
        kept = values[apart(_unit_distance(values), room * (limits[1] - limits[0]))]
        fix_ticks(top.xaxis, kept.tolist(), [f"{value:g}" for value in kept.round(9)])
        top.spines["top"].set_visible(False)


def _similarity(distance: ArrayLike) -> ArrayLike:
    return 1.0 - 0.5 * np.square(distance)


def _unit_distance(similarity: ArrayLike) -> ArrayLike:
    return np.asarray(np.sqrt(np.maximum(2.0 - 2.0 * np.asarray(similarity), 0.0)))
