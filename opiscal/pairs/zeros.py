"""Zeros that take memory where they are written to."""

import math
import mmap
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)

_SMALL_BYTES = 1 << 20


def zeros(shape: tuple[int, ...], dtype: type[Number]) -> NDArray[Number]:
    """An array of zeros; of a large one only pages that are written to are there.

    That is so of `numpy.zeros` too, but not where it is given memory that was in use before: this
    is cleared, all of it. A task counts into a tally as large as its set, a part of it.

    Raises
    ------
    MemoryError

    Examples
    --------
    >>> zeros((3, 2), np.int32).tolist(), zeros((0, 4), np.int64).shape
    ([[0, 0], [0, 0], [0, 0]], (0, 4))
    >>> large = zeros((1000, 500), np.uint32)
    >>> large[7, 3] += 1
    >>> int(large.sum())
    1
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < _SMALL_BYTES or not hasattr(mmap, "MAP_ANONYMOUS"):
        return np.zeros(shape, dtype)
    try:
        fresh = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"{size:,} bytes for counts") from error
    # In large pages, as numpy asks for: there are fewer to fetch.
    if hasattr(mmap, "MADV_HUGEPAGE"):
        fresh.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(fresh, dtype).reshape(shape)
