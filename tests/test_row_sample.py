"""A sample of rows in one pass: whole classes, never more rows than asked, whatever the order."""

import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Cli

from opiscal import EvaluateConfig, evaluate
from opiscal.data import memory
from opiscal.data.collector import BLOCK_ROWS
from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, RowPolicy
from opiscal.data.parquet import read_embeddings
from opiscal.data.rows import from_arrays
from opiscal.errors import InputError
from opiscal.report.run import load

ROWS = 60_000
SAMPLE = RowPolicy(sample_rows=4000, seed=3)


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    labels = rng.geometric(1 / 400, ROWS)
    vectors = rng.normal(size=(ROWS, 4)).astype(np.float32)
    vectors[:, 0] = np.arange(ROWS) / ROWS + 1
    return vectors, labels


def write(vectors: np.ndarray, labels: object, folder: Path, shards: int = 1) -> str:
    folder.mkdir()
    parts = np.array_split(np.arange(len(vectors)), shards)
    for number, part in enumerate(parts):
        table = pa.table(
            {
                "embedding": pa.array(list(vectors[part])),
                "label": pa.array([labels[k] for k in part]),
            }
        )
        pq.write_table(table, folder / f"{number:03}.parquet", row_group_size=7000)
    return str(folder)


def sizes(found: EmbeddingSet) -> dict[object, int]:
    return dict(zip(found.labels, found.class_sizes().tolist(), strict=True))


def test_classes_are_whole_and_rows_as_many_as_fit(drawn):
    vectors, labels = drawn
    found = from_arrays(vectors, labels, policy=SAMPLE)
    whole = Counter(labels.tolist())
    assert found.sample is not None
    assert 3000 < found.rows <= 4000
    assert sizes(found) == {label: whole[label] for label in found.labels}
    assert found.sample.rows_left_out == ROWS - found.rows
    assert found.sample.classes_read == len(whole)
    assert found.sample.share == pytest.approx(len(found.labels) / len(whole), abs=0.02)
    assert not found.sample.automatic
    # Vectors still belong to their labels and row numbers, in the order of reading.
    plain = from_arrays(vectors, labels)
    assert (np.diff(found.row_number) > 0).all()
    np.testing.assert_array_equal(found.vectors, plain.vectors[found.row_number])
    np.testing.assert_array_equal(found.norms, plain.norms[found.row_number])
    names = np.array(found.labels)[found.class_of_row]
    np.testing.assert_array_equal(names, labels[found.row_number])


def test_the_sample_does_not_depend_on_the_order_of_rows(drawn, tmp_path):
    vectors, labels = drawn
    found = from_arrays(vectors, labels, policy=SAMPLE)
    order = np.argsort(labels, kind="stable")
    for number, way in enumerate((order, order[::-1], np.random.default_rng(0).permutation(ROWS))):
        folder = write(vectors[way], labels[way], tmp_path / str(number), shards=number + 1)
        other = read_embeddings([folder], ColumnNames(), SAMPLE)
        assert sizes(other) == sizes(found)
        assert other.sample == found.sample
    as_text = from_arrays(vectors, labels.astype(str), policy=SAMPLE)
    assert set(as_text.labels) == set(map(str, found.labels))
    assert sizes(from_arrays(vectors, labels, policy=replace(SAMPLE, seed=4))) != sizes(found)


def test_a_smaller_sample_is_part_of_a_larger_one(drawn):
    vectors, labels = drawn
    small = from_arrays(vectors, labels, policy=SAMPLE)
    large = from_arrays(vectors, labels, policy=replace(SAMPLE, sample_rows=20_000))
    assert set(small.labels) < set(large.labels)


def test_it_is_fair_over_classes(drawn):
    vectors, labels = drawn
    classes = len(np.unique(labels))
    drawn_often = Counter[object]()
    for seed in range(40):
        policy = replace(SAMPLE, sample_rows=15_000, seed=seed)
        drawn_often.update(from_arrays(vectors, labels, policy=policy).labels)
    large = [label for label, rows in Counter(labels.tolist()).items() if rows > 100]
    share = sum(drawn_often.values()) / 40 / classes
    assert share == pytest.approx(0.25, abs=0.03)
    assert sum(drawn_often[label] for label in large) / 40 / len(large) == pytest.approx(
        share, abs=0.04
    )


