"""Findings: the records that a report is made of."""

from dataclasses import dataclass

from opiscal.data.embedding_set import (
    ClassSizes,
    DroppedRows,
    InputFile,
    Label,
    Precision,
    RowSample,
)

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the numbers come from. `fingerprint` hashes inputs and settings."""

    opiscal_version: str
    command: str
    seed: int
    threads: int
    inputs: tuple[InputFile, ...]
    columns: dict[str, str | None]
    fingerprint: str
    versions: dict[str, str]
    elapsed_s: dict[str, float]


@dataclass(frozen=True, slots=True)
class Data:
    """What was read, what of it was used, and what its elements were held as.

    `sample` is None where all rows that are fit were used. `queries`, `gallery` and
    `queries_unknown` are None for one set; the last are the queries without a gallery row of their
    class that is another item.
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
    precision: Precision = "float32"
    sample: RowSample | None = None
    queries: int | None = None
    gallery: int | None = None
    queries_unknown: int | None = None


@dataclass(frozen=True, slots=True)
class SampledTarget:
    """Sampling intervals of the threshold for a FAR, and of the FRR there."""

    far: float
    distance_ci: Pair
    frr_ci: Pair


@dataclass(frozen=True, slots=True)
class SamplingFound:
    """How pairs were sampled, and between which ends the numbers of an exact count lie.

    `near_pairs` were found by the index, all of them counted; `near_recall` is the share that it
    found of all negatives as near, by the random part of the sample, and `neighbour_recall` that of
    the ten nearest rows of some rows. Every other pair was in the sample with `probability`, as
    seen from each of its rows. Intervals are None where the range does not exist in part of the
    sample, and for the mean of class rates.
    """

    columns: int
    probability: float
    near_pairs: int
    near_recall: float | None
    index: str
    neighbour_recall: float
    classes_sampled: int
    opis_ci: Pair | None = None
    corrected_opis_ci: Pair | None = None
    epsilon_opis_ci: Pair | None = None
    mean_utility_ci: Pair | None = None
    far_targets: tuple[SampledTarget, ...] = ()


@dataclass(frozen=True, slots=True)
class Pairs:
    """How many pairs there are and how many were counted; of a sample, the pairs compared."""

    mode: str
    positive: int
    negative: int
    positive_counted: int
    negative_counted: int
    reason: str = ""
    sampling: SamplingFound | None = None


@dataclass(frozen=True, slots=True)
class RangeFound:
    """The calibration range; pairs are the values at its lower and its upper distance."""

    given: str
    distance: Pair
    similarity: Pair | None
    far: Pair
    frr: Pair


@dataclass(frozen=True, slots=True)
class UtilityFound:
    """The utility in use and its mean over classes and range."""

    kind: str
    c: float
    mean: float
    ci: Pair | None = None


@dataclass(frozen=True, slots=True)
class Opis:
    """OPIS; noise, corrected value and intervals are None where they were not worked out."""

    value: float
    noise: float | None = None
    corrected: float | None = None
    corrected_classes: int | None = None
    value_same_classes: float | None = None
    ci: Pair | None = None
    corrected_ci: Pair | None = None


@dataclass(frozen=True, slots=True)
class EpsilonOpis:
    """eps-OPIS and its worst classes, the worst first."""

    epsilon: float
    against: str
    rank: str
    value: float
    worst_classes: tuple[Label, ...]
    null_value: float | None = None
    ci: Pair | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """Bounds of the equal error rate, and the area under the ROC curve."""

    eer: Pair
    auc: float
    eer_ci: Pair | None = None


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Recall@k over the rows whose class has another row, of two sets over such queries."""

    recall_at: dict[str, float]
    queries: int


@dataclass(frozen=True, slots=True)
class WorstCell:
    """One of the classes, or groups, with the highest FAR or FRR, and the interval of its rate."""

    label: Label
    rate: float
    pairs: int
    ci: Pair


@dataclass(frozen=True, slots=True)
class Unequal:
    """How one rate differs over cells of 30 pairs or more; None for fewer than two of them."""

    max_over_geomean: float | None
    gini: float | None
    worst: tuple[WorstCell, ...]
    cells: int
    left_out: int


@dataclass(frozen=True, slots=True)
class GroupDifferential:
    """How unequal one threshold is over groups, from the pairs with both ends in one group.

    `positive_across` and `negative_across` are the shares of pairs that no group sees. `opis` is
    OPIS with groups in place of classes.
    """

    far: Unequal
    frr: Unequal
    garbe: float | None
    opis: float | None
    positive_across: float | None
    negative_across: float | None


@dataclass(frozen=True, slots=True)
class Differential:
    """How unequal one threshold is over classes, and over groups where there are any."""

    far_max_over_geomean: float | None
    frr_max_over_geomean: float | None
    worst_far_class: Label | None
    worst_frr_class: Label | None
    far: Unequal
    frr: Unequal
    garbe: float | None
    groups: GroupDifferential | None


@dataclass(frozen=True, slots=True)
class IntervalMethod:
    """How intervals came about.

    Without the sum over class pairs (`class_pair_sum` False) FAR intervals are somewhat too wide,
    by at most the root of 2. `unclassed_rows` belong to no scored class, and have no scatter of
    their own.
    """

    replicates: int
    seed: int
    class_pair_sum: bool
    unclassed_rows: int


@dataclass(frozen=True, slots=True)
class SplitRate:
    """A threshold chosen on one half of the classes, and what it does on the other half.

    `far_promised` and `frr_promised` are the rates where it was chosen, `far_achieved` and
    `frr_achieved` those on classes it has never seen.
    """

    split: int
    half: int
    criterion: str
    target: float | None
    distance: float
    far_promised: float
    far_achieved: float
    frr_promised: float
    frr_achieved: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the reader of the numbers should know."""

    code: str
    message: str
