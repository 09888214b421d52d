"""Comparison: models side by side, and each one's differences from the first, the baseline.

For a gate: ``compare_reports([baseline, candidate]).candidates[0]`` has the differences by metric:
``candidate.find("opis.corrected")``, ``candidate.find("frr_at_far", 1e-3)``. A `Difference` carries
`evidence`, from which a rule at any level is judged:

- ``evidence.difference().p_above(limit)`` is the one-sided p-value against "the candidate exceeds
  the baseline by at most the limit": small where the data show a breach of ``max_increase``;
- ``evidence.difference().p_below(limit)`` is that against "by at least the limit": small where the
  data show compliance, or non-inferiority within a margin;
- ``evidence.difference(1.0 + r)``, with the limit 0, asks the same of a relative increase of ``r``
  (Fieller). Where the baseline's own interval reaches zero `relative_ci` is None.

`evidence` is None where a figure is missing or has no interval: then `reason` says why. Figures of
one run by themselves (``max = 0.02``) come from `opiscal.gate.own_figures.own_figures`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opiscal.data.embedding_set import Label
from opiscal.errors import UsageError
from opiscal.gate.class_changes import ClassChange, ClassChanges, class_changes
from opiscal.gate.differences import Difference, Drawn
from opiscal.gate.figures import FAR_TARGETS, compared_figures
from opiscal.gate.mismatch import Mismatch, find_mismatches, require_comparable
from opiscal.gate.threshold_transfer import ThresholdTransfer, threshold_transfer
from opiscal.measures.paired_replicates import SharedClasses, paired_replicates
from opiscal.measures.rate_intervals import check_confidence
from opiscal.measures.rates import has_class_counts_at
from opiscal.measures.replicate_parts import ReplicateParts
from opiscal.pairs.counts import SLIM
from opiscal.report.plain import plain
from opiscal.report.record import Report, point_to_dict
from opiscal.report.replicates import parts_of

_LISTED = 5


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a comparison."""

    name: str
    report: Report

    def to_dict(self) -> dict[str, Any]:
        """The numbers of its report that a comparison is about."""
        report = self.report
        return {
            "name": self.name,
            "metric": report.metric,
            "data": {
                "rows_used": report.data.rows_used,
                "classes_scored": report.data.classes_scored,
                "dimensions": report.data.dimensions,
            },
            "opis": plain(report.opis),
            "epsilon_opis": plain(report.epsilon_opis),
            "utility": plain(report.utility),
            "verification": plain(report.verification),
            "retrieval": plain(report.retrieval),
            "recommended_threshold": point_to_dict(report.recommended_threshold),
            "operating_points": [point_to_dict(point) for point in report.operating_points],
            "confidence": report.confidence,
        }


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model against the baseline.

    Attributes
    ----------
    name : str
    pairing : "paired", "partly paired" or "unpaired"
        Whether the classes were drawn anew for both runs together: all, those that both have, or,
        where they share none, not at all.
    shared_classes : int
    only_in_baseline, only_in_candidate : tuple of labels
    mismatches : tuple of Mismatch
        What weakens the comparison.
    differences : tuple of Difference
    threshold : ThresholdTransfer or None
        What the threshold in production does; None where there is none, under another metric, or
        where a slim run does not know.
    classes : ClassChanges
    threshold_reason : str or None
        Why a slim run does not know.
    """

    name: str
    pairing: str
    shared_classes: int
    only_in_baseline: tuple[Label, ...]
    only_in_candidate: tuple[Label, ...]
    mismatches: tuple[Mismatch, ...]
    differences: tuple[Difference, ...]
    threshold: ThresholdTransfer | None
    classes: ClassChanges
    threshold_reason: str | None = None

    def find(self, metric: str, target: float | None = None) -> Difference | None:
        """The difference of one metric, by its path, and for ``frr_at_far`` the FAR."""
        known = self.differences + (() if self.threshold is None else self.threshold.differences)
        for difference in known:
            if difference.metric == metric and target in (None, difference.target):
                return difference
        return None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Models side by side; the first is the baseline."""

    models: tuple[Model, ...]
    candidates: tuple[Candidate, ...]
    confidence: float
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """The document of ``compare --json``."""
        return {
            "models": [model.to_dict() for model in self.models],
            "baseline": self.models[0].name,
            "confidence": self.confidence,
            "seed": self.seed,
            "differences": [
                {"model": candidate.name, **_difference(difference)}
                for candidate in self.candidates
                for difference in _all_differences(candidate)
            ],
            "comparisons": [_candidate(candidate) for candidate in self.candidates],
        }


