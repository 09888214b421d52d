"""Parquet files become an EmbeddingSet: every layout that is allowed, every fault in one line."""

import builtins
import hashlib
import math
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opiscal.data.embedding_set import DroppedRows, InputFile, RowPolicy
from opiscal.data.parquet import ColumnNames, read_embeddings
from opiscal.data.rows import from_arrays
from opiscal.errors import InputError, UsageError

L2 = RowPolicy(metric="l2")
VECTORS = np.random.default_rng(0).standard_normal((60, 6)).astype(np.float32)
LABELS = [f"class {row % 7}" for row in range(60)]
LIST_TYPES = {
    "list": pa.list_,
    "large_list": pa.large_list,
    "fixed_size_list": lambda value_type: pa.list_(value_type, 6),
    "list_view": getattr(pa, "list_view", pa.list_),
    "large_list_view": getattr(pa, "large_list_view", pa.list_),
}


def column(vectors, value_type=None, make=pa.list_):
    return pa.array(list(vectors), type=make(value_type or pa.float32()))


def write(path, vectors=VECTORS, labels=LABELS, *, name="embedding", more=None, **options):
    vectors = vectors if isinstance(vectors, pa.Array | pa.ChunkedArray) else column(vectors)
    pq.write_table(pa.table({name: vectors, "label": labels, **(more or {})}), path, **options)
    return str(path)


def read(*paths, policy=L2, **columns):
    return read_embeddings([str(path) for path in paths], ColumnNames(**columns), policy)


def refused(*paths, policy=L2, **columns):
    """Return the message of the InputError, which is one line."""
    with pytest.raises(InputError) as caught:
        read(*paths, policy=policy, **columns)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same(found, expected):
    np.testing.assert_array_equal(found.vectors, expected.vectors)
    np.testing.assert_array_equal(found.class_of_row, expected.class_of_row)
    np.testing.assert_array_equal(found.row_number, expected.row_number)
    np.testing.assert_array_equal(found.norms, expected.norms)
    assert found.labels == expected.labels
    assert found.dropped == expected.dropped
    assert found.rows_read == expected.rows_read


# What can be read


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_a_file_gives_what_its_arrays_give(tmp_path, metric):
    path = write(tmp_path / "rows.parquet")
    found = read(path, policy=RowPolicy(metric=metric))
    same(found, from_arrays(VECTORS, LABELS, policy=RowPolicy(metric=metric)))
    assert found.vectors.flags.c_contiguous
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    assert found.inputs == (InputFile(path, 60, digest),)
    assert found.groups is None


@pytest.mark.parametrize("make", LIST_TYPES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_every_list_of_every_float(tmp_path, make, dtype):
    vectors = VECTORS.astype(dtype)
    values = column(vectors, pa.from_numpy_dtype(dtype), LIST_TYPES[make])
    path = write(tmp_path / "rows.parquet", values)
    same(read(path, policy=RowPolicy()), from_arrays(vectors, LABELS))


def test_a_tensor_column_is_read_as_what_it_is_stored_as(tmp_path):
    storage = column(VECTORS, make=LIST_TYPES["fixed_size_list"])
    tensor = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float32(), [6]), storage)
    path = write(tmp_path / "rows.parquet", tensor, name="vector")
    same(read(path), from_arrays(VECTORS, LABELS, policy=L2))


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "lz4", "zstd"])
@pytest.mark.parametrize("page", ["1.0", "2.0"])
def test_every_codec(tmp_path, codec, page):
    path = write(tmp_path / "rows.parquet", compression=codec, data_page_version=page)
    same(read(path), from_arrays(VECTORS, LABELS, policy=L2))


@pytest.mark.parametrize("rows", [1, 7, 59])
def test_tiny_row_groups_and_pages(tmp_path, rows):
    path = write(
        tmp_path / "rows.parquet", row_group_size=rows, data_page_size=16, use_dictionary=False
    )
    same(read(path), from_arrays(VECTORS, LABELS, policy=L2))


