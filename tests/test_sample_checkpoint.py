"""A sample with `--checkpoint`: whatever is resumed from, the answer is that of a plain run."""

import json
import shutil
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest
from task_sets import StoppedError, assert_same_run, drawn_set, killed_once_it_keeps_a_task

import opiscal.engines.kept_sample as kept_sample
from opiscal.data.embedding_set import ColumnNames
from opiscal.data.folder import Folder
from opiscal.data.rows import from_arrays
from opiscal.data.simulate import SimulationConfig, simulate
from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.engine import CountRequest
from opiscal.engines.kept_sample import KeptSample
from opiscal.engines.local import LocalEngine
from opiscal.errors import InputError, UsageError
from opiscal.evaluation import evaluate_files
from opiscal.pairs.counting import StartedSample, count_pairs, start_sample
from opiscal.pairs.jobs import whole_job
from opiscal.pairs.lattice import Lattice, fit_lattice
from opiscal.pairs.pair_settings import PairSettings
from opiscal.pairs.plan import plan_pairs
from opiscal.pairs.sampled_columns import ColumnSums
from opiscal.pairs.sorted_rows import SortedRows, sort_rows
from opiscal.pairs.tasks.column_tasks import ColumnTasks, bytes_of_sample
from opiscal.pairs.tasks.counting import SharedOut
from opiscal.pairs.tasks.exact_tasks import ExactTasks
from opiscal.pairs.tasks.head_file import head_from_bytes, head_to_bytes
from opiscal.pairs.tasks.pieces_file import TornFileError
from opiscal.report.settings import EvaluateConfig

# The whole and both halves are sampled; of the groups, which are smaller, every pair is counted.
ROWS, SAMPLED = 8800, ("set", "split-0-1", "split-0-2")
SETTINGS = {"null_label": "distractor", "splits": 1, "threads": 2}
CONFIG = EvaluateConfig(pairs="sampled", sample_pairs=ROWS * 256, **SETTINGS)


@pytest.fixture(autouse=True)
def _many_tasks(monkeypatch):
    monkeypatch.setattr("opiscal.pairs.sampled_columns.BLOCK_ROWS", 600)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return drawn_set(tmp_path_factory.mktemp("set") / "set.parquet", ROWS, 60, seed=1)


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory) -> Path:
    return evaluated(data, tmp_path_factory.mktemp("plain") / "run")


def evaluated(
    data: Path, run: Path, kept: Path | None = None, config=CONFIG, save_index: Path | None = None
) -> Path:
    checkpoint = None if kept is None else Checkpoint(str(kept))
    engine = LocalEngine(2, save_index, checkpoint)
    columns = ColumnNames(group="group")
    report = evaluate_files([str(data)], columns, config, engine=engine, save_index=save_index)
    return report.save(run, plots=False)


@dataclass
class Work:
    """What is done: near pairs that are looked for, and tasks that are counted."""

    heads: int = 0
    columns: int = 0
    exact: int = 0
    most: int = 10**9


@pytest.fixture
def work(monkeypatch) -> Work:
    done = Work()
    plain, exact, start = ColumnTasks.count, ExactTasks.count, kept_sample.start_sample

    def count_columns(self, task, head):
        if done.columns >= done.most:
            raise StoppedError
        done.columns += 1
        return plain(self, task, head)

    def count_exactly(self, task, nearest=()):
        done.exact += 1
        return exact(self, task, nearest)

    def started(*given, **more):
        done.heads += 1
        return start(*given, **more)

    monkeypatch.setattr(ColumnTasks, "count", count_columns)
    monkeypatch.setattr(ExactTasks, "count", count_exactly)
    monkeypatch.setattr(kept_sample, "start_sample", started)
    return done


@pytest.fixture(scope="module")
def once(data, undisturbed, tmp_path_factory) -> Path:
    """A whole checkpoint."""
    home = tmp_path_factory.mktemp("once")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("opiscal.pairs.sampled_columns.BLOCK_ROWS", 600)
        assert_same_run(evaluated(data, home / "run", home / "kept"), undisturbed)
    return home / "kept"


