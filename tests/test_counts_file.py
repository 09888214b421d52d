"""``pairs.npz``: what is saved comes back, equal counts are equal bytes, damage is one line."""

import json
import os
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from between import counted_between
from between_oracles import Side

from opiscal.data.embedding_set import Label
from opiscal.data.table import read_table, write_table
from opiscal.errors import InputError, UsageError
from opiscal.pairs.counts import ClassPairSums, GalleryCounts, PairCounts
from opiscal.pairs.counts_file import load_counts, read_meta, save_counts
from opiscal.pairs.nearest_counts import NearestCounts

LABELS: tuple[Label, ...] = ("", "a", "ä\u2028\n", "\U0001f600", '"quoted"', "7")


def make_counts(
    labels: tuple[Label, ...] = LABELS,
    *,
    seed: int = 0,
    edges: int = 60,
    class_edges: int = 20,
    moment_edges: int = 5,
    class_rows: int = 40,
    step: int = 300,
) -> PairCounts:
    """Counts that rise as counts do; they are of no real set."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, class_rows, size=len(labels))

    def rising(*shape: int, most: int = step) -> np.ndarray:
        return np.cumsum(rng.integers(0, most, size=shape), axis=-1)

    return PairCounts(
        metric="cosine",
        rows=int(sizes.sum()) + 9,
        distractors=3,
        labels=labels,
        class_rows=sizes,
        distance=np.sort(rng.uniform(0, 2, size=edges)),
        class_edge=np.sort(rng.choice(edges, class_edges, replace=False)),
        moment_edge=np.sort(rng.choice(class_edges, moment_edges, replace=False)),
        pool_positive=rising(edges),
        pool_negative=rising(edges, most=1 << 40),
        class_positive=rising(len(labels), class_edges).astype(np.int32),
        class_negative=rising(len(labels), class_edges).astype(np.int32),
        positive_squares=rising(len(labels), moment_edges),
        negative_squares=rising(len(labels), moment_edges, most=1 << 50),
        products=rising(len(labels), moment_edges),
        nearest=NearestCounts(sizes, sizes // 2),
    )


def assert_equal(found: PairCounts, expected: PairCounts) -> None:
    for name in (field.name for field in fields(PairCounts)):
        one, other = getattr(found, name), getattr(expected, name)
        if name == "within_groups":
            assert len(one) == len(other)
            for (group, part), (true_group, true_part) in zip(one, other, strict=True):
                assert group == true_group
                assert type(group) is type(true_group)
                assert_equal(part, true_part)
        elif name == "gallery" and other is not None:
            for part in (field.name for field in fields(GalleryCounts)):
                assert np.array_equal(getattr(one, part), getattr(other, part)), part
                assert type(getattr(one, part)) is type(getattr(other, part)), part
        elif name == "nearest" and other is not None:
            for part in ("asked", "found"):
                assert np.array_equal(getattr(one, part), getattr(other, part)), part
        elif name == "class_pairs" and other is not None:
            for part in (field.name for field in fields(ClassPairSums)):
                assert np.array_equal(getattr(one, part), getattr(other, part)), part
        elif isinstance(other, np.ndarray):
            assert np.array_equal(one, other), name
            assert one.dtype == other.dtype, name
        else:
            assert one == other, name
            assert type(one) is type(other), name


@pytest.mark.parametrize("labels", [LABELS, (-5, 0, 12, 2**62), ("only",), ()])
def test_what_is_saved_comes_back(tmp_path: Path, labels: tuple[Label, ...]) -> None:
    counts = make_counts(labels)
    save_counts(counts, tmp_path / "pairs.npz", meta={"fingerprint": "äbc"})
    found = load_counts(tmp_path / "pairs.npz")
    assert_equal(found, counts)
    assert all(type(a) is type(b) for a, b in zip(found.labels, labels, strict=True))
    assert read_meta(tmp_path / "pairs.npz") == {"fingerprint": "äbc"}


def with_groups(counts: PairCounts) -> PairCounts:
    edges = {name: getattr(counts, name) for name in ("distance", "class_edge", "moment_edge")}
    parts = [replace(make_counts(LABELS[:k], seed=k), **edges) for k in (2, 0, 3)]
    return replace(counts, within_groups=tuple(zip(("x", "", "ü"), parts, strict=True)))


def test_sums_over_class_pairs_come_back(tmp_path: Path) -> None:
    counts = with_groups(make_counts(LABELS[:3]))
    sums = ClassPairSums(np.array([0, 2, 3]), np.array([0, 5, 2**40]), np.array([0, 7, 2**41]))
    more = replace(sums, by_accepted=np.tile([0, 1, 2**50], (3, 1)), by_pairs=np.ones((3, 3), int))
    parts = [replace(part, class_pairs=None) for _, part in counts.within_groups]
    parts[0] = replace(parts[0], class_pairs=sums)
    counts = replace(counts, class_pairs=more, within_groups=tuple(zip("xyz", parts, strict=True)))
    save_counts(counts, tmp_path / "pairs.npz")
    assert_equal(load_counts(tmp_path / "pairs.npz"), counts)
    with pytest.raises(UsageError, match="squares falls by 5"):
        save_counts(
            replace(counts, class_pairs=replace(sums, squares=sums.squares[::-1] % 6)),
            tmp_path / "other.npz",
        )


def test_counts_against_a_gallery_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sides = [
        Side(rng.integers(-5, 6, (30, 3)).tolist(), rng.integers(-1, 6, 30).tolist())
        for _ in range(2)
    ]
    _, counts, _ = counted_between(*sides, "l2", (list(range(30)), list(range(10, 40))))
    assert counts.gallery is not None
    assert counts.gallery.shared_rows.sum() > 0
    counts = counts.with_groups((("x", counts),))
    save_counts(counts, tmp_path / "pairs.npz")
    assert_equal(load_counts(tmp_path / "pairs.npz"), counts)


def test_groups_come_back(tmp_path: Path) -> None:
    counts = with_groups(make_counts())
    save_counts(counts, tmp_path / "pairs.npz")
    found = load_counts(tmp_path / "pairs.npz")
    assert_equal(found, counts)
    # On the very same edges, not on copies of them.
    assert all(part.distance is found.distance for _, part in found.within_groups)


def test_groups_on_other_edges_are_refused(tmp_path: Path) -> None:
    counts = replace(make_counts(), within_groups=(("x", make_counts(seed=5)),))
    with pytest.raises(UsageError, match="distance of their own"):
        save_counts(counts, tmp_path / "pairs.npz")


def test_equal_counts_are_equal_bytes(tmp_path: Path) -> None:
    counts = with_groups(make_counts())
    save_counts(counts, tmp_path / "a", meta={"x": "1", "y": "2"})
    other = replace(
        load_counts(tmp_path / "a"),
        # Other types and another order in memory, the same integers.
        class_positive=np.asfortranarray(counts.class_positive.astype(np.int64)),
        labels=tuple(np.array(counts.labels)),
    )
    save_counts(other, tmp_path / "b", meta={"y": "2", "x": "1"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    save_counts(counts, tmp_path / "c", meta={"x": "1"})
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_giant_classes_come_back_in_eight_bytes(tmp_path: Path) -> None:
    counts = make_counts()
    sizes = counts.class_rows.copy()
    sizes[0] = 50_000
    negative = counts.class_negative.astype(np.int64)
    negative[0, -1] += 2_400_000_000
    giant = replace(
        counts,
        rows=100_000,
        class_rows=sizes,
        class_positive=counts.class_positive.astype(np.int64),
        class_negative=negative,
    )
    save_counts(giant, tmp_path / "pairs.npz")
    assert_equal(load_counts(tmp_path / "pairs.npz"), giant)


def test_the_smallest_type_holds_the_steps(tmp_path: Path) -> None:
    save_counts(make_counts(step=200), tmp_path / "pairs.npz")
    with np.load(tmp_path / "pairs.npz", allow_pickle=False) as arrays:
        assert arrays["class_positive"].dtype == np.uint8
        assert arrays["pool_negative"].dtype == np.uint64
        assert json.loads(arrays["labels"].tobytes()) == list(LABELS)


def test_steps_are_taken_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = make_counts()
    save_counts(counts, tmp_path / "whole")
    monkeypatch.setattr("opiscal.pairs.counts_archive._BLOCK_VALUES", 45)
    save_counts(counts, tmp_path / "blocks")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "blocks").read_bytes()


def test_what_falls_is_not_counts(tmp_path: Path) -> None:
    counts = make_counts()
    counts.class_positive[1, -1] = 0
    with pytest.raises(UsageError, match="class_positive falls by"):
        save_counts(counts, tmp_path / "pairs.npz")


def one_line(file: Path, match: str) -> None:
    for read in (load_counts, read_meta):
        with pytest.raises(InputError, match=match) as caught:
            read(file)
        assert "\n" not in str(caught.value)
        assert str(file) in str(caught.value)
        assert "opiscal evaluate" in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    one_line(tmp_path / "none.npz", "No such file")
    one_line(tmp_path, "Is a directory")


def test_other_files(tmp_path: Path) -> None:
    file = tmp_path / "pairs.npz"
    for content in (b"", b"PAR1 not a zip", os.urandom(500)):
        file.write_bytes(content)
        one_line(file, "damaged or of another kind")
    np.savez(file, header=np.arange(3), labels=np.arange(2))
    one_line(file, "another kind")
    np.savez(file, other=np.arange(3))
    one_line(file, "no header")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("header.npy", b"text")
    one_line(file, "another kind")


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    file = tmp_path / "pairs.npz"
    np.savez(file, header=np.array([{"format": "x"}], dtype=object))
    one_line(file, "another kind")


def test_a_newer_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opiscal.pairs.counts_file.VERSION", 6)
    save_counts(make_counts(), tmp_path / "pairs.npz")
    monkeypatch.undo()
    one_line(tmp_path / "pairs.npz", "version 6, this opiscal reads version 4")


def test_any_damage_is_an_input_error_or_harmless(tmp_path: Path) -> None:
    counts = with_groups(make_counts())
    file = tmp_path / "pairs.npz"
    save_counts(counts, file)
    whole = file.read_bytes()
    rng = np.random.default_rng(1)
    for cut in rng.integers(0, len(whole), size=20):
        file.write_bytes(whole[:cut])
        with pytest.raises(InputError):
            load_counts(file)
    refused = 0
    for place in rng.integers(0, len(whole), size=80):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        file.write_bytes(broken)
        try:
            # Not every byte of a zip is used.
            assert_equal(load_counts(file), counts)
        except InputError:
            refused += 1
    assert refused > 60


def test_arrays_that_do_not_fit_one_another(tmp_path: Path) -> None:
    counts = make_counts()
    short = replace(counts, pool_positive=counts.pool_positive[:-1])
    save_counts(short, tmp_path / "pairs.npz")
    with pytest.raises(InputError, match="pool_positive of shape"):
        load_counts(tmp_path / "pairs.npz")


def test_nearest_rows_that_cannot_be(tmp_path: Path) -> None:
    counts = make_counts()
    sizes = counts.class_rows
    for asked, found in ((sizes, sizes + 1), (sizes + 1, sizes), (sizes, -sizes), (sizes[1:],) * 2):
        save_counts(replace(counts, nearest=NearestCounts(asked, found)), tmp_path / "pairs.npz")
        with pytest.raises(InputError, match="nearest rows of"):
            load_counts(tmp_path / "pairs.npz")


def test_tables_come_back_and_are_equal_bytes(tmp_path: Path) -> None:
    columns = {
        "label": ["", "ä", "\U0001f600"],
        "rows": np.array([3, 2, 1]),
        "far": [0.5, None, 0.25],
        "nearest_class": np.array(["x", None, "y"], dtype=object),
        "nothing": [None, None, None],
    }
    write_table(columns, tmp_path / "a.parquet")
    write_table(columns, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    found = read_table(tmp_path / "a.parquet")
    assert found == {name: list(values) for name, values in columns.items()}
    assert list(found) == list(columns)


def test_tables_that_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    with pytest.raises(UsageError, match="different lengths"):
        write_table({"a": [1], "b": [1, 2]}, file)
    with pytest.raises(UsageError, match="column 'a'"):
        write_table({"a": ["x", 3]}, file)
    assert not file.exists()
    with pytest.raises(InputError, match="No such file"):
        read_table(file)
    file.write_bytes(b"not a table")
    with pytest.raises(InputError, match="cannot be read") as caught:
        read_table(file)
    assert "\n" not in str(caught.value)
