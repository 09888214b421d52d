"""What figures say in words: titles that give the conclusion, and labels."""

from collections.abc import Sequence

import numpy as np

from opiscal.data.embedding_set import Label, Metric
from opiscal.measures.rates import Floats
from opiscal.report.layout import clean, cut
from opiscal.report.percents import percent
from opiscal.report.rounding import TEXT_DIGITS, round_down, round_up


def label_text(label: Label | None, room: int) -> str:
    """A label that can be drawn and printed, of at most `room` cells.

    Examples
    --------
    >>> label_text("a" * 30, 12)
    'aaaaa...aaaa'
    """
    return cut(clean(label), room).rstrip()


def rates_title(rates: tuple[float, float] | None) -> str:
    """FAR and FRR at the threshold.

    Examples
    --------
    >>> rates_title((0.1, 0.16421))
    'The recommended threshold has FAR 10\\xa0% and FRR 16.4\\xa0%'
    """
    if rates is None:
        return "False accepts rise and false rejects fall with the threshold"
    return f"The recommended threshold has FAR {percent(rates[0])} and FRR {percent(rates[1])}"


def distances_title(rates: tuple[float, float] | None) -> str:
    """What the threshold does to positives and to negatives.

    Examples
    --------
    >>> distances_title((0.1, 0.16421))
    'The threshold rejects 16.4\\xa0% of positive and accepts 10\\xa0% of negative pairs'
    """
    if rates is None:
        return "Distances of positive and of negative pairs"
    return (
        f"The threshold rejects {percent(rates[1])} of positive and accepts {percent(rates[0])} of "
        "negative pairs"
    )


def det_title(eer: float, between: tuple[float, float] | None) -> str:
    """The equal error rate and its interval.

    Examples
    --------
    >>> det_title(0.0579, (0.045, 0.073))
    'Equal error rate 5.79\\xa0%, between 4.5\\xa0% and 7.3\\xa0%'
    """
    ends = "" if between is None else f", between {percent(between[0])} and {percent(between[1])}"
    return f"Equal error rate {percent(eer)}{ends}"


def roc_title(lowest: tuple[str, float] | None, auc: float) -> str:
    """What is accepted at the lowest FAR, given by name with its FRR.

    Examples
    --------
    >>> roc_title(("FAR 0.001", 0.6), 0.98)
    'At FAR 0.1\\xa0% the model accepts 40\\xa0% of positive pairs'
    """
    if lowest is None:
        return f"Area under the ROC curve {auc:.5f}"
    far = percent(float(lowest[0].removeprefix("FAR ")))
    return f"At FAR {far} the model accepts {percent(1 - lowest[1])} of positive pairs"


def ranking_title(worst: str, utility: Floats) -> str:
    """The worst class and the one in the middle.

    Examples
    --------
    >>> ranking_title("china/07", np.array([0.53, 0.91, 0.95]))
    'Worst class china/07 with utility 0.53, the middle one has 0.91'
    """
    return (
        f"Worst class {worst} with utility {utility[0]:.2f}, the middle one has "
        f"{np.median(utility):.2f}"
    )


def own_thresholds_title(lost: Floats | None) -> str:
    """What thresholds of their own would give the classes.

    Examples
    --------
    >>> own_thresholds_title(np.array([0.0, 0.02, 0.1]))
    'Thresholds of their own would give classes 4.0 points on the average, at most 10.0'
    """
    if lost is None:
        return "Own best thresholds of the classes"
    return (
        f"Thresholds of their own would give classes {100 * lost.mean():.1f} points on the "
        f"average, at most {100 * lost.max():.1f}"
    )


def spread_title(rates: Sequence[tuple[str, Floats]]) -> str:
    """What one class in twenty has at least, of each rate by its name.

    Examples
    --------
    >>> spread_title([("FRR of classes", np.arange(21) / 100)])
    'One class in twenty has FRR of 19\\xa0% or more'
    """
    if not rates:
        return "FAR and FRR of classes"
    ends = [(name.split()[0], float(np.percentile(rate, 95))) for name, rate in rates]
    said = ", one ".join(f"{name} of {percent(end)} or more" for name, end in ends)
    return f"One class in twenty has {said}"


def consistency_title(front: Sequence[str], models: int) -> str:
    """Which models have the lowest figures.

    Examples
    --------
    >>> consistency_title(["new"], 2)
    'new has the lowest error and the lowest OPIS of 2 models'
    >>> consistency_title(["new", "old"], 3)
    'new has the lowest error, old the lowest OPIS'
    """
    if len(front) == 1:
        return f"{front[0]} has the lowest error and the lowest OPIS of {models} models"
    return f"{front[0]} has the lowest error, {front[-1]} the lowest OPIS"


def short_threshold(threshold: float, metric: Metric) -> str:
    """The threshold, rounded so that the printed value accepts no pair too many.

    Examples
    --------
    >>> short_threshold(0.8930715, "cosine"), short_threshold(0.8930715, "l2")
    ('similarity 0.601212', 'distance 0.893071')
    """
    if metric == "l2":
        return f"distance {round_down(threshold, TEXT_DIGITS):g}"
    return f"similarity {round_up(1.0 - 0.5 * threshold**2, TEXT_DIGITS):g}"
