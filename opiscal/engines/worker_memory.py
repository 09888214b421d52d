"""What the memory of a worker is for."""

import re

from opiscal.errors import UsageError
from opiscal.pairs.stored_sets import span_rows

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_UNITS = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}

# Interpreter and libraries; what is known of a row beside its vector; the buffers of a thread, with
# the counts of its task.
_BASE_BYTES, _BYTES_A_ROW, _THREAD_BYTES = 350_000_000, 136, 120_000_000
# The rest is for rows that are kept, copies of them that tasks hold, and counts that wait.
_SHARE_OF_ROWS = 0.5
_FEWEST_ROWS = 8192


def memory_bytes(text: str) -> int:
    """Read a size such as ``4GB`` or ``500MiB``.

    Raises
    ------
    UsageError

    Examples
    --------
    >>> memory_bytes("4GB"), memory_bytes("1.5 GiB"), memory_bytes("300e6")
    (4000000000, 1610612736, 300000000)
    """
    found = re.fullmatch(r"\s*([0-9.]+(?:e[0-9]+)?)\s*([kmgt]?i?)b?\s*", text.lower())
    unit = None if found is None else (_UNITS | _BINARY_UNITS).get(found[2])
    size = 0
    if found is not None and unit is not None and found[1].count(".") <= 1:
        number = float(found[1]) if found[1] != "." else 0.0
        size = int(number * unit) if number < 1e18 else 0
    if size <= 0:
        raise UsageError(f"worker-memory {text!r}: must be a size, such as 4GB or 500MiB")
    return size


def rows_of_stretch(rows: int, row_bytes: int, room: int) -> int | None:
    """Rows of the stretches that a worker keeps some of; None where it keeps all rows.

    Parameters
    ----------
    rows, row_bytes : int
    room : int
        Of `room_for_rows`.

    Examples
    --------
    >>> rows_of_stretch(10_000_000, 2048, 1_085_000_000), rows_of_stretch(1000, 2048, 2_048_000)
    (105957, None)
    """
    return None if rows * row_bytes <= room else span_rows(row_bytes, room)


def room_for_rows(memory: int, rows: int, row_bytes: int, *, threads: int = 1) -> int:
    """Bytes for the rows that a worker keeps.

    Parameters
    ----------
    memory : int
        Bytes that it may use in all; 0 where nothing limits it.
    rows : int
        Of the whole set.
    row_bytes : int
        What the vector of one takes.
    threads : int
        Tasks that it counts at the same time.

    Raises
    ------
    UsageError
        Where it is too little to count with.

    Examples
    --------
    >>> room_for_rows(4_000_000_000, 10_000_000, 2048)
    1085000000
    >>> room_for_rows(0, 50_000, 2048)
    102400000
    """
    everything = rows * row_bytes
    if memory == 0:
        return everything
    needed = _BASE_BYTES + rows * _BYTES_A_ROW + threads * _THREAD_BYTES
    room = int(_SHARE_OF_ROWS * (memory - needed))
    least = min(everything, _FEWEST_ROWS * row_bytes)
    if room < least:
        enough = int(needed + least / _SHARE_OF_ROWS)
        raise UsageError(
            f"worker-memory {memory / 1e6:,.0f} MB: with {rows:,} rows of {row_bytes:,} bytes a "
            f"worker of {threads} thread{'s' if threads > 1 else ''} needs "
            f"{enough / 1e6:,.0f} MB or more; give as much with --worker-memory, or start fewer "
            "workers"
        )
    return min(room, everything)


def check_room_for_index(memory: int, rows: int, row_bytes: int, all_fit: bool) -> None:
    """Make sure that one worker can look for the near pairs of a sample.

    Raises
    ------
    UsageError
        Where it cannot hold all rows, and those of the index beside them.
    """
    # Rows take half of what is left, and the index as much again.
    if memory and not all_fit:
        needed = _BASE_BYTES + rows * (_BYTES_A_ROW + 3 * row_bytes)
        raise UsageError(
            f"worker-memory {memory / 1e6:,.0f} MB: the index of a sample is made by one worker, "
            f"which holds all {rows:,} rows twice and needs {needed / 1e6:,.0f} MB; give as much, "
            "or count every pair with --pairs exact, or fewer rows with --sample-rows"
        )
