"""Ends of an interval from the replicates of a figure."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtrit

from opiscal.measures.class_weights import WeightedSums
from opiscal.measures.rates import Floats

# A mean of so few so skewed parts has no good interval; beyond this the replicates say nothing.
LARGEST_SKEW, _LARGEST_BIAS, _LARGEST_REACH = 0.15, 0.5, 6.0
_FEWEST_FREEDOM = 2.0
# Part of the variance that a smooth figure may keep beside its course along its own direction.
_MOST_ROUGH = 0.1


class Ends(Protocol):
    """Ends of the intervals of one figure at any level."""

    def at(self, share: ArrayLike) -> tuple[Floats, Floats]:
        """The lower and the upper end; `share` of the law is below the upper one."""
        ...


@dataclass(frozen=True, slots=True)
class PlainEnds:
    """The quantiles of the replicates, of shape (B,), as ends.

    Examples
    --------
    >>> low, high = PlainEnds(np.arange(1001.0)).at(0.975)
    >>> round(float(low), 6), round(float(high), 6)
    (25.0, 975.0)
    """

    values: Floats

    def at(self, share: ArrayLike) -> tuple[Floats, Floats]:
        """The lower and the upper end; `share` of the law is below the upper one."""
        part = np.asarray(share, dtype=np.float64)
        return np.quantile(self.values, 1.0 - part), np.quantile(self.values, part)


@dataclass(frozen=True, slots=True)
class ClassMoves:
    """What moves a figure, to first order.

    Attributes
    ----------
    length : float
        Standard deviation of the part of the replicates that is linear in the weighted sums.
    along : float64 array of shape (B,)
        That part.
    of_class : float64 array of shape (T,)
        What each class moves the figure by.
    """

    length: float
    along: Floats
    of_class: Floats

    @classmethod
    def of(cls, values: Floats, sums: WeightedSums, pivots: NDArray[np.float32]) -> "ClassMoves":
        """Of replicates of shape (B,), and what each class adds to the pivot columns, (T, R)."""
        # Directions are uncorrelated and of variance 1: products with them are a regression.
        moves = sums.direction.T @ (values - values.mean()) / values.size
        return cls(
            length=float(np.sqrt(np.square(moves).sum())),
            along=sums.direction @ moves,
            of_class=(pivots @ (sums.to_class @ moves).astype(np.float32)).astype(np.float64),
        )

    def less(self, other: "ClassMoves", times: float) -> "ClassMoves":
        """Those of the figure less `times` another."""
        along = self.along - times * other.along
        length = float(np.sqrt(np.square(along).mean()))
        return ClassMoves(length, along, self.of_class - times * other.of_class)


@dataclass(frozen=True, slots=True)
class AcceleratedEnds:
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

    Attributes
    ----------
    values : float64 array of shape (B,)
    freedom : float
        Of Student's law: as many classes as those that move the figure are worth.
    skew : float
        The acceleration.
    course : float64 array of shape (4,)
        The cubic.
    bias : float
        Where it passes the value itself.
    wider : float
        For the rest beside the course; 0 where that is too rough, and sorted values are used.
    classes : float
        Of a figure that is a variance over so many classes, else infinite: of few classes it
        scatters more than its parts tell, by Bonett's ``T / (T - t)``, as in `SpreadEnds`.

    References
    ----------
    Efron, Better bootstrap confidence intervals, JASA 1987; Hall, On the removal of skewness by
    transformation, JRSS B 1992.
    """

    values: Floats
    freedom: float
    skew: float
    course: Floats
    bias: float
    wider: float
    classes: float

    @classmethod
    def of(
        cls,
        values: Floats,
        value: float,
        moves: ClassMoves,
        largest_skew: float = LARGEST_SKEW,
        classes: float = np.inf,
    ) -> "AcceleratedEnds | PlainEnds":
        """The ends of one figure; plain quantiles where no class moves it.

        Parameters
        ----------
        values : float64 array of shape (B,)
        value : float
            The figure with every weight 1.
        moves : ClassMoves
        largest_skew : float
            What :math:`a` is cut at; 0 for figures whose replicates have the skewness of the
            classes.
        classes : float
            Of a variance over classes.
        """
        variance, of_class, length = float(values.var()), moves.of_class, moves.length
        if variance <= 0 or length**2 <= 1e-24 * max(variance, 1e-300):
            return PlainEnds(values)
        squares = float(np.square(of_class).sum())
        skew, freedom = 0.0, float(of_class.size)
        if squares > 0:
            skew = float((of_class**3).sum()) / (6.0 * squares**1.5)
            excess = float((of_class**4).sum()) / squares**2 - 1.0 / of_class.size
            freedom = max(2.0 / max(excess, 1e-7), 1.0)
        powers = np.vander(moves.along / length, 4, increasing=True)
        course: Floats = np.linalg.lstsq(powers, values, rcond=None)[0].astype(np.float64)
        rest = float(np.square(values - powers @ course).mean())
        smooth = rest <= _MOST_ROUGH * variance
        bias = (value - course[0]) / course[1] if smooth and course[1] > 0 else 0.0
        return cls(
            values=values,
            # Few degrees of freedom say that the variance is unsure, not that it is infinite.
            freedom=max(min(freedom, of_class.size - 1.0), _FEWEST_FREEDOM),
            skew=float(np.clip(skew, -largest_skew, largest_skew)),
            course=course,
            bias=float(np.clip(bias, -_LARGEST_BIAS, _LARGEST_BIAS)),
            wider=float(np.sqrt(1.0 + rest / max(variance - rest, 1e-300))) if smooth else 0.0,
            classes=classes,
        )

    def at(
        self, share: ArrayLike, reach: tuple[float, float] | None = None
    ) -> tuple[Floats, Floats]:
        """The lower and the upper end; `share` of the law is below the upper one.

        :math:`t` is the quantile of Student's law; `reach`, where it is known better, says how many
        standard deviations the ends are away below and above, in place of :math:`t` and :math:`a`.
        """
        quantile = np.asarray(stdtrit(self.freedom, share))
        if np.isfinite(self.classes):
            quantile = quantile * self.classes / np.maximum(self.classes - quantile, 1.0)
        # An acceleration from few classes is unsure, and largest where the figure came out too
        # high: the end away from the long tail follows it half the way only.
        away = (0.5, 1.0) if self.skew >= 0 else (1.0, 0.5)
        moved = self.skew * (2.0 * quantile**2 + 1.0)
        ends = np.stack([-quantile + away[0] * moved, quantile + away[1] * moved])
        if reach is not None:
            # Farther out than replicates go the cubic is not to be trusted.
            ends = np.clip([-reach[0], reach[1]], -_LARGEST_REACH, _LARGEST_REACH)
        ends = ends + 2.0 * self.bias
        if self.wider == 0:
            low, high = np.quantile(self.values, ndtr(ends))
            return low, high
        low, high = np.sort(
            np.polynomial.polynomial.polyval(ends * self.wider, self.course), axis=0
        )
        return low, high
