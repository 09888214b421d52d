"""The manifest of a checkpoint: what its counts follow from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from opiscal.data.folder import Folder
from opiscal.engines.difference import first_difference
from opiscal.errors import InputError, UsageError
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.lattice_arrays import edges_digest
from opiscal.pairs.plan import PairPlan
from opiscal.pairs.tasks.counting import SharedOut
from opiscal.version import __version__

MANIFEST = "checkpoint.json"
_FORMAT = 2
# In the order in which two evaluations are told apart.
_COMPARED = ("format", "opiscal_version", "identity", "edges")
# How jobs are shared out does not matter, and the plan may follow from the speed of a machine: of
# these the first command decides.
_KEYS = (*_COMPARED, "tasks", "plan")


def manifest_of(
    identity: Mapping[str, Any], lattice: Lattice, how: SharedOut, plan: PairPlan
) -> dict[str, Any]:
    """That of an evaluation; see `opiscal.engines.checkpoint.Checkpoint.begin`."""
    return {
        "format": _FORMAT,
        "opiscal_version": __version__,
        "identity": plain(identity),
        "edges": edges_digest(lattice),
        "tasks": asdict(how),
        "plan": asdict(plan),
    }


def read_manifest(folder: Folder) -> dict[str, Any]:
    """The manifest in a folder.

    Raises
    ------
    InputError
        Where there is none, or what is called so is none of ours.
    """
    try:
        found = json.loads(folder.read(MANIFEST))
    except ValueError as error:
        raise InputError(
            f"{MANIFEST!r} of {folder.shown!r} cannot be read; give another folder, or remove this "
            "one"
        ) from error
    try:
        known = {key: found[key] for key in _KEYS}
        SharedOut(**known["tasks"])
        PairPlan.from_dict(known["plan"])
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{MANIFEST!r} of {folder.shown!r} is none of ours; give another folder"
        ) from error
    return dict(found)


def check_same(folder: Folder, known: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse a folder whose manifest is that of another evaluation.

    Raises
    ------
    UsageError
        The message says what differs.
    """
    for key in _COMPARED:
        differing = first_difference(key, known[key], own[key])
        if differing is not None:
            raise UsageError(
                f"the checkpoint {folder.shown!r} is of another evaluation: {differing}; give "
                "another folder, or remove this one"
            )


def digest_of(manifest: Mapping[str, Any]) -> str:
    """Of what counts follow from; another version may write other files of the same counts."""
    said = {key: manifest[key] for key in _KEYS if key != "opiscal_version"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def plain(identity: Mapping[str, Any]) -> dict[str, Any]:
    """An identity as it is read again: tuples have become lists."""
    return dict(json.loads(json.dumps(identity)))
