"""How sure Recall@1 is: counts by class against loops, intervals against a plain bootstrap."""

import random
from dataclasses import replace

import numpy as np
import pytest
from counted import exact_sets, reported
from hypothesis import given, settings
from oracles import DISTRACTOR, distance, nearest_positive_ranks

import opiscal
from opiscal.gate.gate import gate_reports
from opiscal.gate.own_figures import own_figures
from opiscal.gate.policy import policy_of
from opiscal.measures.paired_replicates import SharedClasses
from opiscal.measures.rate_confidence import ApartFigure
from opiscal.measures.recall_confidence import RecallScatter, recall_difference
from opiscal.pairs.nearest_counts import NearestCounts

RECALL = "retrieval.recall_at.1"


def by_class(counts):
    found = counts.nearest
    return {
        label: (int(asked), int(hits))
        for label, asked, hits in zip(counts.labels, found.asked, found.found, strict=True)
    }


@settings(max_examples=20, deadline=None, derandomize=True)
@given(exact_sets())
def test_rows_found_by_class_are_those_of_the_loops(data):
    vectors, classes, metric = data
    report = reported(vectors, classes, metric, retrieval=True, range="distance=0.5:1")
    ranks = nearest_positive_ranks(vectors, classes, metric)
    wanted = {
        c: (classes.count(c), sum(ranks[row] == 0 for row in ranks if classes[row] == c))
        for c in sorted(set(classes))
        if c != DISTRACTOR and classes.count(c) > 1
    }
    assert list(by_class(report.counts).values()) == list(wanted.values())
    found = report.counts.nearest
    assert found.found.sum() / found.asked.sum() == report.retrieval.recall_at["1"]


def two_models(seed, classes=60, rows=6, width=8, noise=0.6, better=1.0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), rows)
    centres = rng.standard_normal((classes, width))[labels]
    wide = noise * rng.lognormal(0.0, 0.3, classes)[labels, None]
    one, other = rng.standard_normal((2, labels.size, width))
    return labels, centres + wide * one, centres + better * wide * (0.8 * one + 0.6 * other)


def test_a_gallery_is_asked_by_its_queries():
    labels, rows, _ = two_models(0, classes=12)
    queries, known = np.concatenate([rows[::3], rows[:4] + 9.0]), [*labels[::3], 90, 90, 91, 92]
    report = opiscal.evaluate(queries, known, gallery=(rows[1::3], labels[1::3]))
    wanted = {}
    for vector, c in zip(queries, known, strict=True):
        to = [distance(vector, row, "cosine") for row in rows[1::3]]
        asked, hits = wanted.get(c, (0, 0))
        wanted[c] = asked + 1, hits + (labels[1::3][to.index(min(to))] == c)
    assert by_class(report.counts) == {c: found for c, found in wanted.items() if c < 90}


def test_a_sample_of_pairs_asks_some_rows():
    labels, rows, _ = two_models(0, classes=500, noise=0.3)
    config = opiscal.EvaluateConfig(pairs="sampled", sample_pairs=labels.size * 128)
    report = opiscal.evaluate(rows, labels, config=config)
    assert report.pairs.mode == "sampled"
    every = nearest_of(rows, labels)
    found = report.counts.nearest
    assert found.asked.sum() == report.retrieval.queries == 2000
    assert np.all(found.asked <= 6)
    missed, of_all = found.asked - found.found, every.asked - every.found
    assert np.all(missed <= of_all)
    assert np.all(of_all - missed <= every.asked - found.asked)


def nearest_of(rows, labels):
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    near = unit @ unit.T - 9.0 * np.eye(labels.size)
    hit = labels[near.argmax(axis=1)] == labels
    return NearestCounts(np.bincount(labels), np.bincount(labels[hit], minlength=labels[-1] + 1))


def bootstrap(one, other, draws=4000):
    """Differences of Recall@1 with whole classes drawn anew, the same for both."""
    rng = random.Random(0)
    tables = [list(zip(c.asked.tolist(), c.found.tolist(), strict=True)) for c in (one, other)]
    out = []
    for _ in range(draws):
        drawn = rng.choices(range(len(tables[0])), k=len(tables[0]))
        sides = [[table[k] for k in drawn] for table in tables]
        shares = [sum(h for _, h in side) / sum(q for q, _ in side) for side in sides]
        out.append(shares[1] - shares[0])
    return np.array(out)


def test_the_interval_is_that_of_drawing_classes_anew_times_what_lies_in_other_classes():
    rng = np.random.default_rng(3)
    asked = rng.integers(5, 15, 80)
    easy = rng.beta(8, 2, 80)
    one = NearestCounts(asked, rng.binomial(asked, easy))
    other = NearestCounts(asked, np.minimum(asked, rng.binomial(asked, 0.97 * easy) + 1))
    found = recall_difference(one, other, SharedClasses.of(range(80), range(80))).difference()
    drawn = bootstrap(one, other)
    r = one.found.sum() / asked.sum()
    by_law = 1.96 * np.sqrt(1 + r) * drawn.std()
    low, high = found.interval(0.95)
    assert found.value == pytest.approx(other.found.sum() / asked.sum() - r)
    assert 0.5 * (high - low) == pytest.approx(by_law, rel=0.08)
    assert found.value == pytest.approx(0.5 * (low + high), abs=0.1 * by_law)