@pytest.mark.parametrize("make", LIST_TYPES)
def test_sliced_and_chunked_arrays_with_missing_values(tmp_path, make):
    vectors = [None if row % 9 == 4 else list(map(float, VECTORS[row])) for row in range(60)]
    vectors[12][2] = None
    vectors[21][0] = math.nan
    vectors[23][5] = math.inf
    values = pa.array(vectors, type=LIST_TYPES[make](pa.float32()))
    labels = pa.array([None if row % 11 == 5 else LABELS[row] for row in range(60)])
    chunks = [values[3:20], values[20:20], values[20:23], values[23:55]]
    path = write(
        tmp_path / "rows.parquet",
        pa.chunked_array(chunks),
        pa.chunked_array([labels[3:30], labels[30:55]]),
        row_group_size=10,
    )
    found = read(path)
    kept = [
        row for row in range(3, 55) if row % 9 != 4 and row % 11 != 5 and row not in (12, 21, 23)
    ]
    assert found.row_number.tolist() == [row - 3 for row in kept]
    np.testing.assert_array_equal(found.vectors, VECTORS[kept])
    assert [found.labels[code] for code in found.class_of_row] == [LABELS[row] for row in kept]
    # Row 49 has neither label nor vector, and counts once.
    assert found.dropped == DroppedRows(null_label=5, null_embedding=5, non_finite=3)
    assert found.rows_read == 52


def test_a_missing_vector_may_hide_elements_behind_it(tmp_path):
    values = pa.ListArray.from_arrays(
        pa.array([0, 2, 4, 6, 8], pa.int32()),
        pa.array(np.arange(1.0, 9.0, dtype=np.float32)),
        mask=pa.array([False, True, False, False]),
    )
    found = read(write(tmp_path / "rows.parquet", values, ["a", "a", "b", "a"]))
    assert found.vectors.tolist() == [[1, 2], [5, 6], [7, 8]]


@pytest.mark.parametrize("leading", [1, 600, 20_000])
def test_the_first_vectors_may_be_missing(tmp_path, leading):
    vectors = [None] * leading + [[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]]
    path = write(tmp_path / "rows.parquet", column(vectors), ["a"] * (leading + 1) + ["b"] * 2)
    found = read(path)
    assert found.vectors.tolist() == [[3, 4], [1, 0], [0, 2]]
    assert found.dropped == DroppedRows(null_embedding=leading)


@pytest.mark.parametrize(
    "label_type",
    [
        pa.string(),
        pa.large_string(),
        getattr(pa, "string_view", pa.string)(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.uint16(), pa.large_string()),
    ],
    ids=str,
)
def test_string_labels(tmp_path, label_type):
    labels = pa.array(["é", "", None, "Z", "é", "", "a"], pa.string()).cast(label_type)
    found = read(write(tmp_path / "rows.parquet", VECTORS[:7], labels, row_group_size=3))
    assert found.labels == ("", "Z", "a", "é")
    assert found.class_of_row.tolist() == [3, 0, 1, 3, 0, 2]
    assert found.dropped == DroppedRows(null_label=1)


@pytest.mark.parametrize(
    "label_type",
    [
        pa.int8(),
        pa.uint8(),
        pa.int64(),
        pa.uint64(),
        pa.float64(),
        pa.float32(),
    ],
    ids=str,
)
def test_integer_labels(tmp_path, label_type):
    labels = pa.array([10, 9, None, 9, 10, 100], pa.int64()).cast(label_type)
    found = read(write(tmp_path / "rows.parquet", VECTORS[:6], labels))
    assert found.labels == (9, 10, 100)
    assert all(type(label) is int for label in found.labels)
    assert found.class_of_row.tolist() == [1, 0, 0, 1, 2]
    assert found.dropped == DroppedRows(null_label=1)


def test_nan_labels_are_missing(tmp_path):
    labels = pa.array([1.0, math.nan, 2.0, 1.0])
    found = read(write(tmp_path / "rows.parquet", VECTORS[:4], labels))
    assert found.labels == (1, 2)
    assert found.dropped == DroppedRows(null_label=1)


def test_a_dictionary_of_integers(tmp_path):
    labels = pa.DictionaryArray.from_arrays(pa.array([1, 0, 1, 0], pa.uint8()), [7, -7])
    assert read(write(tmp_path / "rows.parquet", VECTORS[:4], labels)).labels == (-7, 7)


def test_a_dictionary_may_list_labels_that_no_row_has(tmp_path):
    labels = pa.DictionaryArray.from_arrays(
        pa.array([2, 0, None, 2, 0], pa.int8()), ["b", "unused", "a", "too"]
    )
    path = write(tmp_path / "rows.parquet", VECTORS[:5], labels)
    found = read(path)
    assert found.labels == ("a", "b")
    assert found.class_of_row.tolist() == [0, 1, 0, 1]
    with pytest.raises(UsageError, match="'unused' is the label of no row"):
        read(path, policy=RowPolicy(distractor_labels=("unused",)))


