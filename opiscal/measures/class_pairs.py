"""Class pairs: how much of the scatter of FAR is that of single pairs of classes."""

import numpy as np
from numpy.typing import NDArray

from opiscal.errors import UsageError
from opiscal.measures.rates import Floats
from opiscal.pairs.counts import PairCounts


def class_pair_squares(counts: PairCounts) -> Floats:
    r"""The sum over class pairs of their squared centred counts, where it is known.

    .. math:: S = \sum_{i < j} (A_{ij} - p M_{ij})^2
                = \sum A_{ij}^2 - 2 p \sum A_{ij} M_{ij} + p^2 \sum M_{ij}^2

    with ``A_ij`` of the ``M_ij`` pairs between the rows of two classes accepted, and ``p`` the
    pooled FAR. A row of no scored class counts as a class.

    Parameters
    ----------
    counts : PairCounts
        With sums over class pairs.

    Returns
    -------
    float64 array of shape (Q,), 0 or more
        At the class edges ``counts.class_pairs.edge``.

    Raises
    ------
    UsageError
        Without sums over class pairs.

    References
    ----------
    Fogliato, Patil and Perona, IJCV 2024, arXiv 2306.01198.

    Examples
    --------
    Of the four pairs between each two of three classes two, one and none are accepted.

    >>> from opiscal.pairs.counts import ClassPairSums
    >>> whole = np.array([0, 1])
    >>> sums = ClassPairSums(whole, np.array([5, 48]), np.array([12, 48]))
    >>> counts = PairCounts("l2", 6, 0, (0, 1, 2), np.full(3, 2), np.array([0.5, 2.0]), whole,
    ...     whole, np.array([1, 3]), np.array([3, 12]), np.array([[0, 1], [1, 1], [0, 1]]),
    ...     np.array([[3, 8], [2, 8], [1, 8]]), *np.zeros((3, 3, 2), int), class_pairs=sums)
    >>> class_pair_squares(counts)
    array([2., 0.])
    """
    sums = counts.class_pairs
    if sums is None:
        raise UsageError(
            f"no sums over the class pairs of {counts.classes} classes: ask for them only where "
            "`counts.class_pairs` is not None"
        )
    whole = _squared_pairs(counts)
    p = counts.pool_negative[counts.class_edge[sums.edge]] / counts.negative
    found = sums.squares - 2.0 * p * sums.products + p**2 * whole
    return np.asarray(np.maximum(found, 0.0))


def _squared_pairs(counts: PairCounts) -> float:
    """The sum of ``M_ij^2``."""
    if counts.gallery is not None:
        # Of all classes, each distractor being one; distractors make no pairs among themselves.
        other_q, other_g, distractor, many = counts.gallery.other_classes.T.astype(np.float64)
        many = np.concatenate([np.ones(counts.classes), many])
        q = np.concatenate([counts.gallery.query_rows, other_q])
        g = np.concatenate([counts.gallery.gallery_rows, other_g])
        both = [float((many * part).sum()) for part in (q**2, g**2, q * g, (q * g) ** 2)]
        alone = [
            float((many[counts.classes :] * distractor * part).sum()) for part in (other_q, other_g)
        ]
        return both[0] * both[1] + both[2] ** 2 - 2.0 * both[3] - alone[0] * alone[1]
    sizes = counts.class_rows.astype(np.float64)
    single = float(counts.rows - counts.distractors - sizes.sum())
    squares, fourths = np.square(sizes).sum() + single, (sizes**4).sum() + single
    return float(0.5 * (squares**2 - fourths) + counts.distractors * squares)


def class_pair_part(counts: PairCounts, far: Floats, variance: Floats) -> Floats:
    """The part of a variance of the pooled FAR that is that of single class pairs.

    ``S / M^2``. As a share of `variance` it hardly changes between the edges where it is known:
    between them the share is interpolated by log FAR, and below the first it stays as it is there.

    Parameters
    ----------
    counts : PairCounts
    far, variance : float64 arrays of shape (C,)
        FAR at the class edges, and ``sum R_i^2 / M^2``.

    Returns
    -------
    float64 array of shape (C,)
        NaN beyond the last edge where it is known, and everywhere without sums over class pairs.
    """
    unknown = np.full(far.size, np.nan)
    if counts.class_pairs is None:
        return unknown
    edge = counts.class_pairs.edge
    usable = (far[edge] > 0) & (variance[edge] > 0)
    if not usable.any():
        return unknown
    known = edge[usable]
    share = class_pair_squares(counts)[usable] / counts.negative**2 / variance[known]
    with np.errstate(divide="ignore"):
        place = np.log(far)
    found = np.interp(place, place[known], share) * variance
    return np.where(np.arange(far.size) <= known[-1], found, np.nan)


def class_pair_pull(counts: PairCounts, far: Floats) -> tuple[NDArray[np.int64], Floats] | None:
    r"""How far the classes that a class meets move the pooled FAR, weighed by how they meet it.

    .. math:: U_i = \sum_j G_{ij} R_j, \qquad G_{ij} = A_{ij} - p M_{ij}, \quad R_j = A_j - p M_j

    over the other scored classes. What class ``i`` adds to ``sum_j R_j^2`` beside its own
    ``R_i^2`` is ``2 U_i``.

    Parameters
    ----------
    counts : PairCounts
    far : float64 array of shape (C,)
        Pooled FAR at the class edges.

    Returns
    -------
    pair of arrays, or None
        Class edges, shape (Q,), and ``U`` there, shape (T, Q). None where the counts do not have
        it.

    References
    ----------
    The second-order term of a U-statistic: Hoeffding, Annals of Mathematical Statistics 19, 1948,
    doi:10.1214/aoms/1177730196.
    """
    sums = counts.class_pairs
    if sums is None or sums.by_accepted is None or sums.by_pairs is None:
        return None
    p = far[sums.edge]
    pairs = counts.negatives_of_class.astype(np.float64)[:, None]
    # sum_j M_ij R_j, with M_ij the product of the sizes, or of two sets that of both sides.
    centred = counts.class_negative[:, sums.edge] - p * pairs
    two = counts.gallery
    ends = [(counts.class_rows, counts.class_rows)]
    if two is not None:
        ends = [(two.query_rows, two.gallery_rows), (two.gallery_rows, two.query_rows)]
    by_size = np.zeros(centred.shape)
    for own, other in ends:
        weighed = other[:, None] * centred
        by_size += own[:, None] * (weighed.sum(axis=0) - weighed)
    return sums.edge, sums.by_accepted - p * sums.by_pairs - p * by_size
