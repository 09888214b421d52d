"""Threshold transfer: what the threshold in production would do on a new model."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from opiscal.data.embedding_set import Label
from opiscal.gate.differences import Difference, Drawn
from opiscal.measures.operating_points import OperatingPoint
from opiscal.measures.rates import class_counts_at
from opiscal.measures.utility import Utility, class_utility
from opiscal.report.record import Report, point_to_dict


@dataclass(frozen=True, slots=True)
class ClassAtThreshold:
    """One class of the candidate at a threshold; `baseline_utility` is None where it is new."""

    label: Label
    far: float
    frr: float
    utility: float
    baseline_utility: float | None


@dataclass(frozen=True, slots=True)
class ThresholdTransfer:
    """A threshold in production, left as it is while the model changes.

    Attributes
    ----------
    distance : float
    source : str
        Whose threshold it is.
    baseline, candidate : OperatingPoint
        What it does on either, with intervals.
    differences : tuple of Difference
        Of FAR, FRR and mean utility.
    worst : tuple of ClassAtThreshold
        The classes of the candidate with the lowest utility there, the worst first.
    """

    distance: float
    source: str
    baseline: OperatingPoint
    candidate: OperatingPoint
    differences: tuple[Difference, ...]
    worst: tuple[ClassAtThreshold, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; the differences stand elsewhere in the document."""
        return {
            "source": self.source,
            "baseline": point_to_dict(self.baseline),
            "candidate": point_to_dict(self.candidate),
            "worst_classes": [
                {
                    "label": c.label,
                    "far": c.far,
                    "frr": c.frr,
                    "utility": c.utility,
                    "baseline_utility": c.baseline_utility,
                }
                for c in self.worst
            ],
        }


def threshold_transfer(drawn: Drawn, distance: float, source: str, most: int) -> ThresholdTransfer:
    """What a threshold does on two runs of one metric.

    Parameters
    ----------
    drawn : Drawn
        Read at the distance.
    distance : float
    source : str
    most : int
        How many of the worst classes are listed at most.
    """
    baseline = drawn.baseline.threshold(at=distance, confidence=drawn.confidence)
    candidate = drawn.candidate.threshold(at=distance, confidence=drawn.confidence)
    figures = (
        ("FAR there", "far_at", "lower", (baseline.far, candidate.far)),
        ("FRR there", "frr_at", "lower", (baseline.frr, candidate.frr)),
        ("mean utility there", "utility_at", "higher", (baseline.utility, candidate.utility)),
    )
    return ThresholdTransfer(
        distance=distance,
        source=source,
        baseline=baseline,
        candidate=candidate,
        differences=tuple(
            drawn.at_threshold(
                distance,
                name,
                figure,
                "higher" if better == "higher" else "lower",
                (values[0] or 0.0, values[1] or 0.0),
            )
            for name, figure, better, values in figures
        ),
        worst=_worst(drawn.baseline, drawn.candidate, distance, most),
    )


def _worst(
    baseline: Report, candidate: Report, distance: float, most: int
) -> tuple[ClassAtThreshold, ...]:
    at = np.array([distance])
    utility = Utility(candidate.settings.utility, candidate.settings.c)
    before = dict(
        zip(
            baseline.counts.labels,
            class_utility(baseline.counts, at, utility)[:, 0].tolist(),
            strict=True,
        )
    )
    counts = candidate.counts
    accepted, found = class_counts_at(counts, at), class_utility(counts, at, utility)[:, 0]
    far = accepted.negative[:, 0] / counts.negatives_of_class
    frr = 1.0 - accepted.positive[:, 0] / counts.positives_of_class
    return tuple(
        ClassAtThreshold(
            label=counts.labels[k],
            far=float(far[k]),
            frr=float(frr[k]),
            utility=float(found[k]),
            baseline_utility=before.get(counts.labels[k]),
        )
        for k in np.argsort(found, kind="stable")[:most]
    )
