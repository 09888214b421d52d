"""Margins of the TCM loss that fit the embedding space of a report."""

from dataclasses import dataclass
from typing import Any, Literal

from opiscal.data.embedding_set import Metric
from opiscal.errors import InconclusiveError, UsageError
from opiscal.measures.margins import (
    PAPER_M_NEG,
    PAPER_M_POS,
    Bounded,
    HardPart,
    hard_negatives,
    hard_positives,
    loss_value,
)
from opiscal.measures.operating_points import distance_on_scale, threshold_scales
from opiscal.measures.rates import rate_curve
from opiscal.report.findings import Notice
from opiscal.report.plain import plain
from opiscal.report.record import Report
from opiscal.report.rounding import JSON_DIGITS, TEXT_DIGITS, round_up

NEARLY_EVERY, HARDLY_ANY = 0.9, 0.001
"""Shares of pairs from which on a margin selects nothing, or finds next to none in a batch."""

Name = Literal["m_pos", "m_neg"]
Criterion = Literal["range", "far", "frr", "given", "paper"]


@dataclass(frozen=True, slots=True)
class Margin:
    """One margin, and the pairs that it calls hard.

    Attributes
    ----------
    name : "m_pos" or "m_neg"
    similarity : float, in [-1, 1]
    criterion : "range", "far", "frr", "given" or "paper"
        An end of the calibration range, a rate that was asked for, a value that was given, or the
        default of the paper.
    target : float or None
        The rate that was asked for.
    far, frr : float
        Of the similarity as a threshold.
    pairs : int
        Positive pairs of `m_pos`, negative pairs of `m_neg`.
    share, term : Bounded
        As in `HardPart`.
    """

    name: Name
    similarity: float
    criterion: Criterion
    target: float | None
    far: float
    frr: float
    pairs: int
    share: Bounded
    term: Bounded


@dataclass(frozen=True, slots=True)
class Margins:
    """Margins for the threshold-consistent margin loss, and the loss now.

    Attributes
    ----------
    metric : "cosine"
    sampled : bool
        Whether shares and terms are estimates from a sample of pairs.
    m_pos, m_neg : Margin
    paper : tuple of Margin
        The defaults of the paper, 0.9 and 0.5, here.
    loss, paper_loss : Bounded
        The loss with both weights 1, with these margins and with those of the paper.
    code : str
        The loss in Python.
    notes : tuple of Notice
    """

    metric: Metric
    sampled: bool
    m_pos: Margin
    m_neg: Margin
    paper: tuple[Margin, Margin]
    loss: Bounded
    paper_loss: Bounded
    code: str
    notes: tuple[Notice, ...]

    def to_dict(self) -> dict[str, Any]:
        """The document of ``opiscal margins --json``: plain values, similarities rounded up."""
        out: dict[str, Any] = plain(self)
        for margin in (out["m_pos"], out["m_neg"], *out["paper"]):
            margin["similarity"] = round_up(margin["similarity"], JSON_DIGITS)
        return out


def margins_of(
    report: Report,
    *,
    far: float | None = None,
    frr: float | None = None,
    m_pos: float | None = None,
    m_neg: float | None = None,
) -> Margins:
    """Margins that fit a report's embedding space; see `Report.margins`."""
    if report.metric != "cosine":
        raise UsageError(
            f"margins of a report for {report.metric}: the loss is of cosine similarities; "
            "evaluate with --metric cosine"
        )
    if far is not None and m_neg is not None:
        raise UsageError(f"--far {far:g} and --m-neg {m_neg:g}: both give m_neg; give one of them")
    if frr is not None and m_pos is not None:
        raise UsageError(f"--frr {frr:g} and --m-pos {m_pos:g}: both give m_pos; give one of them")
    pos = _chosen(report, "m_pos", frr, m_pos)
    neg = _chosen(report, "m_neg", far, m_neg)
    paper = (
        _at_similarity(report, "m_pos", PAPER_M_POS, "paper"),
        _at_similarity(report, "m_neg", PAPER_M_NEG, "paper"),
    )
    return Margins(
        metric=report.metric,
        sampled=report.counts.sampling is not None,
        m_pos=pos,
        m_neg=neg,
        paper=paper,
        loss=loss_value(_part(pos), _part(neg)),
        paper_loss=loss_value(*map(_part, paper)),
        code=_code(pos.similarity, neg.similarity),
        notes=(*_notes(paper), *_crossed(pos, neg)),
    )


