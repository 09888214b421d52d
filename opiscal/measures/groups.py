"""Groups in place of classes: the differential and OPIS over them, and the pairs across them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from opiscal.data.embedding_set import Label
from opiscal.errors import UsageError
from opiscal.measures.cell_intervals import RateKind, effective_pairs_of_group
from opiscal.measures.differential import (
    FEWEST_PAIRS,
    WORST_CELLS,
    Cells,
    Differential,
    differential_of_cells,
)
from opiscal.measures.opis import mean_over_range, opis
from opiscal.measures.rates import ClassCountsAt, Floats, class_counts_at
from opiscal.measures.utility import Utility, precision_recall, sensitivity_specificity
from opiscal.pairs.counts import PairCounts


@dataclass(frozen=True, slots=True)
class AcrossGroups:
    """The share of pairs that no group sees.

    Attributes
    ----------
    positive, negative : float in [0, 1], or None
        Pairs whose ends are not in one group, over all pairs of the set; None without such pairs,
        or without groups.
    """

    positive: float | None
    negative: float | None


@dataclass(frozen=True, slots=True)
class GroupOpis:
    """OPIS over groups.

    Attributes
    ----------
    value : float in [0, 0.25], or None
        None for fewer than two groups.
    names : tuple, length G
        The groups it was taken over, in the order of labels.
    mean_utility : float64 array of shape (G,)
        Of each over the range.
    left_out : tuple
        Groups with too few positive or too few negative pairs.
    """

    value: float | None
    names: tuple[Label, ...]
    mean_utility: Floats
    left_out: tuple[Label, ...]


def differential_over_groups(
    counts: PairCounts,
    distance: float,
    *,
    confidence: float = 0.95,
    alpha: float = 0.5,
    worst: int = WORST_CELLS,
) -> Differential:
    """How unequal one threshold is over groups, from the pairs with both ends in one group.

    A cell is a group with its pooled pairs, every unordered pair once. Formulas, arguments, errors
    and sources are those of `differential`; at a pool edge errors are exact. A group without pairs
    of one kind is among the `left_out` there. Intervals rest on the classes of the group
    (`opiscal.measures.cell_intervals.effective_pairs_of_group`).

    Returns
    -------
    Differential
        With None where fewer than two groups have 30 pairs, and no cells where rows have no groups.

    Examples
    --------
    >>> import opiscal
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(np.arange(20), 10)
    >>> groups = np.where(labels < 10, "north", "south")
    >>> noise = np.where(labels < 10, 0.3, 0.9)[:, None] * rng.standard_normal((200, 8))
    >>> vectors = rng.standard_normal((20, 8))[labels] + noise
    >>> report = opiscal.evaluate(vectors, labels, groups)
    >>> found = differential_over_groups(report.counts, report.recommended_threshold.distance)
    >>> found.frr.worst[0].name, found.frr.cells.pairs.tolist()
    ('south', [450, 450])
    """
    names = tuple(name for name, _ in counts.within_groups)
    parts = [part for _, part in counts.within_groups]
    found = [pool_counts_at(part, np.array([distance], dtype=np.float64)) for part in parts]
    positives = np.array([part.positive for part in parts], dtype=np.int64)
    negatives = np.array([part.negative for part in parts], dtype=np.int64)
    accepted_positives = np.array([float(one.positive[0, 0]) for one in found])
    accepted_negatives = np.array([float(one.negative[0, 0]) for one in found])

    def effective(index: int, kind: RateKind) -> float:
        return effective_pairs_of_group(parts[index], kind, distance, confidence)

    return differential_of_cells(
        distance,
        all(bool(one.exact[0]) for one in found),
        Cells(names, accepted_negatives, negatives),
        Cells(names, positives - accepted_positives, positives),
        effective,
        confidence=confidence,
        alpha=alpha,
        worst=worst,
    )


def share_across_groups(counts: PairCounts) -> AcrossGroups:
    """The share of positive and of negative pairs with ends in two groups, or in none.

    Groups say nothing of these pairs: where most positives lie across, a class lives in many
    groups, and what is found within groups is a small part of the story. A row whose group is
    missing is in none, and all its pairs count as across.

    Parameters
    ----------
    counts : PairCounts
        With the counts within groups.

    Returns
    -------
    AcrossGroups

    Examples
    --------
    >>> import opiscal
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(np.arange(20), 10)
    >>> vectors = rng.standard_normal((20, 8))[labels] + 0.6 * rng.standard_normal((200, 8))
    >>> counts = opiscal.evaluate(vectors, labels, np.where(labels < 10, "north", "south")).counts
    >>> found = share_across_groups(counts)
    >>> found.positive, round(found.negative, 4)
    (0.0, 0.5263)
    """
    parts = [part for _, part in counts.within_groups]

    def share(whole: int, within: int) -> float | None:
        return (whole - within) / whole if parts and whole else None

    return AcrossGroups(
        positive=share(counts.positive, sum(part.positive for part in parts)),
        negative=share(counts.negative, sum(part.negative for part in parts)),
    )


def opis_over_groups(
    counts: PairCounts,
    distance: ArrayLike,
    weights: ArrayLike,
    utility: Utility | None = None,
    *,
    fewest_pairs: int = FEWEST_PAIRS,
) -> GroupOpis:
    r"""OPIS with groups in place of classes: do groups agree on the threshold?

    .. math:: \frac{1}{G (d_{hi} - d_{lo})} \sum_g \int_{d_{lo}}^{d_{hi}}
              \left(U_g(d) - \frac1G \sum_h U_h(d)\right)^2 \, \mathrm{d}d

    ``U_g`` is the F-score of the pooled pairs with both ends in group ``g``, every unordered pair
    once: ``sens`` is accepted positives over positives, ``spec`` one less accepted negatives over
    negatives. Every group weighs the same, whatever its size. A group without positives has no
    sensitivity and one without negatives no specificity: such groups, and those with fewer than
    `fewest_pairs` of either, are left out and listed.

    Parameters
    ----------
    counts : PairCounts
        With the counts within groups.
    distance : array_like of shape (K,)
        Thresholds: those of the OPIS over classes (`opiscal.measures.opis.Integration.nodes`), that
        the two compare. At a pool edge utility is exact; elsewhere the counts are interpolated.
    weights : array_like of shape (K,)
        Share of each threshold in the mean over the range; they sum to 1.
    utility : Utility, optional
        Sensitivity and specificity at ``c = 1`` where none is given.
    fewest_pairs : int, 1 or more
        Positive pairs, and negative pairs, that a group must have.

    Returns
    -------
    GroupOpis
        With the value None for fewer than two groups.

    Raises
    ------
    UsageError
        For a `fewest_pairs` below 1.

    References
    ----------
    Zhang et al., Threshold-Consistent Margin Loss for Open-World Deep Metric Learning, ICLR 2024,
    arXiv 2307.04047.

    Examples
    --------
    >>> import opiscal
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(np.arange(20), 10)
    >>> vectors = rng.standard_normal((20, 8))[labels] + 0.6 * rng.standard_normal((200, 8))
    >>> counts = opiscal.evaluate(vectors, labels, np.where(labels < 10, "north", "south")).counts
    >>> found = opis_over_groups(counts, [0.8, 0.9], [0.5, 0.5])
    >>> found.names, 0 <= found.value < 0.01
    (('north', 'south'), True)
    """
    if fewest_pairs < 1:
        raise UsageError(f"fewest pairs {fewest_pairs!r}: must be 1 or more, such as 30")
    utility = utility or Utility()
    thresholds = np.atleast_1d(np.asarray(distance, dtype=np.float64))
    names, curves, left_out = [], [], []
    for name, part in counts.within_groups:
        if min(part.positive, part.negative) < fewest_pairs:
            left_out.append(name)
            continue
        names.append(name)
        curves.append(_pooled_utility(part, thresholds, utility))
    stacked = np.array(curves).reshape(len(curves), thresholds.size)
    return GroupOpis(
        value=opis(stacked, weights) if len(curves) >= 2 else None,
        names=tuple(names),
        mean_utility=mean_over_range(stacked, weights),
        left_out=tuple(left_out),
    )


def pool_counts_at(counts: PairCounts, distance: Floats) -> ClassCountsAt:
    """Accepted pooled pairs at thresholds of shape (K,), as arrays of shape (1, K).

    Exact at pool edges, linear between them.
    """
    # The pool stands in for the one class of a set whose class edges are the pool edges.
    pool = replace(
        counts,
        class_edge=np.arange(counts.distance.size),
        class_positive=counts.pool_positive[None],
        class_negative=counts.pool_negative[None],
    )
    return class_counts_at(pool, distance)


def _pooled_utility(counts: PairCounts, thresholds: Floats, utility: Utility) -> Floats:
    accepted = pool_counts_at(counts, thresholds)
    positive, negative = accepted.positive[0], accepted.negative[0]
    if utility.kind == "sensitivity-specificity":
        return sensitivity_specificity(
            positive / counts.positive, 1.0 - negative / counts.negative, utility.c
        )
    return precision_recall(positive, counts.positive - positive, negative, utility.c)
