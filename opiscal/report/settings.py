"""EvaluateConfig: what an evaluation was asked to do."""

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from opiscal.data.embedding_set import Metric, NullLabel, RowPolicy, Singletons
from opiscal.data.row_sample import FEWEST_ROWS
from opiscal.errors import UsageError
from opiscal.measures.calibration_range import RangeSpec
from opiscal.measures.opis import EpsAgainst, EpsRank, Integration, check_epsilon
from opiscal.measures.rate_intervals import check_confidence
from opiscal.measures.rates import Pool
from opiscal.measures.utility import Utility, UtilityKind
from opiscal.pairs.index_choice import IndexChoice
from opiscal.pairs.pair_settings import DEFAULT_POSITIVES, PairMode, PairSettings


@dataclass(frozen=True, slots=True)
class Recommendation:
    """How the recommended threshold is chosen.

    Attributes
    ----------
    criterion : "utility", "far", "frr" or "eer"
    target : float or None
        The rate, for ``far`` and ``frr``.
    """

    criterion: Literal["utility", "far", "frr", "eer"]
    target: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Recommendation":
        """Read ``utility``, ``eer``, ``far=x`` or ``frr=x``; anything else is a `UsageError`.

        Examples
        --------
        >>> Recommendation.parse("far=1e-3")
        Recommendation(criterion='far', target=0.001)
        """
        if text == "utility":
            return cls("utility")
        if text == "eer":
            return cls("eer")
        name, _, value = text.partition("=")
        try:
            target = float(value)
        except ValueError:
            target = -1.0
        if not 0.0 < target < 1.0:
            target = -1.0
        if target > 0 and name == "far":
            return cls("far", target)
        if target > 0 and name == "frr":
            return cls("frr", target)
        raise UsageError(
            f"recommend {text!r}: must be utility, eer, far=x or frr=x with x between 0 and 1, "
            "such as far=1e-3"
        )


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """Settings of an evaluation; every field is an option of ``opiscal evaluate``.

    Attributes
    ----------
    metric : "cosine" or "l2"
        ``cosine`` scales rows to unit length.
    utility : "sensitivity-specificity" or "precision-recall"
        Which F-score.
    c : float, above 0
        Weight in the F-score; above 1 weighs sensitivity (recall) more.
    range : str
        Calibration range: ``far=a:b``, ``frr=a:b``, ``distance=a:b`` or ``similarity=a:b``.
    integration : str
        ``exact``, or ``grid:K`` for the mean over K even thresholds.
    epsilon : float, in (0, 0.5]
        Share of classes that eps-OPIS takes as the worst.
    eps_against : "others" or "best"
    eps_rank : "range" or "threshold"
    pool : "pairs" or "classes"
        Whether rates are pooled over pairs, or are means of the classes' own rates.
    recommend : str
        ``utility``, ``eer``, ``far=x`` or ``frr=x``.
    singletons : "keep" or "drop"
        Whether rows that are alone in their class stay as negatives for all others.
    null_label : "drop" or "distractor"
    distractor_labels : tuple of str
        Labels whose rows are negatives for every class and form none.
    strict : bool
        Whether a row that would be left out is an error.
    half : bool
        Whether vectors are held as float16, in half the memory, and counted as rounded.
    sample_rows : int or None
        How many rows are used at most, chosen by whole classes; 1000 or more. None: all, or where
        they would take more than half of the memory as many as take half of it.
    retrieval : bool
        Whether Recall@k is worked out.
    seed : int
        Of the sample of pairs from which edges are placed, and of a sample of rows.
    threads : int or None
        None: all cores that the process may use. The counts do not depend on it.
    confidence : float, in (0.5, 1)
        Level of the intervals.
    splits : int
        How often the classes are split in halves to judge thresholds on classes never seen; 0: not
        at all.
    pairs : "auto", "exact" or "sampled"
        Which pairs are counted: all, or a sample; ``auto`` decides by rows and dimensions.
    sample_pairs : int, optional
        Size of the random part of a sample.
    budget : float, optional
        Seconds that an evaluation should take on this machine, by a smaller sample.
    positive_cap : int
        In a sample, positive pairs of a class up to which all are counted.
    index : str
        ``auto``, or a string of faiss' index_factory, for the near pairs of a sample.
    nprobe, ef_search : int, optional
        How hard the index searches.

    Raises
    ------
    UsageError
        For a value that is not allowed.
    """

    metric: Metric = "cosine"
    utility: UtilityKind = "sensitivity-specificity"
    c: float = 1.0
    range: str = "far=0.01:0.1"
    integration: str = "exact"
    epsilon: float = 0.1
    eps_against: EpsAgainst = "others"
    eps_rank: EpsRank = "range"
    pool: Pool = "pairs"
    recommend: str = "utility"
    singletons: Singletons = "keep"
    null_label: NullLabel = "drop"
    distractor_labels: tuple[str, ...] = ()
    strict: bool = False
    half: bool = False
    sample_rows: int | None = None
    retrieval: bool = True
    seed: int = 0
    threads: int | None = None
    confidence: float = 0.95
    splits: int = 0
    pairs: PairMode = "auto"
    sample_pairs: int | None = None
    budget: float | None = None
    positive_cap: int = DEFAULT_POSITIVES
    index: str = "auto"
    nprobe: int | None = None
    ef_search: int | None = None

    def __post_init__(self) -> None:
        for name, (kind, wanted) in _KINDS.items():
            value = getattr(self, name)
            # True is an int to Python, and a slip of the pen in a setting.
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise UsageError(f"{name.replace('_', '-')} {value!r}: must be {wanted}")
        for name, kinds in _CHOICES.items():
            value = getattr(self, name)
            if value not in get_args(kinds):
                raise UsageError(
                    f"{name.replace('_', '-')} {value!r}: must be one of "
                    f"{', '.join(get_args(kinds))}"
                )
        Utility(self.utility, self.c)
        self.range_spec.distances(self.metric)
        Integration.parse(self.integration)
        check_epsilon(self.epsilon)
        Recommendation.parse(self.recommend)
        if self.seed < 0:
            raise UsageError(f"seed {self.seed}: must be 0 or more")
        if not 0 <= self.splits <= 1000:
            raise UsageError(f"splits {self.splits}: must be from 0 (no split) to 1000, such as 3")
        if self.sample_rows is not None and self.sample_rows < FEWEST_ROWS:
            raise UsageError(
                f"sample-rows {self.sample_rows}: must be {FEWEST_ROWS} or more, as fewer rows say "
                "little about classes; without it all rows that fit into memory are used"
            )
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"threads {self.threads}: must be 1 or more")
        if not all(isinstance(label, str) for label in self.distractor_labels):
            raise UsageError(
                f"distractor-labels {self.distractor_labels!r}: every one must be a string, also "
                "where labels are integers"
            )
        check_confidence(self.confidence)
        _ = self.pair_settings

    @property
    def pair_settings(self) -> PairSettings:
        """Which pairs are to be counted."""
        return PairSettings(
            mode=self.pairs,
            sample_pairs=self.sample_pairs,
            budget=self.budget,
            most_positives=self.positive_cap,
            index=IndexChoice(self.index, self.nprobe, self.ef_search),
        )

    @property
    def range_spec(self) -> RangeSpec:
        """The calibration range that was asked for."""
        return RangeSpec.parse(self.range)

    @property
    def row_policy(self) -> RowPolicy:
        """Which rows are used, and as what."""
        return RowPolicy(
            metric=self.metric,
            null_label=self.null_label,
            singletons=self.singletons,
            distractor_labels=self.distractor_labels,
            strict=self.strict,
            half=self.half,
            sample_rows=self.sample_rows,
            seed=self.seed,
        )

    def to_dict(self) -> dict[str, Any]:
        """The settings that answers depend on; the number of threads is not one."""
        out = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "threads"}
        return out | {"distractor_labels": list(self.distractor_labels)}

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> "EvaluateConfig":
        """The config that `to_dict` wrote; names that are not known here are passed over."""
        known = {f.name for f in fields(cls)}
        kept = {name: value for name, value in settings.items() if name in known}
        kept["distractor_labels"] = tuple(kept.get("distractor_labels", ()))
        return cls(**kept)


