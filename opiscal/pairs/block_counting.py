"""BlockCounting: what the blocks of one count share, and the room that a thread counts in."""

import threading
from dataclasses import dataclass

import numpy as np

from opiscal.pairs.blocks import TILE_COLS, TILE_ROWS, block_rows, sums_class_pairs
from opiscal.pairs.kernel.lanes import WIDTH
from opiscal.pairs.kernel.moves import move_classes
from opiscal.pairs.kernel.records import (
    BAND,
    LINE,
    ClassPairs,
    Edges,
    Pool,
    Room,
    Rows,
    StepRule,
)
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.tally import Tally


class BlockCounting:
    """What the blocks of one count share: rows, edges, the tally and its lock."""

    def __init__(self, rows: SortedRows, lattice: Lattice, tally: Tally, ranks: bool) -> None:
        self.rows, self.lattice, self.tally = rows, lattice, tally
        self.ranks_wanted = ranks
        near_key, rule = lattice.near_key, lattice.step_rule()
        none = StepRule(*np.array([near_key + 1, 0, 0, near_key + 1, 0, 0, 0], np.int32))
        steps = rule or none
        edge_of_key, class_edge_of_key = lattice.edge_of_key(), lattice.class_edge_of_key()
        moment_of_class_edge = lattice.moment_of_class_edge()
        self._step_keys = slice(int(steps.near_from), near_key + 1)
        near = slice(near_key + 1)
        both = edge_of_key[near] + (class_edge_of_key[near].astype(np.uint32) << np.uint32(16))
        self.edges = Edges(
            rule=lattice.grid.rule,
            edges_of_key=both,
            class_edge_of_key=class_edge_of_key,
            moment_of_class_edge=moment_of_class_edge,
            kept_of_class_edge=lattice.kept_of_class_edge(),
            moment_of_key=moment_of_class_edge[class_edge_of_key[self._step_keys]],
            near_key=np.int32(near_key),
            even=rule is not None,
            steps=steps,
        )
        # Which row of the class histograms a sorted row belongs to.
        self.class_index = np.full(rows.rows, -1, np.int64)
        sizes = rows.classes.class_rows
        self.class_index[: rows.classes.scored_rows] = np.repeat(np.arange(sizes.size), sizes)
        # Rows numbered by class, a row of no scored class being a class of its own.
        ends = rows.classes.ends
        numbers = np.arange(ends.size, dtype=np.uint32)
        self.class_number = np.repeat(numbers, np.diff(ends, prepend=0))
        self.class_ends = ends
        self.class_pairs_wanted = sums_class_pairs(rows.classes)
        self.lock = threading.Lock()

    def pool(self) -> Pool:
        """Room for the near pairs of a block."""
        keys = self._step_keys.stop - self._step_keys.start
        return Pool(
            np.zeros(self.lattice.edge_key.size, np.uint32), np.zeros(max(keys, 1), np.uint32)
        )

    def class_pairs(self, wanted: bool) -> ClassPairs:
        """Room for the near pairs of a block by class pair, where they are wanted."""
        edges = self.lattice.class_pair_edge.size if wanted else 0
        return ClassPairs(
            wanted=wanted,
            line_of_moment=self.lattice.class_pair_of_moment().astype(np.uint32) * np.uint32(LINE),
            histogram=np.zeros(edges * LINE, np.uint32),
            col_class=np.empty(TILE_COLS, np.uint32),
            col_rows=np.empty(TILE_COLS, np.uint32),
            accepted=np.empty(TILE_COLS, np.uint32),
            squares=np.zeros(edges, np.int64),
            products=np.zeros(edges, np.int64),
            accepted_of_pairs=self.tally.accepted_of_pairs,
        )

    def pooled(self, pool: Pool, by_class: np.ndarray) -> np.ndarray:
        """Pairs of a block by pool edge: the near ones, and the far ones as the classes have them.

        `by_class` has every pair once.
        """
        of_key = self.edges.edges_of_key[self._step_keys] & np.uint32(2**16 - 1)
        if of_key.size:
            starts = np.flatnonzero(np.diff(of_key, prepend=of_key[0] - 1))
            pool.by_edge[of_key[starts]] += np.add.reduceat(pool.by_key, starts)
        far = slice(self.lattice.near + 1, None)
        pool.by_edge[self.lattice.class_edge[far]] = by_class[:, far].sum(axis=0, dtype=np.uint32)
        return pool.by_edge

    def rows_of(self, start: int, stop: int) -> Rows:
        """A stretch of rows, as the counting loops take it."""
        rows = self.rows
        return Rows(
            rows.vectors[start:stop], rows.half_norm[start:stop], rows.read_order[start:stop]
        )


