"""How sure the numbers of a report are: guarantees, support, force, and what is kept of it."""

import dataclasses
import itertools
import json
import math
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from counted import reported
from oracles import pair_table

import opiscal
from opiscal.errors import InconclusiveError, UsageError
from opiscal.measures.rate_intervals import rate_intervals
from opiscal.measures.rates import rate_curve
from opiscal.report.answers import is_wide, require_support
from opiscal.report.class_table import class_table
from opiscal.report.settings import EvaluateConfig

CLASSES, ROWS = 30, 6
TARGETS = (0.3, 0.1, 0.05, 0.02, 0.01, 5e-3)


def drawn(classes=CLASSES, rows=ROWS, seed=0):
    """Gaussian classes about Gaussian centres."""
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(classes), rows)
    return rng.normal(size=(classes, 8))[ids] + 0.8 * rng.normal(size=(ids.size, 8)), ids


def evaluated(classes=CLASSES, rows=ROWS, groups=None, **options):
    vectors, ids = drawn(classes, rows)
    return opiscal.evaluate(vectors, ids, groups, config=EvaluateConfig(**options))


@pytest.fixture(scope="module")
def report():
    return evaluated()


def inside(interval, value):
    return interval[0] <= value <= interval[1]


def document_of(report):
    """All but what no two evaluations share."""
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    document["provenance"] = None
    return document


# The guarantee


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("pool", ["pairs", "classes"])
def test_the_upper_bound_of_a_guaranteed_threshold_is_at_most_the_target(confidence, pool):
    report = evaluated(pool=pool)
    bounds = rate_intervals(report.counts, pool, confidence)
    edges = report.counts.distance if pool == "pairs" else report.counts.class_distance
    given = 0
    for far in TARGETS:
        point = report.threshold(far=far, guarantee=True, confidence=confidence)
        assert point.guaranteed == point.supported == (point.distance is not None)
        if point.distance is None:
            assert bounds.far_bound[0] > far
            continue
        given += 1
        at = bounds.at(point.distance)
        assert point.far <= at.far_bound <= far
        assert point.far_ci == at.far_ci
        assert point.frr_ci == at.frr_ci
        # No threshold above it keeps the promise, and every one below it does.
        edge = int(np.searchsorted(edges, point.distance))
        assert edges[edge] == point.distance
        assert np.all(bounds.far_bound[edge + 1 :] > far)
        assert np.all(bounds.far_bound[: edge + 1] <= far)
        # It is never larger than the one whose estimate meets the target.
        plain = report.threshold(far=far, force=True)
        assert point.distance <= plain.distance
        assert point.frr >= plain.frr
        assert not plain.guaranteed
    assert given >= 3


def test_a_greater_confidence_promises_less(report):
    found = [
        report.threshold(far=0.05, guarantee=True, confidence=level)
        for level in (0.6, 0.8, 0.95, 0.99)
    ]
    assert all(point.guaranteed for point in found)
    for one, other in itertools.pairwise(found):
        assert one.distance > other.distance
        assert one.far > other.far


def test_a_guarantee_that_cannot_be_kept(report):
    point = report.threshold(far=1e-6, guarantee=True)
    assert (point.criterion, point.target) == ("far", 1e-6)
    assert (point.guaranteed, point.supported) == (False, False)
    assert {point.distance, point.far, point.frr, point.far_ci} == {None}
    assert report.threshold(far=1e-6, guarantee=True, force=True) == point
    curve, bounds = rate_curve(report.counts), rate_intervals(report.counts)
    with pytest.raises(InconclusiveError) as caught:
        require_support(point, curve, bounds, guarantee=True)
    least = float(re.search(r"the upper bound is (\S+) at the least", str(caught.value))[1])
    assert least == pytest.approx(bounds.far_bound[0], rel=5e-3)
    assert "with a confidence of 0.95" in str(caught.value)
    assert report.threshold(far=1.01 * least, guarantee=True).guaranteed


@pytest.mark.parametrize("target", [{"frr": 0.1}, {"eer": True}, {"utility": True}, {"at": 0.5}])
def test_nothing_but_a_far_can_be_guaranteed(report, target):
    with pytest.raises(UsageError, match="only a FAR can be guaranteed, such as far=1e-3"):
        report.threshold(**target, guarantee=True)