def test_paired_intervals_hold_the_truth_and_are_narrower_than_unpaired_ones():
    together = SharedClasses.of(range(60), range(60))
    apart = SharedClasses.of(range(60), range(60, 120))
    differences, held, widths = [], [], []
    for seed in range(80):
        labels, *models = two_models(seed, better=0.95)
        one, other = (nearest_of(rows, labels) for rows in models)
        curves = [recall_difference(one, other, m).difference() for m in (together, apart)]
        differences.append(curves[0].value)
        held.append(curves[0].interval(0.95))
        widths.append([np.diff(curve.interval(0.95))[0] for curve in curves])
    truth, spread = np.mean(differences), 2 * 1.96 * np.std(differences)
    low, high = np.array(held).T
    assert np.mean((low <= truth) & (truth <= high)) >= 0.92
    paired, unpaired = np.mean(widths, axis=0)
    assert 0.9 * spread < paired < 1.7 * spread
    assert paired < 0.6 * unpaired


def test_where_no_row_misses_little_is_known():
    asked = np.full(30, 4)
    sure = NearestCounts(asked, asked)
    found = recall_difference(sure, sure, SharedClasses.of(range(30), range(30)))
    assert isinstance(found, ApartFigure)
    low, high = found.difference().interval(0.95)
    assert -0.3 < low < -0.05
    assert high == pytest.approx(-low)
    low, high = RecallScatter.of(sure).curve().interval(0.95)
    assert 0.7 < low < high == 1.0


@pytest.fixture(scope="module")
def runs():
    labels, one, other = two_models(1, noise=0.4, better=1.5)
    return opiscal.evaluate(one, labels), opiscal.evaluate(other, labels)


def recall_of(*reports):
    (candidate,) = opiscal.compare_reports(list(reports)).candidates
    return candidate.find(RECALL)


def gated(candidate, baseline, **rule):
    policy = policy_of({"rule": [{"metric": RECALL, **rule}]}, "here")
    return gate_reports(candidate, baseline, policy=policy).verdict.rules[0]


def test_a_comparison_judges_it_and_a_rule_goes_by_the_same_interval(runs):
    found = recall_of(*runs)
    assert found.verdict == "worse"
    assert found.ci[0] < found.difference < found.ci[1] < 0
    assert found.relative_ci[1] < 0
    assert recall_of(*runs[::-1]).verdict == "better"
    assert gated(runs[1], runs[0], max_decrease=0.0, margin=0.0).verdict == "fail"
    assert gated(runs[0], runs[1], max_decrease=0.0).verdict == "pass"
    same = gated(runs[0], runs[0], max_decrease=0.0)
    assert (same.verdict, same.ci) == ("pass", (0.0, 0.0))
    value = runs[0].retrieval.recall_at["1"]
    own = own_figures(runs[0]).curve(RECALL)
    assert own.value == pytest.approx(value)
    low = gated(runs[0], runs[0], min=0.1)
    assert low.verdict == "pass"
    assert low.ci == pytest.approx((own.bound_at(0.05), own.bound_at(0.95)))
    assert gated(runs[0], runs[0], min=value).verdict == "inconclusive"


def test_a_model_against_itself_differs_in_nothing(runs):
    found = recall_of(runs[0], runs[0])
    assert (found.difference, found.ci, found.verdict) == (0.0, (0.0, 0.0), "not distinguishable")


def test_a_run_keeps_it_and_one_of_an_earlier_version_is_still_read(runs, tmp_path):
    for name, slim in (("full", False), ("slim", True)):
        runs[0].save(tmp_path / name, slim=slim, plots=False)
        again = opiscal.load(tmp_path / name)
        assert by_class(again.counts) == by_class(runs[0].counts)
        assert recall_of(again, runs[1]).ci == recall_of(*runs).ci
    old = replace(runs[0], counts=replace(runs[0].counts, nearest=None))
    old.save(tmp_path / "old", plots=False)
    old = opiscal.load(tmp_path / "old")
    found = recall_of(old, runs[1])
    assert found.difference == recall_of(*runs).difference
    assert (found.ci, found.verdict) == (None, None)
    assert found.reason.endswith("not kept in the baseline: evaluate again")
    assert recall_of(runs[1], old).reason.endswith("in the candidate: evaluate again")
    rule = gated(runs[1], old, max_decrease=0.0)
    assert rule.verdict == "inconclusive"
    assert "evaluate again" in rule.reason
    assert gated(old, old, min=0.1).verdict == "inconclusive"
