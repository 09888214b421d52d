"""Queries against a gallery: measures, reports and what is refused."""

import dataclasses

import between_oracles as truth
import numpy as np
import pytest
from between import counted_between, joined
from between_oracles import Side, between_table
from oracles import class_utility as utility_by_loops
from oracles import exact_thresholds, far, frr, opis, recall_at

import opiscal
from opiscal import EvaluateConfig, Gallery
from opiscal.data.label_codes import CodedLabels
from opiscal.data.side_files import gallery_by_name
from opiscal.data.sides import Sides
from opiscal.errors import InconclusiveError, InputError, UsageError
from opiscal.measures.cell_intervals import effective_pairs_of_class
from opiscal.measures.class_influence import class_influence
from opiscal.measures.identification import identification_rates
from opiscal.measures.noise import utility_noise
from opiscal.measures.pair_terms import enough_rows, pair_terms
from opiscal.measures.rate_variance import rate_variance
from opiscal.measures.sampling_moments import sampling_moments
from opiscal.measures.utility import Utility, class_utility
from opiscal.measures.utility_bias import utility_bias


def drawn(classes, rows, seed, spread=0.7, width=8, among=None):
    """Vectors and labels: some rows of each class, or of those among which it is drawn."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((classes, width))
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), rows) if among is None else rng.choice(among, rows)
    return centres[labels] + spread * rng.standard_normal((labels.size, width)), labels


@pytest.fixture(scope="module")
def two():
    """Queries of 24 classes, of which 18 are in the gallery with six others."""
    queries, of_query = drawn(30, 110, 2, among=np.arange(24))
    items, of_item = drawn(30, 140, 3, among=np.arange(6, 30))
    return Side(queries, of_query.tolist()), Side(items, of_item.tolist())


@pytest.fixture(scope="module")
def report(two):
    queries, items = two
    return opiscal.evaluate(
        queries.vectors, queries.classes, gallery=(items.vectors, items.classes)
    )


def test_rates_opis_and_identification_are_those_of_the_loops(two, report):
    table = between_table(*two)
    met = truth.neighbours(*two)
    assert report.data.queries, report.data.gallery == (110, 140)
    assert report.data.queries_unknown == len(truth.unknown(met)) > 0
    assert report.data.classes_scored == len(table.scored)
    assert report.pairs.positive == len(table.pool_positive)
    assert report.pairs.negative == len(table.pool_negative)
    for point in (*report.operating_points, report.recommended_threshold):
        # The edge itself is rounded to float32, as distances are.
        d = point.distance + 1e-6
        assert point.far == pytest.approx(far(table, d), abs=2e-4)
        assert point.frr == pytest.approx(frr(table, d), abs=2e-4)
        assert point.fpir == pytest.approx(truth.fpir(met, d))
        assert point.fnir == pytest.approx(truth.fnir(met, d))
    low, high = report.calibration_range.distance
    nodes = exact_thresholds(report.counts.class_distance, low, high)
    assert report.opis.value == pytest.approx(opis(table, nodes), rel=2e-3)
    curves = class_utility(report.counts, [high], Utility())[:, 0]
    assert curves == pytest.approx(
        [utility_by_loops(table, c, high + 1e-6) for c in table.scored], abs=2e-3
    )
    ranks = truth.ranks(met)
    assert report.retrieval.queries == len(ranks)
    for k in (1, 2, 4, 8):
        share = sum(rank < k for rank in ranks) / len(ranks)
        assert report.retrieval.recall_at[str(k)] == share


def test_fnir_without_a_threshold_is_one_less_recall_at_1(report):
    last = identification_rates(report.counts, report.counts.distance[-1])
    assert last.fnir == pytest.approx(1 - report.retrieval.recall_at["1"])
    assert last.fpir == 1.0


def test_a_run_gives_it_back(report, tmp_path):
    report.save(tmp_path / "run", plots=False)
    again = opiscal.load(tmp_path / "run")
    assert again.to_dict() == report.to_dict()
    at = again.threshold(far=0.05)
    assert at == report.threshold(far=0.05)
    assert at.fnir is not None
    assert again.threshold(at=0.7).fpir == report.threshold(at=0.7).fpir


@pytest.fixture(scope="module")
def alone():
    """One set, and the same set as queries and gallery."""
    vectors, labels = drawn(14, 130, 4, among=np.arange(14), spread=0.9)
    ids = np.arange(labels.size)
    config = EvaluateConfig(splits=1)
    one = opiscal.evaluate(vectors, labels, config=config)
    both = opiscal.evaluate(
        vectors, labels, ids=ids, gallery=Gallery(vectors, labels, None, ids), config=config
    )
    return one, both


def test_a_gallery_that_is_the_query_set_gives_what_one_set_gives(alone):
    one, both = alone
    assert both.opis.value == pytest.approx(one.opis.value, rel=1e-6)
    assert both.opis.noise == pytest.approx(one.opis.noise, rel=1e-4)
    assert both.epsilon_opis.value == pytest.approx(one.epsilon_opis.value, rel=1e-6)
    assert both.epsilon_opis.null_value == pytest.approx(one.epsilon_opis.null_value, rel=1e-4)
    assert both.retrieval == one.retrieval
    assert both.split == one.split
    assert both.calibration_range == one.calibration_range
    assert both.opis.ci == pytest.approx(one.opis.ci, rel=1e-3)
    assert both.intervals == one.intervals
    for point, expected in zip(both.operating_points, one.operating_points, strict=True):
        assert point.distance == expected.distance
        for name in ("far", "frr", "utility", "far_ci", "frr_ci", "distance_ci"):
            found, known = getattr(point, name), getattr(expected, name)
            assert found == pytest.approx(known, rel=1e-3, abs=1e-6), name
    assert both.operating_points[-1].fpir is None
    assert both.data.queries_unknown == 0


def test_the_measures_of_the_query_set_against_itself(alone):
    one, both = (report.counts for report in alone)
    for rate in ("far", "frr"):
        for pool in ("pairs", "classes"):
            found, known = (class_influence(counts, rate, pool) for counts in (both, one))
            np.testing.assert_allclose(found.weight, known.weight)
            assert found.row_squares == pytest.approx(known.row_squares)
            # Every pair is met twice, and counts once.
            assert found.pairs == pytest.approx(known.pairs)
            assert found.independent == pytest.approx(known.independent)
            found, known = (rate_variance(counts, rate, pool) for counts in (both, one))
            np.testing.assert_allclose(found.variance, known.variance, rtol=1e-2, atol=1e-9)
    at = one.class_distance[[60, 120, 200]]
    noise = [utility_noise(counts, at, Utility()) for counts in (both, one)]
    np.testing.assert_allclose(noise[0], noise[1], rtol=1e-6, atol=1e-9)
    bias = [utility_bias(counts, Utility(), at, [0.3, 0.3, 0.4]) for counts in (both, one)]
    assert bias[0].mean == pytest.approx(bias[1].mean)
    assert bias[0].spread == pytest.approx(bias[1].spread)
    terms = [pair_terms(counts) for counts in (both, one)]
    for name in ("alone", "shared", "rows", "negative_rows"):
        np.testing.assert_allclose(getattr(terms[0], name), getattr(terms[1], name), err_msg=name)
    np.testing.assert_array_equal(enough_rows(both), enough_rows(one))
    for index in range(one.classes):
        for kind in ("far", "frr"):
            found, known = (
                effective_pairs_of_class(counts, index, kind, 0.9) for counts in (both, one)
            )
            assert found == pytest.approx(known, rel=1e-6)


def test_pair_terms_of_two_sets_without_common_items():
    side = [drawn(4, rows, seed) for rows, seed in ((3, 5), (5, 6))]
    _, counts, _ = counted_between(*(Side(x, y.tolist()) for x, y in side))
    terms = pair_terms(counts)
    q, g = 3, 5
    assert terms.alone == pytest.approx(np.full(4, 1 / (q * g)))
    assert terms.shared == pytest.approx(np.full(4, (q + g - 2) / (q * g)))
    assert terms.rows == pytest.approx(np.full(4, 4 * q * g / (q + g)))
    assert terms.disjoint == pytest.approx(np.full(4, q * g * (q - 1) * (g - 1)))
    assert enough_rows(counts).all()


def test_one_row_on_a_side_shows_no_noise():
    side = [drawn(4, rows, seed) for rows, seed in ((1, 5), (50, 6))]
    _, counts, _ = counted_between(*(Side(x, y.tolist()) for x, y in side))
    assert not enough_rows(counts).any()
    assert np.isnan(utility_noise(counts, [0.5], Utility())).all()


def test_sampling_variances_are_without_bias():
    """The mean of the estimates over draws of a class's rows is the variance over these draws."""
    rng = np.random.default_rng(11)
    centre = np.array([1.0, 0.0, 0.0, 0.0])
    others = [(rng.standard_normal((150, 4)), rng.integers(1, 30, 150)) for _ in range(2)]
    lattice, found, rates = None, [], []
    for _ in range(700):
        sides = [
            Side(
                np.concatenate([centre + 0.8 * rng.standard_normal((rows, 4)), vectors]),
                [*[0] * rows, *labels.tolist()],
            )
            for rows, (vectors, labels) in zip((4, 7), others, strict=True)
        ]
        lattice, counts, _ = counted_between(*sides, lattice=lattice)
        edge = int(np.searchsorted(counts.moment_distance, 0.9))
        moments = sampling_moments(counts, np.array([edge]), slice(0, 1))
        rates.append([moments.sensitivity[0, 0], moments.false_accepts[0, 0]])
        found.append(
            [
                moments.sensitivity_variance[0, 0],
                moments.false_accepts_variance[0, 0],
                moments.covariance[0, 0],
            ]
        )
    over_draws = np.cov(np.array(rates).T)
    estimated = np.mean(found, axis=0)
    assert estimated[0] == pytest.approx(over_draws[0, 0], rel=0.12)
    assert estimated[1] == pytest.approx(over_draws[1, 1], rel=0.15)
    assert estimated[2] == pytest.approx(over_draws[0, 1], rel=0.25)


