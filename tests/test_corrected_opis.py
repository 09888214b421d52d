"""OPIS without noise, and the null value of eps-OPIS, against sets whose truth is known."""

import functools
from pathlib import Path

import numpy as np
import pytest
from counted import counted
from noise_sets import corrected, nodes_of, open_world_set, sphere_words

from opiscal.data.embedding_set import ColumnNames
from opiscal.data.parquet import read_embeddings
from opiscal.measures.null_value import null_epsilon_opis
from opiscal.measures.opis import epsilon_opis
from opiscal.measures.utility import Utility, class_utility

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
UTILITIES = [
    Utility(),
    Utility(c=2.0),
    Utility("precision-recall"),
    Utility("precision-recall", 0.5),
]


@pytest.mark.parametrize("first_seed", [0, 100])
@pytest.mark.parametrize("rows", [5, 20])
def test_classes_that_are_alike_have_a_corrected_opis_of_nothing(rows, first_seed):
    results = [corrected(sphere_words(rows, first_seed + seed)) for seed in range(6)]
    found = np.array([r.corrected for r in results])
    plain = np.mean([r.value_same_classes for r in results])
    assert abs(found.mean()) < max(2.5 * found.std(ddof=1) / 6**0.5, 0.15 * plain)


@pytest.mark.parametrize(("seed", "rows", "within"), [(0, 20, 0.1), (1, 20, 0.1), (0, 10, 0.15)])
def test_corrected_opis_of_a_simulated_set_is_near_the_true_one(seed, rows, within):
    counts, truth = open_world_set(rows, seed)
    result = corrected(counts)
    assert result.corrected == pytest.approx(truth, rel=within)
    assert result.corrected < result.value_same_classes


@pytest.mark.parametrize("options", [{}, {"rank": "threshold"}, {"against": "best"}])
def test_null_value_is_the_epsilon_opis_of_classes_that_are_alike(options):
    found, null = [], []
    for seed in range(4):
        counts = sphere_words(10, seed)
        nodes, weights = nodes_of(counts)
        curves = class_utility(counts, nodes, Utility())
        found.append(epsilon_opis(curves, weights, **options).value)
        null.append(null_epsilon_opis(counts, curves, nodes, weights, Utility(), **options))
    assert np.mean(null) == pytest.approx(np.mean(found), rel=0.25)


def test_null_value_depends_on_the_seed_only_by_chance():
    counts, _ = open_world_set(10, seed=0)
    nodes, weights = nodes_of(counts)
    curves = class_utility(counts, nodes, Utility())

    def null(seed):
        return null_epsilon_opis(counts, curves, nodes, weights, Utility(), seed=seed)

    assert null(3) == null(3)
    assert null(3) != null(4)
    assert null(3) == pytest.approx(null(4), rel=0.1)
    assert null(3) < epsilon_opis(curves, weights).value


@pytest.mark.parametrize("utility", UTILITIES)
def test_null_value_of_very_unequal_classes_is_finite(utility):
    rng = np.random.default_rng(0)
    sizes = np.unique(np.geomspace(2, 90, 24).astype(int))
    labels = np.repeat(np.arange(sizes.size), sizes)
    centres = rng.standard_normal((sizes.size, 8))
    counts = counted(centres[labels] + 0.6 * rng.standard_normal((labels.size, 8)), labels.tolist())
    nodes, weights = nodes_of(counts)
    curves = class_utility(counts, nodes, utility)
    for options in ({}, {"epsilon": 0.5, "rank": "threshold", "against": "best"}):
        assert 0 < null_epsilon_opis(counts, curves, nodes, weights, utility, **options) < 1


@pytest.mark.parametrize(("rows", "within"), [(10, 0.15), (5, 0.40)])
def test_subsamples_of_a_real_set_agree_with_all_of_it(rows, within):
    vectors, labels, full = banking()
    found = []
    for seed in range(20):
        rng = np.random.default_rng([rows, seed])
        own = [rng.permutation(np.flatnonzero(labels == c))[:rows] for c in range(77)]
        picked = np.concatenate(own)
        found.append(corrected(counted(vectors[picked], labels[picked].tolist())))
    plain = np.mean([r.value_same_classes for r in found])
    assert np.mean([r.corrected for r in found]) == pytest.approx(full, rel=within)
    assert plain > 1.2 * full


@functools.cache
def banking():
    """Vectors and labels of the set, and its corrected OPIS; skips where it is not here."""
    file = SHARED / "banking77.parquet"
    if not file.is_file():
        pytest.skip(f"no {file}: the real sets beside the repository")
    embeddings = read_embeddings([str(file)], ColumnNames())
    vectors, labels = embeddings.vectors, embeddings.class_of_row
    return vectors, labels, corrected(counted(vectors, labels.tolist())).corrected