@pytest.mark.parametrize("confidence", [0.0, 0.5, 1.0, 95, math.nan, -0.9])
def test_a_confidence_that_is_none(report, confidence):
    for guarantee in (False, True):
        with pytest.raises(UsageError, match=r"must be above 0\.5 and below 1") as caught:
            report.threshold(far=0.1, confidence=confidence, guarantee=guarantee)
        assert repr(confidence) in str(caught.value)


# Intervals of an answer


def test_a_greater_confidence_has_wider_intervals(report):
    for target in ({"far": 0.1}, {"far": 0.037}, {"frr": 0.2}):
        found = [report.threshold(**target, confidence=level) for level in (0.7, 0.9, 0.99)]
        assert len({point.distance for point in found}) == 1
        for one, other in itertools.pairwise(found):
            for name in ("far_ci", "frr_ci"):
                (a, b), (c, d) = getattr(one, name), getattr(other, name)
                assert c < a < b < d
            (a, b), (c, d) = one.distance_ci, other.distance_ci
            assert c <= a < b <= d
    assert report.threshold(far=0.1) == report.threshold(far=0.1, confidence=report.confidence)


@pytest.mark.parametrize("far", TARGETS)
def test_the_interval_of_a_threshold_holds_it(report, far):
    point = report.threshold(far=far, force=True)
    assert inside(point.distance_ci, point.distance)
    assert inside(point.far_ci, point.far)
    assert inside(point.frr_ci, point.frr)
    assert 0 <= point.far_ci[0] < point.far_ci[1] <= 1
    assert 0 <= point.frr_ci[0] < point.frr_ci[1] <= 1


def test_a_threshold_in_use_has_intervals_of_its_rates(report):
    edge = report.threshold(far=0.1)
    same = report.threshold(at=edge.distance)
    assert (same.far_ci, same.frr_ci) == (edge.far_ci, edge.frr_ci)
    # It was chosen by someone else: it is what it is.
    assert same.distance_ci is None
    for distance in (0.0, 0.3, 0.7123, 1.2, 2.0):
        point = report.threshold(at=distance)
        assert inside(point.far_ci, point.far)
        assert inside(point.frr_ci, point.frr)


def test_the_recommended_threshold_has_intervals(report):
    for how in ("utility", "far=0.05", "frr=0.3", "eer"):
        point = evaluated(recommend=how).recommended_threshold
        assert inside(point.far_ci, point.far)
        assert inside(point.frr_ci, point.frr)
        assert inside(point.distance_ci, point.distance)
        assert point.distance_ci[0] < point.distance_ci[1]
    # The best of the range and the best of all have intervals of their own.
    best = report.threshold(utility=True)
    assert best.distance != report.recommended_threshold.distance
    assert best.distance_ci != report.recommended_threshold.distance_ci


@pytest.mark.parametrize("options", [{}, {"range": "distance=0.9:1.1"}, {"pool": "classes"}])
def test_another_level_widens_every_interval_of_the_report(options):
    narrow, wide = evaluated(confidence=0.7, **options), evaluated(confidence=0.99, **options)
    assert (narrow.confidence, wide.confidence) == (0.7, 0.99)
    intervals = [
        (r.opis.ci, r.opis.corrected_ci, r.epsilon_opis.ci, r.utility.ci, r.verification.eer_ci,
         r.recommended_threshold.far_ci, r.recommended_threshold.frr_ci,
         r.differential.far.worst[0].ci)
        for r in (narrow, wide)
    ]  # fmt: skip
    for (a, b), (c, d) in zip(*intervals, strict=True):
        assert c <= a < b <= d
        assert (c, d) != (a, b)
    assert narrow.opis.value == wide.opis.value
    assert narrow.opis.corrected == wide.opis.corrected


# Support