@dataclass(frozen=True, slots=True)
class ClassSlots:
    """The scored classes in a stretch of rows, and one more for the rows of none."""

    first: int
    count: int
    slot: np.ndarray

    @property
    def largest(self) -> int:
        """Rows of the largest of them in this stretch; those of no class count as one class."""
        return int(np.bincount(self.slot).max())

    def move(self, by_slot: np.ndarray, by_class: np.ndarray, edges: Edges) -> None:
        """Add what was counted by slot to what is known of the classes; nothing is left there."""
        move_classes(by_slot, self.count - 1, by_class, self.first, edges.kept_of_class_edge)


def class_slots(class_index: np.ndarray) -> ClassSlots:
    """Slots for a stretch of rows, of which the classes are given; -1 for those of none."""
    known = class_index[class_index >= 0]
    first = int(known[0]) if known.size else 0
    scored = int(known[-1]) - first + 1 if known.size else 0
    slot = np.where(class_index >= 0, class_index - first, scored)
    return ClassSlots(first, scored + 1, slot.astype(np.uint32))


class SideRoom:
    """Room for the counts of one side of a block: by slot, and by row (fewer than 65,536 a block).

    It is kept from block to block, and holds nothing between them: fresh memory costs more than the
    counting of small classes.
    """

    def __init__(self, counting: BlockCounting) -> None:
        rows = min(block_rows(counting.rows.rows), counting.rows.rows)
        sizes = counting.rows.classes.class_rows
        # Classes are whole or cut at the ends of a block.
        slots = min(rows, sizes.size, rows // max(1, int(sizes.min(initial=rows))) + 2) + 1
        lattice = counting.lattice
        self._by_class = np.zeros((slots, lattice.class_edge.size), np.uint32)
        self.moments = np.zeros((rows, lattice.moment_edge.size), np.uint16)

    def by_class(self, slots: int, short: bool) -> np.ndarray:
        """Lines for so many classes, of two bytes or of four."""
        bins = self._by_class.shape[1]
        flat = self._by_class.reshape(-1).view(np.uint16 if short else np.uint32)
        return flat[: slots * bins].reshape(slots, bins)


class Workspace:
    """The buffers of one thread."""

    def __init__(self, counting: BlockCounting) -> None:
        bins = counting.lattice.class_edge.size
        self.row_counts, self.col_counts = SideRoom(counting), SideRoom(counting)
        self.room = Room(
            dots=np.empty(TILE_ROWS * TILE_COLS, np.float32),
            keys=np.empty(TILE_COLS, np.uint32),
            offset=np.empty(TILE_COLS, np.uint16),
            places=np.empty(TILE_ROWS * LINE, np.uint16),
            near_key=np.empty(BAND * TILE_COLS + WIDTH, np.int32),
            near_col=np.empty(BAND * TILE_COLS + WIDTH, np.int32),
            near_stop=np.empty(BAND, np.uint64),
            nearer=np.empty(TILE_ROWS, np.bool_),
            histogram=np.zeros((min(TILE_COLS, (2**16 - 1) // bins), bins), np.uint16),
        )
