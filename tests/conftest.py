"""What the tests of the command line share."""

import itertools
import json
import os
import subprocess
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from s3_server import S3Server

ROOT = Path(__file__).resolve().parent.parent
PLACES = ROOT / "sample_data" / "places.parquet"
DIGITS = ROOT / "sample_data" / "digits.parquet"
DIGITS400 = ROOT / "tests" / "data" / "digits400.parquet"


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line on stderr."""
        assert self.err.endswith("\n"), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.removesuffix("\n")

    def warning(self, code: str) -> str:
        """The one warning of a code among the lines on stderr, which are all warnings."""
        lines = self.err.splitlines()
        assert all(line.startswith("opiscal: warning: ") for line in lines), self.err
        (found,) = (line for line in lines if line.endswith(f"[{code}]"))
        return found


Cli = Callable[..., Answer]

# On a machine that has none of the kernels yet, workers of pytest-xdist compile those of different
# files at first, not the same ones each.
FIRST = ("test_between.py", "test_counting.py", "test_sampled.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These files first, then those of many tests: at the end workers share out small ones."""
    tests = Counter(item.path for item in items)
    first = {name: place for place, name in enumerate(FIRST)}

    def place(item: pytest.Item) -> tuple[int, int]:
        return first.get(item.path.name, len(FIRST)), -tests[item.path]

    items.sort(key=place)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Run a command in this process, in an empty folder of its own."""
    from opiscal.cli.app import run

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: object) -> Answer:
        words = [str(argument) for argument in arguments]
        monkeypatch.setattr("sys.argv", ["opiscal", *words])
        capsys.readouterr()
        code = run(words)
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return call


def installed() -> str:
    """The command as a user starts it."""
    command = Path(sysconfig.get_path("scripts"), "opiscal")
    if not command.exists():
        pytest.skip(f"{command} is not installed; run: pip install -e '.[dev]'")
    return str(command)


PATIENCE = 60.0
"""Seconds for what happens in other threads and processes."""


def wait_for(found: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What is found, once it is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what would change the behaviour of Python or of a terminal."""
    names = ("PYTHON", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_", "COV_")
    return {k: v for k, v in os.environ.items() if not k.startswith(names)} | more


@pytest.fixture
def command(tmp_path: Path) -> Cli:
    """Run the installed command in a process of its own, in an empty folder."""

    def call(*arguments: object, env: Mapping[str, str] | None = None, **options: Any) -> Answer:
        done = subprocess.run(
            [installed(), *map(str, arguments)],
            cwd=tmp_path,
            env=clean_environment(**(env or {})),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
            **options,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return call


def _evaluated(folder: Path, *arguments: object) -> Path:
    from opiscal.cli.app import run

    assert run(["evaluate", *map(str, arguments), "-o", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture(scope="session")
def places_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of the sample set of 150 places, with figures; not to be changed."""
    return _evaluated(tmp_path_factory.mktemp("places") / "run", PLACES)


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of the sample set of 10 digits, without figures; not to be changed."""
    return _evaluated(tmp_path_factory.mktemp("digits") / "run", DIGITS, "--no-plots")


@pytest.fixture(scope="session")
def reference() -> dict[str, Any]:
    """Brute-force values; see tests/data/README.md."""
    text = (ROOT / "tests" / "data" / "reference.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


@pytest.fixture(scope="session")
def s3_server() -> "Iterator[S3Server]":
    """The one S3 server of a test process."""
    pytest.importorskip("moto.server", reason="moto is not installed; pip install 'moto[server]'")
    from s3_server import start_server

    server, stop = start_server()
    yield server
    stop()


_buckets = itertools.count()


@pytest.fixture
def s3(s3_server: "S3Server", monkeypatch: pytest.MonkeyPatch) -> "S3Server":
    """The server, with credentials for it in the environment and no faults yet."""
    from s3_server import KEY, SECRET

    from opiscal.data.file_systems import forget_connections

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull + "/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull + "/none")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint)
    forget_connections()
    s3_server.forget()
    return s3_server


@pytest.fixture
def bucket(s3: "S3Server") -> str:
    """An empty bucket of its own for a test."""
    name = f"bucket-{next(_buckets)}"
    s3.client.create_bucket(Bucket=name)
    return name


def listing(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, with the content of files."""
    found = sorted(folder.rglob("*"))
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in found
    }


def write_set(
    file: Path,
    vectors: Any,
    labels: Sequence[Any],
    name: str = "label",
    **more: Any,
) -> Path:
    """Write embeddings and labels as Parquet; `more` are further columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"embedding": pa.array(list(vectors)), name: pa.array(list(labels)), **more}
    pq.write_table(pa.table(columns), file)
    return file
