"""What a sampled count begins with as one file: an npz archive without pickles, checked when read.

The numbers are those of memory, type for type; in the file integers are as narrow as they fit.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.counting import StartedSample
from opiscal.pairs.nearest_counts import NeighbourRanks
from opiscal.pairs.sampled_columns import ColumnGroups
from opiscal.pairs.sampled_head import SampledHead
from opiscal.pairs.tasks.pieces import Piece, pack
from opiscal.pairs.tasks.pieces_file import DAMAGED, TornFileError, archive_to_bytes, pieces_in

_FORMAT = 1


def head_to_bytes(digest: str, started: StartedSample) -> bytes:
    """The content of a file.

    Parameters
    ----------
    digest : str
        Of what the counts follow from.
    started : StartedSample
    """
    arrays = _arrays_of(started)
    said = {
        "format": _FORMAT,
        "digest": digest,
        "index": started.index,
        "neighbour_recall": started.neighbour_recall,
        "radius": started.head.radius,
        "cap": None if started.ranks is None else started.ranks.cap,
        "groups": len(started.columns.place),
        "arrays": {name: [array.dtype.str, array.shape] for name, array in arrays.items()},
    }
    pieces = pack(Piece(name, (0,) * array.ndim, array) for name, array in arrays.items())
    return archive_to_bytes({"said": np.array(json.dumps(said))}, pieces)


def head_from_bytes(data: bytes) -> tuple[str, StartedSample]:
    """The digest in the content of a file, and what the count begins with.

    Raises
    ------
    TornFileError
        Where it was cut short or changed: every array has a checksum.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            said = json.loads(str(archive["said"]))
            if said["format"] != _FORMAT:
                raise TornFileError(f"of format {said['format']}")
            arrays = {
                name: np.zeros(tuple(shape), np.dtype(kind))
                for name, (kind, shape) in said["arrays"].items()
            }
            for piece in pieces_in(archive):
                arrays[piece.name][piece.box] = piece.values
            return str(said["digest"]), _started(said, arrays)
    except DAMAGED as error:
        raise TornFileError(str(error)) from error


def _arrays_of(started: StartedSample) -> dict[str, NDArray[Any]]:
    head = started.head
    arrays = {
        field.name: array
        for field in fields(head)
        if isinstance(array := getattr(head, field.name), np.ndarray)
    }
    arrays |= {f"found {g}": pairs for g, pairs in enumerate(head.found)}
    arrays |= {f"columns {g}": place for g, place in enumerate(started.columns.place)}
    if started.ranks is not None:
        arrays |= {"rank": started.ranks.rank, "of_class": started.ranks.of_class}
    return arrays


def _started(said: Mapping[str, Any], arrays: dict[str, NDArray[Any]]) -> StartedSample:
    found, place = (
        tuple(arrays.pop(f"{name} {g}") for g in range(said["groups"]))
        for name in ("found", "columns")
    )
    ranks = None
    if said["cap"] is not None:
        ranks = NeighbourRanks(arrays.pop("rank"), arrays.pop("of_class"), said["cap"])
    head = SampledHead(**arrays, found=found, radius=said["radius"])
    return StartedSample(ColumnGroups(place), head, ranks, said["index"], said["neighbour_recall"])
