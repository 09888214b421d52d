"""Calls that may wait long: what an interrupt gives up, and whether the process may end then."""

import threading

import pytest
from conftest import wait_for

from opiscal.data.waiting import interruptible, is_waited_for, try_for


class InterruptedStart(threading.Thread):
    """A thread that runs, and whose beginning is interrupted for the one who begins it."""

    def start(self):
        super().start()
        raise KeyboardInterrupt


class NoThread(threading.Thread):
    """What a machine without room for another thread does."""

    def start(self):
        raise RuntimeError("can't start new thread")


def test_a_call_is_waited_for_until_it_ends():
    assert interruptible(lambda: 3) == 3
    assert not is_waited_for()


def test_an_error_of_a_call_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 / 0)
    assert not is_waited_for()


def test_an_interrupt_while_the_thread_of_a_call_begins_is_known_too(monkeypatch):
    silent = threading.Event()
    monkeypatch.setattr(threading, "Thread", InterruptedStart)
    with pytest.raises(KeyboardInterrupt):
        interruptible(silent.wait)
    assert is_waited_for()
    silent.set()
    wait_for(lambda: not is_waited_for())


def test_a_call_without_a_thread_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(threading, "Thread", NoThread)
    with pytest.raises(RuntimeError):
        interruptible(lambda: 3)
    assert not is_waited_for()


def test_a_try_that_takes_too_long_is_given_up():
    silent = threading.Event()
    assert not try_for(0.01, silent.wait)
    assert is_waited_for()
    silent.set()
    wait_for(lambda: not is_waited_for())


def test_a_try_tells_of_its_end():
    assert try_for(20, lambda: None)
    assert not try_for(20, lambda: 1 / 0)
