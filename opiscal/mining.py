"""The story of hard pairs: embeddings and a threshold to the pairs and classes that break it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opiscal.data.embedding_set import EmbeddingSet, Label, Metric, RowPolicy
from opiscal.data.profile import groups_of_equal_rows
from opiscal.data.rows import from_arrays
from opiscal.errors import InputError, UsageError
from opiscal.measures.operating_points import threshold_scales
from opiscal.pairs.far_positives import find_far_positives
from opiscal.pairs.index_choice import IndexChoice
from opiscal.pairs.indexed_pairs import index_near_pairs
from opiscal.pairs.label_errors import find_label_errors
from opiscal.pairs.near_pairs import NearPairs
from opiscal.pairs.near_scan import scan_near_pairs
from opiscal.pairs.sorted_rows import SortedRows, sort_rows
from opiscal.progress import Progress, stage_of
from opiscal.report.hard_pairs import DuplicateGroup, HardPairs, UsedThreshold
from opiscal.report.named_rows import NameRows, RowNamer
from opiscal.report.threshold_source import GivenThreshold, check_threshold, sampled_threshold

NEIGHBOURS = 10
"""Nearest rows by which the label of a row is judged."""
MOST_SCANNED_ROWS = 100_000
"""Rows up to which all pairs are looked at unless an index is named.

