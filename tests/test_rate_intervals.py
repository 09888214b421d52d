"""Intervals of FAR and FRR: the paper's double loop, the rules near zero errors, and coverage."""

from dataclasses import replace

import numpy as np
import pytest
from counted import counted, exact_sets
from hypothesis import given, settings
from interval_oracles import (
    bound_from_above,
    class_pair_errors,
    far_shape,
    far_variance_parts,
    frr_variance,
    wilson,
)
from oracles import accepted, pair_table
from scipy.special import ndtri, stdtrit

from opiscal.errors import UsageError
from opiscal.measures.class_influence import class_influence
from opiscal.measures.class_pairs import class_pair_part, class_pair_squares
from opiscal.measures.guarantee import guaranteed_edge, support
from opiscal.measures.rate_intervals import rate_intervals, wilson_interval
from opiscal.measures.rate_shape import RateShape
from opiscal.measures.rate_variance import rate_variance
from opiscal.measures.rates import rate_curve
from opiscal.pairs.counts import PairCounts

POOLS = ("pairs", "classes")


def toy(sizes, seed=0, spread=1.0, width=3):
    """Rows about random centres; class ``i`` has ``sizes[i]`` of them."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(len(sizes)), sizes)
    centres = rng.standard_normal((len(sizes), width))
    return centres[classes] + spread * rng.standard_normal((classes.size, width)), classes.tolist()


def made(class_negative, class_positive, class_rows, distance, pool_negative=None, rows=None):
    """PairCounts from the counts of the classes alone; every edge a class edge."""
    class_negative, class_positive = np.asarray(class_negative), np.asarray(class_positive)
    class_rows = np.asarray(class_rows)
    edges = np.arange(len(distance))
    if pool_negative is None:
        pool_negative = class_negative.sum(axis=0) // 2
    return PairCounts(
        metric="l2",
        rows=int(class_rows.sum()) if rows is None else rows,
        distractors=0,
        labels=tuple(range(len(class_rows))),
        class_rows=class_rows,
        distance=np.asarray(distance, dtype=float),
        class_edge=edges,
        moment_edge=edges,
        pool_positive=class_positive.sum(axis=0),
        pool_negative=np.asarray(pool_negative),
        class_positive=class_positive,
        class_negative=class_negative,
        positive_squares=np.zeros(class_negative.shape, np.int64),
        negative_squares=np.zeros(class_negative.shape, np.int64),
        products=np.zeros(class_negative.shape, np.int64),
    )


def edges_to_look_at(counts, many=7):
    inside = np.flatnonzero(
        (counts.pool_negative[counts.class_edge] > 0)
        & (counts.pool_negative[counts.class_edge] < counts.negative)
    )
    return inside[np.unique(np.linspace(0, inside.size - 1, many).astype(int))]


@pytest.mark.parametrize(
    "sizes", [(2, 3, 8, 2, 7), (16, 2, 2, 2, 2, 2, 2), (4, 4, 4, 4), (7, 3, 3, 3)]
)
def test_far_variance_is_the_double_loop_over_class_pairs(sizes):
    vectors, classes = toy(sizes)
    counts = counted(vectors, classes, "l2")
    plain = rate_variance(replace(counts, class_pairs=None), "far")
    known = rate_variance(counts, "far")
    edges = counts.class_pairs.edge
    inside = edges[(known.rate[edges] > 0) & (known.rate[edges] < 1)]
    assert inside.size >= 2
    for edge in inside:
        found = class_pair_errors(vectors, classes, counts.class_distance[edge], "l2")
        p, pairs, rows, within, shared = far_variance_parts(found)
        floor = p * (1 - p) * pairs
        # The row sums are the double loop: every pair of class pairs that share a class, and those
        # that share both once more.
        assert rows - within == pytest.approx(shared, rel=1e-12, abs=1e-9)
        assert plain.rate[edge] == p
        assert plain.class_part[edge] * pairs**2 == pytest.approx(rows, rel=1e-12)
        assert plain.variance[edge] * pairs**2 == pytest.approx(max(rows, floor), rel=1e-12)
        expected = max(rows - within, within, floor)
        assert known.variance[edge] * pairs**2 == pytest.approx(expected, rel=1e-9)
        assert known.variance[edge] <= plain.variance[edge] * (1 + 1e-12)
    # Beyond the edges where the sum is known the variance is that without it.
    after = slice(int(edges[-1]) + 1, None)
    np.testing.assert_array_equal(known.variance[after], plain.variance[after])


@pytest.mark.parametrize("sizes", [(9, 9, 5, 1, 1), (12, 1, 3)])
def test_rows_of_no_class_are_class_pairs_of_their_own(sizes):
    vectors, classes = toy(sizes)
    vectors, classes = [*vectors.tolist(), [0, 1, 0], [2, 2, 0]], [*classes, -1, -1]
    counts = counted(vectors, classes, "l2")
    squares = class_pair_squares(counts)
    assert squares.max() > 0.5
    for edge, square in zip(counts.class_pairs.edge, squares, strict=True):
        found = class_pair_errors(vectors, classes, counts.class_distance[edge], "l2")
        assert square == pytest.approx(far_variance_parts(found)[3], rel=1e-12, abs=1e-9)


def test_between_the_edges_where_it_is_known_the_sum_is_near_the_truth():
    vectors, classes = toy([6] * 20, spread=0.7)
    counts = counted(vectors, classes, "l2")
    plain = rate_variance(replace(counts, class_pairs=None), "far")
    part = class_pair_part(counts, plain.rate, plain.class_part)
    last = counts.class_pairs.edge[-1]
    assert np.isnan(part[last + 1 :]).all()
    looked = np.flatnonzero(plain.rate[: last + 1] > 0.01)
    for edge in looked[:: max(1, looked.size // 12)]:
        found = class_pair_errors(vectors, classes, counts.class_distance[edge], "l2")
        _, pairs, _, within, _ = far_variance_parts(found)
        assert part[edge] * pairs**2 == pytest.approx(within, rel=0.15)


def test_the_shape_of_the_scatter_is_that_of_the_class_pairs():
    vectors, classes = toy([5, 4, 7, 3, 6] * 8, spread=0.8)
    counts = counted(vectors, classes, "l2")
    found = rate_variance(counts, "far")
    accepted = counts.pool_negative[counts.class_edge]
    edges = counts.class_pairs.edge[accepted[counts.class_pairs.edge] >= 30]
    assert edges.size >= 5
    freedoms = []
    for edge in edges:
        pairs = class_pair_errors(vectors, classes, counts.class_distance[edge], "l2")
        skewness, curvature, freedom = far_shape(pairs)
        assert found.shape.skewness[edge] == pytest.approx(skewness, rel=1e-9)
        assert found.shape.curvature[edge] == pytest.approx(curvature, rel=1e-9)
        limited = min(max(freedom, 4.0), counts.classes - 1.0)
        assert found.shape.freedom[edge] == pytest.approx(limited, rel=1e-9)
        freedoms.append(freedom)
    assert max(freedoms) > 4
    np.testing.assert_array_equal(found.shape.leverage, 1.0)
    # Without the single class pairs each class is taken for itself.
    sums = replace(counts.class_pairs, by_accepted=None, by_pairs=None)
    plain = rate_variance(replace(counts, class_pairs=sums), "far").shape
    np.testing.assert_array_equal(plain.skewness, found.shape.skewness)
    assert not plain.curvature.any()
    assert np.all(plain.freedom[edges] >= found.shape.freedom[edges])


@pytest.mark.parametrize("classes", [2, 3, 5, 12])
def test_few_classes_have_few_degrees_of_freedom(classes):
    # Equal rates of equal classes: their scatter looks sure, but is of so few.
    counts = counted(*toy([20] * classes, spread=0.8), "l2")
    for rate in ("far", "frr"):
        freedom = rate_variance(counts, rate).shape.freedom
        assert np.all(freedom <= classes - 1)
        assert np.all(freedom >= min(4, classes - 1))
    at = rate_intervals(counts).at(float(np.median(counts.class_distance)))
    assert 0 <= at.far_ci[0] <= at.far_ci[1] <= 1
    assert 0 <= at.frr_ci[0] <= at.frr_ci[1] <= 1


def test_sums_over_class_pairs_that_are_not_there_are_not_made_up():
    counts = replace(counted(*toy([8] * 3), "l2"), class_pairs=None)
    with pytest.raises(UsageError, match="class pairs of 3 classes"):
        class_pair_squares(counts)


def test_large_classes_pull_the_rate_towards_themselves():
    counts = made([[5, 9]] * 3, [[3, 6], [20, 28], [60, 190]], [4, 8, 20], [1, 2])
    found = rate_variance(counts, "frr")
    pairs = np.array([6, 28, 190])
    rejected = (pairs - [3, 20, 60]) / pairs
    p = (pairs - [3, 20, 60]).sum() / pairs.sum()
    share = pairs / pairs.sum()
    moved = share * (rejected - p)
    assert share[2] > 0.5
    left = 1 - np.minimum(share, 0.5)
    expected = np.sqrt(((moved / left) ** 2).sum() / (moved**2).sum())
    np.testing.assert_allclose(found.shape.leverage, expected)
    plain = replace(found.shape, leverage=np.ones(2))
    at = found.rate, np.full(2, 50.0), 0.9
    for wide, narrow in zip(
        found.shape.interval_reach(*at), plain.interval_reach(*at), strict=True
    ):
        np.testing.assert_allclose(wide, expected * narrow)
    np.testing.assert_allclose(found.shape.bound_reach(*at), expected * plain.bound_reach(*at))


def shaped(skewness=0.0, curvature=0.0, freedom=1e7, most=1e7):
    return RateShape(*(np.array([x]) for x in (skewness, curvature, freedom, 1.0)), most)


def test_ends_are_moved_up_by_what_the_wilson_interval_lacks():
    # Hall's term for a skewed mean, where the Wilson interval has next to none of its own.
    shape = shaped(0.3, 0.1)
    below, above = shape.interval_reach(np.array([0.5]), np.array([400.0]), 0.975)
    z = ndtri(0.975)
    shift = 0.3 * (2 * z**2 + 1) / 6 + 0.1 * (z**2 + 1) / 2
    assert (float(below[0]), float(above[0])) == pytest.approx((z - shift, z + shift), rel=1e-6)
    # A skewness that the Wilson interval has by itself moves nothing, nor does a negative one.
    rate, number = np.array([1e-3]), np.array([40_000.0])
    own = (1 - 2e-3) / np.sqrt(1e-3 * (1 - 1e-3) * 40_000)
    for skewness in (own, -0.5):
        below, above = shaped(skewness).interval_reach(rate, number, 0.975)
        assert float(below[0]) == pytest.approx(z, rel=1e-6)
        assert float(above[0]) == pytest.approx(z, rel=1e-6)
    # However skewed: at most twice as far up, at least half as far down.
    below, above = shaped(50.0).interval_reach(rate, number, 0.975)
    assert (float(below[0]), float(above[0])) == pytest.approx((z / 2, 2 * z), rel=1e-6)


@pytest.mark.parametrize(("freedom", "most", "interval"), [(4, 99, 6), (4, 4, 4), (8, 99, 8)])
def test_bounds_have_as_few_degrees_of_freedom_as_found_and_intervals_six(freedom, most, interval):
    shape = shaped(freedom=freedom, most=most)
    at = np.array([0.5]), np.array([400.0]), 0.95
    assert float(shape.bound_reach(*at)[0]) == pytest.approx(stdtrit(freedom, 0.95))
    below, above = shape.interval_reach(*at)
    assert (float(below[0]), float(above[0])) == pytest.approx((stdtrit(interval, 0.95),) * 2)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(exact_sets(distractors=False))
def test_frr_variance_is_the_sum_over_classes(data):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    found = rate_variance(counts, "frr")
    for edge, d in enumerate(counts.class_distance.tolist()):
        pairs = [len(table.positive[c]) for c in table.scored]
        errors = [
            m - accepted(table.positive[c], d) for c, m in zip(table.scored, pairs, strict=True)
        ]
        p = sum(errors) / sum(pairs)
        truth = max(frr_variance(errors, pairs), p * (1 - p) / sum(pairs))
        assert found.variance[edge] == pytest.approx(truth, rel=1e-9, abs=1e-15)


def test_single_rows_scatter_no_less_than_the_double_loop_has_it():
    # Classes of one row have no counts of their own. Their part is taken from the rows of the
    # others; over many sets it must not be less than the loops find with every row known.
    ratios = []
    for seed in range(12):
        vectors, classes = toy([4] * 8 + [1] * 16, seed)
        counts = counted(vectors, classes, "l2")
        found = rate_variance(counts, "far")
        for edge in edges_to_look_at(counts, 3)[1:2]:
            pairs = class_pair_errors(vectors, classes, counts.class_distance[edge], "l2")
            _, total, rows, _, _ = far_variance_parts(pairs)
            ratios.append(found.variance[edge] * total**2 / rows)
            assert found.class_part[edge] < found.variance[edge]
    assert 0.95 < np.mean(ratios) < 1.5


def test_mean_of_class_rates_of_equal_classes_varies_as_the_pool():
    counts = replace(counted(*toy([4] * 12, spread=0.7), "l2"), class_pairs=None)
    pooled, means = (rate_variance(counts, "far", pool) for pool in POOLS)
    np.testing.assert_allclose(means.rate, pooled.rate, rtol=1e-12)
    np.testing.assert_allclose(means.variance, pooled.variance, rtol=1e-9)
    for pool in POOLS:
        assert class_influence(counts, "far", pool).pairs == pytest.approx(counts.negative)
        assert class_influence(counts, "far", pool).independent == pytest.approx(6.0)


def test_wilson_interval_is_where_the_score_test_turns():
    for p, n, z in [(0.0, 40, 1.96), (0.01, 300, 1.645), (0.5, 7, 2.5), (1.0, 12, 1.96)]:
        low, high = wilson_interval(p, n, z)
        assert (float(low), float(high)) == pytest.approx(wilson(p, n, z), abs=1e-9)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("seed", range(4))
def test_upper_bounds_are_monotone_and_hold_the_rates(pool, seed):
    counts = counted(*toy([2, 3, 9, 4, 2, 30, 2, 5], seed), "l2")
    found = rate_intervals(counts, pool)
    curve = rate_curve(counts, pool)
    raw = wilson_interval(curve.far, found.far_number, found.far_reach.bound)[1].tolist()
    assert found.far_bound.tolist() == bound_from_above(raw)
    assert np.any(np.diff(raw) < 0), "a bound that rises by itself tests nothing"
    assert np.all(np.diff(found.far_bound) >= 0)
    assert np.all(np.diff(found.far_high) >= 0)
    assert np.all(np.diff(found.frr_bound) <= 0)
    assert np.all(np.diff(found.frr_high) <= 0)
    for low, rate, high, bound in (
        (found.far_low, curve.far, found.far_high, found.far_bound),
        (found.frr_low, curve.frr, found.frr_high, found.frr_bound),
    ):
        assert np.all((low >= 0) & (low <= rate) & (rate <= bound) & (bound <= high) & (high <= 1))


def test_below_thirty_accepted_pairs_the_design_effect_is_carried_down():
    counts = counted(*toy([6] * 14, 3), "l2")
    variance = rate_variance(counts, "far")
    at_edges = counts.pool_negative[counts.class_edge]
    first = int(np.argmax(at_edges >= 30))
    assert first > 0
    p = variance.rate
    own = variance.variance[first] * counts.negative / (p[first] * (1 - p[first]))
    assert own > 1
    np.testing.assert_allclose(variance.design_effect[: first + 1], own, rtol=1e-12)
    # For FRR it is carried up, past the edge with 30 rejected.
    frr = rate_variance(counts, "frr")
    rejected = counts.positive - counts.pool_positive[counts.class_edge]
    last = int(np.flatnonzero(rejected >= 30)[-1])
    assert last < frr.rate.size - 1
    assert np.unique(frr.design_effect[last:]).size == 1
    assert np.all(variance.design_effect >= 1)


def test_design_effect_is_never_below_one_and_the_number_never_below_half_the_classes():
    # Counts that differ less than independent pairs would: the effect stays 1.
    even = made(np.tile([40, 380], (20, 1)), np.tile([1, 1], (20, 1)), [2] * 20, [1, 2],
                pool_negative=[400, 760])  # fmt: skip
    assert rate_variance(even, "far").design_effect.tolist() == [1.0, 1.0]
    # No edge with 30 accepted pairs: nothing is known but that half the classes share nothing.
    bare = made(np.tile([0, 76], (20, 1)), np.tile([0, 1], (20, 1)), [2] * 20, [1, 2])
    assert rate_variance(bare, "far").effective_number(np.ones(1)) == pytest.approx(10.0)
    at = rate_intervals(bare).at(1.0)
    z = float(ndtri(0.95))
    assert at.far_bound == pytest.approx(z * z / (10 + z * z))
    assert at.far_ci[0] == 0.0


SMALL = {
    "two classes": (toy([3, 3]), "l2"),
    "three rows a class": (toy([3] * 9), "l2"),
    "zero errors": (toy([4] * 5, spread=1e-3), "l2"),
    "all alike": (([[0, 0, 0]] * 12, [0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3]), "l2"),
    "two rows each": (toy([2, 2]), "l2"),
    "giant among tiny": (toy([200] + [2] * 120), "l2"),
    "singletons": (toy([2, 2] + [1] * 40), "l2"),
}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("name", SMALL)
def test_intervals_of_small_and_lopsided_sets_are_finite_and_ordered(name, pool):
    data, metric = SMALL[name]
    counts = counted(*data, metric)
    found = rate_intervals(counts, pool)
    assert np.all(found.far_number >= 0.5)
    assert np.all(found.far_number <= counts.negative * (1 + 1e-12))
    edges = found.curve.distance
    for d in [0.0, *edges[:: max(edges.size // 50, 1)], *((edges[1:] + edges[:-1]) / 2)[::97]]:
        at, (far, frr) = found.at(float(d)), found.curve.at(float(d))
        for (low, high), bound, rate in (
            (at.far_ci, at.far_bound, far),
            (at.frr_ci, at.frr_bound, frr),
        ):
            assert 0 <= low <= rate <= bound <= high <= 1


def test_distractors_are_rows_of_no_class():
    vectors, classes = toy([4] * 8)
    without = counted(vectors, classes, "l2")
    rng = np.random.default_rng(1)
    more = np.concatenate([vectors, rng.standard_normal((40, 3))])
    counts = counted(more, classes + [-1] * 40, "l2")
    found = rate_intervals(counts)
    assert found.single_rows == 40
    assert rate_intervals(without).single_rows == 0
    assert np.all(np.isfinite(found.far_high))
    # Distractors pair with eight classes only, however many they are.
    assert class_influence(counts, "far").independent <= 8


def test_no_pairs_no_interval():
    one = made([[0, 0]], [[1, 3]], [3], [1, 2])
    assert rate_intervals(one) is None


@pytest.mark.parametrize("confidence", [0.5, 1.0, 95.0, -0.1, float("nan")])
def test_confidence_must_be_a_share(confidence):
    counts = counted(*toy([3, 3]), "l2")
    with pytest.raises(UsageError, match=r"above 0\.5 and below 1"):
        rate_intervals(counts, confidence=confidence)


def test_guaranteed_edge_is_the_largest_whose_bound_meets_the_target():
    found = rate_intervals(counted(*toy([8] * 40, spread=0.4), "l2"))
    for target in (0.5, 0.2, 0.05, 0.02):
        edge = guaranteed_edge(found, target)
        assert found.far_bound[edge] <= target
        assert edge + 1 == found.far_bound.size or found.far_bound[edge + 1] > target
        assert found.curve.far[edge] < target
    assert guaranteed_edge(found, 0.0) is None
    assert guaranteed_edge(found, 1.0) == found.far_bound.size - 1
    looser = rate_intervals(counted(*toy([8] * 40, spread=0.4), "l2"), confidence=0.8)
    assert guaranteed_edge(looser, 0.05) > guaranteed_edge(found, 0.05)
    with pytest.raises(UsageError, match="between 0 and 1"):
        guaranteed_edge(found, 1.5)


def test_support_counts_expected_false_accepts_of_the_effective_number():
    counts = counted(*toy([8] * 40, spread=0.4), "l2")
    found = rate_intervals(counts)
    far = 0.05
    edge = int(np.flatnonzero(found.curve.far <= far)[-1])
    number = found.far_number[edge]
    assert number < counts.negative
    assert support(found, far).expected == pytest.approx(far * number)
    # Below the smallest edge with any accepted pair the number is one and the same.
    smallest = found.far_number[0]
    assert found.curve.far[0] == 0.0
    below = {e: e / smallest for e in (2.9, 3.1)}
    assert [support(found, far).standing for far in below.values()] == ["unsupported", "wide"]
    wide, enough = (found.curve.far[int(np.argmax(found.curve.far * found.far_number > e))]
                    for e in (25, 35))  # fmt: skip
    assert [support(found, far).standing for far in (wide, enough)] == ["wide", "supported"]
    lacking = support(found, 1.0 / smallest)
    assert lacking.times == pytest.approx(3.0)
    assert lacking.classes_factor >= 1.7
    assert support(found, 0.0).standing == "unsupported"
    assert support(found, 0.0).times == np.inf
    enough = support(found, 0.2)
    assert (enough.times, enough.classes_factor, enough.rows_factor) == (1.0, 1.0, 1.0)


def test_intervals_cover_where_independent_pairs_would_not():
    # Classes lie on a line, near its middle more often than not: a class in the middle is confused
    # with many. The FAR at a threshold is that of two draws from the population.
    rng = np.random.default_rng(5)
    T, n, threshold, draws = 100, 4, 0.05, 300
    sample = rng.standard_normal((2, 2_000_000)) + 0.1 * rng.standard_normal((2, 2_000_000))
    truth = np.mean(np.abs(sample[0] - sample[1]) <= threshold)
    held = naive = broken = 0
    classes = np.repeat(np.arange(T), n)
    for _ in range(draws):
        x = rng.standard_normal(T)[classes] + 0.1 * rng.standard_normal(T * n)
        near = np.abs(x[:, None] - x[None, :]) <= threshold
        of = near.reshape(T, n, T, n).sum(axis=(1, 3))
        own = (np.diagonal(of) - n) // 2
        negative = of.sum(axis=1) - np.diagonal(of)
        pairs = n * (T - 1) * n
        counts = made(
            np.stack([negative, np.full(T, pairs)], axis=1),
            np.stack([own, np.full(T, n * (n - 1) // 2)], axis=1),
            [n] * T,
            [threshold, 10.0],
        )
        at = rate_intervals(counts).at(threshold)
        held += at.far_ci[0] <= truth <= at.far_ci[1]
        broken += at.far_bound < truth
        low, high = wilson_interval(rate_curve(counts).far[0], counts.negative, 1.96)
        naive += low <= truth <= high
    assert naive < 0.8 * draws
    assert 0.92 * draws <= held <= 0.995 * draws
    assert broken <= 0.075 * draws
