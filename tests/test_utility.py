"""Utility: both F-scores, against the loops and at their corners."""

import math

import numpy as np
import pytest
from counted import counted, exact_sets
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import curves_on_lattice, utility_of
from oracles import class_utility as true_utility
from oracles import mean_utility as true_mean
from oracles import pair_table

from opiscal.errors import UsageError
from opiscal.measures.utility import (
    Utility,
    class_utility,
    mean_utility,
    precision_recall,
    sensitivity_specificity,
)

KINDS = ("sensitivity-specificity", "precision-recall")
WEIGHTS = (1.0, 0.3, 2.5)


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(exact_sets(), st.integers(0, 2**32))
def test_utility_equals_the_loops(kind, weight, data, seed):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    how = Utility(kind, weight)
    edges = counts.class_distance.tolist()
    wanted = [[true_utility(table, c, d, kind, weight) for d in edges] for c in table.scored]
    np.testing.assert_allclose(class_utility(counts, edges, how), wanted, atol=1e-13)
    wanted = [true_mean(table, d, kind, weight) for d in edges]
    np.testing.assert_allclose(mean_utility(counts, edges, how), wanted, atol=1e-13)
    between = np.sort(np.random.default_rng(seed).uniform(0, edges[-1], 20)).tolist()
    wanted = curves_on_lattice(table, edges, between, kind, weight)
    np.testing.assert_allclose(class_utility(counts, between, how), wanted, atol=1e-12)


counts_of_pairs = st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(deadline=None, derandomize=True)
@given(counts_of_pairs, counts_of_pairs, st.floats(0.01, 100))
def test_f_scores_from_their_formulas(positives, negatives, weight):
    (tp, p), (fp, n) = positives, negatives
    got = float(sensitivity_specificity(tp / p, 1 - fp / n, weight))
    wanted = utility_of(p, tp, n, fp, KINDS[0], weight)
    assert got == pytest.approx(wanted, abs=1e-12)
    got_pr = float(precision_recall(tp, p - tp, fp, weight))
    assert got_pr == pytest.approx(utility_of(p, tp, n, fp, KINDS[1], weight), abs=1e-12)
    assert 0 <= got <= 1 + 1e-12
    assert 0 <= got_pr <= 1 + 1e-12
    # An F-score is a mean of its two parts.
    low, high = sorted((tp / p, 1 - fp / n))
    assert low - 1e-12 <= got <= high + 1e-12
    if tp:
        low, high = sorted((tp / p, tp / (tp + fp)))
        assert low - 1e-12 <= got_pr <= high + 1e-12


def test_corners():
    assert sensitivity_specificity([0, 1, 0, 1], [0, 0, 1, 1]).tolist() == [0, 0, 0, 1]
    # TP = 0 is 0 also where nothing is accepted and nothing could have been.
    assert precision_recall([0, 0, 5], [0, 3, 0], [0, 2, 0]).tolist() == [0, 0, 1]


def test_c_above_one_weighs_sensitivity_and_recall():
    sens, spec = 0.9, 0.5
    one, more, most, least = (
        float(sensitivity_specificity(sens, spec, c)) for c in (1.0, 2.0, 1e4, 1e-4)
    )
    assert one == pytest.approx(2 * sens * spec / (sens + spec))
    assert one < more < most
    assert most == pytest.approx(sens, abs=1e-6)
    assert least == pytest.approx(spec, abs=1e-6)
    # Recall 0.9, precision 0.5.
    assert float(precision_recall(9, 1, 9, 1e4)) == pytest.approx(0.9, abs=1e-6)
    assert float(precision_recall(9, 1, 9, 1e-4)) == pytest.approx(0.5, abs=1e-6)


def test_precision_recall_moves_with_class_size_and_the_other_does_not():
    # The same rates with ten times the negatives.
    same = [sensitivity_specificity(0.8, 1 - 10 / n) for n in (100, 1000)]
    assert same[0] != same[1]
    assert float(sensitivity_specificity(0.8, 1 - 10 / 100)) == float(
        sensitivity_specificity(0.8, 1 - 100 / 1000)
    )
    assert float(precision_recall(8, 2, 10)) > float(precision_recall(8, 2, 100))


def test_extreme_weights_stay_numbers():
    for c in (1e-100, 1e100):
        for kind in KINDS:
            Utility(kind, c)
        assert np.isfinite(sensitivity_specificity([0.0, 0.5, 1.0], [0.0, 0.5, 0.0], c)).all()
        assert np.isfinite(precision_recall([0, 3, 4], [4, 1, 0], [0, 2, 9], c)).all()


@pytest.mark.parametrize("c", [0.0, -1.0, math.nan, math.inf, 1e200, 1e-200])
def test_a_weight_that_is_not_allowed(c):
    with pytest.raises(UsageError, match=r"must be a number above 0") as caught:
        Utility(c=c)
    assert repr(c) in str(caught.value)


def test_an_unknown_utility():
    with pytest.raises(UsageError, match=r"'f1'.*sensitivity-specificity, precision-recall"):
        Utility("f1")