def test_columns_by_name(tmp_path):
    path = str(tmp_path / "rows.parquet")
    table = pa.table(
        {
            "a.b": column(VECTORS),
            "a": column(VECTORS * 2),
            "embedding": column(VECTORS * 3),
            "class": LABELS,
            "id": [str(row) for row in range(60)],
            "market": pa.array([[2, 1, None][row % 3] for row in range(60)]).dictionary_encode(),
        }
    )
    pq.write_table(table, path)
    names = {"label": "class", "id": "id", "group": "market"}
    for embedding, factor in (("a.b", 1), ("a", 2), ("embedding", 3), (None, 3)):
        found = read(path, embedding=embedding, **names)
        np.testing.assert_array_equal(found.vectors, VECTORS * np.float32(factor))
    assert found.groups == (1, 2)
    assert found.group_of_row is not None
    assert found.group_of_row.tolist() == [1, 0, -1] * 20
    # One column may serve twice.
    assert read(path, label="class", group="class").groups == found.labels


def test_the_only_list_of_floats_needs_no_name(tmp_path):
    more = {"tokens": [[1, 2]] * 60, "score": np.arange(60.0), "words": [["a"]] * 60}
    path = write(tmp_path / "rows.parquet", name="vector", more=more)
    same(read(path), from_arrays(VECTORS, LABELS, policy=L2))


# Several files


def shards(folder):
    write(folder / "part-0.parquet", VECTORS[:20], LABELS[:20])
    write(
        folder / "part-1.parquet",
        column(VECTORS[20:45], pa.float64(), LIST_TYPES["fixed_size_list"]),
        pa.array(LABELS[20:45]).dictionary_encode(),
        more={"extra": np.arange(25)},
    )
    write(folder / "part-2.pq", column(VECTORS[45:], make=pa.large_list), LABELS[45:])


def test_a_folder_of_shards_reads_like_one_file(tmp_path):
    shards(tmp_path)
    for name in ("_SUCCESS", ".part-0.parquet.crc", "_metadata", "notes.txt", ".hidden.parquet"):
        (tmp_path / name).write_bytes(b"no parquet")
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "part-9.parquet").write_bytes(b"no parquet")
    found = read(tmp_path)
    same(found, from_arrays(VECTORS, LABELS, policy=L2))
    names = [os.path.basename(file.path) for file in found.inputs]
    assert names == ["part-0.parquet", "part-1.parquet", "part-2.pq"]
    assert [file.rows for file in found.inputs] == [20, 25, 15]


def test_unit_length_does_not_depend_on_the_shards(tmp_path):
    shards(tmp_path)
    same(read(tmp_path, policy=RowPolicy()), from_arrays(VECTORS, LABELS))


def test_nested_folders_globs_and_lists_of_files(tmp_path):
    for day in ("day=1", "day=2", "day=10"):
        (tmp_path / day).mkdir()
    first = write(tmp_path / "day=1" / "x.parquet", VECTORS[:20], LABELS[:20])
    third = write(tmp_path / "day=10" / "x.parquet", VECTORS[20:40], LABELS[20:40])
    second = write(tmp_path / "day=2" / "x.parquet", VECTORS[40:], LABELS[40:])
    by_name = [first, third, second]
    for data in (tmp_path, f"{tmp_path}/*/*.parquet", f"{tmp_path}/**", f"{tmp_path}/day=*"):
        assert [file.path for file in read(data).inputs] == by_name
    # As named, not by name.
    assert [file.path for file in read(second, first).inputs] == [second, first]
    assert [file.path for file in read(f"{tmp_path}/day=[2]/x.parquet").inputs] == [second]


def test_a_name_that_looks_like_a_glob(tmp_path):
    folder = tmp_path / "run[1]"
    folder.mkdir()
    path = write(folder / "what?.parquet")
    assert read(path).inputs[0].path == path
    assert read(folder).inputs[0].path == path


def test_shards_of_nothing(tmp_path):
    write(tmp_path / "a.parquet", pa.array([], pa.null()), pa.array([], pa.null()))
    write(tmp_path / "b.parquet", VECTORS[:4], list("abab"))
    write(tmp_path / "c.parquet", pa.array([None] * 2, pa.null()), pa.array([None, "a"]))
    found = read(tmp_path)
    assert found.rows == 4
    assert found.dropped == DroppedRows(null_label=1, null_embedding=1)


