"""How unequal one threshold is: against loops over pairs, then laws."""

import random
from dataclasses import replace

import numpy as np
import pytest
from differential_oracles import (
    class_far_variance,
    class_frr_variance,
    errors_by_class,
    errors_by_group,
    pooled_variance,
    shares_across,
    spread,
)
from measure_oracles import accepted_on_lattice, mean_utility_of, opis_of, utility_of
from oracles import accepted, pair_table, squares_and_products
from scipy import stats

import opiscal
from opiscal.errors import UsageError
from opiscal.measures.cell_intervals import (
    cell_interval,
    effective_pairs_of_class,
    effective_pairs_of_group,
)
from opiscal.measures.differential import differential
from opiscal.measures.groups import (
    differential_over_groups,
    opis_over_groups,
    share_across_groups,
)
from opiscal.measures.inequality import gini, max_over_geomean
from opiscal.measures.opis import Integration
from opiscal.measures.utility import Utility
from opiscal.pairs.counts import PairCounts
from opiscal.report.settings import EvaluateConfig

SEEDS = range(6)


def counts_on(table, rows, distractors, edges, thin):
    """PairCounts of a table of pairs; every `thin`-th edge is a class edge, and of these a moment
    edge."""
    last = len(edges) - 1
    class_edge = sorted({*range(0, last, thin), last})
    at = [edges[k] for k in class_edge]
    moment_edge = sorted({*range(0, len(at) - 1, thin), len(at) - 1})
    sums = [[squares_and_products(table, c, at[k]) for k in moment_edge] for c in table.scored]
    sums = np.array(sums, np.int64).reshape(len(table.scored), len(moment_edge), 3)

    def of_classes(pairs):
        counted = [[accepted(pairs[c], d) for d in at] for c in table.scored]
        return np.array(counted, np.int64).reshape(len(table.scored), len(at))

    return PairCounts(
        metric="l2",
        rows=rows,
        distractors=distractors,
        labels=tuple(table.scored),
        class_rows=np.array([len(table.rows_of[c]) for c in table.scored], np.int64),
        distance=np.array(edges),
        class_edge=np.array(class_edge),
        moment_edge=np.array(moment_edge),
        pool_positive=np.array([accepted(table.pool_positive, d) for d in edges]),
        pool_negative=np.array([accepted(table.pool_negative, d) for d in edges]),
        class_positive=of_classes(table.positive),
        class_negative=of_classes(table.negative),
        positive_squares=sums[:, :, 0],
        negative_squares=sums[:, :, 1],
        products=sums[:, :, 2],
    )


def counts_of(vectors, classes, groups=None, thin=1):
    table = pair_table(vectors, classes, "l2")
    edges = sorted({0.0, *table.pool_positive, *table.pool_negative})
    counts = counts_on(table, len(vectors), classes.count(-1), edges, thin)
    within = []
    for name in sorted({g for g in groups or [] if g is not None}):
        rows = [k for k, g in enumerate(groups) if g == name]
        own = [classes[k] for k in rows]
        if set(own) != {-1}:
            part = pair_table([vectors[k] for k in rows], own, "l2")
            within.append((name, counts_on(part, len(rows), own.count(-1), edges, thin)))
    return counts.with_groups(tuple(within))


def uneven_set(seed, distractors=4):
    """Classes of 12, 10, 9 and 5 rows, two of one row, distractors; groups, one of them of
    distractors alone, one of a single row, and rows in none."""
    rng = random.Random(seed)
    classes = [0] * 12 + [1] * 10 + [2] * 9 + [3] * 5 + [4, 5] + [-1] * distractors
    rng.shuffle(classes)
    wide = [1, 2, 1, 3, 2, 2, 4]
    vectors = [[10 * c % 7 + rng.randint(-wide[c], wide[c]) for _ in range(3)] for c in classes]
    groups = [rng.choice(["a", "b", "b", "c", None]) for _ in classes]
    groups[classes.index(0)] = "one row"
    groups = ["nobody" if c == -1 and g == "c" else g for c, g in zip(classes, groups, strict=True)]
    return vectors, classes, groups


