"""Sampled pairs: nothing is missed or counted twice, and the scatter is what it is said to be."""

from dataclasses import replace

import numpy as np
import pytest

from opiscal.data.embedding_set import EmbeddingSet, RowPolicy
from opiscal.data.rows import from_arrays
from opiscal.errors import UsageError
from opiscal.measures.calibration_range import RangeSpec, find_range
from opiscal.measures.class_curves import EpsilonChoice
from opiscal.measures.noise import utility_noise
from opiscal.measures.opis import Integration, opis
from opiscal.measures.rate_variance import rate_variance
from opiscal.measures.rates import rate_curve
from opiscal.measures.sampling_error import sampling_errors
from opiscal.measures.utility import Utility, class_utility
from opiscal.pairs.counting import count_pairs
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.counts_file import load_counts, save_counts
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.index_choice import IndexChoice
from opiscal.pairs.lattice import Lattice, fit_lattice
from opiscal.pairs.near_search import FoundPairs, find_pairs
from opiscal.pairs.pair_settings import PairSettings
from opiscal.pairs.plan import MOST_WORK, plan_pairs
from opiscal.pairs.sampled import Sampled, count_sampled
from opiscal.pairs.sampled_columns import ColumnGroups
from opiscal.pairs.sampled_counts import GROUPS
from opiscal.pairs.search import RowIndex
from opiscal.pairs.sorted_rows import SortedRows, sort_rows

INDEXES = {"flat": IndexChoice("Flat"), "bad": IndexChoice("IVF8,Flat", nprobe=1)}


def integer_set(seed: int = 0, rows: int = 480, classes: int = 40, giant: int = 0) -> EmbeddingSet:
    """Rows of small whole numbers, whose products are exact in whatever order they are summed."""
    rng = np.random.default_rng(seed)
    of_row = rng.integers(classes, size=rows)
    of_row[:giant] = 0
    names = [f"c{k:03d}" for k in of_row]
    for k in range(20):
        names[giant + 3 * k] = "far away"
    names[-1] = "alone"
    centres = rng.integers(-4, 5, size=(classes, 6))
    vectors = centres[of_row] + rng.integers(-2, 3, size=(rows, 6))
    return from_arrays(
        vectors.astype(np.float32),
        names,
        policy=RowPolicy(metric="l2", distractor_labels=("far away",)),
    )


class Case:
    """A set, its edges, its exact counts, and samples of it."""

    def __init__(self, embeddings: EmbeddingSet, choice: IndexChoice) -> None:
        self.embeddings = embeddings
        self.rows: SortedRows = sort_rows(embeddings)
        self.lattice: Lattice = fit_lattice(self.rows, 0)
        tally = count_exactly(self.rows, self.lattice, ranks=False)
        self.exact: PairCounts = tally.counts(
            self.rows, self.lattice, embeddings.labels, embeddings.metric
        )
        index = RowIndex(self.rows.vectors, "l2", choice)
        self.near: FoundPairs = find_pairs(self.rows, index, 0)

    def sample(
        self, columns: int, seed: int, most_positives: int = 10**9, threads: int = 1
    ) -> Sampled:
        return count_sampled(
            self.rows,
            self.lattice,
            self.near,
            ColumnGroups.draw(self.rows.rows, columns, seed),
            labels=self.embeddings.labels,
            metric=self.embeddings.metric,
            most_positives=most_positives,
            seed=seed,
            threads=threads,
        )


