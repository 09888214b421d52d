"""Utility: the F-score of a class at a threshold."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opiscal.errors import UsageError
from opiscal.measures.rates import Floats, class_counts_at
from opiscal.pairs.counts import PairCounts

UtilityKind = Literal["sensitivity-specificity", "precision-recall"]

# Classes whose curves are worked out at a time, so that temporaries stay small.
_CLASSES_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Utility:
    """Which F-score is used.

    Attributes
    ----------
    kind : "sensitivity-specificity" or "precision-recall"
    c : float
        Above 0; above 1 weighs sensitivity (recall) more.
    """

    kind: UtilityKind = "sensitivity-specificity"
    c: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(UtilityKind):
            raise UsageError(
                f"utility {self.kind!r}: must be one of {', '.join(get_args(UtilityKind))}"
            )
        # Beyond these the square of c is 0 or infinite.
        if not 1e-100 <= self.c <= 1e100:
            raise UsageError(
                f"c {self.c!r}: must be a number above 0 (1e-100 to 1e100); above 1 weighs "
                "sensitivity more, 1 weighs both alike"
            )


def sensitivity_specificity(
    sensitivity: ArrayLike, specificity: ArrayLike, c: float = 1.0
) -> NDArray[np.float64]:
    r"""F-score of sensitivity and specificity.

    .. math:: U = \frac{(1 + c^2) \, spec \, sens}{c^2 \, spec + sens},
              \quad 0 \text{ where both are } 0

    Parameters
    ----------
    sensitivity, specificity : array_like
        ``1 - FRR`` and ``1 - FAR`` of a class, in [0, 1]; shapes that broadcast.
    c : float
        Above 0; above 1 weighs sensitivity more.

    Returns
    -------
    float64 array, in [0, 1]

    References
    ----------
    Zhang et al., Threshold-Consistent Margin Loss for Open-World Deep Metric Learning, ICLR 2024,
    arXiv 2307.04047.

    Examples
    --------
    >>> float(sensitivity_specificity(0.5, 1.0).round(6))
    0.666667
    >>> float(sensitivity_specificity(0.0, 0.0))
    0.0
    """
    sens = np.asarray(sensitivity, dtype=np.float64)
    spec = np.asarray(specificity, dtype=np.float64)
    below = c**2 * spec + sens
    return np.divide(
        (1 + c**2) * spec * sens, below, out=np.zeros(np.shape(below)), where=below > 0
    )


def precision_recall(
    true_accepts: ArrayLike, false_rejects: ArrayLike, false_accepts: ArrayLike, c: float = 1.0
) -> NDArray[np.float64]:
    r"""F-score of precision and recall; it moves with class size.

    .. math:: U = \frac{(1 + c^2) TP}{(1 + c^2) TP + c^2 FN + FP}, \quad 0 \text{ where } TP = 0

    Parameters
    ----------
    true_accepts, false_rejects : array_like
        Accepted and rejected positive pairs of a class, unordered.
    false_accepts : array_like
        Accepted negative pairs of the class.
    c : float
        Above 0; above 1 weighs recall more.

    Returns
    -------
    float64 array, in [0, 1]

    References
    ----------
    van Rijsbergen, Information Retrieval, 2nd ed., 1979, chapter 7.

    Examples
    --------
    >>> float(precision_recall(8, 2, 2))
    0.8
    >>> float(precision_recall(0, 0, 0))
    0.0
    """
    tp = np.asarray(true_accepts, dtype=np.float64)
    over = (1 + c**2) * tp
    below = over + c**2 * np.asarray(false_rejects) + np.asarray(false_accepts)
    score: NDArray[np.float64] = np.divide(over, below, out=np.zeros(np.shape(below)), where=tp > 0)
    return score


def class_utility(counts: PairCounts, distance: ArrayLike, utility: Utility) -> Floats:
    """Utility of every class at some thresholds.

    Parameters
    ----------
    counts : PairCounts
    distance : array_like of shape (K,)
        Thresholds. At a class edge the utility is exact; elsewhere the counts are interpolated.
    utility : Utility

    Returns
    -------
    float64 array of shape (T, K), in [0, 1]
    """
    thresholds = np.atleast_1d(np.asarray(distance, dtype=np.float64))
    out = np.empty((counts.classes, thresholds.size))
    for start in range(0, counts.classes, _CLASSES_AT_ONCE):
        part = slice(start, start + _CLASSES_AT_ONCE)
        accepted = class_counts_at(counts, thresholds, part)
        positives = counts.positives_of_class[part, None]
        negatives = counts.negatives_of_class[part, None]
        if utility.kind == "sensitivity-specificity":
            out[part] = sensitivity_specificity(
                accepted.positive / positives, 1.0 - accepted.negative / negatives, utility.c
            )
        else:
            out[part] = precision_recall(
                accepted.positive, positives - accepted.positive, accepted.negative, utility.c
            )
    return out


def mean_utility(counts: PairCounts, distance: ArrayLike, utility: Utility) -> Floats:
    """Mean over classes of the utility at some thresholds, shape (K,)."""
    thresholds = np.atleast_1d(np.asarray(distance, dtype=np.float64))
    total = np.zeros(thresholds.size)
    # Few thresholds at a time: all class edges of all classes would not fit the memory bound.
    for start in range(0, thresholds.size, 64):
        part = slice(start, start + 64)
        total[part] = class_utility(counts, thresholds[part], utility).mean(axis=0)
    return total
