"""Arrays in memory become an EmbeddingSet: values, counts and messages."""

import dataclasses
import math

import numpy as np
import pytest

from opiscal.data.embedding_set import DroppedRows, InputFile, RowPolicy
from opiscal.data.rows import from_arrays
from opiscal.errors import InputError, UsageError

L2 = RowPolicy(metric="l2")
SQUARE = np.array([[3.0, 4.0], [0.0, 2.0], [6.0, 8.0], [-5.0, 0.0]])


def test_cosine_scales_rows_and_keeps_their_lengths():
    rows = from_arrays(SQUARE, ["b", "a", "b", "a"])
    expected = np.array([[0.6, 0.8], [0, 1], [0.6, 0.8], [-1, 0]], dtype=np.float32)
    np.testing.assert_array_equal(rows.vectors, expected)
    assert rows.vectors.dtype == np.float32
    assert rows.vectors.flags.c_contiguous
    assert rows.norms.tolist() == [5.0, 2.0, 10.0, 5.0]
    assert rows.labels == ("a", "b")
    assert rows.class_of_row.tolist() == [1, 0, 1, 0]
    assert rows.class_of_row.dtype == np.int32
    assert rows.row_number.tolist() == [0, 1, 2, 3]
    assert (rows.metric, rows.rows_read, rows.dropped) == ("cosine", 4, DroppedRows())
    assert rows.groups is None
    assert rows.group_of_row is None


def test_l2_keeps_rows_as_given():
    rows = from_arrays(SQUARE, ["b", "a", "b", "a"], policy=L2)
    np.testing.assert_array_equal(rows.vectors, SQUARE.astype(np.float32))
    assert rows.norms.tolist() == [5.0, 2.0, 10.0, 5.0]
    assert rows.metric == "l2"


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", ">f8", "i1", "u1", "i4", "i8", "u8"])
def test_every_number_type_gives_the_same_rows(dtype):
    vectors = np.abs(SQUARE).astype(dtype)
    before = vectors.copy()
    rows = from_arrays(vectors, [1, 2, 1, 2])
    np.testing.assert_array_equal(
        rows.vectors, np.array([[0.6, 0.8], [0, 1], [0.6, 0.8], [1, 0]], dtype=np.float32)
    )
    np.testing.assert_array_equal(vectors, before)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("order", ["C", "F", "strided", "read-only"])
def test_the_callers_array_is_neither_changed_nor_shared(metric, order):
    vectors = np.asarray(SQUARE, dtype=np.float32, order="F" if order == "F" else "C")
    if order == "strided":
        vectors = np.repeat(vectors, 2, axis=0)[::2]
    before = vectors.copy()
    vectors.flags.writeable = order != "read-only"
    rows = from_arrays(vectors, ["b", "a", "b", "a"], policy=RowPolicy(metric=metric))
    np.testing.assert_array_equal(vectors, before)
    assert not np.shares_memory(rows.vectors, vectors)
    assert rows.vectors.flags.c_contiguous


@pytest.mark.parametrize("k", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("scale", [1.0, 1 / 3, 0.7, 1e30, 1e200, 1e-300])
def test_rows_of_plus_and_minus_one_scale_exactly(k, scale):
    signs = np.random.default_rng(k).choice([-1.0, 1.0], size=(8, 4**k))
    rows = from_arrays(signs * scale, [0, 1] * 4)
    np.testing.assert_array_equal(rows.vectors, (signs * 2.0**-k).astype(np.float32))


@pytest.mark.parametrize("scale", [1.0, 0.3, -7.7, 1e200, 5e-324])
def test_one_hot_rows_stay_one_hot(scale):
    rows = from_arrays(np.eye(6) * scale, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(rows.vectors, np.eye(6, dtype=np.float32) * np.sign(scale))


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        (np.float64, 1e200),
        (np.float64, 1e307),
        (np.float64, 1e-200),
        (np.float64, 2.0**-1070),
        (np.float32, 1e30),
        (np.float32, 2.0**120),
        (np.float32, 2.0**-140),
        (np.float16, 8192.0),
        (np.float16, 2.0**-22),
    ],
)
def test_very_long_and_very_short_vectors_keep_their_direction(dtype, scale):
    vectors = (np.array([[3.0, 4.0], [4.0, -3.0]]) * scale).astype(dtype)
    rows = from_arrays(np.vstack([vectors, [[1, 0]] * 2]).astype(dtype), [0, 0, 1, 1])
    np.testing.assert_allclose(rows.vectors[:2], [[0.6, 0.8], [0.8, -0.6]], rtol=1e-6)
    assert rows.norms[0] == pytest.approx(math.hypot(*vectors[0].tolist()), rel=1e-12)
    assert rows.dropped.total == 0


