"""The noise of utilities and OPIS without it: against loops over pairs of pairs, and the truth."""

import itertools

import noise_oracles
import numpy as np
import pytest
from counted import counted, exact_sets
from hypothesis import given, settings
from noise_sets import corrected, nodes_of, reordered, sphere_words, with_small_classes
from oracles import accepted, distance, pair_table

from opiscal.measures.corrected_opis import corrected_opis, too_few_classes
from opiscal.measures.noise import mean_noise_by_class, utility_noise
from opiscal.measures.null_value import null_epsilon_opis
from opiscal.measures.opis import opis
from opiscal.measures.sampling_moments import sampling_moments
from opiscal.measures.utility import Utility, class_utility
from opiscal.measures.utility_bias import utility_bias
from opiscal.pairs.counts import PairCounts

UTILITIES = [
    Utility(),
    Utility(c=2.0),
    Utility("precision-recall"),
    Utility("precision-recall", 0.5),
]


def counts_of(samples, others):
    """PairCounts of classes given by their accepted pairs at one threshold, 1; at 2 all are."""
    sums = np.array([noise_oracles.row_sums(accepts, false) for accepts, false in samples])
    rows = np.array([len(accepts) for accepts, _ in samples])
    all_pairs = np.stack(
        [
            rows * (rows - 1) // 2,
            rows * others,
            rows * (rows - 1) ** 2,
            rows * others**2,
            rows * (rows - 1) * others,
        ],
        axis=1,
    )
    both = np.stack([sums, all_pairs], axis=2)
    pools = both[:, :2].sum(axis=0)
    return PairCounts(
        metric="l2",
        rows=int(rows[0]) + others,
        distractors=0,
        labels=tuple(range(len(rows))),
        class_rows=rows,
        distance=np.array([1.0, 2.0]),
        class_edge=np.array([0, 1]),
        moment_edge=np.array([0, 1]),
        pool_positive=pools[0],
        pool_negative=pools[1],
        class_positive=both[:, 0],
        class_negative=both[:, 1],
        positive_squares=both[:, 2],
        negative_squares=both[:, 3],
        products=both[:, 4],
    )


