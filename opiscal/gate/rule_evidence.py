"""Rule evidence: what two runs know of the number that each rule of a policy is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from opiscal.data.storage import place_of
from opiscal.errors import UsageError
from opiscal.gate.comparison import pairing_of
from opiscal.gate.differences import Difference, Drawn
from opiscal.gate.evidence import Evidence
from opiscal.gate.figures import Better, compared_figures, point_at_far
from opiscal.gate.mismatch import Mismatch, find_mismatches, require_comparable
from opiscal.gate.own_figures import OwnFigures, own_figures
from opiscal.gate.policy import OF_DIFFERENCES, Policy, Rule
from opiscal.gate.rule_metrics import AT_FAR, AT_THRESHOLD, at_recommended, reported
from opiscal.measures.confidence_curve import ConfidenceCurve
from opiscal.measures.operating_points import distance_on_scale
from opiscal.measures.paired_replicates import PairedFigure, SharedClasses, paired_replicates
from opiscal.measures.rate_confidence import ApartFigure, rate_confidence
from opiscal.measures.rates import rate_curve
from opiscal.measures.replicate_parts import ReplicateParts
from opiscal.measures.utility import Utility, mean_utility
from opiscal.report.artifact import read_artifact
from opiscal.report.record import Report
from opiscal.report.replicates import parts_of

NO_BASELINE_INTERVAL = (
    "the interval of the baseline's number reaches zero, of which nothing is a part: use "
    "max_increase"
)

_DISTANCES = tuple(f"recommended_threshold.{x}" for x in ("distance", "squared_l2"))


@dataclass(frozen=True, slots=True)
class Gathered:
    """The evidence for every rule, and what weakens it.

    Attributes
    ----------
    evidence : tuple of Evidence
    pairing : str or None
        As `opiscal.gate.comparison.Candidate` has it; None without a baseline.
    mismatches : tuple of Mismatch
    """

    evidence: tuple[Evidence, ...]
    pairing: str | None
    mismatches: tuple[Mismatch, ...]


def gather(
    policy: Policy,
    candidate: Report,
    baseline: Report | None = None,
    *,
    names: tuple[str, str] = ("candidate", "baseline"),
    allow_mismatch: bool = False,
    seed: int = 0,
) -> Gathered:
    """The evidence for the rules of a policy.

    Parameters
    ----------
    policy : Policy
    candidate : Report
    baseline : Report, optional
    names : pair of str
        Of the candidate and of the baseline, in messages.
    allow_mismatch : bool
        Whether runs that differ in something that only weakens a comparison are compared.
    seed : int
        Of the replicates.

    Raises
    ------
    UsageError
        Where a rule needs a baseline and there is none, or the runs cannot be compared.
    """
    for k, rule in enumerate(policy.rules):
        if rule.needs_baseline and baseline is None:
            raise UsageError(
                f"rule {k + 1} of the policy ({rule.title}) needs a baseline; give --baseline RUN, "
                "or a rule with max or min"
            )
    pairing: str | None = None
    mismatches: tuple[Mismatch, ...] = ()
    if baseline is not None:
        # Before any rule: runs that cannot be compared are an error, whatever is asked of them.
        matched = SharedClasses.of(baseline.counts.labels, candidate.counts.labels)
        mismatches = find_mismatches(baseline, candidate, matched)
        require_comparable(mismatches, names[1], names[0], allow=allow_mismatch)
        pairing = pairing_of(matched)
    runs = _Runs(policy, candidate, baseline, seed)
    return Gathered(tuple(_evidence(rule, runs) for rule in policy.rules), pairing, mismatches)


@dataclass
class _Runs:
    """Two runs, and what was worked out of them so far: it takes time, and rules share it."""

    policy: Policy
    candidate: Report
    baseline: Report | None
    seed: int

    @cached_property
    def parts(self) -> ReplicateParts:
        return parts_of(self.candidate)

    @cached_property
    def drawn(self) -> Drawn:
        """The classes of both runs drawn anew, for everything that rules ask of differences."""
        assert self.baseline is not None
        one = self.parts if self.baseline is self.candidate else parts_of(self.baseline)
        how = self.baseline.recommended_threshold
        asked = (how.target,) if how.target is not None else ()
        replicates = paired_replicates(
            one,
            self.parts,
            far=sorted({*self.far, *(asked if how.criterion == "far" else ())}),
            frr=asked if how.criterion == "frr" else (),
            at=self.distances(AT_THRESHOLD, differences=True),
            seed=self.seed,
        )
        return Drawn(
            self.baseline,
            self.candidate,
            (one, self.parts),
            replicates,
            self.policy.confidence,
            self.seed,
        )

    @cached_property
    def own(self) -> OwnFigures:
        at = self.distances(("utility_at_threshold",), differences=False)
        return own_figures(self.candidate, self.far, self.seed, at, self.parts)

    @property
    def far(self) -> tuple[float, ...]:
        return tuple(sorted({rule.far for rule in self.policy.rules if rule.far is not None}))

    def distances(self, metrics: Sequence[str], *, differences: bool) -> tuple[float, ...]:
        """Thresholds that rules of some metrics, of differences or not, are about."""
        found = {
            self.distance(rule)
            for rule in self.policy.rules
            if (at_recommended(rule.metric) or rule.metric) in metrics
            and (rule.kind in OF_DIFFERENCES) == differences
        }
        return tuple(sorted(x for x in found if x is not None))

    def distance(self, rule: Rule) -> float | None:
        """The threshold that a rule is about; None where the run does not have it."""
        place = rule.threshold or "recommended"
        if place == "recommended":
            return self.candidate.recommended_threshold.distance
        if place == "baseline":
            assert self.baseline is not None
            if self.baseline.metric != self.candidate.metric:
                return None
            return self.baseline.recommended_threshold.distance
        if place.startswith("far="):
            point = point_at_far(self.candidate, _number(rule, place.partition("=")[2]))
            return None if point is None else point.distance
        if place.startswith("@"):
            metric, distance = read_artifact(place_of(place[1:]))
            if metric != self.candidate.metric:
                raise UsageError(
                    f"rule {rule.title}: the threshold is for {metric}, the run for "
                    f"{self.candidate.metric}; give the threshold.json of this model"
                )
            return distance
        scale, _, value = place.partition("=")
        return distance_on_scale(scale, _number(rule, value), self.candidate.metric)


def _number(rule: Rule, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"rule {rule.title}: threshold must be recommended, baseline, far=x, @threshold.json "
            "or SCALE=VALUE with a number, such as similarity=0.72"
        ) from None


def _evidence(rule: Rule, runs: _Runs) -> Evidence:
    if rule.metric in AT_THRESHOLD and runs.distance(rule) is None:
        return Evidence(reason="the run does not have this threshold, or does not support it")
    if _of_two_metrics(rule, runs):
        return Evidence(
            reason="distances of two metrics, cosine and l2, are not the same thing", missing=True
        )
    value = _value(rule, runs, runs.candidate)
    baseline = None
    if rule.kind in OF_DIFFERENCES and runs.baseline is not None:
        baseline = _value(rule, runs, runs.baseline)
    difference = None
    if value is not None and baseline is not None:
        times = 1.0 + rule.limit if rule.kind == "max_relative_increase" else 1.0
        difference = value - times * baseline
    plain = Evidence(value, baseline, difference)
    missing = _missing(rule, value, baseline)
    if missing is not None:
        return Evidence(value, baseline, difference, reason=missing, missing=rule.metric != AT_FAR)
    if rule.kind == "max_relative_increase" and not (baseline or 0.0) > 0:
        return Evidence(value, baseline, difference, reason=NO_BASELINE_INTERVAL)
    if rule.judge == "value":
        return plain
    if rule.kind in OF_DIFFERENCES:
        return _of_difference(rule, runs, plain)
    return Evidence(value, curve=_own_curve(rule, runs))


def _of_two_metrics(rule: Rule, runs: _Runs) -> bool:
    """Whether a rule would hold a distance of one metric against those of another."""
    if runs.baseline is None or rule.kind not in OF_DIFFERENCES:
        return False
    of_distance = rule.metric in AT_THRESHOLD or rule.metric in _DISTANCES
    return of_distance and runs.baseline.metric != runs.candidate.metric


def _missing(rule: Rule, value: float | None, baseline: float | None) -> str | None:
    where = []
    if value is None or not np.isfinite(value):
        where.append("the candidate")
    if rule.kind in OF_DIFFERENCES and (baseline is None or not np.isfinite(baseline)):
        where.append("the baseline")
    if not where:
        return None
    if rule.metric == AT_FAR:
        return f"too few pairs for this FAR in {' and in '.join(where)}"
    return f"missing, or no number, in {' and in '.join(where)}"


def _value(rule: Rule, runs: _Runs, report: Report) -> float | None:
    if rule.metric == AT_FAR:
        assert rule.far is not None
        point = point_at_far(report, rule.far)
        return None if point is None else point.frr
    if rule.metric not in AT_THRESHOLD:
        return reported(report, rule.metric)
    distance = runs.distance(rule)
    assert distance is not None
    if rule.metric == "utility_at_threshold":
        utility = Utility(report.settings.utility, report.settings.c)
        return float(mean_utility(report.counts, np.array([distance]), utility)[0])
    rates = rate_curve(report.counts, report.settings.pool).at(distance)
    return rates[AT_THRESHOLD.index(rule.metric)]


def _of_difference(rule: Rule, runs: _Runs, plain: Evidence) -> Evidence:
    found = _difference(rule, runs, plain)
    if found is None or found.evidence is None:
        reason = None if found is None else found.reason
        return Evidence(plain.value, plain.baseline, plain.difference, reason=reason)
    known = found.evidence
    assert isinstance(known, PairedFigure | ApartFigure)
    own = known.known if isinstance(known, PairedFigure) else known.first
    times = 1.0
    if rule.kind == "max_relative_increase":
        if own.bound_at(1.0 - runs.policy.confidence) <= 0:
            return Evidence(
                plain.value, plain.baseline, plain.difference, reason=NO_BASELINE_INTERVAL
            )
        times += rule.limit
    return Evidence(plain.value, plain.baseline, plain.difference, known.difference(times), own)


def _difference(rule: Rule, runs: _Runs, plain: Evidence) -> Difference | None:
    values = (plain.baseline or 0.0, plain.value or 0.0)
    if rule.metric in AT_THRESHOLD:
        distance = runs.distance(rule)
        assert distance is not None
        better: Better = "higher" if rule.metric == "utility_at_threshold" else "lower"
        figure = rule.metric.removesuffix("_threshold")
        return runs.drawn.at_threshold(distance, rule.metric, figure, better, values)
    for compared in compared_figures(runs.drawn.baseline, runs.far):
        if (compared.metric, compared.target) == (rule.metric, rule.far):
            return runs.drawn.differences([compared])[0]
    return None


def _own_curve(rule: Rule, runs: _Runs) -> ConfidenceCurve | None:
    metric = at_recommended(rule.metric) or rule.metric
    if metric not in AT_THRESHOLD:
        return runs.own.curve(metric, rule.far)
    distance = runs.distance(rule)
    if distance is None:
        return None
    if metric == "utility_at_threshold":
        return runs.own.utility_at(distance)
    return rate_confidence(runs.parts.rates, runs.parts.curve, distance)[AT_THRESHOLD.index(metric)]
