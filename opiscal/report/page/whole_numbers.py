"""Whole numbers as text for the page: seven bits a byte, the bytes in base64.

Steps between counts are small: most take one byte, where JSON would take several.
"""

import base64

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BITS = 7
_MORE = 1 << _BITS


def coded(numbers: ArrayLike) -> bytes:
    """Numbers in little-endian base 128: the high bit of a byte says that another follows.

    Parameters
    ----------
    numbers : array_like of integers, 0 or more, below ``2**53``
        Of any shape; taken in their order.

    Returns
    -------
    bytes
        Of no numbers: none.

    Examples
    --------
    >>> coded([0, 127, 128, 300]).hex(" ")
    '00 7f 80 01 ac 02'
    """
    rest = np.asarray(numbers, dtype=np.int64).ravel()
    length = np.ones(rest.size, dtype=np.int64)
    more = rest >> _BITS
    while more.any():
        length += more > 0
        more >>= _BITS
    start = np.cumsum(length) - length
    out = np.empty(int(length.sum()), dtype=np.uint8)
    at = start
    while rest.size:
        follows = rest >= _MORE
        out[at] = (rest & (_MORE - 1)) | (follows * _MORE)
        rest, at = rest[follows] >> _BITS, at[follows] + 1
    return out.tobytes()


def decoded(code: bytes) -> NDArray[np.int64]:
    """The numbers that `coded` was given, as the script of the page reads them.

    Examples
    --------
    >>> decoded(coded([5, 300, 0]))
    array([  5, 300,   0])
    """
    found = np.frombuffer(code, dtype=np.uint8)
    last = np.flatnonzero(found < _MORE)
    first = np.concatenate([[0], last[:-1] + 1]) if last.size else last
    place = np.arange(found.size) - np.repeat(first, last - first + 1)
    parts = (found.astype(np.int64) & (_MORE - 1)) << (_BITS * place)
    return np.add.reduceat(parts, first) if first.size else np.zeros(0, dtype=np.int64)


def as_text(code: bytes) -> str:
    """Bytes in base64, which a script reads with ``atob``."""
    return base64.b64encode(code).decode("ascii")
