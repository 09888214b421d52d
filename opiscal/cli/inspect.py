"""``opiscal inspect``: what is in the file, what is wrong with it, and what it will cost."""

from opiscal.cli import engine_options, options
from opiscal.cli.console import (
    errors_as_exit_codes,
    print_json,
    print_lines,
    terminal_width,
)


def inspect(
    data: options.DataPaths,
    embedding_column: options.EmbeddingColumn = None,
    label_column: options.LabelColumn = "label",
    id_column: options.IdColumn = None,
    group_column: options.GroupColumn = None,
    metric: options.MetricOption = "cosine",
    singletons: options.Singletons = "keep",
    null_label: options.NullLabel = "drop",
    distractor_label: options.DistractorLabel = None,
    threads: options.Threads = None,
    workers: engine_options.PlannedWorkers = None,
    worker_memory: engine_options.PlannedMemory = None,
    json_: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Say what is in DATA, what will be left out and why, and what an exact evaluation costs.

    With --workers also what it costs on a cluster.

    Example: opiscal inspect embeddings.parquet --workers 64 --worker-memory 4GB
    """
    with errors_as_exit_codes(debug):
        from opiscal.data.embedding_set import ColumnNames
        from opiscal.data.parquet import read_embeddings
        from opiscal.data.profile import profile
        from opiscal.engines.cluster_estimate import PlannedCluster, estimate_cluster
        from opiscal.pairs.cost import estimate_cost
        from opiscal.report.inspection import inspection_dict, inspection_lines
        from opiscal.report.settings import EvaluateConfig

        config = EvaluateConfig(
            metric=metric,  # type: ignore[arg-type]  # checked there, with a message
            singletons=singletons,  # type: ignore[arg-type]
            null_label=null_label,  # type: ignore[arg-type]
            distractor_labels=tuple(distractor_label or ()),
            threads=threads,
        )
        asked = PlannedCluster.asked(workers, worker_memory)
        columns = ColumnNames(embedding_column, label_column, id_column, group_column)
        embeddings = read_embeddings(data, columns, config.row_policy)
        found, cost = profile(embeddings), estimate_cost(embeddings, threads)
        cluster = None
        if asked is not None:
            cluster = estimate_cluster(embeddings, data, columns, config.row_policy, asked)
        if json_:
            print_json(inspection_dict(found, cost, cluster))
        else:
            print_lines(inspection_lines(found, cost, terminal_width(), cluster))
