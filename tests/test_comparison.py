"""Comparisons of reports: numbers, verdicts, mismatches, classes that gained and lost."""

import json

import numpy as np
import pytest

import opiscal
from opiscal.errors import UsageError
from opiscal.gate.class_changes import class_changes
from opiscal.gate.comparison import compare_reports
from opiscal.gate.comparison_lines import comparison_lines
from opiscal.gate.comparison_markdown import markdown_lines, name_text
from opiscal.measures.paired_replicates import SharedClasses
from opiscal.measures.rate_confidence import ApartFigure
from opiscal.report.layout import Screen, cells_of

NASTY = (
    "<script>alert(1)</script>", "a|b `c` **d**", "line\nfeed", "\x1b[31mred", "\u202eright",
    "$x^2$", "../../etc", "@everyone", "x" * 500, "&amp;", "[a](http://b)", "😀 ::error::no",
)  # fmt: skip


def evaluated(vectors, labels, **settings):
    settings = {"threads": 1, "retrieval": True} | settings
    return opiscal.evaluate(vectors, labels, config=opiscal.EvaluateConfig(**settings))


def rows(classes=50, each=8, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    return rng.standard_normal((classes, 8))[labels], rng.standard_normal((labels.size, 8)), labels


CENTRES, NOISE, LABELS = rows()
NAMES = [f"class {k}" for k in LABELS]


def model(size, **settings):
    return evaluated(CENTRES + size * NOISE, NAMES, **settings)


@pytest.fixture(scope="module")
def old():
    return model(0.6)


@pytest.fixture(scope="module")
def new():
    return model(0.7)


@pytest.fixture(scope="module")
def compared(old, new):
    return compare_reports([old, new], ["old", "new"])


def test_values_are_those_of_the_reports(old, new, compared):
    (candidate,) = compared.candidates
    assert (candidate.name, candidate.pairing, candidate.shared_classes) == ("new", "paired", 50)
    for metric, target, of in (
        ("opis.value", None, lambda r: r.opis.value),
        ("opis.corrected", None, lambda r: r.opis.corrected),
        ("epsilon_opis.value", None, lambda r: r.epsilon_opis.value),
        ("utility.mean", None, lambda r: r.utility.mean),
        ("frr_at_far", 0.1, lambda r: r.threshold(far=0.1).frr),
        ("frr_at_far", 0.01, lambda r: r.threshold(far=0.01).frr),
        ("retrieval.recall_at.1", None, lambda r: r.retrieval.recall_at["1"]),
        ("recommended_threshold.distance", None, lambda r: r.recommended_threshold.distance),
        ("far_at_threshold", None, lambda r: r.threshold(at=stay(old)).far),
        ("frr_at_threshold", None, lambda r: r.threshold(at=stay(old)).frr),
        ("utility_at_threshold", None, lambda r: r.threshold(at=stay(old)).utility),
    ):
        found = candidate.find(metric, target)
        assert found.baseline == pytest.approx(of(old), rel=1e-12), metric
        assert found.candidate == pytest.approx(of(new), rel=1e-12), metric
        assert found.difference == pytest.approx(of(new) - of(old), rel=1e-9, abs=1e-15), metric
        if found.ci is not None:
            assert found.ci[0] <= found.difference <= found.ci[1], metric
            assert found.ci == found.evidence.difference().interval(0.95)


def stay(report):
    return report.recommended_threshold.distance


def test_more_noise_is_worse_both_ways_round(old, new, compared):
    (there,) = compared.candidates
    (back,) = compare_reports([new, old]).candidates
    for metric, target in (("utility.mean", None), ("verification.eer", None),
                           ("frr_at_far", 0.01), ("retrieval.recall_at.1", None)):  # fmt: skip
        one, other = there.find(metric, target), back.find(metric, target)
        assert (one.verdict, other.verdict) == ("worse", "better")
        assert one.difference == pytest.approx(-other.difference)
        wide = one.ci[1] - one.ci[0]
        assert one.ci == pytest.approx((-other.ci[1], -other.ci[0]), abs=0.1 * wide)
        assert one.relative == pytest.approx(one.candidate / one.baseline - 1)
        assert (one.relative_ci[0] > 0) == (one.ci[0] > 0)


@pytest.mark.parametrize("again", [False, True])
def test_a_model_against_itself_differs_in_nothing(old, again):
    (candidate,) = compare_reports([old, model(0.6) if again else old]).candidates
    known = candidate.differences + candidate.threshold.differences
    for found in known:
        if found.evidence is None:
            assert found.reason is not None
            continue
        assert found.difference == 0.0
        assert found.ci == (0.0, 0.0)
        assert found.verdict == "not distinguishable"
        curve = found.evidence.difference()
        assert (curve.p_above(0.0), curve.p_below(0.0)) == (1.0, 1.0)
        assert curve.p_below(1e-9) < 1e-3
        if found.relative is not None:
            assert (found.relative, found.relative_ci) == (0.0, (0.0, 0.0))
    assert sum(found.evidence is not None for found in known) >= 10
    assert candidate.classes.gained == candidate.classes.lost == ()


def test_the_threshold_in_production(old, new, compared):
    (candidate,) = compared.candidates
    transfer = candidate.threshold
    assert transfer.source == "recommended by old"
    assert transfer.candidate.far_ci == new.threshold(at=stay(old)).far_ci
    assert [c.utility for c in transfer.worst] == sorted(c.utility for c in transfer.worst)
    at = compare_reports([old, new], at=0.5).candidates[0].threshold
    assert (at.distance, at.source) == (0.5, "given")
    assert at.candidate.frr == new.threshold(at=0.5).frr
    # Its classes, recounted from the rows.
    unit = CENTRES + 0.7 * NOISE
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    near = np.linalg.norm(unit[:, None] - unit[None], axis=2) <= stay(old)
    worst = transfer.worst[0]
    mine = np.array(NAMES) == worst.label
    assert worst.far == pytest.approx(near[np.ix_(mine, ~mine)].mean(), abs=2e-3)
    inside = near[np.ix_(mine, mine)]
    assert 1 - worst.frr == pytest.approx((inside.sum() - 8) / 56, abs=0.02)


def test_rates_of_no_error_keep_the_scatter_that_replicates_do_not_see():
    # Hardly a pair is rejected at FAR 0.1 under either model.
    easy = [model(size) for size in (0.2, 0.22)]
    found = compare_reports(easy).candidates[0].find("frr_at_far", 0.1)
    assert found.baseline < 0.001
    assert isinstance(found.evidence, ApartFigure)
    assert found.ci[0] < 0 < found.ci[1]
    assert found.ci[1] - found.ci[0] > 1e-4
    assert found.verdict == "not distinguishable"


def test_what_noise_does_to_some_classes_is_seen():
    centres, noise, labels = rows(40, 16, seed=5)
    vectors, names = centres + 0.3 * noise, [f"class {k}" for k in labels]
    hurt = labels % 10 == 3
    other = vectors.copy()
    other[hurt] += np.random.default_rng(5).standard_normal((hurt.sum(), 8))
    pair = [evaluated(v, names, retrieval=False) for v in (vectors, other)]
    (candidate,) = compare_reports(pair).candidates
    changes = candidate.classes
    assert changes.lost_beyond_noise >= 3
    assert changes.gained_beyond_noise == 0
    listed = [c for c in changes.lost if c.beyond_noise]
    assert {c.label for c in listed} <= {f"class {k}" for k in (3, 13, 23, 33)}
    assert [c.change for c in listed] == sorted(c.change for c in listed)
    assert candidate.find("opis.corrected").verdict == "worse"


def test_other_rows_of_the_same_classes_change_no_class_beyond_noise():
    marked = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        pair = [
            evaluated(CENTRES + 0.6 * rng.standard_normal(NOISE.shape), NAMES, retrieval=False)
            for _ in range(2)
        ]
        matched = SharedClasses.of(*(report.counts.labels for report in pair))
        changes = class_changes(*pair, matched, 0.95, 5)
        assert len(changes.gained) == len(changes.lost) == 5
        marked += changes.gained_beyond_noise + changes.lost_beyond_noise > 0
    assert marked <= 1


@pytest.mark.parametrize(
    ("settings", "key", "values"),
    [
        ({"c": 2.0}, "c", "(1 and 2)"),
        ({"utility": "precision-recall"}, "utility", "(sensitivity-specificity and precision"),
        ({"range": "far=0.02:0.1"}, "range", "(far=0.01:0.1 and far=0.02:0.1)"),
        ({"epsilon": 0.2}, "epsilon", "(0.1 and 0.2)"),
        ({"eps_against": "best"}, "eps-against", "(others and best)"),
        ({"eps_rank": "threshold"}, "eps-rank", "(range and threshold)"),
        ({"pool": "classes"}, "pool", "(pairs and classes)"),
    ],
)
def test_runs_that_measure_different_things_are_refused(old, settings, key, values):
    other = model(0.7, **settings)
    for allow in (False, True):
        with pytest.raises(UsageError, match="measure different things") as error:
            compare_reports([old, other], allow_mismatch=allow)
        assert f" {key} {values}" in str(error.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"metric": "l2"}, "metric (cosine and l2)"),
        ({"integration": "grid:101"}, "integration (exact and 101)"),
        ({"recommend": "far=0.01"}, "recommend (utility and far=0.01)"),
        ({"half": True}, "precision (float32 and float16)"),
        ({"singletons": "drop"}, "singletons (keep and drop)"),
        ({"null_label": "distractor"}, "null-label (drop and distractor)"),
        ({"distractor_labels": ("class 7",)}, "distractor-label (none and class 7)"),
        ({"pairs": "sampled", "sample_pairs": 30_000}, "pairs (exact and sampled)"),
    ],
)
def test_what_weakens_a_comparison_is_to_be_allowed(old, settings, told):
    other = model(0.7, **settings)
    with pytest.raises(UsageError, match="--allow-mismatch") as error:
        compare_reports([old, other])
    assert told in str(error.value)
    (candidate,) = compare_reports([old, other], allow_mismatch=True).candidates
    assert candidate.mismatches
    assert all(m.comparable for m in candidate.mismatches)
    assert candidate.find("utility.mean").ci is not None
    # Distances of two metrics are not compared.
    assert (candidate.threshold is None) == ("metric" in settings)
    threshold = candidate.find("recommended_threshold.distance")
    assert (threshold.ci is None) == ("metric" in settings or "recommend" in settings)


