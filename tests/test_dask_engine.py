"""Counting on workers of a Dask cluster: whoever counts, every number is the same, bit for bit."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip(
    "distributed", reason="dask is not installed: pip install 'opiscal[distributed]'"
)

import opiscal.engines.dask_engine as dask_engine
from opiscal.data.embedding_set import ColumnNames
from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.dask_cluster import Cluster
from opiscal.engines.dask_engine import DaskEngine
from opiscal.engines.local import LocalEngine
from opiscal.errors import UsageError
from opiscal.evaluation import evaluate_files
from opiscal.report.settings import EvaluateConfig

pytest.importorskip(
    "distributed", reason="dask is not installed: pip install 'opiscal[distributed]'"
)


@pytest.fixture(scope="module")
def cluster():
    workers = Cluster(workers=2)
    yield workers
    workers.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Rows of classes in an order of chance, some unfit, in two files of some row groups each."""
    folder = tmp_path_factory.mktemp("rows")
    rng = np.random.default_rng(0)
    rows, classes, dimensions = 2600, 60, 24
    label = rng.integers(0, classes, rows)
    vectors = rng.standard_normal((classes, dimensions))[label]
    vectors += rng.standard_normal((rows, dimensions))
    vectors[::97] = 0
    lists = [None if k % 101 == 5 else row.tolist() for k, row in enumerate(vectors)]
    table = pa.table(
        {
            "embedding": pa.array(lists, pa.list_(pa.float32())),
            "label": [None if k % 50 == 3 else f"class {c}" for k, c in enumerate(label)],
            "market": [["north", "south", None][k % 3] for k in range(rows)],
            "side": ["gallery" if k % 5 < 3 else "query" for k in range(rows)],
            "item": [f"item {k % 2400}" for k in range(rows)],
        }
    )
    pq.write_table(table[:1500], folder / "a.parquet", row_group_size=400)
    pq.write_table(table[1500:], folder / "b.parquet", row_group_size=700)
    return folder


def same_numbers(one, other, tmp_path):
    """Reports are the same but for their provenance, and so are the arrays of their counts."""
    found = []
    for name, report in (("one", one), ("other", other)):
        report.save(tmp_path / name, plots=False)
        document = json.loads((tmp_path / name / "report.json").read_text())
        document.pop("provenance")
        found.append((document, np.load(tmp_path / name / "pairs.npz", allow_pickle=False)))
    assert found[0][0] == found[1][0]
    assert sorted(found[0][1].files) == sorted(found[1][1].files)
    for name in found[0][1].files:
        assert np.array_equal(found[0][1][name], found[1][1][name]), name


PLAIN = ColumnNames()
SETS = {
    "cosine": (PLAIN, {}),
    "groups and splits": (ColumnNames(group="market"), {"splits": 2}),
    "l2 in half": (PLAIN, {"metric": "l2", "half": True, "null_label": "distractor"}),
    "two sets": (ColumnNames(split="side", id="item", group="market"), {"splits": 1}),
    "sampled": (PLAIN, {"pairs": "sampled", "sample_pairs": 1024 * 600}),
    "no retrieval, all classes alike": (PLAIN, {"retrieval": False, "singletons": "drop"}),
}


@pytest.mark.parametrize(
    ("name", "room"),
    [
        *((name, "few rows") for name in SETS),
        *((name, "all rows") for name in ("cosine", "two sets", "sampled")),
    ],
)
def test_every_number_is_that_of_one_machine(cluster, data, tmp_path, monkeypatch, name, room):
    columns, settings = SETS[name]
    config = EvaluateConfig(**settings)
    if room == "few rows":
        # A worker keeps a fifth of the rows: four stretches of a hundred.
        monkeypatch.setattr(dask_engine, "room_for_rows", lambda *_, **__: 500 * 24 * 4)
    monkeypatch.setattr("opiscal.pairs.tasks.task._TASK_WORK", 2e7)
    engine = DaskEngine(cluster, 0)
    found = evaluate_files([str(data)], columns, config, engine=engine)
    same_numbers(evaluate_files([str(data)], columns, config), found, tmp_path)


