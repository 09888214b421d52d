"""``opiscal evaluate``: OPIS, 10%-OPIS, recommended threshold, worst classes, plots."""

import shlex
from pathlib import Path

from opiscal.cli import engine_options, options
from opiscal.cli.console import command_words, errors_as_exit_codes, progress_bar, say
from opiscal.cli.evaluation_options import EvaluationOptions, SampleOptions
from opiscal.cli.option_groups import takes_option_groups
from opiscal.cli.run_options import RunFolder, RunOptions


@takes_option_groups
def evaluate(
    *,
    data: options.DataPaths,
    out: RunFolder = "opiscal-run",
    asked: EvaluationOptions,
    sample: SampleOptions,
    save_index: options.SaveIndex = None,
    engine: engine_options.EngineName = "local",
    scheduler: engine_options.Scheduler = None,
    workers: engine_options.Workers = None,
    worker_memory: engine_options.WorkerMemory = None,
    checkpoint: engine_options.CheckpointFolder = None,
    delivery: RunOptions,
    debug: options.Debug = False,
) -> None:
    """Count the pairs of DATA and say which threshold to ship, and for whom it fails.

    Writes a run folder that every other command reads: report.json, classes.parquet, pairs.npz,
    plots/ and report.html, the page to send to a colleague.

    Example: opiscal evaluate embeddings.parquet -o run
    """
    with errors_as_exit_codes(debug):
        from opiscal.data.storage import place_of
        from opiscal.engines.choice import EngineChoice
        from opiscal.report.run_folder import check_run_place

        config = asked.config(sample)
        choice = EngineChoice(engine, scheduler, workers, worker_memory, checkpoint)
        index_file = None if save_index is None else Path(save_index)
        # Before the work, not after it.
        check_run_place(place_of(out))
        from opiscal.evaluation import evaluate_files

        with (
            choice.opened(asked.threads, index_file, None if delivery.quiet else say) as counting,
            progress_bar(delivery.quiet) as progress,
        ):
            report = evaluate_files(
                data,
                asked.columns(),
                config,
                gallery=asked.gallery or (),
                command=shlex.join(command_words()),
                progress=progress,
                engine=counting,
                save_index=index_file,
            )
        delivery.deliver(report, out)
