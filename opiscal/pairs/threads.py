"""Threads: how many there are, and how work is shared out to them."""

import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from opiscal.pairs.blas import one_blas_thread

Thing = TypeVar("Thing")
Room = TypeVar("Room")


def available_threads() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def share_out(
    things: Iterable[Thing],
    work: Callable[[Thing, Room], None],
    room: Callable[[], Room],
    threads: int | None = None,
) -> None:
    """Work things off in order, on threads that each take the next one when they are free.

    Parameters
    ----------
    things : iterable
    work : callable
        Is given a thing, and what the thread works in. Where it raises an error no thread takes
        another thing, and the error is raised here.
    room : callable
        Makes what a thread works in, once a thread.
    threads : int, optional
        Default: all cores that the process may use; never more than there are things.

    Examples
    --------
    >>> squares = []
    >>> share_out([1, 2, 3], lambda thing, out: out.append(thing**2), lambda: squares, threads=2)
    >>> sorted(squares)
    [1, 4, 9]
    """
    waiting, stopped = deque(things), Event()
    workers = min(threads or available_threads(), max(1, len(waiting)))

    def take() -> None:
        own = room()
        while not stopped.is_set():
            try:
                thing = waiting.popleft()
            except IndexError:
                return
            work(thing, own)

    with one_blas_thread():
        if workers == 1:
            take()
            return
        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(take) for _ in range(workers)]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                stopped.set()
                raise
