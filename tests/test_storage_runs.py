"""Commands over data and runs at URLs: answers as from here, nothing half written, no secrets."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DIGITS400, ROOT, clean_environment, listing, write_set
from s3_server import KEY, SECRET

import opiscal
from opiscal.data import file_systems
from opiscal.errors import InputError
from opiscal.report import remote_folder
from opiscal.report.run_folder import check_run_place

USER = f"{KEY}:{SECRET.replace('/', '%2F')}"
FILES = ["classes.parquet", "pairs.npz", "report.json"]


@pytest.fixture(scope="module")
def local_run(tmp_path_factory):
    from opiscal.cli.app import run

    folder = tmp_path_factory.mktemp("local") / "run"
    assert run(["evaluate", str(DIGITS400), "-o", str(folder), "--no-plots", "--quiet"]) == 0
    return folder


@pytest.fixture
def data(s3, bucket):
    s3.client.put_object(Bucket=bucket, Key="data.parquet", Body=DIGITS400.read_bytes())
    return f"s3://{bucket}/data.parquet"


def sent(s3, bucket, run, key="run"):
    """Put the files of a run in a bucket, as they are."""
    for name, content in listing(run).items():
        s3.client.put_object(Bucket=bucket, Key=f"{key}/{name}", Body=content)
    return f"s3://{bucket}/{key}"


def names(s3, bucket, below="run/"):
    found = [key for key in s3.keys(bucket) if key.startswith(below) and not key.endswith("/")]
    return [key.removeprefix(below) for key in found]


def without_secrets(*texts):
    for text in texts:
        data = text if isinstance(text, bytes) else text.encode()
        for secret in (KEY, SECRET, SECRET.replace("/", "%2F"), USER):
            assert secret.encode() not in data
    return texts[0]


def test_a_run_there_is_the_run_here(cli, s3, bucket, data, local_run):
    whole = data.replace("s3://", f"s3://{USER}@") + "?region=us-east-1"
    place = f"s3://{USER}@{bucket}/deep/er/run/?region=us-east-1"
    answer = cli("evaluate", whole, f"--out={place}", "--no-plots", "--quiet", "--verbose")
    assert answer.code == 0, answer.err
    assert answer.out.endswith(f"run: s3://{bucket}/deep/er/run\n")
    without_secrets(answer.out + answer.err, *(s3.content(bucket, key) for key in s3.keys(bucket)))
    assert names(s3, bucket, "deep/er/run/") == FILES
    for name in FILES[:2]:
        assert s3.content(bucket, f"deep/er/run/{name}") == (local_run / name).read_bytes()

    there = json.loads(s3.content(bucket, "deep/er/run/report.json"))
    here = json.loads((local_run / "report.json").read_text(encoding="utf-8"))
    made, was = there.pop("provenance"), here.pop("provenance")
    assert there == here
    assert made["fingerprint"] == was["fingerprint"]
    assert [item["sha256"] for item in made["inputs"]] == [item["sha256"] for item in was["inputs"]]
    assert made["inputs"][0]["path"] == data
    assert made["command"] == (
        f"opiscal evaluate {data} --out=s3://{bucket}/deep/er/run/ --no-plots --quiet --verbose"
    )

    report = opiscal.load(place)
    assert report.opis == opiscal.load(local_run).opis
    saved = report.save(f"s3://{bucket}/saved", plots=False)
    assert str(saved) == f"s3://{bucket}/saved"
    assert opiscal.load(str(saved)).to_dict() == report.to_dict()


def test_commands_answer_as_from_a_run_here(cli, s3, bucket, local_run, tmp_path):
    url = sent(s3, bucket, local_run)
    secret = url.replace("s3://", f"s3://{USER}@") + "?region=us-east-1"
    places = ((local_run, tmp_path / "t.json"), (url, f"s3://{bucket}/t.json"))
    for run, threshold in places:
        assert cli("threshold", run, "--far", "1e-1", "-o", threshold, "--quiet").code == 0
    for words in (
        ["threshold", "RUN", "--far", "1e-2", "--json"],
        ["threshold", "RUN", "--at", "@THRESHOLD", "--json"],
        ["margins", "RUN", "--json"],
        ["compare", "RUN", "RUN", "--names", "a,b", "--json"],
        ["gate", "RUN", "--baseline", "RUN/report.json", "--threshold", "distance=1.1", "--json"],
        ["validate", "RUN", "RUN/report.json", "THRESHOLD"],
    ):
        answers = []
        for run, threshold in places:
            given = [word.replace("RUN", str(run)) for word in words]
            answer = cli(*[word.replace("THRESHOLD", str(threshold)) for word in given])
            text = answer.out.replace(str(run), "RUN").replace(str(threshold), "THRESHOLD")
            answers.append((answer.code, text))
        assert answers[0] == answers[1]
    answer = cli("threshold", secret, "--at", f"@s3://{USER}@{bucket}/t.json?region=x", "--json")
    assert answer.code == 0
    assert s3.content(bucket, "t.json").decode() == (tmp_path / "t.json").read_text("utf-8")
    without_secrets(answer.out, answer.err)


def test_gate_and_plot_write_there_and_show_no_secrets(cli, s3, bucket, local_run):
    url = sent(s3, bucket, local_run)
    secret = url.replace("s3://", f"s3://{USER}@") + "?region=us-east-1"
    assert cli("threshold", url, "--far", "1e-1", "-o", f"s3://{bucket}/t.json").code == 0
    at = f"@s3://{USER}@{bucket}/t.json?region=us-east-1"
    out = {name: f"s3://{USER}@{bucket}/{name}" for name in ("g.xml", "g.md", "g.json")}
    answer = cli(
        *("gate", secret, "--baseline", secret, "--threshold", at, "--report-only"),
        *("--junit", out["g.xml"], "--markdown", out["g.md"], "--metrics", out["g.json"]),
    )
    assert answer.code == 0, answer.err
    found = [s3.content(bucket, name) for name in out]
    without_secrets(answer.out, answer.err, *found)
    assert found[0].startswith(b"<?xml")
    assert b"threshold distance" in found[0]
    plotted = cli("plot", secret, "--kind", "rates", "--format", "svg")
    assert plotted.out == f"{url}/plots/rates.svg\n"
    assert b"<svg" in s3.content(bucket, "run/plots/rates.svg")
    answer = cli("gate", secret, "--init", "--policy", out["g.md"])
    assert answer.code == 2
    assert f"'s3://{bucket}/g.md' is there already" in answer.err


def test_hard_pairs_there(cli, s3, bucket, data, local_run, tmp_path):
    url = sent(s3, bucket, local_run)
    here = cli("hard-pairs", DIGITS400, "--run", local_run, "-o", tmp_path / "hp", "--json")
    there = cli("hard-pairs", data, "--run", url, "-o", f"s3://{bucket}/hp", "--json")
    assert here.code == there.code == 0
    text = there.out.replace(url, str(local_run)).replace(data, str(DIGITS400))
    assert text == here.out
    assert names(s3, bucket, "hp/") == sorted(listing(tmp_path / "hp"))
    refused = cli("evaluate", data, "-o", f"s3://{bucket}/hp")
    assert "holds something that is not a run" in refused.error


def test_counts_are_kept_there_and_taken_up_again(cli, s3, bucket, data, local_run):
    kept = f"s3://{USER}@{bucket}/counts?region=us-east-1"
    words = ("--no-plots", "--quiet", "--checkpoint", kept)
    assert cli("evaluate", data, "-o", f"s3://{bucket}/one", *words).code == 0
    files = names(s3, bucket, "counts/")
    assert len(files) > 1
    without_secrets(*(s3.content(bucket, f"counts/{name}") for name in files))
    s3.forget()
    answer = cli("evaluate", data, "-o", f"s3://{bucket}/two", *words)
    assert answer.code == 0
    assert not [path for method, path, _ in s3.requests if method == "PUT" and "/counts/" in path]
    for run in ("one", "two"):
        assert s3.content(bucket, f"{run}/pairs.npz") == (local_run / "pairs.npz").read_bytes()
    answer = cli("evaluate", data, "-o", f"s3://{bucket}/two", "--seed", "1", *words)
    assert answer.code == 2
    assert f"the checkpoint 's3://{bucket}/counts' is of another evaluation" in answer.error


# Nothing half written is a run.


def test_the_report_goes_first_and_comes_last(s3, bucket, local_run):
    url = sent(s3, bucket, local_run)
    for stale in ("plots/old.svg", "report.html"):
        s3.client.put_object(Bucket=bucket, Key=f"run/{stale}", Body=b"")
    s3.forget()
    opiscal.load(local_run).save(url, plots=False)
    done = [
        (method, path.removeprefix(f"/{bucket}/run/"))
        for method, path, _ in s3.requests
        if method in ("POST", "DELETE")
    ]
    files = [one for one in done if one[1] != remote_folder.MARKER]
    assert files[0] == ("DELETE", "report.json")
    assert files[-1] == ("POST", "report.json")
    assert [path for method, path in files if path == "report.json"] == ["report.json"] * 3
    assert done[-1] == ("DELETE", remote_folder.MARKER)
    assert names(s3, bucket) == FILES


def test_an_upload_that_fails(cli, s3, bucket, data, local_run, monkeypatch):
    url = sent(s3, bucket, local_run)
    monkeypatch.setattr(file_systems, "ATTEMPTS", 2)
    file_systems.forget_connections()
    s3.fail(10**6, only=lambda method, path: path.endswith("pairs.npz") and method == "POST")
    answer = cli("evaluate", data, "-o", url, "--no-plots", "--quiet")
    assert answer.code == 2
    begins, _, rest = answer.error.partition("; all of the run is kept in '")
    assert begins.startswith(
        f"opiscal: error: '{url}/pairs.npz' cannot be written: the server asks"
    )
    kept = Path(rest.partition("'")[0])
    assert sorted(listing(kept)) == FILES
    assert opiscal.load(kept).opis == opiscal.load(local_run).opis
    s3.forget()
    with pytest.raises(InputError, match="no run at"):
        opiscal.load(url)
    # The next one may write there, and nothing is left of the first.
    assert cli("evaluate", data, "-o", url, "--no-plots", "--quiet").code == 0
    assert names(s3, bucket) == FILES
    for file in kept.iterdir():
        file.unlink()
    kept.rmdir()


def test_an_interrupted_upload(cli, s3, bucket, data, local_run, monkeypatch, tmp_path):
    url = sent(s3, bucket, local_run)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    send = remote_folder._send_file

    def interrupted(path, target):
        send(path, target)
        if path.name == "pairs.npz":
            raise KeyboardInterrupt

    monkeypatch.setattr(remote_folder, "_send_file", interrupted)
    answer = cli("evaluate", data, "-o", url, "--no-plots", "--quiet")
    assert answer.code == 130
    assert names(s3, bucket) == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_written_to(cli, s3, bucket, data):
    s3.client.put_object(Bucket=bucket, Key="notes/a.txt", Body=b"mine")
    for place, says in (
        (f"s3://{bucket}", "is a whole bucket"),
        (data, "is a file; a run is a folder"),
        (f"s3://{bucket}/notes", "holds something that is not a run (a.txt)"),
        ("s3://no-such-bucket/run", "its bucket does not exist"),
    ):
        s3.forget()
        answer = cli("evaluate", data, "-o", place)
        assert answer.code == 2
        assert says in answer.error
        assert f"output '{place}'" in answer.error
        # Before the work, not after it.
        assert "data.parquet" not in " ".join(p for m, p, _ in s3.requests if m == "GET")
    assert s3.keys(bucket) == ["data.parquet", "notes/a.txt"]
    place = opiscal.data.storage.place_of(f"s3://{bucket}/new")
    assert check_run_place(place) == place
    assert names(s3, bucket, "new/") == []


def test_no_traceback_shows_a_secret(cli, s3, bucket, data, monkeypatch):
    url = f"s3://{USER}@{bucket}/none.parquet?region=us-east-1"
    answer = cli("evaluate", url, "--debug")
    assert answer.code == 2
    assert "Traceback" in answer.err
    without_secrets(answer.err)
    s3.fail(10**6, 403, "AccessDenied")
    answer = cli("threshold", url, "--far", "1e-3")
    without_secrets(answer.error)
    assert "access was denied" in answer.error
    for words in (
        ["threshold", url, url, "--far", "x"],
        ["evaluate", data, "--metric", f"s3://{USER}@b"],
        ["evaluate", data, "--range", f"s3://{USER}@b?secret={SECRET}"],
        ["simulate", url],
        ["evaluate", data, f"--junk=s3://{USER}@b"],
        ["threshold", f"s3://{USER}@/x", "--eer"],
    ):
        answer = cli(*words)
        assert answer.code == 2
        without_secrets(answer.error)


def test_labels_that_look_like_urls_stay_as_they_are(cli, s3, bucket, tmp_path):
    import numpy as np

    rng = np.random.default_rng(0)
    vectors = [row.tolist() for row in rng.standard_normal((60, 8))]
    labels = [f"https://shop/item?id={row % 6}" for row in range(60)]
    file = write_set(tmp_path / "shop.parquet", vectors, labels)
    s3.client.put_object(Bucket=bucket, Key="shop.parquet", Body=file.read_bytes())
    answer = cli("evaluate", f"s3://{bucket}/shop.parquet", "--no-plots", "--json")
    assert answer.code == 0
    assert set(labels) == set(opiscal.load("opiscal-run").counts.labels)
    assert "https://shop/item?id=" in "".join(answer.document["epsilon_opis"]["worst_classes"])


def test_an_interrupt_does_not_wait_for_a_silent_server(s3, tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        silent.settimeout(60)
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        code = (
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "from opiscal.cli.main import main; main()"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, "inspect", "s3://b/a"],
            env=clean_environment(AWS_ENDPOINT_URL=f"http://{place}", PYTHONPATH=str(ROOT)),
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        # It would be more than a minute.
        out, err = process.communicate(timeout=20)
        connection.close()
    line = "opiscal: interrupted; nothing was left half written\n"
    assert (process.returncode, out, err) == (130, "", line)
    assert list(tmp_path.iterdir()) == []
