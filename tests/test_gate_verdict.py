"""The verdict: what rules say of known evidence, and what they say together."""

import numpy as np
import pytest
from scipy.special import ndtri

from opiscal.gate.evidence import Evidence
from opiscal.gate.margin import POWER
from opiscal.gate.policy import policy_of
from opiscal.gate.verdict import judge
from opiscal.measures.confidence_curve import LEVELS, ConfidenceCurve
from opiscal.measures.holm import holm

ALPHA = 0.05
Z = float(ndtri(0.95))


def normal(value, error):
    """What is known of a number with a standard error."""
    return ConfidenceCurve(value, value + error * LEVELS)


def rule(kind="max", limit=0.0, **more):
    return {"metric": "opis.value", kind: limit, **more}


def of_difference(difference, error, baseline=1.0, own=None):
    return Evidence(
        baseline + difference, baseline, difference, normal(difference, error),
        None if own is None else normal(baseline, own),
    )  # fmt: skip


def verdict_of(rules, evidence):
    return judge(policy_of({"rule": rules}, "here"), evidence)


@pytest.mark.parametrize(
    ("kind", "limit", "value", "outcome"),
    [
        ("max", 1.0, 1.0 - 1.7, "pass"),
        ("max", 1.0, 1.0 - 1.6, "inconclusive"),
        ("max", 1.0, 1.0 + 1.6, "inconclusive"),
        ("max", 1.0, 1.0 + 1.7, "fail"),
        ("min", 1.0, 1.0 + 1.7, "pass"),
        ("min", 1.0, 1.0 + 1.6, "inconclusive"),
        ("min", 1.0, 1.0 - 1.6, "inconclusive"),
        ("min", 1.0, 1.0 - 1.7, "fail"),
    ],
)
def test_a_limit_is_kept_or_broken_where_a_one_sided_bound_says_so(kind, limit, value, outcome):
    found = verdict_of([rule(kind, limit)], [Evidence(value, curve=normal(value, 1.0))])
    assert found.verdict == outcome
    assert found.rules[0].verdict == outcome
    assert found.rules[0].ci == pytest.approx((value - Z, value + Z), abs=1e-3)


@pytest.mark.parametrize(("kind", "sign"), [("max_increase", 1.0), ("max_decrease", -1.0)])
@pytest.mark.parametrize(
    ("difference", "error", "outcome"),
    [
        # Within limit and margin, shown.
        (0.0, 0.1, "pass"),
        (0.1 + 0.2 - 0.17, 0.1, "pass"),
        (0.1 + 0.2 - 0.16, 0.1, "inconclusive"),
        # Beyond the limit, and shown to be within the margin all the same.
        (0.2, 0.05, "pass"),
        # Beyond the limit, and not shown to be within the margin.
        (0.1 + 0.17, 0.1, "fail"),
        (0.1 + 0.16, 0.1, "inconclusive"),
        (9.0, 0.1, "fail"),
    ],
)
def test_a_change_may_reach_the_limit_and_its_margin(kind, sign, difference, error, outcome):
    evidence = of_difference(sign * difference, error)
    found = verdict_of([rule(kind, 0.1, margin=0.2)], [evidence])
    assert found.verdict == outcome
    assert found.rules[0].margin_from == "given"


def test_a_relative_limit_is_judged_by_its_own_curve():
    evidence = Evidence(1.3, 1.0, 1.3 - 1.1, normal(1.3 - 1.1, 0.05))
    found = verdict_of([rule("max_relative_increase", 0.1, margin=0.0)], [evidence]).rules[0]
    assert found.verdict == "fail"
    assert found.p_breach == pytest.approx(3.2e-5, rel=0.05)


def test_the_margin_is_a_tenth_of_the_baseline_and_at_least_the_noise():
    stretch = Z + float(ndtri(POWER))
    small = verdict_of([rule("max_increase")], [of_difference(0.0, 0.01, 2.0, own=0.1)]).rules[0]
    assert (small.margin, small.margin_from) == (pytest.approx(0.2), "share")
    large = verdict_of([rule("max_increase")], [of_difference(0.0, 0.1, 2.0, own=0.1)]).rules[0]
    assert (large.margin, large.margin_from) == (pytest.approx(0.1 * stretch, rel=1e-3), "noise")
    assert not large.wide_margin
    # A candidate of much noise does not widen its own margin.
    wild = verdict_of([rule("max_increase")], [of_difference(0.0, 3.0, 2.0, own=0.5)]).rules[0]
    assert wild.margin == pytest.approx(2**0.5 * 0.5 * stretch, rel=1e-3)
    assert wild.wide_margin
    limit = verdict_of([rule("max", 5.0)], [Evidence(1.0, curve=normal(1.0, 0.1))]).rules[0]
    assert limit.margin == 0.0
    auto = verdict_of(
        [rule("max", 5.0, margin="auto")], [Evidence(1.0, curve=normal(1.0, 0.1))]
    ).rules[0]
    assert auto.margin == pytest.approx(0.5)


