"""OPIS and eps-OPIS: how far the classes' utility curves lie apart over the calibration range."""

import math
import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opiscal.errors import InconclusiveError, UsageError
from opiscal.measures.rates import Floats

EpsAgainst = Literal["others", "best"]
EpsRank = Literal["range", "threshold"]

LARGEST_OPIS = 0.25
"""Half of the classes at 0, the others at 1."""


@dataclass(frozen=True, slots=True)
class Integration:
    """How a mean over the calibration range is taken.

    Attributes
    ----------
    grid : int or None
        None: trapezoid over all class edges in the range and its two ends. K: the mean over K
        evenly spaced thresholds.
    """

    grid: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Integration":
        """Read ``exact`` or ``grid:K``; anything else is a `UsageError`.

        Examples
        --------
        >>> Integration.parse("grid:101").grid
        101
        """
        if text == "exact":
            return cls()
        match = re.fullmatch(r"grid:([0-9]{1,6})", text)
        if match is None or not 2 <= int(match[1]) <= 100_000:
            raise UsageError(
                f"integration {text!r}: must be exact or grid:K with K from 2 to 100000, "
                "such as grid:101"
            )
        return cls(grid=int(match[1]))

    def nodes(self, class_edges: Floats, low: float, high: float) -> tuple[Floats, Floats]:
        """Thresholds in a range and their weights, which sum to 1; shapes (K,).

        A range of no width gives its one threshold.
        """
        if low == high:
            return np.array([low]), np.ones(1)
        if self.grid is not None:
            return np.linspace(low, high, self.grid), np.full(self.grid, 1.0 / self.grid)
        inside = class_edges[(class_edges > low) & (class_edges < high)]
        nodes = np.concatenate([[low], inside, [high]])
        steps = np.diff(nodes)
        weights = np.zeros(nodes.size)
        weights[:-1] += 0.5 * steps
        weights[1:] += 0.5 * steps
        return nodes, weights / (high - low)


def opis(utility: ArrayLike, weights: ArrayLike) -> float:
    r"""Operating-point-inconsistency score: the variance over classes, averaged over thresholds.

    .. math:: \frac{1}{T (d_{hi} - d_{lo})} \sum_i \int_{d_{lo}}^{d_{hi}}
              \left(U_i(d) - \frac1T \sum_j U_j(d)\right)^2 \, \mathrm{d}d

    Parameters
    ----------
    utility : array_like of shape (T, K)
        Utility of each class at each threshold.
    weights : array_like of shape (K,)
        Share of each threshold in the mean over the range; they sum to 1.

    Returns
    -------
    float, in [0, 0.25]
        0 where all classes have the same curve, however it runs.

    Raises
    ------
    InconclusiveError
        For fewer than two classes.

    References
    ----------
    Zhang et al., Threshold-Consistent Margin Loss for Open-World Deep Metric Learning, ICLR 2024,
    arXiv 2307.04047.

    Examples
    --------
    >>> opis([[0.2, 0.6], [0.4, 0.6]], [0.5, 0.5])
    0.005
    """
    return round(float(opis_by_class(utility, weights).mean()), 15)


def opis_by_class(utility: ArrayLike, weights: ArrayLike) -> Floats:
    """Each class's squared distance from the mean curve, averaged over thresholds; shape (T,).

    OPIS is their mean. Arguments and errors as in `opis`.
    """
    curves = _curves(utility)
    share = np.asarray(weights, dtype=np.float64)
    mean = curves.mean(axis=0)
    out = np.empty(len(curves))
    for start in range(0, len(curves), 1024):
        part = slice(start, start + 1024)
        out[part] = np.square(curves[part] - mean) @ share
    return out


@dataclass(frozen=True, slots=True)
class EpsilonOpis:
    """eps-OPIS and the classes behind it.

    Attributes
    ----------
    value : float
    worst : int64 array of shape (m,)
        Indices of the worst classes by mean utility over the range, the worst first.
    """

    value: float
    worst: NDArray[np.int64]