def made(errors, pairs, of="frr", names=None):
    """Counts with one edge below the last where classes err as told; the other rate is 0.

    `pairs` sets the rows: positives of FRR are given exactly by a whole number of rows.
    """
    rows = np.array(pairs, np.int64)
    total = int(rows.sum())
    positives, negatives = rows * (rows - 1) // 2, rows * (total - rows)
    errors = np.array(errors, np.int64)
    right = positives - (errors if of == "frr" else 0)
    wrong = errors if of == "far" else 0 * errors
    positive, negative = np.stack([right, positives], 1), np.stack([wrong, negatives], 1)
    squares = np.zeros(positive.shape, np.int64)
    return PairCounts(
        "l2", total, 0, tuple(names or range(len(rows))), rows,
        np.array([1.0, 2.0]), np.arange(2), np.arange(2),
        positive.sum(0), negative.sum(0) // 2, positive, negative, squares, squares, squares,
    )  # fmt: skip


# Against the loops


def assert_spread(found, cells, edge):
    ratio, coefficient, worst, left_out = spread(cells)
    assert found.cells.names == tuple(name for name, _, _ in cells)
    assert found.cells.pairs.tolist() == [n for _, _, n in cells]
    if edge:
        assert found.cells.errors.tolist() == [e for _, e, _ in cells]
    assert found.cells.errors == pytest.approx([e for _, e, _ in cells], abs=1e-9)
    assert found.max_over_geomean == (ratio and pytest.approx(ratio, rel=1e-12))
    assert found.gini == (None if ratio is None else pytest.approx(coefficient, abs=1e-12))
    assert [cell.name for cell in found.worst] == worst[:5]
    assert found.left_out == tuple(left_out)
    by_name = {name: (e, n) for name, e, n in cells}
    for cell in found.worst:
        e, n = by_name[cell.name]
        assert cell.errors == pytest.approx(e, abs=1e-9)
        assert (cell.pairs, cell.rate) == (n, cell.errors / n)
        assert 0 <= cell.ci[0] <= cell.rate <= cell.ci[1] <= 1
        assert 0 < cell.effective_pairs <= n


