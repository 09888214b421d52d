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

# Steps of log FAR between neighbouring pool edges: (down to this FAR, step). At most 1 % is
# promised wherever more than 10,000 negatives are accepted.
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
_CLASS_EDGES_FAR, _CLASS_EDGES_POSITIVE, _CLASS_EDGES_EVEN = 64, 48, 24
_MOMENT_RANGE_EDGES, _MOMENT_RANGE_EVEN_EDGES = 44, 14
_MOMENT_EDGES_FAR, _MOMENT_EDGES_POSITIVE = 12, 8
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
    moment_edge : int64 array of shape (moment edges,)
        Indices into the class edges; the last is the last edge.
    """

    grid: KeyGrid
    edge_key: Keys
    distance: Floats
    class_edge: NDArray[np.int64]
    moment_edge: NDArray[np.int64]

    def same_edges(self, other: "Lattice") -> bool:
        """Whether pool, class and moment edges are the same."""
        return (
            self.grid == other.grid
            and np.array_equal(self.edge_key, other.edge_key)
            and np.array_equal(self.class_edge, other.class_edge)
            and np.array_equal(self.moment_edge, other.moment_edge)
        )

    def edge_of_key(self) -> NDArray[np.uint16]:
        """For every key the first edge that accepts it: the look-up table of the counting loops."""
        widths = np.diff(self.edge_key, prepend=-1)
        return np.repeat(np.arange(self.edge_key.size, dtype=np.uint16), widths)

    def class_edge_of_edge(self) -> NDArray[np.uint16]:
        """For every pool edge the first class edge at or above it."""
        return np.searchsorted(self.class_edge, np.arange(self.edge_key.size)).astype(np.uint16)

    def moment_edge_of_class_edge(self) -> NDArray[np.uint16]:
        """For every class edge the first moment edge at or above it."""
        return np.searchsorted(self.moment_edge, np.arange(self.class_edge.size)).astype(np.uint16)


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
    edge_key = np.unique(np.concatenate([_pool_keys(quantiles, grid, asked), [0, grid.top]]))
    place = _Nearest(edge_key, grid)

    ranges = [AskedRange("far", *DEFAULT_FAR_RANGE), *([asked] if asked is not None else [])]
    decades = np.logspace(-6, -2, 4 * _CLASS_EDGES_PER_DECADE, endpoint=False)
    top = float(grid.values(np.array([grid.top]))[0])
    upper = np.sqrt(2.0 * quantiles.far(0.125))
    class_edge = place.edges(
        *(_range_distances(quantiles, r, _RANGE_EDGES, _RANGE_EVEN_EDGES) for r in ranges),
        _distance(quantiles.far(np.append(decades, 10.0**_DECADES))),
        np.linspace(upper, _distance(quantiles.far(1.0)), _CLASS_EDGES_FAR),
        _distance(quantiles.frr(np.linspace(1.0, 0.0, _CLASS_EDGES_POSITIVE))),
        np.linspace(0.0, np.sqrt(2.0 * top), _CLASS_EDGES_EVEN),
        _distance(grid.values(_tied_keys(quantiles, grid, _CLASS_TIE))),
    )
    within = _Nearest(edge_key[class_edge], grid)
    moment_edge = within.edges(
        *(
            _range_distances(quantiles, r, _MOMENT_RANGE_EDGES, _MOMENT_RANGE_EVEN_EDGES)
            for r in ranges
        ),
        _distance(quantiles.far(10.0**_DECADES)),
        np.linspace(upper, _distance(quantiles.far(1.0)), _MOMENT_EDGES_FAR),
        _distance(quantiles.frr(np.linspace(1.0, 0.0, _MOMENT_EDGES_POSITIVE))),
    )
    return Lattice(
        grid=grid,
        edge_key=edge_key,
        distance=_distance(grid.values(edge_key)) * scale,
        class_edge=class_edge,
        moment_edge=moment_edge,
    )


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
    if ascending.size == 0:
        return ascending
    ends = np.append(np.flatnonzero(np.diff(ascending)), ascending.size - 1)
    times = np.diff(ends, prepend=-1)
    often = times > max(1.0, share * ascending.size)
    return np.asarray(ascending[ends[often]])