def test_a_length_beyond_the_largest_double_is_the_largest_double():
    huge = np.full((2, 4), 1.7e308)
    rows = from_arrays(np.vstack([huge, np.eye(4)[:2]]), [0, 0, 1, 1])
    np.testing.assert_array_equal(rows.vectors[:2], np.full((2, 4), 0.5, dtype=np.float32))
    assert rows.norms[0] == np.finfo(np.float64).max


def test_scaling_agrees_with_the_plain_formula():
    vectors = np.random.default_rng(1).standard_normal((300, 37)).astype(np.float32)
    rows = from_arrays(vectors, np.arange(300) % 7)
    wide = vectors.astype(np.float64)
    lengths = np.sqrt((wide**2).sum(axis=1))
    np.testing.assert_allclose(rows.norms, lengths, rtol=1e-14)
    np.testing.assert_array_max_ulp(rows.vectors, (wide / lengths[:, None]).astype(np.float32), 1)


def test_each_dropped_row_counts_under_its_first_reason():
    nan, inf = math.nan, math.inf
    vectors = np.array(
        [[1, 0], [0, 1], [nan, 0], [0, inf], [0, 0], [nan, 0], [0, 0], [1, 1], [0, -inf]]
    )
    labels = ["a", None, "a", "b", "b", None, None, "a", "c"]
    rows = from_arrays(np.vstack([vectors, [[2, 0], [0, 3]]]), [*labels, "b", "b"])
    assert rows.dropped == DroppedRows(null_label=3, non_finite=3, zero_norm=1)
    assert rows.rows_read == 11
    assert rows.row_number.tolist() == [0, 7, 9, 10]
    assert rows.labels == ("a", "b")
    assert rows.norms.tolist() == [1.0, math.sqrt(2.0), 2.0, 3.0]
    np.testing.assert_array_equal(
        rows.vectors, np.array([[1, 0], [0.5**0.5, 0.5**0.5], [1, 0], [0, 1]], dtype=np.float32)
    )


def test_zero_rows_are_kept_under_l2():
    rows = from_arrays(np.zeros((4, 3)), [0, 0, 1, 1], policy=L2)
    assert rows.rows == 4
    assert rows.dropped.total == 0


def test_under_l2_a_value_beyond_float32_is_not_finite():
    vectors = np.ones((5, 2))
    vectors[1, 0] = 1e39
    vectors[2, 1] = -1e300
    # Long, but every element fits.
    vectors[3] = 3e38
    rows = from_arrays(vectors, [0, 0, 1, 1, 0], policy=L2)
    assert rows.dropped == DroppedRows(non_finite=2)
    assert rows.row_number.tolist() == [0, 3, 4]
    assert np.isfinite(rows.vectors).all()


def test_null_labels_can_be_distractors():
    vectors = np.array([[1.0, 0], [0, 1], [0, 0], [1, 1], [2, 0]])
    labels = ["a", None, None, "b", "a"]
    rows = from_arrays(vectors, labels, policy=RowPolicy(null_label="distractor"))
    assert rows.class_of_row.tolist() == [0, -1, 1, 0]
    assert rows.distractors == 1
    # Null and of zero length: it would have been kept, but for its length.
    assert rows.dropped == DroppedRows(zero_norm=1)


def test_distractor_labels_by_their_text():
    vectors = np.eye(6)
    policy = RowPolicy(distractor_labels=("7",))
    rows = from_arrays(vectors, [5, 7, 5, 9, 7, 9], policy=policy)
    assert rows.labels == (5, 9)
    assert rows.class_of_row.tolist() == [0, -1, 0, 1, -1, 1]
    assert rows.distractors == 2


