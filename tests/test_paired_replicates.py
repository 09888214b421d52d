"""Two runs with their classes drawn anew together: against weights by hand, laws, coverage."""

from dataclasses import replace

import numpy as np
import pytest
from counted import counted
from test_rate_intervals import made
from test_resampling import class_utility_at_far

from opiscal.measures.calibration_range import RangeSpec, find_range
from opiscal.measures.class_curves import UtilityNoise
from opiscal.measures.paired_replicates import SharedClasses, paired_replicates
from opiscal.measures.rate_variance import rate_variance
from opiscal.measures.rates import rate_curve
from opiscal.measures.replicate_parts import replicate_parts
from opiscal.measures.utility import Utility, class_utility

FIGURES = [
    ("mean_utility", None), ("opis", None), ("epsilon_opis", None), ("eer", None),
    ("frr_at_far", 0.05), ("range_low", None), ("far_at", 1.0), ("frr_at", 1.0),
    ("utility_at", 1.0),
]  # fmt: skip


def models(classes=60, rows=8, seed=0, other=0.35):
    """Counts of two models on the same rows; their classes are hard or easy for both."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), rows)
    centres = rng.standard_normal((classes, 5)) * rng.lognormal(0, 0.3, classes)[:, None]
    tight = rng.lognormal(-0.7, 0.4, classes)[labels, None]
    first = centres[labels] + tight * rng.standard_normal((labels.size, 5))
    second = first + other * tight * rng.standard_normal(first.shape)
    return tuple(counted(vectors, labels.tolist(), "l2") for vectors in (first, second))


def parts(counts, given="far=0.01:0.1", noise=None):
    spec = RangeSpec.parse(given)
    found = find_range(rate_curve(counts), spec, counts.metric)
    return replicate_parts(counts, Utility(), spec, found, noise=noise)


def drawn(pair, draw="together", given="far=0.01:0.1", **settings):
    settings = {"far": [0.05], "at": [1.0]} | settings
    return paired_replicates(*(parts(counts, given) for counts in pair), draw=draw, **settings)


def differences(found):
    """The replicates of every difference."""
    return {f: found.second.values[f] - found.first.values[f] for f in FIGURES}


@pytest.fixture(scope="module")
def pair():
    return models()


def by_hand(counts, weights):
    """Mean utility over the range in every replicate, by weights of classes as they are drawn."""
    rates = rate_variance(counts, "far")
    edges = counts.class_distance
    far_of = counts.class_negative / counts.negatives_of_class[:, None]
    curves = class_utility(counts, edges, Utility())
    p, kept = rates.rate, curves.mean(axis=0)
    slope = (class_utility_at_far(counts, curves, far_of, 1e-6) - curves).mean(axis=0) / 1e-6
    scale = np.sqrt(p * (1 - p) / rates.effective_number(edges) / rates.class_part.clip(1e-30))
    out = []
    for w in weights:
        move = scale * ((w * rates.influence.weight) @ (far_of - p))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            odds = p / (1 - p) * np.exp(move / (p * (1 - p)))
            far = np.where((p > 0) & (p < 1), odds / (1 + odds), p)
        far = np.maximum.accumulate(far)
        inside = (far > 0) & (far < 1)
        low, high = (np.interp(x, far[inside], edges[inside]) for x in (0.01, 0.1))
        mean = kept + w @ (curves - kept) / counts.classes + slope * move / 2
        out.append(np.interp(np.linspace(low, high, 200), edges, mean).mean())
    return np.array(out)


def test_differences_are_those_of_the_same_weights_drawn_by_hand(pair):
    # Without the class pairs, which say that the variance of so few classes is unsure.
    pair = tuple(replace(counts, class_pairs=None) for counts in pair)
    weights = np.random.default_rng(3).standard_normal((1500, pair[0].classes))
    hand = [by_hand(counts, weights) for counts in pair]
    found = drawn(pair)
    ours = [side.values["mean_utility", None] for side in (found.first, found.second)]
    assert np.corrcoef(*ours)[0, 1] > 0.9
    mine, theirs = ours[1] - ours[0], hand[1] - hand[0]
    # By hand a few replicates have their range where nothing is told of it.
    for share in (0.025, 0.16):
        between = [np.diff(np.quantile(d, [share, 1 - share]))[0] for d in (mine, theirs)]
        assert between[0] == pytest.approx(between[1], rel=0.07)
    assert np.median(mine) == pytest.approx(np.median(theirs), abs=0.1 * mine.std())
    assert mine.std() < 0.3 * ours[0].std()


def test_what_each_class_moves_a_difference_by_is_what_it_moves_both_by(pair):
    found = drawn(pair)
    figure = found.figure(("opis", None), 0.0, 0.0)
    moved = figure.moves[1].less(figure.moves[0], 1.5)
    values = found.second.values["opis", None] - 1.5 * found.first.values["opis", None]
    assert moved.length == pytest.approx(values.std(), rel=0.02)
    assert np.square(moved.of_class).sum() == pytest.approx(values.var(), rel=0.1)


def test_a_run_against_itself_has_no_difference(pair):
    found = drawn((pair[0], pair[0]))
    assert found.same
    for figure in FIGURES:
        curve = found.figure(figure, 0.25, 0.25).difference()
        assert curve.value == 0.0
        assert curve.interval(0.999) == (0.0, 0.0), figure
        assert curve.p_above(0.0) == curve.p_below(0.0) == 1.0
    assert not drawn(pair).same


def test_the_order_of_classes_does_not_matter(pair):
    order = np.random.default_rng(8).permutation(pair[1].classes)
    pair = tuple(replace(counts, class_pairs=None) for counts in pair)
    names = (
        "class_rows", "class_positive", "class_negative", "positive_squares", "negative_squares",
        "products",
    )  # fmt: skip
    turned = replace(
        pair[1],
        labels=tuple(pair[1].labels[k] for k in order),
        **{name: getattr(pair[1], name)[order] for name in names},
    )
    one, other = differences(drawn(pair)), differences(drawn((pair[0], turned)))
    for figure in FIGURES:
        assert one[figure].std() == pytest.approx(other[figure].std(), rel=0.03), figure


def test_runs_without_a_class_in_common_are_drawn_apart(pair):
    others = replace(pair[1], labels=tuple(f"other {k}" for k in pair[1].labels))
    found = drawn((pair[0], others))
    assert found.matched.shared == 0
    apart = drawn(pair, "apart")
    for figure in FIGURES:
        np.testing.assert_array_equal(
            found.second.values[figure], apart.second.values[figure], err_msg=str(figure)
        )
        variances = [side.values[figure].var() for side in (apart.first, apart.second)]
        spread = (apart.second.values[figure] - apart.first.values[figure]).var()
        assert spread == pytest.approx(sum(variances), rel=0.1), figure


def test_paired_is_narrower_the_more_classes_are_shared(pair):
    half = pair[1].classes // 2
    names = tuple(k if k < half else f"other {k}" for k in pair[1].labels)
    partly = drawn((pair[0], replace(pair[1], labels=names)))
    assert partly.matched.shared == half
    assert len(partly.matched.only_first) == len(partly.matched.only_second) == half
    spread = [
        {f: v.std() for f, v in differences(found).items()}
        for found in (drawn(pair), partly, drawn(pair, "apart"))
    ]
    for figure in FIGURES:
        whole, some, none = (s[figure] for s in spread)
        assert whole < 0.75 * none, figure
        assert whole < some < none, figure


def test_matching_goes_by_label():
    found = SharedClasses.of(("a", "b", 3), (3, "c", "a"))
    assert found.first.tolist() == [0, 1, 2]
    assert found.second.tolist() == [2, 3, 0]
    assert (found.shared, found.classes) == (2, 4)
    assert (found.only_first, found.only_second) == (("b",), ("c",))


def test_one_seed_repeats_and_two_agree(pair):
    def intervals(seed):
        found = drawn(pair, seed=seed)
        return {f: found.figure(f, 0.5, 0.5).difference().interval(0.95) for f in FIGURES}

    one, other = intervals(0), intervals(1)
    assert one == intervals(0)
    assert one != other
    for figure, (low, high) in one.items():
        for end, again in zip((low, high), other[figure], strict=True):
            assert abs(end - again) <= 0.07 * (high - low), figure


def test_reported_values_stand_in_for_those_of_the_replicates(pair):
    found = drawn(pair)
    figure = "opis", None
    plain = found.figure(figure, found.first.base[figure], found.second.base[figure]).difference()
    moved = found.figure(figure, 0.3, 0.7).difference()
    assert moved.value == pytest.approx(0.4)
    shift = moved.value - plain.value
    np.testing.assert_allclose(moved.bound, plain.bound + shift, atol=1e-12)


def test_opis_without_noise_and_relative_differences(pair):
    distance = np.linspace(0.1, 9.0, 5)
    noise = [UtilityNoise(distance, np.full((60, 5), size)) for size in (1e-4, 3e-4)]
    both = [parts(c, noise=n) for c, n in zip(pair, noise, strict=True)]
    found = paired_replicates(*both)
    plain, corrected = (
        found.figure((name, None), *(side.base[name, None] for side in (found.first, found.second)))
        for name in ("opis", "corrected_opis")
    )
    # The same noise in all classes shifts both runs, and nothing else.
    assert corrected.difference().value == pytest.approx(plain.difference().value - 2e-4)
    width = np.diff(plain.difference().interval(0.95))[0]
    assert np.diff(corrected.difference().interval(0.95))[0] == pytest.approx(width, rel=1e-3)
    low, high = plain.relative_interval(0.95)
    assert plain.difference(1 + low).bound_at(0.025) == pytest.approx(0.0, abs=0.01 * width)
    assert plain.difference(1 + high).bound_at(0.975) == pytest.approx(0.0, abs=0.01 * width)


def test_intervals_of_differences_cover_and_are_narrower_where_classes_are_shared():
    """Classes whose sensitivities under two models go together; the truth by their law alone."""
    rng = np.random.default_rng(11)
    T, n, draws = 80, 200, 200
    pairs, distance = n * (n - 1) // 2, np.array([0.5, 1.0, 1.5, 2.0, 3.0])
    grid = np.array([0.2, 0.7, 0.85, 1.0, 1.0])
    far = np.array([0.001, 0.01, 0.04, 0.1, 1.0])
    false = np.tile(np.round(far * n * (T * n - n)).astype(int), (T, 1))
    share = np.array([0.25, 0.5, 0.25])

    def levels(size):
        first = 0.55 + 0.4 * rng.beta(2, 2, size)
        return first, np.clip(0.1 + 0.9 * first + 0.02 * rng.standard_normal(size), 0.0, 1.0)

    def truth(level):
        sens = (level[:, None] * grid)[:, 1:4]
        curves = 2 * sens * (1 - far[1:4]) / (sens + 1 - far[1:4])
        return curves.mean(axis=0) @ share, curves.var(axis=0) @ share

    one, other = (truth(level) for level in levels(400_000))
    expected = {("mean_utility", None): other[0] - one[0], ("opis", None): other[1] - one[1]}
    held = {(f, how): 0 for f in expected for how in ("together", "apart")}
    width = dict.fromkeys(held, 0.0)
    for seed in range(draws):
        pair = []
        for level in levels(T):
            accepted = np.round(np.clip(level[:, None] * grid, 0, 1) * pairs).astype(int)
            accepted[:, -1] = pairs
            pair.append(made(false, accepted, [n] * T, distance))
        both = [parts(counts, "distance=1:2") for counts in pair]
        for how in ("together", "apart"):
            found = paired_replicates(*both, draw=how, replicates=1100, seed=seed)
            for figure, value in expected.items():
                bases = found.first.base[figure], found.second.base[figure]
                low, high = found.figure(figure, *bases).difference().interval(0.95)
                held[figure, how] += low <= value <= high
                width[figure, how] += high - low
    for figure in expected:
        assert 0.9 * draws <= held[figure, "together"] <= 0.995 * draws, figure
        assert held[figure, "apart"] >= held[figure, "together"], figure
        assert width[figure, "together"] < 0.5 * width[figure, "apart"], figure