def test_candidates_as_good_as_their_baseline_pass_as_often_as_is_said():
    rng = np.random.default_rng(0)
    draws = 4000
    for worse, at_least, name in ((0.0, 0.915, "pass"), (2.0, 0.999, "fail")):
        margin = (Z + float(ndtri(POWER))) * 1.0
        found = [
            verdict_of([rule("max_increase")], [of_difference(d, 1.0, own=1.0)]).verdict
            for d in worse * margin + rng.standard_normal(draws)
        ]
        assert np.mean([v == name for v in found]) >= at_least


def test_holm_keeps_the_error_of_the_verdict():
    rng = np.random.default_rng(1)
    rules = [rule("max_increase", margin=0.0)] * 5
    draws = 2000
    failed = sum(
        verdict_of(rules, [of_difference(d, 1.0) for d in rng.standard_normal(5)]).verdict == "fail"
        for _ in range(draws)
    )
    # Without a correction 23 % would.
    assert failed / draws < 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5


def test_holm_agrees_with_its_definition():
    rng = np.random.default_rng(2)
    for _ in range(50):
        p = rng.uniform(size=6) ** 3
        order = np.argsort(p)
        rejected = set()
        for step, k in enumerate(order):
            if p[k] > ALPHA / (6 - step):
                break
            rejected.add(int(k))
        found = {k for k, q in enumerate(holm(p.tolist())) if q is not None and q <= ALPHA}
        assert found == rejected
    assert holm([]) == []


def test_one_failed_rule_fails_and_one_unsure_rule_is_inconclusive():
    good, bad = Evidence(0.0, curve=normal(0.0, 0.1)), Evidence(9.0, curve=normal(9.0, 0.1))
    unsure = Evidence(1.0, curve=normal(1.0, 0.1))
    limit, advice = rule("max", 1.0), rule("max", 1.0, level="advisory")
    assert verdict_of([limit, limit], [good, good]).verdict == "pass"
    assert verdict_of([limit, limit, limit], [good, unsure, bad]).verdict == "fail"
    assert verdict_of([limit, limit], [good, unsure]).verdict == "inconclusive"
    found = verdict_of([limit, advice, advice], [good, bad, unsure])
    assert [found.verdict, *(r.verdict for r in found.rules)] == [
        "pass", "pass", "fail", "inconclusive",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(),
        Evidence(reason="too few pairs"),
        Evidence(0.0),
        Evidence(float("nan")),
        Evidence(float("nan"), curve=normal(0.0, 0.1)),
        Evidence(float("inf"), curve=normal(0.0, 0.1)),
        Evidence(0.0, curve=ConfidenceCurve(0.0, np.full(LEVELS.size, np.nan))),
    ],
)
def test_what_is_missing_is_never_a_pass(evidence):
    found = verdict_of([rule("max", 1.0)], [evidence])
    assert found.verdict == "inconclusive"
    assert found.rules[0].reason
    assert "NaN" not in str(found.to_dict())


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
@pytest.mark.parametrize("kind", ["max", "max_increase"])
def test_nor_is_it_where_plain_numbers_are_compared(value, kind):
    evidence = Evidence(value, 1.0 if kind == "max_increase" else None, value)
    found = verdict_of([rule(kind, 1.0, judge="value")], [evidence])
    assert found.verdict == "inconclusive"


def test_plain_numbers_are_compared_as_they_are():
    for kind, value, outcome in (
        ("max", 1.0, "pass"), ("max", 1.1, "fail"), ("min", 1.0, "pass"), ("min", 0.9, "fail"),
    ):  # fmt: skip
        assert verdict_of([rule(kind, 1.0, judge="value")], [Evidence(value)]).verdict == outcome
    for kind, difference, outcome in (
        ("max_increase", 0.1, "pass"), ("max_increase", 0.2, "fail"),
        ("max_decrease", -0.1, "pass"), ("max_decrease", -0.2, "fail"),
    ):  # fmt: skip
        evidence = Evidence(1.0 + difference, 1.0, difference)
        assert verdict_of([rule(kind, 0.1, judge="value")], [evidence]).verdict == outcome


def test_what_nothing_moves_is_compared_as_it_is():
    sure = ConfidenceCurve.sure(0.0)
    evidence = Evidence(1.0, 1.0, 0.0, sure, ConfidenceCurve.sure(1.0))
    assert verdict_of([rule("max_increase", margin=0.0)], [evidence]).verdict == "pass"
    assert verdict_of([rule("max_increase", -0.1, margin=0.0)], [evidence]).verdict == "fail"