def test_groups_are_of_pairs_with_both_ends_in_them(two):
    queries, items = two
    of_query = ["north" if c % 2 else "south" for c in queries.classes]
    of_item = ["south" if c % 3 else "west" for c in items.classes]
    report = opiscal.evaluate(
        queries.vectors,
        queries.classes,
        of_query,
        gallery=(items.vectors, items.classes, of_item),
    )
    ((name, part),) = report.counts.within_groups
    assert name == "south"
    chosen = [
        Side(
            [v for v, g in zip(side.vectors, of, strict=True) if g == "south"],
            [c for c, g in zip(side.classes, of, strict=True) if g == "south"],
        )
        for side, of in ((queries, of_query), (items, of_item))
    ]
    table = between_table(*chosen)
    assert (part.positive, part.negative) == (len(table.pool_positive), len(table.pool_negative))
    assert list(part.labels) == table.scored


def test_every_row_is_in_one_half_of_a_split(two):
    queries, items = two
    report = opiscal.evaluate(
        queries.vectors,
        queries.classes,
        gallery=(items.vectors, items.classes),
        config=EvaluateConfig(splits=2),
    )
    assert {rate.split for rate in report.split} == {1, 2}
    assert all(0 <= rate.far_achieved <= 1 for rate in report.split)


def test_threads_change_nothing(two):
    queries, items = two
    found = [
        opiscal.evaluate(
            queries.vectors,
            queries.classes,
            gallery=(items.vectors, items.classes),
            config=EvaluateConfig(threads=threads),
        ).to_dict()
        for threads in (1, 2)
    ]
    for document in found:
        del document["provenance"]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (
            {"gallery": (np.ones((4, 3)), [0, 0, 1, 1])},
            InputError,
            "queries have vectors of 2 dimensions and the gallery of 3",
        ),
        (
            {"gallery": (np.ones((4, 2)), [7, 7, 8, 8])},
            InputError,
            "no class is both among the queries (2 classes, such as 0) and in the gallery",
        ),
        (
            {"gallery": (np.ones((4, 2)), ["0", "0", "1", "1"])},
            InputError,
            "mix strings and integers",
        ),
        (
            {"gallery": (np.ones((4, 2)), [None] * 4)},
            InputError,
            "0 rows of the gallery can be used",
        ),
        ({"ids": [1, 2, 3, 4]}, UsageError, "ids were given without a gallery"),
        (
            {"ids": [1, 2, 3, 4], "gallery": (np.ones((4, 2)), [0, 0, 1, 1])},
            UsageError,
            "ids were given for the queries and not the gallery",
        ),
        (
            {"ids": [1, 2, 3], "gallery": (np.ones((4, 2)), [0, 0, 1, 1], None, [1, 2, 3, 4])},
            InputError,
            "8 vectors and 7 ids",
        ),
        (
            {
                "ids": [1, 1, 2, 2],
                "gallery": (np.ones((4, 2)), [0, 0, 1, 1], None, [1, 1, 2, 2]),
            },
            InputError,
            "all 8 pairs of one class are of an item with itself",
        ),
        (
            {"gallery": (np.ones((4, 2)), [0, 0, 0, 0])},
            InconclusiveError,
            "1 class on both sides",
        ),
        (
            {
                "gallery": (np.ones((4, 2)), [0, 0, 1, 1]),
                "config": EvaluateConfig(singletons="drop"),
            },
            UsageError,
            "singletons 'drop' with a gallery",
        ),
        (
            {
                "gallery": (np.ones((4, 2)), [0, 0, 1, 1]),
                "config": EvaluateConfig(pairs="sampled"),
            },
            UsageError,
            "pairs sampled with a gallery: of two sets every pair is counted",
        ),
        (
            {
                "gallery": (np.ones((4, 2)), [0, 0, 1, 1]),
                "config": EvaluateConfig(half=True),
            },
            UsageError,
            "half with a gallery",
        ),
    ],
)
def test_bad_input(given, error, words):
    vectors = np.array([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1]])
    with pytest.raises(error) as raised:
        opiscal.evaluate(vectors, [0, 0, 1, 1], **given)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_tie_goes_to_the_gallery_row_read_first():
    queries = Side([[0.0, 0.0]] * 2, [0, 1])
    gallery = Side([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], [1, 0, 1])
    _, counts, ranks = counted_between(queries, gallery, "l2")
    assert ranks.rank.tolist() == [1, 0]
    assert counts.gallery.identified[-1] == 1


