"""Intervals on the error rate of one cell: a class, or a group of classes.

The pairs of a cell share rows, and those of a group share classes: a Wilson interval on the plain
number of pairs is far too narrow. It is taken on an effective number in its place.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from opiscal.measures.pair_terms import pair_terms
from opiscal.measures.rate_intervals import check_confidence, wilson_interval
from opiscal.measures.rates import Floats
from opiscal.pairs.counts import PairCounts

RateKind = Literal["far", "frr"]

# A design effect is read where at least this many pairs fell either way, or, in a small cell, this
# share of its pairs: from fewer it is an accident.
_TELLING_PAIRS = 30
_TELLING_SHARE = 0.25


def cell_interval(rate: float, pairs: float, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson interval of one rate found among an effective number of pairs.

    Parameters
    ----------
    rate : float, in [0, 1]
    pairs : float, above 0
        Need not be whole.
    confidence : float, in (0.5, 1)
        Two-sided.

    Returns
    -------
    pair of float, in [0, 1]
        With `rate` between them.

    Raises
    ------
    UsageError
        For a confidence that is not allowed.

    Examples
    --------
    >>> low, high = cell_interval(0.0, 100)
    >>> low, round(high, 4)
    (0.0, 0.037)
    """
    check_confidence(confidence)
    low, high = wilson_interval(rate, pairs, float(ndtri(0.5 + 0.5 * confidence)))
    return float(low), float(high)


def effective_pairs_of_class(
    counts: PairCounts, index: int, kind: RateKind, distance: float, confidence: float = 0.95
) -> float:
    r"""How many independent pairs the pairs of one class are worth.

    With ``n`` rows, ``m = N - n`` other rows, ``M`` pairs of which a share ``p`` is accepted, and
    ``Q`` the sum of squares about their mean of the rows' accepted pairs, the design effects are

    .. math:: \mathrm{FAR}: \frac{Q}{(n - 1) m \, p (1 - p)}, \qquad
              \mathrm{FRR}: \frac{2 Q}{(n - 2)^2 \, p (1 - p)}

    The first is the variance between the rows of the class, the second the delete-one jackknife of
    a U-statistic of degree two: each over the variance of ``M`` independent pairs, never below 1.
    ``Q`` is taken at the moment edge nearest to the threshold at which 30 pairs or more (a quarter
    of a cell of fewer than 120) fell either way. A variance between few rows is itself uncertain:
    the effective number ``M / deff`` is further multiplied by ``(z / t)^2``, ``t`` of ``n - 1``
    degrees of freedom. It is never below ``n`` for FAR, ``n / 2`` for FRR, which is what pairs that
    agree wherever they share a row are worth; that stands too where no moment edge tells.

    Of two sets, with ``m_j`` the pairs of row ``j`` of either side, ``n`` rows and
    ``m = sum m_j^2 / sum m_j``, they are

    .. math:: \mathrm{FAR}: \frac{M \, Q}{(M^2 - \sum_j m_j^2) \, p (1 - p)}, \qquad
              \mathrm{FRR}: \frac{(n - 1) M \, Q}{n (M - m)^2 \, p (1 - p)}

    with ``Q`` about ``p m_j``. There are no more independent rows than twice those of the smaller
    side, and for FRR the effective number is never below the rows of that side.

    The interval that follows is for new rows of the class against the same others: that these
    others are a draw as well is not in it.

    Parameters
    ----------
    counts : PairCounts
    index : int
        Which of ``counts.labels``.
    kind : "far" or "frr"
        The class must have pairs of this kind.
    distance : float
        The threshold.
    confidence : float, in (0.5, 1)

    Returns
    -------
    float
        From ``n`` (FAR) or ``n / 2`` (FRR) to ``M``.

    References
    ----------
    Korn & Graubard, Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data, Survey Methodology 24, 1998 (the effective number and its
    degrees of freedom). Arvesen, Jackknifing U-statistics, Ann. Math. Statist. 40, 1969,
    doi:10.1214/aoms/1177697287.
    """
    if counts.gallery is not None:
        return _effective_pairs_between(counts, index, kind, distance, confidence)
    rows = int(counts.class_rows[index])
    others = counts.rows - rows
    at = counts.moment_edge
    if kind == "far":
        pairs, accepted = rows * others, counts.class_negative[index, at]
        squares, ends, fewest = counts.negative_squares[index], 1, float(rows)
    else:
        pairs, accepted = rows * (rows - 1) // 2, counts.class_positive[index, at]
        squares, ends, fewest = counts.positive_squares[index], 2, rows / 2
    edge = _telling_edge(counts.moment_distance, accepted, pairs, distance)
    if edge is None:
        return fewest
    of_rows = ends * accepted[edge].item()
    # Whole numbers as long as it goes: the difference may be tiny beside both its terms.
    about_mean = (rows * squares[edge].item() - of_rows**2) / rows
    share = accepted[edge].item() / pairs
    if kind == "far":
        effect = about_mean / ((rows - 1) * others * share * (1 - share))
    else:
        effect = 2 * about_mean / ((rows - 2) ** 2 * share * (1 - share))
    return float(max(pairs / max(effect, 1.0) * _few_clusters(rows, confidence), fewest))


