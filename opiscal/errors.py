"""The one family of errors. Each message is one line: the value, what was allowed, what to do next.

The command line alone turns them into exit codes (``opiscal.cli.console``).
"""


class OpiscalError(Exception):
    """Base of every error that opiscal raises on purpose."""


class UsageError(OpiscalError, ValueError):
    """A setting or an option has a value that is not allowed."""


class InputError(OpiscalError):
    """A file, a folder or an array cannot be read, or does not hold what is needed."""


class InconclusiveError(OpiscalError):
    """The input is sound, but it does not hold enough data to answer the question."""


class MissingLibraryError(OpiscalError, ImportError):
    """A part of opiscal needs a library that is not installed."""
