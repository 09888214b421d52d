"""Vectors held as float16: counted as the rounded rows, whatever they are."""

from dataclasses import replace

import numpy as np
import pytest
from brute_force import embedding_set
from conftest import PLACES, Cli
from test_sorted_rows import drawn

from opiscal import EvaluateConfig, evaluate
from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, RowPolicy
from opiscal.data.half_matrix import HalfMatrix
from opiscal.data.rows import from_arrays
from opiscal.evaluation import evaluate_files, evaluate_set
from opiscal.pairs.counting import count_pairs
from opiscal.pairs.half_rows import HalfRows
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.nearest_class import nearest_class
from opiscal.pairs.pair_settings import PairSettings
from opiscal.pairs.plan import plan_pairs
from opiscal.pairs.sorted_rows import sort_rows
from opiscal.report.run import load


def both(metric: str, **policy: object) -> tuple[EmbeddingSet, EmbeddingSet]:
    """A set held as float16, and the same with the rounded rows held as float32."""
    vectors, labels = drawn(1500, 12)
    names = [None if label < 0 else f"c{label // 3}" for label in labels]
    half = from_arrays(vectors, names, policy=RowPolicy(metric, half=True, **policy))
    return half, replace(half, vectors=np.asarray(half.vectors))


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_half_counts_what_the_rounded_rows_give(metric):
    half, rounded = both(metric, null_label="distractor")
    assert (half.precision, rounded.precision) == ("float16", "float32")
    config = EvaluateConfig(metric=metric, splits=1)
    one, two = evaluate_set(half, config, use_up=False), evaluate_set(rounded, config)
    for name in ("pool_negative", "pool_positive", "class_negative", "class_positive", "distance"):
        np.testing.assert_array_equal(getattr(one.counts, name), getattr(two.counts, name))
    assert one.nearest_class == two.nearest_class
    left, right = one.to_dict(), two.to_dict()
    assert (left["data"].pop("precision"), right["data"].pop("precision")) == ("float16", "float32")
    for document in (left, right):
        del document["provenance"]
    assert left == right
    assert evaluate_set(half, config, use_up=True).opis == two.opis


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_half_rows_read_as_sorted_rows(metric):
    half, rounded = both(metric)
    wanted = sort_rows(rounded)
    chosen = np.arange(rounded.rows) % 3 == 0
    for rows in (sort_rows(half), sort_rows(half, in_place=True)):
        assert isinstance(rows.vectors, HalfRows)
        assert rows.vectors.nbytes <= half.rows * (12 * 2 + 2)
        np.testing.assert_array_equal(rows.vectors[5:70], wanted.vectors[5:70])
        np.testing.assert_array_equal(rows.half_norm, wanted.half_norm)
        part, of_wanted = rows.subset(chosen), wanted.subset(chosen)
        assert isinstance(part.vectors, HalfRows)
        np.testing.assert_array_equal(part.vectors[:], of_wanted.vectors)


def test_rows_of_unit_length_are_rounded_after_scaling() -> None:
    vectors, labels = drawn(300, 8)
    labels = np.abs(labels) % 20
    half = from_arrays(1e4 * vectors, labels, policy=RowPolicy(half=True))
    plain = from_arrays(1e4 * vectors, labels)
    np.testing.assert_array_equal(half.vectors[:], plain.vectors.astype(np.float16))
    np.testing.assert_array_equal(half.norms, plain.norms)
    assert 2 * half.vectors.nbytes == plain.vectors.nbytes
    assert nearest_class(sort_rows(half)).size == 20


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_samples_of_pairs_are_those_of_the_rounded_rows(metric: str) -> None:
    plan = plan_pairs(PairSettings(mode="sampled", sample_pairs=1500 * 128), 1500, 12)
    found = []
    for embeddings in both(metric):
        rows = sort_rows(embeddings)
        lattice = fit_lattice(rows, 0)
        count = count_pairs(rows, lattice, plan, embeddings.labels, embeddings.metric, ranks=True)
        found.append(count)
    half, plain = (one.counts.sampling.strata for one in found)
    assert half.pool_near[-1] > 0
    for name in ("pool_near", "pool_rest", "class_near", "class_rest", "row_sums"):
        np.testing.assert_array_equal(getattr(half, name), getattr(plain, name))
    np.testing.assert_array_equal(found[0].ranks.rank, found[1].ranks.rank)


def test_rows_of_any_length_keep_eleven_bits() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(64, 5)) * 10.0 ** rng.uniform(-36, 36, (64, 1))).astype(np.float32)
    rows[0], rows[1] = 0.0, np.finfo(np.float32).max
    rows[2] = [-np.finfo(np.float32).max, 65504, 1, 1e-30, 0]
    rows[3] = [2.0**-149, 0, 0, 0, 0]
    rows[4] = [1, 2.0**-28, 1.001 * 2.0**-28, 2.0**-38, 2.0**-40]
    matrix = HalfMatrix(64, 5, unit=False)
    matrix[0:64] = rows
    back = matrix[:]
    assert np.isfinite(back).all()
    largest = np.abs(rows).max(axis=1, keepdims=True).astype(np.float64)
    wide = rows.astype(np.float64)
    # Eleven bits of an element, or a step of 2^-39 of the largest one.
    bound = np.maximum(np.abs(wide) * 2.0**-11, largest * 2.0**-39)
    assert (np.abs(back - wide) <= bound).all()
    assert back[4].tolist() == [1, 2.0**-28, 2.0**-28 * 1025 / 1024, 2.0**-38, 0]
    assert back[0].tolist() == [0] * 5
    assert back[3, 0] == 2.0**-149


def test_one_row_a_million_times_longer() -> None:
    vectors, labels = drawn(400, 8)
    vectors[17] *= 1e6
    labels = np.abs(labels) % 25
    config = EvaluateConfig(metric="l2")
    plain = evaluate(vectors, labels, config=config)
    half = evaluate(vectors, labels, config=replace(config, half=True))
    assert half.opis.value == pytest.approx(plain.opis.value, rel=0.02)
    assert half.recommended_threshold.distance == pytest.approx(
        plain.recommended_threshold.distance, rel=2e-3
    )


def test_the_command(tmp_path, cli: Cli) -> None:
    answer = cli("evaluate", PLACES, "-o", tmp_path / "run", "--half", "--no-plots")
    assert answer.code == 0
    assert "vectors were rounded to float16" in answer.out
    assert load(tmp_path / "run").settings.half


def test_the_report_says_so(tmp_path) -> None:
    config = EvaluateConfig(half=True)
    report = evaluate_files([str(PLACES)], ColumnNames(), config)
    assert report.to_dict()["data"]["precision"] == "float16"
    plain = evaluate_files([str(PLACES)], ColumnNames(), EvaluateConfig())
    assert plain.data.precision == "float32"
    assert report.provenance.fingerprint != plain.provenance.fingerprint
    assert report.opis.value == pytest.approx(plain.opis.value, rel=1e-3)
    again = load(report.save(tmp_path / "run", plots=False))
    assert again.settings == config
    assert again.data == report.data


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_singletons_are_dropped_from_half_rows(metric):
    vectors = np.arange(1, 31).reshape(10, 3) ** 1.5
    labels = list("abacadaeee")
    policy = RowPolicy(metric, singletons="drop", half=True)
    half = from_arrays(vectors, labels, policy=policy)
    plain = from_arrays(vectors, labels, policy=replace(policy, half=False))
    assert half.rows == plain.rows == 7
    np.testing.assert_allclose(half.vectors[:], plain.vectors, rtol=2.0**-11)
    assert embedding_set(vectors, range(10)).precision == "float32"
