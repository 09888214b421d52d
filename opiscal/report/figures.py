"""Displays: frozen numbers that can be drawn. The one module that imports matplotlib.

Figures are made without pyplot, so nothing is shown, kept open or set for other code.
"""

from dataclasses import dataclass, field
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import ArrayLike

from opiscal.data.embedding_set import Metric
from opiscal.measures.rates import Floats, Pool, rate_curve
from opiscal.measures.utility import Utility, UtilityKind, class_utility
from opiscal.pairs.counts import PairCounts
from opiscal.report.captions import rates_title, threshold_label, utility_title
from opiscal.report.visible_range import LOWEST_RATE, curve_thresholds, rate_limits

MOST_LINES = 300
"""With more classes than this, bands stand in place of a line for each."""

# Okabe and Ito's colours, apart for every kind of colour vision; in grey the dashes tell.
_BLUE, _VERMILION, _BLACK, _SHADE = "#0072B2", "#D55E00", "#000000", "#E6E6E6"
_SIZE = (7.2, 4.6)
_DOTS_PER_INCH = 150
_BANDS = ((5, 95, 0.22), (25, 75, 0.35))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class UtilityCurvesDisplay:
    """Utility of every class against the threshold.

    Attributes
    ----------
    distance : float64 array of shape (K,), ascending
        Thresholds; the first and the last are the ends of the axis.
    utility : float64 array of shape (T, K), in [0, 1]
    mean : float64 array of shape (K,)
        Over the classes.
    range : pair of float
        Ends of the calibration range, distances.
    threshold : float or None
        The recommended threshold, a distance.
    metric : "cosine" or "l2"
    utility_kind : str
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn; after `plot` only.
    """

    distance: Floats
    utility: Floats
    mean: Floats
    range: tuple[float, float]
    threshold: float | None
    metric: Metric
    utility_kind: UtilityKind
    ax_: Axes = field(init=False)
    figure_: Figure = field(init=False)

    @classmethod
    def from_counts(
        cls,
        counts: PairCounts,
        *,
        utility: Utility,
        low: float,
        high: float,
        threshold: float | None,
    ) -> "UtilityCurvesDisplay":
        """Work out the curves over the calibration range, and as far again on either side.

        Parameters
        ----------
        counts : PairCounts
        utility : Utility
        low, high : float
            Ends of the calibration range, distances.
        threshold : float or None
        """
        distance = curve_thresholds(counts, low, high, threshold)
        curves = class_utility(counts, distance, utility)
        return cls(
            distance=distance,
            utility=curves,
            mean=curves.mean(axis=0),
            range=(low, high),
            threshold=threshold,
            metric=counts.metric,
            utility_kind=utility.kind,
        )

    def plot(self, ax: Axes | None = None) -> "UtilityCurvesDisplay":
        """Draw the curves: a thin line a class, or bands over many classes, and the mean.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: those of a new figure.

        Returns
        -------
        UtilityCurvesDisplay
            This one, with `ax_` and `figure_`.
        """
        ax = ax or _new_axes()
        self._draw_classes(ax)
        label = "mean over classes"
        ax.plot(self.distance, self.mean, color=_BLACK, linewidth=2.6, label=label, zorder=3)
        kinds = " and ".join(self.utility_kind.split("-"))
        ax.set(ylim=(0.0, 1.02), ylabel=f"utility\n(F-score of {kinds})")
        title = utility_title(self.distance, self.utility, self.mean, self.range, self.threshold)
        ax.set_title(title, loc="left", fontsize="large")
        _finish(ax, self.metric, (self.distance[0], self.distance[-1]), self.range, self.threshold)
        _remember(self, ax)
        return self

    def _draw_classes(self, ax: Axes) -> None:
        classes = len(self.utility)
        if classes <= MOST_LINES:
            lines = [np.column_stack([self.distance, curve]) for curve in self.utility]
            alpha = float(np.clip(8.0 / max(1, classes), 0.18, 0.6))
            ax.add_collection(LineCollection(lines, colors=_BLUE, linewidths=0.8, alpha=alpha))
            # For the legend: a line as faint as the others could not be seen there.
            ax.plot([], [], color=_BLUE, linewidth=0.8, label=f"each of {classes} classes")
            return
        for lower, upper, alpha in _BANDS:
            low, high = np.percentile(self.utility, [lower, upper], axis=0)
            label = f"{lower} to {upper} % of {classes} classes"
            ax.fill_between(
                self.distance, low, high, color=_BLUE, alpha=alpha, linewidth=0, label=label
            )
        median = np.median(self.utility, axis=0)
        ax.plot(self.distance, median, color=_BLUE, linewidth=1.2, label="median class")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RatesDisplay:
    """FAR and FRR against the threshold.

    Attributes
    ----------
    distance : float64 array of shape (E,), ascending
        Thresholds.
    far, frr : float64 arrays of shape (E,), in [0, 1]
    range : pair of float
        Ends of the calibration range, distances.
    threshold : float or None
        The recommended threshold, a distance.
    metric : "cosine" or "l2"
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn; after `plot` only.
    """

    distance: Floats
    far: Floats
    frr: Floats
    range: tuple[float, float]
    threshold: float | None
    metric: Metric
    ax_: Axes = field(init=False)
    figure_: Figure = field(init=False)

    @classmethod
    def from_counts(
        cls,
        counts: PairCounts,
        *,
        low: float,
        high: float,
        threshold: float | None,
        pool: Pool = "pairs",
    ) -> "RatesDisplay":
        """Take the rates at every edge.

        Parameters
        ----------
        counts : PairCounts
        low, high : float
            Ends of the calibration range, distances.
        threshold : float or None
        pool : "pairs" or "classes"
        """
        curve = rate_curve(counts, pool)
        return cls(
            distance=curve.distance,
            far=curve.far,
            frr=curve.frr,
            range=(low, high),
            threshold=threshold,
            metric=counts.metric,
        )

    def plot(self, ax: Axes | None = None) -> "RatesDisplay":
        """Draw both rates on one logarithmic axis; a rate of 0 is below it and not drawn.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: those of a new figure.

        Returns
        -------
        RatesDisplay
            This one, with `ax_` and `figure_`.
        """
        ax = ax or _new_axes()
        marks = self.range if self.threshold is None else (*self.range, self.threshold)
        left, right = rate_limits(self.distance, self.far, marks, self.metric)
        shown = (self.distance >= left) & (self.distance <= right)
        rates = np.concatenate([self.far[shown], self.frr[shown]])
        least = rates[rates > 0].min(initial=0.1)
        # The ends first: matplotlib finds none by itself where all rates are 0.
        ax.set_yscale("log", nonpositive="mask")
        ax.set_ylim(max(LOWEST_RATE, 10.0 ** np.floor(np.log10(least))), 1.25)
        ax.plot(self.distance, self.far, color=_BLUE, linewidth=2.0, label="FAR")
        dashes = (0, (5, 2))
        ax.plot(self.distance, self.frr, color=_VERMILION, lw=2.0, linestyle=dashes, label="FRR")
        at = self._at_threshold()
        for rate, color in zip(at or (), (_BLUE, _VERMILION), strict=False):
            ax.plot(np.array([self.threshold]), [rate], "o", color=color, markersize=6, label="_at")
        ax.set_ylabel("share of pairs (logarithmic)")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{100 * rate:g} %"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set_title(rates_title(at), loc="left", fontsize="large")
        _finish(ax, self.metric, (left, right), self.range, self.threshold)
        _remember(self, ax)
        return self

    def _at_threshold(self) -> tuple[float, float] | None:
        if self.threshold is None:
            return None
        return (
            float(np.interp(self.threshold, self.distance, self.far)),
            float(np.interp(self.threshold, self.distance, self.frr)),
        )


