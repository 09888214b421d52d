"""Bad input to `opiscal evaluate`: one clear line, exit 2, nothing half written."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import DIGITS, DIGITS400, Answer, Cli, clean_environment, installed, listing
from conftest import write_set as write

import opiscal

VECTORS = np.random.default_rng(0).standard_normal((12, 4)).astype("f4")
LABELS = list("aabbccddeeff")


def table(file: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), file)
    return file


def corrupt(file: Path) -> Path:
    """A file one of whose pages does not decode."""
    rows = np.random.default_rng(0).integers(0, 9, (500, 16)).astype("f4")
    columns = {"embedding": list(rows), "label": [f"{i % 9}" for i in range(500)]}
    pq.write_table(pa.table(columns), file, compression="zstd", write_page_checksum=True)
    content = bytearray(file.read_bytes())
    for place in range(200, 900, 7):
        content[place] ^= 0xA5
    file.write_bytes(content)
    return file


def cut(file: Path) -> Path:
    file.write_bytes(DIGITS400.read_bytes()[:10_000])
    return file


def empty(file: Path) -> Path:
    file.touch()
    return file


def folder(place: Path, **files: bytes) -> Path:
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)
    return place


def shards(place: Path, *tables: dict[str, object]) -> Path:
    place.mkdir()
    for number, columns in enumerate(tables):
        table(place / f"{number}.parquet", **columns)
    return place


SET = {"embedding": list(VECTORS), "label": LABELS}

# Name: how the input is made from a place, and what the line says.
BAD: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "missing file": (lambda p: p, ("does not exist",)),
    "near miss": (
        lambda p: write(p.with_name("input2"), VECTORS, LABELS).with_name("input3"),
        ("does not exist", "did you mean", "input2"),
    ),
    "empty folder": (folder, ("is empty", "give one with files")),
    "folder of other files": (
        lambda p: folder(p, **{"notes.txt": b"x"}),
        ("holds no Parquet file", "notes.txt"),
    ),
    "glob without a match": (lambda p: f"{p}/*.parquet", ("matches no file",)),
    "empty file": (empty, ("is an empty file",)),
    "text": (
        lambda p: p.write_text("embedding,label\n") and p,
        ("is not a Parquet file", "b'embe'"),
    ),
    "truncated": (cut, ("truncated", "10,000 bytes", "fetch it again")),
    "corrupt page": (corrupt, ("cannot be decoded", "fetch it again")),
    "no embedding": (
        lambda p: table(p, x=[1.0, 2.0], label=["a", "b"]),
        ("no column of lists of floats", "'x' double", "'label' string"),
    ),
    "no label": (
        lambda p: table(p, embedding=list(VECTORS), name=LABELS),
        ("no column 'label'", "'embedding' list<element: float>, 'name' string", "--label-column"),
    ),
    "two lists": (
        lambda p: table(p, one=list(VECTORS), two=list(VECTORS), label=LABELS),
        ("2 columns of lists of floats", "'one', 'two'", "--embedding-column"),
    ),
    "two widths": (
        lambda p: table(p, embedding=[[1.0, 2.0]] * 7 + [[1.0]] + [[1.0, 2.0]] * 4, label=LABELS),
        ("row 7", "has 1 dimensions", "row 0", "has 2"),
    ),
    "strings": (
        lambda p: table(p, embedding=["1,2"] * 12, label=LABELS),
        ("'embedding'", "has the type string", "a list of floats"),
    ),
    "bytes": (
        lambda p: table(p, embedding=[b"1234"] * 12, label=LABELS),
        ("'embedding'", "has the type binary", "a list of floats"),
    ),
    "lists of integers": (
        lambda p: table(p, embedding=[[1, 2]] * 12, label=LABELS),
        ("'embedding'", "int64", "a list of floats"),
    ),
    "labels of bytes": (
        lambda p: table(p, embedding=list(VECTORS), label=[b"a"] * 12),
        ("label column 'label'", "binary", "strings or integers"),
    ),
    "labels of fractions": (
        lambda p: table(p, embedding=list(VECTORS), label=[0.5] * 12),
        ("0.5",),
    ),
    "no rows": (
        lambda p: table(
            p, embedding=pa.array([], pa.list_(pa.float32())), label=pa.array([], pa.utf8())
        ),
        ("no rows in",),
    ),
    "no usable row": (
        lambda p: table(p, embedding=[[0.0, 0.0]] * 3 + [None], label=["a", "a", "b", None]),
        ("none of the 4 rows can be used", "3 zero length", "1 null label"),
    ),
    "one class": (
        lambda p: write(p, VECTORS, ["only"] * 12),
        ("one class ('only') in 12 rows", "at least two"),
    ),
    "no class with two rows": (
        lambda p: write(p, VECTORS, list(range(12))),
        ("none of the 12 classes has two rows", "label column"),
    ),
    "shards of two widths": (
        lambda p: shards(p, SET, {"embedding": [[1.0, 2.0]] * 2, "label": ["a", "b"]}),
        ("2 dimensions", "has 4", "1.parquet"),
    ),
    "shards of two kinds of labels": (
        lambda p: shards(p, SET, {"embedding": list(VECTORS), "label": list(range(12))}),
        ("label column 'label'", "int64", "string", "0.parquet", "1.parquet"),
    ),
    "a shard without labels": (
        lambda p: shards(p, SET, {"embedding": list(VECTORS)}),
        ("1.parquet", "no column 'label'"),
    ),
    "a URL": (lambda p: "ftp://K:S@bucket/x.parquet", ("'ftp://bucket'", "URL that pyarrow knows")),
    "a run": (
        lambda p: folder(p, **{"report.json": b"{}", "pairs.npz": b"", "classes.parquet": b""}),
        ("is a run", "give the data"),
    ),
    "nothing": (lambda p: "", ("''",)),
}  # fmt: skip


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that stands where the new one is to be written."""
    file = write(tmp_path_factory.mktemp("older") / "set.parquet", VECTORS, LABELS)
    report = opiscal.evaluate(VECTORS, LABELS, config=opiscal.EvaluateConfig(range="frr=0.2:0.9"))
    return report.save(file.parent / "run", plots=False)


