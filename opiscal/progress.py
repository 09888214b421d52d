"""Progress: what long work says of itself, stage by stage."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with a stage, what is done in it and all there is to do."""


def stage_of(progress: Progress | None, stage: str, total: int) -> Callable[[int], None] | None:
    """Opens a stage: what is to be called with what was done since the last call."""
    if progress is None:
        return None
    done = 0

    def advance(pairs: int) -> None:
        nonlocal done
        done += pairs
        progress(stage, min(done, total), total)

    return advance
