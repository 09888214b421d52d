"""Edges lie where they are promised to lie, by the counts of every pair."""

import math

import numpy as np
import pytest
from brute_force import embedding_set

from opiscal.pairs.edge_targets import AskedRange
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.kernel.records import STEP_BITS
from opiscal.pairs.lattice import fit_lattice, place_edges
from opiscal.pairs.sample import PairSample, sample_pairs
from opiscal.pairs.sorted_rows import sort_rows

ROWS = 9000


def counted(embeddings, seed=0, asked=None):
    """The lattice of a set and the counts of all its pairs."""
    rows = sort_rows(embeddings)
    lattice = fit_lattice(rows, seed, asked)
    tally = count_exactly(rows, lattice, ranks=False)
    return lattice, tally.counts(rows, lattice, embeddings.labels, embeddings.metric)


def far(counts):
    return counts.pool_negative / counts.negative


def frr(counts):
    return 1.0 - counts.pool_positive / counts.positive


def steps(counts):
    """Growth of FAR from each edge with more than 10,000 accepted negatives to the next."""
    accepted = counts.pool_negative
    at = np.flatnonzero(accepted[:-1] > 10_000)
    return accepted[at + 1] / accepted[at] - 1.0


def assert_sound(lattice):
    """What holds for every lattice, whatever the set."""
    assert np.all(np.diff(lattice.edge_key) > 0)
    assert np.all(np.diff(lattice.distance) > 0)
    assert lattice.distance[0] == 0.0
    assert np.all(np.isfinite(lattice.distance))
    assert lattice.distance.size < 2**16
    for inner, outer in (
        (lattice.class_edge, lattice.distance),
        (lattice.moment_edge, lattice.class_edge),
    ):
        assert np.all(np.diff(inner) > 0)
        assert inner[0] >= 0
        assert inner[-1] == outer.size - 1
    # Two counts of four bytes an edge: 16 KB a class.
    assert lattice.class_edge.size <= 2048


def inside(rate, low, high):
    return int(np.count_nonzero((rate >= low) & (rate <= high)))


def edges_within(counts, rate, low, high):
    """Class edges and moment edges at which a rate is in a range."""
    at_class = rate(counts)[counts.class_edge]
    return inside(at_class, low, high), inside(at_class[counts.moment_edge], low, high)


# Random sets of every kind: vectors, classes, metric


def around_centres(rng, dimensions=16, classes=200, spread=1.0):
    ids = rng.integers(0, classes, ROWS)
    centres = rng.normal(size=(classes, dimensions))
    return centres[ids] + spread * rng.normal(size=(ROWS, dimensions)), ids


def first(rows, vectors, ids, metric):
    """The first rows of a set, where all of it would only take longer."""
    return embedding_set(vectors[:rows], ids[:rows], metric)


def plain(rng):
    return *around_centres(rng), "cosine"


def tight(rng):
    return *around_centres(rng, 64, spread=0.1), "cosine"


def wide(rng):
    return *around_centres(rng, 256), "cosine"


def two_classes(rng):
    return *around_centres(rng, 8, 2, 0.3), "cosine"


def ten_tight_classes(rng):
    ids = rng.integers(0, 10, ROWS)
    return np.eye(32)[ids] + 0.02 * rng.normal(size=(ROWS, 32)), ids, "cosine"


def within_a_twentieth(rng):
    # Simplex corners, the classes a little nearer: all distances between 1.38 and 1.43.
    ids = rng.integers(0, 200, ROWS)
    noise = rng.normal(size=(ROWS, 256)) + 0.2 * rng.normal(size=(200, 256))[ids]
    noise /= np.linalg.norm(noise, axis=1)[:, None]
    corner = np.zeros((ROWS, 256))
    corner[:, 0] = 3.0
    return noise + corner, ids, "cosine"


def narrow_cone(rng):
    vectors, ids = around_centres(rng, 64, spread=0.3)
    return rng.normal(size=64) + 0.01 * vectors, ids, "cosine"


