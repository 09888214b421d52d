"""Differential: how unequal one threshold is over classes, or over cells of any kind."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label
from opiscal.errors import UsageError
from opiscal.measures.cell_intervals import (
    RateKind,
    cell_interval,
    effective_pairs_of_class,
)
from opiscal.measures.inequality import gini, max_over_geomean
from opiscal.measures.rate_intervals import check_confidence
from opiscal.measures.rates import Floats, class_counts_at
from opiscal.pairs.counts import Counts, PairCounts

FEWEST_PAIRS = 30
"""Pairs below which a cell is listed and left out."""
WORST_CELLS = 5
"""How many of the worst cells are named."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The errors of all cells, which are classes or groups.

    Attributes
    ----------
    names : tuple, length n
        In the order of labels.
    errors : float64 array of shape (n,)
        Accepted negative pairs for FAR, rejected positive pairs for FRR; whole numbers where the
        threshold is an edge, else interpolated.
    pairs : int64 array of shape (n,)
        Negative or positive pairs; a cell may have none.
    """

    names: tuple[Label, ...]
    errors: Floats
    pairs: Counts

    @property
    def smoothed_rate(self) -> Floats:
        """``(errors + 1/2) / (pairs + 1)``: above 0 without errors, 1/2 without pairs."""
        rates: Floats = (self.errors + 0.5) / (self.pairs + 1.0)
        return rates

    @property
    def enough(self) -> NDArray[np.bool_]:
        """Which cells have 30 pairs or more."""
        return self.pairs >= FEWEST_PAIRS


@dataclass(frozen=True, slots=True)
class Cell:
    """One of the worst cells.

    Attributes
    ----------
    name : str or int
        The class or the group.
    errors : float
    pairs : int
    rate : float, in [0, 1]
        ``errors / pairs``, not smoothed.
    effective_pairs : float
        What the pairs are worth, which share rows and classes.
    ci : pair of float
        Interval of `rate`, of this cell alone: that it was picked as one of the worst is not in it.
    """

    name: Label
    errors: float
    pairs: int
    rate: float
    effective_pairs: float
    ci: tuple[float, float]


@dataclass(frozen=True, slots=True)
class RateSpread:
    """How one rate differs over cells.

    Attributes
    ----------
    max_over_geomean : float of 1 or more, or None
    gini : float in [0, 1], or None
        Both of the smoothed rates of the cells of 30 pairs or more; None for fewer than two.
    worst : tuple of Cell
        The cells of 30 pairs or more with the highest smoothed rates, the worst first, ties in the
        order of labels.
    cells : Cells
        All of them, those left out included.
    left_out : tuple
        Names of the cells of fewer than 30 pairs.
    """

    max_over_geomean: float | None
    gini: float | None
    worst: tuple[Cell, ...]
    cells: Cells
    left_out: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Differential:
    """How unequal one threshold is.

    Attributes
    ----------
    distance : float
        The threshold.
    exact : bool
        Whether every number was counted at it; False where errors were interpolated between edges.
    far, frr : RateSpread
    garbe : float in [0, 1], or None
        ``alpha * far.gini + (1 - alpha) * frr.gini``; None where either is.
    """

    distance: float
    exact: bool
    far: RateSpread
    frr: RateSpread
    garbe: float | None


def differential(
    counts: PairCounts,
    distance: float,
    *,
    confidence: float = 0.95,
    alpha: float = 0.5,
    worst: int = WORST_CELLS,
) -> Differential:
    r"""How unequal one threshold is over classes.

    Over the cells of 30 pairs or more, with ``r_i = (errors_i + 1/2) / (pairs_i + 1)``:

    .. math:: \frac{\max_i r_i}{\left(\prod_i r_i\right)^{1/n}}, \qquad
              G = \frac{n}{n - 1} \frac{\sum_i \sum_j |r_i - r_j|}{2 n^2 \bar r}, \qquad
              \mathrm{GARBE} = \alpha G_{FAR} + (1 - \alpha) G_{FRR}

    A smoothed rate is never below ``1 / (2 (pairs + 1))``: where hardly any cell has errors, the
    spread of the cells' sizes shows in all three.

    Parameters
    ----------
    counts : PairCounts
    distance : float
        The threshold, 0 or more. At a class edge errors are exact; elsewhere interpolated.
    confidence : float, in (0.5, 1)
        Of the intervals of the worst cells, each two-sided and by itself; see
        `opiscal.measures.cell_intervals.effective_pairs_of_class`.
    alpha : float, in [0, 1]
        Weight of FAR in GARBE.
    worst : int, 0 or more
        How many cells to name.

    Returns
    -------
    Differential
        With None where fewer than two classes have 30 pairs.

    Raises
    ------
    UsageError
        For a threshold, a confidence, an alpha or a number of cells that is not allowed.

    References
    ----------
    Grother, Face Recognition Vendor Test (FRVT) Part 8: Summarizing Demographic Differentials,
    NIST IR 8429, 2022, doi:10.6028/NIST.IR.8429.ipd. Howard et al., Evaluating Proposed Fairness
    Models for Face Recognition Algorithms, 2022, arXiv 2203.05051.

    Examples
    --------
    >>> import opiscal
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(np.arange(20), 10)
    >>> noise = np.where(labels == 7, 1.5, 0.4)[:, None] * rng.standard_normal((200, 8))
    >>> report = opiscal.evaluate(rng.standard_normal((20, 8))[labels] + noise, labels)
    >>> found = differential(report.counts, report.recommended_threshold.distance)
    >>> found.frr.worst[0].name, found.frr.max_over_geomean > 2, found.frr.left_out
    (7, True, ())
    """
    accepted = class_counts_at(counts, np.array([distance], dtype=np.float64))
    positives = counts.positives_of_class
    false_accepts = Cells(counts.labels, accepted.negative[:, 0], counts.negatives_of_class)
    false_rejects = Cells(counts.labels, positives - accepted.positive[:, 0], positives)

    def effective(index: int, kind: RateKind) -> float:
        return effective_pairs_of_class(counts, index, kind, distance, confidence)

    return differential_of_cells(
        distance,
        bool(accepted.exact[0]),
        false_accepts,
        false_rejects,
        effective,
        confidence=confidence,
        alpha=alpha,
        worst=worst,
    )


def differential_of_cells(
    distance: float,
    exact: bool,
    false_accepts: Cells,
    false_rejects: Cells,
    effective_pairs: Callable[[int, RateKind], float],
    *,
    confidence: float,
    alpha: float,
    worst: int,
) -> Differential:
    """The differential of cells whose errors are known; formulas and errors as in `differential`.

    Parameters
    ----------
    distance, exact
        Taken over.
    false_accepts, false_rejects : Cells
        The same cells in the same order.
    effective_pairs : callable
        Given a cell's place and "far" or "frr": what its pairs are worth. Asked for the worst only.
    confidence, alpha, worst
        As in `differential`.
    """
    if not (np.isfinite(distance) and distance >= 0):
        raise UsageError(f"threshold {distance!r}: must be a distance of 0 or more")
    check_confidence(confidence)
    if not 0 <= alpha <= 1:
        raise UsageError(f"alpha {alpha!r}: must lie between 0 and 1; 0.5 weighs FAR and FRR alike")
    if worst < 0:
        raise UsageError(f"worst {worst!r}: must be 0 or more cells")

    def spread(cells: Cells, kind: RateKind) -> RateSpread:
        enough = cells.enough
        used = np.flatnonzero(enough)
        rates = cells.smoothed_rate[used]
        named = []
        for index in used[np.argsort(-rates, kind="stable")[:worst]].tolist():
            errors, pairs = float(cells.errors[index]), int(cells.pairs[index])
            worth = effective_pairs(index, kind)
            interval = cell_interval(errors / pairs, worth, confidence)
            named.append(Cell(cells.names[index], errors, pairs, errors / pairs, worth, interval))
        return RateSpread(
            max_over_geomean=max_over_geomean(rates),
            gini=gini(rates),
            worst=tuple(named),
            cells=cells,
            left_out=tuple(cells.names[index] for index in np.flatnonzero(~enough).tolist()),
        )

    far, frr = spread(false_accepts, "far"), spread(false_rejects, "frr")
    garbe = None
    if far.gini is not None and frr.gini is not None:
        garbe = alpha * far.gini + (1 - alpha) * frr.gini
    return Differential(distance, exact, far, frr, garbe)
