"""The margin of a rule: how far beyond its limit a number still passes.

**The margin** that ``auto`` means is 10 % of the baseline's number (of the limit, for ``max`` and
``min``), and at least the *noise*: the stretch from the lower bound at 95 % to the upper bound
at the stated confidence, of what is judged: some 3.3 standard errors. A candidate as good as its
baseline then passes a rule with a probability of 95 % or more, and four required rules, which the
built-in policy has, with one of at least 80 %; one that is worse by twice the margin is six
standard errors away, and fails; unless few classes made it worse, which makes the difference unsure
(``benchmarks/gate_errors.py``). Two draws of the baseline itself would differ by the root of 2 of
its own noise: the margin is never more because of the noise of a candidate. Half the width of the
baseline's own interval would not do in place of the noise: what makes it wide is mostly which
classes were drawn, which both runs share. It is 1.5 to 2 standard errors of the difference on
Omniglot, too few to pass, and 4 to 6.5 on Banking77, more than needed. Where the noise is the
margin, "within the margin" says no more than the data can; see
`opiscal.gate.verdict.RuleVerdict.wide_margin`.
"""

from typing import Literal

from opiscal.gate.policy import OF_DIFFERENCES, Rule
from opiscal.measures.confidence_curve import ConfidenceCurve

Source = Literal["given", "share", "noise"]

POWER = 0.95
"""How often a candidate as good as its baseline passes a rule whose margin is the noise."""

USUAL_MARGIN = 0.1
"""Margin as a part of the baseline's number, or of the limit."""


def margin_of(
    rule: Rule,
    curve: ConfidenceCurve,
    baseline: float | None,
    own: ConfidenceCurve | None,
    confidence: float,
) -> tuple[float, Source]:
    """The margin of a rule, and whether it was given, is the usual share, or is the noise.

    Parameters
    ----------
    rule : Rule
    curve : ConfidenceCurve
        What is known of the candidate's number, or of the difference.
    baseline : float or None
        The baseline's number, and in `own` what is known of it by itself.
    own : ConfidenceCurve or None
    confidence : float

    Examples
    --------
    >>> from opiscal.gate.policy import policy_of
    >>> from opiscal.measures.confidence_curve import LEVELS
    >>> table = {"rule": [{"metric": "opis.value", "max_increase": 0.0}]}
    >>> (rule,) = policy_of(table, "here").rules
    >>> known, own = ConfidenceCurve(0.0, 0.001 * LEVELS), ConfidenceCurve(0.02, 0.02 + LEVELS)
    >>> margin, source = margin_of(rule, known, 0.02, own, 0.95)
    >>> round(margin, 5), source
    (0.00329, 'noise')
    """
    if isinstance(rule.margin, float | int):
        return float(rule.margin), "given"
    of_difference = rule.kind in OF_DIFFERENCES
    if rule.margin is None and not of_difference:
        return 0.0, "given"
    reference = baseline if of_difference else rule.limit
    share = USUAL_MARGIN * abs(reference or 0.0)
    noise = _stretch(curve, confidence, direction(rule))
    if of_difference and own is not None:
        # As if it were the baseline drawn again: candidates do not widen their own margin.
        most = 2.0**0.5 * max(_stretch(own, confidence, side) for side in (1.0, -1.0))
        noise = min(noise, most)
    return (noise, "noise") if noise > share else (share, "share")


def direction(rule: Rule) -> float:
    """1 where more than the limit breaks a rule, -1 where less does."""
    return -1.0 if rule.kind in ("min", "max_decrease") else 1.0


def _stretch(curve: ConfidenceCurve, confidence: float, side: float) -> float:
    """From the bound that the truth is beyond with `POWER` to that of the stated confidence."""
    if side < 0:
        return curve.bound_at(POWER) - curve.bound_at(1.0 - confidence)
    return curve.bound_at(confidence) - curve.bound_at(1.0 - POWER)
