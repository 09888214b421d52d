"""Class influence: how far each class moves a rate."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.rates import Floats, Pool
from opiscal.pairs.counts import GalleryCounts, PairCounts

Rate = Literal["far", "frr"]

# Classes whose rates are worked out at a time, so that temporaries stay small.
_CLASSES_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class ClassInfluence:
    """The weights with which classes, and rows that belong to no scored class, move a rate.

    With ``f_i`` the rate of class ``i`` and ``p`` the rate asked about, dropping or doubling class
    ``i`` moves ``p`` by ``weight_i (f_i - p)``, to first order. For the pooled FAR this is
    ``R_i / M`` of the paper: ``R_i = A_i - p M_i`` over the full row of the class.

    Attributes
    ----------
    weight : float64 array of shape (T,)
    row_squares : float
        Sum of the squared weights of single rows: classes of one row and distractors.
    pairs : float
        Pairs behind the rate; for a mean over classes the equally weighted pairs worth the same.
    independent : float
        Pairs that share no class at all: the effective number never falls below it. Half the
        classes where all weigh the same, and less (Kish) where a few classes hold most pairs.
    """

    weight: Floats
    row_squares: float
    pairs: float
    independent: float


def class_influence(counts: PairCounts, rate: Rate, pool: Pool = "pairs") -> ClassInfluence:
    """The influence of each class on FAR or FRR, pooled over pairs or averaged over classes.

    Parameters
    ----------
    counts : PairCounts
    rate : "far" or "frr"
    pool : "pairs" or "classes"
        In a mean over classes a class counts once for its own rate and once more as the other
        side of the other classes' pairs. What it does to each of them is not stored; its own mean
        rate stands in for it.

    Returns
    -------
    ClassInfluence
    """
    if rate == "frr":
        found = _positive_influence(counts.positives_of_class.astype(np.float64), pool)
        return _met_once(found, counts.distinct_positive, counts.positive)
    if counts.gallery is not None:
        found = _influence_between(counts, counts.gallery, pool)
        return _met_once(found, counts.distinct_negative, counts.negative)
    rows, sizes = float(counts.rows), counts.class_rows.astype(np.float64)
    distractors = float(counts.distractors)
    singletons = rows - sizes.sum() - distractors
    own = sizes * (rows - sizes)
    if pool == "pairs":
        pairs = float(counts.negative)
        weight = own / pairs
        single, distractor = (rows - 1.0) / pairs, (rows - distractors) / pairs
    else:
        inverse = 1.0 / (rows - sizes)
        as_other = (inverse.sum() - inverse) / sizes.size
        weight = 1.0 / sizes.size + sizes * as_other
        single = distractor = float(inverse.sum()) / sizes.size
        # Sum over pairs of (1/M_i + 1/M_j)^2 / T^2, multiplied out.
        squares = (1.0 / own).sum() + inverse.sum() ** 2 - np.square(inverse).sum()
        pairs = float(sizes.size**2 / squares)
    row_squares = float(singletons * single**2 + distractors * distractor**2)
    total = float(weight.sum() + singletons * single + distractors * distractor)
    kish = total**2 / (float(np.square(weight).sum()) + row_squares)
    # Distractors make no pairs among themselves: each needs a class of its own to pair with.
    independent = min(0.5 * kish, sizes.size + singletons, pairs)
    return ClassInfluence(weight, row_squares, pairs, independent)


def _met_once(influence: ClassInfluence, distinct: int, pairs: int) -> ClassInfluence:
    """The influence with pairs of two sets that are met twice counted once."""
    if distinct == pairs:
        return influence
    worth = influence.pairs * distinct / pairs
    return replace(influence, pairs=worth, independent=min(influence.independent, worth))


def _influence_between(counts: PairCounts, two: GalleryCounts, pool: Pool) -> ClassInfluence:
    """The influence on FAR of the classes of two sets.

    ``q_i g_j + g_i q_j`` pairs are between two classes. A class that is not scored counts as a
    whole, each distractor for itself.
    """
    q, g = two.query_rows.astype(np.float64), two.gallery_rows.astype(np.float64)
    other_q, other_g, distractor, many = two.other_classes.T.astype(np.float64)
    if pool == "pairs":
        pairs = float(counts.negative)
        weight = counts.negatives_of_class / pairs
        none = [float((part * distractor * many).sum()) for part in (other_q, other_g)]
        met = [
            total - np.where(distractor > 0, of_none, own)
            for total, of_none, own in (
                (two.queries, none[0], other_q),
                (two.gallery, none[1], other_g),
            )
        ]
        other = (other_q * met[1] + other_g * met[0]) / pairs
    else:
        negatives = counts.negatives_of_class.astype(np.float64)
        by_query, by_item = q / negatives, g / negatives
        as_other = q * (by_item.sum() - by_item) + g * (by_query.sum() - by_query)
        weight = (1.0 + as_other) / q.size
        other = (other_q * by_item.sum() + other_g * by_query.sum()) / q.size
        # Sum over pairs of (1/M_i + 1/M_j)^2 / T^2, multiplied out.
        apart = by_query.sum() * by_item.sum() - (by_query * by_item).sum()
        pairs = float(q.size**2 / ((1.0 / negatives).sum() + 2.0 * apart))
    row_squares = float((many * np.square(other)).sum())
    total = float(weight.sum() + (many * other).sum())
    kish = total**2 / (float(np.square(weight).sum()) + row_squares)
    labelled = q.size + float((many * (1.0 - distractor)).sum())
    return ClassInfluence(weight, row_squares, pairs, min(0.5 * kish, labelled, pairs))


def _positive_influence(positives: Floats, pool: Pool) -> ClassInfluence:
    if pool == "pairs":
        weight, pairs = positives / positives.sum(), float(positives.sum())
    else:
        weight = np.full(positives.size, 1.0 / positives.size)
        pairs = float(positives.size**2 / (1.0 / positives).sum())
    kish = 1.0 / float(np.square(weight).sum())
    return ClassInfluence(weight, 0.0, pairs, min(0.5 * kish, pairs))


def class_rates(
    counts: PairCounts, rate: Rate, edge: NDArray[np.int64] | None = None
) -> Iterator[tuple[slice, Floats]]:
    """Some classes and their own FAR or FRR at class edges, in turn; shape (classes, edges)."""
    at = slice(None) if edge is None else edge
    counts.need_class_edges(edge)
    for start in range(0, counts.classes, _CLASSES_AT_ONCE):
        part = slice(start, start + _CLASSES_AT_ONCE)
        if rate == "far":
            yield part, counts.class_negative[part][:, at] / counts.negatives_of_class[part, None]
        else:
            positives = counts.positives_of_class[part, None]
            yield part, (positives - counts.class_positive[part][:, at]) / positives
