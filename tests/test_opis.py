"""OPIS and eps-OPIS: against the loops, from curves and from whole sets."""

import numpy as np
import pytest
from counted import exact_sets, reported
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import (
    curves_on_lattice,
    epsilon_opis_of,
    mean_utility_of,
    nodes,
    opis_of,
)
from oracles import class_mean_utilities, exact_thresholds, pair_table
from oracles import epsilon_opis as true_epsilon_opis
from oracles import opis as true_opis

from opiscal.errors import InconclusiveError, UsageError
from opiscal.measures.opis import (
    Integration,
    epsilon_opis,
    mean_over_range,
    opis,
    opis_by_class,
)

VARIANTS = [(a, r) for a in ("others", "best") for r in ("range", "threshold")]
EPSILONS = (0.01, 0.1, 0.25, 1 / 3, 0.4, 0.5)


@st.composite
def utility_curves(draw):
    """Curves of eighths over five even thresholds: means are exact, ties many."""
    classes = draw(st.integers(2, 12))
    value = st.integers(0, 8).map(lambda k: k / 8)
    return draw(
        st.lists(st.lists(value, min_size=5, max_size=5), min_size=classes, max_size=classes)
    )


THRESHOLDS = [0.0, 0.25, 0.5, 0.75, 1.0]
WEIGHTS = [0.125, 0.25, 0.25, 0.25, 0.125]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(utility_curves())
def test_opis_of_curves(curves):
    assert opis(curves, WEIGHTS) == pytest.approx(opis_of(curves, THRESHOLDS), abs=1e-14)
    assert np.mean(opis_by_class(curves, WEIGHTS)) == pytest.approx(
        opis(curves, WEIGHTS), abs=1e-14
    )
    assert 0 <= opis(curves, WEIGHTS) <= 0.25


