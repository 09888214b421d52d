"""``opiscal hard-pairs``: the pairs, class pairs and labels that break a threshold."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opiscal.cli import options
from opiscal.cli.console import (
    errors_as_exit_codes,
    print_json,
    print_lines,
    progress_bar,
    say,
    terminal_width,
)

if TYPE_CHECKING:
    from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, Metric
    from opiscal.report.threshold_source import GivenThreshold


def hard_pairs(
    data: options.DataPaths,
    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold",
            metavar="SCALE=VALUE",
            help="similarity=0.72, distance=, cosine-distance=, squared-l2= or @threshold.json. "
            "Default: the recommended one of ./opiscal-run where that was made from DATA, else "
            "FAR 0.001 in a seeded sample of pairs.",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            parser=options.named,
            help="Take the threshold that this run recommends.",
            show_default=False,
        ),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", help="How many are listed at most, of each kind.")
    ] = 100,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FOLDER",
            parser=options.named,
            help="Write hard_pairs, class_pairs, label_errors and duplicates to a folder, each as "
            ".csv and .parquet, and hard_pairs.json with all of it.",
        ),
    ] = None,
    embedding_column: options.EmbeddingColumn = None,
    label_column: options.LabelColumn = "label",
    id_column: options.IdColumn = None,
    metric: options.MetricOption = "cosine",
    null_label: options.NullLabel = "drop",
    distractor_label: options.DistractorLabel = None,
    index: options.Index = "auto",
    nprobe: options.Nprobe = None,
    ef_search: options.EfSearch = None,
    threads: options.Threads = None,
    seed: options.Seed = 0,
    json_: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """List what breaks a threshold: pairs, class pairs, label errors, duplicates.

    Hard negatives are the closest accepted pairs of different classes, hard
    positives the farthest rejected pairs of one class. Class pairs come by the
    number of their accepted pairs, ties by the share of all their pairs.

    A label is likely wrong where of a row's 10 nearest rows at least 80 % are
    of one other class and at most one is of its own (of its n nearest rows
    where that class has n, from 3 to 9). A row that is alone in its class is
    listed only where all agree and lie within the threshold.

    Rows that are equal, under cosine once scaled to unit length, and carry
    different labels are listed as duplicates, whatever the threshold.

    Example: opiscal hard-pairs rows.parquet --threshold similarity=0.72
    """
    with errors_as_exit_codes(debug):
        from opiscal.data.embedding_set import ColumnNames
        from opiscal.data.parquet import read_embeddings
        from opiscal.data.row_ids import read_row_ids
        from opiscal.data.storage import place_of
        from opiscal.errors import UsageError
        from opiscal.mining import MiningConfig, mine
        from opiscal.pairs.index_choice import IndexChoice
        from opiscal.report.hard_pair_lines import hard_pair_lines, hard_pair_warnings
        from opiscal.report.hard_pairs_folder import check_hard_pairs_place, write_hard_pairs
        from opiscal.report.settings import EvaluateConfig

        if threshold is not None and run is not None:
            raise UsageError(
                f"--threshold {threshold} and --run {run}: both give a threshold; give one of them"
            )
        # It knows what is allowed for the rows and the metric.
        policy = EvaluateConfig(
            metric=metric,  # type: ignore[arg-type]  # checked there, with a message
            null_label=null_label,  # type: ignore[arg-type]
            distractor_labels=tuple(distractor_label or ()),
            threads=threads,
            seed=seed,
        ).row_policy
        config = MiningConfig(top, IndexChoice(index, nprobe, ef_search), seed, threads)
        columns = ColumnNames(embedding_column, label_column, id_column)
        # Before the work, not after it.
        given = _asked(threshold, run, policy.metric)
        if out is not None:
            check_hard_pairs_place(place_of(out))
        embeddings = read_embeddings(data, columns, policy)
        with progress_bar(quiet) as progress:
            found = mine(
                embeddings,
                config,
                given or _found(embeddings, columns),
                name_rows=None
                if id_column is None
                else lambda rows: read_row_ids(embeddings.inputs, id_column, rows),
                id_column=id_column,
                progress=progress,
            )
        if out is not None:
            write_hard_pairs(found, place_of(out))
        if not quiet:
            for warning in hard_pair_warnings(found, embeddings.dropped):
                say(f"warning: {warning}")
        if json_:
            print_json(found.to_dict())
        else:
            print_lines(hard_pair_lines(found, terminal_width()))
            if out is not None:
                print_lines([f"written to {out}"])


def _asked(threshold: str | None, run: str | None, metric: "Metric") -> "GivenThreshold | None":
    from opiscal.cli.threshold_value import distance_of
    from opiscal.data.storage import place_of
    from opiscal.report.threshold_source import GivenThreshold, threshold_of_run

    if threshold is not None:
        return GivenThreshold(distance_of(threshold, metric, "--threshold"))
    return None if run is None else threshold_of_run(place_of(run), metric)


def _found(embeddings: "EmbeddingSet", columns: "ColumnNames") -> "GivenThreshold | None":
    from opiscal.report.threshold_source import threshold_of_same_input

    return threshold_of_same_input(Path("opiscal-run"), embeddings, columns)