def test_same_items_are_found_by_name():
    is_gallery = np.array([False, True, False, True, True])
    sides = Sides(is_gallery, np.array([3, 3, -1, -1, 3]))
    assert sides.same_item().tolist() == [[0, 0], [0, 2]]
    assert Sides(is_gallery).same_item().shape == (0, 2)
    other = dataclasses.replace(sides, item=np.array([3, 3, -1, -1, 4]))
    assert sides.digest() != other.digest() != Sides(is_gallery).digest()


@pytest.mark.parametrize(
    ("values", "gallery"),
    [
        (("Query", "Gallery"), [1]),
        (("anything", "probe"), [0]),
        (("gallery", "other"), [0]),
        (("queries", "enrolled", "never used"), [1]),
    ],
)
def test_sides_by_name(values, gallery):
    codes = np.array([0, 1, -1, 1])
    found = gallery_by_name(CodedLabels(values, codes), "side")
    assert found.tolist() == np.isin(codes, gallery).tolist()


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (("a", "b"), "'a', 'b'"),
        (("query",), "'query'"),
        (("query", "probe"), "'query', 'probe'"),
        (("query", "gallery", "train"), "'query', 'gallery', 'train'"),
        (tuple("abcdefg"), "'a', 'b', 'c', 'd', 'e' and 2 more"),
        ((), "none"),
    ],
)
def test_a_split_column_of_other_values(values, shown):
    codes = np.arange(len(values))
    with pytest.raises(InputError, match="split column 'side'") as raised:
        gallery_by_name(CodedLabels(values, codes), "side")
    assert f"has the values {shown};" in str(raised.value)


def test_recall_of_the_same_set_is_that_of_one_set():
    vectors, labels = drawn(5, 6, 8)
    one, ids = Side(vectors.tolist(), labels.tolist()), list(range(30))
    _, _, ranks = counted_between(one, one, "l2", (ids, ids))
    assert np.mean(ranks.rank < 1) == recall_at(one.vectors, one.classes, 1, "l2")
    assert joined(one, one)[0].rows == 60
