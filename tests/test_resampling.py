"""Intervals by resampling classes: the variance of the paper, explicit weights, seeds, coverage."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from counted import counted
from interval_oracles import weighted_figures
from scipy.special import stdtrit
from test_rate_intervals import SMALL, made, toy

import opiscal
from opiscal.errors import UsageError
from opiscal.measures.calibration_range import RangeSpec, find_range
from opiscal.measures.class_curves import ClassCurves, EpsilonChoice, UtilityNoise
from opiscal.measures.class_weights import weighted_sums
from opiscal.measures.operating_points import (
    distance_for_utility,
    edge_for_eer,
    edge_for_far,
    edge_for_frr,
)
from opiscal.measures.opis import Integration, epsilon_opis, mean_over_range, opis
from opiscal.measures.rate_intervals import rate_intervals
from opiscal.measures.rate_variance import rate_variance
from opiscal.measures.rates import rate_curve
from opiscal.measures.replicate_curves import class_columns
from opiscal.measures.replicate_ends import AcceleratedEnds, ClassMoves
from opiscal.measures.resampling import resampled_intervals
from opiscal.measures.resampling_nodes import MovingEnds, place_nodes
from opiscal.measures.spread_ends import SpreadEnds
from opiscal.measures.threshold_interval import threshold_interval
from opiscal.measures.utility import Utility, class_utility
from opiscal.measures.utility_bias import utility_bias

FARS = (0.1, 0.03, 0.01)


def clustered(classes=60, rows=8, seed=0, width=5):
    """Classes of unequal density about unequal places, as those of real sets."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), rows)
    centres = rng.standard_normal((classes, width)) * rng.lognormal(0, 0.3, classes)[:, None]
    tight = rng.lognormal(-0.7, 0.4, classes)[labels]
    vectors = centres[labels] + tight[:, None] * rng.standard_normal((labels.size, width))
    return counted(vectors, labels.tolist(), "l2")


@pytest.fixture(scope="module")
def counts():
    return clustered()


def resampled(counts, given="far=0.01:0.1", utility=None, pool="pairs", **settings):
    spec = RangeSpec.parse(given)
    calibration = find_range(rate_curve(counts, pool), spec, counts.metric)
    return resampled_intervals(
        counts, utility or Utility(), spec, calibration, pool=pool, **settings
    )


def all_intervals(found):
    """Every interval by name."""
    out = {f"far {x:g}": ends for x, ends in found.threshold.far}
    out |= {f"frr {x:g}": ends for x, ends in found.threshold.frr}
    for name in ("eer", "utility", "recommended"):
        out[f"threshold {name}"] = getattr(found.threshold, name)
    for name in (
        "range_low", "range_high", "eer", "mean_utility", "opis", "corrected_opis", "epsilon_opis",
    ):  # fmt: skip
        if getattr(found, name) is not None:
            out[name] = getattr(found, name)
    return out


