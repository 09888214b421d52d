"""The file system of pyarrow in which a URL is opened, with bounds on how long it waits."""

import os
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from opiscal.data.store_errors import ATTEMPTS, cause_of, safe_text, store_error
from opiscal.data.url import Access, Url
from opiscal.data.waiting import interruptible
from opiscal.errors import InputError

_CONNECT_SECONDS = 5
# Without a byte in all this time a connection is lost.
_SILENT_SECONDS = 15
# After so long a new attempt is not begun: it all takes half as long again.
_GCS_RETRY_SECONDS = 30
_S3_OPTIONS = (
    "region",
    "scheme",
    "endpoint_override",
    "tls_ca_file_path",
    "force_virtual_addressing",
)
_S3_IGNORED = frozenset({"allow_bucket_creation", "allow_bucket_deletion"})


def place_in_store(url: Url) -> tuple[Any, str]:
    """The file system of a URL, and the path that it has there.

    Credentials are found where each library looks for them, or stand in the user part of the URL.
    That of S3 takes `ATTEMPTS` attempts at a request.

    Raises
    ------
    InputError
        Where pyarrow knows no such URL, or its parts do not fit.
    """
    servers = tuple(
        os.environ.get(name, "") for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    )
    filesystem, base = _opened(url.scheme, url.host, url.access, servers[0] or servers[1])
    if not url.key:
        return filesystem, base or "/"
    return filesystem, f"{base}/{url.key}" if base or url.scheme in ("hdfs", "viewfs") else url.key


@lru_cache(maxsize=64)
def _opened(scheme: str, host: str, access: Access, server: str) -> tuple[Any, str]:
    url = Url(f"{scheme}://{host}", access)
    try:
        if scheme == "s3":
            # Where no region is given it is asked for.
            return interruptible(lambda: _s3(url, server)), host
        return interruptible(lambda: _by_uri(url))
    except InputError:
        raise
    except Exception as error:
        raise store_error(url, error, "opened") from cause_of(url, error)


def _s3(url: Url, server: str) -> Any:
    from pyarrow import fs

    given = dict(parse_qsl(url.access.query, keep_blank_values=True))
    for name in given.keys() - _S3_IGNORED:
        if name not in _S3_OPTIONS:
            # A word alone may be a secret.
            what = repr(safe_text(name[:40])) if f"{name}=" in url.access.query else "no name"
            raise InputError(
                f"{str(url)!r} has a query part with {what}; known are {', '.join(_S3_OPTIONS)}"
            )
    options: dict[str, Any] = {name: given[name] for name in _S3_OPTIONS if name in given}
    if "force_virtual_addressing" in options:
        options["force_virtual_addressing"] = options["force_virtual_addressing"] in ("true", "1")
    endpoint = options.get("endpoint_override") or server
    if endpoint:
        scheme, cut, rest = endpoint.rpartition("://")
        options["endpoint_override"] = rest.rpartition("@")[2].rstrip("/")
        if cut:
            options["scheme"] = scheme
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if "region" not in options:
        options["region"] = region or (None if endpoint else fs.resolve_s3_region(url.host))
    key, _, secret = url.access.user.partition(":")
    if secret:
        options |= {"access_key": unquote(key), "secret_key": unquote(secret)}
    elif key:
        raise InputError(
            f"{str(url)!r} has a user part without a secret; give KEY:SECRET@, or better leave it "
            "out and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return fs.S3FileSystem(
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_SILENT_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        **options,
    )


def _by_uri(url: Url) -> tuple[Any, str]:
    from pyarrow import fs

    user = quote(unquote(url.access.user), safe=":")
    query = url.access.query
    if url.scheme in ("gs", "gcs") and "retry_limit_seconds" not in query:
        query += f"{'&' if query else ''}retry_limit_seconds={_GCS_RETRY_SECONDS}"
    uri = f"{url.scheme}://{user}{'@' if user else ''}{url.host}/{'?' if query else ''}{query}"
    filesystem, base = fs.FileSystem.from_uri(uri)
    return filesystem, base.rstrip("/")


def forget_connections() -> None:
    """Open file systems anew from here on, as where credentials in the environment are others."""
    _opened.cache_clear()
