"""Pair terms: of what the mean over the pairs of a class is made, for one set and for two.

A mean over pairs scatters by its single pairs and, since pairs share rows, by the pairs that have a
row in common. How many there are of both follows from how the pairs of a class lie: all pairs of
``n`` rows, or every one of ``q`` queries with every one of ``g`` gallery rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.rates import Floats
from opiscal.pairs.counts import PairCounts

FEWEST_ROWS = 4
"""Rows a class needs: two pairs without a common row."""


@dataclass(frozen=True, slots=True)
class PairTerms:
    r"""Ordered pairs of pairs of some classes, as shares and as numbers.

    The variance of the mean over the ``M`` positive pairs of a class is ``alone b + shared c``,
    with ``b`` the variance of one pair and ``c`` the covariance of two that share a row.

    Attributes
    ----------
    alone, shared : float64 arrays of shape (t,)
        Of one set ``2 / (n (n - 1))`` and ``4 (n - 2) / (n (n - 1))``; of two ``1 / (q g)`` and
        ``(q + g - 2) / (q g)``.
    same : float64 array of shape (t,)
        How often a positive pair is met: 1, but where items are in both sets, which makes of two of
        them two pairs of the same distance, up to 2.
    rows : float64 array of shape (t,)
        ``n``; of two sets ``4 q g / (q + g)``, which is ``4 / (shared + 2 alone)``: the rows of a
        class of one set whose mean scatters as much by its rows.
    negative_rows : float64 array of shape (t,)
        ``n``; of two sets as many rows, all with the same number of negatives, as there would be
        for as many `disjoint_negative`.
    disjoint, disjoint_negative, disjoint_mixed : float64 arrays of shape (t,)
        Numbers of ordered pairs of pairs without a common row of the class: two positive ones, two
        negative ones, one of each.
    """

    alone: Floats
    shared: Floats
    same: Floats
    rows: Floats
    negative_rows: Floats
    disjoint: Floats
    disjoint_negative: Floats
    disjoint_mixed: Floats


def pair_terms(counts: PairCounts, classes: slice = slice(None)) -> PairTerms:
    r"""The terms of some classes.

    With ``m_j`` the positive pairs of row ``j``, ``M`` positive pairs, and ``k_j`` and ``N`` the
    same of negatives, the numbers of disjoint ones are

    .. math:: M^2 - \sum_j m_j^2 + s M, \qquad N^2 - \sum_j k_j^2, \qquad M N - \sum_j m_j k_j

    with ``s`` the `same`. For two sets the sums are those at the last edge, which accepts every
    pair; they are over items, so that one that is in both sets is one row.
    """
    if counts.gallery is None:
        rows = counts.class_rows[classes].astype(np.float64)
        others = counts.rows - rows
        pairs = rows * (rows - 1) / 2
        return PairTerms(
            alone=2.0 / (rows * (rows - 1)),
            shared=4.0 * (rows - 2) / (rows * (rows - 1)),
            same=np.ones(rows.size),
            rows=rows,
            negative_rows=rows,
            disjoint=pairs**2 - rows * (rows - 1) * (rows - 2) - pairs,
            disjoint_negative=rows * (rows - 1) * others**2,
            disjoint_mixed=pairs * (rows - 2) * others,
        )
    pairs = counts.positives_of_class[classes].astype(np.float64)
    negatives = counts.negatives_of_class[classes].astype(np.float64)
    squares, negative_squares, products = (
        part[classes, -1].astype(np.float64)
        for part in (counts.positive_squares, counts.negative_squares, counts.products)
    )
    items = counts.gallery.shared_rows[classes].astype(np.float64)
    same = 1.0 + items * (items - 1) / pairs
    return PairTerms(
        alone=same / pairs,
        shared=squares / pairs**2 - 2.0 * same / pairs,
        same=same,
        rows=4.0 * pairs**2 / squares,
        negative_rows=negatives**2 / negative_squares,
        disjoint=pairs**2 - squares + same * pairs,
        disjoint_negative=negatives**2 - negative_squares,
        disjoint_mixed=pairs * negatives - products,
    )


def enough_rows(counts: PairCounts, classes: slice = slice(None)) -> NDArray[np.bool_]:
    """Which classes have two pairs without a common row: their noise can be estimated.

    Of one set those of four rows or more; of two those of two rows or more on both sides.
    """
    if counts.gallery is None:
        return np.asarray(counts.class_rows[classes] >= FEWEST_ROWS)
    terms = pair_terms(counts, classes)
    # Half a pair: numbers beyond 2^53 are rounded.
    return np.asarray(np.minimum(terms.disjoint, terms.disjoint_negative) > 0.5)
