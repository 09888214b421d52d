"""StoredRows: sorted rows that lie in files, and are read when they are asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.row_cache import Places, RowCache


class _Window:
    """Some rows of a cache, in an order of their own; what they are read from is shared."""

    __slots__ = ("_at", "_cache")

    def __init__(self, cache: RowCache, at: Places | None = None) -> None:
        """Keep which rows; None: all of them."""
        self._cache = cache
        self._at: Places = slice(0, cache.shape[0]) if at is None else at

    def __len__(self) -> int:
        """Rows."""
        return self._at.stop - self._at.start if isinstance(self._at, slice) else self._at.size

    def _places(self, key: slice | NDArray[Any]) -> Places:
        """Places in the cache."""
        at, rows = self._at, len(self)
        if isinstance(key, slice):
            start, stop, step = key.indices(rows)
            if step != 1:
                return self._places(np.arange(start, stop, step))
            stop = max(start, stop)
            if isinstance(at, slice):
                return slice(at.start + start, at.start + stop)
            return _stretch(at[start:stop])
        chosen: NDArray[Any] = np.asarray(key)
        chosen = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        if chosen.size and (chosen.min() < -rows or chosen.max() >= rows):
            raise IndexError(f"places {chosen.min()} to {chosen.max()} of {rows} rows")
        chosen = np.where(chosen < 0, chosen + rows, chosen)
        return np.asarray(chosen + at.start if isinstance(at, slice) else at[chosen])


class StoredRows(_Window):
    """What the float32 rows of `opiscal.pairs.sorted_rows.SortedRows` would be, read from files.

    Slices and arrays of places give float32 arrays, bit for bit those of rows in memory; a slice of
    rows that are kept is a view where it can be, and is not to be written to.

    Parameters
    ----------
    cache : RowCache
    at : slice or int64 array, optional
        Which of its rows; default: all.
    """

    __slots__ = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions."""
        return len(self), self._cache.shape[1]

    @property
    def nbytes(self) -> int:
        """Memory in use by all rows that are kept, whichever they are."""
        return self._cache.nbytes

    @property
    def bytes_read(self) -> int:
        """Compressed bytes of vectors that were read from files so far, for any rows."""
        return self._cache.bytes_read

    @property
    def spans(self) -> list[int]:
        """Begins of the stretches of these rows that are read and kept as a whole, and the end."""
        at = self._at
        places = np.arange(at.start, at.stop) if isinstance(at, slice) else at
        of_span = np.searchsorted(self._cache.cuts, places, side="right")
        return [*np.flatnonzero(np.diff(of_span, prepend=0)).tolist(), len(self)]

    @property
    def gathered_rows(self) -> int:
        """How many rows far apart are kept; those of more are read anew, or all are there."""
        return self._cache.single_rows

    @property
    def whole(self) -> NDArray[np.float32] | None:
        """All of these rows as one array, where they are kept so."""
        every = self._cache.whole if isinstance(self._at, slice) else None
        return None if every is None else every[self._at]

    @property
    def norms(self) -> "StoredNorms":
        """Half the squared lengths of these rows."""
        return StoredNorms(self._cache, self._at)

    def __getitem__(self, key: slice | NDArray[Any]) -> NDArray[np.float32]:
        """Some rows."""
        return self._cache.rows(self._places(key))

    def measured(
        self, key: slice | NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Some rows, and half the squared length of each."""
        places = self._places(key)
        return self._cache.rows(places), self._cache.norms(places)

    def taken(self, rows: NDArray[np.integer]) -> "StoredRows":
        """Some rows; none is read."""
        return StoredRows(self._cache, self._places(rows))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All rows as one array, however much memory that takes."""
        return self[:] if dtype is None else self[:].astype(dtype)


class StoredNorms(_Window):
    """Half the squared lengths of stored rows; slices and arrays of places give float32 arrays.

    Those of rows that were never read are found by reading these; of many, some at a time and in
    one pass over the files.
    """

    __slots__ = ()

    @property
    def shape(self) -> tuple[int]:
        """Rows."""
        return (len(self),)

    @property
    def size(self) -> int:
        """Rows."""
        return len(self)

    def __getitem__(self, key: slice | NDArray[Any]) -> NDArray[np.float32]:
        """Those of some rows."""
        return self._cache.norms(self._places(key))

    def taken(self, rows: NDArray[np.integer]) -> "StoredNorms":
        """Those of some rows; none is read."""
        return StoredNorms(self._cache, self._places(rows))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Those of all rows."""
        return self[:] if dtype is None else self[:].astype(dtype)


def _stretch(places: NDArray[np.int64]) -> Places:
    """Places as a slice where they are one stretch."""
    if places.size and places[-1] - places[0] == places.size - 1 and (np.diff(places) == 1).all():
        return slice(int(places[0]), int(places[-1]) + 1)
    return places
