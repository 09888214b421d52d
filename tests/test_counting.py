"""Counts of pairs: the oracle's integers on exact data, and within a known band on any other."""

import numpy as np
import pytest
from brute_force import COUNTED, BruteForce, class_pairs_of, embedding_set
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import (
    accepted,
    nearest_positive_ranks,
    pair_table,
    recall_at,
    squares_and_products,
)

from opiscal.data.embedding_set import RowPolicy
from opiscal.data.rows import from_arrays
from opiscal.pairs.blocks import plan_blocks
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.kernel.ranks import RECALL_CAP
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.sorted_rows import sort_rows

# Pairs so near to an edge in similarity may fall on either side of it.
BAND = 2e-6


def count(embeddings, seed=0, **options):
    """Rows, lattice, counts and ranks of a set."""
    rows = sort_rows(embeddings)
    lattice = fit_lattice(rows, seed)
    tally = count_exactly(rows, lattice, **options)
    ranks = tally.ranks(rows, RECALL_CAP)
    return rows, lattice, tally.counts(rows, lattice, embeddings.labels, embeddings.metric), ranks


def capped(ranks):
    return np.minimum(ranks, RECALL_CAP).tolist()


def assert_counts_equal(counts, truth):
    for name in COUNTED:
        np.testing.assert_array_equal(getattr(counts, name), getattr(truth, name), err_msg=name)
    sizes = counts.class_rows
    largest = 1024 if sizes.size <= 700 else 512
    assert (counts.class_pairs is not None) == bool(
        sizes.size and sizes.max() <= largest and sizes.mean() >= 4
    )
    if counts.class_pairs is not None:
        np.testing.assert_array_equal(class_pairs_of(counts), class_pairs_of(truth))


def assert_exact(vectors, classes, metric, seed=0, **options):
    """Counts and ranks equal those of the brute force, every integer."""
    truth = BruteForce.of(vectors, classes, metric)
    _, lattice, counts, ranks = count(embedding_set(vectors, classes, metric), seed, **options)
    assert_counts_equal(counts, truth.counts(lattice))
    assert capped(ranks.rank) == capped(truth.ranks())
    return counts


def assert_within_band(vectors, classes, metric, seed=0):
    """At every edge only the pairs within the band of it are on the other side, if any."""
    truth = BruteForce.of(vectors, classes, metric)
    _, lattice, counts, ranks = count(embedding_set(vectors, classes, metric), seed)
    fewest, most = truth.counts(lattice, BAND), truth.counts(lattice, -BAND)
    for name in COUNTED:
        here = getattr(counts, name)
        low, high = getattr(fewest, name), getattr(most, name)
        outside = np.argwhere((here < low) | (here > high))
        assert outside.size == 0, (
            f"{name} at {outside[0]}: {here[tuple(outside[0])]} is not in "
            f"{low[tuple(outside[0])]} .. {high[tuple(outside[0])]}; {len(outside)} such edges"
        )
    if (sums := class_pairs_of(counts)) is not None:
        assert np.all(sums >= fewest.class_pairs)
        assert np.all(sums <= most.class_pairs)
    assert np.all(np.minimum(ranks.rank, RECALL_CAP) >= np.minimum(truth.ranks(BAND), RECALL_CAP))
    assert np.all(np.minimum(ranks.rank, RECALL_CAP) <= np.minimum(truth.ranks(-BAND), RECALL_CAP))
    return counts


# Small sets against the plain loops


