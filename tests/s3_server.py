"""A local server of the S3 protocol (moto's), behind a door that fails when told to."""

import socket
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Answer = Iterable[bytes]

KEY, SECRET = "AKIAFAKEFAKEFAKE", "sEcReT/0f+n0b0dY/abcdefghij"


@dataclass
class S3Server:
    """A server on this machine, and what was asked of it.

    Attributes
    ----------
    requests : list of (method, path, bytes asked for)
        Since `forget`.
    """

    app: Callable[..., Answer]
    client: Any = None
    port: int = 0
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    _faults: int = 0
    _fault: tuple[int, str] | None = None
    _only: Callable[[str, str], bool] = lambda method, path: True

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def forget(self) -> None:
        """No requests so far, and no faults to come."""
        self.requests.clear()
        self._faults = 0

    def fail(
        self,
        times: int,
        status: int = 503,
        code: str = "SlowDown",
        only: Callable[[str, str], bool] = lambda method, path: True,
    ) -> None:
        """Answer the next requests with an error; status 0 is a lost connection."""
        self.requests.clear()
        self._faults, self._fault, self._only = times, (status, code), only

    def asked(self, *methods: str) -> int:
        return sum(method in methods for method, _, _ in self.requests)

    def bytes_read(self) -> int:
        return sum(count for method, _, count in self.requests if method == "GET")

    def keys(self, bucket: str) -> list[str]:
        found = self.client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return [one["Key"] for one in found]

    def content(self, bucket: str, key: str) -> bytes:
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        first, _, last = environ.get("HTTP_RANGE", "").removeprefix("bytes=").partition("-")
        from_test = "Boto3" in environ.get("HTTP_USER_AGENT", "")
        if not from_test:
            count = int(last) - int(first) + 1 if first and last else 0
            self.requests.append((method, path, count))
        if not from_test and self._faults > 0 and self._only(method, path):
            self._faults -= 1
            assert self._fault is not None
            status, code = self._fault
            if status == 0:
                reset(environ["werkzeug.socket"])
            body = f"<Error><Code>{code}</Code><Message>Said by the test.</Message></Error>"
            data = b"" if method == "HEAD" else body.encode()
            start(f"{status or 500} Fault", [("Content-Length", str(len(data)))])
            return [data]
        return self.app(environ, start)


def reset(connection: socket.socket) -> None:
    """End a connection as a machine that dies does."""
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


def start_server() -> tuple[S3Server, Callable[[], None]]:
    """A server on a free port of the loopback address, and what ends it."""
    import logging

    import boto3
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = S3Server(DomainDispatcherApplication(create_backend_app))
    listening = make_server("127.0.0.1", 0, server, threaded=True)
    server.port = listening.port
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    server.client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )
    return server, listening.shutdown
