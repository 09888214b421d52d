"""Checkpoint: a folder that keeps what was counted, so that no failure costs more than a task."""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from opiscal.data.folder import Folder
from opiscal.engines.difference import first_difference
from opiscal.errors import InputError, UsageError
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.lattice_arrays import edges_digest
from opiscal.pairs.plan import PairPlan
from opiscal.pairs.tasks.counting import SharedOut
from opiscal.pairs.tasks.pieces import Piece, pack, sum_pieces
from opiscal.pairs.tasks.pieces_file import (
    CountedTasks,
    TornFileError,
    counted_from_bytes,
    counted_to_bytes,
    merged,
)
from opiscal.version import __version__

MANIFEST = "checkpoint.json"
_FORMAT = 2
# In the order in which two evaluations are told apart; how jobs are shared out does not matter.
_KEYS = ("format", "opiscal_version", "identity", "edges", "tasks")
_FILE = re.compile(r"(?P<job>[a-z0-9-]+)\.(task-(?P<number>\d+)|tasks-\d+-(?P<many>\d+))\.npz")
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

    def begin(self, identity: Mapping[str, Any], lattice: Lattice, how: SharedOut) -> SharedOut:
        """Take the folder for an evaluation.

        Parameters
        ----------
        identity : mapping
            What the counts follow from.
        lattice : Lattice
        how : SharedOut
            How jobs are to be shared out into tasks.

        Returns
        -------
        SharedOut
            How they are: a folder that has counts keeps to what they were shared out by.

        Raises
        ------
        UsageError
            Where the folder is that of another evaluation; the message says what differs.
        """
        own = {
            "format": _FORMAT,
            "opiscal_version": __version__,
            "identity": json.loads(json.dumps(identity)),
            "edges": edges_digest(lattice),
            "tasks": asdict(how),
        }
        names = self.folder.names()
        if MANIFEST in names:
            known = self._manifest()
            for key in _KEYS[:-1]:
                differing = first_difference(key, known[key], own[key])
                if differing is not None:
                    raise UsageError(
                        f"the checkpoint {self.folder.shown!r} is of another evaluation: "
                        f"{differing}; give another folder, or remove this one"
                    )
            own = known
        else:
            if any(_FILE.fullmatch(name) is None for name in names):
                raise UsageError(
                    f"the folder {self.folder.shown!r} is no checkpoint and not empty; give an "
                    "empty or a new one"
                )
            self.folder.write(MANIFEST, json.dumps(own, indent=1).encode())
        self._digest = _digest_of(own)
        return SharedOut(**own["tasks"])

    def check_plan(self, plan: PairPlan) -> None:
        """Refuse a sample, whose counts are not kept.

        Raises
        ------
        UsageError
        """
        if plan.mode == "sampled":
            raise UsageError(
                f"checkpoint {self.folder.shown!r}: a sample of the pairs is counted "
                f"({plan.reason}), which is not kept; leave it out, or give --pairs exact"
            )

    def opened(self) -> dict[str, Any]:
        """Take the folder as it is, to read from; gives what `begin` has written.

        Raises
        ------
        InputError
            Where it is no checkpoint.
        """
        known = self._manifest()
        self._digest = _digest_of(known)
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
        if part.digest != self._digest:
            raise InputError(
                f"{name!r} in the checkpoint {self.folder.shown!r} is of another evaluation; "
                "remove the file, or give another folder"
            )
        return part

    def save(self, job: str, number: int, pieces: list[Piece]) -> None:
        """Keep what a task has counted; on the disk when this returns."""
        self.keep_task(job, number, pieces)
        self._save_room(job)

    def kept_task(self, job: str, number: int) -> list[Piece] | None:
        """What a task has counted, where it is in a file of its own."""
        found = self.load(task_file(job, number))
        return None if found is None else found.pieces

    def keep_task(self, job: str, number: int, pieces: list[Piece]) -> None:
        """Keep what a task has counted; for workers, which leave it to others to save room."""
        self.write(task_file(job, number), CountedTasks(self._digest, (number,), pieces))

    def look(self, job: str) -> None:
        """See what workers have kept, and put it together where it takes much room."""
        self._bytes = {
            name: size for name, size in self.folder.sizes().items() if _FILE.fullmatch(name)
        }
        self._save_room(job)

    def write(self, name: str, counted: CountedTasks) -> None:
        """Write one file."""
        self._write(name, counted_to_bytes(counted))

    def _write(self, name: str, data: bytes) -> None:
        self.folder.write(name, data)
        self._bytes[name] = len(data)
        self._torn.discard(name)

    def _save_room(self, job: str) -> None:
        many = sum(name.startswith(f"{job}.") for name in self._bytes) > 1
        if many and sum(self._bytes.values()) > _FULL * self._room:
            self.put_together(job)

    def put_together(self, job: str) -> None:
        """Make one file of all that is there of a job."""
        kept, spare = self._found(job)
        if len(kept) > 1:
            parts = list(kept.values())
            one = merged(parts, pack(sum_pieces(part.pieces for part in parts)))
            name = f"{job}.tasks-{one.numbers[0]}-{len(one.numbers)}.npz"
            spare += [other for other in kept if other != name]
            data = counted_to_bytes(one)
            if 0 < self._room < sum(self._bytes.values()) + len(data):
                # Rather count some tasks again, should it end just now, than take more room.
                while spare:
                    self._forget(spare.pop())
            self._write(name, data)
        for other in [*spare, *(name for name in self._torn if name.startswith(f"{job}."))]:
            self._forget(other)

    def _found(self, job: str) -> tuple[dict[str, CountedTasks], list[str]]:
        """The files of a job that hold every task once, and those whose tasks others hold."""
        parts = []
        for name in self.folder.names():
            match = _FILE.fullmatch(name)
            if match is not None and match["job"] == job:
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

    def _forget(self, name: str) -> None:
        self.folder.remove(name)
        self._bytes.pop(name, None)
        self._torn.discard(name)

    def _manifest(self) -> dict[str, Any]:
        try:
            found = json.loads(self.folder.read(MANIFEST))
        except ValueError as error:
            raise InputError(
                f"{MANIFEST!r} of {self.folder.shown!r} cannot be read; give another "
                "folder, or remove this one"
            ) from error
        known = isinstance(found, dict) and all(key in found for key in _KEYS)
        if not known or not isinstance(found["tasks"], dict):
            raise InputError(
                f"{MANIFEST!r} of {self.folder.shown!r} is none of ours; give another folder"
            )
        return dict(found)


def _digest_of(manifest: Mapping[str, Any]) -> str:
    """Of what counts follow from; another version may write other files of the same counts."""
    said = {key: manifest[key] for key in _KEYS if key != "opiscal_version"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def names_hold(names: Iterable[str], job: str, numbers: Collection[int]) -> bool:
    """Whether some files are, by their names, those of all these tasks.

    Examples
    --------
    >>> names_hold(["set.tasks-3-2.npz", "group-1.task-000004.npz"], "set", [3, 8])
    True
    """
    found = [match for name in names if (match := _FILE.fullmatch(name)) and match["job"] == job]
    if any(match["many"] is not None and int(match["many"]) == len(numbers) for match in found):
        return True
    return set(numbers) <= {int(match["number"]) for match in found if match["number"]}


def task_file(job: str, number: int) -> str:
    """The name of the file of one task."""
    return f"{job}.task-{number:06}.npz"
