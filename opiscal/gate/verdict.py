r"""The verdict of a gate: what rules say of the evidence, and what all of them say together.

A rule with ``judge = "interval"`` asks two one-sided questions of one confidence curve, that of the
candidate's number (``max``, ``min``) or that of its difference from the baseline's:

==========================================  ======================================================
it **passes**                               where the data show less than ``limit + margin``
it **fails**                                where they do not, and show more than ``limit``
it is **inconclusive**                      otherwise, and where there is no evidence
==========================================  ======================================================

(with ``min`` and ``max_decrease`` the other way round.) A change that is shown, but also shown to
be within the margin, passes: that is what a margin is for.

**Of several rules.** The verdict fails where a required rule fails, and with :math:`k` required
rules any of them could do so by chance: their p-values of a breach are corrected by Holm's method,
so that a candidate within all limits *fails* with a probability of at most
:math:`\alpha = 1 - confidence`, whatever the dependence of the rules. The verdict passes where
every required rule does. To pass, a candidate that is beyond a limit and its margin would have to
be taken for compliant by that very rule, which happens with a probability of at most
:math:`\alpha`, however many others pass too (an intersection-union test): there a correction would
only make more candidates inconclusive. Advisory rules are judged each by itself and change nothing.

What a margin is by default: `opiscal.gate.margin`.

References
----------
Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics
1979; Berger, Multiparameter hypothesis testing and acceptance sampling, Technometrics 1982,
doi:10.1080/00401706.1982.10487790, for intersection-union tests.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from opiscal.data.url import shown
from opiscal.gate.evidence import Evidence
from opiscal.gate.margin import Source, direction, margin_of
from opiscal.gate.policy import OF_DIFFERENCES, Policy, Rule
from opiscal.measures.confidence_curve import LEAST_P, ConfidenceCurve
from opiscal.measures.holm import holm

Outcome = Literal["pass", "fail", "inconclusive"]
Inconclusive = Literal["fail", "pass"]
"""What an inconclusive verdict is taken for."""

WIDE_MARGIN = 0.5
"""A margin that is more than this part of what it is compared with is pointed out."""


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What one rule says.

    Attributes
    ----------
    rule : Rule
    verdict : "pass", "fail" or "inconclusive"
    reason : str
        In words.
    value, baseline, difference : float or None
    ci : pair of float or None
        The lower and the upper bound of the value, or of the difference, each at the stated
        confidence by itself: what the two questions were answered from, before Holm's correction.
    margin : float or None
        None for plain numbers.
    margin_from : "given", "share" or "noise", or None
        Where the margin comes from: the policy, the 10 %, or the noise.
    p_breach : float or None
        That the breach is chance, corrected over the required rules; of an advisory one as it is.
    p_comply : float or None
        That a number within limit and margin is chance.
    missing : bool
        Whether a number is not in a report, or is none: that is more than too few data.
    """

    rule: Rule
    verdict: Outcome
    reason: str
    value: float | None = None
    baseline: float | None = None
    difference: float | None = None
    ci: tuple[float, float] | None = None
    margin: float | None = None
    margin_from: Source | None = None
    p_breach: float | None = None
    p_comply: float | None = None
    missing: bool = False

    @property
    def wide_margin(self) -> bool:
        """Whether the noise makes its margin more than half of what it is compared with."""
        reference = self.baseline if self.rule.kind in OF_DIFFERENCES else self.rule.limit
        if self.margin is None or reference is None or self.margin_from != "noise":
            return False
        return self.margin > WIDE_MARGIN * abs(reference)

    def taken_as(self, inconclusive: Inconclusive | None) -> Outcome:
        """The verdict, where an inconclusive one is taken for another; a missing number never
        passes.
        """
        if self.verdict != "inconclusive" or inconclusive is None:
            return self.verdict
        return "inconclusive" if inconclusive == "pass" and self.missing else inconclusive

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        rule = self.rule
        return {
            "metric": rule.metric,
            "far": rule.far,
            "threshold": None if rule.threshold is None else shown(rule.threshold),
            "level": rule.level,
            "judge": rule.judge,
            "kind": rule.kind,
            "limit": rule.limit,
            "margin": self.margin,
            "margin_from": self.margin_from,
            "value": self.value,
            "baseline": self.baseline,
            "difference": self.difference,
            "ci": None if self.ci is None else list(self.ci),
            "p_breach": self.p_breach,
            "p_comply": self.p_comply,
            "verdict": self.verdict,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all rules say together."""

    verdict: Outcome
    confidence: float
    rules: tuple[RuleVerdict, ...]

    def taken_as(self, inconclusive: Inconclusive | None) -> Outcome:
        """The verdict, where inconclusive rules are taken for others (`RuleVerdict.taken_as`)."""
        return _together(
            rule.taken_as(inconclusive) for rule in self.rules if rule.rule.level == "required"
        )

    def to_dict(self) -> dict[str, Any]:
        """The document of ``gate --json``."""
        return {
            "verdict": self.verdict,
            "confidence": self.confidence,
            "rules": [rule.to_dict() for rule in self.rules],
        }


def judge(policy: Policy, evidence: Sequence[Evidence]) -> Verdict:
    """Judge the evidence, one for each rule in order.

    Parameters
    ----------
    policy : Policy
    evidence : sequence of Evidence

    Examples
    --------
    >>> from opiscal.gate.policy import policy_of
    >>> from opiscal.measures.confidence_curve import LEVELS
    >>> policy = policy_of({"rule": [{"metric": "opis.value", "max": 0.02}]}, "here")
    >>> known = [ConfidenceCurve(x, x + 0.002 * LEVELS) for x in (0.01, 0.019, 0.03)]
    >>> [judge(policy, [Evidence(c.value, curve=c)]).verdict for c in known]
    ['pass', 'inconclusive', 'fail']
    """
    questions = [
        _Question.of(rule, found, policy.confidence)
        for rule, found in zip(policy.rules, evidence, strict=True)
    ]
    required = [
        k for k, rule in enumerate(policy.rules)
        if rule.level == "required" and rule.judge == "interval"
    ]  # fmt: skip
    breach = [question.p_breach for question in questions]
    for k, p in zip(required, holm([breach[k] for k in required]), strict=True):
        breach[k] = p
    rules = tuple(
        question.answered(p, policy.confidence)
        for question, p in zip(questions, breach, strict=True)
    )
    verdict = _together(rule.verdict for rule in rules if rule.rule.level == "required")
    return Verdict(verdict, policy.confidence, rules)


def _together(required: Iterable[Outcome]) -> Outcome:
    """Of the required rules; none at all is no pass."""
    outcomes = set(required)
    if "fail" in outcomes:
        return "fail"
    return "pass" if outcomes == {"pass"} else "inconclusive"


@dataclass(frozen=True, slots=True)
class _Question:
    """One rule with its evidence, and the two p-values that it is judged by."""

    rule: Rule
    found: Evidence
    margin: float | None = None
    margin_from: Source | None = None
    p_breach: float | None = None
    p_comply: float | None = None

    @classmethod
    def of(cls, rule: Rule, found: Evidence, confidence: float) -> "_Question":
        curve = found.curve
        if rule.judge == "value" or curve is None or _number(found.value) is None:
            return cls(rule, found)
        upwards = _upwards(curve, rule)
        limit = _upwards_limit(rule)
        margin, source = margin_of(rule, curve, found.baseline, found.own, confidence)
        return cls(
            rule,
            found,
            margin,
            source,
            p_breach=_p_above(upwards, limit),
            p_comply=_p_within(upwards, limit + margin),
        )

    def answered(self, p_breach: float | None, confidence: float) -> RuleVerdict:
        verdict, reason = self._outcome(p_breach, confidence)
        found, curve = self.found, self.found.curve
        ci = None
        if self.p_comply is not None and curve is not None:
            ci = curve.bound_at(1.0 - confidence), curve.bound_at(confidence)
        return RuleVerdict(
            rule=self.rule,
            verdict=verdict,
            reason=reason,
            value=_number(found.value),
            baseline=_number(found.baseline),
            difference=_number(found.difference),
            ci=ci,
            margin=self.margin,
            margin_from=self.margin_from,
            p_breach=p_breach,
            p_comply=self.p_comply,
            missing=found.missing or (found.reason is None and self._no_number()),
        )

    def _no_number(self) -> bool:
        judged = self.found.difference if self.rule.kind in OF_DIFFERENCES else self.found.value
        return _number(self.found.value) is None or _number(judged) is None

    def _outcome(self, p_breach: float | None, confidence: float) -> tuple[Outcome, str]:
        rule, found = self.rule, self.found
        if found.reason is not None:
            return "inconclusive", found.reason
        if self._no_number():
            return "inconclusive", "the number is missing, or is none"
        if rule.judge == "value":
            judged = found.difference if rule.kind in OF_DIFFERENCES else found.value
            beyond = direction(rule) * (judged or 0.0) > _upwards_limit(rule)
            return ("fail", "beyond the limit") if beyond else ("pass", "within the limit")
        if p_breach is None or self.p_comply is None:
            return "inconclusive", "it has no interval here; judge = 'value' compares plain numbers"
        alpha = 1.0 - confidence
        level = f"{100 * confidence:g} %"
        within = "the limit" if self.margin == 0 else "the limit and its margin"
        if self.p_comply <= alpha:
            return "pass", f"shown to be within {within} ({level})"
        if p_breach <= alpha:
            return "fail", f"shown to be beyond the limit (p = {p_breach:.2g}, by Holm's method)"
        return "inconclusive", (
            f"neither a breach (p = {p_breach:.2g}) nor a number within {within} "
            f"(p = {self.p_comply:.2g}) is shown at {level}; more classes or rows narrow the bounds"
        )


def _upwards_limit(rule: Rule) -> float:
    """The limit on the axis along which more is worse; a relative one is in the difference."""
    if rule.kind == "max_relative_increase":
        return 0.0
    return -rule.limit if rule.kind == "min" else rule.limit


def _upwards(curve: ConfidenceCurve, rule: Rule) -> ConfidenceCurve:
    return curve if direction(rule) > 0 else _turned(curve)


def _turned(curve: ConfidenceCurve) -> ConfidenceCurve:
    return ConfidenceCurve(-curve.value, -curve.bound[::-1])


def _p_above(curve: ConfidenceCurve, limit: float) -> float:
    """The p-value against "at most the limit"; of a number that nothing moves a plain answer."""
    if np.isnan(curve.bound).any() or np.isnan(limit):
        return 1.0
    if _sure(curve):
        return LEAST_P if curve.value > limit else 1.0
    return curve.p_above(limit)


def _p_within(curve: ConfidenceCurve, limit: float) -> float:
    """The p-value against "above the limit"."""
    if np.isnan(curve.bound).any() or np.isnan(limit):
        return 1.0
    if _sure(curve):
        return LEAST_P if curve.value <= limit else 1.0
    return curve.p_below(limit)


def _sure(curve: ConfidenceCurve) -> bool:
    return bool(curve.bound[0] == curve.bound[-1])


def _number(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
