"""Which names in a folder are those of data, wherever the folder is."""

from collections.abc import Iterable

_SUFFIXES = (".parquet", ".pq", ".parq")
# What `opiscal evaluate` writes: its classes.parquet holds no vectors.
_RUN_FILES = frozenset({"report.json", "pairs.npz"})


def is_shard(name: str) -> bool:
    """Whether a file is Parquet by its name."""
    return name.lower().endswith(_SUFFIXES)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is passed over, such as ``_SUCCESS``."""
    return name.startswith(("_", "."))


def are_of_run(names: Iterable[str]) -> bool:
    """Whether the names in a folder are those of a run."""
    return _RUN_FILES.issubset(names)