def test_a_range_of_distances_is_not_compared_across_metrics():
    pair = [model(0.6, range="distance=0.5:0.9", metric=metric) for metric in ("cosine", "l2")]
    with pytest.raises(UsageError, match=r"metric \(cosine and l2\)"):
        compare_reports(pair, allow_mismatch=True)


def test_a_range_may_be_written_in_other_ways(old):
    (candidate,) = compare_reports([old, model(0.7, range="far=0.1:1e-2")]).candidates
    assert candidate.mismatches == ()


def test_one_set_and_a_gallery_are_refused(old):
    vectors = CENTRES + 0.6 * NOISE
    two = opiscal.evaluate(
        vectors[::2], NAMES[::2], gallery=opiscal.Gallery(vectors[1::2], NAMES[1::2])
    )
    with pytest.raises(UsageError, match=r"pairs of \(one set and queries with a gallery\)"):
        compare_reports([old, two], allow_mismatch=True)


def test_other_classes_and_other_rows(old):
    vectors = CENTRES + 0.7 * NOISE
    kept = LABELS < 30
    fewer = evaluated(vectors[kept], [n for n, k in zip(NAMES, kept, strict=True) if k])
    with pytest.raises(UsageError, match="classes") as error:
        compare_reports([old, fewer])
    assert "20 that the other has not: class 30, class 31, class 32 and more" in str(error.value)
    (candidate,) = compare_reports([old, fewer], allow_mismatch=True).candidates
    assert (candidate.pairing, candidate.shared_classes) == ("partly paired", 30)
    assert len(candidate.only_in_baseline) == 20
    strangers = evaluated(vectors, [f"other {k}" for k in LABELS])
    (candidate,) = compare_reports([old, strangers], allow_mismatch=True).candidates
    assert candidate.pairing == "unpaired"
    assert candidate.classes.gained == ()
    some = np.arange(LABELS.size) != 3
    short = evaluated(vectors[some], [n for n, k in zip(NAMES, some, strict=True) if k])
    with pytest.raises(UsageError, match="rows of 1 of the classes, such as class 0") as error:
        compare_reports([old, short])
    assert "(8 and 7)" in str(error.value)


