"""The bias of utility with few rows: against exact means over all samples of a tiny population."""

import itertools

import numpy as np
import pytest

from opiscal.measures.pair_terms import FEWEST_ROWS
from opiscal.measures.utility import Utility, class_utility
from opiscal.measures.utility_bias import utility_bias
from opiscal.pairs.counts import PairCounts

FALSE = 3


def counts_of(samples):
    """Classes given as a truth for each row: a pair is accepted where both rows say so.

    One edge; every row accepts as many rows of other classes.
    """
    sizes = np.array([len(sample) for sample in samples])
    said = np.array([sum(sample) for sample in samples])
    rows, T = int(sizes.sum()), len(samples)
    accepted, own = said * (said - 1) // 2, sizes * (sizes - 1) // 2
    other = sizes * (rows - sizes)
    edges = np.array([0, 1])
    squares = [said * (said - 1) ** 2, sizes * FALSE**2, FALSE * said * (said - 1)]
    whole = [sizes * (sizes - 1) ** 2, sizes * (rows - sizes) ** 2,
             sizes * (sizes - 1) * (rows - sizes)]  # fmt: skip
    return PairCounts(
        "cosine", rows, 0, tuple(range(T)), sizes, np.array([0.5, 2.0]), edges, edges,
        np.array([accepted.sum(), own.sum()]), np.array([sizes.sum() * FALSE, other.sum()]) // 2,
        np.stack([accepted, own], axis=1), np.stack([sizes * FALSE, other], axis=1),
        *(np.stack(pair, axis=1) for pair in zip(squares, whole, strict=True)),
    )  # fmt: skip


def all_samples(rows, share_of_four):
    """Every sample of so many rows, each as often as it is drawn; a row says yes so often in 4."""
    coin = [True] * share_of_four + [False] * (4 - share_of_four)
    return list(itertools.product(coin, repeat=rows))


def biases(counts, truth, utility):
    """The exact bias at the edge, for classes whose true sensitivities are known, and the model."""
    measured = class_utility(counts, [0.5], utility)[:, 0]
    exact = np.array([true_utility(counts, i, s, utility) for i, s in enumerate(truth)])
    return measured - exact, utility_bias(counts, utility, [0.5], [1.0])


def true_utility(counts, index, sens, utility):
    far = counts.class_negative[index, 0] / counts.negatives_of_class[index]
    square = utility.c**2
    if utility.kind == "sensitivity-specificity":
        return (1 + square) * (1 - far) * sens / (square * (1 - far) + sens)
    odds = counts.negatives_of_class[index] / counts.positives_of_class[index]
    return (1 + square) * sens / (square + sens + odds * far)


@pytest.mark.parametrize("kind", ["sensitivity-specificity", "precision-recall"])
@pytest.mark.parametrize(("rows", "share", "c"), [(4, 3, 1.0), (5, 3, 2.0), (5, 3, 0.5)])
def test_it_is_the_bias_over_all_samples(kind, rows, share, c):
    samples = all_samples(rows, share)
    counts = counts_of(samples)
    moved, found = biases(counts, [(share / 4) ** 2] * len(samples), Utility(kind, c))
    assert moved.mean() < -0.005
    assert found.mean == pytest.approx(moved.mean(), rel=0.12)
    # All classes are alike: none is farther from its truth than another.
    assert abs(found.spread) < 1e-3


def test_classes_of_two_rows_are_biased_the_most():
    # Of classes of two rows one pair is all that is known: a coin, exactly.
    small = all_samples(2, 3) * 16
    counts = counts_of([*all_samples(4, 3), *small])
    moved, found = biases(counts, [9 / 16] * counts.classes, Utility())
    assert moved[256:].mean() < 1.5 * moved[:256].mean() < 0
    assert found.mean == pytest.approx(moved.mean(), rel=0.1)


def test_classes_that_differ_are_driven_apart():
    # Two kinds of classes of five rows. The lower one loses more by bending.
    low, high = all_samples(5, 3), all_samples(5, 4)
    counts = counts_of([*low, *high])
    truth = [9 / 16] * len(low) + [1.0] * len(high)
    moved, found = biases(counts, truth, Utility())
    true = np.array([true_utility(counts, i, s, Utility()) for i, s in enumerate(truth)])
    # Means of the measured utilities, kind by kind.
    means = true + np.repeat([moved[: len(low)].mean(), moved[len(low) :].mean()], len(low))
    apart = means.var() - true.var()
    assert apart > 0.005
    assert found.spread == pytest.approx(apart, rel=0.35)


def test_without_scatter_there_is_no_bias():
    for samples in ([(True,) * 5] * 12, [(False,) * 6] * 11):
        found = utility_bias(counts_of(samples), Utility(), [0.5], [1.0])
        assert (found.mean, found.spread) == (0.0, 0.0)


def test_without_a_class_of_four_rows_nothing_is_known():
    assert FEWEST_ROWS == 4
    counts = counts_of(all_samples(3, 2))
    found = utility_bias(counts, Utility(), [0.5], [1.0])
    assert (found.mean, found.spread) == (0.0, 0.0)
