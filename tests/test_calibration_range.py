"""The calibration range: its ends against the loops, in every kind and either order."""

import math

import numpy as np
import pytest
from counted import counted, exact_sets, reported
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from measure_oracles import curves_on_lattice, opis_of
from oracles import calibration_range, far, frr, pair_table

from opiscal.errors import InconclusiveError, UsageError
from opiscal.measures.calibration_range import RangeSpec, find_range
from opiscal.measures.rates import rate_curve

rates = st.floats(0.001, 0.999)


@pytest.mark.parametrize("pool", ["pairs", "classes"])
@pytest.mark.parametrize("kind", ["far", "frr"])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(exact_sets(), rates, rates)
def test_ends_in_far_and_frr_equal_the_loops(kind, pool, data, one, other):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    curve = rate_curve(counts, pool)
    edges = curve.distance.tolist()
    rate = far if kind == "far" else frr
    if pool == "classes":
        # The loops add the same rates in another order: not within rounding of what is asked.
        seen = np.array([rate(table, d, pool) for d in edges])
        assume(np.abs(seen[:, None] - [one, other]).min() > 1e-12)
    wanted = calibration_range(table, edges, kind, one, other, pool)
    for ends in ((one, other), (other, one)):
        spec = RangeSpec.parse(f"{kind}={ends[0]!r}:{ends[1]!r}")
        if wanted is None:
            with pytest.raises(InconclusiveError, match="no threshold has a FAR"):
                find_range(curve, spec, metric)
            continue
        found = find_range(curve, spec, metric)
        assert (found.low, found.high) == wanted
        assert found.collapsed == (wanted[0] == wanted[1])
        assert found.far == pytest.approx([far(table, d, pool) for d in wanted], abs=1e-14)
        assert found.frr == pytest.approx([frr(table, d, pool) for d in wanted], abs=1e-14)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(exact_sets())
def test_an_frr_of_zero_and_a_far_of_zero_are_ranges(data):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    for pool in ("pairs", "classes"):
        curve = rate_curve(counts, pool)
        edges = curve.distance.tolist()
        for kind in ("far", "frr"):
            wanted = calibration_range(table, edges, kind, 0.0, 1.0, pool)
            spec = RangeSpec.parse(f"{kind}=0:1")
            if wanted is None:
                with pytest.raises(InconclusiveError):
                    find_range(curve, spec, metric)
            else:
                found = find_range(curve, spec, metric)
                assert (found.low, found.high) == wanted


def test_an_asked_frr_of_zero_in_class_means():
    rng = np.random.default_rng(0)
    classes = rng.permutation(np.repeat(np.arange(61), rng.integers(2, 12, 61)))
    vectors = rng.integers(-9, 10, (classes.size, 3))
    found = reported(vectors, classes, "l2", pool="classes", range="frr=0:0.2").calibration_range
    # The farthest positive pair is accepted at the upper end, and only there.
    assert found.frr[1] == 0.0
    assert found.distance[1] > found.distance[0] > 0
    assert 0.15 < found.frr[0] <= 0.2


def test_distances_and_similarities_are_taken_as_they_are():
    rng = np.random.default_rng(2)
    vectors, classes = rng.choice([-1, 1], (40, 16)), np.arange(40) % 5
    table = pair_table(vectors.tolist(), classes.tolist())
    for given_, (low, high) in {
        "distance=0.5:1.25": (0.5, 1.25),
        "distance=1.25:0.5": (0.5, 1.25),
        "similarity=0.875:0.5": (0.5, 1.0),
        "similarity=0.5:0.875": (0.5, 1.0),
        "similarity=-1:1": (0.0, 2.0),
    }.items():
        report = reported(vectors, classes, range=given_)
        found = report.calibration_range
        assert found.given == given_
        assert found.distance == pytest.approx((low, high), abs=1e-15)
        assert found.similarity == pytest.approx((1 - low**2 / 2, 1 - high**2 / 2), abs=1e-15)
        # 1.0 and 0.5 are distances that pairs have, and edges: rates are counted there.
        for k, d in enumerate(found.distance):
            if report.counts.distance[np.searchsorted(report.counts.distance, d)] == d:
                assert found.far[k] == far(table, d)
                assert found.frr[k] == frr(table, d)


def test_a_range_without_width_gives_the_integrand_at_its_low_end():
    rng = np.random.default_rng(3)
    vectors, classes = rng.integers(-3, 4, (60, 2)).tolist(), (np.arange(60) % 12).tolist()
    for given_ in ("far=0.05:0.05", "frr=0.5:0.5", "distance=2:2"):
        for integration in ("exact", "grid:11"):
            report = reported(vectors, classes, "l2", range=given_, integration=integration)
            low, high = report.calibration_range.distance
            assert low == high
            assert [notice.code for notice in report.warnings] == [
                "range_collapsed",
                "recommended_at_range_end",
            ]
            assert given_ in report.warnings[0].message
            table = pair_table(vectors, classes, "l2")
            edges = report.counts.class_distance.tolist()
            curves = curves_on_lattice(table, edges, [low])
            assert report.opis.value == pytest.approx(opis_of(curves, [low]), abs=1e-14)
            assert report.recommended_threshold.distance == low
            assert report.utility.mean == pytest.approx(np.mean(curves), abs=1e-14)


def test_an_end_that_does_not_exist_is_inconclusive():
    # Every negative pair is at distance 0: no threshold accepts less than all of them.
    vectors = [[1.0, 0.0]] * 8
    with pytest.raises(InconclusiveError, match=r"'far=0.01:0.1'.*FAR of 0.01.*accepts 1 of"):
        reported(vectors, [0, 0, 1, 1, 2, 2, 3, 3])
    # With a third of them there, 0.4 exists and 0.3 does not.
    vectors = [[0], [9], [0], [90]]
    counts = counted(vectors, [0, 0, 1, 1], "l2")
    curve = rate_curve(counts)
    assert curve.far[0] == 0.25
    assert find_range(curve, RangeSpec.parse("far=0.25:0.6"), "l2").far[0] == 0.25
    with pytest.raises(InconclusiveError, match=r"FAR of 0.2 or less.*0.25 of the negative"):
        find_range(curve, RangeSpec.parse("far=0.6:0.2"), "l2")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "far",
        "far=0.1",
        "far=0.1:",
        "far=0.1:0.2:0.3",
        "fpr=0.1:0.2",
        "far=a:b",
        "far=0.1:1.5",
        "far=-0.1:0.5",
        "frr=0:2",
        "far=nan:0.1",
        "distance=-1:1",
        "distance=0:inf",
        "similarity=0:1.01",
    ],
)
def test_a_range_that_is_not_allowed(text):
    with pytest.raises(UsageError) as caught:
        RangeSpec.parse(text)
    assert repr(text) in str(caught.value)
    assert "must" in str(caught.value)


def test_a_range_that_the_metric_does_not_have():
    with pytest.raises(UsageError, match=r"similarity is known under cosine only; give distance"):
        RangeSpec.parse("similarity=0.1:0.2").distances("l2")
    with pytest.raises(UsageError, match=r"'distance=0:3'.*between 0 and 2"):
        RangeSpec.parse("distance=0:3").distances("cosine")
    assert RangeSpec.parse("distance=0:3").distances("l2") == (0.0, 3.0)
    low, high = RangeSpec.parse("similarity=0.28:0.68").distances("cosine")
    assert (low, high) == pytest.approx((0.8, 1.2))
    assert math.isclose(1 - low**2 / 2, 0.68)
