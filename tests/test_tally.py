"""Tallies of disjoint blocks add up to the tally of the whole, and to nothing else."""

import numpy as np
import pytest
from brute_force import COUNTED, class_pairs_of, embedding_set
from hypothesis import given, settings
from hypothesis import strategies as st

from opiscal.errors import UsageError
from opiscal.pairs.blocks import plan_blocks
from opiscal.pairs.edge_targets import AskedRange
from opiscal.pairs.exact import count_blocks, count_exactly
from opiscal.pairs.kernel.ranks import RECALL_CAP
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.sorted_rows import sort_rows
from opiscal.pairs.tally import Tally

SUMMED = (
    "pool_positive",
    "pool_negative",
    "class_positive",
    "class_negative",
    "row_positive",
    "row_negative",
    "best",
    "best_order",
)


def random_set(seed=0, sizes=(1900, 300, 300, 150, 150, 40, 2, 2, 1, 1), distractors=80):
    """Rows of classes of these sizes, some at one place with others, in random order."""
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(len(sizes)), sizes)
    ids = rng.permutation(np.concatenate([ids, np.full(distractors, -1)]))
    return embedding_set(rng.integers(-4, 5, (len(ids), 4)), ids, "l2")


def prepare(embeddings):
    rows = sort_rows(embeddings)
    return rows, fit_lattice(rows, 0)


@pytest.fixture(scope="module")
def whole():
    embeddings = random_set()
    rows, lattice = prepare(embeddings)
    return embeddings, rows, lattice, count_exactly(rows, lattice)


def dealt(blocks, places, parts):
    """The blocks dealt out into parts, some of which may be empty."""
    return [
        [block for block, place in zip(blocks, places, strict=False) if place % parts == part]
        for part in range(parts)
    ]


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    st.integers(1, 6),
    st.lists(st.integers(0, 5), min_size=60, max_size=60),
    st.randoms(use_true_random=False),
    st.sampled_from([1, 2, None]),
)
def test_any_split_into_parts_adds_up(whole, parts, places, random, threads):
    _, rows, lattice, tally = whole
    positive, negative = plan_blocks(rows)
    assert max(len(positive), len(negative)) <= len(places)
    assert len(positive) >= 3
    assert len(negative) >= 5

    total = Tally.empty(rows, lattice)
    for part in dealt(positive, places, parts):
        own = Tally.empty(rows, lattice)
        count_blocks(part, rows, lattice, own, threads=threads)
        total.add(own)
    # Negatives are ranked by the nearest positives, which every part has to know.
    counted = []
    for part in dealt(negative, places[::-1], parts):
        own = Tally.empty(rows, lattice)
        own.offer_best(np.arange(rows.rows), total.best, total.best_order)
        count_blocks(part, rows, lattice, own, threads=threads)
        counted.append(own)
    random.shuffle(counted)
    for own in counted:
        total.add(own)

    for name in SUMMED:
        np.testing.assert_array_equal(getattr(total, name), getattr(tally, name), err_msg=name)
    ranks, wanted = total.ranks(rows, RECALL_CAP), tally.ranks(rows, RECALL_CAP)
    np.testing.assert_array_equal(
        np.minimum(ranks.rank, RECALL_CAP), np.minimum(wanted.rank, RECALL_CAP)
    )


def test_the_same_counts_come_of_parts_and_of_the_whole(whole):
    embeddings, rows, lattice, _ = whole
    parts = [Tally.empty(rows, lattice) for _ in range(3)]
    for blocks in plan_blocks(rows):
        for own, part in zip(parts, dealt(blocks, range(len(blocks)), 3), strict=True):
            count_blocks(part, rows, lattice, own, ranks=False)
    total = Tally.empty(rows, lattice)
    for own in parts:
        total.add(own)
    one = total.counts(rows, lattice, embeddings.labels, embeddings.metric)
    tally = count_exactly(rows, lattice)
    two = tally.counts(rows, lattice, embeddings.labels, embeddings.metric)
    for name in COUNTED:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    np.testing.assert_array_equal(class_pairs_of(one), class_pairs_of(two))


