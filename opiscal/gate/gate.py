"""The gate: may this model be released? Runs and rules in, one verdict out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opiscal.errors import UsageError
from opiscal.gate.mismatch import Mismatch
from opiscal.gate.policy import Policy
from opiscal.gate.rule_evidence import gather
from opiscal.gate.usual_policy import usual_policy
from opiscal.gate.verdict import Inconclusive, Verdict, judge
from opiscal.report.plain import plain
from opiscal.report.record import Report


@dataclass(frozen=True, slots=True)
class Gate:
    """A verdict, and what it is about.

    Attributes
    ----------
    verdict : Verdict
    policy : Policy
    policy_source : str
        ``built in``, or the file it was read from.
    candidate, baseline : str or None
        What the runs are called.
    pairing : str or None
        ``paired``, ``partly paired`` or ``unpaired``; None without a baseline.
    mismatches : tuple of Mismatch
    """

    verdict: Verdict
    policy: Policy
    policy_source: str
    candidate: str
    baseline: str | None
    pairing: str | None
    mismatches: tuple[Mismatch, ...]

    def to_dict(self) -> dict[str, Any]:
        """The document of ``gate --json``."""
        return {
            **self.verdict.to_dict(),
            "candidate": self.candidate,
            "baseline": self.baseline,
            "pairing": self.pairing,
            "policy": self.policy_source,
            "mismatches": [plain(mismatch) for mismatch in self.mismatches],
        }


BUILT_IN = "built in"


def inconclusive_as(text: str | None) -> Inconclusive | None:
    """Read ``fail`` or ``pass``; anything else is a `UsageError`."""
    if text == "fail":
        return "fail"
    if text is None or text == "pass":
        return None if text is None else "pass"
    raise UsageError(f"inconclusive {text!r}: must be taken for fail or pass")


def exit_code(
    verdict: Verdict, inconclusive: Inconclusive | None = None, *, report_only: bool = False
) -> int:
    """0 for a verdict that passes, 1 for one that fails, 3 for one that is inconclusive.

    Parameters
    ----------
    verdict : Verdict
    inconclusive : "fail", "pass" or None
        What an inconclusive verdict is taken for; never a pass where a number is not in a report.
    report_only : bool
        0 for any verdict.
    """
    if report_only:
        return 0
    return {"pass": 0, "fail": 1, "inconclusive": 3}[verdict.taken_as(inconclusive)]


def gate_reports(
    candidate: Report,
    baseline: Report | None = None,
    policy: Policy | None = None,
    *,
    names: Sequence[str] = ("candidate", "baseline"),
    policy_source: str = BUILT_IN,
    far: float | None = None,
    threshold: str | None = None,
    allow_mismatch: bool = False,
    seed: int = 0,
) -> Gate:
    """Judge a candidate by the rules of a policy.

    Parameters
    ----------
    candidate : Report
    baseline : Report, optional
    policy : Policy, optional
        By default `opiscal.gate.usual_policy.usual_policy`, of which `far` and `threshold` are.
    names : pair of str
        Of the candidate and of the baseline.
    policy_source : str
        Where the policy comes from.
    far : float, optional
    threshold : str, optional
    allow_mismatch : bool
        Whether runs that differ in something that only weakens a comparison are compared.
    seed : int
        Of the replicates.

    Raises
    ------
    UsageError
        Where a rule needs a baseline and there is none, or the runs cannot be compared.

    Examples
    --------
    A model against itself:

    >>> import numpy as np
    >>> import opiscal
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(np.arange(40), 8)
    >>> centres = rng.standard_normal((40, 8))[labels]
    >>> report = opiscal.evaluate(centres + 0.6 * rng.standard_normal((320, 8)), labels)
    >>> found = gate_reports(report, report).verdict
    >>> found.verdict, [rule.difference for rule in found.rules]
    ('pass', [0.0, 0.0, 0.0, None])
    """
    if policy is None:
        policy = usual_policy(candidate, baseline, far=far, threshold=threshold)
    found = gather(
        policy,
        candidate,
        baseline,
        names=(names[0], names[1]),
        allow_mismatch=allow_mismatch,
        seed=seed,
    )
    return Gate(
        verdict=judge(policy, found.evidence),
        policy=policy,
        policy_source=policy_source,
        candidate=names[0],
        baseline=None if baseline is None else names[1],
        pairing=found.pairing,
        mismatches=found.mismatches,
    )
