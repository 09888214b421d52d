"""Training for one threshold: the threshold-consistent margin loss, and OPIS while a model trains.

The only part of opiscal that needs torch: ``pip install 'opiscal[torch]'``.
"""

from opiscal.errors import MissingLibraryError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    # A torch that is there and broken speaks for itself.
    if error.name != "torch":
        raise
    raise MissingLibraryError(
        "opiscal.losses needs torch, which is not installed: pip install 'opiscal[torch]'"
    ) from None

from opiscal.losses.monitor import ConsistencyMonitor
from opiscal.losses.threshold_consistent_margin import ThresholdConsistentMarginLoss

__all__ = ["ConsistencyMonitor", "ThresholdConsistentMarginLoss"]
