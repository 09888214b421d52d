"""Recall@k against the loops."""

import numpy as np
import pytest
from counted import exact_sets, reported
from hypothesis import given, settings
from oracles import recall_at as true_recall

from opiscal.errors import UsageError
from opiscal.measures.retrieval import RECALL_AT, recall_at
from opiscal.pairs.nearest_counts import NeighbourRanks


@settings(max_examples=20, deadline=None, derandomize=True)
@given(exact_sets())
def test_recall_equals_the_loops(data):
    vectors, classes, metric = data
    found = reported(vectors, classes, metric, retrieval=True, range="distance=0.5:1").retrieval
    assert list(found.recall_at) == [str(k) for k in RECALL_AT] == ["1", "2", "4", "8"]
    for k in RECALL_AT:
        assert found.recall_at[str(k)] == true_recall(vectors, classes, k, metric)
    assert found.queries == sum(1 for c in classes if c >= 0 and classes.count(c) > 1)


def test_recall_never_falls_with_k():
    found = np.random.default_rng(0).integers(0, 12, 300).astype(np.int32)
    ranks = NeighbourRanks(found, np.zeros(300, int), cap=8)
    values = [recall_at(ranks, k) for k in range(1, 9)]
    assert values == sorted(values)
    assert values[0] == np.mean(ranks.rank == 0)


@pytest.mark.parametrize("k", [0, -1, 9])
def test_a_k_beyond_what_was_counted(k):
    with pytest.raises(UsageError, match=f"Recall@{k}: ranks were counted for k from 1 to 8"):
        recall_at(NeighbourRanks(np.zeros(3, np.int32), np.zeros(3, int), cap=8), k)


def test_no_retrieval_where_it_was_not_asked_for():
    assert reported([[0], [1], [5], [6]], [0, 0, 1, 1], "l2", range="frr=0:1").retrieval is None
