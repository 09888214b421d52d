"""Where edges are wanted, by the quantiles of a sample: as keys for the pool, as distances for
classes.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.key_grid import KeyGrid
from opiscal.pairs.sample import PairSample
from opiscal.pairs.sample_quantiles import SampleQuantiles

Floats = NDArray[np.float64]
Keys = NDArray[np.int64]

# Pairs up to this FAR, or to the end of an asked range that reaches farther, are near: they have
# dense pool edges and moment edges. Beyond it pool edges are class edges too, and a pair is counted
# once for both; at most 1 % of FAR between edges is promised there as well.
NEAR_FAR = 0.125
_FAR_STEP = 0.006
# Where lengths differ so much, each row of the sample is a step of its own: finer steps are needed.
_FAR_STEP_OF_UNLIKE_ROWS, _UNLIKE_LENGTHS = 0.002, 4.0
# Steps of log FAR between neighbouring near pool edges: (down to this FAR, step).
_POOL_STEPS = ((0.3, 0.002), (0.03, 0.0005), (0.0, 0.0007))
# The FARs that people ask for get edges twice as dense about them: FRR is then read off to a tenth
# of a percent even where it changes as fast as FAR does.
_ASKED_FAR = (0.1, 0.01, 0.001, 0.0001)
_ASKED_REACH, _ASKED_EDGES = 0.2, 1600
_TAIL_STEP, _TAIL_EDGES = 0.002, 8000
_LOWEST_PAIRS = 4000
_POSITIVE_QUANTILES = 1024
# Share of the pairs at one distance from which on it has edges of its own on both sides.
POOL_TIE, CLASS_TIE = 0.001, 0.005
_EVEN_EDGES = 256

# Within a range: edges at even steps of log FAR, that is, where the negatives are, and at even
# distances, so that no stretch is left without.
RANGE_EDGES, RANGE_EVEN_EDGES = 340, 112
# The sample misses a FAR by a few percent: edges reach this factor beyond an asked range.
RANGE_SLACK = 1.25
_CLASS_EDGES_PER_DECADE = 16
_CLASS_EDGES_POSITIVE, _CLASS_EDGES_EVEN = 48, 24
_MOMENT_RANGE_EDGES, _MOMENT_RANGE_EVEN_EDGES = 38, 8
_MOMENT_EDGES_POSITIVE = 8
_CLASS_PAIR_RANGE_EDGES = 5
_DECADES = -np.arange(1.0, 7.0)
_HALF_DECADES = -np.arange(1.0, 6.5, 0.5)
MOST_CLASS_PAIR_EDGES = _CLASS_PAIR_RANGE_EDGES + _HALF_DECADES.size + 1
"""Class pair edges where the default range is asked for, and the last of them."""


@dataclass(frozen=True, slots=True)
class AskedRange:
    """Where class edges must be dense beside the default range: ends in FAR, FRR or distance."""

    kind: Literal["far", "frr", "distance"]
    low: float
    high: float


def central(sample: PairSample) -> tuple[float, float]:
    """Half squared distances between which nearly all negatives lie."""
    values = sample.negative if sample.negative.size else sample.positive
    if values.size == 0:
        return 0.5, 1.0
    low, high = (values[int(share * (values.size - 1))] for share in (0.001, 0.999))
    return float(low), float(high)


def near_end(quantiles: SampleQuantiles, ranges: list[AskedRange]) -> float:
    """The half squared distance up to which pairs are near."""
    ends = [float(quantiles.far(NEAR_FAR))]
    for asked in ranges:
        farthest = range_distances(quantiles, asked, 2, 2).max()
        ends.append(0.5 * float(farthest) ** 2)
    return max(ends)


def distance_of(half_squared: Floats) -> Floats:
    """Distances of half squared distances."""
    return np.sqrt(2.0 * half_squared)


def range_distances(
    quantiles: SampleQuantiles, asked: AskedRange, by_rate: int, evenly: int
) -> Floats:
    """Distances in and a little about a range: at even steps of its rate, and at even distances."""
    if asked.kind == "distance":
        return np.linspace(asked.low, asked.high, by_rate + evenly)
    if asked.kind == "far":
        ends = (max(asked.low, 1e-12), max(asked.high, 1e-12))
        inside = distance_of(quantiles.far(np.geomspace(*ends, by_rate)))
        wider = quantiles.far(np.array([ends[0] / RANGE_SLACK, min(1.0, ends[1] * RANGE_SLACK)]))
    else:
        inside = distance_of(quantiles.frr(np.linspace(asked.high, asked.low, by_rate)))
        higher = min(1.0, asked.high * RANGE_SLACK)
        wider = quantiles.frr(np.array([higher, asked.low / RANGE_SLACK]))
    low, high = distance_of(wider)
    return np.concatenate([inside, np.linspace(low, high, evenly)])


def range_ends(quantiles: SampleQuantiles, asked: AskedRange) -> Floats:
    """Half squared distances of the two ends of a range, not widened; shape (2,)."""
    if asked.kind == "distance":
        return 0.5 * np.array([asked.low, asked.high]) ** 2
    rates = np.array([asked.low, asked.high])
    return quantiles.far(rates) if asked.kind == "far" else quantiles.frr(rates)


def even_distances(grid: KeyGrid) -> Floats:
    """A few distances from 0 to the largest."""
    top = grid.values(np.array([grid.top]))[0]
    return np.linspace(0.0, np.sqrt(2.0 * top), _CLASS_EDGES_EVEN)


def class_distances(quantiles: SampleQuantiles, grid: KeyGrid) -> Floats:
    """Distances of class edges that every lattice has, beside those within ranges."""
    decades = np.logspace(-6, -2, 4 * _CLASS_EDGES_PER_DECADE, endpoint=False)
    return np.concatenate(
        [
            distance_of(quantiles.far(np.append(decades, 10.0**_DECADES))),
            distance_of(quantiles.frr(np.linspace(1.0, 0.0, _CLASS_EDGES_POSITIVE))),
            even_distances(grid),
            distance_of(grid.values(tied_keys(quantiles, grid, CLASS_TIE))),
        ]
    )


def moment_distances(quantiles: SampleQuantiles, ranges: list[AskedRange]) -> Floats:
    """Distances of moment edges."""
    return np.concatenate(
        [
            *(
                range_distances(quantiles, r, _MOMENT_RANGE_EDGES, _MOMENT_RANGE_EVEN_EDGES)
                for r in ranges
            ),
            distance_of(quantiles.far(10.0**_HALF_DECADES)),
            distance_of(quantiles.frr(np.linspace(1.0, 0.0, _MOMENT_EDGES_POSITIVE))),
        ]
    )


def class_pair_distances(quantiles: SampleQuantiles, ranges: list[AskedRange]) -> Floats:
    """Distances of class pair edges: by half decades of FAR, and some in each range."""
    return np.concatenate(
        [
            *(range_distances(quantiles, r, _CLASS_PAIR_RANGE_EDGES, 0) for r in ranges),
            distance_of(quantiles.far(10.0**_HALF_DECADES)),
        ]
    )


def far_quantile_keys(
    quantiles: SampleQuantiles, grid: KeyGrid, lengths: float, highest: float = 1.0
) -> Keys:
    """Keys, descending, from a FAR on: FAR moves by less than 1 % from one to the next."""
    step = _FAR_STEP if lengths < _UNLIKE_LENGTHS else _FAR_STEP_OF_UNLIKE_ROWS
    steps = np.exp(np.arange(np.log(highest), np.log(NEAR_FAR) - step, -step))
    return grid.keys(quantiles.far(steps))


def far_keys(quantiles: SampleQuantiles, grid: KeyGrid, near_key: int, lengths: float) -> Keys:
    """Keys of the edges beyond the near pairs, for the pool and for classes."""
    keys = np.concatenate(
        [
            far_quantile_keys(quantiles, grid, lengths),
            grid.keys(quantiles.frr(np.linspace(1.0, 0.0, _CLASS_EDGES_POSITIVE))),
            grid.keys(0.5 * even_distances(grid) ** 2),
            tied_keys(quantiles, grid, CLASS_TIE),
        ]
    )
    return np.asarray(keys[keys > near_key])


def pool_keys(quantiles: SampleQuantiles, grid: KeyGrid, asked: AskedRange | None) -> Keys:
    """Keys of the pool edges, of which those among the near pairs are used."""
    fars = []
    upper = 1.0
    for lowest, step in _POOL_STEPS:
        lower = max(lowest, quantiles.sure_far)
        if lower < upper:
            fars.append(np.exp(np.arange(np.log(upper), np.log(lower), -step)))
            upper = lower
    about = np.linspace(-_ASKED_REACH, _ASKED_REACH, _ASKED_EDGES)
    fars += [np.exp(np.log(far) + about) for far in _ASKED_FAR]
    wanted = [quantiles.far(np.concatenate(fars))]
    # Below the sample's foot: even steps, three times as dense as the slope there asks for, since
    # the slope may still grow.
    if np.isfinite(quantiles.slope) and not quantiles.whole:
        step = _TAIL_STEP / quantiles.slope
        foot = float(quantiles.far(quantiles.sure_far))
        wanted.append(np.maximum(foot - step * np.arange(_TAIL_EDGES), 0.0))
    wanted.append(quantiles.negative[:_LOWEST_PAIRS].astype(np.float64))
    wanted.append(quantiles.frr(np.linspace(1.0, 0.0, _POSITIVE_QUANTILES)))
    top = grid.values(np.array([grid.top]))[0]
    wanted.append(0.5 * np.linspace(0.0, np.sqrt(2.0 * top), _EVEN_EDGES) ** 2)
    if asked is not None and asked.kind == "distance":
        wanted.append(0.5 * np.linspace(asked.low, asked.high, RANGE_EDGES) ** 2)
    keys = grid.keys(np.concatenate(wanted))
    ends = (
        grid.keys(0.5 * np.array([asked.low, asked.high]) ** 2)
        if (asked is not None and asked.kind == "distance")
        else np.empty(0, np.int64)
    )
    ties = tied_keys(quantiles, grid, POOL_TIE)
    everything = np.concatenate([keys, ties, ends, np.maximum(ends - 1, 0)])
    return np.asarray(everything, dtype=np.int64)


def tied_keys(quantiles: SampleQuantiles, grid: KeyGrid, share: float) -> Keys:
    """For each distance of many pairs, the edge that takes them all and one that takes none.

    A curve jumps there: interpolation across the jump would be wrong on both of its sides.
    """
    tied = grid.keys(
        np.concatenate(
            [_repeated(values, share) for values in (quantiles.negative, quantiles.positive)]
        )
    )
    return np.asarray(np.maximum(np.concatenate([tied - 1, tied]), 0), dtype=np.int64)


def _repeated(ascending: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """The values that more than this share of a sample, and more than one of it, are equal to."""
    often = max(1.0, share * ascending.size)
    # Whatever stands so often in a row stands at one of these places.
    seen = np.unique(ascending[:: int(often)])
    times = np.searchsorted(ascending, seen, "right") - np.searchsorted(ascending, seen, "left")
    return np.asarray(seen[times > often])
