"""BlockFrame: the file that makes the counts of a block of a job array a part of a whole."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet
from opiscal.data.set_arrays import (
    set_from_arrays,
    set_to_arrays,
    sides_from_arrays,
    sides_to_arrays,
)
from opiscal.data.sides import Sides
from opiscal.engines.block_share import BlockShare
from opiscal.errors import OpiscalError
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.lattice_arrays import lattice_from_arrays, lattice_to_arrays
from opiscal.pairs.tasks.pieces_file import DAMAGED, TornFileError

FRAME_FILE = "block.npz"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class KnownSet:
    """What of a set is needed for a report beside its counts; only one block keeps it.

    Attributes
    ----------
    embeddings : EmbeddingSet
        Without vectors.
    sides : Sides or None
        None for one set.
    lattice : Lattice
    nearest_class : int64 array of shape (classes,)
        As `opiscal.pairs.nearest_class.nearest_class` gives it.
    """

    embeddings: EmbeddingSet
    sides: Sides | None
    lattice: Lattice
    nearest_class: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BlockFrame:
    """What a part says of itself.

    Attributes
    ----------
    share : BlockShare
    digest : str
        Of the evaluation; see `opiscal.engines.checkpoint.Checkpoint.digest`.
    own : dict of str to list of int
        By name of a job the numbers of its tasks that are this block's.
    command : list of str
        The words of the command that counts it; empty where there was none.
    known : KnownSet or None
        None in all but the first block.
    """

    share: BlockShare
    digest: str
    own: Mapping[str, list[int]]
    command: list[str]
    known: KnownSet | None = None

    def to_bytes(self) -> bytes:
        """The content of the file: an npz archive without pickles."""
        facts = {
            "format": _FORMAT,
            "block": str(self.share),
            "digest": self.digest,
            "own": dict(self.own),
            "command": self.command,
        }
        arrays: dict[str, NDArray[Any]] = {"facts": np.array(json.dumps(facts))}
        if self.known is not None:
            arrays |= set_to_arrays(self.known.embeddings)
            arrays |= lattice_to_arrays(self.known.lattice)
            arrays["nearest_class"] = self.known.nearest_class
            if self.known.sides is not None:
                arrays |= sides_to_arrays(self.known.sides)
        out = io.BytesIO()
        # Numbers of rows and classes take a fraction of their bytes.
        np.savez_compressed(out, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "BlockFrame":
        """The frame in the content of a file.

        Raises
        ------
        TornFileError
            Where it was cut short or changed.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            facts = json.loads(str(arrays["facts"]))
            if facts["format"] != _FORMAT:
                raise TornFileError(f"of format {facts['format']}")
            return cls(
                share=BlockShare.parse(facts["block"]),
                digest=facts["digest"],
                own=facts["own"],
                command=facts["command"],
                known=None if "nearest_class" not in arrays else _known(arrays),
            )
        except (*DAMAGED, OpiscalError) as error:
            raise TornFileError(str(error)) from error


def _known(arrays: Mapping[str, NDArray[Any]]) -> KnownSet:
    return KnownSet(
        set_from_arrays(arrays),
        sides_from_arrays(arrays),
        lattice_from_arrays(arrays),
        arrays["nearest_class"],
    )
