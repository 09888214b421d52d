"""Nearest rows: how far each row's nearest positive is down its ranking, and what that says of
each class.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class NearestCounts:
    """For every scored class, how many of its rows have one of their class for their nearest row.

    Attributes
    ----------
    asked : int64 array of shape (T,)
        Rows that were asked for their nearest row: all that have a positive pair; of a sample of
        pairs some of these; of two sets the queries.
    found : int64 array of shape (T,)
        Of these the rows whose nearest other row is of their class; of two sets their nearest
        gallery row.
    """

    asked: NDArray[np.int64]
    found: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NeighbourRanks:
    """For every row whose class has another row: how many negatives come before its nearest
    positive.

    Attributes
    ----------
    rank : int32 array of shape (queries,)
        Counted up to `cap`; a higher rank may stand as any number of at least `cap`.
    of_class : int64 array of shape (queries,)
        Which scored class each of these rows is of.
    cap : int
        The largest k that Recall@k can be asked for.
    """

    rank: NDArray[np.int32]
    of_class: NDArray[np.int64]
    cap: int

    def by_class(self, classes: int) -> NearestCounts:
        """Rows asked and found at rank 0, for each of the scored classes.

        Examples
        --------
        >>> ranks = NeighbourRanks(np.array([0, 3, 0, 0]), np.array([0, 0, 2, 2]), cap=8)
        >>> ranks.by_class(3).asked.tolist(), ranks.by_class(3).found.tolist()
        ([2, 0, 2], [1, 0, 2])
        """
        hits = self.of_class[self.rank == 0]
        return NearestCounts(
            asked=np.bincount(self.of_class, minlength=classes),
            found=np.bincount(hits, minlength=classes),
        )