def clusters_of_classes(rng):
    # Within a cluster lie 12.5 % of the negatives, and then none for a long way.
    ids = rng.integers(0, 200, ROWS)
    centres = np.eye(64)[np.arange(200) % 8] + 0.03 * rng.normal(size=(200, 64))
    return centres[ids] + 0.01 * rng.normal(size=(ROWS, 64)), ids, "cosine"


def twin_classes(rng):
    # Two large classes at one place, far from all others.
    vectors, ids = around_centres(rng, 64, spread=0.1)
    ids[:180], ids[180:360] = 200, 201
    vectors[:360] = rng.normal(size=64) + 0.1 * rng.normal(size=(360, 64))
    return vectors, ids, "cosine"


def copies(rng):
    vectors, ids = around_centres(rng)
    vectors[ROWS // 2 :] = vectors[: ROWS // 2]
    return vectors, ids, "cosine"


def offset_l2(rng):
    vectors, ids = around_centres(rng)
    return vectors + 1000.0, ids, "l2"


def long_row_l2(rng):
    vectors, ids = around_centres(rng)
    vectors[rng.integers(1500)] *= 1e6
    return vectors, ids, "l2"


def long_rows_l2(rng):
    vectors, ids = around_centres(rng)
    return vectors * np.exp(2.0 * rng.normal(size=(ROWS, 1))), ids, "l2"


SETS = [
    plain,
    tight,
    wide,
    two_classes,
    ten_tight_classes,
    within_a_twentieth,
    narrow_cone,
    clusters_of_classes,
    twin_classes,
    copies,
    offset_l2,
    long_row_l2,
    long_rows_l2,
]


@pytest.fixture(scope="module", params=SETS, ids=lambda make: make.__name__)
def random_sets(request):
    """One kind of set: lattices of some seeds with the counts of every pair."""
    rng = np.random.default_rng([SETS.index(request.param), 1])
    vectors, ids, metric = request.param(rng)
    embeddings = embedding_set(vectors, ids, metric)
    return [counted(embeddings, seed) for seed in range(2)]


def test_far_moves_by_less_than_one_percent(random_sets):
    largest = [float(steps(counts).max()) for _, counts in random_sets]
    assert max(largest) < 0.01, largest


def test_the_default_range_has_256_class_edges_and_32_moment_edges(random_sets):
    found = [edges_within(counts, far, 0.01, 0.1) for _, counts in random_sets]
    assert min(class_edges for class_edges, _ in found) >= 256, found
    assert min(moment_edges for _, moment_edges in found) >= 32, found


@pytest.mark.parametrize("rows", [1500, 2500])
@pytest.mark.parametrize("make", SETS)
def test_small_sets_have_edges_as_dense(make, rows):
    # 1,500 rows are taken whole for a sample, an outlier among them too.
    _, counts = counted(first(rows, *make(np.random.default_rng([rows, 2]))))
    assert steps(counts).max() < 0.01
    class_edges, moment_edges = edges_within(counts, far, 0.01, 0.1)
    assert class_edges >= 256
    assert moment_edges >= 32


@pytest.mark.parametrize("outliers", [0, 1500])
@pytest.mark.parametrize("part", range(5))
def test_far_moves_by_less_than_one_percent_whatever_the_size_of_the_sample(part, outliers):
    # Without sampling noise: what is spaced by shares of the size must leave no rest at either end,
    # nor must the pairs of one row a million times longer draw edges away from the others.
    size = int(1_000_000 * 1.02 ** (part / 5))
    table = np.linspace(-6.0, 6.0, 20_001)
    below = np.array([0.5 * math.erfc(-z / math.sqrt(2)) for z in table])
    normal = np.interp((np.arange(size) + 0.5) / size, below, table)
    near = 1e-12 * np.exp(0.5 * normal)
    negative = np.append(near, np.linspace(0.4, 0.41, outliers)).astype(np.float32)
    sample = PairSample(negative[:1000], negative, negatives_in_set=100 * negative.size)
    rows = sort_rows(embedding_set([[2.0**20], [0.0], [1.0], [0.0]], [0, 0, 1, 1], "l2"))
    grid = fit_lattice(rows, 0).grid
    edges = grid.values(place_edges(sample, grid).edge_key)
    accepted = np.searchsorted(negative, edges, side="right")
    at = np.flatnonzero(accepted[:-1] > 10_000)
    growth = accepted[at + 1] / accepted[at] - 1.0
    assert growth.max() < 0.01, (growth.max(), accepted[at[growth.argmax()]] / size)


def test_edges_ascend_and_are_subsets_and_the_last_accepts_everything(random_sets):
    for lattice, counts in random_sets:
        assert_sound(lattice)
        assert counts.pool_negative[-1] == ROWS * (ROWS - 1) // 2 - counts.positive
        assert counts.pool_positive[-1] == counts.positives_of_class.sum()


def test_class_edges_stand_at_every_power_of_ten(random_sets):
    for _, counts in random_sets:
        rates = far(counts)[counts.class_edge]
        for power, slack in ((-1, 1.1), (-2, 1.15), (-3, 1.3), (-4, 1.6)):
            nearest = rates[
                np.argmin(np.abs(np.log(np.maximum(rates, 1e-300)) - power * np.log(10)))
            ]
            assert 10.0**power / slack < nearest < 10.0**power * slack, (power, nearest)


def test_class_edges_reach_beyond_the_sample():
    for make in (plain, offset_l2):
        _, counts = counted(embedding_set(*make(np.random.default_rng(7))))
        rates = far(counts)[counts.class_edge]
        for power in (-5, -6):
            assert inside(rates, 10.0**power / 4.0, 10.0**power * 4.0) >= 1, (make, power)


def test_class_edges_of_a_set_taken_whole():
    # 1,100 rows are the sample: its rates are those of the set.
    rng = np.random.default_rng(8)
    vectors, ids = around_centres(rng)
    _, counts = counted(embedding_set(vectors[:1100], ids[:1100]))
    rates = far(counts)[counts.class_edge]
    for power in (-1, -2, -3):
        assert inside(rates, 10.0**power * 0.98, 10.0**power * 1.02) >= 1
    between = rates[(rates > 1e-4) & (rates < 0.01)]
    assert between.size > 30
    # Sixteen a decade.
    assert np.max(between[1:] / between[:-1]) < 1.25


@pytest.mark.parametrize("levels", [2, 5, 40])
def test_only_ties_make_larger_steps(levels):
    # Pairs at one distance are an atom: no edge splits it, but edges can part it from the rest.
    rng = np.random.default_rng(levels)
    vectors = rng.integers(0, levels, (2500, 6))
    embeddings = embedding_set(vectors, rng.integers(0, 50, 2500), "l2")
    lattice, counts = counted(embeddings)
    squares = (vectors**2).sum(axis=1)
    distances = np.sqrt(squares[:, None] + squares[None, :] - 2 * (vectors @ vectors.T))
    other_class = embeddings.class_of_row[:, None] != embeddings.class_of_row[None, :]
    values, pairs = np.unique(distances[other_class], return_counts=True)
    edge_of_value = np.searchsorted(lattice.distance, values)
    largest = np.zeros(lattice.distance.size, np.int64)
    np.maximum.at(largest, edge_of_value, pairs // 2)
    accepted = counts.pool_negative
    at = np.flatnonzero(accepted[:-1] > 10_000)
    beside_the_atom = accepted[at + 1] - accepted[at] - largest[at + 1]
    assert np.all(beside_the_atom < 0.01 * accepted[at])


# Seeds


def test_a_seed_gives_one_lattice_and_another_seed_another():
    rows = sort_rows(embedding_set(*plain(np.random.default_rng(9))))
    one, again, other = (fit_lattice(rows, seed) for seed in (3, 3, 4))
    for name in ("edge_key", "distance", "class_edge", "moment_edge"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name), err_msg=name)
    assert one.grid == again.grid
    assert not np.array_equal(one.distance, other.distance)


def test_the_lattice_does_not_depend_on_the_scale_of_l2():
    vectors, ids, _ = plain(np.random.default_rng(10))
    one = fit_lattice(sort_rows(embedding_set(vectors, ids, "l2")), 0)
    two = fit_lattice(sort_rows(embedding_set(vectors * 2.0**20, ids, "l2")), 0)
    np.testing.assert_array_equal(one.distance * 2.0**20, two.distance)
    np.testing.assert_array_equal(one.class_edge, two.class_edge)


def test_place_edges_is_what_fit_lattice_does():
    rows = sort_rows(embedding_set(*offset_l2(np.random.default_rng(11))))
    fitted = fit_lattice(rows, 5)
    placed = place_edges(sample_pairs(rows, 5), fitted.grid, None, rows.scale)
    np.testing.assert_array_equal(fitted.distance, placed.distance)
    np.testing.assert_array_equal(fitted.class_edge, placed.class_edge)
    np.testing.assert_array_equal(fitted.moment_edge, placed.moment_edge)


def test_tables_name_the_first_edge_that_accepts():
    lattice = fit_lattice(sort_rows(embedding_set(*plain(np.random.default_rng(12)))), 0)
    keys = np.random.default_rng(13).integers(0, lattice.grid.top + 1, 5000)
    keys = np.concatenate([keys, lattice.edge_key, [0, lattice.grid.top]])
    edge = lattice.edge_of_key()[keys].astype(np.int64)
    np.testing.assert_array_equal(edge, np.searchsorted(lattice.edge_key, keys))
    place = lattice.class_edge_of_key()[keys].astype(np.int64)
    class_key = lattice.edge_key[lattice.class_edge]
    np.testing.assert_array_equal(place, np.searchsorted(class_key, keys))
    edges = np.arange(lattice.class_edge.size)
    moment = lattice.moment_of_class_edge()[edges].astype(np.int64)
    np.testing.assert_array_equal(moment, np.searchsorted(lattice.moment_edge, edges))


def place_by_steps(rule, keys):
    """What the counting loops work out for keys from the first step on."""
    near = rule.near_place + ((keys - rule.near_from) * int(rule.near_slope) >> STEP_BITS)
    beyond = np.minimum(keys - rule.far_from, rule.far_span)
    farther = rule.far_place + (beyond * int(rule.far_slope) >> STEP_BITS)
    return np.where(keys < rule.far_from, near, farther)


def test_even_steps_name_the_first_class_edge_that_accepts(random_sets):
    for lattice, _ in random_sets:
        rule = lattice.step_rule()
        if rule is None:
            continue
        keys = np.arange(int(rule.near_from), lattice.grid.top + 1)
        np.testing.assert_array_equal(
            place_by_steps(rule, keys), lattice.class_edge_of_key()[keys].astype(np.int64)
        )
        # Nothing that the loops multiply leaves 32 bits.
        near_span = int(rule.far_from) - int(rule.near_from)
        for span, slope in ((near_span, rule.near_slope), (rule.far_span, rule.far_slope)):
            assert 0 < int(span) * int(slope) < 2**31


@pytest.mark.parametrize("make", [plain, tight, wide, ten_tight_classes, twin_classes])
def test_smooth_sets_have_even_steps(make):
    assert fit_lattice(sort_rows(embedding_set(*make(np.random.default_rng(16)))), 0).steps


def test_sets_of_tied_pairs_have_none():
    rng = np.random.default_rng(17)
    rows = sort_rows(embedding_set(rng.integers(0, 5, (2500, 6)), rng.integers(0, 50, 2500), "l2"))
    assert fit_lattice(rows, 0).steps is None


def test_beyond_the_near_pairs_pool_edges_are_class_edges(random_sets):
    for lattice, counts in random_sets:
        near = lattice.class_edge[lattice.near]
        farther = np.arange(near, lattice.distance.size)
        np.testing.assert_array_equal(lattice.class_edge[lattice.near :], farther)
        assert lattice.near in lattice.moment_edge
        assert np.all(lattice.moment_edge[:-1] <= lattice.near)
        assert lattice.near_key == lattice.edge_key[near]
        # The default range lies among the near pairs.
        assert far(counts)[near] >= 0.1


def test_near_class_edges_are_kept_and_enough_of_the_far_ones(random_sets):
    for lattice, counts in random_sets:
        kept = lattice.kept()
        assert np.all(np.diff(kept) > 0)
        np.testing.assert_array_equal(kept[: lattice.near + 1], np.arange(lattice.near + 1))
        assert kept[-1] == lattice.class_edge.size - 1
        np.testing.assert_array_equal(counts.class_edge, lattice.class_edge[kept])
        np.testing.assert_array_equal(
            counts.class_edge[counts.moment_edge], lattice.class_edge[lattice.moment_edge]
        )
        if lattice.steps is not None:
            rates = far(counts)[counts.class_edge]
            assert np.diff(rates[rates >= 0.1]).max() < 0.02
            assert kept.size - lattice.near <= 202


# Asked ranges


@pytest.mark.parametrize("make", [plain, wide, long_row_l2, offset_l2])
@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("far", 0.001, 0.01),
        ("far", 0.0001, 0.9),
        ("far", 0.02, 0.03),
        ("far", 0.3, 0.5),
        ("frr", 0.01, 0.1),
        ("frr", 0.3, 0.9),
    ],
)
def test_an_asked_range_of_rates_has_256_class_edges(make, kind, low, high):
    embeddings = first(3000, *make(np.random.default_rng(14)))
    lattice, counts = counted(embeddings, 1, AskedRange(kind, low, high))
    assert_sound(lattice)
    found = edges_within(counts, far if kind == "far" else frr, low, high)
    assert found[0] >= 256
    assert found[1] >= 32
    found = edges_within(counts, far, 0.01, 0.1)
    assert found[0] >= 256
    assert found[1] >= 32


