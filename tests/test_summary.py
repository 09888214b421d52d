"""The summary of `evaluate`: its numbers, its advice, and that it fits any terminal."""

import dataclasses
import itertools
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

import opiscal
from opiscal import EvaluateConfig
from opiscal.report.advice import advice
from opiscal.report.bars import ASCII, BLOCKS, bar, glyphs_in, histogram
from opiscal.report.class_table import class_table
from opiscal.report.columns import Column, table_lines
from opiscal.report.findings import EpsilonOpis, Opis
from opiscal.report.layout import Screen, cells_of, clean, cut, first_that_fits, fit, flow
from opiscal.report.record import Report
from opiscal.report.summary.story import summary_lines

WIDTHS = [20, 30, 40, 60, 80, 100, 200]
RUN = Path("opiscal-run")

HOSTILE = [
    "x" * 500, "word " * 100, "\u65e5\u672c\u8a9e" * 170,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 20, "e" + "\u0301" * 300, "\u0301",
    "\u202eright to left", "\u05e9\u05dc\u05d5\u05dd " * 30, "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07", "\x9b31m", "new\nline\r\n", "tab\tbell\x07nul\x00", "", "   ", "\u3000",
    "\u2764\ufe0f" * 60, "[bold]markup[/bold]", "<script>alert(1)</script>", "../../etc",
    "$math$ \\alpha %s {0}", "all classes", "\u4dc0" * 50, "\U000e0041tag", "\ufdfd" * 30,
    "a\u2028b", "\U0001f1e9\U0001f1ea" * 40, "\ufffd",
]  # fmt: skip


