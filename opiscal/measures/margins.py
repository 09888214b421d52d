"""Margins of the threshold-consistent margin (TCM) loss: which pairs they call hard, and its value.

Zhang et al., *Threshold-Consistent Margin Loss for Open-World Deep Metric Learning*, ICLR 2024,
arXiv 2307.04047::

    L = lambda_pos * mean over positive pairs with s <= m_pos of (m_pos - s)
      + lambda_neg * mean over negative pairs with s >= m_neg of (s - m_neg)

with `s` the cosine similarity; over an empty set a mean is 0. Both means follow from counts:
between two edges the similarity of a pair is known to lie between those of the edges.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.errors import UsageError
from opiscal.measures.rates import Floats
from opiscal.pairs.counts import Estimates, PairCounts

PAPER_M_POS = 0.9
PAPER_M_NEG = 0.5

# Printed similarities keep nine digits: one that is read back this close to an edge is that edge.
_SAME_EDGE = 1.01e-9


@dataclass(frozen=True, slots=True)
class Bounded:
    """A number that follows from counts at edges: the estimate, and the ends that are certain.

    Within a bin, the stretch between two edges, the estimate takes pairs as evenly spread over
    similarity.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class HardPart:
    """The pairs of one kind that a margin calls hard.

    Attributes
    ----------
    pairs : int
        All pairs of the kind.
    share : Bounded
        Hard ones among them, in [0, 1].
    term : Bounded
        Mean of how far the hard ones lie beyond the margin, in similarity: the term of the loss
        with a weight of 1. 0 where none is hard.
    """

    pairs: int
    share: Bounded
    term: Bounded


def hard_positives(counts: PairCounts, m_pos: float) -> HardPart:
    """Positive pairs with ``s <= m_pos``, and the mean of ``m_pos - s`` over them.

    At an edge the pairs at its very similarity cannot be told from those of the bin that ends
    there; the estimate leaves them out, and ``high`` of the share has that whole bin.

    Parameters
    ----------
    counts : PairCounts
        Under ``cosine``; exact, or estimates from a sample.
    m_pos : float, in [-1, 1]

    Raises
    ------
    UsageError
        Under ``l2``, or for a margin outside [-1, 1].

    Examples
    --------
    >>> import opiscal
    >>> report = opiscal.evaluate([[4, 3], [4, 3.1], [3, 4], [0, 1], [-1, 4]], [0, 0, 0, 1, 1])
    >>> found = hard_positives(report.counts, 0.98)
    >>> found.pairs, found.share.value
    (4, 0.75)
    >>> round(found.term.value, 3)
    0.015
    """
    margin, edges = _margin_and_edges(counts, m_pos)
    upper = np.concatenate([[1.0], edges[:-1]])
    return _hard_part(counts.pool_positive, margin - upper, margin - edges, edges <= margin)


def hard_negatives(counts: PairCounts, m_neg: float) -> HardPart:
    """Negative pairs with ``s >= m_neg``, and the mean of ``s - m_neg`` over them.

    At an edge the share is that of the accepted pairs, exact to the pair.

    Parameters
    ----------
    counts : PairCounts
        Under ``cosine``; exact, or estimates from a sample.
    m_neg : float, in [-1, 1]

    Raises
    ------
    UsageError
        Under ``l2``, or for a margin outside [-1, 1].
    """
    margin, edges = _margin_and_edges(counts, m_neg)
    upper = np.concatenate([[1.0], edges[:-1]])
    # No pair of a bin is as near as the edge before it, but for the first, which begins at 1.
    reached = upper > margin
    reached[0] = True
    return _hard_part(counts.pool_negative, edges - margin, upper - margin, reached)


def loss_value(positive: HardPart, negative: HardPart) -> Bounded:
    """The loss with both weights 1: the sum of its two terms."""
    return Bounded(
        positive.term.value + negative.term.value,
        positive.term.low + negative.term.low,
        positive.term.high + negative.term.high,
    )


def _margin_and_edges(counts: PairCounts, margin: float) -> tuple[float, Floats]:
    """The margin, and the similarities of the pool edges, descending."""
    if counts.metric != "cosine":
        raise UsageError(
            f"margins under {counts.metric}: the loss is of cosine similarities; evaluate with "
            "--metric cosine"
        )
    if not -1.0 <= margin <= 1.0:
        raise UsageError(f"margin {margin:g}: is a similarity, and must lie between -1 and 1")
    edges = np.clip(1.0 - counts.distance**2 / 2.0, -1.0, 1.0)
    nearest = int(np.argmin(np.abs(edges - margin)))
    if abs(edges[nearest] - margin) <= _SAME_EDGE:
        margin = float(edges[nearest])
    return margin, edges


def _hard_part(
    accepted: Estimates, least: Floats, most: Floats, reached: NDArray[np.bool_]
) -> HardPart:
    """The hard pairs, where a pair of bin k lies between ``least[k]`` and ``most[k]`` beyond.

    `reached` says of which bins there can be a hard pair.
    """
    in_bin = np.diff(accepted, prepend=0).astype(np.float64)
    pairs = float(accepted[-1])
    whole, split = least >= 0.0, (least < 0.0) & reached
    hard = float(in_bin[whole].sum())
    fewest, largest = (float((in_bin * beyond)[whole].sum()) for beyond in (least, most))
    # Of the one bin that the margin lies in some are hard, evenly spread up to its farther end.
    maybe = float(in_bin[split].sum())
    reach = float(most[split].max(initial=0.0))
    width = float((most - least)[split].max(initial=0.0))
    some = maybe * (reach / width if width else 0.0)
    total = (fewest + largest) / 2.0 + some * reach / 2.0
    return HardPart(
        pairs=round(pairs),
        share=Bounded(_ratio(hard + some, pairs), _ratio(hard, pairs), _ratio(hard + maybe, pairs)),
        term=Bounded(
            _ratio(total, hard + some),
            # Pairs that are hardly hard lower a mean.
            _ratio(fewest, hard + maybe),
            max(_ratio(largest, hard), _ratio(largest + maybe * reach, hard + maybe)),
        ),
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 else 0.0
