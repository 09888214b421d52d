"""Intervals of FAR and FRR that honour shared classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from opiscal.errors import UsageError
from opiscal.measures.rate_variance import RateVariance, rate_variance
from opiscal.measures.rates import Floats, Pool, RateCurve, rate_curve
from opiscal.pairs.counts import PairCounts


def wilson_interval(
    rate: ArrayLike, effective_number: ArrayLike, z: ArrayLike, z_above: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    r"""Wilson interval of rates over an effective number of independent pairs.

    .. math:: \frac{p + z^2 / 2n \pm z \sqrt{p (1 - p) / n + z^2 / 4 n^2}}{1 + z^2 / n}

    Parameters
    ----------
    rate : array_like, in [0, 1]
    effective_number : array_like, above 0
        The variance of the rate is ``p (1 - p) / n``.
    z : array_like, above 0
        Quantile: of the normal law 1.96 for 95 % between both ends, 1.645 for 95 % below one.
    z_above : array_like, optional
        That of the upper end, where it differs.

    Returns
    -------
    pair of float64 arrays
        Ends in [0, 1], with the rate between them.

    References
    ----------
    Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927; with
    a design effect: Fogliato, Patil and Perona, IJCV 2024, arXiv 2306.01198.

    Examples
    --------
    >>> low, high = wilson_interval(0.0, 100, 1.96)
    >>> float(low), round(float(high), 4)
    (0.0, 0.037)
    """
    p, n = np.asarray(rate, dtype=np.float64), np.asarray(effective_number, dtype=np.float64)
    low, high = _wilson_end(p, n, z, -1), _wilson_end(p, n, z if z_above is None else z_above, 1)
    # The formula holds p and stays inside [0, 1]; its last bit may not.
    return np.clip(low, 0.0, p), np.clip(high, p, 1.0)


def _wilson_end(p: Floats, n: Floats, z: ArrayLike, side: int) -> Floats:
    times = np.asarray(z, dtype=np.float64)
    share = times**2 / n
    reach = times * np.sqrt(p * (1 - p) / n + share / (4 * n))
    return np.asarray((p + share / 2 + side * reach) / (1 + share))


@dataclass(frozen=True, slots=True)
class RatesAt:
    """Intervals at one threshold.

    Attributes
    ----------
    far_ci, frr_ci : pair of float
        Between the two ends with the confidence.
    far_bound, frr_bound : float
        Below them with the confidence, one-sided.
    far_number, frr_number : float
        Effective numbers of independent pairs.
    """

    far_ci: tuple[float, float]
    frr_ci: tuple[float, float]
    far_bound: float
    frr_bound: float
    far_number: float
    frr_number: float


@dataclass(frozen=True, slots=True)
class Reach:
    """How many standard deviations the ends of intervals are away from a rate, at every edge.

    Student's quantiles, which are larger where the variance is unsure, moved up by the skewness of
    the scatter (`opiscal.measures.rate_shape`).

    Attributes
    ----------
    below, above : float64 arrays of shape (E,)
        Of the two-sided interval.
    bound : float64 array of shape (E,)
        Of the one-sided upper bound.
    """

    below: Floats
    above: Floats
    bound: Floats


@dataclass(frozen=True, slots=True)
class RateIntervals:
    """Intervals of FAR and FRR at every edge of a rate curve.

    Attributes
    ----------
    curve : RateCurve
    confidence : float
    far_number, frr_number : float64 arrays of shape (E,)
        Effective numbers of independent pairs.
    far_reach, frr_reach : Reach
        How many standard deviations the ends are away.
    far_low, far_high, frr_low, frr_high : float64 arrays of shape (E,), in [0, 1]
        Two-sided intervals; upper ends of FAR rise and those of FRR fall with the threshold.
    far_bound, frr_bound : float64 arrays of shape (E,), in [0, 1]
        One-sided upper bounds, rising and falling likewise.
    class_pairs_known : bool
        Whether the sum over class pairs was known, up to the last of its edges. Where it is not FAR
        intervals are too wide, by up to the root of 2.
    single_rows : int
        Rows of no scored class, whose scatter was taken from the other rows.
    """

    curve: RateCurve
    confidence: float
    far_number: Floats
    frr_number: Floats
    far_reach: Reach
    frr_reach: Reach
    far_low: Floats
    far_high: Floats
    frr_low: Floats
    frr_high: Floats
    far_bound: Floats
    frr_bound: Floats
    class_pairs_known: bool
    single_rows: int

    def at(self, distance: float) -> RatesAt:
        """Intervals at any threshold: by interpolated rates and numbers between two edges."""
        edge = self.curve.edge_at(distance)
        if edge is not None:
            return RatesAt(
                far_ci=(float(self.far_low[edge]), float(self.far_high[edge])),
                frr_ci=(float(self.frr_low[edge]), float(self.frr_high[edge])),
                far_bound=float(self.far_bound[edge]),
                frr_bound=float(self.frr_bound[edge]),
                far_number=float(self.far_number[edge]),
                frr_number=float(self.frr_number[edge]),
            )
        far, frr = self.curve.at(distance)
        edges, after = self.curve.distance, int(np.searchsorted(self.curve.distance, distance))
        before, after = max(after - 1, 0), min(after, edges.size - 1)

        def read(values: Floats) -> float:
            return float(np.interp(distance, edges, values))

        numbers = read(self.far_number), read(self.frr_number)
        far_reach, frr_reach = self.far_reach, self.frr_reach
        far_low, far_high = wilson_interval(
            far, numbers[0], read(far_reach.below), read(far_reach.above)
        )
        frr_low, frr_high = wilson_interval(
            frr, numbers[1], read(frr_reach.below), read(frr_reach.above)
        )
        far_upper = wilson_interval(far, numbers[0], read(far_reach.bound))[1]
        frr_upper = wilson_interval(frr, numbers[1], read(frr_reach.bound))[1]
        # FAR here is at most what it is at the next edge, FRR at most what it is at the one before.
        return RatesAt(
            far_ci=(float(far_low), float(min(far_high, self.far_high[after]))),
            frr_ci=(float(frr_low), float(min(frr_high, self.frr_high[before]))),
            far_bound=float(min(far_upper, self.far_bound[after])),
            frr_bound=float(min(frr_upper, self.frr_bound[before])),
            far_number=numbers[0],
            frr_number=numbers[1],
        )


def rate_intervals(
    counts: PairCounts,
    pool: Pool = "pairs",
    confidence: float = 0.95,
) -> RateIntervals | None:
    """Intervals of FAR and FRR at every edge, for classes drawn anew from where these came from.

    Wilson intervals over an effective number of pairs: all pairs over the design effect of
    `rate_variance`, which is interpolated between class edges. Below 30 accepted pairs (for FRR:
    rejected) the design effect of the nearest edge with 30 is carried over, never below 1, and the
    effective number never falls below that of pairs that share no class.

    Parameters
    ----------
    counts : PairCounts
    pool : "pairs" or "classes"
    confidence : float, in (0.5, 1)

    Returns
    -------
    RateIntervals, or None
        None where there is no positive or no negative pair: no rate, no interval.

    Raises
    ------
    UsageError
        For a confidence outside (0.5, 1).

    References
    ----------
    Fogliato, Patil and Perona, Confidence Intervals for Error Rates in 1:1 Matching Tasks,
    IJCV 2024, arXiv 2306.01198.

    Examples
    --------
    >>> import numpy as np
    >>> from opiscal.pairs.counts import PairCounts
    >>> whole = np.array([0, 1])
    >>> counts = PairCounts("cosine", 200, 0, tuple(range(100)), np.full(100, 2),
    ...     np.array([0.5, 2.0]), whole, whole, np.array([90, 100]), np.array([198, 19800]),
    ...     np.tile([1, 1], (100, 1)), np.tile([4, 396], (100, 1)), *np.zeros((3, 100, 2), int))
    >>> at = rate_intervals(counts).at(0.5)
    >>> [round(end, 4) for end in at.far_ci]
    [0.0087, 0.0115]
    """
    check_confidence(confidence)
    if counts.positive == 0 or counts.negative == 0:
        return None
    curve = rate_curve(counts, pool)
    far_number, far_reach = _reach(rate_variance(counts, "far", pool), curve, confidence)
    frr_number, frr_reach = _reach(rate_variance(counts, "frr", pool), curve, confidence)
    far_low, far_high = wilson_interval(curve.far, far_number, far_reach.below, far_reach.above)
    frr_low, frr_high = wilson_interval(curve.frr, frr_number, frr_reach.below, frr_reach.above)
    far_bound = wilson_interval(curve.far, far_number, far_reach.bound)[1]
    frr_bound = wilson_interval(curve.frr, frr_number, frr_reach.bound)[1]
    return RateIntervals(
        curve=curve,
        confidence=confidence,
        far_number=far_number,
        frr_number=frr_number,
        far_reach=far_reach,
        frr_reach=frr_reach,
        far_low=far_low,
        far_high=_least_after(far_high),
        frr_low=frr_low,
        frr_high=np.minimum.accumulate(frr_high),
        far_bound=_least_after(far_bound),
        frr_bound=np.minimum.accumulate(frr_bound),
        class_pairs_known=counts.class_pairs is not None and pool == "pairs",
        single_rows=int(counts.rows - counts.class_rows.sum()),
    )


def check_confidence(confidence: float) -> None:
    """Refuse a confidence outside (0.5, 1) with a `UsageError`."""
    if not 0.5 < confidence < 1:
        raise UsageError(
            f"confidence {confidence!r}: must be above 0.5 and below 1, such as 0.95 for 95 %"
        )


def _reach(variance: RateVariance, curve: RateCurve, confidence: float) -> tuple[Floats, Reach]:
    """Effective numbers, and how far the ends are away."""
    below, above = variance.interval_reach(curve.distance, confidence)
    bound = variance.bound_reach(curve.distance, confidence)
    return variance.effective_number(curve.distance), Reach(below, above, bound)


def _least_after(bound: Floats) -> Floats:
    """``min over d' >= d``: what bounds FAR at a larger threshold bounds it here."""
    least: Floats = np.minimum.accumulate(bound[::-1])[::-1]
    return least