def test_an_extra_list_column_in_one_shard(tmp_path):
    write(tmp_path / "a.parquet", name="vector", more={"other": column(VECTORS)})
    write(tmp_path / "b.parquet", name="vector")
    np.testing.assert_array_equal(read(tmp_path).vectors, np.vstack([VECTORS, VECTORS]))


def test_integer_labels_of_several_types(tmp_path):
    write(tmp_path / "a.parquet", VECTORS[:4], pa.array([1, 2, 1, 2], pa.int8()))
    write(tmp_path / "b.parquet", VECTORS[4:8], pa.array([3, 2, 1, None], pa.float64()))
    assert read(tmp_path).labels == (1, 2, 3)


# Bad input


def test_a_missing_file(tmp_path):
    path = write(tmp_path / "embeddings.parquet")
    message = refused(tmp_path / "embedings.parquet")
    assert message == f"'{tmp_path}/embedings.parquet' does not exist; did you mean {path!r}?"
    assert refused(tmp_path / "zzz").endswith("does not exist; check the path")
    assert "nor can its folder" in refused(tmp_path / "zzz" / "a.parquet")
    assert "give a URL that pyarrow knows" in refused("ftp://bucket/a.parquet")


def test_no_file_at_all(tmp_path):
    assert "no input is named" in refused()
    assert f"the folder '{tmp_path}' is empty" in refused(tmp_path)
    (tmp_path / "_SUCCESS").touch()
    assert f"the folder '{tmp_path}' is empty" in refused(tmp_path)
    (tmp_path / "a.csv").touch()
    assert f"holds no Parquet file but others, such as '{tmp_path}/a.csv'" in refused(tmp_path)
    assert "matches no file; check the pattern" in refused(f"{tmp_path}/*.parquet")


def test_neither_file_nor_folder(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "is neither a file nor a folder" in refused(tmp_path / "pipe")


def test_a_file_named_twice(tmp_path):
    path = write(tmp_path / "a.parquet")
    assert f"{path!r} is named twice: its rows would all be duplicates" in refused(path, path)
    assert "is named twice" in refused(tmp_path, path)
    assert "is named twice" in refused(tmp_path, f"{tmp_path}/*.parquet")
    (tmp_path / "b.parquet").symlink_to(path)
    message = refused(tmp_path)
    assert f"'{tmp_path}/b.parquet' is named twice (also as {path!r})" in message


def test_a_file_without_permission(tmp_path, monkeypatch):
    path = write(tmp_path / "a.parquet")

    def denied(name, *rest, **more):
        raise PermissionError(13, "Permission denied", name)

    # The tests may run as root, whom no permission stops.
    monkeypatch.setattr(builtins, "open", denied)
    message = refused(path)
    assert f"{path!r} cannot be read (Permission denied); check the file" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is an empty file"),
        (
            b"embedding,label\n0.1,a\n",
            "is not a Parquet file (it begins with b'embe', not b'PAR1')",
        ),
        (b"PAR1", "is a truncated Parquet file (its footer is missing after 4 bytes)"),
        (b"PAR1PAR1", "is a truncated Parquet file (its footer is missing after 8 bytes)"),
        (b"PAR1" + b"\xff" * 8 + b"PAR1", "cannot be decoded"),
        (b"PARE" + b"\0" * 8 + b"PARE", "is encrypted Parquet; decrypt it first"),
    ],
)
def test_not_a_parquet_file(tmp_path, content, message):
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    assert f"{str(path)!r} {message}" in refused(path)


def test_a_truncated_file(tmp_path):
    path = tmp_path / "a.parquet"
    write(path)
    content = path.read_bytes()
    for length in (5, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        expected = f"truncated Parquet file (its footer is missing after {length:,} bytes)"
        assert expected in refused(path)


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "lz4", "zstd"])
def test_a_corrupt_page(tmp_path, codec):
    path = tmp_path / "a.parquet"
    write(path, compression=codec, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    # The pages of the vectors come first.
    content[200:260] = bytes(60)
    path.write_bytes(content)
    message = refused(path)
    assert f"{str(path)!r} cannot be decoded (" in message
    assert "it is damaged" in message


def test_a_corrupt_page_in_the_second_shard(tmp_path):
    write(tmp_path / "a.parquet")
    path = tmp_path / "b.parquet"
    write(path, compression="gzip")
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)
    assert f"{str(path)!r} cannot be decoded" in refused(tmp_path)


