"""The von Mises-Fisher law: drawing rows from it, and the exact law of its pair distances.

Density on the unit sphere of `D` coordinates, with centre `m` and concentration `k >= 0`:
`f(x) = exp(k m.x) / M(k)` with respect to the uniform law, where `M(z)` is the mean of
`exp(z u)` for one coordinate `u` of a uniform direction.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import interpolate, optimize, special

Floats = NDArray[np.float64]

# From this order on the expansion of `log_mean_exponential` is better than 2e-8; below it
# scipy's scaled Bessel function neither underflows nor overflows.
_LARGE_ORDER = 40.0
_FAR_OUT = 1e6
# Densities below exp(-50) of the highest one carry no probability that a double can see.
_NEGLIGIBLE = 50.0
_COARSE_STEPS = 4096
_FINE_STEPS = 2048


def negative_acceptance(distance: Floats, dimensions: int) -> Floats:
    """Probability that two independent uniform directions are within a distance.

    ``P(d <= t) = I(t^2 / 4; (D - 1) / 2, (D - 1) / 2)``, `I` the regularised incomplete beta
    function: with `s` the inner product, ``(1 - s) / 2 = d^2 / 4`` is Beta distributed
    (Mardia & Jupp 2000, section 9.3.1).

    Parameters
    ----------
    distance : float64 array, any shape
        Unit L2 distances in [0, 2].
    dimensions : int
        `D >= 2`.

    Returns
    -------
    float64 array of the same shape, in [0, 1]

    Examples
    --------
    >>> negative_acceptance(np.array([0.0, 1.0, 2.0]), 3).round(6).tolist()
    [0.0, 0.25, 1.0]
    """
    half = (dimensions - 1) / 2
    share: Floats = special.betainc(half, half, np.clip(distance, 0.0, 2.0) ** 2 / 4)
    return share


def distance_at_far(far: Floats, dimensions: int) -> Floats:
    """Distance within which a share `far` of uniform negative pairs lies.

    The inverse of `negative_acceptance`.

    Parameters
    ----------
    far : float64 array, any shape
        Shares in [0, 1].
    dimensions : int
        `D >= 2`.

    Returns
    -------
    float64 array of the same shape, in [0, 2]

    Examples
    --------
    >>> distance_at_far(np.array([0.01, 0.1]), 3).round(6).tolist()
    [0.2, 0.632456]
    """
    half = (dimensions - 1) / 2
    distance: Floats = 2 * np.sqrt(special.betaincinv(half, half, far))
    return distance


def log_mean_exponential(z: Floats, dimensions: int) -> Floats:
    """``log M(z)``, the log of the mean of ``exp(z u)`` over uniform directions.

    ``M(z) = Gamma(D/2) (2/z)^(D/2-1) I_{D/2-1}(z)``, with `I` the modified Bessel function. From
    order 20 on by the uniform expansion of DLMF 10.41.3 (https://dlmf.nist.gov/10.41), because
    the Bessel function itself leaves the range of a double.

    Parameters
    ----------
    z : float64 array, any shape
        Not negative.
    dimensions : int
        `D >= 2`.

    Returns
    -------
    float64 array of the same shape, not negative

    Examples
    --------
    In three dimensions ``M(z) = sinh(z) / z``:

    >>> log_mean_exponential(np.array([0.0, 1.0]), 3).round(6).tolist()
    [0.0, 0.161439]
    """
    order = dimensions / 2 - 1
    # log M(z) = z^2 / (2 D) + ..., so this floor moves nothing by 1e-10, and keeps the
    # Bessel function of a small order above the smallest double.
    z = np.maximum(np.asarray(z, dtype=np.float64), 1e-5)
    if order < _LARGE_ORDER:
        log_bessel = _log_bessel_small_order(order, z)
    else:
        scaled = z / order
        root = np.sqrt(1 + scaled * scaled)
        p = 1 / root
        square = p * p
        u1 = p * (3 - 5 * square) / 24
        u2 = square * (81 - 462 * square + 385 * square**2) / 1152
        u3 = p * square * (30375 - 369603 * square + 765765 * square**2 - 425425 * square**3)
        series = u1 / order + u2 / order**2 + u3 / 414720 / order**3
        exponent = order * (root + np.log(scaled / (1 + root)))
        log_bessel = exponent - 0.5 * np.log(2 * np.pi * order * root) + np.log1p(series)
    value: Floats = special.gammaln(order + 1) + order * np.log(2 / z) + log_bessel
    return np.maximum(value, 0.0)


def _log_bessel_small_order(order: float, z: Floats) -> Floats:
    # Far out scipy's function gives up (NaN beyond 1e9); there three terms of Hankel's
    # expansion, DLMF 10.40.1, are exact to 1e-10.
    near, far = np.minimum(z, _FAR_OUT), np.maximum(z, _FAR_OUT)
    mu = 4 * order**2
    hankel = np.log1p(-(mu - 1) / (8 * far) + (mu - 1) * (mu - 9) / (128 * far**2))
    value: Floats = z + np.where(
        z > _FAR_OUT, hankel - 0.5 * np.log(2 * np.pi * far), np.log(special.ive(order, near))
    )
    return value


def pair_acceptance(concentration: float, distance: Floats, dimensions: int) -> Floats:
    """Probability that two independent rows of one class are within a distance: its sensitivity.

    Given the two rows, their common centre enters only through ``exp(k m.(x + y))``; averaged
    over uniform rotations of the pair that is ``M(k |x + y|)``. So the angle `a` between the
    rows, ``|x + y| = 2 cos(a / 2)``, has the density

        f(a) = sin(a)^(D-2) M(2 k cos(a / 2)) / constant,     0 <= a <= pi,

    integrated here on a grid over its bulk, with a cubic spline. Error below 1e-8.

    Parameters
    ----------
    concentration : float
        `k >= 0`; at 0 this is `negative_acceptance`.
    distance : float64 array of shape (thresholds,)
        Unit L2 distances in [0, 2].
    dimensions : int
        `D >= 2`.

    Returns
    -------
    float64 array of shape (thresholds,), in [0, 1], rising with the distance

    Examples
    --------
    >>> pair_acceptance(0.0, np.array([0.2, 0.632456]), 3).round(6).tolist()
    [0.01, 0.1]
    >>> pair_acceptance(200.0, np.array([0.2, 0.632456]), 3).round(4).tolist()
    [0.8653, 1.0]
    """

    def log_density(angle: Floats) -> Floats:
        tilt = log_mean_exponential(2 * concentration * np.cos(angle / 2), dimensions)
        value: Floats = special.xlogy(dimensions - 2, np.sin(angle)) + tilt
        return value

    coarse = np.geomspace(1e-9, np.pi, _COARSE_STEPS)
    coarse[-1] = np.pi
    height = log_density(coarse)
    bulk = np.flatnonzero(height > height.max() - _NEGLIGIBLE)
    low = 0.0 if bulk[0] == 0 else float(coarse[bulk[0] - 1])
    high = float(coarse[min(bulk[-1] + 1, _COARSE_STEPS - 1)])
    angle = np.linspace(low, high, _FINE_STEPS + 1)
    area = interpolate.CubicSpline(angle, np.exp(log_density(angle) - height.max()))
    mass = area.antiderivative()
    asked = 2 * np.arcsin(np.clip(distance, 0.0, 2.0) / 2)
    share: Floats = mass(np.clip(asked, low, high)) / mass(high)
    return np.clip(share, 0.0, 1.0)


def concentration_at(acceptance: float, distance: float, dimensions: int) -> float:
    """Concentration at which a given share of the positive pairs is within a distance.

    Parameters
    ----------
    acceptance : float
        The sensitivity asked for; above ``negative_acceptance(distance)`` and below 1.
    distance : float
        Unit L2 distance in (0, 2).
    dimensions : int
        `D >= 2`.

    Returns
    -------
    float, positive

    Examples
    --------
    >>> round(concentration_at(0.865341, 0.2, 3), 2)
    200.0
    """
    at = np.array([distance])

    def excess(log_concentration: float) -> float:
        concentration = float(np.exp(log_concentration))
        return float(pair_acceptance(concentration, at, dimensions)[0]) - acceptance

    low, high = np.log(1e-3), np.log(dimensions) + np.log(1e6)
    return float(np.exp(optimize.brentq(excess, low, high, xtol=1e-12)))


def draw(
    centres: NDArray[np.float32], concentrations: Floats, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Draw one row around each of the given centres.

    The component along the centre by the rejection method of Wood (1994), for all rows at once
    and each with its own concentration; the direction across it uniform. Written in
    ``1 - w``, not `w`, so that a huge concentration loses no digits.

    Source: Wood, A. T. A., *Simulation of the von Mises Fisher distribution*, Communications in
    Statistics - Simulation and Computation 23 (1994), doi:10.1080/03610919408813161.

    Parameters
    ----------
    centres : float32 array of shape (rows, D), unit length, `D >= 2`
    concentrations : float64 array of shape (rows,), not negative
    generator : numpy.random.Generator

    Returns
    -------
    float32 array of shape (rows, D), unit length
    """
    rows, dimensions = centres.shape
    gap = _gap_to_centre(concentrations, dimensions - 1, generator)

    drawn = np.empty((rows, dimensions), dtype=np.float32)
    across = drawn[:, :-1]
    across[...] = generator.standard_normal((rows, dimensions - 1), dtype=np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", across, across))
    # float32 normals are exactly 0 once in some millions of draws.
    across[length == 0, 0] = 1
    length[length == 0] = 1
    across *= (np.sqrt(gap * (2 - gap)) / length).astype(np.float32)[:, None]

    # Householder reflection of the last axis onto the centre, or onto its opposite: the sign
    # is the one for which nothing cancels.
    sign = np.where(centres[:, -1] < 0, np.float32(1), np.float32(-1))
    drawn[:, -1] = sign * (1 - gap)
    along = drawn[:, -1] - sign * np.einsum("ij,ij->i", centres, drawn)
    along /= 1 + np.abs(centres[:, -1])
    drawn += (sign * along)[:, None] * centres
    drawn[:, -1] -= along
    drawn /= np.sqrt(np.einsum("ij,ij->i", drawn, drawn))[:, None]
    return drawn


def _gap_to_centre(concentrations: Floats, freedom: int, generator: np.random.Generator) -> Floats:
    """``1 - w`` with `w` the inner product of a row and its centre, one a concentration."""
    b = freedom / (2 * concentrations + np.sqrt(4 * concentrations**2 + freedom**2))
    x0 = (1 - b) / (1 + b)
    gap0 = 2 * b / (1 + b)
    log_peak = np.log(4 * b) - 2 * np.log1p(b)
    gap = np.empty_like(concentrations)
    pending = np.arange(concentrations.size)
    while pending.size:
        beta = generator.beta(freedom / 2, freedom / 2, pending.size)
        bp = b[pending]
        trial = 2 * bp * beta / (1 - (1 - bp) * beta)
        log_ratio = concentrations[pending] * (gap0[pending] - trial) + freedom * (
            np.log(gap0[pending] + x0[pending] * trial) - log_peak[pending]
        )
        accepted = log_ratio >= -generator.standard_exponential(pending.size)
        gap[pending[accepted]] = trial[accepted]
        pending = pending[~accepted]
    return gap
