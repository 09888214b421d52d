"""The parts of the counting loops that stand alone: sorting, moving counts, ends of steps."""

import numpy as np
import pytest

from opiscal.pairs.even_steps import EvenSteps, fit_even_steps
from opiscal.pairs.kernel.moves import move_classes, move_moments
from opiscal.pairs.kernel.ordering import sorted_values


@pytest.mark.parametrize("size", [0, 1, 2, 1000, 70_000])
def test_radix_sort_is_numpy_sort(size):
    rng = np.random.default_rng(size)
    scale = 10.0 ** rng.uniform(-40, 38, size)
    values = np.abs(rng.standard_normal(size) * scale).astype(np.float32)
    values[: size // 3] = np.float32(0.5)
    values[size // 2 :: 7] = 0.0
    before = values.copy()
    np.testing.assert_array_equal(sorted_values(values), np.sort(values))
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("of_slot", [np.uint16, np.uint32])
@pytest.mark.parametrize("of_class", [np.int32, np.int64])
def test_classes_are_moved_once_and_cleared(of_slot, of_class):
    rng = np.random.default_rng(0)
    by_slot = rng.integers(0, 1000, (4, 9)).astype(of_slot)
    by_class = rng.integers(0, 1000, (7, 6)).astype(of_class)
    # Of nine edges the first four are kept, the seventh and the last.
    kept_of = np.array([0, 1, 2, 3, 4, 4, 4, 5, 5], np.uint16)
    wanted = by_class.copy()
    for edge, kept in enumerate(kept_of):
        wanted[2:5, kept] += by_slot[:3, edge]
    # The last line is that of rows of no class.
    move_classes(by_slot, 3, by_class, 2, kept_of)
    np.testing.assert_array_equal(by_class, wanted)
    assert not by_slot.any()


def test_moments_are_moved_with_the_far_pairs_in_the_last():
    rng = np.random.default_rng(1)
    near = rng.integers(0, 50, (5, 4)).astype(np.uint16)
    of_rows = rng.integers(0, 50, (3, 4)).astype(np.uint32)
    counted = near.sum(axis=1).astype(np.int64) + np.arange(5)
    wanted = of_rows + near[:3]
    wanted[:, -1] += np.arange(3, dtype=np.uint32)
    move_moments(near, counted, of_rows)
    np.testing.assert_array_equal(of_rows, wanted)
    assert not near.any()


def test_ends_of_even_steps_are_where_the_arithmetic_goes_on():
    steps = EvenSteps(1000, 1777, 9000, near_slope=3121, far_slope=2600, far_steps=90)
    edges = steps.edges()
    rule = steps.rule(low_place=5)
    assert edges[0] == 1000
    assert edges[steps.near_steps] == 1777
    assert edges[-1] == 9000
    keys = np.arange(1001, 9001)
    near = rule.near_place + ((keys - 1001) * 3121 >> 16)
    far = rule.far_place + (np.minimum(keys - 1778, rule.far_span) * 2600 >> 16)
    place = np.where(keys <= 1777, near, far)
    np.testing.assert_array_equal(place, 5 + np.searchsorted(edges, keys))


GIVEN = {
    "low_key": 1000,
    "near_key": 8000,
    "top": 100_000,
    "ranges": [(1200, 7000)],
    "far_keys": np.arange(20_000, 7000, -25),
    "positive_keys": np.arange(0, 9000, 5),
    "tied_keys": np.array([0, 999]),
}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tied_keys": np.array([1500])}, "tied pairs beyond the first step"),
        ({"ranges": [(1200, 1300)]}, "steps of less than a key"),
        ({"ranges": [(1200, 7000), (1500, 2000)]}, "too many steps"),
        ({"far_keys": np.array([7000])}, "nothing known of the far pairs"),
        ({"far_keys": np.arange(20_000, 7000, -3)}, "too many far steps"),
        ({"positive_keys": np.full(1000, 1500)}, "all positives in one step"),
        ({"low_key": 8000}, "no room for a step"),
        ({"ranges": [(7000, 7000)]}, "a range of no width"),
    ],
    ids=str,
)
def test_even_steps_are_refused_where_they_would_not_do(change, why):
    assert fit_even_steps(**GIVEN) is not None
    assert fit_even_steps(**(GIVEN | change)) is None, why


def test_even_steps_are_dense_in_the_range_and_beyond_it():
    edges = fit_even_steps(**GIVEN).edges()
    assert np.all(np.diff(edges) > 0)
    assert np.count_nonzero((edges >= 1200) & (edges <= 7000)) >= 256
    assert np.diff(edges[(edges >= 8000) & (edges <= 20_000)]).max() <= 25
