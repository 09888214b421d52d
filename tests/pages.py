"""Pages for the tests: reports of every kind, and a page read as a tree."""

from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser

import numpy as np

import opiscal
from opiscal.report.page.page import report_page
from opiscal.report.record import Report
from opiscal.report.settings import EvaluateConfig
from opiscal.report.visible_range import curve_thresholds

VOID = {"meta", "input", "br", "hr", "img", "link"}
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "\"><svg onload='alert(3)'>",
    "<!--",
    "]]>",
    "&lt;b&gt; & {{ 7 * 7 }} {% raw %}",
    "line\nbreak\ttab",
    "\u202egnp.exe",
    "\x1b[31mred",
    "../../etc/passwd",
    "$\\frac{1}{0}$",
    "شركة الاختبار",
    "👩‍👩‍👧 family",
    "Ünïcode e\u0301",
    "x" * 500,
    " ",
)


@dataclass(frozen=True)
class StubAxes:
    x_limits: tuple[float, float]
    y_limits: tuple[float, float] = (0.0, 1.0)
    x_scale: str = "linear"
    y_scale: str = "linear"
    left: float = 40.0
    top: float = 20.0
    right: float = 340.0
    bottom: float = 220.0


@dataclass(frozen=True)
class StubPicture:
    """A figure as the page takes it, without matplotlib."""

    kind: str
    axes: StubAxes
    title: str = "The conclusion"
    description: str = "What is drawn."

    @property
    def svg(self) -> str:
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 360 260" role="img" '
            f'aria-labelledby="{self.kind}-title"><title id="{self.kind}-title">{self.title}'
            '</title><rect x="40" y="20" width="300" height="200" fill="none" '
            'stroke="var(--ink, #000000)"/></svg>'
        )


def stub_pictures(report: Report) -> tuple[StubPicture, ...]:
    low, high = report.calibration_range.distance
    shown = curve_thresholds(report.counts, low, high, report.recommended_threshold.distance)
    ends = float(shown[0]), float(shown[-1])
    return (
        StubPicture("utility-curves", StubAxes(ends)),
        StubPicture("rates", StubAxes(ends, (1e-6, 1.0), y_scale="log")),
        StubPicture("distances", StubAxes((0.0, 2.0))),
        StubPicture("det", StubAxes((-3.0, 3.0), (-3.0, 3.0), "probit", "probit")),
    )


def stub_page(report: Report) -> str:
    return report_page(report, stub_pictures(report))


def simulated(
    classes: int = 12,
    rows: int = 6,
    *,
    labels=None,
    groups=False,
    gallery=False,
    scale: float = 1.0,
    seed: int = 0,
    **settings,
) -> Report:
    """The report of classes of different width."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(classes), rows)
    width = np.linspace(0.25, 0.9, classes)[of, None]
    centres = scale * rng.standard_normal((classes, 8))
    names = [k if labels is None else labels[k] for k in of]

    def draw():
        return centres[of] + scale * width * rng.standard_normal((of.size, 8))

    group = [f"group {k % 2}" for k in range(of.size)] if groups else None
    return opiscal.evaluate(
        draw(),
        names,
        group,
        gallery=(draw(), names, group) if gallery else None,
        config=EvaluateConfig(**{"threads": 1} | settings),
    )


def hostile() -> Report:
    """Labels that would do harm where they were not taken for text."""
    return simulated(len(HOSTILE), labels=HOSTILE)


@cache
def many_classes() -> Report:
    """10,000 classes of two rows."""
    return simulated(10_000, 2, labels=[f"class-{k:05d}" for k in range(10_000)], retrieval=False)


def renamed(report: Report, labels: tuple) -> Report:
    """The same counts under other names."""
    new = dict(zip(report.counts.labels, labels, strict=True))
    worst = tuple(new[label] for label in report.epsilon_opis.worst_classes)
    return replace(
        report,
        counts=replace(report.counts, labels=labels),
        nearest_class=tuple(new.get(label) for label in report.nearest_class),
        epsilon_opis=replace(report.epsilon_opis, worst_classes=worst),
        differential=None,
    )


@dataclass(eq=False)
class Node:
    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list["Node | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    def all(self, *tags: str) -> list["Node"]:
        found = []
        for child in self.children:
            if isinstance(child, Node):
                found += [child] if not tags or child.tag in tags else []
                found += child.all(*tags)
        return found

    def by_id(self, name: str) -> "Node":
        (found,) = (node for node in self.all() if node.attributes.get("id") == name)
        return found


class _Reader(HTMLParser):
    """Elements as a tree; one that is closed by another, or not at all, is an error."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Node("document")]

    def handle_starttag(self, tag, attributes):
        node = Node(tag, dict(attributes))
        assert len(node.attributes) == len(attributes), f"an attribute twice in {tag}"
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag, attributes):
        self.open[-1].children.append(Node(tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag, f"line {self.getpos()}: </{tag}> closes another"

    def handle_data(self, text):
        self.open[-1].children.append(text)


def tree(page: str) -> Node:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    (document,) = reader.open
    return document
