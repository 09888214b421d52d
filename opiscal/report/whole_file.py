"""Files that appear whole or not at all."""

import os
import tempfile
from pathlib import Path

from opiscal.data.storage import Place, Url, write_remote
from opiscal.errors import InputError


def write_whole(file: Place, data: bytes) -> Place:
    """Write a file, whole or not at all; into a pipe or a device it is written straight.

    A file that is there is replaced at the end; through a link, what the link names.

    Parameters
    ----------
    file : Path or Url
        In a folder that is there.
    data : bytes

    Returns
    -------
    Path or Url
        The file.

    Raises
    ------
    InputError
        Where it cannot be written.
    """
    if isinstance(file, Url):
        write_remote(file, data)
        return file
    try:
        if file.exists() and not file.is_file() and not file.is_dir():
            file.write_bytes(data)
        else:
            _replace(Path(os.path.realpath(file)), data)
    except OSError as error:
        raise InputError(
            f"{str(file)!r} cannot be written ({error.strerror}); give another place with -o"
        ) from error
    return file


def _replace(file: Path, data: bytes) -> None:
    # Not a name made from that of the file, which may be as long as names can be.
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".opiscal-writing-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
