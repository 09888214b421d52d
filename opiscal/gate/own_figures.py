"""Own figures: what is known of the numbers of one run by itself, at every level."""

from dataclasses import dataclass, field

from opiscal.gate.figures import FAR_TARGETS, RECALL, compared_figures, point_at_far
from opiscal.measures.confidence_curve import ConfidenceCurve
from opiscal.measures.figure_replicates import FigureReplicates, figure_replicates
from opiscal.measures.rate_confidence import few_errors, rate_confidence
from opiscal.measures.recall_confidence import RecallScatter
from opiscal.measures.replicate_parts import ReplicateParts
from opiscal.report.record import Report
from opiscal.report.replicates import parts_of


@dataclass(frozen=True, slots=True)
class OwnFigures:
    """Confidence curves of the figures of one report; made by `own_figures`."""

    report: Report
    far: tuple[float, ...]
    parts: ReplicateParts = field(repr=False)
    replicates: FigureReplicates = field(repr=False)

    def curve(self, metric: str, target: float | None = None) -> ConfidenceCurve | None:
        """What is known of one figure.

        Parameters
        ----------
        metric : str
            A path in ``report.json`` that `compared_figures` has, or ``frr_at_far``.
        target : float, optional
            The FAR of ``frr_at_far``, one of those asked for.

        Returns
        -------
        ConfidenceCurve, or None
            Its intervals are those of the report. None where the report has no such figure, where
            the data do not support it, or where a run of an earlier version does not keep what an
            interval needs (Recall@1). FRR at a FAR moves with its threshold; for a rate at a given
            threshold see `rates_at`.
        """
        if metric == RECALL:
            nearest = self.report.counts.nearest
            return None if nearest is None else RecallScatter.of(nearest).curve()
        for figure in compared_figures(self.report, self.far):
            if figure.metric != metric or figure.target != target:
                continue
            value, name = figure.of(self.report), figure.replicated(self.report)
            if value is None or name is None or name not in self.replicates.base:
                return None
            point = point_at_far(self.report, target) if target is not None else None
            if (
                point is not None
                and point.distance is not None
                and few_errors(self.parts.rates[1], point.distance, value)
            ):
                return self.rates_at(point.distance)[1]
            return self.replicates.curve(name, value)
        return None

    def rates_at(self, distance: float) -> tuple[ConfidenceCurve, ConfidenceCurve]:
        """FAR and FRR at a threshold, with the intervals of `Report.threshold` at any level."""
        return rate_confidence(self.parts.rates, self.parts.curve, distance)

    def utility_at(self, distance: float) -> ConfidenceCurve | None:
        """Mean utility at a threshold, one of those asked for."""
        name = ("utility_at", distance)
        if name not in self.replicates.base:
            return None
        value = self.report.threshold(at=distance).utility
        return None if value is None else self.replicates.curve(name, value)


def own_figures(
    report: Report,
    far: tuple[float, ...] = FAR_TARGETS,
    seed: int | None = None,
    at: tuple[float, ...] = (),
    parts: ReplicateParts | None = None,
) -> OwnFigures:
    """Draw the replicates of one report.

    Parameters
    ----------
    report : Report
    far : tuple of float
        FARs at which FRR is asked for.
    seed : int, optional
        That of the report by default, with which intervals are those of the report.
    at : tuple of float
        Distances at which mean utility is asked for.
    parts : ReplicateParts, optional
        Those of the report, where they are at hand already.

    Examples
    --------
    >>> import numpy as np
    >>> import opiscal
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(np.arange(40), 8)
    >>> centres = rng.standard_normal((40, 8))[labels]
    >>> report = opiscal.evaluate(centres + 0.6 * rng.standard_normal((320, 8)), labels)
    >>> curve = own_figures(report).curve("opis.value")
    >>> abs(curve.interval(0.95)[1] - report.opis.ci[1]) < 1e-5
    True
    >>> curve.p_below(10 * report.opis.value) < 0.001
    True
    """
    parts = parts or parts_of(report)
    point = report.recommended_threshold
    targets = list(far)
    if point.criterion == "far" and point.target is not None and point.target not in far:
        targets.append(point.target)
    drawn = figure_replicates(
        parts,
        far=targets,
        frr=[point.target] if point.criterion == "frr" and point.target is not None else [],
        at=at,
        seed=report.settings.seed if seed is None else seed,
    )
    return OwnFigures(report, far, parts, drawn)
