"""`opiscal evaluate QUERIES --gallery GALLERY`: what it writes and prints, and bad input."""

import json
from pathlib import Path

import between_oracles as truth
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from between_oracles import Side, between_table
from conftest import DIGITS400, Cli
from conftest import write_set as write
from oracles import far, frr


@pytest.fixture(scope="module")
def sides():
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((20, 6))
    of = rng.integers(0, 16, 90), rng.integers(4, 20, 120)
    return tuple(
        Side(
            np.round(centres[c] + 0.6 * rng.standard_normal((c.size, 6)), 3).tolist(),
            c.tolist(),
        )
        for c in of
    )


@pytest.fixture
def files(sides, tmp_path):
    """Queries, gallery, and both in one file with a column that tells them apart."""
    names = [
        [f"q{k}" for k in range(90)],
        [f"g{k}" for k in range(110)] + [f"q{k}" for k in range(10)],
    ]
    made = [
        write(tmp_path / f"{name}.parquet", side.vectors, side.classes, id=ids)
        for name, side, ids in zip(("queries", "gallery"), sides, names, strict=True)
    ]
    both = [pq.read_table(file) for file in made]
    parts = [
        table.append_column("side", pa.array([value] * table.num_rows))
        for table, value in zip(both, ("Probe", "enrolled"), strict=True)
    ]
    # Neither side comes first.
    mixed = pa.concat_tables([parts[1].slice(0, 50), parts[0], parts[1].slice(50)])
    pq.write_table(mixed, tmp_path / "both.parquet")
    return (*made, tmp_path / "both.parquet")


def test_numbers_are_those_of_the_loops(cli: Cli, files, sides, tmp_path):
    queries, gallery, _ = files
    done = cli("evaluate", queries, "--gallery", gallery, "-o", "run", "--json", "--quiet")
    assert done.code == 0, done.err
    report = done.document
    table, met = between_table(*sides), truth.neighbours(*sides)
    data = report["data"]
    assert (data["queries"], data["gallery"], data["rows_used"]) == (90, 120, 210)
    assert data["queries_unknown"] == len(truth.unknown(met))
    assert data["classes_scored"] == len(table.scored)
    assert report["pairs"]["positive"] == len(table.pool_positive)
    assert report["pairs"]["negative"] == len(table.pool_negative)
    assert [file["path"] for file in report["provenance"]["inputs"]] == [str(queries), str(gallery)]
    for point in report["operating_points"]:
        d = point["distance"] + 1e-6
        assert point["far"] == pytest.approx(far(table, d), abs=2e-4)
        assert point["frr"] == pytest.approx(frr(table, d), abs=2e-3)
        assert point["fpir"] == pytest.approx(truth.fpir(met, d))
        assert point["fnir"] == pytest.approx(truth.fnir(met, d))
    kept = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    assert kept == report
    classes = pq.read_table(tmp_path / "run" / "classes.parquet").to_pydict()
    assert classes["label"] == table.scored
    assert classes["positives"] == [len(table.positive[c]) for c in table.scored]
    assert classes["negatives"] == [len(table.negative[c]) for c in table.scored]


def test_a_column_tells_the_sides_apart(cli: Cli, files):
    queries, gallery, both = files
    one = cli("evaluate", queries, "--gallery", gallery, "--json", "-q", "--no-plots").document
    other = cli("evaluate", both, "--split-column", "side", "--json", "-q", "--no-plots").document
    assert other["provenance"]["columns"]["split"] == "side"
    assert one["provenance"]["fingerprint"] != other["provenance"]["fingerprint"]
    for document in (one, other):
        del document["provenance"]
    assert one == other


def test_items_on_both_sides(cli: Cli, files, sides):
    queries, gallery, both = files
    names = [json.loads(json.dumps(pq.read_table(file)["id"].to_pylist())) for file in files[:2]]
    table = between_table(*sides, ids=tuple(names))
    for arguments in ((queries, "--gallery", gallery), (both, "--split-column", "side")):
        done = cli("evaluate", *arguments, "--id-column", "id", "--json", "-q", "--no-plots")
        pairs = done.document["pairs"]
        assert (pairs["positive"], pairs["negative"]) == (
            len(table.pool_positive),
            len(table.pool_negative),
        )


