"""A gate's verdict for machines: JUnit, OpenMetrics, and a flat JSON of numbers."""

import json
import re
from xml.etree import ElementTree

from opiscal.data.url import shown
from opiscal.gate.gate import Gate
from opiscal.gate.verdict import Inconclusive, RuleVerdict
from opiscal.report.layout import clean

# What XML 1.0 has no room for, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(gate: Gate, inconclusive: Inconclusive | None = None) -> bytes:
    """A test suite in which a rule is a test case.

    A required rule that fails is a failure; one that is inconclusive is an error, or whatever
    `inconclusive` makes of it (``pass``: skipped). An advisory rule that does not pass is skipped.
    """
    cases = [_case(rule, inconclusive) for rule in gate.verdict.rules]
    tags = [case[0].tag if len(case) else "passed" for case in cases]
    suite = ElementTree.Element(
        "testsuite",
        name=_xml(f"opiscal gate of {clean(gate.candidate)}"),
        tests=str(len(cases)),
        failures=str(tags.count("failure")),
        errors=str(tags.count("error")),
        skipped=str(tags.count("skipped")),
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (
        ("verdict", gate.verdict.verdict),
        ("confidence", f"{gate.verdict.confidence:g}"),
        ("candidate", gate.candidate),
        ("baseline", gate.baseline or ""),
        ("policy", gate.policy_source),
    ):
        ElementTree.SubElement(properties, "property", name=name, value=_xml(clean(value)))
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root, " ")
    text: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return text + b"\n"


def _case(rule: RuleVerdict, inconclusive: Inconclusive | None) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", classname=f"opiscal.gate.{rule.rule.level}", name=_xml(rule.rule.title)
    )
    tag = {"pass": None, "fail": "failure", "inconclusive": "error"}[rule.verdict]
    if rule.verdict == "inconclusive":
        tag = {"fail": "failure", "pass": "skipped", "inconclusive": "error"}[
            rule.taken_as(inconclusive)
        ]
    if tag is not None and rule.rule.level == "advisory":
        tag = "skipped"
    if tag is not None:
        found = ElementTree.SubElement(case, tag, message=_xml(f"{rule.verdict}: {rule.reason}"))
        if tag != "skipped":
            found.set("type", rule.verdict)
        found.text = _xml(json.dumps(rule.to_dict(), indent=1, ensure_ascii=True))
    return case


def _xml(text: str) -> str:
    return _NOT_XML.sub("", text)


def openmetrics_text(gate: Gate) -> bytes:
    """The numbers of all rules in the text format of OpenMetrics, which GitLab reads."""
    rules = gate.verdict.rules
    families: dict[str, tuple[str, list[float | None]]] = {
        "value": ("The candidate's number.", [r.value for r in rules]),
        "baseline": ("The baseline's number.", [r.baseline for r in rules]),
        "difference": ("What has changed.", [r.difference for r in rules]),
        "margin": ("How far beyond the limit passes.", [r.margin for r in rules]),
        "rule_passed": (
            "1 for a rule that passes, 0 for one that does not.",
            [float(r.verdict == "pass") for r in rules],
        ),
    }
    lines = [
        "# TYPE opiscal_gate_passed gauge",
        "# HELP opiscal_gate_passed 1 where every required rule passes.",
        f"opiscal_gate_passed {int(gate.verdict.verdict == 'pass')}",
    ]
    for name, (about, values) in families.items():
        lines += [f"# TYPE opiscal_gate_{name} gauge", f"# HELP opiscal_gate_{name} {about}"]
        lines += [
            f"opiscal_gate_{name}{{{_labels(k, rule)}}} {value!r}"
            for k, (rule, value) in enumerate(zip(rules, values, strict=True))
            if value is not None
        ]
    return ("\n".join([*lines, "# EOF"]) + "\n").encode("utf-8", "backslashreplace")


def _labels(place: int, verdict: RuleVerdict) -> str:
    rule = verdict.rule
    known = {
        "rule": str(place + 1),
        "metric": rule.metric,
        "limit": rule.kind,
        "far": "" if rule.far is None else f"{rule.far:g}",
        "threshold": clean(shown(rule.threshold)) if rule.threshold else "",
        "level": rule.level,
    }
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
    return ",".join(
        f'{name}="{"".join(escapes.get(c, c) for c in value)}"'
        for name, value in known.items()
        if value
    )


def metrics_json(gate: Gate) -> bytes:
    """A flat document of numbers, such as ``dvc metrics`` shows.

    A key is the metric, with its FAR, and ``_baseline`` or ``_difference``; of a metric with two
    rules the second is ``..._2``. `passed` is 1 or 0.
    """
    out: dict[str, float | str | int] = {
        "verdict": gate.verdict.verdict,
        "passed": int(gate.verdict.verdict == "pass"),
    }
    for found in gate.verdict.rules:
        rule = found.rule
        name = rule.metric if rule.far is None else f"{rule.metric}_{rule.far:g}"
        key, again = name, 2
        while key in out:
            key, again = f"{name}_{again}", again + 1
        for ending, value in (
            ("", found.value),
            ("_baseline", found.baseline),
            ("_difference", found.difference),
        ):
            if value is not None:
                out[f"{key}{ending}"] = value
    return (json.dumps(out, indent=1, allow_nan=False) + "\n").encode("ascii")
