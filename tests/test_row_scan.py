"""Rows scanned part by part are those that are read at once, but for their vectors."""

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, RowPolicy
from opiscal.data.files import sha256
from opiscal.data.half_matrix import HalfMatrix
from opiscal.data.parquet import read_embeddings
from opiscal.data.row_scan import collect_rows, scan_part
from opiscal.data.scan_plan import ScanPlan, scan_parts
from opiscal.data.side_files import collect_sides, read_sides
from opiscal.errors import InputError, UsageError

WIDTH = 5


def draw(rows: int, seed: int, dtype="float32") -> pa.Table:
    """Rows of some classes in any order, some of them unfit for every reason there is."""
    rng = np.random.default_rng(seed)
    vectors = list(rng.normal(size=(rows, WIDTH)).astype(dtype))
    for place, fault in zip(rng.permutation(rows), range(rows // 6), strict=False):
        kind = fault % 4
        if kind == 0:
            vectors[place] = None
        elif kind == 1:
            vectors[place] = np.zeros(WIDTH, dtype)
        else:
            vectors[place] = vectors[place].copy()
            vectors[place][fault % WIDTH] = (np.nan, np.inf)[kind - 2]
    labels = rng.integers(0, rows // 4, rows)
    names = [None if label == 0 else f"c{label}" for label in labels]
    return pa.table(
        {
            "embedding": pa.array(vectors, pa.list_(pa.from_numpy_dtype(np.dtype(dtype)))),
            "label": pa.array(names).dictionary_encode(),
            "group": pa.array([None if k % 11 == 0 else int(k % 3) for k in range(rows)]),
            "side": pa.array(["gallery" if k % 3 else "query" for k in rng.permutation(rows)]),
            "name": pa.array([f"item {k}" for k in rng.integers(0, rows, rows)]),
        }
    )


def write(folder, tables, sizes=(37,)) -> list[str]:
    paths = []
    for number, table in enumerate(tables):
        path = str(folder / f"part-{number}.parquet")
        pq.write_table(table, path, row_group_size=sizes[number % len(sizes)])
        paths.append(path)
    return paths


def scanned(plan: ScanPlan) -> list:
    """Parts as they come from another process, out of order."""
    found = {k: scan_part(pickle.loads(pickle.dumps(plan.parts[k]))) for k in
             reversed(range(len(plan.parts)))}  # fmt: skip
    return [pickle.loads(pickle.dumps(found[k])) for k in range(len(plan.parts))]


def hashes(plan: ScanPlan) -> list[str]:
    return [sha256(file.path) for file in plan.files]


def same_but_for_vectors(found: EmbeddingSet, wanted: EmbeddingSet) -> None:
    assert found.vectors.shape == (0, wanted.dimensions)
    assert found.precision == wanted.precision
    for name in EmbeddingSet.__dataclass_fields__:
        if name == "vectors":
            continue
        one, two = getattr(found, name), getattr(wanted, name)
        if isinstance(two, np.ndarray):
            assert one.dtype == two.dtype
            np.testing.assert_array_equal(one, two, err_msg=name)
        else:
            assert one == two, name


POLICIES = [
    RowPolicy(),
    RowPolicy("l2"),
    RowPolicy(half=True),
    RowPolicy("l2", half=True),
    RowPolicy(null_label="distractor"),
    RowPolicy(singletons="drop", distractor_labels=("c3", "c5")),
    RowPolicy(sample_rows=150, seed=4),
    RowPolicy(sample_rows=100, seed=5, singletons="drop", null_label="distractor"),
]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_scanned_rows_are_the_rows_that_are_read(tmp_path, policy):
    paths = write(tmp_path, [draw(400, 1), draw(90, 2), draw(250, 3)], sizes=(64, 1000, 33))
    columns = ColumnNames(group="group")
    wanted = read_embeddings(paths, columns, policy)
    for part_bytes in (1, 3000, 1 << 30):
        plan = scan_parts(paths, columns, policy, part_bytes=part_bytes)
        assert sum(part.rows for part in plan.parts) == plan.rows == 740
        same_but_for_vectors(collect_rows(plan, scanned(plan), hashes(plan)), wanted)
    assert len(plan.parts) == 3


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("fixed", [False, True])
def test_every_type_and_no_rows_at_all(tmp_path, dtype, fixed):
    table = draw(300, 7, dtype)
    if fixed:
        kind = pa.list_(pa.from_numpy_dtype(np.dtype(dtype)), WIDTH)
        table = table.set_column(0, "embedding", table["embedding"].cast(kind))
    empty = table.slice(0, 0)
    paths = write(tmp_path, [table, empty, table.slice(10, 50)], sizes=(41,))
    plan = scan_parts(paths, ColumnNames(), RowPolicy(), part_bytes=2000)
    wanted = read_embeddings(paths)
    same_but_for_vectors(collect_rows(plan, scanned(plan), hashes(plan)), wanted)


def test_blocks_beyond_the_largest(tmp_path, monkeypatch):
    paths = write(tmp_path, [draw(700, 5)], sizes=(500,))
    policy = RowPolicy(sample_rows=200)
    wanted = read_embeddings(paths, ColumnNames(), policy)
    for module in ("collector", "row_scan"):
        monkeypatch.setattr(f"opiscal.data.{module}.BLOCK_ROWS", 16)
    plan = scan_parts(paths, ColumnNames(), policy)
    same_but_for_vectors(collect_rows(plan, scanned(plan), hashes(plan)), wanted)


@pytest.mark.parametrize("policy", [RowPolicy(), RowPolicy("l2")])
@pytest.mark.parametrize("with_names", [False, True])
def test_two_sides(tmp_path, policy, with_names):
    tables = [draw(300, 1), draw(200, 2)]
    # Of a dictionary that is not in the order of its rows, and of which batches have some.
    tables = [
        table.set_column(4, "name", pa.chunked_array([pa.DictionaryArray.from_arrays(
            pa.array(np.random.default_rng(3).permutation(table.num_rows)),
            pa.array([f"item {k}" for k in range(table.num_rows)]))]))
        for table in tables
    ]  # fmt: skip
    paths = write(tmp_path, tables, sizes=(37, 101))
    name = "name" if with_names else None
    for columns, files, gallery in (
        (ColumnNames(split="side", id=name, group="group"), paths, ()),
        (ColumnNames(id=name), paths[:1], paths[1:]),
    ):
        wanted = read_sides(files, gallery, columns, policy)
        plan = scan_parts(files, columns, policy, gallery, part_bytes=1500)
        found = collect_sides(plan, scanned(plan), hashes(plan))
        same_but_for_vectors(found.embeddings, wanted.embeddings)
        np.testing.assert_array_equal(found.sides.is_gallery, wanted.sides.is_gallery)
        assert found.sides.digest() == wanted.sides.digest()
        assert (found.sides.item is None) == (name is None)


def bad_tables() -> dict[str, list[pa.Table]]:
    good = draw(120, 1)
    kind = good["embedding"].type
    wide = pa.array([[1.0] * (WIDTH + (k == 61)) for k in range(120)], kind)
    none = pa.array([[] if k == 90 else [1.0] * WIDTH for k in range(120)], kind)
    other = pa.array([[1.0] * 3] * 120, kind)
    zeros = pa.array([[0.0] * WIDTH] * 120, kind)
    numbers = pa.array(range(120))
    return {
        "wider row": [good, good.set_column(0, "embedding", wide)],
        "empty row": [good, good.set_column(0, "embedding", none)],
        "other width": [good, good.set_column(0, "embedding", other)],
        "nothing fit": [good.set_column(0, "embedding", zeros)],
        "labels of two kinds": [good, good.set_column(1, "label", numbers)],
        "no class of two": [good.set_column(1, "label", numbers)],
        "halves": [good.set_column(1, "label", pa.array(np.arange(120) / 2))],
        "no rows": [good.slice(0, 0)],
    }


@pytest.mark.parametrize("what", bad_tables())
def test_what_is_refused_is_refused_in_the_same_words(tmp_path, what):
    paths = write(tmp_path, bad_tables()[what], sizes=(25,))
    refused_alike(paths, ColumnNames(), RowPolicy())


@pytest.mark.parametrize(
    ("columns", "policy"),
    [
        (ColumnNames(), RowPolicy(strict=True)),
        (ColumnNames(), RowPolicy(distractor_labels=("c99999",))),
        (ColumnNames(label="nobody"), RowPolicy()),
        (ColumnNames(), RowPolicy(sample_rows=3)),
    ],
)
def test_policies_that_refuse(tmp_path, columns, policy):
    paths = write(tmp_path, [draw(100, 4), draw(100, 6)], sizes=(25,))
    refused_alike(paths, columns, policy)


def collected(paths, columns, policy) -> EmbeddingSet:
    plan = scan_parts(paths, columns, policy, part_bytes=500)
    return collect_rows(plan, map(scan_part, plan.parts), hashes(plan))


def refused_alike(paths, columns, policy) -> None:
    with pytest.raises((InputError, UsageError)) as wanted:
        read_embeddings(paths, columns, policy)
    with pytest.raises(type(wanted.value)) as found:
        collected(paths, columns, policy)
    assert str(found.value) == str(wanted.value)


# Reading rows


@pytest.mark.parametrize("policy", POLICIES[:4] + POLICIES[5:7], ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_reader_gives_the_rows_of_the_matrix(tmp_path, policy, dtype):
    tables = [draw(400, 1, dtype), draw(90, 2, dtype).slice(0, 0), draw(250, 3, dtype)]
    paths = write(tmp_path, tables, sizes=(64, 1000, 33))
    wanted = read_embeddings(paths, ColumnNames(), policy)
    plan = scan_parts(paths, ColumnNames(), policy)
    numbers, rng = wanted.row_number, np.random.default_rng(0)
    reader = pickle.loads(pickle.dumps(plan.reader(wanted.dimensions)))
    assert reader.bytes_read == 0
    every = reader.read(numbers)
    assert isinstance(every, HalfMatrix) == policy.half
    np.testing.assert_array_equal(every[:], wanted.vectors[:])
    whole = sum(sum(file.bytes) for file in plan.files if sum(file.rows))
    assert reader.bytes_read == whole > 0
    for size in (0, 1, 17, numbers.size // 2):
        at = rng.choice(numbers.size, size, replace=False)
        np.testing.assert_array_equal(reader.read_placed(numbers[at])[:], wanted.vectors[at])
        at.sort()
        np.testing.assert_array_equal(reader.read(numbers[at])[:], wanted.vectors[at])
    before = reader.bytes_read
    reader.read(numbers[:1])
    assert 0 < reader.bytes_read - before < whole / 5


@pytest.mark.parametrize("change", ["fewer rows", "other width", "unfit"])
def test_a_file_that_has_changed_is_told(tmp_path, change):
    paths = write(tmp_path, [draw(100, 1)], sizes=(100,))
    plan = scan_parts(paths, ColumnNames(), RowPolicy())
    rows = read_embeddings(paths)
    reader = plan.reader(rows.dimensions)
    table = draw(100, 1)
    if change == "fewer rows":
        table = table.slice(0, 40)
    elif change == "other width":
        values = pa.array([[1.0] * 7] * 100, table["embedding"].type)
        table = table.set_column(0, "embedding", values)
    else:
        table = draw(100, 2)
    write(tmp_path, [table], sizes=(100,))
    with pytest.raises(InputError, match="has changed since"):
        reader.read(rows.row_number)
