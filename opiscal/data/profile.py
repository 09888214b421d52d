"""DataProfile: what is in a set of embeddings, and what looks wrong with it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import ClassSizes, DroppedRows, EmbeddingSet, Label, RowSample
from opiscal.data.memory import MemoryNeed, memory_need

# A length this close to 1 is a unit length that was rounded, in float16 at the worst.
_UNIT_TOLERANCE = 1e-3
_EXAMPLES = 10
# Elements of one step of work over all rows.
_STEP_VALUES = 1 << 16
_MINUS_ZERO = np.uint64(1 << 31)


@dataclass(frozen=True, slots=True)
class Norms:
    """Euclidean lengths of the rows used, as they were given.

    `unit_share` is the share of the rows whose length is within 1e-3 of 1.
    """

    unit_share: float
    min: float
    median: float
    max: float


@dataclass(frozen=True, slots=True)
class DuplicateExample:
    """Two rows of one vector and two classes, from a group of `rows` equal rows.

    Row numbers count from 0 over all files; the label of a distractor is None.
    """

    row: int
    label: Label | None
    other_row: int
    other_label: Label | None
    rows: int


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Rows whose stored float32 vectors are equal bit for bit.

    Attributes
    ----------
    rows : int
        Rows whose vector equals that of an earlier row.
    groups : int
        Vectors that several rows have.
    groups_across_classes : int
        Those whose rows are of several classes; distractors count as a class.
    examples : tuple of DuplicateExample
        The first 10 groups across classes, in the order of their first rows.
    """

    rows: int
    groups: int
    groups_across_classes: int
    examples: tuple[DuplicateExample, ...]


@dataclass(frozen=True, slots=True)
class DataProfile:
    """What `opiscal inspect` says of the data.

    Attributes
    ----------
    rows_read, rows_used, dropped, distractors, dimensions
        As in the report.
    classes, classes_scored, classes_singleton : int
        All classes; those of two rows or more; those of one row.
    class_size : ClassSizes
    norms : Norms
    duplicates : Duplicates
    positive_pairs : int
        Unordered pairs of rows of one class.
    negative_pairs : int
        Unordered pairs of rows of two classes, or of a class and the distractors.
    memory : MemoryNeed
        What all rows take as float32, and what there is.
    sample : RowSample or None
        That all the above is of a sample of rows, as all of them do not fit.
    """

    rows_read: int
    rows_used: int
    dropped: DroppedRows
    distractors: int
    dimensions: int
    classes: int
    classes_scored: int
    classes_singleton: int
    class_size: ClassSizes
    norms: Norms
    duplicates: Duplicates
    positive_pairs: int
    negative_pairs: int
    memory: MemoryNeed
    sample: RowSample | None

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as a JSON document of plain dicts, lists and numbers."""
        document = asdict(self)
        document["duplicates"]["examples"] = list(document["duplicates"]["examples"])
        document["memory"]["fits"] = self.memory.fits
        return document


def profile(embeddings: EmbeddingSet) -> DataProfile:
    """Describe a set of embeddings.

    Parameters
    ----------
    embeddings : EmbeddingSet
        At least one row and one class. Not modified; beside it, memory for a few numbers a row
        is used.

    Returns
    -------
    DataProfile
        With ``n_i`` rows of class ``i``, ``N`` rows in all and ``X`` distractors there are
        ``sum_i n_i (n_i - 1) / 2`` positive pairs, and ``N (N - 1) / 2`` less those and
        ``X (X - 1) / 2`` negative pairs.

    Examples
    --------
    >>> import numpy as np
    >>> from opiscal.data.rows import from_arrays
    >>> found = profile(from_arrays(np.array([[2, 0], [0, 1], [1, 0], [4, 0]]), list("abba")))
    >>> found.positive_pairs, found.negative_pairs, found.norms.unit_share
    (2, 4, 0.5)
    >>> found.duplicates.rows, found.duplicates.examples
    (2, (DuplicateExample(row=0, label='a', other_row=2, other_label='b', rows=3),))
    """
    # Python integers: the numbers of pairs may leave 64 bits.
    sizes = embeddings.class_sizes()
    positive = sum(_pairs(size) for size in sizes.tolist())
    distractors = embeddings.distractors
    return DataProfile(
        rows_read=embeddings.rows_read,
        rows_used=embeddings.rows,
        dropped=embeddings.dropped,
        distractors=distractors,
        dimensions=embeddings.dimensions,
        classes=len(sizes),
        classes_scored=int(np.count_nonzero(sizes >= 2)),
        classes_singleton=int(np.count_nonzero(sizes == 1)),
        class_size=ClassSizes(int(sizes.min()), float(np.median(sizes)), int(sizes.max())),
        norms=_norms(embeddings.norms),
        duplicates=find_duplicates(embeddings),
        positive_pairs=positive,
        negative_pairs=_pairs(embeddings.rows) - positive - _pairs(distractors),
        memory=memory_need(embeddings.rows_read, embeddings.dimensions),
        sample=embeddings.sample,
    )


def find_duplicates(embeddings: EmbeddingSet) -> Duplicates:
    """Find the rows whose stored vectors are equal.

    Rows are sorted by a 64-bit hash, and those of one hash compared in full.

    Parameters
    ----------
    embeddings : EmbeddingSet
        Not modified.

    Returns
    -------
    Duplicates
    """
    groups = groups_of_equal_rows(np.asarray(embeddings.vectors))
    starts, sizes = groups.starts, groups.sizes
    classes = embeddings.class_of_row[groups.rows]
    across = np.zeros(0, dtype=np.int64)
    if len(starts):
        differs = np.minimum.reduceat(classes, starts) != np.maximum.reduceat(classes, starts)
        across = np.flatnonzero(differs)
    # Rows ascend within a group, but the groups are in the order of their hashes.
    across = across[np.argsort(groups.rows[starts[across]])]
    examples = []
    for group in across[:_EXAMPLES].tolist():
        here = slice(starts[group], starts[group] + sizes[group])
        other = int(groups.rows[here][np.argmax(classes[here] != classes[starts[group]])])
        row = int(groups.rows[starts[group]])
        examples.append(
            DuplicateExample(
                row=int(embeddings.row_number[row]),
                label=_label(embeddings, row),
                other_row=int(embeddings.row_number[other]),
                other_label=_label(embeddings, other),
                rows=int(sizes[group]),
            )
        )
    return Duplicates(
        rows=len(groups.rows) - len(starts),
        groups=len(starts),
        groups_across_classes=len(across),
        examples=tuple(examples),
    )


def _label(embeddings: EmbeddingSet, row: int) -> Label | None:
    code = int(embeddings.class_of_row[row])
    return embeddings.labels[code] if code >= 0 else None


def _pairs(rows: int) -> int:
    return rows * (rows - 1) // 2


def _norms(norms: NDArray[np.float64]) -> Norms:
    near_one = np.count_nonzero(np.abs(norms - 1.0) <= _UNIT_TOLERANCE)
    return Norms(
        unit_share=float(near_one / len(norms)),
        min=float(norms.min()),
        # The lower of the two in the middle: their mean would overflow for the longest rows.
        median=float(np.quantile(norms, 0.5, method="lower")),
        max=float(norms.max()),
    )


@dataclass(frozen=True, slots=True)
class EqualRows:
    """Groups of two or more rows: `rows`, group after group, ascending within each."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]