@pytest.mark.parametrize("choice", INDEXES.values(), ids=INDEXES)
@pytest.mark.parametrize("giant", [0, 1300])
def test_a_sample_of_everything_is_the_exact_count(choice, giant):
    # With a giant class some tiles are of one class alone.
    case = Case(integer_set(rows=2400 if giant else 480, giant=giant), choice)
    sampled = case.sample(case.rows.rows, seed=1, threads=2)
    exact, strata = case.exact, sampled.counts
    assert 0 < strata.pool_near[-1] < exact.negative
    assert np.array_equal(strata.pool_negative(), exact.pool_negative)
    assert np.array_equal(strata.class_negative(), exact.class_negative)
    found = strata.estimate()
    for name in ("pool_positive", "pool_negative", "class_positive", "class_negative"):
        assert np.array_equal(getattr(found, name), getattr(exact, name)), name
    for name in ("positive_squares", "negative_squares", "products"):
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), rtol=1e-12)
    assert not found.sampling.pool_variance.any()
    assert not found.sampling.class_variance.any()
    np.testing.assert_allclose(
        utility_noise(found, found.moment_distance, Utility()),
        utility_noise(exact, exact.moment_distance, Utility()),
        atol=1e-12,
    )
    # All near pairs are found by a flat index, and half of them by the bad one.
    missed = sampled.near_missed / (sampled.near_missed + sampled.near_found)
    assert missed == 0 if choice.factory == "Flat" else 0.02 < missed < 0.9


@pytest.mark.parametrize("choice", INDEXES.values(), ids=INDEXES)
def test_samples_have_no_bias_and_scatter_as_they_say(choice):
    case = Case(integer_set(), choice)
    exact, seeds = case.exact, 200
    strata = [case.sample(64, seed).counts for seed in range(seeds)]
    found = [s.estimate() for s in strata]
    estimates = {
        "pool": ([s.pool_negative() for s in strata], exact.pool_negative),
        "classes": ([s.class_negative() for s in strata], exact.class_negative),
        "squares": (
            [f.negative_squares - f.sampling.class_variance for f in found],
            exact.negative_squares,
        ),
        "products": ([f.products for f in found], exact.products),
    }
    for name, (values, truth) in estimates.items():
        # At the last edge all pairs are accepted, and how many there are is known.
        values, truth = np.array(values)[..., :-1], truth[..., :-1]
        if name in ("squares", "products"):
            # Of one class they are those of a few rare rows; of all classes they scatter normally.
            values, truth = values.sum(axis=1), truth.sum(axis=0)
        error = values.std(axis=0, ddof=1) / np.sqrt(seeds)
        off = np.abs(values.mean(axis=0) - truth)
        assert np.all(off <= 4 * error + 1e-9 * truth.max()), name
    for name, values, said in (
        ("pool", estimates["pool"][0], [f.sampling.pool_variance for f in found]),
        ("classes", estimates["classes"][0], [f.sampling.class_variance for f in found]),
    ):
        scatter = np.array(values).var(axis=0, ddof=1)
        said = np.mean(said, axis=0)
        if name == "classes":
            scatter, said = scatter[:, exact.moment_edge].sum(axis=0), said.sum(axis=0)
        # Where all is known nothing scatters; the last edge is put in as known.
        seen = scatter[:-1] > 1e-6 * scatter.max()
        assert seen.any()
        np.testing.assert_allclose(said[:-1][seen], scatter[:-1][seen], rtol=0.35)


