"""Displays: their numbers and labels, and files of equal bytes. Never pixels."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from opiscal.data.embedding_set import Metric, RowPolicy
from opiscal.data.rows import from_arrays
from opiscal.measures.operating_points import edge_for_far
from opiscal.measures.rates import rate_curve
from opiscal.measures.utility import Utility, class_utility
from opiscal.pairs.counts import PairCounts
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.sorted_rows import sort_rows
from opiscal.report.figures import (
    MOST_LINES,
    RatesDisplay,
    UtilityCurvesDisplay,
    save_figure,
)


def count(vectors: np.ndarray, labels: np.ndarray, metric: Metric = "cosine") -> PairCounts:
    embeddings = from_arrays(vectors, labels, policy=RowPolicy(metric=metric))
    rows = sort_rows(embeddings)
    lattice = fit_lattice(rows, seed=0)
    tally = count_exactly(rows, lattice, threads=1)
    return tally.counts(rows, lattice, embeddings.labels, metric)


def make_counts(metric: Metric = "cosine", classes: int = 8, scale: float = 1.0) -> PairCounts:
    rng = np.random.default_rng(0)
    labels = np.arange(5 * classes) % classes
    vectors = rng.normal(size=(classes, 16))[labels] + rng.normal(size=(labels.size, 16))
    return count(scale * vectors, labels, metric)


def far_range(counts: PairCounts, low: float = 0.01, high: float = 0.1) -> tuple[float, float]:
    curve = rate_curve(counts)
    ends = [edge_for_far(curve, far) for far in (low, high)]
    return tuple(float(curve.distance[0 if edge is None else edge]) for edge in ends)


def curves_of(counts: PairCounts, threshold: float | None, **named: float) -> UtilityCurvesDisplay:
    low, high = far_range(counts)
    return UtilityCurvesDisplay.from_counts(
        counts, utility=Utility(**named), low=low, high=high, threshold=threshold
    )


def legend(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_utility_curves_hold_the_utility_at_their_thresholds() -> None:
    counts = make_counts()
    low, high = far_range(counts)
    display = curves_of(counts, 0.5 * (low + high))
    expected = class_utility(counts, display.distance, Utility())
    np.testing.assert_array_equal(display.utility, expected)
    np.testing.assert_allclose(display.mean, expected.mean(axis=0))
    assert (np.diff(display.distance) > 0).all()
    # As wide again on either side, and little more than 160 points.
    assert display.distance[0] == pytest.approx(max(0.0, 2 * low - high))
    assert display.distance[-1] == pytest.approx(min(2.0, 2 * high - low))
    assert {low, high, 0.5 * (low + high)} <= set(display.distance)
    assert display.distance.size < 170


def test_utility_curves_are_drawn() -> None:
    counts = make_counts()
    _, high = far_range(counts)
    display = curves_of(counts, high)
    assert display.plot() is display
    ax = display.ax_
    assert isinstance(display.figure_, Figure)
    (classes,) = [art for art in ax.collections if isinstance(art, LineCollection)]
    drawn = np.array(classes.get_segments())
    np.testing.assert_allclose(drawn[:, :, 1], display.utility)
    np.testing.assert_allclose(drawn[0, :, 0], display.distance)
    (mean,) = [line for line in ax.lines if line.get_label() == "mean over classes"]
    np.testing.assert_array_equal(mean.get_ydata(), display.mean)
    assert ax.get_xlim() == pytest.approx((display.distance[0], display.distance[-1]))
    assert ax.get_xlabel() == "unit L2 distance"
    assert "F-score of sensitivity and specificity" in ax.get_ylabel()
    worst = class_utility(counts, [high], Utility()).min()
    assert ax.get_title(loc="left").endswith(f"worst class {worst:.2f}")
    labels = legend(ax)
    assert labels[:3] == ["each of 8 classes", "mean over classes", "calibration range"]
    assert labels[3].startswith("threshold: similarity ")
    (similarity,) = ax.child_axes
    assert similarity.get_xlabel() == "cosine similarity"
    display.figure_.draw_without_rendering()
    # Ascending for matplotlib; its transform turns them round.
    ends = sorted(1 - 0.5 * np.square(ax.get_xlim()))
    assert similarity.get_xlim() == pytest.approx(tuple(ends))


def test_l2_has_no_similarity() -> None:
    counts = make_counts("l2", scale=1000.0)
    low, high = far_range(counts)
    curves = curves_of(counts, high, kind="precision-recall").plot()
    assert "precision and recall" in curves.ax_.get_ylabel()
    rates = RatesDisplay.from_counts(counts, low=low, high=high, threshold=high).plot()
    for display in (curves, rates):
        assert display.ax_.get_xlabel() == "L2 distance"
        assert display.ax_.child_axes == []
        assert legend(display.ax_)[-1] == f"threshold: distance {np.floor(100 * high) / 100:g}"


def test_many_classes_are_bands() -> None:
    rng = np.random.default_rng(0)
    utility = rng.uniform(size=(MOST_LINES + 1, 20))
    display = UtilityCurvesDisplay(
        np.linspace(0.5, 1.0, 20), utility, utility.mean(axis=0), (0.6, 0.8), 0.7,
        "cosine", "sensitivity-specificity",
    ).plot()  # fmt: skip
    labels = legend(display.ax_)
    assert labels[:2] == ["5 to 95 % of 301 classes", "25 to 75 % of 301 classes"]
    assert "median class" in labels
    assert not any(isinstance(art, LineCollection) for art in display.ax_.collections)
    (median,) = [line for line in display.ax_.lines if line.get_label() == "median class"]
    np.testing.assert_array_equal(median.get_ydata(), np.median(utility, axis=0))


@pytest.mark.parametrize("pool", ["pairs", "classes"])
def test_rates_are_drawn(pool: str) -> None:
    counts = make_counts()
    low, high = far_range(counts)
    curve = rate_curve(counts, pool)
    at = float(curve.distance[np.searchsorted(curve.distance, high)])
    display = RatesDisplay.from_counts(counts, low=low, high=high, threshold=at, pool=pool)
    np.testing.assert_array_equal(display.far, curve.far)
    np.testing.assert_array_equal(display.frr, curve.frr)
    assert display.plot() is display
    ax = display.ax_
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(lines["FAR"].get_ydata(), curve.far)
    np.testing.assert_array_equal(lines["FRR"].get_ydata(), curve.frr)
    assert lines["FAR"].get_linestyle() != lines["FRR"].get_linestyle()
    assert ax.get_yscale() == "log"
    far, frr = curve.at(at)
    assert ax.get_title(loc="left") == (
        f"At the threshold: FAR {100 * far:.3g} %, FRR {100 * frr:.3g} %"
    )
    left, right = ax.get_xlim()
    assert left <= low <= high <= right
    assert legend(ax)[:3] == ["FAR", "FRR", "calibration range"]


def test_axes_that_are_given_are_used() -> None:
    counts = make_counts()
    low, high = far_range(counts)
    figure = Figure()
    left, right = figure.subplots(1, 2)
    curves = curves_of(counts, high).plot(ax=left)
    rates = RatesDisplay.from_counts(counts, low=low, high=high, threshold=high).plot(ax=right)
    assert (curves.ax_, rates.ax_) == (left, right)
    assert curves.figure_ is rates.figure_ is figure
    part = Figure().subfigures(1, 2)[0]
    assert curves.plot(ax=part.subplots()).figure_ is part.figure


def test_numbers_are_frozen() -> None:
    display = curves_of(make_counts(), None)
    with pytest.raises(AttributeError):
        display.threshold = 0.5  # type: ignore[misc]
    assert not hasattr(display, "ax_")


def test_files_are_equal_bytes(tmp_path: Path) -> None:
    counts = make_counts()
    low, high = far_range(counts)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        curves = curves_of(counts, high)
        # Drawn before, or drawn for the file: the same.
        files = save_figure(curves.plot() if name == "a" else curves, tmp_path / name / "x.y")
        assert [file.name for file in files] == ["x.y.svg", "x.y.png"]
        rates = RatesDisplay.from_counts(counts, low=low, high=high, threshold=high)
        save_figure(rates.plot().figure_, tmp_path / name / "rates")
    written = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert written == ["rates.png", "rates.svg", "x.y.png", "x.y.svg"]
    for file in written:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert "calibration range" in (tmp_path / "a" / "rates.svg").read_text(encoding="utf-8")


def two_identical_classes() -> PairCounts:
    return count(np.ones((4, 4)), np.array([0, 0, 1, 1]))


def two_classes_apart() -> PairCounts:
    return count(np.repeat(np.eye(2), 3, axis=0), np.repeat([0, 1], 3))


def distances_all_alike() -> PairCounts:
    rng = np.random.default_rng(1)
    vectors = np.ones(64) + 0.001 * rng.normal(size=(40, 64))
    return count(vectors, np.arange(40) // 4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("make", [two_identical_classes, two_classes_apart, distances_all_alike])
@pytest.mark.parametrize("width", ["none", "range", "everything"])
def test_degenerate_counts_are_drawn(make: Callable[[], PairCounts], width: str) -> None:
    counts = make()
    low, high = far_range(counts)
    if width == "none":
        high = low
    elif width == "everything":
        low, high = 0.0, float(counts.distance[-1])
    threshold = None if width == "everything" else high
    curves = UtilityCurvesDisplay.from_counts(
        counts, utility=Utility(), low=low, high=high, threshold=threshold
    )
    rates = RatesDisplay.from_counts(counts, low=low, high=high, threshold=threshold)
    for display in (curves, rates):
        left, right = display.plot().ax_.get_xlim()
        assert 0 <= left < right <= 2
        assert left <= low <= high <= right
        # Everything but the pixels is worked out.
        display.figure_.draw_without_rendering()


@pytest.mark.filterwarnings("error")
def test_no_false_accepts_at_all() -> None:
    display = RatesDisplay(
        np.array([0.1, 0.5, 1.0]), np.zeros(3), np.zeros(3), (0.1, 0.1), 0.5, "l2"
    ).plot()
    assert display.ax_.get_title(loc="left") == "At the threshold: FAR 0 %, FRR 0 %"
    display.figure_.draw_without_rendering()


def test_pyplot_is_not_imported() -> None:
    code = "import opiscal.report.figures, sys; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