def test_an_unknown_distractor_label_lists_close_names():
    policy = RowPolicy(distractor_labels=("backgruond",))
    with pytest.raises(UsageError, match=r"'backgruond' is the label of no row.*'background'"):
        from_arrays(np.eye(4), ["cat", "cat", "background", "dog"], policy=policy)


def test_singletons_can_be_dropped():
    labels = ["b", "x", "a", "b", "y", "a", None, "z"]
    vectors = np.arange(1, 9)[:, None] * np.array([[1.0, 0.5]])
    policy = RowPolicy(metric="l2", singletons="drop", distractor_labels=("z",))
    rows = from_arrays(vectors, labels, list("ppqqrrss"), policy=policy)
    assert rows.dropped == DroppedRows(null_label=1, singleton=2)
    assert rows.row_number.tolist() == [0, 2, 3, 5, 7]
    assert rows.labels == ("a", "b")
    assert rows.class_of_row.tolist() == [1, 0, 1, 0, -1]
    np.testing.assert_array_equal(rows.vectors, vectors[[0, 2, 3, 5, 7]].astype(np.float32))
    assert rows.groups == ("p", "q", "r", "s")
    assert rows.group_of_row is not None
    assert rows.group_of_row.tolist() == [0, 1, 1, 2, 3]


def test_a_class_left_with_one_row_is_a_singleton():
    vectors = np.array([[1.0, 0], [0, 0], [0, 1], [1, 1], [1, 0], [1, 2]])
    rows = from_arrays(vectors, list("aabbcc"), policy=RowPolicy(singletons="drop"))
    assert rows.dropped == DroppedRows(zero_norm=1, singleton=1)
    assert rows.labels == ("b", "c")


def test_compaction_over_many_blocks():
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((3000, 64)).astype(np.float32)
    vectors[rng.random(3000) < 0.2, 5] = np.nan
    labels = rng.integers(0, 2000, 3000)
    rows = from_arrays(vectors, labels, policy=RowPolicy(metric="l2", singletons="drop"))
    fit = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    sizes = np.bincount(labels[fit], minlength=2000)
    expected = fit[sizes[labels[fit]] > 1]
    np.testing.assert_array_equal(rows.row_number, expected)
    np.testing.assert_array_equal(rows.vectors, vectors[expected])
    np.testing.assert_array_equal(np.array(rows.labels)[rows.class_of_row], labels[expected])
    assert rows.dropped.singleton == len(fit) - len(expected)


