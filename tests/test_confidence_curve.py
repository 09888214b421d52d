"""Confidence curves: intervals and p-values of one figure agree, and are those of the report."""

import numpy as np
import pytest
from counted import counted, reported
from scipy.stats import norm
from test_rate_intervals import toy

from opiscal.errors import UsageError
from opiscal.gate.own_figures import own_figures
from opiscal.measures.confidence_curve import LEAST_P, LEVELS, ConfidenceCurve
from opiscal.measures.rate_confidence import rate_confidence, square_and_add
from opiscal.measures.rate_intervals import rate_intervals
from opiscal.measures.rate_variance import rate_variance
from opiscal.measures.rates import rate_curve
from opiscal.measures.relative_increase import relative_interval


def skewed(value=2.0, size=1.0):
    return ConfidenceCurve(value, value + size * (np.exp(0.3 * LEVELS) - 1) / 0.3)


def test_intervals_and_p_values_of_a_normal_law():
    curve = ConfidenceCurve(1.0, 1.0 + 0.5 * LEVELS)
    for confidence in (0.6, 0.9, 0.95, 0.99):
        half = 0.5 * norm.ppf(0.5 + confidence / 2)
        assert curve.interval(confidence) == pytest.approx((1 - half, 1 + half), abs=1e-4)
    for limit in (-0.5, 0.3, 1.0, 1.8):
        assert curve.p_above(limit) == pytest.approx(norm.cdf((limit - 1) / 0.5), rel=1e-3)
        assert curve.p_below(limit) == pytest.approx(norm.sf((limit - 1) / 0.5), rel=1e-3)


@pytest.mark.parametrize("curve", [skewed(), skewed(-1.0, 0.01), ConfidenceCurve.sure(0.0)])
def test_an_interval_excludes_a_limit_where_its_p_value_says_so(curve):
    for confidence in (0.6, 0.9, 0.95, 0.998):
        level = (1 - confidence) / 2
        low, high = curve.interval(confidence)
        for limit in np.concatenate([np.linspace(-3, 6, 200), [curve.value]]):
            assert (low > limit) == (curve.p_above(limit) < level)
            assert (high < limit) == (curve.p_below(limit) < level)
            expected = 1 if low > limit else -1 if high < limit else 0
            assert curve.side_of(limit, confidence) == expected


def test_flat_stretches_are_no_evidence():
    # Half of all levels have the bound 0, as where a figure ends there.
    curve = ConfidenceCurve(0.5, np.maximum(LEVELS + 0.5, 0.0))
    assert curve.p_above(0.0) == pytest.approx(norm.cdf(-0.5), rel=1e-6)
    assert curve.p_below(0.0) == 1.0
    assert curve.p_above(-1e-9) == LEAST_P
    sure = ConfidenceCurve.sure(3.0)
    assert (sure.p_above(3.0), sure.p_below(3.0)) == (1.0, 1.0)
    assert (sure.p_above(2.9), sure.p_below(3.1)) == (LEAST_P, LEAST_P)


def test_ends_that_do_not_rise_are_made_to_hold_the_value_and_rise():
    def ends(share):
        wave = np.sin(20 * share)
        return 1.0 - wave, 1.0 + wave

    curve = ConfidenceCurve.of_ends(1.0, ends, low=0.2, high=5.0)
    assert np.all(np.diff(curve.bound) >= 0)
    assert curve.bound.min() >= 0.2
    low, high = curve.interval(0.95)
    assert low <= 1.0 <= high
    moved = curve.moved(1.2, 0.1)
    assert moved.value == 1.2
    assert np.all(np.diff(moved.bound) >= 0)
    assert moved.interval(0.6)[0] <= 1.2 <= moved.interval(0.6)[1]


def test_a_confidence_that_is_not_allowed():
    with pytest.raises(UsageError, match="confidence"):
        skewed().interval(0.4)


@pytest.fixture(scope="module")
def report():
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(70), 8)
    tight = rng.lognormal(-0.6, 0.3, 70)[labels, None]
    vectors = rng.standard_normal((70, 6))[labels] + tight * rng.standard_normal((560, 6))
    return reported(vectors, labels.tolist())


def test_own_figures_have_the_intervals_of_the_report(report):
    own = own_figures(report)
    for metric, expected in (
        ("opis.value", report.opis.ci),
        ("opis.corrected", report.opis.corrected_ci),
        ("epsilon_opis.value", report.epsilon_opis.ci),
        ("utility.mean", report.utility.ci),
        ("verification.eer", report.verification.eer_ci),
    ):
        curve = own.curve(metric)
        width = expected[1] - expected[0]
        assert curve.interval(report.confidence) == pytest.approx(expected, abs=2e-3 * width)
    # Where it was not asked for.
    assert own.curve("retrieval.recall_at.1") is None
    assert own.curve("no.such") is None
    frr = own.curve("frr_at_far", 0.01)
    point = report.threshold(far=0.01)
    assert frr.value == point.frr
    # It has the scatter of the threshold in it, which the interval at a given threshold has not.
    low, high = frr.interval(0.95)
    assert high - low > 0.9 * (point.frr_ci[1] - point.frr_ci[0])


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_rates_at_a_threshold_have_the_intervals_of_rate_intervals(confidence):
    counts = counted(*toy([6] * 60 + [1] * 20, 4, spread=0.6, width=6), "l2")
    curve = rate_curve(counts)
    variances = rate_variance(counts, "far"), rate_variance(counts, "frr")
    known = rate_intervals(counts, "pairs", confidence)
    edges = curve.distance
    between = 0.5 * (edges[300] + edges[301])
    for distance in (edges[2], edges[200], edges[edges.size // 2], between, edges[-1], 99.0):
        far, frr = rate_confidence(variances, curve, float(distance))
        at = known.at(float(distance))
        for found, expected in ((far, at.far_ci), (frr, at.frr_ci)):
            width = max(expected[1] - expected[0], 1e-12)
            assert found.interval(confidence) == pytest.approx(expected, abs=3e-3 * width)


def test_square_and_add_is_newcombes_interval():
    # 56 of 70 against 48 of 80, Newcombe 1998, method 10: 0.0524 to 0.3339.
    from opiscal.measures.rate_intervals import wilson_interval

    def rate(k, n):
        ends = [wilson_interval(k / n, n, abs(z)) for z in LEVELS]
        bound = [low if z < 0 else high for (low, high), z in zip(ends, LEVELS, strict=True)]
        return ConfidenceCurve(k / n, np.array(bound, dtype=float))

    found = square_and_add(rate(48, 80), rate(56, 70))
    assert found.interval(0.95) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_relative_intervals_are_the_increases_that_are_not_ruled_out():
    one, other = skewed(2.0, 0.2), skewed(2.6, 0.3)

    def difference(times):
        return square_and_add(one, other, times)

    low, high = relative_interval(difference, one, other.value, 0.95)
    assert low < 0.3 < high
    assert difference(1 + low).bound_at(0.025) == pytest.approx(0.0, abs=2e-3)
    assert difference(1 + high).bound_at(0.975) == pytest.approx(0.0, abs=2e-3)
    # Of the same sides of 0 as the difference itself.
    for confidence in (0.7, 0.9, 0.99):
        ends = relative_interval(difference, one, other.value, confidence)
        assert (ends[0] > 0) == (difference(1.0).interval(confidence)[0] > 0)
    # Where the first may be nothing, any increase may be.
    assert relative_interval(difference, skewed(0.1, 0.2), 0.2, 0.95) is None