def some_noise(counts, size=1e-4):
    distance = counts.class_distance[:: max(counts.class_edge.size // 20, 1)]
    rng = np.random.default_rng(9)
    return UtilityNoise(distance, size * rng.uniform(0.5, 1.5, (counts.classes, distance.size)))


def replicates_of(counts, pool="pairs", choice=None, noise=None, number=2000):
    spec = RangeSpec.parse("far=0.01:0.1")
    rates = rate_variance(counts, "far", pool), rate_variance(counts, "frr", pool)
    calibration = find_range(rate_curve(counts, pool), spec, counts.metric)
    spread = np.sqrt(rates[0].rate * (1 - rates[0].rate) / 50)
    nodes = place_nodes(
        counts.class_distance, rates[0].rate, rates[1].rate, calibration,
        MovingEnds(rates[0].rate, spread, 0.01, 0.1),
    )  # fmt: skip
    columns = class_columns(counts, rates, Utility(), nodes, choice or EpsilonChoice(), noise)
    sums = weighted_sums(columns.gram(), number, 3)
    return (
        rates,
        nodes,
        SimpleNamespace(
            distance=columns.distance, replicates=columns.moved(sums.shift), base=columns.base()
        ),
    )


def accelerated_ends(values, value, sums, pivots, share, largest_skew=0.15):
    moves = ClassMoves.of(values, sums, pivots)
    return AcceleratedEnds.of(values, value, moves, largest_skew).at(share)


def spread_ends(values, value, plain, sums, pivots, share):
    return SpreadEnds.of(values, value, plain, ClassMoves.of(values, sums, pivots)).at(share)


@pytest.mark.parametrize("pool", ["pairs", "classes"])
@pytest.mark.parametrize("sizes", ["equal", "unequal", "singletons"])
def test_replicate_variance_of_rates_is_that_of_their_intervals(pool, sizes):
    rng = np.random.default_rng(2)
    T = 150
    of = {
        "equal": [6] * T,
        "unequal": np.maximum(2, rng.lognormal(1.6, 0.6, T)).astype(int).tolist(),
        "singletons": [6] * (T - 30) + [1] * 200,
    }[sizes]
    counts = counted(*toy(of, 4, spread=0.6, width=6), "l2")
    rates, nodes, curves = replicates_of(counts, pool)
    for rate, found in zip(rates, (curves.replicates.far, curves.replicates.frr), strict=True):
        p = rate.rate[nodes.edge]
        number = rate.effective_number(rate.distance[nodes.edge])
        expected = p * (1 - p) / number
        # Where a rate is known to 15 %: beyond, log odds and rates differ in their variance.
        known = np.sqrt(expected) < 0.15 * np.minimum(p, 1 - p)
        assert known.sum() > 25
        np.testing.assert_allclose(found.var(axis=0)[known], expected[known], rtol=0.05)


def test_curves_equal_explicit_class_weights_to_first_order():
    # Weights near 1, where first order is all there is: for each class a replicate that weighs it
    # a little more, against the weighted figures themselves.
    counts = clustered(20, 6, seed=3)
    utility, step = Utility(), 1e-4
    rates, nodes, _ = replicates_of(counts)
    parts = ClassCurves.of(counts, rates, utility, nodes, EpsilonChoice(), None)
    at = counts.class_distance[nodes.edge][nodes.window]
    curves = class_utility(counts, at, utility)
    T = counts.classes
    mean0, spread0 = weighted_figures([1.0] * T, curves.tolist(), at.tolist())
    _, weights = Integration().nodes(at, at[0], at[-1])
    for i in (0, 7, 19):
        weighed = [1.0 + step * (c == i) for c in range(T)]
        mean, spread = weighted_figures(weighed, curves.tolist(), at.tolist())
        moved = parts.utility_of[i, nodes.window] @ weights
        assert (mean - mean0) / step == pytest.approx(moved, rel=2e-3, abs=1e-9)
        moved = parts.spread_of[i] @ weights
        assert (spread - spread0) / step * T / (T - 1) == pytest.approx(moved, rel=2e-3, abs=1e-9)
    assert parts.mean[nodes.window] @ weights == pytest.approx(mean0, rel=1e-12)
    assert parts.spread @ weights == pytest.approx(spread0 * T / (T - 1), rel=1e-12)


def test_pooled_far_moves_as_accepted_over_pairs_with_weights():
    counts = clustered(20, 6, seed=3)
    rates, nodes, _ = replicates_of(counts)
    step = 1e-5
    node = int(np.argmax(rates[0].rate[nodes.edge] > 0.05))
    edge = nodes.edge[node]
    accepted, own = counts.class_negative[:, edge], counts.negatives_of_class
    pool = counts.pool_negative[counts.class_edge[edge]]
    for i in (0, 11):
        ratio = (pool + step * accepted[i]) / (counts.negative + step * own[i])
        moved = rates[0].influence.weight[i] * (accepted[i] / own[i] - rates[0].rate[edge])
        assert (ratio - pool / counts.negative) / step == pytest.approx(moved, rel=1e-3)


def test_weighted_sums_have_the_covariance_of_drawn_weights():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40, 3)) @ rng.standard_normal((3, 12))
    found = weighted_sums(x.T @ x, 2000, seed=5)
    assert found.direction.shape == (2000, 3)
    np.testing.assert_allclose(found.shift.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.shift.T @ found.shift / 2000, x.T @ x, rtol=1e-9, atol=1e-9)
    # What each class moves a column by is the column itself.
    moves = found.direction.T @ found.shift[:, 7] / 2000
    np.testing.assert_allclose(x[:, found.pivot] @ (found.to_class @ moves), x[:, 7], atol=1e-9)
    none = weighted_sums(np.zeros((4, 4)), 1000, seed=0)
    assert np.all(none.shift == 0)


