"""Reports against brute-force values in double precision, made from the definitions alone."""

import functools
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from measure_oracles import DoublePrecision

from opiscal.data.embedding_set import ColumnNames
from opiscal.evaluation import evaluate_files
from opiscal.measures.rate_intervals import rate_intervals
from opiscal.measures.rates import rate_curve
from opiscal.report.class_table import class_table
from opiscal.report.settings import EvaluateConfig

ROOT = Path(__file__).resolve().parents[1]
OWN = ROOT / "tests" / "data" / "reference.json"
SHARED = ROOT.parent / "shared"

RANGES = {"1e-2..1e-1": "far=0.01:0.1", "1e-3..1e-2": "far=0.001:0.01"}
DEFAULT = "1e-2..1e-1"
# A pair whose similarity is so near to an edge may stand on either side of it in float32.
BAND = 2e-6
TENTH_OF_A_PERCENT = 1e-3

SHARED_SETS = (
    "banking77",
    "omniglot_baseline_s0",
    "omniglot_tcm_s0",
    "omniglot_supcon_baseline_s0",
    "omniglot_supcon_tcm_s0",
)
OWN_SETS = ("digits400", "sample_digits", "sample_places")
SETS = OWN_SETS + SHARED_SETS


@functools.cache
def reference(name):
    """The values of a set and its file; skips where it is not on this machine."""
    if name in OWN_SETS:
        values = json.loads(OWN.read_text())[name]
        return values, ROOT / values["file"]
    source = SHARED / "reference" / "reference.json"
    if not source.is_file():
        pytest.skip(f"no {source}: the brute-force values beside the repository")
    values = json.loads(source.read_text()).get(name)
    if values is None:
        pytest.skip(f"{source} has no set {name}")
    file = SHARED / "data" / values["file"]
    if not file.is_file():
        pytest.skip(f"no {file}: the real sets beside the repository")
    return values, file


@functools.cache
def report_of(name, given):
    values, file = reference(name)
    config = EvaluateConfig(range=given, retrieval=given == RANGES[DEFAULT])
    return evaluate_files([str(file)], ColumnNames(label=values["label_column"]), config)


@functools.cache
def double_precision(name):
    """All pairs of one of the small sets."""
    _, file = reference(name)
    table = pq.read_table(file)
    vectors = np.array(table["embedding"].to_pylist())
    return DoublePrecision.of(vectors, np.array(table["label"].to_pylist()))


def steps_between(edges, distance, wanted):
    """Lattice steps from the edge at or below `wanted` to an edge; 0: it is that edge."""
    return int(np.searchsorted(edges, distance)) - int(np.searchsorted(edges, wanted, "right")) + 1


def test_every_shared_set_is_named_here():
    source = SHARED / "reference" / "reference.json"
    if not source.is_file():
        pytest.skip(f"no {source}: the brute-force values beside the repository")
    assert set(json.loads(source.read_text())) == set(SHARED_SETS)


@pytest.mark.parametrize("name", SETS)
def test_pairs_and_recall_are_exact(name):
    values, _ = reference(name)
    report = report_of(name, RANGES[DEFAULT])
    assert report.data.rows_used == values["n"]
    assert report.data.dimensions == values["dim"]
    assert report.data.classes_scored == values["classes_with_positives"]
    size = report.data.class_size
    assert (size.min, size.max) == (values["min_class"], values["max_class"])
    assert report.pairs.positive == report.pairs.positive_counted == values["positives"]
    assert report.pairs.negative == report.pairs.negative_counted == values["negatives"]
    # No two neighbours tie in these sets.
    assert report.retrieval.recall_at["1"] == pytest.approx(values["recall_at_1"], abs=1e-12)
    assert report.retrieval.queries == values["n"]


@pytest.mark.parametrize("name", SETS)
def test_eer_lies_in_the_interval(name):
    values, _ = reference(name)
    report = report_of(name, RANGES[DEFAULT])
    low, high = report.verification.eer
    assert low <= values["eer"] <= high
    # And the interval says something: narrower than a percent, or than a few pairs.
    assert high - low <= max(0.01 * values["eer"], 4 / values["positives"])
    point = next(p for p in report.operating_points if p.criterion == "eer")
    assert abs(point.far - point.frr) <= high - low + 1e-12
    assert low <= (point.far + point.frr) / 2 <= high