def test_positives_of_large_classes_are_those_of_some_rows():
    case = Case(integer_set(rows=900, classes=12), INDEXES["flat"])
    exact, seeds, most = case.exact, 200, 300
    assert (exact.positives_of_class > most).all()
    found = [case.sample(64, seed, most).counts for seed in range(seeds)]
    assert {int(n) for s in found for n in s.positive_rows} == {25}
    assert found[0].positive_counted == 12 * 300
    estimates = [s.estimate() for s in found]
    for name in ("class_positive", "pool_positive"):
        values = np.array([getattr(e, name) for e in estimates])
        error = values.std(axis=0, ddof=1) / np.sqrt(seeds)
        off = np.abs(values.mean(axis=0) - getattr(exact, name))
        assert np.all(off <= 4 * error + 1e-6), name
        assert np.allclose(values[:, ..., -1], getattr(exact, name)[..., -1])
    # The noise of utilities is that of 25 rows, not of 75: sensitivities scatter as they say.
    at = np.searchsorted(exact.class_distance, exact.moment_distance[exact.moment_edge.size // 2])
    sens = np.array([e.class_positive[:, at] / exact.positives_of_class for e in estimates])
    said = np.mean(
        [_sensitivity_variance(e, exact.moment_edge.size // 2) for e in estimates], axis=0
    )
    own = _sensitivity_variance(exact, exact.moment_edge.size // 2)
    np.testing.assert_allclose(said.sum(), (sens.var(axis=0, ddof=1) + own).sum(), rtol=0.15)


def _sensitivity_variance(counts: PairCounts, moment: int) -> np.ndarray:
    from opiscal.measures.sampling_moments import sampling_moments

    return sampling_moments(counts, np.array([moment])).sensitivity_variance[:, 0]


def test_near_pairs_are_negatives_counted_once():
    case = Case(integer_set(), INDEXES["flat"])
    near, rows = case.near, case.rows
    assert np.all(rows.classes.class_id[near.row] != rows.classes.class_id[near.partner])
    both = {(min(i, j), max(i, j)) for i, j in zip(near.row, near.partner, strict=True)}
    counted = list(zip(near.row[near.counted], near.partner[near.counted], strict=True))
    assert len(counted) == len(both)
    assert {(min(i, j), max(i, j)) for i, j in counted} == both
    wide = rows.vectors.astype(float)
    apart = np.sqrt(np.square(wide[near.row] - wide[near.partner]).sum(axis=1))
    assert apart.max() <= near.radius * (1 + 1e-5)
    assert 4 < len(both) * 2 / rows.rows < 64


def test_where_all_pairs_are_as_far_apart_none_are_near():
    embeddings = from_arrays(np.eye(600), [f"c{k // 2}" for k in range(600)])
    rows = sort_rows(embeddings)
    near = find_pairs(rows, RowIndex(rows.vectors, "l2"), 0)
    assert near.partner.size == 0
    plan = plan_pairs(PairSettings(mode="sampled", sample_pairs=600 * 128), 600, 600)
    found = count_pairs(rows, fit_lattice(rows, 0), plan, embeddings.labels, "cosine")
    assert found.counts.negative == 600 * 598 // 2


def test_counts_do_not_depend_on_threads_and_change_with_the_seed():
    case = Case(integer_set(), INDEXES["bad"])
    one, two = (case.sample(64, 5, threads=threads).counts for threads in (1, 2))
    other = case.sample(64, 6).counts
    for name in ("pool_near", "pool_rest", "class_rest", "row_sums", "group_squares"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name
    assert not np.array_equal(one.pool_rest, other.pool_rest)
    assert np.array_equal(one.pool_near, other.pool_near)


def test_sampled_counts_are_kept_as_whole_numbers(tmp_path):
    case = Case(integer_set(), INDEXES["bad"])
    found = case.sample(64, 5, most_positives=30).counts
    counts = found.estimate()
    save_counts(counts, tmp_path / "pairs.npz", meta={"a": "b"})
    loaded = load_counts(tmp_path / "pairs.npz")
    for name in type(found).__dataclass_fields__:
        assert np.array_equal(getattr(loaded.sampling.strata, name), getattr(found, name)), name
    for name in ("pool_negative", "class_negative", "class_positive", "negative_squares"):
        assert np.array_equal(getattr(loaded, name), getattr(counts, name)), name
        assert np.all(np.diff(getattr(loaded, name), axis=-1) >= 0), name


def test_variance_of_far_has_the_sampling_error_once():
    # Classes that are alike but for what sampling makes of them: 60 centres, far more rows.
    case = Case(integer_set(rows=1200, classes=60), INDEXES["flat"])
    known = replace(case.exact, class_pairs=None)
    edge = int(np.argmin(np.abs(rate_curve(known).far[known.class_edge] - 0.05)))
    exact = rate_variance(known, "far").variance[edge]
    sampled, added = [], []
    for seed in range(40):
        counts = case.sample(128, seed).counts.estimate()
        sampled.append(rate_variance(counts, "far").variance[edge])
        added.append(counts.sampling.pool_variance[counts.class_edge[edge]] / counts.negative**2)
    error = np.std(sampled, ddof=1) / np.sqrt(40)
    assert np.mean(sampled) == pytest.approx(exact + np.mean(added), abs=4 * error + 0.02 * exact)


def test_sampling_errors_are_the_scatter_between_seeds():
    case = Case(integer_set(rows=1600, classes=80), INDEXES["bad"])
    utility, spec, choice = Utility(), RangeSpec.parse("far=0.02:0.2"), EpsilonChoice()
    values, said = [], []
    for seed in range(60):
        sampled = case.sample(128, seed)
        counts = sampled.counts.estimate()
        curve = rate_curve(counts)
        found = find_range(curve, spec, "l2")
        nodes, weights = Integration().nodes(counts.class_distance, found.low, found.high)
        curves = class_utility(counts, nodes, utility)
        values.append([opis(curves, weights), float(np.interp(0.05, curve.far, curve.frr))])
        errors = sampling_errors(counts, sampled, utility, spec, choice, far=[0.05])
        said.append([errors.opis, errors.far[0][2]])
    scatter = np.std(values, axis=0, ddof=1)
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(said), axis=0)), scatter, rtol=0.4)


def test_the_rule_of_auto_is_one_of_numbers():
    assert plan_pairs(PairSettings(), 200_000, 128).mode == "exact"
    assert plan_pairs(PairSettings(), 395_285, 128).mode == "sampled"
    rows = int(np.sqrt(MOST_WORK / 128))
    assert plan_pairs(PairSettings(), rows, 128).mode == "exact"
    assert plan_pairs(PairSettings(), rows + 1, 128).mode == "sampled"
    plan = plan_pairs(PairSettings(mode="sampled", sample_pairs=10_000_000), 20_000, 64)
    assert (plan.mode, plan.columns, plan.columns % GROUPS) == ("sampled", 512, 0)
    whole = plan_pairs(PairSettings(mode="sampled"), 4000, 64)
    assert whole.mode == "exact"
    assert "costs as much as every pair" in whole.reason


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sample_pairs": 0}, "sample-pairs 0: must be at least"),
        ({"sample_pairs": 10, "mode": "exact"}, "leave one of them out"),
        ({"sample_pairs": 10**9, "budget": 3.0}, "give one of them"),
        ({"budget": 0.0}, "budget 0.0: must be seconds above 0"),
        ({"most_positives": 0}, "positive-cap 0: must be at least 6"),
    ],
)
def test_settings_that_cannot_be(wrong, message):
    with pytest.raises(UsageError, match=message):
        PairSettings(**wrong)


def test_samples_and_budgets_that_are_too_small(monkeypatch):
    # Of a machine that is neither fast nor slow, whatever else this one does.
    monkeypatch.setattr("opiscal.pairs.plan.pairs_per_second", lambda *_: 1.5e8)
    with pytest.raises(UsageError, match=r"give 12800000 or more"):
        plan_pairs(PairSettings(sample_pairs=100_000), 200_000, 128)
    with pytest.raises(UsageError, match=r"at most 1,048,560 may be counted"):
        plan_pairs(PairSettings(sample_pairs=5_000_000 * 2_000_000), 5_000_000, 8)
    with pytest.raises(UsageError, match=r"budget 0.001: every pair takes some"):
        plan_pairs(PairSettings(mode="exact", budget=0.001), 20_000, 16)
    with pytest.raises(UsageError, match=r"budget 4: even the smallest sample of 3,000,000 rows"):
        plan_pairs(PairSettings(budget=4.0), 3_000_000, 256)
    assert plan_pairs(PairSettings(budget=1e5), 20_000, 16).mode == "exact"
    assert plan_pairs(PairSettings(budget=600.0), 1_000_000, 64).mode == "sampled"
