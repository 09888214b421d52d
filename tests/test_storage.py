"""Files at URLs: found, read by ranges, written whole, and never shown with credentials."""

import copy
import hashlib
import pickle
import socket
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import DIGITS400, PLACES
from s3_server import KEY, SECRET

from opiscal.data import file_systems, object_store, store_errors
from opiscal.data.files import find_files, open_file, sha256
from opiscal.data.folder import Folder
from opiscal.data.parquet import read_codes, read_embeddings
from opiscal.data.row_ids import read_row_ids
from opiscal.data.store_errors import safe_text
from opiscal.data.url import Access, Url, named, redacted, shown
from opiscal.errors import InputError


@pytest.fixture
def two_attempts(monkeypatch):
    """Fewer attempts and no pauses of ours: nothing here waits for a clock."""
    monkeypatch.setattr(object_store, "ATTEMPTS", 2)
    monkeypatch.setattr(file_systems, "ATTEMPTS", 2)
    monkeypatch.setattr(object_store.time, "sleep", lambda seconds: None)
    file_systems.forget_connections()


def refused(call, *arguments):
    with pytest.raises(InputError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert KEY not in message
    assert SECRET not in message
    return message


# What is shown of a URL.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://KEY:SECRET@bucket/a/b.parquet?region=x", "s3://bucket/a/b.parquet"),
        ("s3://KEY:SEC/RET+=@bucket/a", "s3://bucket/a"),
        ("s3://KEY:SEC?RET@bucket/a", "s3://bucket/a"),
        ("s3://KEY:12/RET@bucket/a", "s3://bucket/a"),
        ("s3://KEY:SECRET", "s3://..."),
        ("abfs://account:PASSWORD@container/a?x=SECRET", "abfs://container/a"),
        ("hdfs://host:8020/a@b", "hdfs://host:8020/a@b"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
        ("--baseline=s3://KEY:SECRET@b/run?t=SECRET", "--baseline=s3://b/run"),
        ("@gs://b/threshold.json?SECRET", "@gs://b/threshold.json"),
        ("https://h/a?X-Amz-Signature=SECRET", "https://h/a"),
        ("what?ever@home", "what?ever@home"),
        ("/a/b?c", "/a/b?c"),
    ],
)
def test_a_url_is_shown_without_its_user_and_query(text, expected):
    assert shown(text) == expected


def test_a_message_is_shown_without_the_secrets_of_urls():
    text = "Cannot parse URI: 's3://K:S/E@b/x?u=SIGN' (K:S/E, SIGN), see https://h/p?id=3 and q?"
    clean = redacted(text, Access("K:S/E", "u=SIGN"))
    assert clean == "Cannot parse URI: 's3://b/x' (..., ...), see https://h/p?id=3 and q?"
    assert redacted("at https://h/p?X-Amz-Signature=ab", None) == "at https://h/p"


def test_a_url_holds_no_secret_however_it_is_shown():
    url = Url(f"s3://{KEY}:{SECRET}@bucket/a/run?endpoint_override=host:1&tls_ca_file_path=SECRET2")
    down = url / "plots" / "a.svg"
    for one in (url, url.parent, down, copy.deepcopy(down), pickle.loads(pickle.dumps(down))):
        for text in (str(one), repr(one), f"{one}", f"{one!r:>10}", one + "", repr(one.access)):
            assert KEY not in text
            assert SECRET not in text
            assert "SECRET2" not in text
        assert one.access.user == f"{KEY}:{SECRET}"
    assert down == "s3://bucket/a/run/plots/a.svg"
    assert (down.name, down.suffix, down.parent.parent.name) == ("a.svg", ".svg", "run")
    assert (url.scheme, url.host, url.key) == ("s3", "bucket", "a/run")
    assert url.parent.parent == url.parent.parent.parent == "s3://bucket"


def test_file_urls_are_paths(tmp_path):
    assert named(f"file://{tmp_path}/a%20b") == f"{tmp_path}/a b"
    assert named("file://localhost/a") == "/a"
    assert "another machine" in refused(named, "file://elsewhere/a")
    assert "names no bucket" in refused(named, "s3:///a")
    assert find_files([f"file://{PLACES}"]) == (str(PLACES),)


def test_secrets_of_the_environment_are_not_shown(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abc/def")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t0ken-t0ken")
    monkeypatch.setenv("KEYBOARD", "server")
    assert safe_text("the server\nsaid abc/def and t0ken-t0ken") == "the server said ... and ..."