def drawn(labels, rows=8, seed=0, loose=0.9):
    """Vectors of classes that are looser the later they come, and their labels."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(labels)), rows)
    centres = rng.standard_normal((len(labels), 8))
    spread = np.linspace(0.2, loose, len(labels))[of][:, None]
    return centres[of] + spread * rng.standard_normal((of.size, 8)), [labels[k] for k in of]


def evaluated(labels=HOSTILE, **more) -> Report:
    settings_of = more.pop("config", EvaluateConfig())
    return opiscal.evaluate(*drawn(labels), config=settings_of, **more)


def _with_gallery() -> Report:
    queries, gallery = drawn(HOSTILE, seed=1), drawn(HOSTILE[3:], seed=2)
    return opiscal.evaluate(*queries, gallery=gallery)


def _sampled() -> Report:
    labels = [f"class {k} " + "\u65e5" * 40 for k in range(300)]
    rng = np.random.default_rng(0)
    of = np.repeat(np.arange(300), 10)
    vectors = rng.standard_normal((300, 8))[of] + 0.5 * rng.standard_normal((3000, 8))
    config = EvaluateConfig(pairs="sampled", sample_pairs=3000 * 128)
    return opiscal.evaluate(vectors, [labels[k] for k in of], config=config)


KINDS = {
    "cosine": evaluated,
    "l2": lambda: evaluated(config=EvaluateConfig(metric="l2", retrieval=False)),
    "groups": lambda: evaluated(
        groups=[HOSTILE[k // 8 % 3] for k in range(8 * len(HOSTILE))],
    ),
    "gallery": _with_gallery,
    "sampled": _sampled,
    "split": lambda: evaluated(config=EvaluateConfig(splits=2)),
    "none recommended": lambda: evaluated(config=EvaluateConfig(recommend="far=1e-9")),
    "two classes": lambda: evaluated(HOSTILE[:2]),
    "few classes": lambda: opiscal.evaluate(*drawn(HOSTILE[:5], loose=3.0)),
    "no noise": lambda: opiscal.evaluate(*drawn(HOSTILE, rows=2)),
    "all of it": lambda: evaluated(
        config=EvaluateConfig(
            epsilon=0.5, eps_against="best", c=2.0, utility="precision-recall",
            null_label="distractor", distractor_labels=(HOSTILE[5],), half=True,
        )
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def report(request) -> Report:
    return KINDS[request.param]()


@pytest.fixture(scope="module")
def plain() -> Report:
    return KINDS["cosine"]()


@pytest.fixture(scope="module")
def hostile() -> Report:
    return KINDS["groups"]()


@pytest.fixture(scope="module")
def alike() -> Report:
    """Classes that differ by the rows that were drawn and by nothing else."""
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((60, 16))
    centres *= 4 / np.linalg.norm(centres, axis=1)[:, None]
    of = np.repeat(np.arange(60), 8)
    return opiscal.evaluate(centres[of] + 0.8 * rng.standard_normal((480, 16)), of)


@pytest.fixture(scope="module")
def places(places_run) -> Report:
    return opiscal.load(places_run)


def shows(character: str) -> bool:
    """Whether it is no control: spaces of other widths are not printable to Python."""
    return character.isprintable() or unicodedata.category(character) == "Zs"


def checked(lines: list[str], width: int) -> None:
    assert lines[-1] == "run: opiscal-run"
    for line in lines:
        assert all(map(shows, line)), ascii(line)
        assert line == line.rstrip(), line
        assert cells_of(line) <= min(width, 100), line
        assert cell_len(line) <= min(width, 100), line
    assert "" not in (lines[0], lines[-1])
    assert all(any(pair) for pair in itertools.pairwise(lines)), "two empty lines"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal(report, width, encoding):
    lines = summary_lines(report, RUN, Screen(width, encoding))
    checked(lines, width)
    for line in lines:
        # Nothing is left to be escaped when it is written.
        line.encode(encoding)


def relabelled(report: Report, labels: list[str]) -> Report:
    """The report of the same rows under other labels."""
    new = dict(zip(report.counts.labels, labels, strict=True))

    def cells(spread):
        worst = tuple(dataclasses.replace(c, label=new[c.label]) for c in spread.worst)
        return dataclasses.replace(spread, worst=worst)

    found = report.differential
    assert found is not None
    worst = tuple(new[label] for label in report.epsilon_opis.worst_classes)
    return dataclasses.replace(
        report,
        counts=dataclasses.replace(report.counts, labels=tuple(labels)),
        epsilon_opis=dataclasses.replace(report.epsilon_opis, worst_classes=worst),
        differential=dataclasses.replace(found, far=cells(found.far), frr=cells(found.frr)),
    )


# Labels as wild as they come: any character but lone surrogates, which no file can hold.
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)


@given(
    st.lists(ANY, min_size=len(HOSTILE), max_size=len(HOSTILE), unique=True),
    st.integers(20, 130),
    st.sampled_from(["utf-8", "ascii"]),
)
@settings(max_examples=60, deadline=None)
def test_whatever_the_labels(plain, labels, width, encoding):
    report = relabelled(plain, labels)
    checked(summary_lines(report, RUN, Screen(width, encoding)), width)


def test_the_path_is_never_broken(hostile):
    run = Path("/a folder/" + "deep/" * 40 + "run\n")
    lines = summary_lines(hostile, run, Screen(30))
    assert lines[-1] == f"run: {run}".replace("\n", "\\n")
    assert max(map(cell_len, lines[:-1])) <= 30


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_numbers_are_those_of_the_report(places, width):
    text = "\n".join(summary_lines(places, RUN, Screen(width)))
    flat = " ".join(text.split())
    opis, worst, point = places.opis, places.epsilon_opis, places.recommended_threshold
    for value, ci in (
        (opis.value, opis.ci),
        (opis.corrected, opis.corrected_ci),
        (worst.value, worst.ci),
        (places.utility.mean, places.utility.ci),
    ):
        assert re.search(rf"{value:.6f}\s+\[{ci[0]:.4f}, {ci[1]:.4f}\]", text)
    assert f"similarity >= {point.similarity:.5f}"[:-1] in flat
    assert f"FAR {point.far:.3g}" in flat
    assert f"FRR {point.frr:.3g}" in flat
    table = class_table(places)
    for label in worst.worst_classes[:5]:
        k = table.label.index(label)
        shown = [f"{table.mean_utility[k]:.4f}", f"{table.far[k]:.3g}", f"{table.frr[k]:.3g}"]
        (line,) = (x for x in text.splitlines() if x.startswith(f"{label} "))
        assert set(shown) < set(line.split())
    (line,) = (x for x in text.splitlines() if x.startswith("all classes"))
    assert {f"{places.utility.mean:.4f}", f"{point.far:.3g}", f"{point.frr:.3g}"} < set(
        line.split()
    )
    for target in places.operating_points:
        name = target.criterion.upper() if target.criterion != "utility" else "best utility"
        name += "" if target.target is None else f" {target.target:g}"
        (line,) = (x for x in text.splitlines() if re.match(rf"{name} +\d\.\d{{6}} ", x))
        assert {f"{target.far:.3g}", f"{target.frr:.3g}"} < set(line.split())


def test_intervals_of_operating_points_stand_below_where_they_do_not_fit_beside(places):
    wide, narrow, bare = (summary_lines(places, RUN, Screen(width)) for width in (80, 60, 40))
    ci = f"[{places.operating_points[0].far_ci[0]:.2g}, {places.operating_points[0].far_ci[1]:.2g}]"
    (k,) = (k for k, line in enumerate(wide) if line.startswith("FAR 0.1 "))
    assert ci in wide[k]
    (k,) = (k for k, line in enumerate(narrow) if line.startswith("FAR 0.1 "))
    assert ci in narrow[k + 1]
    assert narrow[k + 1].startswith("  ")
    (k,) = (k for k, line in enumerate(bare) if line.startswith("FAR 0.1 "))
    assert bare[k + 1].startswith("FAR 0.01 ")


def test_the_spread_of_classes(places):
    table = class_table(places)
    (line,) = (x for x in summary_lines(places, RUN) if x.startswith("utility by class "))
    low, drawn_, high = re.fullmatch(r"utility by class +(\S+) (.*) (\S+)", line).groups()
    assert (float(low), float(high)) == pytest.approx(
        (table.mean_utility.min(), table.mean_utility.max()), abs=5e-5
    )
    count, _ = np.histogram(table.mean_utility, len(drawn_))
    assert [c == " " for c in drawn_] == [n == 0 for n in count]
    heights = [BLOCKS.heights.index(c) for c in drawn_]
    order = np.argsort(count, kind="stable")
    assert all(np.diff(np.array(heights)[order]) >= 0)
    assert max(heights) == 8
    ascii_only = summary_lines(places, RUN, Screen(80, "latin-1"))
    assert all(x.isascii() for x in ascii_only)
    assert sum(x.startswith("utility by class ") for x in ascii_only) == 1


def test_worst_classes_are_at_most_half_and_those_of_the_score_come_first(digits_run):
    report = opiscal.load(digits_run)
    table = class_table(report)
    lines = summary_lines(report, RUN)
    (k,) = (k for k, line in enumerate(lines) if line.startswith("worst classes"))
    shown = [line.split()[0] for line in lines[k + 1 : lines.index("", k)]]
    by_utility = [table.label[j] for j in np.argsort(table.mean_utility, kind="stable")]
    assert shown == [*map(str, by_utility[:5]), "all"]
    few = summary_lines(KINDS["few classes"](), RUN)
    (k,) = (k for k, line in enumerate(few) if line.startswith("worst classes"))
    assert few.index("", k) - k == 1 + 5 // 2 + 1


def test_promised_and_achieved_are_summed_up_in_a_row_a_threshold():
    report = KINDS["split"]()
    lines = summary_lines(report, RUN)
    (k,) = (k for k, line in enumerate(lines) if line.startswith("chosen on half "))
    targets = {(rate.criterion, rate.target) for rate in report.split}
    assert lines.index("", k) - k - 1 == len(targets)
    mine = [rate for rate in report.split if rate.target == 0.1]
    (line,) = (x for x in lines[k:] if x.startswith("FAR 0.1 "))
    far, frr = ([getattr(r, f"{name}_achieved") for r in mine] for name in ("far", "frr"))
    assert f"{min(far):.3g} to {max(far):.3g}" in line
    assert f"{min(frr):.3g} to {max(frr):.3g}" in line
    assert f"{np.mean([r.far_promised for r in mine]):.3g}" in line.split()


# Advice


def with_numbers(report: Report, **epsilon) -> Report:
    return dataclasses.replace(
        report, epsilon_opis=dataclasses.replace(report.epsilon_opis, **epsilon)
    )


def test_advice_gives_the_gap_and_the_noise(places):
    table = class_table(places)
    worst = np.isin(table.label, places.epsilon_opis.worst_classes)
    gap = 100 * (table.mean_utility[~worst].mean() - table.mean_utility[worst].mean())
    noise = 100 * np.sqrt(places.epsilon_opis.null_value)
    said = advice(places)
    assert said == advice(places, table)
    assert said.startswith(
        f"One threshold costs the worst 10 % of classes {gap:.1f} points of utility; noise alone "
        f"would give {noise:.1f}. "
    )
    assert f"rejects {100 * table.frr[worst].mean():.0f} % of their positive pairs" in said
    assert "`opiscal hard-pairs` lists the worst of them" in said
    assert "accepts" not in said


def test_advice_names_one_class(digits_run):
    assert "costs the worst of 10 classes (8) 38.0 points" in advice(opiscal.load(digits_run))


@pytest.mark.parametrize(
    ("far", "frr", "said", "never"),
    [
        (0.3, 0.0, "accepts 30 % of their negative pairs (1 % of the others')", "rejects"),
        (0.3, 0.2, "rejects 20 % of their positive pairs and accepts 30 % of", "of the others')"),
        (0.01, 0.0, "points of utility; noise alone would give 8.1.", "recommended"),
    ],
)
def test_advice_says_by_which_rate_classes_fail(places, far, frr, said, never):
    table = class_table(places)
    worst = np.isin(table.label, places.epsilon_opis.worst_classes)
    made = dataclasses.replace(
        table, far=np.where(worst, far, 0.01), frr=np.where(worst, frr, 0.02)
    )
    found = advice(places, made)
    assert said in found
    assert never not in found


def test_advice_where_classes_are_alike(alike):
    assert alike.opis.corrected_ci[0] <= 0
    said = advice(alike)
    assert said.startswith("The data do not show that one threshold serves classes differently")
    assert f"noise alone would give {100 * np.sqrt(alike.epsilon_opis.null_value):.1f}." in said
    # Sure of it, or not.
    for high, may in ((0.0001, False), (0.01, True)):
        made = dataclasses.replace(alike.opis, corrected_ci=(-0.001, high))
        assert ("They may still lie 10 points apart" in advice(_with(alike, made))) == may


def _with(report: Report, opis: Opis) -> Report:
    return dataclasses.replace(report, opis=opis)


def test_advice_goes_by_the_null_value_too(places):
    assert places.opis.corrected_ci[0] > 0
    above = with_numbers(places, null_value=places.epsilon_opis.value * 1.01)
    assert advice(above).startswith("The data do not show")


def test_advice_where_nothing_differs(places):
    none = _with(places, Opis(0.0))
    assert advice(none).startswith("One threshold serves all classes alike")


def test_advice_on_a_small_gap(places):
    table = class_table(places)
    made = dataclasses.replace(table, mean_utility=0.9 + 0.1 * (table.mean_utility - 0.9))
    assert advice(places, made).startswith(
        "One threshold serves the classes nearly alike: the worst 10 % of classes lie 2.7 points"
    )


def test_advice_with_few_classes_without_noise_without_a_threshold_and_with_a_gallery(report):
    said = advice(report)
    assert said.isprintable()
    assert len(re.findall(r"\.(?: |$)", re.sub(r"\([^)]*\)|`[^`]*`", "", said))) <= 2
    if report.opis.value <= 0:
        assert "serves all classes alike" in said
    elif report.data.classes_scored < 10:
        assert said.endswith("add classes before you rely on it.")
    if report.opis.corrected is None and report.data.classes_scored >= 10:
        assert "noise included" in said
    if report.recommended_threshold.distance is None:
        assert "recommended" not in said
    if report.data.queries is not None:
        assert "hard-pairs" not in said


def test_advice_shortens_a_label(places):
    one = with_numbers(places, worst_classes=places.epsilon_opis.worst_classes[:1])
    label = "\x1b[31m" + "x" * 500
    names = tuple(
        label if name == one.epsilon_opis.worst_classes[0] else name for name in one.counts.labels
    )
    one = dataclasses.replace(
        one,
        counts=dataclasses.replace(one.counts, labels=names),
        epsilon_opis=dataclasses.replace(one.epsilon_opis, worst_classes=(label,)),
    )
    said = advice(one)
    assert r"(\x1b[31mxxx" in said
    assert "xxx...xxx" in said
    assert said.isprintable()
    assert len(said) < 300


# What it is made of


@given(ANY)
@settings(deadline=None)
def test_cells_are_at_least_those_of_rich(text):
    safe = clean(text)
    assert all(map(shows, safe))
    assert cells_of(safe) >= cell_len(safe)
    assert clean(safe) == safe
    assert safe.strip()


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("", 0), ("abc", 3), ("\u65e5\u672c", 4), ("e\u0301", 1), ("e" + "\u0301" * 300, 1),
        ("\u20dd", 0), ("\U0001f600", 2), ("\u2764\ufe0f", 2), ("1\ufe0f\u20e3", 2),
        ("\U0001f1e9\U0001f1ea", 2), ("\uff21", 2), ("\u05e9\u05dc", 2),
    ],
)  # fmt: skip
def test_cells_of(text, cells):
    assert cells_of(text) == cells == cell_len(text)


@given(ANY, st.integers(0, 60))
@settings(deadline=None)
def test_cut_takes_exactly_the_room(text, room):
    safe = clean(text)
    shown = cut(safe, room)
    assert cells_of(shown) == room
    if cells_of(safe) <= room:
        assert shown.rstrip(" ") == safe.rstrip(" ")
    elif room >= 3:
        # A beginning and an end, with dots between them.
        dots = [k for k in range(len(shown)) if shown.startswith("...", k)]
        ends = [(shown[:k], shown[k + 3 :].rstrip(" ")) for k in dots]
        assert any(
            safe.startswith(first) and safe.rstrip(" ").endswith(last) for first, last in ends
        )


@given(ANY, st.integers(6, 60), st.sampled_from(["", "  "]))
@settings(deadline=None)
def test_fit_keeps_every_word(text, width, hang):
    safe = clean(text)
    pieces = fit(safe, width, hang)
    assert all(cells_of(piece) <= width for piece in pieces)
    assert "".join("".join(pieces).split(" ")) == "".join(safe.split(" "))


def test_fit_does_not_tear_numbers_apart():
    assert fit("this is 5 %", 10) == ["this is", "  5 %"]
    assert fit("a distance <= 0.5", 16) == ["a distance <=", "  0.5"]
    assert fit("a distance <= 0.5", 17) == ["a distance <= 0.5"]
    assert fit("one distance <= 0.5", 18) == ["one", "  distance <= 0.5"]
    assert fit("distance <= 0.579548", 12) == ["distance <=", "  0.579548"]


def test_flow_and_forms():
    assert flow(["a b", "c d", "e"], 8) == ["a b  c d", "e"]
    assert flow(["a b", "c d"], 3, start="") == ["a b", "c d"]
    assert flow([], 10) == []
    assert first_that_fits([["12345"], ["1", "2"]], 5) == ["12345"]
    assert first_that_fits([["12345"], ["1", "2"]], 4) == ["1", "2"]
    assert first_that_fits([["12345 7"]], 6) == ["12345", "  7"]


names = st.lists(ANY, min_size=1, max_size=4)


@given(names, st.integers(14, 90), st.integers(3, 20))
@settings(deadline=None)
def test_tables_fit(labels, width, least):
    cells = tuple(map(clean, labels))
    name = Column("name", cells, "left", least)
    number = Column("value", tuple("0.123456" for _ in cells))
    more = Column("", tuple("[0.1, 0.2]" for _ in cells), "left")
    lines = table_lines([[name, number, more], [name, number]], width)
    assert all(cells_of(line) <= width for line in lines)
    assert sum("0.123456" in line for line in lines) == len(cells)
    if len(lines) == len(cells) + 1:
        # Numbers stand below one another, whatever the names.
        ends = {cells_of(line[: line.rindex("0.123456")]) for line in lines[1:]}
        assert len(ends) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.integers(1, 60))
@settings(deadline=None)
def test_histogram_has_something_where_a_value_is(values, columns):
    for glyphs in (BLOCKS, ASCII):
        drawn_ = histogram(values, columns, glyphs)
        assert len(drawn_) == columns
        assert set(drawn_) <= set(glyphs.heights)
        assert glyphs.heights[-1] in drawn_
        count, _ = np.histogram(values, columns)
        assert [c == " " for c in drawn_] == [n == 0 for n in count]


def test_bars():
    assert [bar(share, 2) for share in (0, 0.001, 0.5, 0.53125, 1, 7)] == [
        "  ", "▏ ", "█ ", "█▏", "██", "██",
    ]  # fmt: skip
    assert bar(0.5, 4, ASCII) == "##  "
    assert [glyphs_in(e) for e in ("utf-8", "ascii", "cp1252", "cp437", "gb18030")] == [
        BLOCKS, ASCII, ASCII, ASCII, BLOCKS,
    ]  # fmt: skip


def test_epsilon_against_best_is_said(places):
    made = dataclasses.replace(
        places, epsilon_opis=dataclasses.replace(places.epsilon_opis, against="best")
    )
    assert isinstance(made.epsilon_opis, EpsilonOpis)
    assert "worst 15 against the best" in "\n".join(summary_lines(made, RUN))
