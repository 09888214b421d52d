"""Figure replicates: the figures of one run in every replicate, and what is known of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.class_weights import WeightedSums, weighted_sums
from opiscal.measures.confidence_curve import ConfidenceCurve
from opiscal.measures.rates import Floats
from opiscal.measures.replicate_ends import (
    LARGEST_SKEW,
    AcceleratedEnds,
    ClassMoves,
    Ends,
    PlainEnds,
)
from opiscal.measures.replicate_parts import ReplicateParts
from opiscal.measures.replicate_readings import Figure
from opiscal.measures.spread_ends import SpreadEnds

# Figures whose replicates do not have the skewness of the classes in them.
_SKEWED = ("mean_utility", "epsilon_opis")

JUMPING = ("utility", "recommended")
"""Thresholds of highest utility, which jump from place to place."""

REPLICATES = 2000
"""Replicates by default: ends of two seeds differ by less than 5 % of the width."""


@dataclass(frozen=True, slots=True)
class FigureReplicates:
    """Figures in B replicates, and as they are.

    Attributes
    ----------
    values : dict of float64 arrays of shape (B,)
    base : dict of float
        With every weight 1.
    moved : dict of float
        What the truth lies above a figure by, on the average: the bias of few rows a class.
    sums : WeightedSums
    pivots : float32 array of shape (T, R)
        What each class adds to the pivot columns of `sums`.
    """

    values: dict[Figure, Floats]
    base: dict[Figure, float]
    moved: dict[Figure, float]
    sums: WeightedSums
    pivots: NDArray[np.float32]

    def ends(self, figure: Figure) -> Ends:
        """The ends of one figure's intervals, before the bias of few rows."""
        values, value, name = self.values[figure], self.base[figure], figure[0]
        if name in JUMPING:
            return PlainEnds(values)
        moves = self.moves(figure)
        if name in ("opis", "corrected_opis"):
            return SpreadEnds.of(values, value, self.base["opis", None], moves)
        # Rates are moved on the scale of their log odds, which has their skewness.
        skew = LARGEST_SKEW if name in _SKEWED else 0.0
        return AcceleratedEnds.of(values, value, moves, skew)

    def moves(self, figure: Figure) -> ClassMoves:
        """What each class, and each direction of the replicates, moves a figure by."""
        return ClassMoves.of(self.values[figure], self.sums, self.pivots)

    def curve(self, figure: Figure, value: float) -> ConfidenceCurve:
        """What is known of one figure, at all levels.

        Parameters
        ----------
        figure : Figure
        value : float
            As it is reported.
        """
        low, high = _LIMITS.get(figure[0], (-np.inf, np.inf))
        found = ConfidenceCurve.of_ends(self.base[figure], self.ends(figure).at, low, high)
        return found.moved(value, self.moved.get(figure, 0.0))


_LIMITS = {
    "eer": (0.0, 1.0),
    "frr_at_far": (0.0, 1.0),
    "mean_utility": (0.0, 1.0),
    "utility_at": (0.0, 1.0),
    "opis": (0.0, np.inf),
    "epsilon_opis": (0.0, 1.0),
}


def figure_replicates(
    parts: ReplicateParts,
    *,
    far: Sequence[float] = (),
    frr: Sequence[float] = (),
    at: Sequence[float] = (),
    replicates: int = REPLICATES,
    seed: int = 0,
) -> FigureReplicates:
    """Draw the replicates of one run.

    Parameters
    ----------
    parts : ReplicateParts
    far : sequence of float
        FARs whose thresholds are found, and FRR is read there.
    frr : sequence of float
        FRRs whose thresholds are found.
    at : sequence of float
        Distances at which FAR, FRR and mean utility are read.
    replicates : int
        Even, at least 1,000.
    seed : int
    """
    sums = weighted_sums(parts.columns.gram(), replicates, seed)
    pivots = parts.columns.of_class[:, sums.pivot]
    return read_figures(parts, sums.shift, sums, pivots, far=far, frr=frr, at=at)


def read_figures(
    parts: ReplicateParts,
    shift: Floats,
    sums: WeightedSums,
    pivots: NDArray[np.float32],
    *,
    far: Sequence[float],
    frr: Sequence[float] = (),
    at: Sequence[float],
) -> FigureReplicates:
    """Read all figures off the curves of a run, its sums over classes shifted by `shift`."""
    values = parts.read.figures(parts.columns.moved(shift), far, frr, at)
    base = parts.read.figures(parts.columns.base(), far, frr, at)
    return FigureReplicates(
        values=values,
        base={figure: float(found[0]) for figure, found in base.items()},
        moved={
            ("mean_utility", None): -parts.bias.mean,
            ("corrected_opis", None): -parts.bias.spread,
        },
        sums=sums,
        pivots=pivots,
    )
