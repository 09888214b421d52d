"""Slim runs: small enough to commit, they compare and are gated as the whole run is."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from opiscal.measures.rate_variance import rate_variance, sums_of
from opiscal.measures.rates import Floats
from opiscal.pairs.counts import PairCounts, SlimCounts
from opiscal.report.record import Report
from opiscal.report.replicates import parts_of


def slim_counts(report: Report) -> PairCounts:
    """The counts of a report, less what a comparison does not need.

    Counts per class are kept at the class edges of the calibration range, at those about each
    operating point, and at those that replicates are read at, as far as these may move the range;
    at all class edges what intervals of rates are made of. Counts within groups, and how each class
    meets each other one, are left out. With rates that are means over classes (``--pool classes``)
    thresholds stand on the class edges, and all are kept.

    Raises
    ------
    InputError
        Where the report is of a slim run, and would lose more.
    """
    counts = report.counts
    counts.need_class_edges()
    counts = replace(counts, within_groups=())
    every = np.arange(counts.class_edge.size)
    if report.settings.pool == "classes" or report.intervals is None:
        return replace(counts, slim=SlimCounts(every, {}))
    kept = np.unique(
        np.concatenate(
            [
                every[[0, -1]],
                counts.moment_edge,
                _about(counts.class_distance, np.array(report.calibration_range.distance)),
                _inside(counts.class_distance, report.calibration_range.distance),
                _about(counts.class_distance, _thresholds(report)),
                parts_of(report).columns.nodes.edge,
            ]
        )
    )
    sums = sums_of({"far": rate_variance(counts, "far"), "frr": rate_variance(counts, "frr")})
    # At an edge that is left out counts stand as at the kept one before.
    place = kept[np.searchsorted(kept, every, side="right") - 1]
    if counts.sampling is not None:
        strata = counts.sampling.strata
        names = ("class_near", "class_rest", "class_positive")
        thinned = {name: getattr(strata, name)[:, place] for name in names}
        slim = replace(strata, **thinned).estimate()
    else:
        slim = replace(
            counts,
            class_positive=counts.class_positive[:, place],
            class_negative=counts.class_negative[:, place],
        )
    pairs = slim.class_pairs
    if pairs is not None:
        pairs = replace(pairs, by_accepted=None, by_pairs=None)
    return replace(slim, class_pairs=pairs, slim=SlimCounts(kept, sums))


def _thresholds(report: Report) -> Floats:
    points = (*report.operating_points, report.recommended_threshold)
    return np.array([point.distance for point in points if point.distance is not None])


def _about(edges: Floats, distance: Floats) -> NDArray[np.int64]:
    """The edges on either side of distances, and those at them, with one more to be sure."""
    after = np.searchsorted(edges, distance)
    near = after[:, None] + np.arange(-2, 2)
    return np.unique(np.clip(near, 0, edges.size - 1))


def _inside(edges: Floats, ends: tuple[float, float]) -> NDArray[np.int64]:
    return np.flatnonzero((edges >= ends[0]) & (edges <= ends[1]))