@pytest.fixture
def kept(once, tmp_path) -> Path:
    """The same, to be damaged."""
    return Path(shutil.copytree(once, tmp_path / "kept"))


def tasks_of(kept: Path, job: str) -> list[Path]:
    return sorted(kept.glob(f"{job}.task*.npz"))


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def test_a_finished_checkpoint_is_read_and_nothing_counted(data, undisturbed, kept, tmp_path, work):
    assert all(len(tasks_of(kept, job)) > 4 for job in SAMPLED)
    assert all((kept / f"{job}.head.npz").is_file() for job in SAMPLED)
    assert tasks_of(kept, "group-0")
    assert not (kept / "group-0.head.npz").exists()
    assert_same_run(evaluated(data, tmp_path / "run", kept), undisturbed)
    assert work == Work()


def test_tasks_that_are_missing_or_torn_are_counted_again(data, undisturbed, kept, tmp_path, work):
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    for file in (*tasks_of(kept, "set")[::2], *tasks_of(kept, "split-0-2")):
        file.unlink()
    cut(tasks_of(kept, "split-0-1")[1])
    tasks_of(kept, "split-0-1")[2].write_bytes(b"")
    missing = len(before) - len(list(kept.iterdir())) + 2
    assert_same_run(evaluated(data, tmp_path / "run", kept), undisturbed)
    assert (work.heads, work.columns, work.exact) == (0, missing, 0)
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


@pytest.mark.parametrize("damage", [Path.unlink, cut])
def test_a_head_that_is_lost_is_found_again_and_its_tasks_go_with_it(
    data, undisturbed, kept, tmp_path, work, damage
):
    """Threads and machines may find other near pairs: beside these the tasks would be wrong."""
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    damage(kept / "split-0-1.head.npz")
    own = len(tasks_of(kept, "split-0-1"))
    assert_same_run(evaluated(data, tmp_path / "run", kept), undisturbed)
    assert (work.heads, work.columns, work.exact) == (1, own, 0)
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


@pytest.mark.parametrize("after", [0, 5])
def test_an_interrupt_costs_the_tasks_in_flight(data, undisturbed, tmp_path, work, once, after):
    work.most, kept = after, tmp_path / "kept"
    with pytest.raises(StoppedError):
        evaluated(data, tmp_path / "run", kept)
    assert (kept / "set.head.npz").is_file()
    # Two threads, and one task that waits for them.
    assert after - 3 <= len(tasks_of(kept, "set")) <= after
    there = len(tasks_of(kept, "set"))
    work.most, work.heads, work.columns = 10**9, 0, 0
    assert_same_run(evaluated(data, tmp_path / "run", kept), undisturbed)
    assert work.heads == len(SAMPLED) - 1
    assert work.columns == sum(len(tasks_of(once, job)) for job in SAMPLED) - there


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "settings.seed is 0 there and 1 here"),
        ({"sample_pairs": ROWS * 512}, f"settings.sample_pairs is {ROWS * 256} there and"),
        ({"positive_cap": 99}, "settings.positive_cap is 200000 there and 99 here"),
        ({"index": "IVF16,Flat"}, 'settings.index is "auto" there and "IVF16,Flat" here'),
        ({"nprobe": 3}, "settings.nprobe is null there and 3 here"),
        ({"ef_search": 3}, "settings.ef_search is null there and 3 here"),
        ({"sample_pairs": None, "budget": 9.0}, f"settings.sample_pairs is {ROWS * 256} there and"),
        ({"sample_pairs": None, "pairs": "exact"}, 'settings.pairs is "sampled" there and "exact"'),
    ],
)
def test_the_folder_of_another_sample_is_refused(data, kept, tmp_path, monkeypatch, change, said):
    monkeypatch.setattr("opiscal.pairs.plan.pairs_per_second", lambda *_: 1e8)
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    settings = {"pairs": "sampled", "sample_pairs": ROWS * 256} | SETTINGS | change
    with pytest.raises(UsageError, match="is of another evaluation: identity") as refused:
        evaluated(data, tmp_path / "run", kept, EvaluateConfig(**settings))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


