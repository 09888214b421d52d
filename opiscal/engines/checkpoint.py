"""Checkpoint: a folder that keeps what was counted, so that no failure costs more than a task."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from opiscal.data.folder import Folder
from opiscal.engines.checkpoint_files import (
    head_file,
    is_of_checkpoint,
    task_file,
    tasks_file,
    tasks_of,
)
from opiscal.engines.checkpoint_manifest import (
    MANIFEST,
    check_same,
    digest_of,
    manifest_of,
    plain,
    read_manifest,
)
from opiscal.errors import InputError, UsageError
from opiscal.pairs.counting import StartedSample
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.plan import PairPlan
from opiscal.pairs.tasks.counting import SharedOut
from opiscal.pairs.tasks.head_file import head_from_bytes, head_to_bytes
from opiscal.pairs.tasks.pieces import Piece, pack, sum_pieces
from opiscal.pairs.tasks.pieces_file import (
    CountedTasks,
    TornFileError,
    counted_from_bytes,
    counted_to_bytes,
    merged,
)

# Counts may take so many times the bytes of the finished ones while they are kept.
_MOST_TIMES = 2
# The share of that from which on they are put together; what comes of it takes less than the rest.
_FULL = 0.63


class Checkpoint:
    """Counts of tasks in a folder, which may be a URL; any number of workers may write to it.

    Parameters
    ----------
    folder : str
        It is made where it does not exist.

    Notes
    -----
    A file holds the counts of one task, or of several that were put together to save room. Files
    are written whole; one that is not whole is counted again.
    """

    def __init__(self, folder: str) -> None:
        """Nothing is read yet."""
        self.folder = Folder(folder)
        self._digest = ""
        self._bytes: dict[str, int] = {}
        self._torn: set[str] = set()
        self._room = 0

    def begin(
        self, identity: Mapping[str, Any], lattice: Lattice, how: SharedOut, plan: PairPlan
    ) -> SharedOut:
        """Take the folder for an evaluation.

        Parameters
        ----------
        identity : mapping
            What the counts follow from.
        lattice : Lattice
        how : SharedOut
            How jobs are to be shared out into tasks.
        plan : PairPlan
            Which pairs of the whole are counted; where the folder has counts, its `kept_plan`.

        Returns
        -------
        SharedOut
            How they are: a folder that has counts keeps to what they were shared out by.

        Raises
        ------
        UsageError
            Where the folder is that of another evaluation; the message says what differs.
        """
        own = manifest_of(identity, lattice, how, plan)
        names = self.folder.names()
        if MANIFEST in names:
            known = read_manifest(self.folder)
            check_same(self.folder, known, own)
            own = known
        else:
            if not all(map(is_of_checkpoint, names)):
                raise UsageError(
                    f"the folder {self.folder.shown!r} is no checkpoint and not empty; give an "
                    "empty or a new one"
                )
            self.folder.write(MANIFEST, json.dumps(own, indent=1).encode())
        self._digest = digest_of(own)
        return SharedOut(**own["tasks"])

    def kept_plan(self, identity: Mapping[str, Any]) -> PairPlan | None:
        """By which plan an evaluation was begun; None where the folder has none of it."""
        if MANIFEST not in self.folder.names():
            return None
        known = read_manifest(self.folder)
        return PairPlan.from_dict(known["plan"]) if known["identity"] == plain(identity) else None

    def opened(self) -> dict[str, Any]:
        """Take the folder as it is, to read from; gives what `begin` has written.

        Raises
        ------
        InputError
            Where it is no checkpoint.
        """
        known = read_manifest(self.folder)
        self._digest = digest_of(known)
        return known

    @property
    def digest(self) -> str:
        """Of the evaluation; the same in every file."""
        return self._digest

    def make_room(self, final_bytes: int) -> None:
        """Say that one more job will be counted, whose finished counts take so many bytes."""
        self._room += _MOST_TIMES * final_bytes

    def counted(self, job: str) -> list[CountedTasks]:
        """What is there of a job: every task once. Torn files are passed over.

        Raises
        ------
        InputError
            Where a file is of another evaluation.
        """
        kept, spare = self._found(job)
        for name in spare:
            self._forget(name)
        return list(kept.values())

    def peek(self, job: str) -> list[CountedTasks]:
        """As `counted`, and nothing in the folder is changed."""
        return list(self._found(job)[0].values())

    @property
    def torn(self) -> list[str]:
        """Names of the files that were found torn."""
        return sorted(self._torn)

    def load(self, name: str) -> CountedTasks | None:
        """The content of one file, None where it is torn or not there."""
        try:
            data = self.folder.read(name)
        except InputError:
            return None
        self._bytes[name] = len(data)
        try:
            part = counted_from_bytes(data)
        except TornFileError:
            # It takes room until counts are put together, or its task is counted again.
            self._torn.add(name)
            return None
        self._check_digest(name, part.digest)
        return part

    def kept_task(self, job: str, number: int) -> list[Piece] | None:
        """What a task has counted, where it is in a file of its own."""
        found = self.load(task_file(job, number))
        return None if found is None else found.pieces

    def keep_task(self, job: str, number: int, pieces: list[Piece]) -> None:
        """Keep what a task has counted; on the disk when this returns."""
        self.write(task_file(job, number), CountedTasks(self._digest, (number,), pieces))

    def look(self, job: str) -> None:
        """See what workers have kept, and put it together where it takes much room."""
        self._bytes = {
            name: size for name, size in self.folder.sizes().items() if is_of_checkpoint(name)
        }
        self.save_room(job)

    def head(self, job: str) -> StartedSample | None:
        """What a sample begins with; None where it is torn or not there.

        Raises
        ------
        InputError
            Where it is that of another evaluation.
        """
        name = head_file(job)
        if name not in self.folder.names():
            return None
        data = self.folder.read(name)
        self._bytes[name] = len(data)
        try:
            digest, started = head_from_bytes(data)
        except TornFileError:
            self._torn.add(name)
            return None
        self._check_digest(name, digest)
        return started

    def keep_head(self, job: str, started: StartedSample) -> StartedSample:
        """Keep what a sample begins with, before any task of it; gives what is kept.

        Where another worker has kept it meanwhile that is taken. Tasks that were counted beside a
        head that is lost go: another index may find other pairs, and none may be counted twice.
        """
        other = self.head(job)
        if other is not None:
            return other
        for name in tasks_of(self.folder.names(), job):
            self._forget(name)
        self._write(head_file(job), head_to_bytes(self._digest, started))
        return started

    def write(self, name: str, counted: CountedTasks) -> None:
        """Write one file."""
        self._write(name, counted_to_bytes(counted))

    def _write(self, name: str, data: bytes) -> None:
        self.folder.write(name, data)
        self._bytes[name] = len(data)
        self._torn.discard(name)

    def save_room(self, job: str, whole: Callable[[], CountedTasks] | None = None) -> None:
        """Put the files of a job together where they take much room.

        Parameters
        ----------
        job : str
        whole : callable, optional
            What is in all of them, for who has added it up; default: they are read.
        """
        many = len(tasks_of(self._bytes, job)) > 1
        if many and sum(self._bytes.values()) > _FULL * self._room:
            if whole is None:
                self.put_together(job)
            else:
                self._make_one(job, whole(), list(tasks_of(self._bytes, job)))

    def put_together(self, job: str) -> None:
        """Make one file of all that is there of a job."""
        kept, spare = self._found(job)
        if len(kept) > 1:
            parts = list(kept.values())
            one = merged(parts, pack(sum_pieces(part.pieces for part in parts)))
            self._make_one(job, one, [*spare, *kept])
            spare = []
        for other in [*spare, *tasks_of(self._torn, job)]:
            self._forget(other)

    def _make_one(self, job: str, one: CountedTasks, others: list[str]) -> None:
        """Write one file in the place of others."""
        name, data = tasks_file(job, one.numbers), counted_to_bytes(one)
        spare = [other for other in others if other != name]
        if 0 < self._room < sum(self._bytes.values()) + len(data):
            # Rather count some tasks again, should it end just now, than take more room.
            while spare:
                self._forget(spare.pop())
        self._write(name, data)
        for other in spare:
            self._forget(other)

    def _found(self, job: str) -> tuple[dict[str, CountedTasks], list[str]]:
        """The files of a job that hold every task once, and those whose tasks others hold."""
        parts = []
        for name in tasks_of(self.folder.names(), job):
            part = self.load(name)
            if part is not None:
                parts.append((name, part))
        # Where an interrupt came between the writing of many tasks and the removing of the single
        # ones, both are there; those of more tasks hold the others.
        parts.sort(key=lambda found: -len(found[1].numbers))
        seen: set[int] = set()
        kept: dict[str, CountedTasks] = {}
        spare = []
        for name, part in parts:
            if seen.isdisjoint(part.numbers):
                seen.update(part.numbers)
                kept[name] = part
            else:
                spare.append(name)
        return kept, spare

    def _check_digest(self, name: str, digest: str) -> None:
        if digest != self._digest:
            raise InputError(
                f"{name!r} in the checkpoint {self.folder.shown!r} is of another evaluation; "
                "remove the file, or give another folder"
            )

    def _forget(self, name: str) -> None:
        self.folder.remove(name)
        self._bytes.pop(name, None)
        self._torn.discard(name)
