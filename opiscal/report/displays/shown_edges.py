"""Which edges a curve is drawn through: enough to look smooth, few enough for a small file."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opiscal.measures.rates import Floats

_POINTS = 320


def shown_edges(
    position: Floats, limits: tuple[float, float], always: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Edges that stand apart on an axis.

    Parameters
    ----------
    position : float64 array of shape (E,), rising
        Where the edges are on the axis.
    limits : pair of float
        Ends of the axis. One edge beyond either is kept, so that a line runs to the border.
    always : array_like of int, optional
        Edges that are shown in any case.

    Returns
    -------
    int64 array, rising

    Examples
    --------
    >>> shown_edges(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), (1.5, 2.5)).tolist()
    [1, 2, 3]
    """
    low, high = limits
    first = max(int(np.searchsorted(position, low)) - 1, 0)
    last = min(int(np.searchsorted(position, high, side="right")), position.size - 1)
    wanted = np.searchsorted(position, np.linspace(low, high, _POINTS))
    chosen: list[ArrayLike] = [
        np.arange(first, last + 1) if last - first < _POINTS else wanted,
        [first, last],
    ]
    if always is not None:
        chosen.append(np.asarray(always))
    return np.unique(
        np.clip(np.concatenate([np.asarray(part) for part in chosen]), 0, position.size - 1)
    ).astype(np.int64)
