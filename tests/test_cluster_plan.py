"""`opiscal inspect --workers`: the plan is that of the engine, number for number."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import PLACES, Cli

import opiscal.engines.cluster_plan as cluster_plan
from opiscal.data.embedding_set import ColumnNames, RowPolicy
from opiscal.data.parquet import read_embeddings
from opiscal.data.row_reader import RowReader
from opiscal.data.rows import from_arrays
from opiscal.data.scan_plan import scan_parts
from opiscal.engines.cluster_plan import WorkerRates, plan_cluster, read_rate, too_large
from opiscal.engines.task_order import in_turn
from opiscal.engines.worker_memory import memory_bytes, rows_of_stretch
from opiscal.errors import UsageError
from opiscal.pairs.absent_rows import absent_rows
from opiscal.pairs.blas import one_blas_thread
from opiscal.pairs.cost import estimate_cost
from opiscal.pairs.edge_targets import MOST_CLASS_PAIR_EDGES
from opiscal.pairs.lattice import Lattice, fit_lattice
from opiscal.pairs.nearest_class import nearest_class
from opiscal.pairs.pair_settings import PairSettings
from opiscal.pairs.plan import (
    exact_seconds,
    most_exact_rows,
    plan_pairs,
    rows_for_sampling,
    sample_seconds,
)
from opiscal.pairs.sorted_rows import class_order, sort_rows
from opiscal.pairs.stored_sets import find_move, sort_stored_rows, stretch_norms
from opiscal.pairs.tally import Tally
from opiscal.pairs.tasks.counting import task_counting
from opiscal.pairs.tasks.exact_tasks import plan_exact_tasks

ROWS, DIMENSIONS, CLASSES = 6000, 24, 90
ROW_BYTES = 4 * DIMENSIONS
# Rates whose sums are easy: the work of a task is what its pairs are.
RATES = WorkerRates(pairs=1e6, bytes=1e6)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short trial, and tasks of few pairs."""
    monkeypatch.setattr("opiscal.pairs.cost._TRIAL_ROWS", 512)
    monkeypatch.setattr("opiscal.pairs.tasks.task._TASK_WORK", 2e7)


def write(path: Path, labels: np.ndarray) -> Path:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((CLASSES, DIMENSIONS))[labels]
    vectors += rng.standard_normal((ROWS, DIMENSIONS))
    vectors[::371] = 0  # left out
    table = pa.table({"embedding": list(vectors.astype("f4")), "label": labels})
    pq.write_table(table[:3500], path / "a.parquet", row_group_size=500)
    pq.write_table(table[3500:], path / "b.parquet", row_group_size=700)
    return path


@pytest.fixture(scope="module", params=["scattered", "sorted"])
def data(request, tmp_path_factory) -> Path:
    labels = np.random.default_rng(4).integers(0, CLASSES, ROWS)
    if request.param == "sorted":
        labels = np.sort(labels)
    return write(tmp_path_factory.mktemp(request.param), labels)


def parts(data: Path):
    columns, policy = ColumnNames(), RowPolicy()
    reader = scan_parts([str(data)], columns, policy).reader(DIMENSIONS)
    embeddings = read_embeddings([str(data)], columns, policy)
    return embeddings, reader, fit_lattice(sort_rows(embeddings), 0)


def with_room(monkeypatch, rows: int) -> int:
    room = rows * ROW_BYTES
    monkeypatch.setattr(cluster_plan, "room_for_rows", lambda *_, **__: room)
    return room


@pytest.mark.parametrize("kept", [ROWS, 3000, 1000])
def test_tasks_and_stretches_are_those_of_the_engine(data, monkeypatch, kept):
    embeddings, reader, lattice = parts(data)
    room = with_room(monkeypatch, kept)
    plan = plan_cluster(embeddings, reader, lattice, 3, None, RATES)
    order = absent_rows(class_order(embeddings.class_of_row), DIMENSIONS, "cosine")
    stretch = rows_of_stretch(embeddings.rows, ROW_BYTES, room)
    tasks = plan_exact_tasks(order, DIMENSIONS, most_rows=stretch)
    sizes = [task.pairs for task in tasks]
    assert plan.tasks.number == len(tasks) > 10
    assert (plan.tasks.fewest, plan.tasks.most) == (min(sizes), max(sizes))
    assert plan.stretch_rows == stretch
    assert (stretch is None) == (kept == ROWS)
    assert plan.pairs == order.pairs
    assert len(plan.worker_bytes) == 3


