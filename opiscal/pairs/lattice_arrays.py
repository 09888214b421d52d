"""A Lattice as plain arrays, to be kept in a file without pickles, and a hash of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.even_steps import EvenSteps
from opiscal.pairs.key_grid import KeyGrid
from opiscal.pairs.lattice import Lattice

_EDGES = ("edge_key", "distance", "class_edge", "moment_edge", "class_pair_edge")


def lattice_to_arrays(lattice: Lattice) -> dict[str, NDArray[Any]]:
    """Every field of a lattice."""
    arrays = {f"lattice.{name}": getattr(lattice, name) for name in _EDGES}
    arrays["lattice.grid"] = _numbers(lattice.grid)
    arrays["lattice.near"] = np.array(lattice.near)
    if lattice.steps is not None:
        arrays["lattice.steps"] = _numbers(lattice.steps)
    return arrays


def lattice_from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Lattice:
    """The lattice that `lattice_to_arrays` was given."""
    steps = arrays.get("lattice.steps")
    return Lattice(
        grid=KeyGrid(*arrays["lattice.grid"].tolist()),
        near=int(arrays["lattice.near"]),
        steps=None if steps is None else EvenSteps(*steps.tolist()),
        **{name: arrays[f"lattice.{name}"] for name in _EDGES},
    )


def edges_digest(lattice: Lattice) -> str:
    """A hash of the edges at which pairs are counted.

    The distances themselves follow from the keys of the edges.
    """
    digest = hashlib.sha256(repr((lattice.grid, lattice.near, lattice.steps)).encode())
    for array in (
        lattice.edge_key,
        lattice.class_edge,
        lattice.moment_edge,
        lattice.class_pair_edge,
        lattice.distance,
    ):
        digest.update(array.tobytes())
    return digest.hexdigest()


def _numbers(record: KeyGrid | EvenSteps) -> NDArray[np.int64]:
    return np.array([int(getattr(record, field.name)) for field in fields(record)], np.int64)