def test_workers_read_rows_from_a_store_that_the_url_alone_opens(
    cluster, data, s3, bucket, tmp_path
):
    from s3_server import KEY, SECRET

    for file in data.iterdir():
        s3.client.put_object(Bucket=bucket, Key=f"set/{file.name}", Body=file.read_bytes())
    # Workers were started before, and know of no credentials.
    server = f"endpoint_override=127.0.0.1:{s3.port}&scheme=http&region=us-east-1"
    top = f"s3://{KEY}:{SECRET.replace('/', '%2F')}@{bucket}"
    engine = DaskEngine(cluster, 0, Checkpoint(f"{top}/counts?{server}"))
    config = EvaluateConfig()
    found = evaluate_files([f"{top}/set?{server}"], PLAIN, config, engine=engine)
    same_numbers(evaluate_files([str(data)], PLAIN, config), found, tmp_path)
    kept = [key for key in s3.keys(bucket) if key.startswith("counts/")]
    assert "counts/checkpoint.json" in kept
    assert len(kept) > 1
    for key in kept:
        assert SECRET.encode() not in s3.content(bucket, key)


def test_what_workers_have_kept_is_taken_up_by_one_machine(cluster, data, tmp_path, monkeypatch):
    """Tasks of workers that keep few rows are others than those of one that keeps all."""
    monkeypatch.setattr(dask_engine, "room_for_rows", lambda *_, **__: 500 * 24 * 4)
    monkeypatch.setattr("opiscal.pairs.tasks.task._TASK_WORK", 2e7)
    columns, config = ColumnNames(group="market"), EvaluateConfig()
    folder = tmp_path / "kept"
    engine = DaskEngine(cluster, 0, Checkpoint(str(folder)))
    found = evaluate_files([str(data)], columns, config, engine=engine)
    assert json.loads((folder / "checkpoint.json").read_text())["tasks"]["most_rows"] == 100
    for number, file in enumerate(sorted(folder.glob("*.npz"))):
        if number % 2:
            file.unlink()
    engine = LocalEngine(2, None, Checkpoint(str(folder)))
    same_numbers(found, evaluate_files([str(data)], columns, config, engine=engine), tmp_path)