def test_labels_that_are_no_text(tmp_path):
    offsets = pa.array([0, 1, 2], pa.int32()).buffers()[1]
    labels = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"\xff\xfe"))
    path = write(tmp_path / "a.parquet", VECTORS[:2], labels)
    assert f"{path!r} cannot be decoded ('utf-8' codec" in refused(path)


def test_no_such_column(tmp_path):
    path = write(tmp_path / "a.parquet", more={"id": list(range(60))})
    columns = "its columns are 'embedding' list<element: float>, 'label' string, 'id' int64"
    assert refused(path, label="class") == (
        f"{path!r} has no column 'class'; {columns}: name one with --label-column"
    )
    for option in ("embedding", "group", "id"):
        message = refused(path, **{option: "nope"})
        assert f"has no column 'nope'; {columns}: name one with --{option}-column" in message


def test_many_columns_are_not_all_listed(tmp_path):
    path = write(tmp_path / "a.parquet", more={f"c{n}": list(range(60)) for n in range(100)})
    message = refused(path, label="class")
    assert "and 72 more" in message
    assert len(message) < 1000


def test_two_list_columns_and_none_named_embedding(tmp_path):
    path = write(tmp_path / "a.parquet", name="text", more={"image": column(VECTORS)})
    message = refused(path)
    assert "2 columns of lists of floats ('text', 'image') and none named 'embedding'" in message
    assert "--embedding-column" in message
    assert read(path, embedding="image").rows == 60


def test_no_list_column(tmp_path):
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [1.0], "label": ["a"]}), path)
    assert "no column of lists of floats; its columns are 'x' double, 'label' string" in refused(
        path
    )


def test_a_column_twice(tmp_path):
    path = str(tmp_path / "a.parquet")
    table = pa.Table.from_arrays(
        [column(VECTORS), pa.array(LABELS), pa.array(LABELS)], ["embedding", "label", "label"]
    )
    pq.write_table(table, path)
    assert "has 2 columns named 'label'" in refused(path)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (["[1, 2]"] * 3, "string"),
        ([b"\1\2"] * 3, "binary"),
        ([[1, 2]] * 3, "list<element: int64>"),
        ([["1", "2"]] * 3, "list<element: string>"),
        ([[[1.0]]] * 3, "list<element: list<element: double>>"),
        ([1.0] * 3, "double"),
        ([{"x": 1.0}] * 3, "struct<x: double>"),
    ],
)
def test_embeddings_of_a_wrong_type(tmp_path, values, shown):
    path = write(tmp_path / "a.parquet", pa.array(values), list("aab"))
    message = refused(path)
    assert f"the embedding column 'embedding' of {path!r} has the type {shown}; " in message
    assert "allowed: a list of floats; the columns are 'embedding'" in message


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([b"a"] * 3, "binary"),
        ([True] * 3, "bool"),
        ([["a"]] * 3, "list<element: string>"),
        (pa.array([1, 2, 3], pa.date32()), "date32[day]"),
        (pa.array([b"a"] * 3).dictionary_encode(), "dictionary<values=binary"),
    ],
)
def test_labels_of_a_wrong_type(tmp_path, values, shown):
    path = write(tmp_path / "a.parquet", VECTORS[:3], values)
    message = refused(path)
    assert f"the label column 'label' of {path!r} has the type {shown}" in message
    assert "allowed: strings or integers" in message
    assert "name another with --label-column" in message
    good = write(tmp_path / "b.parquet", VECTORS[:3], list("aab"), more={"group": values})
    assert "the group column 'group'" in refused(good, group="group")


def test_labels_that_are_fractions(tmp_path):
    path = write(tmp_path / "a.parquet", VECTORS[:3], [1.0, 1.5, 2.0])
    assert "values of the label column 'label' hold the number 1.5" in refused(path)


def test_columns_of_nothing_but_nulls(tmp_path):
    path = write(tmp_path / "a.parquet", VECTORS[:2], pa.array([None, None]))
    assert f"the label column 'label' of {path!r} holds nothing but nulls" in refused(path)
    path = write(tmp_path / "b.parquet", pa.array([None, None]), list("aa"))
    assert f"the embedding column 'embedding' of {path!r} holds nothing but" in refused(path)


