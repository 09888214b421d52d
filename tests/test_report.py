"""The report: its fields, its way through a run folder, its rounding, and that it repeats."""

import dataclasses
import itertools
import json
import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from brute_force import class_pairs_of
from conftest import PLACES
from counted import reported
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import accepted, class_far, class_frr, far, frr, pair_table

import opiscal
from opiscal.data.embedding_set import ColumnNames
from opiscal.errors import InconclusiveError, InputError, UsageError
from opiscal.evaluation import evaluate_files
from opiscal.measures.guarantee import support
from opiscal.measures.rate_intervals import rate_intervals
from opiscal.measures.rates import rate_curve
from opiscal.report.answers import require_support
from opiscal.report.artifact import read_artifact, threshold_artifact, write_artifact
from opiscal.report.class_table import class_table
from opiscal.report.record import point_to_dict
from opiscal.report.rounding import round_down, round_up
from opiscal.report.settings import EvaluateConfig

DIGITS400 = Path(__file__).parent / "data" / "digits400.parquet"

POINT = [
    "criterion", "target", "similarity", "distance", "cosine_distance", "squared_l2", "far", "frr",
    "utility", "far_ci", "frr_ci", "distance_ci", "supported", "guaranteed", "exact_at_threshold",
    "fpir", "fnir",
]  # fmt: skip

# Section 3 of the contract, and the fields that were added to it: settings, provenance.columns, and
# those of issues 3 and 4; of queries against a gallery those of `data` and of an operating point.
FIELDS = {
    "schema_version": None,
    "provenance": ["opiscal_version", "command", "seed", "threads", "inputs", "columns",
                   "fingerprint", "versions", "elapsed_s"],
    "settings": None,
    "data": ["rows_read", "rows_used", "dropped", "distractors", "dimensions", "classes",
             "classes_scored", "classes_singleton", "class_size", "precision", "sample", "queries",
             "gallery", "queries_unknown"],
    "pairs": ["mode", "positive", "negative", "positive_counted", "negative_counted",
              "reason", "sampling"],
    "metric": None,
    "calibration_range": ["given", "distance", "similarity", "far", "frr"],
    "utility": ["kind", "c", "mean", "ci"],
    "opis": ["value", "noise", "corrected", "corrected_classes", "value_same_classes", "ci",
             "corrected_ci"],
    "epsilon_opis": ["epsilon", "against", "rank", "value", "worst_classes", "null_value", "ci"],
    "recommended_threshold": POINT,
    "operating_points": None,
    "verification": ["eer", "auc", "eer_ci"],
    "retrieval": ["recall_at", "queries"],
    "differential": ["far_max_over_geomean", "frr_max_over_geomean", "worst_far_class",
                     "worst_frr_class", "far", "frr", "garbe", "groups"],
    "split": None,
    "intervals": ["replicates", "seed", "class_pair_sum", "unclassed_rows"],
    "confidence": None,
    "warnings": None,
}  # fmt: skip


def digits(**options):
    return evaluate_files([str(DIGITS400)], ColumnNames(), EvaluateConfig(**options))


@pytest.fixture(scope="module")
def report():
    return digits()


