"""Class weights: replicates of sums over classes, every class weighing ``w_i`` in place of 1."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.rates import Floats

# Directions beyond which curves differ by less than a hundredth of their standard deviation.
_RESIDUAL = 1e-4
MOST_DIRECTIONS = 256


@dataclass(frozen=True, slots=True)
class WeightedSums:
    """Replicates of sums over classes.

    Attributes
    ----------
    shift : float64 array of shape (B, K)
        ``sum_i (w_i - 1) x_ik`` of each replicate; mean 0, variance ``sum_i x_ik^2``, exactly.
    direction : float64 array of shape (B, R)
        The independent directions the replicates were drawn in; mean 0, variance 1.
    pivot : int64 array of shape (R,)
    to_class : float64 array of shape (R, R)
        ``x[:, pivot] @ to_class @ b`` is how far each class moves a statistic that moves by ``b``
        along the directions.
    """

    shift: Floats
    direction: Floats
    pivot: NDArray[np.int64]
    to_class: Floats


def weighted_sums(
    gram: Floats, replicates: int, seed: int, most_directions: int = MOST_DIRECTIONS
) -> WeightedSums:
    r"""Draw sums over classes whose weights are independent, normal, of mean 1 and variance 1.

    The sums :math:`\sum_i (w_i - 1) x_{ik}` are then jointly normal with covariance
    :math:`\sum_i x_{ik} x_{il}`. They are drawn from that matrix, which is the same as drawing the
    weights, and costs no more for a hundred thousand classes than for a hundred. Each replicate has
    a mirror image, and the directions are made uncorrelated, so that means and variances are exact
    and quantiles steady from seed to seed. Weights below 0 do no harm: they enter sums only.

    Parameters
    ----------
    gram : float64 array of shape (K, K)
        ``x.T @ x`` with ``x`` of shape (T, K).
    replicates : int
        Even, at least 1,000.
    seed : int
        Of a PCG64 generator; the same draws on every machine.
    most_directions : int
        Below half of the replicates.

    Returns
    -------
    WeightedSums

    Examples
    --------
    >>> sums = weighted_sums(np.array([[4.0, 2.0], [2.0, 1.0]]), 1000, seed=0)
    >>> sums.shift.shape, sums.direction.shape[1], round(float(sums.shift[:, 0].var()), 9)
    ((1000, 2), 1, 4.0)
    """
    pivot, factor = _pivoted_cholesky(gram, most_directions)
    half = replicates // 2
    generator = np.random.Generator(np.random.PCG64(seed))
    # A direction a row: how many directions there are does not change what the first ones get.
    draws = generator.standard_normal((pivot.size, half))
    root = np.linalg.cholesky(draws @ draws.T / half) if pivot.size else np.zeros((0, 0))
    draws = np.linalg.solve(root, draws)
    direction = np.concatenate([draws.T, -draws.T])
    shift = direction @ factor
    # The directions left out took less than a ten-thousandth of the variance of any column.
    scale = np.sqrt(np.maximum(np.diagonal(gram), 0.0))
    drawn = np.sqrt(np.square(factor).sum(axis=0))
    shift *= np.divide(scale, drawn, out=np.zeros_like(scale), where=drawn > 0)
    to_class: Floats = np.linalg.inv(factor[:, pivot]).astype(np.float64)
    return WeightedSums(shift, direction, pivot, to_class)


def _pivoted_cholesky(gram: Floats, most: int) -> tuple[NDArray[np.int64], Floats]:
    """Columns that span the rest, and ``F`` of shape (R, K) with ``F.T @ F = gram``."""
    whole = np.diagonal(gram).copy()
    left = whole.copy()
    factor = np.zeros((min(most, whole.size), whole.size))
    pivot: list[int] = []
    for k in range(len(factor)):
        share = np.divide(left, whole, out=np.zeros_like(left), where=whole > 0)
        share[pivot] = 0.0
        # Rounded, so that of columns as good as equal the first is taken on every machine.
        at = int(np.argmax(np.round(share, 6)))
        if share[at] <= _RESIDUAL:
            break
        row = gram[at] - factor[:k, at] @ factor[:k]
        factor[k] = row / np.sqrt(left[at])
        # Pivots before this one are spanned already.
        factor[k, pivot] = 0.0
        left -= np.square(factor[k])
        pivot.append(at)
    return np.array(pivot, dtype=np.int64), factor[: len(pivot)]
