"""HardPairs: what breaks a threshold, as one frozen record."""

from dataclasses import dataclass, fields
from typing import Any

from opiscal.data.embedding_set import InputFile, Label, Metric
from opiscal.report.plain import plain
from opiscal.report.rounding import round_down, round_up

HARD_PAIRS_VERSION = 1


@dataclass(frozen=True, slots=True)
class UsedThreshold:
    """The threshold on all scales, and where it comes from; the cosine scales None under ``l2``."""

    similarity: float | None
    distance: float
    cosine_distance: float | None
    squared_l2: float
    source: str


@dataclass(frozen=True, slots=True)
class RowName:
    """A row: its position in the input from 0 over all files, its name and its label."""

    row: int
    id: Label | None
    label: Label | None


@dataclass(frozen=True, slots=True)
class HardPair:
    """Two rows, ``a`` read before ``b``; similarity None under ``l2``."""

    a: RowName
    b: RowName
    distance: float
    similarity: float | None


@dataclass(frozen=True, slots=True)
class ConfusedClasses:
    """Two classes and the accepted pairs of their rows.

    Attributes
    ----------
    label_a, label_b : str or int
    rows_a, rows_b : int
    accepted : int
        Accepted pairs of a row of the one and a row of the other.
    pairs : int
        All such pairs.
    share : float
        `accepted` over `pairs`.
    nearest : HardPair
        The nearest of the accepted ones.
    nearest_means : bool
        Whether the one is the class whose mean row is nearest to that of the other: then the
        classes are near as a whole, else some of their rows are. By the function that fills the
        column ``nearest_class`` of ``classes.parquet``.
    """

    label_a: Label
    label_b: Label
    rows_a: int
    rows_b: int
    accepted: int
    pairs: int
    share: float
    nearest: HardPair
    nearest_means: bool


@dataclass(frozen=True, slots=True)
class LikelyLabelError:
    """A row whose neighbours nearly all carry one other label.

    Attributes
    ----------
    row : RowName
    suggested : str or int
        That label.
    share, own_share : float
        Shares of the neighbours looked at that carry it, and that carry the row's own.
    neighbours : int
        Neighbours looked at.
    nearest : RowName
        The nearest row of the suggested label.
    distance : float
        Its distance.
    similarity : float or None
    """

    row: RowName
    suggested: Label
    share: float
    own_share: float
    neighbours: int
    nearest: RowName
    distance: float
    similarity: float | None


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Rows of one vector and of several labels."""

    rows: tuple[RowName, ...]


@dataclass(frozen=True, slots=True)
class HardPairs:
    """What `opiscal.hard_pairs` finds.

    Attributes
    ----------
    metric : "cosine" or "l2"
    threshold : UsedThreshold
    rows, classes, distractors : int
    positive, negative : int
        Pairs of the set.
    accepted_negatives, rejected_positives : int
        Errors at the threshold; accepted ones a lower bound where `exact` is False.
    far, frr : float or None
        Their shares; None where there is no such pair.
    index : str
        How rows were searched; all pairs are looked at where it is ``Flat``.
    exact : bool
    recall : float or None
        With an approximate index, the share of the accepted negatives found on a sample of rows.
    recall_pairs : int or None
        How many those of the sample are.
    top : int
        What is listed at most, of each kind.
    id_column : str or None
        Where names of rows come from; None where rows have only their numbers.
    hard_negatives : tuple of HardPair
        Accepted pairs of different classes, the nearest first.
    hard_positives : tuple of HardPair
        Rejected pairs of one class, the farthest first.
    confused_classes : tuple of ConfusedClasses
        Most accepted pairs first; ties by share, then by label.
    class_pairs : int
        Class pairs with an accepted pair, listed or not.
    label_errors : tuple of LikelyLabelError
        Largest share first; ties by distance, then by row.
    label_errors_found : int
    duplicates : tuple of DuplicateGroup
        In the order of their first rows.
    duplicates_found : int
    inputs : tuple of InputFile
    """

    metric: Metric
    threshold: UsedThreshold
    rows: int
    classes: int
    distractors: int
    positive: int
    negative: int
    accepted_negatives: int
    rejected_positives: int
    far: float | None
    frr: float | None
    index: str
    exact: bool
    recall: float | None
    recall_pairs: int | None
    top: int
    id_column: str | None
    hard_negatives: tuple[HardPair, ...]
    hard_positives: tuple[HardPair, ...]
    confused_classes: tuple[ConfusedClasses, ...]
    class_pairs: int
    label_errors: tuple[LikelyLabelError, ...]
    label_errors_found: int
    duplicates: tuple[DuplicateGroup, ...]
    duplicates_found: int
    inputs: tuple[InputFile, ...]

    def to_dict(self) -> dict[str, Any]:
        """The document of ``opiscal hard-pairs --json``."""
        document: dict[str, Any] = {"hard_pairs_version": HARD_PAIRS_VERSION, **plain(self)}
        used = self.threshold
        document["threshold"] |= {
            "similarity": None if used.similarity is None else round_up(used.similarity),
            "distance": round_down(used.distance),
            "cosine_distance": None
            if used.cosine_distance is None
            else round_down(used.cosine_distance),
            "squared_l2": round_down(used.squared_l2),
        }
        return document

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """The lists as columns of tables, by the names of the files that hold them."""
        marked = [("negative", pair) for pair in self.hard_negatives]
        marked += [("positive", pair) for pair in self.hard_positives]
        pairs = [{"kind": kind, **_flat(pair)} for kind, pair in marked]
        members = [
            {"group": k, **_flat(row)}
            for k, group in enumerate(self.duplicates)
            for row in group.rows
        ]
        return {
            "hard_pairs": _columns(pairs, ["kind", *_names(HardPair)]),
            "class_pairs": _columns(
                list(map(_flat, self.confused_classes)), _names(ConfusedClasses)
            ),
            "label_errors": _columns(list(map(_flat, self.label_errors)), _names(LikelyLabelError)),
            "duplicates": _columns(members, ["group", *_names(RowName)]),
        }


# A row within a record becomes three columns: without a prefix for the row that the line is about.
_ROWS = {"a": "_a", "b": "_b", "row": "", "nearest": "_nearest"}
_OF_ROW = ("row", "id", "label")


def _flat(record: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, RowName):
            out |= {f"{part}{_ROWS[field.name]}": getattr(value, part) for part in _OF_ROW}
        elif isinstance(value, HardPair):
            out |= {f"{field.name}_{name}": v for name, v in _flat(value).items()}
        else:
            out[field.name] = value
    return out


def _names(kind: Any) -> list[str]:
    out = []
    for field in fields(kind):
        if field.type is RowName:
            out += [f"{part}{_ROWS[field.name]}" for part in _OF_ROW]
        elif field.type is HardPair:
            out += [f"{field.name}_{name}" for name in _names(HardPair)]
        else:
            out.append(field.name)
    return out


def _columns(lines: list[dict[str, Any]], names: list[str]) -> dict[str, list[Any]]:
    return {name: [line[name] for line in lines] for name in names}
