"""Split: thresholds chosen on half of the classes and judged on the other half."""

import itertools
import json
import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
from brute_force import COUNTED, BruteForce, embedding_set
from conftest import DIGITS400, Cli, write_set
from oracles import accepted, pair_table

import opiscal
from opiscal.data.rows import from_arrays
from opiscal.evaluation import evaluate_set
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.parts import half_jobs, in_pairs
from opiscal.pairs.sorted_rows import sort_rows
from opiscal.report.asked_range import asked_range
from opiscal.report.settings import EvaluateConfig

RANGE = "far=0.05:0.3"
FIELDS = [
    "split", "half", "criterion", "target", "distance", "far_promised", "far_achieved",
    "frr_promised", "frr_achieved",
]  # fmt: skip


def drawn(classes=9, rows=8, seed=0):
    """Rows of whole numbers, whose distances are exact: classes about their centres."""
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(classes), rows)
    return rng.integers(-5, 6, (classes, 3))[ids] + rng.integers(-2, 3, (ids.size, 3)), ids


def halves_of(embeddings, config):
    """Lattice and counts of the halves, as an evaluation makes them."""
    rows = sort_rows(embeddings)
    lattice = fit_lattice(rows, config.seed, asked_range(config))

    def count(job):
        part = job.rows(rows)
        tally = count_exactly(part, lattice, ranks=False, threads=1)
        return tally.counts(part, lattice, embeddings.labels, embeddings.metric)

    jobs = half_jobs(
        embeddings, rows, config.pair_settings, 1, splits=config.splits, seed=config.seed
    )
    return lattice, in_pairs([count(job) for job in jobs])


@pytest.fixture(scope="module", params=[0, 1])
def split(request):
    """An evaluated set with three splits, and the counts of their halves."""
    vectors, ids = drawn(classes=9 + request.param)
    config = EvaluateConfig(
        metric="l2", range=RANGE, splits=3, seed=request.param, retrieval=False, threads=1
    )
    embeddings = embedding_set(vectors, ids, "l2")
    return vectors, ids, evaluate_set(embeddings, config), *halves_of(embeddings, config)


# The halves


def test_the_halves_are_counted_as_by_brute_force(split):
    vectors, ids, _, lattice, halves = split
    assert len(halves) == 3
    for half in itertools.chain.from_iterable(halves):
        rows = np.isin(ids, half.labels)
        names = {label: k for k, label in enumerate(half.labels)}
        brute = BruteForce.of(vectors[rows], [names[c] for c in ids[rows]], "l2").counts(lattice)
        for name in COUNTED:
            np.testing.assert_array_equal(getattr(half, name), getattr(brute, name), err_msg=name)


def test_every_class_is_in_one_half(split):
    _, ids, report, _, halves = split
    classes = sorted(set(ids.tolist()))
    for first, second in halves:
        assert sorted([*first.labels, *second.labels]) == classes
        assert first.classes == len(classes) // 2
        assert first.rows + second.rows == report.data.rows_used
        assert first.positive + second.positive == report.counts.positive


def test_rows_of_no_scored_class_fall_to_one_half_too():
    rng = np.random.default_rng(1)
    ids = [*np.repeat(np.arange(6), 5).tolist(), *range(6, 26), *[-1] * 30]
    embeddings = embedding_set(rng.integers(-5, 6, (80, 3)), ids, "l2")
    config = EvaluateConfig(metric="l2", splits=4)
    whole = sort_rows(embeddings)
    for first, second in halves_of(embeddings, config)[1]:
        assert first.rows + second.rows == 80
        assert first.distractors + second.distractors == 30
        assert 0 < first.distractors < 30
        assert first.classes == second.classes == 3
        within = first.positive + first.negative + second.positive + second.negative
        assert within < whole.pairs


def test_another_seed_makes_other_halves():
    embeddings = embedding_set(*drawn(30, 4), "l2")
    labels = [
        [first.labels for first, _ in halves_of(embeddings, EvaluateConfig(splits=3, seed=s))[1]]
        for s in (0, 0, 1)
    ]
    assert labels[0] == labels[1] != labels[2]
    assert len({*labels[0], *labels[2]}) == 6, "no two splits are one"


def test_fewer_splits_are_the_first_of_more():
    embeddings = embedding_set(*drawn(), "l2")
    reports = [
        evaluate_set(embeddings, EvaluateConfig(metric="l2", range=RANGE, splits=s)) for s in (1, 3)
    ]
    assert reports[0].split == tuple(rate for rate in reports[1].split if rate.split == 1)


# Promised and achieved