@pytest.mark.parametrize("make", [plain, offset_l2, long_row_l2])
@pytest.mark.parametrize(("low", "high"), [(0.2, 1.9), (0.9, 1.0), (0.5, 0.51), (0.0, 2.0)])
def test_an_asked_range_of_distances_has_256_class_edges(make, low, high):
    embeddings = first(3000, *make(np.random.default_rng(15)))
    unit = 1.0 if embeddings.metric == "cosine" else 5.0
    asked = AskedRange("distance", low * unit, high * unit)
    lattice, counts = counted(embeddings, 1, asked)
    assert_sound(lattice)
    at = lattice.distance[lattice.class_edge]
    assert inside(at, asked.low, asked.high) >= 256
    assert inside(at[lattice.moment_edge], asked.low, asked.high) >= 32
    # The ends are edges, as near as the grid of keys has them.
    for end in (asked.low, asked.high):
        assert np.min(np.abs(at - end)) <= 1e-4 * unit
    assert edges_within(counts, far, 0.01, 0.1)[0] >= 256


# Sets of next to nothing


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("classes", [[0, 0, 1], [0, 0, -1], [0, 0], [0, 1, 0]], ids=str)
@pytest.mark.parametrize(
    "vectors",
    [[[1, 0], [0.6, 0.8], [0, 1]], [[1, 2], [1, 2], [1, 2]], [[1, 0], [1, 0], [-1, 0]]],
    ids=["different", "identical", "opposite"],
)
@pytest.mark.parametrize(
    "asked",
    [
        None,
        AskedRange("far", 0.1, 0.5),
        AskedRange("frr", 0.0, 1.0),
        AskedRange("distance", 0.0, 0.0),
        AskedRange("distance", 0.3, 1.0),
        AskedRange("distance", 3.0, 9.0),
    ],
    ids=str,
)
def test_three_rows(vectors, classes, metric, asked):
    embeddings = embedding_set(vectors[: len(classes)], classes, metric)
    lattice, counts = counted(embeddings, 0, asked)
    assert_sound(lattice)
    assert counts.positive == 1
    assert counts.negative == len(classes) - 1 if len(classes) == 3 else counts.negative == 0


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_all_rows_identical(metric):
    embeddings = embedding_set(np.full((2000, 5), 3.0), np.arange(2000) % 30, metric)
    for asked in (None, AskedRange("far", 0.01, 0.02), AskedRange("distance", 0.1, 0.2)):
        lattice, counts = counted(embeddings, 0, asked)
        assert_sound(lattice)
        assert far(counts)[0] == 1.0
        assert frr(counts)[0] == 0.0


def test_no_negatives_under_l2():
    embeddings = embedding_set(np.arange(50)[:, None], np.zeros(50, int), "l2")
    lattice, counts = counted(embeddings)
    assert_sound(lattice)
    assert counts.negative == 0
    assert counts.positive == 1225
