"""Pairs between two sets: the oracle's integers on exact data, and the relation to one set."""

import between_oracles as truth
import numpy as np
import pytest
from between import counted_between
from between_oracles import Side, between_table
from brute_force import embedding_set
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import accepted, squares_and_products

from opiscal.measures.class_pairs import class_pair_pull, class_pair_squares
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.kernel.ranks import RECALL_CAP
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.sorted_rows import sort_rows


def assert_exact(queries, gallery, metric="l2", ids=None, threads=1):
    """Every integer equals that of the plain loops, at every edge."""
    _, counts, ranks = counted_between(queries, gallery, metric, ids, threads)
    table = between_table(queries, gallery, metric, ids)
    assert list(counts.labels) == table.scored
    assert counts.pool_positive.tolist() == [
        accepted(table.pool_positive, d) for d in counts.distance
    ]
    assert counts.pool_negative.tolist() == [
        accepted(table.pool_negative, d) for d in counts.distance
    ]
    for slot, c in enumerate(table.scored):
        for found, distances in (
            (counts.class_positive, table.positive[c]),
            (counts.class_negative, table.negative[c]),
        ):
            assert found[slot].tolist() == [accepted(distances, d) for d in counts.class_distance]
        sums = [squares_and_products(table, c, d) for d in counts.moment_distance]
        found = (counts.positive_squares, counts.negative_squares, counts.products)
        assert [list(s) for s in zip(*sums, strict=True)] == [f[slot].tolist() for f in found]
        assert counts.class_rows[slot] == len(table.rows_of[c])
        assert counts.positives_of_class[slot] == len(table.positive[c])
        assert counts.negatives_of_class[slot] == len(table.negative[c])
    if counts.class_pairs is not None:
        sums = counts.class_pairs
        for k, d in enumerate(counts.class_distance[sums.edge]):
            found = truth.class_pair_sums(queries, gallery, d, metric, ids)
            assert (sums.squares[k], sums.products[k]) == (found.squares, found.products)
            for array, of_class in (
                (sums.by_accepted, found.by_accepted),
                (sums.by_pairs, found.by_pairs),
            ):
                assert array[:, k].tolist() == [of_class[c] for c in table.scored]
    met = truth.neighbours(queries, gallery, metric, ids)
    assert ranks.rank.clip(max=RECALL_CAP).tolist() == [
        min(r, RECALL_CAP) for r in truth.ranks(met)
    ]
    two = counts.gallery
    assert (two.queries, two.gallery) == (len(queries.vectors), len(gallery.vectors))
    assert two.unknown == len(truth.unknown(met))
    assert two.known == len(met) - two.unknown
    assert two.false_positive.tolist() == [truth.false_positives(met, d) for d in counts.distance]
    assert two.identified.tolist() == [truth.identified(met, d) for d in counts.distance]
    return counts


@st.composite
def two_sets(draw):
    """Ties in plenty; classes on one side only; distractors; ids on both sides."""
    metric = draw(st.sampled_from(["l2", "cosine"]))
    if metric == "l2":
        width, entries = draw(st.integers(1, 3)), st.integers(-3, 3)
    else:
        width, entries = draw(st.sampled_from([4, 16])), st.sampled_from([-1, 1])
    vector = st.lists(entries, min_size=width, max_size=width)

    def side(first, most):
        rows = draw(st.integers(len(first), most))
        vectors = draw(st.lists(vector, min_size=rows, max_size=rows))
        others = st.lists(
            st.integers(-1, 5), min_size=rows - len(first), max_size=rows - len(first)
        )
        return Side(vectors, draw(st.permutations([*first, *draw(others)])))

    queries, gallery = side([0, 1], 12), side([0, 1], 15)
    ids = None
    if draw(st.booleans()):
        names = [*range(6), *[None] * 20]
        ids = tuple(
            draw(st.permutations(names))[: len(part.vectors)] for part in (queries, gallery)
        )
    return queries, gallery, metric, ids


@settings(max_examples=120, deadline=None)
@given(two_sets())
def test_small_tied_sets(sets):
    queries, gallery, metric, ids = sets
    if between_table(queries, gallery, metric, ids).scored:
        assert_exact(queries, gallery, metric, ids)


def random_side(rng, rows, classes, width=6, reach=4, distractors=0):
    vectors = rng.integers(-reach, reach + 1, (rows, width)).tolist()
    of_row = rng.choice(classes, rows)
    of_row[:distractors] = -1
    return Side(vectors, rng.permutation(of_row).tolist())


