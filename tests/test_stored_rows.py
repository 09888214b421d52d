"""Rows that stay in files count as rows in memory do, bit for bit, however little room there is."""

import dataclasses
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, RowPolicy
from opiscal.data.files import sha256
from opiscal.data.parquet import read_embeddings
from opiscal.data.row_reader import RowReader
from opiscal.data.row_scan import collect_rows, scan_part
from opiscal.data.scan_plan import scan_parts
from opiscal.data.side_files import collect_sides, read_sides
from opiscal.pairs.between import count_between
from opiscal.pairs.centring import largest_of, scale_of
from opiscal.pairs.counting import count_pairs
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.index_choice import IndexChoice
from opiscal.pairs.kernel.ranks import RECALL_CAP
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.nearest_class import nearest_class
from opiscal.pairs.plan import PairPlan
from opiscal.pairs.row_cache import RowCache, RowMove
from opiscal.pairs.sorted_rows import SortedRows, sort_rows
from opiscal.pairs.stored_rows import StoredNorms, StoredRows
from opiscal.pairs.stored_sets import (
    find_centre,
    find_move,
    sort_stored_rows,
    sort_stored_sides,
    stretch_norms,
    stretch_reach,
)
from opiscal.pairs.two_sets import sample_between, sort_two_sets

WIDTH, EVERY, FEW = 12, 1 << 30, 24_000
COLUMNS = ColumnNames(group="group")
POLICIES = {
    "cosine": RowPolicy(null_label="distractor"),
    "l2": RowPolicy("l2"),
    "half": RowPolicy(half=True, null_label="distractor"),
    "half l2": RowPolicy("l2", half=True),
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> list[str]:
    """Some classes in any order over files and row groups, with rows that are left out between."""
    folder, rng, out = tmp_path_factory.mktemp("stored"), np.random.default_rng(5), []
    sizes = [1, 1, 2, 2, 3, 400, 9, 70, 30] * 2 + [4] * 60
    ids = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = rng.normal(size=(len(sizes), WIDTH)) + 1.0
    vectors = centres[ids] + 0.7 * rng.normal(size=(ids.size, WIDTH))
    vectors[rng.choice(ids.size, 40, replace=False), 3] = np.nan
    vectors[rng.choice(ids.size, 9, replace=False)] *= 1000.0
    for number, part in enumerate(np.array_split(np.arange(ids.size), [300, 310, 900])):
        table = pa.table(
            {
                "embedding": pa.array(list(vectors[part].astype(np.float32))),
                "label": [None if k == 3 else f"c{k}" for k in ids[part]],
                "group": ids[part] % 3,
                "side": ["query" if k % 5 < 2 else "gallery" for k in rng.permutation(part)],
                "item": [f"i{k}" for k in rng.integers(0, 400, part.size)],
            }
        )
        out.append(str(folder / f"{number}.parquet"))
        pq.write_table(table, out[-1], row_group_size=(97, 1000, 41, 333)[number])
    return out


def stored(paths, policy) -> tuple[EmbeddingSet, RowReader]:
    plan = scan_parts(paths, COLUMNS, policy)
    hashes = [sha256(path) for path in paths]
    embeddings = collect_rows(plan, map(scan_part, plan.parts), hashes)
    return embeddings, plan.reader(embeddings.dimensions)


def same(found, wanted, name="") -> None:
    """Whether two records hold the same numbers, bit for bit."""
    if dataclasses.is_dataclass(wanted):
        for field in dataclasses.fields(wanted):
            same(getattr(found, field.name), getattr(wanted, field.name), field.name)
    elif isinstance(wanted, np.ndarray) or isinstance(found, StoredRows | StoredNorms):
        found, wanted = np.asarray(found), np.asarray(wanted)
        assert found.dtype == wanted.dtype, name
        np.testing.assert_array_equal(found, wanted, err_msg=name)
    elif isinstance(wanted, list | tuple):
        assert len(found) == len(wanted), name
        for one, two in zip(found, wanted, strict=True):
            same(one, two, name)
    else:
        assert found == wanted, name


def ranks_of(tally, rows) -> np.ndarray:
    """What is known of ranks: above the largest they depend on the order of work."""
    return np.minimum(tally.ranks(rows, RECALL_CAP).rank, RECALL_CAP)


def same_rows(found: SortedRows, wanted: SortedRows) -> None:
    for name in ("centre", "scale", "largest", "classes", "read_order", "metric", "rows", "pairs"):
        same(getattr(found, name), getattr(wanted, name), name)
    same(found.half_norm, wanted.half_norm[:])
    same(found.vectors, wanted.vectors[:])


@pytest.mark.parametrize("room", [EVERY, FEW, 1])
@pytest.mark.parametrize("policy", POLICIES)
def test_stored_rows_are_sorted_rows(paths, policy, room):
    wanted = sort_rows(read_embeddings(paths, COLUMNS, POLICIES[policy]))
    embeddings, reader = stored(paths, POLICIES[policy])
    found = sort_stored_rows(embeddings, reader, room, threads=2)
    assert isinstance(found.vectors, StoredRows)
    vectors, rng = wanted.vectors[:], np.random.default_rng(0)
    some, chosen = rng.choice(wanted.rows, 200), rng.random(wanted.rows) < 0.4
    if room == 1:
        # A row at a time.
        for key in (slice(5, 8), some[:5], np.array([-1])):
            same(found.vectors[key], vectors[key])
        return
    for key in (slice(3, 90), slice(0, 0), slice(None, None, 7), slice(-30, None), slice(90, 3),
                slice(1000, 9000), some, some[:0], chosen, np.array([-1, 0, -1])):  # fmt: skip
        same(found.half_norm[key], wanted.half_norm[key])
        same(found.vectors[key], vectors[key])
        assert found.vectors[key].flags.c_contiguous
        same(found.vectors.measured(key), (vectors[key], wanted.half_norm[key]))
    same_rows(found, wanted)
    part, of_wanted = found.subset(chosen), wanted.subset(chosen)
    same_rows(part, of_wanted)
    same_rows(part.subset(~chosen[: part.rows]), of_wanted.subset(~chosen[: part.rows]))
    first, second = rng.choice(wanted.rows, (2, 5000))
    same(found.half_squared(first, second), wanted.half_squared(first, second))
    assert found.vectors.nbytes <= room
    with pytest.raises(IndexError, match="of"):
        found.vectors[np.array([wanted.rows])]


@pytest.mark.parametrize("policy", POLICIES)
def test_all_rows_that_fit_are_read_once(paths, policy):
    embeddings, reader = stored(paths, POLICIES[policy])
    rows = sort_stored_rows(embeddings, reader, EVERY)
    nearest_class(rows)
    count_exactly(rows, fit_lattice(rows, 0))
    assert reader.passes == 1
    assert rows.vectors.spans == [0, rows.rows]
    if not POLICIES[policy].half:
        assert np.shares_memory(rows.vectors[5:9], rows.vectors[0:100])
    # Where the move is known nothing is read before it is asked for.
    again = plan_reader(paths, POLICIES[policy])
    known = sort_stored_rows(
        embeddings, again, EVERY, move=RowMove(rows.centre, rows.scale), largest=rows.largest
    )
    assert again.passes == 0
    same_rows(known, rows)
    assert again.passes == 1


def plan_reader(paths, policy) -> RowReader:
    return scan_parts(paths, COLUMNS, policy).reader(WIDTH)


@pytest.mark.parametrize("policy", POLICIES)
def test_stretches_share_out_the_move_and_the_lengths(paths, policy):
    embeddings, reader = stored(paths, POLICIES[policy])
    wanted = sort_rows(read_embeddings(paths, COLUMNS, POLICIES[policy]))
    stretches = list(itertools.pairwise([0, 1, 500, 700, embeddings.rows]))
    centre = find_centre(embeddings, reader)
    reach = max(stretch_reach(embeddings, reader, centre, *part) for part in stretches)
    move = RowMove(centre, scale_of(reach, embeddings.metric))
    same((move.centre, move.scale), (wanted.centre, wanted.scale))
    same(find_move(embeddings, reader), move)
    half_norm = np.concatenate(
        [stretch_norms(embeddings, reader, move, *part) for part in stretches]
    )
    assert largest_of(float(half_norm.max()), embeddings.metric) == wanted.largest
    before = reader.passes
    found = sort_stored_rows(embeddings, reader, FEW, move=move, half_norm=half_norm)
    same(found.half_norm, wanted.half_norm)
    assert reader.passes == before
    same_rows(found, wanted)


def test_spans_are_kept_while_there_is_room(paths):
    embeddings, reader = stored(paths, POLICIES["cosine"])
    vectors = sort_stored_rows(embeddings, reader, FEW).vectors
    cuts = vectors.spans
    assert len(cuts) > 6
    assert cuts[0] == 0
    assert cuts[-1] == embeddings.rows
    assert max(np.diff(cuts)) * WIDTH * 4 * 4 <= FEW
    spans = list(itertools.pairwise(cuts))
    before = reader.passes
    # Four are kept; the one that was asked for least lately makes way.
    for passes, span in ((1, 0), (2, 1), (3, 2), (4, 3), (4, 0), (5, 4), (5, 0), (6, 1), (7, 2)):
        start, stop = spans[span]
        assert vectors.measured(slice(start, stop))[0].shape == (stop - start, WIDTH)
        assert reader.passes - before == passes
        assert vectors.nbytes <= FEW
    # Rows far apart are read alone, once for their lengths and for themselves.
    apart = np.arange(0, embeddings.rows, embeddings.rows // 12)
    before = reader.passes
    vectors.norms[apart], vectors[apart], vectors[apart[::-1]]
    assert reader.passes == before + 1


def test_threads_ask_at_the_same_time(paths):
    embeddings, reader = stored(paths, POLICIES["cosine"])
    wanted = sort_rows(read_embeddings(paths, COLUMNS, POLICIES["cosine"]))
    rows = sort_stored_rows(embeddings, reader, FEW)
    go = threading.Barrier(4)

    def ask(seed: int) -> None:
        rng = np.random.default_rng(seed)
        go.wait()
        for _ in range(30):
            start = int(rng.integers(0, rows.rows - 150))
            for key in (slice(start, start + 150), rng.choice(rows.rows, 20)):
                same(rows.half_norm[key], wanted.half_norm[key])
                same(rows.vectors[key], wanted.vectors[key])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    assert rows.vectors.nbytes <= FEW


@pytest.mark.parametrize("room", [EVERY, FEW])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_set_is_counted_alike(paths, policy, room):
    given = read_embeddings(paths, COLUMNS, POLICIES[policy])
    wanted = sort_rows(given)
    embeddings, reader = stored(paths, POLICIES[policy])
    found = sort_stored_rows(embeddings, reader, room)
    lattice = fit_lattice(wanted, 3)
    same(fit_lattice(found, 3), lattice)
    same(nearest_class(found, 1), nearest_class(wanted, 1))
    group = given.group_of_row[wanted.classes.place] == 1
    for part, of_wanted in ((found, wanted), (found.subset(group), wanted.subset(group))):
        counted = [count_exactly(rows, lattice, threads=2) for rows in (part, of_wanted)]
        same(*map(ranks_of, counted, (part, of_wanted)))
        counts = [
            tally.counts(rows, lattice, given.labels, given.metric)
            for tally, rows in zip(counted, (part, of_wanted), strict=True)
        ]
        same(*counts)
    assert found.vectors.nbytes <= room


@pytest.mark.parametrize("room", [EVERY, FEW])
@pytest.mark.parametrize("index", ["Flat", "IVF8,Flat"])
@pytest.mark.parametrize("policy", ["cosine", "half l2"])
def test_a_sample_is_counted_alike(paths, policy, index, room):
    given = read_embeddings(paths, COLUMNS, POLICIES[policy])
    wanted = sort_rows(given)
    embeddings, reader = stored(paths, POLICIES[policy])
    found = sort_stored_rows(embeddings, reader, room)
    lattice = fit_lattice(wanted, 3)
    plan = PairPlan("sampled", "", 64, 500, IndexChoice(index))
    counted = [
        count_pairs(rows, lattice, plan, given.labels, given.metric, seed=1, threads=1, ranks=True)
        for rows in (found, wanted)
    ]
    assert counted[0].sample is not None
    same(*counted)


@pytest.mark.parametrize("room", [EVERY, FEW])
@pytest.mark.parametrize("policy", ["cosine", "l2"])
@pytest.mark.parametrize("alike", [False, True])
def test_two_sets_are_counted_alike(paths, policy, alike, room):
    policy = POLICIES[policy]
    columns = ColumnNames(split="side", id="item", group="group")
    both = read_sides(paths, [], columns, policy)
    plan = scan_parts(paths, columns, policy)
    hashes = [sha256(path) for path in paths]
    found_sides = collect_sides(plan, map(scan_part, plan.parts), hashes)
    given, reader = both.embeddings, plan.reader(WIDTH)
    sides = both.sides if alike else found_sides.sides
    wanted = sort_two_sets(given, both.sides)
    found = sort_stored_sides(found_sides.embeddings, sides, reader, room)
    for one, two in ((found.queries, wanted.queries), (found.gallery, wanted.gallery)):
        same_rows(one, two)
    same(found.same_item, wanted.same_item)
    sample = sample_between(wanted, 2)
    same(sample_between(found, 2), sample)
    lattice = fit_lattice(wanted.queries, 2, None, sample)
    same(fit_lattice(found.queries, 2, None, sample), lattice)
    chosen = [given.group_of_row[side.read_order] == 0 for side in (wanted.queries, wanted.gallery)]
    for part, of_wanted in ((found, wanted), (found.subset(*chosen), wanted.subset(*chosen))):
        counted = [count_between(rows, lattice, threads=2) for rows in (part, of_wanted)]
        same(*map(ranks_of, counted, (part, of_wanted)))
        counts = [
            tally.counts(rows, lattice, given.labels, given.metric)
            for tally, rows in zip(counted, (part, of_wanted), strict=True)
        ]
        same(*counts)
    assert found.queries.vectors.nbytes <= room


def test_a_gallery_that_is_the_query_set(paths):
    table = pq.read_table(paths[0])
    folder = paths[0].rpartition("/")[0]
    copy = f"{folder}/copy.parquet"
    pq.write_table(table, copy, row_group_size=50)
    names = pa.array([f"row {k}" for k in range(table.num_rows)])
    own = f"{folder}/own.parquet"
    for path in (own, copy):
        pq.write_table(table.set_column(4, "item", names), path, row_group_size=77)
    columns, policy = ColumnNames(id="item"), RowPolicy()
    plan = scan_parts([own], columns, policy, [copy])
    both = collect_sides(plan, map(scan_part, plan.parts), ["", ""])
    for room in (EVERY, 6000):
        reader = plan.reader(WIDTH)
        two = sort_stored_sides(both.embeddings, both.sides, reader, room)
        assert two.is_one_set
        assert not two.subset(np.arange(two.queries.rows) > 0, np.ones(two.gallery.rows, bool)
                              ).is_one_set  # fmt: skip


def test_a_cache_of_no_rows():
    cache = RowCache(RowReader([], "embedding", 3, RowPolicy()), np.empty(0, np.int64),
                     np.array([0, 0]), 10, RowMove(np.zeros(3, np.float32), 1.0))  # fmt: skip
    rows = StoredRows(cache)
    assert rows[:].shape == rows[np.arange(0)].shape == (0, 3)
    assert rows.norms[:].shape == (0,)
    assert rows.spans == [0]
