"""How a worker keeps what it has counted: while it counts the next task."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from opiscal.engines.checkpoint import Checkpoint
from opiscal.errors import OpiscalError
from opiscal.pairs.tasks.pieces import Piece


class WriteBehind:
    """Writes counts to a checkpoint on a thread of its own; at most one file is not yet there.

    Nothing hangs on when a file is there: what was not yet written when a process is killed is
    counted again.
    """

    def __init__(self) -> None:
        """Nothing is being written."""
        self._thread = ThreadPoolExecutor(1)
        self._lock = threading.Lock()
        self._last: Future[None] | None = None

    def keep(self, checkpoint: Checkpoint, job: str, number: int, pieces: list[Piece]) -> None:
        """Begin to keep what a task has counted, when the one before is on the disk.

        Raises
        ------
        OpiscalError
            Where the one before could not be written.
        """
        with self._lock:
            self._wait()
            self._last = self._thread.submit(checkpoint.keep_task, job, number, pieces)

    def failure(self) -> str:
        """Wait until everything is on the disk; why it is not, or nothing."""
        with self._lock:
            try:
                self._wait()
            except OpiscalError as error:
                return str(error)
        return ""

    def _wait(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last.result()


_BEHIND = WriteBehind()


def keep_behind(checkpoint: Checkpoint, job: str, number: int, pieces: list[Piece]) -> None:
    """Keep what a task has counted; as `WriteBehind.keep`, for all threads of this worker."""
    _BEHIND.keep(checkpoint, job, number, pieces)


def failure_on_worker() -> str:
    """Wait until this worker has kept everything; why it has not, or nothing."""
    return _BEHIND.failure()