def epsilon_opis(
    utility: ArrayLike,
    weights: ArrayLike,
    epsilon: float = 0.1,
    against: EpsAgainst = "others",
    rank: EpsRank = "range",
) -> EpsilonOpis:
    r"""The worst classes against the others.

    .. math:: \frac{1}{d_{hi} - d_{lo}} \int_{d_{lo}}^{d_{hi}}
              \left(\bar U_{worst}(d) - \bar U_{others}(d)\right)^2 \, \mathrm{d}d

    with the worst ``m = max(1, ceil(eps T - 1e-9))`` classes.

    Parameters
    ----------
    utility : array_like of shape (T, K)
        In the order of labels, by which ties are settled.
    weights : array_like of shape (K,)
        As in `opis`.
    epsilon : float, in (0, 0.5]
    against : "others" or "best"
        The others all, or the best ``m``.
    rank : "range" or "threshold"
        Ranked once by mean utility over the range, or anew at every threshold.

    Returns
    -------
    EpsilonOpis

    Raises
    ------
    UsageError
        For an epsilon outside (0, 0.5], or an unknown option.
    InconclusiveError
        For fewer than two classes.

    References
    ----------
    Zhang et al., ICLR 2024, arXiv 2307.04047.

    Examples
    --------
    >>> found = epsilon_opis([[0.9, 0.9], [0.5, 0.7], [0.9, 0.9]], [0.5, 0.5])
    >>> round(found.value, 6), found.worst.tolist()
    (0.1, [1])
    """
    check_epsilon(epsilon)
    for name, value, kinds in (("against", against, EpsAgainst), ("rank", rank, EpsRank)):
        if value not in get_args(kinds):
            raise UsageError(f"eps-{name} {value!r}: must be {' or '.join(get_args(kinds))}")
    curves = _curves(utility)
    share = np.asarray(weights, dtype=np.float64)
    m = max(1, math.ceil(epsilon * len(curves) - 1e-9))
    ranking = np.argsort(mean_over_range(curves, share), kind="stable")
    ordered = np.sort(curves, axis=0) if rank == "threshold" else curves[ranking]
    rest = ordered[-m:] if against == "best" else ordered[m:]
    gap = ordered[:m].mean(axis=0) - rest.mean(axis=0)
    return EpsilonOpis(value=round(float(np.square(gap) @ share), 15), worst=ranking[:m])


def mean_over_range(utility: ArrayLike, weights: ArrayLike) -> Floats:
    """Each class's mean over the range, shape (T,); arguments as in `opis`.

    Equal curves have equal means, to the last bit, whatever stands around them.

    Examples
    --------
    >>> mean_over_range([[0.2, 0.6], [0.4, 0.6]], [0.5, 0.5]).tolist()
    [0.4, 0.5]
    """
    curves = np.asarray(utility, dtype=np.float64)
    share = np.asarray(weights, dtype=np.float64)
    out = np.empty(len(curves))
    # A product with a matrix adds the rows at its borders in another order.
    for start in range(0, len(curves), 1024):
        part = slice(start, start + 1024)
        out[part] = (curves[part] * share).sum(axis=1)
    return out


def check_epsilon(epsilon: float) -> None:
    """Refuse an epsilon outside (0, 0.5] with a `UsageError`."""
    if not 0 < epsilon <= 0.5:
        raise UsageError(
            f"epsilon {epsilon!r}: must be above 0 and at most 0.5, such as 0.1 for 10%-OPIS"
        )


def _curves(utility: ArrayLike) -> Floats:
    curves = np.asarray(utility, dtype=np.float64)
    if len(curves) < 2:
        raise InconclusiveError(
            f"{len(curves)} class of two rows or more: OPIS compares classes and needs at least "
            "two; add rows or classes"
        )
    return curves
