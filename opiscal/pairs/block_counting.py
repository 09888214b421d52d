"""BlockCounting: what the blocks of one count share, and the room that a thread counts in."""

import threading
from dataclasses import dataclass

import numpy as np

from opiscal.pairs.blocks import block_rows
from opiscal.pairs.kernel.records import Edges, Rows
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.tally import Tally

TILE_ROWS, TILE_COLS = 1024, 512
"""Size of a tile of products: large enough for the product to run at its full speed."""
PANEL_COLS = 1024
"""Columns that are counted together where a tile is gone through column by column."""
# Columns of a tile are walked with this stride; a power of two would put them all in one cache set.
_PADDING = 32


class BlockCounting:
    """What the blocks of one count share: rows, edges, the tally and its lock."""

    def __init__(self, rows: SortedRows, lattice: Lattice, tally: Tally, ranks: bool) -> None:
        self.rows, self.lattice, self.tally = rows, lattice, tally
        self.ranks_wanted = ranks
        self.edges = Edges(
            rule=lattice.grid.rule,
            edge_of_key=lattice.edge_of_key(),
            class_edge_of_key=lattice.class_edge_of_key(),
            moment_of_edge=lattice.moment_of_edge(),
            near_key=np.uint32(lattice.near_key),
        )
        # Which row of the class histograms a sorted row belongs to.
        self.class_index = np.full(rows.rows, -1, np.int64)
        sizes = rows.classes.class_rows
        self.class_index[: rows.classes.scored_rows] = np.repeat(np.arange(sizes.size), sizes)
        self.lock = threading.Lock()
        self.stopped = threading.Event()

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

    def add(self, by_slot: np.ndarray, by_class: np.ndarray) -> None:
        """Add what was counted by slot to what is known of the classes."""
        scored = self.count - 1
        # The same bits: a block has fewer than 2^31 pairs.
        by_class[self.first : self.first + scored] += by_slot[:scored].view(np.int32)


def class_slots(class_index: np.ndarray) -> ClassSlots:
    """Slots for a stretch of rows, of which the classes are given; -1 for those of none."""
    known = class_index[class_index >= 0]
    first = int(known[0]) if known.size else 0
    scored = int(known[-1]) - first + 1 if known.size else 0
    slot = np.where(class_index >= 0, class_index - first, scored)
    return ClassSlots(first, scored + 1, slot.astype(np.uint32))


class SideRoom:
    """Room for the counts of one side of a block: by slot, and by row (fewer than 65,536 a block).

    It is kept from block to block: fresh memory costs more than the counting of small classes.
    """

    def __init__(self, counting: BlockCounting) -> None:
        rows = min(block_rows(counting.rows.rows), counting.rows.rows)
        sizes = counting.rows.classes.class_rows
        # Classes are whole or cut at the ends of a block.
        slots = min(rows, sizes.size, rows // max(1, int(sizes.min(initial=rows))) + 2) + 1
        lattice = counting.lattice
        self.by_class = np.empty((slots, lattice.class_edge.size), np.uint32)
        self.moments = np.empty((rows, lattice.moment_edge.size), np.uint16)


class Workspace:
    """The buffers of one thread."""

    def __init__(self, counting: BlockCounting) -> None:
        edges = counting.lattice.class_edge.size
        self.row_counts, self.col_counts = SideRoom(counting), SideRoom(counting)
        self.tile = np.empty(TILE_ROWS * TILE_COLS, np.float32)
        self.places = np.empty((TILE_ROWS, PANEL_COLS + _PADDING), np.uint16)
        self.line = np.empty(TILE_COLS, np.float32)
        self.key_line = np.empty(TILE_COLS, np.uint32)
        self.nearer = np.empty(TILE_ROWS, np.int32)
        self.chosen = np.empty(TILE_COLS + 1, np.uint16)
        self.histogram = np.zeros((TILE_COLS, edges), np.uint16)

    def product(self, rows: SortedRows, r: int, r_end: int, c: int, c_end: int) -> np.ndarray:
        """Dot products of two stretches of rows; overwritten by the next call."""
        height, width = r_end - r, c_end - c
        tile = self.tile[: height * width].reshape(height, width)
        return np.matmul(rows.vectors[r:r_end], rows.vectors[c:c_end].T, out=tile)
