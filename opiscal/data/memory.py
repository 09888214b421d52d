"""How much memory there is, and whether the rows of a set may take it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# Labels, places and norms of a row, and what is counted for it.
_BESIDE_A_ROW = 600
# The other half is for the counts, the libraries, and whatever else runs.
_SHARE = 0.5
_CGROUPS, _OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What the rows of a set take, and what they may take.

    Attributes
    ----------
    bytes : int
        The vectors and 600 bytes a row.
    limit : int or None
        Memory of the machine, or of the container if that is less; None where nothing says.
    """

    bytes: int
    limit: int | None

    @property
    def fits(self) -> bool:
        """Whether the rows take at most half of the memory."""
        return self.limit is None or self.bytes <= _SHARE * self.limit


def memory_need(rows: int, dimensions: int, *, half: bool = False) -> MemoryNeed:
    """What so many rows take."""
    return MemoryNeed(rows * _row_bytes(dimensions, half), memory_limit())


def rows_that_fit(dimensions: int, *, half: bool = False) -> int | None:
    """How many rows take half of the memory; None where nothing says how much there is."""
    limit = memory_limit()
    return None if limit is None else int(_SHARE * limit) // _row_bytes(dimensions, half)


def memory_limit() -> int | None:
    """Bytes of physical memory, or of the control group of this process where that is less.

    None where the system says neither. What is free at the moment does not matter: the answer is
    the same from run to run.
    """
    limits = list(_cgroup_limits())
    with suppress(AttributeError, OSError, ValueError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min((limit for limit in limits if limit > 0), default=None)


def _row_bytes(dimensions: int, half: bool) -> int:
    return dimensions * (2 if half else 4) + _BESIDE_A_ROW


def _cgroup_limits() -> Iterator[int]:
    """The limits of the group of this process and of those about it, of either version."""
    for line in _lines(_OWN_CGROUP):
        _, controllers, group = (*line.split(":", 2), "", "")[:3]
        if controllers == "":
            root, name = _CGROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = _CGROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the path is that of the host, and the root is the container's own group.
        here = Path(group.strip("/"))
        for folder in (here, *here.parents):
            for limit in _lines(root / folder / name):
                if limit.isdigit():
                    yield int(limit)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii", errors="replace").split("\n")
    except OSError:
        return []
