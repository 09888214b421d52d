"""The figures of a run folder."""

from pathlib import Path

from opiscal.measures.utility import Utility
from opiscal.report.figures import RatesDisplay, UtilityCurvesDisplay, save_figure
from opiscal.report.record import Report


def write_plots(report: Report, folder: Path) -> None:
    """Write the utility curves and the rates against the threshold, each as SVG and PNG."""
    folder.mkdir()
    low, high = report.calibration_range.distance
    threshold = report.recommended_threshold.distance
    settings = report.settings
    curves = UtilityCurvesDisplay.from_counts(
        report.counts,
        utility=Utility(settings.utility, settings.c),
        low=low,
        high=high,
        threshold=threshold,
    )
    save_figure(curves, folder / "utility_curves")
    rates = RatesDisplay.from_counts(
        report.counts, low=low, high=high, threshold=threshold, pool=settings.pool
    )
    save_figure(rates, folder / "rates")