def one_line(answer: Answer, code: int = 2) -> str:
    assert answer.code == code
    assert answer.out == ""
    assert answer.error.startswith("opiscal: error: " if code == 2 else "opiscal: inconclusive: ")
    assert "Traceback" not in answer.err
    assert "this should not happen" not in answer.err
    assert answer.error.isprintable()
    return answer.error


@pytest.mark.parametrize("name", BAD)
def test_bad_input(cli: Cli, tmp_path: Path, older: Path, name):
    make, says = BAD[name]
    (tmp_path / "place").mkdir()
    data = make(tmp_path / "input")
    shutil.copytree(older, tmp_path / "place" / "older")
    before = listing(tmp_path)
    for out in ("new", "older", "deep/er/new"):
        message = one_line(cli("evaluate", data, "-o", tmp_path / "place" / out))
        for part in says:
            assert part in message
        assert listing(tmp_path) == before


UNFIT = {
    "null embedding": ([*VECTORS[:11].tolist(), None], LABELS, "null_embedding", "have no vector"),
    "null label": (VECTORS.tolist(), [*LABELS[:11], None], "null_label", "have no label"),
    "NaN": ([*VECTORS[:11].tolist(), [1, 2, np.nan, 4]], LABELS, "non_finite", "NaN or infinity"),
    "infinity": ([*VECTORS[:11].tolist(), [1, -np.inf, 3, 4]], LABELS, "non_finite", "infinity"),
    "zero length": ([*VECTORS[:11].tolist(), [0.0] * 4], LABELS, "zero_norm", "length zero"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_unfit_rows_are_counted_or_refused(cli: Cli, tmp_path: Path, name):
    vectors, labels, field, why = UNFIT[name]
    file = write(tmp_path / "set.parquet", vectors, labels)
    options = ("--range", "frr=0.2:0.9", "--no-plots")
    answer = cli("evaluate", file, "--json", *options)
    assert answer.code == 0
    data = answer.document["data"]
    assert (data["rows_read"], data["rows_used"]) == (12, 11)
    assert data["dropped"] == dict.fromkeys(data["dropped"], 0) | {field: 1}
    warning = next(x for x in answer.err.splitlines() if f"[dropped_{field}]" in x)
    assert "1 of 12 rows" in warning
    assert why in warning
    assert "1 of 12 rows were left out" in cli("evaluate", file, *options).out

    before = listing(tmp_path)
    message = one_line(cli("evaluate", file, "--strict", *options))
    assert "of 12 rows cannot be used" in message
    assert "row 11 of" in message
    assert listing(tmp_path) == before


def test_empty_strings_are_labels(cli: Cli, tmp_path: Path):
    file = write(tmp_path / "set.parquet", VECTORS, ["" if x == "a" else x for x in LABELS])
    found = cli("evaluate", file, "--range", "frr=0.2:0.9", "--no-plots", "--json", "-q").document
    assert found["data"]["classes_scored"] == 6
    assert found["data"]["dropped"]["null_label"] == 0


def test_one_scored_class_is_inconclusive(cli: Cli, tmp_path: Path):
    file = write(tmp_path / "set.parquet", VECTORS, ["a"] * 4 + list("bcdefghi"))
    message = one_line(cli("evaluate", file), 3)
    assert "1 class of two rows or more" in message
    assert "at least two" in message
    assert os.listdir(tmp_path) == ["set.parquet"]


def test_a_range_end_that_does_not_exist(cli: Cli, tmp_path: Path):
    # Every row stands in every class: even distance 0 accepts a quarter of the negatives.
    file = write(tmp_path / "set.parquet", np.tile(np.eye(4), (3, 1)), LABELS)
    message = one_line(cli("evaluate", file), 3)
    assert "range 'far=0.01:0.1': no threshold has a FAR of 0.01 or less" in message
    assert os.listdir(tmp_path) == ["set.parquet"]


WRONG_USE = {
    ("--range", "far=0.1"): "range 'far=0.1': must be one of far=a:b",
    ("--range", "far=a:b"): "both ends must be numbers",
    ("--range", "far=0.1:2"): "far must lie between 0 and 1",
    ("--range", "similarity=0.1:2"): "similarity must lie between -1 and 1",
    ("--range", "distance=1:3"): "between 0 and 2",
    ("--range", "similarity=0.5:0.6", "--metric", "l2"): "similarity is known under cosine only",
    ("--range", "far=nan:0.1"): "far must lie between 0 and 1",
    ("--metric", "manhattan"): "metric 'manhattan': must be one of cosine, l2",
    ("--utility", "f1"): "utility 'f1': must be one of sensitivity-specificity, precision-recall",
    ("--c", "0"): "c 0.0: must be a number above 0",
    ("--c", "nan"): "c nan: must be a number above 0",
    ("--c", "1e300"): "c 1e+300: must be a number above 0",
    ("--c", "one"): "'one'",
    ("--integration", "grid:1"): "integration 'grid:1': must be exact or grid:K with K from 2",
    ("--integration", "simpson"): "integration 'simpson': must be exact or grid:K",
    ("--epsilon", "0"): "epsilon 0.0: must be above 0 and at most 0.5",
    ("--epsilon", "0.51"): "epsilon 0.51: must be above 0 and at most 0.5",
    ("--eps-against", "all"): "eps-against 'all': must be one of others, best",
    ("--eps-rank", "twice"): "eps-rank 'twice': must be one of range, threshold",
    ("--pool", "all"): "pool 'all': must be one of pairs, classes",
    ("--recommend", "far"): "recommend 'far': must be utility, eer, far=x or frr=x",
    ("--recommend", "far=1"): "recommend 'far=1': must be utility, eer, far=x or frr=x",
    ("--singletons", "yes"): "singletons 'yes': must be one of keep, drop",
    ("--null-label", "keep"): "null-label 'keep': must be one of drop, distractor",
    ("--distractor-label", "12"): "distractor label '12' is the label of no row",
    ("--threads", "0"): "threads 0: must be 1 or more",
    ("--threads", "two"): "'two'",
    ("--seed", "-1"): "seed -1: must be 0 or more",
    ("--group-column", "team"): "no column 'team'",
    ("--id-column", "key"): "no column 'key'",
    ("--embedding-column", "label"): "has the type string",
    ("--label-column", "embedding"): "allowed: strings or integers",
    ("--colour",): "o such option",
}


@pytest.mark.parametrize("options", WRONG_USE, ids=" ".join)
def test_wrong_use(cli: Cli, tmp_path: Path, options):
    message = one_line(cli("evaluate", DIGITS400, *options))
    assert WRONG_USE[options] in message
    assert os.listdir(tmp_path) == []


def test_no_data(cli: Cli):
    assert one_line(cli("evaluate")) == (
        "opiscal: error: missing argument 'DATA...'; see 'opiscal evaluate --help'"
    )
    assert "'bogus'" in one_line(cli("bogus"))
    assert "is named twice" in one_line(cli("evaluate", DIGITS400, DIGITS400))


def test_places_that_hold_something_else(cli: Cli, tmp_path: Path):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    (tmp_path / "like").mkdir()
    (tmp_path / "like" / "report.json").write_text('{"of": "another program"}')
    before = listing(tmp_path)
    for place, says in (
        ("file", "is a file"),
        ("file/run", "cannot be written"),
        ("full", "thesis.tex"),
        ("like", "report.json"),
        (".", "current folder"),
        ("..", "current folder"),
        ("/", "'/'"),
        ("n" * 300, "File name too long"),
        ("/proc/run", "cannot be written"),
    ):
        message = one_line(cli("evaluate", DIGITS400, "--no-plots", "-o", place))
        assert says in message
        assert "-o" in message
        assert listing(tmp_path) == before


def test_data_beside_its_run(cli: Cli, tmp_path: Path):
    """`opiscal evaluate .` twice: what the first wrote is no data for the second."""
    shutil.copy(DIGITS400, tmp_path / "a.parquet")
    first = cli("evaluate", ".", "--json", "--no-plots", "-q")
    second = cli("evaluate", ".", "--json", "--no-plots", "-q")
    assert first.code == second.code == 0, second.err
    assert second.document["data"] == first.document["data"]
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / ".hidden.parquet").write_text("")
    assert cli("evaluate", tmp_path, "--no-plots", "-q").code == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(place)]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no mount here: {error}")
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=False)


