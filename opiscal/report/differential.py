"""The differential of a report: how unequal its recommended threshold is."""

from opiscal.data.embedding_set import Label
from opiscal.measures import differential as measured
from opiscal.measures.differential import RateSpread, differential
from opiscal.measures.groups import (
    differential_over_groups,
    opis_over_groups,
    share_across_groups,
)
from opiscal.measures.operating_points import OperatingPoint
from opiscal.measures.rates import Floats
from opiscal.measures.utility import Utility
from opiscal.pairs.counts import PairCounts
from opiscal.report.findings import Differential, GroupDifferential, Unequal, WorstCell
from opiscal.report.settings import EvaluateConfig


def differential_found(
    counts: PairCounts,
    recommended: OperatingPoint,
    nodes: Floats,
    weights: Floats,
    utility: Utility,
    config: EvaluateConfig,
) -> Differential | None:
    """FAR and FRR over classes and groups at the recommended threshold; None where there is none.

    Parameters
    ----------
    counts : PairCounts
    recommended : OperatingPoint
    nodes, weights : float64 arrays of shape (K,)
        Thresholds of the calibration range, and the share of each.
    utility : Utility
    config : EvaluateConfig
    """
    if recommended.distance is None:
        return None
    found = differential(counts, recommended.distance, confidence=config.confidence)
    return Differential(
        far_max_over_geomean=found.far.max_over_geomean,
        frr_max_over_geomean=found.frr.max_over_geomean,
        worst_far_class=_worst(found.far),
        worst_frr_class=_worst(found.frr),
        far=_unequal(found.far),
        frr=_unequal(found.frr),
        garbe=found.garbe,
        groups=_over_groups(counts, recommended.distance, nodes, weights, utility, config),
    )


def _over_groups(
    counts: PairCounts,
    distance: float,
    nodes: Floats,
    weights: Floats,
    utility: Utility,
    config: EvaluateConfig,
) -> GroupDifferential | None:
    if not counts.within_groups:
        return None
    found: measured.Differential = differential_over_groups(
        counts, distance, confidence=config.confidence
    )
    across = share_across_groups(counts)
    return GroupDifferential(
        far=_unequal(found.far),
        frr=_unequal(found.frr),
        garbe=found.garbe,
        opis=opis_over_groups(counts, nodes, weights, utility).value,
        positive_across=across.positive,
        negative_across=across.negative,
    )


def _worst(spread: RateSpread) -> Label | None:
    return spread.worst[0].name if spread.worst else None


def _unequal(spread: RateSpread) -> Unequal:
    return Unequal(
        max_over_geomean=spread.max_over_geomean,
        gini=spread.gini,
        worst=tuple(WorstCell(c.name, c.rate, c.pairs, c.ci) for c in spread.worst),
        cells=len(spread.cells.names) - len(spread.left_out),
        left_out=len(spread.left_out),
    )
