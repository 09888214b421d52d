"""BlockShare: which tasks of a job are those of one block of a job array."""

from collections.abc import Sequence
from dataclasses import dataclass

from opiscal.errors import UsageError
from opiscal.pairs.tasks.task import Task


@dataclass(frozen=True, slots=True)
class BlockShare:
    """One of so many blocks of about the same work, such as 3/16.

    Attributes
    ----------
    number : int
        From 1.
    of : int
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "BlockShare":
        """Read ``3/16``; anything else is a `UsageError`.

        Examples
        --------
        >>> BlockShare.parse("3/16")
        BlockShare(number=3, of=16)
        """
        first, slash, second = text.partition("/")
        if slash and first.isdecimal() and second.isdecimal():
            number, of = int(first), int(second)
            if 1 <= number <= of <= 10_000:
                return cls(number, of)
        raise UsageError(
            f"block {text!r}: must be one of at most 10,000 blocks, from 1 on, such as 3/16"
        )

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def own(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks of this block; every task is in one of all blocks.

        The largest are dealt out first, to and fro, so that all blocks have about as many pairs.

        Examples
        --------
        >>> tasks = [Task(k, "negative", (), (), pairs) for k, pairs in enumerate([5, 9, 1, 4])]
        >>> [task.number for task in BlockShare(1, 2).own(tasks)]
        [1, 2]
        """
        largest_first = sorted(tasks, key=lambda task: (-task.pairs, task.number))
        mine = []
        for k, task in enumerate(largest_first):
            turn, place = divmod(k, self.of)
            if (place if turn % 2 == 0 else self.of - 1 - place) == self.number - 1:
                mine.append(task)
        return mine
