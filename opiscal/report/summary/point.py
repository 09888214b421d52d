"""One operating point in words, as ``opiscal threshold`` prints it."""

from opiscal.measures.operating_points import OperatingPoint
from opiscal.measures.rates import rate_curve
from opiscal.report.number_text import distance_text, interval_text, rate_text, similarity_text
from opiscal.report.record import Report


def point_lines(
    report: Report, point: OperatingPoint, confidence: float | None = None
) -> list[str]:
    """One operating point: the value on every scale, and what it does.

    `confidence` is the level of its intervals; that of the report by default.
    """
    level = f"{100 * (report.confidence if confidence is None else confidence):g} %"
    asked = point.criterion.upper() if point.criterion in ("far", "frr", "eer") else "best utility"
    asked += "" if point.target is None else f" at most {point.target:g}"
    asked = "use" if point.criterion == "at" else asked
    similarity, distance = similarity_text(point.similarity), distance_text(point.distance)
    lines = [f"threshold in {asked}" if asked == "use" else f"threshold for {asked}"]
    if report.metric == "cosine":
        lines += [
            f"  accept when similarity   >= {similarity}",
            f"  or unit L2 distance      <= {distance}",
            f"  or cosine distance 1 - s <= {distance_text(point.cosine_distance)}",
            f"  or squared L2 distance   <= {distance_text(point.squared_l2)}",
        ]
    else:
        lines += [
            f"  accept when L2 distance  <= {distance}",
            f"  or squared L2 distance   <= {distance_text(point.squared_l2)}",
        ]
    lines.append(
        f"FAR {rate_text(point.far)}   FRR {rate_text(point.frr)}   utility {point.utility:.4f}"
    )
    if point.far_ci is not None and point.frr_ci is not None:
        lines.append(
            f"FAR in {interval_text(point.far_ci)}, FRR in {interval_text(point.frr_ci)} "
            f"({level} intervals)"
        )
    if point.fnir is not None:
        lines.append(f"identification: FPIR {rate_text(point.fpir)}   FNIR {rate_text(point.fnir)}")
    if point.distance_ci is not None:
        between = interval_text(point.distance_ci, distance_text)
        lines.append(f"the threshold itself in {between}, a distance")
    if point.guaranteed:
        lines.append(f"guaranteed at {level}: the upper bound of FAR is at most {point.target:g}")
    if not point.supported:
        lines.append("NOT SUPPORTED: the data cannot resolve this target; do not ship it")
    if not point.exact_at_threshold and point.distance is not None:
        exact = rate_curve(report.counts, report.settings.pool).edge_at(point.distance) is not None
        what = "utility is" if exact else "FAR, FRR and utility are"
        lines.append(f"({what} interpolated between the two nearest edges that were counted)")
    return lines
