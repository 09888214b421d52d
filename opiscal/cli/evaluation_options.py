"""Options that decide what a report says, of the commands that count: evaluate and count."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from opiscal.cli import options

if TYPE_CHECKING:
    from opiscal.data.embedding_set import ColumnNames
    from opiscal.report.settings import EvaluateConfig


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """What is evaluated, and how."""

    gallery: options.GalleryPaths = None
    embedding_column: options.EmbeddingColumn = None
    label_column: options.LabelColumn = "label"
    id_column: options.IdColumn = None
    group_column: options.GroupColumn = None
    split_column: options.SplitColumn = None
    metric: options.MetricOption = "cosine"
    singletons: options.Singletons = "keep"
    null_label: options.NullLabel = "drop"
    distractor_label: options.DistractorLabel = None
    strict: options.Strict = False
    half: options.Half = False
    sample_rows: options.SampleRows = None
    utility: options.UtilityKind = "sensitivity-specificity"
    c: options.Weight = 1.0
    range_: options.Range = "far=0.01:0.1"
    integration: options.IntegrationOption = "exact"
    epsilon: options.Epsilon = 0.1
    eps_against: options.EpsAgainst = "others"
    eps_rank: options.EpsRank = "range"
    pool: options.PoolOption = "pairs"
    recommend: options.Recommend = "utility"
    split: Annotated[
        bool,
        typer.Option(
            "--split",
            help="Choose thresholds on half of the classes and judge them on the other half, "
            "which costs about half as much again for each split.",
        ),
    ] = False
    splits: Annotated[
        int | None,
        typer.Option(
            "--splits",
            help="How many seeded splits --split makes. [default: 3]",
            min=1,
            show_default=False,
        ),
    ] = None
    confidence: options.Confidence = 0.95
    pairs: options.PairsOption = "auto"
    no_retrieval: Annotated[
        bool, typer.Option("--no-retrieval", help="Do not work out Recall@k.")
    ] = False
    threads: options.Threads = None
    seed: options.Seed = 0

    def columns(self) -> "ColumnNames":
        """Which columns hold what."""
        from opiscal.data.embedding_set import ColumnNames

        return ColumnNames(
            self.embedding_column,
            self.label_column,
            self.id_column,
            self.group_column,
            self.split_column,
        )

    def config(self, sample: "SampleOptions | None" = None) -> "EvaluateConfig":
        """The settings; with those of a sample of the pairs, where one may be counted."""
        from opiscal.errors import UsageError
        from opiscal.report.settings import EvaluateConfig

        if self.splits is not None and not self.split:
            raise UsageError(f"--splits {self.splits}: no split was asked for; give --split too")
        sample = sample or SampleOptions()
        return EvaluateConfig(
            metric=self.metric,  # type: ignore[arg-type]  # checked there, with a message
            utility=self.utility,  # type: ignore[arg-type]
            c=self.c,
            range=self.range_,
            integration=self.integration,
            epsilon=self.epsilon,
            eps_against=self.eps_against,  # type: ignore[arg-type]
            eps_rank=self.eps_rank,  # type: ignore[arg-type]
            pool=self.pool,  # type: ignore[arg-type]
            recommend=self.recommend,
            singletons=self.singletons,  # type: ignore[arg-type]
            null_label=self.null_label,  # type: ignore[arg-type]
            distractor_labels=tuple(self.distractor_label or ()),
            strict=self.strict,
            half=self.half,
            sample_rows=self.sample_rows,
            retrieval=not self.no_retrieval,
            seed=self.seed,
            threads=self.threads,
            confidence=self.confidence,
            splits=(3 if self.splits is None else self.splits) if self.split else 0,
            pairs=self.pairs,  # type: ignore[arg-type]
            sample_pairs=sample.sample_pairs,
            budget=sample.budget,
            positive_cap=sample.positive_cap,
            index=sample.index,
            nprobe=sample.nprobe,
            ef_search=sample.ef_search,
        )


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """How a sample of the pairs is drawn."""

    sample_pairs: options.SamplePairs = None
    budget: options.Budget = None
    positive_cap: options.PositiveCap = 200_000
    index: options.Index = "auto"
    nprobe: options.Nprobe = None
    ef_search: options.EfSearch = None