def groups_of_equal_rows(vectors: NDArray[np.float32]) -> EqualRows:
    """Find rows that are equal, 0 and -0 alike: sorted by a hash, then compared in full."""
    bits = vectors.view(np.uint32)
    seed = 0
    groups = _groups_of_equal_hash(_hashes(bits, seed))
    while not _all_equal(bits, groups):
        # Rows that differ share a hash: hash all of them anew, with other numbers.
        seed += 1
        groups = _groups_of_equal_hash(_hashes(bits, seed))
    return groups


def _groups_of_equal_hash(hashes: NDArray[np.uint64]) -> EqualRows:
    order = np.argsort(hashes, kind="stable")
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = hashes[order[1:]] != hashes[order[:-1]]
    alone = first & np.append(first[1:], True)
    rows, first = order[~alone], first[~alone]
    starts = np.flatnonzero(first)
    return EqualRows(rows, starts, np.diff(starts, append=len(rows)))


def _all_equal(bits: NDArray[np.uint32], groups: EqualRows) -> bool:
    """Return whether every row of every group equals the first of its group."""
    vectors = bits.view(np.float32)
    leaders = np.repeat(groups.rows[groups.starts], groups.sizes)
    step = max(1, _STEP_VALUES // bits.shape[1])
    return all(
        np.array_equal(
            vectors[groups.rows[start : start + step]], vectors[leaders[start : start + step]]
        )
        for start in range(0, len(leaders), step)
    )


def _hashes(bits: NDArray[np.uint32], seed: int) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each row: its mixed words by random odd numbers, summed.

    Without the mixing, rows that differ in signs alone, the highest bits of their words, would
    share a hash once in 2**32 pairs.
    """
    generator = np.random.default_rng(seed)
    factors = generator.integers(2**63, size=bits.shape[1] + 1, dtype=np.uint64) * 2 + 1
    hashes = np.empty(len(bits), dtype=np.uint64)
    step = max(1, _STEP_VALUES // bits.shape[1])
    for start in range(0, len(bits), step):
        # Unsigned products and sums wrap round, as they should.
        words = bits[start : start + step].astype(np.uint64)
        words[words == _MINUS_ZERO] = 0
        words *= factors[-1]
        words ^= words >> np.uint64(32)
        hashes[start : start + step] = words @ factors[:-1]
    return hashes
