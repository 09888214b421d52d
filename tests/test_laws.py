"""Laws that hold for any set, and tell OPIS from what only calls itself so."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from counted import counted, exact_sets, reported
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracles import far, frr, observed_edges, pair_table

import opiscal
from opiscal.errors import InconclusiveError
from opiscal.measures.opis import Integration, epsilon_opis, opis
from opiscal.measures.rates import rate_curve
from opiscal.measures.utility import Utility, class_utility
from opiscal.report.answers import find_point
from opiscal.report.class_table import class_table
from opiscal.report.settings import EvaluateConfig

# Sums in another order differ in the last digits.
CLOSE = {"rel": 1e-9, "abs": 1e-13}


def copies(classes, common, own):
    """Classes that are copies of one geometry.

    Row ``r`` of class ``i`` is ``common[r]`` and, in coordinates of the class's own, ``own[r]``:
    distances within any class and between any two depend on the rows alone.
    """
    common, own = np.asarray(common), np.asarray(own)
    rows, ids = [], []
    for i in range(classes):
        for r in range(len(own)):
            place = np.zeros((classes, own.shape[1]))
            place[i] = own[r]
            rows.append(np.concatenate([common[r], place.ravel()]))
            ids.append(i)
    return np.array(rows), ids


def answers(report):
    """Numbers that a law may compare."""
    found = report.calibration_range
    points = [report.recommended_threshold, *report.operating_points]
    return {
        "opis": report.opis.value,
        "epsilon_opis": report.epsilon_opis.value,
        "utility": report.utility.mean,
        "range": [*found.distance, *found.far, *found.frr],
        "auc": report.verification.auc,
        "eer": list(report.verification.eer),
        "pairs": [report.pairs.positive, report.pairs.negative],
        **{
            f"{k} {p.criterion} {p.target}": [p.distance, p.far, p.frr, p.utility]
            for k, p in enumerate(points)
        },
    }


def assert_same(one, other):
    a, b = answers(one), answers(other)
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert b[name] == pytest.approx(value, **CLOSE), name


# Identical classes


small = st.integers(-3, 3)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.integers(2, 13),
    st.lists(st.tuples(small, small, small, small), min_size=2, max_size=5),
    st.sampled_from(["sensitivity-specificity", "precision-recall"]),
    st.sampled_from([1.0, 0.5, 3.0]),
)
def test_identical_classes_give_opis_zero(classes, geometry, utility, c):
    common, own = np.array(geometry)[:, :2], np.array(geometry)[:, 2:]
    report = reported(
        *copies(classes, common, own), "l2", range="distance=0:9", utility=utility, c=c
    )
    assert report.opis.value == 0.0
    assert report.epsilon_opis.value == 0.0
    # Nobody is worse than another: the first labels stand for all, and no class has a share.
    worst = list(report.epsilon_opis.worst_classes)
    assert worst == list(range(len(worst)))
    assert class_table(report).opis_share.tolist() == [0.0] * classes


def test_a_global_rate_that_swings_wildly_while_all_classes_agree_gives_zero():
    # Scores that only call themselves OPIS follow one global F1 over the thresholds.
    rng = np.random.default_rng(1)
    report = reported(
        *copies(12, rng.integers(-3, 4, (6, 3)), rng.integers(-2, 3, (6, 3))), "l2",
        range="distance=0:12",
    )  # fmt: skip
    found = report.calibration_range
    assert found.far[1] - found.far[0] > 0.9
    assert found.frr[0] - found.frr[1] > 0.9
    nodes = np.linspace(*found.distance, 50)
    curves = class_utility(report.counts, nodes, Utility())
    assert np.ptp(curves.mean(axis=0)) > 0.3
    assert np.ptp(curves, axis=0).max() < 1e-12
    assert report.opis.value == 0.0
    assert report.epsilon_opis.value == 0.0


def test_one_class_that_differs_is_found():
    vectors, ids = copies(12, np.zeros((4, 1)), [[1, 0], [0, 1], [-1, 0], [0, -1]])
    vectors[ids.index(7) : ids.index(8)] *= 1.5
    report = reported(vectors, ids, "l2", range="distance=1:2")
    assert report.opis.value > 1e-4
    assert report.epsilon_opis.worst_classes[0] == 7
    table = class_table(report)
    assert table.opis_share.argmax() == 7
    assert table.opis_share.sum() == pytest.approx(1.0)


def test_classes_that_swap_places_give_opis_though_their_means_agree():
    # Same mean utility over the range, other curves: eps-OPIS ranked anew sees it as OPIS does.
    curves, weights = [[1.0, 0.0], [0.0, 1.0]], [0.5, 0.5]
    assert opis(curves, weights) == 0.25
    assert epsilon_opis(curves, weights, 0.5, rank="threshold").value == 1.0


# Names and order


@settings(max_examples=20, deadline=None, derandomize=True)
@given(exact_sets(), st.randoms(use_true_random=False))
def test_renaming_classes_changes_nothing(data, random):
    vectors, classes, metric = data
    names = list(range(max(classes) + 1))
    random.shuffle(names)
    renamed = [names[c] if c >= 0 else -1 for c in classes]
    options = {"range": "distance=0.3:1.9", "epsilon": 0.3}
    one = reported(vectors, classes, metric, **options)
    other = reported(vectors, renamed, metric, **options)
    assert_same(one, other)
    means = dict(zip(one.counts.labels, class_table(one).mean_utility, strict=True))
    again = dict(zip(other.counts.labels, class_table(other).mean_utility, strict=True))
    for c, mean in means.items():
        assert again[names[c]] == pytest.approx(mean, **CLOSE)
    worst = sorted(means[c] for c in one.epsilon_opis.worst_classes)
    assert sorted(again[c] for c in other.epsilon_opis.worst_classes) == pytest.approx(worst)


def test_labels_of_any_kind_in_any_order():
    rng = np.random.default_rng(2)
    vectors, ids = rng.normal(size=(60, 5)), np.arange(60) % 6
    # Ten comes before two as a string and after it as a number.
    reports = [
        opiscal.evaluate(vectors, labels, config=EvaluateConfig(threads=1))
        for labels in (ids, ids + 8, [f"{i + 8}" for i in ids], [f"ü {5 - i}" for i in ids])
    ]
    for report in reports[1:]:
        assert_same(reports[0], report)
        assert report.retrieval == reports[0].retrieval
    first = reports[0].epsilon_opis.worst_classes[0]
    assert [r.epsilon_opis.worst_classes[0] for r in reports] == [
        first, first + 8, f"{first + 8}", f"ü {5 - first}",
    ]  # fmt: skip


@settings(max_examples=20, deadline=None, derandomize=True)
@given(exact_sets(), st.randoms(use_true_random=False))
def test_shuffling_rows_changes_nothing(data, random):
    vectors, classes, metric = data
    order = list(range(len(classes)))
    random.shuffle(order)
    one = counted(vectors, classes, metric)
    other = counted([vectors[k] for k in order], [classes[k] for k in order], metric)
    assert one.class_rows.tolist() == other.class_rows.tolist()
    assert (one.positive, one.negative) == (other.positive, other.negative)
    # Rows are centred on the median of most of them, so edges may lie elsewhere; every distance
    # that occurs has one, and is found accepted by as many pairs.
    curves = rate_curve(one), rate_curve(other)
    table = pair_table(vectors, classes, metric)
    for d in observed_edges(table):
        places = [np.searchsorted(c.distance, d * (1 - 1e-9)) for c in curves]
        rates = [(c.far[k], c.frr[k]) for c, k in zip(curves, places, strict=True)]
        assert rates == [(far(table, d), frr(table, d))] * 2
    for target in (0.05, 0.2, 0.5):
        points = [
            find_point(counts, curve, Utility(), "far", target)
            for counts, curve in zip((one, other), curves, strict=True)
        ]
        assert (points[0].far, points[0].frr) == (points[1].far, points[1].frr)


def test_shuffling_a_real_set_changes_nothing():
    table = pq.read_table(Path(__file__).parent / "data" / "digits400.parquet")
    vectors, labels = np.array(table["embedding"].to_pylist()), np.array(table["label"])
    order = np.random.default_rng(10).permutation(len(labels))
    one, other = opiscal.evaluate(vectors, labels), opiscal.evaluate(vectors[order], labels[order])
    assert other.opis.value == pytest.approx(one.opis.value, rel=2e-4)
    assert other.epsilon_opis.value == pytest.approx(one.epsilon_opis.value, rel=2e-4)
    assert other.epsilon_opis.worst_classes == one.epsilon_opis.worst_classes
    assert other.retrieval == one.retrieval
    assert other.pairs == one.pairs
    # A pair or two stand on the other side of an edge.
    assert other.calibration_range.far == pytest.approx(one.calibration_range.far, abs=3e-5)


# Geometry


@settings(max_examples=15, deadline=None, derandomize=True)
@given(exact_sets(), st.integers(-6, 6))
def test_scaling_rows_by_powers_of_two_under_cosine_changes_nothing(data, power):
    vectors, classes, metric = data
    assume(metric == "cosine")
    lengths = 2.0 ** (np.arange(len(classes)) % 7 * power)
    options = {"range": "distance=0.3:1.9"}
    one = reported(vectors, classes, **options)
    assert_same(one, reported(np.array(vectors) * lengths[:, None], classes, **options))


def test_scaling_rows_by_anything_under_cosine_changes_nothing():
    rng = np.random.default_rng(3)
    ids = np.arange(90) % 9
    vectors = rng.normal(size=(9, 8))[ids] + rng.normal(size=(90, 8))
    lengths = np.exp(rng.normal(scale=20, size=(90, 1)))
    one, other = (opiscal.evaluate(v, ids) for v in (vectors, vectors * lengths))
    # Rounded once to float32: a row may differ in its last digit, and a pair change sides.
    assert other.opis.value == pytest.approx(one.opis.value, rel=1e-4)
    assert other.epsilon_opis.value == pytest.approx(one.epsilon_opis.value, rel=1e-4)
    assert other.retrieval == one.retrieval


@settings(max_examples=15, deadline=None, derandomize=True)
@given(exact_sets(), st.integers(-3, 3))
def test_scaling_a_set_under_l2_scales_its_thresholds(data, power):
    vectors, classes, metric = data
    assume(metric == "l2")
    scale = 2.0**power
    one = counted(vectors, classes, "l2")
    other = counted(np.array(vectors) * scale, classes, "l2")
    np.testing.assert_allclose(other.distance, one.distance * scale, rtol=1e-15)
    np.testing.assert_array_equal(other.class_positive, one.class_positive)
    np.testing.assert_array_equal(other.class_negative, one.class_negative)
    found = [
        reported(np.array(vectors) * s, classes, "l2", range=f"distance={s}:{4 * s}").opis.value
        for s in (1.0, scale)
    ]
    assert found[1] == pytest.approx(found[0], **CLOSE)


def test_turning_moving_and_padding_a_set_changes_nothing():
    rng = np.random.default_rng(4)
    vectors, ids = rng.integers(-3, 4, (50, 4)), (np.arange(50) % 7).tolist()
    one = reported(vectors, ids, "l2", range="far=0.05:0.3")
    turned = vectors[:, [2, 0, 3, 1]] * [1, -1, -1, 1]
    padded = np.concatenate([vectors, np.full((50, 3), 7)], axis=1)
    for same in (turned, vectors + np.array([100, -40, 3, 9]), padded):
        assert_same(one, reported(same, ids, "l2", range="far=0.05:0.3"))


def test_unit_rows_under_l2_are_rows_under_cosine():
    rng = np.random.default_rng(5)
    signs, ids = rng.choice([-1.0, 1.0], (60, 16)), (np.arange(60) % 6).tolist()
    cosine = reported(signs, ids, range="distance=0.9:1.3")
    l2 = reported(signs / 4, ids, "l2", range="distance=0.9:1.3")
    assert cosine.verification.auc == pytest.approx(l2.verification.auc, **CLOSE)
    for target in (0.05, 0.2, 0.6):
        a, b = cosine.threshold(far=target), l2.threshold(far=target)
        assert (a.far, a.frr) == (b.far, b.frr)
        assert b.similarity is None
    assert cosine.opis.value == pytest.approx(l2.opis.value, rel=0.02)


# Rows that are negatives and no more


@settings(max_examples=15, deadline=None, derandomize=True)
@given(exact_sets(distractors=False), st.integers(1, 6), st.integers(0, 2**32))
def test_distractors_only_add_negatives(data, distractors, seed):
    vectors, classes, metric = data
    chosen = np.random.default_rng(seed).integers(0, len(vectors), distractors)
    more = [*vectors, *(vectors[k] for k in chosen)]
    without = counted(vectors, classes, metric)
    with_them = counted(more, [*classes, *[-1] * distractors], metric)
    assert with_them.labels == without.labels
    assert with_them.class_rows.tolist() == without.class_rows.tolist()
    assert with_them.positive == without.positive
    # Each is a negative of every labelled row, and of no other distractor.
    assert with_them.negative == without.negative + distractors * len(classes)
    assert (
        with_them.negatives_of_class.tolist()
        == (without.negatives_of_class + distractors * without.class_rows).tolist()
    )
    for k, d in enumerate(with_them.class_distance):
        there = np.flatnonzero(np.isclose(without.class_distance, d, rtol=1e-12, atol=0))
        if there.size:
            was = without.class_positive[:, there[0]]
            assert with_them.class_positive[:, k].tolist() == was.tolist()
            assert np.all(with_them.class_negative[:, k] >= without.class_negative[:, there[0]])


def test_dropping_singletons_changes_only_negatives():
    rng = np.random.default_rng(6)
    ids = np.concatenate([np.arange(40) % 5, np.arange(100, 120)])
    vectors = rng.integers(-3, 4, (60, 3))
    reports = {
        policy: opiscal.evaluate(
            vectors, ids, config=EvaluateConfig(metric="l2", singletons=policy, range="frr=0.2:0.6")
        )
        for policy in ("keep", "drop")
    }
    kept, dropped = reports["keep"], reports["drop"]
    assert (kept.data.classes_singleton, kept.data.dropped.singleton) == (20, 0)
    assert (dropped.data.classes_singleton, dropped.data.dropped.singleton) == (0, 20)
    assert kept.data.classes_scored == dropped.data.classes_scored == 5
    assert kept.pairs.positive == dropped.pairs.positive == 5 * 28
    assert dropped.pairs.negative == 40 * 39 // 2 - 140
    assert kept.pairs.negative == 60 * 59 // 2 - 140
    # FRR knows positives alone.
    for target in (0.5, 0.3, 0.1):
        a, b = kept.threshold(frr=target), dropped.threshold(frr=target)
        assert (a.frr, a.distance) == (b.frr, pytest.approx(b.distance, rel=1e-6))
    alone = opiscal.evaluate(
        vectors[:40], ids[:40], config=EvaluateConfig(metric="l2", range="frr=0.2:0.6")
    )
    assert_same(dropped, alone)


# Ranges


@settings(max_examples=15, deadline=None, derandomize=True)
@given(exact_sets(), st.lists(st.integers(0, 10_000), min_size=3, max_size=3, unique=True))
def test_opis_over_a_range_is_made_of_its_parts(data, places):
    counts = counted(*data)
    edges = counts.class_distance
    a, b, c = edges[np.sort(np.array(places) % edges.size)]
    assume(a < b < c)

    def area(low, high):
        nodes, weights = Integration().nodes(edges, low, high)
        return opis(class_utility(counts, nodes, Utility()), weights) * (high - low)

    assert area(a, c) == pytest.approx(area(a, b) + area(b, c), abs=1e-12)


def test_a_wider_far_range_holds_a_narrower_one():
    rng = np.random.default_rng(7)
    ids = np.arange(300) % 20
    vectors = rng.normal(size=(20, 8))[ids] + rng.normal(size=(300, 8))
    ranges = [
        opiscal.evaluate(vectors, ids, config=EvaluateConfig(range=r)).calibration_range
        for r in ("far=0.01:0.1", "far=0.02:0.05")
    ]
    assert ranges[0].distance[0] < ranges[1].distance[0] < ranges[1].distance[1]
    assert ranges[1].distance[1] < ranges[0].distance[1]
    for found, (low, high) in zip(ranges, [(0.01, 0.1), (0.02, 0.05)], strict=True):
        assert 0.98 * low < found.far[0] <= low
        assert 0.98 * high < found.far[1] <= high


def test_thresholds_rise_with_far_and_fall_with_frr():
    rng = np.random.default_rng(8)
    ids = np.arange(200) % 10
    report = opiscal.evaluate(rng.normal(size=(10, 6))[ids] + rng.normal(size=(200, 6)), ids)
    targets = np.geomspace(3e-4, 0.9, 60)
    # The law is of the numbers, be they supported or not.
    by_far = [report.threshold(far=x, force=True) for x in targets]
    by_frr = [report.threshold(frr=x) for x in targets]
    assert all(p.far <= x for p, x in zip(by_far, targets, strict=True))
    assert all(p.frr <= x for p, x in zip(by_frr, targets, strict=True))
    assert np.all(np.diff([p.distance for p in by_far]) >= 0)
    assert np.all(np.diff([p.distance for p in by_frr]) <= 0)
    # From some FAR on all are supported, and without force only those have numbers.
    supported = [p.supported for p in by_far]
    assert supported == sorted(supported)
    assert 5 < sum(supported) < 60
    for x, forced in zip(targets, by_far, strict=True):
        plain = report.threshold(far=x)
        assert plain.supported == forced.supported
        assert plain == forced if plain.supported else plain.distance is None
    assert all(p.supported for p in by_frr)


def test_guaranteed_thresholds_rise_with_far_and_lie_below_the_estimates():
    rng = np.random.default_rng(8)
    ids = np.arange(200) % 10
    report = opiscal.evaluate(rng.normal(size=(10, 6))[ids] + rng.normal(size=(200, 6)), ids)
    targets = np.geomspace(3e-4, 0.9, 60)
    sure = [report.threshold(far=x, guarantee=True) for x in targets]
    given = [p.guaranteed for p in sure]
    assert given == sorted(given)
    assert 5 < sum(given) < 60
    distances = [p.distance for p in sure if p.guaranteed]
    assert np.all(np.diff(distances) >= 0)
    for x, p in zip(targets, sure, strict=True):
        if p.guaranteed:
            assert p.distance <= report.threshold(far=x, force=True).distance
            assert p.far <= x


def test_one_scored_class_is_an_error_and_not_a_zero():
    with pytest.raises(InconclusiveError, match=r"1 class of two rows or more.*at least two"):
        opiscal.evaluate([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], ["a", "a", "b"])


def test_both_pools_give_one_report_where_all_classes_have_one_size():
    rng = np.random.default_rng(9)
    vectors, ids = rng.integers(-4, 5, (48, 3)), (np.arange(48) % 6).tolist()
    reports = [
        reported(vectors, ids, "l2", range="distance=2:6", pool=pool)
        for pool in ("pairs", "classes")
    ]
    assert reports[0].opis.value == pytest.approx(reports[1].opis.value, **CLOSE)
    curves = [rate_curve(reports[1].counts, pool) for pool in ("pairs", "classes")]
    for d in curves[1].distance[::7]:
        assert curves[0].at(float(d)) == pytest.approx(curves[1].at(float(d)), abs=1e-12)