def test_adding_nothing_changes_nothing(whole):
    _, rows, lattice, tally = whole
    before = {name: getattr(tally, name).copy() for name in (*SUMMED, "rank")}
    tally.add(Tally.empty(rows, lattice))
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(tally, name), value, err_msg=name)


def assert_refused(tally, other):
    """`add` raises the error that a user sees, and has changed nothing."""
    before = {name: getattr(tally, name).copy() for name in (*SUMMED, "rank")}
    with pytest.raises(UsageError, match=r"do not add"):
        tally.add(other)
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(tally, name), value, err_msg=name)


def test_other_edges_are_refused():
    rows, lattice = prepare(random_set(1))
    other = fit_lattice(rows, 1)
    assert not np.array_equal(other.edge_key, lattice.edge_key)
    assert_refused(Tally.empty(rows, lattice), Tally.empty(rows, other))


def test_other_class_edges_are_refused():
    rows, lattice = prepare(random_set(1))
    other = fit_lattice(rows, 0, AskedRange("far", 0.3, 0.9))
    assert_refused(Tally.empty(rows, lattice), Tally.empty(rows, other))


@pytest.mark.parametrize(
    ("sizes", "distractors"),
    [((20, 30, 40), 5), ((20, 31), 5), ((20, 30), 6), ((20, 30, 1), 5)],
    ids=["one more class", "one more row", "one more distractor", "one more singleton"],
)
def test_other_sets_are_refused(sizes, distractors):
    rows, lattice = prepare(random_set(2, (20, 30), 5))
    other = sort_rows(random_set(2, sizes, distractors))
    assert_refused(count_exactly(rows, lattice), Tally.empty(other, lattice))


def test_counts_have_the_shapes_and_types_they_state():
    embeddings = random_set(3, (700, 60, 60, 2, 2, 1, 1, 1), 33)
    rows, lattice = prepare(embeddings)
    tally = count_exactly(rows, lattice)
    ranks = tally.ranks(rows, RECALL_CAP)
    counts = tally.counts(rows, lattice, embeddings.labels, embeddings.metric)
    edges, class_edges, moment_edges = (
        lattice.distance.size,
        lattice.kept().size,
        lattice.moment_edge.size,
    )

    assert counts.metric == "l2"
    assert (counts.rows, counts.distractors) == (860, 33)
    assert (counts.classes, counts.labels) == (5, (0, 1, 2, 3, 4))
    assert counts.class_rows.tolist() == [700, 60, 60, 2, 2]
    assert counts.positives_of_class.tolist() == [244650, 1770, 1770, 1, 1]
    assert counts.negatives_of_class.tolist() == [112000, 48000, 48000, 1716, 1716]
    for name in ("distance", "pool_positive", "pool_negative"):
        assert getattr(counts, name).shape == (edges,), name
    for name in ("class_positive", "class_negative"):
        assert getattr(counts, name).shape == (5, class_edges), name
        assert getattr(counts, name).dtype == np.int32, name
    for name in ("positive_squares", "negative_squares", "products"):
        assert getattr(counts, name).shape == (5, moment_edges), name
        assert getattr(counts, name).dtype == np.int64, name
    assert counts.distance.dtype == np.float64
    for name in ("class_rows", "class_edge", "moment_edge", "pool_positive", "pool_negative"):
        assert getattr(counts, name).dtype == np.int64, name
    assert counts.class_distance.shape == (class_edges,)
    assert counts.moment_distance.shape == (moment_edges,)
    assert counts.within_groups == ()
    assert ranks.cap == RECALL_CAP
    assert ranks.rank.shape == (824,)
    assert ranks.rank.dtype == np.int32


@pytest.mark.parametrize(("size", "dtype"), [(40_000, np.int32), (50_000, np.int64)])
def test_giant_classes_are_counted_in_eight_bytes(size, dtype):
    # A class of half the rows has size^2 negatives: 1.6e9 and 2.5e9.
    ids = np.repeat([0, 1], size)
    embeddings = embedding_set(np.arange(2 * size)[:, None] % 7, ids, "l2")
    rows, lattice = prepare(embeddings)
    tally = Tally.empty(rows, lattice)
    assert tally.class_negative.dtype == dtype
    assert tally.class_positive.dtype == dtype
