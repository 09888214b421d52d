"""The summary of a report in sentences."""

from opiscal.measures.operating_points import OperatingPoint
from opiscal.report.advice import Advice
from opiscal.report.findings import Pair
from opiscal.report.number_text import distance_text, similarity_text
from opiscal.report.percents import (
    few_digits,
    few_digits_between,
    percent,
    percent_between,
)
from opiscal.report.record import Report
from opiscal.report.settings import Recommendation


def verdict(found: Advice) -> str:
    """The conclusion, as a heading."""
    return f"{_kept_together(found.verdict)}."


def verdict_words(found: Advice) -> str:
    """What belongs to the conclusion, as sentences; programs in them are in backquotes."""
    beside = found.beside.lstrip(",;: ")
    said = [f"{beside[:1].upper()}{beside[1:]}." if beside else "", found.next]
    if not found.beside.startswith(":"):
        # What to do speaks of the conclusion itself; noise is an aside.
        said.reverse()
    return _kept_together(" ".join(part for part in said if part))


def _kept_together(text: str) -> str:
    return text.replace(" %", "\u00a0%")


def comparisons(report: Report, point: OperatingPoint) -> list[tuple[str, str]]:
    """The threshold on every scale, as the comparison that accepts a pair, most usual first."""
    out = []
    if point.similarity is not None:
        out.append(("cosine similarity", f"≥ {similarity_text(point.similarity)}"))
    scales = [
        ("unit L2 distance" if report.metric == "cosine" else "L2 distance", point.distance),
        ("cosine distance, 1 − similarity", point.cosine_distance),
        ("squared L2 distance", point.squared_l2),
    ]
    out += [(name, f"≤ {distance_text(value)}") for name, value in scales if value is not None]
    return out


def rule_words(report: Report, point: OperatingPoint) -> str:
    """What a service is to do, without the value of the threshold that ends the sentence."""
    if report.metric == "cosine":
        return "Accept a pair when its cosine similarity is at least"
    return "Accept a pair when its L2 distance is at most"


def target_words(criterion: str, target: float | None) -> str:
    """What an operating point was asked for.

    Examples
    --------
    >>> target_words("far", 0.001), target_words("eer", None)
    ('FAR at most 0.001', 'equal error rate')
    """
    names = {"far": "FAR", "frr": "FRR", "eer": "equal error rate", "utility": "best utility"}
    name = names.get(criterion, criterion)
    return name if target is None else f"{name} at most {target:g}"


def threshold_words(report: Report, point: OperatingPoint) -> list[str]:
    """What the recommended threshold does, why it was chosen, and how sure it is."""
    out = [
        f"That accepts {percent(point.far)} of the pairs of different classes "
        f"(FAR{_rate_between(point.far_ci)}) and rejects {percent(point.frr)} of the pairs of one "
        f"class (FRR{_rate_between(point.frr_ci)}).",
        _chosen(report),
    ]
    if point.distance_ci is not None:
        low, high = point.distance_ci
        name = "a unit L2 distance" if report.metric == "cosine" else "an L2 distance"
        out.append(
            f"For classes drawn anew the threshold, {name}, would lie between {low:.4g} and "
            f"{high:.4g}."
        )
    return out


def _chosen(report: Report) -> str:
    how = Recommendation.parse(report.settings.recommend)
    if how.criterion == "utility":
        return "Inside the calibration range it gives the classes the highest mean utility."
    if how.criterion == "eer":
        return "It is where FAR and FRR are closest to each other."
    if how.criterion == "far":
        return f"It is the largest threshold with a FAR of at most {how.target:g}."
    return f"It is the smallest threshold with an FRR of at most {how.target:g}."


def opis_words(report: Report) -> list[str]:
    """OPIS and eps-OPIS, with and without noise."""
    opis, worst = report.opis, report.epsilon_opis
    line = (
        "OPIS, the variance over classes of their utility, is "
        f"{few_digits(opis.value)}{_between(opis.ci)}"
    )
    if opis.corrected is not None and opis.noise is not None:
        few = opis.corrected_classes != report.data.classes_scored
        line += (
            f". Sampling noise makes up {few_digits(opis.noise)} of it; "
            f"{few_digits(opis.corrected)}{_between(opis.corrected_ci)} is left without noise"
        )
        if few:
            line += f", over the {opis.corrected_classes:,} classes of four rows or more"
    against = "the others" if worst.against == "others" else "as many of the best"
    tail = (
        f"{100 * worst.epsilon:g}%-OPIS, the worst classes against {against}, is "
        f"{few_digits(worst.value)}{_between(worst.ci)}"
    )
    if worst.null_value is not None:
        tail += f"; classes all alike would show {few_digits(worst.null_value)}, by noise alone"
    return [f"{line}.", f"{tail}."]


def utility_words(report: Report) -> str:
    """Which utility, over which range, and its mean."""
    found, utility = report.calibration_range, report.utility
    if utility.kind == "sensitivity-specificity":
        what = "the F-score of sensitivity (1 − FRR) and specificity (1 − FAR)"
    else:
        what = "the F-score of precision and recall"
    weight = "" if utility.c == 1 else f" with c = {utility.c:g}"
    if found.similarity is None:
        ends = [distance_text(d) for d in found.distance]
        scale = "L2 distance"
    else:
        ends = [similarity_text(s) for s in found.similarity]
        scale = "similarity"
    return (
        f"Utility is {what}{weight}. Its mean over classes and calibration range is "
        f"{few_digits(utility.mean)}{_between(utility.ci)}. The calibration range goes from FAR "
        f"{percent(found.far[0])} to {percent(found.far[1])}, {scale} {ends[0]} to "
        f"{ends[1]}."
    )


def _rate_between(interval: Pair | None) -> str:
    return "" if interval is None else f", {percent_between(interval)}"


def _between(interval: Pair | None) -> str:
    return "" if interval is None else f" ({few_digits_between(interval)})"
