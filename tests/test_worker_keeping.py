"""A worker keeps what it has counted while it counts on."""

import threading

import numpy as np
import pytest

from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.worker_keeping import WriteBehind
from opiscal.errors import InputError
from opiscal.pairs.tasks.pieces import Piece

PIECES = [Piece("pool", (0,), np.array([1, 2]))]


class SlowCheckpoint:
    """Writes when it is let."""

    def __init__(self):
        self.let, self.written = threading.Event(), []

    def keep_task(self, job, number, pieces):
        assert self.let.wait(20)
        self.written.append((job, number, pieces))


def test_the_next_task_is_not_held_back():
    slow, behind = SlowCheckpoint(), WriteBehind()
    behind.keep(slow, "set", 3, PIECES)
    assert slow.written == []
    slow.let.set()
    behind.keep(slow, "set", 4, PIECES)
    assert slow.written[0] == ("set", 3, PIECES)
    assert behind.failure() == ""
    assert [number for _, number, _ in slow.written] == [3, 4]


def test_a_disk_that_takes_nothing_is_told_of_once(tmp_path):
    (tmp_path / "kept").write_text("a file, no folder")
    checkpoint, behind = Checkpoint(str(tmp_path / "kept")), WriteBehind()
    behind.keep(checkpoint, "set", 0, PIECES)
    with pytest.raises(InputError, match="cannot be written"):
        behind.keep(checkpoint, "set", 1, PIECES)
    behind.keep(checkpoint, "set", 2, PIECES)
    assert "cannot be written" in behind.failure()
    assert behind.failure() == ""
