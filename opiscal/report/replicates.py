"""The replicates of a report: what drawing its classes anew needs, read from its counts."""

from opiscal.errors import InconclusiveError
from opiscal.measures.calibration_range import find_range
from opiscal.measures.class_curves import EpsilonChoice
from opiscal.measures.rate_intervals import rate_intervals
from opiscal.measures.rates import rate_curve
from opiscal.measures.replicate_parts import ReplicateParts, replicate_parts
from opiscal.measures.utility import Utility
from opiscal.report.record import Report
from opiscal.report.uncertainty import noise_about


def parts_of(report: Report) -> ReplicateParts:
    """The parts of which replicates of a report's figures are made, with its own settings.

    Raises
    ------
    InconclusiveError
        Where there is no positive or no negative pair.
    """
    counts, settings = report.counts, report.settings
    utility = Utility(settings.utility, settings.c)
    intervals = rate_intervals(counts, settings.pool, report.confidence)
    if intervals is None:
        raise InconclusiveError(
            f"{counts.positive} positive and {counts.negative} negative pairs: intervals need both "
            "kinds; add rows or classes"
        )
    found = find_range(rate_curve(counts, settings.pool), settings.range_spec, counts.metric)
    noise = None
    if report.opis.corrected is not None:
        noise = noise_about(counts, intervals, found, utility)
    return replicate_parts(
        counts,
        utility,
        settings.range_spec,
        found,
        pool=settings.pool,
        choice=EpsilonChoice(settings.epsilon, settings.eps_against, settings.eps_rank),
        noise=noise,
    )