@pytest.mark.parametrize("key", RANGES)
@pytest.mark.parametrize("name", SETS)
def test_consistency(name, key):
    values, _ = reference(name)
    wanted = values["opis"][key]
    report = report_of(name, RANGES[key])
    if (name, key) != ("digits400", "1e-3..1e-2"):
        # In the exception FAR 0.001 is 71 of 71,899 pairs, and rests there from the 71st nearest
        # pair to the 72nd, 0.8 % of the range farther: the reference takes the one, the largest
        # edge is the other. A test below holds that range against its own ends.
        for got, expected in (
            (report.opis.value, wanted["opis_trapz"]),
            (report.epsilon_opis.value, wanted["opis10_trapz_ceil"]),
            (report.utility.mean, wanted["mean_utility"]),
        ):
            assert got == pytest.approx(expected, rel=TENTH_OF_A_PERCENT)

    worst = report.epsilon_opis.worst_classes
    assert len(worst) == wanted["worst_n_ceil"]
    shown = min(len(worst), len(wanted["worst_classes"]))
    assert list(worst[:shown]) == [label for label, _ in wanted["worst_classes"][:shown]]
    table = class_table(report)
    means = dict(zip(table.label, table.mean_utility, strict=True))
    order = sorted(means, key=means.get)
    assert order[:5] == [label for label, _ in wanted["worst_classes"]]
    assert order[-3:] == [label for label, _ in wanted["best_classes"]]
    # Of one class a pair is a large part, counts at the ends of the range are interpolated, and the
    # reference steps over them in hundredths of the range.
    pairs = dict(zip(table.label, table.positives, strict=True))
    for label, mean in (*wanted["worst_classes"], *wanted["best_classes"]):
        assert means[label] == pytest.approx(mean, rel=0.002, abs=2 / pairs[label])


@pytest.mark.parametrize("integration", ["grid:101"])
@pytest.mark.parametrize("name", ["digits400", "sample_digits", "sample_places"])
def test_consistency_on_the_published_grid(name, integration):
    values, file = reference(name)
    wanted = values["opis"][DEFAULT]
    config = EvaluateConfig(integration=integration, retrieval=False)
    report = evaluate_files([str(file)], ColumnNames(), config)
    assert report.opis.value == pytest.approx(wanted["opis_mean"], rel=TENTH_OF_A_PERCENT)
    assert report.epsilon_opis.value == pytest.approx(
        wanted["opis10_mean_ceil"], rel=TENTH_OF_A_PERCENT
    )


@pytest.mark.parametrize("key", RANGES)
@pytest.mark.parametrize("name", OWN_SETS)
def test_consistency_between_the_ends_that_were_found(name, key):
    truth = double_precision(name)
    report = report_of(name, RANGES[key])
    low, high = report.calibration_range.distance
    opis, epsilon_opis, utility = truth.consistency(low, high)
    assert report.opis.value == pytest.approx(opis, rel=TENTH_OF_A_PERCENT)
    assert report.epsilon_opis.value == pytest.approx(epsilon_opis, rel=TENTH_OF_A_PERCENT)
    assert report.utility.mean == pytest.approx(utility, rel=TENTH_OF_A_PERCENT)


def counted_band(ascending, distance):
    """Pairs accepted at a distance moved down and up by the band."""
    moved = np.sqrt(np.maximum(distance**2 + np.array([-2, 2]) * BAND, 0.0))
    return np.searchsorted(ascending, moved, side="right")


@pytest.mark.parametrize("name", OWN_SETS)
@pytest.mark.parametrize("target", [0.1, 0.03, 0.01, 0.003, 0.001, 0.0001])
def test_the_threshold_reaches_the_far_and_the_next_edge_does_not(name, target):
    truth = double_precision(name)
    report = report_of(name, RANGES[DEFAULT])
    # Ten classes know little of a low FAR, and it is counted all the same.
    point = report.threshold(far=target, force=True)
    allowed = int(np.floor(target * len(truth.negative) + 1e-9))
    number = rate_intervals(report.counts).at(point.distance).far_number
    assert number <= len(truth.negative)
    assert point.supported == (target * number >= 3)
    accepted = counted_band(truth.negative, point.distance)
    assert accepted[0] <= point.far * len(truth.negative) + 1e-6 <= accepted[1] + 2e-6
    assert accepted[0] <= allowed
    edges = report.counts.distance
    after = edges[np.searchsorted(edges, point.distance) + 1]
    assert counted_band(truth.negative, after)[1] > allowed
    # FRR counted at that very threshold.
    rejected = len(truth.positive) - counted_band(truth.positive, point.distance)
    assert rejected[1] <= point.frr * len(truth.positive) + 1e-6 <= rejected[0] + 2e-6


