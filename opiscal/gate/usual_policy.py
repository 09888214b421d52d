"""The usual policy: the rules of a gate where none are given, and a first file of rules."""

from collections.abc import Sequence

from opiscal.gate.figures import point_at_far
from opiscal.gate.policy import Policy, Rule, policy_of
from opiscal.measures.operating_points import OperatingPoint
from opiscal.report.layout import clean
from opiscal.report.record import Report


def usual_policy(
    candidate: Report,
    baseline: Report | None = None,
    *,
    far: float | None = None,
    threshold: str | None = None,
    confidence: float = 0.95,
) -> Policy:
    """OPIS, 10%-OPIS and FRR not worse than the baseline's, and the promised FAR kept.

    - OPIS without noise (as it is, where one of the runs does not have it) and eps-OPIS do not
      rise.
    - FRR at the stated FAR does not rise.
    - The shipped threshold keeps its FAR. Shipped is `threshold`; else, with `far` given to a
      candidate whose threshold was not recommended for it, that for this FAR; else the recommended
      one. Promised is `far`; else the FAR that it was recommended for; else the upper end of a
      calibration range of FAR, inside which it was chosen. Else nothing was promised.

    Parameters
    ----------
    candidate : Report
    baseline : Report, optional
        Without it there are only the rules that need none.
    far : float, optional
        The stated FAR; see `stated_far`.
    threshold : str, optional
        The shipped threshold, as a rule has it.
    confidence : float
    """
    rules: list[dict[str, object]] = []
    if baseline is not None:
        runs = (candidate, baseline)
        corrected = all(run.opis.corrected is not None for run in runs)
        asked = stated_far(runs) if far is None else far
        rules = [
            {"metric": "opis.corrected" if corrected else "opis.value", "max_increase": 0.0},
            {"metric": "epsilon_opis.value", "max_increase": 0.0},
            {"metric": "frr_at_far", "far": asked, "max_increase": 0.0},
        ]
    promise = _promise(candidate, far, threshold)
    rules += [] if promise is None else [promise]
    if not rules:
        # There must be something to judge: the rate that everything else hangs on.
        asked = stated_far((candidate,)) if far is None else far
        rules = [
            {"metric": "far_at_threshold", "threshold": f"far={asked!r}", "max": asked}
            | {"margin": "auto"}
        ]
    return policy_of({"confidence": confidence, "rule": rules}, "built in")


def stated_far(reports: Sequence[Report]) -> float:
    """The FAR that a gate goes by where none is given: the candidate's, who comes first.

    That of its recommended threshold where this was chosen by FAR. Else the lower end of its
    calibration range, or the upper one where the lower is not supported by all reports; 0.01 for a
    range that is not one of FAR.
    """
    candidate = reports[0]
    point = candidate.recommended_threshold
    if point.criterion == "far" and point.target is not None:
        return point.target
    spec = candidate.settings.range_spec
    if spec.kind != "far":
        return 0.01
    if spec.low > 0 and all(point_at_far(report, spec.low) is not None for report in reports):
        return spec.low
    return min(spec.high, 0.5)


def _promise(
    candidate: Report, far: float | None, threshold: str | None
) -> dict[str, object] | None:
    point = candidate.recommended_threshold
    place = threshold or "recommended"
    if far is None:
        far = _promised(candidate, point)
    elif threshold is None and (point.criterion, point.target) != ("far", far):
        place = f"far={far!r}"
    if far is None or not 0 < far < 1:
        return None
    where = {} if place == "recommended" else {"threshold": place}
    return {"metric": "far_at_threshold", **where, "max": far, "margin": "auto"}


def _promised(candidate: Report, point: OperatingPoint) -> float | None:
    if point.criterion == "far":
        return point.target
    if point.criterion != "utility":
        return None
    spec = candidate.settings.range_spec
    return spec.high if spec.kind == "far" else None


def policy_text(policy: Policy, candidate: Report, run: str) -> str:
    """A policy as a commented TOML file, with the numbers of the run that it is fitted to.

    Parameters
    ----------
    policy : Policy
        Such as `usual_policy` gives.
    candidate : Report
    run : str
        Where it comes from.
    """
    lines = [
        "# Rules for 'opiscal gate'; read them with: opiscal gate --policy FILE --baseline RUN",
        f"# Numbers in comments are those of {clean(run)}.",
        "#",
        "# A rule: a metric (a path in report.json, frr_at_far, far_at_threshold, ...), and one of",
        "# max, min, max_increase, max_decrease, max_relative_increase. Optional:",
        "#   margin = 0.01        how far beyond the limit still passes, in units of the metric.",
        '#                        "auto": 10 % of the baseline\'s number, of the limit for max and',
        "#                        min, and at least the noise",
        '#   level = "advisory"   tell, but let it pass',
        '#   judge = "value"      compare plain numbers, whatever the noise',
        "",
        "# An error of the verdict, over all required rules, in at most 5 % of the releases.",
        f"confidence = {policy.confidence!r}",
    ]
    for rule in policy.rules:
        lines += ["", f"# {_about(rule, candidate)}", *_rule_lines(rule)]
    lines += [
        "",
        "# More, to be switched on:",
        "#",
        *_commented(f"Mean utility, here {candidate.utility.mean:.4g}, does not fall.",
                    'metric = "utility.mean"', "max_decrease = 0.0"),
        *_commented(f"The equal error rate is low; here {sum(candidate.verification.eer) / 2:.3g}.",
                    'metric = "verification.eer"',
                    f"max = {1.25 * sum(candidate.verification.eer) / 2:.2g}"),
    ]  # fmt: skip
    if candidate.retrieval is not None and "1" in candidate.retrieval.recall_at:
        recall = candidate.retrieval.recall_at["1"]
        lines += _commented(
            f"Recall@1, here {recall:.4g}, does not fall.",
            'metric = "retrieval.recall_at.1"',
            "max_decrease = 0.0",
        )
    return "\n".join(lines) + "\n"


def _about(rule: Rule, candidate: Report) -> str:
    if rule.metric.startswith("opis."):
        return (
            f"OPIS, here {candidate.opis.value:.4g}, does not rise: classes stay as alike as they "
            "are."
        )
    if rule.metric == "epsilon_opis.value":
        return (
            f"Nor does that of the worst classes, here {candidate.epsilon_opis.value:.4g} "
            f"({100 * candidate.epsilon_opis.epsilon:g} %)."
        )
    if rule.metric == "frr_at_far":
        found = candidate.threshold(far=rule.far).frr
        return f"FRR at the stated FAR, here {'not known' if found is None else f'{found:.4g}'}."
    found = candidate.recommended_threshold.far
    here = "none" if found is None else f"{found:.4g}"
    return f"The shipped threshold keeps its FAR; that of the recommended one is {here}."


def _rule_lines(rule: Rule) -> list[str]:
    text = Policy.model_construct(rules=[rule]).to_toml()
    return text.split("\n\n", 1)[1].rstrip("\n").splitlines()


def _commented(about: str, *lines: str) -> list[str]:
    return [f"# {about}", "#[[rule]]", *(f"#{line}" for line in lines), "#"]