Half the product of all rows in one go costs no more than the two searches of an inverted file do at
this size, and misses nothing.
"""


@dataclass(frozen=True, slots=True)
class MiningConfig:
    """How hard pairs are looked for.

    Attributes
    ----------
    top : int
        What is listed at most, of each kind.
    index : IndexChoice
        Flat, and ``auto`` up to 100,000 rows, look at all pairs.
    seed : int
        Of the sample from which a threshold is taken, and of an approximate index.
    threads : int, optional
        Default: all cores that this process may use.
    """

    top: int = 100
    index: IndexChoice = field(default_factory=IndexChoice)
    seed: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.top < 1:
            raise UsageError(f"top {self.top}: must be at least 1, such as 100")
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"threads {self.threads}: must be at least 1")
        if self.seed < 0:
            raise UsageError(f"seed {self.seed}: must be at least 0")


def hard_pairs(
    vectors: ArrayLike,
    labels: Sequence[Any] | ArrayLike,
    ids: Sequence[Any] | ArrayLike | None = None,
    *,
    threshold: float | None = None,
    top: int = 100,
    metric: Metric = "cosine",
    index: str | IndexChoice = "auto",
    seed: int = 0,
    threads: int | None = None,
) -> HardPairs:
    r"""Find the pairs, classes and labels that break a threshold.

    Parameters
    ----------
    vectors : array_like of shape (rows, dimensions), float
        Not changed.
    labels : sequence of length rows
        Strings or integers; None or NaN where missing: such rows are left out.
    ids : sequence of length rows, optional
        Names of the rows, strings or integers. Without them a row has its position alone.
    threshold : float, optional
        A distance: under ``cosine`` the L2 distance of unit rows, :math:`\sqrt{2 - 2 s}`, in
        [0, 2]. A pair is accepted when its distance is at most the threshold. Default: the one with
        FAR 0.001 in a seeded sample of pairs.
    top : int
        What is listed at most, of each kind.
    metric : "cosine" or "l2"
    index : str or IndexChoice
        ``auto`` looks at all pairs up to 100,000 rows, which is exact, and takes an inverted file
        beyond: counts are then lower bounds, and `HardPairs.recall` says how low.
    seed, threads : int

    Returns
    -------
    HardPairs
        Accepted pairs of different classes, the nearest first; rejected pairs of one class, the
        farthest first (these are exact with any index); class pairs by their accepted pairs;
        rows whose label is likely wrong (see `opiscal.pairs.label_errors`); and rows of one vector
        and several labels. Every distance is taken from the rows in double precision, every
        unordered pair is listed once, and ties are in the order of the rows.

    Raises
    ------
    InputError
        Where the arrays do not hold what is needed.
    UsageError
        For a setting that is not allowed.
    InconclusiveError
        Where no threshold is given and the sample has no negative pair.

    Examples
    --------
    >>> import opiscal
    >>> found = opiscal.hard_pairs(
    ...     [[0.0], [1.0], [9.0], [1.5], [7.0]], list("aaabb"), threshold=2.0, metric="l2"
    ... )
    >>> [(pair.a.row, pair.b.row, pair.distance) for pair in found.hard_negatives]
    [(1, 3, 0.5), (0, 3, 1.5), (2, 4, 2.0)]
    >>> [(pair.a.row, pair.b.row, pair.distance) for pair in found.hard_positives]
    [(0, 2, 9.0), (1, 2, 8.0), (3, 4, 5.5)]
    >>> found.far, found.confused_classes[0].share
    (0.5, 0.5)
    """
    choice = index if isinstance(index, IndexChoice) else IndexChoice(index)
    config = MiningConfig(top, choice, seed, threads)
    _check_metric(metric)
    embeddings = from_arrays(vectors, labels, policy=RowPolicy(metric=metric))
    names: list[Label | None] | None = None
    if ids is not None:
        names = [item if item is None else _plain_id(item) for item in np.asarray(ids, object)]
        if len(names) != embeddings.rows_read:
            raise InputError(
                f"{embeddings.rows_read:,} vectors and {len(names):,} ids; give one for each vector"
            )
    given = None if threshold is None else GivenThreshold(float(threshold))
    name_rows = None if names is None else (lambda rows: {row: names[row] for row in rows})
    return mine(embeddings, config, given, name_rows=name_rows, id_column="ids" if names else None)


def mine(
    embeddings: EmbeddingSet,
    config: MiningConfig,
    threshold: GivenThreshold | None = None,
    *,
    name_rows: NameRows | None = None,
    id_column: str | None = None,
    progress: Progress | None = None,
) -> HardPairs:
    """Find the hard pairs of a set that was read; see `hard_pairs`."""
    check_threshold(threshold, embeddings.metric)
    rows = sort_rows(embeddings, config.threads)
    given = threshold or sampled_threshold(rows, embeddings.metric, config.seed)
    near = _near_pairs(embeddings, rows, given.distance, config, progress)
    far = find_far_positives(
        rows, np.asarray(embeddings.vectors), given.distance, top=config.top, threads=config.threads
    )
    errors = find_label_errors(near.neighbours, embeddings.class_of_row, given.distance)
    duplicates = _duplicates(embeddings)
    listed, shown = errors.head(config.top), duplicates[: config.top]
    pairs = (near.nearest, far.farthest)
    named = [row for pair in pairs for row in (pair.first, pair.second)]
    named += [near.confusions.row_a, near.confusions.row_b, listed.row, listed.nearest, *shown]
    namer = RowNamer(embeddings, np.unique(np.concatenate(named)), name_rows)
    sizes = rows.classes.class_rows
    positive = int((sizes * (sizes - 1) // 2).sum())
    negative = rows.pairs - positive
    return HardPairs(
        metric=embeddings.metric,
        threshold=UsedThreshold(
            **threshold_scales(given.distance, embeddings.metric),  # type: ignore[arg-type]
            source=given.source,
        ),
        rows=embeddings.rows,
        classes=len(embeddings.labels),
        distractors=embeddings.distractors,
        positive=positive,
        negative=negative,
        accepted_negatives=near.accepted,
        rejected_positives=far.rejected,
        far=near.accepted / negative if negative else None,
        frr=far.rejected / positive if positive else None,
        index=near.index,
        exact=near.exact,
        recall=near.recall,
        recall_pairs=near.recall_pairs,
        top=config.top,
        id_column=id_column,
        hard_negatives=namer.pairs(near.nearest),
        hard_positives=namer.pairs(far.farthest),
        confused_classes=namer.classes(near.confusions, rows, config.threads),
        class_pairs=near.class_pairs,
        label_errors=namer.label_errors(listed),
        label_errors_found=len(errors),
        duplicates=tuple(DuplicateGroup(tuple(map(namer.name, rows.tolist()))) for rows in shown),
        duplicates_found=len(duplicates),
        inputs=embeddings.inputs,
    )


def _check_metric(metric: str) -> None:
    if metric not in ("cosine", "l2"):
        raise UsageError(f"metric {metric!r}: must be cosine or l2")


def _plain_id(item: Any) -> Label:
    return int(item) if isinstance(item, int | np.integer) else str(item)


def looks_at_all_pairs(choice: IndexChoice, rows: int) -> bool:
    """Whether no index is needed.

    Examples
    --------
    >>> looks_at_all_pairs(IndexChoice(), 100_000), looks_at_all_pairs(IndexChoice(), 100_001)
    (True, False)
    """
    few = choice.factory == "auto" and rows <= MOST_SCANNED_ROWS
    return few or choice.resolved(rows) == "Flat"


def _near_pairs(
    embeddings: EmbeddingSet,
    rows: SortedRows,
    distance: float,
    config: MiningConfig,
    progress: Progress | None,
) -> NearPairs:
    k, top, threads = NEIGHBOURS, config.top, config.threads
    if looks_at_all_pairs(config.index, embeddings.rows):
        for option, value in (
            ("nprobe", config.index.nprobe),
            ("ef-search", config.index.ef_search),
        ):
            if value is not None:
                raise UsageError(
                    f"{option} {value}: all pairs of {embeddings.rows:,} rows are looked at; leave "
                    "it out, or name an index such as --index IVF256,Flat"
                )
        total = embeddings.rows * (embeddings.rows - 1) // 2
        advance = stage_of(progress, "looking at all pairs", total)
        return scan_near_pairs(
            rows,
            np.asarray(embeddings.vectors),
            distance,
            k=k,
            top=top,
            threads=threads,
            advance=advance,
        )
    advance = stage_of(progress, "searching the index", embeddings.rows)
    return index_near_pairs(
        embeddings, distance, config.index,
        k=k, top=top, seed=config.seed, threads=threads, advance=advance,
    )  # fmt: skip


def _duplicates(embeddings: EmbeddingSet) -> list[NDArray[np.int64]]:
    """Rows of one vector and of two classes or more, in the order of their first rows."""
    groups = groups_of_equal_rows(np.asarray(embeddings.vectors))
    found = []
    for start, size in zip(groups.starts.tolist(), groups.sizes.tolist(), strict=True):
        rows = groups.rows[start : start + size]
        classes = embeddings.class_of_row[rows]
        if np.unique(classes[classes >= 0]).size > 1:
            found.append(rows)
    return sorted(found, key=lambda rows: int(rows[0]))
