"""The names of the files of a checkpoint: whose counts are in each."""

import re
from collections.abc import Collection, Iterable

_TASKS = re.compile(r"(?P<job>[a-z0-9-]+)\.(task-(?P<number>\d+)|tasks-\d+-(?P<many>\d+))\.npz")
_HEAD = re.compile(r"[a-z0-9-]+\.head\.npz")


def task_file(job: str, number: int) -> str:
    """The name of the file of one task."""
    return f"{job}.task-{number:06}.npz"


def tasks_file(job: str, numbers: Collection[int]) -> str:
    """The name of the file of several tasks.

    Examples
    --------
    >>> tasks_file("set", [3, 8])
    'set.tasks-3-2.npz'
    """
    return f"{job}.tasks-{min(numbers)}-{len(numbers)}.npz"


def head_file(job: str) -> str:
    """The name of the file of what a sample begins with."""
    return f"{job}.head.npz"


def is_of_checkpoint(name: str) -> bool:
    """Whether a file has counts.

    Examples
    --------
    >>> is_of_checkpoint(head_file("set")), is_of_checkpoint("letter.txt")
    (True, False)
    """
    return _TASKS.fullmatch(name) is not None or _HEAD.fullmatch(name) is not None


def tasks_of(names: Iterable[str], job: str) -> list[str]:
    """The files that hold tasks of a job.

    Examples
    --------
    >>> tasks_of(["set.head.npz", "set.task-000004.npz", "group-1.task-000004.npz"], "set")
    ['set.task-000004.npz']
    """
    return [name for name in names if (found := _TASKS.fullmatch(name)) and found["job"] == job]


def names_hold(names: Iterable[str], job: str, numbers: Collection[int]) -> bool:
    """Whether some files are, by their names, those of all these tasks.

    Examples
    --------
    >>> names_hold(["set.tasks-3-2.npz", "group-1.task-000004.npz"], "set", [3, 8])
    True
    """
    found = [match for name in tasks_of(names, job) if (match := _TASKS.fullmatch(name))]
    if any(match["many"] is not None and int(match["many"]) == len(numbers) for match in found):
        return True
    return set(numbers) <= {int(match["number"]) for match in found if match["number"]}