def test_what_workers_have_kept_of_a_sample_is_taken_up(cluster, data, tmp_path, monkeypatch):
    """By workers, and by one machine; what is kept is not looked for or counted again."""
    monkeypatch.setattr("opiscal.pairs.sampled_columns.BLOCK_ROWS", 300)
    columns, settings = SETS["sampled"]
    config = EvaluateConfig(**settings)
    kept = tmp_path / "kept"
    wanted = evaluate_files([str(data)], columns, config)

    def again(name, engine):
        found = evaluate_files([str(data)], columns, config, engine=engine)
        (tmp_path / name).mkdir()
        same_numbers(wanted, found, tmp_path / name)

    again("first", DaskEngine(cluster, 0, Checkpoint(str(kept))))
    before = {file.name: file.read_bytes() for file in kept.iterdir()}
    tasks = sorted(kept.glob("set.task-*.npz"))
    assert len(tasks) > 5
    tasks[0].unlink()
    tasks[2].write_bytes(tasks[2].read_bytes()[:999])
    written = (kept / "set.head.npz").stat().st_mtime_ns
    submitted = []
    submit = cluster.submit

    def noted(work, *given, name, priority=0):
        submitted.append(name)
        return submit(work, *given, name=name, priority=priority)

    monkeypatch.setattr(cluster, "submit", noted)
    again("workers", DaskEngine(cluster, 0, Checkpoint(str(kept))))
    assert submitted.count("count-columns") == 2
    assert (kept / "set.head.npz").stat().st_mtime_ns == written
    assert {file.name: file.read_bytes() for file in kept.iterdir()} == before
    for task in tasks[1::2]:
        task.unlink()
    again("one machine", LocalEngine(2, None, Checkpoint(str(kept))))
    assert (kept / "set.head.npz").stat().st_mtime_ns == written
    # Without the head what was counted beside it is of no use.
    head = kept / "set.head.npz"
    head.write_bytes(head.read_bytes()[: head.stat().st_size // 2])
    submitted.clear()
    again("no head", DaskEngine(cluster, 0, Checkpoint(str(kept))))
    assert submitted.count("count-columns") == len(tasks)
    assert {file.name: file.read_bytes() for file in kept.iterdir()} == before


def test_a_worker_too_small_for_the_index_is_one_line_unless_near_pairs_are_kept(
    cluster, data, tmp_path, monkeypatch
):
    monkeypatch.setattr(dask_engine, "room_for_rows", lambda *_, **__: 500 * 24 * 4)
    columns, settings = SETS["sampled"]
    config, kept = EvaluateConfig(**settings), Checkpoint(str(tmp_path / "kept"))
    with pytest.raises(UsageError, match=r"worker-memory 9 MB: the index of a sample is made by"):
        evaluate_files([str(data)], columns, config, engine=DaskEngine(cluster, 9_000_000, kept))
    wanted = evaluate_files([str(data)], columns, config, engine=LocalEngine(2, None, kept))
    engine = DaskEngine(cluster, 9_000_000, Checkpoint(str(tmp_path / "kept")))
    same_numbers(wanted, evaluate_files([str(data)], columns, config, engine=engine), tmp_path)


def test_too_little_memory_is_one_line():
    from opiscal.engines.worker_memory import room_for_rows

    with pytest.raises(UsageError, match=r"worker-memory 300 MB: .* needs \d+ MB or more") as error:
        room_for_rows(300_000_000, 50_000, 2048)
    assert "\n" not in str(error.value)


def test_counts_of_single_tasks_are_let_go_of(cluster, data, monkeypatch):
    """Workers would run out of memory: there are thousands of tasks."""
    monkeypatch.setattr("opiscal.pairs.tasks.task._TASK_WORK", 5e6)
    kept = []
    gather = cluster.gather

    def noted(futures):
        found = gather(futures)
        everywhere = cluster.run_everywhere(keys_of_worker)
        kept.append([key for keys in everywhere for key in keys if key.startswith("count-")])
        return found

    monkeypatch.setattr(cluster, "gather", noted)
    evaluate_files([str(data)], PLAIN, EvaluateConfig(), engine=DaskEngine(cluster, 0))
    # When the sum of all was gathered.
    assert kept[-2] == []


def keys_of_worker(dask_worker):
    return list(dask_worker.data)


class HandedOut:
    """A cluster that only remembers what it is given."""

    def __init__(self):
        self.tasks, self.others = [], []

    def submit(self, work, *given, name, priority=0):
        future = f"{name} {len(self.tasks) + len(self.others)}"
        if name.startswith("count-"):
            self.tasks.append((priority, *given[2:]))
        else:
            self.others.append((name, given))
        return future

    def everywhere(self, value):
        return value


def test_the_largest_tasks_are_handed_out_first_and_wait_for_one_thing(monkeypatch):
    from types import SimpleNamespace

    from opiscal.data.rows import from_arrays
    from opiscal.pairs.sorted_rows import sort_rows
    from opiscal.pairs.tasks.exact_tasks import plan_exact_tasks

    rng = np.random.default_rng(0)
    rows = sort_rows(from_arrays(rng.standard_normal((9000, 4)), rng.integers(0, 300, 9000)))
    tasks = plan_exact_tasks(rows, 4, shares=3)
    cluster = HandedOut()
    engine = DaskEngine(cluster, 0)
    monkeypatch.setattr(engine, "_set", SimpleNamespace(all_fit=True))
    futures = engine._submit(tasks, None, [])
    assert sorted(futures) == [task.number for task in tasks]
    handed = sorted(cluster.tasks, key=lambda one: -one[0])
    assert len({priority for priority, *_ in handed}) == len(tasks)
    kinds = [task.kind for _, task, *_ in handed]
    first = kinds.index("negative")
    assert set(kinds[:first]) == {"positive"}
    assert set(kinds[first:]) == {"negative"}
    pairs = [task.pairs for _, task, *_ in handed[first:]]
    assert pairs == sorted(pairs, reverse=True)
    # The nearest positives of all rows are one thing to wait for.
    ((name, needed),) = cluster.others
    assert (name, len(needed)) == ("nearest-positives", first)
    assert {found for _, _, *found in handed[first:] for found in found} == {
        f"nearest-positives {first}"
    }
    assert all(len(one) == 2 for one in handed[:first])
