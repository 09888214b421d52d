"""Differences: each figure of one run less that of another, with what is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from opiscal.gate.figures import RECALL, Better, ComparedFigure, point_at_far
from opiscal.measures.confidence_curve import ConfidenceCurve
from opiscal.measures.corrected_opis import FEWEST_CLASSES
from opiscal.measures.paired_replicates import PairedReplicates
from opiscal.measures.rate_confidence import ApartFigure, few_errors, rate_confidence
from opiscal.measures.recall_confidence import recall_difference
from opiscal.measures.replicate_parts import ReplicateParts
from opiscal.measures.replicate_readings import Figure
from opiscal.report.record import Report

Verdict = Literal["better", "worse", "moved", "not distinguishable"]
Interval = tuple[float, float]

# Variances over classes.
_SPREADS = ("opis.value", "opis.corrected", "epsilon_opis.value")


class Evidence(Protocol):
    """What is known of one figure of two runs, at all levels."""

    def difference(self, times: float = 1.0) -> ConfidenceCurve:
        """Of the candidate's figure less `times` that of the baseline."""
        ...

    def relative_interval(self, confidence: float) -> Interval | None:
        """Of the candidate's figure over that of the baseline, less 1."""
        ...


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of a candidate less that of the baseline.

    Attributes
    ----------
    metric : str
        A path in ``report.json``, ``frr_at_far``, or ``far_at_threshold``, ``frr_at_threshold``
        and ``utility_at_threshold`` for a threshold in production.
    name : str
        For a table.
    target : float or None
        The FAR of ``frr_at_far``, the distance of a threshold in production.
    better : "lower", "higher" or None
    baseline, candidate, difference : float or None
        None where a run does not have the figure, or does not support it.
    ci : pair of float or None
        Of the difference.
    relative : float or None
        The difference over the baseline's value, where that is above 0.
    relative_ci : pair of float or None
        None where the interval of the baseline's value reaches zero.
    verdict : str or None
        ``better`` or ``worse`` where the interval does not hold 0, else ``not distinguishable``; of
        a threshold, which has no better side, ``moved``. None without an interval.
    reason : str or None
        Why there is no interval, or no value.
    evidence : Evidence or None
        For questions at other levels: ``evidence.difference().p_above(margin)``, and for a relative
        increase of 10 % ``evidence.difference(1.1).p_above(0.0)``.
    """

    metric: str
    name: str
    target: float | None
    better: Better | None
    baseline: float | None
    candidate: float | None
    difference: float | None = None
    ci: Interval | None = None
    relative: float | None = None
    relative_ci: Interval | None = None
    verdict: Verdict | None = None
    reason: str | None = None
    evidence: Evidence | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Two runs whose classes were drawn anew.

    Attributes
    ----------
    baseline, candidate : Report
    parts : pair of ReplicateParts
    replicates : PairedReplicates
    confidence : float
    seed : int
        Of the replicates.
    """

    baseline: Report
    candidate: Report
    parts: tuple[ReplicateParts, ReplicateParts]
    replicates: PairedReplicates
    confidence: float
    seed: int

    def differences(self, figures: Sequence[ComparedFigure]) -> tuple[Difference, ...]:
        """The differences of some figures."""
        return tuple(self._of(figure) for figure in figures)

    def at_threshold(
        self,
        distance: float,
        name: str,
        figure: str,
        better: Better,
        values: tuple[float, float],
    ) -> Difference:
        """The difference of what is found at one threshold: ``far_at``, ``frr_at``, ``utility_at``.

        Parameters
        ----------
        distance : float
            One of those that the replicates were read at.
        name : str
        figure : str
        better : "lower" or "higher"
        values : pair of float
            As they are reported.
        """
        places = (distance, distance) if figure in ("far_at", "frr_at") else None
        compared = ComparedFigure(f"{figure}_threshold", name, better, distance)
        return self._judged(compared, values, self._evidence((figure, distance), values, places))

    def _of(self, figure: ComparedFigure) -> Difference:
        values = figure.of(self.baseline), figure.of(self.candidate)
        found = figure.replicated(self.baseline), figure.replicated(self.candidate)
        missing = Difference(figure.metric, figure.name, figure.target, figure.better, *values)
        if values[0] is None or values[1] is None:
            return _without(missing, _missing(figure, values))
        if self.replicates.same:
            return self._same(missing, values[0])
        if figure.better is None and self.baseline.metric != self.candidate.metric:
            return _without(missing, "distances of two metrics")
        if figure.metric == RECALL:
            return self._of_recall(figure, (values[0], values[1]))
        if found[0] is None or found[0] != found[1] or not self._has(found[0]):
            reason = (
                "recommended by two criteria" if figure.better is None else "it has no interval"
            )
            return _without(missing, reason, difference=values[1] - values[0])
        few = min(report.counts.classes for report in (self.baseline, self.candidate))
        if figure.metric in _SPREADS and few < FEWEST_CLASSES:
            reason = f"{few} classes are too few for an interval, {FEWEST_CLASSES} are needed"
            return _without(missing, reason, difference=values[1] - values[0])
        known = values[0], values[1]
        evidence = self._evidence(found[0], known, self._places(figure))
        return self._judged(figure, known, evidence)

    def _of_recall(self, figure: ComparedFigure, values: tuple[float, float]) -> Difference:
        one, other = (report.counts.nearest for report in (self.baseline, self.candidate))
        if one is None or other is None:
            plain = Difference(figure.metric, figure.name, figure.target, figure.better, *values)
            which = self._which_lacks_recall(one is None, other is None)
            reason = f"what each class adds to it is not kept in {which}: evaluate again"
            return _without(plain, reason, difference=values[1] - values[0])
        matched = self.replicates.matched
        return self._judged(figure, values, recall_difference(one, other, matched, self.seed))

    @staticmethod
    def _which_lacks_recall(one: bool, other: bool) -> str:
        if one and other:
            return "both runs"
        return "the baseline" if one else "the candidate"

    def _places(self, figure: ComparedFigure) -> tuple[float, float] | None:
        """The thresholds at which a rate was read in either run; None for other figures."""
        runs = self.baseline, self.candidate
        if figure.metric == "verification.eer":
            return _eer_distance(runs[0]), _eer_distance(runs[1])
        if figure.metric != "frr_at_far" or figure.target is None:
            return None
        one, other = (point_at_far(run, figure.target) for run in runs)
        if one is None or other is None or one.distance is None or other.distance is None:
            return None
        return one.distance, other.distance

    def _has(self, figure: Figure) -> bool:
        return figure in self.replicates.first.base and figure in self.replicates.second.base

    def _evidence(
        self,
        replicated: Figure,
        values: tuple[float, float],
        places: tuple[float, float] | None,
    ) -> Evidence:
        """That of replicates, or, for rates of few errors, of each rate by itself.

        `places` are the distances at which a rate was read, None for other figures.
        """
        evidence: Evidence = self.replicates.figure(replicated, *values)
        if places is not None:
            rate = 0 if replicated[0] == "far_at" else 1
            if any(
                few_errors(parts.rates[rate], place, value)
                for parts, place, value in zip(self.parts, places, values, strict=True)
            ):
                first, second = (
                    rate_confidence(parts.rates, parts.curve, place)[rate]
                    for parts, place in zip(self.parts, places, strict=True)
                )
                evidence = ApartFigure(first, second)
        return evidence

    def _judged(
        self, figure: ComparedFigure, values: tuple[float, float], evidence: Evidence
    ) -> Difference:
        if self.replicates.same:
            plain = Difference(figure.metric, figure.name, figure.target, figure.better, *values)
            return self._same(plain, values[0])
        curve = evidence.difference()
        relative = relative_ci = None
        if figure.better is not None and values[0] > 0:
            relative = values[1] / values[0] - 1.0
            relative_ci = evidence.relative_interval(self.confidence)
        return Difference(
            metric=figure.metric,
            name=figure.name,
            target=figure.target,
            better=figure.better,
            baseline=values[0],
            candidate=values[1],
            difference=values[1] - values[0],
            ci=curve.interval(self.confidence),
            relative=relative,
            relative_ci=relative_ci,
            verdict=_verdict(curve.side_of(0.0, self.confidence), figure.better),
            evidence=evidence,
        )

    def _same(self, plain: Difference, value: float) -> Difference:
        sure = ConfidenceCurve.sure(value)
        none = (0.0, 0.0)
        return Difference(
            metric=plain.metric,
            name=plain.name,
            target=plain.target,
            better=plain.better,
            baseline=value,
            candidate=value,
            difference=0.0,
            ci=none,
            relative=0.0 if plain.better is not None and value > 0 else None,
            relative_ci=none if plain.better is not None and value > 0 else None,
            verdict="not distinguishable",
            evidence=ApartFigure(sure, sure),
        )


def _without(plain: Difference, reason: str, difference: float | None = None) -> Difference:
    """A difference that is not judged."""
    return Difference(
        plain.metric,
        plain.name,
        plain.target,
        plain.better,
        plain.baseline,
        plain.candidate,
        difference=difference,
        reason=reason,
    )


def _missing(figure: ComparedFigure, values: tuple[float | None, float | None]) -> str:
    which = "both runs" if values == (None, None) else "one of the runs"
    if figure.metric == "frr_at_far":
        return f"too few pairs for this FAR in {which}"
    return f"missing in {which}"


def _eer_distance(report: Report) -> float:
    (point,) = (p for p in report.operating_points if p.criterion == "eer")
    return point.distance or 0.0


def _verdict(side: int, better: Better | None) -> Verdict:
    if side == 0:
        return "not distinguishable"
    if better is None:
        return "moved"
    return "better" if (side > 0) == (better == "higher") else "worse"
