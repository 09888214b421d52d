"""The parts of a job array, checked against each other: exactly one of every block of one whole."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opiscal.data.url import shown
from opiscal.engines.block_frame import FRAME_FILE, BlockFrame
from opiscal.engines.block_share import BlockShare
from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.checkpoint_files import names_hold
from opiscal.engines.checkpoint_manifest import MANIFEST
from opiscal.engines.difference import first_difference
from opiscal.errors import InputError, UsageError
from opiscal.pairs.tasks.pieces_file import CountedTasks, TornFileError
from opiscal.version import __version__

_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Part:
    """The counts of one block.

    Attributes
    ----------
    checkpoint : Checkpoint
        Opened.
    manifest : dict
        What its evaluation is; see `opiscal.engines.checkpoint.Checkpoint.begin`.
    frame : BlockFrame
    """

    checkpoint: Checkpoint
    manifest: dict[str, Any]
    frame: BlockFrame

    @property
    def name(self) -> str:
        """The folder."""
        return self.checkpoint.folder.shown

    @property
    def again(self) -> str:
        """What to do to have it finished."""
        if not self.frame.command:
            return "count its block again into the same folder"
        return f"run its command again: {shlex.join(self.frame.command)}"

    def counted(self, job: str) -> list[CountedTasks]:
        """What it has counted of a job.

        Raises
        ------
        InputError
            Where that are not its own tasks: some are missing or their files torn, or there are
            those of other blocks.
        """
        found = self.checkpoint.peek(job)
        numbers = {number for part in found for number in part.numbers}
        own = set(self.frame.own[job])
        if numbers - own:
            raise InputError(
                f"{self.name!r} holds tasks of other blocks than {self.frame.share}: several were "
                "counted into one folder; give each a folder of its own"
            )
        if numbers != own:
            raise InputError(f"{self._what_is_missing({job: numbers})}; {self.again}")
        return found

    def check_finished(self) -> None:
        """Make sure that nothing is missing, by the names of its files.

        Raises
        ------
        InputError
        """
        names = self.checkpoint.folder.names()
        if all(names_hold(names, job, own) for job, own in self.frame.own.items()):
            return
        found = {
            job: {number for part in self.checkpoint.peek(job) for number in part.numbers}
            for job in self.frame.own
        }
        if any(set(own) - found[job] for job, own in self.frame.own.items()):
            raise InputError(f"{self._what_is_missing(found)}; {self.again}")

    def _what_is_missing(self, found: dict[str, set[int]]) -> str:
        own = {job: set(self.frame.own[job]) for job in found}
        missing = sum(len(own[job] - numbers) for job, numbers in found.items())
        said = f"{missing} of the {sum(map(len, own.values()))} tasks are missing"
        torn = self.checkpoint.torn
        if torn:
            return f"the part {self.name!r} is torn: {torn[0]!r} is not whole, and {said}"
        return f"the part {self.name!r} is not finished: {said}"


def read_part(folder: str) -> Part:
    """The part in a folder, which may be a URL.

    Raises
    ------
    InputError
        Where it is none, torn, or of another version.
    """
    checkpoint = Checkpoint(folder)
    name = checkpoint.folder.shown
    frame = frame_of(checkpoint)
    if frame is None:
        begun = MANIFEST in checkpoint.folder.names()
        what = (
            "its count was stopped before it began, or was that of 'opiscal evaluate': run "
            "'opiscal count' on it"
            if begun
            else "give the folders that 'opiscal count' has written"
        )
        raise InputError(f"{name!r} is no part: it has no {FRAME_FILE}; {what}")
    manifest = checkpoint.opened()
    if manifest["opiscal_version"] != __version__:
        raise InputError(
            f"the part {name!r} was counted by opiscal {manifest['opiscal_version']}, and this is "
            f"opiscal {__version__}; use the same version for all"
        )
    if frame.digest != checkpoint.digest:
        raise InputError(
            f"{FRAME_FILE!r} in {name!r} is of another evaluation than the counts beside it; count "
            "the block again into a new folder"
        )
    return Part(checkpoint, manifest, frame)


def frame_of(checkpoint: Checkpoint) -> BlockFrame | None:
    """What a part says of itself; None where there is no part.

    Raises
    ------
    InputError
        Where the file is torn.
    """
    folder = checkpoint.folder
    if FRAME_FILE not in folder.names():
        return None
    try:
        return BlockFrame.from_bytes(folder.read(FRAME_FILE))
    except TornFileError as error:
        raise InputError(
            f"the part {folder.shown!r} is torn: {FRAME_FILE!r} is not whole; remove that file, "
            "and run the command of the block again"
        ) from error


def read_parts(folders: Sequence[str]) -> list[Part]:
    """The parts of one whole, in the order of their blocks.

    Raises
    ------
    InputError, UsageError
        Where a folder is no part, a part is of another version, data set, settings or number of
        blocks, a block is double or missing, or a part is not finished.
    """
    if not folders:
        raise UsageError("no part was given: give the folders that 'opiscal count' has written")
    parts = [read_part(folder) for folder in folders]
    for part in parts[1:]:
        _check_same_whole(parts[0], part)
    by_number: dict[int, Part] = {}
    for part in parts:
        other = by_number.setdefault(part.frame.share.number, part)
        if other is not part:
            raise UsageError(
                f"block {part.frame.share} is double: {other.name!r} and {part.name!r} both hold "
                "it; give one of them"
            )
    _check_none_missing(parts[0], by_number)
    for part in parts:
        part.check_finished()
    return [by_number[number] for number in sorted(by_number)]


def _check_same_whole(first: Part, part: Part) -> None:
    for key in ("format", "identity", "edges"):
        differing = first_difference(key, first.manifest[key], part.manifest[key])
        if differing is None:
            continue
        if key == "edges":
            differing += (
                ", of the same data and settings: count all blocks with the same versions of "
                "opiscal's libraries"
            )
        raise UsageError(
            f"{first.name!r} (there) and {part.name!r} (here) are parts of two evaluations: "
            f"{differing}; give the parts of one"
        )
    one, other = first.frame.share, part.frame.share
    if one.of != other.of:
        raise UsageError(
            f"{first.name!r} is block {one} and {part.name!r} is block {other}; give parts of the "
            "same number of blocks"
        )


def _check_none_missing(part: Part, found: dict[int, Part]) -> None:
    share = part.frame.share
    missing = [number for number in range(1, share.of + 1) if number not in found]
    if not missing:
        return
    named = ", ".join(str(BlockShare(number, share.of)) for number in missing[:_MOST_NAMED])
    more = len(missing) - _MOST_NAMED
    what = f"blocks {named}{f' and {more} more' if more > 0 else ''} are"
    if len(missing) == 1:
        what = f"block {named} is"
    wanted = BlockShare(missing[0], share.of)
    run = f"opiscal count DATA --block {wanted} -o FOLDER, with the options of the others"
    if part.frame.command:
        run = command_of_block(part.frame.command, share, wanted)
    raise UsageError(f"{what} missing; run: {run}")


def command_of_block(words: Sequence[str], share: BlockShare, wanted: BlockShare) -> str:
    """The command of another block, into a folder that is named alike.

    Examples
    --------
    >>> words = ["opiscal", "count", "a.parquet", "--block", "1/16", "-o", "parts/part-1"]
    >>> command_of_block(words, BlockShare(1, 16), BlockShare(3, 16))
    'opiscal count a.parquet --block 3/16 -o parts/part-3'
    """
    out = []
    before = ""
    for word in map(shown, words):
        new = word
        if word in (str(share), f"--block={share}"):
            new = word.removesuffix(str(share)) + str(wanted)
        elif before in ("-o", "--out") or word.startswith("--out="):
            new = _renumbered(word, share.number, wanted.number)
        out.append(new)
        before = word
    return shlex.join(out)


def _renumbered(folder: str, number: int, wanted: int) -> str:
    found = re.fullmatch(r"(.*?)0*(\d+)(\D*)", folder, re.DOTALL)
    if found is None or int(found[2]) != number:
        return f"{folder.rstrip('/')}-{wanted}"
    return f"{found[1]}{wanted}{found[3]}"
