"""The class grid: accepted pairs of every class at some class edges, coded for the page.

The counts themselves are kept, not rates: they are exact at the edges, and between two edges the
script interpolates them as `opiscal.measures.rates.class_counts_at` does. A threshold that is no
class edge has the edges on either side in the grid, so that numbers there are those of the report.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.rates import Floats, rate_curve
from opiscal.pairs.counts import ClassEstimates, PairCounts
from opiscal.report.page.whole_numbers import coded, decoded

MOST_EDGES = 160
"""With few classes: as many as a figure has dots across."""
_FEWEST_EDGES = 24
_SHARE_IN_FIGURE = 0.65
_FAR_SHOWN = (1e-6, 0.5)
_CLASSES_AT_ONCE = 512
_TRIAL_CLASSES = 512

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassGrid:
    """Accepted pairs of some classes at some class edges.

    Attributes
    ----------
    distance : float64 array of shape (K,), ascending
        The edges; the first and the last of all are among them.
    kept : int64 array of shape (S,)
        Which classes, in the order of the code.
    code : bytes
        For each class the K accepted positives, then the K accepted negatives, each as the step
        from the one before.
    """

    distance: Floats
    kept: Indices
    code: bytes

    def counts(self) -> tuple[Indices, Indices]:
        """Accepted positives and negatives read from the code, each of shape (S, K)."""
        steps = decoded(self.code).reshape(self.kept.size, 2, self.distance.size)
        accepted = np.cumsum(steps, axis=2)
        return accepted[:, 0], accepted[:, 1]


def class_grid(
    counts: PairCounts,
    kept: Indices,
    marks: Floats,
    span: tuple[float, float],
    room: int,
) -> ClassGrid:
    """Code the counts of some classes at as many edges as there is room for.

    Parameters
    ----------
    counts : PairCounts
    kept : int64 array of shape (S,)
        Which classes, the most wanted first.
    marks : float64 array
        Thresholds at which numbers are to be those of the report.
    span : pair of float
        The stretch over which curves are drawn: two thirds of the edges lie there.
    room : int
        Bytes that the code may take. Where even the marks alone take more, classes at the end of
        `kept` are left out.

    Returns
    -------
    ClassGrid
    """
    trial = kept[:: max(1, kept.size // _TRIAL_CLASSES)]
    edges = MOST_EDGES
    while True:
        chosen = grid_edges(counts, marks, span, edges)
        expected = len(_code(counts, trial, chosen)) * kept.size / max(1, trial.size)
        if expected <= room or edges <= _FEWEST_EDGES:
            break
        # The marks are in any grid, so that bytes fall more slowly than edges do.
        edges = max(_FEWEST_EDGES, min(edges - 4, int(edges * room / expected)))
    if expected > room:
        kept = kept[: max(2, int(kept.size * room / expected))]
    code = _code(counts, kept, chosen)
    while len(code) > room and kept.size > 2:
        # The trial classes were cheaper than the others.
        kept = kept[: max(2, int(0.98 * kept.size * room / len(code)))]
        code = _code(counts, kept, chosen)
    return ClassGrid(counts.class_distance[chosen], kept, code)


def grid_edges(counts: PairCounts, marks: Floats, span: tuple[float, float], most: int) -> Indices:
    """Which class edges: those about the marks, and about `most` in all where there are so many.

    Two thirds lie in `span`, the others where FAR goes from 1e-6 to 0.5, evenly on its logarithm.
    """
    edges = counts.class_distance
    last = edges.size - 1
    above = np.clip(np.searchsorted(edges, np.concatenate([marks, span])), 0, last)
    below = np.clip(
        np.searchsorted(edges, np.concatenate([marks, span]), side="right") - 1, 0, last
    )
    must = np.unique(np.concatenate([[0, last], above, below]))
    if edges.size <= most:
        return np.arange(edges.size)
    inside = max(2, int(_SHARE_IN_FIGURE * most))
    even = np.searchsorted(edges, np.linspace(*span, inside))
    curve = rate_curve(counts)
    wanted = np.geomspace(*_FAR_SHOWN, max(2, most - inside))
    at = curve.distance[np.minimum(np.searchsorted(curve.far, wanted), curve.distance.size - 1)]
    chosen = np.concatenate([must, even, np.searchsorted(edges, at)])
    return np.unique(np.clip(chosen, 0, last)).astype(np.int64)


def _code(counts: PairCounts, classes: Indices, edges: Indices) -> bytes:
    return b"".join(
        coded(
            np.stack(
                [
                    _steps(accepted, classes[start : start + _CLASSES_AT_ONCE], edges)
                    for accepted in (counts.class_positive, counts.class_negative)
                ],
                axis=1,
            )
        )
        for start in range(0, classes.size, _CLASSES_AT_ONCE)
    )


def _steps(accepted: ClassEstimates, classes: Indices, edges: Indices) -> Indices:
    # Estimates from a sample need not be whole; half a pair is far within what they scatter.
    whole = np.rint(accepted[np.ix_(classes, edges)]).astype(np.int64)
    return np.diff(np.maximum.accumulate(whole, axis=1), axis=1, prepend=0)