def test_a_file_that_is_its_own_gallery(cli: Cli, tmp_path):
    rows = pq.read_table(DIGITS400)
    named = rows.append_column("name", pa.array(range(rows.num_rows)))
    pq.write_table(named, tmp_path / "digits.parquet")
    one = cli("evaluate", "digits.parquet", "--json", "-q", "--no-plots").document
    both = cli(
        "evaluate", "digits.parquet", "--gallery", "digits.parquet", "--id-column", "name",
        "--json", "-q", "--no-plots",
    ).document  # fmt: skip
    assert both["pairs"]["negative"] == 2 * one["pairs"]["negative"]
    for name in ("calibration_range", "retrieval"):
        assert both[name] == one[name]
    assert both["opis"]["value"] == pytest.approx(one["opis"]["value"], rel=1e-5)
    found, known = both["recommended_threshold"], one["recommended_threshold"]
    for name in ("similarity", "far", "frr"):
        assert found[name] == pytest.approx(known[name], rel=1e-6)
    # Without names every row is its own nearest neighbour.
    again = cli(
        "evaluate", "digits.parquet", "--gallery", "digits.parquet", "--json", "-q"
    ).document
    assert again["retrieval"]["recall_at"]["1"] == 1.0


def test_what_is_printed(cli: Cli, files):
    queries, gallery, _ = files
    done = cli("evaluate", queries, "--gallery", gallery, "-o", "run")
    lines = done.out.splitlines()
    assert lines[0].endswith(" pairs of 90 queries with 120 gallery rows")
    assert lines[1].endswith("; none within a side")
    assert lines[2].startswith("20 classes, ")
    assert "on both sides and scored" in lines[2]
    assert lines[3].endswith("queries have no class in the gallery: FPIR is over these")
    (head,) = (k for k, line in enumerate(lines) if line.startswith("identification"))
    assert lines[head].split() == ["identification", "similarity", "FPIR", "FNIR"]
    assert lines[head + 1].startswith("recommended")
    assert all(len(line) <= 80 for line in lines)
    at = cli("threshold", "run", "--at", "similarity=0.7")
    assert "identification: FPIR " in at.out
    point = cli("threshold", "run", "--far", "0.1", "--json", "-o", "t.json").document
    assert 0 <= point["fpir"] <= 1
    assert 0 <= point["fnir"] <= 1
    kept = json.loads(Path("t.json").read_text(encoding="utf-8"))
    assert (kept["fpir"], kept["fnir"]) == (point["fpir"], point["fnir"])


def test_one_set_has_no_identification(cli: Cli):
    done = cli("evaluate", DIGITS400, "--json", "-q", "--no-plots").document
    assert done["recommended_threshold"]["fpir"] is None
    assert done["recommended_threshold"]["fnir"] is None
    assert done["data"]["queries"] is None


VECTORS = np.random.default_rng(0).standard_normal((8, 4))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("q.parquet", "--gallery", "wide.parquet"), ("dimensions", "model")),
        (("q.parquet", "--gallery", "other.parquet"), ("no class is both", "'a'", "'w'")),
        (("q.parquet", "--gallery", "missing.parquet"), ("does not exist",)),
        (("q.parquet", "--gallery", "numbers.parquet"), ("label",)),
        (("q.parquet", "--gallery", "q.parquet", "--id-column", "nothing"), ("--id-column",)),
        (("q.parquet", "--gallery", "q.parquet", "--id-column", "id"), ("itself",)),
        (("q.parquet", "--split-column", "nothing"), ("--split-column",)),
        (("q.parquet", "--split-column", "label"), ("'query'", "'gallery'", "'a', 'b'")),
        (("q.parquet", "--split-column", "holes"), ("no value in 2 of 8 rows",)),
        (("q.parquet", "--split-column", "side", "--gallery", "q.parquet"), ("one of the two",)),
        (("q.parquet", "--gallery", "q.parquet", "--singletons", "drop"), ("singletons", "keep")),
    ],
)
def test_bad_input(cli: Cli, tmp_path, arguments, words):
    labels = list("aabbccdd")
    side = ["query", "gallery"] * 4
    write(
        tmp_path / "q.parquet", VECTORS, labels, id=labels, side=side, holes=[*side[:6], None, None]
    )
    write(tmp_path / "wide.parquet", np.ones((8, 5)), labels)
    write(tmp_path / "other.parquet", VECTORS, list("xxyyzzww"))
    write(tmp_path / "numbers.parquet", VECTORS, [1, 1, 2, 2, 3, 3, 4, 4])
    done = cli("evaluate", *arguments)
    assert done.code == 2, done.err
    assert done.error.startswith("opiscal: error: ")
    for word in words:
        assert word in done.error
    assert not (tmp_path / "opiscal-run").exists()
