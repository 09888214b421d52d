"""A seeded sample of the rows of a stream: whole classes, by a hash of their labels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import Label, RowPolicy, RowSample
from opiscal.data.memory import rows_that_fit
from opiscal.errors import InputError

FEWEST_ROWS = 1000
"""A sample of fewer rows says next to nothing about classes."""

_ALL = np.iinfo(np.uint64).max
# The row numbers of distractors are hashed by the finaliser of SplitMix64.
_STEP, _MIX_1, _MIX_2 = (
    np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """How many rows a sample has at most, and whether memory decided it."""

    rows: int
    automatic: bool


def plan_sample(policy: RowPolicy, rows: int, dimensions: int) -> SamplePlan | None:
    """What to do with a set of so many rows; None: take all of them.

    Without a number in the policy a set is sampled where its rows would take more than half of the
    memory, and then so that the sample, with an eighth of room for rows on their way, takes half.
    """
    if policy.sample_rows is not None:
        return SamplePlan(policy.sample_rows, False) if rows > policy.sample_rows else None
    fitting = rows_that_fit(dimensions, half=policy.half)
    if fitting is None or rows <= fitting:
        return None
    return SamplePlan(max(FEWEST_ROWS, fitting * 8 // 9), True)


def check_sample(sample: RowSample, classes: int) -> None:
    """Refuse a sample of fewer than two whole classes.

    Raises
    ------
    InputError
    """
    if classes < 2:
        raise InputError(
            f"a sample of {sample.rows:,} rows, which keeps whole classes, has room for "
            f"{classes} of {sample.classes_read:,} classes; give --sample-rows several times the "
            "rows of the largest class"
        )


class ClassSampler:
    """Decides row by row, in one pass, which rows are of the sample.

    Every class has a hash of its label and the seed, every distractor row one of its number and the
    seed. The sample is what has the smallest hashes: as many whole classes as have at most so many
    rows together. It begins with everything; when more rows are held than the sample may have, the
    bar is lowered to the largest hash below which they fit, and it never rises. A class below the
    final bar was therefore never left out before, so the sample does not depend on the order of
    rows, but for the numbers of distractors.

    Parameters
    ----------
    plan : SamplePlan
    seed : int
    distractor_labels : sequence of str
        Labels whose rows are no class.
    """

    def __init__(self, plan: SamplePlan, seed: int, distractor_labels: Sequence[str]) -> None:
        """Begin with everything in the sample."""
        self.plan = plan
        self._key = hashlib.blake2b(f"opiscal rows {seed}".encode()).digest()
        self._row_key = np.frombuffer(self._key[:8], "<u8")[0].astype(np.uint64)
        self._distractors = frozenset(distractor_labels)
        self._bar = _ALL
        # By code of the label, and last for rows without one.
        self._hash = np.zeros(1, np.uint64)
        self._is_class = np.zeros(1, np.bool_)

    @property
    def known(self) -> int:
        """Labels it knows."""
        return self._hash.size - 1

    def learn(self, labels: Sequence[Label]) -> None:
        """Take the labels of the next codes."""
        hashes = np.array([self._hash_of(label) for label in labels], np.uint64)
        of_classes = np.array([str(label) not in self._distractors for label in labels], np.bool_)
        self._hash = np.concatenate([self._hash[:-1], hashes, self._hash[-1:]])
        self._is_class = np.concatenate([self._is_class[:-1], of_classes, self._is_class[-1:]])

    def hashes(self, codes: NDArray[np.int64], row_number: NDArray[np.int64]) -> NDArray[np.uint64]:
        """The hash of each row, whose label is known; -1 for none."""
        mixed = row_number.astype(np.uint64) * _STEP + self._row_key
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
        mixed ^= mixed >> np.uint64(31)
        return np.where(self._is_class[codes], self._hash[codes], mixed)

    def holds(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which rows are of the sample, as far as it is known now."""
        return hashes <= np.uint64(self._bar)

    def lower(self, hashes: NDArray[np.uint64]) -> None:
        """Lower the bar until the rows that are held are no more than the sample may have."""
        values, rows = np.unique(hashes, return_counts=True)
        fitting = int(np.searchsorted(np.cumsum(rows), self.plan.rows, side="right"))
        if fitting < values.size:
            # Up to the first that does not fit, not to the last that does: a class between the two
            # may be still to come.
            self._bar = int(values[fitting]) - 1

    def result(self, rows_left_out: int) -> RowSample | None:
        """What came of it; None where every row is of the sample."""
        if self._bar == _ALL:
            return None
        return RowSample(
            rows=self.plan.rows,
            share=(self._bar + 1) / 2.0**64,
            classes_read=int(np.count_nonzero(self._is_class)),
            rows_left_out=rows_left_out,
            automatic=self.plan.automatic,
        )

    def _hash_of(self, label: Label) -> int:
        text = str(label).encode("utf-8", "surrogatepass")
        return int.from_bytes(
            hashlib.blake2b(text, key=self._key[:32], digest_size=8).digest(), "little"
        )
