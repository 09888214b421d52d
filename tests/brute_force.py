"""Every pair in double precision by NumPy: the oracle for sets too large for `oracles.py`.

`test_counting.py` holds it against the plain loops on small sets.
"""

from dataclasses import dataclass

import numpy as np

from opiscal.data.embedding_set import DroppedRows, EmbeddingSet

COUNTED = (
    "pool_positive",
    "pool_negative",
    "class_positive",
    "class_negative",
    "positive_squares",
    "negative_squares",
    "products",
)
"""The arrays of PairCounts that hold counts."""


def embedding_set(vectors, classes, metric="cosine"):
    """A set of any rows, those included that a reader would refuse; class ``c`` has the label `c`.

    Under ``cosine`` rows are scaled to unit length in double precision and rounded once.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    classes = np.asarray(classes, dtype=np.int32)
    norms = np.sqrt(np.sum(vectors**2, axis=1))
    scaled = vectors / norms[:, None] if metric == "cosine" else vectors
    return EmbeddingSet(
        vectors=np.ascontiguousarray(scaled, dtype=np.float32),
        labels=tuple(range(int(classes.max(initial=-1)) + 1)),
        class_of_row=classes,
        row_number=np.arange(len(classes)),
        norms=norms,
        metric=metric,
        rows_read=len(classes),
        dropped=DroppedRows(),
    )


@dataclass(frozen=True)
class BruteCounts:
    """Cumulative counts, named and shaped as in PairCounts."""

    pool_positive: np.ndarray
    pool_negative: np.ndarray
    class_positive: np.ndarray
    class_negative: np.ndarray
    positive_squares: np.ndarray
    negative_squares: np.ndarray
    products: np.ndarray
    class_pairs: np.ndarray
    """Sums over class pairs of ``A^2`` and of ``A M``, shape (2, Q)."""


def class_pairs_of(counts):
    """The sums over class pairs of either record, shape (2, Q); None where they are not kept."""
    sums = counts.class_pairs
    if sums is None or isinstance(counts, BruteCounts):
        return sums
    return np.stack([sums.squares, sums.products])


@dataclass(frozen=True)
class BruteForce:
    """The whole matrix of half squared distances of one set.

    Attributes
    ----------
    half_squared : float64 array of shape (rows, rows)
        ``|x - y|^2 / 2``; under ``cosine`` of unit rows, ``1 - s``.
    size : float64 array of shape (rows,)
        Half the squared length of each row, under ``l2`` of its offset from the median row: the
        rounding of a float32 product is in proportion to it. 1/2 under ``cosine``.
    classes : int array of shape (rows,)
    """

    half_squared: np.ndarray
    size: np.ndarray
    classes: np.ndarray

    @classmethod
    def of(cls, vectors, classes, metric="cosine"):
        x = np.asarray(vectors, dtype=np.float64)
        if metric == "cosine":
            x = x / np.sqrt(np.sum(x**2, axis=1))[:, None]
            size = np.full(len(x), 0.5)
            half_squared = 1.0 - x @ x.T
        else:
            # No distance changes; a large common offset costs no digits.
            x = x - np.sort(x, axis=0)[len(x) // 2]
            size = 0.5 * np.sum(x**2, axis=1)
            half_squared = size[:, None] + size[None, :] - x @ x.T
        return cls(np.maximum(half_squared, 0.0), size, np.asarray(classes))

    def distances(self, band=0.0):
        """Distances, each half squared one moved up by `band` times the size of its two rows.

        Under ``cosine`` that is `band` in similarity.
        """
        moved = self.half_squared + band * (self.size[:, None] + self.size[None, :])
        return np.sqrt(2.0 * np.maximum(moved, 0.0))

    def counts(self, lattice, band=0.0):
        """Accepted pairs at the edges of a lattice, each pair `band` farther away than it is."""
        edges = lattice.distance
        class_edge = lattice.class_edge[lattice.kept()]
        moment_edge = lattice.class_edge[lattice.moment_edge]
        first_edge = np.searchsorted(edges, self.distances(band), side="left")
        assert first_edge.max(initial=0) < len(edges), "the last edge accepts every pair"

        sizes = np.bincount(self.classes[self.classes >= 0])
        scored = np.flatnonzero(sizes >= 2)
        slot_of = {int(c): slot for slot, c in enumerate(scored)}
        pool_positive = np.zeros(len(edges), np.int64)
        pool_negative = np.zeros(len(edges), np.int64)
        class_positive = np.zeros((len(scored), len(class_edge)), np.int64)
        class_negative = np.zeros((len(scored), len(class_edge)), np.int64)
        moments = np.zeros((3, len(scored), len(moment_edge)), np.int64)
        for row, c in enumerate(self.classes):
            same = self.classes == c
            positive_of_row = np.flatnonzero(same & (c >= 0))
            positive_of_row = positive_of_row[positive_of_row != row]
            p = _accepted(first_edge[row, positive_of_row], len(edges))
            n = _accepted(first_edge[row, ~same], len(edges))
            pool_positive += p
            pool_negative += n
            if int(c) in slot_of:
                slot = slot_of[int(c)]
                class_positive[slot] += p[class_edge]
                class_negative[slot] += n[class_edge]
                p, n = p[moment_edge], n[moment_edge]
                moments[:, slot] += np.stack([p * p, n * n, p * n])
        # Both ends of a pair have counted it; of a negative pair they are two classes.
        return BruteCounts(
            pool_positive // 2,
            pool_negative // 2,
            class_positive // 2,
            class_negative,
            *moments,
            self._class_pairs(first_edge, lattice),
        )

    def _class_pairs(self, first_edge, lattice):
        """A row without a class is one of its own; such rows make no pairs among themselves."""
        own = np.arange(len(self.classes)) + self.classes.max(initial=0) + 1
        unit = np.unique(np.where(self.classes < 0, own, self.classes), return_inverse=True)[1]
        by_unit = np.argsort(unit, kind="stable")
        starts = np.flatnonzero(np.diff(unit[by_unit], prepend=-1))
        first_edge, classes = first_edge[by_unit][:, by_unit], self.classes[by_unit]
        negative = classes[:, None] != classes

        def sums(some):
            of_rows = np.add.reduceat(some, starts, axis=0, dtype=np.int64)
            return np.triu(np.add.reduceat(of_rows, starts, axis=1), 1)

        pairs, found = sums(negative), []
        for edge in lattice.class_edge[lattice.moment_edge[lattice.class_pair_edge]]:
            accepted = sums(negative & (first_edge <= edge))
            found.append([np.sum(accepted**2), np.sum(accepted * pairs)])
        return np.array(found).reshape(-1, 2).T.astype(np.int64)

    def ranks(self, band=0.0):
        """Negatives before the nearest positive of each row with a positive, in order of reading.

        Rows as near as it count where they were read first. With a `band` negatives are farther
        away by it and positives nearer, so the ranks are the lowest there may be; with a negative
        band the highest.
        """
        nearer, farther = self.distances(-band), self.distances(band)
        ranks = []
        for row, c in enumerate(self.classes):
            same = self.classes == c
            own = np.flatnonzero(same)
            own = own[own != row]
            if c < 0 or own.size == 0:
                continue
            best = own[np.argmin(nearer[row, own])]  # the first of equals
            other = np.flatnonzero(~same)
            there, limit = farther[row, other], nearer[row, best]
            ranks.append(np.count_nonzero((there < limit) | ((there == limit) & (other < best))))
        return np.array(ranks, dtype=np.int64)


def _accepted(first_edge, edges):
    return np.cumsum(np.bincount(first_edge, minlength=edges))