@pytest.mark.parametrize("threads", [1, 2])
def test_unequal_sides_with_classes_of_one_side_and_distractors(threads):
    rng = np.random.default_rng(3)
    queries = random_side(rng, 70, [0, 1, 2, 3, 7, 8], distractors=5)
    gallery = random_side(rng, 110, [0, 1, 2, 3, 4, 5], distractors=9)
    counts = assert_exact(queries, gallery, threads=threads)
    assert counts.gallery.unknown > 5
    assert counts.classes == 4
    assert counts.class_pairs is not None


def test_class_pairs_are_centred_by_the_number_of_pairs_between_them():
    rng = np.random.default_rng(9)
    queries = random_side(rng, 70, [0, 1, 2, 3, 7, 8], distractors=5)
    gallery = random_side(rng, 110, [0, 1, 2, 3, 4, 5], distractors=9)
    _, counts, _ = counted_between(queries, gallery, "l2")
    edges = counts.class_edge[counts.class_pairs.edge]
    p = counts.pool_negative[edges] / counts.negative
    units = [
        np.array([c if c >= 0 else first + k for k, c in enumerate(side.classes)])
        for first, side in ((100, queries), (1000, gallery))
    ]
    labels = np.union1d(units[0], units[1])
    member = [(of[:, None] == labels).astype(float) for of in units]
    pair = (units[0][:, None] != units[1]) & ((units[0][:, None] < 100) | (units[1] < 100))
    away = np.linalg.norm(np.array(queries.vectors)[:, None] - np.array(gallery.vectors), axis=2)
    squares, pulls = [], []
    for edge, share in zip(edges, p, strict=True):
        centred = pair * ((away <= counts.distance[edge]) - share)
        between = member[0].T @ centred @ member[1]
        between += between.T
        np.testing.assert_allclose(np.diag(between), 0)
        squares.append(np.square(np.triu(between)).sum())
        pulls.append((between @ (between.sum(axis=1) * np.isin(labels, counts.labels)))[:4])
    np.testing.assert_allclose(class_pair_squares(counts), squares, rtol=1e-9, atol=1e-6)
    far = counts.pool_negative[counts.class_edge] / counts.negative
    np.testing.assert_allclose(class_pair_pull(counts, far)[1].T, pulls, rtol=1e-9, atol=1e-6)


def test_items_on_both_sides_with_other_vectors_and_other_labels():
    rng = np.random.default_rng(4)
    queries = random_side(rng, 40, [0, 1, 2, 3])
    gallery = random_side(rng, 50, [0, 1, 2, 3])
    ids = (list(range(40)), [*range(20, 60), *[None] * 10])
    assert_exact(queries, gallery, ids=ids)


def test_a_name_that_stands_for_several_rows():
    rng = np.random.default_rng(5)
    queries, gallery = random_side(rng, 30, [0, 1, 2]), random_side(rng, 30, [0, 1, 2])
    names = (["a"] * 5 + ["b"] * 5 + [None] * 20, ["a"] * 10 + [None] * 20)
    _, counts, _ = counted_between(queries, gallery, "l2", names)
    table = between_table(queries, gallery, "l2", names)
    assert counts.positive == len(table.pool_positive)
    assert counts.negative == len(table.pool_negative)
    assert counts.pool_positive.tolist() == [
        accepted(table.pool_positive, d) for d in counts.distance
    ]


