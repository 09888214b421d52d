"""Report: everything an evaluation found, as one record."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opiscal.data.embedding_set import (
    ClassSizes,
    DroppedRows,
    InputFile,
    Label,
    Metric,
    Precision,
    RowSample,
)
from opiscal.measures.operating_points import OperatingPoint
from opiscal.pairs.counts import PairCounts
from opiscal.report.plain import plain
from opiscal.report.rounding import round_down, round_up
from opiscal.report.settings import EvaluateConfig

if TYPE_CHECKING:
    from opiscal.report.displays.display import Display
    from opiscal.report.margins import Margins

SCHEMA_VERSION = 1

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


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation found.

    Fields are those of ``report.json``; `settings` is what was asked for, and `counts` holds the
    pair counts from which further questions are answered.
    """

    schema_version: int
    provenance: Provenance
    settings: EvaluateConfig
    data: Data
    pairs: Pairs
    metric: Metric
    calibration_range: RangeFound
    utility: UtilityFound
    opis: Opis
    epsilon_opis: EpsilonOpis
    recommended_threshold: OperatingPoint
    operating_points: tuple[OperatingPoint, ...]
    verification: Verification
    retrieval: Retrieval | None
    differential: Differential | None
    split: tuple[SplitRate, ...] | None
    intervals: IntervalMethod | None
    confidence: float
    warnings: tuple[Notice, ...]
    counts: PairCounts = dataclasses.field(repr=False)
    nearest_class: tuple[Label | None, ...] = dataclasses.field(repr=False)

    def threshold(
        self,
        *,
        far: float | None = None,
        frr: float | None = None,
        eer: bool = False,
        utility: bool = False,
        at: float | None = None,
        guarantee: bool = False,
        confidence: float | None = None,
        force: bool = False,
    ) -> OperatingPoint:
        """The operating point for one target, read from the counts.

        Parameters
        ----------
        far : float, in (0, 1)
            The largest threshold whose FAR is at most this.
        frr : float, in (0, 1)
            The smallest threshold whose FRR is at most this.
        eer : bool
            Where FAR and FRR are closest.
        utility : bool
            Where the class-mean utility is highest.
        at : float
            A distance that is in use already.
        guarantee : bool
            With `far`: the largest threshold whose upper bound on FAR, not its estimate, is at most
            the target.
        confidence : float, in (0.5, 1), optional
            Of the intervals and of the guarantee; that of the report by default.
        force : bool
            Give a threshold that the data do not support all the same, marked ``supported=False``.

        Returns
        -------
        OperatingPoint
            With ``supported=False`` and no numbers where the data cannot answer.

        Raises
        ------
        UsageError
            For a rate outside (0, 1), or where not exactly one target is given.
        """
        from opiscal.report.answers import answer

        return answer(
            self,
            far=far,
            frr=frr,
            eer=eer,
            utility=utility,
            at=at,
            guarantee=guarantee,
            confidence=confidence,
            force=force,
        )

    def margins(
        self,
        *,
        far: float | None = None,
        frr: float | None = None,
        m_pos: float | None = None,
        m_neg: float | None = None,
    ) -> "Margins":
        """Margins of the threshold-consistent margin (TCM) loss that fit this embedding space.

        By default the similarities at the two ends of the calibration range: positive pairs beyond
        its near end are hard, and negative pairs within its far end.

        Parameters
        ----------
        far : float, in (0, 1)
            `m_neg` is the similarity of the largest threshold whose FAR is at most this.
        frr : float, in (0, 1)
            `m_pos` is that of the smallest threshold whose FRR is at most this.
        m_pos, m_neg : float, in [-1, 1]
            Margins that are in use.

        Returns
        -------
        Margins
            With the pairs that each calls hard, the loss now, and the same of the paper's margins.

        Raises
        ------
        UsageError
            Under ``l2``, for a value that is not allowed, or where a margin is given twice.
        InconclusiveError
            Where the data cannot support the FAR.
        """
        from opiscal.report.margins import margins_of

        return margins_of(self, far=far, frr=frr, m_pos=m_pos, m_neg=m_neg)

    def display(self, kind: str) -> "Display":
        """Numbers of a figure, which ``.plot(ax=None)`` draws.

        Parameters
        ----------
        kind : str
            ``utility-curves``, ``rates``, ``distances``, ``distances-log``, ``det``, ``roc``,
            ``class-ranking``, ``class-thresholds`` or ``spread``.

        Raises
        ------
        UsageError
            For another kind.
        """
        # It loads matplotlib.
        from opiscal.report.displays.kinds import displays_of

        return next(displays_of(self, (kind,)))

    def to_dict(self) -> dict[str, Any]:
        """The document of ``report.json``: plain values, similarities up and distances down."""
        out: dict[str, Any] = plain(self)
        for name in ("counts", "nearest_class"):
            del out[name]
        found = out["calibration_range"]
        found["distance"] = [round_down(d) for d in found["distance"]]
        if found["similarity"] is not None:
            found["similarity"] = [round_up(s) for s in found["similarity"]]
        out["recommended_threshold"] = point_to_dict(self.recommended_threshold)
        out["operating_points"] = [point_to_dict(point) for point in self.operating_points]
        out["settings"] = self.settings.to_dict()
        return out

    def save(self, path: str | Path, *, plots: bool = True, slim: bool = False) -> Path:
        """Write the run folder, whole or not at all; an older run there is replaced.

        Parameters
        ----------
        path : str or Path
        plots : bool
            Whether figures are drawn, and the page with them is written.
        slim : bool
            Whether only what comparisons need is kept: a small run, and nothing is drawn.

        Raises
        ------
        InputError
            Where the folder cannot be written, or holds something that is not a run.
        """
        from opiscal.report.run import write_run

        return write_run(self, Path(path), plots=plots, slim=slim)


def point_to_dict(point: OperatingPoint) -> dict[str, Any]:
    """An operating point as plain values, similarities rounded up and distances down."""
    out: dict[str, Any] = plain(point)
    for name in ("distance", "cosine_distance", "squared_l2"):
        if out[name] is not None:
            out[name] = round_down(out[name])
    if out["similarity"] is not None:
        out["similarity"] = round_up(out["similarity"])
    return out
