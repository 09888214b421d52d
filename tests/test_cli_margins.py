"""`opiscal margins`: its numbers, its notes, its line of code, and what it says to a wrong use."""

import json

import numpy as np
import pytest
from conftest import DIGITS400, PLACES, Cli
from rich.cells import cell_len

import opiscal
from opiscal import EvaluateConfig
from opiscal.report.layout import Screen
from opiscal.report.margin_lines import margin_lines


@pytest.fixture(scope="module")
def pairs():
    """Similarities of the positive and of the negative pairs of the sample places, ascending."""
    import pyarrow.parquet as pq

    table = pq.read_table(PLACES)
    rows = np.array(table["embedding"].to_pylist(), dtype=np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.unique(table["label"].to_pylist(), return_inverse=True)[1]
    upper = np.triu_indices(len(rows), 1)
    similarity = (rows @ rows.T)[upper]
    same = labels[upper[0]] == labels[upper[1]]
    return np.sort(similarity[same]), np.sort(similarity[~same])


def test_defaults_are_the_ends_of_the_range(cli: Cli, places_run, pairs) -> None:
    found = cli("margins", places_run, "--json").document
    report = opiscal.load(places_run)
    ends = report.calibration_range
    assert found["m_pos"]["similarity"] == pytest.approx(ends.similarity[0], abs=2e-9)
    assert found["m_neg"]["similarity"] == pytest.approx(ends.similarity[1], abs=2e-9)
    assert found["m_pos"]["share"]["value"] == pytest.approx(ends.frr[0], abs=1e-12)
    assert found["m_neg"]["share"]["value"] == pytest.approx(ends.far[1], abs=1e-12)
    positive, negative = pairs
    for margin in (found["m_pos"], found["m_neg"], *found["paper"]):
        m = margin["similarity"]
        terms = (
            m - positive[positive <= m]
            if margin["name"] == "m_pos"
            else negative[negative >= m] - m
        )
        total = positive.size if margin["name"] == "m_pos" else negative.size
        assert margin["pairs"] == total
        for number, true in (("share", terms.size / total), ("term", terms.mean())):
            # Float32 may take a pair at the margin to its other side.
            assert margin[number]["low"] - 1e-4 <= true <= margin[number]["high"] + 1e-4
            assert margin[number]["value"] == pytest.approx(true, abs=3e-4)
    terms = [found[name]["term"]["value"] for name in ("m_pos", "m_neg")]
    assert found["loss"]["value"] == pytest.approx(sum(terms), abs=1e-12)
    assert found["notes"] == []


def test_rates_and_given_margins(cli: Cli, places_run) -> None:
    found = cli("margins", places_run, "--far", "1e-2", "--frr", "0.1", "--json").document
    report = opiscal.load(places_run)
    assert found["m_neg"]["similarity"] == pytest.approx(report.threshold(far=1e-2).similarity)
    assert found["m_pos"]["similarity"] == pytest.approx(report.threshold(frr=0.1).similarity)
    assert found["m_neg"]["share"]["high"] <= 0.01
    assert found["m_pos"]["share"]["value"] <= 0.1
    assert [note["code"] for note in found["notes"]] == ["margins_crossed"]
    given = report.margins(m_pos=0.8, m_neg=0.25)
    assert (given.m_pos.similarity, given.m_neg.similarity) == (0.8, 0.25)
    assert given.code == "ThresholdConsistentMarginLoss(m_pos=0.8, m_neg=0.25)"


def test_the_text_has_the_numbers_and_code_that_runs(cli: Cli, places_run) -> None:
    found = json.loads(cli("margins", places_run, "--json").out)
    lines = cli("margins", places_run).out.splitlines()
    row = next(line for line in lines if line.startswith("m_neg "))
    assert row.split() == ["m_neg", "0.763184", "0.1", "0.0353", "10", "%", "0.0908"]
    assert f"loss now {found['loss']['value']:.4f} (both terms, each with weight 1);" in lines
    code = lines[-2:]
    assert code[0] == "from opiscal.losses import ThresholdConsistentMarginLoss"
    assert code[1] == f"loss = {found['code']}"
    compile("\n".join(code), "code", "exec")


def spread(scale, seed=0, rows=600):
    """Rows about 60 directions; the smaller the scale the closer all of them lie together."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(60), rows // 60)
    vectors = rng.standard_normal((60, 16))[labels] + 0.3 * rng.standard_normal((rows, 16))
    vectors[:, 0] += 1 / scale
    return vectors, labels


def test_notes_where_the_paper_margins_do_not_fit() -> None:
    config = EvaluateConfig(retrieval=False, threads=1)
    # All similarities above 0.9: every negative pair is hard, no positive one.
    notes = opiscal.evaluate(*spread(0.02), config=config).margins().notes
    assert [note.code for note in notes] == ["paper_margin_hardly_any", "paper_margin_nearly_every"]
    assert "m_neg = 0.5, the paper's, calls 100 % of the negative pairs hard" in notes[1].message
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(40), 10)
    wide = rng.standard_normal((40, 256))[labels] + 1.5 * rng.standard_normal((400, 256))
    notes = opiscal.evaluate(wide, labels, config=config).margins().notes
    assert [note.code for note in notes] == ["paper_margin_nearly_every", "paper_margin_hardly_any"]


def test_sampled_pairs_and_a_gallery() -> None:
    vectors, labels = spread(1.0, rows=3000)
    exact = opiscal.evaluate(vectors, labels, config=EvaluateConfig(retrieval=False))
    config = EvaluateConfig(pairs="sampled", sample_pairs=3000 * 256, retrieval=False)
    sampled = opiscal.evaluate(vectors, labels, config=config)
    found, true = sampled.margins(m_neg=0.6, m_pos=0.9), exact.margins(m_neg=0.6, m_pos=0.9)
    assert found.sampled
    assert not true.sampled
    assert found.m_neg.pairs == true.m_neg.pairs
    assert found.m_neg.share.value == pytest.approx(true.m_neg.share.value, rel=0.1)
    assert found.m_neg.term.value == pytest.approx(true.m_neg.term.value, rel=0.1)
    assert found.m_pos.term.value == pytest.approx(true.m_pos.term.value, abs=1e-3)
    assert any("sample's estimates" in line for line in margin_lines(found, Screen(100)))

    two = opiscal.evaluate(vectors[::2], labels[::2], gallery=(vectors[1::2], labels[1::2]))
    rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = rows[::2] @ rows[1::2].T
    negative = similarity[labels[::2, None] != labels[None, 1::2]]
    hard = negative[negative >= 0.6]
    found = two.margins(m_neg=0.6).m_neg
    assert found.pairs == negative.size
    assert found.share.value == pytest.approx(hard.size / negative.size, abs=1e-3)
    assert found.term.value == pytest.approx((hard - 0.6).mean(), abs=1e-3)


@pytest.mark.parametrize("width", [20, 30, 56, 60, 80, 100, 200])
@pytest.mark.parametrize("options", [{}, {"far": 0.01, "frr": 0.1}, {"m_pos": -0.5, "m_neg": 1.0}])
def test_lines_fit(places_run, width, options) -> None:
    lines = margin_lines(opiscal.load(places_run).margins(**options), Screen(width))
    code = next(k for k, line in enumerate(lines) if line.startswith("from opiscal"))
    assert max(map(cell_len, lines[:code])) <= min(width, 100)
    assert max(map(cell_len, lines[code:])) <= max(56, width)
    compile("\n".join(lines[code:]), "code", "exec")


def test_data_are_evaluated_first(cli: Cli) -> None:
    found = cli("margins", DIGITS400, "-q", "--m-neg", "0.5", "--json").document
    assert found["m_pos"]["criterion"] == "range"
    # The margin of the paper was given.
    assert found["m_neg"] == found["paper"][1] | {"criterion": "given"}


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--m-neg", "1.3"), 2, "similarity 1.3: must lie between -1 and 1"),
        (("--m-pos", "nan"), 2, "similarity nan: must lie between -1 and 1"),
        (("--far", "0.1", "--m-neg", "0.3"), 2, "both give m_neg; give one of them"),
        (("--frr", "0.1", "--m-pos", "0.3"), 2, "both give m_pos; give one of them"),
        (("--frr", "0"), 2, "frr 0.0: must be above 0 and below 1"),
        (("--far", "1"), 2, "far 1.0: must be above 0 and below 1"),
        (("--far", "1e-9"), 3, "far 1e-09: the data cannot resolve it"),
    ],
)
def test_a_wrong_use_is_one_line(cli: Cli, places_run, options, code, said) -> None:
    answer = cli("margins", places_run, *options)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.error


def test_cosine_only(cli: Cli, tmp_path) -> None:
    run = tmp_path / "l2"
    assert cli("evaluate", DIGITS400, "--metric", "l2", "-o", run, "-q", "--no-plots").code == 0
    answer = cli("margins", run)
    assert (answer.code, answer.out) == (2, "")
    assert answer.error == (
        "opiscal: error: margins of a report for l2: the loss is of cosine similarities; evaluate "
        "with --metric cosine"
    )
