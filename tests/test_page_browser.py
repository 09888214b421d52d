"""report.html in a real browser: headless Chromium through playwright."""

import os
import re
import shutil
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from pages import HOSTILE, hostile, many_classes, simulated, stub_page

import opiscal
from opiscal.measures.rates import class_counts_at
from opiscal.measures.utility import Utility, class_utility
from opiscal.report.class_table import class_table
from opiscal.report.percents import percent, percent_between
from opiscal.report.rounding import round_up

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE = {"width": 400, "height": 800}
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def browser_path() -> str:
    """An installed Chromium, or that of OPISCAL_CHROMIUM."""
    given = os.environ.get("OPISCAL_CHROMIUM")
    found = given or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(
            f"no browser: none of {', '.join(NAMES)} is installed, and OPISCAL_CHROMIUM names none"
        )
    return found


@pytest.fixture(scope="module")
def chromium():
    path = browser_path()
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


class Opened:
    """A page in a tab of its own, and everything that went wrong in it."""

    def __init__(self, browser, file: Path, **options) -> None:
        self.context = browser.new_context(**options)
        self.tab = self.context.new_page()
        self.wrong: list[str] = []
        self.requests: list[str] = []
        self.tab.on("console", lambda told: self.wrong.append(f"console: {told.text}"))
        self.tab.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.tab.on("dialog", lambda dialog: (self.wrong.append("dialog"), dialog.dismiss()))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.goto(file.as_uri())

    def text(self, selector: str) -> str:
        return self.tab.locator(selector).first.inner_text()

    def column(self, number: int) -> list[str]:
        """What the rows of the table of classes show in a column."""
        return self.tab.eval_on_selector_all(
            "#class-table tbody tr", f"rows => rows.map(row => row.cells[{number}].textContent)"
        )

    def here(self, name: str) -> str:
        row = self.tab.locator("#here tr", has=self.tab.locator(f'th:text-is("{name}")'))
        return row.locator("td").inner_text()

    def at(self, kind: str, distance: float, height: float) -> tuple[float, float]:
        """Where a place in the axes of a figure is on the screen; it is brought into sight."""
        self.tab.locator(f"#figure-{kind}").scroll_into_view_if_needed()
        return tuple(
            self.tab.evaluate(
                """([kind, distance, height]) => {
                    const data = JSON.parse(document.getElementById("data-of-page").textContent);
                    const { left, right, top, bottom, x, y } = data.figures[kind];
                    const across = left + (distance - x[0]) / (x[1] - x[0]) * (right - left);
                    const up = bottom + (height - y[0]) / (y[1] - y[0]) * (top - bottom);
                    const svg = document.querySelector(`#figure-${kind} svg`);
                    const point = new DOMPoint(across, up).matrixTransform(svg.getScreenCTM());
                    return [point.x, point.y];
                }""",
                [kind, distance, height],
            )
        )

    def next_frame(self) -> None:
        """Wait until what follows the pointer was drawn."""
        self.tab.evaluate(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def close(self) -> None:
        self.context.close()
        assert self.wrong == []
        assert len(self.requests) == 1
        assert self.requests[0].startswith("file:")


@pytest.fixture(scope="module")
def places(places_run):
    return opiscal.load(places_run)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of pages with stub figures, each written once."""
    folder = tmp_path_factory.mktemp("pages")

    def file_of(name, report):
        file = folder / f"{name}.html"
        if not file.exists():
            file.write_text(stub_page(report()), encoding="utf-8")
        return file

    return file_of


@pytest.fixture
def opened(chromium):
    """Open a file; at the end of the test nothing may have gone wrong in it."""
    tabs = []

    def open_file(file, **options):
        tabs.append(Opened(chromium, file, **options))
        return tabs[-1]

    yield open_file
    for tab in tabs:
        tab.close()


@pytest.fixture
def page(opened, places_run):
    return opened(places_run / "report.html", viewport={"width": 1280, "height": 900})


def test_the_page_opens_with_everything_in_it(page, places):
    assert page.text("h1").startswith("One threshold costs the worst 10")
    assert page.tab.locator("figure svg").count() == 9
    assert page.tab.locator("#control").is_visible()
    assert page.tab.locator("#class-table tbody tr").count() == 100
    assert page.text("#found") == "150 classes"
    assert page.column(0)[: len(places.epsilon_opis.worst_classes)] == list(
        places.epsilon_opis.worst_classes
    )


def test_the_script_shows_the_numbers_that_stand_in_the_page(chromium, opened, places_run):
    with_script = opened(places_run / "report.html").tab
    without = opened(places_run / "report.html", java_script_enabled=False).tab
    read = "rows => rows.slice(0, 50).map(row => [...row.cells].map(cell => cell.textContent))"
    rows = "#class-table tbody tr"
    static = [[cell.inner_text() for cell in row.locator("th, td").all()]
              for row in without.locator(rows).all()[:5]]  # fmt: skip
    assert with_script.eval_on_selector_all(rows, read)[:5] == static


def test_sorting_by_every_column(page, places):
    table = class_table(places)
    order = np.argsort(table.mean_utility, kind="stable")
    best = 1 - table.best_threshold**2 / 2
    columns = {
        "rows": (1, table.rows, True),
        "utility": (2, table.mean_utility, False),
        "error": (3, table.utility_error, True),
        "share": (4, table.opis_share, True),
        "far": (5, table.far, True),
        "frr": (6, table.frr, True),
        "best": (7, -best, False),
    }
    labels = np.array(table.label)[order]
    for key, (number, values, down) in columns.items():
        heading = page.tab.locator(f'#class-table th[data-key="{key}"]')
        # The first press of the column that is sorted already turns it round.
        first = not down if key == "utility" and heading.get_attribute("aria-sort") else down
        for largest_first in (first, not first):
            heading.locator("button").click()
            said = "descending" if largest_first else "ascending"
            assert heading.get_attribute("aria-sort") == said
            keys = values[order].astype(np.float32) if number in (2, 3, 4) else values[order]
            expected = np.argsort(-keys if largest_first else keys, kind="stable")
            assert page.column(0) == labels[expected][:100].tolist(), key
    assert page.tab.locator("#class-table th[aria-sort]").count() == 1


def test_sorting_by_name_is_as_people_count(opened, files):
    labels = [f"class {k}" for k in range(12)]
    page = opened(files("twelve", lambda: simulated(12, labels=labels)))
    heading = page.tab.locator('#class-table th[data-key="name"] button')
    heading.click()
    assert page.column(0) == labels
    heading.click()
    assert page.column(0) == labels[::-1]
    page.tab.locator('#class-table th[data-key="nearest"] button').click()
    nearest = page.column(8)
    assert nearest == sorted(nearest, key=lambda name: int(name.split()[1]))


def test_a_class_is_found_by_typing_its_name(page):
    search = page.tab.get_by_label("Find a class")
    search.fill("CHINA/0")
    assert page.column(0)
    assert all(name.startswith("china/0") for name in page.column(0))
    assert page.text("#found") == f"{len(page.column(0))} of 150 classes"
    assert page.tab.locator("#found").get_attribute("aria-live") == "polite"
    search.fill("no such place")
    assert page.column(0) == []
    assert page.text("#found") == "0 of 150 classes"
    search.fill("")
    assert len(page.column(0)) == 100
    page.tab.get_by_role("button", name="Show 50 more").click()
    assert len(page.column(0)) == 150
    assert not page.tab.locator("#more").is_visible()


def test_the_slider_by_keyboard(page, places):
    slider = page.tab.get_by_label("Threshold", exact=True)
    slider.focus()
    point = places.recommended_threshold
    start = f"similarity {round_up(point.similarity, 6):.6g}, FAR {percent(point.far)}"
    assert slider.get_attribute("aria-valuetext").startswith(start)
    data = page.tab.evaluate("JSON.parse(document.getElementById('data-of-page').textContent)")
    stop = data["start"]
    moves = [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", None), ("Home", None)]
    for key, away in moves:
        page.tab.keyboard.press(key)
        last = len(data["stops"]["distance"]) - 1
        at = stop + away if away is not None else {"End": last, "Home": 0}[key]
        truth = places.threshold(at=data["stops"]["distance"][at])
        assert slider.input_value() == str(at)
        assert page.here("cosine similarity ≥") == f"{round_up(truth.similarity, 6):.6g}"
        assert (
            page.here("FAR over all pairs")
            == f"{percent(truth.far)} {percent_between(truth.far_ci)}"
        )
        assert (
            page.here("FRR over all pairs")
            == f"{percent(truth.frr)} {percent_between(truth.frr_ci)}"
        )
        assert page.here("mean utility of the classes") == f"{truth.utility:.4f}"
        assert percent(truth.far) in slider.get_attribute("aria-valuetext")
        assert page.text("#at-threshold") == slider.get_attribute("aria-valuetext")


def test_classes_that_suffer_at_a_threshold(page, places):
    far = places.operating_points[1]
    page.tab.get_by_role("button", name="FAR at most 0.01", exact=True).click()
    at = np.array([far.distance])
    utility = class_utility(places.counts, at, Utility())[:, 0]
    accepted = class_counts_at(places.counts, at)
    rows = page.tab.eval_on_selector_all(
        "#suffer tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    assert len(rows) == 10
    assert [float(row[1]) for row in rows] == [round(u, 4) for u in sorted(utility)[:10]]
    place = {label: k for k, label in enumerate(places.counts.labels)}
    for name, _, class_far, class_frr in rows:
        k = place[name]
        assert class_far == percent(accepted.negative[k, 0] / places.counts.negatives_of_class[k])
        frr = 1 - accepted.positive[k, 0] / places.counts.positives_of_class[k]
        assert class_frr == percent(frr)
    pressed = page.tab.locator('#jumps button[aria-pressed="true"]')
    assert pressed.all_inner_texts() == ["FAR at most 0.01"]
    assert "FAR 1" in page.text("#told")


def test_a_click_in_a_figure_sets_the_threshold(page):
    lines = "#figure-{} .over .threshold"
    kinds = ("utility-curves", "rates", "distances", "distances-log")
    before = [page.tab.locator(lines.format(kind)).get_attribute("x1") for kind in kinds]
    page.tab.mouse.click(*page.at("utility-curves", 0.4, 0.5))
    found = float(page.here("unit L2 distance ≤"))
    assert found == pytest.approx(0.4, abs=0.02)
    after = [page.tab.locator(lines.format(kind)).get_attribute("x1") for kind in kinds]
    assert all(a != b for a, b in zip(before, after, strict=True))
    page.tab.mouse.click(*page.at("distances", 0.7, 0.02))
    assert float(page.here("unit L2 distance ≤")) == pytest.approx(0.7, abs=0.02)
    # Outside of the axes nothing is chosen.
    x, y = page.at("distances", 0.0, 0.0)
    page.tab.mouse.click(x - 10, y + 20)
    assert float(page.here("unit L2 distance ≤")) == pytest.approx(0.7, abs=0.02)


def hover(page, report, classes):
    """Names, utility and rates that are shown where the curves of some classes are."""
    distance = report.recommended_threshold.distance
    curves = class_utility(report.counts, np.array([distance]), Utility())[:, 0]
    for k in classes:
        page.tab.mouse.move(*page.at("utility-curves", distance, curves[k]))
        page.next_frame()
        assert page.tab.locator("#tip").is_visible()
        shown = page.tab.locator("#tip span").all_text_contents()
        name = page.text("#tip .name")
        found = report.counts.labels.index(name)
        # The pointer stands on a dot, and another class may be as near to it.
        assert curves[found] == pytest.approx(curves[k], abs=0.004), name
        assert float(shown[0].split()[-1]) == pytest.approx(curves[found], abs=0.002)
        assert page.tab.locator("#figure-utility-curves .hovered").count() == 1
        yield name, shown


def test_the_pointer_names_the_class_of_a_curve(page, places):
    worst = places.counts.labels.index(places.epsilon_opis.worst_classes[0])
    ((name, shown),) = hover(page, places, [worst])
    assert name == places.epsilon_opis.worst_classes[0]
    assert re.fullmatch(r"FAR [\d.]+\xa0% · FRR [\d.]+\xa0%", shown[1])
    assert page.tab.locator("#figure-rates .hovered").count() == 2
    page.tab.mouse.move(5, 5)
    page.next_frame()
    assert page.tab.locator("#tip").is_hidden()
    assert page.tab.locator(".hovered").count() == 0


def test_a_finger_names_the_class_and_sets_the_threshold(opened, places_run, places):
    page = opened(places_run / "report.html", viewport=PHONE, has_touch=True)
    page.tab.touchscreen.tap(*page.at("utility-curves", 0.4, 0.1))
    page.next_frame()
    assert page.text("#tip .name") in places.counts.labels
    assert float(page.here("unit L2 distance ≤")) == pytest.approx(0.4, abs=0.03)
    box = page.tab.locator("#tip").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 400


def test_the_keyboard_alone_finds_and_draws_a_class(page, places):
    tab = page.tab
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
    for _ in range(60):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.id") == "search":
            break
    tab.keyboard.type("china/07")
    assert page.column(0) == ["china/07"]
    tab.keyboard.press("Enter")
    assert tab.locator("#figure-utility-curves .pinned").count() == 1
    assert tab.locator("#figure-rates .pinned").count() == 2
    assert page.text("#pinned .which") == "china/07"
    k = places.counts.labels.index("china/07")
    utility = class_utility(
        places.counts, np.array([places.recommended_threshold.distance]), Utility()
    )[k, 0]
    assert f"utility {utility:.4f}" in page.text("#pinned .numbers")
    # On to the headings and the row itself, and back.
    for _ in range(20):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.className") == "class":
            break
    assert tab.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    tab.keyboard.press("Enter")
    assert tab.locator(".pinned path, path.pinned").count() == 0
    assert not tab.locator("#pinned").is_visible()
    tab.keyboard.press("Space")
    assert tab.locator("path.pinned").count() == 3
    tab.keyboard.press("Escape")
    assert tab.locator("path.pinned").count() == 0


def test_a_click_on_a_row_draws_its_class(page):
    page.tab.locator("#class-table tbody tr").nth(2).locator("td").nth(1).click()
    assert page.text("#pinned .which") == page.column(0)[2]
    assert page.tab.locator("tr.chosen").count() == 1
    page.tab.locator("#suffer tbody button").first.click()
    assert page.text("#pinned .which") == page.text("#suffer tbody th")
    page.tab.get_by_role("button", name="Release").click()
    assert not page.tab.locator("#pinned").is_visible()
    assert page.tab.locator("path.pinned").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_flows_over_and_text_can_be_read(opened, places_run, width, scheme):
    page = opened(
        places_run / "report.html",
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
    )
    assert flows_over(page) == []
    assert page.tab.screenshot(full_page=True)[:4] == b"\x89PNG"
    low = page.tab.evaluate(CONTRAST)
    assert low == []


def flows_over(page) -> list[str]:
    return page.tab.evaluate(
        """() => {
            const root = document.documentElement;
            const over = [];
            if (root.scrollWidth > root.clientWidth) {
                over.push(`page: ${root.scrollWidth} > ${root.clientWidth}`);
            }
            for (const one of document.querySelectorAll("main *, header *")) {
                const box = one.getBoundingClientRect();
                if (box.width && box.right > root.clientWidth + 0.5
                    && !one.closest(".scroll, svg, .unseen")) over.push(one.outerHTML.slice(0, 80));
            }
            return over;
        }"""
    )


# WCAG 2.2, contrast of text at least 4.5.
CONTRAST = """() => {
    const colour = (text) => text.match(/[\\d.]+/g).map(Number);
    const linear = (part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    };
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const found = colour(getComputedStyle(at).backgroundColor);
            if (found.length < 4 || found[3] > 0) return found;
        }
        return [255, 255, 255];
    };
    const low = [];
    for (const node of document.querySelectorAll("body *")) {
        const own = [...node.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim());
        if (!own || node.closest("svg, script, style") || !node.getClientRects().length) continue;
        const [a, b] = [light(colour(getComputedStyle(node).color)), light(behind(node))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) low.push(`${contrast.toFixed(2)}: ${node.outerHTML.slice(0, 80)}`);
    }
    return low;
}"""

# What a screen reader needs, looked for in the page as it is after the script ran.
ACCESSIBLE = """() => {
    const wrong = [];
    const say = (what, node) => wrong.push(`${what}: ${node.outerHTML.slice(0, 100)}`);
    const textOf = (ids) => (ids || "").split(/\\s+/).filter(Boolean)
        .map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim();
    for (const field of document.querySelectorAll("input, select, textarea")) {
        if (![...(field.labels ?? [])].some((label) => label.textContent.trim())) {
            say("no label", field);
        }
    }
    for (const control of document.querySelectorAll("button, a[href]")) {
        if (!control.textContent.trim()) say("no name", control);
    }
    let level = 0;
    for (const heading of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
        const next = Number(heading.tagName[1]);
        if (next > level + 1) say(`level ${next} after ${level}`, heading);
        level = next;
    }
    if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
    for (const table of document.querySelectorAll("table")) {
        if (!table.caption || !table.caption.textContent.trim()) say("no caption", table);
        for (const cell of table.querySelectorAll("th")) {
            if (!["col", "row"].includes(cell.scope)) say("no scope", cell);
        }
        for (const row of table.tBodies[0].rows) {
            if (row.cells[0].tagName !== "TH") say("no header", row);
        }
    }
    for (const svg of document.querySelectorAll("svg")) {
        const name = svg.getAttribute("aria-label") || textOf(svg.getAttribute("aria-labelledby"));
        if (svg.getAttribute("role") !== "img" || !name) say("no name", svg);
    }
    for (const region of document.querySelectorAll("[role=region], [role=group], nav, section")) {
        const name = region.getAttribute("aria-label")
            || textOf(region.getAttribute("aria-labelledby"));
        if (!name) say("no name", region);
    }
    for (const one of document.querySelectorAll(".scroll")) {
        if (one.tabIndex !== 0) say("cannot be reached", one);
    }
    for (const name of ["aria-labelledby", "aria-describedby", "for"]) {
        for (const node of document.querySelectorAll(`[${name}]`)) {
            for (const id of node.getAttribute(name).split(/\\s+/)) {
                if (!document.getElementById(id)) say(`${name} of nothing`, node);
            }
        }
    }
    const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
    for (const id of new Set(ids)) {
        if (ids.filter((other) => other === id).length > 1) wrong.push(`twice: ${id}`);
    }
    if (!document.documentElement.lang) wrong.push("no language");
    for (const landmark of ["main", "header", "footer", "nav"]) {
        if (document.querySelectorAll(`body > ${landmark}, header > ${landmark}`).length !== 1) {
            wrong.push(`not one ${landmark}`);
        }
    }
    return wrong;
}"""


def test_a_screen_reader_finds_its_way(page):
    page.tab.locator("#class-table tbody button").first.click()
    assert page.tab.evaluate(ACCESSIBLE) == []


def test_focus_can_be_seen(page):
    tab = page.tab
    for selector in ("#search", "#slider", "#jumps button", "#class-scroll", "nav a"):
        tab.locator(selector).first.focus()
        tab.keyboard.press("Shift+Tab")
        tab.keyboard.press("Tab")
        width = tab.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert float(width.removesuffix("px")) >= 2, selector


KINDS = {
    "two classes": {"classes": 2},
    "l2": {"metric": "l2", "scale": 1000.0},
    "precision and recall": {"utility": "precision-recall", "c": 2.0},
    "gallery and groups": {"gallery": True, "groups": True},
    "none recommended": {"recommend": "far=1e-9"},
    "range of one step": {"range": "distance=1:1"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_report_works(opened, files, kind):
    report = simulated(**KINDS[kind])
    page = opened(files(kind.replace(" ", "-"), lambda: report), viewport=PHONE)
    assert page.tab.evaluate(ACCESSIBLE) == []
    assert flows_over(page) == []
    point = report.operating_points[-1]
    page.tab.get_by_role("button", name="best utility", exact=True).click()
    assert page.here("mean utility of the classes") == f"{point.utility:.4f}"
    assert page.here("FAR over all pairs").startswith(percent(point.far))
    if report.data.queries is not None:
        assert page.here("FNIR") == percent(point.fnir)
    # The script works utility out by itself, from the counts.
    utility = Utility(report.settings.utility, report.settings.c)
    curves = class_utility(report.counts, np.array([point.distance]), utility)[:, 0]
    shown = page.tab.eval_on_selector_all(
        "#suffer tbody tr", "rows => rows.map(row => Number(row.cells[1].textContent))"
    )
    assert shown == pytest.approx(sorted(curves)[: len(shown)], abs=5.1e-5)
    assert page.tab.locator("#class-table tbody tr").count() == report.counts.classes
    far = page.column(5)
    assert all((text == "–") == (report.recommended_threshold.distance is None) for text in far)


def test_hostile_labels_are_text(opened, files):
    page = opened(files("hostile", hostile), viewport=PHONE)
    names = page.column(0)
    assert len(names) == len(HOSTILE)
    for label in HOSTILE[:6] + HOSTILE[9:12] + HOSTILE[14:15]:
        assert label in names
    assert flows_over(page) == []
    assert page.tab.locator("table img, bdi *, bdi svg").count() == 0
    search = page.tab.get_by_label("Find a class")
    for typed, found in (
        ("<SCRIPT>", "<script>alert(1)</script>"),
        ("unicode é", "Ünïcode e\u0301"),
        ("\u202egnp", "\\u202egnp.exe"),
        ("👩‍👩‍👧", "👩\\u200d👩\\u200d👧 family"),
        ("\x1b[31", "\\x1b[31mred"),
        ("الاختبار", "شركة الاختبار"),
    ):
        search.fill(typed)
        assert page.column(0) == [found], typed
        search.press("Enter")
        assert page.text("#pinned .which") == found
        search.press("Escape")
    search.fill("xxxx")
    search.press("Enter")
    assert flows_over(page) == []


def test_ten_thousand_classes_answer_at_once(opened, files):
    file = files("many", many_classes)
    assert file.stat().st_size < 5_000_000
    page = opened(file, viewport={"width": 1280, "height": 900})
    tab = page.tab
    assert page.text("#found") == "10,000 classes"
    assert len(page.column(0)) == 100
    tab.locator("#search").focus()
    # Within the keystroke itself, not after some time.
    counted = tab.evaluate(
        """() => {
            const search = document.getElementById("search");
            const rows = () => document.querySelectorAll("#class-table tbody tr").length;
            return ["0777", "07771", "class-0777", "zzz", ""].map((text) => {
                search.value = text;
                search.dispatchEvent(new InputEvent("input"));
                return [rows(), document.getElementById("found").textContent];
            });
        }"""
    )
    assert counted == [
        [11, "11 of 10,000 classes"],
        [1, "1 of 10,000 classes"],
        [10, "10 of 10,000 classes"],
        [0, "0 of 10,000 classes"],
        [100, "10,000 classes"],
    ]
    tab.get_by_role("button", name="Show 100 more of 9,900").click()
    assert len(page.column(0)) == 200
    report = many_classes()
    list(hover(page, report, [0, 5000]))
    tab.locator("#slider").focus()
    tab.keyboard.press("ArrowRight")
    assert tab.locator("#suffer tbody tr").count() == 10


def test_without_scripts_the_content_is_there(opened, places_run, places):
    page = opened(
        places_run / "report.html",
        java_script_enabled=False,
        viewport=PHONE,
    )
    tab = page.tab
    assert page.text("h1").startswith("One threshold costs the worst 10")
    assert tab.locator("figure svg").count() == 9
    assert tab.locator("#class-table tbody tr").count() == 50
    assert tab.locator("#points tbody tr").count() == 1 + len(places.operating_points)
    assert places.provenance.fingerprint in page.text("#provenance")
    for selector in ("#control", "#search", "#more", "#tip", "#pinned", "#slider"):
        assert not tab.locator(selector).is_visible()
    assert tab.locator("button:visible, input:visible").count() == 0
    root = tab.locator("html").bounding_box()
    assert root["width"] <= 400


def test_on_paper_there_are_no_controls(page):
    page.tab.emulate_media(media="print", color_scheme="dark")
    assert page.tab.locator("button:visible:not(.sort, .class), input:visible").count() == 0
    assert page.tab.locator("nav").is_hidden()
    paper = page.tab.evaluate("getComputedStyle(document.body).color")
    assert paper == "rgb(0, 0, 0)"
    assert page.tab.locator("figure svg").first.is_visible()


def test_the_file_may_lie_anywhere(opened, files, tmp_path):
    folder = tmp_path / quote("a folder #1") / "ü & b"
    folder.mkdir(parents=True)
    moved = folder / "report.html"
    shutil.copy(files("twelve", lambda: simulated(12)), moved)
    page = opened(moved)
    assert page.tab.locator("#control").is_visible()