def counted_by_one(embeddings, reader: RowReader, lattice: Lattice, room: int) -> tuple[int, int]:
    """Count all tasks in turn by one worker; the bytes that it read, and those of its counts."""
    half_norm = None
    move = find_move(embeddings, reader)
    if rows_of_stretch(embeddings.rows, ROW_BYTES, room) is not None:
        half_norm = stretch_norms(embeddings, reader, move, 0, embeddings.rows)
    own = reader.copy()
    rows = sort_stored_rows(embeddings, own, room, 1, move=move, half_norm=half_norm)
    assert own.bytes_read == 0
    stretch = rows_of_stretch(rows.rows, ROW_BYTES, room)
    tasks = plan_exact_tasks(rows, DIMENSIONS, most_rows=stretch)
    counting = task_counting(rows, lattice, ranks=True)
    counts = 0
    with one_blas_thread():
        for task in in_turn(tasks, stretch is None):
            pieces = counting.count(task, counting.nearest(task))
            counts += sum(piece.values.nbytes for piece in pieces)
            counting.add(pieces)
    return own.bytes_read, counts


@pytest.mark.parametrize("kept", [ROWS, 3000, 1000])
def test_bytes_are_those_that_counting_reads(data, monkeypatch, kept):
    embeddings, reader, lattice = parts(data)
    room = with_room(monkeypatch, kept)
    plan = plan_cluster(embeddings, reader, lattice, 1, None, RATES)
    read, counts = counted_by_one(embeddings, reader, lattice, room)
    assert plan.worker_bytes == (read,)
    if plan.tasks.number <= cluster_plan._TRIAL_TASKS:
        assert plan.count_bytes == counts
    else:
        assert plan.count_bytes == pytest.approx(counts, rel=0.2)
    assert plan.bytes_read == plan.look_bytes + plan.alone_bytes + read
    assert (plan.look_bytes, plan.alone_bytes == 0) == (
        (reader.file_bytes, True) if kept == ROWS else (2 * reader.file_bytes, False)
    )
    order = absent_rows(class_order(embeddings.class_of_row), DIMENSIONS, "cosine")
    tasks = plan_exact_tasks(order, DIMENSIONS, most_rows=plan.stretch_rows)
    work = sum(task.pairs for task in tasks)
    assert plan.count_seconds == pytest.approx((work + read) / 1e6)


@pytest.mark.parametrize("kept", [3000, 1000])
def test_what_one_worker_reads_alone_is_about_right(data, monkeypatch, kept):
    embeddings, reader, lattice = parts(data)
    room = with_room(monkeypatch, kept)
    plan = plan_cluster(embeddings, reader, lattice, 2, None, RATES)
    move = find_move(embeddings, reader)
    half_norm = stretch_norms(embeddings, reader, move, 0, embeddings.rows)
    own = reader.copy()
    rows = sort_stored_rows(embeddings, own, room, 1, move=move, half_norm=half_norm)
    assert fit_lattice(rows, 0).same_edges(lattice)
    nearest_class(rows, None, rows.classes.scored)
    assert 0.5 < plan.alone_bytes / own.bytes_read < 2


def test_rows_sorted_by_class_are_read_from_few_row_groups(tmp_path, monkeypatch):
    labels = np.random.default_rng(4).integers(0, CLASSES, ROWS)
    with_room(monkeypatch, 1000)
    read = {}
    for name, given in (("scattered", labels), ("sorted", np.sort(labels))):
        (tmp_path / name).mkdir()
        embeddings, reader, lattice = parts(write(tmp_path / name, given))
        plan = plan_cluster(embeddings, reader, lattice, 2, None, RATES)
        read[name] = sum(plan.worker_bytes)
    assert read["sorted"] < read["scattered"] / 3


def test_more_workers_take_less_time_until_there_are_more_than_tasks(data):
    embeddings, reader, lattice = parts(data)
    seconds = [
        plan_cluster(embeddings, reader, lattice, n, 10**9, RATES).count_seconds
        for n in (1, 2, 1000)
    ]
    assert seconds[0] > 1.8 * (seconds[1] - 1)
    largest = plan_cluster(embeddings, reader, lattice, 1, 10**9, RATES).tasks.most
    assert seconds[2] == pytest.approx((largest + reader.file_bytes) / 1e6)


def test_rows_of_chance_are_read_from_their_row_groups_alone(data):
    _, reader, _ = parts(data)
    rng = np.random.default_rng(5)
    for size in (1, 7, 200):
        numbers = np.sort(rng.choice(np.setdiff1d(np.arange(ROWS), np.arange(0, ROWS, 371)), size))
        own = reader.copy()
        own.read(numbers)
        assert own.bytes_read == reader.bytes_to_read(rng.permutation(numbers)) > 0
    assert reader.bytes_to_read(np.arange(ROWS)) == reader.file_bytes
    assert read_rate(reader, np.arange(1, 371)) > 0
    assert reader.bytes_read == 0


