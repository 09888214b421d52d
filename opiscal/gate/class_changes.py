"""Class changes: which classes gained and lost most from one run to another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from opiscal.data.embedding_set import Label
from opiscal.measures.noise import mean_noise_by_class
from opiscal.measures.opis import Integration, mean_over_range
from opiscal.measures.paired_replicates import SharedClasses
from opiscal.measures.rates import Floats
from opiscal.measures.utility import Utility, class_utility
from opiscal.report.record import Report


@dataclass(frozen=True, slots=True)
class ClassChange:
    """One class in two runs.

    Attributes
    ----------
    label : Label
    baseline, candidate : float
        Mean utility over the calibration range of each run.
    change : float
    error : float or None
        Standard error of the change, from the rows of both runs, as if they were independent: where
        the rows are the same it is rather too large. None below four rows.
    beyond_noise : bool
        Whether the change is larger than noise alone makes that of any of the classes, with the
        confidence of the comparison.
    """

    label: Label
    baseline: float
    candidate: float
    change: float
    error: float | None
    beyond_noise: bool


@dataclass(frozen=True, slots=True)
class ClassChanges:
    """The classes that gained most, and lost most, and how many did so beyond noise.

    Attributes
    ----------
    gained, lost : tuple of ClassChange
        Those beyond noise first, and of these and of the others the largest change; ties by label.
    gained_beyond_noise, lost_beyond_noise : int
        Among all shared classes.
    """

    gained: tuple[ClassChange, ...]
    lost: tuple[ClassChange, ...]
    gained_beyond_noise: int
    lost_beyond_noise: int


def class_changes(
    baseline: Report, candidate: Report, matched: SharedClasses, confidence: float, most: int
) -> ClassChanges:
    """What became of the classes that two runs share.

    With ``T`` shared classes a change is beyond noise where it is more than the normal quantile of
    ``1 - (1 - confidence) / 2 T`` times its standard error: with the confidence not one of them is
    so by chance alone (Bonferroni). The noise of single classes is itself estimated from few rows,
    and by chance next to nothing in some of many: it is taken to be no less than that of a class
    of its size and utility, ``k u (1 - u) / n`` with ``u`` the mean of both utilities and ``k`` so
    that the noises of all classes have the same sum.

    Parameters
    ----------
    baseline, candidate : Report
    matched : SharedClasses
        Of their labels.
    confidence : float, in (0.5, 1)
    most : int
        How many are listed at most, of each kind; those beyond noise and others.
    """
    both = np.intersect1d(matched.first, matched.second)
    if both.size == 0:
        return ClassChanges((), (), 0, 0)
    place = np.empty(matched.classes, dtype=np.int64)
    place[matched.second] = np.arange(matched.second.size)
    one, noise = _over_range(baseline)
    other, more_noise = _over_range(candidate)
    first, second = one[both], other[place[both]]
    change = second - first
    utility = 0.5 * (first + second)
    error = np.sqrt(
        _at_least_typical(noise[both], utility, baseline.counts.class_rows[both])
        + _at_least_typical(
            more_noise[place[both]], utility, candidate.counts.class_rows[place[both]]
        )
    )
    times = float(ndtri(1.0 - (1.0 - confidence) / (2.0 * both.size)))
    # Below four rows the error is not known, and no change is beyond it.
    beyond = np.abs(change) > times * np.nan_to_num(error, nan=np.inf)
    labels = baseline.counts.labels

    def changes(order: list[int]) -> tuple[ClassChange, ...]:
        return tuple(
            ClassChange(
                label=labels[both[k]],
                baseline=float(first[k]),
                candidate=float(second[k]),
                change=float(change[k]),
                error=None if np.isnan(error[k]) else float(error[k]),
                beyond_noise=bool(beyond[k]),
            )
            for k in order
        )

    # Classes beyond noise first: `lexsort` goes by its last key.
    falling = np.lexsort((-change, ~beyond))
    rising = np.lexsort((change, ~beyond))
    return ClassChanges(
        gained=changes([k for k in falling.tolist() if change[k] > 0][:most]),
        lost=changes([k for k in rising.tolist() if change[k] < 0][:most]),
        gained_beyond_noise=int(np.count_nonzero(beyond & (change > 0))),
        lost_beyond_noise=int(np.count_nonzero(beyond & (change < 0))),
    )


def _at_least_typical(noise: Floats, utility: Floats, rows: NDArray[np.int64]) -> Floats:
    """Noise of classes, but no less than that of a class of as many rows and as much utility."""
    shape = utility * (1.0 - utility) / rows
    known = ~np.isnan(noise)
    whole = float(shape[known].sum())
    times = float(noise[known].sum()) / whole if whole > 0 else 0.0
    return np.asarray(np.maximum(noise, max(times, 0.0) * shape))


def _over_range(report: Report) -> tuple[Floats, Floats]:
    """Mean utility over the run's own range of every class, and the noise of it."""
    counts, settings = report.counts, report.settings
    utility = Utility(settings.utility, settings.c)
    low, high = report.calibration_range.distance
    nodes, weights = Integration.parse(settings.integration).nodes(counts.class_distance, low, high)
    return (
        mean_over_range(class_utility(counts, nodes, utility), weights),
        mean_noise_by_class(counts, nodes, weights, utility),
    )
