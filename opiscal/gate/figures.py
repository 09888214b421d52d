"""Compared figures: which numbers of two runs are set side by side, and which way is better."""

from dataclasses import dataclass
from typing import Literal

from opiscal.measures.operating_points import OperatingPoint
from opiscal.measures.replicate_readings import Figure
from opiscal.report.record import Report

Better = Literal["lower", "higher"]

RECALL = "retrieval.recall_at.1"
"""The metric that is counted by rows and their nearest ones, not by pairs."""

FAR_TARGETS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
"""FARs at which FRR is compared, as far as both runs support them."""


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """One figure of a report.

    Attributes
    ----------
    metric : str
        Its path in ``report.json``, or ``frr_at_far``.
    name : str
        In a table.
    better : "lower", "higher" or None
    target : float or None
        The FAR of ``frr_at_far``.
    """

    metric: str
    name: str
    better: Better | None
    target: float | None = None

    def of(self, report: Report) -> float | None:
        """The value in a report; None where it has none, or does not support it."""
        if self.metric == "frr_at_far":
            point = point_at_far(report, self.target or 0.0)
            return None if point is None else point.frr
        if self.metric == "opis.value":
            return report.opis.value
        if self.metric == "opis.corrected":
            return report.opis.corrected
        if self.metric == "epsilon_opis.value":
            return report.epsilon_opis.value
        if self.metric == "utility.mean":
            return report.utility.mean
        if self.metric == "verification.eer":
            # Bounds of it, which lie as close as edges.
            return sum(report.verification.eer) / 2
        if self.metric == RECALL:
            return None if report.retrieval is None else report.retrieval.recall_at.get("1")
        return report.recommended_threshold.distance

    def replicated(self, report: Report) -> Figure | None:
        """Its name among the replicates; None where they do not have it."""
        if self.metric == "recommended_threshold.distance":
            point = report.recommended_threshold
            if point.criterion == "utility":
                return "recommended", None
            return (
                ("eer_threshold", None)
                if point.criterion == "eer"
                else (
                    point.criterion,
                    point.target,
                )
            )
        name = _REPLICATED.get(self.metric)
        return None if name is None else (name, self.target)


_REPLICATED = {
    "opis.value": "opis",
    "opis.corrected": "corrected_opis",
    "epsilon_opis.value": "epsilon_opis",
    "utility.mean": "mean_utility",
    "verification.eer": "eer",
    "frr_at_far": "frr_at_far",
}


def compared_figures(report: Report, far: tuple[float, ...] = FAR_TARGETS) -> list[ComparedFigure]:
    """The figures that are compared, FRR at the given FARs among them."""
    share = f"{100 * report.epsilon_opis.epsilon:g}%-OPIS"
    return [
        ComparedFigure("opis.value", "OPIS", "lower"),
        ComparedFigure("opis.corrected", "without noise", "lower"),
        ComparedFigure("epsilon_opis.value", share, "lower"),
        ComparedFigure("utility.mean", "mean utility", "higher"),
        ComparedFigure("verification.eer", "EER", "lower"),
        *(ComparedFigure("frr_at_far", f"FRR at FAR {x:g}", "lower", x) for x in far),
        ComparedFigure(RECALL, "Recall@1", "higher"),
        ComparedFigure("recommended_threshold.distance", "threshold", None),
    ]


def point_at_far(report: Report, far: float) -> OperatingPoint | None:
    """The operating point for a FAR, from the report or its counts; None where not supported."""
    for point in report.operating_points:
        if point.criterion == "far" and point.target == far:
            return point if point.supported else None
    # The report has all these targets that the data support.
    if far in FAR_TARGETS:
        return None
    point = report.threshold(far=far)
    return point if point.supported else None
