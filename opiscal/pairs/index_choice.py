"""IndexChoice: which index finds near rows, and how hard it searches."""

from dataclasses import dataclass

import numpy as np

from opiscal.errors import UsageError

MOST_FLAT_ROWS = 50_000
"""Rows up to which the automatic index compares all of them."""

NPROBE, EF_SEARCH = 40, 64
"""By default: lists of an inverted file that are looked through, and candidates of a graph."""

# An inverted file has some two times the root of the rows in lists.
_LISTS = 2.0


@dataclass(frozen=True, slots=True)
class IndexChoice:
    """Which index, and how hard it searches.

    Attributes
    ----------
    factory : str
        A string of faiss' ``index_factory``, such as ``IVF4096,Flat``, ``HNSW32`` or
        ``IVF1024,PQ64``; ``auto`` is flat up to 50,000 rows and an inverted file beyond.
    nprobe : int, optional
        Lists of an inverted file that are looked through; default 40.
    ef_search : int, optional
        Candidates that a graph index keeps; default 64.
    """

    factory: str = "auto"
    nprobe: int | None = None
    ef_search: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("nprobe", self.nprobe), ("ef-search", self.ef_search)):
            if value is not None and value < 1:
                raise UsageError(f"{name} {value}: must be at least 1, such as {NPROBE}")

    def resolved(self, rows: int) -> str:
        """The factory string for so many rows.

        Examples
        --------
        >>> IndexChoice().resolved(50_000), IndexChoice().resolved(200_000)
        ('Flat', 'IVF1024,Flat')
        """
        if self.factory != "auto":
            return self.factory
        if rows <= MOST_FLAT_ROWS:
            return "Flat"
        return f"IVF{2 ** round(np.log2(_LISTS * np.sqrt(rows)))},Flat"
