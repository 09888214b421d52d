"""Ends of an interval from the replicates of a figure."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from opiscal.measures.class_weights import WeightedSums
from opiscal.measures.rates import Floats

# A mean of so few so skewed parts has no good interval; beyond this the replicates say nothing.
LARGEST_SKEW, _LARGEST_BIAS, _LARGEST_REACH = 0.15, 0.5, 6.0
_FEWEST_FREEDOM, _FEWEST_OF_SPREAD = 2.0, 4.0
# Part of the variance that a smooth figure may keep beside its course along its own direction.
_MOST_ROUGH = 0.1


def plain_ends(values: Floats, share: float) -> tuple[float, float]:
    """Quantiles of the replicates.

    Parameters
    ----------
    values : float64 array of shape (B,)
    share : float
        Below the upper end: 0.975 for the middle 95 %.

    Examples
    --------
    >>> low, high = plain_ends(np.arange(1001.0), 0.975)
    >>> round(low, 6), round(high, 6)
    (25.0, 975.0)
    """
    low, high = np.quantile(values, [1.0 - share, share])
    return float(low), float(high)


def accelerated_ends(
    values: Floats,
    value: float,
    sums: WeightedSums,
    pivots: NDArray[np.float32],
    share: float,
    largest_skew: float = LARGEST_SKEW,
    reach: tuple[float, float] | None = None,
) -> tuple[float, float]:
    r"""Efron's accelerated ends, with the quantiles of a smooth curve in place of sorted values.

    A figure that is smooth in the class weights runs, but for a small rest, along one direction
    :math:`\zeta` of the weighted sums, and that direction is normal. A cubic in it gives quantiles
    that hardly differ from seed to seed:

    .. math:: q(y) = \sum_{k=0}^{3} c_k (s y)^k, \qquad
              y = \pm t + 2 z_0 + a (2 t^2 + 1), \qquad
              a = \frac{\sum_i l_i^3}{6 (\sum_i l_i^2)^{3/2}}

    with :math:`s` slightly above 1 for the rest, :math:`z_0` where the curve passes the value
    itself, and :math:`l_i` what class ``i`` moves the figure by. Normal weights have no skewness of
    their own: :math:`a (2 t^2 + 1)` adds all that the skewness of the classes asks for, at the end
    towards the long tail; at the other end half of it. Where the rest is not small the sorted
    values are used.

    Parameters
    ----------
    values : float64 array of shape (B,)
    value : float
        The figure with every weight 1.
    sums : WeightedSums
    pivots : float32 array of shape (T, R)
        What each class adds to the pivot columns of `sums`.
    share : float
        Of the law below the upper end: 0.975 for the middle 95 %. :math:`t` is the quantile of
        Student's law with as many degrees of freedom as the classes that move the figure are worth.
    largest_skew : float
        What :math:`a` is cut at; 0 for figures whose replicates have the skewness of the classes.
    reach : pair of float, optional
        How many standard deviations the ends are away below and above, where that is known better:
        in place of :math:`t` and :math:`a`.

    Returns
    -------
    pair of float, the lower end first

    References
    ----------
    Efron, Better bootstrap confidence intervals, JASA 1987; Hall, On the removal of skewness by
    transformation, JRSS B 1992.
    """
    variance = float(values.var())
    moves, of_class = _moves(values, sums, pivots)
    length = float(np.sqrt(np.square(moves).sum()))
    if variance <= 0 or length**2 <= 1e-24 * max(variance, 1e-300):
        return plain_ends(values, share)
    squares = float(np.square(of_class).sum())
    skew, freedom = 0.0, float(len(pivots))
    if squares > 0:
        skew = float((of_class**3).sum()) / (6.0 * squares**1.5)
        excess = float((of_class**4).sum()) / squares**2 - 1.0 / len(pivots)
        freedom = max(2.0 / max(excess, 1e-7), 1.0)
    # Few degrees of freedom say that the variance is unsure, not that it is infinite.
    quantile = float(stdtrit(max(min(freedom, len(pivots) - 1.0), _FEWEST_FREEDOM), share))
    skew = float(np.clip(skew, -largest_skew, largest_skew))
    powers = np.vander(sums.direction @ moves / length, 4, increasing=True)
    course = np.linalg.lstsq(powers, values, rcond=None)[0]
    fitted = powers @ course
    rest = float(np.square(values - fitted).mean())
    smooth = rest <= _MOST_ROUGH * variance
    bias = (value - course[0]) / course[1] if smooth and course[1] > 0 else 0.0
    bias = float(np.clip(bias, -_LARGEST_BIAS, _LARGEST_BIAS))
    # An acceleration from few classes is unsure, and largest where the figure came out too high:
    # the end away from the long tail follows it half the way only.
    away = np.array([0.5, 1.0]) if skew >= 0 else np.array([1.0, 0.5])
    at = np.array([-quantile, quantile]) + away * skew * (2.0 * quantile**2 + 1.0)
    if reach is not None:
        # Farther out than replicates go the cubic is not to be trusted.
        at = np.clip([-reach[0], reach[1]], -_LARGEST_REACH, _LARGEST_REACH)
    at += 2.0 * bias
    if not smooth:
        low, high = np.quantile(values, ndtr(at))
        return float(low), float(high)
    wider = np.sqrt(1.0 + rest / max(variance - rest, 1e-300))
    low, high = np.sort(np.vander(at * wider, 4, increasing=True) @ course)
    return float(low), float(high)


def spread_ends(
    values: Floats,
    value: float,
    plain: float,
    sums: WeightedSums,
    pivots: NDArray[np.float32],
    share: float,
) -> tuple[float, float]:
    r"""Ends for a variance over classes: the larger it comes out by chance, the more it scatters.

    With :math:`P` the plain variance, :math:`r` the deviation of the replicates over
    it, and :math:`x` the value, which is `P` or what is left of it without noise,

    .. math:: x + P \left(b e^{2 \operatorname{arsinh}((\Delta \pm t) b r / 2)} - 1\right), \quad
              \Delta = g \frac{2 t^2 + 1}{6} - r \frac{t^2}{2}, \quad
              g = \frac{\sum_i l_i^3}{(\sum_i l_i^2)^{3/2}}, \quad
              b = \frac{T}{T - t}

    with Bonett's `b` for few classes: the Wilson ends of a rate of as much relative scatter. There
    :math:`l_i` is what class ``i`` moves it by, and :math:`t` the quantile of Student's law with
    ``2 / sum (l_i^2 / V - 1 / T - 2 l_i / P)^2`` degrees of freedom, ``V = sum l_i^2``: of the
    squared relative deviation. As for rates (`RateShape.bound_reach`) no end is moved down.

    Parameters
    ----------
    values : float64 array of shape (B,)
    value, plain : float
        The figure with every weight 1, and the plain variance.
    sums : WeightedSums
    pivots : float32 array of shape (T, R)
    share : float

    Returns
    -------
    pair of float, the lower end first

    References
    ----------
    Hall, On the removal of skewness by transformation, JRSS B 1992; Bonett, Approximate confidence
    interval for standard deviation of nonnormal distributions, Computational Statistics & Data
    Analysis 2006.
    """
    deviation = float(values.std())
    of_class = _moves(values, sums, pivots)[1]
    squares = float(np.square(of_class).sum())
    if plain <= 0 or deviation <= 1e-12 * plain or squares <= 0:
        return plain_ends(values, share)
    unsure = np.square(of_class) / squares - 1.0 / len(pivots) - 2.0 * of_class / plain
    most = max(len(pivots) - 1.0, 1.0)
    found = 2.0 / max(float(np.square(unsure).sum()), 1e-7)
    freedom = min(max(found, _FEWEST_OF_SPREAD), most)
    times, ratio = float(stdtrit(freedom, share)), deviation / plain
    skew = float((of_class**3).sum()) / squares**1.5
    shift = skew * (2.0 * times**2 + 1.0) / 6.0 - ratio * times**2 / 2.0
    shift = float(np.clip(shift, 0.0, times))
    low, high = -max(times - shift, 0.5 * times), times + shift
    few = len(pivots) / max(len(pivots) - times, 1.0)
    moved = 2.0 * np.arcsinh(0.5 * few * ratio * np.array([low, high]))
    ends = value + plain * (few * np.exp(moved) - 1.0)
    return float(ends[0]), float(ends[1])


def _moves(
    values: Floats, sums: WeightedSums, pivots: NDArray[np.float32]
) -> tuple[Floats, Floats]:
    """How a figure moves along the directions, and with each class; shapes (R,) and (T,)."""
    # Directions are uncorrelated and of variance 1: products with them are a regression.
    moves = sums.direction.T @ (values - values.mean()) / values.size
    of_class = (pivots @ (sums.to_class @ moves).astype(np.float32)).astype(np.float64)
    return moves, of_class