def assert_like_the_loops(vectors, classes, metric, seed=0):
    table = pair_table(vectors, classes, metric)
    _, lattice, counts, ranks = count(embedding_set(vectors, classes, metric), seed)

    assert list(counts.labels) == table.scored
    assert counts.class_rows.tolist() == [len(table.rows_of[c]) for c in table.scored]
    edges = counts.distance.tolist()
    assert counts.pool_positive.tolist() == [accepted(table.pool_positive, d) for d in edges]
    assert counts.pool_negative.tolist() == [accepted(table.pool_negative, d) for d in edges]
    edges = counts.class_distance.tolist()
    for slot, c in enumerate(table.scored):
        positive, negative = counts.class_positive[slot], counts.class_negative[slot]
        assert positive.tolist() == [accepted(table.positive[c], d) for d in edges]
        assert negative.tolist() == [accepted(table.negative[c], d) for d in edges]
        moments = np.stack(
            [counts.positive_squares[slot], counts.negative_squares[slot], counts.products[slot]]
        )
        wanted = [squares_and_products(table, c, d) for d in counts.moment_distance.tolist()]
        assert [tuple(column) for column in moments.T.tolist()] == wanted
    wanted_ranks = nearest_positive_ranks(vectors, classes, metric)
    assert capped(ranks.rank) == capped(list(wanted_ranks.values()))

    # The brute force of the larger sets is right where the loops are.
    truth = BruteForce.of(vectors, classes, metric)
    assert_counts_equal(counts, truth.counts(lattice))
    assert truth.ranks().tolist() == list(wanted_ranks.values())
    for k in (1, 2, 4, 8) if wanted_ranks else ():
        assert np.mean(truth.ranks() < k) == recall_at(vectors, classes, k, metric)


@st.composite
def small_sets(draw, entries, dimensions):
    """Vectors with the given entries, and classes among which -1 marks distractors."""
    width = draw(dimensions)
    rows = draw(st.integers(2, 24))
    vector = st.lists(entries, min_size=width, max_size=width)
    vectors = draw(st.lists(vector, min_size=rows, max_size=rows))
    others = st.lists(
        st.integers(-1, draw(st.integers(0, 5))), min_size=rows - 2, max_size=rows - 2
    )
    # One class has two rows: sets without are refused by the readers.
    return vectors, draw(st.permutations([0, 0, *draw(others)]))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(small_sets(st.integers(-3, 3), st.integers(1, 5)), st.integers(0, 3))
def test_small_integers_under_l2(data, seed):
    assert_like_the_loops(*data, "l2", seed)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(small_sets(st.sampled_from([-1, 1]), st.sampled_from([1, 4, 16])), st.integers(0, 3))