def test_an_unsupported_target_says_how_many_times_the_classes_would_do():
    small = evaluated(10)
    curve, intervals = rate_curve(small.counts), rate_intervals(small.counts)
    far = 1e-4
    point = small.threshold(far=far)
    assert not point.supported
    with pytest.raises(InconclusiveError) as caught:
        require_support(point, curve, intervals)
    message = str(caught.value)
    assert message.startswith("far 0.0001: ")
    assert "independent negative pairs (of 1620, which share classes)" in message
    expected = float(message.split()[2])
    assert expected < 3
    times = float(re.search(r"bring (\S+) times the classes", message)[1].replace(",", ""))
    # Rounded up, in two digits: that many times the expected errors are the 3 that are needed.
    assert 0.999 <= times * expected / 3 < 1.12
    assert "see the number all the same with --force" in message
    fewest = float(re.search(r"ask for (\S+) or more", message)[1])
    for asked in np.geomspace(fewest, 0.9, 20):
        assert small.threshold(far=asked).supported
    assert not small.threshold(far=0.7 * fewest).supported
    # The same classes and as many more as it says.
    assert evaluated(math.ceil(10 * times)).threshold(far=far).supported


def test_no_target_at_all_is_advised_where_there_is_none():
    tiny = reported([[0], [1], [5], [6]], [0, 0, 1, 1], "l2", range="distance=0:9")
    point = tiny.threshold(far=0.9)
    assert not point.supported
    with pytest.raises(InconclusiveError) as caught:
        require_support(point, rate_curve(tiny.counts), rate_intervals(tiny.counts))
    assert "ask for" not in str(caught.value)
    assert "times the classes" in str(caught.value)


def test_support_goes_by_the_effective_number(report):
    """Rows of the same few classes add pairs, and hardly any knowledge of other classes."""
    rng = np.random.default_rng(2)
    centres = 5 * np.eye(6)
    # Two classes that are hard to tell apart make all the false accepts up to a FAR of 1/15.
    centres[1] = centres[0] + 0.1
    ids = np.repeat(np.arange(6), 40)
    few = opiscal.evaluate(centres[ids] + rng.normal(size=(240, 6)), ids)
    assert few.counts.negative == 24_000 > report.counts.negative
    for far in (0.01, 0.03):
        assert far * few.counts.negative > 200
        assert not few.threshold(far=far).supported
        assert report.threshold(far=far).supported


@pytest.mark.parametrize("far", [1e-3, 1e-4, 1e-6])
def test_force_gives_the_number_and_marks_it(far):
    report = evaluated(10)
    plain, forced = report.threshold(far=far), report.threshold(far=far, force=True)
    assert (plain.distance, plain.supported) == (None, False)
    assert (forced.supported, forced.guaranteed) == (False, False)
    curve = rate_curve(report.counts)
    edge = int(np.searchsorted(curve.distance, forced.distance))
    assert curve.distance[edge] == forced.distance
    assert forced.far == curve.far[edge] <= far < curve.far[edge + 1]
    assert inside(forced.far_ci, forced.far)
    # Where it is supported force changes nothing.
    for target in ({"far": 0.3}, {"frr": 0.1}, {"eer": True}, {"utility": True}, {"at": 0.8}):
        assert report.threshold(**target, force=True) == report.threshold(**target)


def test_few_expected_errors_are_noticed_as_wide(report):
    notice = next(n for n in report.warnings if n.code == "wide")
    intervals = rate_intervals(report.counts)
    targets = [p.target for p in report.operating_points if p.criterion == "far"]
    wide = []
    for far in targets:
        edge = int(np.searchsorted(intervals.curve.far, far, side="right")) - 1
        expected = far * intervals.far_number[edge]
        assert expected >= 3
        wide += [f"{far:g}"] if expected < 30 else []
    assert wide
    assert f"at FAR {', '.join(wide)} among the effective number of pairs" in notice.message
    for far in targets:
        point = report.threshold(far=far)
        assert is_wide(point, intervals.curve, intervals) == (f"{far:g}" in wide)
    assert not is_wide(report.threshold(far=0.5), intervals.curve, intervals)
    # What was forced is not wide but unsupported.
    assert not is_wide(report.threshold(far=1e-5, force=True), intervals.curve, intervals)


# Noise


def test_without_noise_there_is_no_corrected_value():
    """Nine classes, or classes of three rows: intervals of the plain value, and a warning."""
    for classes, rows in ((9, 6), (30, 3)):
        report = evaluated(classes, rows)
        opis = report.opis
        assert {opis.noise, opis.corrected, opis.corrected_classes, opis.value_same_classes} == {
            None
        }
        assert opis.corrected_ci is report.epsilon_opis.null_value is None
        assert opis.ci[0] <= opis.ci[1]
        assert "noise_unknown" in [n.code for n in report.warnings]
    assert "noise_unknown" not in [n.code for n in evaluated(10, 4).warnings]


