"""How the distances of positive and of negative pairs are spread."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from opiscal.measures.rates import Floats
from opiscal.pairs.counts import Estimates, PairCounts
from opiscal.report.captions import distances_title
from opiscal.report.displays.display import Display, legend_below, tidy
from opiscal.report.displays.distance_axis import DistanceMarks, draw_marks, label_distance
from opiscal.report.displays.look import Look
from opiscal.report.percents import percent
from opiscal.report.record import Report

_BINS = 80
_NEARLY_ALL = (0.001, 0.999)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DistancesDisplay(Display):
    """Histograms of the distances of positive and of negative pairs.

    Attributes
    ----------
    edges : float64 array of shape (B + 1,), ascending
        Ends of the bins, evenly apart.
    positive, negative : float64 arrays of shape (B,)
        Share of the positive, and of the negative, pairs in each bin; a bin that ends between
        edges at which pairs were counted has its part of those between them.
    at_threshold : pair of float, or None
        FAR and FRR at the recommended threshold.
    marks : DistanceMarks
    """

    kind: ClassVar[str] = "distances"
    scale: ClassVar[str] = "linear"
    edges: Floats
    positive: Floats
    negative: Floats
    at_threshold: tuple[float, float] | None
    marks: DistanceMarks

    @classmethod
    def from_report(cls, report: Report) -> Self:
        """Spread the counted pairs over even bins; on a linear scale the rarest are left out.

        Parameters
        ----------
        report : Report
        """
        counts = report.counts
        marks = DistanceMarks.of(report)
        low, high = cls._ends(counts, marks)
        edges = np.linspace(low, high, _BINS + 1)
        found = report.recommended_threshold
        return cls(
            edges=edges,
            positive=_shares(counts, counts.pool_positive, edges),
            negative=_shares(counts, counts.pool_negative, edges),
            at_threshold=None if found.far is None or found.frr is None else (found.far, found.frr),
            marks=marks,
        )

    @classmethod
    def _ends(cls, counts: PairCounts, marks: DistanceMarks) -> tuple[float, float]:
        """Where nearly all pairs of either kind lie; on a logarithmic scale where any do.

        But for the farthest: the last edge is far beyond the others, and nothing is known between.
        """
        shares = _NEARLY_ALL if cls.scale == "linear" else (0.0, 1.0)
        last = max(counts.distance.size - 2, 0)
        at = [
            counts.distance[min(int(np.searchsorted(pairs, share * pairs[-1])), last)]
            for pairs in (counts.pool_positive, counts.pool_negative)
            for share in shares
        ]
        marked = [*marks.range, *([] if marks.threshold is None else [marks.threshold])]
        low, high = float(min(*at, *marked)), float(max(*at, *marked))
        least = max(1e-6, 1e-3 * abs(high))
        if high - low < least:
            low, high = low - least, high + least
        return max(low - 0.02 * (high - low), 0.0), high

    @property
    def title(self) -> str:
        """What the recommended threshold does to either kind."""
        return distances_title(self.at_threshold)

    @property
    def headline(self) -> tuple[str, str]:
        """Rejected positives and accepted negatives at the recommended threshold."""
        if self.at_threshold is None:
            return "Rejected positives", "unknown"
        return "Rejected positives", percent(self.at_threshold[1])

    @property
    def description(self) -> str:
        """What is drawn."""
        middle = 0.5 * (self.edges[1:] + self.edges[:-1])
        peaks = [middle[int(np.argmax(share))] for share in (self.positive, self.negative)]
        return (
            f"Histograms on a {self.scale} axis: distances of positive pairs are most frequent "
            f"about {peaks[0]:.3g}, those of negative pairs about {peaks[1]:.3g}."
        )

    @property
    def note(self) -> str:
        """That positives and negatives do not meet, or that the range has no width."""
        if self.at_threshold == (0.0, 0.0):
            return "the threshold tells all pairs apart"
        return self.marks.note

    def draw(self, ax: Axes, look: Look) -> None:
        """Both histograms as steps, positives filled where they stand alone."""
        for name, share, pen in (
            ("positive pairs", self.positive, look.first),
            ("negative pairs", self.negative, look.second),
        ):
            if look.alone:
                ax.stairs(share, self.edges, fill=True, color=pen.colour, alpha=0.22, linewidth=0)
            ax.stairs(
                share, self.edges, baseline=None, label=look.label(name), color=pen.colour,
                linestyle=pen.linestyle, linewidth=0.8 * pen.width,
            )  # fmt: skip
        draw_marks(ax, self.marks, look)

    def finish(self, ax: Axes, other: Self | None = None) -> None:
        """Both scales of the threshold, and shares of pairs."""
        both = [self] if other is None else [self, other]
        tidy(ax)
        ends = [one.edges[[0, -1]] for one in both]
        label_distance(ax, self.marks.metric, (float(np.min(ends)), float(np.max(ends))))
        shares = np.concatenate([np.concatenate([one.positive, one.negative]) for one in both])
        if self.scale == "log":
            ax.set_yscale("log")
            ax.set_ylim(0.5 * float(shares[shares > 0].min(initial=1.0)), 1.5)
        else:
            ax.set_ylim(0.0, 1.05 * float(shares.max()))
        ax.set_ylabel("share of the pairs")
        ax.yaxis.set_major_formatter(lambda share, _: percent(share))
        ax.yaxis.set_minor_locator(NullLocator())
        legend_below(ax)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LogDistancesDisplay(DistancesDisplay):
    """The same on a logarithmic axis, which shows the few false accepts."""

    kind: ClassVar[str] = "distances-log"
    scale: ClassVar[str] = "log"


def _shares(counts: PairCounts, pairs: Estimates, edges: Floats) -> Floats:
    # Pairs at distance 0 are in the first bin too.
    distance = np.concatenate([[-1e-12], counts.distance])
    below = np.interp(edges, distance, np.concatenate([[0.0], pairs]))
    below[0] = below[0] if edges[0] > 0 else 0.0
    shares: Floats = np.diff(below) / pairs[-1]
    return shares
