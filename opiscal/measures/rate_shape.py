"""The shape of a rate's scatter: how far it is from the normal law when classes are drawn anew."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from opiscal.measures.class_influence import ClassInfluence, Rate, class_rates
from opiscal.measures.class_pairs import class_pair_pull, class_pair_squares
from opiscal.measures.rates import Floats, Pool
from opiscal.pairs.counts import PairCounts

# With more degrees of freedom Student's law is the normal one to six digits; with fewer its
# quantiles say that the variance is unsure, not how far the rate may be. Upper bounds, which
# promises stand on, go by fewer than intervals, which are to be narrow too.
_MOST_FREEDOM, _FEWEST_FREEDOM, _FEWEST_OF_INTERVALS = 1e7, 4.0, 6.0
# A class of more of the pairs leaves too few to tell what the rate would be without it.
_LARGEST_SHARE = 0.5
# Class edges at which the shape is worked out; between them it is interpolated.
_EDGES = 48


@dataclass(frozen=True, slots=True)
class RateShape:
    r"""How the scatter of a rate differs from the normal law, at every class edge.

    With ``R_i`` the centred errors of class ``i``, ``G_ij`` those of a class pair, and
    ``V = sum R_i^2``:

    Attributes
    ----------
    skewness : float64 array of shape (C,)
        ``sum R_i^3 / V^(3/2)``: of classes that move the rate one by one.
    curvature : float64 array of shape (C,)
        ``sum R_i G_ij R_j / V^(3/2)``: of two classes that move it together. 0 where the single
        class pairs are not known.
    freedom : float64 array of shape (C,), from 4 to ``T - 1``
        Degrees of freedom of the variance, ``2 V^2 / (u sum H_i^2)`` with ``H_i = R_i^2 +
        2 sum_j G_ij R_j - 3 V s_i`` what class ``i`` moves it by beyond what a class of its size
        does, ``s_i = M_i^2 / sum M_j^2``. Where all scatter is that of single class pairs the
        squares of first-order moves are three times the variance: ``u = 1 - 2/3 min(1, S / (V -
        S))``. Without single class pairs, and for FRR, ``H_i = R_i^2 - V / T`` and ``u = 1``. As
        many as there are classes where they scatter normally each for itself; fewer where a few
        classes make most of it, or meet one another much. ``T - 1`` of fewer than five classes.
    leverage : float64 array of shape (C,), at least 1
        By how much more the rate scatters than its variance says, because a class of many pairs
        pulls the rate towards itself: ``sqrt(sum (R_i / (1 - M_i / M))^2 / V)``, as if each class
        had been left out. 1 for FAR, whose pairs have two classes.
    most_freedom : float
        ``T - 1``.
    """

    skewness: Floats
    curvature: Floats
    freedom: Floats
    leverage: Floats
    most_freedom: float

    def interval_reach(self, rate: Floats, number: Floats, share: float) -> tuple[Floats, Floats]:
        """How many standard deviations a two-sided interval reaches below and above the rate.

        As `bound_reach`, with six degrees of freedom or more (or ``T - 1``); `share` of the law is
        below the upper end. Two float64 arrays of shape (C,).
        """
        freedom = np.maximum(self.freedom, min(_FEWEST_OF_INTERVALS, self.most_freedom))
        return self._ends(freedom, rate, number, share)

    def bound_reach(self, rate: Floats, number: Floats, share: float) -> Floats:
        r"""How many standard deviations a one-sided bound reaches above the rate.

        With ``t`` Student's quantile, ``g`` the skewness and ``q`` the curvature, the terms of the
        Edgeworth expansion of a studentized sum over pairs of classes:

        .. math:: t \pm \Delta, \qquad
                  \Delta = g \frac{2 t^2 + 1}{6} + q \frac{t^2 + 1}{2} - w \frac{t^2}{2}

        less what the Wilson interval does by itself, whose ends lie ``w t^2 / 2`` higher,
        ``w = (1 - 2 p) / sqrt(p (1 - p) n)``; all that times the leverage. The upper end is not
        moved down, nor by more than ``t`` up, the lower one, of intervals, at most to the half.

        Parameters
        ----------
        rate, number : float64 arrays of shape (C,)
            The rate and its effective number of pairs at the class edges.
        share : float
            Of the law below the bound.

        Returns
        -------
        float64 array of shape (C,)
        """
        return self._ends(self.freedom, rate, number, share)[1]

    def _ends(
        self, freedom: Floats, rate: Floats, number: Floats, share: float
    ) -> tuple[Floats, Floats]:
        times = stdtrit(freedom, share)
        spread = np.sqrt(rate * (1.0 - rate) * number)
        with np.errstate(divide="ignore", invalid="ignore"):
            wilson = np.where(spread > 0, (1.0 - 2.0 * rate) / spread, 0.0)
        square = times**2
        shift = self.skewness * (2.0 * square + 1.0) / 6.0 + self.curvature * (square + 1.0) / 2.0
        shift = np.clip(shift - wilson * square / 2.0, 0.0, times)
        below, above = np.maximum(times - shift, 0.5 * times), times + shift
        return below * self.leverage, above * self.leverage


NORMAL = RateShape(np.zeros(1), np.zeros(1), np.full(1, _MOST_FREEDOM), np.ones(1), _MOST_FREEDOM)


def rate_shape(
    counts: PairCounts,
    rate: Rate,
    pool: Pool,
    p: Floats,
    influence: ClassInfluence,
    sure: NDArray[np.int64],
) -> RateShape:
    """The shape of the scatter of FAR or FRR at every class edge.

    Parameters
    ----------
    counts : PairCounts
    rate : "far" or "frr"
    pool : "pairs" or "classes"
    p : float64 array of shape (C,)
        The rate at the class edges.
    influence : ClassInfluence
    sure : int64 array
        The class edges with accepted and rejected pairs enough; others get what the nearest has. It
        is worked out at some fifty of them, and at those where single class pairs are known.

    References
    ----------
    Hall, On the removal of skewness by transformation, JRSS B 1992; Helmers, On the Edgeworth
    expansion and the bootstrap approximation for a studentized U-statistic, Annals of Statistics
    1991; Satterthwaite, Biometrics Bulletin 1946, for the degrees of freedom.
    """
    pull = class_pair_pull(counts, p) if rate == "far" and pool == "pairs" else None
    looked = _thinned(sure, sure[:0] if counts.class_pairs is None else counts.class_pairs.edge)
    share = np.minimum(influence.weight, _LARGEST_SHARE)[:, None]
    squares, cubes, fourths, spread = np.zeros((4, looked.size))
    for part, rates in class_rates(counts, rate, looked):
        moved = influence.weight[part, None] * (rates - p[looked])
        square = np.square(moved)
        squares += square.sum(axis=0)
        cubes += (square * moved).sum(axis=0)
        fourths += np.square(square).sum(axis=0)
        spread += np.square(moved / (1.0 - share[part])).sum(axis=0)
    at = counts.class_distance

    def carried(values: Floats, edge: NDArray[np.int64] = looked) -> Floats:
        return np.asarray(np.interp(at, at[edge], values))

    with np.errstate(invalid="ignore", divide="ignore"):
        skewness = carried(np.nan_to_num(cubes / squares**1.5))
        leverage = carried(np.sqrt(np.nan_to_num(spread / squares, nan=1.0)))
        unsure = carried(np.nan_to_num(fourths / squares**2 - 1.0 / counts.classes))
    none, most = np.zeros(p.size), max(counts.classes - 1.0, 1.0)
    if rate == "frr":
        return RateShape(skewness, none, degrees_of_freedom(unsure, most), leverage, most)
    known = looked[squares > 0]
    inside = np.zeros(0, bool) if pull is None else np.isin(pull[0], known)
    if pull is None or not inside.any():
        return RateShape(skewness, none, degrees_of_freedom(unsure, most), none + 1.0, most)
    edge, pulled = pull[0][inside], pull[1][:, inside] / counts.negative**2
    rates = np.concatenate([of_part for _, of_part in class_rates(counts, rate, edge)])
    moved = influence.weight[:, None] * (rates - p[edge])
    whole = squares[np.searchsorted(looked, edge)]
    of_size = np.square(influence.weight) / np.square(influence.weight).sum()
    of_variance = np.square(moved) + 2.0 * pulled - 3.0 * whole * of_size[:, None]
    of_pairs = class_pair_squares(counts)[inside] / counts.negative**2
    single = np.minimum(of_pairs / np.maximum(whole - of_pairs, 1e-300), 1.0)
    unsure = np.square(of_variance).sum(axis=0) / whole**2 * (1.0 - 2.0 / 3.0 * single)
    return RateShape(
        skewness,
        carried((moved * pulled).sum(axis=0) / whole**1.5, edge),
        degrees_of_freedom(carried(unsure, edge), most),
        none + 1.0,
        most,
    )


def _thinned(sure: NDArray[np.int64], always: NDArray[np.int64]) -> NDArray[np.int64]:
    """Some of the sure edges: the shape changes little from one to the next."""
    some = np.unique(np.linspace(0, sure.size - 1, min(sure.size, _EDGES)).round().astype(np.int64))
    return np.union1d(sure[some], np.intersect1d(sure, always))


def degrees_of_freedom(unsure: Floats, most: float) -> Floats:
    """Degrees of freedom from the squared relative deviation of a variance over classes."""
    found = 2.0 / np.maximum(unsure, 2.0 / _MOST_FREEDOM)
    return np.asarray(np.clip(found, min(_FEWEST_FREEDOM, most), most))