Display = UtilityCurvesDisplay | RatesDisplay


def save_figure(picture: Display | Figure, stem: Path) -> tuple[Path, Path]:
    """Write a figure as SVG and PNG: the same bytes for the same numbers.

    Parameters
    ----------
    picture : display or matplotlib Figure
        A display that is not drawn yet is drawn into a figure of its own.
    stem : Path
        The name without its ending.

    Returns
    -------
    pair of Path
        ``stem.svg`` and ``stem.png``.

    Raises
    ------
    OSError
        Where a file cannot be written.
    """
    if isinstance(picture, Figure):
        figure = picture
    else:
        figure = (picture if hasattr(picture, "figure_") else picture.plot()).figure_
    svg, png = (stem.with_name(stem.name + ending) for ending in (".svg", ".png"))
    # Text stays text: it can be searched and read aloud, and the file is smaller.
    with mpl.rc_context({"svg.hashsalt": stem.name, "svg.fonttype": "none"}):
        figure.savefig(svg, format="svg", metadata={"Date": None})
    figure.savefig(png, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return svg, png


def _new_axes() -> Axes:
    return Figure(figsize=_SIZE, layout="constrained").add_subplot()


def _remember(display: Display, ax: Axes) -> None:
    # The numbers are frozen; where they were drawn last is not one of them.
    object.__setattr__(display, "ax_", ax)
    figure = ax.figure if isinstance(ax.figure, Figure) else ax.figure.figure
    object.__setattr__(display, "figure_", figure)


def _finish(
    ax: Axes,
    metric: Metric,
    limits: tuple[float, float],
    stretch: tuple[float, float],
    threshold: float | None,
) -> None:
    """Range, threshold, axes and legend: what both displays share."""
    # A line around the shade, so that a range of no width can be seen too.
    ax.axvspan(
        *stretch, facecolor=_SHADE, edgecolor="#A0A0A0", linewidth=0.8, zorder=0,
        label="calibration range",
    )  # fmt: skip
    if threshold is not None:
        ax.axvline(
            threshold, color=_BLACK, linewidth=1.2, linestyle=(0, (1.5, 1.5)), zorder=2.5,
            label=threshold_label(threshold, metric),
        )  # fmt: skip
    ax.set_xlim(*limits)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("unit L2 distance" if metric == "cosine" else "L2 distance")
    if metric == "cosine":
        similarity = ax.secondary_xaxis("top", functions=(_similarity, _unit_distance))
        similarity.set_xlabel("cosine similarity")
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False,
        fontsize="small", handlelength=3.0,
    )  # fmt: skip


def _similarity(distance: ArrayLike) -> ArrayLike:
    return 1.0 - 0.5 * np.square(distance)


def _unit_distance(similarity: ArrayLike) -> ArrayLike:
    return np.asarray(np.sqrt(np.maximum(2.0 - 2.0 * np.asarray(similarity), 0.0)))
