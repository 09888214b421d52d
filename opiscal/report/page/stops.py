"""The thresholds that the control of the page can stand at, and what is found at each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.identification import identification_rates
from opiscal.measures.operating_points import threshold_scales
from opiscal.measures.rate_intervals import RateIntervals
from opiscal.measures.rates import Floats, class_counts_at, rate_curve
from opiscal.measures.utility import Utility, mean_utility
from opiscal.report.findings import Pair
from opiscal.report.number_text import distance_text, similarity_text
from opiscal.report.record import Report

SUFFERS = 2.0
"""A class suffers where its rate is above this many times the pooled one."""
_CLASSES_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Stops:
    """Thresholds, and the numbers of the whole set there; S of them.

    Attributes
    ----------
    distance : float64 array of shape (S,), ascending
    far, frr, utility : float64 arrays of shape (S,)
        Pooled rates and the mean utility over classes: those of ``report.threshold(at=...)``.
    far_ci, frr_ci : tuple of pairs, or None
    fpir, fnir : tuple of float or None, or None
        Of queries against a gallery.
    far_suffers, frr_suffers : int64 arrays of shape (S,)
        Classes whose rate is above twice the pooled one.
    """

    distance: Floats
    far: Floats
    frr: Floats
    utility: Floats
    far_ci: tuple[Pair, ...] | None
    frr_ci: tuple[Pair, ...] | None
    fpir: tuple[float | None, ...] | None
    fnir: tuple[float | None, ...] | None
    far_suffers: NDArray[np.int64]
    frr_suffers: NDArray[np.int64]

    def nearest(self, distance: float) -> int:
        """The stop nearest to a distance."""
        return int(np.argmin(np.abs(self.distance - distance)))


def find_stops(report: Report, distance: Floats, intervals: RateIntervals | None = None) -> Stops:
    """What is found at each of some thresholds.

    Parameters
    ----------
    report : Report
    distance : float64 array of shape (S,), ascending
    intervals : RateIntervals, optional
        Of the report's counts; without them the rates have no intervals.
    """
    counts, settings = report.counts, report.settings
    curve = rate_curve(counts, settings.pool)
    rates = np.array([curve.at(float(d)) for d in distance]).reshape(-1, 2)
    far, frr = rates[:, 0], rates[:, 1]
    between = None if intervals is None else [intervals.at(float(d)) for d in distance]
    identified = [identification_rates(counts, float(d)) for d in distance]
    known = [found for found in identified if found is not None]
    far_suffers = np.zeros(distance.size, dtype=np.int64)
    frr_suffers = np.zeros(distance.size, dtype=np.int64)
    for start in range(0, counts.classes, _CLASSES_AT_ONCE):
        part = slice(start, start + _CLASSES_AT_ONCE)
        accepted = class_counts_at(counts, distance, part)
        class_far = accepted.negative / counts.negatives_of_class[part, None]
        class_frr = 1.0 - accepted.positive / counts.positives_of_class[part, None]
        far_suffers += (class_far > SUFFERS * far).sum(axis=0)
        frr_suffers += (class_frr > SUFFERS * frr).sum(axis=0)
    return Stops(
        distance=distance,
        far=far,
        frr=frr,
        utility=mean_utility(counts, distance, Utility(settings.utility, settings.c)),
        far_ci=None if between is None else tuple(at.far_ci for at in between),
        frr_ci=None if between is None else tuple(at.frr_ci for at in between),
        fpir=tuple(found.fpir for found in known) if known else None,
        fnir=tuple(found.fnir for found in known) if known else None,
        far_suffers=far_suffers,
        frr_suffers=frr_suffers,
    )


def scale_texts(distance: float, report: Report) -> list[str]:
    """A threshold on every scale of the metric, as printed: similarity up, distances down.

    Under ``cosine`` similarity, distance, cosine distance and squared distance; else the distance
    and its square.
    """
    found = threshold_scales(distance, report.metric)
    return [
        similarity_text(value) if name == "similarity" else distance_text(value)
        for name, value in found.items()
        if value is not None
    ]
