"""Task: blocks that are counted together, and how a count is shared out into tasks."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Multiply-adds of a task: some tenths of a second of one core, beside which handing it out and
# adding up its counts cost little.
_TASK_WORK = 4e10
# A scheduler keeps an eye on every task.
_MOST_TASKS = 4000
# So many tasks a block of a job array or a worker, at the least, share the work out evenly.
_TASKS_A_SHARE = 8


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of one side, by sorted place.

    Attributes
    ----------
    side : int
        0, or 1 for the rows of a gallery.
    start, stop : int
    """

    side: int
    start: int
    stop: int

    @property
    def rows(self) -> slice:
        """As an index."""
        return slice(self.start, self.stop)

    def meets(self, other: "Stretch") -> bool:
        """Whether they have a row in common."""
        return self.side == other.side and self.start < other.stop and other.start < self.stop


@dataclass(frozen=True, slots=True)
class Task:
    """Blocks whose pairs are counted together.

    Attributes
    ----------
    number : int
        Its place among the tasks of the count.
    kind : "positive" or "negative"
    blocks : tuple
        In the order in which they are counted.
    stretches : tuple of Stretch
        The rows of the pairs, and the rows whose counts are changed; disjoint.
    pairs : int
        About how many it counts.
    """

    number: int
    kind: str
    blocks: tuple[Any, ...]
    stretches: tuple[Stretch, ...]
    pairs: int

    def needs(self, positive: Sequence["Task"]) -> tuple["Task", ...]:
        """Of the tasks of positive pairs those that tell its rows their nearest positive."""
        if self.kind == "positive":
            return ()
        return tuple(
            task
            for task in positive
            if any(own.meets(theirs) for own in self.stretches for theirs in task.stretches)
        )


def tasks_wanted(pairs: int, dimensions: int, shares: int = 1) -> int:
    """Into how many tasks a count of so many pairs is shared out; by no clock.

    Parameters
    ----------
    pairs, dimensions : int
    shares : int
        Blocks of a job array, each of which gets some tasks.

    Examples
    --------
    >>> tasks_wanted(50_000 * 49_999 // 2, 512), tasks_wanted(10**14 // 2, 512)
    (16, 4000)
    """
    by_work = int(np.ceil(float(pairs) * dimensions / _TASK_WORK))
    return max(1, min(by_work, _MOST_TASKS), _TASKS_A_SHARE * shares if shares > 1 else 1)


def group_spans(
    cuts: Sequence[int], parts: int, most_rows: int | None = None
) -> list[tuple[int, int]]:
    """Put stretches of rows together, in order, into about so many of about the same size.

    Parameters
    ----------
    cuts : sequence of int
        Begins of the stretches, and the end of the last.
    parts : int
    most_rows : int, optional
        Rows of a part, beyond which only a single stretch may go.

    Examples
    --------
    >>> group_spans([0, 10, 20, 30, 40, 45], 2)
    [(0, 20), (20, 45)]
    >>> group_spans([0, 10, 20, 30, 40, 45], 2, most_rows=15)
    [(0, 10), (10, 20), (20, 30), (30, 45)]

    What an early one is short of is shared by those after it, and there are not more of them:

    >>> group_spans([0, 40, 80, 120, 160, 200], 4)
    [(0, 40), (40, 80), (80, 160), (160, 200)]
    """
    if len(cuts) < 2:
        return []
    most = max(1, cuts[-1] - cuts[0] if most_rows is None else most_rows)
    grouped, start, left = [], cuts[0], max(1, parts)
    for before, here in itertools.pairwise(cuts):
        size = (cuts[-1] - start) / max(left, -(-(cuts[-1] - start) // most))
        farther = (here - start) - size > size - (before - start)
        if before > start and (farther or here - start > most):
            grouped.append((start, before))
            start, left = before, max(1, left - 1)
    grouped.append((start, cuts[-1]))
    return grouped


def classes_of(class_index: NDArray[np.int64], rows: slice) -> slice:
    """The scored classes that have rows in a stretch, as lines of the histograms of classes."""
    known = class_index[rows]
    known = known[known >= 0]
    if known.size == 0:
        return slice(0, 0)
    return slice(int(known[0]), int(known[-1]) + 1)


def disjoint(lines: Sequence[slice]) -> list[slice]:
    """Stretches of classes, those that overlap made one and empty ones left out.

    Examples
    --------
    >>> disjoint([slice(0, 3), slice(2, 5), slice(7, 7)])
    [slice(0, 5, None)]
    """
    out: list[slice] = []
    for part in sorted(lines, key=lambda part: (part.start, part.stop)):
        if part.stop <= part.start:
            continue
        if out and part.start < out[-1].stop:
            out[-1] = slice(out[-1].start, max(out[-1].stop, part.stop))
        else:
            out.append(part)
    return out
