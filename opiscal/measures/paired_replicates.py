r"""Paired replicates: two runs with the same classes drawn anew for both, and their differences.

A class that two models share is easy or hard for both. Where the classes are drawn anew together,
what they do to both figures alike falls out of the difference, and its interval is much narrower
than that of two independent draws. A class weighs :math:`w_i` in the columns of both runs
(`opiscal.measures.replicate_curves`), so that all sums over classes are jointly normal with

.. math:: \begin{pmatrix} X_a^T X_a & X_a^T X_b \\ X_b^T X_a & X_b^T X_b \end{pmatrix}

with a row for every class of either run, matched by label, and 0 where a run does not score it:
classes of one run alone are drawn independently, and runs without a class in common are unpaired.
Labels that are the same by accident do no harm, since the columns of unlike classes are
uncorrelated. Rows that are drawn anew within classes are in the scatter of the classes.

Of pairs of classes that meet, which both FARs share, only the sums over each class are known: the
scatter of a difference of FARs is too large by at most the root of 2, as it is of one FAR without
the sum over class pairs.

Examples
--------
Two models, one with more noise, on the same rows:

>>> import opiscal
>>> from opiscal.report.replicates import parts_of
>>> rng = np.random.default_rng(0)
>>> labels = np.repeat(np.arange(60), 8)
>>> centres, noise = rng.standard_normal((60, 8))[labels], rng.standard_normal((480, 8))
>>> runs = [opiscal.evaluate(centres + size * noise, labels) for size in (0.6, 0.7)]
>>> drawn = paired_replicates(*(parts_of(run) for run in runs), far=[0.01])
>>> utility = drawn.figure(("mean_utility", None), runs[0].utility.mean, runs[1].utility.mean)
>>> curve = utility.difference()
>>> curve.interval(0.95)[1] < 0, curve.p_below(0.0) < 0.001
(True, True)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label
from opiscal.measures.class_weights import MOST_DIRECTIONS, weighted_sums
from opiscal.measures.confidence_curve import ConfidenceCurve
from opiscal.measures.figure_replicates import (
    JUMPING,
    REPLICATES,
    FigureReplicates,
    read_figures,
)
from opiscal.measures.rates import Floats
from opiscal.measures.relative_increase import relative_interval
from opiscal.measures.replicate_curves import gram_of
from opiscal.measures.replicate_ends import LARGEST_SKEW, AcceleratedEnds, ClassMoves, PlainEnds
from opiscal.measures.replicate_parts import ReplicateParts
from opiscal.measures.replicate_readings import Figure

Draw = Literal["together", "apart"]

# Differences of these have the skewness of the classes; the others are those of log odds.
_SPREADS = ("opis", "corrected_opis", "epsilon_opis")
_SKEWED = ("mean_utility", "epsilon_opis", "opis", "corrected_opis", "utility_at")


@dataclass(frozen=True, slots=True)
class SharedClasses:
    """Which classes two runs share, by label.

    Attributes
    ----------
    first, second : int64 arrays
        The rows of the classes of each run among all classes of either, shapes (T_a,) and (T_b,).
    classes : int
        Classes of either.
    shared : int
    only_first, only_second : tuple of labels
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    classes: int
    shared: int
    only_first: tuple[Label, ...]
    only_second: tuple[Label, ...]

    @classmethod
    def of(cls, first: Sequence[Label], second: Sequence[Label]) -> "SharedClasses":
        """Match two tuples of labels.

        Examples
        --------
        >>> found = SharedClasses.of(("a", "b"), ("b", "c"))
        >>> found.first.tolist(), found.second.tolist(), found.only_second
        ([0, 1], [1, 2], ('c',))
        """
        place = {label: k for k, label in enumerate(first)}
        new = [label for label in second if label not in place]
        place |= {label: len(first) + k for k, label in enumerate(new)}
        known = set(second)
        return cls(
            first=np.arange(len(first)),
            second=np.array([place[label] for label in second], dtype=np.int64),
            classes=len(place),
            shared=len(second) - len(new),
            only_first=tuple(label for label in first if label not in known),
            only_second=tuple(new),
        )


@dataclass(frozen=True, slots=True)
class PairedFigure:
    """One figure of two runs in the same replicates.

    Attributes
    ----------
    name : str
    values : pair of float
        As they are reported.
    base : pair of float
        As they are read where every weight is 1.
    replicates : pair of float64 arrays of shape (B,)
    bias : pair of float
        What few rows a class do to it, where that is not in the reported values.
    moves : pair of ClassMoves
    known : ConfidenceCurve
        Of the first by itself.
    classes : int
        Of the run that has fewer.
    """

    name: str
    values: tuple[float, float]
    base: tuple[float, float]
    replicates: tuple[Floats, Floats]
    bias: tuple[float, float]
    moves: tuple[ClassMoves, ClassMoves]
    known: ConfidenceCurve
    classes: int

    def difference(self, times: float = 1.0) -> ConfidenceCurve:
        """What is known of ``second - times * first``, at all levels.

        With `times` above 1 the question is that of a relative increase: it is larger than 10 %
        where ``second - 1.1 * first`` is above 0. The ends are those of `AcceleratedEnds`, with
        the skewness of what each class moves the difference by; of thresholds of highest utility
        they are the plain quantiles.
        """
        replicates = self.replicates[1] - times * self.replicates[0]
        base = self.base[1] - times * self.base[0]
        value = self.values[1] - times * self.values[0]
        shift = value - base + self.bias[1] - times * self.bias[0]
        if not np.any(replicates != base):
            return ConfidenceCurve.sure(base).moved(value, shift)
        ends: AcceleratedEnds | PlainEnds = PlainEnds(replicates)
        if self.name not in JUMPING:
            skew = LARGEST_SKEW if self.name in _SKEWED else 0.0
            moves = self.moves[1].less(self.moves[0], times)
            few = self.classes if self.name in _SPREADS else np.inf
            ends = AcceleratedEnds.of(replicates, base, moves, skew, few)
        return ConfidenceCurve.of_ends(base, ends.at).moved(value, shift)

    def relative_interval(self, confidence: float) -> tuple[float, float] | None:
        """The interval of ``second / first - 1``; see `relative_interval`."""
        return relative_interval(self.difference, self.known, self.values[1], confidence)


