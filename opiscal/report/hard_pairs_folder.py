"""A folder of hard pairs: each list as CSV and as Parquet, and all of it as JSON."""

import json

from opiscal.data.storage import Place
from opiscal.report.hard_pairs import HardPairs
from opiscal.report.run_folder import (
    FolderKind,
    check_run_place,
    holds_document,
    write_text,
    writing_run,
)

DOCUMENT_FILE = "hard_pairs.json"


def is_hard_pairs(folder: Place) -> bool:
    """Whether a folder is one that `write_hard_pairs` wrote."""
    return holds_document(folder, DOCUMENT_FILE, "hard_pairs_version")


HARD_PAIRS = FolderKind("folder of hard pairs", "hard-pairs", DOCUMENT_FILE, is_hard_pairs)


def check_hard_pairs_place(folder: Place) -> None:
    """Make sure, before any work, that the folder can be written; as `check_run_place`."""
    check_run_place(folder, HARD_PAIRS)


def write_hard_pairs(found: HardPairs, folder: Place) -> Place:
    """Write the lists to a folder, whole or not at all; an older one of this kind is replaced.

    ``hard_pairs``, ``class_pairs``, ``label_errors`` and ``duplicates``, each as ``.csv`` and as
    ``.parquet``, and ``hard_pairs.json`` with all of it.

    Raises
    ------
    InputError
        Where the folder cannot be written, or holds something else.
    """
    # They load pyarrow, which the text does not need.
    from opiscal.data.csv_table import write_csv
    from opiscal.data.table import write_table

    with writing_run(folder, HARD_PAIRS) as place:
        for name, columns in found.tables().items():
            write_csv(columns, place / f"{name}.csv")
            write_table(columns, place / f"{name}.parquet")
        text = json.dumps(found.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        write_text(place / DOCUMENT_FILE, text + "\n")
    return folder