_NUMBER = ((int, float), "a number")
_WHOLE_OR_NONE = ((int, type(None)), "a whole number of 1 or more, or None")
_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "c": _NUMBER,
    "range": (str, "a string, such as far=0.01:0.1"),
    "integration": (str, "a string: exact or grid:K"),
    "epsilon": _NUMBER,
    "recommend": (str, "a string: utility, eer, far=x or frr=x"),
    "distractor_labels": (tuple, "a tuple of strings, such as ('background',)"),
    "strict": (bool, "True or False"),
    "half": (bool, "True or False"),
    "sample_rows": (
        (int, type(None)),
        f"a whole number of {FEWEST_ROWS} or more, or None for as many as fit",
    ),
    "retrieval": (bool, "True or False"),
    "splits": (int, "a whole number of 0 or more"),
    "seed": (int, "a whole number of 0 or more"),
    "threads": ((int, type(None)), "a whole number of 1 or more, or None for all cores"),
    "confidence": _NUMBER,
    "sample_pairs": _WHOLE_OR_NONE,
    "budget": ((int, float, type(None)), "seconds, or None"),
    "positive_cap": (int, "a whole number of 6 or more"),
    "index": (str, "a string: auto, or one of faiss' index_factory"),
    "nprobe": _WHOLE_OR_NONE,
    "ef_search": _WHOLE_OR_NONE,
}

_CHOICES = {
    "metric": Metric,
    "utility": UtilityKind,
    "eps_against": EpsAgainst,
    "eps_rank": EpsRank,
    "pool": Pool,
    "singletons": Singletons,
    "null_label": NullLabel,
    "pairs": PairMode,
}