def test_a_disk_that_fills(cli: Cli, command: Cli, small_disk: Path):
    small = ("--no-plots", "--no-retrieval", "-q", "-o")
    assert cli("evaluate", DIGITS400, *small, small_disk / "run").code == 0
    before = listing(small_disk)
    for call, place in ((cli, "run"), (command, "run"), (cli, "deep/new")):
        # The figures are larger than the disk.
        message = one_line(call("evaluate", DIGITS, "-q", "-o", small_disk / place))
        assert "No space left on device" in message
        assert "free some space or give another folder with -o" in message
        assert listing(small_disk) == before


def test_a_disk_that_is_read_only(cli: Cli, small_disk: Path):
    assert cli("evaluate", DIGITS400, "--no-plots", "-q", "-o", small_disk / "run").code == 0
    before = listing(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for arguments in (
        ("evaluate", DIGITS400, "-q", "-o", small_disk / "run"),
        ("evaluate", DIGITS400, "-q", "-o", small_disk / "new"),
        ("threshold", small_disk / "run", "--far", "0.1", "-q", "-o", small_disk / "t.json"),
        ("simulate", small_disk / "set.parquet"),
    ):
        assert "Read-only file system" in one_line(cli(*arguments))
    assert listing(small_disk) == before
    # Reading needs no writing.
    assert cli("threshold", small_disk / "run", "--far", "0.1").code == 0


FAILURES = (
    "opiscal.report.run.save_counts",
    "opiscal.report.class_table.ClassTable.columns",
    "opiscal.report.plots.write_plots",
    "opiscal.report.record.Report.to_dict",
    "os.fsync",
    "os.rename",
)


@pytest.mark.parametrize("where", FAILURES)
@pytest.mark.parametrize("place", ["run", "new"])
def test_a_failure_at_any_step_of_writing(
    cli: Cli, tmp_path: Path, older: Path, monkeypatch, where, place
):
    shutil.copytree(older, tmp_path / "run")
    before = listing(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(where, full)
    figures = () if where.endswith("write_plots") else ("--no-plots",)
    answer = cli("evaluate", DIGITS400, "-o", place, "-q", *figures)
    monkeypatch.undo()
    assert "No space left on device" in one_line(answer)
    assert listing(tmp_path) == before


def test_an_output_that_takes_no_more(tmp_path: Path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    for arguments in (("--help",), ("evaluate", str(DIGITS400), "-q", "--json", "--no-plots")):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [installed(), *arguments], cwd=tmp_path, env=clean_environment(), stdout=full,
                stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr == (
            "opiscal: error: standard output cannot be written (No space left on device); send it "
            "elsewhere\n"
        )


@pytest.mark.parametrize(
    "redirection", [">&-", "2>&-", ">&- 2>&-", "| head -1", "| true", "2>&1 | head -c 5"]
)
def test_a_reader_that_goes_away(tmp_path: Path, digits_run: Path, redirection):
    for words in (f"threshold {digits_run} --far 0.4 --json", "evaluate -h"):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"'{installed()}' {words} {redirection}"],
            cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_of_one_line(tmp_path: Path):
    process = subprocess.Popen(
        [installed(), "evaluate", str(DIGITS), "--no-plots", "-q", "--json"], cwd=tmp_path,
        env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "{\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 0
    process.stderr.close()
    assert opiscal.load(tmp_path / "opiscal-run").data.rows_read == 900


def test_errors_of_the_installed_command(command: Cli, tmp_path: Path):
    assert "does not exist" in one_line(command("evaluate", "missing.parquet"))
    assert "Traceback" in command("evaluate", "missing.parquet", "--debug").err
    assert one_line(command("evaluate", DIGITS400, "--c", "x")).endswith(
        "see 'opiscal evaluate --help'"
    )
    file = write(tmp_path / "one.parquet", VECTORS, ["a\x1b[31m\n"] * 12)
    assert r"'a\x1b[31m\n'" in one_line(command("evaluate", file))
    assert os.listdir(tmp_path) == ["one.parquet"]
