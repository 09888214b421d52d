"""`opiscal evaluate`: its numbers, its options, its folder and what it prints."""

import io
import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import DIGITS, DIGITS400, PLACES, Cli, clean_environment, installed, write_set
from rich.cells import cell_len

import opiscal
from opiscal.report.displays.kinds import KINDS
from opiscal.report.record import point_to_dict


def read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vectors in double precision and labels of a sample set."""
    table = pq.read_table(file)
    vectors = np.array(table["embedding"].to_pylist(), dtype=np.float64)
    return vectors, np.array(table["label"].to_pylist())


class Brute:
    """Every pair of a small set in double precision, by definition."""

    def __init__(self, vectors: np.ndarray, labels: np.ndarray, metric: str = "cosine") -> None:
        if metric == "cosine":
            vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        first, second = np.triu_indices(len(vectors), 1)
        self.distance = np.linalg.norm(vectors[first] - vectors[second], axis=1)
        self.same = labels[first] == labels[second]
        self.names, sizes = np.unique(labels, return_counts=True)
        self.names = self.names[sizes > 1]
        self.ends = [labels[first], labels[second]]

    def far(self, at: float) -> float:
        return float(np.mean(self.distance[~self.same] <= at))

    def frr(self, at: float) -> float:
        return float(np.mean(self.distance[self.same] > at))

    def counts(self, at: np.ndarray) -> tuple[np.ndarray, ...]:
        """Accepted positives and negatives of each class and threshold, and all of each class."""
        rows = []
        for name in self.names:
            mine = (self.ends[0] == name) | (self.ends[1] == name)
            positive = np.sort(self.distance[mine & self.same])
            negative = np.sort(self.distance[mine & ~self.same])
            accepted = [np.searchsorted(x, at, side="right") for x in (positive, negative)]
            rows.append((*accepted, positive.size, negative.size))
        tp, fp, positives, negatives = map(np.array, zip(*rows, strict=True))
        return tp, fp, positives[:, None], negatives[:, None]

    def utility(self, at: np.ndarray, c: float = 1.0, kind: str = "sensitivity") -> np.ndarray:
        tp, fp, positives, negatives = self.counts(at)
        if kind == "precision":
            return (1 + c**2) * tp / ((1 + c**2) * tp + c**2 * (positives - tp) + fp)
        sens, spec = tp / positives, 1 - fp / negatives
        below = c**2 * spec + sens
        return (1 + c**2) * spec * sens / np.where(below > 0, below, 1)


@pytest.fixture(scope="module")
def digits400() -> Brute:
    return Brute(*read(DIGITS400))


@pytest.mark.parametrize(("name", "run"), [("places", "places_run"), ("digits", "digits_run")])
def test_numbers_are_those_of_brute_force(name, run, reference, request):
    folder = request.getfixturevalue(run)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    truth = reference[f"sample_{name}"]
    default = truth["opis"]["1e-2..1e-1"]

    assert report["data"]["rows_read"] == report["data"]["rows_used"] == truth["n"]
    assert report["data"]["dimensions"] == truth["dim"]
    assert report["data"]["classes"] == report["data"]["classes_scored"] == truth["classes"]
    size = report["data"]["class_size"]
    assert (size["min"], size["max"]) == (truth["min_class"], truth["max_class"])
    assert report["pairs"]["positive"] == truth["positives"]
    assert report["pairs"]["negative"] == truth["negatives"]
    assert report["pairs"]["mode"] == "exact"

    # Range ends: within one lattice step, and never beyond the asked FAR.
    edges = opiscal.load(folder).counts.distance
    for found, far, asked, true in zip(
        report["calibration_range"]["distance"],
        report["calibration_range"]["far"],
        (0.01, 0.1),
        (default["d_min"], default["d_max"]),
        strict=True,
    ):
        step = np.diff(edges)[np.searchsorted(edges, true) - 1]
        assert abs(found - true) <= step * 1.01
        assert far <= asked
    assert report["opis"]["value"] == pytest.approx(default["opis_trapz"], rel=1e-3)
    assert report["epsilon_opis"]["value"] == pytest.approx(default["opis10_trapz_ceil"], rel=1e-3)
    worst = [label for label, _ in default["worst_classes"]][: default["worst_n_ceil"]]
    assert report["epsilon_opis"]["worst_classes"][: len(worst)] == worst
    assert report["utility"]["mean"] == pytest.approx(default["mean_utility"], rel=1e-3)
    low, high = report["verification"]["eer"]
    assert low <= truth["eer"] <= high
    assert report["retrieval"]["recall_at"]["1"] == truth["recall_at_1"]
    points = {p["target"]: p for p in report["operating_points"] if p["criterion"] == "far"}
    whole = opiscal.load(folder)
    for far, true in truth["global_points"].items():
        # A target that the classes are too few for is not among the points, and exact all the same.
        forced = whole.threshold(far=float(far), force=True)
        assert forced.supported == (float(far) in points)
        point = points.get(float(far), point_to_dict(forced))
        assert point["far"] <= float(far)
        # The reference stops at a negative pair, we go on to just before the next one: with few of
        # them accepted that may be some positive pairs further, and never less far.
        few = float(far) * truth["negatives"] < 100
        assert point["frr"] == pytest.approx(true["frr"], rel=2e-3 if few else 1e-3)
        assert point["frr"] <= true["frr"] * (1 + 1e-3)
        assert point["far"] == pytest.approx(true["far"], rel=1e-3)


def test_class_table_holds_each_class(digits_run):
    report = json.loads((digits_run / "report.json").read_text(encoding="utf-8"))
    brute = Brute(*read(DIGITS))
    table = pq.read_table(digits_run / "classes.parquet").to_pydict()
    assert list(table) == [
        "label", "rows", "positives", "negatives", "mean_utility", "utility_error", "opis_share",
        "far", "frr", "utility", "best_threshold", "best_utility", "nearest_class",
    ]  # fmt: skip
    assert table["label"] == list(brute.names)
    at = report["recommended_threshold"]["distance"]
    tp, fp, positives, negatives = brute.counts(np.array([at]))
    assert table["positives"] == positives.ravel().tolist()
    assert table["negatives"] == negatives.ravel().tolist()
    assert sum(table["rows"]) == 900
    np.testing.assert_allclose(table["far"], (fp / negatives).ravel(), atol=2e-4)
    np.testing.assert_allclose(table["frr"], (1 - tp / positives).ravel(), atol=1e-3)
    low, high = report["calibration_range"]["distance"]
    curves = brute.utility(np.linspace(low, high, 1001))
    np.testing.assert_allclose(table["mean_utility"], curves.mean(axis=1), rtol=1e-3)
    share = curves.var(axis=0) * 0 + np.square(curves - curves.mean(axis=0))
    share = share.mean(axis=1) / share.mean(axis=1).sum()
    np.testing.assert_allclose(table["opis_share"], share, atol=1e-3)
    best = np.array(table["best_threshold"])
    own = np.diag(brute.utility(best))
    every = brute.utility(np.unique(brute.distance)).max(axis=1)
    assert np.all(own >= every - 2e-3)
    np.testing.assert_allclose(table["best_utility"], own, atol=1e-3)
    np.testing.assert_allclose(table["utility"], brute.utility(np.array([at]))[:, 0], atol=1e-3)
    assert all(
        n in brute.names and n != x
        for x, n in zip(*map(table.get, ("label", "nearest_class")), strict=True)
    )


def test_json_is_the_report_of_the_folder_and_nothing_else(cli: Cli, tmp_path: Path):
    answer = cli("evaluate", DIGITS400, "--json", "--no-plots")
    assert answer.code == 0
    assert answer.document == json.loads((tmp_path / "opiscal-run" / "report.json").read_text())
    assert "warning" in answer.err
    assert sorted(os.listdir(tmp_path)) == ["opiscal-run"]
    assert sorted(os.listdir(tmp_path / "opiscal-run")) == [
        "classes.parquet",
        "pairs.npz",
        "report.json",
    ]


def test_run_folder_with_figures(places_run: Path):
    found = sorted(str(p.relative_to(places_run)) for p in places_run.rglob("*"))
    assert found == [
        "classes.parquet",
        "pairs.npz",
        "plots",
        *sorted(f"plots/{kind}.{ending}" for kind in KINDS for ending in ("png", "svg")),
        "report.html",
        "report.json",
    ]
    assert (places_run / "plots" / "rates.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (places_run / "plots" / "rates.svg").read_bytes()
    with np.load(places_run / "pairs.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "iuf" for name in arrays.files)
        assert int(arrays["class_rows"].sum()) == 3000


def test_two_runs_differ_in_elapsed_time_only(cli: Cli, tmp_path: Path):
    documents, counts = [], []
    for threads in (1, 2):
        answer = cli("evaluate", DIGITS400, "--json", "-q", "--no-plots", "--threads", threads)
        documents.append(answer.document)
        counts.append((tmp_path / "opiscal-run" / "pairs.npz").read_bytes())
    assert counts[0] == counts[1]
    assert [d["provenance"].pop("threads") for d in documents] == [1, 2]
    for document in documents:
        stages = {"read", "count", "nearest_class", "report"}
        assert set(document["provenance"].pop("elapsed_s")) == stages
        document["provenance"].pop("command")
    assert documents[0] == documents[1]


def test_seed_moves_edges_and_hardly_numbers(cli: Cli):
    first, second = (
        cli("evaluate", DIGITS400, "--json", "--no-plots", "--seed", seed).document
        for seed in (0, 1)
    )
    assert first["provenance"]["fingerprint"] != second["provenance"]["fingerprint"]
    assert second["provenance"]["seed"] == 1
    assert first["opis"]["value"] == pytest.approx(second["opis"]["value"], rel=2e-3)
    assert first["pairs"] == second["pairs"]


def test_an_older_run_is_replaced_whole(cli: Cli, tmp_path: Path):
    assert cli("evaluate", DIGITS400, "-o", "run").code == 0
    assert (tmp_path / "run" / "plots").is_dir()
    (tmp_path / "run" / "notes.txt").write_text("of the older run")
    assert cli("evaluate", DIGITS400, "-o", "run", "--no-plots", "--metric", "l2").code == 0
    assert sorted(os.listdir(tmp_path / "run")) == ["classes.parquet", "pairs.npz", "report.json"]
    assert opiscal.load(tmp_path / "run").metric == "l2"
    assert os.listdir(tmp_path) == ["run"]


def report_of(cli: Cli, *options: object, data: Path = DIGITS400) -> dict:
    answer = cli("evaluate", data, "--json", "--quiet", "--no-plots", *options)
    assert answer.code == 0, answer.err
    assert answer.err == ""
    return answer.document


def test_metric_l2(cli: Cli, tmp_path: Path):
    vectors, labels = read(DIGITS400)
    lengths = np.linspace(1, 9, len(vectors))[:, None]
    file = write_set(tmp_path / "long.parquet", (vectors * lengths).astype("f4"), labels)
    report = report_of(cli, "--metric", "l2", data=file)
    brute = Brute((vectors * lengths).astype("f4").astype("f8"), labels, "l2")
    assert report["metric"] == "l2"
    assert report["calibration_range"]["similarity"] is None
    low, high = report["calibration_range"]["distance"]
    assert brute.far(low) == pytest.approx(0.01, rel=0.02)
    assert brute.far(high) == pytest.approx(0.1, rel=0.01)
    point = report["recommended_threshold"]
    assert point["similarity"] is point["cosine_distance"] is None
    assert point["squared_l2"] == pytest.approx(point["distance"] ** 2)
    # Under cosine the lengths do not matter.
    same = report_of(cli, data=file)
    assert same["calibration_range"]["distance"] == pytest.approx(
        report_of(cli)["calibration_range"]["distance"], abs=1e-4
    )


@pytest.mark.parametrize(
    ("given", "ends"),
    [
        ("far=0.001:0.05", "far"),
        ("far=0.05:0.001", "far"),
        ("frr=0.5:0.2", "frr"),
        ("distance=0.9:1.1", (0.9, 1.1)),
        ("distance=1.1:0.9", (0.9, 1.1)),
        ("similarity=0.5:0.72", (np.sqrt(0.56), 1.0)),
    ],
)
def test_range_of_each_kind(cli: Cli, digits400: Brute, given, ends):
    report = report_of(cli, "--range", given)
    found = report["calibration_range"]
    assert found["given"] == given
    low, high = found["distance"]
    if ends == "far":
        assert found["far"] == pytest.approx([0.001, 0.05], rel=0.02)
        assert found["far"][0] <= 0.001
        assert found["far"][1] <= 0.05
    elif ends == "frr":
        assert found["frr"] == pytest.approx([0.5, 0.2], rel=0.02)
        assert found["frr"][0] <= 0.5
        assert found["frr"][1] <= 0.2
    else:
        assert (low, high) == pytest.approx(ends, rel=1e-8)
    assert [digits400.far(low), digits400.far(high)] == pytest.approx(found["far"], abs=2e-4)
    assert [digits400.frr(low), digits400.frr(high)] == pytest.approx(found["frr"], abs=1e-3)
    curves = digits400.utility(np.linspace(low, high, 2001))
    assert report["opis"]["value"] == pytest.approx(curves.var(axis=0).mean(), rel=2e-3)


def test_range_of_no_width(cli: Cli, digits400: Brute):
    answer = cli("evaluate", DIGITS400, "--range", "distance=1:1", "--json", "--no-plots")
    report = answer.document
    assert "range_collapsed" in [w["code"] for w in report["warnings"]]
    assert "[range_collapsed]" in answer.err
    curves = digits400.utility(np.array([1.0]))
    assert report["opis"]["value"] == pytest.approx(float(curves.var()), rel=2e-3)


def test_integration_over_a_grid(cli: Cli, digits400: Brute):
    report = report_of(cli, "--integration", "grid:7")
    low, high = report["calibration_range"]["distance"]
    curves = digits400.utility(np.linspace(low, high, 7))
    assert report["opis"]["value"] == pytest.approx(curves.var(axis=0).mean(), rel=1e-3)
    assert report["opis"]["value"] != report_of(cli)["opis"]["value"]


def test_epsilon_and_its_variants(cli: Cli, digits400: Brute):
    plain = report_of(cli)
    low, high = plain["calibration_range"]["distance"]
    curves = digits400.utility(np.linspace(low, high, 2001))
    order = np.argsort(curves.mean(axis=1), kind="stable")
    worst, rest = curves[order[:3]], curves[order[3:]]

    found = report_of(cli, "--epsilon", "0.3")["epsilon_opis"]
    assert found["worst_classes"] == list(digits400.names[order[:3]])
    expected = np.square(worst.mean(axis=0) - rest.mean(axis=0)).mean()
    assert found["value"] == pytest.approx(expected, rel=2e-3)
    assert (found["epsilon"], found["against"], found["rank"]) == (0.3, "others", "range")

    found = report_of(cli, "--epsilon", "0.3", "--eps-against", "best")["epsilon_opis"]
    best = curves[order[-3:]]
    expected = np.square(worst.mean(axis=0) - best.mean(axis=0)).mean()
    assert found["value"] == pytest.approx(expected, rel=2e-3)
    assert found["against"] == "best"

    found = report_of(cli, "--epsilon", "0.3", "--eps-rank", "threshold")["epsilon_opis"]
    anew = np.sort(curves, axis=0)
    expected = np.square(anew[:3].mean(axis=0) - anew[3:].mean(axis=0)).mean()
    assert found["value"] == pytest.approx(expected, rel=2e-3)
    assert found["rank"] == "threshold"


@pytest.mark.parametrize("kind", ["sensitivity-specificity", "precision-recall"])
@pytest.mark.parametrize("c", [0.5, 3])
def test_utility_and_its_weight(cli: Cli, digits400: Brute, kind, c):
    report = report_of(cli, "--utility", kind, "--c", c)
    assert report["utility"]["kind"] == kind
    assert report["utility"]["c"] == c
    low, high = report["calibration_range"]["distance"]
    curves = digits400.utility(np.linspace(low, high, 2001), c, kind.split("-")[0])
    assert report["utility"]["mean"] == pytest.approx(curves.mean(), rel=1e-3)
    assert report["opis"]["value"] == pytest.approx(curves.var(axis=0).mean(), rel=3e-3)


def test_pool_of_classes(cli: Cli, tmp_path: Path):
    rng = np.random.default_rng(5)
    sizes = [3, 5, 8, 40, 80]
    labels = np.repeat(np.arange(len(sizes)), sizes)
    vectors = rng.standard_normal((len(sizes), 6))[labels] + 0.7 * rng.standard_normal(
        (len(labels), 6)
    )
    file = write_set(tmp_path / "sizes.parquet", vectors.astype("f4"), labels)
    brute = Brute(vectors.astype("f4").astype("f8"), labels)
    pairs, classes = (report_of(cli, "--pool", pool, data=file) for pool in ("pairs", "classes"))
    for report, mean in ((pairs, False), (classes, True)):
        for at, far, asked in zip(
            report["calibration_range"]["distance"],
            report["calibration_range"]["far"],
            (0.01, 0.1),
            strict=True,
        ):
            _, fp, _, negatives = brute.counts(np.array([at]))
            expected = float((fp / negatives).mean()) if mean else brute.far(at)
            assert far == pytest.approx(expected, abs=2e-4)
            assert far <= asked
    assert pairs["calibration_range"]["distance"] != classes["calibration_range"]["distance"]


@pytest.mark.parametrize("how", ["far=0.02", "frr=0.3", "eer", "utility"])
def test_recommended_threshold(cli: Cli, digits400: Brute, how):
    report = report_of(cli, "--recommend", how, "--range", "far=0.01:0.4")
    point = report["recommended_threshold"]
    criterion, _, target = how.partition("=")
    assert point["criterion"] == criterion
    assert point["target"] == (float(target) if target else None)
    at = point["distance"]
    # Printed distances are rounded down by less than any gap between pairs.
    assert point["far"] == pytest.approx(digits400.far(at), abs=1e-4)
    assert point["frr"] == pytest.approx(digits400.frr(at), abs=1e-3)
    assert point["similarity"] == pytest.approx(1 - at**2 / 2, abs=3e-8)
    assert point["cosine_distance"] == pytest.approx(at**2 / 2, abs=3e-8)
    if criterion == "far":
        assert 0.0198 <= point["far"] <= 0.02
    elif criterion == "frr":
        assert 0.297 <= point["frr"] <= 0.3
    elif criterion == "eer":
        assert abs(point["far"] - point["frr"]) < 2e-3
    else:
        curve = digits400.utility(np.linspace(*report["calibration_range"]["distance"], 3001))
        assert point["utility"] == pytest.approx(curve.mean(axis=0).max(), rel=1e-3)


def test_recommended_threshold_at_the_end_of_the_range(cli: Cli):
    answer = cli("evaluate", DIGITS400, "--no-plots")
    assert answer.code == 0
    warning = answer.warning("recommended_at_range_end")
    assert re.search(r"FAR is 0\.\d+ and FRR 0\.\d+", warning)
    # 4 to 5 false accepts are expected at a FAR of 0.01 among the effective number of pairs.
    assert "at FAR 0.01 among the effective number of pairs:" in answer.warning("wide")


def test_recommended_threshold_that_the_data_cannot_support(cli: Cli):
    answer = cli("evaluate", DIGITS400, "--no-plots", "--recommend", "far=1e-9")
    assert answer.code == 0
    assert "far=1e-9" in answer.warning("recommended_unsupported")
    line = next(x for x in answer.out.splitlines() if x.startswith("recommended threshold"))
    assert not re.search(r"\d", line), "no bare number"


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, np.ndarray, list]:
    """Twelve classes of five rows, four single rows, three distractors and two without a label."""
    rng = np.random.default_rng(3)
    labels = [f"c{i:02d}" for i in range(12) for _ in range(5)]
    labels += ["alone-1", "alone-2", "alone-3", "alone-4", "noise", "noise", "noise", None, None]
    centres = {label: rng.standard_normal(6) for label in {str(x) for x in labels}}
    vectors = np.array([centres[str(x)] for x in labels]) + 0.7 * rng.standard_normal(
        (len(labels), 6)
    )
    return write_set(tmp_path / "small.parquet", vectors.astype("f4"), labels), vectors, labels


@pytest.mark.parametrize(
    ("options", "used", "negative", "distractors", "singletons", "dropped"),
    [
        # 67 labelled rows, 60 of them in the classes c..; the three "noise" are one class.
        ((), 67, 67 * 66 // 2 - 120 - 3, 0, 4, {"null_label": 2}),
        (("--singletons", "drop"), 63, 63 * 62 // 2 - 123, 0, 0, {"null_label": 2, "singleton": 4}),
        (("--null-label", "distractor"), 69, 69 * 68 // 2 - 123 - 1, 2, 4, {}),
        (("--distractor-label", "noise"), 67, 67 * 66 // 2 - 120 - 3, 3, 4, {"null_label": 2}),
        (
            ("--distractor-label", "noise", "--distractor-label", "alone-1"),
            67, 67 * 66 // 2 - 120 - 6, 4, 3, {"null_label": 2},
        ),
    ],
)  # fmt: skip
def test_which_rows_take_part(
    cli: Cli, small, options, used, negative, distractors, singletons, dropped
):
    report = report_of(cli, *options, data=small[0])
    data = report["data"]
    assert (data["rows_read"], data["rows_used"]) == (69, used)
    assert data["distractors"] == distractors
    assert data["classes_singleton"] == singletons
    assert data["dropped"] == dict.fromkeys(data["dropped"], 0) | dropped
    noise = "noise" not in options
    assert report["pairs"]["positive"] == 120 + 3 * noise
    assert data["classes_scored"] == 12 + noise
    assert report["pairs"]["negative"] == negative
    assert ("dropped_null_label" in [w["code"] for w in report["warnings"]]) == (
        "null_label" in dropped
    )


def test_strict_names_the_first_row_left_out(cli: Cli, small, tmp_path: Path):
    answer = cli("evaluate", small[0], "--strict")
    assert answer.code == 2
    assert "2 null label of 69 rows" in answer.error
    assert "row 67 of" in answer.error
    assert os.listdir(tmp_path) == ["small.parquet"]


def test_group_column_keeps_counts_within_groups(cli: Cli, tmp_path: Path):
    table = pq.read_table(PLACES)
    run = tmp_path / "run"
    answer = cli(
        "evaluate", PLACES, "--group-column", "group", "-o", run, "-q", "--no-plots",
        "--no-retrieval",
    )  # fmt: skip
    assert answer.code == 0
    counts = opiscal.load(run).counts
    groups = np.array(table["group"].to_pylist())
    assert [name for name, _ in counts.within_groups] == sorted(set(groups))
    for name, part in counts.within_groups:
        rows = int(np.count_nonzero(groups == name))
        assert (part.positive, part.negative) == (75 * 190, rows * (rows - 1) // 2 - 75 * 190)
    whole = opiscal.load(run)
    assert whole.retrieval is None

    # How unequal the recommended threshold is over groups, from the pairs within each.
    found = json.loads((run / "report.json").read_text())["differential"]["groups"]
    vectors, labels = read(PLACES)
    within = {name: Brute(vectors[groups == name], labels[groups == name]) for name in set(groups)}
    at = whole.recommended_threshold.distance
    for name, rate in (("far", Brute.far), ("frr", Brute.frr)):
        rates = {group: rate(brute, at) for group, brute in within.items()}
        cells = found[name]["worst"]
        assert [cell["label"] for cell in cells] == sorted(rates, key=lambda group: -rates[group])
        for cell in cells:
            assert cell["rate"] == pytest.approx(rates[cell["label"]], rel=2e-3)
            assert cell["ci"][0] < cell["rate"] < cell["ci"][1]
        assert (found[name]["cells"], found[name]["left_out"]) == (len(within), 0)
        ratio = max(rates.values()) / np.exp(np.mean(np.log(list(rates.values()))))
        assert found[name]["max_over_geomean"] == pytest.approx(ratio, rel=2e-3)
    # No place is on two photographs.
    assert found["positive_across"] == 0
    negative = sum(part.negative for _, part in counts.within_groups)
    assert found["negative_across"] == pytest.approx(1 - negative / counts.negative, rel=1e-12)
    assert re.search(r"^over groups: +FAR up to", answer.out, re.M)
    assert "% of negative pairs lie across groups" in answer.out
    assert whole.provenance.columns["group"] == "group"


def test_columns_by_name(cli: Cli, tmp_path: Path):
    vectors, labels = read(DIGITS400)
    file = write_set(
        tmp_path / "odd.parquet",
        -vectors,
        [f"n{i}" for i in range(400)],
        vec=list(vectors),
        digit=labels,
        key=np.arange(400),
    )
    report = report_of(
        cli, "--embedding-column", "vec", "--label-column", "digit", "--id-column", "key",
        data=file,
    )  # fmt: skip
    assert report["opis"] == report_of(cli)["opis"]
    columns = {"embedding": "vec", "label": "digit", "id": "key", "group": None}
    assert report["provenance"]["columns"] == columns


def test_integer_labels_stay_integers(cli: Cli, tmp_path: Path):
    vectors, labels = read(DIGITS400)
    file = write_set(tmp_path / "ints.parquet", vectors, [int(x) * 5 - 20 for x in labels])
    report = report_of(cli, data=file)
    assert report["epsilon_opis"]["worst_classes"] == [8 * 5 - 20]
    table = pq.read_table(tmp_path / "opiscal-run" / "classes.parquet").to_pydict()
    assert table["label"] == [x * 5 - 20 for x in range(10)]
    assert report["differential"]["worst_frr_class"] == 8 * 5 - 20
    assert cli("threshold", "--far", "0.1").code == 0


SAYS = {
    "exact: all 79,800 pairs of 400 rows",
    "7,901 positive pairs, 71,899 negative pairs",
    "10 classes of 33 to 48 rows, 10 scored; 16 dimensions, cosine",
    "10%-OPIS",
    "worst class against others",
    "without noise",
    "of classes alike",
    "[ ]: 95 % intervals, for classes drawn anew",
    "over classes:          FAR up to",
    "Recall@1 0.9700",
}


def test_summary_says_what_matters(cli: Cli, tmp_path: Path):
    answer = cli("evaluate", DIGITS400, "--no-plots", "-q")
    assert answer.err == ""
    for text in SAYS:
        assert text in answer.out
    report = json.loads((tmp_path / "opiscal-run" / "report.json").read_text())
    point = report["recommended_threshold"]
    # Threshold, FAR and FRR stand on one line; what is printed accepts no pair too many.
    line = next(x for x in answer.out.splitlines() if x.startswith("recommended threshold"))
    printed = float(re.search(r"similarity >= (\S+)", line)[1])
    assert 0 <= printed - point["similarity"] < 2e-6
    assert f"FAR {point['far']:.3g}" in line
    assert f"FRR {point['frr']:.3g}" in line
    # Values with their intervals beside them.
    opis, worst = report["opis"], report["epsilon_opis"]
    for name, value, interval in (
        ("OPIS", opis["value"], opis["ci"]),
        ("  without noise", opis["corrected"], opis["corrected_ci"]),
        ("10%-OPIS", worst["value"], worst["ci"]),
        ("mean utility", report["utility"]["mean"], report["utility"]["ci"]),
    ):
        between = rf"{value:.6f}  \[{interval[0]:.4f}, {interval[1]:.4f}\]"
        assert re.search(rf"^{name} +{between}", answer.out, re.M), name
    assert f"less noise of {opis['noise']:.6f}" in answer.out
    unequal = report["differential"]
    for rate in ("far", "frr"):
        assert re.search(
            rf"{rate.upper()} up to {unequal[f'{rate}_max_over_geomean']:.2g} times the typical "
            rf"one \({unequal[f'worst_{rate}_class']}\)",
            " ".join(answer.out.split()),
        )
    assert "\x1b" not in answer.out
    assert answer.out.splitlines()[-1] == "run: opiscal-run"


def test_quiet_and_verbose(cli: Cli):
    assert cli("evaluate", DIGITS400, "--no-plots", "--quiet").err == ""
    answer = cli("evaluate", DIGITS400, "--no-plots", "--verbose")
    assert re.fullmatch(
        r"opiscal: read [\d.]+ s, count [\d.]+ s, nearest class [\d.]+ s, report [\d.]+ s",
        answer.err.splitlines()[-1],
    )


def test_no_retrieval(cli: Cli):
    assert report_of(cli, "--no-retrieval")["retrieval"] is None
    assert "Recall" not in cli("evaluate", DIGITS400, "--no-plots", "--no-retrieval").out


HOSTILE = [
    "\x1b[31mred\x1b[0m", "new\nline\r", "emoji \U0001f600\U0001f468\u200d\U0001f469", "x" * 500,
    "\u202eright to left", "\u05e9\u05dc\u05d5\u05dd", "\u65e5\u672c\u8a9e" * 40, "", "  ",
    "a\x00b", "[bold]markup[/bold]", "e" + "\u0301" * 30, "tab\t", "\x9b31mC1",
]  # fmt: skip


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    row = np.repeat(np.arange(len(HOSTILE)), 6)
    vectors = rng.standard_normal((len(HOSTILE), 8))[row] + 0.8 * rng.standard_normal((len(row), 8))
    return write_set(tmp_path / "odd.parquet", vectors.astype("f4"), [HOSTILE[i] for i in row])


@pytest.mark.parametrize("columns", [60, 80])
def test_labels_are_printed_safely_and_in_width(cli: Cli, hostile, monkeypatch, columns, tmp_path):
    shown = ""
    for first in range(0, len(HOSTILE), 5):
        # Five worst classes are shown: make each label one of them in turn.
        vectors, labels = read(hostile)
        bad = np.isin(labels, HOSTILE[first : first + 5])
        vectors[bad] = np.random.default_rng(1).standard_normal((int(bad.sum()), 8))
        file = write_set(tmp_path / "turn.parquet", vectors, labels)
        monkeypatch.setenv("COLUMNS", str(columns))
        answer = cli("evaluate", file, "--no-plots", "--epsilon", "0.5", "--quiet")
        assert answer.code == 0
        assert all(c.isprintable() for line in answer.out.splitlines() for c in line)
        assert max(map(cell_len, answer.out.splitlines())) <= columns
        assert len(re.findall(r"^run: ", answer.out, re.M)) == 1
        shown += answer.out
    for text in (r"\x1b[31mred", r"new\nline", "emoji", r"\u202eright", "xxxxx...", "''", "[bold]"):
        assert text in shown


def test_labels_come_back_as_they_were(cli: Cli, hostile, tmp_path: Path):
    report = report_of(cli, "--epsilon", "0.5", data=hostile)
    assert set(report["epsilon_opis"]["worst_classes"]) <= set(HOSTILE)
    labels = pq.read_table(tmp_path / "opiscal-run" / "classes.parquet")["label"].to_pylist()
    assert labels == sorted(HOSTILE)


@pytest.mark.parametrize("columns", ["0", "-3", "many", ""])
def test_a_terminal_without_a_size(cli: Cli, monkeypatch, columns):
    plain = cli("evaluate", DIGITS400, "--no-plots", "-q").out
    monkeypatch.setenv("COLUMNS", columns)
    assert cli("evaluate", DIGITS400, "--no-plots", "-q").out == plain


# The installed command from here on.


def test_streams_of_the_installed_command(command: Cli, tmp_path: Path):
    answer = command("evaluate", DIGITS400, "--json", "--no-plots")
    assert answer.code == 0
    assert answer.document["data"]["rows_read"] == 400
    assert answer.warning("recommended_at_range_end")
    assert "\x1b" not in answer.out + answer.err
    assert answer.document["provenance"]["command"] == (
        f"opiscal evaluate {DIGITS400} --json --no-plots"
    )


def test_version_and_help(command: Cli):
    assert command("--version").out == f"opiscal {opiscal.__version__}\n"
    answer = command("--help")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == command("-h").out
    assert "\x1b" not in answer.out
    for name in ("inspect", "evaluate", "threshold", "simulate"):
        assert f"\n  {name}" in answer.out
    assert "...\n" not in answer.out.partition("Commands:")[2], "the list of commands is cut"
    none = command()
    assert (none.code, none.out.strip(), none.err) == (2, answer.out.strip(), "")


@pytest.mark.parametrize("name", ["inspect", "evaluate", "threshold", "simulate"])
def test_help_of_each_command(cli: Cli, name):
    answer = cli(name, "-h")
    assert (answer.code, answer.err) == (0, "")
    assert "Example: opiscal " + name in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80


def modules(tmp_path: Path, *arguments: object) -> set[str]:
    """The modules that a command loads."""
    code = (
        "import sys\nfrom opiscal.cli.main import main\n"
        f"sys.argv = {['opiscal', *map(str, arguments)]!r}\n"
        "try:\n    main()\nexcept SystemExit as left:\n    assert not left.code, left.code\n"
        "print('loaded', *sys.modules)"
    )
    python = str(Path(installed()).with_name("python"))
    done = subprocess.run(
        [python, "-c", code], cwd=tmp_path, env=clean_environment(), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def loaded(tmp_path: Path, *arguments: object) -> set[str]:
    """The top modules that a command loads."""
    return {name.partition(".")[0] for name in modules(tmp_path, *arguments)}


HEAVY = {"numpy", "numba", "faiss", "pyarrow", "matplotlib", "scipy", "sklearn", "threadpoolctl"}


def test_what_each_command_loads(tmp_path: Path, digits_run: Path):
    assert not loaded(tmp_path, "--help") & (HEAVY | {"rich", "pygments"})
    assert not loaded(tmp_path, "--version") & (HEAVY | {"rich", "pygments"})
    light = modules(tmp_path, "threshold", digits_run, "--far", "0.1", "-o", "t.json")
    assert "numpy" in light
    # Of scipy the special functions alone, for the quantiles of intervals.
    assert not light & (HEAVY - {"numpy", "scipy"})
    assert not light & {f"scipy.{name}" for name in ("stats", "optimize", "integrate", "sparse")}
    assert "matplotlib" not in loaded(tmp_path, "evaluate", DIGITS400, "--no-plots")


def test_stdout_in_ascii(command: Cli, cli: Cli, hostile, monkeypatch):
    answer = command(
        "evaluate", hostile, "--no-plots", "-q", "--json", env={"PYTHONIOENCODING": "ascii"}
    )
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.isascii()
    assert answer.document["data"]["classes"] == len(HOSTILE)
    for encoding in ("ascii", "latin-1", "cp1252"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr("sys.stdout", stream)
        assert cli("evaluate", hostile, "--no-plots", "-q", "--epsilon", "0.5").err == ""
        stream.seek(0)
        assert "OPIS" in stream.read()


def test_a_file_name_that_is_no_text(command: Cli, tmp_path: Path):
    file = tmp_path / os.fsdecode(b"digits-\xff.parquet")
    try:
        file.write_bytes(DIGITS400.read_bytes())
    except OSError:
        pytest.skip("this file system has no such names")
    answer = command("evaluate", file, "--no-plots", "--json", "-q")
    assert answer.code == 0, answer.err
    assert answer.document["provenance"]["inputs"][0]["path"] == str(file)
    assert command("threshold", "--far", "0.1", "-o", "t.json").code == 0


def test_on_a_terminal(tmp_path: Path):
    pty = pytest.importorskip("pty")
    termios = pytest.importorskip("termios")

    def seen(*arguments: object, **env: str) -> str:
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        process = subprocess.Popen(
            [installed(), "evaluate", str(DIGITS), *map(str, arguments)],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=slave, text=True,
            env=clean_environment(TERM="xterm-256color", **env),
        )  # fmt: skip
        os.close(slave)
        parts = []
        try:
            while part := os.read(master, 4096):
                parts.append(part)
        except OSError:  # the other end is closed
            pass
        os.close(master)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "\x1b" not in out
        return b"".join(parts).decode()

    bars = seen("--no-plots")
    assert "counting pairs" in bars
    assert "100%" in bars
    colour = re.compile(r"\x1b\[[0-9;]*(3[0-7]|38|9[0-7])[;m]")
    assert colour.search(bars)
    assert not colour.search(seen("--no-plots", NO_COLOR="1"))


def test_quiet_on_a_terminal(monkeypatch):
    from opiscal.cli.console import progress_bar

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress_bar(quiet=True) as progress:
        assert progress is None
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    with progress_bar(quiet=False) as progress:
        assert progress is None
