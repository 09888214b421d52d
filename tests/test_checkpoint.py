"""`evaluate --checkpoint`: whatever happens in the middle, the answer is that of a plain run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import DIGITS400
from task_sets import (
    StoppedError,
    assert_same_run,
    drawn_set,
    killed_once_it_keeps_a_task,
    small_tasks,
    watch_tasks,
)

from opiscal.data.embedding_set import ColumnNames
from opiscal.data.folder import Folder
from opiscal.data.rows import from_arrays
from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.checkpoint_files import task_file
from opiscal.engines.engine import CountRequest
from opiscal.engines.kept_counts import KeptCounts
from opiscal.engines.local import LocalEngine
from opiscal.errors import InputError, UsageError
from opiscal.evaluation import evaluate_files
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.jobs import whole_job
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.lattice_arrays import edges_digest
from opiscal.pairs.pair_settings import PairSettings
from opiscal.pairs.plan import plan_pairs
from opiscal.pairs.sorted_rows import sort_rows
from opiscal.pairs.tasks.counting import SharedOut, plan_tasks, task_counting
from opiscal.pairs.tasks.pieces import Piece
from opiscal.pairs.tasks.pieces_file import (
    CountedTasks,
    TornFileError,
    counted_from_bytes,
    counted_to_bytes,
)
from opiscal.report.settings import EvaluateConfig

CONFIG = EvaluateConfig(null_label="distractor", splits=1, threads=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return drawn_set(tmp_path_factory.mktemp("set") / "set.parquet", 2000, 30, seed=1)


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory) -> Path:
    return evaluated(data, tmp_path_factory.mktemp("plain") / "run")


def evaluated(data: Path, run: Path, checkpoint: Path | None = None, config=CONFIG) -> Path:
    kept = None if checkpoint is None else Checkpoint(str(checkpoint))
    report = evaluate_files(
        [str(data)],
        ColumnNames(group="group"),
        config,
        engine=LocalEngine(config.threads, checkpoint=kept),
    )
    return report.save(run, plots=False)


def evaluated_again(data: Path, tmp_path: Path, monkeypatch) -> tuple[Path, int]:
    """The run of the same command on a checkpoint that is there, and how many tasks it counts."""
    with monkeypatch.context() as patch:
        small_tasks(patch)
        counted = watch_tasks(patch)
        return evaluated(data, tmp_path / "again", tmp_path / "kept"), len(counted)


@pytest.fixture
def finished(data, tmp_path, monkeypatch) -> int:
    """A whole checkpoint in the folder "kept"; how many tasks it took."""
    with monkeypatch.context() as patch:
        small_tasks(patch)
        counted = watch_tasks(patch)
        evaluated(data, tmp_path / "run", tmp_path / "kept")
    return len(counted)


@pytest.mark.parametrize("after", [0, 1, 7])
def test_an_interrupt_costs_the_tasks_in_flight(data, undisturbed, tmp_path, monkeypatch, after):
    with monkeypatch.context() as patch:
        small_tasks(patch)
        watch_tasks(patch, fail_after=after)
        with pytest.raises(StoppedError):
            evaluated(data, tmp_path / "run", tmp_path / "kept")
    assert not (tmp_path / "run").exists()
    kept = len(list((tmp_path / "kept").glob("*.npz")))
    # Two threads, and one task that waits for them.
    assert after - 3 <= kept <= after
    run, counted = evaluated_again(data, tmp_path, monkeypatch)
    assert_same_run(run, undisturbed)
    run, counted_then = evaluated_again(data, tmp_path, monkeypatch)
    assert_same_run(run, undisturbed)
    assert (kept + counted, counted_then) == (len(list((tmp_path / "kept").glob("*.npz"))), 0)


def test_a_finished_checkpoint_is_read_and_nothing_counted(
    data, undisturbed, tmp_path, monkeypatch, finished
):
    assert finished > 10
    run, counted = evaluated_again(data, tmp_path, monkeypatch)
    assert counted == 0
    assert_same_run(run, undisturbed)


def test_torn_files_are_counted_again(data, undisturbed, tmp_path, monkeypatch, finished):
    files = sorted((tmp_path / "kept").glob("*.npz"))
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[: len(whole) // 2])
    files[3].write_bytes(b"")
    run, counted = evaluated_again(data, tmp_path, monkeypatch)
    assert counted == 2
    assert_same_run(run, undisturbed)
    assert files[0].read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "identity.settings.seed is 0 there and 1 here"),
        ({"splits": 0}, "identity.settings.splits is 1 there and 0 here"),
    ],
)
def test_the_folder_of_another_evaluation_is_refused(data, tmp_path, finished, change, said):
    before = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    config = EvaluateConfig(**{"null_label": "distractor", "splits": 1} | change)
    with pytest.raises(UsageError) as refused:
        evaluated(data, tmp_path / "other", tmp_path / "kept", config)
    assert str(refused.value) == (
        f"the checkpoint {str(tmp_path / 'kept')!r} is of another evaluation: {said}; give another "
        "folder, or remove this one"
    )
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == before


def test_the_folder_of_another_data_set_is_refused(tmp_path, finished):
    other = drawn_set(tmp_path / "other.parquet", 2000, 30, seed=2)
    with pytest.raises(UsageError, match=r"identity\.inputs\[0\]\[0\] is \".{5,60} there and \""):
        evaluated(other, tmp_path / "other", tmp_path / "kept")


def test_a_file_of_another_evaluation_is_refused(data, tmp_path, monkeypatch, finished):
    file = tmp_path / "kept" / task_file("set", 0)
    counted = counted_from_bytes(file.read_bytes())
    file.write_bytes(counted_to_bytes(CountedTasks("other", (0,), counted.pieces)))
    with pytest.raises(
        InputError, match=r"'set.task-000000.npz' in the checkpoint '.*' is of anot"
    ):
        evaluated_again(data, tmp_path, monkeypatch)


KEYS = '{"format": 2, "opiscal_version": "", "identity": {}, "edges": "", '


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"tasks": {}}',
        KEYS + '"tasks": {"halves": 1}, "plan": {}}',
        KEYS + '"tasks": {}, "plan": {}}',
        KEYS + '"tasks": {}, "plan": {"index": {"kind": 1}}}',
    ],
)
def test_a_manifest_that_is_none(data, tmp_path, content):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "checkpoint.json").write_text(content)
    with pytest.raises(
        InputError, match=r"'checkpoint.json' of '.*' (cannot be read|is none of ours)"
    ):
        evaluated(data, tmp_path / "run", tmp_path / "kept")


def test_a_folder_that_holds_something_else_is_refused(data, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="is no checkpoint and not empty; give an empty or a new"):
        evaluated(data, tmp_path / "run", tmp_path / "kept")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["letter.txt"]


def counted_set(rows: int, classes: int, folder: Path, threads: int = 1):
    """A begun checkpoint of a set of arrays, and what counts its only job."""
    rng = np.random.default_rng(3)
    label = rng.integers(0, classes, rows)
    vectors = rng.standard_normal((classes, 8))[label] + rng.standard_normal((rows, 8))
    embeddings = from_arrays(vectors, label)
    sorted_rows = sort_rows(embeddings)
    lattice = fit_lattice(sorted_rows, 0)
    job = whole_job(sorted_rows, plan_pairs(PairSettings(), rows, 8), ranks=True)
    request = CountRequest(sorted_rows, lattice, embeddings.labels, "cosine", 0, {"seed": 0})
    checkpoint = Checkpoint(str(folder))
    how = checkpoint.begin(request.identity, lattice, SharedOut(), job.plan)
    return request, job, KeptCounts(checkpoint, how, threads), checkpoint


def test_never_more_than_twice_the_bytes_of_the_finished_counts(tmp_path, monkeypatch):
    small_tasks(monkeypatch)
    request, job, kept, _ = counted_set(8192, 60, tmp_path / "kept")
    tasks = plan_tasks(request.whole, 8)
    assert len(tasks) > 30
    final = task_counting(request.whole, request.lattice, True).bytes_when_finished
    held, together = [], []
    write, remove = Folder.write, Folder.remove

    def watched(plain):
        def done(self, name, *data):
            plain(self, name, *data)
            held.append(sum(path.stat().st_size for path in Path(self.path).iterdir()))
            if ".tasks-" in name:
                together.append(name)

        return done

    monkeypatch.setattr(Folder, "write", watched(write))
    monkeypatch.setattr(Folder, "remove", watched(remove))
    found = kept.count(request, job, request.whole)
    assert together, "the set is too small to be put together"
    assert max(held) < 2 * final
    # What was put together from memory is what was counted.
    counted = watch_tasks(monkeypatch)
    request, job, kept, _ = counted_set(8192, 60, tmp_path / "kept")
    again = kept.count(request, job, request.whole)
    assert counted == []
    assert np.array_equal(again.counts.negative_squares, found.counts.negative_squares)
    assert np.array_equal(again.ranks.rank, found.ranks.rank)
    monkeypatch.undo()
    wanted = count_exactly(request.whole, request.lattice, ranks=True)
    counts = wanted.counts(request.whole, request.lattice, request.labels, "cosine")
    assert np.array_equal(found.counts.class_negative, counts.class_negative)
    assert np.array_equal(found.counts.negative_squares, counts.negative_squares)


def test_an_interrupt_while_counts_are_put_together(tmp_path, monkeypatch):
    small_tasks(monkeypatch)
    request, job, kept, _ = counted_set(5000, 60, tmp_path / "kept")
    first = kept.count(request, job, request.whole)
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "remove", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        _, _, _, checkpoint = counted_set(5000, 60, tmp_path / "kept")
        checkpoint.counted("set")
        with pytest.raises(KeyboardInterrupt):
            checkpoint.put_together("set")
    # Both are there now: one file of all tasks, and one of each.
    many = len(list((tmp_path / "kept").glob("set.*.npz")))
    counted = watch_tasks(monkeypatch)
    request, job, kept, checkpoint = counted_set(5000, 60, tmp_path / "kept")
    again = kept.count(request, job, request.whole)
    assert counted == []
    assert np.array_equal(again.counts.class_negative, first.counts.class_negative)
    assert many > 2
    assert len(list((tmp_path / "kept").glob("set.*.npz"))) == 1


def test_torn_files_go_when_counts_are_put_together(tmp_path, monkeypatch):
    small_tasks(monkeypatch)
    request, job, kept, _ = counted_set(5000, 60, tmp_path / "kept")
    kept.count(request, job, request.whole)
    torn = tmp_path / "kept" / "set.tasks-0-3.npz"
    torn.write_bytes(b"PK")
    _, _, _, checkpoint = counted_set(5000, 60, tmp_path / "kept")
    checkpoint.counted("set")
    checkpoint.put_together("set")
    (one,) = (tmp_path / "kept").glob("*.npz")
    (part,) = checkpoint.counted("set")
    assert one.name == f"set.tasks-0-{len(part.numbers)}.npz"


def test_damaged_bytes_are_found_out():
    rng = np.random.default_rng(0)
    pieces = [Piece("pool", (0,), np.arange(50)), Piece("row_negative", (3, 0), np.eye(4))]
    whole = counted_to_bytes(CountedTasks("digest", (1, 2), pieces))
    for at in rng.choice(len(whole), 400):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        try:
            found = counted_from_bytes(bytes(damaged))
        except TornFileError:
            continue
        # A byte that nobody reads, such as the date of a member.
        assert (found.digest, found.numbers) == ("digest", (1, 2))
        for piece, wanted in zip(found.pieces, pieces, strict=True):
            assert piece.key == wanted.key
            assert np.array_equal(piece.values, wanted.values)


def test_other_edges_have_another_digest():
    rng = np.random.default_rng(0)
    rows = [sort_rows(from_arrays(rng.standard_normal((60, 4)), [0, 1] * 30)) for _ in range(2)]
    digests = {edges_digest(fit_lattice(one, 0)) for one in (rows[0], rows[0], rows[1])}
    assert len(digests) == 2


def test_a_killed_command_goes_on_where_it_was(cli, tmp_path):
    from opiscal.data.simulate import SimulationConfig, simulate

    data = tmp_path / "set.parquet"
    simulate(SimulationConfig(rows=4_000, dimensions=32, classes=200), data)
    words = ["evaluate", str(data), "--no-plots", "--split", "--splits", "1", "--quiet", "--json"]
    assert cli(*words, "-o", "plain").code == 0
    kept = tmp_path / "kept"
    killed_once_it_keeps_a_task(tmp_path, *words, "-o", "run", "--checkpoint", "kept")
    written = {file.name: file.stat().st_mtime_ns for file in kept.glob("*.npz")}
    assert {name.split("-")[0] for name in written} == {"set.task"}
    assert not (tmp_path / "run").exists()
    again = cli(*words, "-o", "run", "--checkpoint", "kept")
    assert again.code == 0, again.err
    assert {name: (kept / name).stat().st_mtime_ns for name in written} == written
    assert_same_run(tmp_path / "run", tmp_path / "plain")


def test_the_command_says_what_is_wrong(cli, tmp_path):
    assert cli("evaluate", DIGITS400, "-o", "run", "--no-plots", "--checkpoint", "kept").code == 0
    manifest = json.loads((tmp_path / "kept" / "checkpoint.json").read_text())
    assert manifest["tasks"] == {"shares": 1, "most_rows": None}
    shutil.rmtree(tmp_path / "run")
    answer = cli("evaluate", DIGITS400, "-o", "run", "--metric", "l2", "--checkpoint", "kept")
    assert (answer.code, answer.error) == (
        2,
        "opiscal: error: the checkpoint 'kept' is of another evaluation: identity.settings.metric "
        'is "cosine" there and "l2" here; give another folder, or remove this one',
    )
    assert not (tmp_path / "run").exists()