@pytest.mark.parametrize("scheme", ["gs", "abfs", "ftp", "hdfs", "s3"])
def test_no_secret_is_in_an_exception_nor_in_its_cause(scheme, s3):
    s3.fail(10**6, 403, "AccessDenied")
    # It has a blank in the host, over which pyarrow repeats the whole URL.
    url = f"{scheme}://{KEY}:{SECRET.replace('/', '%2F')}@buc ket/a?region=s3cretvalue"
    with pytest.raises(InputError) as caught:
        find_files([url])
    text = "".join(traceback.format_exception(caught.value))
    assert "cannot be" in text
    for secret in (KEY, SECRET, SECRET.replace("/", "%2F"), "s3cretvalue"):
        assert secret not in text


# Finding files.


def shards(s3, bucket, *keys, data=b"PAR1"):
    for key in keys:
        s3.client.put_object(Bucket=bucket, Key=key, Body=data)


KEYS = (
    "a.parquet",
    "set/_SUCCESS",
    "set/b.pq",
    "set/deep/c.parquet",
    "set/deep/_tmp/d.parquet",
    "set/notes.txt",
    "set/run/classes.parquet",
    "set/run/pairs.npz",
    "set/run/report.json",
    "set-b/e.PARQUET",
    "set-b/x[1].parquet",
    "txt/notes.txt",
)


@pytest.mark.parametrize(
    "pattern",
    [
        "a.parquet",
        "set",
        "set/",
        "",
        "*.parquet",
        "set*",
        "set/*",
        "set*/*",
        "*/deep/c.parquet",
        "**/*.parquet",
        "set/**",
        "s[e]t/b.*",
        "set-b/x[1].parquet",
        "set/run/*",
    ],
)
def test_the_same_files_are_found_as_on_this_machine(s3, bucket, tmp_path, pattern):
    shards(s3, bucket, *KEYS)
    for key in KEYS:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(b"PAR1")
    here = [str(Path(file).relative_to(tmp_path)) for file in find_files([f"{tmp_path}/{pattern}"])]
    there = find_files([f"s3://{bucket}/{pattern}?scheme=http"])
    assert [file.removeprefix(f"s3://{bucket}/") for file in there] == here
    assert all(file.access.query == "scheme=http" for file in there)


def test_what_is_not_there(s3, bucket):
    shards(s3, bucket, *KEYS)
    top = f"s3://{bucket}"
    assert refused(find_files, [f"{top}/set/bb.pq"]).endswith(f"did you mean '{top}/set/b.pq'?")
    assert refused(find_files, [f"{top}/zzz"]) == f"'{top}/zzz' does not exist; check the URL"
    for path in ("a", "*.parquet", ""):
        message = refused(find_files, [f"s3://no-such-bucket/{path}"])
        assert "there is no 's3://no-such-bucket'" in message
    assert "matches no file" in refused(find_files, [f"{top}/set/*.csv"])
    assert "such as" in refused(find_files, [f"{top}/txt"])
    assert "is a run" in refused(find_files, [f"{top}/set/run"])
    assert "named twice" in refused(find_files, [f"{top}/a.parquet", f"{top}/*.parquet"])
    assert "does not exist" in refused(open_file, Url(f"{top}/zzz"))


def test_an_unknown_scheme_or_option(s3):
    assert "give a URL that pyarrow knows" in refused(find_files, ["ftp://u:passw0rd@host/a"])
    assert "query part with 'tokn'" in refused(find_files, [f"s3://b/a?tokn={SECRET}"])
    assert "query part with no name" in refused(find_files, [f"s3://b/a?{SECRET}"])
    assert "without a secret" in refused(find_files, ["s3://only-a-key@bucket/a"])


# Reading.