@dataclass(frozen=True, slots=True)
class PairedReplicates:
    """Two runs in the same replicates.

    Attributes
    ----------
    first, second : FigureReplicates
    matched : SharedClasses
    same : bool
        Whether the two runs hold the same counts: nothing can set them apart.
    """

    first: FigureReplicates
    second: FigureReplicates
    matched: SharedClasses
    same: bool

    def figure(self, figure: Figure, first: float, second: float) -> PairedFigure:
        """A figure by name, with its values as they are reported."""
        sides = self.first, self.second
        # That of OPIS without noise is in the reported values.
        unsaid = figure[0] == "mean_utility"
        one, other = (side.moved[figure] if unsaid else 0.0 for side in sides)
        return PairedFigure(
            name=figure[0],
            values=(first, second),
            base=(self.first.base[figure], self.second.base[figure]),
            replicates=(self.first.values[figure], self.second.values[figure]),
            bias=(one, other),
            moves=(self.first.moves(figure), self.second.moves(figure)),
            known=self.first.curve(figure, first),
            classes=min(self.matched.first.size, self.matched.second.size),
        )


def paired_replicates(
    first: ReplicateParts,
    second: ReplicateParts,
    *,
    far: Sequence[float] = (),
    frr: Sequence[float] = (),
    at: Sequence[float] = (),
    draw: Draw = "together",
    replicates: int = REPLICATES,
    seed: int = 0,
) -> PairedReplicates:
    """Draw the classes of two runs anew, those that they share for both alike.

    Parameters
    ----------
    first, second : ReplicateParts
    far : sequence of float
        FARs whose thresholds are found, and FRR is read there.
    frr : sequence of float
        FRRs whose thresholds are found.
    at : sequence of float
        Distances at which FAR, FRR and mean utility are read.
    draw : "together" or "apart"
        ``apart`` takes no class of one run for one of the other.
    replicates : int
        Even, at least 2,000.
    seed : int

    Returns
    -------
    PairedReplicates
    """
    labels = first.counts.labels, second.counts.labels
    matched = SharedClasses.of(*labels)
    rows = matched
    if draw == "apart":
        rows = SharedClasses.of(range(len(labels[0])), range(-len(labels[1]), 0))
    width = first.columns.of_class.shape[1]
    columns = np.zeros((rows.classes, width + second.columns.of_class.shape[1]), dtype=np.float32)
    columns[rows.first, :width] = first.columns.of_class
    columns[rows.second, width:] = second.columns.of_class
    shared = _shared(first, second, columns, width)
    sums = weighted_sums(
        shared.T @ shared + gram_of(columns), replicates, seed, 2 * MOST_DIRECTIONS
    )
    pivots = columns[:, sums.pivot]
    shifts = sums.shift[:, :width], sums.shift[:, width:]
    same = draw == "together" and _same(first, second)
    if same:
        # To the last bit, which products of matrices do not promise.
        shifts = shifts[0], shifts[0]
    del columns
    return PairedReplicates(
        read_figures(first, shifts[0], sums, pivots, far=far, frr=frr, at=at),
        read_figures(second, shifts[1], sums, pivots, far=far, frr=frr, at=at),
        matched,
        same,
    )


def _same(first: ReplicateParts, second: ReplicateParts) -> bool:
    return (
        first.counts.labels == second.counts.labels
        and np.array_equal(first.columns.of_class, second.columns.of_class)
        and np.array_equal(first.columns.shared, second.columns.shared)
    )


def _shared(
    first: ReplicateParts, second: ReplicateParts, columns: NDArray[np.float32], width: int
) -> Floats:
    """What moves all classes of a run at once: in both alike as far as the rows of classes are.

    Of FAR and of FRR three rows each, for both runs, for the first and for the second alone.
    """
    one, other = first.columns.shared, second.columns.shared
    out = np.zeros((6, columns.shape[1]))
    for k in range(2):
        mine, theirs = int(np.argmax(one[k])), int(np.argmax(other[k]))
        x, y = columns[:, mine], columns[:, width + theirs]
        length = float(np.linalg.norm(x)) * float(np.linalg.norm(y))
        alike = float(np.clip(x @ y / length, 0.0, 1.0)) if length > 0 else 0.0
        out[3 * k, :width] = np.sqrt(alike) * one[k]
        out[3 * k, width:] = np.sqrt(alike) * other[k]
        out[3 * k + 1, :width] = np.sqrt(1.0 - alike) * one[k]
        out[3 * k + 2, width:] = np.sqrt(1.0 - alike) * other[k]
    return out
