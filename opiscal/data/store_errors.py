"""What a store said, as one line without secrets: the URL, its answer, and what to do next."""

import os
import re

from opiscal.data.url import Url, redacted
from opiscal.errors import InputError

# How often one request is sent at most, the first time included.
ATTEMPTS = 5
# An error in place of bytes, over which the library of the store does not try again.
UNREAD_ANSWER = "Failed to flush response stream"

_AWS = re.compile(
    r"AWS Error (?P<code>\w+)(?: \(HTTP status (?P<status>\d+)\))? during \w+ operation: "
    r"(?:Unable to parse ExceptionName: (?P<name>\w+) Message: )?(?P<text>.*)"
)
_GOOGLE = re.compile(
    r"google::cloud::Status\((?P<code>\w+): (?:.* with a last message of )?(?P<text>.*?)"
    r"(?: error_info=.*)?\)$"
)
_STATUS = {
    "SLOW_DOWN": 503,
    "SERVICE_UNAVAILABLE": 503,
    "THROTTLING": 503,
    "REQUEST_TIMEOUT": 400,
    "INTERNAL_FAILURE": 500,
    "ACCESS_DENIED": 403,
    "INVALID_ACCESS_KEY_ID": 403,
    "SIGNATURE_DOES_NOT_MATCH": 403,
    "NO_SUCH_BUCKET": 404,
    "NO_SUCH_KEY": 404,
    "RESOURCE_NOT_FOUND": 404,
}
_LENGTH = 200
_SECRET_VARIABLE = re.compile(r"(^|_)(KEY|SECRET|TOKEN|PASSWORD|SAS|CONNECTION_STRING)(_|$)")
_LEAST_SECRET = 6

# The first that fits says what to do next.
_ADVICE: tuple[tuple[str, str, str], ...] = (
    (
        r"NO_SUCH_BUCKET|NoSuchBucket|Bucket '[^']*' not found|bucket does not exist",
        "its bucket does not exist",
        "check its name, and {server}",
    ),
    (
        r"PermanentRedirect|TemporaryRedirect|AuthorizationHeaderMalformed|status 301|status 307"
        r"|IllegalLocationConstraint",
        "its bucket is in another region",
        "set AWS_REGION to that of the bucket, or give it as ?region=",
    ),
    (
        r"ExpiredToken|TokenRefreshRequired|EXPIRED_TOKEN|token (is|has) expired",
        "the credentials have expired",
        "fetch new ones and run it again",
    ),
    (
        r"SLOW_DOWN|THROTTL|SERVICE_UNAVAILABLE|status 503|status 429|Too Many Requests",
        "the server asks to slow down{after}",
        "run it again later, or with fewer at the same time",
    ),
    (
        r"NETWORK_CONNECTION|curlCode|CURL error|Couldn't resolve|Could not connect|timed out"
        r"|UNAVAILABLE",
        "the server was not reached{after}",
        "check the network, the name of the host and {server}",
    ),
    (
        r"INTERNAL_FAILURE|REQUEST_TIMEOUT|status 5\d\d",
        "the server failed{after}",
        "run it again later",
    ),
    (
        r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|status 40[13]|Forbidden"
        r"|PERMISSION_DENIED|UNAUTHENTICATED|AuthenticationFailed|AuthorizationFailure",
        "access was denied",
        "",
    ),
)
_NO_STORE = (
    r"Unrecognized filesystem type|unrecognized URI|libjvm|libhdfs|^Install |No module named"
    r"|not built with|without \w+ support"
)


def store_error(url: Url, error: Exception, doing: str) -> InputError:
    """Return the error for what a library raised over a URL.

    Parameters
    ----------
    url : Url
    error : Exception
    doing : str
        What was tried, as in ``'... cannot be read``: ``read``, ``listed``, ``written``,
        ``removed`` or ``opened``, which comes before any request that is ours.
    """
    said = _said(url, error)
    # Other stores are asked for some time, not so many times.
    after = f", after {ATTEMPTS} attempts" if url.scheme == "s3" and doing != "opened" else ""
    if re.search(_NO_STORE, str(error)):
        return InputError(
            f"{str(url)!r} cannot be opened ({said}); give a URL that pyarrow knows, such as "
            "s3://, gs:// or abfs://, or a path on this machine"
        )
    server = "AWS_ENDPOINT_URL or ?endpoint_override=" if url.scheme == "s3" else "the URL"
    for pattern, what, advice in _ADVICE:
        if re.search(pattern, str(error)):
            return InputError(
                f"{str(url)!r} cannot be {doing}: {what.format(after=after)} ({said}); "
                f"{advice.format(server=server) or _credentials(url)}"
            )
    return InputError(
        f"{str(url)!r} cannot be {doing} ({said}); check the URL, and that the server knows it"
    )


def cause_of(url: Url, error: Exception) -> OSError:
    """What a library raised, without secrets: a traceback shows the cause of an error too."""
    return OSError(f"{type(error).__name__}: {safe_text(str(error), url)}")


def has_no_reason(error: Exception) -> bool:
    """Whether a server only gave a number, as it does where the answer may have no body."""
    return "No response body" in str(error)


def safe_text(text: str, url: Url | None = None) -> str:
    """One line without secrets: those of URLs, and those that stand in the environment."""
    return safe_lines(" ".join(text.split()), url)


def safe_lines(text: str, url: Url | None = None) -> str:
    """Text without secrets, as `safe_text`, in as many lines as it has."""
    line = redacted(text, None if url is None else url.access)
    for name, value in os.environ.items():
        if len(value) >= _LEAST_SECRET and _SECRET_VARIABLE.search(name.upper()):
            line = line.replace(value, "...")
    return line


def _said(url: Url, error: Exception) -> str:
    text = str(error)
    found = _AWS.search(" ".join(text.split()))
    if found is not None:
        status = found["status"] or _STATUS.get(found["code"], "")
        name = found["name"] or ("" if found["code"] == "UNKNOWN" else found["code"])
        code = " ".join(str(part) for part in (status, name) if part)
        told = re.sub(r" \(Request ID: .*", "", found["text"]).rstrip(". ")
        text = code if "No response body" in told else f"{code}: {told}"
        if UNREAD_ANSWER in told:
            text = "an error in place of the bytes"
    found = _GOOGLE.search(" ".join(text.split()))
    if found is not None:
        text = f"{found['code']}: {found['text']}"
    # Before it is cut: half a secret is none that is known.
    return safe_text(text, url)[:_LENGTH] or type(error).__name__


def _credentials(url: Url) -> str:
    if url.scheme == "s3":
        given = url.access.user or any(
            os.environ.get(name)
            for name in (
                "AWS_ACCESS_KEY_ID",
                "AWS_PROFILE",
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            )
        )
        place = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
        if not given and not os.path.exists(os.path.expanduser(place)):
            return (
                "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                "AWS_PROFILE"
            )
        return "check the credentials (AWS_ACCESS_KEY_ID, AWS_PROFILE) and what they may do there"
    if url.scheme in ("gs", "gcs"):
        return "check GOOGLE_APPLICATION_CREDENTIALS and what that account may do there"
    return "check the credentials and what they may do there"
