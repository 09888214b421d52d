"""The calibration range of an evaluation, as the placing of edges takes it."""

from opiscal.pairs.edge_targets import AskedRange
from opiscal.report.settings import EvaluateConfig


def asked_range(config: EvaluateConfig) -> AskedRange | None:
    """Where class edges must be dense beside the default range; None for that one."""
    spec = config.range_spec
    ends = spec.distances(config.metric)
    if ends is not None:
        return AskedRange("distance", *ends)
    # Means of class rates lie elsewhere than pooled rates: edges are placed well beyond the range.
    wider = 3.0 if config.pool == "classes" else 1.0
    if spec.kind == "far" and wider == 1.0 and (spec.low, spec.high) == (0.01, 0.1):
        return None
    return AskedRange(
        "frr" if spec.kind == "frr" else "far", spec.low / wider, min(1.0, spec.high * wider)
    )
