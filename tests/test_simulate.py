"""Simulated sets: what is written, and whether the truth beside it is true."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import integrate, special, stats

from opiscal.data import simulate as simulate_module
from opiscal.data.population import BASE_SENSITIVITY, CUT, open_world
from opiscal.data.simulate import SimulationConfig, simulate, truth_path_of
from opiscal.data.truth import METADATA_KEY, read_truth
from opiscal.data.von_mises_fisher import (
    concentration_at,
    distance_at_far,
    draw,
    log_mean_exponential,
    negative_acceptance,
    pair_acceptance,
)
from opiscal.errors import InputError, UsageError

SMALL = SimulationConfig(rows=2_000, dimensions=16, classes=60, spread=0.5, seed=7)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return simulate(SMALL, tmp_path_factory.mktemp("sim") / "set.parquet")


def vectors_of(path):
    table = pq.read_table(path)
    width = table.schema.field("embedding").type.list_size
    flat = pa.concat_arrays(table["embedding"].chunks).flatten().to_numpy()
    return flat.reshape(-1, width).astype(np.float64), np.array(table["label"].to_pylist())


def pairs_around_one_centre(concentration, dimensions, pairs, seed):
    generator = np.random.default_rng(seed)
    centre = np.full(dimensions, dimensions**-0.5, dtype=np.float32)
    centres = np.broadcast_to(centre, (pairs, dimensions))
    concentrations = np.full(pairs, float(concentration))
    first = draw(centres, concentrations, generator).astype(np.float64)
    second = draw(centres, concentrations, generator).astype(np.float64)
    return np.linalg.norm(first - second, axis=1)


# --- the law ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dimensions", "concentration"), [(2, 0.5), (2, 40.0), (3, 8.0), (17, 30.0), (96, 80.0)]
)
def test_draw_follows_scipys_law(dimensions, concentration):
    rows = 8_000
    centre = np.linspace(-1.0, 2.0, dimensions)
    centre /= np.linalg.norm(centre)
    ours = draw(
        np.broadcast_to(centre.astype(np.float32), (rows, dimensions)),
        np.full(rows, concentration),
        np.random.default_rng(3),
    ).astype(np.float64)
    scipys = stats.vonmises_fisher(centre, concentration).rvs(rows, random_state=4)
    assert np.abs(np.linalg.norm(ours, axis=1) - 1).max() < 1e-6
    assert stats.ks_2samp(ours @ centre, scipys @ centre).pvalue > 1e-3
    # Across the centre the law is uniform: any fixed direction there has the same law as in scipy.
    across = np.zeros(dimensions)
    across[:2] = centre[1], -centre[0]
    assert stats.ks_2samp(ours @ across, scipys @ across).pvalue > 1e-3
    error = np.abs(ours.mean(axis=0) - scipys.mean(axis=0))
    spread = np.sqrt((ours.var(axis=0) + scipys.var(axis=0)) / rows)
    assert (error <= 4.5 * spread + 1e-7).all()


def test_draw_takes_a_concentration_a_row():
    rows, dimensions = 20_000, 12
    concentrations = np.where(np.arange(rows) % 2 == 0, 5.0, 500.0)
    centre = np.zeros(dimensions, dtype=np.float32)
    centre[-1] = -1
    along = -draw(
        np.broadcast_to(centre, (rows, dimensions)), concentrations, np.random.default_rng(0)
    )[:, -1]
    for parity, concentration in ((0, 5.0), (1, 500.0)):
        step = 1e-4 * concentration
        ends = log_mean_exponential(np.array([concentration - step, concentration + step]), 12)
        mean = (ends[1] - ends[0]) / (2 * step)
        sample = along[parity::2]
        assert abs(sample.mean() - mean) < 4 * sample.std() / np.sqrt(sample.size)


@pytest.mark.parametrize("dimensions", [2, 3, 81, 82, 300])
def test_log_mean_exponential_agrees_with_the_bessel_function(dimensions):
    z = np.array([0.5, 3.0, 40.0, 500.0])
    order = dimensions / 2 - 1
    with np.errstate(divide="ignore"):
        bessel = np.log(special.ive(order, z)) + z
    expected = special.gammaln(order + 1) + order * np.log(2 / z) + bessel
    finite = np.isfinite(expected)
    assert finite.sum() >= 2
    value = log_mean_exponential(z, dimensions)
    np.testing.assert_allclose(value[finite], expected[finite], atol=2e-8, rtol=1e-12)


def test_uniform_pairs_have_the_closed_form():
    far = np.array([1e-6, 0.01, 0.1, 0.5, 1.0])
    for dimensions in (2, 3, 128, 1000):
        distance = distance_at_far(far, dimensions)
        np.testing.assert_allclose(negative_acceptance(distance, dimensions), far, rtol=1e-8)
    # On the circle the angle is uniform.
    assert distance_at_far(np.array([0.5]), 2)[0] == pytest.approx(np.sqrt(2))
    generator = np.random.default_rng(1)
    x, y = (generator.standard_normal((50_000, 9)) for _ in range(2))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    law = stats.kstest(np.linalg.norm(x - y, axis=1), lambda d: negative_acceptance(d, 9))
    assert law.pvalue > 1e-3


@pytest.mark.parametrize(
    ("dimensions", "concentration"), [(2, 30.0), (3, 2.0), (8, 45.0), (64, 70.0), (256, 400.0)]
)
def test_sensitivity_is_that_of_fresh_pairs(dimensions, concentration):
    pairs = 30_000
    distance = pairs_around_one_centre(concentration, dimensions, pairs, seed=dimensions)
    at = np.quantile(distance, [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98])
    true = pair_acceptance(concentration, at, dimensions)
    observed = (distance[:, None] <= at).mean(axis=0)
    assert (np.abs(observed - true) <= 4 * np.sqrt(true * (1 - true) / pairs) + 1e-6).all()


@pytest.mark.parametrize(("dimensions", "concentration"), [(4, 6.0), (16, 35.0), (128, 100.0)])
def test_sensitivity_is_that_of_the_direct_integral(dimensions, concentration):
    # s = w w' + sqrt(1 - w^2) sqrt(1 - w'^2) c with w, w' along the centre and c uniform across.
    node, weight = np.polynomial.legendre.leggauss(200)
    log_density = concentration * node + (dimensions - 3) / 2 * np.log1p(-(node**2))
    mass = weight * np.exp(log_density - log_density.max())
    mass /= mass.sum()
    side = np.sqrt(1 - node**2)
    at = np.array([0.6, 0.9, 1.1, 1.3])
    expected = []
    for t in 1 - at**2 / 2:
        c = (t - np.outer(node, node)) / np.outer(side, side)
        half = (dimensions - 2) / 2
        accepted = special.betainc(half, half, np.clip((1 - c) / 2, 0, 1))
        expected.append(mass @ accepted @ mass)
    np.testing.assert_allclose(pair_acceptance(concentration, at, dimensions), expected, atol=5e-5)


def test_sensitivity_on_the_circle_is_the_law_of_a_difference_of_angles():
    concentration = 3.0

    def density(angle):
        return special.i0(2 * concentration * np.cos(angle / 2))

    whole = integrate.quad(density, 0, np.pi)[0]
    at = np.array([0.3, 1.0, 1.7])
    expected = [integrate.quad(density, 0, 2 * np.arcsin(d / 2))[0] / whole for d in at]
    np.testing.assert_allclose(pair_acceptance(concentration, at, 2), expected, atol=1e-8)


def test_sensitivity_in_three_dimensions_has_a_closed_form():
    # The density of |x + y| is proportional to sinh(k |x + y|) there.
    at = np.array([0.05, 0.2, 0.7, 1.2])
    for concentration in (1.0, 20.0, 300.0):
        reach = concentration * np.sqrt(4 - at**2)
        top = 2 * concentration
        missed = (np.exp(reach - top) + np.exp(-reach - top) - 2 * np.exp(-top)) / (
            1 + np.exp(-2 * top) - 2 * np.exp(-top)
        )
        np.testing.assert_allclose(pair_acceptance(concentration, at, 3), 1 - missed, atol=1e-8)


def test_extremes_stay_finite():
    at = np.linspace(0, 2, 50)
    for dimensions, concentration in ((2, 1e9), (1000, 1e-3), (1000, 4e8), (65_536, 1e4)):
        curve = pair_acceptance(concentration, at, dimensions)
        assert np.isfinite(curve).all()
        assert (np.diff(curve) >= -1e-12).all()
        assert curve[0] < 1e-3
        assert curve[-1] == 1
    rows = draw(
        np.eye(1000, dtype=np.float32)[:20], np.geomspace(1e-3, 4e8, 20), np.random.default_rng(0)
    )
    assert np.isfinite(rows).all()


# --- the population --------------------------------------------------------------------------


def test_equal_classes_have_no_inconsistency():
    figures = open_world(24, 0.0).figures()
    assert figures.opis == pytest.approx(0, abs=1e-12)
    assert figures.epsilon_opis == pytest.approx(0, abs=1e-12)
    assert 0.9 < figures.mean_utility < 1


def test_a_larger_spread_is_less_consistent():
    opis = [open_world(8, spread).figures().opis for spread in (0.0, 0.1, 0.4)]
    assert opis == sorted(opis)
    assert opis[1] > 1e-5


@pytest.mark.parametrize("dimensions", [2, 24, 300])
def test_the_difficulty_does_not_depend_on_the_dimensions(dimensions):
    population = open_world(dimensions, 0.0)
    low, high = population.range_distance
    base = np.array([population.base_concentration])
    curve = population.sensitivity(base)[0]
    assert np.interp(low, population.thresholds, curve) == pytest.approx(BASE_SENSITIVITY)
    assert low in population.thresholds
    assert high in population.thresholds
    assert concentration_at(BASE_SENSITIVITY, low, dimensions) == pytest.approx(base[0])


def test_population_figures_are_those_of_many_drawn_classes():
    population = open_world(24, 0.4)
    classes = 40_000
    concentrations = population.draw_concentrations(classes, np.random.default_rng(5))
    logs = np.log(concentrations / population.base_concentration) / population.spread
    assert np.abs(logs).max() <= CUT
    assert stats.kstest(logs, stats.truncnorm(-CUT, CUT).cdf).pvalue > 1e-3
    true = population.figures()
    drawn = population.figures_of(concentrations, np.full(classes, 10))
    assert drawn.opis == pytest.approx(true.opis, rel=0.05)
    assert drawn.epsilon_opis == pytest.approx(true.epsilon_opis, rel=0.05)
    assert drawn.mean_utility == pytest.approx(true.mean_utility, rel=0.005)
    np.testing.assert_allclose(drawn.frr, true.frr, atol=0.01)


def test_table_of_curves_is_as_good_as_the_curves():
    for dimensions, spread in ((3, 1.0), (128, 0.5)):
        population = open_world(dimensions, spread)
        some = population.draw_concentrations(30, np.random.default_rng(2))
        direct = [pair_acceptance(k, population.thresholds, dimensions) for k in some]
        assert np.abs(population.sensitivity(some) - direct).max() < 1e-5


def test_drawn_figures_are_the_definition():
    population = open_world(24, 0.4)
    concentrations = population.draw_concentrations(25, np.random.default_rng(5))
    rows = np.arange(2, 27)
    low, high = population.range_distance
    inside = (population.thresholds >= low) & (population.thresholds <= high)
    sensitivity = population.sensitivity(concentrations)
    specificity = 1 - population.far
    utility = (2 * sensitivity * specificity / (sensitivity + specificity))[:, inside]
    worst = np.argsort(utility.mean(axis=1))[:3]
    others = np.setdiff1d(np.arange(25), worst)
    gap = (utility[worst].mean(axis=0) - utility[others].mean(axis=0)) ** 2
    figures = population.figures_of(concentrations, rows)
    grid = population.thresholds[inside]
    variance = utility.var(axis=0)
    assert figures.opis == pytest.approx(
        integrate.trapezoid(variance, grid) / (high - low), rel=1e-4
    )
    assert figures.epsilon_opis == pytest.approx(
        integrate.trapezoid(gap, grid) / (high - low), rel=1e-4
    )
    assert figures.mean_utility == pytest.approx(utility.mean(), rel=1e-3)
    weights = rows * (rows - 1)
    np.testing.assert_allclose(figures.frr, weights @ (1 - sensitivity) / weights.sum())


# --- the files -------------------------------------------------------------------------------


def test_rows_are_what_was_asked_for(small):
    table = pq.read_table(small.path)
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), 16)
    assert table.schema.field("label").type == pa.string()
    assert table["id"].to_pylist() == list(range(2_000))
    vectors, labels = vectors_of(small.path)
    assert vectors.shape == (2_000, 16)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-6
    names, sizes = np.unique(labels, return_counts=True)
    assert len(names) == 60
    assert sizes.min() >= 2
    assert sizes.max() > 2 * sizes.min()
    assert (small.smallest_class, small.largest_class) == (sizes.min(), sizes.max())
    # Shuffled: neighbours are rarely of one class.
    assert (labels[1:] == labels[:-1]).mean() < 0.1


def test_truth_file_reads_back(small):
    truth = read_truth(small.truth_path)
    assert truth.settings == {
        "rows": 2_000,
        "dimensions": 16,
        "classes": 60,
        "spread": 0.5,
        "seed": 7,
    }
    _, labels = vectors_of(small.path)
    names, sizes = np.unique(labels, return_counts=True)
    assert truth.labels == tuple(names)
    assert truth.rows.tolist() == sizes.tolist()
    assert truth.population.opis == small.population.opis
    assert truth.drawn.opis == small.drawn.opis
    assert truth.thresholds.size >= 256
    assert (truth.thresholds[0], truth.thresholds[-1]) == (0, 2)
    assert set(truth.range_distance) <= set(truth.thresholds)
    far_at_ends = np.interp(truth.range_distance, truth.thresholds, truth.far)
    np.testing.assert_allclose(far_at_ends, truth.range_far, rtol=1e-9)
    table = pq.read_table(small.truth_path)
    np.testing.assert_allclose(table["specificity"][0].as_py(), 1 - truth.far)
    np.testing.assert_allclose(
        truth.sensitivity,
        [pair_acceptance(k, truth.thresholds, 16) for k in truth.concentration],
        atol=1e-5,
    )
    assert json.loads(table.schema.metadata[METADATA_KEY])["schema_version"] == 1


def test_pooled_rates_of_a_set_are_near_the_true_ones(tmp_path):
    result = simulate(SimulationConfig(3_000, 32, 400, 0.3, 11), tmp_path / "set.parquet")
    truth = read_truth(result.truth_path)
    vectors, labels = vectors_of(result.path)
    _, codes = np.unique(labels, return_inverse=True)
    upper = np.triu_indices(len(vectors), 1)
    distance = np.sqrt(np.maximum(2 - 2 * (vectors @ vectors.T)[upper], 0))
    same = codes[upper[0]] == codes[upper[1]]
    low, high = truth.range_distance
    for at in (low, (low + high) / 2, high):
        far = np.interp(at, truth.thresholds, truth.far)
        frr = np.interp(at, truth.thresholds, truth.drawn.frr)
        assert (distance[~same] <= at).mean() == pytest.approx(far, rel=0.1)
        assert (distance[same] > at).mean() == pytest.approx(frr, abs=0.02)


def test_the_same_seed_gives_the_same_bytes(small, tmp_path):
    again = simulate(SMALL, tmp_path / "again.parquet")
    assert again.path.read_bytes() == small.path.read_bytes()
    assert again.truth_path.read_bytes() == small.truth_path.read_bytes()
    other = simulate(SimulationConfig(2_000, 16, 60, 0.5, 8), tmp_path / "other.parquet")
    assert other.path.read_bytes() != small.path.read_bytes()


def test_rows_are_streamed(tmp_path):
    seen = []
    config = SimulationConfig(rows=150_000, dimensions=4, classes=300, spread=0.0)
    result = simulate(config, tmp_path / "set.parquet", progress=seen.append)
    assert sum(seen) == config.rows
    assert max(seen) <= 65_536
    footer = pq.ParquetFile(result.path).metadata
    assert [footer.row_group(i).num_rows for i in range(footer.num_row_groups)] == seen
    wide = simulate(SimulationConfig(9_000, 1_000, 10, 0.0), tmp_path / "wide.parquet")
    footer = pq.ParquetFile(wide.path).metadata
    assert max(footer.row_group(i).num_rows for i in range(footer.num_row_groups)) < 4_200


@pytest.mark.parametrize(("dimensions", "spread"), [(2, 0.0), (2, 3.0), (3, 3.0), (1000, 0.5)])
def test_extreme_settings(tmp_path, dimensions, spread):
    config = SimulationConfig(40, dimensions, 20, spread, 1)
    result = simulate(config, tmp_path / "set.parquet")
    vectors, labels = vectors_of(result.path)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-6
    assert np.unique(labels, return_counts=True)[1].tolist() == [2] * 20
    if spread == 0:
        assert result.drawn.opis == pytest.approx(0, abs=1e-12)


# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": 1}, "classes is 1, allowed is 2 or more: set --classes"),
        ({"rows": 99, "classes": 50}, "rows is 99, 50 classes need at least 100"),
        ({"dimensions": 1}, "dimensions is 1, allowed is 2 to 65536"),
        ({"spread": -0.1}, "spread is -0.1, allowed is 0 to 5"),
        ({"spread": float("nan")}, "spread is nan"),
        ({"spread": 6.0}, "spread is 6.0"),
        ({"seed": -1}, "seed is -1, allowed is 0 or more"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(UsageError, match=message):
        SimulationConfig(**settings)


def test_nowhere_to_write(tmp_path):
    with pytest.raises(InputError, match=r"no folder .*absent, make it first"):
        simulate(SMALL, tmp_path / "absent" / "set.parquet")
    (tmp_path / "set.parquet").mkdir()
    with pytest.raises(InputError, match="it is a folder"):
        simulate(SMALL, tmp_path / "set.parquet")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="no folder"):
        simulate(SMALL, tmp_path / "file" / "set.parquet")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(28, "No space left on device"), InputError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
@pytest.mark.parametrize("broken", ["draw", "write_truth"])
def test_a_failure_leaves_older_files_as_they_were(tmp_path, monkeypatch, error, expected, broken):
    out = tmp_path / "set.parquet"
    out.write_bytes(b"older")
    truth_path_of(out).write_bytes(b"older truth")

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(simulate_module, broken, fail)
    with pytest.raises(expected) as caught:
        simulate(SMALL, out)
    if expected is InputError:
        assert str(caught.value).startswith(f"cannot write {out}: No space left on device")
        assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set.parquet", "set.truth.parquet"]
    assert out.read_bytes() == b"older"
    assert truth_path_of(out).read_bytes() == b"older truth"


def test_a_success_replaces_older_files(tmp_path):
    out = tmp_path / "set.parquet"
    out.write_bytes(b"older")
    simulate(SMALL, out)
    assert pq.ParquetFile(out).metadata.num_rows == 2_000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set.parquet", "set.truth.parquet"]


def test_not_a_truth_file(small, tmp_path):
    with pytest.raises(InputError, match="is not a truth file"):
        read_truth(small.path)
    with pytest.raises(InputError, match="cannot read the truth file"):
        read_truth(tmp_path / "absent.truth.parquet")
    garbage = Path(tmp_path / "garbage.truth.parquet")
    garbage.write_bytes(b"not parquet at all")
    with pytest.raises(InputError, match="cannot read the truth file"):
        read_truth(garbage)