def test_quantiles_are_those_of_explicitly_drawn_normal_weights(counts):
    # Every replicate by hand: weights, weighted curves, the range found anew on the class edges.
    # Without the class pairs, which say that the variance of so few classes is unsure.
    counts = replace(counts, class_pairs=None)
    utility = Utility()
    found_far = rate_variance(counts, "far")
    edges = counts.class_distance
    far_of = counts.class_negative / counts.negatives_of_class[:, None]
    curves = class_utility(counts, edges, utility)
    p = found_far.rate
    kept = curves.mean(axis=0)
    slope = (class_utility_at_far(counts, curves, far_of, 1e-6) - curves).mean(axis=0) / 1e-6
    scale = np.sqrt(
        p * (1 - p) / found_far.effective_number(edges) / found_far.class_part.clip(1e-30)
    )
    rng = np.random.default_rng(17)
    values = []
    for _ in range(3000):
        w = rng.standard_normal(counts.classes)
        move = scale * ((w * found_far.influence.weight) @ (far_of - p))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            odds = p / (1 - p) * np.exp(move / (p * (1 - p)))
            far = np.where((p > 0) & (p < 1), odds / (1 + odds), p)
        mean = kept + w @ (curves - kept) / counts.classes + slope * move / 2
        far = np.maximum.accumulate(far)
        low, high = (np.interp(x, far[(far > 0) & (far < 1)], edges[(far > 0) & (far < 1)])
                     for x in (0.01, 0.1))  # fmt: skip
        at = np.linspace(low, high, 200)
        values.append((low, high, np.interp(at, edges, mean).mean()))
    found = resampled(counts)
    for name, drawn in zip(
        ("range_low", "range_high", "mean_utility"), np.array(values).T, strict=True
    ):
        low, high = getattr(found, name)
        wide = high - low
        by_hand = np.quantile(drawn, [0.025, 0.975])
        # Student's quantiles and the skewness of classes are not in the plain quantiles.
        assert low == pytest.approx(by_hand[0], abs=0.12 * wide)
        assert high == pytest.approx(by_hand[1], abs=0.12 * wide)


def class_utility_at_far(counts, curves, far_of, more):
    """The curves where every class has a little more FAR."""
    sens = counts.class_positive / counts.positives_of_class[:, None]
    spec = 1 - far_of - more
    return np.divide(2 * sens * spec, sens + spec, out=np.zeros_like(curves), where=sens + spec > 0)


def test_mean_utility_moves_with_the_whole_of_far():
    # Classes that differ in FAR only: half of a move of the pooled FAR is in their own rows, half
    # comes from them as the other side of pairs, and mean utility must follow all of it.
    rng = np.random.default_rng(4)
    T, negatives = 80, 10 * 790
    level = rng.uniform(0.5, 1.5, (T, 1))
    false = np.round(level * negatives * np.array([0.005, 0.02, 0.06, 0.12])).astype(int)
    counts = made(
        np.concatenate([false, np.full((T, 1), negatives)], axis=1),
        np.tile([10, 20, 30, 40, 45], (T, 1)), [10] * T, [0.5, 1.0, 1.5, 2.0, 3.0],
    )  # fmt: skip
    _, nodes, curves = replicates_of(counts)
    far, mean = curves.replicates.far, curves.replicates.mean
    for node, edge in enumerate(nodes.edge[:-1]):
        p, sens = curves.base.far[0, node], counts.class_positive[0, edge] / 45
        expected = -2 * sens**2 / (sens + 1 - p) ** 2
        found = np.polyfit(far[:, node], mean[:, node], 1)[0]
        assert found == pytest.approx(expected, rel=0.05)


