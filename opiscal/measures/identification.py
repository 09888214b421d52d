"""FPIR and FNIR: open-set identification of queries against a gallery."""

from dataclasses import dataclass

import numpy as np

from opiscal.measures.rates import Floats, RateCurve
from opiscal.pairs.counts import PairCounts


@dataclass(frozen=True, slots=True)
class IdentificationRates:
    """Rates of identification at one threshold.

    Attributes
    ----------
    fpir : float in [0, 1], or None
        None where every query has a row of its class in the gallery.
    fnir : float in [0, 1], or None
    """

    fpir: float | None
    fnir: float | None


def identification_rates(counts: PairCounts, distance: float) -> IdentificationRates | None:
    r"""FPIR and FNIR at a threshold: rank-1 identification of the queries.

    .. math:: FPIR(d) &= \frac{\text{unknown queries with an accepted gallery row}}
                               {\text{unknown queries}} \\
              FNIR(d) &= 1 - \frac{\text{known queries whose nearest gallery row is of their class
                                         and accepted}}{\text{known queries}}

    A query is known where it has a positive pair: a gallery row of its class that is not the same
    item. Of gallery rows as near the one that was read first is the nearest. A distractor meets no
    distractors.

    Parameters
    ----------
    counts : PairCounts
    distance : float
        At a pool edge the rates are exact, elsewhere interpolated.

    Returns
    -------
    IdentificationRates or None
        None for counts of one set.

    References
    ----------
    ISO/IEC 19795-1:2021 (false-positive and false-negative identification rate).

    Examples
    --------
    >>> import numpy as np
    >>> import opiscal
    >>> rng = np.random.default_rng(0)
    >>> centres = rng.standard_normal((30, 8))
    >>> of_query, of_item = np.repeat(np.arange(30), 4), np.repeat(np.arange(20), 5)
    >>> queries, items = (
    ...     centres[of] + 0.4 * rng.standard_normal((of.size, 8)) for of in (of_query, of_item))
    >>> report = opiscal.evaluate(queries, of_query, gallery=(items, of_item))
    >>> found = identification_rates(report.counts, report.recommended_threshold.distance)
    >>> 0 < found.fpir < 1, 0 < found.fnir < 1
    (True, True)
    """
    two = counts.gallery
    if two is None:
        return None

    def share(accepted: Floats, queries: int) -> float | None:
        if queries == 0:
            return None
        of_all = accepted / queries
        curve = RateCurve(counts.distance, of_all, of_all, queries, queries)
        return curve.at(distance)[0]

    found = share(two.identified.astype(np.float64), two.known)
    return IdentificationRates(
        fpir=share(two.false_positive.astype(np.float64), two.unknown),
        fnir=None if found is None else 1.0 - found,
    )
