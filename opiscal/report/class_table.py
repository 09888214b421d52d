"""The table of classes: a row for each scored class."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label
from opiscal.measures.noise import mean_noise_by_class
from opiscal.measures.operating_points import best_threshold_by_class
from opiscal.measures.opis import Integration, mean_over_range, opis_by_class
from opiscal.measures.rates import Floats, class_counts_at
from opiscal.measures.utility import Utility, class_utility
from opiscal.report.record import Report
from opiscal.report.rounding import round_down


@dataclass(frozen=True, slots=True)
class ClassTable:
    """Columns of ``classes.parquet``, each of length T, in the order of labels.

    Attributes
    ----------
    label : tuple
    rows, positives, negatives : int64 arrays
    mean_utility : float64 array
        Over the calibration range.
    opis_share : float64 array
        The class's part of OPIS; they sum to 1 (all 0 where OPIS is 0).
    utility_error : float64 array
        Standard error of `mean_utility` from the class's own rows: the root of the noise over the
        range; NaN below four rows.
    far, frr : float64 arrays or None
        At the recommended threshold; None where there is none.
    utility : float64 array or None
        At the recommended threshold.
    best_threshold, best_utility : float64 arrays
        The distance of the class's own highest utility, and that utility.
    nearest_class : tuple
        The class whose mean row is nearest.
    """

    label: tuple[Label, ...]
    rows: NDArray[np.int64]
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]
    mean_utility: Floats
    utility_error: Floats
    opis_share: Floats
    far: Floats | None
    frr: Floats | None
    utility: Floats | None
    best_threshold: Floats
    best_utility: Floats
    nearest_class: tuple[Label | None, ...]

    def columns(self) -> dict[str, Any]:
        """The columns by name, as they are written."""
        nothing = [None] * len(self.label)
        return {
            "label": list(self.label),
            "rows": self.rows,
            "positives": self.positives,
            "negatives": self.negatives,
            "mean_utility": self.mean_utility,
            "utility_error": [None if np.isnan(e) else float(e) for e in self.utility_error],
            "opis_share": self.opis_share,
            "far": nothing if self.far is None else self.far,
            "frr": nothing if self.frr is None else self.frr,
            "utility": nothing if self.utility is None else self.utility,
            "best_threshold": np.array([round_down(float(d)) for d in self.best_threshold]),
            "best_utility": self.best_utility,
            "nearest_class": list(self.nearest_class),
        }


def class_table(report: Report) -> ClassTable:
    """The table of a report, worked out from its counts."""
    counts, settings = report.counts, report.settings
    utility = Utility(settings.utility, settings.c)
    low, high = report.calibration_range.distance
    nodes, weights = Integration.parse(settings.integration).nodes(counts.class_distance, low, high)
    curves = class_utility(counts, nodes, utility)
    share = opis_by_class(curves, weights)
    threshold = report.recommended_threshold.distance
    far = frr = at_threshold = None
    if threshold is not None:
        accepted = class_counts_at(counts, np.array([threshold]))
        far = accepted.negative[:, 0] / counts.negatives_of_class
        positives = counts.positives_of_class
        frr = (positives - accepted.positive[:, 0]) / positives
        at_threshold = class_utility(counts, np.array([threshold]), utility)[:, 0]
    best = best_threshold_by_class(counts, utility)
    # Where OPIS is 0 the shares are rounding.
    total = share.sum() if report.opis.value > 0 else 0.0
    return ClassTable(
        label=counts.labels,
        rows=counts.class_rows,
        positives=counts.positives_of_class,
        negatives=counts.negatives_of_class,
        mean_utility=mean_over_range(curves, weights),
        utility_error=np.sqrt(
            np.maximum(mean_noise_by_class(counts, nodes, weights, utility), 0.0)
        ),
        opis_share=share / total if total > 0 else np.zeros(share.size),
        far=far,
        frr=frr,
        utility=at_threshold,
        best_threshold=best.distance,
        best_utility=best.utility,
        nearest_class=report.nearest_class,
    )
