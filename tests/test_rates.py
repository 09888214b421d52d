"""FAR and FRR equal the loops at every edge, pooled and as means over classes."""

import numpy as np
import pytest
from counted import counted, exact_sets
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import accepted_on_lattice
from oracles import accepted, class_far, class_frr, far, frr, pair_table

from opiscal.measures.rates import RateCurve, class_counts_at, rate_curve

POOLS = ("pairs", "classes")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(exact_sets())
def test_rates_equal_the_loops_at_every_edge(data):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    pooled = rate_curve(counts)
    # Integers over integers: the same double, not one near it.
    distances = pooled.distance.tolist()
    assert pooled.far.tolist() == [far(table, d) for d in distances]
    assert pooled.frr.tolist() == [frr(table, d) for d in distances]
    means = rate_curve(counts, "classes")
    distances = means.distance.tolist()
    np.testing.assert_allclose(means.far, [far(table, d, "classes") for d in distances], atol=1e-14)
    np.testing.assert_allclose(means.frr, [frr(table, d, "classes") for d in distances], atol=1e-14)
    for pool in POOLS:
        curve = rate_curve(counts, pool)
        assert (curve.positive, curve.negative) == (
            len(table.pool_positive),
            len(table.pool_negative),
        )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(exact_sets())
def test_far_rises_and_frr_falls_to_the_last_bit(data):
    # Thresholds are found by bisection: one step back in the sixteenth digit would break it.
    counts = counted(*data)
    for pool in POOLS:
        curve = rate_curve(counts, pool)
        assert np.all(np.diff(curve.distance) > 0)
        assert np.all(np.diff(curve.far) >= 0)
        assert np.all(np.diff(curve.frr) <= 0)
        assert curve.far.min() >= 0
        assert curve.frr.max() <= 1
        assert (curve.far[-1], curve.frr[-1]) == (1.0, 0.0)


def test_class_means_end_at_one_and_zero_for_many_classes_of_odd_sizes():
    # 1/T (n_1/n_1 + ... ) by a matrix product ends at 0.9999999999999998, and no threshold then
    # has an FRR of 0.
    rng = np.random.default_rng(0)
    classes = rng.permutation(np.repeat(np.arange(61), rng.integers(2, 12, 61)))
    counts = counted(rng.integers(-9, 10, (classes.size, 3)), classes, "l2")
    curve = rate_curve(counts, "classes")
    assert (curve.far[-1], curve.frr[-1]) == (1.0, 0.0)
    assert np.all(np.diff(curve.far) >= 0)
    assert np.all(np.diff(curve.frr) <= 0)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(exact_sets(), st.integers(0, 2**32))
def test_class_counts_between_edges_are_on_straight_lines(data, seed):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    edges = counts.class_distance.tolist()
    rng = np.random.default_rng(seed)
    at = np.sort(rng.uniform(0.0, 1.1 * edges[-1], 30))
    found = class_counts_at(counts, at)
    for slot, c in enumerate(table.scored):
        for ascending, got in (
            (table.positive[c], found.positive[slot]),
            (table.negative[c], found.negative[slot]),
        ):
            wanted = [accepted_on_lattice(ascending, edges, float(d)) for d in at]
            np.testing.assert_allclose(got, wanted, atol=1e-9)
    # Beyond the last edge everything is accepted and nothing interpolated.
    assert found.exact[at > edges[-1]].all()
    assert not found.exact[(at > 0) & (at < edges[1])].any()


@settings(max_examples=15, deadline=None, derandomize=True)
@given(exact_sets())
def test_class_counts_at_edges_are_whole_numbers(data):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    # A printed threshold differs in the tenth digit; it still is that edge.
    for shift in (1.0, 1.0 - 1e-8, 1.0 + 1e-8):
        found = class_counts_at(counts, counts.class_distance * shift)
        assert found.exact.all()
        for slot, c in enumerate(table.scored):
            wanted = [accepted(table.negative[c], d) for d in counts.class_distance.tolist()]
            assert found.negative[slot].tolist() == wanted
            wanted = [accepted(table.positive[c], d) for d in counts.class_distance.tolist()]
            assert found.positive[slot].tolist() == wanted


def test_rates_of_one_class_are_those_of_its_pairs():
    vectors = [[0], [1], [3], [4], [8], [9], [9]]
    classes = [0, 0, 1, 1, 1, 2, -1]
    table = pair_table(vectors, classes, "l2")
    counts = counted(vectors, classes, "l2")
    found = class_counts_at(counts, counts.class_distance)
    for slot, c in enumerate(table.scored):
        d = counts.class_distance.tolist()
        got = found.negative[slot] / counts.negatives_of_class[slot]
        assert got.tolist() == [class_far(table, c, x) for x in d]
        got = 1.0 - found.positive[slot] / counts.positives_of_class[slot]
        np.testing.assert_allclose(got, [class_frr(table, c, x) for x in d], atol=1e-15)


def test_at_an_edge_counted_between_interpolated():
    curve = RateCurve(
        distance=np.array([0.0, 0.5, 1.0]),
        far=np.array([0.0, 0.1, 1.0]),
        frr=np.array([1.0, 0.2, 0.0]),
        positive=10,
        negative=100,
    )
    assert curve.at(0.5) == (0.1, 0.2)
    # What nine digits leave of an edge is that edge.
    assert curve.at(0.5 + 5e-9) == (0.1, 0.2)
    assert curve.at(0.5 - 5e-9) == (0.1, 0.2)
    assert curve.at(0.5 - 1e-7) != (0.1, 0.2)
    assert curve.at(0.75) == pytest.approx((0.55, 0.1))
    assert curve.at(7.0) == (1.0, 0.0)
    assert curve.edge_at(0.75) is None
    assert curve.edge_at(0.0) == 0
    assert curve.edge_at(1e-12) is None


def test_both_pools_agree_where_all_classes_have_one_size():
    # Of T classes of n rows each negative pair stands in two rows of n (N - n): the mean of the
    # rates is the pooled rate.
    rng = np.random.default_rng(1)
    classes = rng.permutation(np.repeat(np.arange(7), 6))
    counts = counted(rng.integers(-5, 6, (42, 2)), classes, "l2")
    pooled, means = rate_curve(counts), rate_curve(counts, "classes")
    np.testing.assert_allclose(means.far, pooled.far[counts.class_edge], rtol=1e-14)
    np.testing.assert_allclose(means.frr, pooled.frr[counts.class_edge], atol=1e-14)
