"""opiscal: which distance threshold to ship, how sure that is, and does one serve all classes."""

from typing import TYPE_CHECKING, Any

from opiscal.version import __version__

if TYPE_CHECKING:
    from opiscal.data.side_arrays import Gallery
    from opiscal.evaluation import evaluate
    from opiscal.gate.comparison import Comparison, compare_reports
    from opiscal.gate.gate import gate_reports
    from opiscal.mining import hard_pairs
    from opiscal.report.hard_pairs import HardPairs
    from opiscal.report.record import Report
    from opiscal.report.run import load
    from opiscal.report.settings import EvaluateConfig


__all__ = [
    "Comparison",
    "EvaluateConfig",
    "Gallery",
    "HardPairs",
    "Report",
    "__version__",
    "compare_reports",
    "evaluate",
    "gate_reports",
    "hard_pairs",
    "load",
]

_HOMES = {
    "Comparison": "opiscal.gate.comparison",
    "compare_reports": "opiscal.gate.comparison",
    "evaluate": "opiscal.evaluation",
    "gate_reports": "opiscal.gate.gate",
    "hard_pairs": "opiscal.mining",
    "Gallery": "opiscal.data.side_arrays",
    "EvaluateConfig": "opiscal.report.settings",
    "HardPairs": "opiscal.report.hard_pairs",
    "Report": "opiscal.report.record",
    "load": "opiscal.report.run",
}


def __getattr__(name: str) -> Any:
    # Looked up when first used, so that the command line starts without the numerical libraries.
    if name not in _HOMES:
        raise AttributeError(f"module 'opiscal' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
