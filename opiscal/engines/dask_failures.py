"""What dask raises where workers or the scheduler are lost, as one line."""

import logging
from typing import Any

from opiscal.errors import InputError, OpiscalError

SCHEDULER_LOST = (
    "the Dask scheduler was lost; start it again, and give the same command with --checkpoint to "
    "go on where it was"
)


class FailuresTold:
    """Turns what dask raises within it into one line.

    Parameters
    ----------
    distributed : module
        It is imported by `opiscal.engines.dask_cluster` alone.
    """

    def __init__(self, distributed: Any) -> None:
        """Keep the module."""
        self._distributed = distributed

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Raise an `InputError` where it can be told what to do; let all else pass."""
        if isinstance(error, KeyboardInterrupt):
            # What was awaited ends with it, and asyncio would print each of them.
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        if not isinstance(error, Exception) or isinstance(error, OpiscalError):
            return
        if isinstance(error, self._distributed.KilledWorker):
            raise InputError(
                "workers were lost four times over the same rows, most likely for want of memory; "
                "give them more (--worker-memory), start fewer (--workers), or hold rows in half "
                "of it (--half)"
            ) from error
        if isinstance(error, MemoryError):
            raise InputError(
                "a worker has too little memory for its rows; give it more (--worker-memory), or "
                "start fewer (--workers)"
            ) from error
        names = {type(error).__name__, *(base.__name__ for base in type(error).__mro__)}
        if names & {"CommClosedError", "CancelledError", "FutureCancelledError"}:
            raise InputError(SCHEDULER_LOST) from error