def test_distractors_and_rows_without_a_label_are_drawn_one_by_one(drawn):
    vectors, labels = drawn
    names: list[str | None] = [f"c{label % 300}" for label in labels]
    for k in range(0, ROWS, 6):
        names[k] = "crowd"
        names[k + 1] = None
    policy = replace(SAMPLE, distractor_labels=("crowd",), null_label="distractor")
    found = from_arrays(vectors, names, policy=policy)
    assert found.sample is not None
    assert found.rows <= 4000
    expected = ROWS / 3 * found.sample.share
    assert abs(found.distractors - expected) < 5 * expected**0.5
    assert found.sample.classes_read == 300
    without = from_arrays(vectors, names, policy=replace(policy, null_label="drop"))
    assert without.dropped.null_label == ROWS // 6
    assert without.sample is not None
    assert without.rows_read == without.rows + without.dropped.total + without.sample.rows_left_out


def test_unfit_rows_are_counted_whether_of_the_sample_or_not(drawn):
    vectors, labels = drawn
    vectors = vectors.copy()
    vectors[::10] = 0.0
    vectors[5::10, 1] = np.nan
    found = from_arrays(vectors, labels, policy=SAMPLE)
    assert found.dropped.zero_norm == found.dropped.non_finite == ROWS // 10
    with pytest.raises(
        InputError, match="6,000 zero length of 60,000 rows cannot be used, first row 0"
    ):
        from_arrays(vectors, labels, policy=replace(SAMPLE, strict=True))


def test_no_sample_where_all_rows_fit(drawn):
    vectors, labels = drawn
    for rows in (ROWS, ROWS + 1):
        assert from_arrays(vectors, labels, policy=RowPolicy(sample_rows=rows)).sample is None
    # Rows announced do not fit, but those fit for use do.
    vectors = np.concatenate([vectors[:900], np.zeros((300, 4))])
    found = from_arrays(vectors, labels[:1200], policy=RowPolicy(sample_rows=1000))
    assert found.sample is None
    assert found.rows == 900


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_singletons_groups_and_half(drawn, metric, half):
    vectors, labels = drawn
    policy = replace(SAMPLE, metric=metric, singletons="drop", half=half)
    found = from_arrays(vectors, labels, labels % 7, policy=policy)
    plain = from_arrays(vectors, labels, policy=RowPolicy(metric, half=half))
    assert min(sizes(found).values()) >= 2
    np.testing.assert_array_equal(found.vectors[:], plain.vectors[:][found.row_number])
    assert found.groups is not None
    np.testing.assert_array_equal(
        np.array(found.groups)[found.group_of_row], labels[found.row_number] % 7
    )


def test_classes_too_large_for_the_sample(drawn):
    vectors, labels = drawn
    with pytest.raises(InputError, match=r"has room for \d of 3 classes; give --sample-rows"):
        from_arrays(vectors, labels % 3, policy=SAMPLE)


def test_memory_decides_where_nothing_is_asked(drawn, monkeypatch):
    vectors, labels = drawn
    # Half of it holds 30,000 rows; a ninth of them is room.
    monkeypatch.setattr(memory, "memory_limit", lambda: 2 * 30_000 * (4 * 4 + 600))
    found = from_arrays(vectors, labels)
    assert found.sample is not None
    assert found.sample.automatic
    assert found.sample.rows == 30_000 * 8 // 9
    assert 20_000 < found.rows <= found.sample.rows
    asked = from_arrays(vectors, labels, policy=RowPolicy(sample_rows=found.sample.rows))
    assert sizes(asked) == sizes(found)
    assert from_arrays(vectors, labels, policy=RowPolicy(sample_rows=ROWS)).sample is None
    monkeypatch.setattr(memory, "memory_limit", lambda: None)
    assert from_arrays(vectors, labels).sample is None