def test_promised_and_achieved_rates_are_those_of_the_halves(split):
    vectors, ids, report, lattice, halves = split
    rates = {
        (k, h): [r for r in report.split if (r.split, r.half) == (k, h)]
        for k in (1, 2, 3)
        for h in (1, 2)
    }
    assert sum(map(len, rates.values())) == len(report.split)
    edges = lattice.distance
    for (number, half), found in rates.items():
        tables = []
        for part in halves[number - 1]:
            rows = np.isin(ids, part.labels)
            tables.append(pair_table(vectors[rows].tolist(), ids[rows].tolist(), "l2"))
        chosen, judged = tables if half == 1 else tables[::-1]
        # Those that three expected false accepts support, the recommended threshold first.
        supported = [x for x in (0.1, 0.01, 1e-3, 1e-4) if x * len(chosen.pool_negative) >= 3]
        asked = [(rate.criterion, rate.target) for rate in found]
        assert asked == [("utility", None), *(("far", x) for x in supported)]
        assert len(supported) >= 1
        for rate in found:
            for table, far, frr in (
                (chosen, rate.far_promised, rate.frr_promised),
                (judged, rate.far_achieved, rate.frr_achieved),
            ):
                negative, positive = table.pool_negative, table.pool_positive
                assert far == accepted(negative, rate.distance) / len(negative)
                rejected = len(positive) - accepted(positive, rate.distance)
                assert frr == rejected / len(positive)
            if rate.criterion == "far":
                # The largest edge that keeps the target where it was chosen.
                assert rate.far_promised <= rate.target
                after = edges[int(np.searchsorted(edges, rate.distance)) + 1]
                negative = chosen.pool_negative
                assert accepted(negative, after) / len(negative) > rate.target
            else:
                # Inside the calibration range of the half.
                assert rate.far_promised <= 0.3


def test_the_rest_of_the_report_is_that_of_the_whole(split):
    vectors, ids, report, _, _ = split
    plain = evaluate_set(
        embedding_set(vectors, ids, "l2"),
        EvaluateConfig(
            metric="l2", range=RANGE, seed=report.settings.seed, retrieval=False, threads=1
        ),
    )
    one, other = report.to_dict(), plain.to_dict()
    assert [sorted(rate) for rate in one["split"]] == [sorted(FIELDS)] * len(one["split"])
    assert other["split"] is None
    assert set(one["provenance"]["elapsed_s"]) - set(other["provenance"]["elapsed_s"]) == {"split"}
    assert one["provenance"]["fingerprint"] != other["provenance"]["fingerprint"]
    for name in ("split", "provenance"):
        one[name] = other[name] = None
    assert one["settings"].pop("splits") == 3
    assert other["settings"].pop("splits") == 0
    assert one == other
    json.dumps(report.to_dict(), allow_nan=False)


@pytest.mark.parametrize("recommend", ["far=0.1", "frr=0.4", "eer"])
def test_the_recommended_threshold_of_each_half_is_chosen_alike(recommend):
    config = EvaluateConfig(metric="l2", range=RANGE, splits=2, recommend=recommend)
    report = evaluate_set(embedding_set(*drawn(), "l2"), config)
    criterion, _, target = recommend.partition("=")
    for _, of_half in itertools.groupby(report.split, lambda rate: (rate.split, rate.half)):
        first = next(of_half)
        assert (first.criterion, first.target) == (criterion, float(target) if target else None)
        if criterion == "frr":
            assert first.frr_promised <= 0.4


def test_a_half_that_has_no_such_range_keeps_its_targets():
    """Where half of the classes has no threshold of the range there is no recommended one."""
    rng = np.random.default_rng(3)
    ids = np.repeat(np.arange(4), 12)
    vectors = np.where(ids[:, None] < 2, 0, 50 * ids[:, None]) + rng.integers(-1, 2, (48, 3))
    # Two classes of four are one cloud: together in a half, the least FAR is large.
    vectors[ids < 2] = 0
    config = EvaluateConfig(metric="l2", range="far=0.17:0.5", splits=6)
    report = evaluate_set(embedding_set(vectors, ids, "l2"), config)
    together = [
        {0, 1} in (set(first.labels), set(second.labels))
        for first, second in halves_of(embedding_set(vectors, ids, "l2"), config)[1]
    ]
    assert True in together
    assert False in together
    for number, both in enumerate(together, 1):
        chosen = [r for r in report.split if r.split == number and r.criterion == "utility"]
        assert len(chosen) == (1 if both else 2)
    json.dumps(report.to_dict(), allow_nan=False)


def test_classes_never_seen_are_worse_off_than_promised_where_few_classes_choose():
    """Over many splits: no half is better than the other, and what was promised is not kept."""
    rng = np.random.default_rng(5)
    ids = np.repeat(np.arange(16), 8)
    vectors = rng.normal(size=(16, 4))[ids] + 0.5 * rng.normal(size=(128, 4))
    report = opiscal.evaluate(vectors, ids, config=EvaluateConfig(splits=20, retrieval=False))
    rates = [rate for rate in report.split if rate.target == 0.01]
    assert len(rates) == 40
    promised = np.array([rate.far_promised for rate in rates])
    achieved = np.array([rate.far_achieved for rate in rates])
    assert np.all((promised > 0.008) & (promised <= 0.01))
    assert achieved.max() > 0.02
    assert 0.3 < np.mean(achieved > 0.01) < 0.8


# Too few classes