def test_ends_are_corrected_for_skewness_and_bias():
    rng = np.random.default_rng(6)
    x = rng.exponential(size=(300, 2))
    x = (x - x.mean(axis=0)) / len(x)
    x[:, 1] -= x[:, 0] * (x[:, 0] @ x[:, 1]) / (x[:, 0] @ x[:, 0])
    sums = weighted_sums(x.T @ x, 2000, seed=1)
    pivots = x[:, sums.pivot].astype(np.float32)
    squares, excess = (x[:, 0] ** 2).sum(), (x[:, 0] ** 4).sum() / (x[:, 0] ** 2).sum() ** 2
    t = float(stdtrit(2 / (excess - 1 / 300), 0.975))
    skew = (x[:, 0] ** 3).sum() / 6 / squares**1.5
    assert skew * (2 * t * t + 1) > 0.1
    values = sums.shift[:, 0]
    # All of the skewness at the end of the long tail, half of it at the other.
    expected = np.sqrt(squares) * (np.array([-t, t]) + np.array([0.5, 1]) * skew * (2 * t * t + 1))
    np.testing.assert_allclose(
        accelerated_ends(values, 0.0, sums, pivots, 0.975), expected, rtol=1e-3
    )
    # A square along another direction lifts all replicates: the ends come down by as much again.
    lift = 0.2 * np.sqrt(squares)
    lifted = values + lift * sums.shift[:, 1] ** 2 / (x[:, 1] ** 2).sum()
    plain = accelerated_ends(values, 0.0, sums, pivots, 0.975, 0.0)
    found = accelerated_ends(lifted, 0.0, sums, pivots, 0.975, 0.0)
    assert np.mean(found) == pytest.approx(np.mean(plain) - lift, abs=0.2 * lift)


def test_two_seeds_agree_and_one_seed_repeats(counts):
    settings = {"far": FARS, "frr": (0.1,), "noise": some_noise(counts)}
    one, other = (all_intervals(resampled(counts, seed=s, **settings)) for s in (0, 1))
    assert one == all_intervals(resampled(counts, seed=0, **settings))
    assert one != other
    for name, (low, high) in one.items():
        width = high - low
        assert abs(low - other[name][0]) <= 0.05 * width, name
        assert abs(high - other[name][1]) <= 0.05 * width, name


def test_intervals_hold_the_reported_values(counts):
    found = resampled(counts, far=FARS, frr=(0.1, 0.5))
    curve, utility = rate_curve(counts), Utility()
    calibration = find_range(curve, RangeSpec.parse("far=0.01:0.1"), counts.metric)
    nodes, weights = Integration().nodes(counts.class_distance, calibration.low, calibration.high)
    curves = class_utility(counts, nodes, utility)
    edges = curve.distance
    expected = {f"far {x:g}": edges[edge_for_far(curve, x)] for x in FARS}
    expected |= {f"frr {x:g}": edges[edge_for_frr(curve, x)] for x in (0.1, 0.5)}
    expected |= {
        "threshold eer": edges[edge_for_eer(curve)],
        "threshold utility": distance_for_utility(counts, utility),
        "threshold recommended": distance_for_utility(
            counts, utility, (calibration.low, calibration.high)
        ),
        "range_low": calibration.low,
        "range_high": calibration.high,
        "mean_utility": mean_over_range(curves, weights).mean(),
        "opis": opis(curves, weights),
        "epsilon_opis": epsilon_opis(curves, weights).value,
    }
    intervals = all_intervals(found)
    for name, value in expected.items():
        low, high = intervals[name]
        assert low <= value <= high, name
        assert high - low > 0, name


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("given", ["far=0.3:0.9", "frr=0.2:0.6", "distance=0.5:2"])
def test_small_and_lopsided_sets_have_finite_ordered_intervals(name, given):
    counts = counted(*SMALL[name][0], "l2")
    for pool in ("pairs", "classes"):
        if given.startswith("far") and rate_curve(counts, pool).far[0] > 0.3:
            # Even the smallest edge accepts too much: there is no range to resample.
            continue
        found = resampled(counts, given, pool=pool, far=(0.5,), frr=(0.5,), replicates=1000)
        for what, (low, high) in all_intervals(found).items():
            assert math.isfinite(low), what
            assert math.isfinite(high), what
            assert low <= high, what
        for low, high in (found.eer, found.mean_utility, found.epsilon_opis):
            assert 0 <= low <= high <= 1
        assert found.opis[0] >= 0


def test_identical_classes_have_an_opis_of_zero():
    counts = made(
        np.tile([[20, 200, 1900]], (20, 1)), np.tile([[2, 7, 10]], (20, 1)), [5] * 20, [1, 2, 3]
    )
    found = resampled(counts, "distance=1:2")
    assert found.opis == pytest.approx((0.0, 0.0), abs=1e-12)
    assert found.epsilon_opis == pytest.approx((0.0, 0.0), abs=1e-12)


