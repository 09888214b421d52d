"""URLs of files and folders in other places, whose text never holds a secret.

A URL may carry credentials in its user part and in its query. They are parted from it here, once,
so that whatever prints, hashes or saves the name of an input cannot show them.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from opiscal.errors import InputError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# Up to where a URL reaches in running text, as in the message of an exception.
_URL_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]*")
_PORT = re.compile(r"[^:]:\d+$")
# Of the parts of a query that signs a URL, or lets someone in.
_SECRET_NAME = re.compile(r"sig|token|key|secret|passw|credential|auth", re.IGNORECASE)
_DEFAULT_HOSTS = frozenset({"hdfs", "viewfs"})
_NO_PORTS = frozenset({"s3", "gs", "gcs"})
# Words of a query that messages need, such as the server that does not answer.
_NO_SECRETS = frozenset({"region", "scheme", "endpoint_override", "retry_limit_seconds"})
# What stands for a part of a URL that is not shown because it cannot be told from a secret.
_HIDDEN = "..."


@dataclass(frozen=True, slots=True)
class Access:
    """The parts of a URL that open it and are not shown.

    Attributes
    ----------
    user : str
        What stands before the ``@``, as it was given; empty where nothing does.
    query : str
        What stands after the ``?``.
    """

    user: str = ""
    query: str = ""

    def __repr__(self) -> str:
        return "Access(...)"


class _Parts(NamedTuple):
    """A URL taken apart: ``scheme://user@host/path?query``."""

    scheme: str
    user: str
    host: str
    path: str
    query: str

    @property
    def shown(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"


class Url(str):
    """The URL of a file or a folder; as text it is without its user and query parts.

    It is used as a path of this machine would be: ``/`` goes down, `parent` goes up. What opens it
    goes along with it, between processes too, and not with text that is made of it.

    Parameters
    ----------
    text : str
        ``scheme://[user@]host[/path][?query]``. The path is taken as it is, without escapes.
    access : Access, optional
        In place of what the text has.

    Raises
    ------
    InputError
        Where there is no host, and the scheme has no default one.

    Examples
    --------
    >>> url = Url("s3://KEY:SECRET@bucket/runs/old/?region=eu-west-1")
    >>> print(url, url.name, url.parent / "new")
    s3://bucket/runs/old old s3://bucket/runs/new
    >>> (url / "report.json").access.query
    'region=eu-west-1'
    """

    access: Access

    def __new__(cls, text: str, access: Access | None = None) -> "Url":
        """Take a URL apart; one that is so already is given back."""
        if isinstance(text, Url):
            return text
        parts = _parts(text)
        if parts.host == _HIDDEN or not (parts.host or parts.scheme in _DEFAULT_HOSTS):
            raise InputError(f"{parts.shown!r} names no bucket; give scheme://bucket/path")
        url = super().__new__(cls, f"{parts.scheme}://{parts.host}{parts.path.rstrip('/')}")
        url.access = Access(parts.user, parts.query) if access is None else access
        return url

    def __reduce__(self) -> tuple[object, ...]:
        return (Url, (str(self), self.access))

    @property
    def scheme(self) -> str:
        """Such as ``s3``, in small letters."""
        return self.partition("://")[0]

    @property
    def host(self) -> str:
        """The bucket, for an object store."""
        return self.partition("://")[2].partition("/")[0]

    @property
    def key(self) -> str:
        """The path below the host, without a slash at its beginning; empty for the host itself."""
        return self.partition("://")[2].partition("/")[2]

    @property
    def name(self) -> str:
        """The last part of the path, or the host."""
        return self.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The ending of the name with its dot, or nothing."""
        stem, dot, ending = self.name.rpartition(".")
        return dot + ending if stem and ending else ""

    @property
    def parent(self) -> "Url":
        """The folder it is in; the host is in itself."""
        return self.at(self.key.rpartition("/")[0])

    def at(self, key: str) -> "Url":
        """Another path of the same host."""
        top = f"{self.scheme}://{self.host}"
        # Not by way of the text: a name in a bucket may hold a question mark.
        url = str.__new__(Url, f"{top}/{key}".rstrip("/") if key else top)
        url.access = self.access
        return url

    def __truediv__(self, name: str) -> "Url":
        return self.at(f"{self.key}/{name}" if self.key else name)


def is_url(text: str) -> bool:
    """Whether a text begins as a URL does, or is one that was taken apart."""
    return _URL.match(text) is not None


def named(text: str) -> str:
    """A path or a URL as it was given: a `Url`, or a path on this machine.

    Raises
    ------
    InputError
        Where it is a URL without a host, or a ``file://`` of another machine.

    Examples
    --------
    >>> named("file:///data/a%20b.parquet"), type(named("s3://bucket/a")).__name__
    ('/data/a b.parquet', 'Url')
    """
    if not is_url(text) or isinstance(text, Url):
        return text
    parts = _parts(text)
    if parts.scheme != "file":
        return Url(text)
    if parts.host not in ("", "localhost"):
        raise InputError(f"{parts.shown!r} is on another machine; give file:///path")
    return unquote(parts.path)


def shown(text: str) -> str:
    """A word of a command line or a URL without the user and query parts of the URL in it.

    The URL reaches to the end of the word. What is no URL is left as it is.

    Examples
    --------
    >>> shown("--baseline=s3://KEY:SECRET@bucket/run?region=x"), shown("a?b@c")
    ('--baseline=s3://bucket/run', 'a?b@c')
    """
    found = _URL.search(text)
    if found is None:
        return text
    begin = found.start()
    return text[:begin] + _parts(text[begin:]).shown


def redacted(text: str, access: Access | None = None) -> str:
    """A message without the user and query parts of the URLs in it, nor those of `access`.

    A page of the web, such as one that is a label, keeps a query that no secret is in.

    Examples
    --------
    >>> redacted("Cannot parse URI: 's3://KEY:SEC/RET@b/x?a=1' at SEC", Access("KEY:SEC", ""))
    "Cannot parse URI: 's3://b/x' at ..."
    """
    clean = _URL_IN_TEXT.sub(lambda found: _without_secrets(found.group()), text)
    for secret in _secrets(access or Access()):
        clean = clean.replace(secret, _HIDDEN)
    return clean


def _without_secrets(url: str) -> str:
    parts = _parts(url)
    of_web = parts.scheme in ("http", "https") and not _SECRET_NAME.search(parts.query)
    return url if of_web and not parts.user else parts.shown


def _secrets(access: Access) -> list[str]:
    """What must not be shown of the parts of a URL, the longest first."""
    found = {access.user, access.query, *access.user.split(":")}
    for item in access.query.split("&"):
        name, _, value = item.partition("=")
        if name not in _NO_SECRETS:
            found |= {item, value}
    found |= {unquote(one) for one in found}
    return sorted((one for one in found if len(one) > 2), key=len, reverse=True)


def _parts(text: str) -> _Parts:
    scheme, _, rest = text.partition("://")
    host, path = _cut(rest)
    user, at, behind = host.rpartition("@")
    if at:
        host = behind
    elif ":" in host and not (scheme.lower() not in _NO_PORTS and _PORT.search(host)):
        # A secret with signs that were not escaped: its end is the last "@", if there is one.
        _, at, behind = rest.rpartition("@")
        host, path = _cut(behind) if at else (_HIDDEN, "")
        user = rest.removesuffix(f"@{behind}")
    path, _, query = path.partition("?")
    return _Parts(scheme.lower(), user, host, path, query)


def _cut(text: str) -> tuple[str, str]:
    """A host, and what comes after it."""
    end = re.search("[/?#]", text)
    return (text, "") if end is None else (text[: end.start()], text[end.start() :])
