"""SampledCounts: what a sample of pairs has, in whole numbers, and the PairCounts they estimate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label, Metric
from opiscal.pairs.counts import (
    ClassCounts,
    ClassEstimates,
    Counts,
    Estimates,
    PairCounts,
    Sampling,
)

Floats = NDArray[np.float64]

GROUPS = 16
"""Groups of columns, from whose scatter the sampling error is read off."""


@dataclass(frozen=True, slots=True)
class SampledCounts:
    """Accepted pairs of a sample at every edge, stratum by stratum: cumulative integers.

    Negatives have two strata. The **near** pairs are those that an index found, all of them
    counted. Of the **rest**, whatever the index missed among it, every row is paired with the rows
    of a simple random sample, the *columns*, in groups: a pair is looked at from each of its rows,
    and from either the other one is a column with probability ``m / N``.

    Positives are all pairs of a class, or for a class of many rows those among some of its rows.

    Attributes
    ----------
    metric, rows, distractors, labels, class_rows, distance, class_edge, moment_edge
        As in `PairCounts`.
    columns : int
        Columns, m; among them `class_columns` of each class, int64 of shape (T,).
    pool_near : int64 array of shape (E,)
        Found pairs, every unordered pair once.
    pool_rest : int64 array of shape (G, E)
        Pairs of a row and a column of each group; a pair of two columns stands there twice.
    class_near, class_rest : int32 or int64 arrays of shape (T, C)
        Found pairs of a class; pairs of its rows and the columns.
    row_sums : int64 array of shape (5, T, K)
        Sums over the rows of a class of ``a^2``, ``a s``, ``s (s - 1)``, ``p a`` and ``p s``: of
        each row ``p`` accepted positives, ``a`` found negatives, ``s`` negatives among the columns.
    group_squares : int64 array of shape (T, K)
        Sums over groups of the squares of what `class_rest` has from each.
    class_positive : int32 or int64 array of shape (T, C)
        Counted positives, among `positive_rows` rows of each class, int64 of shape (T,).
    positive_squares : int64 array of shape (T, K)
    pool_positive : int64 array of shape (1 + S, E)
        Positives of the classes that were counted whole, then of each of the S others.
    """

    metric: Metric
    rows: int
    distractors: int
    labels: tuple[Label, ...]
    class_rows: Counts
    distance: Floats
    class_edge: Counts
    moment_edge: Counts
    columns: int
    class_columns: Counts
    pool_near: Counts
    pool_rest: Counts
    class_near: ClassCounts
    class_rest: ClassCounts
    row_sums: Counts
    group_squares: Counts
    class_positive: ClassCounts
    positive_rows: Counts
    positive_squares: Counts
    pool_positive: Counts

    @property
    def positive_counted(self) -> int:
        """Positive pairs that were counted."""
        return int(self.pool_positive[:, -1].sum())

    @property
    def negative_counted(self) -> int:
        """Pairs that were compared for the negatives: those found, and those of the columns."""
        return int(self.pool_near[-1] + self.pool_rest[:, -1].sum())

    @property
    def pool_probability(self) -> float:
        """With which a pair of the rest is in the sample, as seen from one of its rows."""
        return self.columns / self.rows

    def class_weight(self) -> Floats:
        """How many pairs of the rest each sampled pair of a class stands for; shape (T,).

        Of the ``N - n`` rows outside the class ``m - c`` are columns: given their number each of
        them is as likely as the next, so that the estimate has no bias whatever the index found.
        """
        outside = np.maximum(self.columns - self.class_columns, 1)
        return np.asarray((self.rows - self.class_rows) / outside)

    def pool_negative(self) -> Floats:
        """Estimated accepted negatives at the pool edges, without bias; shape (E,)."""
        rest = self.pool_rest.sum(axis=0) / (2.0 * self.pool_probability)
        return np.asarray(self.pool_near + rest)

    def class_negative(self) -> Floats:
        """Estimated accepted negatives of each class, without bias; shape (T, C)."""
        out = self.class_weight()[:, None] * self.class_rest
        out += self.class_near
        return np.asarray(out)

    def estimate(self) -> PairCounts:
        """The counts that an exact count would have found, as estimated.

        Totals are known and are put in at the last edge; where an estimate is by chance larger
        than that, it is cut. The sums of squares are those that give, by the formulas of an exact
        count, the scatter of the sampled one: sampling variance is in them.
        """
        rows = self.class_rows.astype(np.float64)[:, None]
        others = self.rows - rows
        class_negative = self.class_negative()
        class_negative[:, -1:] = rows * others
        np.minimum(class_negative, rows * others, out=class_negative)
        pool_negative = np.minimum(self.pool_negative(), self.negative)
        pool_negative[-1] = self.negative
        class_positive, positive_squares = self._class_positive()
        variance, weight = self._class_variance(), self.class_weight()[:, None]
        of_row, products = self._row_products(weight, others)
        few = self.positive_rows < self.class_rows
        if few.any():
            # Of a class of so many rows sensitivity and FAR hardly move together.
            both = (class_positive[few] * class_negative[few])[:, self.moment_edge]
            products[few] = 2.0 * both / rows[few]
        return PairCounts(
            metric=self.metric,
            rows=self.rows,
            distractors=self.distractors,
            labels=self.labels,
            class_rows=self.class_rows,
            distance=self.distance,
            class_edge=self.class_edge,
            moment_edge=self.moment_edge,
            pool_positive=self._pool_positive(),
            pool_negative=pool_negative,
            class_positive=class_positive,
            class_negative=class_negative,
            positive_squares=positive_squares,
            negative_squares=of_row + variance,
            products=products,
            sampling=Sampling(self._pool_variance(), variance, self),
        )

    @property
    def positive(self) -> int:
        """All positive pairs of the set."""
        return int((self.class_rows * (self.class_rows - 1) // 2).sum())

    @property
    def negative(self) -> int:
        """All negative pairs of the set, each once."""
        among = self.rows * (self.rows - 1) - self.distractors * (self.distractors - 1)
        return among // 2 - self.positive

    def _row_products(self, weight: Floats, others: Floats) -> tuple[Floats, Floats]:
        """Sums over rows of ``n^2`` and of ``p n``, without bias: shape (T, K) each.

        Two sampled pairs of one row stand for more than the square of what one stands for.
        """
        found, both, rest, p_found, p_rest = self.row_sums.astype(np.float64)
        outside = np.maximum(self.columns - self.class_columns, 2)[:, None]
        of_two = weight * (others - 1.0) / (outside - 1.0)
        single = self.class_rest[:, self.moment_edge]
        squares = found + 2.0 * weight * both + of_two * rest + weight * single
        return squares, p_found + weight * p_rest

    def _class_positive(self) -> tuple[ClassEstimates, Estimates]:
        """Accepted positives of each class, and sums over rows that give their scatter.

        Of a class of which only some rows were taken that scatter is the one of so many rows.
        """
        few = self.positive_rows < self.class_rows
        if not few.any():
            return self.class_positive, self.positive_squares
        rows, taken = (
            n[few, None].astype(np.float64) for n in (self.class_rows, self.positive_rows)
        )
        counted = self.class_positive[few]
        positive = self.class_positive.astype(np.float64)
        positive[few] *= (rows * (rows - 1.0)) / (taken * (taken - 1.0))
        at = counted[:, self.moment_edge].astype(np.float64)
        apart = (at**2 - self.positive_squares[few] + at) / _disjoint(taken)
        squares = self.positive_squares.astype(np.float64)
        accepted = positive[few][:, self.moment_edge]
        squares[few] = accepted**2 + accepted - apart * _disjoint(rows)
        return positive, squares

    def _pool_positive(self) -> Estimates:
        """Accepted positives of the pool."""
        few = self.positive_rows < self.class_rows
        sampled = self.pool_positive[1:]
        whole: Counts = self.pool_positive[0]
        if not few.any():
            return whole
        rows, taken = self.class_rows[few], self.positive_rows[few]
        weight = (rows * (rows - 1)) / (taken * (taken - 1))
        out = whole + weight @ sampled
        out[-1] = self.positive
        return np.asarray(np.minimum(out, self.positive))

    def _pool_variance(self) -> Floats:
        """From the scatter of the groups of columns."""
        groups = len(self.pool_rest)
        total = groups * self.pool_rest.var(axis=0, ddof=1)
        # The last edge accepts all pairs, and how many there are is known.
        total[-1] = 0.0
        return np.asarray(total * self._unseen / (2.0 * self.pool_probability) ** 2)

    def _class_variance(self) -> Floats:
        groups = len(self.pool_rest)
        total = self.class_rest[:, self.moment_edge].astype(np.float64)
        about = (self.group_squares - total**2 / groups) * groups / (groups - 1)
        about[:, -1] = 0.0
        return np.asarray(about * self._unseen * np.square(self.class_weight())[:, None])

    @property
    def _unseen(self) -> float:
        """Share of the rows that are no columns: a sample of all of them scatters no more."""
        return 1.0 - self.columns / self.rows


def _disjoint(rows: Floats) -> Floats:
    """Ordered pairs of two pairs without a common row, in a class of so many rows."""
    pairs = rows * (rows - 1.0) / 2.0
    return np.asarray(pairs**2 - rows * (rows - 1.0) * (rows - 2.0) - pairs)
