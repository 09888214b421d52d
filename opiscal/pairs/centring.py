"""Rows moved and scaled to suit float32 products: what is subtracted, and what they are divided by.

The coordinate-wise median of some rows is subtracted, which changes no distance and spares float32
the rounding of a part that all rows share; under ``l2`` all is divided by a power of two, so that
no square overflows. Both are exact for small integers and powers of two.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Metric
from opiscal.data.half_matrix import HalfMatrix, Vectors
from opiscal.pairs.half_rows import HalfRows
from opiscal.pairs.kernel.keys import centre_rows
from opiscal.pairs.kernel.permute import permute_rows

_COPY_ROWS, _PART_ROWS = 256, 2048
_MEDIAN_ROWS = 301
_LARGEST_OF_UNIT_ROWS = 2.0

Centre = NDArray[np.floating]
HeldRows = tuple[NDArray[np.float32] | HalfRows, NDArray[np.float32]]
"""Rows that were moved and scaled, and half the squared length of each."""


def typical_rows(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of some rows those whose median is taken: some hundreds, evenly spread; an odd number."""
    some = rows[:: max(1, len(rows) // _MEDIAN_ROWS)]
    # The median is then a value of the data, and integers stay integers.
    return some[: len(some) - 1 + len(some) % 2]


def centre_of(typical: NDArray[np.float32], metric: Metric) -> Centre:
    """The row to subtract: the median of the typical ones."""
    centre = np.median(np.ascontiguousarray(typical.T), axis=1)
    return centre.astype(np.float64) if metric == "l2" else centre


def reach_of(given: Vectors, centre: Centre) -> float:
    """The largest difference of an element from that of the centre; 0 for no rows."""
    parts = (given[start : start + _COPY_ROWS] for start in range(0, len(given), _COPY_ROWS))
    return max((float(np.abs(part - centre).max()) for part in parts), default=0.0)


def scale_of(reach: float, metric: Metric) -> float:
    """What rows are divided by, where no element is farther than this from that of the centre."""
    return float(2.0 ** np.ceil(np.log2(reach))) if metric == "l2" and reach > 0 else 1.0


def largest_of(longest: float, metric: Metric) -> float:
    """What no half squared distance is above, where no half squared length is above `longest`."""
    # |x - y|^2 / 2 is at most (|x| + |y|)^2 / 2, which is at most 4 max h.
    return _LARGEST_OF_UNIT_ROWS if metric == "cosine" else 4.0 * longest


def put_in_order(
    given: Vectors,
    place: NDArray[np.int64],
    centre: Centre,
    scale: float,
    threads: int,
    *,
    in_place: bool,
) -> HeldRows:
    """The rows that stand at some places, moved and scaled."""
    if in_place:
        for array in given.arrays() if isinstance(given, HalfMatrix) else [given]:
            permute_rows(array.view(np.uint16) if array.dtype.itemsize == 2 else array, place)
        return moved(given, centre, scale, threads)
    if isinstance(given, HalfMatrix):
        return moved(given.taken(place), centre, scale, threads)
    vectors, half_norm = np.empty_like(given), np.empty(len(given), np.float32)
    _each_part(
        len(given),
        threads,
        lambda p: centre_rows(given, place[p], centre, 1.0 / scale, vectors[p], half_norm[p]),
    )
    return vectors, half_norm


def moved(given: Vectors, centre: Centre, scale: float, threads: int) -> HeldRows:
    """Rows moved and scaled where they lie; those held as float16 when they are read."""
    half_norm, factor = np.empty(len(given), np.float32), 1.0 / scale
    if isinstance(given, HalfMatrix):
        rows = HalfRows(given, centre, factor)

        def measure(part: slice) -> None:
            half_norm[part] = rows.measured(part)[1]

        _each_part(len(given), threads, measure)
        return rows, half_norm
    every = np.arange(len(given))
    _each_part(
        len(given),
        threads,
        lambda p: centre_rows(given, every[p], centre, factor, given[p], half_norm[p]),
    )
    return given, half_norm


def _each_part(rows: int, threads: int, work: Callable[[slice], None]) -> None:
    parts = [slice(start, start + _PART_ROWS) for start in range(0, rows, _PART_ROWS)]
    with ThreadPoolExecutor(threads) as pool:
        # The list takes the results, and with them what was raised.
        list(pool.map(work, parts))
