"""Options that several commands share."""

from typing import Annotated

import typer

DataPaths = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...",
        help="Parquet files, folders of shards or globs; together one data set.",
        show_default=False,
    ),
]
EmbeddingColumn = Annotated[
    str | None,
    typer.Option(
        "--embedding-column",
        help="Column of vectors. [default: embedding, else the only list-of-float column]",
        show_default=False,
        rich_help_panel="Columns",
    ),
]
LabelColumn = Annotated[
    str, typer.Option("--label-column", help="Column of labels.", rich_help_panel="Columns")
]
IdColumn = Annotated[
    str | None,
    typer.Option("--id-column", help="Column of row names.", rich_help_panel="Columns"),
]
GroupColumn = Annotated[
    str | None,
    typer.Option(
        "--group-column",
        help="Column of groups, such as customer or market: counts are kept within each too.",
        rich_help_panel="Columns",
    ),
]
MetricOption = Annotated[
    str,
    typer.Option(
        "--metric",
        help="cosine (rows scaled to unit length, unit L2 distance) or l2 (rows as given).",
        rich_help_panel="Pairs",
    ),
]
Singletons = Annotated[
    str,
    typer.Option(
        "--singletons",
        help="keep or drop rows that are alone in their class; kept, they are negatives.",
        rich_help_panel="Pairs",
    ),
]
NullLabel = Annotated[
    str,
    typer.Option(
        "--null-label",
        help="drop rows without a label, or keep them as distractor: negatives for every class.",
        rich_help_panel="Pairs",
    ),
]
DistractorLabel = Annotated[
    list[str] | None,
    typer.Option(
        "--distractor-label",
        help="A label whose rows are negatives for every class and form none. Repeatable.",
        show_default=False,
        rich_help_panel="Pairs",
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Make a row that would be left out an error.",
        rich_help_panel="Pairs",
    ),
]
UtilityKind = Annotated[
    str,
    typer.Option(
        "--utility",
        help="sensitivity-specificity, or precision-recall (which moves with class size).",
        rich_help_panel="Measures",
    ),
]
Weight = Annotated[
    float,
    typer.Option(
        "--c",
        help="Weight in the F-score, above 0; above 1 weighs sensitivity (recall) more.",
        rich_help_panel="Measures",
    ),
]
Range = Annotated[
    str,
    typer.Option(
        "--range",
        help="Calibration range: far=a:b, frr=a:b, distance=a:b or similarity=a:b.",
        rich_help_panel="Measures",
    ),
]
IntegrationOption = Annotated[
    str,
    typer.Option(
        "--integration",
        help="exact (trapezoid over all class edges), or grid:K (mean over K thresholds).",
        rich_help_panel="Measures",
    ),
]
Epsilon = Annotated[
    float,
    typer.Option(
        "--epsilon",
        help="Share of classes that eps-OPIS takes as the worst, at most 0.5.",
        rich_help_panel="Measures",
    ),
]
EpsAgainst = Annotated[
    str,
    typer.Option(
        "--eps-against",
        help="Compare the worst classes with all others, or with as many of the best.",
        rich_help_panel="Measures",
    ),
]
EpsRank = Annotated[
    str,
    typer.Option(
        "--eps-rank",
        help="Rank classes once over the range, or anew at every threshold.",
        rich_help_panel="Measures",
    ),
]
PoolOption = Annotated[
    str,
    typer.Option(
        "--pool",
        help="Rates over all pairs, or the mean over classes of their own rates.",
        rich_help_panel="Measures",
    ),
]
Recommend = Annotated[
    str,
    typer.Option(
        "--recommend",
        help="Recommended threshold: utility (best inside the range), eer, far=x or frr=x.",
        rich_help_panel="Measures",
    ),
]
Index = Annotated[
    str,
    typer.Option(
        "--index",
        help="auto (all pairs up to 100,000 rows, an inverted file beyond), Flat (all pairs), or "
        "an index of faiss such as IVF4096,Flat or HNSW32.",
        rich_help_panel="Search",
    ),
]
Nprobe = Annotated[
    int | None,
    typer.Option(
        "--nprobe",
        help="Lists of an inverted file that are looked through. Default: 8.",
        show_default=False,
        rich_help_panel="Search",
    ),
]
EfSearch = Annotated[
    int | None,
    typer.Option(
        "--ef-search",
        help="Candidates that a graph index keeps. Default: 64.",
        show_default=False,
        rich_help_panel="Search",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        help="Default: all cores this process may use. The counts do not depend on it.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Of the sample from which edges are placed.")]
Confidence = Annotated[
    float, typer.Option("--confidence", help="Level of the intervals and of guarantees.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout, and nothing else.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no warnings.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more, such as times.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback with an error.")]
