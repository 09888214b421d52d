"""Tasks of a count: however it is shared out, the counts are those of one count, bit for bit."""

import sys
from dataclasses import fields

import numpy as np
import pytest

from opiscal.data.embedding_set import RowPolicy
from opiscal.data.rows import from_arrays
from opiscal.data.side_arrays import Gallery, join_sides
from opiscal.pairs.between import count_between
from opiscal.pairs.blas import one_blas_thread
from opiscal.pairs.counting import start_sample
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.kernel.ranks import RECALL_CAP
from opiscal.pairs.lattice import Lattice, fit_lattice
from opiscal.pairs.pair_settings import PairSettings
from opiscal.pairs.plan import plan_pairs
from opiscal.pairs.sampled import count_columns
from opiscal.pairs.sorted_rows import sort_rows
from opiscal.pairs.tally import Tally
from opiscal.pairs.tasks.between_tasks import BetweenTasks, plan_between_tasks
from opiscal.pairs.tasks.column_tasks import ColumnTasks, added_columns, plan_column_tasks
from opiscal.pairs.tasks.exact_tasks import ExactTasks, plan_exact_tasks
from opiscal.pairs.tasks.pieces import Piece, pack, sum_pieces
from opiscal.pairs.two_sets import sample_between, sort_two_sets

POLICY = RowPolicy(null_label="distractor")


def drawn(rows, classes, rng, dimensions=16):
    label = rng.integers(0, classes, rows)
    vectors = rng.standard_normal((classes, dimensions))[label]
    vectors = vectors + rng.standard_normal((rows, dimensions))
    return vectors, [None if rng.random() < 0.05 else int(c) for c in label]


def assert_same(one, other):
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, Tally):
            assert_same(a, b)
        elif field.name == "rank":
            # Beyond the cap it depends on the order in which blocks are counted.
            assert np.array_equal(np.minimum(a, RECALL_CAP), np.minimum(b, RECALL_CAP))
        elif not isinstance(a, Lattice):
            assert np.array_equal(a, b), field.name


def counted(counting, tasks, rng):
    """What the tasks count, in an order of chance after those that they need."""
    positive = [task for task in tasks if task.kind == "positive"]
    negative = [task for task in tasks if task.kind == "negative"]
    found: dict[int, list[Piece]] = {}
    with one_blas_thread():
        for group in (positive, negative):
            for k in rng.permutation(len(group)):
                needed = group[k].needs(positive)
                nearest = [piece for task in needed for piece in found[task.number]]
                found[group[k].number] = pack(counting.count(group[k], nearest))
    return [found[k] for k in rng.permutation(len(found))]


def added_up(counting, parts):
    for part in parts:
        counting.add(part)
    return counting.whole


CASES = [(3000, 40, 1, None), (3000, 40, 3, 1200), (9000, 3, 4, None), (3000, 1200, 5, 1500)]


@pytest.mark.parametrize(("rows", "classes", "shares", "most_rows"), CASES)
def test_tasks_of_a_set_add_up_to_its_counts(rows, classes, shares, most_rows):
    rng = np.random.default_rng(rows + classes)
    vectors, labels = drawn(rows, classes, rng)
    sorted_rows = sort_rows(from_arrays(vectors, labels, policy=POLICY))
    lattice = fit_lattice(sorted_rows, 0)
    wanted = count_exactly(sorted_rows, lattice, ranks=True)
    tasks = plan_exact_tasks(sorted_rows, 16, shares=shares, most_rows=most_rows)
    counting = ExactTasks(sorted_rows, lattice, ranks=True)
    parts = counted(counting, tasks, rng)
    assert_same(wanted, added_up(counting, parts))
    half = len(parts) // 2
    in_a_tree = sum_pieces([sum_pieces(parts[:half]), sum_pieces(parts[half:])])
    assert_same(wanted, added_up(ExactTasks(sorted_rows, lattice, ranks=True), [in_a_tree]))
    whole = pack(counting.added())
    assert_same(wanted, added_up(ExactTasks(sorted_rows, lattice, ranks=True), [whole]))
    if most_rows is not None:
        longest = max(s.stop - s.start for t in tasks for s in t.stretches if t.kind == "negative")
        assert longest <= most_rows
    assert sum(task.pairs for task in tasks) == sum(b.pairs for t in tasks for b in t.blocks)
    assert len(tasks) > shares


