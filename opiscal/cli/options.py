"""Options that several commands share."""

from typing import Annotated

import typer


def named(text: str) -> str:
    """A path as it is, a URL without what is not to be shown of it."""
    from opiscal.data.url import named as named_place
    from opiscal.errors import InputError

    try:
        return named_place(text)
    except InputError as error:
        raise typer.BadParameter(str(error)) from error


def on_this_machine(text: str) -> str:
    """A path of this machine; a URL is refused."""
    from opiscal.data.url import Url

    path = named(text)
    if isinstance(path, Url):
        raise typer.BadParameter(f"{str(path)!r} is a URL; give a path on this machine")
    return path


DataPaths = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...",
        help="Parquet files, folders of shards or globs, here or by URL; together one data set.",
        parser=named,
        show_default=False,
    ),
]
RunOrData = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN or DATA...]",
        help="A run folder, or data to evaluate first. [default: ./opiscal-run]",
        parser=named,
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
    typer.Option(
        "--id-column",
        help="Column of row names; the same name in queries and gallery is one item, and no pair.",
        rich_help_panel="Columns",
    ),
]
GroupColumn = Annotated[
    str | None,
    typer.Option(
        "--group-column",
        help="Column of groups, such as customer or market: counts are kept within each too.",
        rich_help_panel="Columns",
    ),
]
GalleryPaths = Annotated[
    list[str] | None,
    typer.Option(
        "--gallery",
        metavar="GALLERY",
        parser=named,
        help="Files of a gallery: pairs are those of a row of DATA, a query, with a gallery row. "
        "Repeatable.",
        show_default=False,
    ),
]
SplitColumn = Annotated[
    str | None,
    typer.Option(
        "--split-column",
        help="Column that says of each row of DATA whether it is of the queries ('query' or "
        "'probe') or of the 'gallery'.",
        rich_help_panel="Columns",
        show_default=False,
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
Half = Annotated[
    bool,
    typer.Option(
        "--half",
        help="Hold vectors as float16: half the memory, distances rounded a little.",
        rich_help_panel="Memory",
    ),
]
SampleRows = Annotated[
    int | None,
    typer.Option(
        "--sample-rows",
        help="Use at most N rows: whole classes, drawn by a hash of their labels and the seed. "
        "[default: all that fit into half of the memory]",
        metavar="N",
        show_default=False,
        rich_help_panel="Memory",
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
PairsOption = Annotated[
    str,
    typer.Option(
        "--pairs",
        help="Count every pair (exact), or a sample (sampled); auto counts all up to 2e13 "
        "multiply-adds, rows x rows x dimensions.",
        rich_help_panel="Sampled pairs",
    ),
]
SamplePairs = Annotated[
    int | None,
    typer.Option(
        "--sample-pairs",
        help="Pairs of the random part of a sample. [default: 2048 for each row]",
        show_default=False,
        rich_help_panel="Sampled pairs",
    ),
]
Budget = Annotated[
    float | None,
    typer.Option(
        "--budget",
        help="Seconds to take on this machine: every pair if that is enough, else a sample as "
        "large as fits. Counts then depend on the machine.",
        show_default=False,
        rich_help_panel="Sampled pairs",
    ),
]
PositiveCap = Annotated[
    int,
    typer.Option(
        "--positive-cap",
        help="In a sample, positive pairs of a class up to which all are counted.",
        rich_help_panel="Sampled pairs",
    ),
]
Index = Annotated[
    str,
    typer.Option(
        "--index",
        help="Index for near pairs: auto (all pairs up to 50,000 rows, of hard-pairs 100,000; an "
        "inverted file beyond), or an index_factory string of faiss, such as IVF1024,Flat or "
        "HNSW32.",
        rich_help_panel="Index",
    ),
]
Nprobe = Annotated[
    int | None,
    typer.Option(
        "--nprobe",
        help="Lists of an inverted file that are looked through. [default: 40]",
        show_default=False,
        rich_help_panel="Index",
    ),
]
EfSearch = Annotated[
    int | None,
    typer.Option(
        "--ef-search",
        help="Candidates that a graph index (HNSW) keeps. [default: 64]",
        show_default=False,
        rich_help_panel="Index",
    ),
]
SaveIndex = Annotated[
    str | None,
    typer.Option(
        "--save-index",
        metavar="FILE",
        parser=on_this_machine,
        help="Keep the index in this file, for faiss to read: L2, rows in class order, less "
        "their median.",
        show_default=False,
        rich_help_panel="Index",
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
Seed = Annotated[
    int,
    typer.Option(
        "--seed", help="Of the samples: pairs for the edges, columns, and classes of --sample-rows."
    ),
]
Confidence = Annotated[
    float, typer.Option("--confidence", help="Level of the intervals and of guarantees.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout, and nothing else.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no warnings.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more, such as times.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback with an error.")]
