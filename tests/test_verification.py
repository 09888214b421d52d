"""EER and AUC against the loops."""

import pytest
from counted import counted, exact_sets
from hypothesis import given, settings
from measure_oracles import auc_on_lattice
from oracles import auc, eer, observed_edges, pair_table

from opiscal.measures.rates import rate_curve
from opiscal.measures.verification import area_under_roc, equal_error_rate


@settings(max_examples=30, deadline=None, derandomize=True)
@given(exact_sets())
def test_auc_equals_the_loops(data):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    counts = counted(vectors, classes, metric)
    got = area_under_roc(rate_curve(counts))
    assert got == pytest.approx(auc_on_lattice(table, counts.distance.tolist()), abs=1e-12)
    # Small sets have an edge at every distance that occurs: the lattice loses nothing.
    assert got == pytest.approx(auc(table), abs=1e-12)


@pytest.mark.parametrize("pool", ["pairs", "classes"])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(exact_sets())
def test_the_interval_of_the_eer_holds_the_eer(pool, data):
    vectors, classes, metric = data
    table = pair_table(vectors, classes, metric)
    low, high = equal_error_rate(rate_curve(counted(vectors, classes, metric), pool))
    _, truth = eer(table, observed_edges(table), pool)
    assert 0 <= low <= high <= 1
    assert low - 1e-12 <= truth <= high + 1e-12


def test_perfect_and_hopeless_sets():
    perfect = counted([[0], [1], [50], [51]], [0, 0, 1, 1], "l2")
    assert equal_error_rate(rate_curve(perfect)) == (0.0, 0.0)
    assert area_under_roc(rate_curve(perfect)) == 1.0
    # Every positive pair is farther than every negative one.
    hopeless = counted([[0], [50], [1], [51]], [0, 0, 2, 2], "l2")
    # 49 accepts three of four negative pairs and no positive one, 50 all of these too.
    low, high = equal_error_rate(rate_curve(hopeless))
    assert low <= 0.875 <= high
    assert area_under_roc(rate_curve(hopeless)) == pytest.approx(0.25)
    # All rows identical: every pair ties.
    same = counted([[1]] * 6, [0, 0, 0, 1, 1, 1], "l2")
    assert area_under_roc(rate_curve(same)) == 0.5
    assert equal_error_rate(rate_curve(same)) == (0.0, 1.0)
