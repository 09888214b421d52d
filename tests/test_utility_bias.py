"""The bias of utility with few rows: against exact means over all samples of a tiny population."""

import itertools

import numpy as np
import pytest

from opiscal.measures.calibration_range import CalibrationRange
from opiscal.measures.class_curves import UtilityNoise
from opiscal.measures.utility import Utility, precision_recall, sensitivity_specificity
from opiscal.measures.utility_bias import mean_utility_bias
from opiscal.pairs.counts import PairCounts

RANGE = CalibrationRange("distance=0.5:0.5", 0.5, 0.5, (0.05, 0.05), (0.3, 0.3))


def counts(accepted, false=100):
    """One edge; classes of 64 rows, so 2,016 positive pairs, with so many of them accepted."""
    accepted = np.asarray(accepted)
    sizes = np.full(accepted.size, 64)
    edges, rows = np.array([0, 1]), int(sizes.sum())
    own, other = sizes * (sizes - 1) // 2, sizes * (rows - sizes)
    return PairCounts(
        "cosine", rows, 0, tuple(range(accepted.size)), sizes, np.array([0.5, 2.0]), edges, edges,
        np.array([accepted.sum(), own.sum()]),
        np.array([false * accepted.size // 2, other.sum() // 2]),
        np.stack([accepted, own], axis=1), np.stack([np.full(accepted.size, false), other], axis=1),
        *np.zeros((3, accepted.size, 2), int),
    )  # fmt: skip


def utility_at(found, sens, utility):
    negatives = found.negatives_of_class[0]
    if utility.kind == "sensitivity-specificity":
        return sensitivity_specificity(sens, 1 - 100 / negatives, utility.c)
    whole = found.positives_of_class[0]
    return precision_recall(sens * whole, (1 - sens) * whole, 100, utility.c)


@pytest.mark.parametrize("kind", ["sensitivity-specificity", "precision-recall"])
@pytest.mark.parametrize("c", [0.5, 1.0, 2.0])
def test_it_is_the_bias_of_an_enumerated_sample(kind, c):
    # Sensitivity is 0.6 or 0.8 by the toss of each of four coins: all outcomes, equally likely.
    utility, found = Utility(kind, c), counts([1411, 1411])
    whole = found.positives_of_class[0]
    outcomes = [0.6 + 0.05 * sum(toss) for toss in itertools.product([0, 1], repeat=4)]
    values = np.array([float(utility_at(found, s, utility)) for s in outcomes])
    centre = float(np.mean(outcomes))
    bias = values.mean() - float(utility_at(found, centre, utility))
    assert bias < 0
    noise = UtilityNoise(np.array([0.5]), np.full((2, 1), values.var()))
    assert 1411 / whole == pytest.approx(centre, abs=1e-3)
    assert mean_utility_bias(found, utility, noise, RANGE) == pytest.approx(bias, rel=0.05)


def test_without_noise_there_is_no_bias():
    found = counts([1400, 1500])
    for variance in (np.zeros((2, 1)), np.full((2, 1), np.nan)):
        noise = UtilityNoise(np.array([0.5]), variance)
        assert mean_utility_bias(found, Utility(), noise, RANGE) == 0.0


def test_classes_without_noise_are_taken_to_be_as_biased_as_the_others():
    found = counts([1400, 1400, 1400])
    some = UtilityNoise(np.array([0.5]), np.array([[0.01], [np.nan], [0.01]]))
    all_ = UtilityNoise(np.array([0.5]), np.full((3, 1), 0.01))
    one, other = (mean_utility_bias(found, Utility(), noise, RANGE) for noise in (some, all_))
    assert one == pytest.approx(other)
    assert one < 0