def test_sharing_classes_narrows_intervals(old, new, compared):
    strangers = evaluated(CENTRES + 0.7 * NOISE, [f"other {k}" for k in LABELS])
    (apart,) = compare_reports([old, strangers], allow_mismatch=True).candidates
    (paired,) = compared.candidates
    for metric in ("opis.corrected", "epsilon_opis.value", "utility.mean", "verification.eer"):
        one, other = paired.find(metric), apart.find(metric)
        assert other.difference == pytest.approx(one.difference)
        assert one.ci[1] - one.ci[0] < 0.7 * (other.ci[1] - other.ci[0]), metric


def test_names_and_number_of_models(old, new):
    with pytest.raises(UsageError, match="two or more"):
        compare_reports([old])
    for names in (["a"], ["a", "a"]):
        with pytest.raises(UsageError, match="as many names"):
            compare_reports([old, new], names)
    with pytest.raises(UsageError, match="confidence"):
        compare_reports([old, new], confidence=2.0)


def test_three_models_are_each_compared_with_the_first(old, new):
    found = compare_reports([old, new, model(0.5)], ["a", "b", "c"])
    assert [c.name for c in found.candidates] == ["b", "c"]
    verdicts = [c.find("utility.mean").verdict for c in found.candidates]
    assert verdicts == ["worse", "better"]
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [m["name"] for m in document["models"]] == ["a", "b", "c"]
    assert {d["model"] for d in document["differences"]} == {"b", "c"}
    assert isinstance(document["comparisons"][0]["threshold"]["candidate"]["far"], float)