@pytest.mark.parametrize("seed", SEEDS)
def test_classes_equal_the_loops_at_edges(seed):
    vectors, classes, _ = uneven_set(seed)
    counts = counts_of(vectors, classes)
    for d in counts.class_distance[:: max(1, counts.class_edge.size // 8)].tolist():
        found = differential(counts, d)
        cells = errors_by_class(vectors, classes, d)
        assert found.exact
        assert_spread(found.far, [(c, e[0], e[1]) for c, e in cells.items()], edge=True)
        assert_spread(found.frr, [(c, e[2], e[3]) for c, e in cells.items()], edge=True)
        assert found.frr.left_out == (3,)
        assert found.garbe == pytest.approx((found.far.gini + found.frr.gini) / 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_between_class_edges_errors_are_interpolated(seed):
    vectors, classes, _ = uneven_set(seed)
    table = pair_table(vectors, classes, "l2")
    counts = counts_of(vectors, classes, thin=4)
    edges = counts.class_distance.tolist()
    d = (2 * edges[3] + edges[4]) / 3
    found = differential(counts, d)
    assert not found.exact
    far, frr = [], []
    for c in table.scored:
        positives, negatives = table.positive[c], table.negative[c]
        far.append((c, accepted_on_lattice(negatives, edges, d), len(negatives)))
        rejected = len(positives) - accepted_on_lattice(positives, edges, d)
        frr.append((c, rejected, len(positives)))
    assert_spread(found.far, far, edge=False)
    assert_spread(found.frr, frr, edge=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_equal_the_loops_at_every_pool_edge(seed):
    vectors, classes, groups = uneven_set(seed)
    counts = counts_of(vectors, classes, groups, thin=3)
    for d in counts.distance[::5].tolist():
        found = differential_over_groups(counts, d)
        cells = errors_by_group(vectors, classes, groups, d)
        assert found.exact
        assert_spread(found.far, [(g, e[0], e[1]) for g, e in cells.items()], edge=True)
        assert_spread(found.frr, [(g, e[2], e[3]) for g, e in cells.items()], edge=True)
        assert "one row" in found.far.left_out
        assert "one row" in found.frr.left_out
        assert "nobody" not in found.far.cells.names
    across = share_across_groups(counts)
    assert (across.positive, across.negative) == shares_across(vectors, classes, groups)


@pytest.mark.parametrize("integration", ["exact", "grid:7"])
@pytest.mark.parametrize("kind", ["sensitivity-specificity", "precision-recall"])
@pytest.mark.parametrize("seed", SEEDS)
def test_opis_over_groups_equals_the_loops(seed, kind, integration):
    vectors, classes, groups = uneven_set(seed)
    counts = counts_of(vectors, classes, groups, thin=3)
    edges = counts.distance.tolist()
    low, high = edges[5], edges[-8]
    nodes, weights = Integration.parse(integration).nodes(counts.class_distance, low, high)
    found = opis_over_groups(counts, nodes, weights, Utility(kind, 0.7), fewest_pairs=1)
    curves, left_out = {}, []
    for g, e in errors_by_group(vectors, classes, groups, 0.0).items():
        if not (e[1] and e[3]):
            left_out.append(g)
            continue
        rows = [k for k, group in enumerate(groups) if group == g]
        table = pair_table([vectors[k] for k in rows], [classes[k] for k in rows], "l2")
        curves[g] = [
            utility_of(
                e[3], accepted_on_lattice(table.pool_positive, edges, d),
                e[1], accepted_on_lattice(table.pool_negative, edges, d), kind, 0.7,
            )
            for d in nodes.tolist()
        ]  # fmt: skip
    assert found.names == tuple(curves)
    assert found.left_out == tuple(left_out)
    assert "one row" in left_out
    expected = opis_of(list(curves.values()), nodes.tolist(), integration)
    assert found.value == pytest.approx(expected, abs=1e-12)
    mean = mean_utility_of(list(curves.values()), nodes.tolist(), integration)
    assert found.mean_utility.mean() == pytest.approx(mean)


def test_a_whole_evaluation_equals_the_loops():
    vectors, classes, groups = uneven_set(1)
    config = EvaluateConfig(metric="l2", range="frr=0.2:0.7", distractor_labels=("-1",))
    counts = opiscal.evaluate(np.array(vectors), classes, groups, config=config).counts
    d = float(counts.class_distance[counts.class_edge.size // 3])
    for found, cells in (
        (differential(counts, d), errors_by_class(vectors, classes, d)),
        (differential_over_groups(counts, d), errors_by_group(vectors, classes, groups, d)),
    ):
        assert found.exact
        assert_spread(found.far, [(c, e[0], e[1]) for c, e in cells.items()], edge=True)
        assert_spread(found.frr, [(c, e[2], e[3]) for c, e in cells.items()], edge=True)
    across = share_across_groups(counts)
    assert (across.positive, across.negative) == shares_across(vectors, classes, groups)


# Effective numbers


def few(clusters):
    return (stats.norm.ppf(0.975) / stats.t.ppf(0.975, clusters - 1)) ** 2


def worth(variance, rate, clusters, pairs, floor):
    effective = min(rate * (1 - rate) / variance, pairs) if variance else pairs
    return pytest.approx(max(effective * few(clusters), floor), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_effective_pairs_of_a_class_follow_from_its_rows(seed):
    vectors, classes, _ = uneven_set(seed)
    counts = counts_of(vectors, classes)
    told = 0
    for d in counts.class_distance[::6].tolist():
        for index, (c, e) in enumerate(errors_by_class(vectors, classes, d).items()):
            rows = classes.count(c)
            for kind, errors, pairs, floor in (
                ("far", e[0], e[1], rows),
                ("frr", e[2], e[3], rows / 2),
            ):
                if min(errors, pairs - errors) < min(30, pairs / 4):
                    continue
                told += 1
                variance = (class_far_variance if kind == "far" else class_frr_variance)(
                    vectors, classes, c, d
                )
                found = effective_pairs_of_class(counts, index, kind, d)
                assert found == worth(variance, errors / pairs, rows, pairs, floor)
    assert told >= 10


@pytest.mark.parametrize("singles", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_effective_pairs_of_a_group_follow_from_its_classes(seed, singles):
    vectors, classes, _ = uneven_set(seed, distractors=0)
    kept = [k for k, c in enumerate(classes) if c < 4 or singles]
    vectors, classes = [vectors[k] for k in kept], [classes[k] for k in kept]
    counts = counts_of(vectors, classes)
    size = np.array([12, 10, 9, 5, *[1, 1] * singles])
    told = 0
    for d in counts.class_distance[::6].tolist():
        ((_, e),) = errors_by_group(vectors, classes, ["x"] * len(classes), d).items()
        for kind, errors, pairs, each, ends in (
            ("far", e[0], e[1], size * (len(classes) - size), 2),
            ("frr", e[2], e[3], size * (size - 1) // 2, 1),
        ):
            if min(errors, pairs - errors) < 30:
                continue
            told += 1
            alike = each.sum() ** 2 / (each**2).sum()
            variance = pooled_variance(vectors, classes, d, kind)
            found = effective_pairs_of_group(counts, kind, d)
            assert found == worth(variance, errors / pairs, alike, pairs, alike / ends)
    assert told >= 4


def test_one_giant_class_leaves_a_group_little_to_say():
    giant = made([900, 0, 0, 1], [60, 2, 2, 3])
    assert 1 <= effective_pairs_of_group(giant, "frr", 1.0) < 1.1
    giant = made([10**9, 0], [10**5, 2])
    assert effective_pairs_of_group(giant, "frr", 1.0) == pytest.approx(1)
    # All negatives are of the one class that has others.
    both = made([60, 60], [40, 3], "far")
    assert effective_pairs_of_group(both, "far", 1.0) == pytest.approx(1)
    low, high = cell_interval(0.3, effective_pairs_of_group(both, "far", 1.0))
    assert 0 < low < 0.3 < high < 1


def test_without_an_edge_that_tells_pairs_are_worth_their_rows_or_classes():
    counts = made([0, 0, 0], [10, 10, 10])
    assert effective_pairs_of_class(counts, 0, "far", 1.0) == 10
    assert effective_pairs_of_class(counts, 0, "frr", 1.0) == 5
    assert effective_pairs_of_group(counts, "far", 1.0) == pytest.approx(1.5)
    assert effective_pairs_of_group(counts, "frr", 1.0) == pytest.approx(3)
    # Singletons and distractors are classes of their own.
    wider = replace(counts, rows=60, pool_negative=np.array([0, 300 + 900 + 435]))
    assert effective_pairs_of_group(wider, "far", 1.0) > 1.5
    alone = replace(
        made([0], [2]), labels=(), class_rows=np.zeros(0, np.int64), rows=40,
        pool_negative=np.array([0, 780]),
        class_negative=np.zeros((0, 2), np.int64), class_positive=np.zeros((0, 2), np.int64),
    )  # fmt: skip
    assert effective_pairs_of_group(alone, "far", 1.0) == pytest.approx(20)


@pytest.mark.parametrize("rate", [0.0, 0.003, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("pairs", [0.7, 30.0, 1e7])
def test_wilson_holds_its_rate_and_inverts_the_score_test(rate, pairs):
    low, high = cell_interval(rate, pairs, 0.9)
    assert 0 <= low <= rate <= high <= 1
    z = stats.norm.ppf(0.95)
    for end in {low, high} - {0.0, 1.0}:
        assert abs(rate - end) / np.sqrt(end * (1 - end) / pairs) == pytest.approx(z, rel=1e-6)


def test_the_interval_is_wider_than_that_of_independent_pairs():
    """Half of the rows of each class are rejected by all: pairs of one row err together."""
    rng = random.Random(0)
    classes = [c for c in range(4) for _ in range(20)]
    vectors = [[9 * c + (k % 2) * rng.randint(-40, 40)] for k, c in enumerate(classes)]
    found = differential(counts_of(vectors, classes), 6.0)
    for cell in (*found.far.worst, *found.frr.worst):
        low, high = cell_interval(cell.rate, cell.pairs)
        assert cell.ci[0] < low
        assert high < cell.ci[1]


# Laws


@pytest.mark.parametrize("of", ["far", "frr"])
def test_equal_rates_are_equal(of):
    found = differential(made([7] * 9, [12] * 9, of), 1.0)
    for one in (found.far, found.frr):
        assert one.max_over_geomean == 1.0
        assert one.gini == 0.0
        assert [cell.name for cell in one.worst] == [0, 1, 2, 3, 4]
    assert found.garbe == 0.0


def test_zero_errors_are_finite():
    found = differential(made([0, 0, 0], [10, 20, 30]), 1.0)
    for one in (found.far, found.frr):
        assert 1 <= one.max_over_geomean < np.inf
        assert 0 <= one.gini <= 1
        assert all(cell.rate == 0 and cell.ci[0] == 0 for cell in one.worst)


def test_all_errors_are_finite():
    counts = made([45, 45], [10, 10])
    found = differential(counts, 1.0)
    assert found.frr.max_over_geomean == 1.0
    assert all(cell.rate == 1 and cell.ci[1] == 1 for cell in found.frr.worst)
    assert differential(counts, 2.0).far.gini == 0.0


@pytest.mark.parametrize("of", ["far", "frr"])
def test_one_bad_class_among_many_is_named(of):
    errors, rows = [1] * 3000, [10] * 3000
    errors[1234] = 30
    found = differential(made(errors, rows, of, [f"c{k:04}" for k in range(3000)]), 1.0)
    bad, other = (found.far, found.frr) if of == "far" else (found.frr, found.far)
    assert bad.worst[0].name == "c1234"
    assert [cell.name for cell in bad.worst[1:]] == ["c0000", "c0001", "c0002", "c0003"]
    assert bad.max_over_geomean == pytest.approx((30.5 / 1.5) ** (2999 / 3000))
    assert other.max_over_geomean == 1.0


def test_one_bad_cell_has_all_of_the_gini():
    assert gini([0.0] * 10 + [0.4]) == 1.0
    assert max_over_geomean([0.1]) is None
    assert gini([]) is None


def test_renaming_changes_nothing():
    rng = np.random.default_rng(0)
    rows = rng.integers(5, 40, 200)
    errors = rng.binomial(rows * (rows - 1) // 2, rng.uniform(0, 0.3, 200))
    order = rng.permutation(200)
    one = differential(made(errors, rows), 1.0)
    other = differential(made(errors[order], rows[order]), 1.0)
    assert one.garbe == other.garbe
    for a, b in ((one.far, other.far), (one.frr, other.frr)):
        assert (a.max_over_geomean, a.gini) == (b.max_over_geomean, b.gini)
        assert sorted(a.left_out) == sorted(order[list(b.left_out)])
        assert [cell.rate for cell in a.worst] == [cell.rate for cell in b.worst]
    assert [cell.name for cell in one.frr.worst] == [order[cell.name] for cell in other.frr.worst]


def test_fewer_than_thirty_pairs_are_listed_and_left_out():
    # Eight rows make 28 positive pairs, nine make 36.
    found = differential(made([28, 0, 18], [8, 9, 9], names=["few", "good", "bad"]), 1.0)
    assert found.frr.left_out == ("few",)
    assert [cell.name for cell in found.frr.worst] == ["bad", "good"]
    assert found.frr.max_over_geomean == pytest.approx((18.5 * 0.5) ** -0.5 * 18.5)
    assert found.far.left_out == ()
    assert found.frr.cells.names == ("few", "good", "bad")
    # Thirty negative pairs each are enough.
    assert differential(made([0, 0], [3, 10]), 1.0).far.left_out == ()


def test_fewer_than_two_cells_have_no_spread():
    found = differential(made([0, 4], [5, 9]), 1.0)
    assert (found.frr.max_over_geomean, found.frr.gini, found.garbe) == (None, None, None)
    assert [cell.name for cell in found.frr.worst] == [1]
    none = differential(made([0, 0], [2, 3]), 1.0)
    assert none.far.worst == none.frr.worst == ()
    assert none.far.left_out == none.frr.left_out == (0, 1)


def test_distractors_and_singletons_are_negatives_only():
    vectors, classes, _ = uneven_set(3)
    kept = [k for k, c in enumerate(classes) if 0 <= c < 4]
    bare = counts_of([vectors[k] for k in kept], [classes[k] for k in kept])
    counts = counts_of(vectors, classes)
    d = float(bare.class_distance[20])
    one, other = differential(bare, d), differential(counts, d)
    assert one.frr.cells.errors.tolist() == other.frr.cells.errors.tolist()
    assert other.far.cells.names == (0, 1, 2, 3)
    assert (other.far.cells.pairs - one.far.cells.pairs).tolist() == [6 * n for n in (12, 10, 9, 5)]


def test_without_groups_there_is_nothing_to_say():
    counts = made([1, 2], [10, 10])
    found = differential_over_groups(counts, 1.0)
    assert (found.far.max_over_geomean, found.far.worst, found.garbe) == (None, (), None)
    assert found.frr.left_out == ()
    assert share_across_groups(counts).positive is None
    over = opis_over_groups(counts, [1.0], [1.0])
    assert (over.value, over.names, over.mean_utility.size) == (None, (), 0)


def test_groups_alike_have_no_opis_however_classes_differ():
    part = made([40, 1, 0], [10, 10, 10])
    counts = part.with_groups((("a", part), ("b", part), ("few", made([1, 2], [3, 3]))))
    found = opis_over_groups(counts, [1.0, 1.5], [0.5, 0.5])
    assert (found.value, found.names, found.left_out) == (0.0, ("a", "b"), ("few",))
    alone = opis_over_groups(part.with_groups((("a", part),)), [1.0], [1.0])
    assert alone.value is None
    # A group of one class has no negatives, one of singletons no positives.
    no_negatives = made([3], [20])
    counts = part.with_groups((("a", part), ("one class", no_negatives)))
    assert opis_over_groups(counts, [1.0], [1.0], fewest_pairs=1).left_out == ("one class",)
    assert differential_over_groups(counts, 1.0).far.left_out == ("one class",)


def test_pairs_without_positives_have_no_share():
    part = replace(made([0, 0], [2, 2]), pool_positive=np.zeros(2, np.int64))
    across = share_across_groups(part.with_groups((("a", part),)))
    assert (across.positive, across.negative) == (None, 0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"distance": -0.1}, "threshold -0.1"),
        ({"distance": float("nan")}, "threshold nan"),
        ({"distance": float("inf")}, "threshold inf"),
        ({"confidence": 1.0}, "confidence 1.0"),
        ({"alpha": 1.5}, "alpha 1.5"),
        ({"worst": -1}, "worst -1"),
    ],
)
@pytest.mark.parametrize("measure", [differential, differential_over_groups])
def test_settings_that_are_not_allowed(measure, settings, message):
    part = made([1, 2], [10, 10])
    with pytest.raises(UsageError, match=message):
        measure(part.with_groups((("a", part),)), **({"distance": 1.0} | settings))
    with pytest.raises(UsageError, match="fewest pairs 0"):
        opis_over_groups(part, [1.0], [1.0], fewest_pairs=0)


def test_alpha_weighs_far():
    counts = made([30, 1, 4], [12, 12, 12], "far")
    assert differential(counts, 1.0, alpha=0.0).garbe == 0.0
    found = differential(counts, 1.0, alpha=1.0, worst=1)
    assert found.garbe == found.far.gini > 0
    assert len(found.far.worst) == 1
