"""Thresholds for targets: what is promised there holds, and the next edge breaks it."""

import math

import numpy as np
import pytest
from counted import counted, exact_sets, reported
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from measure_oracles import curves_on_lattice
from oracles import (
    eer_bracket,
    far,
    frr,
    mean_utility,
    pair_table,
    threshold_for_far,
    threshold_for_frr,
    threshold_for_utility,
)

from opiscal.errors import InconclusiveError, UsageError
from opiscal.measures.operating_points import (
    best_threshold_by_class,
    distance_for_utility,
    distance_on_scale,
    edge_for_eer,
    expected_errors,
    threshold_scales,
)
from opiscal.measures.rates import rate_curve
from opiscal.measures.utility import Utility
from opiscal.report.answers import find_point, is_wide, require_support

POOLS = ("pairs", "classes")
rates = st.floats(0.001, 0.999)


def not_within_rounding(curve, target):
    # The loops add class rates in another order.
    assume(np.abs(np.concatenate([curve.far, curve.frr]) - target).min() > 1e-12)


@pytest.mark.parametrize("pool", POOLS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(exact_sets(), rates)
def test_far_at_most_the_target_and_above_it_at_the_next_edge(pool, data, target):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    curve = rate_curve(counts, pool)
    not_within_rounding(curve, target)
    point = find_point(counts, curve, Utility(), "far", target)
    edges = curve.distance.tolist()
    wanted = threshold_for_far(table, edges, target, pool)
    if wanted is None or target * len(table.pool_negative) < 3 - 1e-9:
        assert not point.supported
        for number in (point.distance, point.similarity, point.far, point.frr, point.utility):
            assert number is None
        with pytest.raises(InconclusiveError, match=f"far {target:g}"):
            require_support(point, curve)
        return
    assert require_support(point, curve) is point
    assert point.distance == wanted
    assert point.far == pytest.approx(far(table, wanted, pool), abs=1e-14)
    assert point.frr == pytest.approx(frr(table, wanted, pool), abs=1e-14)
    assert point.far <= target
    after = edges.index(wanted) + 1
    assert after == len(edges) or far(table, edges[after], pool) > target
    assert is_wide(point, curve) == (target * len(table.pool_negative) < 30)
    assert (point.criterion, point.target) == ("far", target)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(exact_sets(), st.randoms(use_true_random=False))
def test_a_rate_that_occurs_is_reached_and_not_just_missed(data, random):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    curve = rate_curve(counts)
    edges = curve.distance.tolist()
    target = random.choice([x for x in curve.far.tolist() if 0 < x < 1] or [0.5])
    if target * counts.negative >= 3:
        point = find_point(counts, curve, Utility(), "far", target)
        assert point.distance == threshold_for_far(table, edges, target)
    target = random.choice([x for x in curve.frr.tolist() if 0 < x < 1] or [0.5])
    point = find_point(counts, curve, Utility(), "frr", target)
    assert point.distance == threshold_for_frr(table, edges, target)


@pytest.mark.parametrize("pool", POOLS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(exact_sets(), rates)
def test_frr_at_most_the_target_and_above_it_at_the_edge_before(pool, data, target):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    curve = rate_curve(counts, pool)
    not_within_rounding(curve, target)
    point = find_point(counts, curve, Utility(), "frr", target)
    edges = curve.distance.tolist()
    wanted = threshold_for_frr(table, edges, target, pool)
    assert point.supported
    assert point.distance == wanted
    assert point.frr <= target
    assert point.frr == pytest.approx(frr(table, wanted, pool), abs=1e-14)
    before = edges.index(wanted) - 1
    assert before < 0 or frr(table, edges[before], pool) > target


@pytest.mark.parametrize("kind", ["sensitivity-specificity", "precision-recall"])
@settings(max_examples=10, deadline=None, derandomize=True)
@given(exact_sets(), st.sampled_from([1.0, 0.3, 2.0]))
def test_the_best_utility_is_the_loops_best(kind, data, c):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    how = Utility(kind, c)
    point = find_point(counts, rate_curve(counts), how, "utility")
    edges = counts.class_distance.tolist()
    best = threshold_for_utility(table, edges, kind, c)
    height = mean_utility(table, best, kind, c)
    assert point.utility == pytest.approx(height, abs=1e-13)
    assert mean_utility(table, point.distance, kind, c) == pytest.approx(height, abs=1e-13)
    # The smaller distance on a tie, as far as one can be told from rounding.
    lower = [mean_utility(table, d, kind, c) for d in edges if d < point.distance]
    assert all(u < height + 1e-13 for u in lower)
    assert point.exact_at_threshold
    assert point.far == far(table, point.distance)
    assert point.frr == frr(table, point.distance)


def test_the_smaller_distance_on_a_tie():
    # Utility is 1 from the last positive pair, at 1, to the first negative one, at 10.
    counts = counted([[0], [1], [11], [12]], [0, 0, 1, 1], "l2")
    distance = distance_for_utility(counts, Utility())
    assert distance == counts.class_distance[np.searchsorted(counts.class_distance, 1.0)]
    point = find_point(counts, rate_curve(counts), Utility(), "utility")
    assert (point.far, point.frr, point.utility) == (0.0, 0.0, 1.0)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(exact_sets(), st.floats(0.2, 2), st.floats(0.2, 2))
def test_the_best_utility_inside_a_range(data, one, other):
    vectors, classes, metric = data
    low, high = sorted((one, other))
    assume(high > low)
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    edges = counts.class_distance.tolist()
    at = [low, *(d for d in edges if low < d < high), high]
    heights = np.mean(curves_on_lattice(table, edges, at), axis=0)
    found = distance_for_utility(counts, Utility(), (low, high))
    assert low <= found <= high
    assert heights[at.index(found)] == pytest.approx(heights.max(), abs=1e-13)


@pytest.mark.parametrize("pool", POOLS)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(exact_sets())
def test_eer_is_where_the_rates_are_closest(pool, data):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    curve = rate_curve(counted(vectors, classes, metric), pool)
    edges = curve.distance.tolist()
    gaps = [abs(far(table, d, pool) - frr(table, d, pool)) for d in edges]
    chosen = edge_for_eer(curve)
    assert gaps[chosen] == pytest.approx(min(gaps), abs=1e-14)
    # On one side of the crossing or the other.
    below, above = eer_bracket(table, edges, pool)
    near = [edges.index(d) for d in (below, above) if d is not None]
    assert any(curve.far[chosen] == pytest.approx(curve.far[k], abs=1e-14) for k in near)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(exact_sets(), st.integers(0, 2**32))
def test_at_a_threshold_in_use(data, seed):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    curve = rate_curve(counts)
    class_edges = counts.class_distance.tolist()
    for d in class_edges[:: max(1, len(class_edges) // 20)]:
        point = find_point(counts, curve, Utility(), "at", d)
        assert point.exact_at_threshold
        assert (point.far, point.frr) == (far(table, d), frr(table, d))
        assert point.utility == pytest.approx(mean_utility(table, d), abs=1e-13)
        assert (point.criterion, point.target, point.distance) == ("at", d, d)
    for d in np.random.default_rng(seed).uniform(0, 2, 5).tolist():
        point = find_point(counts, curve, Utility(), "at", d)
        if not point.exact_at_threshold:
            # Interpolated: between what the pool edges on either side found.
            k = int(np.searchsorted(curve.distance, d))
            after = min(k, curve.distance.size - 1)
            assert curve.far[k - 1] <= point.far <= curve.far[after]
            assert curve.frr[after] <= point.frr <= curve.frr[k - 1]
        wanted = np.mean(curves_on_lattice(table, class_edges, [d]))
        assert point.utility == pytest.approx(wanted, abs=1e-12)


def test_at_a_pool_edge_rates_are_counted_and_the_utility_is_marked():
    rng = np.random.default_rng(5)
    classes = np.arange(120) % 8
    vectors = rng.normal(size=(8, 6))[classes] + rng.normal(size=(120, 6))
    counts = counted(vectors, classes)
    curve = rate_curve(counts)
    only_pool = np.setdiff1d(np.arange(curve.distance.size), counts.class_edge)
    edge = int(only_pool[np.searchsorted(curve.far[only_pool], 0.05)])
    point = find_point(counts, curve, Utility(), "at", float(curve.distance[edge]))
    assert (point.far, point.frr) == (curve.far[edge], curve.frr[edge])
    assert not point.exact_at_threshold


@pytest.mark.parametrize("at", [-1e-9, math.nan, math.inf, -math.inf, 1e200])
def test_a_distance_that_is_not_allowed(at):
    report = reported([[0], [1], [5], [6]], [0, 0, 1, 1], "l2", range="distance=1:5")
    with pytest.raises(UsageError, match="must be between 0 and") as caught:
        report.threshold(at=at)
    assert repr(at) in str(caught.value)


# Support


def test_the_third_expected_false_accept_counts():
    # 3e-4 of 10,000 pairs is 2.9999999999999996 to a computer.
    counts = counted(np.arange(8)[:, None], [0, 0, 0, 0, 1, 1, 1, 1], "l2")
    curve = rate_curve(counts)
    assert counts.negative == 16
    for target, errors in ((3 / 16, 3.0), (0.1875, 3.0), (0.18, 2.88)):
        assert expected_errors(curve, "far", target) == pytest.approx(errors, abs=0)
        assert find_point(counts, curve, Utility(), "far", target).supported == (errors >= 3)
    assert expected_errors(curve, "frr", 0.25) == 3.0


@pytest.mark.parametrize("rows", [7, 12, 20, 31, 44, 57])
def test_the_far_that_an_error_advises_is_supported(rows):
    counts = counted(np.arange(2 * rows)[:, None] % 13, np.repeat([0, 1], rows), "l2")
    curve = rate_curve(counts)
    with pytest.raises(InconclusiveError, match=r"ask for ([0-9.e-]+) or more") as caught:
        require_support(find_point(counts, curve, Utility(), "far", 1e-6), curve)
    advised = float(str(caught.value).split("ask for ")[1].split(" or more")[0])
    assert 3 <= expected_errors(curve, "far", advised) < 3.5


def test_a_far_that_no_threshold_reaches_is_unsupported():
    # Half of the negative pairs are identical rows.
    vectors = np.repeat([[0.0], [50.0]], 10, axis=0)
    counts = counted(vectors, [0, 1] * 10, "l2")
    curve = rate_curve(counts)
    point = find_point(counts, curve, Utility(), "far", 0.3)
    assert not point.supported
    assert point.distance is None
    with pytest.raises(InconclusiveError, match=r"no threshold reaches it.*accepts 0.5 of"):
        require_support(point, curve)


def test_a_class_has_a_best_threshold_of_its_own():
    vectors, classes = [[0], [1], [40], [44], [100], [120]], [0, 0, 1, 1, 2, 2]
    table = pair_table(vectors, classes, "l2")
    counts = counted(vectors, classes, "l2")
    edges = counts.class_distance.tolist()
    curves = curves_on_lattice(table, edges, edges)
    wanted = [edges[int(np.argmax(curve))] for curve in curves]
    assert best_threshold_by_class(counts, Utility()).distance.tolist() == wanted
    assert wanted == sorted(wanted)


# Scales


@settings(deadline=None, derandomize=True)
@given(st.floats(0, 2))
def test_the_four_scales_are_one_threshold(distance):
    scales = threshold_scales(distance, "cosine")
    assert scales["distance"] == distance
    assert scales["squared_l2"] == pytest.approx(distance**2, rel=1e-14)
    assert scales["cosine_distance"] == pytest.approx(distance**2 / 2, rel=1e-14)
    assert scales["similarity"] == pytest.approx(1 - distance**2 / 2, abs=1e-14)
    for scale in ("similarity", "distance", "cosine-distance", "squared-l2"):
        back = distance_on_scale(scale, scales[scale.replace("-", "_")], "cosine")
        # Near 1 a similarity says little of the distance.
        assert back**2 == pytest.approx(distance**2, abs=1e-14)


def test_similarities_of_binary_rows_come_out_as_they_are():
    # sqrt(3)^2 is 2.9999999999999996: -0.5 would be printed as -0.499999999, which accepts none
    # of the pairs at -0.5.
    for width in (4, 16, 64, 256, 1024):
        for k in range(width + 1):
            half = 2 * k / width
            scales = threshold_scales(math.sqrt(2 * half), "cosine")
            assert scales["similarity"] == 1 - half
            assert scales["cosine_distance"] == half
            assert scales["squared_l2"] == 2 * half
    assert math.copysign(1, threshold_scales(math.sqrt(2), "cosine")["similarity"]) == 1


def test_a_similarity_given_in_few_digits_comes_back():
    for percent in range(-99, 100):
        s = percent / 100
        back = threshold_scales(distance_on_scale("similarity", s, "cosine"), "cosine")
        assert back["similarity"] == s


def test_l2_has_no_cosine_scale():
    assert threshold_scales(3.0, "l2") == {
        "similarity": None, "distance": 3.0, "cosine_distance": None, "squared_l2": 9.0,
    }  # fmt: skip
    assert distance_on_scale("squared-l2", 9.0, "l2") == 3.0
    with pytest.raises(UsageError, match=r"under l2 it must be one of distance, squared-l2"):
        distance_on_scale("similarity", 0.5, "l2")


@pytest.mark.parametrize(
    ("scale", "value"),
    [("similarity", 1.1), ("similarity", -1.1), ("distance", 2.1), ("cosine-distance", -0.1),
     ("squared-l2", 5.0), ("distance", math.nan)],
)  # fmt: skip
def test_a_value_outside_its_scale(scale, value):
    with pytest.raises(UsageError, match=f"{scale} .*must lie between"):
        distance_on_scale(scale, value, "cosine")


def test_an_unknown_scale():
    with pytest.raises(UsageError, match=r"'cosine'.*similarity, distance, cosine-distance"):
        distance_on_scale("cosine", 0.5, "cosine")
