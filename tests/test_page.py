"""report.html without a browser: its numbers, its structure, its size, and labels as text."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from conftest import DIGITS400
from pages import HOSTILE, hostile, many_classes, renamed, simulated, stub_page, tree

import opiscal
from opiscal.measures.rates import class_counts_at
from opiscal.measures.utility import Utility, class_utility
from opiscal.report.advice import find_advice
from opiscal.report.class_table import class_table
from opiscal.report.page import page as page_module
from opiscal.report.page.class_grid import ClassGrid, class_grid, grid_edges
from opiscal.report.page.names import Names, script_json
from opiscal.report.page.whole_numbers import coded, decoded
from opiscal.report.percents import percent
from opiscal.report.rounding import round_down, round_up


def data_of(page: str) -> dict:
    return json.loads(tree(page).by_id("data-of-page").text)


def grid_of(data: dict) -> ClassGrid:
    kept = np.arange(len(numbers(data["columns"]["rows"])))
    return ClassGrid(np.array(data["edges"]), kept, base64.b64decode(data["counts"]))


def numbers(text: str) -> np.ndarray:
    return decoded(base64.b64decode(text))


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def interpolated(edges: np.ndarray, accepted: np.ndarray, distance: float) -> np.ndarray:
    """As model.js reads them."""
    return np.array([np.interp(distance, edges, row) for row in accepted.astype(float)])


@pytest.fixture(scope="module")
def places(places_run):
    return opiscal.load(places_run)


@pytest.fixture(scope="module")
def places_page(places):
    return stub_page(places)


KINDS = {
    "plain": {},
    "two classes": {"classes": 2},
    "l2": {"metric": "l2", "scale": 1000.0},
    "precision and recall": {"utility": "precision-recall", "c": 2.0},
    "pool of classes": {"pool": "classes"},
    "groups": {"groups": True},
    "gallery": {"gallery": True},
    "none recommended": {"recommend": "far=1e-9"},
    "no retrieval": {"retrieval": False},
    "range of one step": {"range": "distance=1:1"},
    "split": {"splits": 1},
    "sampled": {"classes": 40, "rows": 20, "pairs": "sampled", "sample_pairs": 52_000},
    "grid": {"integration": "grid:11", "epsilon": 0.2, "eps_against": "best"},
}


@pytest.fixture(scope="module", params=KINDS)
def any_kind(request):
    report = simulated(**KINDS[request.param])
    return report, stub_page(report)


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_whole_numbers_are_what_was_coded(count):
    rng = np.random.default_rng(0)
    given = (2.0 ** rng.uniform(0, 53, count)).astype(np.int64) - 1
    given = np.concatenate([given, [0, 127, 128, 16383, 16384, 2**53 - 1]])[-count or None :]
    np.testing.assert_array_equal(decoded(coded(given)), given)


def test_no_numbers_are_no_bytes():
    assert coded([]) == b""
    assert decoded(b"").size == 0


def test_the_grid_holds_the_counts_at_its_edges(any_kind):
    report, page = any_kind
    data, counts = data_of(page), report.counts
    grid = grid_of(data)
    order = np.argsort(class_table(report).mean_utility, kind="stable")
    at = np.searchsorted(counts.class_distance, grid.distance)
    np.testing.assert_array_equal(counts.class_distance[at], grid.distance)
    positive, negative = grid.counts()
    # Estimates from a sample need not be whole.
    half = 0.5 if counts.sampling else 0.0
    for found, true in ((positive, counts.class_positive), (negative, counts.class_negative)):
        assert np.abs(found - true[np.ix_(order, at)]).max() <= half
    assert {0, counts.class_edge.size - 1} <= set(at)


def test_at_every_stop_classes_have_the_rates_of_the_report(any_kind):
    report, page = any_kind
    data, counts = data_of(page), report.counts
    grid = grid_of(data)
    order = np.argsort(class_table(report).mean_utility, kind="stable")
    positive, negative = grid.counts()
    positives = numbers(data["columns"]["positives"])
    negatives = numbers(data["columns"]["negatives"])
    np.testing.assert_array_equal(positives, counts.positives_of_class[order])
    np.testing.assert_array_equal(negatives, counts.negatives_of_class[order])
    stops = np.array(data["stops"]["distance"])
    true = class_counts_at(counts, stops)
    close = {"atol": 0.51 if counts.sampling else 1e-6}
    for k, distance in enumerate(stops):
        for accepted, of_all in ((positive, true.positive), (negative, true.negative)):
            found = interpolated(grid.distance, accepted, distance)
            np.testing.assert_allclose(found, of_all[order, k], rtol=1e-6, **close)


def test_every_stop_answers_as_the_report_does(any_kind):
    report, page = any_kind
    stops = data_of(page)["stops"]
    utility = Utility(report.settings.utility, report.settings.c)
    curves = class_utility(report.counts, stops["distance"], utility)
    np.testing.assert_allclose(stops["utility"], curves.mean(axis=0), rtol=1e-12)
    every = np.arange(len(stops["distance"]))
    for k in every[:: max(1, every.size // 8)]:
        point = report.threshold(at=stops["distance"][k])
        assert (stops["far"][k], stops["frr"][k]) == (point.far, point.frr)
        assert stops["utility"][k] == pytest.approx(point.utility, rel=1e-12)
        if "farCi" in stops:
            assert tuple(stops["farCi"][k]) == point.far_ci
            assert tuple(stops["frrCi"][k]) == point.frr_ci
        if report.data.queries is not None:
            assert (stops["fpir"][k], stops["fnir"][k]) == (point.fpir, point.fnir)
        scales = [float(text) for text in stops["scales"][k]]
        if report.metric == "cosine":
            assert scales[0] == round_up(point.similarity, 6)
            assert scales[1] == round_down(point.distance, 6)
            assert scales[2] == round_down(point.cosine_distance, 6)
        else:
            assert scales == [round_down(point.distance, 6), round_down(point.squared_l2, 6)]


def test_classes_that_suffer_are_counted(places, places_page):
    stops = data_of(places_page)["stops"]
    at = np.array(stops["distance"])
    accepted = class_counts_at(places.counts, at)
    far = accepted.negative / places.counts.negatives_of_class[:, None]
    frr = 1 - accepted.positive / places.counts.positives_of_class[:, None]
    np.testing.assert_array_equal(stops["farSuffers"], (far > 2 * np.array(stops["far"])).sum(0))
    np.testing.assert_array_equal(stops["frrSuffers"], (frr > 2 * np.array(stops["frr"])).sum(0))


def test_marks_stand_at_their_thresholds(any_kind):
    report, page = any_kind
    data = data_of(page)
    wanted = [p for p in (report.recommended_threshold, *report.operating_points) if p.distance]
    assert len(data["marks"]) == len(wanted)
    for (_, stop), point in zip(data["marks"], wanted, strict=True):
        assert data["stops"]["distance"][stop] == pytest.approx(point.distance, rel=1e-7)
    assert data["start"] == data["marks"][0][1]
    if report.recommended_threshold.distance is not None:
        assert data["marks"][0][0] == "recommended"


def test_columns_are_the_table_of_classes(any_kind):
    report, page = any_kind
    columns, table = data_of(page)["columns"], class_table(report)
    order = np.argsort(table.mean_utility, kind="stable")
    np.testing.assert_array_equal(numbers(columns["rows"]), table.rows[order])
    for name, true in (
        ("utility", table.mean_utility),
        ("error", table.utility_error),
        ("share", table.opis_share),
    ):
        np.testing.assert_array_equal(floats(columns[name]), true[order].astype(np.float32))
    names = columns["names"]
    assert names[: len(order)] == [str(table.label[i]) for i in order]
    nearest = [names[k - 1] if k else None for k in numbers(columns["nearest"])]
    assert nearest == [
        None if table.nearest_class[i] is None else str(table.nearest_class[i]) for i in order
    ]
    best = [float(columns["best_texts"][k]) for k in numbers(columns["best"])]
    if report.metric == "cosine":
        true_best = [round_up(1 - table.best_threshold[i] ** 2 / 2, 6) for i in order]
        np.testing.assert_allclose(best, true_best, rtol=2e-6, atol=1e-12)
    else:
        assert best == [round_down(float(table.best_threshold[i]), 6) for i in order]


def test_with_less_room_there_are_fewer_edges_and_then_fewer_classes(places):
    counts = places.counts
    order = np.arange(counts.classes)
    marks = np.array([places.recommended_threshold.distance])
    span = places.calibration_range.distance
    wide, narrow, least = (
        class_grid(counts, order, marks, span, room) for room in (10**6, 20_000, 3_000)
    )
    assert wide.distance.size > 120
    assert wide.distance.size > narrow.distance.size
    assert wide.kept.size == narrow.kept.size == 150 > least.kept.size >= 2
    for grid, room in ((narrow, 20_000), (least, 3_000)):
        assert len(grid.code) <= room
        # The first ones are the most wanted.
        np.testing.assert_array_equal(grid.kept, order[: grid.kept.size])
        assert {marks[0], *span, counts.distance[0], counts.distance[-1]} <= set(grid.distance) | {
            d for d in (marks[0], *span) if d not in counts.class_distance
        }


def test_marks_off_the_class_edges_have_both_neighbours_in_the_grid(places):
    edges = places.counts.class_distance
    mark = float(edges[700] + 0.3 * (edges[701] - edges[700]))
    chosen = grid_edges(places.counts, np.array([mark]), (edges[100], edges[900]), 40)
    assert {0, 700, 701, edges.size - 1} <= set(chosen.tolist())
    assert (np.diff(chosen) > 0).all()
    assert 40 <= chosen.size < 60


def test_the_page_forbids_everything_but_its_own_script(places_page):
    page = tree(places_page)
    (policy,) = (
        node.attributes["content"]
        for node in page.all("meta")
        if node.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    data, script = page.all("script")
    assert data.attributes["type"] == "application/json"
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules == {
        "default-src": "'none'",
        # Figures of very many dots hold them as a picture.
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_page_names_nothing_outside_of_itself(any_kind):
    _, text = any_kind
    page = tree(text)
    ids = [node.attributes["id"] for node in page.all() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    for node in page.all():
        for name in ("src", "data", "action", "poster", "srcset", "background", "ping"):
            assert name not in node.attributes, node
        href = node.attributes.get("href") or node.attributes.get("xlink:href")
        assert href is None or href[1:] in ids, href
        for name in ("for", "aria-labelledby", "aria-describedby"):
            for wanted in (node.attributes.get(name) or "").split():
                assert wanted in ids, wanted
    assert "@import" not in page.all("style")[0].text
    assert not re.search(r"url\(\s*['\"]?(?!#)", page.all("style")[0].text)


def test_the_page_can_be_read_without_scripts(places, places_page):
    page = tree(places_page)
    assert page.all("html")[0].attributes["lang"] == "en"
    assert len(page.all("h1")) == 1
    assert page.all("title")[0].text.startswith("One threshold costs the worst 10")
    rows = [row for row in page.by_id("class-table").all("tr") if row.all("td")]
    assert len(rows) == 50
    worst = places.epsilon_opis.worst_classes[0]
    assert rows[0].all("th")[0].text == worst
    cells = [cell.text for cell in rows[0].all("td")]
    table = class_table(places)
    k = table.label.index(worst)
    assert cells == [
        "20",
        f"{table.mean_utility[k]:.4f}",
        f"{table.utility_error[k]:.4f}",
        percent(table.opis_share[k]),
        percent(table.far[k]),
        percent(table.frr[k]),
        cells[6],
        table.nearest_class[k],
    ]
    assert float(cells[6]) == pytest.approx(1 - table.best_threshold[k] ** 2 / 2, rel=2e-6)
    # What needs scripts is hidden until one runs.
    for name in ("control", "search", "more", "pinned", "tip"):
        assert is_hidden(page, name)


def is_hidden(page, name: str) -> bool:
    def inside(node, hidden):
        hidden = hidden or "hidden" in node.attributes
        if node.attributes.get("id") == name:
            return hidden
        found = [inside(c, hidden) for c in node.children if not isinstance(c, str)]
        return next((f for f in found if f is not None), None)

    found = inside(page, False)
    assert found is not None
    return found


def spaced(text: str) -> str:
    return " ".join(text.split())


def test_the_summary_says_the_conclusion(places, places_page):
    page = tree(places_page)
    found = find_advice(places)
    heading = page.all("h1")[0].text
    assert spaced(heading) == f"{found.verdict}."
    assert spaced(page.all("title")[0].text) == f"{found.verdict} – opiscal"
    for said in (found.next.replace("`", ""), "Noise alone would give"):
        assert said in spaced(page.by_id("summary").text)
    assert "opiscal hard-pairs" in [code.text for code in page.by_id("summary").all("code")]
    text = page.by_id("summary").text
    point = places.recommended_threshold
    assert f"similarity is at least {round_up(point.similarity, 6):.6g}." in text
    for shown in (
        f"≥ {round_up(point.similarity, 6):.6g}",
        f"≤ {round_down(point.distance, 6):.6g}",
    ):
        assert shown in text
    assert f"accepts {percent(point.far)} of the pairs of different classes" in text
    assert f"rejects {percent(point.frr)} of the pairs of one class" in text
    for value in (places.opis.value, places.opis.corrected, places.epsilon_opis.value):
        assert f"{value:.3g}" in text
    for label in places.epsilon_opis.worst_classes[:3]:
        assert label in text


def test_what_is_not_known_is_said():
    report = simulated(**KINDS["none recommended"])
    page = tree(stub_page(report))
    assert "No threshold is recommended." in page.by_id("summary").text
    assert data_of(stub_page(report))["recommended"] is None
    assert "recommended" not in [name for name, _ in data_of(stub_page(report))["marks"]]


def test_operating_points_stand_in_their_table(any_kind):
    report, text = any_kind
    rows = [[c.text for c in row.all("th", "td")] for row in tree(text).by_id("points").all("tr")]
    points = [p for p in (report.recommended_threshold, *report.operating_points) if p.distance]
    assert len(rows) == 1 + len(points)
    for row, point in zip(rows[1:], points, strict=True):
        assert len(row) == len(rows[0])
        assert percent(point.far) in row
        assert percent(point.frr) in row
        assert f"{round_down(point.distance, 6):.6g}" in row
        if report.metric == "cosine":
            assert f"{round_up(point.similarity, 6):.6g}" in row
        if report.data.queries is not None:
            assert percent(point.fnir) in row


def test_everything_that_was_found_is_on_the_page(any_kind):
    report, text = any_kind
    page = tree(text)
    whole = page.all("main")[0].text
    for notice in report.warnings:
        assert notice.code in page.by_id("warnings").text
    assert report.provenance.fingerprint in page.by_id("provenance").text
    assert f"{report.pairs.negative:,}" in page.by_id("data").text
    assert ("Recall@1" in whole) == (report.retrieval is not None)
    assert ("Over groups" in whole) == bool(report.differential and report.differential.groups)
    assert ("Classes never seen" in whole) == bool(report.split)
    assert ("random columns" in whole) == (report.pairs.mode == "sampled")
    assert not re.search(r"\b(None|nan|inf|True|False)\b", whole)
    # Every line of a table has as many cells as its head.
    for table in page.all("table"):
        heads = [row for head in table.all("thead") for row in head.all("tr")]
        for row in table.all("tbody")[0].all("tr") if heads else []:
            assert len(row.all("th", "td")) == len(heads[0].all("th", "td"))


def test_a_label_in_the_conclusion_is_set_apart():
    labels = ("<i>شركة</i>", "`x` <i>")
    report = simulated(2, labels=labels)
    page = tree(stub_page(report))
    (name,) = page.all("h1")[0].all("bdi")
    assert name.text == report.epsilon_opis.worst_classes[0]
    assert name.text in labels
    assert not page.all("i")


def test_labels_are_text(tmp_path):
    text = stub_page(hostile())
    page = tree(text)
    assert len(page.all("script")) == 2
    assert len(page.all("svg")) == 4
    assert not page.all("img")
    assert not any(name.startswith("on") for node in page.all() for name in node.attributes)
    names = data_of(text)["columns"]["names"]
    shown = [node.text for node in page.by_id("class-table").all("bdi")]
    for label in HOSTILE[:6] + HOSTILE[9:12] + HOSTILE[14:15]:
        assert label in names
        assert label in shown
    for escaped in ("line\\nbreak\\ttab", "\\u202egnp.exe", "\\x1b[31mred", "' '"):
        assert escaped in names
        assert escaped in shown
    for hidden in "\u202e\x1b\u200d":
        assert hidden not in text


def test_json_in_a_script_ends_none():
    assert json.loads(script_json(list(HOSTILE))) == list(HOSTILE)
    assert not re.search("[<>&\u2028\u2029]", script_json([*HOSTILE, "\u2028\u2029"]))


def test_names_are_cut_where_all_of_them_take_too_much():
    labels = [f"{k:04d} {'x' * 400} {k:04d}" for k in range(100)]
    names = Names.that_fit(labels, 10_000)
    assert names.any_cut
    shown = [names.show(label) for label in labels]
    assert len(set(shown)) == 100
    assert names.size == len(script_json(shown).encode())
    # A few characters more for each would be too much.
    assert 9_500 < names.size <= 10_000
    assert not Names.that_fit(labels, 100_000).any_cut
    assert Names.that_fit(["y" * 5000], 100_000).show("y" * 5000).count("y") == 997


def test_ten_thousand_classes_stay_below_five_megabytes():
    report = many_classes()
    text = stub_page(report)
    data = data_of(text)
    assert len(text.encode()) < 5_000_000
    assert len(numbers(data["columns"]["rows"])) == 10_000
    assert len(data["edges"]) >= 50
    long = renamed(report, tuple(f"{k:05d}{'é<' * 250}" for k in range(10_000)))
    text = stub_page(long)
    assert len(text.encode()) < 5_000_000
    assert len(numbers(data_of(text)["columns"]["rows"])) == 10_000
    assert "are shown without their middle" in tree(text).by_id("classes").text


def test_of_too_many_classes_the_worst_are_kept(monkeypatch):
    report = simulated(60)
    monkeypatch.setattr(page_module, "MOST_CLASSES", 20)
    text = stub_page(report)
    columns = data_of(text)["columns"]
    table = class_table(report)
    kept = [str(table.label[i]) for i in np.argsort(table.mean_utility, kind="stable")[:20]]
    assert columns["names"][:20] == kept
    assert len(numbers(columns["rows"])) == 20
    assert "the 20 classes of the lowest mean utility, of 60" in tree(text).by_id("classes").text
    # Numbers of the whole set are still over all classes.
    stops = data_of(text)["stops"]
    assert stops["utility"] == data_of(stub_page(replace(report)))["stops"]["utility"]


def test_the_page_needs_no_matplotlib():
    code = (
        "import sys, opiscal.report.page.page; "
        "print(*[m for m in ('matplotlib', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["jinja2"]


def test_the_same_report_gives_the_same_page(places, places_page):
    assert stub_page(places) == places_page


def test_a_file_of_integers_as_labels(tmp_path):
    run = evaluated(tmp_path)
    report = opiscal.load(run)
    assert str(report.counts.labels[0]) in data_of(stub_page(report))["columns"]["names"]
    # --no-plots writes no page either.
    assert not (run / "report.html").exists()


def evaluated(folder):
    from opiscal.cli.app import run

    assert (
        run(["evaluate", str(DIGITS400), "-o", str(folder / "run"), "--quiet", "--no-plots"]) == 0
    )
    return folder / "run"