@pytest.mark.parametrize("classes", [2, 3])
def test_fewer_than_four_classes_are_not_split(classes, tmp_path):
    vectors, ids = drawn(classes)
    # Rows that are alone in their class are not scored, and are no help.
    vectors = np.concatenate([vectors, [[9, 9, 9], [-9, 9, 9]]])
    ids = [*ids.tolist(), 90, 91]
    embeddings = from_arrays(vectors, ids, policy=EvaluateConfig(metric="l2").row_policy)
    config = EvaluateConfig(metric="l2", range="frr=0.1:0.6", splits=3)
    report = evaluate_set(embeddings, config)
    assert report.split is None
    notice = next(n for n in report.warnings if n.code == "split_few_classes")
    assert notice.message.startswith(f"{classes} scored classes: a split needs at least 4")
    loaded = opiscal.load(report.save(tmp_path / "run", plots=False))
    assert loaded.split is None
    assert loaded.settings.splits == 3
    assert "split" not in report.provenance.elapsed_s
    plain = evaluate_set(embeddings, EvaluateConfig(metric="l2", range="frr=0.1:0.6"))
    assert "split_few_classes" not in [n.code for n in plain.warnings]


def test_four_classes_are_split():
    config = EvaluateConfig(metric="l2", range="frr=0.1:0.6", splits=3)
    report = evaluate_set(embedding_set(*drawn(4), "l2"), config)
    assert report.split
    assert "split_few_classes" not in [n.code for n in report.warnings]
    assert {(rate.split, rate.half) for rate in report.split} == {
        (k, h) for k in (1, 2, 3) for h in (1, 2)
    }


# The command


def test_the_command_shows_promised_and_achieved_rates(cli: Cli, tmp_path: Path):
    answer = cli("evaluate", DIGITS400, "--no-plots", "--quiet", "--split", "--splits", "2")
    assert (answer.code, answer.err) == (0, "")
    document = json.loads((tmp_path / "opiscal-run" / "report.json").read_text())
    assert document["settings"]["splits"] == 2
    lines = answer.out.splitlines()
    head = next(k for k, line in enumerate(lines) if line.startswith("chosen on half"))
    assert lines[head].split()[-4:] == ["FAR", "achieved", "FRR", "achieved"]
    assert lines[head - 1].endswith("2 splits, both ways")
    assert {(r["split"], r["half"]) for r in document["split"]} == set(
        itertools.product((1, 2), (1, 2))
    )
    # A row for each threshold: what was promised in the mean, and all that was achieved.
    thresholds = list(dict.fromkeys((r["criterion"], r["target"]) for r in document["split"]))
    for line, threshold in zip(lines[head + 1 :], thresholds, strict=False):
        rates = [r for r in document["split"] if (r["criterion"], r["target"]) == threshold]
        assert len(rates) == 4
        shown = [float(number) for number in re.findall(r"\d\S*", line)[-6:]]
        values = []
        for name in ("far", "frr"):
            achieved = [r[f"{name}_achieved"] for r in rates]
            promised = [r[f"{name}_promised"] for r in rates]
            values += [sum(promised) / 4, min(achieved), max(achieved)]
        assert shown == pytest.approx(values, rel=5e-3)
        assert all(map(math.isfinite, shown))
    assert lines[head + 1 + len(thresholds)] == ""
    # Three where it is not said, none where it is not asked for.
    answer = cli("evaluate", DIGITS400, "--no-plots", "--quiet", "--split", "--json")
    assert {rate["split"] for rate in answer.document["split"]} == {1, 2, 3}
    answer = cli("evaluate", DIGITS400, "--no-plots", "--quiet")
    assert "chosen on half" not in answer.out
    assert json.loads((tmp_path / "opiscal-run" / "report.json").read_text())["split"] is None


@pytest.mark.parametrize("splits", ["0", "-1", "1001", "2.5", "many", ""])
@pytest.mark.parametrize("asked", [("--split",), ()])
def test_a_number_of_splits_that_is_none(cli: Cli, tmp_path: Path, splits, asked):
    answer = cli("evaluate", DIGITS400, *asked, "--splits", splits)
    assert (answer.code, answer.out) == (2, "")
    assert answer.error.startswith("opiscal: error: ")
    assert "splits" in answer.error
    assert os.listdir(tmp_path) == []


def test_a_number_of_splits_without_a_split(cli: Cli, tmp_path: Path):
    answer = cli("evaluate", DIGITS400, "--splits", "2")
    assert (answer.code, answer.out) == (2, "")
    assert answer.error == "opiscal: error: --splits 2: no split was asked for; give --split too"
    assert os.listdir(tmp_path) == []


def test_few_classes_are_said(cli: Cli, tmp_path: Path):
    vectors, ids = drawn(3)
    write_set(tmp_path / "few.parquet", vectors.astype("f4"), ids)
    options = ("--metric", "l2", "--range", "frr=0.1:0.6", "--no-plots")
    answer = cli("evaluate", "few.parquet", *options, "--split", "-o", "run")
    assert answer.code == 0
    assert "a split needs at least 4" in answer.warning("split_few_classes")
    assert "chosen on half" not in answer.out
    assert "split_few_classes" not in cli("evaluate", "few.parquet", *options).err
