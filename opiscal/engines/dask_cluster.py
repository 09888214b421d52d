"""Cluster: workers that a Dask scheduler knows; the one door to dask."""

import atexit
import logging
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from typing import Any

from opiscal.engines.dask_failures import SCHEDULER_LOST, FailuresTold
from opiscal.engines.dask_settings import SETTINGS
from opiscal.errors import InputError, UsageError
from opiscal.version import __version__

_INSTALL = "pip install 'opiscal[distributed]'"
# Nothing listens beyond this machine.
_LOOPBACK = "127.0.0.1"
_SECONDS_TO_ANSWER = "10s"
# All else needs it.
_HAND_OUT = 20

Future = Any
"""What a worker will have counted; it is given to other tasks, or gathered."""


class Cluster:
    """A client of a scheduler, and the workers that were started for it.

    Parameters
    ----------
    scheduler : str, optional
        Address of one that runs. Without it workers of one thread are started on this machine,
        which listen on the loopback address alone, and end with `close`.
    workers : int, optional
        How many are started; default: one for each core that the process may use.
    memory : int, optional
        Bytes of each worker that is started; default: an even share of the machine's.

    Raises
    ------
    UsageError
        Where dask is not installed, or no scheduler answers.
    InputError
        Where workers have another version of opiscal, or there is none.
    """

    def __init__(
        self, scheduler: str | None = None, workers: int | None = None, memory: int | None = None
    ) -> None:
        """Connect, or start workers."""
        dask = _dask()
        import distributed

        self._distributed, self._local = distributed, None
        dask.config.set(SETTINGS)
        for name in ("distributed", "distributed.client", "distributed.gc"):
            # The last two have levels of their own.
            logging.getLogger(name).setLevel(logging.CRITICAL)
        # It would close clusters once more at the end, and print where one was interrupted early.
        with suppress(AttributeError):
            atexit.unregister(distributed.deploy.spec.close_clusters)
        if scheduler is None:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
            with _deaf_to_interrupts():
                self._local = distributed.LocalCluster(
                    n_workers=workers or cores,
                    threads_per_worker=1,
                    host=_LOOPBACK,
                    dashboard_address=f"{_LOOPBACK}:0",
                    worker_dashboard_address=f"{_LOOPBACK}:0",
                    memory_limit=memory or "auto",
                    silence_logs=logging.CRITICAL,
                )
        try:
            self._client = distributed.Client(
                self._local or scheduler, timeout=_SECONDS_TO_ANSWER, set_as_default=False
            )
        except (OSError, ValueError, TimeoutError) as error:
            raise UsageError(
                f"no Dask scheduler answers at {scheduler!r}; start one with 'dask scheduler', or "
                "leave --scheduler out to start workers on this machine"
            ) from error
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    @property
    def workers(self) -> int:
        """How many there are at present."""
        return len(self._workers())

    @property
    def threads(self) -> int:
        """Threads of all workers: how many tasks are counted at the same time."""
        return sum(worker["nthreads"] for worker in self._workers().values())

    @property
    def threads_of_worker(self) -> int:
        """The most that one of them has."""
        return max(int(worker["nthreads"]) for worker in self._some_workers().values())

    @property
    def memory(self) -> int:
        """Bytes that the smallest worker may use; 0 where nothing limits it."""
        limits = [int(worker["memory_limit"] or 0) for worker in self._some_workers().values()]
        return min(limits)

    @property
    def dashboard(self) -> str:
        """The address of the page that shows what is going on; empty where there is none."""
        try:
            import bokeh  # noqa: F401  # the page needs it
        except ImportError:
            return ""
        return str(self._client.dashboard_link or "")

    def submit(self, work: Callable[..., Any], *given: Any, name: str, priority: int = 0) -> Future:
        """Have a worker do something, once; `given` may be futures.

        Parameters
        ----------
        work : callable
        *given
        name : str
            For the dashboard; nothing of the data may be in it.
        priority : int
            Higher ones are done first.
        """
        key = f"{name}-{os.urandom(8).hex()}"
        return self._client.submit(work, *given, key=key, priority=priority, pure=False)

    def on_every_worker(self, work: Callable[..., Any], *given: Any, name: str) -> list[Future]:
        """Have every worker do something; one that is lost leaves its share undone."""
        return [
            self._client.submit(
                work,
                *given,
                key=f"{name}-{os.urandom(8).hex()}",
                workers=[address],
                allow_other_workers=True,
                pure=False,
            )
            for address in self._workers()
        ]

    def everywhere(self, value: Any) -> Future:
        """Send something to the workers, to be given to their tasks; each fetches it once.

        It is a task like any other: where all who hold it are lost it is sent again. What dask
        scatters would be lost then, and to scatter it to workers of which one ends meanwhile does
        not end.
        """
        # In a call: lists and the like would be looked through for futures.
        return self.submit(partial(_itself, value), name="hand-out", priority=_HAND_OUT)

    def gather(self, futures: Sequence[Future]) -> list[Any]:
        """What some futures come to.

        Raises
        ------
        OpiscalError
            What a task has raised; or that workers were lost again and again.
        """
        with self._failures_told():
            return list(self._client.gather(list(futures), direct=False))

    def as_done(self, futures: Iterable[Future]) -> Iterator[Future]:
        """Futures, each as soon as it is done, and let go of then; errors as in `gather`."""
        with self._failures_told():
            done = self._distributed.as_completed(futures, loop=self._client.loop)
            # What is held here is kept by workers, needed or not.
            del futures
            for future in done:
                if future.status != "finished":
                    self._client.gather([future], direct=False)
                yield future

    def bytes_between_workers(self) -> int:
        """What workers have sent each other so far."""
        found = self._client.run(_bytes_sent)
        return int(sum(found.values()))

    def run_everywhere(self, work: Callable[[], Any]) -> list[Any]:
        """What every worker answers, at once; one that is lost answers nothing."""
        return list(self._client.run(work, on_error="ignore").values())

    def close(self) -> None:
        """Let go of the scheduler, and end the workers that were started."""
        with suppress(Exception):
            self._client.close()
        if self._local is not None:
            with suppress(Exception):
                self._local.close()

    def _workers(self) -> dict[str, Any]:
        # Not what the client remembers, which forgets all workers now and then for a moment.
        try:
            found = self._client.sync(self._client.scheduler.identity, n_workers=-1)
        except OSError as error:
            raise InputError(SCHEDULER_LOST) from error
        return dict(found["workers"])

    def _some_workers(self) -> dict[str, Any]:
        """Those that there are; where there are none they may just be started anew."""
        found = self._workers()
        if not found:
            with suppress(OSError, self._distributed.TimeoutError):
                self._client.wait_for_workers(1, timeout=_SECONDS_TO_ANSWER)
            found = self._workers()
        if not found:
            raise InputError(
                "the Dask scheduler has no workers; start some with 'dask worker ADDRESS'"
            )
        return found

    def _check(self) -> None:
        self._some_workers()
        answers = list(self._client.run(_version, on_error="return").values())
        versions = {answer for answer in answers if isinstance(answer, str)}
        failed = [answer for answer in answers if isinstance(answer, Exception)]
        if versions:
            # One that is lost just now does not count.
            failed = [error for error in failed if not isinstance(error, OSError)]
        if failed:
            said = str(failed[0]).partition("\n")[0] or type(failed[0]).__name__
            raise InputError(
                f"the workers of the scheduler cannot import opiscal ({said}); install the same "
                f"version on all of them: {_INSTALL}"
            ) from failed[0]
        if versions - {__version__}:
            others = ", ".join(sorted(versions - {__version__}))
            raise InputError(
                f"workers have opiscal {others} and this is {__version__}; counts of two versions "
                "do not add: install the same on all of them"
            )

    def _failures_told(self) -> FailuresTold:
        return FailuresTold(self._distributed)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Threads and processes that are started within it are not told of an interrupt.

    It is for this process, which ends its workers; they would each print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Its start would end the blocking.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _itself(value: Any) -> Any:
    return value


def _version() -> str:
    return __version__


def _bytes_sent(dask_worker: Any) -> int:
    return int(getattr(dask_worker, "transfer_outgoing_bytes_total", 0))


def _dask() -> Any:
    try:
        import dask
        import distributed  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise UsageError(
            f"engine dask: {error.name or 'dask'} is not installed; {_INSTALL}, or do without "
            "--engine"
        ) from error
    return dask