@pytest.mark.parametrize("against", ["others", "best"])
@pytest.mark.parametrize("rank", ["range", "threshold"])
def test_epsilon_opis_is_that_of_the_choice(counts, against, rank):
    choice = EpsilonChoice(0.2, against, rank)
    _, nodes, curves = replicates_of(counts, choice=choice)
    at = curves.distance[nodes.window]
    utility = class_utility(counts, at, Utility())
    found = np.square(curves.base.gap[0]) @ nodes.share
    assert found == pytest.approx(epsilon_opis(utility, nodes.share, 0.2, against, rank).value)


def test_corrected_opis_is_less_by_the_noise(counts):
    plain = resampled(counts)
    assert plain.corrected_opis is None
    size = 5e-4
    noise = UtilityNoise(np.array([0.1, 9.0]), np.full((counts.classes, 2), size))
    found = resampled(counts, noise=noise)
    # The same noise of every class moves both ends, as does what bending adds, and no more.
    calibration = find_range(rate_curve(counts), RangeSpec.parse("far=0.01:0.1"), "l2")
    nodes = Integration().nodes(counts.moment_distance, calibration.low, calibration.high)
    size += utility_bias(counts, Utility(), *nodes).spread
    assert size > 1e-3
    assert found.corrected_opis == pytest.approx([end - size for end in plain.opis], rel=1e-6)
    none = UtilityNoise(np.array([0.1, 9.0]), np.full((counts.classes, 2), np.nan))
    assert resampled(counts, noise=none).corrected_opis is None
    big = UtilityNoise(np.array([0.1, 9.0]), np.full((counts.classes, 2), 1.0))
    assert resampled(counts, noise=big).corrected_opis[1] < 0


def test_corrected_opis_is_over_the_classes_with_noise():
    counts = clustered(40, 8, seed=8)
    noise = some_noise(counts)
    variance = noise.variance.copy()
    variance[::3] = np.nan
    part = UtilityNoise(noise.distance, variance)
    _, nodes, curves = replicates_of(counts, noise=part)
    at = curves.distance[nodes.window]
    held = ~np.isnan(variance[:, 0])
    utility = class_utility(counts, at, Utility())[held]
    noisy = np.stack([np.interp(at, noise.distance, v) for v in variance[held]])
    expected = utility.var(axis=0, ddof=1) - noisy.mean(axis=0)
    np.testing.assert_allclose(curves.base.corrected[0], expected, rtol=1e-9, atol=1e-15)


def test_settings_that_are_not_allowed(counts):
    for settings, words in (
        ({"replicates": 500}, "at least 1000"),
        ({"replicates": 1001}, "even"),
        ({"confidence": 1.5}, "confidence"),
        ({"far": (2.0,)}, "far 2.0"),
        ({"frr": (-0.1,)}, "frr -0.1"),
        ({"choice": EpsilonChoice(0.7)}, "epsilon"),
    ):
        with pytest.raises(UsageError, match=words):
            resampled(counts, **settings)


def test_wider_where_more_is_asked_and_narrower_with_more_classes(counts):
    # The class pairs of repeated classes are not known.
    counts = replace(counts, class_pairs=None)
    found, surer = resampled(counts), resampled(counts, confidence=0.99)
    # The same classes four times over: independent classes would halve every width.
    four = resampled(repeated(counts, 4))
    for name in ("mean_utility", "range_low", "range_high", "opis"):
        low, high = getattr(found, name)
        sure_low, sure_high = getattr(surer, name)
        assert sure_low < low < high < sure_high
        other = getattr(four, name)
        assert 0.4 < (other[1] - other[0]) / (high - low) < 0.55


def repeated(counts, times):
    """As many classes again with the same rates."""
    sizes = np.tile(counts.class_rows, times)
    far = np.tile(counts.class_negative / counts.negatives_of_class[:, None], (times, 1))
    negatives = sizes * (sizes.sum() - sizes)
    false = np.round(far * negatives[:, None]).astype(int)
    return made(
        false,
        np.tile(counts.class_positive, (times, 1)),
        sizes,
        counts.class_distance,
        pool_negative=false.sum(axis=0) // 2,
    )


def drawn_population(rng, T, pairs, grid):
    """Classes with curves of known law: sensitivity ``a_i g(d)``, the same FAR for all.

    OPIS and mean utility of the population follow from the law of ``a_i`` alone.
    """
    level = 0.55 + 0.4 * rng.beta(2, 2, T)
    return level, np.clip(level[:, None] * grid, 0, 1) * pairs


