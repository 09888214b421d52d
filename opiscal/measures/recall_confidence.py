r"""How sure Recall@1 is, and the difference of two of them, for classes drawn anew.

Recall@1 is the share :math:`r = \sum_i h_i / \sum_i q_i` of the rows asked whose nearest row is of
their class, :math:`h_i` of :math:`q_i` in class ``i``. Its classes move it by

.. math:: x_i = \frac{h_i - r q_i}{(1 - q_i / Q) \, Q}, \qquad Q = \sum_i q_i, \qquad
          V = (1 + r) \sum_i x_i^2

the delete-one-class jackknife, times what is not in a class's own rows: where two classes lie near
one another the rows of either miss for the other's sake, and another draw of classes loses both at
once. Which class a row was taken for is not kept. All misses in such twos would double the variance
where the class behind never takes its place, which is where ``r`` is near 1; where ``r`` is small
another class does. ``1 + r`` is that bound, and on real classes what was measured.

In a difference the twos that miss in both models fall out, and most of what is left is single rows
that one model has right: ``1 + r (1 - rho / 2)`` with ``rho`` how alike the classes move the two
(measured: `benchmarks/recall.py`). Where classes that miss are wide, and not near one another, all
of this is too much, and intervals are too wide.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.class_weights import weighted_sums
from opiscal.measures.confidence_curve import ConfidenceCurve
from opiscal.measures.figure_replicates import REPLICATES
from opiscal.measures.operating_points import FEWEST_ERRORS
from opiscal.measures.paired_replicates import PairedFigure, SharedClasses
from opiscal.measures.rate_confidence import ApartFigure, curve_of_intervals
from opiscal.measures.rate_intervals import wilson_interval
from opiscal.measures.rate_shape import RateShape, degrees_of_freedom
from opiscal.measures.rates import Floats
from opiscal.measures.replicate_curves import shifted_rates
from opiscal.measures.replicate_ends import ClassMoves
from opiscal.pairs.nearest_counts import NearestCounts

# A class of more of the rows leaves too few to tell what the share would be without it.
_LARGEST_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class RecallScatter:
    """Recall@1 of one run and what its classes move it by.

    Attributes
    ----------
    value : float, in [0, 1]
    moves : float64 array of shape (T,)
        ``x_i``.
    number : float
        Independent rows that are worth as much.
    shape : RateShape
        Of the share that misses.
    """

    value: float
    moves: Floats
    number: float
    shape: RateShape

    @classmethod
    def of(cls, nearest: NearestCounts) -> "RecallScatter":
        """The scatter of some counts, of which at least one row was asked."""
        asked = nearest.asked.astype(np.float64)
        whole = float(asked.sum())
        value = float(nearest.found.sum()) / whole
        share = asked / whole
        plain = (nearest.found - value * asked) / whole
        moves = plain / (1.0 - np.minimum(share, _LARGEST_SHARE))
        squares, of_moves = float(np.square(plain).sum()), float(np.square(moves).sum())
        variance, spread = (1.0 + value) * of_moves, value * (1.0 - value)
        classes = int(np.count_nonzero(asked))
        # Of rows that all scatter alike nothing is known: then every other class counts.
        fewest = min(0.5 / float(np.square(share).sum()), whole)
        number = float(np.clip(spread / variance, fewest, whole)) if variance > 0 else fewest
        skewness, unsure = 0.0, 0.0
        if squares > 0:
            skewness = -float((plain**3).sum()) / squares**1.5
            unsure = float((plain**4).sum()) / squares**2 - 1.0 / classes
        most = max(classes - 1.0, 1.0)
        shape = RateShape(
            skewness=np.array([skewness]),
            curvature=np.zeros(1),
            freedom=degrees_of_freedom(np.array([unsure]), most),
            # It is in the moves.
            leverage=np.ones(1),
            most_freedom=most,
        )
        return cls(value, moves, number, shape)

    @property
    def few(self) -> bool:
        """Whether so few rows miss, or find, that their classes cannot tell the scatter."""
        return min(self.value, 1.0 - self.value) * self.number < FEWEST_ERRORS

    def curve(self) -> ConfidenceCurve:
        """What is known of it, at all levels: Wilson intervals of the share that misses.

        Examples
        --------
        >>> asked, found = np.full(50, 10), np.repeat([10, 9, 10, 6, 10], 10)
        >>> scatter = RecallScatter.of(NearestCounts(asked, found))
        >>> [round(end, 3) for end in scatter.curve().interval(0.95)]
        [0.821, 0.946]
        """
        missed, number = np.array([1.0 - self.value]), np.array([self.number])

        def interval(confidence: float) -> tuple[float, float]:
            reach = self.shape.interval_reach(missed, number, 0.5 + confidence / 2)
            low, high = wilson_interval(missed, number, *reach)
            return 1.0 - float(high[0]), 1.0 - float(low[0])

        return curve_of_intervals(self.value, interval)


def recall_difference(
    first: NearestCounts, second: NearestCounts, matched: SharedClasses, seed: int = 0
) -> PairedFigure | ApartFigure:
    """The difference of two Recall@1, the classes of both runs drawn anew for both together.

    Parameters
    ----------
    first, second : NearestCounts
        At least one row asked in either.
    matched : SharedClasses
        Of the labels of both.
    seed : int
        Of the replicates.

    Returns
    -------
    PairedFigure or ApartFigure
        The second where so few rows miss in one of the runs that its classes do not tell what it
        scatters by: each is then known by itself.

    Examples
    --------
    >>> asked = np.full(50, 10)
    >>> one = NearestCounts(asked, np.repeat([10, 9, 10, 6, 10], 10))
    >>> other = NearestCounts(asked, np.repeat([9, 9, 10, 5, 10], 10))
    >>> together = SharedClasses.of(range(50), range(50))
    >>> found = recall_difference(one, other, together).difference()
    >>> round(found.value, 3), [round(end, 3) for end in found.interval(0.95)]
    (-0.04, [-0.06, -0.026])
    >>> apart = SharedClasses.of(range(50), range(50, 100))
    >>> [round(end, 3) for end in recall_difference(one, other, apart).difference().interval(0.95)]
    [-0.14, 0.056]
    """
    one, other = RecallScatter.of(first), RecallScatter.of(second)
    if one.few or other.few:
        return ApartFigure(one.curve(), other.curve())
    columns: NDArray[np.float32] = np.zeros((matched.classes, 2), dtype=np.float32)
    columns[matched.first, 0] = one.moves
    columns[matched.second, 1] = other.moves
    alike = _alike(columns[:, 0], columns[:, 1])
    for k, scatter in enumerate((one, other)):
        columns[:, k] *= np.sqrt(1.0 + scatter.value * (1.0 - 0.5 * alike))
    exact = columns.astype(np.float64)
    sums = weighted_sums(exact.T @ exact, REPLICATES, seed)
    replicates = tuple(
        shifted_rates(np.array(scatter.value), sums.shift[:, k])
        for k, scatter in enumerate((one, other))
    )
    moves = tuple(ClassMoves.of(values, sums, columns[:, sums.pivot]) for values in replicates)
    values = one.value, other.value
    return PairedFigure(
        name="recall_at_1",
        values=values,
        base=values,
        replicates=(replicates[0], replicates[1]),
        bias=(0.0, 0.0),
        moves=(moves[0], moves[1]),
        known=one.curve(),
        classes=min(matched.first.size, matched.second.size),
    )


def _alike(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """How alike classes move two runs: from 0, where no class is in both, to 1."""
    length = float(np.linalg.norm(first)) * float(np.linalg.norm(second))
    return float(np.clip(first @ second / length, 0.0, 1.0)) if length > 0 else 0.0
