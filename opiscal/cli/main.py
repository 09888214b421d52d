"""The door: ``opiscal``."""

import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line, and leave the process with its exit code."""
    try:
        # Not at the top: an interrupt while libraries load is no traceback either.
        from opiscal.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
        if sys.stderr is not None:
            sys.stderr.write("opiscal: interrupted\n")
    _leave_at_once(code)
    sys.exit(code)


def _leave_at_once(code: int) -> None:
    """End the process where a store still lets a request wait that was given up."""
    waiting = sys.modules.get("opiscal.data.waiting")
    if waiting is None or not waiting.is_waited_for():
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # The libraries of the store would wait for it at the end, and cannot be told not to.
    os._exit(code)