def test_the_corrected_value_is_over_the_classes_of_four_rows_or_more():
    vectors, ids = drawn(24, 6)
    # Of the last eight classes two rows are left.
    kept = (ids < 16) | (np.arange(ids.size) % 6 < 2)
    report = opiscal.evaluate(vectors[kept], ids[kept])
    opis = report.opis
    assert report.data.classes_scored == 24
    assert opis.corrected_classes == 16
    assert opis.value_same_classes != opis.value
    assert opis.corrected == pytest.approx(opis.value_same_classes - opis.noise, rel=1e-12)
    table = class_table(report)
    assert np.isnan(table.utility_error).tolist() == [False] * 16 + [True] * 8


def test_the_table_of_classes_has_the_error_of_each_utility(tmp_path):
    vectors, ids = drawn(20, 6)
    kept = (ids < 15) | (np.arange(ids.size) % 6 < 3)
    report = opiscal.evaluate(vectors[kept], ids[kept])
    run = report.save(tmp_path / "run", plots=False)
    column = pq.read_table(run / "classes.parquet")["utility_error"].to_pylist()
    assert column[15:] == [None] * 5
    assert all(0 < error < 0.5 for error in column[:15])
    # The noise of OPIS is their mean square, times 1 - 1/T, and what bending adds.
    mean = np.mean(np.square(column[:15])) * (1 - 1 / 15)
    assert 0.98 * mean < report.opis.noise < 1.3 * mean
    # Of twice the rows the error is smaller.
    more = class_table(opiscal.evaluate(*drawn(20, 24))).utility_error
    assert np.mean(more) < 0.75 * np.mean(column[:15])


# Groups


def test_groups_fill_the_differential():
    rng = np.random.default_rng(3)
    ids = np.repeat(np.arange(12), 8)
    vectors = rng.integers(-4, 5, (12, 3))[ids] + rng.integers(-2, 3, (96, 3))
    names = np.array(["eu", "us", "asia"])
    groups = [None, *names[ids % 3][1:].tolist()]
    groups[-1] = "nowhere"
    config = EvaluateConfig(metric="l2", range="far=0.05:0.3")
    report = opiscal.evaluate(vectors, ids, groups, config=config)
    found = report.differential.groups
    at = report.recommended_threshold.distance
    rows = pair_table(vectors.tolist(), ids.tolist(), "l2")
    assert rows.scored == list(range(12))
    for name in ("far", "frr"):
        unequal = getattr(found, name)
        cells = {}
        for group in {g for g in groups if g}:
            own = [k for k, g in enumerate(groups) if g == group]
            table = pair_table(vectors[own].tolist(), ids[own].tolist(), "l2")
            pairs = table.pool_negative if name == "far" else table.pool_positive
            errors = sum((d <= at) == (name == "far") for d in pairs)
            if len(pairs) >= 30:
                cells[group] = (errors, len(pairs))
        assert (unequal.cells, unequal.left_out) == (3, 1)
        worst = sorted(cells, key=lambda g: (-cells[g][0] / cells[g][1], g))
        assert [cell.label for cell in unequal.worst] == worst
        for cell in unequal.worst:
            errors, pairs = cells[cell.label]
            assert (cell.rate, cell.pairs) == (errors / pairs, pairs)
            assert 0 <= cell.ci[0] <= cell.rate <= cell.ci[1] <= 1
        smooth = [(e + 0.5) / (n + 1) for e, n in cells.values()]
        ratio = max(smooth) / np.exp(np.mean(np.log(smooth)))
        assert unequal.max_over_geomean == pytest.approx(ratio, rel=1e-12)
    assert found.opis > 0
    assert 0 < found.garbe < 1
    # Two rows are in no group, or in one of their own.
    assert found.positive_across == pytest.approx((7 + 7) / (12 * 28), rel=1e-12)
    across = sum(
        ids[i] != ids[j] and (groups[i] is None or groups[i] != groups[j])
        for i in range(96)
        for j in range(i)
    )
    assert found.negative_across == pytest.approx(across / (96 * 95 // 2 - 12 * 28), rel=1e-12)


# It is kept, and it repeats


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"confidence": 0.8, "splits": 1, "recommend": "far=0.05"},
        {"splits": 2, "pool": "classes"},
    ],
    ids=str,
)
def test_a_run_keeps_all_of_it(options, tmp_path):
    groups = np.array(["eu", "us"])[np.repeat(np.arange(CLASSES), ROWS) % 2].tolist()
    live = evaluated(groups=groups, **options)
    loaded = opiscal.load(live.save(tmp_path / "run", plots=False))
    assert loaded.to_dict() == live.to_dict()
    for name in ("opis", "epsilon_opis", "utility", "verification", "differential", "split",
                 "intervals", "confidence", "warnings"):  # fmt: skip
        assert getattr(loaded, name) == getattr(live, name), name
    assert live.differential.groups is not None
    assert (live.split is None) == ("splits" not in options)
    asked = [
        *({"far": x} for x in (0.2, 0.05, 0.01, 1e-4)),
        {"far": 0.05, "guarantee": True},
        {"far": 0.05, "guarantee": True, "confidence": 0.7},
        {"far": 1e-5, "force": True},
        {"frr": 0.2}, {"eer": True}, {"utility": True}, {"at": 0.77},
        {"eer": True, "confidence": 0.6},
    ]  # fmt: skip
    for target in asked:
        assert loaded.threshold(**target) == live.threshold(**target)


