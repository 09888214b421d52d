"""Slim runs: they compare and are gated as whole runs are, to the last digit."""

import json
import shutil
import zipfile

import numpy as np
import pytest

import opiscal
from opiscal.errors import InputError
from opiscal.pairs.counts_file import SLIM_VERSION, VERSION, load_counts, save_counts

SETTINGS = {
    "plain": {},
    "by FAR": {"recommend": "far=0.02"},
    "range of FRR": {"range": "frr=0.05:0.2"},
    "range of distances": {"range": "distance=0.3:0.8"},
    "precision and recall": {"utility": "precision-recall", "c": 2.0},
    "means over classes": {"pool": "classes"},
    "a sample of pairs": {"pairs": "sampled"},
    "a gallery": {},
}


def model(noise, seed, gallery=False, **settings):
    rng = np.random.default_rng(5)
    labels = np.repeat([f"c{k}" for k in range(80)], 8)
    centres = np.repeat(rng.standard_normal((80, 12)), 8, axis=0)
    mine = np.random.default_rng(seed).standard_normal(centres.shape)
    config = opiscal.EvaluateConfig(**settings)
    vectors = centres + noise * mine
    if gallery:
        rows = opiscal.Gallery(vectors[::2], labels[::2])
        return opiscal.evaluate(vectors[1::2], labels[1::2], gallery=rows, config=config)
    return opiscal.evaluate(vectors, labels, config=config)


@pytest.fixture(scope="module", params=SETTINGS)
def pair(request, tmp_path_factory):
    """Two models: each as it is, and loaded from a slim run."""
    place = tmp_path_factory.mktemp("slim")
    settings = SETTINGS[request.param]
    out = []
    for name, noise, seed in (("a", 0.5, 1), ("b", 0.55, 2)):
        report = model(noise, seed, request.param == "a gallery", **settings)
        report.save(place / f"{name}-full", plots=False)
        report.save(place / name, slim=True)
        out.append((opiscal.load(place / f"{name}-full"), opiscal.load(place / name)))
    return out


def test_a_slim_run_compares_as_the_whole_run_does(pair):
    full, slim = (opiscal.compare_reports([pair[0][k], pair[1][k]]).to_dict() for k in (0, 1))
    if slim["comparisons"][0]["threshold"] is None:
        # The baseline's threshold is at a place that this candidate's slim run does not know.
        assert "evaluate again" in slim["comparisons"][0].pop("threshold_reason")
        for document in (full, slim):
            document["comparisons"][0].pop("threshold", None)
            document["comparisons"][0].pop("threshold_reason", None)
            document["differences"] = [
                d for d in document["differences"] if "at_threshold" not in d["metric"]
            ]
    assert slim == full


def test_a_slim_run_is_gated_as_the_whole_run_is(pair):
    from opiscal.gate.gate import gate_reports

    full, slim = (gate_reports(pair[1][k], pair[0][k]).to_dict() for k in (0, 1))
    assert slim == full
    mixed = gate_reports(pair[1][0], pair[0][1]).to_dict()
    assert mixed == full


def test_its_operating_points_are_those_of_the_whole_run(pair):
    for full, slim in pair:
        assert slim.to_dict() == full.to_dict()
        for point in slim.operating_points:
            if point.criterion in ("far", "frr"):
                asked = {point.criterion: point.target}
            else:
                asked = {point.criterion: True}
            assert slim.threshold(**asked) == full.threshold(**asked)
        place = full.recommended_threshold.distance
        assert slim.threshold(at=place) == full.threshold(at=place)


def test_other_questions_are_refused(tmp_path, cli):
    report = model(0.5, 1)
    report.save(tmp_path / "slim", slim=True)
    slim = opiscal.load(tmp_path / "slim")
    counts = slim.counts
    left_out = np.setdiff1d(np.arange(counts.class_edge.size), counts.slim.kept)
    assert left_out.size > 20
    with pytest.raises(InputError, match="evaluate again"):
        slim.threshold(at=float(counts.class_distance[left_out[left_out.size // 2]]))
    with pytest.raises(InputError, match="evaluate again"):
        slim.save(tmp_path / "again")
    for arguments in (
        ["plot", "slim", "--kind", "utility-curves", "-o", "pictures"],
        ["threshold", "slim", "--at", f"distance={counts.class_distance[left_out[0]]}"],
    ):
        done = cli(*arguments)
        assert done.code == 2
        assert "slim run" in done.err
        assert "evaluate again" in done.err


def test_what_is_kept_is_exact_and_the_file_is_small(tmp_path):
    report = model(0.5, 1)
    report.save(tmp_path / "full", plots=False)
    report.save(tmp_path / "slim", slim=True)
    full, slim = (load_counts(tmp_path / name / "pairs.npz") for name in ("full", "slim"))
    kept = slim.slim.kept
    assert np.array_equal(slim.class_negative[:, kept], full.class_negative[:, kept])
    assert np.array_equal(slim.class_positive[:, kept], full.class_positive[:, kept])
    assert kept.size < full.class_edge.size
    # Of few classes the intervals of rates, which are kept whole, outweigh what is left out.
    sizes = [by_class(tmp_path / name / "pairs.npz") for name in ("full", "slim")]
    assert sizes[1] < 0.8 * sizes[0]
    names = sorted(path.name for path in (tmp_path / "slim").iterdir())
    assert names == ["classes.parquet", "pairs.npz", "report.json"]
    # Read and written again it is the same, and who does not know of slim runs refuses it.
    save_counts(slim, tmp_path / "again.npz")
    again = load_counts(tmp_path / "again.npz")
    assert np.array_equal(again.slim.kept, kept)
    assert {k: v.tolist() for k, v in again.slim.sums.items()} == {
        k: v.tolist() for k, v in slim.slim.sums.items()
    }
    with np.load(tmp_path / "slim" / "pairs.npz") as archive:
        assert json.loads(archive["header"].tobytes())["version"] == SLIM_VERSION > VERSION


def by_class(file):
    """Bytes of what is kept for every class and class edge."""
    with zipfile.ZipFile(file) as archive:
        return sum(
            item.compress_size for item in archive.infolist() if item.filename.startswith("class_")
        )


def test_the_option_writes_a_slim_run(cli, tmp_path):
    from conftest import DIGITS

    done = cli("evaluate", DIGITS, "-o", "slim", "--slim", "--quiet")
    assert done.code == 0
    assert sorted(path.name for path in (tmp_path / "slim").iterdir()) == [
        "classes.parquet", "pairs.npz", "report.json",
    ]  # fmt: skip
    assert cli("validate", "slim").code == 0
    assert cli("threshold", "slim", "--eer").code == 0
    assert cli("gate", "slim", "--baseline", "slim", "--json").document["verdict"] == "pass"
    # A run that is a report and its counts is a run.
    (tmp_path / "kept").mkdir()
    for name in ("report.json", "pairs.npz"):
        shutil.copy(tmp_path / "slim" / name, tmp_path / "kept" / name)
    assert cli("gate", "slim", "--baseline", "kept/report.json").code == 0
