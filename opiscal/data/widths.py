"""Widths: all vectors of an input are of one width."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from opiscal.data.collector import row_name
from opiscal.data.embedding_set import InputFile
from opiscal.errors import InputError


class Widths:
    """Checks that all vectors are of one width, over all files."""

    def __init__(self, inputs: Sequence[InputFile]) -> None:
        self._inputs = inputs
        self._rows_before = 0
        # The row that set the width, and the width.
        self._first: tuple[int, int] | None = None

    @property
    def known(self) -> int | None:
        """The width, once a vector was met."""
        return self._first[1] if self._first else None

    def check(self, lengths: NDArray[np.int64]) -> None:
        """Take the number of elements of each of the next rows, -1 for a missing vector."""
        present = np.flatnonzero(lengths >= 0)
        if len(present) and self._first is None:
            row = int(present[0])
            self._first = (self._rows_before + row, int(lengths[row]))
        if self._first is not None:
            first, width = self._first
            odd = present[(lengths[present] != width) | (lengths[present] == 0)]
            if len(odd):
                self._refuse(self._rows_before + int(odd[0]), int(lengths[odd[0]]), first, width)
        self._rows_before += len(lengths)

    def _refuse(self, row: int, found: int, first: int, width: int) -> None:
        name = row_name(row, self._inputs)
        if found == 0:
            raise InputError(
                f"the vector of {name} is empty; give at least one dimension, or null where "
                "there is no vector"
            )
        raise InputError(
            f"the vector of {name} has {found} dimensions, that of "
            f"{row_name(first, self._inputs)} has {width}; all vectors are of one width: "
            "remove the row, or embed it with the same model"
        )