@pytest.fixture(scope="module")
def grouped():
    """Three classes in three groups, one row without a group."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 45).tolist()
    groups = [None, *rng.choice(["eu", "us", "ü"], 44).tolist()]
    vectors = rng.integers(-3, 4, (45, 3))
    config = EvaluateConfig(metric="l2", range="frr=0.2:0.7")
    return opiscal.evaluate(vectors, classes, groups, config=config), vectors, classes, groups


def without_time(document):
    out = json.loads(json.dumps(document))
    out["provenance"]["elapsed_s"] = None
    return out


def assert_holds(interval, value, low=-math.inf, high=math.inf):
    """Two finite ends in order, inside what there may be, with the value between them."""
    first, last = interval
    assert math.isfinite(first)
    assert math.isfinite(last)
    assert low <= first <= value <= last <= high
    assert first < last


def numbers_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [n for item in value for n in numbers_in(item)]
    return [value] if isinstance(value, float) else []


# Fields


def test_the_document_has_the_fields_of_the_contract(report):
    document = report.to_dict()
    assert sorted(document) == sorted(FIELDS)
    for name, fields in FIELDS.items():
        if fields is not None:
            assert sorted(document[name]) == sorted(fields), name
    assert document["schema_version"] == 1
    for point in document["operating_points"]:
        assert sorted(point) == sorted(POINT)
    assert sorted(document["data"]["dropped"]) == [
        "non_finite", "null_embedding", "null_label", "singleton", "zero_norm",
    ]  # fmt: skip
    assert sorted(document["data"]["class_size"]) == ["max", "median", "min"]
    assert [sorted(item) for item in document["provenance"]["inputs"]] == [
        ["path", "rows", "sha256"]
    ]
    assert all(sorted(notice) == ["code", "message"] for notice in document["warnings"])


@pytest.mark.parametrize("options", [{}, {"pool": "classes", "range": "frr=0.2:0.4", "c": 2.0}])
def test_every_number_has_its_interval_around_it(options):
    document = digits(**options).to_dict()
    opis = document["opis"]
    assert opis["corrected_classes"] == 10
    assert opis["value_same_classes"] == opis["value"]
    assert opis["corrected"] == pytest.approx(opis["value"] - opis["noise"], rel=1e-12)
    assert 0 < opis["noise"] < opis["value"]
    assert_holds(opis["ci"], opis["value"], 0.0)
    assert_holds(opis["corrected_ci"], opis["corrected"])
    worst = document["epsilon_opis"]
    assert_holds(worst["ci"], worst["value"], 0.0, 1.0)
    assert 0 < worst["null_value"] < worst["value"]
    assert_holds(document["utility"]["ci"], document["utility"]["mean"], 0.0, 1.0)
    low, high = document["verification"]["eer"]
    assert_holds(document["verification"]["eer_ci"], (low + high) / 2, 0.0, 1.0)
    points = [document["recommended_threshold"], *document["operating_points"]]
    assert {point["criterion"] for point in points} == {"far", "eer", "utility"}
    for point in points:
        assert_holds(point["far_ci"], point["far"], 0.0, 1.0)
        assert_holds(point["frr_ci"], point["frr"], 0.0, 1.0)
        assert_holds(point["distance_ci"], point["distance"], 0.0, 2.0)
        assert point["supported"] is True
        # Of an estimate nobody said that its bound meets the target.
        assert point["guaranteed"] is False
    # The sum over class pairs is known for the pooled rate alone.
    known = "pool" not in options
    method = {"replicates": 2000, "seed": 0, "class_pair_sum": known, "unclassed_rows": 0}
    assert document["intervals"] == method
    assert document["confidence"] == 0.95
    # Not asked for, and no groups in the file.
    assert document["split"] is None
    assert document["differential"]["groups"] is None


@pytest.mark.parametrize(("classes", "rows"), [(2, 3), (2, 40), (3, 6), (4, 8)])
def test_thresholds_of_few_classes_lie_in_their_intervals(classes, rows):
    rng = np.random.default_rng(100 * classes + rows)
    ids = np.repeat(np.arange(classes), rows)
    vectors = rng.standard_normal((classes, 6))[ids] + 0.8 * rng.standard_normal((ids.size, 6))
    found = reported(vectors, ids.tolist(), range="far=0.05:0.3").to_dict()
    points = [found["recommended_threshold"], *found["operating_points"]]
    assert len(points) > 2
    for point in points:
        assert_holds(point["distance_ci"], point["distance"], 0.0, 2.0)
        assert_holds(point["far_ci"], point["far"], 0.0, 1.0)
        assert_holds(point["frr_ci"], point["frr"], 0.0, 1.0)


def test_the_differential_equals_the_table_of_classes(report):
    found, table = report.differential, class_table(report)
    assert (found.far.cells, found.far.left_out) == (found.frr.cells, found.frr.left_out) == (10, 0)
    rates = {
        "far": (table.far, table.negatives, found.far, found.worst_far_class),
        "frr": (table.frr, table.positives, found.frr, found.worst_frr_class),
    }
    for name, (rate, pairs, spread, worst) in rates.items():
        assert worst == table.label[int(rate.argmax())]
        assert worst == spread.worst[0].label
        # Issue 3: rates entering a ratio are (errors + 1/2) / (pairs + 1).
        smooth = (rate * pairs + 0.5) / (pairs + 1)
        ratio = smooth.max() / np.exp(np.log(smooth).mean())
        assert spread.max_over_geomean == pytest.approx(ratio, rel=1e-9)
        assert getattr(found, f"{name}_max_over_geomean") == spread.max_over_geomean
        order = np.argsort(-rate)[:5]
        assert [cell.label for cell in spread.worst] == [table.label[k] for k in order]
        assert [cell.pairs for cell in spread.worst] == pairs[order].tolist()
        for cell, k in zip(spread.worst, order, strict=True):
            assert cell.rate == pytest.approx(rate[k], rel=1e-12)
            assert_holds(cell.ci, cell.rate, 0.0, 1.0)
        assert 0 < spread.gini < 1
    assert 0 < found.garbe < 1


def test_what_the_data_cannot_say_is_null():
    """Few classes of two rows: no noise, so no corrected value, but intervals all the same."""
    rng = np.random.default_rng(11)
    vectors, classes = rng.integers(-5, 6, (24, 3)), (np.arange(24) // 2).tolist()
    report = reported(vectors, classes, "l2", range="distance=1:8")
    document = report.to_dict()
    for name in ("noise", "corrected", "corrected_classes", "value_same_classes", "corrected_ci"):
        assert document["opis"][name] is None
    assert document["epsilon_opis"]["null_value"] is None
    assert_holds(document["opis"]["ci"], document["opis"]["value"], 0.0)
    assert_holds(document["epsilon_opis"]["ci"], document["epsilon_opis"]["value"], 0.0, 1.0)
    notice = next(n for n in report.warnings if n.code == "noise_unknown")
    assert notice.message.startswith("0 of 12 scored classes have 4 rows or more")
    # One positive pair a class: too few for a rate of its own.
    assert (
        document["differential"]["frr"]["cells"],
        document["differential"]["frr"]["left_out"],
    ) == (0, 12)
    assert document["differential"]["frr_max_over_geomean"] is None
    assert document["differential"]["worst_frr_class"] is None
    assert document["differential"]["far"]["cells"] == 12


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"recommend": "far=1e-6"},
        {"range": "distance=0:2"},
        {"retrieval": False},
        {"range": "similarity=1:-1", "utility": "precision-recall", "pool": "classes"},
    ],
    ids=str,
)
def test_no_number_is_nan_or_infinite(options):
    document = digits(**options).to_dict()
    assert all(math.isfinite(number) for number in numbers_in(document))
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_no_number_is_nan_or_infinite_on_the_smallest_sets():
    for vectors in ([[0], [1], [5], [6]], [[0], [0], [0], [0]]):
        document = reported(vectors, [0, 0, 1, 1], "l2", range="distance=0:9").to_dict()
        assert all(math.isfinite(number) for number in numbers_in(document))
        assert document["calibration_range"]["similarity"] is None
        points = [document["recommended_threshold"], *document["operating_points"]]
        assert {p["similarity"] for p in points} == {p["cosine_distance"] for p in points} == {None}
        for point in points:
            for name in ("far", "frr"):
                low, high = point[f"{name}_ci"]
                assert 0 <= low <= point[name] <= high <= 1


def test_rows_and_pairs(report):
    assert dataclasses.asdict(report.data) | {"dropped": None, "class_size": None} == {
        "rows_read": 400, "rows_used": 400, "dropped": None, "distractors": 0, "dimensions": 16,
        "classes": 10, "classes_scored": 10, "classes_singleton": 0, "class_size": None,
        "precision": "float32", "sample": None,
        "queries": None, "gallery": None, "queries_unknown": None,
    }  # fmt: skip
    assert report.pairs.positive + report.pairs.negative == 400 * 399 // 2
    assert report.pairs.mode == "exact"
    assert report.provenance.inputs[0].path == str(DIGITS400)
    assert report.provenance.inputs[0].rows == 400
    assert len(report.provenance.inputs[0].sha256) == 64


def test_rows_that_were_left_out_are_counted_and_warned_about():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(60, 4))
    vectors[0] = np.nan
    vectors[1] = 0.0
    labels = [None if k in (2, 3) else k % 5 for k in range(60)]
    report = opiscal.evaluate(vectors, labels)
    assert report.to_dict()["data"]["dropped"] == {
        "null_label": 2, "null_embedding": 0, "non_finite": 1, "zero_norm": 1, "singleton": 0,
    }  # fmt: skip
    assert (report.data.rows_read, report.data.rows_used) == (60, 56)
    codes = [notice.code for notice in report.warnings]
    for code in ("dropped_null_label", "dropped_non_finite", "dropped_zero_norm"):
        message = report.warnings[codes.index(code)].message
        assert "of 60 rows" in message


# Operating points


def test_the_operating_points_are_those_that_the_data_supports(report):
    criteria = [(p.criterion, p.target) for p in report.operating_points]
    # A FAR of 1e-3 is 71 of 71,899 negative pairs, but ten classes are worth 2,200 pairs there.
    assert criteria == [("far", 1e-1), ("far", 1e-2), ("eer", None), ("utility", None)]
    for far_ in (1e-3, 1e-4, 1e-5, 1e-6):
        assert not report.threshold(far=far_).supported
    for point in report.operating_points:
        if point.criterion == "far":
            assert point == report.threshold(far=point.target)
            assert point.far <= point.target
    assert report.operating_points[-2] == report.threshold(eer=True)
    assert report.operating_points[-1] == report.threshold(utility=True)
    best = report.operating_points[-1].utility
    assert all(p.utility <= best for p in report.operating_points if p.exact_at_threshold)


def test_the_operating_points_of_many_classes():
    report = evaluate_files([str(PLACES)], ColumnNames(), EvaluateConfig(retrieval=False))
    points = [p for p in report.operating_points if p.criterion == "far"]
    assert [p.target for p in points] == [1e-1, 1e-2, 1e-3, 1e-4, 1e-5]
    assert not report.threshold(far=1e-6).supported
    for point in points:
        assert point == report.threshold(far=point.target)
        assert point.far <= point.target
        assert_holds(point.far_ci, point.far, 0.0, 1.0)
        assert_holds(point.distance_ci, point.distance, 0.0, 2.0)
    for one, other in itertools.pairwise(points):
        assert one.distance > other.distance
        assert one.far_ci[1] > other.far_ci[1]


def test_a_wide_answer_is_warned_about(report):
    # Contract, section 2: "3 to 30: answered, with the warning `wide`", of the effective number.
    expected = support(rate_intervals(report.counts), 0.01).expected
    assert 3 <= expected < 30 < 0.01 * 71_899
    notice = next(n for n in report.warnings if n.code == "wide")
    assert "at FAR 0.01 among the effective number" in notice.message


def test_an_unsupported_target_has_no_bare_number(report):
    point = report.threshold(far=1e-3)
    assert not point.supported
    document = point_to_dict(point)
    assert document["criterion"] == "far"
    assert document["target"] == 1e-3
    for name in ("similarity", "distance", "cosine_distance", "squared_l2", "far", "frr",
                 "utility"):  # fmt: skip
        assert document[name] is None
    for name in ("far_ci", "frr_ci", "distance_ci"):
        assert document[name] is None
    curve, intervals = rate_curve(report.counts), rate_intervals(report.counts)
    expected = support(intervals, 1e-3).expected
    assert expected < 3 < 1e-3 * 71_899
    with pytest.raises(InconclusiveError) as caught:
        require_support(point, curve, intervals)
    message = str(caught.value)
    assert message.startswith(f"far 0.001: {expected:.3g} false accepts are expected among an eff")
    assert "(of 71899, which share classes), and at least 3 are needed" in message
    # Without intervals the pairs themselves are counted.
    hopeless = report.threshold(far=1e-5)
    with pytest.raises(InconclusiveError, match=r"far 1e-05: 0.719 false accepts are expected"):
        require_support(hopeless, curve)


def test_a_recommendation_that_the_data_cannot_support():
    report = digits(recommend="far=1e-6")
    assert report.recommended_threshold.distance is None
    assert report.differential is None
    assert not report.recommended_threshold.supported
    notice = next(n for n in report.warnings if n.code == "recommended_unsupported")
    assert "far=1e-6" in notice.message
    table = class_table(report)
    assert table.far is None
    assert table.columns()["frr"] == [None] * 10


@pytest.mark.parametrize(
    ("recommend", "target"),
    [("far=0.1", {"far": 0.1}), ("far=0.05", {"far": 0.05}), ("frr=0.2", {"frr": 0.2}),
     ("eer", {"eer": True})],
)  # fmt: skip
def test_other_recommendations(report, recommend, target):
    other = digits(recommend=recommend)
    point = other.recommended_threshold
    assert_holds(point.distance_ci, point.distance, 0.0, 2.0)
    assert point == other.threshold(**target)
    assert "recommended_at_range_end" not in [n.code for n in other.warnings]
    # Where the target was not among those of the evaluation, the interval of its threshold is read
    # off the intervals of the rate, and all else is the same.
    plain = report.threshold(**target)
    assert point == dataclasses.replace(plain, distance_ci=point.distance_ci)
    assert_holds(plain.distance_ci, plain.distance, 0.0, 2.0)


def test_a_wide_recommendation():
    codes = [n.code for n in digits(recommend="far=0.05").warnings]
    assert "wide" in codes


def test_the_recommended_threshold_lies_inside_the_range_or_is_warned_about(report):
    # On this set utility rises beyond FAR 0.1.
    low, high = report.calibration_range.distance
    best = report.threshold(utility=True)
    assert best.distance > high
    assert low <= report.recommended_threshold.distance <= high
    notice = next(n for n in report.warnings if n.code == "recommended_at_range_end")
    for number in (f"{best.distance:.6g}", f"{best.far:.3g}", f"{best.frr:.3g}"):
        assert number in notice.message

    wider = digits(range="far=0.01:0.4")
    low, high = wider.calibration_range.distance
    point = wider.recommended_threshold
    assert low < point.distance < high
    assert point.utility >= report.recommended_threshold.utility
    assert "recommended_at_range_end" not in [n.code for n in wider.warnings]
    assert point.exact_at_threshold


def test_exactly_one_target(report):
    with pytest.raises(UsageError, match=r"targets given: none; give exactly one of far, frr"):
        report.threshold()
    with pytest.raises(UsageError, match=r"targets given: far, eer"):
        report.threshold(far=0.1, eer=True)
    for target in (0.0, 1.0, -0.1, math.nan):
        for name in ("far", "frr"):
            with pytest.raises(UsageError, match="must be above 0 and below 1") as caught:
                report.threshold(**{name: target})
            assert repr(target) in str(caught.value)


def test_a_lower_end_with_few_errors_is_warned_about():
    codes = {n.code: n.message for n in digits(range="far=0.00003:0.1").warnings}
    assert "fewer than 3 false accepts" in codes["range_unsupported"]
    assert "range_unsupported" not in [n.code for n in digits(range="far=0.0001:0.1").warnings]


def test_few_classes_are_warned_about(report):
    assert "few_classes" not in [n.code for n in report.warnings]
    few = reported([[0], [1], [5], [6]], [0, 0, 1, 1], "l2", range="frr=0:1")
    assert "only 2 classes" in next(n.message for n in few.warnings if n.code == "few_classes")


# The table of classes


def test_the_table_of_classes_equals_the_loops():
    rng = np.random.default_rng(2)
    classes = [0, 1, 2, 3, 3, *rng.integers(0, 4, 26).tolist(), 4, -1, -1]
    vectors = rng.integers(-3, 4, (len(classes), 2)).tolist()
    oracle = pair_table(vectors, classes, "l2")
    report = reported(vectors, classes, "l2", range="distance=1:5")
    table = class_table(report)
    d = report.recommended_threshold.distance
    assert list(table.label) == oracle.scored == [0, 1, 2, 3]
    assert table.rows.tolist() == [len(oracle.rows_of[c]) for c in oracle.scored]
    assert table.positives.tolist() == [len(oracle.positive[c]) for c in oracle.scored]
    assert table.negatives.tolist() == [len(oracle.negative[c]) for c in oracle.scored]
    if report.recommended_threshold.exact_at_threshold:
        assert table.far.tolist() == [class_far(oracle, c, d) for c in oracle.scored]
        assert table.frr.tolist() == [class_frr(oracle, c, d) for c in oracle.scored]
    assert table.opis_share.sum() == pytest.approx(1.0)
    assert table.mean_utility.mean() == pytest.approx(report.utility.mean, rel=1e-12)
    assert table.mean_utility.argmin() == report.epsilon_opis.worst_classes[0]
    assert len(table.nearest_class) == 4
    assert all(a != b for a, b in zip(table.label, table.nearest_class, strict=True))


# The run folder


TARGETS = [
    *({"far": x} for x in (0.3, 0.1, 0.01, 1e-3, 3e-4, 1e-5)),
    *({"frr": x} for x in (0.9, 0.2, 0.01)),
    {"eer": True},
    {"utility": True},
    *({"at": d} for d in (0.0, 0.5, 0.8931, 1.25, 2.0)),
]


@pytest.mark.parametrize("options", [{}, {"pool": "classes", "c": 2.0, "range": "frr=0.1:0.5"}])
def test_a_loaded_report_gives_the_answers_of_the_live_one(options, tmp_path):
    live = digits(**options)
    loaded = opiscal.load(live.save(tmp_path / "run", plots=False))
    for target in TARGETS:
        assert loaded.threshold(**target) == live.threshold(**target)
    assert loaded.to_dict() == live.to_dict()
    assert loaded.settings == live.settings
    assert loaded.nearest_class == live.nearest_class
    table, again = class_table(live), class_table(loaded)
    assert again.label == table.label
    assert again.mean_utility == pytest.approx(table.mean_utility, rel=1e-6)
    assert again.opis_share == pytest.approx(table.opis_share, rel=1e-6)
    assert again.far.tolist() == pytest.approx(table.far.tolist(), abs=1e-12)
    assert again.frr.tolist() == pytest.approx(table.frr.tolist(), abs=1e-12)


def test_a_report_that_goes_through_a_folder_twice_stays_what_it_was(report, tmp_path):
    first = report.save(tmp_path / "first", plots=False)
    second = opiscal.load(first).save(tmp_path / "second", plots=False)
    assert (second / "report.json").read_bytes() == (first / "report.json").read_bytes()
    assert (second / "pairs.npz").read_bytes() == (first / "pairs.npz").read_bytes()


def test_the_folder_holds_the_document_and_the_table(report, tmp_path):
    run = report.save(tmp_path / "run", plots=False)
    assert sorted(p.name for p in run.iterdir()) == ["classes.parquet", "pairs.npz", "report.json"]
    assert json.loads((run / "report.json").read_text()) == report.to_dict()
    table = pq.read_table(run / "classes.parquet")
    assert table.column_names == [
        "label", "rows", "positives", "negatives", "mean_utility", "utility_error", "opis_share",
        "far", "frr", "utility", "best_threshold", "best_utility", "nearest_class",
    ]  # fmt: skip
    assert table["label"].to_pylist() == list(report.counts.labels)
    assert table["positives"].to_numpy().sum() == report.pairs.positive
    assert table["negatives"].to_numpy().sum() == 2 * report.pairs.negative
    with np.load(run / "pairs.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "uif" for name in arrays)


def test_labels_that_are_integers_come_back_as_integers(tmp_path):
    rng = np.random.default_rng(3)
    labels = rng.integers(-5, 5, 80) * 10**12
    live = opiscal.evaluate(rng.normal(size=(80, 4)), labels)
    loaded = opiscal.load(live.save(tmp_path / "run", plots=False))
    assert loaded.counts.labels == live.counts.labels == tuple(sorted({int(x) for x in labels}))
    assert loaded.epsilon_opis.worst_classes == live.epsilon_opis.worst_classes
    assert all(isinstance(label, int) for label in loaded.nearest_class)


def test_two_runs_put_together_are_refused(report, tmp_path):
    one = report.save(tmp_path / "one", plots=False)
    other = digits(seed=1).save(tmp_path / "other", plots=False)
    (one / "pairs.npz").write_bytes((other / "pairs.npz").read_bytes())
    with pytest.raises(InputError, match="are of two evaluations"):
        opiscal.load(one)


@pytest.mark.parametrize("text", ["[]", "{", '{"schema_version": 2}', "null", ""])
def test_a_damaged_report_is_one_line(report, tmp_path, text):
    run = report.save(tmp_path / "run", plots=False)
    (run / "report.json").write_text(text)
    with pytest.raises(InputError) as caught:
        opiscal.load(run)
    assert "\n" not in str(caught.value)
    assert str(run) in str(caught.value)


# Groups


def test_counts_within_groups_equal_the_loops_and_are_kept(grouped, tmp_path):
    live, vectors, classes, groups = grouped
    loaded = opiscal.load(live.save(tmp_path / "run", plots=False))
    assert [name for name, _ in live.counts.within_groups] == ["eu", "us", "ü"]
    for report in (live, loaded):
        for name, counts in report.counts.within_groups:
            rows = [k for k, group in enumerate(groups) if group == name]
            table = pair_table(
                [vectors[k].tolist() for k in rows], [classes[k] for k in rows], "l2"
            )
            edges = counts.distance.tolist()
            assert edges == report.counts.distance.tolist()
            assert list(counts.labels) == table.scored
            assert counts.rows == len(rows)
            for got, pairs in (
                (counts.pool_positive, table.pool_positive),
                (counts.pool_negative, table.pool_negative),
                *zip(counts.class_positive, table.positive.values(), strict=True),
                *zip(counts.class_negative, table.negative.values(), strict=True),
            ):
                at = edges if len(got) == len(edges) else counts.class_distance.tolist()
                assert got.tolist() == [accepted(pairs, d) for d in at]


def test_groups_change_no_answer(grouped):
    live, vectors, classes, _ = grouped
    plain = opiscal.evaluate(vectors, classes, config=live.settings)
    one, other = live.to_dict(), plain.to_dict()
    one["provenance"] = other["provenance"] = None
    groups = one["differential"]["groups"]
    one["differential"]["groups"] = None
    assert one == other
    assert plain.counts.within_groups == ()
    # Cells of fewer than 30 pairs are left out of the comparison.
    enough = {name for name, part in live.counts.within_groups if part.negative >= 30}
    assert {cell["label"] for cell in groups["far"]["worst"]} == enough == {"us", "ü"}
    assert (groups["far"]["cells"], groups["far"]["left_out"]) == (2, 1)


# Rounding


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.one_of(st.floats(-1, 1), st.floats(0, 2), st.floats(1e-30, 1e30)),
    st.sampled_from([6, 9]),
)
def test_rounding_is_up_or_down_and_by_less_than_a_digit(value, digits_):
    up, down = round_up(value, digits_), round_down(value, digits_)
    assert down <= value <= up
    assert Decimal(up) - Decimal(down) <= Decimal(10) ** (
        Decimal(value or 1.0).adjusted() - digits_ + 2
    )
    for got in (up, down):
        # So many digits, and they stay what they are.
        assert float(f"{got:.{digits_ - 1}e}") == got
        assert round_up(got, digits_) == round_down(got, digits_) == got


def test_numbers_of_few_digits_stay():
    # The double nearest to 0.3 lies below it, that of 0.1 above.
    for k in range(-1000, 1001):
        value = k / 1000
        assert round_down(value) == round_up(value) == value
        assert round_down(value, 6) == round_up(value, 6) == value


def test_printed_thresholds_promise_no_less(report):
    for far_ in np.geomspace(5e-5, 0.5, 40):
        point = report.threshold(far=far_, force=True)
        printed = point_to_dict(point)
        # Of a number near 0 the sixteenth digit of 1 is left over from 1 - s.
        exact = 1 - Decimal(point.distance) ** 2 / 2
        assert Decimal(printed["similarity"]) >= exact - Decimal("1e-15")
        assert printed["similarity"] - float(exact) <= 1e-8
        for name, value in (
            ("distance", Decimal(point.distance)),
            ("cosine_distance", Decimal(point.distance) ** 2 / 2),
            ("squared_l2", Decimal(point.distance) ** 2),
        ):
            assert Decimal(printed[name]) <= value * (1 + Decimal("1e-15"))
            assert Decimal(printed[name]) >= value * (1 - Decimal("1.1e-8"))
    found = report.to_dict()["calibration_range"]
    assert all(
        a <= b for a, b in zip(found["distance"], report.calibration_range.distance, strict=True)
    )
    assert all(
        a >= b
        for a, b in zip(found["similarity"], report.calibration_range.similarity, strict=True)
    )


def float32_service(vectors, classes, printed):
    """Negative and positive pairs that a float32 service accepts by each printed scale."""
    x = np.asarray(vectors, np.float32)
    x = x / np.linalg.norm(x, axis=1, keepdims=True).astype(np.float32)
    first, second = np.triu_indices(len(x), 1)
    same = np.asarray(classes)[first] == np.asarray(classes)[second]
    dots = np.einsum("ij,ij->i", x[first], x[second])
    squared = np.square(x[first] - x[second]).sum(axis=1)
    assert dots.dtype == squared.dtype == np.float32
    accepts = {
        # A NumPy float32 takes a Python float for a float32.
        "similarity": dots >= np.float32(printed["similarity"]),
        "cosine_distance": 1 - dots <= np.float32(printed["cosine_distance"]),
        "squared_l2": squared <= np.float32(printed["squared_l2"]),
        "distance": np.sqrt(squared) <= np.float32(printed["distance"]),
    }
    return {k: (int((a & ~same).sum()), int((a & same).sum())) for k, a in accepts.items()}


def test_a_float32_service_accepts_what_was_counted_on_binary_rows():
    # Products of these rows are exact in float32, and every threshold is the distance of many
    # pairs: a printed value a hair too low would take a whole step too many, and one too high none
    # of the pairs at the threshold.
    rng = np.random.default_rng(4)
    classes = (np.arange(150) % 10).tolist()
    centres = rng.choice([-1, 1], (10, 64))
    vectors = centres[classes] * rng.choice([-1, 1], (150, 64), p=[0.25, 0.75])
    report = reported(vectors, classes)
    counts = report.counts
    tied = np.sqrt(2 * (1 - np.arange(-64, 65, 2) / 64))
    compared = 0
    for d in tied:
        point = report.threshold(at=float(d))
        edge = int(np.searchsorted(counts.distance, d * (1 - 1e-12)))
        if abs(counts.distance[edge] - d) > 1e-12 * d:
            continue
        compared += 1
        wanted = (int(counts.pool_negative[edge]), int(counts.pool_positive[edge]))
        assert (point.far, point.frr) == (
            wanted[0] / counts.negative, (counts.positive - wanted[1]) / counts.positive
        )  # fmt: skip
        found = float32_service(vectors, classes, point_to_dict(point))
        assert found == dict.fromkeys(found, wanted)
    assert compared > 30


def test_a_float32_service_accepts_no_negative_pair_too_many_on_any_rows():
    rng = np.random.default_rng(5)
    classes = (np.arange(240) % 12).tolist()
    vectors = rng.normal(size=(12, 16))[classes] + rng.normal(size=(240, 16))
    report = opiscal.evaluate(vectors, classes)
    for far_ in (0.3, 0.1, 0.05, 0.01, 0.003):
        point = report.threshold(far=far_, force=True)
        allowed = math.floor(far_ * report.counts.negative + 1e-9)
        for negatives, _ in float32_service(vectors, classes, point_to_dict(point)).values():
            # Where no pair is within rounding of the threshold there is nothing to be lost.
            assert negatives <= allowed
            assert negatives == round(point.far * report.counts.negative)


# It repeats


def test_two_evaluations_differ_in_time_alone(report, tmp_path):
    again = digits()
    assert without_time(again.to_dict()) == without_time(report.to_dict())
    one, other = (r.save(tmp_path / n, plots=False) for r, n in ((report, "1"), (again, "2")))
    for name in ("pairs.npz", "classes.parquet"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_the_number_of_threads_changes_no_answer():
    one, two = digits(threads=1), digits(threads=2)
    a, b = one.to_dict(), two.to_dict()
    assert (a["provenance"]["threads"], b["provenance"]["threads"]) == (1, 2)
    assert a["provenance"]["fingerprint"] == b["provenance"]["fingerprint"]
    a["provenance"] = b["provenance"] = None
    assert a == b
    for f in dataclasses.fields(one.counts):
        if f.name not in ("class_pairs", "nearest"):
            np.testing.assert_array_equal(getattr(one.counts, f.name), getattr(two.counts, f.name))
    for name in ("asked", "found"):
        np.testing.assert_array_equal(*(getattr(r.counts.nearest, name) for r in (one, two)))
    np.testing.assert_array_equal(class_pairs_of(one.counts), class_pairs_of(two.counts))


SETTINGS = [
    {"metric": "l2", "range": "frr=0.1:0.5"},
    {"utility": "precision-recall"},
    {"c": 2.0},
    {"range": "far=0.02:0.1"},
    {"integration": "grid:11"},
    {"epsilon": 0.2},
    {"eps_against": "best"},
    {"eps_rank": "threshold"},
    {"pool": "classes"},
    {"recommend": "eer"},
    {"singletons": "drop"},
    {"null_label": "distractor"},
    {"distractor_labels": ("3",)},
    {"half": True},
    {"sample_rows": 1000},
    {"retrieval": False},
    {"seed": 1},
    {"confidence": 0.9},
    {"splits": 2},
    {"pairs": "exact"},
    {"sample_pairs": 3000},
    {"budget": 1e6},
    {"positive_cap": 100},
    {"index": "Flat"},
    {"nprobe": 3},
    {"ef_search": 3},
]


def fingerprint(vectors, labels, groups=None, **options):
    config = EvaluateConfig(**({"range": "frr=0.1:0.5"} | options))
    return opiscal.evaluate(vectors, labels, groups, config=config).provenance.fingerprint


def test_the_fingerprint_changes_with_every_setting():
    rng = np.random.default_rng(6)
    vectors, labels = rng.normal(size=(30, 3)), [str(k % 5) for k in range(30)]
    seen = {fingerprint(vectors, labels), *(fingerprint(vectors, labels, **o) for o in SETTINGS)}
    assert len(seen) == len(SETTINGS) + 1 - ({"range": "frr=0.1:0.5"} in SETTINGS)
    assert {name for o in SETTINGS for name in o} | {"strict", "threads"} == {
        f.name for f in dataclasses.fields(EvaluateConfig)
    }
    assert fingerprint(vectors, labels, threads=1) == fingerprint(vectors, labels, threads=2)
    assert fingerprint(vectors, labels) != fingerprint(vectors, labels, strict=True)


def test_the_fingerprint_changes_with_the_data():
    rng = np.random.default_rng(7)
    vectors, labels = rng.normal(size=(30, 3)), [k % 5 for k in range(30)]
    moved = vectors.copy()
    moved[17, 1] += 0.01
    swapped = [labels[1], labels[0], *labels[2:]]
    renamed = [label + 1 for label in labels]
    seen = [
        fingerprint(vectors, labels), fingerprint(moved, labels), fingerprint(vectors, swapped),
        fingerprint(vectors, renamed), fingerprint(vectors[:-1], labels[:-1]),
    ]  # fmt: skip
    assert len(set(seen)) == len(seen)
    assert fingerprint(vectors.copy(), list(labels)) == seen[0]


def test_the_fingerprint_changes_with_the_groups():
    # pairs.npz differs then: two runs of one fingerprint would not be the same.
    rng = np.random.default_rng(8)
    vectors, labels = rng.normal(size=(30, 3)), [k % 5 for k in range(30)]
    seen = {
        fingerprint(vectors, labels),
        fingerprint(vectors, labels, [k % 2 for k in range(30)]),
        fingerprint(vectors, labels, [k % 3 for k in range(30)]),
        fingerprint(vectors, labels, ["ab"[k % 2] for k in range(30)]),
    }
    assert len(seen) == 4


# threshold.json


def test_the_artifact_says_all_that_a_service_needs(report):
    point = report.threshold(far=0.1)
    document = threshold_artifact(report, point)
    printed = point_to_dict(point)
    for name in ("similarity", "distance", "cosine_distance", "squared_l2"):
        assert document[name] == printed[name]
        assert document["compare"][name].endswith(repr(printed[name]))
    assert document["metric"] == "cosine"
    assert document["normalisation"] == "unit length"
    assert "accepted" in document["ties"]
    assert "at most the threshold" in document["rule"]
    assert (document["far"], document["frr"]) == (point.far, point.frr)
    assert document["pairs"] == {"positive": 7901, "negative": 71_899}
    assert document["inputs"][0]["sha256"] == report.provenance.inputs[0].sha256
    assert document["opiscal_version"] == opiscal.__version__
    assert (document["criterion"], document["target"]) == ("far", 0.1)
    for name in ("far_ci", "frr_ci", "distance_ci"):
        assert document[name] == printed[name]
        assert document[name] is not None
    assert (document["supported"], document["guaranteed"]) == (True, False)
    assert document["confidence"] == 0.95
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_every_comparison_line_decides_alike():
    rng = np.random.default_rng(9)
    classes = (np.arange(60) % 6).tolist()
    vectors = rng.choice([-1, 1], (60, 16))
    table = pair_table(vectors.tolist(), classes)
    report = reported(vectors, classes)
    point = report.threshold(at=math.sqrt(1.5))
    document = threshold_artifact(report, point)
    rows = vectors / 4
    wanted = [
        a @ b >= 0.25 for k, a in enumerate(rows) for b in rows[:k]
    ]  # ties at similarity 0.25 accept
    names = {"dot": np.dot, "norm": np.linalg.norm, "sum": np.sum}
    for scale in ("similarity", "cosine_distance", "squared_l2"):
        line = document["compare"][scale]
        got = []
        for k, a in enumerate(rows):
            for b in rows[:k]:
                space = {"a": a, "b": b}
                exec(line, {"__builtins__": {}} | names, space)
                got.append(bool(space["accept"]))
        assert got == wanted
    assert (document["far"], document["frr"]) == (
        far(table, math.sqrt(1.5)), frr(table, math.sqrt(1.5))
    )  # fmt: skip


def test_an_artifact_under_l2_has_no_cosine_scale():
    report = reported([[0], [1], [5], [6]], [0, 0, 1, 1], "l2", range="frr=0:1")
    document = threshold_artifact(report, report.threshold(at=1.0))
    assert document["similarity"] is document["cosine_distance"] is None
    assert sorted(document["compare"]) == ["distance", "squared_l2"]
    assert document["normalisation"] == "none"
    assert "as given" in document["rule"]


def test_an_artifact_of_a_promise_or_of_a_forced_number_says_so(report):
    point = report.threshold(far=0.2, guarantee=True, confidence=0.9)
    document = threshold_artifact(report, point, 0.9)
    assert (document["supported"], document["guaranteed"]) == (True, True)
    assert document["confidence"] == 0.9
    forced = threshold_artifact(report, report.threshold(far=1e-3, force=True))
    assert (forced["supported"], forced["guaranteed"]) == (False, False)
    assert forced["far"] <= 1e-3


def test_an_artifact_is_read_back(report, tmp_path):
    file = tmp_path / "threshold.json"
    for far_ in np.geomspace(5e-5, 0.9, 40):
        point = report.threshold(far=far_, force=True)
        write_artifact(threshold_artifact(report, point), file)
        metric, distance = read_artifact(file)
        assert metric == "cosine"
        # Nine digits of an edge are that edge.
        again = report.threshold(at=distance)
        assert (again.far, again.frr) == (point.far, point.frr)
        assert again.exact_at_threshold == point.exact_at_threshold
    assert sorted(p.name for p in tmp_path.iterdir()) == ["threshold.json"]


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"metric": "cosine"}', '{"metric": "cosine", "distance": "0.9"}',
             '{"metric": "dot", "distance": 0.9}'],
)  # fmt: skip
def test_what_is_not_an_artifact_is_one_line(tmp_path, text):
    file = tmp_path / "threshold.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"is not a threshold.json") as caught:
        read_artifact(file)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        read_artifact(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be written"):
        write_artifact({}, tmp_path / "nowhere" / "threshold.json")