def _chosen(report: Report, name: Name, rate: float | None, given: float | None) -> Margin:
    if given is not None:
        return _at_similarity(report, name, given, "given")
    if rate is None:
        near, far_end = report.calibration_range.distance
        return _at_distance(report, name, near if name == "m_pos" else far_end, "range")
    point = report.threshold(frr=rate) if name == "m_pos" else report.threshold(far=rate)
    if point.distance is None:
        raise InconclusiveError(
            f"far {rate:g}: the data cannot resolve it ('opiscal threshold --far {rate:g}' says "
            "what would); ask for a larger --far, or give the margin itself with --m-neg"
        )
    return _at_distance(report, name, point.distance, "frr" if name == "m_pos" else "far", rate)


def _at_similarity(report: Report, name: Name, similarity: float, criterion: Criterion) -> Margin:
    distance = distance_on_scale("similarity", similarity, "cosine")
    return _margin(report, name, similarity, distance, criterion, None)


def _at_distance(
    report: Report,
    name: Name,
    distance: float,
    criterion: Criterion,
    target: float | None = None,
) -> Margin:
    similarity = threshold_scales(distance, "cosine")["similarity"]
    assert similarity is not None  # under cosine
    return _margin(report, name, similarity, distance, criterion, target)


def _margin(
    report: Report,
    name: Name,
    similarity: float,
    distance: float,
    criterion: Criterion,
    target: float | None,
) -> Margin:
    hard = hard_positives if name == "m_pos" else hard_negatives
    found = hard(report.counts, similarity)
    far, frr = rate_curve(report.counts, report.settings.pool).at(distance)
    return Margin(
        name, similarity, criterion, target, far, frr, found.pairs, found.share, found.term
    )


def _part(margin: Margin) -> HardPart:
    return HardPart(margin.pairs, margin.share, margin.term)


def _code(m_pos: float, m_neg: float) -> str:
    return f"ThresholdConsistentMarginLoss(m_pos={_six(m_pos)}, m_neg={_six(m_neg)})"


def _six(similarity: float) -> str:
    return f"{round_up(similarity, TEXT_DIGITS):.6g}"


def _notes(paper: tuple[Margin, Margin]) -> list[Notice]:
    """Where the defaults of the paper select nothing here, or next to no pair."""
    notes = []
    for margin in paper:
        kind = "positive" if margin.name == "m_pos" else "negative"
        said = f"{margin.name} = {margin.similarity:g}, the paper's, calls"
        share = f"{100 * margin.share.value:.3g} % of the {kind} pairs hard"
        if margin.share.value >= NEARLY_EVERY:
            notes.append(
                Notice(
                    "paper_margin_nearly_every",
                    f"{said} {share}: nearly every one, so that it selects nothing in this space",
                )
            )
        elif margin.share.value <= HARDLY_ANY:
            notes.append(
                Notice(
                    "paper_margin_hardly_any",
                    f"{said} {share}: hardly any, so that its term does next to nothing here",
                )
            )
    return notes


def _crossed(pos: Margin, neg: Margin) -> list[Notice]:
    if pos.similarity >= neg.similarity:
        return []
    return [
        Notice(
            "margins_crossed",
            f"m_pos {_six(pos.similarity)} lies below m_neg {_six(neg.similarity)}: the loss moves "
            "no pair between the two, positive or negative; ask for a larger --far or --frr",
        )
    ]
