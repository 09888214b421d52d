"""Ticks that leave each other room."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    FuncFormatter,
    NullLocator,
)
from numpy.typing import ArrayLike

from opiscal.report.percents import percent


def apart(positions: ArrayLike, least: float) -> list[int]:
    """Places of ticks, from the first on, of which none is nearer to the one before than `least`.

    Examples
    --------
    >>> apart([0.0, 0.1, 0.5, 0.7, 1.2], 0.4)
    [0, 2, 4]
    """
    kept: list[int] = []
    at = np.asarray(positions, dtype=np.float64)
    for k in range(at.size):
        if not kept or abs(at[k] - at[kept[-1]]) >= least:
            kept.append(k)
    return kept


def fix_ticks(axis: Axis, positions: Sequence[float], labels: Sequence[str]) -> None:
    """Ticks at these places and nowhere else."""
    axis.set_major_locator(FixedLocator([float(at) for at in positions]))
    axis.set_major_formatter(FixedFormatter(list(labels)))
    axis.set_minor_locator(NullLocator())


def label_rates(axis: Axis) -> None:
    """A rate at each power of ten of a logarithmic axis, in per cent, and no ticks between."""
    axis.set_major_formatter(FuncFormatter(lambda rate, _: percent(rate)))
    axis.set_minor_locator(NullLocator())
    axis.set_tick_params(labelsize="small")
