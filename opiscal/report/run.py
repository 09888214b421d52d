"""A report on disk: written as a run folder, and read from one."""

import json
from pathlib import Path
from typing import Any

from opiscal.data.storage import Place, place_of, read_text
from opiscal.errors import InputError, UsageError
from opiscal.pairs.counts_file import load_counts, read_meta, save_counts
from opiscal.report.class_table import class_table
from opiscal.report.plain import record_from_dict
from opiscal.report.record import SCHEMA_VERSION, Report
from opiscal.report.run_folder import (
    CLASSES_FILE,
    COUNTS_FILE,
    PAGE_FILE,
    PLOTS_FOLDER,
    REPORT_FILE,
    is_run,
    write_text,
    writing_run,
)
from opiscal.report.settings import EvaluateConfig
from opiscal.report.slim import slim_counts


def write_run(report: Report, folder: Place, *, plots: bool = True, slim: bool = False) -> Place:
    """Write a run folder, whole or not at all; an older run there is replaced.

    Parameters
    ----------
    report : Report
    folder : Path or Url
    plots : bool
        Whether figures are drawn, and the page with them is written.
    slim : bool
        Whether only what comparisons need of the counts is kept, and nothing is drawn; see
        `opiscal.report.slim`.

    Returns
    -------
    Path or Url
        The folder.

    Raises
    ------
    InputError
        Where the folder cannot be written, or holds something that is not a run.
    """
    # It loads pyarrow, which reading a run does not need.
    from opiscal.data.table import write_table

    with writing_run(folder) as place:
        meta = {
            "fingerprint": report.provenance.fingerprint,
            "nearest_class": json.dumps(list(report.nearest_class)),
        }
        counts = slim_counts(report) if slim else report.counts
        save_counts(counts, place / COUNTS_FILE, meta=meta)
        table = class_table(report)
        write_table(table.columns(), place / CLASSES_FILE)
        if plots and not slim:
            # Heavy, and not needed for numbers.
            from opiscal.report.page.page import report_page
            from opiscal.report.plots import write_plots

            figures = write_plots(report, place / PLOTS_FOLDER, table=table)
            write_text(place / PAGE_FILE, report_page(report, figures, table))
        text = json.dumps(report.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        write_text(place / REPORT_FILE, text + "\n")
    return folder


def load(run: str | Path) -> Report:
    """Read a run folder, of this machine or at a URL.

    Raises
    ------
    InputError
        Where there is no run, it cannot be read, or it is damaged or of another version.
    """
    folder = place_of(run)
    if not is_run(folder):
        raise InputError(
            f"no run at {str(folder)!r}: a run folder holds {REPORT_FILE} and {COUNTS_FILE}; make "
            "one with 'opiscal evaluate DATA -o RUN'"
        )
    document = _read_document(folder / REPORT_FILE)
    if document.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{str(folder / REPORT_FILE)!r} has schema_version "
            f"{document.get('schema_version')!r}, this version reads {SCHEMA_VERSION}; evaluate "
            "again"
        )
    meta = read_meta(folder / COUNTS_FILE)
    counts = load_counts(folder / COUNTS_FILE)
    try:
        fingerprint = document["provenance"]["fingerprint"]
        if meta.get("fingerprint") != fingerprint:
            raise InputError(
                f"{REPORT_FILE} and {COUNTS_FILE} in {str(folder)!r} are of two evaluations "
                f"({str(fingerprint)[:12]} and {str(meta.get('fingerprint'))[:12]}); evaluate again"
            )
        document["settings"] = EvaluateConfig.from_dict(document["settings"])
        document["counts"] = counts
        document["nearest_class"] = tuple(json.loads(meta.get("nearest_class", "[]")))
        report: Report = record_from_dict(Report, document)
        if not report.metric == report.settings.metric == counts.metric:
            raise ValueError(f"metric {report.metric!r} over counts for {counts.metric!r}")
    except InputError:
        raise
    except (UsageError, AttributeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{str(folder / REPORT_FILE)!r} is damaged or was changed ({reason}); evaluate again"
        ) from error
    return report


def _read_document(file: Place) -> dict[str, Any]:
    try:
        document = json.loads(read_text(file))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{str(file)!r} cannot be read ({str(error).splitlines()[0]}); evaluate again"
        ) from error
    if not isinstance(document, dict):
        raise InputError(f"{str(file)!r} is not a report: it must hold one object; evaluate again")
    return document
