"""A comparison as cells of tables, for text and for Markdown."""

from collections.abc import Callable, Sequence

from opiscal.gate.class_changes import ClassChange
from opiscal.gate.comparison import Candidate, Model
from opiscal.gate.differences import Difference
from opiscal.gate.figures import ComparedFigure, compared_figures
from opiscal.measures.operating_points import OperatingPoint
from opiscal.report.layout import clean
from opiscal.report.rounding import TEXT_DIGITS, round_down, round_up

SHOWN_FARS = (1e-2, 1e-3, 1e-4)
"""FARs whose FRR is in the table of models; all that were compared are among the differences."""

_SIGNIFICANT = 3
# In per cent: beyond it a decimal says nothing.
_LARGE_CHANGE = 100


def model_cells(models: Sequence[Model], shown: Callable[[str], str] = clean) -> list[list[str]]:
    """The table of models as text, its head first; names are made safe to print by `shown`."""
    figures = compared_figures(models[0].report, SHOWN_FARS)
    head = ["model", *(figure.name for figure in figures)]
    cosine = all(model.report.metric == "cosine" for model in models)
    head[-1] = "similarity >=" if cosine else "distance <="
    return [
        head,
        *(
            [shown(model.name), *(_value(figure, model, cosine) for figure in figures)]
            for model in models
        ),
    ]


def _value(figure: ComparedFigure, model: Model, cosine: bool) -> str:
    if figure.metric == "recommended_threshold.distance":
        point = model.report.recommended_threshold
        return threshold_text(point, cosine)
    value = figure.of(model.report)
    if value is None:
        return "-"
    return f"{value:.4f}" if figure.better == "higher" else f"{value:.4g}"


def threshold_text(point: OperatingPoint, cosine: bool) -> str:
    """A threshold by its similarity, or by its distance."""
    if point.distance is None:
        return "-"
    if cosine and point.similarity is not None:
        return f"{round_up(point.similarity, TEXT_DIGITS):.6g}"
    return f"{round_down(point.distance, TEXT_DIGITS):.6g}"


def difference_cells(differences: Sequence[Difference]) -> list[list[str]]:
    """Differences as text: figure, difference, interval, change and verdict."""
    return [
        [
            difference.name,
            signed_text(difference.difference),
            between(difference.ci),
            change_text(difference),
            verdict_text(difference),
        ]
        for difference in differences
    ]


def change_cells(change: ClassChange) -> list[str]:
    """One class that gained or lost, without its name."""
    error = "" if change.error is None else f" +- {change.error:.2g}"
    return [
        f"{change.candidate:.4f}",
        f"{change.baseline:.4f}",
        f"{change.change:+.3f}{error}",
        "beyond noise" if change.beyond_noise else "within noise",
    ]


def between(interval: tuple[float, float] | None) -> str:
    """An interval in two digits, and a third where its ends would look alike."""
    if interval is None:
        return "-"
    low, high = interval
    digits = 2 if f"{low:.2g}" != f"{high:.2g}" or low == high else _SIGNIFICANT
    return f"[{low:.{digits}g}, {high:.{digits}g}]"


def signed_text(value: float | None) -> str:
    """A difference with its sign."""
    return "-" if value is None else f"{value:+.3g}" if value else "0"


def change_text(difference: Difference) -> str:
    """The relative difference in per cent."""
    if difference.relative is None:
        return ""
    change = 100 * difference.relative
    return f"{change:+.1f} %" if abs(change) < _LARGE_CHANGE else f"{change:+,.0f} %"


def verdict_text(difference: Difference) -> str:
    """The verdict in words, or that there is none."""
    if difference.verdict is not None:
        return difference.verdict
    return "no interval" if difference.difference is not None else "not known"


def pairing_text(candidate: Candidate) -> str:
    """How the classes of the two runs were drawn anew."""
    shared = f"{candidate.shared_classes:,} classes in both"
    if candidate.pairing == "unpaired":
        return "unpaired: no class is in both, and each run is drawn anew by itself"
    if candidate.pairing == "paired":
        return f"paired: {shared}, drawn anew together"
    alone = len(candidate.only_in_baseline), len(candidate.only_in_candidate)
    return (
        f"partly paired: {shared} are drawn anew together, {alone[0]:,} and {alone[1]:,} of one "
        "run alone by themselves"
    )


def mismatch_text(key: str, baseline: str, candidate: str) -> str:
    """What weakens a comparison."""
    return f"they differ in {key}: {baseline} and {candidate}"


def notes(candidate: Candidate) -> list[str]:
    """Why figures have no interval, each reason once."""
    reasons: dict[str, list[str]] = {}
    for difference in candidate.differences:
        if difference.reason is not None:
            reasons.setdefault(difference.reason, []).append(difference.name)
    told = [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]
    return told + ([] if candidate.threshold_reason is None else [candidate.threshold_reason])