def _effective_pairs_between(
    counts: PairCounts, index: int, kind: RateKind, distance: float, confidence: float
) -> float:
    two = counts.gallery
    assert two is not None
    rows = float(counts.class_rows[index])
    smaller = float(min(two.query_rows[index], two.gallery_rows[index]))
    accepted, squares = (
        (counts.class_negative, counts.negative_squares)
        if kind == "far"
        else (counts.class_positive, counts.positive_squares)
    )
    pairs, every = float(accepted[index, -1]), float(squares[index, -1])
    fewest = rows if kind == "far" else min(smaller, 2.0 * pairs**2 / every)
    # Two items that are both on both sides make two pairs, which are one.
    if kind == "far":
        own, shared = int(two.shared_rows[index]), two.queries + two.gallery - counts.rows
        least = 1.0 + 2.0 * own * (shared - own) / pairs
    else:
        least = float(pair_terms(counts).same[index])
    edge = _telling_edge(
        counts.moment_distance,
        accepted[index, counts.moment_edge] / least,
        pairs / least,
        distance,
    )
    if edge is None:
        return fewest
    share = float(accepted[index, counts.moment_edge[edge]]) / pairs
    about_mean = float(squares[index, edge]) - share**2 * every
    if kind == "far":
        apart = (pairs**2 - every) / pairs
    else:
        apart = rows / (rows - 1.0) * (pairs - every / (2.0 * pairs)) ** 2 / pairs
    effect = about_mean / (apart * share * (1.0 - share)) if apart > 0 else np.inf
    clusters = rows if kind == "far" else min(rows, 2.0 * smaller)
    return max(pairs / max(effect, least) * _few_clusters(clusters, confidence), fewest)


def effective_pairs_of_group(
    counts: PairCounts, kind: RateKind, distance: float, confidence: float = 0.95
) -> float:
    r"""How many independent pairs the pooled pairs of one group are worth.

    With ``M_i`` the pairs of class ``i``, ``A_i`` the accepted ones, ``M`` pooled pairs of which a
    share ``p`` is accepted, and ``T`` classes, the variance is the delete-one-class jackknife about
    the whole, and the design effect its ratio to that of independent pairs, never below 1:

    .. math:: V = \frac{T - 1}{T} \sum_i \left(\frac{A_i - p M_i}{M - M_i}\right)^2, \qquad
              \frac{V M}{p (1 - p)}

    at the class edge nearest to the threshold at which 30 pairs or more (a quarter of fewer than
    120) fell either way. Among many classes it is ``sum (A_i - p M_i)^2 / M^2``; among few, or
    where one class holds most of the pairs, that falls short, for a class that makes the mean is
    never far from it. For FAR every pair stands in the rows of two classes; ends at rows of no
    scored class are taken to vary as the others do, and the sum grows by their share. The factor
    ``(z / t)^2`` is that of `effective_pairs_of_class`, with ``T* - 1`` degrees of freedom, ``T*``
    Kish's effective number of classes, ``(sum M_i)^2 / sum M_i^2``. The floor is ``T*``, half of it
    for FAR; it stands too where no class edge tells, where fewer than two classes are scored, or
    where all pairs are of one.

    Parameters
    ----------
    counts : PairCounts
        Of the pairs within the group, of which there must be some of this kind.
    kind, distance, confidence
        As in `effective_pairs_of_class`.

    Returns
    -------
    float

    References
    ----------
    Fogliato, Patil & Perona, Confidence Intervals for Error Rates in 1:1 Matching Tasks, IJCV 2024,
    arXiv 2306.01198 (the sums over classes). Korn & Graubard 1998. Kish, Survey Sampling, 1965.
    """
    if kind == "far":
        accepted, by_class, per_class = (
            counts.pool_negative, counts.class_negative, counts.negatives_of_class
        )  # fmt: skip
    else:
        accepted, by_class, per_class = (
            counts.pool_positive, counts.class_positive, counts.positives_of_class
        )  # fmt: skip
    pairs = int(accepted[-1])
    weight = per_class.astype(np.float64)
    ends = 2 * pairs if kind == "far" else pairs
    unseen = ends - float(weight.sum())
    single_rows = counts.rows - int(counts.class_rows.sum())
    squared = float(np.square(weight).sum())
    if unseen > 0:
        squared += unseen**2 / single_rows
    classes = ends**2 / squared
    fewest = classes / 2 if kind == "far" else classes
    at_class_edges = accepted[counts.class_edge]
    edge = _telling_edge(counts.class_distance, at_class_edges, pairs, distance)
    if edge is None or counts.classes < 2 or weight.max() >= pairs:
        return fewest
    share = at_class_edges[edge].item() / pairs
    counts.need_class_edges(np.array([edge]))
    without = (by_class[:, edge] - share * weight) / (pairs - weight)
    variance = float(np.square(without).sum()) * (1 - 1 / counts.classes) * ends / (ends - unseen)
    effect = variance * pairs / (share * (1 - share))
    return float(max(pairs / max(effect, 1.0) * _few_clusters(classes, confidence), fewest))


def _telling_edge(
    edges: Floats, accepted: NDArray[Any], pairs: float, distance: float
) -> int | None:
    """The edge nearest to a threshold at which enough pairs fell either way; None without one."""
    enough = min(_TELLING_PAIRS, _TELLING_SHARE * pairs)
    telling = np.flatnonzero(np.minimum(accepted, pairs - accepted) >= enough)
    if telling.size == 0:
        return None
    return int(telling[np.argmin(np.abs(edges[telling] - distance))])


def _few_clusters(clusters: float, confidence: float) -> float:
    """``(z / t)^2``, `t` with one degree of freedom fewer than there are clusters."""
    upper = 0.5 + 0.5 * confidence
    # Below a hundredth of a degree the factor is 0 to any digit, and `t` overflows.
    return float(ndtri(upper) / stdtrit(max(clusters - 1.0, 0.01), upper)) ** 2