@pytest.mark.parametrize("then", [5e7, 1.1e8, 1e12])
def test_a_budget_keeps_to_the_sample_that_was_begun(data, tmp_path, monkeypatch, work, then):
    """However fast the machine is then: too slow for any sample, or fast enough for every pair."""
    speed = [1e8]
    monkeypatch.setattr("opiscal.pairs.plan.pairs_per_second", lambda *_: speed[0])
    config = EvaluateConfig(budget=3.3, null_label="distractor")
    first = evaluated(data, tmp_path / "first", tmp_path / "kept", config)
    columns = json.loads((first / "report.json").read_text())["pairs"]["sampling"]["columns"]
    assert 256 < columns < ROWS / 2
    tasks = tasks_of(tmp_path / "kept", "set")
    tasks[0].unlink()
    speed[0], work.columns, work.heads = then, 0, 0
    again = evaluated(data, tmp_path / "again", tmp_path / "kept", config)
    assert_same_run(first, again)
    assert (work.columns, work.heads) == (1, 0)


def test_the_index_is_made_anew_where_it_is_to_be_saved(data, kept, tmp_path, work):
    wanted, file = tmp_path / "wanted.faiss", tmp_path / "rows.faiss"
    evaluated(data, tmp_path / "plain", save_index=wanted)
    evaluated(data, tmp_path / "run", kept, save_index=file)
    assert work == Work()
    assert file.read_bytes() == wanted.read_bytes()


def started_set(
    rows: int = 3000, classes: int = 40, **settings: object
) -> tuple[SortedRows, Lattice, StartedSample, CountRequest]:
    rng = np.random.default_rng(3)
    label = rng.integers(0, classes, rows)
    vectors = rng.standard_normal((classes, 8))[label] + rng.standard_normal((rows, 8))
    embeddings = from_arrays(vectors, label)
    sorted_rows = sort_rows(embeddings)
    lattice = fit_lattice(sorted_rows, 0)
    request = CountRequest(sorted_rows, lattice, embeddings.labels, "cosine", 0, {"seed": 0})
    plan = plan_pairs(PairSettings("sampled", rows * 64, **settings), rows, 8)
    return sorted_rows, lattice, start_sample(sorted_rows, lattice, plan, ranks=True), request


def assert_same_head(one: StartedSample, other: StartedSample) -> None:
    for first, second in ((one.head, other.head), (one.columns, other.columns)):
        for field in fields(first):
            a, b = getattr(first, field.name), getattr(second, field.name)
            for x, y in zip(a, b, strict=True) if isinstance(a, tuple) else ((a, b),):
                assert np.asarray(x).dtype == np.asarray(y).dtype, field.name
                assert np.array_equal(x, y), field.name
    assert (one.index, one.neighbour_recall) == (other.index, other.neighbour_recall)
    assert (one.ranks is None) == (other.ranks is None)
    if one.ranks is not None and other.ranks is not None:
        assert one.ranks.rank.dtype == other.ranks.rank.dtype
        assert np.array_equal(one.ranks.rank, other.ranks.rank)
        assert np.array_equal(one.ranks.of_class, other.ranks.of_class)
        assert one.ranks.cap == other.ranks.cap


