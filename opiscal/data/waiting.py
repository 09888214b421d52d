"""Waiting for others, who may keep silent for minutes: an interrupt is not kept waiting with it."""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Found = TypeVar("Found")


class _Call(Generic[Found]):
    """A call in a thread of its own, and what came of it."""

    def __init__(self, call: Callable[[], Found]) -> None:
        self.found: list[Found] = []
        self.failed: BaseException | None = None
        # Not the end of the thread, which an interrupted `join` may take for reached.
        self.ended = threading.Event()
        # Before it is begun: an interrupt may come while it begins.
        _going_on.add(self)
        try:
            threading.Thread(target=self._run, args=(call,), daemon=True).start()
        except RuntimeError:
            _going_on.discard(self)
            raise

    def _run(self, call: Callable[[], Found]) -> None:
        try:
            self.found.append(call())
        except BaseException as error:
            self.failed = error
        finally:
            _going_on.discard(self)
            self.ended.set()


_going_on: set[_Call[Any]] = set()


def interruptible(call: Callable[[], Found]) -> Found:
    """Call what may wait long, in a thread of its own; an interrupt gives it up.

    Examples
    --------
    >>> interruptible(lambda: 1 + 1)
    2
    """
    made = _Call(call)
    made.ended.wait()
    if made.failed is not None:
        raise made.failed
    return made.found[0]


def try_for(seconds: float, call: Callable[[], object]) -> bool:
    """Call what may fail and may wait long, for so long at most; whether it came to a good end."""
    made = _Call(call)
    return made.ended.wait(seconds) and made.failed is None


def is_waited_for() -> bool:
    """Whether a call that was given up still goes on, so that the process could not end yet."""
    return bool(_going_on)