def test_the_same_seed_gives_the_same_document():
    one, again, other = (evaluated(seed=seed, splits=1) for seed in (5, 5, 6))
    assert document_of(one) == document_of(again)
    assert one.opis.ci != other.opis.ci
    assert (one.intervals.seed, other.intervals.seed) == (5, 6)
    # Another seed moves the ends, and hardly.
    for a, b in (
        (one.opis.ci, other.opis.ci),
        (one.utility.ci, other.utility.ci),
        (one.verification.eer_ci, other.verification.eer_ci),
    ):
        width = a[1] - a[0]
        assert abs(a[0] - b[0]) < 0.15 * width
        assert abs(a[1] - b[1]) < 0.15 * width


def test_the_number_of_threads_changes_no_interval():
    one, two = evaluated(threads=1, splits=1), evaluated(threads=2, splits=1)
    assert document_of(one) == document_of(two)
    assert dataclasses.replace(one.settings, threads=None) == dataclasses.replace(
        two.settings, threads=None
    )


# The smallest and the oddest sets


ODD = {
    "two classes of three rows": ([[0], [1], [2], [5], [6], [7]], [0, 0, 0, 1, 1, 1]),
    "no error anywhere": ([[c * 100 + r] for c in range(12) for r in range(4)],
                          [c for c in range(12) for _ in range(4)]),
    "every row alike": ([[0]] * 48, [c for c in range(12) for _ in range(4)]),
    "one giant class": (
        np.random.default_rng(4).integers(-9, 10, (240, 2)).tolist(),
        [0] * 160 + [1 + k // 2 for k in range(80)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("pool", ["pairs", "classes"])
@pytest.mark.parametrize("name", ODD)
def test_odd_sets_have_ordered_intervals_or_none(name, pool):
    vectors, classes = ODD[name]
    report = reported(vectors, classes, "l2", range="distance=0:9", pool=pool)
    document = document_of(report)  # no NaN, no infinity

    def intervals(value, path=""):
        if isinstance(value, dict):
            for key, item in value.items():
                if key == "ci" or key.endswith("_ci"):
                    yield f"{path}.{key}", item
                yield from intervals(item, f"{path}.{key}")
        elif isinstance(value, list):
            for item in value:
                yield from intervals(item, path)

    found = list(intervals(document))
    assert len(found) > 10
    for path, interval in found:
        if interval is not None:
            assert interval[0] <= interval[1], path
            if path.endswith(("far_ci", "frr_ci", "eer_ci")):
                assert 0 <= interval[0] <= interval[1] <= 1, path
    for point in (report.recommended_threshold, *report.operating_points):
        assert inside(point.far_ci, point.far)
        assert inside(point.frr_ci, point.frr)
    for far in (0.5, 0.1, 1e-3):
        sure = report.threshold(far=far, guarantee=True)
        assert sure.distance is None or sure.far <= far