def test_sizes_of_memory():
    said = {"4GB": 4e9, "500MiB": 500 * 2**20, "1.5g": 1.5e9, "1e9": 1e9, "7 kB": 7000, "12B": 12}
    assert {text: memory_bytes(text) for text in said} == said
    for wrong in ("", "GB", "4 apples", "-1GB", "0", "1..2GB", "4GBB", "nan", "."):
        with pytest.raises(UsageError, match="must be a size, such as 4GB"):
            memory_bytes(wrong)


def test_where_sampling_takes_over():
    for dimensions in (24, 128, 512, 2048):
        last = most_exact_rows(dimensions)
        assert plan_pairs(PairSettings(), last, dimensions).mode == "exact"
        assert plan_pairs(PairSettings(), last + 1, dimensions).mode == "sampled"
    for speed, workers in ((2e7, 1), (1e8, 8), (1e8, 500)):
        first = rows_for_sampling(speed, workers)
        for rows, faster in ((first - 1, False), (first, True)):
            exact = exact_seconds(rows, workers * speed)
            assert (exact > sample_seconds(rows, 2048, speed, workers)) == faster
    assert too_large(100_000_000)
    assert not too_large(10_000_000)


def test_what_is_printed(cli: Cli):
    answer = cli("inspect", PLACES, "--workers", "8", "--worker-memory", "600MB")
    assert (answer.code, answer.err) == (0, "")
    text = " ".join(answer.out.split())
    assert "cluster 8 workers of one thread with 600 MB each: a worker keeps all 3,000" in text
    assert "no vector" in text
    assert "a sample is for more than 4,096 rows" in text
    assert "on 8 workers" in text
    assert max(map(len, answer.out.splitlines())) <= 80
    found = cli("inspect", PLACES, "--workers", "8", "--worker-memory", "600MB", "--json").document
    cluster = found["cluster"]
    assert set(cluster) == {
        "workers",
        "pairs_per_second",
        "bytes_per_second",
        "exact_seconds",
        "sample_columns",
        "sample_seconds",
        "rows_for_sampling",
        "most_exact_rows",
        "plan",
    }
    plan = cluster["plan"]
    assert (cluster["workers"], plan["rows"], plan["worker_memory"]) == (8, 3000, 600_000_000)
    assert plan["stretch_rows"] is None
    assert plan["pairs"] == found["positive_pairs"] + found["negative_pairs"]
    read = plan["bytes_read"]
    assert read["workers"] == [read["look"]] * 8
    assert read["total"] == 9 * read["look"]
    assert plan["seconds"]["total"] == cluster["exact_seconds"] > 0
    assert cluster["sample_seconds"] is None
    assert cluster["most_exact_rows"] == most_exact_rows(24)
    assert cli("inspect", PLACES, "--json").document["cluster"] is None


def test_errors_are_one_line(cli: Cli):
    answer = cli("inspect", PLACES, "--worker-memory", "4GB")
    assert (answer.code, answer.out) == (2, "")
    assert answer.error == (
        "opiscal: error: worker-memory 4GB: of how many workers? give --workers too, or leave it "
        "out"
    )
    answer = cli("inspect", PLACES, "--workers", "2", "--worker-memory", "300MB")
    assert answer.code == 2
    assert "a worker of 1 thread needs 471 MB or more" in answer.error
    answer = cli("inspect", PLACES, "--workers", "2", "--worker-memory", "much")
    assert "worker-memory 'much': must be a size" in answer.error


def test_a_sample_in_memory_is_no_sample_of_the_plan(cli: Cli, monkeypatch):
    # Workers read rows from their files: all are counted that this machine could not hold.
    monkeypatch.setattr("opiscal.data.row_sample.rows_that_fit", lambda *_, **__: 1500)
    found = cli("inspect", PLACES, "--workers", "2", "--worker-memory", "1GB", "--json").document
    assert found["sample"] is not None
    assert found["rows_used"] < 2000
    assert found["cluster"]["plan"]["rows"] == 3000


def test_dask_is_not_needed():
    code = (
        "import sys; sys.argv = ['opiscal', 'inspect', sys.argv[1], '--workers', '2', '--json']\n"
        "sys.modules['dask'] = sys.modules['distributed'] = None\n"
        "from opiscal.cli.main import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code, PLACES], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_kept_class_pairs_are_part_of_the_memory():
    def set_of(classes: int):
        rng = np.random.default_rng(0)
        return from_arrays(rng.standard_normal((5600, 4)), np.arange(5600) % classes)

    few, many = set_of(700), set_of(701)
    found = estimate_cost(few).bytes - estimate_cost(many).bytes + 12_000
    rows = sort_rows(few)
    tally = Tally.empty(rows, fit_lattice(rows, 0))
    kept = tally.accepted_of_pairs
    assert kept.shape[0] <= MOST_CLASS_PAIR_EDGES
    assert found == MOST_CLASS_PAIR_EDGES * 700 * 700 * 4
    assert 0 < kept.nbytes <= found
