"""Displays: their numbers and labels, and files of equal bytes. Never pixels."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from scipy.special import ndtri

import opiscal
from opiscal.errors import UsageError
from opiscal.measures.rates import class_counts_at, rate_curve
from opiscal.measures.utility import Utility, class_utility
from opiscal.report.advice import find_advice
from opiscal.report.class_table import class_table
from opiscal.report.displays.class_ranking import MOST_NAMED, ClassRankingDisplay
from opiscal.report.displays.class_thresholds import ClassThresholdsDisplay
from opiscal.report.displays.consistency import ConsistencyDisplay, pareto_front
from opiscal.report.displays.display import Display
from opiscal.report.displays.distances import DistancesDisplay, LogDistancesDisplay
from opiscal.report.displays.figure_files import figure_bytes
from opiscal.report.displays.inline import inline_figure
from opiscal.report.displays.kinds import KINDS, displays_of
from opiscal.report.displays.overlay import OverlayDisplay
from opiscal.report.displays.rates import RatesDisplay
from opiscal.report.displays.spread import SpreadDisplay
from opiscal.report.displays.style import STYLES, figure_style
from opiscal.report.displays.tradeoff import DetDisplay, RocDisplay
from opiscal.report.displays.utility_curves import MOST_LINES, UtilityCurvesDisplay
from opiscal.report.record import Report
from opiscal.report.rounding import round_down, round_up

EVERY = (
    UtilityCurvesDisplay, RatesDisplay, DistancesDisplay, LogDistancesDisplay, DetDisplay,
    RocDisplay, ClassRankingDisplay, ClassThresholdsDisplay, SpreadDisplay,
)  # fmt: skip


def make_report(
    classes: int = 8,
    rows: int = 6,
    groups: bool = False,
    names: list[str] | None = None,
    seed: int = 0,
    **settings: object,
) -> Report:
    rng = np.random.default_rng(seed)
    labels = np.arange(rows * classes) % classes
    noise = np.where(labels == 3, 1.6, 0.8)[:, None] * rng.normal(size=(labels.size, 16))
    vectors = rng.normal(size=(classes, 16))[labels] + noise
    return opiscal.evaluate(
        vectors,
        labels if names is None else np.array(names, dtype=object)[labels],
        np.where(labels % 2, "north", "south") if groups else None,
        config=opiscal.EvaluateConfig(**settings),  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report(groups=True)


@pytest.fixture(scope="module")
def many() -> Report:
    return make_report(classes=MOST_LINES + 1, rows=3)


def legend(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def lines(ax: Axes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {str(line.get_label()): line.get_data() for line in ax.lines}


def title_of(ax: Axes) -> str:
    return " ".join(ax.get_title(loc="left").split())


def notes(ax: Axes) -> list[str]:
    return [" ".join(text.get_text().split()) for text in ax.texts]


def test_utility_curves_hold_the_utility_at_their_thresholds(report: Report) -> None:
    display = UtilityCurvesDisplay.from_report(report)
    expected = class_utility(report.counts, display.distance, Utility())
    np.testing.assert_array_equal(display.utility, expected)
    np.testing.assert_allclose(display.mean, expected.mean(axis=0))
    low, high = report.calibration_range.distance
    assert {low, high, report.recommended_threshold.distance} <= set(display.distance)
    assert display.distance[0] == pytest.approx(max(0.0, 2 * low - high))
    assert display.distance.size < 170
    worst = [report.counts.labels[k] for k in display.worst]
    assert set(worst) == set(report.epsilon_opis.worst_classes)
    utility = dict(zip(report.counts.labels, class_table(report).mean_utility, strict=True))
    others = [utility[label] for label in utility if label not in worst]
    lost = 100 * (np.mean(others) - np.mean([utility[label] for label in worst]))
    assert display.points_lost == pytest.approx(lost)


def test_utility_curves_are_drawn(report: Report) -> None:
    display = UtilityCurvesDisplay.from_report(report)
    assert display.plot() is display
    ax = display.ax_
    assert isinstance(display.figure_, Figure)
    arts = [art for art in ax.collections if isinstance(art, LineCollection)]
    drawn = np.concatenate([np.array(art.get_segments())[:, :, 1] for art in arts])
    np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(display.utility, axis=0))
    # The worst class has a colour of its own.
    assert [len(art.get_segments()) for art in arts] == [7, 1]
    np.testing.assert_allclose(arts[1].get_segments()[0][:, 1], display.utility[display.worst[0]])
    np.testing.assert_array_equal(lines(ax)["mean over classes"][1], display.mean)
    np.testing.assert_array_equal(lines(ax)["worst class"][1], display.worst_mean)
    assert ax.get_xlim() == pytest.approx((display.distance[0], display.distance[-1]))
    assert ax.get_xlabel() == "unit L2 distance"
    assert "F-score of sensitivity and specificity" in ax.get_ylabel().replace("\n", " ")
    assert title_of(ax) == find_advice(report).verdict
    assert "calibration range" in legend(ax)
    similarity = round_up(report.recommended_threshold.similarity, 6)
    assert f"recommended: similarity {similarity:g}" in legend(ax)


def test_similarity_is_marked_above(report: Report) -> None:
    ax = UtilityCurvesDisplay.from_report(report).plot().ax_
    (top,) = ax.child_axes
    assert top.get_xlabel() == "cosine similarity"
    ax.figure.draw_without_rendering()
    shown = [float(text.get_text()) for text in top.get_xticklabels()]
    assert len(shown) >= 3
    np.testing.assert_allclose(top.get_xticks(), shown)
    places = np.sqrt(2 - 2 * np.array(shown))
    left, right = ax.get_xlim()
    assert left <= places.min() < places.max() <= right
    assert np.diff(np.sort(places)).min() >= 0.12 * (right - left)


def test_l2_has_no_similarity() -> None:
    report = make_report(metric="l2", utility="precision-recall")
    for display in displays_of(report, ("utility-curves", "rates", "distances")):
        ax = display.plot().ax_
        assert ax.get_xlabel() == "L2 distance"
        assert ax.child_axes == []
        distance = round_down(report.recommended_threshold.distance, 6)
        assert f"recommended: distance {distance:g}" in legend(ax)
    assert "precision and recall" in next(displays_of(report)).plot().ax_.get_ylabel()


def test_many_classes_are_bands(many: Report) -> None:
    display = UtilityCurvesDisplay.from_report(many).plot()
    labels = legend(display.ax_)
    assert labels[:2] == ["5 to 95 % of 301 classes", "25 to 75 % of 301 classes"]
    assert "mean of the worst 31" in labels
    assert not any(isinstance(art, LineCollection) for art in display.ax_.collections)
    band = display.ax_.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(np.percentile(display.utility, 5, axis=0).min())
    assert band.max() == pytest.approx(np.percentile(display.utility, 95, axis=0).max())


@pytest.mark.parametrize("pool", ["pairs", "classes"])
def test_rates_are_those_that_were_counted(pool: str) -> None:
    report = make_report(classes=40, pool=pool)
    display = RatesDisplay.from_report(report)
    curve = rate_curve(report.counts, pool)
    at = np.searchsorted(curve.distance, display.distance)
    np.testing.assert_array_equal(curve.distance[at], display.distance)
    np.testing.assert_array_equal(curve.far[at], display.far)
    np.testing.assert_array_equal(curve.frr[at], display.frr)
    # Intervals hold the rates, and are those of the report's own points.
    for rate, between in ((display.far, display.far_ci), (display.frr, display.frr_ci)):
        assert (between[0] <= rate).all()
        assert (rate <= between[1]).all()
    point = report.operating_points[0]
    place = int(np.searchsorted(display.distance, point.distance))
    assert tuple(display.far_ci[:, place]) == point.far_ci
    assert tuple(display.frr_ci[:, place]) == point.frr_ci
    # Nine classes in ten lie within the band.
    accepted = class_counts_at(report.counts, display.distance)
    far = accepted.negative / report.counts.negatives_of_class[:, None]
    inside = (display.far_of_classes[0] <= far) & (far <= display.far_of_classes[1])
    assert inside.mean(axis=0).min() >= 0.89


def test_rates_are_drawn(report: Report) -> None:
    display = RatesDisplay.from_report(report).plot()
    ax = display.ax_
    np.testing.assert_array_equal(lines(ax)["FAR with its interval"][1], np.where(
        display.far > 0, display.far, np.nan
    ))  # fmt: skip
    styles = {line.get_label(): line.get_linestyle() for line in ax.lines}
    assert styles["FAR with its interval"] != styles["FRR with its interval"]
    assert ax.get_yscale() == "log"
    point = report.recommended_threshold
    assert title_of(ax) == (
        f"The recommended threshold has FAR {100 * point.far:.3g} % and FRR {100 * point.frr:.3g} %"
    )
    left, right = ax.get_xlim()
    assert left <= report.calibration_range.distance[0] < right
    shown = {name for name, *_ in display.points}
    assert {"FAR 0.1", "EER", "best utility"} <= shown
    marks = [line.get_data() for line in ax.lines if line.get_marker() == "o"]
    at_tenth = next(point for point in report.operating_points if point.target == 0.1)
    assert any(x == at_tenth.distance and y == at_tenth.far for (x,), (y,) in marks)
    assert f"{100 * at_tenth.frr:.3g} %" in notes(ax)


def test_rates_without_intervals_have_none(report: Report) -> None:
    bare = RatesDisplay.from_report(replace(report, intervals=None))
    assert bare.far_ci is None
    assert {"FAR", "FRR"} <= set(legend(bare.plot().ax_))


@pytest.mark.parametrize("kind", [DistancesDisplay, LogDistancesDisplay])
def test_histograms_hold_the_pairs(report: Report, kind: type[DistancesDisplay]) -> None:
    display = kind.from_report(report)
    assert display.positive.min() >= 0
    # On a logarithmic axis all pairs are there, on a linear one nearly all.
    whole = pytest.approx(1.0, abs=0.002 if kind.scale == "log" else 0.01)
    assert display.positive.sum() == whole
    assert display.negative.sum() == whole
    curve = rate_curve(report.counts)
    k = 40
    far = np.interp(display.edges[k], curve.distance, curve.far)
    below = np.interp(display.edges[0], curve.distance, curve.far)
    assert display.negative[:k].sum() == pytest.approx(far - below, abs=1e-12)
    ax = display.plot().ax_
    assert ax.get_yscale() == kind.scale
    assert {"positive pairs", "negative pairs"} <= set(legend(ax))
    point = report.recommended_threshold
    assert f"rejects {100 * point.frr:.3g} % of positive" in title_of(ax)


def test_pairs_at_distance_zero_are_in_the_first_bin() -> None:
    vectors = np.repeat(np.random.default_rng(0).normal(size=(6, 4)), 3, axis=0)
    report = opiscal.evaluate(vectors, np.arange(18) // 3)
    display = LogDistancesDisplay.from_report(report)
    assert display.positive[0] == 1.0
    assert display.negative.sum() == pytest.approx(1.0)


def test_det_curve_is_on_probit_axes(report: Report) -> None:
    display = DetDisplay.from_report(report)
    assert (np.diff(display.far) >= 0).all()
    assert (np.diff(display.frr) <= 0).all()
    assert display.far.min() > 0 < display.frr.min()
    ax = display.plot().ax_
    x, y = lines(ax)["DET curve"]
    np.testing.assert_allclose(x, ndtri(display.far))
    np.testing.assert_allclose(y, ndtri(display.frr))
    for text, place in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True):
        assert ndtri(float(text.get_text().rstrip(" %")) / 100) == pytest.approx(place)
    low, high = report.verification.eer
    assert title_of(ax).startswith(f"Equal error rate {50 * (low + high):.3g} %")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("FAR", "FRR")
    # The interval of FAR at an operating point is drawn where it is.
    point = report.operating_points[0]
    assert any(
        np.allclose(line.get_xdata(), ndtri(point.far_ci))
        for line in ax.lines
        if len(line.get_xdata()) == 2
    )


def test_roc_curve_is_on_a_logarithmic_far(report: Report) -> None:
    display = RocDisplay.from_report(report)
    ax = display.plot().ax_
    x, y = lines(ax)["accepted positives"]
    np.testing.assert_array_equal(x, display.far)
    np.testing.assert_allclose(y, 1 - display.frr)
    assert ax.get_xscale() == "log"
    lowest = min((p for p in report.operating_points if p.criterion == "far"), key=lambda p: p.far)
    assert title_of(ax) == (
        f"At FAR {100 * lowest.target:g} % the model accepts {100 * (1 - lowest.frr):.3g} % of "
        "positive pairs"
    )


def test_classes_are_ranked(report: Report) -> None:
    display = ClassRankingDisplay.from_report(report)
    table = class_table(report)
    assert (np.diff(display.utility) >= 0).all()
    assert display.label[0] == str(table.label[int(table.mean_utility.argmin())])
    np.testing.assert_allclose(np.sort(table.utility_error), np.sort(display.error))
    ax = display.plot().ax_
    assert [text.get_text() for text in ax.get_yticklabels()] == list(display.label)
    title = title_of(ax)
    assert title.startswith(f"Worst class {display.label[0]} with utility {display.utility[0]:.2f}")


def test_of_many_classes_the_worst_are_named() -> None:
    names = [f"name-{k:03}" for k in range(MOST_NAMED + 5)]
    report = make_report(classes=len(names), names=names)
    display = ClassRankingDisplay.from_report(report)
    ax = display.plot().ax_
    assert [text.get_text() for text in ax.texts] == list(display.label[:8])
    assert ax.get_xlabel() == "classes, the worst first"
    np.testing.assert_array_equal(lines(ax)["classes"][1], display.utility)
    np.testing.assert_array_equal(lines(ax)["worst 3"][1], display.utility[:3])


def test_own_thresholds_and_what_is_lost(report: Report) -> None:
    display = ClassThresholdsDisplay.from_report(report)
    counts, at = report.counts, report.recommended_threshold.distance
    for k in range(counts.classes):
        curve = class_utility(counts, counts.class_distance, Utility())[k]
        assert display.best[k] == counts.class_distance[int(curve.argmax())]
        here = class_utility(counts, [at], Utility())[k, 0]
        assert display.lost[k] == pytest.approx(curve.max() - here)
    ax = display.plot().ax_
    np.testing.assert_allclose(
        ax.collections[0].get_offsets(), np.column_stack([display.best, 100 * display.lost])
    )
    assert title_of(ax).replace("\n", " ").endswith(f"at most {100 * display.lost.max():.1f}")
    assert [text.get_text() for text in ax.texts] == [display.label[k] for k in display.worst]


def test_spread_over_classes_and_groups(report: Report) -> None:
    display = SpreadDisplay.from_report(report)
    table, point = class_table(report), report.recommended_threshold
    far, frr, far_groups, frr_groups = display.strips
    np.testing.assert_array_equal(far.rate, table.far)
    np.testing.assert_array_equal(frr.rate, table.frr)
    assert (far.pooled, frr.pooled) == (point.far, point.frr)
    assert frr.worst == str(table.label[int(table.frr.argmax())])
    worst = {cell.label: cell.rate for cell in report.differential.groups.frr.worst}
    for (name, _), rate in zip(report.counts.within_groups, frr_groups.rate, strict=True):
        assert rate == pytest.approx(worst[name])
    ax = display.plot().ax_
    rows = [text.get_text().replace("\n", " ") for text in ax.get_yticklabels()]
    assert rows == ["FAR of classes", "FRR of classes", "FAR of groups", "FRR of groups"]
    assert far_groups.name == "FAR of groups"
    twentieth = 100 * np.percentile(table.frr, 95)
    assert f"one FRR of {twentieth:.3g} % or more" in title_of(ax)
    # A place of its own for 0, left of every rate.
    assert ax.get_xticklabels()[0].get_text() == "0"
    assert ax.get_xticks()[0] < min(far.rate[far.rate > 0].min(), frr.rate[frr.rate > 0].min())


def test_spread_without_groups_has_two_rows(many: Report) -> None:
    display = SpreadDisplay.from_report(many)
    assert len(display.strips) == 2


@pytest.mark.parametrize("kind", EVERY)
def test_axes_that_are_given_are_used(report: Report, kind: type[Display]) -> None:
    left, right = Figure().subplots(1, 2)
    first = kind.from_report(report).plot(ax=left)
    second = kind.from_report(report).plot(right)
    assert (first.ax_, second.ax_) == (left, right)
    assert first.figure_ is second.figure_
    part = Figure().subfigures(1, 2)[0]
    assert first.plot(ax=part.subplots()).figure_ is part.figure


def test_numbers_are_frozen(report: Report) -> None:
    for display in displays_of(report):
        for field in fields(display):
            if field.init:
                with pytest.raises(FrozenInstanceError):
                    setattr(display, field.name, None)
        assert not hasattr(display, "ax_")


def test_every_kind_has_a_display(report: Report) -> None:
    assert [type(one) for one in displays_of(report)] == list(EVERY)
    assert tuple(one.kind for one in EVERY) == KINDS
    with pytest.raises(UsageError, match="kind 'pie': must be one of utility-curves, rates"):
        list(displays_of(report, ("pie",)))


@pytest.mark.parametrize("kind", EVERY)
def test_two_runs_are_overlaid(report: Report, kind: type[Display]) -> None:
    other = make_report(seed=1, classes=12)
    first, second = kind.from_report(report), kind.from_report(other)
    overlay = OverlayDisplay.of(first, second, ("old\x1b[0m", "new"))
    assert overlay.plot() is overlay
    ax = overlay.ax_
    title = title_of(ax)
    (what, was), (_, now) = first.headline, second.headline
    assert title == " ".join(f"{what}: {was} (old\\x1b[0m), {now} (new)".split())
    names = legend(ax)
    assert any(name.endswith(", old\\x1b[0m") for name in names)
    assert any(name.endswith(", new") for name in names)
    # Both lie within the axes.
    for alone in (first, second):
        left, right = alone.plot().ax_.get_xlim()
        if kind not in (ClassRankingDisplay, SpreadDisplay, DetDisplay, RocDisplay):
            assert ax.get_xlim()[0] <= left
            assert right <= ax.get_xlim()[1]
    ax.figure.draw_without_rendering()


def test_only_like_is_laid_over_like(report: Report) -> None:
    rates = RatesDisplay.from_report(report)
    with pytest.raises(UsageError, match="rates and det"):
        OverlayDisplay.of(rates, DetDisplay.from_report(report), ("a", "b"))
    with pytest.raises(UsageError, match="cosine and l2"):
        OverlayDisplay.of(rates, RatesDisplay.from_report(make_report(metric="l2")), ("a", "b"))


@pytest.mark.parametrize("style", STYLES)
def test_files_are_equal_bytes(report: Report, style: str) -> None:
    made = []
    for _ in range(2):
        with figure_style(style):
            figure = SpreadDisplay.from_report(report).plot().figure_
            made.append([figure_bytes(figure, "x", one, dpi=60) for one in ("svg", "png", "pdf")])
    assert made[0] == made[1]
    svg, png, pdf = made[0]
    assert b"<svg" in svg
    assert png.startswith(b"\x89PNG")
    assert pdf.startswith(b"%PDF")


def test_styles_are_put_in_force_and_taken_back(report: Report) -> None:
    before = mpl.rcParams["text.color"], mpl.rcParams["font.size"]
    with figure_style("dark"):
        ax = UtilityCurvesDisplay.from_report(report).plot().ax_
        (mean,) = [line for line in ax.lines if line.get_label() == "mean over classes"]
        assert mean.get_color() == mpl.rcParams["text.color"] == "#e8e8e8"
    with figure_style("ggplot"):
        assert mpl.rcParams["axes.facecolor"] == "#E5E5E5"
    assert (mpl.rcParams["text.color"], mpl.rcParams["font.size"]) == before
    with (
        pytest.raises(UsageError, match="style 'nope': not known; choose light, dark"),
        figure_style("nope"),
    ):
        pass


def test_models_by_error_and_consistency() -> None:
    report, other = make_report(classes=12), make_report(seed=1, classes=12)
    names = ("old", "n\x1b[0mew")
    display = ConsistencyDisplay.from_reports([report, other], names, pairs=[names])
    for k, one in enumerate((report, other)):
        assert display.error[k] == pytest.approx(np.mean(one.verification.eer))
        assert tuple(display.error_ci[:, k]) == one.verification.eer_ci
        assert display.opis[k] == one.opis.corrected
        assert tuple(display.opis_ci[:, k]) == one.opis.corrected_ci
    assert display.corrected
    ax = display.plot().ax_
    assert ax.get_ylabel() == "OPIS without noise"
    said = [text.get_text() for text in ax.texts if text.get_text()]
    assert said == ["old", "n\\x1b[0mew"]
    (arrow,) = [text for text in ax.texts if not text.get_text()]
    assert arrow.xyann == (display.error[0], display.opis[0])
    assert arrow.xy == (display.error[1], display.opis[1])
    for low, high in ((ax.get_xlim(), display.error_ci), (ax.get_ylim(), display.opis_ci)):
        assert low[0] < high.min()
        assert high.max() < low[1]
    by_recall = ConsistencyDisplay.from_reports([report, other], names, error="recall")
    assert by_recall.error[0] == 1 - report.retrieval.recall_at["1"]
    low, high = by_recall.error_ci
    assert np.all((low <= by_recall.error) & (by_recall.error <= high) & (low < high))
    # Points lie close together where intervals are wide: names go to either side of them.
    wide = replace(
        display,
        error=display.error[0] + np.array([0.0, 0.01]),
        opis=display.opis[0] + np.array([0.0, 1e-4]),
        error_ci=np.array([[0.0, 0.0], [0.9, 0.9]]),
        opis_ci=np.array([[0.0, 0.0], [0.2, 0.2]]),
    )
    texts = {text.get_text(): text.xyann[1] for text in wide.plot().ax_.texts}
    assert texts["old"] < 0 < texts["n\\x1b[0mew"]
    at_far = ConsistencyDisplay.from_reports([report, other], names, error="far=0.1")
    assert at_far.error[1] == other.threshold(far=0.1).frr
    assert at_far.plot().ax_.get_xlabel() == "recognition error: FRR at FAR 0.1"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"error": "nope"}, "error 'nope': must be eer, recall or far=x"),
        ({"error": "far=x"}, "error 'far=x': must be eer, recall or far=x"),
        ({"error": "far=1e-9"}, "the data of 'a' cannot support that FAR"),
        ({"pairs": [("a", "c")]}, "pair 'a:c': no model is called 'c'; they are 'a', 'b'"),
    ],
)
def test_a_wrong_picture_of_models_is_refused(
    report: Report, asked: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        ConsistencyDisplay.from_reports([report, report], ("a", "b"), **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_what_nobody_beats(seed: int) -> None:
    rng = np.random.default_rng(seed)
    error, opis = rng.integers(0, 5, size=(2, 9)) / 10
    front = pareto_front(error, opis).tolist()
    for k in range(9):
        beaten = any(
            error[j] <= error[k]
            and opis[j] <= opis[k]
            and (error[j], opis[j]) != (error[k], opis[k])
            for j in range(9)
        )
        assert beaten != (k in front)
    assert (np.diff(error[front]) >= 0).all()


HOSTILE = [
    "<script>alert(1)</script>", '"quoted" & \'single\'', "emoji \N{PILE OF POO}",
    "\N{ARABIC LETTER SEEN}\N{ARABIC LETTER LAM}\N{ARABIC LETTER ALEF}", "x" * 500, "two\nlines",
    "../../etc/passwd", "\x1b[31mred\x1b[0m", "$\\frac{1}{0}$", "_hidden",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc", "nul\x00", "%s {0} {label}", "]]>", "--><!--", " ",
]  # fmt: skip


@pytest.mark.filterwarnings("error")
def test_labels_are_text() -> None:
    report = make_report(classes=len(HOSTILE), names=HOSTILE, groups=True)
    for display in displays_of(report):
        figure = display.plot().figure_
        svg = figure_bytes(figure, display.kind, "svg").decode()
        figure_bytes(figure, display.kind, "png", dpi=50)
        page = inline_figure(display, svg)
        for text in (svg, page.svg):
            root = ElementTree.fromstring(text)
            tags = {element.tag.split("}")[1] for element in root.iter()}
            assert "script" not in tags
            assert not any(name.lower().startswith("on") for e in root.iter() for name in e.attrib)
            assert "\x1b" not in text
            assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text
            assert "x" * 30 not in text
        assert "\x1b" not in display.title + display.description
    ranking = ClassRankingDisplay.from_report(report).plot()
    root = ElementTree.fromstring(figure_bytes(ranking.figure_, "ranking", "svg").decode())
    said = {
        "".join(element.itertext()).strip() for element in root.iter() if element.tag[-4:] == "text"
    }
    assert {"<script>al...</script>", "$\\frac{1}{0}$", "_hidden", "]]>"} <= said


def test_a_figure_in_a_page(report: Report) -> None:
    display = RatesDisplay.from_report(report).plot()
    page = inline_figure(display, figure_bytes(display.figure_, display.kind, "svg").decode())
    root = ElementTree.fromstring(page.svg)
    assert root.tag.endswith("svg")
    assert {"width", "height"}.isdisjoint(root.attrib)
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("rates-") for name in ids)
    # What is referred to is there.
    for element in root.iter():
        for name, value in element.attrib.items():
            if name.endswith("href") and not value.startswith("data:"):
                assert value[1:] in ids
            elif "url(#" in value:
                assert value.split("url(#")[1].split(")")[0] in ids
    assert "var(--blue, #0072b2)" in page.svg
    assert "http" not in page.svg.replace("http://www.w3.org/", "")
    # The vertical line at the recommended threshold stands where the box says.
    box = page.axes
    share = (report.recommended_threshold.distance - box.x_limits[0]) / np.diff(box.x_limits)[0]
    x = box.left + share * (box.right - box.left)
    assert f'd="M {x:.2f}'[:9] in page.svg or f"M {x:.4f}"[:7] in page.svg
    assert (box.x_scale, box.y_scale) == ("linear", "log")
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert 0 < box.left < box.right <= width
    assert 0 < box.top < box.bottom < height


def two_classes() -> Report:
    return opiscal.evaluate(
        np.repeat(np.eye(3)[:2], 3, axis=0) + 0.01 * np.random.default_rng(0).normal(size=(6, 3)),
        np.repeat([0, 1], 3), config=opiscal.EvaluateConfig(range="distance=0.1:1.0"),
    )  # fmt: skip


def identical_rows() -> Report:
    config = opiscal.EvaluateConfig(range="distance=0.5:1.0")
    return opiscal.evaluate(np.ones((6, 4)), np.arange(6) // 2, config=config)


def distances_all_alike() -> Report:
    rng = np.random.default_rng(1)
    return opiscal.evaluate(np.ones(64) + 0.001 * rng.normal(size=(40, 64)), np.arange(40) // 4)


def one_step() -> Report:
    return make_report(range="distance=0.9:0.9")


def no_threshold() -> Report:
    return make_report(recommend="far=1e-9")


def no_positives_beyond() -> Report:
    centres = np.eye(8)
    rng = np.random.default_rng(0)
    vectors = np.repeat(centres, 5, axis=0) + 0.001 * rng.normal(size=(40, 8))
    return opiscal.evaluate(vectors, np.arange(40) // 5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (two_classes, "only two classes: how far they differ says little about others"),
        (identical_rows, ""),
        (distances_all_alike, ""),
        (one_step, "the calibration range is a single threshold"),
        (no_threshold, "there is no recommended threshold"),
        (no_positives_beyond, "no threshold makes both kinds of error: the classes lie apart"),
    ],
)
def test_degenerate_reports_are_drawn_with_a_note(make: Callable[[], Report], said: str) -> None:
    report = make()
    found = []
    for display in displays_of(report):
        ax = display.plot().ax_
        assert np.diff(ax.get_xlim())[0] != 0
        assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()
        assert title_of(ax)
        assert "nan" not in (display.title + display.description).split()
        found += notes(ax)
        assert inline_figure(
            display, figure_bytes(display.figure_, display.kind, "svg").decode()
        ).svg
    if said:
        assert said in found


def test_pyplot_is_not_imported() -> None:
    code = (
        "import opiscal.report.plots, sys; assert 'matplotlib.pyplot' not in sys.modules; "
        "assert 'matplotlib' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
