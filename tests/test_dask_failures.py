"""Workers, clients and files are lost in the middle of a count: the numbers stay the same."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import PATIENCE, ROOT, clean_environment, wait_for

import opiscal
from opiscal.data.embedding_set import ColumnNames
from opiscal.data.simulate import SimulationConfig, simulate
from opiscal.data.waiting import try_for
from opiscal.engines import dask_cluster
from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.dask_cluster import Cluster
from opiscal.engines.dask_engine import DaskEngine
from opiscal.engines.dask_failures import SCHEDULER_LOST
from opiscal.errors import InputError
from opiscal.evaluation import evaluate_files
from opiscal.report.settings import EvaluateConfig

distributed = pytest.importorskip(
    "distributed", reason="dask is not installed: pip install 'opiscal[distributed]'"
)
psutil = pytest.importorskip("psutil")

CONFIG = EvaluateConfig()
# Some sixty tasks, each of some hundredths of a second.
TASK_WORK = 1.2e8


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("rows") / "set.parquet"
    simulate(SimulationConfig(rows=20_000, dimensions=32, classes=900), file)
    return file


@pytest.fixture(scope="module")
def wanted(data) -> dict:
    return numbers(evaluate_files([str(data)], ColumnNames(), CONFIG))


def numbers(report) -> dict:
    document = report.to_dict()
    document.pop("provenance")
    return document


class Processes:
    """A scheduler and workers, each a process of its own without anybody that starts it again."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.place = folder / "scheduler.json"
        self.started = [self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")]
        for _ in range(workers):
            self.another_worker()
        self.address = wait_for(lambda: self._address())

    def another_worker(self, **environment: str) -> None:
        options = ("--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
        self.started.append(self._start("dask_worker", *options, **environment))

    def _start(self, module: str, *options: str, **environment: str) -> subprocess.Popen:
        own = clean_environment(**environment) | {
            "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "2s",
            "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical",
        }
        command = [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard"]
        return subprocess.Popen(
            [*command, *options, "--scheduler-file", str(self.place)],
            env=own,
            cwd=self.place.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _address(self) -> str | None:
        try:
            return json.loads(self.place.read_text())["address"]
        except (OSError, ValueError, KeyError):
            return None

    def send(self, worker: int, what: signal.Signals) -> None:
        self.started[1 + worker].send_signal(what)

    def close(self) -> None:
        for process in self.started[::-1]:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


@pytest.fixture
def three(tmp_path):
    processes = Processes(tmp_path, 3)
    yield processes
    processes.close()


def test_one_worker_is_killed_and_one_does_not_answer(three, data, wanted, monkeypatch):
    monkeypatch.setattr("opiscal.pairs.tasks.task._TASK_WORK", TASK_WORK)
    cluster = Cluster(three.address)
    wait_for(lambda: cluster.workers == 3)
    calls = []

    def progress(stage: str, done: int, total: int) -> None:
        calls.append(stage)
        if len(calls) == 3:
            three.send(0, signal.SIGKILL)
        if len(calls) == 6:
            three.send(1, signal.SIGSTOP)
            # Longer than the scheduler waits for a sign of life.
            threading.Timer(5.0, lambda: three.send(1, signal.SIGCONT)).start()

    try:
        engine = DaskEngine(cluster, 0)
        report = evaluate_files(
            [str(data)], ColumnNames(), CONFIG, engine=engine, progress=progress
        )
        assert len(calls) > 20
        assert numbers(report) == wanted
        assert cluster.workers < 3
    finally:
        cluster.close()


def test_what_workers_are_told_comes_through_while_one_is_lost(three):
    """The scheduler takes it for one of three until it is missed."""
    cluster = Cluster(three.address)
    try:
        wait_for(lambda: cluster.workers == 3)
        told = []

        def tell() -> None:
            sent = cluster.everywhere(list(range(1000)))
            sums = [cluster.submit(sum, sent, k, name="sum") for k in range(12)]
            told.extend(cluster.gather(sums))

        three.send(0, signal.SIGSTOP)
        assert try_for(PATIENCE, tell)
        assert told == [499_500 + k for k in range(12)]
    finally:
        three.send(0, signal.SIGCONT)
        cluster.close()


def test_what_workers_were_told_is_sent_again_where_all_who_knew_it_are_lost(three):
    cluster = Cluster(three.address)
    try:
        wait_for(lambda: cluster.workers == 3)
        sent = cluster.everywhere([1, 2, 3])
        assert cluster.gather([cluster.submit(sum, sent, 0, name="sum")]) == [6]
        for worker in range(3):
            three.send(worker, signal.SIGKILL)
        wait_for(lambda: cluster.workers == 0)
        three.another_worker()
        found: list[int] = []
        again = cluster.submit(sum, sent, 4, name="sum")
        assert try_for(PATIENCE, lambda: found.extend(cluster.gather([again])))
        assert found == [10]
    finally:
        cluster.close()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "opiscal/__init__.py",
            "raise ModuleNotFoundError('none')",
            "the workers of the scheduler cannot import opiscal (ModuleNotFoundError('none')); "
            "install the same version on all of them: pip install 'opiscal[distributed]'",
        ),
        (
            "sitecustomize.py",
            "import opiscal.version; opiscal.version.__version__ = '0.0.1'",
            f"workers have opiscal 0.0.1 and this is {opiscal.__version__}; counts of two versions "
            "do not add: install the same on all of them",
        ),
    ],
    ids=["without opiscal", "of another version"],
)
def test_workers_that_are_not_alike_are_one_line(tmp_path, file, content, message):
    place = tmp_path / "path" / file
    place.parent.mkdir(parents=True)
    place.write_text(content)
    processes = Processes(tmp_path, 1)
    try:
        processes.another_worker(PYTHONPATH=str(tmp_path / "path"))
        with distributed.Client(processes.address) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
        with pytest.raises(InputError) as raised:
            Cluster(processes.address)
        assert str(raised.value) == message
    finally:
        processes.close()


LOSES_ITS_SCHEDULER = """
import os, signal, sys
from opiscal.engines import dask_engine

watch = dask_engine.watch
scheduler = int(sys.argv.pop())

def kill_and_watch(*given):
    os.kill(scheduler, signal.SIGKILL)
    watch(*given)

dask_engine.watch = kill_and_watch
from opiscal.cli.main import main
main()
"""


def test_a_scheduler_that_is_lost_is_one_line(three, data, tmp_path):
    words = ["evaluate", str(data), "--engine", "dask", "--scheduler", three.address]
    words += ["--quiet", "--no-plots", "-o", "run", str(three.started[0].pid)]
    done = subprocess.run(
        [sys.executable, "-c", LOSES_ITS_SCHEDULER, *words],
        cwd=tmp_path,
        env=clean_environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"opiscal: error: {SCHEDULER_LOST}\n"
    assert not (tmp_path / "run").exists()


def test_a_scheduler_without_workers_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_cluster, "_SECONDS_TO_ANSWER", "1s")
    processes = Processes(tmp_path, 1)
    message = "the Dask scheduler has no workers; start some with 'dask worker ADDRESS'"
    try:
        cluster = wait_for(lambda: with_workers(processes))
        assert cluster.threads_of_worker == 1
        # What the client remembers is without workers now and then, just after it was asked too.
        with monkeypatch.context() as forgetful:
            forgetful.setattr(cluster._client, "scheduler_info", lambda **_: {"workers": {}})
            assert (cluster.workers, cluster.threads) == (1, 1)
        processes.send(0, signal.SIGKILL)
        wait_for(lambda: cluster.workers == 0)
        for ask in (lambda: cluster.memory, lambda: cluster.threads_of_worker):
            with pytest.raises(InputError) as raised:
                ask()
            assert str(raised.value) == message
        cluster.close()
        with pytest.raises(InputError) as raised:
            Cluster(processes.address)
        assert str(raised.value) == message
    finally:
        processes.close()


def with_workers(processes: Processes) -> Cluster | None:
    try:
        return Cluster(processes.address)
    except InputError:
        return None


CLIENT = """
import os, signal, sys
import opiscal.pairs.tasks.task as task
from opiscal.data.embedding_set import ColumnNames
from opiscal.engines.choice import EngineChoice
from opiscal.evaluation import evaluate_files
from opiscal.report.settings import EvaluateConfig

def main(data, folder):
    task._TASK_WORK = {work}
    calls = []
    def progress(stage, done, total):
        calls.append(stage)
        if len(calls) == 12:
            print(os.getpid(), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    choice = EngineChoice("dask", workers=2, checkpoint=folder)
    with choice.opened() as engine:
        evaluate_files([data], ColumnNames(), EvaluateConfig(), engine=engine, progress=progress)

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


def test_a_client_is_killed_and_the_same_again_does_what_is_missing(
    tmp_path, data, wanted, monkeypatch
):
    script, folder = tmp_path / "client.py", tmp_path / "kept"
    script.write_text(CLIENT.format(work=TASK_WORK))
    children: set[psutil.Process] = set()
    process = subprocess.Popen(
        [sys.executable, str(script), str(data), str(folder)],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        try:
            children.update(psutil.Process(process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    assert process.wait() == -signal.SIGKILL
    assert len(children) >= 2
    wait_for(lambda: not any(child.is_running() and alive(child) for child in children))

    kept = sorted(folder.glob("set.task*.npz"))
    assert len(kept) >= 11
    # Besides, one of the files is not whole.
    torn = kept[4]
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    monkeypatch.setattr("opiscal.pairs.tasks.task._TASK_WORK", TASK_WORK)
    cluster = Cluster(workers=2)
    counted = []
    submit = cluster.submit

    def noted(work, *given, name, priority=0):
        if name.startswith("count-"):
            counted.append(given[2].number)
        return submit(work, *given, name=name, priority=priority)

    monkeypatch.setattr(cluster, "submit", noted)
    try:
        engine = DaskEngine(cluster, 0, Checkpoint(str(folder)))
        assert numbers(evaluate_files([str(data)], ColumnNames(), CONFIG, engine=engine)) == wanted
    finally:
        cluster.close()
    numbers_kept = {int(file.stem.split("-")[1]) for file in kept}
    torn_number = int(torn.stem.split("-")[1])
    assert set(counted).isdisjoint(numbers_kept - {torn_number})
    assert torn_number in counted


def alive(child) -> bool:
    try:
        return child.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_workers_that_die_of_their_task_are_one_line(monkeypatch):
    monkeypatch.setitem(dask_cluster.SETTINGS, "distributed.scheduler.allowed-failures", 0)
    cluster = Cluster(workers=1)
    try:
        with pytest.raises(InputError, match=r"workers were lost .*--worker-memory") as error:
            cluster.gather([cluster.submit(os._exit, 1, name="die")])
        assert "\n" not in str(error.value)
    finally:
        cluster.close()


def test_nothing_listens_beyond_this_machine_and_no_worker_is_left():
    before = set(psutil.Process().children(recursive=True))
    cluster = Cluster(workers=2)
    own = [psutil.Process(), *psutil.Process().children(recursive=True)]
    try:
        listening = [
            connection.laddr.ip
            for process in own
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert len(listening) >= 5
        assert set(listening) == {"127.0.0.1"}
    finally:
        cluster.close()
    new = [child for child in own[1:] if child not in before]
    assert len(new) >= 2
    # What looks after the resources of started processes stays until this one ends.
    workers = [child for child in new if "resource_tracker" not in name_of(child)]
    wait_for(lambda: not any(alive(child) for child in workers))


def name_of(child) -> str:
    try:
        return " ".join(child.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def test_a_scheduler_that_does_not_answer_is_one_line(cli, data, monkeypatch):
    monkeypatch.setattr(dask_cluster, "_SECONDS_TO_ANSWER", "1s")
    answer = cli(
        "evaluate", data, "--engine", "dask", "--scheduler", "tcp://127.0.0.1:1", "-o", "run"
    )
    assert answer.code == 2
    assert answer.err.startswith("opiscal: error: no Dask scheduler answers at 'tcp://127.0.0.1:1'")
    assert answer.err.count("\n") == 1


def test_a_worker_that_is_too_small_is_one_line(cli, data):
    answer = cli(
        "evaluate", data, "--engine", "dask", "--workers", 1, "--worker-memory", "300MB", "-q"
    )
    assert answer.code == 2
    assert answer.err.startswith("opiscal: error: worker-memory 300 MB: ")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engine", "spark"], "engine 'spark': must be one of local, dask"),
        (["--workers", "3"], "workers 3: is for --engine dask"),
        (["--engine", "dask", "--threads", "2"], "threads '2': is for this process"),
        (["--engine", "dask", "--worker-memory", "much"], "worker-memory 'much': must be a size"),
        (
            ["--engine", "dask", "--scheduler", "tcp://h:1", "--workers", "2"],
            "workers 2: those of the scheduler tcp://h:1 count",
        ),
    ],
)
def test_settings_that_no_engine_has(cli, data, options, said):
    answer = cli("evaluate", data, *options, "-o", "run")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"opiscal: error: {said}")
    assert answer.err.count("\n") == 1


def test_counts_of_tasks_are_numbers_and_no_rows(data, monkeypatch):
    """What passes through this process: nothing as large as the vectors."""
    monkeypatch.setattr("opiscal.pairs.tasks.task._TASK_WORK", TASK_WORK)
    cluster = Cluster(workers=1)
    gathered = []
    gather = cluster.gather

    def noted(futures):
        found = gather(futures)
        gathered.extend(found)
        return found

    monkeypatch.setattr(cluster, "gather", noted)
    try:
        evaluate_files([str(data)], ColumnNames(), CONFIG, engine=DaskEngine(cluster, 0))
    finally:
        cluster.close()
    arrays = [value for item in gathered for value in arrays_in(item)]
    assert arrays
    assert not any(
        np.issubdtype(array.dtype, np.floating) and array.ndim == 2 and array.shape[1] == 32
        for array in arrays
    )


def arrays_in(item):
    if isinstance(item, np.ndarray):
        yield item
    elif isinstance(item, list | tuple):
        for part in item:
            yield from arrays_in(part)
    elif hasattr(item, "__slots__"):
        for name in item.__slots__:
            yield from arrays_in(getattr(item, name, None))
