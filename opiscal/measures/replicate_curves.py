"""Replicate curves: FAR, FRR and utility as they would have come out with other classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.class_curves import ClassCurves, EpsilonChoice, UtilityNoise
from opiscal.measures.class_influence import Rate, class_rates
from opiscal.measures.rate_variance import RateVariance
from opiscal.measures.rates import Floats
from opiscal.measures.resampling_nodes import Nodes
from opiscal.measures.utility import Utility
from opiscal.pairs.counts import PairCounts

# Where class rows explain next to nothing of a variance they are not blown up without end: what is
# left is shared by all classes.
_LARGEST_SCALE = 4.0
_CLASSES_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Curves:
    """Curves of B replicates at J nodes, K of them in the window about the calibration range.

    Attributes
    ----------
    far, frr : float64 arrays of shape (B, J)
        Monotone, in [0, 1].
    mean : float64 array of shape (B, J)
        Mean over classes of the utility.
    spread : float64 array of shape (B, K)
        Variance over classes of the utility, over ``T - 1``.
    corrected : float64 array of shape (B, K) or None
        The same over the classes with noise, less their mean noise; None for fewer than two.
    gap : float64 array of shape (B, K)
        Mean utility of the worst classes less that of the others.
    """

    far: Floats
    frr: Floats
    mean: Floats
    spread: Floats
    corrected: Floats | None
    gap: Floats


@dataclass(frozen=True, slots=True)
class ClassColumns:
    """What each class adds to every curve of a run, a curve at a node a column; X of them.

    Attributes
    ----------
    parts : ClassCurves
    nodes : Nodes
    distance : float64 array of shape (J,)
        The nodes.
    of_class : float32 array of shape (T, X)
    shared : float64 array of shape (2, X)
        What moves all classes at once: the part of the variances of FAR (first row) and of FRR
        that is not in the rows of the classes.
    """

    parts: ClassCurves
    nodes: Nodes
    distance: Floats
    of_class: NDArray[np.float32]
    shared: Floats

    def gram(self) -> Floats:
        """Covariance of the sums over classes whose weights are drawn; shape (X, X)."""
        return self.shared.T @ self.shared + gram_of(self.of_class)

    def moved(self, shift: Floats) -> Curves:
        """The curves with sums over classes of shape (B, X) shifted."""
        return _moved(self.parts, self.nodes, shift)

    def base(self) -> Curves:
        """The one replicate in which every weight is 1."""
        return self.moved(np.zeros((1, self.of_class.shape[1])))


def class_columns(
    counts: PairCounts,
    rates: tuple[RateVariance, RateVariance],
    utility: Utility,
    nodes: Nodes,
    choice: EpsilonChoice,
    noise: UtilityNoise | None,
) -> ClassColumns:
    r"""What each class adds to the curves, for class weights of mean 1, two-way to first order.

    A class weighs as often as it is drawn, in its own row and in all the others:

    .. math:: FAR^*(d) = p + k \sum_i (w_i - 1) (A_i - p M_i) / M, \qquad
              k^2 = V \big/ \tfrac{1}{M^2} \sum_i (A_i - p M_i)^2

    which is, to first order, the accepted pairs ``A + k sum (w_i - 1) A_i`` over the pairs
    ``M + k sum (w_i - 1) M_i``, without a ratio whose foot vanishes where one class holds most
    pairs. The replicate variance is ``V``, that of the intervals of FAR. Half of the move of FAR
    comes from classes that weigh differently as the *other* side of pairs, and with it moves the
    utility of every class.

    Parameters
    ----------
    counts : PairCounts
    rates : pair of RateVariance
        FAR and FRR of the same counts.
    utility : Utility
    nodes : Nodes
    choice : EpsilonChoice
    noise : UtilityNoise, optional

    References
    ----------
    Fogliato, Patil and Perona, IJCV 2024, arXiv 2306.01198; Owen, The pigeonhole bootstrap, Annals
    of Applied Statistics 2007, for weights that act on both sides of a pair.
    """
    parts = ClassCurves.of(counts, rates, utility, nodes, choice, noise)
    of_class, shared = _columns(counts, rates, parts, nodes)
    return ClassColumns(parts, nodes, counts.class_distance[nodes.edge], of_class, shared)


def gram_of(columns: NDArray[np.float32]) -> Floats:
    """``columns.T @ columns`` in double precision, without a copy of all of them."""
    gram = np.zeros((columns.shape[1], columns.shape[1]))
    for start in range(0, len(columns), _CLASSES_AT_ONCE):
        block = columns[start : start + _CLASSES_AT_ONCE].astype(np.float64)
        gram += block.T @ block
    return gram


def _columns(
    counts: PairCounts,
    rates: tuple[RateVariance, RateVariance],
    parts: ClassCurves,
    nodes: Nodes,
) -> tuple[NDArray[np.float32], Floats]:
    """What each class adds to every curve, and what moves all classes at once; (T, X), (2, X)."""
    window = [parts.spread_of, parts.gap_of]
    window += [] if parts.corrected_of is None else [parts.corrected_of]
    J, K = nodes.edge.size, parts.gap.size
    columns = np.empty((counts.classes, 3 * J + len(window) * K), dtype=np.float32)
    shared = np.zeros((2, columns.shape[1]))
    names: tuple[Rate, Rate] = ("far", "frr")
    for at, (rate, name) in enumerate(zip(rates, names, strict=True)):
        number = rate.effective_number(rate.distance[nodes.edge])
        value = rate.rate[nodes.edge]
        variance, own = value * (1.0 - value) / number, rate.class_part[nodes.edge]
        ratio = np.divide(variance, own, out=np.zeros(J), where=own > 0)
        scale = np.minimum(np.sqrt(ratio), _LARGEST_SCALE)
        here = slice(at * J, (at + 1) * J)
        shared[at, here] = np.sqrt(np.maximum(variance - scale**2 * own, 0.0))
        for part, of_class in class_rates(counts, name, nodes.edge):
            columns[part, here] = rate.influence.weight[part, None] * scale * (of_class - value)
    columns[:, 2 * J : 3 * J] = parts.utility_of
    for block, part_of in enumerate(window):
        columns[:, 3 * J + block * K : 3 * J + (block + 1) * K] = part_of
    return columns, shared


def _moved(parts: ClassCurves, nodes: Nodes, shift: Floats) -> Curves:
    """The curves with sums over classes shifted."""
    J, K = nodes.edge.size, parts.gap.size
    far_shift = shift[:, :J]
    # Of a move of the pooled FAR half is that of the classes' own rows, which is in their columns.
    partner = 0.5 * far_shift
    inside = partner[:, nodes.window]
    far = shifted_rates(parts.far, far_shift)
    frr = shifted_rates(parts.frr, shift[:, J : 2 * J])
    corrected = None
    if parts.corrected is not None and parts.corrected_slope is not None:
        corrected = parts.corrected + shift[:, 3 * J + 2 * K :] + parts.corrected_slope * inside
    return Curves(
        far=_rising(far, parts.far),
        frr=_rising(frr[:, ::-1], parts.frr[::-1])[:, ::-1],
        mean=parts.mean + shift[:, 2 * J : 3 * J] + parts.mean_slope * partner,
        spread=parts.spread + shift[:, 3 * J : 3 * J + K] + parts.spread_slope * inside,
        corrected=corrected,
        gap=parts.gap + shift[:, 3 * J + K : 3 * J + 2 * K] + parts.gap_slope * inside,
    )


def shifted_rates(rate: Floats, shift: Floats) -> Floats:
    """Rates with a shift, taken on the scale of their log odds: the result stays in (0, 1).

    On that scale quantiles of the replicates lie where the Wilson interval ends; on the plain one
    a rate that rests on few errors would be cut at 0, and its threshold could not come down enough.
    """
    spread = rate * (1.0 - rate)
    with np.errstate(over="ignore"):
        odds = np.exp(-shift / np.where(spread > 0, spread, 1.0))
    return np.asarray(rate / (rate + (1.0 - rate) * odds))


def _rising(rates: Floats, base: Floats) -> Floats:
    """Rates made to rise, from the middle outwards: few errors at an end give way to many."""
    middle = int(np.searchsorted(base, 0.5))
    rates[:, middle:] = np.maximum.accumulate(rates[:, middle:], axis=1)
    left = rates[:, : middle + 1][:, ::-1]
    rates[:, : middle + 1] = np.minimum.accumulate(left, axis=1)[:, ::-1]
    return rates
