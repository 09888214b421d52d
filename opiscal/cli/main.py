"""The door: ``opiscal``."""

import sys


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
    sys.exit(code)
