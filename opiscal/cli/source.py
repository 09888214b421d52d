"""RUN or DATA: what commands read that need a report."""

from typing import TYPE_CHECKING

from opiscal.cli.console import progress_bar, say

if TYPE_CHECKING:
    from opiscal.data.embedding_set import ColumnNames
    from opiscal.data.storage import Place
    from opiscal.report.record import Report
    from opiscal.report.settings import EvaluateConfig

DEFAULT_RUN = "opiscal-run"


def report_of(
    source: list[str] | None, columns: "ColumnNames", config: "EvaluateConfig", quiet: bool
) -> "Report":
    """The report of a run folder, or of data that are evaluated first.

    `columns` and `config` are for data; a run has its own. No path is the run in ``opiscal-run``.
    """
    from opiscal.data.storage import place_of
    from opiscal.errors import UsageError
    from opiscal.report.run import load

    if not source:
        return load(DEFAULT_RUN)
    runs = [path for path in source if is_meant_as_run(place_of(path))]
    if len(source) == 1 and runs:
        return load(source[0])
    if runs:
        raise UsageError(
            f"{len(source)} paths were given, and {runs[0]!r} is a run; give one run, or nothing "
            "but data"
        )
    from opiscal.evaluation import evaluate_files

    with progress_bar(quiet) as progress:
        report = evaluate_files(source, columns, config, progress=progress)
    if not quiet:
        # The others are about the numbers, which commands speak of themselves.
        for notice in report.warnings:
            if notice.code.startswith("dropped_"):
                say(f"warning: {notice.message} [{notice.code}]")
    return report


def is_meant_as_run(folder: "Place") -> bool:
    """Whether a folder holds files of a run, be they damaged: it is no data then."""
    from opiscal.data.storage import is_file
    from opiscal.report.run_folder import CLASSES_FILE, COUNTS_FILE, REPORT_FILE

    if is_file(folder / COUNTS_FILE):
        return True
    return is_file(folder / REPORT_FILE) and is_file(folder / CLASSES_FILE)