@pytest.mark.parametrize("rows", [3, 40, 700])
def test_over_the_borders_of_tiles_and_blocks(rows):
    """Against the products of all rows, which are whole numbers here."""
    rng = np.random.default_rng(rows)
    classes = np.arange(2500 // rows + 1)
    q, g = 2200, 2900
    of = [rng.choice(classes, q), rng.choice(classes[1:], g)]
    x, y = rng.integers(-9, 10, (q, 5)), rng.integers(-9, 10, (g, 5))
    ids = (np.arange(q), np.arange(g) + 1500)
    _, counts, _ = counted_between(
        Side(x.tolist(), of[0].tolist()), Side(y.tolist(), of[1].tolist()), "l2",
        tuple(part.tolist() for part in ids), threads=2,
    )  # fmt: skip
    squared = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * x @ y.T
    pair = ids[0][:, None] != ids[1]
    same = of[0][:, None] == of[1]
    edge = np.searchsorted(counts.distance, np.sqrt(squared))

    def histogram(of_pairs):
        return np.bincount(edge[of_pairs], minlength=counts.distance.size).cumsum()

    np.testing.assert_array_equal(counts.pool_positive, histogram(pair & same))
    np.testing.assert_array_equal(counts.pool_negative, histogram(pair & ~same))
    for slot in (0, 1, counts.classes - 1):
        c = counts.labels[slot]
        mine = (of[0] == c)[:, None] | (of[1] == c)
        for found, which in ((counts.class_positive, same), (counts.class_negative, ~same)):
            expected = histogram(pair & mine & which)[counts.class_edge]
            np.testing.assert_array_equal(found[slot], expected)
    known = (pair & same).any(axis=1)
    nearest = np.where(pair, edge, counts.distance.size).min(axis=1)
    expected = np.bincount(nearest[~known], minlength=counts.distance.size + 1)[:-1].cumsum()
    np.testing.assert_array_equal(counts.gallery.false_positive, expected)
    first = np.where(pair, squared, 10**9).argmin(axis=1)
    found = known & same[np.arange(q), first]
    expected = np.bincount(nearest[found], minlength=counts.distance.size).cumsum()
    np.testing.assert_array_equal(counts.gallery.identified, expected)


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_a_gallery_that_is_the_query_set_doubles_the_counts_of_one_set(metric):
    rng = np.random.default_rng(6)
    side = random_side(rng, 90, range(12), width=16, reach=1, distractors=4)
    side = Side([[1 if x > 0 else -1 for x in row] for row in side.vectors], side.classes)
    names = list(range(90))
    one = embedding_set(side.vectors, side.classes, metric)
    rows = sort_rows(one)
    lattice = fit_lattice(rows, 0)
    tally = count_exactly(rows, lattice, threads=1)
    ranks = tally.ranks(rows, RECALL_CAP)
    alone = tally.counts(rows, lattice, one.labels, metric)
    own, both, ranks_between = counted_between(side, side, metric, (names, names))
    assert own.same_edges(lattice)
    for name in ("pool_positive", "pool_negative", "class_positive", "class_negative"):
        np.testing.assert_array_equal(getattr(both, name), 2 * getattr(alone, name))
    for name in ("positive_squares", "negative_squares", "products"):
        np.testing.assert_array_equal(getattr(both, name), 4 * getattr(alone, name))
    assert (both.rows, both.distractors // 2) == (alone.rows + 4, alone.distractors)
    assert both.class_rows.tolist() == alone.class_rows.tolist()
    capped = [part.rank.clip(max=RECALL_CAP).tolist() for part in (ranks_between, ranks)]
    assert capped[0] == capped[1]


def test_continuous_data_within_the_rounding_of_products():
    rng = np.random.default_rng(8)
    centres = rng.standard_normal((60, 16))
    of = [rng.integers(0, 50, 900), rng.integers(10, 60, 1400)]
    sides = [Side(centres[c] + 0.8 * rng.standard_normal((c.size, 16)), c.tolist()) for c in of]
    ids = (list(range(900)), list(range(600, 2000)))
    lattice, counts, _ = counted_between(*sides, "cosine", ids, threads=2)
    assert lattice.steps is not None
    unit = [side.vectors / np.linalg.norm(side.vectors, axis=1)[:, None] for side in sides]
    similarity = unit[0] @ unit[1].T
    pair = np.array(ids[0])[:, None] != np.array(ids[1])
    same = of[0][:, None] == of[1]
    band = 2e-6
    low, high = (np.sqrt(np.maximum(2 - 2 * (similarity + side * band), 0)) for side in (1, -1))
    for found, which in ((counts.pool_positive, same), (counts.pool_negative, ~same)):
        bounds = [np.sort(d[pair & which]) for d in (high, low)]
        least, most = (np.searchsorted(b, counts.distance, side="right") for b in bounds)
        assert np.all((least <= found) & (found <= most))
        assert found[-1] == np.count_nonzero(pair & which)
    # What is identified or falsely positive is so by the very places of the pairs.
    known = (pair & same).any(axis=1)
    assert counts.gallery.false_positive[-1] == np.count_nonzero(~known)
    assert np.all((counts.gallery.false_positive > 0) <= (counts.pool_negative > 0))
    assert np.all((counts.gallery.identified > 0) <= (counts.pool_positive > 0))
