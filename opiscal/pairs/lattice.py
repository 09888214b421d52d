"""Lattice: the edges at which pairs are counted, placed from a sample before counting."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.edge_targets import (
    POOL_TIE,
    RANGE_EDGES,
    RANGE_EVEN_EDGES,
    RANGE_SLACK,
    AskedRange,
    central,
    class_distances,
    class_pair_distances,
    distance_of,
    far_keys,
    far_quantile_keys,
    moment_distances,
    near_end,
    pool_keys,
    range_distances,
    range_ends,
    tied_keys,
)
from opiscal.pairs.even_steps import LAST_FAR, EvenSteps, fit_even_steps
from opiscal.pairs.kernel.records import StepRule
from opiscal.pairs.key_grid import KeyGrid, fit_key_grid
from opiscal.pairs.sample import PairSample, sample_pairs
from opiscal.pairs.sample_quantiles import SampleQuantiles
from opiscal.pairs.sorted_rows import SortedRows

Floats = NDArray[np.float64]
Keys = NDArray[np.int64]

DEFAULT_FAR_RANGE = (0.01, 0.1)
_MOST_FAR_KEPT = 200


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
    class_pair_edge : int64 array of shape (class pair edges,)
        Indices into the moment edges, up to the one at `near`, which is the last of them.
    steps : EvenSteps, optional
        Where class edges stand at even steps from ``steps.low_key`` on; else a pair's place among
        them is looked up.
    """

    grid: KeyGrid
    edge_key: Keys
    distance: Floats
    class_edge: NDArray[np.int64]
    near: int
    moment_edge: NDArray[np.int64]
    class_pair_edge: NDArray[np.int64]
    steps: EvenSteps | None = None

    def same_edges(self, other: "Lattice") -> bool:
        """Whether pool, class, moment and class pair edges are the same."""
        return (
            self.grid == other.grid
            and np.array_equal(self.edge_key, other.edge_key)
            and np.array_equal(self.class_edge, other.class_edge)
            and self.near == other.near
            and np.array_equal(self.moment_edge, other.moment_edge)
            and np.array_equal(self.class_pair_edge, other.class_pair_edge)
            and self.steps == other.steps
        )

    def kept(self) -> NDArray[np.int64]:
        """Which class edges are kept in the counts: of even steps beyond the near pairs only some.

        There a pair is counted at edges as dense as the pool's, which classes have no use for.
        """
        last = self.class_edge.size - 1
        if self.steps is None:
            return np.arange(last + 1)
        stride = -(-self.steps.far_steps // _MOST_FAR_KEPT)
        farther = np.arange(self.near + stride, last, stride)
        return np.concatenate([np.arange(self.near + 1), farther, [last]])

    def kept_of_class_edge(self) -> NDArray[np.uint16]:
        """For every class edge the first kept one at or above it, as a place among the kept."""
        return _first_at_or_above(self.kept())

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

    def moment_of_class_edge(self) -> NDArray[np.uint16]:
        """For every class edge the first moment edge at or above it."""
        return _first_at_or_above(self.moment_edge)

    def class_pair_of_moment(self) -> NDArray[np.uint16]:
        """For every near moment edge the first class pair edge at or above it; 0 for the last."""
        return np.append(_first_at_or_above(self.class_pair_edge), np.uint16(0))

    def step_rule(self) -> StepRule | None:
        """The even steps in the form that the counting loops take, where there are any."""
        if self.steps is None:
            return None
        return self.steps.rule(self.near - self.steps.near_steps)


def _first_at_or_above(ascending: NDArray[np.int64]) -> NDArray[np.uint16]:
    """For every number from 0 to the last of some which of them is the first at or above it."""
    return np.repeat(np.arange(ascending.size, dtype=np.uint16), np.diff(ascending, prepend=-1))


def fit_lattice(
    rows: SortedRows,
    seed: int,
    asked: AskedRange | None = None,
    sample: PairSample | None = None,
) -> Lattice:
    """Place pool, class and moment edges from a seeded sample of pairs.

    Parameters
    ----------
    rows : SortedRows
    seed : int
    asked : AskedRange, optional
        A calibration range other than the default one, for which class edges are to be dense too.
        Distances are those of the set.
    sample : PairSample, optional
        Of the pairs that will be counted, where these are not the pairs of a set.

    Returns
    -------
    Lattice
    """
    sample = sample or sample_pairs(rows, seed)
    if asked is not None and asked.kind == "distance":
        asked = AskedRange("distance", asked.low / rows.scale, asked.high / rows.scale)
    return place_edges(sample, fit_key_grid(rows, central(sample)), asked, rows.scale)


def place_edges(
    sample: PairSample, grid: KeyGrid, asked: AskedRange | None = None, scale: float = 1.0
) -> Lattice:
    """Place the edges by the quantiles of a sample; `asked` is in the distances of the sample."""
    quantiles = SampleQuantiles(sample)
    ranges = [AskedRange("far", *DEFAULT_FAR_RANGE), *([asked] if asked is not None else [])]
    near_key = int(grid.keys(np.array([near_end(quantiles, ranges)]))[0])
    steps = _even_steps(quantiles, sample, grid, ranges, near_key)
    near = pool_keys(quantiles, grid, asked)
    beyond = steps.edges() if steps else far_keys(quantiles, grid, near_key, sample.lengths)
    ends = np.array([0, near_key, grid.top])
    edge_key = np.unique(np.concatenate([near[near <= near_key], beyond, ends]))

    wanted = np.concatenate(
        [
            *(range_distances(quantiles, r, RANGE_EDGES, RANGE_EVEN_EDGES) for r in ranges),
            class_distances(quantiles, grid),
        ]
    )
    class_edge = np.union1d(_nearest(edge_key, grid, wanted), np.flatnonzero(edge_key >= near_key))
    if steps is not None:
        below = class_edge[edge_key[class_edge] < steps.low_key]
        class_edge = np.union1d(below, np.searchsorted(edge_key, beyond))
    class_edge = class_edge.astype(np.int64)
    near_edge = int(np.searchsorted(edge_key[class_edge], near_key))
    moment_edge = _nearest(edge_key[class_edge], grid, moment_distances(quantiles, ranges))
    last = class_edge.size - 1
    moment_edge = np.union1d(moment_edge[moment_edge <= near_edge], [near_edge, last])
    near_moments = moment_edge[moment_edge <= near_edge]
    class_pair_edge = _nearest(
        edge_key[class_edge[near_moments]], grid, class_pair_distances(quantiles, ranges)
    )
    return Lattice(
        grid=grid,
        edge_key=edge_key,
        distance=distance_of(grid.values(edge_key)) * scale,
        class_edge=class_edge,
        near=near_edge,
        moment_edge=moment_edge,
        # Next to nothing is accepted at the first edge of all.
        class_pair_edge=np.union1d(class_pair_edge[1:], class_pair_edge[-1:]),
        steps=steps,
    )


def _even_steps(
    quantiles: SampleQuantiles,
    sample: PairSample,
    grid: KeyGrid,
    ranges: list[AskedRange],
    near_key: int,
) -> EvenSteps | None:
    lows = [AskedRange(r.kind, r.low / RANGE_SLACK, r.high) for r in ranges]
    return fit_even_steps(
        near_key=near_key,
        top=grid.top,
        low_key=min(int(grid.keys(range_ends(quantiles, low)).min()) for low in lows),
        ranges=[tuple(grid.keys(range_ends(quantiles, r)).tolist()) for r in ranges],
        far_keys=far_quantile_keys(quantiles, grid, sample.lengths, LAST_FAR),
        positive_keys=grid.keys(sample.positive),
        tied_keys=tied_keys(quantiles, grid, POOL_TIE),
    )


def _nearest(keys: Keys, grid: KeyGrid, wanted: Floats) -> NDArray[np.int64]:
    """Of some edges those nearest to given distances, ascending; always the first and the last."""
    distance = distance_of(grid.values(keys))
    above = np.clip(np.searchsorted(distance, wanted), 1, distance.size - 1)
    nearer_below = wanted - distance[above - 1] < distance[above] - wanted
    picked = np.where(nearer_below, above - 1, above)
    return np.unique(np.concatenate([picked, [0, distance.size - 1]])).astype(np.int64)