def test_a_head_is_read_as_it_was_written_and_damage_is_found_out():
    # Of some classes not all positives are counted, and the index misses some pairs.
    *_, started, _ = started_set(most_positives=2800)
    assert len(started.head.pool_positive) > 3
    whole = head_to_bytes("digest", started)
    assert len(whole) < 0.6 * started.head.nbytes
    digest, found = head_from_bytes(whole)
    assert digest == "digest"
    assert_same_head(found, started)
    rng = np.random.default_rng(0)
    places = [*rng.choice(len(whole), 100), *rng.integers(len(whole) - 4000, len(whole), 60)]
    torn = 0
    for at in places:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        try:
            digest, found = head_from_bytes(bytes(damaged))
        except TornFileError:
            torn += 1
            continue
        # A byte that nobody reads, such as the date of a member.
        assert digest == "digest"
        assert_same_head(found, started)
    assert torn > 100
    with pytest.raises(TornFileError):
        head_from_bytes(whole[: len(whole) // 2])


def test_a_head_of_another_evaluation_is_refused(data, kept, tmp_path):
    file = kept / "set.head.npz"
    file.write_bytes(head_to_bytes("other", head_from_bytes(file.read_bytes())[1]))
    with pytest.raises(InputError, match=r"'set.head.npz' in the checkpoint '.*' is of another"):
        evaluated(data, tmp_path / "run", kept)


def test_never_more_than_twice_the_bytes_of_the_finished_counts(tmp_path, monkeypatch):
    """Not while counts are put together either, and the head stays."""
    monkeypatch.setattr("opiscal.pairs.sampled_columns.BLOCK_ROWS", 128)
    monkeypatch.setattr("opiscal.pairs.tasks.task._TASK_WORK", 1e5)
    rows, lattice, started, request = started_set(rows=4000, classes=60)
    final = bytes_of_sample(rows, lattice, ColumnSums.empty(rows, lattice, started.columns))
    plan = plan_pairs(PairSettings("sampled", 4000 * 64), rows.rows, 8)
    checkpoint = Checkpoint(str(tmp_path / "kept"))
    checkpoint.begin(request.identity, lattice, SharedOut(), plan)
    held, together = [], []
    write = Folder.write

    def watched(self, name, data):
        write(self, name, data)
        held.append(sum(path.stat().st_size for path in Path(self.path).iterdir()))
        if ".tasks-" in name:
            together.append(name)
        assert (tmp_path / "kept" / "set.head.npz").is_file()

    monkeypatch.setattr(Folder, "write", watched)
    found = KeptSample(checkpoint, 1).count(request, whole_job(rows, plan, True), rows)
    assert together, "the set is too small to be put together"
    assert max(held) < 2 * final
    # What was put together from memory is what was counted.
    checkpoint = Checkpoint(str(tmp_path / "kept"))
    checkpoint.begin(request.identity, lattice, SharedOut(), plan)
    counted: list[object] = []
    monkeypatch.setattr(ColumnTasks, "count", lambda *given: counted.append(given))
    again = KeptSample(checkpoint, 1).count(request, whole_job(rows, plan, True), rows)
    assert counted == []
    assert np.array_equal(again.counts.class_negative, found.counts.class_negative)
    monkeypatch.undo()
    wanted = count_pairs(rows, lattice, plan, request.labels, "cosine", ranks=True)
    assert np.array_equal(found.counts.class_negative, wanted.counts.class_negative)
    assert np.array_equal(found.counts.negative_squares, wanted.counts.negative_squares)
    assert found.sample is not None
    assert wanted.sample is not None
    assert np.array_equal(found.sample.sampled.by_group, wanted.sample.sampled.by_group)


def test_a_killed_command_goes_on_where_it_was(cli, command, tmp_path):
    data = tmp_path / "set.parquet"
    simulate(SimulationConfig(rows=16_000, dimensions=64, classes=200), data)
    words = ["evaluate", str(data), "--no-plots", "--quiet", "--json"]
    words += ["--pairs", "sampled", "--sample-pairs", str(16_000 * 4096)]
    assert cli(*words, "-o", "plain").code == 0
    killed_once_it_keeps_a_task(tmp_path, *words, "-o", "run", "--checkpoint", "kept")
    kept = tmp_path / "kept"
    assert tasks_of(kept, "set")
    assert not (tmp_path / "run").exists()
    head = (kept / "set.head.npz").stat().st_mtime_ns
    again = command(*words, "-o", "run", "--checkpoint", "kept")
    assert again.code == 0, again.err
    assert_same_run(tmp_path / "run", tmp_path / "plain")
    assert (kept / "set.head.npz").stat().st_mtime_ns == head
