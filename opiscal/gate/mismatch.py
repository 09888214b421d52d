"""Mismatches: what two runs do not have in common, and whether that lets them be compared.

The numbers of two runs cannot be compared at all where they measure different things: another
utility or `c`, another calibration range, another eps-OPIS, rates pooled otherwise, one set against
queries with a gallery, or a range given as distances under two metrics. Other things only weaken a
comparison, and need to be allowed: other classes, or other rows in them (intervals are then not
paired, or less so), pairs of which only a sample was counted, rows left out or kept by other rules,
another precision, another integration. Two metrics are of this kind too: rates, and what follows
from them, do not depend on the unit of distances, but thresholds do, and are not compared.
Dimensions, seeds, inputs and confidence may differ.
"""

from dataclasses import dataclass
from typing import Any

from opiscal.data.embedding_set import Label
from opiscal.errors import UsageError
from opiscal.measures.opis import Integration
from opiscal.measures.paired_replicates import SharedClasses
from opiscal.report.layout import clean, cut
from opiscal.report.record import Report
from opiscal.report.settings import EvaluateConfig

_LABELS_NAMED, _ROOM = 3, 24


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that two runs do not have in common.

    Attributes
    ----------
    key : str
    baseline, candidate : str
        Both values in words; labels in them are made safe to print.
    comparable : bool
        Whether it only weakens the comparison.
    """

    key: str
    baseline: str
    candidate: str
    comparable: bool


def find_mismatches(
    baseline: Report, candidate: Report, matched: SharedClasses
) -> tuple[Mismatch, ...]:
    """What two runs do not have in common, what makes them incomparable first.

    Parameters
    ----------
    baseline, candidate : Report
    matched : SharedClasses
        Of their labels.
    """
    by_distance = baseline.settings.range_spec.kind in ("distance", "similarity")
    one, other = _incomparable(baseline), _incomparable(candidate)
    found = [Mismatch(k, str(one[k]), str(other[k]), False) for k in one if one[k] != other[k]]
    if baseline.metric != candidate.metric:
        found.append(Mismatch("metric", baseline.metric, candidate.metric, not by_distance))
    if matched.only_first or matched.only_second:
        found.append(
            Mismatch("classes", _only(matched.only_first), _only(matched.only_second), True)
        )
    rows = _rows_of_shared(baseline, matched.first), _rows_of_shared(candidate, matched.second)
    both = rows[0].keys() & rows[1].keys()
    unequal = [k for k in both if rows[0][k] != rows[1][k]]
    if unequal:
        k = min(unequal)
        name = cut(clean(baseline.counts.labels[k]), _ROOM).rstrip()
        many = f"{len(unequal):,} of the classes, such as {name}"
        found.append(
            Mismatch(f"rows of {many}", f"{rows[0][k]:,}", f"{rows[1][k]:,}", comparable=True)
        )
    mine, theirs = _weakening(baseline), _weakening(candidate)
    found += [Mismatch(k, str(mine[k]), str(theirs[k]), True) for k in mine if mine[k] != theirs[k]]
    return tuple(found)


def require_comparable(
    mismatches: tuple[Mismatch, ...], baseline: str, candidate: str, *, allow: bool
) -> None:
    """Refuse runs whose numbers cannot be compared, or, unless allowed, only with a caveat.

    Raises
    ------
    UsageError
        Names every mismatch with both values.
    """
    names = f"{clean(baseline)} and {clean(candidate)}"
    wrong = [m for m in mismatches if not m.comparable]
    if wrong:
        raise UsageError(
            f"{names} measure different things: {_told(wrong)}; evaluate one of them again with "
            "the settings of the other"
        )
    if mismatches and not allow:
        raise UsageError(
            f"{names} differ: {_told(list(mismatches))}; this weakens the comparison: give "
            "--allow-mismatch to compare them all the same"
        )


def _told(mismatches: list[Mismatch]) -> str:
    return ", ".join(f"{m.key} ({m.baseline} and {m.candidate})" for m in mismatches)


def _incomparable(report: Report) -> dict[str, Any]:
    settings, spec = report.settings, report.settings.range_spec
    return {
        "utility": settings.utility,
        "c": f"{settings.c:g}",
        "range": f"{spec.kind}={spec.low:g}:{spec.high:g}",
        "epsilon": f"{settings.epsilon:g}",
        "eps-against": settings.eps_against,
        "eps-rank": settings.eps_rank,
        "pool": settings.pool,
        "pairs of": "one set" if report.counts.gallery is None else "queries with a gallery",
    }


def _weakening(report: Report) -> dict[str, str]:
    settings, data = report.settings, report.data
    others = data.rows_used - int(report.counts.class_rows.sum())
    return {
        "pairs": report.pairs.mode,
        "rows of no scored class": f"{others:,}",
        "singletons": settings.singletons,
        "null-label": settings.null_label,
        "distractor-label": _labels(settings),
        "integration": str(Integration.parse(settings.integration).grid or "exact"),
        "recommend": settings.recommend,
        "precision": data.precision,
        "sample of rows": "none" if data.sample is None else f"{data.rows_read:,} rows",
    }


def _labels(settings: EvaluateConfig) -> str:
    return " ".join(cut(clean(x), _ROOM).rstrip() for x in settings.distractor_labels) or "none"


def _rows_of_shared(report: Report, place: Any) -> dict[int, int]:
    """Rows of the classes of a run, by their place among the classes of either run."""
    return dict(zip(place.tolist(), report.counts.class_rows.tolist(), strict=True))


def _only(labels: tuple[Label, ...]) -> str:
    if not labels:
        return "none that the other has not"
    named = ", ".join(cut(clean(label), _ROOM).rstrip() for label in labels[:_LABELS_NAMED])
    more = "" if len(labels) <= _LABELS_NAMED else " and more"
    return f"{len(labels):,} that the other has not: {named}{more}"