@pytest.mark.parametrize("key", RANGES)
@pytest.mark.parametrize("name", SETS)
def test_range_ends_within_one_lattice_step(name, key):
    values, _ = reference(name)
    wanted = values["opis"][key]
    report = report_of(name, RANGES[key])
    found = report.calibration_range
    edges = report.counts.distance
    for k, (end, far) in enumerate(zip(("d_min", "d_max"), (key[:4], key[6:]), strict=True)):
        d = found.distance[k]
        assert edges[np.searchsorted(edges, d)] == d
        assert found.far[k] <= float(far)
        last, after = wanted[end], None
        if name in OWN_SETS:
            # The same FAR is had from the last pair that it accepts up to the next; between two
            # pairs of a small set lie many edges, and the largest is taken.
            last, after = double_precision(name).plateau(float(far))
            assert last == pytest.approx(wanted[end], abs=1e-12)
        steps = steps_between(edges, d, last)
        assert steps >= -1
        assert steps <= 1 or d < after
        # 1 % is what neighbouring edges may differ by, and one pair what nobody can split.
        pairs = values["negatives"]
        assert found.far[k] == pytest.approx(wanted[f"far_at_{end}"], rel=0.01, abs=1.001 / pairs)
    point = [report.threshold(far=float(far), force=True) for far in (key[:4], key[6:])]
    assert tuple(p.distance for p in point) == found.distance


@pytest.mark.parametrize("name", SETS)
def test_frr_at_the_fars_listed(name):
    values, _ = reference(name)
    report = report_of(name, RANGES[DEFAULT])
    compared = 0
    for far, wanted in values["global_points"].items():
        if wanted["far"] * values["negatives"] < 3:
            continue
        compared += 1
        point = report.threshold(far=float(far), force=True)
        assert point.supported or name in OWN_SETS
        lowest = wanted["frr"]
        if name in OWN_SETS:
            # While FAR rests between two negative pairs, FRR goes on falling: by 17 of 5,369
            # rejected pairs at FAR 0.001 of digits400. The reference takes the start of that rest.
            truth = double_precision(name)
            _, after = truth.plateau(float(far))
            lowest = float(truth.frr(np.nextafter(after, 0)))
        # Where a thousand pairs or fewer are rejected, as at FAR 0.1 of places, one is that much.
        slack = TENTH_OF_A_PERCENT * wanted["frr"]
        if name in OWN_SETS:
            slack = max(slack, 1.001 / values["positives"])
        assert lowest - slack <= point.frr <= wanted["frr"] + slack
    assert compared >= 4 - (name == "digits400" and values["negatives"] * 1e-4 < 3)


@pytest.mark.parametrize("key", RANGES)
@pytest.mark.parametrize("name", SETS)
def test_the_curve_of_one_class(name, key):
    values, _ = reference(name)
    report = report_of(name, RANGES[key])
    counts = report.counts
    edges = counts.class_distance
    for label, wanted in values["opis"][key]["sample_curve"].items():
        c = counts.labels.index(label)
        positives, negatives = counts.positives_of_class[c], counts.negatives_of_class[c]
        for d, sens, spec, utility in zip(
            *(wanted[name] for name in ("d", "sens", "spec", "U")), strict=True
        ):
            # The threshold lies between two class edges, and so does what it accepts; a pair or
            # two may be within the band of an edge.
            after = int(np.searchsorted(edges, d))
            slack = 2 + 2e-4 * np.array([positives * sens, negatives * (1 - spec)])
            low, high = counts.class_positive[c, after - 1], counts.class_positive[c, after]
            assert low - slack[0] <= sens * positives <= high + slack[0]
            low, high = counts.class_negative[c, after - 1], counts.class_negative[c, after]
            assert low - slack[1] <= (1 - spec) * negatives <= high + slack[1]
            # A straight line in between misses by less than the class edges differ.
            here = [
                2 * (1 - far) * (1 - frr) / (2 - far - frr)
                for far, frr in (
                    (counts.class_negative[c, k] / negatives,
                     1 - counts.class_positive[c, k] / positives)
                    for k in (after - 1, after)
                )
            ]  # fmt: skip
            assert min(here) - 0.002 <= utility <= max(here) + 0.002


@pytest.mark.parametrize("name", ["digits400"])
def test_rates_at_every_edge_within_the_band(name):
    truth = double_precision(name)
    curve = rate_curve(report_of(name, RANGES[DEFAULT]).counts)
    for ascending, got in (
        (truth.negative, np.rint(curve.far * curve.negative)),
        (truth.positive, np.rint((1 - curve.frr) * curve.positive)),
    ):
        moved = np.maximum(curve.distance**2, 0.0)
        low = np.searchsorted(ascending, np.sqrt(np.maximum(moved - 2 * BAND, 0.0)), side="left")
        high = np.searchsorted(ascending, np.sqrt(moved + 2 * BAND), side="right")
        assert np.all((low <= got) & (got <= high))