def write_rows(file, rows, dimensions, groups):
    vectors = np.random.default_rng(0).standard_normal((rows, dimensions)).astype(np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dimensions)
    labels = pa.array([f"class {row % 50}" for row in range(rows)])
    table = pa.table({"embedding": column, "label": labels, "id": pa.array(range(rows))})
    pq.write_table(table, file, row_group_size=rows // groups)
    return Path(file)


def test_rows_are_those_of_the_local_file(s3, bucket, tmp_path):
    file = write_rows(tmp_path / "rows.parquet", 4000, 64, 4)
    shards(s3, bucket, "rows.parquet", data=file.read_bytes())
    url = f"s3://{bucket}/rows.parquet"
    here, there = read_embeddings([str(file)]), read_embeddings([url])
    np.testing.assert_array_equal(here.vectors, there.vectors)
    np.testing.assert_array_equal(here.class_of_row, there.class_of_row)
    assert here.labels == there.labels
    assert there.inputs[0].path == url
    assert here.inputs[0].sha256 == there.inputs[0].sha256
    assert read_row_ids(there.inputs, "id", [5, 3999]) == {5: 5, 3999: 3999}


def test_labels_alone_are_read_by_ranges(s3, bucket, tmp_path):
    file = write_rows(tmp_path / "rows.parquet", 20_000, 128, 5)
    shards(s3, bucket, "rows.parquet", data=file.read_bytes())
    s3.forget()
    codes = read_codes([f"s3://{bucket}/rows.parquet"], "label", "label", "--label-column")
    assert len(codes.codes) == 20_000
    # The footer twice, and the labels of five row groups, each a request of 64 kB at least.
    assert 0 < s3.bytes_read() < 0.1 * file.stat().st_size
    assert s3.asked("GET") < 20


def test_a_whole_file_is_read_in_large_pieces(s3, bucket, tmp_path):
    data = np.random.default_rng(1).bytes(17 << 20)
    shards(s3, bucket, "rows.bin", data=data)
    s3.forget()
    assert sha256(f"s3://{bucket}/rows.bin") == hashlib.sha256(data).hexdigest()
    assert s3.bytes_read() == len(data)
    assert s3.asked("GET") == 2


@pytest.mark.parametrize("size", [0, 5, 1 << 16, (1 << 16) + 7, 200_001])
def test_a_remote_file_is_a_file(s3, bucket, tmp_path, size):
    data = np.random.default_rng(size).bytes(size)
    shards(s3, bucket, "x.bin", data=data)
    (tmp_path / "x.bin").write_bytes(data)
    rng = np.random.default_rng(2)
    with open_file(f"s3://{bucket}/x.bin") as there, open(tmp_path / "x.bin", "rb") as here:
        for _ in range(40):
            at = int(rng.integers(0, size + 10))
            count = int(rng.choice([0, 1, 10, 70_000, 1 << 20]))
            assert here.seek(at) == there.seek(at) == there.tell()
            assert here.read(count) == there.read(count)
        assert here.seek(0) == there.seek(0)
        assert here.read() == there.readall() == data
        assert there.read(1) == b""
        assert here.seek(0, 2) == there.seek(0, 2) == size


# A server that fails.


def test_a_throttled_request_is_sent_again(s3, bucket):
    shards(s3, bucket, "x.bin", data=b"12345")
    s3.fail(1)
    with open_file(f"s3://{bucket}/x.bin") as file:
        assert s3.asked("HEAD") == 2
        s3.fail(1)
        assert file.read() == b"12345"
        assert s3.asked("GET") == 2


def test_a_lost_connection_is_made_again(s3, bucket):
    shards(s3, bucket, "x.bin", data=b"12345")
    s3.fail(1, status=0)
    with open_file(f"s3://{bucket}/x.bin") as file:
        assert file.read() == b"12345"
    assert s3.asked("HEAD") == 2


@pytest.mark.parametrize(
    ("status", "code", "attempts", "says"),
    [
        (503, "SlowDown", 2, ("asks to slow down, after", "503", "run it again later")),
        (500, "InternalError", 2, ("the server failed, after", "500", "run it again later")),
        (403, "AccessDenied", 1, ("access was denied", "403 ACCESS_DENIED: Said by the test")),
        (403, "InvalidAccessKeyId", 1, ("INVALID_ACCESS_KEY_ID", "check the credentials")),
        (403, "SignatureDoesNotMatch", 1, ("SIGNATURE_DOES_NOT_MATCH", "AWS_ACCESS_KEY_ID")),
        (400, "ExpiredToken", 1, ("credentials have expired", "400 ExpiredToken")),
        (301, "PermanentRedirect", 1, ("in another region", "set AWS_REGION")),
        (400, "AuthorizationHeaderMalformed", 1, ("in another region", "?region=")),
    ],
)
def test_a_failing_server_is_one_line(s3, bucket, two_attempts, status, code, attempts, says):
    shards(s3, bucket, "x.parquet", data=PLACES.read_bytes())
    url = Url(f"s3://{KEY}:{SECRET.replace('/', '%2F')}@{bucket}/x.parquet")
    file = open_file(url)
    s3.fail(10**6, status, code)
    # The answer to a HEAD has no words: a listing is asked for them.
    tries = {
        "cannot be read": lambda: open_file(url),
        "cannot be listed": lambda: Folder(url.parent).names(),
        "cannot be written": lambda: Folder(url.parent).write("y", b"1"),
    }
    for begins, call in tries.items():
        s3.requests.clear()
        message = refused(call)
        assert message.startswith(f"'s3://{bucket}")
        assert begins in message
        for part in says:
            assert part in message
        assert s3.asked("HEAD") in (0, attempts)
        assert s3.asked("POST", "PUT") in (0, attempts)
    assert status < 500 or "after 5 attempts" in refused(file.read, 10)


def test_as_many_attempts_as_the_message_says(s3, bucket, monkeypatch):
    assert object_store.ATTEMPTS == file_systems.ATTEMPTS == store_errors.ATTEMPTS == 5
    pauses = []
    monkeypatch.setattr(object_store.time, "sleep", pauses.append)
    shards(s3, bucket, "x.bin", data=b"12345")
    with open_file(f"s3://{bucket}/x.bin") as file:
        # The words of the error have no room in five bytes: pyarrow does not try again then.
        s3.fail(10**6, only=lambda method, path: method == "GET")
        message = refused(file.read)
        assert "the server failed, after 5 attempts (an error in place of the bytes)" in message
        assert s3.asked("GET") == 5
        assert len(pauses) == 4
        assert pauses == sorted(pauses)
        assert sum(pauses) <= 15
        # A question that has room for the answer tells why.
        s3.fail(10**6, 403, "AccessDenied")
        assert "access was denied (403 ACCESS_DENIED: Said by the test)" in refused(file.read)
        s3.fail(10**6, only=lambda method, path: method == "GET" and path.endswith("x.bin"))
        s3.client.delete_object(Bucket=bucket, Key="x.bin")
        assert "has been removed" in refused(file.read)


def test_an_error_in_mid_file_is_no_damaged_parquet(s3, bucket, tmp_path, two_attempts):
    file = write_rows(tmp_path / "rows.parquet", 4000, 64, 4)
    shards(s3, bucket, "rows.parquet", data=file.read_bytes())
    reads = iter(range(100))
    s3.fail(10**6, only=lambda method, path: method == "GET" and next(reads) > 2)
    message = refused(read_embeddings, [f"s3://{bucket}/rows.parquet"])
    assert "damaged" not in message
    assert "asks to slow down" in message


def test_a_damaged_file_is_told_from_a_failing_server(s3, bucket, tmp_path):
    data = bytearray(write_rows(tmp_path / "rows.parquet", 400, 64, 1).read_bytes())
    shards(s3, bucket, "half.parquet", data=bytes(data[: len(data) // 2]))
    assert "is a truncated Parquet file" in refused(
        read_embeddings, [f"s3://{bucket}/half.parquet"]
    )


def test_no_credentials(s3, bucket, monkeypatch):
    shards(s3, bucket, "x.bin")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    s3.fail(10**6, 403, "AccessDenied")
    message = refused(open_file, f"s3://{bucket}/x.bin")
    assert "no credentials were found: set AWS_ACCESS_KEY_ID" in message


def test_nobody_listens(s3, monkeypatch, two_attempts):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://user:passw0rd@127.0.0.1:{port}/")
        message = refused(find_files, ["s3://bucket/a"])
    assert "the server was not reached" in message
    assert "passw0rd" not in message
    assert "check the network" in message


def test_a_silent_server_is_given_up(s3, monkeypatch, two_attempts):
    monkeypatch.setattr(file_systems, "_SILENT_SECONDS", 1)
    monkeypatch.setattr(file_systems, "ATTEMPTS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        url = f"s3://bucket/a?scheme=http&endpoint_override=127.0.0.1:{silent.getsockname()[1]}"
        with ThreadPoolExecutor(1) as other:
            # Without a bound of its own it would never end.
            message = other.submit(refused, find_files, [url]).result(timeout=60)
        assert "the server was not reached" in message


# A folder of small files, here or there.


@pytest.fixture(params=["here", "there"])
def folder(request, tmp_path, bucket):
    return Folder(str(tmp_path / "new" / "f") if request.param == "here" else f"s3://{bucket}/a/f")


def test_a_folder_of_files(folder):
    assert folder.names() == []
    folder.remove("none")
    folder.write("b", b"one")
    folder.write("a", bytes(range(256)) * 1000)
    folder.write("b", b"two")
    folder.write(".hidden", b"")
    assert folder.names() == ["a", "b"]
    assert folder.sizes() == {"a": 256_000, "b": 3}
    assert folder.read("b") == b"two"
    assert folder.read("a") == bytes(range(256)) * 1000
    folder.remove("a")
    assert folder.names() == ["b"]
    assert f"{folder.shown}/zzz" in refused(folder.read, "zzz")


def test_a_folder_of_files_keeps_the_older_file_where_writing_fails(folder, s3, two_attempts):
    folder.write("a", b"older")
    if folder.path.startswith("s3"):
        # The upload begins, and the part with the bytes is not taken.
        s3.fail(10**6, only=lambda method, path: method == "PUT")
        refused(folder.write, "a", b"newer")
        s3.forget()
        assert folder.read("a") == b"older"
    else:
        with pytest.raises(TypeError):
            folder.write("a", "no bytes")  # type: ignore[arg-type]
    assert folder.read("a") == b"older"
    assert folder.names() == ["a"]


def test_a_file_larger_than_one_part(s3, bucket):
    data = np.random.default_rng(3).bytes(11 << 20)
    folder = Folder(f"s3://{bucket}/f")
    s3.fail(1, only=lambda method, path: method == "PUT")
    folder.write("large", data)
    assert s3.asked("PUT") == 3
    assert folder.read("large") == data


# Other stores than S3.


@pytest.fixture(scope="module")
def google():
    """The query of a URL that opens a small server of the protocol of Google's store."""
    command = [sys.executable, str(Path(__file__).with_name("gcs_server.py")), str(DIGITS400)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        port = server.stdout.readline().strip()
        yield f"endpoint_override=127.0.0.1:{port}&scheme=http&retry_limit_seconds=2"
        server.terminate()


def test_google_cloud_storage(google):
    top = "gs://anonymous@bucket"
    (found,) = find_files([f"{top}/set/*.parquet?{google}"])
    assert found == "gs://bucket/set/digits400.parquet"
    here, there = read_embeddings([str(DIGITS400)]), read_embeddings([found])
    np.testing.assert_array_equal(here.vectors, there.vectors)
    assert here.inputs[0].sha256 == there.inputs[0].sha256
    folder = Folder(f"{top}/f?{google}")
    folder.write("a", b"12345")
    assert (folder.names(), folder.read("a")) == (["a"], b"12345")
    folder.remove("a")
    assert refused(folder.read, "a") == "'gs://bucket/f/a' does not exist; check the URL"
    message = refused(find_files, [f"gs://anonymous@none/a?{google}"])
    assert "there is no 'gs://none'" in message


def test_the_file_systems_of_other_urls():
    name, path = file_systems.place_in_store(Url("abfs://account:cGFzcw==@container/a/b"))
    assert (name.type_name, path) == ("abfs", "container/a/b")
    url = Url("abfss://container@account.dfs.core.windows.net/a b/c%20d")
    assert file_systems.place_in_store(url)[1] == "container/a b/c%20d"
    name, path = file_systems.place_in_store(Url("gs://bucket/a"))
    assert (name.type_name, path) == ("gcs", "bucket/a")


@pytest.fixture
def hadoop(monkeypatch, tmp_path):
    """A store whose files can be seen while they are written, as those of Hadoop can."""
    from pyarrow.fs import LocalFileSystem

    local = LocalFileSystem()
    monkeypatch.setattr(
        object_store, "place_in_store", lambda url: (local, f"{tmp_path}/{url.key}")
    )
    return Folder("hdfs://host:8020/f")


def test_a_file_has_its_name_once_it_is_whole(hadoop, monkeypatch, tmp_path):
    hadoop.write("a", b"older")
    seen = []
    send = object_store._send

    def half(filesystem, path, data):
        seen.append(Path(path).name)
        send(filesystem, path, data[:2])
        raise OSError("the disk is full")

    monkeypatch.setattr(object_store, "_send", half)
    message = refused(hadoop.write, "a", b"newer")
    assert message.startswith("'hdfs://host:8020/f/a' cannot be written (the disk is full)")
    assert seen[0].startswith(".opiscal-writing-")
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["a"]
    assert hadoop.read("a") == b"older"