class Series:
    """What np.asarray knows of a pandas Series."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype)


class NAType:
    """Like pandas.NA, it cannot be compared."""

    def __eq__(self, other):
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = object.__hash__


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["x", "", "x", "", None], ("", "x")),
        (("x", "", "x", "", math.nan), ("", "x")),
        (np.array(["x", "", "x", "", None], dtype=object), ("", "x")),
        ([np.str_("x"), "", np.str_("x"), "", NAType()], ("", "x")),
        (Series(np.array(["x", "", "x", "", math.nan], dtype=object)), ("", "x")),
        (np.ma.array(["x", "", "x", "", "y"], mask=[0, 0, 0, 0, 1]), ("", "x")),
        ([30, -2, 30, -2, None], (-2, 30)),
        ([np.int8(30), -2, 30, np.int64(-2), math.nan], (-2, 30)),
        (np.array([30, -2, 30, -2, math.nan]), (-2, 30)),
        ([30.0, -2, 30, -2.0, None], (-2, 30)),
        (Series([30.0, -2.0, 30.0, -2.0, math.nan]), (-2, 30)),
        (np.ma.array([30, -2, 30, -2, 9], mask=[0, 0, 0, 0, 1]), (-2, 30)),
    ],
)
def test_labels_of_every_make(labels, expected):
    rows = from_arrays(np.eye(5), labels)
    assert rows.labels == expected
    assert [type(label) for label in rows.labels] == [type(label) for label in expected]
    assert rows.class_of_row.tolist() == [1, 0, 1, 0]
    assert rows.dropped == DroppedRows(null_label=1)


@pytest.mark.parametrize("dtype", ["U3", "i2", "u8", "i8", "T", "O"])
def test_label_arrays_without_missing_values(dtype):
    if dtype == "T" and not hasattr(np.dtypes, "StringDType"):
        pytest.skip("NumPy before 2.0 has no strings of variable width")
    labels = np.array([10, 9, 9, 10]).astype(dtype)
    rows = from_arrays(np.eye(4), labels)
    text = dtype in "U3T"
    # Strings by code point, integers by value.
    assert rows.labels == (("10", "9") if text else (9, 10))
    assert rows.class_of_row.tolist() == ([0, 1, 1, 0] if text else [1, 0, 0, 1])


def test_large_unsigned_labels_stay_exact():
    labels = np.array([2**64 - 1, 2**64 - 2] * 2, dtype=np.uint64)
    assert from_arrays(np.eye(4), labels).labels == (2**64 - 2, 2**64 - 1)


def test_groups_are_sorted_and_may_be_missing():
    rows = from_arrays(np.eye(5), [0, 0, 1, 1, None], ["us", None, "de", "us", "fr"])
    # The group of a row left out does not count.
    assert rows.groups == ("de", "us")
    assert rows.group_of_row is not None
    assert rows.group_of_row.dtype == np.int32
    assert rows.group_of_row.tolist() == [1, -1, 0, 1]


def test_vectors_as_a_sequence_of_vectors():
    column = np.empty(5, dtype=object)
    for row in range(4):
        column[row] = np.array([row + 1.0, 0.0], dtype=np.float32)
    rows = from_arrays(column, [*"abab", "a"])
    assert rows.dropped == DroppedRows(null_embedding=1)
    assert rows.norms.tolist() == [1.0, 2.0, 3.0, 4.0]
    again = from_arrays([[1, 0], [2, 0], [3, 0], [4, 0], None], [*"abab", "a"])
    np.testing.assert_array_equal(again.vectors, rows.vectors)
    assert again.dropped == rows.dropped
    masked = np.ma.array(np.ones((5, 2), dtype=np.float32), mask=[[0, 0]] * 4 + [[0, 1]])
    assert from_arrays(masked, list("ababa")).dropped == DroppedRows(non_finite=1)
    assert from_arrays([[1, None], [1, 2], [2, 1], [3, 3]], list("aabb")).dropped.non_finite == 1


def test_one_scored_class_beside_singletons_is_allowed_here():
    rows = from_arrays(np.eye(4), ["a", "a", "b", "c"])
    assert rows.class_sizes().tolist() == [2, 1, 1]


def test_inputs_are_kept():
    inputs = (InputFile("a.parquet", 4, "0" * 64),)
    assert from_arrays(np.eye(4), [0, 0, 1, 1], inputs=inputs).inputs == inputs


def test_the_record_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        from_arrays(np.eye(4), [0, 0, 1, 1]).metric = "l2"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("vectors", "labels", "message"),
    [
        (np.empty((0, 3)), [], r"no rows"),
        ([], [], r"no rows"),
        (np.empty((3, 0)), [1, 1, 2], r"shape \(3, 0\), have no dimensions"),
        ([None, None], [1, 2], r"nothing but missing vectors"),
        (np.eye(3)[0], [1, 1, 2], r"shape \(3,\).*\(rows, dimensions\)"),
        (np.ones((2, 2, 2)), [1, 2], r"shape \(2, 2, 2\)"),
        ([[1.0, 2.0], [1.0], [3.0, 1.0]], [1, 1, 2], r"row 1 has 1 dimensions and row 0 has 2"),
        ([[1.0, 2.0], [], [3.0, 1.0]], [1, 1, 2], r"row 1 has 0 dimensions and row 0 has 2"),
        ([[], [1.0, 2.0]], [1, 1], r"row 0 is an empty vector"),
        ([[[1.0]], [1.0, 2.0]], [1, 1], r"row 0 of the vectors is no vector.*\(1, 1\)"),
        (np.array([["a", "b"]] * 3), [1, 1, 2], r"type <U1; give float16"),
        (np.eye(3, dtype=bool), [1, 1, 2], r"type bool; give float16"),
        (np.eye(3, dtype=complex), [1, 1, 2], r"type complex128; give float16"),
        (np.array([["a", None]] * 3, dtype=object), [1, 1, 2], r"not numbers"),
        (np.eye(3), [1, 2], r"3 vectors and 2 labels; give one for each"),
        (np.eye(3), np.eye(3), r"labels have the shape \(3, 3\)"),
        (np.eye(3), "aab", r"labels are one str"),
        (np.eye(3), [1, 1, "2"], r"labels mix strings and integers \(1 and '2'\)"),
        (np.eye(3), [1.5, 1, 2], r"labels hold the number 1.5; .* strings or integers"),
        (np.eye(3), np.array([1.5, 1, 2]), r"labels hold the number 1.5"),
        (np.eye(3), np.array([math.inf, 1, 2]), r"labels hold the number inf"),
        (np.eye(3), [True, False, True], r"labels hold True at row 0, of type bool"),
        (np.eye(3), np.array([True, False, True]), r"labels have the type bool; .*astype\(str\)"),
        (np.eye(3), [b"a", b"a", b"b"], r"labels hold b'a' at row 0, of type bytes"),
        (np.eye(3), np.array([b"a", b"a", b"b"]), r"labels have the type \|S1"),
        (np.eye(3), ["a", np.eye(30), "b"], r"at row 1, of type ndarray"),
        (np.eye(3), [None] * 3, r"none of the 3 rows can be used \(3 null label\)"),
        (np.zeros((3, 2)), [1, 1, 2], r"none of the 3 rows can be used \(3 zero length\)"),
        (np.eye(3), ["a"] * 3, r"one class \('a'\) in 3 rows; OPIS compares classes"),
        (np.eye(3), [1, 2, 3], r"none of the 3 classes has two rows"),
    ],
)
def test_bad_arrays_are_refused_in_one_line(vectors, labels, message):
    with pytest.raises(InputError, match=message) as caught:
        from_arrays(vectors, labels)
    assert "\n" not in str(caught.value)


def test_groups_are_checked_too():
    with pytest.raises(InputError, match=r"4 vectors and 1 groups"):
        from_arrays(np.eye(4), [0, 0, 1, 1], ["a"])
    with pytest.raises(InputError, match=r"groups mix strings and integers"):
        from_arrays(np.eye(4), [0, 0, 1, 1], ["a", 1, "b", "c"])


def test_vectors_that_are_no_array():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.\nUse detach()")

    with pytest.raises(InputError, match=r"requires grad. Use detach\(\)\); give a NumPy array"):
        from_arrays(Tensor(), [1, 2])


def test_all_rows_distractors():
    policy = RowPolicy(distractor_labels=("a", "b"))
    with pytest.raises(InputError, match=r"all 4 rows used are distractors"):
        from_arrays(np.eye(4), list("aabb"), policy=policy)


def test_nothing_left_after_dropping_singletons():
    policy = RowPolicy(singletons="drop")
    with pytest.raises(InputError, match=r"none of the 3 rows.*3 only one of its class"):
        from_arrays(np.eye(3), list("abc"), policy=policy)


def test_strict_makes_a_dropped_row_an_error():
    vectors = np.array([[1.0, 0], [1, 1], [0, 0], [math.nan, 1], [2, 2], [0, 1]])
    strict = RowPolicy(strict=True)
    with pytest.raises(
        InputError,
        match=r"1 NaN or infinite, 1 zero length of 6 rows cannot be used, "
        r"first row 2 \(zero length\)",
    ):
        from_arrays(vectors, list("abaabb"), policy=strict)
    files = (InputFile("a.parquet", 2, ""), InputFile("b.parquet", 4, ""))
    with pytest.raises(InputError, match=r"first row 2 \(row 0 of 'b.parquet'\) \(zero length\)"):
        from_arrays(vectors, list("abaabb"), policy=strict, inputs=files)


def test_strict_allows_what_was_asked_for():
    policy = RowPolicy(strict=True, singletons="drop", null_label="distractor")
    rows = from_arrays(np.eye(6), ["a", "a", "b", "b", "c", None], policy=policy)
    assert rows.dropped == DroppedRows(singleton=1)
    assert rows.distractors == 1