def test_vectors_of_different_widths(tmp_path):
    good = write(tmp_path / "a.parquet")
    path = write(tmp_path / "b.parquet", [[1.0, 2.0], None, [1.0], [3.0, 4.0]], list("aabb"))
    assert refused(path) == (
        f"the vector of row 2 of {path!r} has 1 dimensions, that of row 0 of {path!r} has 2; "
        "all vectors are of one width: remove the row, or embed it with the same model"
    )
    message = refused(good, path)
    assert f"row 60 (row 0 of {path!r}) has 2 dimensions, that of row 0 (row 0 of" in message


def test_a_width_that_changes_in_a_later_batch(tmp_path):
    vectors = np.ones((20_000, 64), dtype=np.float32).tolist()
    vectors[19_000] = [1.0] * 63
    path = write(tmp_path / "a.parquet", column(vectors), [row % 5 for row in range(20_000)])
    assert f"row 19000 of {path!r} has 63 dimensions" in refused(path)


def test_empty_vectors(tmp_path):
    path = write(tmp_path / "a.parquet", [[], []], list("ab"))
    assert f"the vector of row 0 of {path!r} is empty" in refused(path)
    path = write(tmp_path / "b.parquet", [[1.0], []], list("ab"))
    assert f"the vector of row 1 of {path!r} is empty" in refused(path)


def test_shards_that_disagree(tmp_path):
    (tmp_path / "kind").mkdir()
    first = write(tmp_path / "kind" / "a.parquet")
    second = write(tmp_path / "kind" / "b.parquet", labels=list(range(60)))
    assert refused(tmp_path / "kind") == (
        f"the label column 'label' has the type int64 in {second!r} and string in {first!r}; "
        "all files need the same kind: write them anew, or read fewer"
    )
    (tmp_path / "width").mkdir()
    make = LIST_TYPES["fixed_size_list"]
    first = write(tmp_path / "width" / "a.parquet", column(VECTORS, make=make))
    second = write(
        tmp_path / "width" / "b.parquet",
        column(VECTORS[:, :4], make=lambda value_type: pa.list_(value_type, 4)),
    )
    message = refused(tmp_path / "width")
    assert f"fixed_size_list<element: float>[4] in {second!r} and " in message
    assert f"fixed_size_list<element: float>[6] in {first!r}" in message
    (tmp_path / "name").mkdir()
    write(tmp_path / "name" / "a.parquet")
    second = write(tmp_path / "name" / "b.parquet", name="vector")
    assert f"{second!r} has no column 'embedding'" in refused(tmp_path / "name")


def test_no_rows_one_class_no_pair(tmp_path):
    path = write(tmp_path / "a.parquet", column([]), pa.array([], pa.string()))
    assert refused(path) == f"no rows in {path!r}; give files with vectors and labels"
    path = write(tmp_path / "b.parquet", labels=["a"] * 60)
    assert "one class ('a') in 60 rows; OPIS compares classes" in refused(path)
    path = write(tmp_path / "c.parquet", labels=list(range(60)))
    assert "none of the 60 classes has two rows" in refused(path)
    path = write(tmp_path / "d.parquet", [[math.nan]] * 3, list("aab"))
    assert "none of the 3 rows can be used (3 NaN or infinite)" in refused(path)


def test_strict_names_the_first_row(tmp_path):
    write(tmp_path / "a.parquet")
    path = write(tmp_path / "b.parquet", [[1.0] * 6, [0.0] * 6, None], ["class 1"] * 3)
    message = refused(tmp_path, policy=RowPolicy(strict=True))
    assert "1 null embedding, 1 zero length of 63 rows cannot be used" in message
    assert f"first row 61 (row 1 of {path!r}) (zero length)" in message
    found = read(tmp_path, policy=RowPolicy())
    assert found.dropped == DroppedRows(null_embedding=1, zero_norm=1)
    assert found.rows_read == 63


def test_distractors_and_singletons(tmp_path):
    path = write(tmp_path / "a.parquet", VECTORS[:7], ["x", "a", None, "b", "a", "y", "x"])
    policy = RowPolicy(
        metric="l2", null_label="distractor", singletons="drop", distractor_labels=("x",)
    )
    write(tmp_path / "b.parquet", VECTORS[7:9], ["c", "c"])
    found = read(tmp_path, policy=policy)
    assert found.labels == ("a", "c")
    assert found.class_of_row.tolist() == [-1, 0, -1, 0, -1, 1, 1]
    assert found.row_number.tolist() == [0, 1, 2, 4, 6, 7, 8]
    assert found.dropped == DroppedRows(singleton=2)
    assert path in found.inputs[0].path
