"""Ends of an interval of a variance over classes, from its replicates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from opiscal.measures.rates import Floats
from opiscal.measures.replicate_ends import ClassMoves, PlainEnds

_FEWEST_FREEDOM = 4.0


@dataclass(frozen=True, slots=True)
class SpreadEnds:
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

    Attributes
    ----------
    value, plain : float
    ratio : float
        Deviation of the replicates over the plain variance.
    skew, freedom : float
        Of what the classes move it by.
    classes : int

    References
    ----------
    Hall, On the removal of skewness by transformation, JRSS B 1992; Bonett, Approximate confidence
    interval for standard deviation of nonnormal distributions, Computational Statistics & Data
    Analysis 2006.
    """

    value: float
    plain: float
    ratio: float
    skew: float
    freedom: float
    classes: int

    @classmethod
    def of(
        cls,
        values: Floats,
        value: float,
        plain: float,
        moves: ClassMoves,
    ) -> "SpreadEnds | PlainEnds":
        """The ends of one figure; plain quantiles where there is nothing to scatter.

        Parameters
        ----------
        values : float64 array of shape (B,)
        value, plain : float
            The figure with every weight 1, and the plain variance.
        moves : ClassMoves
        """
        deviation = float(values.std())
        of_class = moves.of_class
        squares = float(np.square(of_class).sum())
        if plain <= 0 or deviation <= 1e-12 * plain or squares <= 0:
            return PlainEnds(values)
        unsure = np.square(of_class) / squares - 1.0 / of_class.size - 2.0 * of_class / plain
        most = max(of_class.size - 1.0, 1.0)
        found = 2.0 / max(float(np.square(unsure).sum()), 1e-7)
        return cls(
            value=value,
            plain=plain,
            ratio=deviation / plain,
            skew=float((of_class**3).sum()) / squares**1.5,
            freedom=min(max(found, _FEWEST_FREEDOM), most),
            classes=of_class.size,
        )

    def at(self, share: ArrayLike) -> tuple[Floats, Floats]:
        """The lower and the upper end; `share` of the law is below the upper one."""
        times = np.asarray(stdtrit(self.freedom, share))
        shift = self.skew * (2.0 * times**2 + 1.0) / 6.0 - self.ratio * times**2 / 2.0
        shift = np.clip(shift, 0.0, times)
        few = self.classes / np.maximum(self.classes - times, 1.0)
        reach = np.stack([-np.maximum(times - shift, 0.5 * times), times + shift])
        moved = 2.0 * np.arcsinh(0.5 * few * self.ratio * reach)
        low, high = self.value + self.plain * (few * np.exp(moved) - 1.0)
        return low, high
