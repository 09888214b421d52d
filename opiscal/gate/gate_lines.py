"""A gate's verdict as lines of text, and as Markdown."""

from collections.abc import Iterator

from opiscal.gate.comparison_markdown import markdown_table, name_text, plain_text
from opiscal.gate.gate import BUILT_IN, Gate
from opiscal.gate.policy import OF_DIFFERENCES
from opiscal.gate.verdict import RuleVerdict
from opiscal.report.layout import clean, fit

_WIDEST = 100
_ROOM = 14
_WORDS = {
    "pass": "every required rule passes",
    "fail": "a required rule fails",
    "inconclusive": "no required rule fails, and not every one is shown to be kept",
}
_PAIRING = {
    "paired": "the same classes, drawn anew for both together",
    "partly paired": "shared classes are drawn anew for both together",
    "unpaired": "no class in common: differences are less sure",
}


def gate_lines(gate: Gate, width: int = 80) -> list[str]:
    """What a person wants to know first; lines fit `width`, unless a word does not."""
    width = min(width, _WIDEST)
    lines = [
        f"verdict: {gate.verdict.verdict} ({_WORDS[gate.verdict.verdict]}; "
        f"confidence {100 * gate.verdict.confidence:g} %)",
        f"candidate  {clean(gate.candidate)}",
    ]
    if gate.baseline is not None:
        lines.append(f"baseline   {clean(gate.baseline)} ({_PAIRING[gate.pairing or 'unpaired']})")
    lines += [f"policy     {clean(gate.policy_source)}", ""]
    for rule in gate.verdict.rules:
        advisory = "" if rule.rule.level == "required" else " (advisory)"
        lines.append(f"{rule.verdict:<{_ROOM}}{rule.rule.title}{advisory}")
        lines += [" " * _ROOM + text for text in (_numbers(rule), rule.reason) if text]
    lines += ["", f"[ ]: one-sided bounds, each of {100 * gate.verdict.confidence:g} %"]
    lines += notes(gate)
    if gate.policy_source == BUILT_IN:
        lines += [
            "",
            "the built-in policy in full ('opiscal gate --init' writes it with comments):",
        ]
    lines = [piece for line in lines for piece in fit(line, width)]
    if gate.policy_source == BUILT_IN:
        lines += [f"  {line}".rstrip() for line in gate.policy.to_toml().splitlines()]
    return lines


def notes(gate: Gate) -> list[str]:
    """What the reader of a verdict should know besides."""
    wide = [rule.rule.metric for rule in gate.verdict.rules if rule.wide_margin]
    if not wide:
        return []
    return [
        f"the margin of {', '.join(dict.fromkeys(wide))} is the noise, and more than half of what "
        "it is compared with: smaller changes cannot be seen in so few classes and rows"
    ]


def markdown_lines(gate: Gate) -> list[str]:
    """The verdict in Markdown, in which names are text and no more."""
    against = "" if gate.baseline is None else f" against {name_text(gate.baseline)}"
    level = f"{100 * gate.verdict.confidence:g} %"
    return [
        f"### opiscal gate: {gate.verdict.verdict}",
        "",
        f"{name_text(gate.candidate)}{against}; {_WORDS[gate.verdict.verdict]} "
        f"(policy {name_text(gate.policy_source)}, confidence {level}).",
        "",
        *_table(gate),
        "",
        f"\\[ \\]: one-sided bounds, each of {level}, of the difference or of the number.",
        *(f"\n{plain_text(note)}." for note in notes(gate)),
    ]


def _table(gate: Gate) -> Iterator[str]:
    head = ["rule", "level", "baseline", "candidate", "difference", "bounds", "margin", "verdict"]
    rows = [
        [
            plain_text(rule.rule.title),
            rule.rule.level,
            _number(rule.baseline),
            _number(rule.value),
            _signed(rule.difference),
            plain_text(_bounds(rule)),
            _number(rule.margin),
            f"**{rule.verdict}**: {plain_text(rule.reason)}",
        ]
        for rule in gate.verdict.rules
    ]
    return markdown_table([head, *rows])


def _numbers(rule: RuleVerdict) -> str:
    if rule.value is None:
        return ""
    if rule.rule.kind not in OF_DIFFERENCES:
        return f"{_number(rule.value)} {_bounds(rule)}{_margin(rule)}".rstrip()
    if rule.baseline is None or rule.difference is None:
        return _number(rule.value)
    of = "" if rule.rule.kind != "max_relative_increase" else " beyond the limit"
    return (
        f"{_number(rule.baseline)} -> {_number(rule.value)}, {_signed(rule.difference)}{of} "
        f"{_bounds(rule)}{_margin(rule)}"
    ).rstrip()


def _margin(rule: RuleVerdict) -> str:
    if not rule.margin:
        return ""
    why = {"noise": " (the noise)", "share": " (10 %)"}.get(rule.margin_from or "", "")
    return f", margin {_number(rule.margin)}{why}"


def _bounds(rule: RuleVerdict) -> str:
    if rule.ci is None:
        return ""
    show = _signed if rule.rule.kind in OF_DIFFERENCES else _number
    return f"[{show(rule.ci[0])}, {show(rule.ci[1])}]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _signed(value: float | None) -> str:
    if value is None:
        return ""
    return "0" if value == 0 else f"{value:+.3g}"
