"""TopPairs: of all the pairs that are offered, the few to be shown."""

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.kernel.near_scan import pair_distances


@dataclass(frozen=True, slots=True)
class RowPairs:
    """Pairs of rows with their distances.

    Attributes
    ----------
    first, second : int64 arrays of shape (pairs,)
        Places in the order of reading, ``first < second``.
    distance : float64 array of shape (pairs,)
        Of the rows themselves, in double precision.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.float64]

    @classmethod
    def of(
        cls, vectors: NDArray[np.float32], first: NDArray[np.int64], second: NDArray[np.int64]
    ) -> "RowPairs":
        """Some pairs of rows, measured."""
        return cls(first, second, pair_distances(vectors, first, second))

    def __len__(self) -> int:
        """Pairs."""
        return int(self.first.size)


class TopPairs:
    """The nearest, or the farthest, of the pairs offered so far; ties in the order of rows.

    It may be offered pairs by several threads, and the same pair more than once.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions)
    most : int
        Pairs to keep.
    farthest : bool
        Whether the farthest are kept.
    """

    def __init__(self, vectors: NDArray[np.float32], most: int, *, farthest: bool = False) -> None:
        self._vectors, self._most = vectors, most
        self._sign = -1.0 if farthest else 1.0
        self._lock = threading.Lock()
        nothing = np.empty(0, np.int64)
        self._kept = RowPairs(nothing, nothing, np.empty(0))
        self._limit = self._sign * np.inf

    @property
    def limit(self) -> float:
        """A distance beyond which no pair can be among those kept."""
        return float(self._limit)

    def offer(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> None:
        """Offer pairs of rows, ``first < second``."""
        if first.size == 0:
            return
        distance = pair_distances(self._vectors, first, second)
        with self._lock:
            kept = self._kept
            value, limit = self._sign * distance, self._sign * self._limit
            candidate = value < limit
            # Where many pairs tie, nearly all of them come too late.
            tied = value == limit
            candidate |= tied & (first <= kept.first[-1]) if len(kept) else tied
            if not candidate.any():
                return
            pairs = RowPairs(
                np.concatenate([kept.first, first[candidate].astype(np.int64)]),
                np.concatenate([kept.second, second[candidate].astype(np.int64)]),
                np.concatenate([kept.distance, distance[candidate]]),
            )
            order = np.lexsort((pairs.second, pairs.first, self._sign * pairs.distance))
            a, b = pairs.first[order], pairs.second[order]
            # The same pair has the same distance, and stands beside itself.
            new = np.append(True, (a[1:] != a[:-1]) | (b[1:] != b[:-1]))
            order = order[new][: self._most]
            self._kept = RowPairs(pairs.first[order], pairs.second[order], pairs.distance[order])
            if order.size == self._most:
                self._limit = float(self._kept.distance[-1])

    def pairs(self) -> RowPairs:
        """Those kept, the first to be shown first."""
        return self._kept
