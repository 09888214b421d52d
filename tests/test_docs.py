"""The pages in docs and examples tell the truth: commands print what they say, links lead on."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from test_readme import assert_same, steps

GUIDE = ROOT / "docs" / "reading-a-report.md"
CLUSTER = ROOT / "docs" / "cluster.md"
PAGES = [
    GUIDE,
    CLUSTER,
    ROOT / "examples" / "digits" / "README.md",
    ROOT / "sample_data" / "README.md",
]


def blocks(language: str, page: Path = GUIDE) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A place with the sample data and the two runs that the guide makes first."""
    place = tmp_path_factory.mktemp("guide")
    shutil.copytree(ROOT / "sample_data", place / "sample_data")
    return place


def test_commands_print_what_the_guide_says(folder, monkeypatch):
    environment = dict(os.environ, COLUMNS="80", NO_COLOR="1")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    ran = 0
    for block in blocks("console"):
        for command, expected in steps(block):
            done = subprocess.run(
                command, shell=True, cwd=folder, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{command}: {done.stderr}"
            assert_same(done.stdout + done.stderr, expected)
            ran += 1
    assert ran == 4
    # Its Python reads the runs that these have made.
    monkeypatch.chdir(folder)
    (example,) = blocks("python")
    exec(compile(example, str(GUIDE), "exec"), {})


def test_the_comparison_that_the_pages_tell_of():
    import pyarrow.parquet as pq

    import opiscal

    reports = []
    for name in ("digits-arcface", "digits-arcface-tcm"):
        table = pq.read_table(ROOT / "sample_data" / f"{name}.parquet")
        assert table.num_rows == 900
        reports.append(opiscal.evaluate(table["embedding"].to_pylist(), table["label"].to_pylist()))
    (candidate,) = opiscal.compare_reports(reports).candidates
    found = candidate.find("opis.value")
    assert (found.baseline, found.candidate) == pytest.approx((0.00190, 0.00155), rel=0.02)
    assert found.ci == pytest.approx((-0.0015, 0.0016), abs=2e-4)
    assert found.verdict == "not distinguishable"
    assert found.relative == pytest.approx(-0.18, abs=0.02)
    fell = candidate.find("frr_at_far", 0.01)
    assert (fell.baseline, fell.candidate) == pytest.approx((0.162, 0.088), rel=0.02)
    assert fell.verdict == "better"
    assert [r.epsilon_opis.value for r in reports] == pytest.approx([0.00866, 0.0124], rel=0.02)
    recall = [r.retrieval.recall_at["1"] for r in reports]
    assert recall == pytest.approx([0.960, 0.954], abs=2e-3)


def test_commands_of_the_cluster_run_where_one_machine_does(folder):
    pytest.importorskip(
        "distributed", reason="dask is not installed: pip install 'opiscal[distributed]'"
    )
    environment = dict(os.environ, COLUMNS="80", NO_COLOR="1")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    scripts = [command for block in blocks("console", CLUSTER) for command, _ in steps(block)]
    assert len(scripts) == 2
    # The scheduler and its workers end with the shell that has started them.
    (by_hand,) = blocks("bash", CLUSTER)
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        port = some.getsockname()[1]
    assert by_hand.count(":8786") == 2
    scripts.append("trap 'kill $(jobs -p); wait' EXIT\n" + by_hand.replace("8786", str(port)))
    for script in scripts:
        done = subprocess.run(
            ["bash", "-ec", script.replace("-o run", "-o run --no-plots")],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{script}: {done.stderr}"
        assert "64 workers of one thread" in done.stdout or "OPIS" in done.stdout
    assert (folder / "run" / "report.json").is_file()


def test_python_of_the_cluster_is_python():
    for block in blocks("py", CLUSTER):
        compile(block, str(CLUSTER), "exec")


def test_arithmetic_of_the_cluster():
    from opiscal.engines.worker_memory import room_for_rows, rows_of_stretch
    from opiscal.pairs.plan import exact_seconds, most_exact_rows, rows_for_sampling, sample_seconds

    text = " ".join(CLUSTER.read_text(encoding="utf-8").split())
    rate, hour, day = 76e6, 3600, 86400
    by_two_threads = 1.25e9 / 8.27
    assert by_two_threads == pytest.approx(2 * rate, rel=0.01)
    told = re.search(r"([\d,]+) rows on one worker, ([\d,]+) on 8, (\d+) million on 64", text)
    assert told is not None
    found = [rows_for_sampling(rate, workers) for workers in (1, 8, 64)]
    said = [float(told[k].replace(",", "")) for k in (1, 2, 3)]
    assert [*said[:2], said[2] * 1e6] == pytest.approx(found, rel=0.03)
    seconds = [exact_seconds(rows, rate) for rows in (10**6, 10**7, 10**8)]
    assert seconds == pytest.approx([1.8 * hour, 7.6 * day, 2.1 * 365.25 * day], rel=0.02)
    assert [s / 64 for s in seconds] == pytest.approx([120, 2.9 * hour, 12 * day], rel=0.2)
    samples = [sample_seconds(rows, 2048, rate) for rows in (10**6, 10**7, 10**8)]
    assert samples == pytest.approx([6 * 60, 3.2 * hour, 4.1 * day], rel=0.06)
    assert most_exact_rows(512) == pytest.approx(200_000, rel=0.02)
    for memory, rows, stretch in ((4e9, 10**7, "105,957"), (32e9, 10**8, "875,000")):
        room = room_for_rows(int(memory), rows, 2048)
        found_rows = rows_of_stretch(rows, 2048, room)
        assert found_rows == pytest.approx(float(stretch.replace(",", "")), rel=1e-3)
        assert stretch in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert targets
    for target in targets:
        if "://" not in target:
            assert (page.parent / target).exists(), target
