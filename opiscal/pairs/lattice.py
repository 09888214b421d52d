"""Lattice: the edges at which pairs are counted, placed from a sample before counting."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.key_grid import KeyGrid, fit_key_grid
from opiscal.pairs.sample import PairSample, sample_pairs
from opiscal.pairs.sample_quantiles import SampleQuantiles
from opiscal.pairs.sorted_rows import SortedRows

Floats = NDArray[np.float64]
Keys = NDArray[np.int64]

DEFAULT_FAR_RANGE = (0.01, 0.1)

# Pairs up to this FAR, or to the end of an asked range that reaches farther, are near: they have
# dense pool edges and moment edges. Beyond it pool edges are class edges too, and a pair is counted
# once for both; at most 1 % of FAR between edges is promised there as well.
_NEAR_FAR = 0.125
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
_POOL_TIE, _CLASS_TIE = 0.001, 0.005
_EVEN_EDGES = 256

# Within a range: edges at even steps of log FAR, that is, where the negatives are, and at even
# distances, so that no stretch is left without.
_RANGE_EDGES, _RANGE_EVEN_EDGES = 340, 112
# The sample misses a FAR by a few percent: edges reach this factor beyond an asked range.
_RANGE_SLACK = 1.25
_CLASS_EDGES_PER_DECADE = 16
_CLASS_EDGES_POSITIVE, _CLASS_EDGES_EVEN = 48, 24
_MOMENT_RANGE_EDGES, _MOMENT_RANGE_EVEN_EDGES = 44, 14
_MOMENT_EDGES_POSITIVE = 8
_DECADES = -np.arange(1.0, 7.0)


@dataclass(frozen=True, slots=True)
class AskedRange:
    """Where class edges must be dense beside the default range: ends in FAR, FRR or distance."""

    kind: Literal["far", "frr", "distance"]
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Lattice:
    """Edges, ascending; a pair is accepted at an edge when its distance is at most the edge's.

    The last edge is at the largest distance there can be: it accepts every pair.

    Attributes
    ----------
    grid : KeyGrid
    edge_key : int64 array of shape (edges,)
        Key of each pool edge; the last is the top key.
    distance : float64 array of shape (edges,)
    class_edge : int64 array of shape (class edges,)
        Indices into the pool edges; the last is the last edge.
    near : int
        The class edge up to which pairs are near. Beyond it every pool edge is a class edge, and
        only the last is a moment edge.
    moment_edge : int64 array of shape (moment edges,)
        Indices into the class edges; the last is the last edge.
    """

    grid: KeyGrid
    edge_key: Keys
    distance: Floats
    class_edge: NDArray[np.int64]
    near: int
    moment_edge: NDArray[np.int64]

    def same_edges(self, other: "Lattice") -> bool:
        """Whether pool, class and moment edges are the same."""
        return (
            self.grid == other.grid
            and np.array_equal(self.edge_key, other.edge_key)
            and np.array_equal(self.class_edge, other.class_edge)
            and self.near == other.near
            and np.array_equal(self.moment_edge, other.moment_edge)
        )

    @property
    def near_key(self) -> int:
        """Key up to and with which pairs are near."""
        return int(self.edge_key[self.class_edge[self.near]])

    def edge_of_key(self) -> NDArray[np.uint16]:
        """For every key the first pool edge that accepts it."""
        return _first_at_or_above(self.edge_key)

    def class_edge_of_key(self) -> NDArray[np.uint16]:
        """For every key the first class edge that accepts it."""
        return _first_at_or_above(self.edge_key[self.class_edge])

    def moment_of_edge(self) -> NDArray[np.uint16]:
        """For every pool edge the first moment edge at or above it."""
        return _first_at_or_above(self.class_edge[self.moment_edge])


def _first_at_or_above(ascending: NDArray[np.int64]) -> NDArray[np.uint16]:
    """For every number from 0 to the last of some which of them is the first at or above it."""
    return np.repeat(np.arange(ascending.size, dtype=np.uint16), np.diff(ascending, prepend=-1))


def fit_lattice(rows: SortedRows, seed: int, asked: AskedRange | None = None) -> Lattice:
    """Place pool, class and moment edges from a seeded sample of pairs.

    Parameters
    ----------
    rows : SortedRows
    seed : int
    asked : AskedRange, optional
        A calibration range other than the default one, for which class edges are to be dense too.
        Distances are those of the set.

    Returns
    -------
    Lattice
    """
    sample = sample_pairs(rows, seed)
    if asked is not None and asked.kind == "distance":
        asked = AskedRange("distance", asked.low / rows.scale, asked.high / rows.scale)
    return place_edges(sample, fit_key_grid(rows, _central(sample)), asked, rows.scale)


def place_edges(
    sample: PairSample, grid: KeyGrid, asked: AskedRange | None = None, scale: float = 1.0
) -> Lattice:
    """Place the edges by the quantiles of a sample; `asked` is in the distances of the sample."""
    quantiles = SampleQuantiles(sample)
    ranges = [AskedRange("far", *DEFAULT_FAR_RANGE), *([asked] if asked is not None else [])]
    near_key = int(grid.keys(np.array([_near_end(quantiles, ranges)]))[0])
    near = _pool_keys(quantiles, grid, asked)
    far_step = _FAR_STEP if sample.lengths < _UNLIKE_LENGTHS else _FAR_STEP_OF_UNLIKE_ROWS
    edge_key = np.unique(
        np.concatenate(
            [
                near[near <= near_key],
                _far_keys(quantiles, grid, near_key, far_step),
                [0, near_key, grid.top],
            ]
        )
    )
    place = _Nearest(edge_key, grid)
    decades = np.logspace(-6, -2, 4 * _CLASS_EDGES_PER_DECADE, endpoint=False)
    picked = place.edges(
        *(_range_distances(quantiles, r, _RANGE_EDGES, _RANGE_EVEN_EDGES) for r in ranges),
        _distance(quantiles.far(np.append(decades, 10.0**_DECADES))),
        _distance(quantiles.frr(np.linspace(1.0, 0.0, _CLASS_EDGES_POSITIVE))),
        _even_distances(grid),
        _distance(grid.values(_tied_keys(quantiles, grid, _CLASS_TIE))),
    )
    farther = np.flatnonzero(edge_key >= near_key)
    class_edge = np.union1d(picked, farther)
    within = _Nearest(edge_key[class_edge], grid)
    moment_edge = within.edges(
        *(
            _range_distances(quantiles, r, _MOMENT_RANGE_EDGES, _MOMENT_RANGE_EVEN_EDGES)
            for r in ranges
        ),
        _distance(quantiles.far(10.0**_DECADES)),
        _distance(quantiles.frr(np.linspace(1.0, 0.0, _MOMENT_EDGES_POSITIVE))),
    )
    last = class_edge.size - 1
    near_edge = last - (farther.size - 1)
    return Lattice(
        grid=grid,
        edge_key=edge_key,
        distance=_distance(grid.values(edge_key)) * scale,
        class_edge=class_edge,
        near=near_edge,
        moment_edge=np.union1d(moment_edge[moment_edge <= near_edge], [near_edge, last]),
    )


def _near_end(quantiles: SampleQuantiles, ranges: list[AskedRange]) -> float:
    """The half squared distance up to which pairs are near."""
    ends = [float(quantiles.far(_NEAR_FAR))]
    for asked in ranges:
        farthest = _range_distances(quantiles, asked, 2, 2).max()
        ends.append(0.5 * float(farthest) ** 2)
    return max(ends)


class _Nearest:
    """Picks, of a set of edges, those nearest to given distances."""

    def __init__(self, keys: Keys, grid: KeyGrid) -> None:
        self.distance = _distance(grid.values(keys))

    def edges(self, *wanted: Floats) -> NDArray[np.int64]:
        """Indices, ascending and distinct; the last edge is always among them."""
        targets = np.concatenate(wanted)
        above = np.clip(np.searchsorted(self.distance, targets), 1, self.distance.size - 1)
        nearer_below = targets - self.distance[above - 1] < self.distance[above] - targets
        picked = np.where(nearer_below, above - 1, above)
        return np.unique(np.concatenate([picked, [0, self.distance.size - 1]])).astype(np.int64)


def _distance(half_squared: Floats) -> Floats:
    return np.sqrt(2.0 * half_squared)


def _central(sample: PairSample) -> tuple[float, float]:
    values = sample.negative if sample.negative.size else sample.positive
    low, high = np.quantile(values, [0.001, 0.999]) if values.size else (0.5, 1.0)
    return float(low), float(high)


def _range_distances(
    quantiles: SampleQuantiles, asked: AskedRange, by_rate: int, evenly: int
) -> Floats:
    """Distances in and a little about a range: at even steps of its rate, and at even distances."""
    if asked.kind == "distance":
        return np.linspace(asked.low, asked.high, by_rate + evenly)
    if asked.kind == "far":
        ends = (max(asked.low, 1e-12), max(asked.high, 1e-12))
        inside = _distance(quantiles.far(np.geomspace(*ends, by_rate)))
        wider = quantiles.far(np.array([ends[0] / _RANGE_SLACK, min(1.0, ends[1] * _RANGE_SLACK)]))
    else:
        inside = _distance(quantiles.frr(np.linspace(asked.high, asked.low, by_rate)))
        higher = min(1.0, asked.high * _RANGE_SLACK)
        wider = quantiles.frr(np.array([higher, asked.low / _RANGE_SLACK]))
    low, high = _distance(wider)
    return np.concatenate([inside, np.linspace(low, high, evenly)])


def _even_distances(grid: KeyGrid) -> Floats:
    top = grid.values(np.array([grid.top]))[0]
    return np.linspace(0.0, np.sqrt(2.0 * top), _CLASS_EDGES_EVEN)


def _far_keys(quantiles: SampleQuantiles, grid: KeyGrid, near_key: int, step: float) -> Keys:
    """Keys of the edges beyond the near pairs, for the pool and for classes."""
    steps = np.exp(np.arange(0.0, np.log(_NEAR_FAR) - step, -step))
    keys = np.concatenate(
        [
            grid.keys(quantiles.far(steps)),
            grid.keys(quantiles.frr(np.linspace(1.0, 0.0, _CLASS_EDGES_POSITIVE))),
            grid.keys(0.5 * _even_distances(grid) ** 2),
            _tied_keys(quantiles, grid, _CLASS_TIE),
        ]
    )
    return np.asarray(keys[keys > near_key])


def _pool_keys(quantiles: SampleQuantiles, grid: KeyGrid, asked: AskedRange | None) -> Keys:
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
        wanted.append(0.5 * np.linspace(asked.low, asked.high, _RANGE_EDGES) ** 2)
    keys = grid.keys(np.concatenate(wanted))
    ends = (
        grid.keys(0.5 * np.array([asked.low, asked.high]) ** 2)
        if (asked is not None and asked.kind == "distance")
        else np.empty(0, np.int64)
    )
    ties = _tied_keys(quantiles, grid, _POOL_TIE)
    everything = np.concatenate([keys, ties, ends, np.maximum(ends - 1, 0)])
    return np.asarray(everything, dtype=np.int64)


def _tied_keys(quantiles: SampleQuantiles, grid: KeyGrid, share: float) -> Keys:
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