def test_the_smaller_limit_counts(tmp_path, monkeypatch):
    everything = memory.memory_limit()
    assert everything is None or everything > 1e8
    monkeypatch.setattr(memory, "_OWN_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    (tmp_path / "cgroup").write_text("0::/a/b\n")
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "memory.max").write_text("max\n")
    (tmp_path / "a" / "memory.max").write_text("7000000\n")
    assert memory.memory_limit() == 7_000_000
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("5000000\n")
    (tmp_path / "cgroup").write_text("3:cpu,memory:/docker/123\n1:name=systemd:/\n")
    assert memory.memory_limit() == 5_000_000
    need = memory.memory_need(10_000, 100)
    assert (need.bytes, need.limit, need.fits) == (10_000_000, 5_000_000, False)
    assert memory.memory_need(10_000, 100, half=True).fits is False
    assert memory.rows_that_fit(100, half=True) == 3125


def test_the_room_for_a_sample_is_bounded(drawn):
    vectors, labels = drawn
    wide = np.tile(vectors, (1, 32))
    tracemalloc.start()
    try:
        found = from_arrays(wide, labels, policy=SAMPLE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Labels are coded whole for arrays; of vectors there is room for the sample and a block.
    assert found.rows <= 4000
    assert peak < (4000 + BLOCK_ROWS) * 128 * 4 + 8e6 < wide.nbytes


def test_evaluate_says_so(drawn, tmp_path):
    vectors, labels = drawn
    config = EvaluateConfig(sample_rows=2000, retrieval=False)
    report = evaluate(vectors, labels, config=config)
    (notice,) = [n for n in report.warnings if n.code == "rows_sampled"]
    assert f"{report.data.rows_used:,} of 60,000 rows were used: whole classes" in notice.message
    assert report.data.sample is not None
    again = load(report.save(tmp_path / "run", plots=False))
    assert again.data == report.data
    other = evaluate(vectors, labels, config=replace(config, seed=1))
    assert other.provenance.fingerprint != report.provenance.fingerprint


def test_the_command(drawn, tmp_path, cli: Cli):
    vectors, labels = drawn
    data = write(vectors, labels, tmp_path / "data", shards=3)
    run = tmp_path / "run"
    answer = cli("evaluate", data, "-o", run, "--sample-rows", 2000, "--no-plots", "--no-retrieval")
    assert answer.code == 0
    assert "a sample of 60,000 rows: whole classes, " in answer.out
    assert "[rows_sampled]" in answer.err
    found = load(run).data
    assert found.rows_used <= 2000
    assert found.sample is not None
    assert found.sample.rows == 2000
    answer = cli("evaluate", data, "-o", run, "--sample-rows", 10)
    assert answer.code == 2
    assert "sample-rows 10: must be 1000 or more" in answer.err


def test_memory_decides_for_the_commands_too(drawn, tmp_path, cli: Cli, monkeypatch):
    vectors, labels = drawn
    data = write(vectors[:6000], labels[:6000], tmp_path / "data", shards=2)
    assert "evaluate uses all" in cli("inspect", data).out
    monkeypatch.setattr(memory, "memory_limit", lambda: 2 * 3000 * 616)
    answer = cli("inspect", data)
    assert "more than half: evaluate uses 2," in " ".join(answer.out.split())
    document = cli("inspect", data, "--json").document
    assert document["memory"] == {"bytes": 6000 * 616, "limit": 2 * 3000 * 616, "fits": False}
    assert document["sample"]["automatic"]
    answer = cli("evaluate", data, "-o", tmp_path / "run", "--no-plots", "--no-retrieval", "--json")
    assert answer.document["data"]["sample"]["rows"] == 3000 * 8 // 9
    assert "more than half of the memory of this machine" in answer.err
    assert "--half holds twice as many, and --sample-rows 6000 takes all" in answer.err