def test_few_classes_and_no_noise_leave_out_what_is_not_known():
    pair = [
        evaluated(CENTRES[:32] + size * NOISE[:32], NAMES[:32], retrieval=False)
        for size in (0.6, 0.7)
    ]
    (candidate,) = compare_reports(pair).candidates
    corrected = candidate.find("opis.corrected")
    assert (corrected.difference, corrected.verdict) == (None, None)
    assert corrected.reason == "missing in both runs"
    opis = candidate.find("opis.value")
    assert opis.difference == opis.candidate - opis.baseline
    assert (opis.ci, opis.verdict) == (None, None)
    assert opis.reason.startswith("4 classes are too few")
    assert candidate.find("utility.mean").ci is not None
    assert candidate.find("retrieval.recall_at.1").reason == "missing in both runs"
    assert candidate.find("frr_at_far", 1e-5).reason.startswith("too few pairs")
    assert comparison_lines(compare_reports(pair))


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_text_fits_and_says_what_was_found(compared, width):
    lines = comparison_lines(compared, Screen(width))
    assert max(map(cells_of, lines)) <= min(width, 100)
    text = " ".join(" ".join(lines).split())
    for words in ("paired", "50 classes", "worse", "similarity", "Recall@1", "beyond"):
        assert words in text


@pytest.fixture(scope="module")
def nasty():
    labels = [NASTY[k % len(NASTY)] for k in LABELS]
    pair = [evaluated(CENTRES + s * NOISE, labels) for s in (0.6, 0.7)]
    return compare_reports(pair, [NASTY[0], NASTY[1] + "\n" + NASTY[8]])


def test_names_and_labels_are_text_in_text(nasty):
    for width in (40, 80):
        lines = comparison_lines(nasty, Screen(width))
        assert all(c.isprintable() for line in lines for c in line)
        assert max(map(cells_of, lines)) <= width


def test_names_and_labels_are_text_in_markdown(nasty):
    text = "\n".join(markdown_lines(nasty))
    for harm in ("<script", "`", "\x1b", "\u202e", "](", "$x", "@every", "**d", "::error"):
        assert harm not in text, harm
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) > 20
    # A pipe in a name makes no column.
    heads = [k for k, line in enumerate(tables) if line.startswith("|---")]
    for k in heads:
        assert tables[k].count("|") == tables[k - 1].count("|") == tables[k + 1].count("|")
    assert name_text("a<b") == "<code>a&#60;b</code>"
