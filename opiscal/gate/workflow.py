"""What a GitHub workflow shows of a gate: annotations, and the summary of the step."""

import os
from pathlib import Path

from opiscal.gate.gate import Gate
from opiscal.gate.verdict import Inconclusive

SUMMARY_BYTES = 1 << 20
"""A step summary that is larger is not shown at all."""

_CUT = "\n\n(the rest has no room in this summary)\n"


def annotation_lines(
    gate: Gate, inconclusive: Inconclusive | None = None, *, report_only: bool = False
) -> list[str]:
    """A workflow command for every rule that does not pass, and for the verdict.

    Errors for required rules that stop the release, else warnings.
    """
    lines = []
    for found in gate.verdict.rules:
        if found.verdict == "pass":
            continue
        stops = found.rule.level == "required" and not report_only
        stops = stops and found.taken_as(inconclusive) != "pass"
        lines.append(
            workflow_command(
                "error" if stops else "warning",
                f"opiscal gate: {found.verdict}",
                f"{found.rule.title}: {found.reason}",
            )
        )
    return lines


def workflow_command(name: str, title: str, message: str) -> str:
    """One command of a workflow, with its title and its message escaped.

    Examples
    --------
    >>> workflow_command("error", "a: b", "50 %, twice")
    '::error title=a%3A b::50 %25, twice'
    """
    return f"::{name} title={_escaped(title, ':,')}::{_escaped(message, '')}"


def _escaped(text: str, more: str) -> str:
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + more else c for c in text)


def append_summary(text: str, file: Path) -> None:
    """Append Markdown to the summary of a step, and keep that within `SUMMARY_BYTES`.

    Raises
    ------
    OSError
        Where the file cannot be written.
    """
    size = file.stat().st_size if file.exists() else 0
    data = (text + "\n").encode("utf-8", "backslashreplace")
    room = SUMMARY_BYTES - size - 1
    if len(data) > room:
        cut = _CUT.encode()
        kept = data[: max(room - len(cut), 0)]
        # At the end of a line: half a table row, or half a character, is worse than none.
        kept = kept[: kept.rfind(b"\n") + 1]
        data = kept + cut if len(kept) + len(cut) <= room else b""
    with open(file, "ab") as out:
        out.write(data)


def summary_file() -> Path | None:
    """Where the summary of the step is written; None outside a workflow."""
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    return Path(name) if name else None


def in_workflow() -> bool:
    """Whether a GitHub workflow reads what is printed."""
    return os.environ.get("GITHUB_ACTIONS") == "true"
