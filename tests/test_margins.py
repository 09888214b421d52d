"""Margins of the TCM loss from counts, against sums over pairs."""

import math

import numpy as np
import pytest
from counted import counted, exact_sets
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import pair_table

from opiscal.errors import UsageError
from opiscal.measures.margins import hard_negatives, hard_positives, loss_value

SLACK = 1e-6  # distances are float32


def hard_terms(distances, margin, side):
    """Terms of the hard pairs, by the definition, a loop over pairs."""
    similarities = [1.0 - d * d / 2.0 for d in distances]
    if side == "positive":
        return [margin - s for s in similarities if s <= margin]
    return [s - margin for s in similarities if s >= margin]


def assert_holds(found, distances, margin, side):
    """Certain ends hold what a loop over pairs finds, for margins a hair to either side.

    Where pairs stand at the margin itself float32 decides which of them are hard.
    """
    assert found.pairs == len(distances)
    shares, terms = [], []
    for near in (margin - SLACK, margin + SLACK):
        hard = hard_terms(distances, near, side)
        shares.append(len(hard) / len(distances))
        terms.append(math.fsum(hard) / len(hard) if hard else 0.0)
    assert found.share.low <= max(shares) + 1e-12
    assert found.share.high >= min(shares) - 1e-12
    assert found.term.low <= max(terms) + 2 * SLACK
    assert found.term.high >= min(terms) - 2 * SLACK
    for number in (found.share, found.term):
        assert 0.0 <= number.low <= number.value + 1e-12
        assert number.value <= number.high + 1e-12


@settings(max_examples=60, deadline=None)
@given(exact_sets(), st.floats(-1, 1))
def test_bounds_hold_on_tied_sets(found, margin):
    vectors, classes, metric = found
    counts = counted(vectors, classes, metric)
    if metric == "l2":
        with pytest.raises(UsageError, match="--metric cosine"):
            hard_positives(counts, margin)
        return
    table = pair_table(vectors, classes)
    for m in (margin, 0.5, 0.0, 1.0, -1.0):
        assert_holds(hard_positives(counts, m), table.pool_positive, m, "positive")
        assert_holds(hard_negatives(counts, m), table.pool_negative, m, "negative")


@pytest.fixture(scope="module")
def smooth():
    """Counts of 40 classes of 10 rows without ties, and the distances of their pairs."""
    rng = np.random.default_rng(3)
    classes = np.repeat(np.arange(40), 10)
    vectors = rng.standard_normal((40, 12))[classes] + 0.6 * rng.standard_normal((400, 12))
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    units = units.astype(np.float32).astype(np.float64)
    first, second = np.triu_indices(400, 1)
    distances = np.sqrt(np.square(units[first] - units[second]).sum(axis=1))
    same = classes[first] == classes[second]
    return counted(vectors, classes), distances[same], distances[~same]


@pytest.mark.parametrize("margin", [-0.4, 0.0, 0.31, 0.5, 0.72, 0.9, 0.97])
def test_estimates_are_close_without_ties(smooth, margin):
    counts, positive, negative = smooth
    for found, distances, side in (
        (hard_positives(counts, margin), positive, "positive"),
        (hard_negatives(counts, margin), negative, "negative"),
    ):
        terms = hard_terms(distances, margin, side)
        assert_holds(found, distances, margin, side)
        assert found.share.value == pytest.approx(len(terms) / len(distances), abs=1e-3)
        assert found.term.value == pytest.approx(math.fsum(terms) / max(len(terms), 1), abs=2e-3)
        assert found.term.high - found.term.low < 5e-3


def test_at_an_edge_shares_are_the_rates(smooth):
    counts, _, _ = smooth
    edge = 2 * counts.distance.size // 3
    margin = 1 - counts.distance[edge] ** 2 / 2
    # Nine digits, as a report has them, are the edge too.
    for near in (margin, float(f"{margin:.9g}")):
        negative, positive = hard_negatives(counts, near), hard_positives(counts, near)
        far = counts.pool_negative[edge] / counts.negative
        frr = 1 - counts.pool_positive[edge] / counts.positive
        assert negative.share.low == negative.share.value == negative.share.high == far
        assert positive.share.value == positive.share.low == pytest.approx(frr, abs=1e-15)
        tied = (counts.pool_positive[edge] - counts.pool_positive[edge - 1]) / counts.positive
        assert positive.share.high == pytest.approx(frr + tied, abs=1e-15)


def test_nothing_is_hard_and_everything_is():
    # Two classes at right angles, each of two equal rows.
    counts = counted([[1, 0], [1, 0], [0, 1], [0, 1]], [0, 0, 1, 1])
    none = hard_negatives(counts, 0.5)
    assert (none.share.high, none.term.low, none.term.value, none.term.high) == (0, 0, 0, 0)
    every = hard_negatives(counts, -1.0)
    assert every.share.low == 1.0
    assert every.term.low <= 1.0 <= every.term.high
    both = loss_value(hard_positives(counts, 0.9), none)
    assert both.value == pytest.approx(0.0, abs=0.11)


@pytest.mark.parametrize("margin", [1.01, -1.5, float("nan"), float("inf")])
def test_a_margin_is_a_similarity(smooth, margin):
    with pytest.raises(UsageError, match="must lie between -1 and 1"):
        hard_positives(smooth[0], margin)