@pytest.mark.parametrize(("against", "rank"), VARIANTS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(utility_curves(), st.sampled_from(EPSILONS))
def test_epsilon_opis_of_curves(against, rank, curves, epsilon):
    value, worst = epsilon_opis_of(curves, THRESHOLDS, epsilon, against, rank)
    found = epsilon_opis(curves, WEIGHTS, epsilon, against, rank)
    assert found.value == pytest.approx(value, abs=1e-14)
    assert found.worst.tolist() == worst


@settings(max_examples=30, deadline=None, derandomize=True)
@given(utility_curves(), st.sampled_from(EPSILONS))
def test_how_the_variants_are_ordered(curves, epsilon):
    found = {
        (against, rank): epsilon_opis(curves, WEIGHTS, epsilon, against, rank).value
        for against, rank in VARIANTS
    }
    # The best m of the others stand above the mean of the others.
    if len(curves) >= 2 * max(1, int(np.ceil(epsilon * len(curves) - 1e-9))):
        assert found["best", "threshold"] >= found["others", "threshold"] - 1e-14
    if len(curves) == 2:
        # Both classes are half the gap away from their mean.
        for value in found.values():
            assert value >= 0
        assert found["others", "range"] == pytest.approx(4 * opis(curves, WEIGHTS), abs=1e-14)
        assert len(set(found.values())) == 1


@pytest.mark.parametrize(
    ("classes", "epsilon", "worst"),
    [(2, 0.01, 1), (2, 0.5, 1), (3, 0.5, 2), (10, 0.1, 1), (11, 0.1, 2), (30, 0.1, 3),
     (70, 0.1, 7), (77, 0.1, 8), (659, 0.1, 66), (100, 0.07, 7), (10, 1e-300, 1)],
)  # fmt: skip
def test_how_many_classes_are_the_worst(classes, epsilon, worst):
    # 0.07 * 100 is 7.000000000000001 to a computer: still 7 classes.
    curves = np.linspace(0, 1, classes)[:, None]
    found = epsilon_opis(curves, [1.0], epsilon)
    assert found.worst.tolist() == list(range(worst))


def test_ties_go_to_the_first_label_whatever_the_number_of_classes():
    # Matrix products add the rows at their borders in another order: equal curves then differ in
    # the sixteenth digit, and the last label would be the worst.
    rng = np.random.default_rng(0)
    curve, weights = rng.random(337), rng.random(337)
    weights /= weights.sum()
    for classes in (2, 3, 5, 7, 13, 23, 50, 101):
        curves = np.tile(curve, (classes, 1))
        means = mean_over_range(curves, weights)
        assert np.ptp(means) == 0
        assert means[0] == pytest.approx(curve @ weights)
        found = epsilon_opis(curves, weights, 0.5)
        assert found.worst.tolist() == list(range((classes + 1) // 2))
        assert found.value == 0.0
        assert opis(curves, weights) == 0.0


def test_fewer_than_two_classes_is_an_error_and_not_a_zero():
    for call in (opis, opis_by_class, epsilon_opis):
        for curves in (np.empty((0, 2)), [[0.5, 0.5]]):
            with pytest.raises(InconclusiveError, match="needs at least two"):
                call(curves, [0.5, 0.5])


@pytest.mark.parametrize("epsilon", [0.0, -0.1, 0.51, float("nan"), 1.0])
def test_an_epsilon_that_is_not_allowed(epsilon):
    with pytest.raises(UsageError, match=r"above 0 and at most 0.5") as caught:
        epsilon_opis([[0.1], [0.2]], [1.0], epsilon)
    assert repr(epsilon) in str(caught.value)


def test_options_that_do_not_exist():
    with pytest.raises(UsageError, match=r"eps-against 'all': must be others or best"):
        epsilon_opis([[0.1], [0.2]], [1.0], against="all")
    with pytest.raises(UsageError, match=r"eps-rank 'once': must be range or threshold"):
        epsilon_opis([[0.1], [0.2]], [1.0], rank="once")


# Nodes


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.floats(0, 2), min_size=1, max_size=30, unique=True),
    st.floats(0, 2),
    st.floats(0, 2),
)
def test_nodes_and_their_weights(edges, one, other):
    low, high = sorted((one, other))
    edges = np.sort(edges)
    at, weights = Integration().nodes(edges, low, high)
    assert at.tolist() == nodes(edges.tolist(), low, high)
    assert weights.sum() == pytest.approx(1.0)
    assert np.all(weights >= 0)
    if high - low > 1e-6:
        # The trapezoid is exact for a straight line.
        assert (3 + 2 * at) @ weights == pytest.approx(3 + low + high)
    at, weights = Integration.parse("grid:5").nodes(edges, low, high)
    wanted = nodes(edges.tolist(), low, high, "grid:5")
    assert at.tolist() == pytest.approx(wanted)
    assert weights.tolist() == pytest.approx([1 / len(wanted)] * len(wanted))


@pytest.mark.parametrize(
    "text", ["", "grid", "grid:", "grid:1", "grid:0", "grid:-3", "grid:100001", "grid:1e3",
             "trapezoid", "exact:3", "grid:" + "9" * 5000, "grid:٣"],
)  # fmt: skip
def test_an_integration_that_is_not_allowed(text):
    with pytest.raises(UsageError, match=r"exact or grid:K with K from 2 to 100000"):
        Integration.parse(text)


# Whole sets


@pytest.mark.parametrize("kind", ["sensitivity-specificity", "precision-recall"])
@pytest.mark.parametrize("integration", ["exact", "grid:2", "grid:17"])
@settings(max_examples=4, deadline=None, derandomize=True)
@given(exact_sets(), st.sampled_from([1.0, 0.4, 3.0]), st.data())
def test_reports_equal_the_loops(integration, kind, data, c, options):
    vectors, classes, metric = data
    against, rank = options.draw(st.sampled_from(VARIANTS))
    epsilon = options.draw(st.sampled_from(EPSILONS))
    ends = options.draw(st.sampled_from(["distance=0.3:1.9", "frr=0.05:0.9", "distance=2:1"]))
    report = reported(
        vectors, classes, metric, range=ends, integration=integration, utility=kind, c=c,
        epsilon=epsilon, eps_against=against, eps_rank=rank,
    )  # fmt: skip
    table = pair_table(vectors, classes, metric)
    low, high = report.calibration_range.distance
    class_edges = report.counts.class_distance.tolist()
    at = nodes(class_edges, low, high, integration)
    curves = curves_on_lattice(table, class_edges, at, kind, c)
    assert report.opis.value == pytest.approx(opis_of(curves, at, integration), abs=1e-12)
    value, worst = epsilon_opis_of(curves, at, epsilon, against, rank, integration)
    found = report.epsilon_opis
    assert found.value == pytest.approx(value, abs=1e-12)
    assert (found.epsilon, found.against, found.rank) == (epsilon, against, rank)
    assert len(found.worst_classes) == len(worst)
    # Which of two classes with equal means comes first hangs on the sixteenth digit.
    means = [mean_utility_of([curve], at, integration) for curve in curves]
    assert [means[table.scored.index(c)] for c in found.worst_classes] == pytest.approx(
        [means[c] for c in worst], abs=1e-12
    )
    assert report.utility.mean == pytest.approx(mean_utility_of(curves, at, integration), abs=1e-12)
    assert (report.utility.kind, report.utility.c) == (kind, c)


@pytest.mark.parametrize(("classes", "m"), [(2, 1), (3, 2), (9, 5)])
@pytest.mark.parametrize(("against", "rank"), VARIANTS)
def test_reports_equal_the_definitions_where_every_threshold_is_an_edge(classes, m, against, rank):
    # No interpolation on either side: the ends of the range are made class edges.
    rng = np.random.default_rng(classes)
    ids = (np.arange(8 * classes) % classes).tolist()
    vectors = rng.integers(-4, 5, (len(ids), 2)).tolist()
    table = pair_table(vectors, ids, "l2")
    base = reported(vectors, ids, "l2", range="distance=1:6").counts.class_distance
    low, high = base[np.searchsorted(base, [1.5, 5.0])].tolist()
    report = reported(
        vectors, ids, "l2", range=f"distance={low!r}:{high!r}", epsilon=0.5,
        eps_against=against, eps_rank=rank,
    )  # fmt: skip
    edges = report.counts.class_distance
    for end in (low, high):
        assert np.abs(edges - end).min() <= 5e-9 * end
    at = exact_thresholds(edges.tolist(), *report.calibration_range.distance)
    assert report.opis.value == pytest.approx(true_opis(table, at), rel=1e-6)
    wanted = true_epsilon_opis(table, at, 0.5, against, rank)
    assert report.epsilon_opis.value == pytest.approx(wanted, rel=1e-6)
    means = class_mean_utilities(table, at)
    assert list(report.epsilon_opis.worst_classes) == sorted(means, key=means.get)[:m]
