"""In which order tasks are handed out to workers."""

import itertools
from collections.abc import Sequence

from opiscal.pairs.tasks.task import Task


def in_turn(tasks: Sequence[Task], all_fit: bool) -> list[Task]:
    """The order in which tasks are handed out: positive ones first.

    Where workers keep all rows, the largest come first, so that none is left with one at the end.
    Else those that share a stretch of rows follow each other, to and fro.
    """
    positive = [task for task in tasks if task.kind == "positive"]
    negative = [task for task in tasks if task.kind != "positive"]
    if all_fit:
        return positive + sorted(negative, key=lambda task: -task.pairs)
    out = []
    by_row = itertools.groupby(negative, key=lambda task: task.stretches[0])
    for turn, (_, row) in enumerate(by_row):
        out += list(row) if turn % 2 == 0 else list(row)[::-1]
    return positive + out