@pytest.mark.parametrize(("rows", "classes", "shares", "most_rows"), CASES)
def test_tasks_of_two_sets_add_up_to_their_counts(rows, classes, shares, most_rows):
    rng = np.random.default_rng(rows + classes)
    sides = [drawn(size, classes, rng) for size in (rows // 2, rows)]
    ids = [[f"item {k}" for k in rng.permutation(2 * rows)[: len(side[0])]] for side in sides]
    gallery = Gallery(sides[1][0], sides[1][1], None, ids[1])
    both = join_sides(sides[0][0], sides[0][1], None, ids[0], gallery, POLICY)
    two = sort_two_sets(both.embeddings, both.sides)
    lattice = fit_lattice(two.queries, 0, None, sample_between(two, 0))
    wanted = count_between(two, lattice)
    tasks = plan_between_tasks(two, 16, shares=shares, most_rows=most_rows)
    counting = BetweenTasks(two, lattice)
    parts = counted(counting, tasks, rng)
    assert_same(wanted, added_up(counting, parts))
    assert_same(wanted, added_up(BetweenTasks(two, lattice), [sum_pieces(parts)]))
    assert_same(wanted, added_up(BetweenTasks(two, lattice), [pack(counting.added())]))
    assert len(two.same_item) > 0


def test_packed_pieces_hold_the_same_in_fewer_bytes():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 200, (50, 8))
    rows[:, -1] = 10**7
    piece = Piece("row_negative", (100, 0), rows.astype(np.uint32))
    packed = pack([piece, Piece("rank", (0,), np.zeros(1000, np.int32))])
    assert sum(part.values.nbytes for part in packed) < 0.4 * piece.values.nbytes
    array = np.zeros((200, 8), np.uint32)
    for part in packed:
        array[part.box] += part.values
    assert np.array_equal(array[100:150], rows)
    assert array[:100].sum() == array[150:].sum() == 0


def test_sums_beyond_the_exact_floats_are_exact():
    large = 2**53 + 1
    piece = Piece("pool", (0,), np.array([large, 1], np.int64))
    (packed,) = pack([piece])
    assert packed.values.tolist() == [large, 1]
    unsigned = Piece("pool", (0,), piece.values.astype(np.uint64))
    for parts in ([unsigned], [packed], [piece]), ([piece], [unsigned], [packed]):
        (total,) = sum_pieces(parts)
        assert total.values.tolist() == [3 * large, 3]


@pytest.mark.parametrize("classes", [12, 700])
def test_tasks_of_rows_against_columns_add_up(classes):
    rng = np.random.default_rng(classes)
    vectors, labels = drawn(2500, classes, rng)
    rows = sort_rows(from_arrays(vectors, labels, policy=POLICY))
    lattice = fit_lattice(rows, 0)
    plan = plan_pairs(PairSettings(mode="sampled", sample_pairs=2500 * 512), rows.rows, 16)
    started = start_sample(rows, lattice, plan)
    wanted = count_columns(rows, lattice, started.columns, started.head)
    tasks = plan_column_tasks(rows.classes, 10_000_000, started.columns)
    assert len(tasks) > 1
    counting = ColumnTasks(rows, lattice, started.columns)
    parts = []
    with one_blas_thread():
        for k in rng.permutation(len(tasks)):
            (part,) = tasks[k].stretches
            head = started.head.of_rows(part.start, part.stop)
            parts.append(pack(counting.count(tasks[k], head)))
    found = added_columns(rows, lattice, started.columns, sum_pieces(parts))
    for field in fields(wanted):
        assert np.array_equal(getattr(wanted, field.name), getattr(found, field.name)), field.name


def test_a_piece_weighs_what_its_array_does():
    piece = Piece("rank", (0,), np.zeros(10_000, np.int32))
    assert 40_000 <= sys.getsizeof(piece) < 41_000