def test_signs_in_a_power_of_four_coordinates_under_cosine(data, seed):
    assert_like_the_loops(*data, "cosine", seed)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, 15), st.sampled_from([-1, 1]), st.integers(-1, 4)),
        min_size=2,
        max_size=24,
    )
)
def test_one_hot_under_cosine(places):
    places[-1] = (*places[-1][:2], max(0, places[0][2]))
    places[0] = (*places[0][:2], max(0, places[0][2]))
    vectors = [[sign * float(k == place) for k in range(16)] for place, sign, _ in places]
    assert_like_the_loops(vectors, [c for _, _, c in places], "cosine")


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize(
    "classes",
    [
        [0, 0],
        [0, 0, 1],
        [0, 0, -1],
        [-1, -1, 0, 0],
        [0] * 7,
        [0, 0, 1, 2, 2, -1, -1, 0, 3],
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["identical", "different"])
def test_the_smallest_sets(classes, metric, kind):
    vectors = [[1, 1, 1, 1] for _ in classes]
    if kind == "different":
        vectors = [[1 if row & bit else -1 for bit in (1, 2, 4, 8)] for row in range(len(classes))]
    assert_like_the_loops(vectors, classes, metric)


@pytest.mark.parametrize("classes", [[0], [-1], [0, 1], [0, 1, 2, 3, -1], [-1, -1, -1]], ids=str)
def test_sets_without_a_scored_class(classes):
    assert_like_the_loops([[row] for row in range(len(classes))], classes, "l2")


def test_rows_at_the_origin_under_l2():
    assert_like_the_loops([[0, 0], [0, 0], [3, 4], [0, 0], [3, 4]], [0, 1, 0, 1, 1], "l2")


def test_recall_goes_to_the_row_read_first():
    # Rows 1 and 2 are as near to row 0; row 3 is at row 2's place.
    vectors = [[0], [1], [-1], [-1]]
    _, _, _, ranks = count(embedding_set(vectors, [0, 1, 0, 1], "l2"))
    assert ranks.rank.tolist() == [1, 2, 1, 2]
    _, _, _, ranks = count(embedding_set([vectors[k] for k in (0, 2, 1, 3)], [0, 0, 1, 1], "l2"))
    assert ranks.rank.tolist() == [0, 1, 2, 2]


# Larger sets: tiles, panels, blocks and their borders


def mixed_classes(rng, rows, classes, distractors=0, singletons=0):
    """Classes of very different sizes in random order, singletons and distractors among them."""
    share = rng.dirichlet(np.full(classes, 0.5))
    ids = rng.choice(classes, rows, p=share)
    ids[:distractors] = -1
    ids[distractors : distractors + singletons] = classes + np.arange(singletons)
    return rng.permutation(ids)


def small_integers(rng, rows):
    return rng.integers(-3, 4, (rows, 3)), "l2"


def wide_integers(rng, rows):
    return rng.integers(-100, 101, (rows, 9)) + 1000, "l2"


def signs(rng, rows):
    return rng.choice([-1, 1], (rows, 64)), "cosine"


def signed_one_hot(rng, rows):
    return np.eye(16)[rng.integers(0, 16, rows)] * rng.choice([-1, 1], (rows, 1)), "cosine"


@pytest.mark.parametrize("make", [small_integers, wide_integers, signs, signed_one_hot])
@pytest.mark.parametrize(
    ("rows", "classes", "distractors", "singletons"),
    [
        (255, 3, 0, 0),
        (257, 100, 20, 10),
        (513, 2, 5, 1),
        (1025, 5, 0, 0),
        (1100, 300, 90, 40),
        (1537, 40, 500, 3),
    ],
)
def test_exact_data_over_the_borders_of_tiles(make, rows, classes, distractors, singletons):
    rng = np.random.default_rng([rows, classes])
    vectors, metric = make(rng, rows)
    ids = mixed_classes(rng, rows, classes, distractors, singletons)
    assert_exact(vectors, ids, metric, seed=rows)


@pytest.mark.parametrize("make", [small_integers, signs])
def test_exact_data_over_the_borders_of_blocks(make):
    rng = np.random.default_rng(1)
    vectors, metric = make(rng, 2300)
    assert_exact(vectors, mixed_classes(rng, 2300, 25, 150, 30), metric)


@pytest.mark.parametrize("make", [small_integers, signs])
def test_a_class_larger_than_a_block(make):
    rng = np.random.default_rng(2)
    ids = rng.permutation(np.repeat([0, 1, 2, 3, 4, -1], [12, 2500, 1, 30, 2, 55]))
    vectors, metric = make(rng, len(ids))
    positive, _ = plan_blocks(sort_rows(embedding_set(vectors, ids, metric)))
    assert len(positive) > 3
    assert_exact(vectors, ids, metric)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_all_rows_identical(metric):
    rng = np.random.default_rng(3)
    ids = mixed_classes(rng, 1300, 20, 40, 5)
    counts = assert_exact(np.full((1300, 16), 1.0), ids, metric)
    assert counts.distance[0] == 0.0
    assert counts.pool_negative[0] == counts.negative
    assert counts.pool_positive[0] == counts.positive


def test_one_dimension():
    rng = np.random.default_rng(4)
    ids = mixed_classes(rng, 1100, 30)
    assert_exact(rng.choice([-2, 5], (1100, 1)), ids, "cosine")
    assert_exact(rng.integers(-50, 51, (1100, 1)), ids, "l2")


def multiplicity_counts(points, point_of_row, classes, lattice):
    """Counts by name where rows stand on few points: by counting the rows at each point."""
    class_of_row, classes = np.unique(classes, return_inverse=True)
    at = np.zeros((len(class_of_row), len(points)), np.int64)
    np.add.at(at, (classes, point_of_row), 1)
    everyone = at.sum(axis=0)
    difference = points[:, None, :] - points[None, :, :]
    near = np.sqrt((difference**2).sum(axis=2))[None] <= lattice.distance[:, None, None]
    scored = (at.sum(axis=1) >= 2) & (class_of_row >= 0)
    own = at[scored]
    # Rows accepted by a row of each class at each point, per edge.
    positive = np.einsum("epq,cq->ecp", near, own) - 1
    negative = np.einsum("epq,cq->ecp", near, everyone - own)
    pool_all = np.einsum("epq,p,q->e", near, everyone, everyone)
    in_classes = np.einsum("epq,cp,cq->e", near, at, at)
    class_edge = lattice.class_edge[lattice.kept()]
    moment_edge = lattice.class_edge[lattice.moment_edge]
    return {
        "pool_positive": np.einsum("ecp,cp->e", positive, own) // 2,
        "pool_negative": (pool_all - in_classes) // 2,
        "class_positive": np.einsum("ecp,cp->ce", positive, own)[:, class_edge] // 2,
        "class_negative": np.einsum("ecp,cp->ce", negative, own)[:, class_edge],
        "positive_squares": np.einsum("ecp,cp->ce", positive**2, own)[:, moment_edge],
        "negative_squares": np.einsum("ecp,cp->ce", negative**2, own)[:, moment_edge],
        "products": np.einsum("ecp,cp->ce", positive * negative, own)[:, moment_edge],
    }


@pytest.mark.parametrize(
    ("rows", "classes", "metric"), [(9_001, 40, "l2"), (10_002, 10_001, "l2"), (17_000, 7, "l2")]
)
def test_many_rows_on_few_points(rows, classes, metric):
    rng = np.random.default_rng(rows)
    points = np.array([[0, 0], [1, 0], [0, 2], [-1, -1], [3, 1]], dtype=np.float64)
    point_of_row = rng.choice(len(points), rows, p=[0.6, 0.1, 0.1, 0.1, 0.1])
    if classes > rows // 2:
        # Ten thousand classes of one row, and one of two.
        ids = rng.permutation(np.minimum(np.arange(rows), classes - 1))
    else:
        ids = mixed_classes(rng, rows, classes, rows // 10, 20)
    embeddings = embedding_set(points[point_of_row], ids, metric)
    _, lattice, counts, _ = count(embeddings, ranks=False)
    for name, wanted in multiplicity_counts(points, point_of_row, ids, lattice).items():
        np.testing.assert_array_equal(getattr(counts, name), wanted, err_msg=name)


# Random data: the band


def clustered(rng, rows, dimensions, ids, spread=1.0):
    centres = rng.normal(size=(ids.max() + 2, dimensions))
    return centres[ids] + spread * rng.normal(size=(rows, dimensions))


@pytest.mark.parametrize(
    ("rows", "dimensions", "metric"),
    [
        (1100, 3, "cosine"),
        (1100, 64, "cosine"),
        (1100, 384, "cosine"),
        (600, 2048, "cosine"),
        (1100, 2, "l2"),
        (1100, 100, "l2"),
    ],
)
def test_random_rows(rows, dimensions, metric):
    rng = np.random.default_rng([rows, dimensions])
    ids = mixed_classes(rng, rows, 40, 60, 20)
    vectors = clustered(rng, rows, dimensions, ids).astype(np.float32)
    assert_within_band(vectors, ids, metric)


@pytest.mark.parametrize("classes", [12, 40, 700])
def test_even_steps_count_large_classes_and_small_ones(classes):
    # Of large classes pairs are counted by class pair, of small ones row by row.
    rng = np.random.default_rng(classes)
    ids = rng.permutation(np.arange(2200) % classes)
    vectors = clustered(rng, 2200, 64, ids, 2.0).astype(np.float32)
    assert fit_lattice(sort_rows(embedding_set(vectors, ids)), 0).steps is not None
    assert_within_band(vectors, ids, "cosine")


def test_all_distances_within_a_twentieth_of_one_another():
    rng = np.random.default_rng(5)
    ids = mixed_classes(rng, 700, 30)
    vectors = np.eye(700) + 0.0004 * clustered(rng, 700, 700, ids)
    counts = assert_within_band(vectors, ids, "cosine")
    some = np.flatnonzero(counts.pool_positive + counts.pool_negative)
    everything = counts.positive + counts.negative
    all_ = np.flatnonzero(counts.pool_positive + counts.pool_negative == everything)
    assert counts.distance[all_[0]] - counts.distance[some[0]] < 0.05


def test_all_rows_in_a_narrow_cone():
    rng = np.random.default_rng(6)
    ids = mixed_classes(rng, 1100, 30)
    vectors = rng.normal(size=32) + 0.01 * clustered(rng, 1100, 32, ids)
    counts = assert_within_band(vectors, ids, "cosine")
    reached = np.flatnonzero(counts.pool_negative == counts.negative)
    assert counts.distance[reached[0]] < 0.1


@pytest.mark.parametrize("kind", ["counts", "tenths"])
@pytest.mark.parametrize("dimensions", [128, 384, 1000])
def test_rows_of_few_values(dimensions, kind):
    # One addend over and over rounds the same way each time: float32 sums drift.
    rng = np.random.default_rng([7, dimensions])
    ids = mixed_classes(rng, 600, 20)
    low, high = (1.0, 2.0) if kind == "counts" else (0.9, 1.1)
    vectors = np.where(rng.random((600, dimensions)) < 0.3, high, low)
    vectors[300:330] = vectors[:30]
    assert_within_band(vectors, ids, "cosine")


@pytest.mark.parametrize("offset", [1e3, 1e5])
def test_a_large_common_offset(offset):
    rng = np.random.default_rng(8)
    ids = mixed_classes(rng, 1100, 30, 20, 5)
    vectors = (clustered(rng, 1100, 24, ids) + offset).astype(np.float32)
    assert_within_band(vectors, ids, "l2")


@pytest.mark.parametrize("factor", [1e6, 1e-6])
def test_one_row_far_longer_or_shorter_than_the_rest(factor):
    rng = np.random.default_rng(9)
    ids = mixed_classes(rng, 1100, 30, 20, 5)
    vectors = clustered(rng, 1100, 24, ids)
    vectors[17] *= factor
    counts = assert_within_band(vectors.astype(np.float32), ids, "l2")
    assert np.count_nonzero(np.diff(counts.pool_negative)) > 1000


@pytest.mark.parametrize("scale", [1e-30, 1e-15, 1e15, 1e30])
def test_any_scale_under_l2(scale):
    rng = np.random.default_rng(10)
    ids = mixed_classes(rng, 600, 30)
    vectors = (clustered(rng, 600, 24, ids) * scale).astype(np.float32)
    assert_within_band(vectors, ids, "l2")


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("dimensions", [3, 100, 128, 384, 768, 1000, 4096])
def test_identical_rows_have_distance_zero(dimensions, metric):
    rng = np.random.default_rng([11, dimensions])
    once = rng.normal(size=(300, dimensions))
    # Of every pair of twins one is read long after the other, in another tile.
    vectors = np.concatenate([once, once[rng.permutation(300)]]).astype(np.float32)
    ids = mixed_classes(rng, 600, 12)
    _, _, counts, _ = count(embedding_set(vectors, ids, metric))
    twins = BruteForce.of(vectors, ids, metric).half_squared < 1e-9
    same = ids[:, None] == ids[None, :]
    assert counts.distance[0] == 0.0
    assert counts.pool_negative[0] == np.count_nonzero(twins & ~same) // 2
    assert counts.pool_positive[0] == (np.count_nonzero(twins & same) - 600) // 2


@pytest.mark.parametrize("dimensions", [64, 384, 1000])
def test_cosines_above_one_do_no_harm(dimensions):
    # Rows so near to one another that float32 gives cosines on both sides of 1.
    rng = np.random.default_rng([12, dimensions])
    ids = mixed_classes(rng, 600, 12)
    vectors = rng.normal(size=dimensions) + 1e-5 * rng.normal(size=(600, dimensions))
    unit = embedding_set(vectors, ids).vectors
    assert (unit @ unit.T).max() > 1.0
    counts = assert_within_band(vectors, ids, "cosine")
    assert counts.pool_negative[-1] == counts.negative > 0
    assert np.all(np.diff(counts.pool_negative) >= 0)


# Laws


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_counts_do_not_depend_on_threads(metric):
    rng = np.random.default_rng(13)
    ids = mixed_classes(rng, 3300, 60, 150, 20)
    ids[:1400] = 0
    embeddings = embedding_set(clustered(rng, 3300, 31, ids), ids, metric)
    _, _, one, one_ranks = count(embeddings, threads=1)
    for threads in (2, 3, 5, None):
        _, _, many, many_ranks = count(embeddings, threads=threads)
        for name in COUNTED:
            first, other = getattr(one, name), getattr(many, name)
            assert first.dtype == other.dtype
            assert first.tobytes() == other.tobytes(), name
        np.testing.assert_array_equal(class_pairs_of(one), class_pairs_of(many))
        assert capped(one_ranks.rank) == capped(many_ranks.rank)


def test_counts_do_not_depend_on_ranks():
    rng = np.random.default_rng(14)
    ids = mixed_classes(rng, 1500, 30, 50, 10)
    embeddings = embedding_set(clustered(rng, 1500, 8, ids), ids)
    _, _, with_ranks, _ = count(embeddings, ranks=True)
    _, _, without, _ = count(embeddings, ranks=False)
    assert_counts_equal(with_ranks, without)


def test_renaming_classes_changes_nothing_but_their_order():
    rng = np.random.default_rng(15)
    ids = mixed_classes(rng, 1500, 30, 0, 10)
    vectors, metric = small_integers(rng, 1500)
    names = rng.permutation(ids.max() + 1)
    policy = RowPolicy(metric=metric)
    before = from_arrays(vectors, ids, policy=policy)
    after = from_arrays(vectors, [f"class {names[c]:03d}" for c in ids], policy=policy)
    rows = sort_rows(before)
    lattice = fit_lattice(rows, 0)
    tally = count_exactly(rows, lattice)
    ranks = capped(tally.ranks(rows, RECALL_CAP).rank)
    one = tally.counts(rows, lattice, before.labels, metric)

    rows = sort_rows(after)
    tally = count_exactly(rows, lattice)
    assert capped(tally.ranks(rows, RECALL_CAP).rank) == ranks
    two = tally.counts(rows, lattice, after.labels, metric)
    order = [two.labels.index(f"class {names[c]:03d}") for c in one.labels]
    for name in COUNTED:
        there = getattr(two, name)
        there = there if name.startswith("pool") else there[order]
        np.testing.assert_array_equal(getattr(one, name), there, err_msg=name)
    np.testing.assert_array_equal(class_pairs_of(one), class_pairs_of(two))


def test_the_order_of_rows_changes_nothing_on_exact_data():
    rng = np.random.default_rng(16)
    ids = mixed_classes(rng, 1500, 30, 70, 10)
    vectors, metric = small_integers(rng, 1500)
    rows = sort_rows(embedding_set(vectors, ids, metric))
    lattice = fit_lattice(rows, 0)
    labels = tuple(range(ids.max() + 1))
    one = count_exactly(rows, lattice).counts(rows, lattice, labels, metric)
    order = rng.permutation(1500)
    rows = sort_rows(embedding_set(vectors[order], ids[order], metric))
    # Another first row moves the scale and the centre, and so what the keys of a lattice stand for;
    # edges are compared by the distances both have.
    there = fit_lattice(rows, 0)
    two = count_exactly(rows, there).counts(rows, there, labels, metric)
    _, at_one, at_two = np.intersect1d(one.distance, two.distance, return_indices=True)
    assert at_one.size > 100
    np.testing.assert_array_equal(one.pool_positive[at_one], two.pool_positive[at_two])
    np.testing.assert_array_equal(one.pool_negative[at_one], two.pool_negative[at_two])
    _, at_one, at_two = np.intersect1d(one.class_distance, two.class_distance, return_indices=True)
    assert at_one.size > 10
    np.testing.assert_array_equal(one.class_positive[:, at_one], two.class_positive[:, at_two])
    np.testing.assert_array_equal(one.class_negative[:, at_one], two.class_negative[:, at_two])


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_every_pair_is_counted_once(metric):
    rng = np.random.default_rng(17)
    ids = mixed_classes(rng, 1700, 50, 100, 30)
    embeddings = embedding_set(clustered(rng, 1700, 5, ids), ids, metric)
    counts = count(embeddings)[2]
    sizes = np.bincount(ids[ids >= 0])
    labelled, distractors = int(sizes.sum()), int(np.count_nonzero(ids < 0))
    positive = int((sizes * (sizes - 1) // 2).sum())
    assert counts.positive == positive
    assert counts.negative == labelled * (labelled - 1) // 2 - positive + labelled * distractors
    assert counts.rows == 1700
    assert counts.distractors == distractors
    assert counts.labels == tuple(np.flatnonzero(sizes >= 2).tolist())
    np.testing.assert_array_equal(counts.class_positive[:, -1], counts.positives_of_class)
    np.testing.assert_array_equal(counts.class_negative[:, -1], counts.negatives_of_class)
    for name in COUNTED:
        assert np.all(np.diff(getattr(counts, name), axis=-1) >= 0), name
    # A pool edge that is a class edge: the positives of the classes are those of the pool.
    np.testing.assert_array_equal(
        counts.class_positive.sum(axis=0), counts.pool_positive[counts.class_edge]
    )


def test_a_negative_pair_stands_in_two_classes_and_once_in_the_pool():
    rng = np.random.default_rng(18)
    ids = rng.permutation(np.repeat(np.arange(40), 30))
    counts = count(embedding_set(clustered(rng, 1200, 5, ids), ids))[2]
    np.testing.assert_array_equal(
        counts.class_negative.sum(axis=0), 2 * counts.pool_negative[counts.class_edge]
    )


def test_progress_adds_up_to_the_plan():
    rng = np.random.default_rng(19)
    ids = mixed_classes(rng, 2500, 20)
    rows = sort_rows(embedding_set(rng.normal(size=(2500, 4)), ids))
    steps = []
    count_exactly(rows, fit_lattice(rows, 0), threads=2, progress=steps.append)
    assert min(steps) > 0
    positive, negative = plan_blocks(rows)
    assert sum(steps) == sum(block.pairs for block in [*positive, *negative])


def test_a_subset_counts_its_own_pairs_on_the_edges_of_the_whole():
    rng = np.random.default_rng(20)
    ids = mixed_classes(rng, 1300, 25, 60, 10)
    vectors, metric = wide_integers(rng, 1300)
    rows = sort_rows(embedding_set(vectors, ids, metric))
    lattice = fit_lattice(rows, 0)
    for share in (0.5, 0.02, 0.0):
        chosen = rng.random(1300) < share
        part = rows.subset(chosen[rows.classes.place])
        tally = count_exactly(part, lattice)
        ranks = tally.ranks(part, RECALL_CAP)
        counts = tally.counts(part, lattice, tuple(range(ids.max() + 1)), metric)
        assert counts.rows == np.count_nonzero(chosen)
        truth = BruteForce.of(vectors[chosen], ids[chosen], metric) if chosen.any() else None
        if truth is None:
            assert counts.positive == counts.negative == counts.classes == 0
            continue
        assert_counts_equal(counts, truth.counts(lattice))
        assert capped(ranks.rank) == capped(truth.ranks())


def by_class(vectors, classes, metric, lattice):
    """Sums over the other scored classes of ``A_ij A_j`` and ``A_ij M_j``, in double loops."""
    distance = BruteForce.of(vectors, classes, metric).distances()
    sizes = np.bincount(classes[classes >= 0])
    scored = np.flatnonzero(sizes >= 2)
    out = []
    for edge in lattice.class_edge[lattice.moment_edge[lattice.class_pair_edge]]:
        near = distance <= lattice.distance[edge]
        of_class = [near[classes == c][:, classes != c].sum() for c in scored]
        sums = np.zeros((2, scored.size), np.int64)
        for i, c in enumerate(scored):
            for j, other in enumerate(scored):
                if i != j:
                    accepted = near[np.ix_(classes == c, classes == other)].sum()
                    pairs = sizes[other] * (len(classes) - sizes[other])
                    sums[:, i] += np.array([accepted * of_class[j], accepted * pairs])
        out.append(sums)
    return np.array(out).transpose(1, 2, 0)


@pytest.mark.parametrize(
    ("rows", "classes", "others"), [(1400, 25, (0, 0)), (1400, 25, (90, 40)), (2600, 4, (300, 50))]
)
def test_each_class_has_its_sums_over_the_others(rows, classes, others):
    rng = np.random.default_rng(21)
    ids = mixed_classes(rng, rows, classes, *others)
    assert (classes > 4) or 512 < np.bincount(ids[ids >= 0]).max() <= 1024
    vectors, metric = wide_integers(rng, rows)
    _, lattice, counts, _ = count(embedding_set(vectors, ids, metric))
    truth = by_class(vectors, ids, metric, lattice)
    assert truth[0, :, -1].min() > 0
    np.testing.assert_array_equal(counts.class_pairs.by_accepted, truth[0])
    np.testing.assert_array_equal(counts.class_pairs.by_pairs, truth[1])


def test_sums_over_the_others_are_kept_for_few_and_small_classes_only():
    rng = np.random.default_rng(22)
    for sizes in ([512, 2] + [5] * 700, [5] * 701):
        ids = np.repeat(np.arange(len(sizes)), sizes)
        counts = count(embedding_set(rng.standard_normal((ids.size, 3)), ids))[2]
        assert counts.class_pairs is not None
        assert counts.class_pairs.by_accepted is None
        assert counts.class_pairs.by_pairs is None
