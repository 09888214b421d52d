"""What the memory of a worker is for."""

from opiscal.errors import UsageError

# Interpreter and libraries; what is known of a row beside its vector; the buffers of a thread, with
# the counts of its task.
_BASE_BYTES, _BYTES_A_ROW, _THREAD_BYTES = 350_000_000, 120, 120_000_000
# The rest is for rows that are kept, copies of them that tasks hold, and counts that wait.
_SHARE_OF_ROWS = 0.5
_FEWEST_ROWS = 8192


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
    1165000000
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