KERNELS = [
    [[1, 1, 0], [1, 0, 1], [0, 1, 0]],
    [[1, 1, 1], [1, 1, 0], [1, 0, 0]],
    [[0, 0, 1], [0, 1, 0], [1, 0, 1]],
]
FALSE = [3, 0, 8]
OTHERS = 20


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rows", [4, 5, 6])
def test_estimates_are_without_bias_over_all_samples(kernel, rows):
    samples = list(noise_oracles.all_samples(kernel, FALSE, rows))
    moments = sampling_moments(counts_of(samples, OTHERS), np.array([0]))
    sens = [noise_oracles.sensitivity(accepts) for accepts, _ in samples]
    rate = [noise_oracles.false_accept_rate(false, OTHERS) for _, false in samples]
    for estimate, truth in (
        (moments.sensitivity_variance, noise_oracles.variance_over(sens)),
        (moments.false_accepts_variance, noise_oracles.variance_over(rate)),
        (moments.covariance, noise_oracles.covariance_over(sens, rate)),
    ):
        assert estimate.mean() == pytest.approx(float(truth), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("rows", [4, 5])
def test_closed_form_equals_the_loops_over_pairs_of_pairs(rows):
    pairs = list(itertools.combinations(range(rows), 2))
    graphs = []
    for code in range(0, 2 ** len(pairs), 7):
        accepts = [[0] * rows for _ in range(rows)]
        for bit, (j, k) in enumerate(pairs):
            accepts[j][k] = accepts[k][j] = code >> bit & 1
        graphs.append((accepts, [(code * (j + 3)) % 11 for j in range(rows)]))
    moments = sampling_moments(counts_of(graphs, OTHERS), np.array([0]))
    every = rows * (rows - 1) // 2
    disjoint = every * every - rows * (rows - 1) * (rows - 2) - every
    for i, (accepts, false) in enumerate(graphs):
        truth = noise_oracles.sensitivity_variance(accepts)
        # As whole numbers, too: the pairs of pairs that have no row in common.
        apart = round((moments.sensitivity[i, 0] ** 2 - float(truth)) * disjoint)
        found = (moments.sensitivity[i, 0] ** 2 - moments.sensitivity_variance[i, 0]) * disjoint
        assert found == pytest.approx(apart, abs=1e-9)
        assert moments.sensitivity_variance[i, 0] == pytest.approx(float(truth), abs=1e-14)
        assert moments.false_accepts_variance[i, 0] == pytest.approx(
            float(noise_oracles.false_accepts_variance(false, OTHERS)), abs=1e-14
        )
        assert moments.covariance[i, 0] == pytest.approx(
            float(noise_oracles.covariance(accepts, false, OTHERS)), abs=1e-14
        )


@pytest.mark.parametrize("utility", UTILITIES)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(exact_sets(most_rows=16))
def test_utility_noise_equals_the_oracle_at_moment_edges(utility, drawn):
    vectors, classes, metric = drawn
    # Classes of four rows and more, beside those that have fewer.
    vectors = [*vectors, *vectors[:4], *vectors[-4:]]
    classes = [*classes, *[max(classes) + 1] * 4, *[max(classes) + 2] * 4]
    counts = counted(vectors, classes, metric)
    table = pair_table(vectors, classes, metric)
    edges = counts.moment_distance[:: max(1, counts.moment_distance.size // 8)]
    found = utility_noise(counts, edges, utility)
    for k, edge in enumerate(edges):
        samples = [
            (
                [
                    [int(distance(vectors[i], vectors[j], metric) <= edge) for j in rows]
                    for i in rows
                ],
                [accepted(table.row_negative[i], edge) for i in rows],
            )
            for rows in (table.rows_of[c] for c in table.scored)
        ]
        others = [len(vectors) - len(accepts) for accepts, _ in samples]
        truth = noise_oracles.utility_noise(samples, others, utility.kind, utility.c)
        np.testing.assert_allclose(found[:, k], truth, rtol=1e-4, atol=1e-8)


def test_between_moment_edges_noise_is_a_straight_line():
    counts = sphere_words(6, seed=1)
    low, high = counts.moment_distance[20:22]
    ends = utility_noise(counts, [low, high], Utility())
    middle = utility_noise(counts, [0.75 * low + 0.25 * high], Utility())[:, 0]
    np.testing.assert_allclose(middle, 0.75 * ends[:, 0] + 0.25 * ends[:, 1], atol=1e-14)


@pytest.mark.parametrize("utility", UTILITIES)
def test_mean_noise_is_the_mean_of_the_noise(utility):
    counts = sphere_words(5, seed=2)
    nodes, weights = nodes_of(counts)
    np.testing.assert_allclose(
        mean_noise_by_class(counts, nodes, weights, utility),
        utility_noise(counts, nodes, utility) @ weights,
        rtol=1e-12,
        atol=1e-15,
    )


def test_rows_that_all_accept_the_same_have_no_noise():
    # Each class is a corner set: its rows are equally far from one another and from the others.
    vectors = np.eye(60)
    counts = counted(vectors, [i // 5 for i in range(60)], "l2")
    noise = utility_noise(counts, np.linspace(0.0, 2.0, 11), Utility())
    np.testing.assert_array_equal(noise, 0.0)
    nodes, weights = np.array([0.5, 1.0, 1.5]), np.array([0.25, 0.5, 0.25])
    curves = class_utility(counts, nodes, Utility())
    result = corrected_opis(counts, curves, nodes, weights, Utility())
    assert (result.noise, result.corrected, result.corrected_classes) == (0.0, 0.0, 12)
    assert null_epsilon_opis(counts, curves, nodes, weights, Utility()) == 0.0


def test_noise_knows_no_order_of_classes():
    counts = sphere_words(6, seed=3)
    nodes, _ = nodes_of(counts)
    back = reordered(counts, np.arange(counts.classes)[::-1])
    np.testing.assert_allclose(
        utility_noise(back, nodes, Utility())[::-1],
        utility_noise(counts, nodes, Utility()),
        rtol=1e-9,
        atol=1e-13,
    )
    assert corrected(back).corrected == pytest.approx(corrected(counts).corrected, rel=1e-9)


@pytest.mark.parametrize("c", [1e-100, 1e-3, 1e3, 1e100])
@pytest.mark.parametrize("kind", ["sensitivity-specificity", "precision-recall"])
def test_any_weight_gives_finite_noise(c, kind):
    counts = sphere_words(5, seed=4)
    everywhere = np.concatenate([counts.moment_distance, [0.0, 5.0]])
    with np.errstate(all="raise", under="ignore"):
        noise = utility_noise(counts, everywhere, Utility(kind, c))
    assert np.isfinite(noise).all()


def test_classes_under_four_rows_have_no_noise_of_their_own():
    counts = with_small_classes(small=20, large=24)
    noise = utility_noise(counts, [0.8, 1.0], Utility())
    assert np.isnan(noise[counts.class_rows < 4]).all()
    assert np.isfinite(noise[counts.class_rows >= 4]).all()
    result = corrected(counts)
    assert result.corrected_classes == 24
    nodes, weights = nodes_of(counts)
    large = class_utility(counts, nodes, Utility())[counts.class_rows >= 4]
    assert result.value_same_classes == opis(large, weights)
    own = mean_noise_by_class(counts, nodes, weights, Utility())
    bent = utility_bias(counts, Utility(), nodes, weights).spread
    assert bent > 0
    assert result.noise == pytest.approx(np.nanmean(own) * (1 - 1 / 24) + bent, rel=1e-9)
    assert result.corrected == result.value_same_classes - result.noise
    assert result.reason is None
    nodes, weights = nodes_of(counts)
    curves = class_utility(counts, nodes, Utility())
    assert 0 < null_epsilon_opis(counts, curves, nodes, weights, Utility()) < 1


@pytest.mark.parametrize(("small", "large"), [(25, 24), (0, 9), (30, 0)])
def test_too_few_classes_are_not_corrected(small, large):
    counts = with_small_classes(small, large)
    result = corrected(counts)
    assert f"{large} of {small + large}" in result.reason
    assert result.reason == too_few_classes(counts)
    assert result.noise is result.corrected is result.corrected_classes is None
    assert result.value_same_classes is None
    nodes, weights = nodes_of(counts)
    curves = class_utility(counts, nodes, Utility())
    assert null_epsilon_opis(counts, curves, nodes, weights, Utility()) is None
