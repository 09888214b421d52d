"""Arrays in a zip: how ``pairs.npz`` holds each of them, in few bytes that are always the same.

Accepted pairs only rise along the edges, so arrays of them are kept as their steps from edge to
edge, in the fewest bytes that hold them.
"""

import json
import zipfile
from io import BytesIO
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from opiscal.errors import UsageError

_PLANES = ".bytes"

# A zip notes when each member was written; always the same time, or no two files would be equal.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_BLOCK_VALUES = 1 << 20


def write_json(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    """Write what JSON can hold, as an array of its bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    write_array(archive, name, np.frombuffer(text.encode("ascii"), dtype=np.uint8))


def write_array(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    """Write one array; equal arrays are equal bytes."""
    member = zipfile.ZipInfo(name + ".npy", date_time=_NO_TIME)
    # Else they tell the operating system.
    member.create_system, member.external_attr = 3, 0o600 << 16
    content = BytesIO()
    np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
    archive.writestr(member, content.getbuffer(), zipfile.ZIP_DEFLATED, archive.compresslevel)


def write_steps(
    archive: zipfile.ZipFile, name: str, accepted: NDArray[np.integer], planes: bool
) -> None:
    """Write what each edge adds; of a slim run byte by byte, the high ones apart: a third less."""
    steps = _steps(accepted, name)
    if not planes or steps.dtype.itemsize == 1:
        write_array(archive, name, steps)
        return
    # The lowest byte first, on any machine.
    low_first = steps.astype(steps.dtype.newbyteorder("<"), copy=False)
    by_byte = low_first.view(np.uint8).reshape(*steps.shape, steps.dtype.itemsize)
    write_array(archive, name + _PLANES, np.moveaxis(by_byte, -1, 0))


def _steps(accepted: NDArray[np.integer], name: str) -> NDArray[np.unsignedinteger]:
    """Return what each edge adds, in the smallest unsigned type that holds it."""
    rows = accepted.reshape(-1, accepted.shape[-1])
    # In blocks: two arrays as large as all classes' counts would count against the memory bound.
    block = max(1, _BLOCK_VALUES // max(1, rows.shape[1]))
    starts = range(0, rows.shape[0], block)

    def steps_from(start: int) -> NDArray[np.integer]:
        return np.diff(rows[start : start + block], axis=1, prepend=rows.dtype.type(0))

    lowest = min((int(steps_from(start).min(initial=0)) for start in starts), default=0)
    if lowest < 0:
        raise UsageError(
            f"{name} falls by {-lowest} from one edge to the next; accepted pairs only rise, so "
            "these are not counts: count the pairs again"
        )
    highest = max((int(steps_from(start).max(initial=0)) for start in starts), default=0)
    out = np.empty(rows.shape, np.min_scalar_type(highest))
    for start in starts:
        out[start : start + block] = steps_from(start)
    return out.reshape(accepted.shape)


def read_json(archive: zipfile.ZipFile, name: str) -> Any:
    """Read what `write_json` wrote."""
    return json.loads(read_array(archive, name).tobytes().decode("ascii"))


def read_array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Read one array as it was written; none that holds objects."""
    with archive.open(name + ".npy") as member:
        # Reading to the end checks the sum over the bytes too.
        array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1):
            wrong(f"{name} goes on behind its end")
    return array


def read_steps(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """What each edge adds, however it was written."""
    if name + _PLANES + ".npy" not in archive.namelist():
        return read_array(archive, name)
    by_byte = read_array(archive, name + _PLANES)
    if by_byte.dtype != np.uint8 or by_byte.ndim < 2 or len(by_byte) not in (2, 4, 8):
        wrong(f"{name} of type {by_byte.dtype} and shape {by_byte.shape}")
    together = np.ascontiguousarray(np.moveaxis(by_byte, 0, -1))
    steps: NDArray[Any] = together.view(f"<u{len(by_byte)}")[..., 0]
    return steps


def wrong(reason: str) -> NoReturn:
    """Say that an archive is damaged; whoever opened it tells which one."""
    raise ValueError(reason)