def test_intervals_of_mean_utility_and_opis_cover():
    rng = np.random.default_rng(11)
    T, n, draws = 100, 200, 250
    pairs, distance = n * (n - 1) // 2, np.array([0.5, 1.0, 1.5, 2.0, 3.0])
    grid = np.array([0.2, 0.7, 0.85, 1.0, 1.0])
    far = np.array([0.001, 0.01, 0.04, 0.1, 1.0])
    negatives = n * (T * n - n)

    def utility_of(sens):
        return 2 * sens * (1 - far) / (sens + 1 - far)

    level = 0.55 + 0.4 * rng.beta(2, 2, 400_000)
    truth = utility_of(np.clip(level[:, None] * grid, 0, 1))[:, 1:4]
    share = np.array([0.25, 0.5, 0.25])
    mean, spread = truth.mean(axis=0) @ share, truth.var(axis=0) @ share
    held = np.zeros(2)
    for _ in range(draws):
        _, accepted = drawn_population(rng, T, pairs, grid)
        accepted = np.round(accepted).astype(int)
        accepted[:, -1] = pairs
        false = np.tile(np.round(far * negatives).astype(int), (T, 1))
        counts = made(false, accepted, [n] * T, distance)
        found = resampled(counts, "distance=1:2", replicates=1000)
        held += [a <= b <= c for (a, c), b in zip(
            (found.mean_utility, found.opis), (mean, spread), strict=True
        )]  # fmt: skip
    assert np.all(held >= 0.91 * draws)
    assert np.all(held <= 0.99 * draws)


def test_a_threshold_reaches_as_far_as_the_rate_it_is_for():
    counts = clustered(100, 6, seed=5)
    found = resampled(counts, far=[0.05], frr=[0.2])
    rates = rate_intervals(counts)
    for name, held in (("far", found.threshold.far), ("frr", found.threshold.frr)):
        ((target, (low, high)),) = held
        inverted = threshold_interval(rates, name, target)
        wide = inverted[1] - inverted[0]
        # The same interval, by replicates and by turning the intervals of the rate over.
        assert low == pytest.approx(inverted[0], abs=0.1 * wide)
        assert high == pytest.approx(inverted[1], abs=0.1 * wide)


def test_ends_of_a_spread_are_those_of_a_skewed_scatter():
    # Parts of classes that scatter normally, and what the formula makes of them by hand.
    rng = np.random.default_rng(4)
    parts = rng.standard_normal((200, 1)) ** 2
    parts -= parts.mean()
    sums = weighted_sums(parts.T @ parts, 2000, seed=0)
    plain = 12.0 * float(np.sqrt((parts**2).sum()))
    values = 0.7 * plain + sums.shift[:, 0]
    low, high = spread_ends(
        values, 0.7 * plain, plain, sums, parts.astype(np.float32)[:, sums.pivot], 0.975
    )
    moved = parts[:, 0]
    squares = (moved**2).sum()
    skew, ratio = (moved**3).sum() / squares**1.5, 1 / 12
    unsure = moved**2 / squares - 1 / 200 - 2 * moved / plain
    t = stdtrit(2 / (unsure**2).sum(), 0.975)
    shift = skew * (2 * t**2 + 1) / 6 - ratio * t**2 / 2
    assert 0 < shift < t / 2
    few = 200 / (200 - t)
    for end, reach in ((low, shift - t), (high, shift + t)):
        times = few * np.exp(2 * np.arcsinh(few * reach * ratio / 2))
        assert end == pytest.approx(0.7 * plain + plain * (times - 1), rel=1e-4)


def test_a_spread_of_nothing_has_the_plain_ends():
    sums = weighted_sums(np.eye(2), 1000, seed=0)
    same = np.full(1000, 0.25)
    pivots = np.zeros((5, 2), np.float32)
    for plain in (0.0, 0.5):
        assert spread_ends(same, 0.25, plain, sums, pivots, 0.975) == (0.25, 0.25)


def test_an_interval_of_opis_ends_where_opis_does():
    """With few classes that differ much Student's law would reach beyond."""
    rng = np.random.default_rng(0)
    labels = np.arange(48) % 8
    noise = np.where(labels == 3, 1.6, 0.8)[:, None] * rng.normal(size=(48, 16))
    report = opiscal.evaluate(rng.normal(size=(8, 16))[labels] + noise, labels)
    low, high = report.opis.ci
    assert 0 < low < report.opis.value < high == 0.25