def compare_reports(
    reports: Sequence[Report],
    names: Sequence[str] | None = None,
    *,
    at: float | None = None,
    allow_mismatch: bool = False,
    confidence: float = 0.95,
    seed: int = 0,
    far: tuple[float, ...] = FAR_TARGETS,
) -> Comparison:
    """Compare models by their reports; the first is the baseline.

    Parameters
    ----------
    reports : sequence of Report
        Two or more, such as `opiscal.load` returns.
    names : sequence of str, optional
        As many, no two the same; ``model 1`` and so on by default.
    at : float, optional
        A threshold in production, as a distance; by default the one that the baseline recommends.
    allow_mismatch : bool
        Whether runs that differ in something that only weakens a comparison are compared.
    confidence : float, in (0.5, 1)
    seed : int
        Of the replicates.
    far : tuple of float
        FARs at which FRR is compared, as far as both runs support them.

    Returns
    -------
    Comparison

    Raises
    ------
    UsageError
        For fewer than two reports, names that do not fit, or runs that cannot be compared.

    Examples
    --------
    >>> import numpy as np
    >>> import opiscal
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(np.arange(40), 8)
    >>> centres, noise = rng.standard_normal((40, 8))[labels], rng.standard_normal((320, 8))
    >>> runs = [opiscal.evaluate(centres + size * noise, labels) for size in (0.6, 0.7)]
    >>> (candidate,) = compare_reports(runs, ["old", "new"]).candidates
    >>> candidate.pairing, candidate.find("utility.mean").verdict
    ('paired', 'worse')
    """
    check_confidence(confidence)
    if len(reports) < 2:
        raise UsageError(
            f"{len(reports)} model: a comparison needs two or more; give the baseline first, then "
            "the others"
        )
    called = list(names) if names is not None else [f"model {k + 1}" for k in range(len(reports))]
    if len(called) != len(reports) or len(set(called)) < len(called):
        raise UsageError(
            f"names {', '.join(map(repr, called))}: {len(reports)} models need as many names, no "
            "two of them the same"
        )
    models = tuple(Model(name, report) for name, report in zip(called, reports, strict=True))
    baseline = models[0]
    matches = [
        SharedClasses.of(baseline.report.counts.labels, model.report.counts.labels)
        for model in models[1:]
    ]
    mismatches = [
        find_mismatches(baseline.report, model.report, matched)
        for model, matched in zip(models[1:], matches, strict=True)
    ]
    # All of them before any work.
    for model, found in zip(models[1:], mismatches, strict=True):
        require_comparable(found, baseline.name, model.name, allow=allow_mismatch)
    parts = parts_of(baseline.report)
    candidates = tuple(
        _compared(baseline, parts, model, found, at, confidence, seed, far)
        for model, found in zip(models[1:], mismatches, strict=True)
    )
    return Comparison(models, candidates, confidence, seed)


def _compared(
    baseline: Model,
    parts: ReplicateParts,
    model: Model,
    mismatches: tuple[Mismatch, ...],
    at: float | None,
    confidence: float,
    seed: int,
    far: tuple[float, ...],
) -> Candidate:
    recommended = baseline.report.recommended_threshold.distance
    distance = recommended if at is None else at
    if baseline.report.metric != model.report.metric:
        distance = None
    others = parts if model.report is baseline.report else parts_of(model.report)
    how = baseline.report.recommended_threshold
    drawn = Drawn(
        baseline.report,
        model.report,
        (parts, others),
        paired_replicates(
            parts,
            others,
            far=_with_target(far, how.target if how.criterion == "far" else None),
            frr=[how.target] if how.criterion == "frr" and how.target is not None else [],
            at=[] if distance is None else [distance],
            seed=seed,
        ),
        confidence,
        seed,
    )
    matched = drawn.replicates.matched
    transfer = reason = None
    known = (baseline.report.counts, model.report.counts)
    if distance is not None and not all(has_class_counts_at(c, distance) for c in known):
        reason = f"threshold {distance:.6g}: {SLIM}"
    elif distance is not None:
        source = f"recommended by {baseline.name}" if at is None else "given"
        transfer = threshold_transfer(drawn, distance, source, _LISTED)
    return Candidate(
        name=model.name,
        pairing=pairing_of(matched),
        shared_classes=matched.shared,
        only_in_baseline=matched.only_first,
        only_in_candidate=matched.only_second,
        mismatches=mismatches,
        differences=drawn.differences(compared_figures(baseline.report, far)),
        threshold=transfer,
        classes=class_changes(baseline.report, model.report, matched, confidence, _LISTED),
        threshold_reason=reason,
    )


def pairing_of(matched: SharedClasses) -> str:
    """Whether the classes of two runs are drawn anew together; see `Candidate`."""
    if not matched.shared:
        return "unpaired"
    return "partly paired" if matched.only_first or matched.only_second else "paired"


def _with_target(far: tuple[float, ...], target: float | None) -> list[float]:
    return list(far) if target is None or target in far else [*far, target]


def _all_differences(candidate: Candidate) -> tuple[Difference, ...]:
    at = candidate.threshold
    return candidate.differences + (() if at is None else at.differences)


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "metric": difference.metric,
        "target": difference.target,
        "better": difference.better,
        "baseline": difference.baseline,
        "candidate": difference.candidate,
        "difference": difference.difference,
        "ci": plain(difference.ci),
        "relative": difference.relative,
        "relative_ci": plain(difference.relative_ci),
        "verdict": difference.verdict,
        "reason": difference.reason,
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    changes = candidate.classes
    return {
        "model": candidate.name,
        "pairing": candidate.pairing,
        "shared_classes": candidate.shared_classes,
        "only_in_baseline": list(candidate.only_in_baseline),
        "only_in_candidate": list(candidate.only_in_candidate),
        "mismatches": [plain(mismatch) for mismatch in candidate.mismatches],
        "threshold": None if candidate.threshold is None else candidate.threshold.to_dict(),
        "threshold_reason": candidate.threshold_reason,
        "classes": {
            "gained": [_change(change) for change in changes.gained],
            "lost": [_change(change) for change in changes.lost],
            "gained_beyond_noise": changes.gained_beyond_noise,
            "lost_beyond_noise": changes.lost_beyond_noise,
        },
    }


def _change(change: ClassChange) -> dict[str, Any]:
    out: dict[str, Any] = plain(change)
    return out
