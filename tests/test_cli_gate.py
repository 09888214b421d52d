"""opiscal gate and opiscal validate: exit codes, files, and names that would do harm."""

import json
import os
import re
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import PLACES, listing, write_set

CLASSES, ROWS, DIMENSIONS = 60, 10, 12
HOSTILE = "a<b>|`x`]]> &amp; ::error::no ##[error]no %0A $x$ \x1b[31m\u202e\n::warning::no"

FAILING = '[[rule]]\nmetric = "opis.value"\nmax = 0.0\njudge = "value"\n'
PASSING = '[[rule]]\nmetric = "opis.value"\nmax = 9.0\n'
UNSURE = '[[rule]]\nmetric = "frr_at_far"\nfar = 1e-9\nmax = 1.0\n'
ADVICE = '[[rule]]\nmetric = "opis.value"\nmax = 0.0\nlevel = "advisory"\n'


def rows_of(noise, seed, labels=None):
    rng = np.random.default_rng(5)
    of_row = np.repeat(np.arange(CLASSES), ROWS)
    centres = rng.standard_normal((CLASSES, DIMENSIONS))[of_row]
    mine = np.random.default_rng(seed).standard_normal((of_row.size, DIMENSIONS))
    names = [f"class {k}" for k in of_row] if labels is None else [labels[k] for k in of_row]
    return centres + noise * mine, names


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of a model, of one as good, and of one that is far worse; not to be changed."""
    import opiscal

    place = tmp_path_factory.mktemp("gate")
    for name, noise, seed in (("old", 0.5, 1), ("same", 0.5, 2), ("worse", 1.0, 3)):
        opiscal.evaluate(*rows_of(noise, seed)).save(place / name, plots=False)
    return place


def policy(tmp_path, *rules, name="gate.toml"):
    file = tmp_path / name
    file.write_text("".join(rules), encoding="utf-8")
    return file


def test_a_model_against_itself_passes_with_every_difference_0(command, runs):
    done = command("gate", runs / "old", "--baseline", runs / "old", "--json")
    assert done.code == 0, done.err
    assert done.document["verdict"] == "pass"
    assert done.document["exit_code"] == 0
    assert [rule["difference"] for rule in done.document["rules"]] == [0.0, 0.0, 0.0, None]
    assert {rule["verdict"] for rule in done.document["rules"]} == {"pass"}


def test_a_model_that_is_far_worse_fails_with_code_1(command, runs):
    done = command("gate", runs / "worse", "--baseline", runs / "old")
    assert done.code == 1, done.err
    assert done.out.startswith("verdict: fail")
    # The built-in policy is printed in full.
    assert done.out.count("[[rule]]") == 4
    assert "max_increase = 0.0" in done.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--baseline", "no-such-run"], "no run at 'no-such-run'"),
        (["--policy", "no-such.toml"], "cannot be read"),
        (["--inconclusive", "maybe"], "must be taken for fail or pass"),
        (["--far", "2"], "must be above 0 and below 1"),
        (["--junit", "no/such/folder/gate.xml"], "cannot be written"),
    ],
)
def test_wrong_use_and_unreadable_input_end_with_code_2(cli, runs, arguments, told):
    done = cli("gate", runs / "old", *arguments)
    assert done.code == 2
    assert told in done.error
    assert not done.out
    assert cli("gate", runs / "old", *arguments, "--report-only").code == 2


def test_a_typo_in_a_policy_ends_with_code_2_and_the_nearest_name(command, runs, tmp_path):
    file = policy(tmp_path, '[[rule]]\nmetric = "opis.corected"\nmax = 0.1\n')
    done = command("gate", runs / "old", "--policy", file)
    assert done.code == 2
    assert "did you mean 'opis.corrected'?" in done.error


def test_what_the_data_cannot_say_ends_with_code_3(command, runs, tmp_path):
    file = policy(tmp_path, UNSURE)
    done = command("gate", runs / "old", "--policy", file)
    assert done.code == 3, done.err
    assert done.out.startswith("verdict: inconclusive")
    assert "too few pairs for this FAR" in done.out


@pytest.mark.parametrize(
    ("rules", "arguments", "code"),
    [
        ([PASSING], [], 0),
        ([FAILING], [], 1),
        ([UNSURE], [], 3),
        ([UNSURE], ["--inconclusive", "fail"], 1),
        ([UNSURE], ["--inconclusive", "pass"], 0),
        ([UNSURE], ["--report-only"], 0),
        ([FAILING], ["--report-only"], 0),
        ([FAILING, UNSURE], ["--inconclusive", "pass"], 1),
        ([PASSING, ADVICE], [], 0),
    ],
)
def test_exit_codes_follow_the_verdict(cli, runs, tmp_path, rules, arguments, code):
    file = policy(tmp_path, *rules)
    done = cli("gate", runs / "old", "--policy", file, *arguments, "--json")
    assert done.code == code
    assert done.document["exit_code"] == code
    assert len(done.document["rules"]) == len(rules)


def test_one_verdict_feeds_every_output(cli, runs, tmp_path):
    file = policy(tmp_path, FAILING, PASSING, UNSURE, ADVICE)
    done = cli(
        "gate", runs / "old", "--policy", file, "--json", "--junit", "gate.xml",
        "--markdown", "gate.md", "--openmetrics", "gate.txt", "--metrics", "metrics.json",
    )  # fmt: skip
    assert done.code == 1
    rules = done.document["rules"]
    assert [rule["verdict"] for rule in rules] == ["fail", "pass", "inconclusive", "fail"]
    suite = ElementTree.parse(tmp_path / "gate.xml").getroot()[0]
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "1",
    }  # fmt: skip
    outcomes = [[child.tag for child in case] for case in suite.iter("testcase")]
    assert outcomes == [["failure"], [], ["error"], ["skipped"]]
    table = (tmp_path / "gate.md").read_text(encoding="utf-8")
    assert re.findall(r"\*\*(\w+)\*\*", table) == [rule["verdict"] for rule in rules]
    text = (tmp_path / "gate.txt").read_text(encoding="utf-8")
    assert text.endswith("# EOF\n")
    passed = re.findall(r'opiscal_gate_rule_passed\{rule="(\d)".* ([01]\.0)\n', text)
    assert passed == [("1", "0.0"), ("2", "1.0"), ("3", "0.0"), ("4", "0.0")]
    numbers = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert numbers["verdict"] == "fail"
    assert numbers["passed"] == 0
    assert numbers["opis.value"] == numbers["opis.value_2"] == rules[0]["value"]
    assert all(isinstance(value, int | float | str) for value in numbers.values())


def test_junit_says_what_an_inconclusive_rule_is_taken_for(cli, runs, tmp_path):
    file = policy(tmp_path, UNSURE)
    for taken, tag in (("fail", "failure"), ("pass", "skipped")):
        done = cli("gate", runs / "old", "--policy", file, "--inconclusive", taken, "--junit", "j")
        assert done.code == {"fail": 1, "pass": 0}[taken]
        (case,) = ElementTree.parse(tmp_path / "j").getroot().iter("testcase")
        assert [child.tag for child in case] == [tag]


def test_a_rule_that_needs_a_baseline_and_has_none_is_wrong_use(cli, runs, tmp_path):
    file = policy(tmp_path, '[[rule]]\nmetric = "opis.value"\nmax_increase = 0.0\n')
    done = cli("gate", runs / "old", "--policy", file)
    assert done.code == 2
    assert "rule 1 of the policy (opis.value, max_increase 0) needs a baseline" in done.error


def test_without_a_baseline_the_built_in_policy_keeps_to_the_promised_far(cli, runs):
    done = cli("gate", runs / "old", "--json")
    (rule,) = done.document["rules"]
    assert rule["metric"] == "far_at_threshold"
    assert rule["limit"] == 0.1
    assert done.code == 0


def test_the_stated_far_and_the_shipped_threshold(cli, runs, tmp_path):
    done = cli("gate", runs / "same", "--baseline", runs / "old", "--far", "0.02", "--json")
    rules = done.document["rules"]
    assert [rule["far"] for rule in rules] == [None, None, 0.02, None]
    assert rules[3]["threshold"] == "far=0.02"
    assert rules[3]["value"] <= 0.02
    loose = cli("gate", runs / "old", "--far", "0.01", "--threshold", "similarity=0", "--json")
    assert loose.code == 1
    assert loose.document["rules"][0]["value"] > 0.3
    cli("threshold", runs / "old", "--far", "0.01", "-o", "threshold.json")
    shipped = cli("gate", runs / "old", "--far", "0.01", "--threshold", "@threshold.json", "--json")
    assert shipped.code == 0
    file = policy(tmp_path, PASSING)
    refused = cli("gate", runs / "old", "--policy", file, "--far", "0.01")
    assert refused.code == 2
    assert "--far is of the built-in policy" in refused.error


def test_a_relative_limit_on_a_baseline_near_zero_is_inconclusive(cli, runs, tmp_path):
    import opiscal

    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(30), 6)
    centres = 3.0 * rng.standard_normal((30, 8))[labels]
    # All classes alike: nothing is left of OPIS without its noise.
    for name in ("a", "b"):
        alike = centres + rng.standard_normal((180, 8))
        opiscal.evaluate(alike, labels).save(tmp_path / name, plots=False)
    assert opiscal.load(tmp_path / "a").opis.corrected_ci[0] <= 0
    rule = '[[rule]]\nmetric = "opis.corrected"\nmax_relative_increase = 0.1\n'
    done = cli("gate", "b", "--baseline", "a", "--policy", policy(tmp_path, rule), "--json")
    assert done.code == 3
    assert "use max_increase" in done.document["rules"][0]["reason"]


def test_rules_about_one_threshold_and_about_changes(cli, runs, tmp_path):
    rules = [
        '[[rule]]\nmetric = "far_at_threshold"\nthreshold = "baseline"\nmax_increase = 0.0\n',
        '[[rule]]\nmetric = "utility_at_threshold"\nthreshold = "baseline"\nmax_decrease = 0.0\n',
        '[[rule]]\nmetric = "recommended_threshold.far"\nmax = 0.2\n',
        '[[rule]]\nmetric = "utility_at_threshold"\nmin = 0.5\n',
        '[[rule]]\nmetric = "utility.mean"\nmax_relative_increase = 0.5\n',
        '[[rule]]\nmetric = "retrieval.recall_at.1"\nmax_decrease = 0.5\njudge = "value"\n',
        '[[rule]]\nmetric = "recommended_threshold.distance"\nmax_increase = 1.0\n',
    ]
    file = policy(tmp_path, *rules)
    done = cli("gate", runs / "same", "--baseline", runs / "old", "--policy", file, "--json")
    assert done.code == 0, done.out
    compared = cli("compare", runs / "old", runs / "same", "--json").document
    known = {d["metric"]: d["difference"] for d in compared["differences"]}
    found = done.document["rules"]
    for k in (0, 1, 6):
        assert found[k]["difference"] == pytest.approx(known[found[k]["metric"]], rel=1e-9)
    assert found[2]["ci"][0] < found[2]["value"] < found[2]["ci"][1]
    worse = cli("gate", runs / "worse", "--baseline", runs / "old", "--policy", file, "--json")
    verdicts = [rule["verdict"] for rule in worse.document["rules"]]
    assert worse.code == 1
    assert verdicts[1] == "fail"


def test_a_missing_metric_is_inconclusive(cli, runs, tmp_path):
    rule = '[[rule]]\nmetric = "differential.groups.opis"\nmax = 1.0\njudge = "value"\n'
    done = cli("gate", runs / "old", "--policy", policy(tmp_path, rule), "--json")
    assert done.code == 3
    file = tmp_path / "gate.toml"
    for more in ([], ["--inconclusive", "pass"]):
        # What cannot be read is not taken for a pass either.
        again = cli("gate", runs / "old", "--policy", file, *more, "--junit", "j.xml")
        assert again.code == 3
        assert 'errors="1"' in (tmp_path / "j.xml").read_text(encoding="utf-8")
    assert cli("gate", runs / "old", "--policy", file, "--inconclusive", "fail").code == 1
    assert done.document["rules"][0]["value"] is None
    assert "missing" in done.document["rules"][0]["reason"]


def test_nan_in_a_report_is_never_a_pass(cli, runs, tmp_path):
    shutil.copytree(runs / "old", tmp_path / "broken")
    file = tmp_path / "broken" / "report.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r'"corrected": [\d.e-]+', '"corrected": NaN', text), encoding="utf-8")
    assert "NaN" in file.read_text(encoding="utf-8")
    for pair in (["broken", "--baseline", runs / "old"], [runs / "old", "--baseline", "broken"]):
        assert cli("gate", *pair).code in (2, 3)
    plain = '[[rule]]\nmetric = "opis.corrected"\nmax = 9.0\njudge = "value"\n'
    assert cli("gate", "broken", "--policy", policy(tmp_path, plain)).code in (2, 3)


def test_a_crash_is_never_a_pass(cli, runs, monkeypatch):
    def crash(*arguments, **options):
        raise ZeroDivisionError("no")

    monkeypatch.setattr("opiscal.gate.gate.gather", crash)
    for more in ([], ["--report-only"], ["--inconclusive", "pass"]):
        done = cli("gate", runs / "old", "--junit", "gate.xml", *more)
        assert done.code == 2
        assert "ZeroDivisionError" in done.error
    assert not os.path.exists("gate.xml")


@pytest.mark.parametrize("damage", ["report.json", "pairs.npz"])
def test_a_damaged_baseline_is_never_a_pass(cli, runs, tmp_path, damage):
    shutil.copytree(runs / "old", tmp_path / "broken")
    file = tmp_path / "broken" / damage
    file.write_bytes(file.read_bytes()[:200])
    for more in ([], ["--report-only"], ["--inconclusive", "pass"]):
        assert cli("gate", runs / "old", "--baseline", "broken", *more).code == 2


def test_runs_that_differ_are_compared_only_where_that_is_allowed(cli, runs, tmp_path):
    import opiscal

    labels = [f"<i>{k}\n::error::" for k in range(CLASSES)]
    opiscal.evaluate(*rows_of(0.5, 2, labels)).save(tmp_path / "others", plots=False)
    refused = cli("gate", "others", "--baseline", runs / "old")
    assert refused.code == 2
    assert "--allow-mismatch" in refused.error
    done = cli("gate", "others", "--baseline", runs / "old", "--allow-mismatch", "--json")
    assert done.code in (0, 1, 3)
    assert done.document["pairing"] == "unpaired"
    assert "[mismatch]" in done.err
    opiscal.evaluate(*rows_of(0.5, 2), config=opiscal.EvaluateConfig(range="far=0.02:0.1")).save(
        tmp_path / "range", plots=False
    )
    refused = cli("gate", "range", "--baseline", runs / "old", "--allow-mismatch")
    assert refused.code == 2
    assert "measure different things" in refused.error


def test_distances_of_two_metrics_are_not_compared(cli, runs, tmp_path):
    import opiscal

    config = opiscal.EvaluateConfig(metric="l2")
    opiscal.evaluate(*rows_of(0.5, 1), config=config).save(tmp_path / "l2", plots=False)
    rules = [
        '[[rule]]\nmetric = "far_at_threshold"\nmax_increase = 0.0\n',
        '[[rule]]\nmetric = "recommended_threshold.distance"\nmax_increase = 9.0\n'
        'judge = "value"\n',
        '[[rule]]\nmetric = "opis.value"\nmax_increase = 9.0\n',
    ]
    arguments = ["--policy", policy(tmp_path, *rules), "--allow-mismatch", "--json"]
    done = cli("gate", "l2", "--baseline", runs / "old", *arguments)
    found = [rule["verdict"] for rule in done.document["rules"]]
    assert found == ["inconclusive", "inconclusive", "pass"]
    assert "two metrics" in done.document["rules"][0]["reason"]


def test_a_candidate_may_be_data_and_a_baseline_its_report(cli, runs, tmp_path):
    vectors, labels = rows_of(0.5, 1)
    data = write_set(tmp_path / "data.parquet", vectors.astype(np.float32), labels)
    cli("evaluate", data, "-o", "base", "--range", "far=0.02:0.2", "--no-plots")
    done = cli("gate", data, "--baseline", "base/report.json", "--json")
    assert done.code == 0, done.err
    assert [rule["difference"] for rule in done.document["rules"]] == [0.0, 0.0, 0.0, None]


def test_init_writes_a_policy_that_gives_what_the_built_in_one_gives(cli, runs, tmp_path):
    done = cli("gate", runs / "old", "--init")
    assert done.code == 0
    text = (tmp_path / "gate.toml").read_text(encoding="utf-8")
    assert text.count("\n[[rule]]") == 4
    assert len(re.findall("^#", text, re.MULTILINE)) > 10
    assert cli("validate", "gate.toml").out.startswith("gate.toml: policy: 4 rules")
    pair = ["gate", runs / "same", "--baseline", runs / "old", "--json"]
    plain, read = cli(*pair), cli(*pair, "--policy", "gate.toml")
    assert plain.document["rules"] == read.document["rules"]
    # Rules that are switched on are rules.
    more = re.sub(r"^#(?=\[\[|\w+ = )", "", text, flags=re.MULTILINE)
    (tmp_path / "more.toml").write_text(more, encoding="utf-8")
    assert len(cli(*pair, "--policy", "more.toml").document["rules"]) == 7
    again = cli("gate", runs / "old", "--init")
    assert again.code == 2
    assert "is not overwritten" in again.error
    assert (tmp_path / "gate.toml").read_text(encoding="utf-8") == text
    assert cli("gate", runs / "old", "--init", "--policy", "other.toml").code == 0


def test_a_policy_in_the_project_file_is_found(cli, runs, tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[tool.opiscal.gate]\n[[tool.opiscal.gate.rule]]\nmetric = "opis.value"\nmax = 9.0\n',
        encoding="utf-8",
    )
    done = cli("gate", runs / "old", "--json")
    assert done.document["policy"] == "pyproject.toml"
    assert done.code == 0


def test_names_that_would_do_harm_are_text_everywhere(command, runs, tmp_path):
    place = tmp_path / HOSTILE
    shutil.copytree(runs / "worse", place)
    baseline = tmp_path / f"{HOSTILE} base"
    shutil.copytree(runs / "old", baseline)
    summary = tmp_path / "summary.md"
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    files = ["--junit", "j.xml", "--markdown", "g.md", "--openmetrics", "o.txt", "--metrics", "m"]
    for more in ([], ["--json"]):
        done = command(
            "gate", place.name, "--baseline", baseline.name, *files, *more, env=environment
        )
        assert done.code == 1, done.err
        told = done.out if not more else done.err
        commands = [line for line in told.splitlines() if line.lstrip().startswith("::")]
        assert commands
        assert all(re.match(r"::(error|warning) title=opiscal gate%3A ", c) for c in commands)
        for stream in (done.out, done.err):
            assert "\x1b" not in stream
            assert "##[" not in stream
            assert "\u202e" not in stream or more
    assert json.loads(done.out)["candidate"] == place.name
    root = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert "a<b>" in root[0].get("name")
    for file in (tmp_path / "g.md", summary):
        text = file.read_text(encoding="utf-8")
        assert "<b>" not in text
        assert "\x1b" not in text
        assert "::error" not in text
        cells = {line.count("|") for line in text.splitlines() if line.startswith("|")}
        assert cells == {9}
    for line in (tmp_path / "o.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r'# .*|opiscal_gate_\w+(\{(\w+="[^"]*",?)+\})? [-\d.e+]+', line)
    json.loads((tmp_path / "m").read_text(encoding="utf-8"))


def test_a_hostile_threshold_in_a_policy_is_text_too(cli, runs, tmp_path):
    rule = (
        f'[[rule]]\nmetric = "far_at_threshold"\nthreshold = {json.dumps("@" + HOSTILE)}\nmax = 1\n'
    )
    done = cli("gate", runs / "old", "--policy", policy(tmp_path, rule))
    assert done.code == 2
    assert "\x1b" not in done.error


def test_the_step_summary_is_appended_to_and_stays_below_its_limit(
    cli, runs, tmp_path, monkeypatch
):
    from opiscal.gate.workflow import SUMMARY_BYTES, append_summary

    file = tmp_path / "summary.md"
    file.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    assert cli("gate", runs / "old").code == 0
    text = file.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert "opiscal gate: pass" in text
    for _ in range(3):
        append_summary("é" * 50 + "\n" + "line\n" * 120_000, file)
        assert file.stat().st_size < SUMMARY_BYTES
    file.read_text(encoding="utf-8")
    assert "no room in this summary" in file.read_text(encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "folder"))
    done = cli("gate", runs / "old")
    assert done.code == 0
    assert "step summary" in done.err


def test_annotations_are_errors_where_they_stop_a_release(cli, runs, tmp_path, monkeypatch):
    file = policy(tmp_path, FAILING, UNSURE, ADVICE)
    arguments = ["gate", runs / "old", "--policy", file]

    def kinds(*more):
        return re.findall(r"^::(\w+) title=", cli(*arguments, *more).out, re.MULTILINE)

    assert kinds() == []
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert kinds() == ["error", "error", "warning"]
    assert kinds("--inconclusive", "pass") == ["error", "warning", "warning"]
    assert kinds("--report-only") == ["warning"] * 3


def test_validate_says_what_a_file_is(cli, runs, tmp_path):
    policy(tmp_path, PASSING)
    assert cli("threshold", runs / "old", "--far", "0.05", "-o", "threshold.json").code == 0
    shutil.copytree(runs / "old", tmp_path / "run")
    files = ["gate.toml", "threshold.json", "run", "run/report.json"]
    done = cli("validate", *files)
    assert done.code == 0, done.err
    assert [line.split(":")[1].strip() for line in done.out.splitlines()] == [
        "policy", "threshold", "run", "run",
    ]  # fmt: skip


def test_validate_names_what_is_wrong_file_by_file(cli, runs, tmp_path):
    policy(tmp_path, PASSING)
    policy(tmp_path, "[[rule]]\nmetrik = 1\n", name="wrong.toml")
    (tmp_path / "other.json").write_text("[1]", encoding="utf-8")
    shutil.copy(runs / "old" / "report.json", tmp_path / "report.json")
    assert cli("threshold", runs / "old", "--far", "0.05", "-o", "threshold.json").code == 0
    document = json.loads((tmp_path / "threshold.json").read_text(encoding="utf-8"))
    document["similarity"] -= 0.01
    (tmp_path / "threshold.json").write_text(json.dumps(document), encoding="utf-8")
    files = ["gate.toml", "wrong.toml", "other.json", "report.json", "threshold.json", "none"]
    done = cli("validate", *files)
    assert done.code == 2
    assert done.out == "gate.toml: policy: 1 rule, 1 of them required; confidence 0.95\n"
    lines = done.err.splitlines()
    assert len(lines) == 5
    for line, told in zip(
        lines,
        [
            "did you mean 'metric'",
            "is no policy",
            "without the pairs.npz",
            "has similarity",
            "read",
        ],
        strict=True,
    ):
        assert line.startswith("opiscal: error: ")
        assert told in line
    found = cli("validate", *files, "--json")
    assert [one["valid"] for one in found.document] == [True] + [False] * 5


def test_a_gate_leaves_runs_as_they_are(cli, runs):
    before = listing(runs)
    cli("gate", runs / "same", "--baseline", runs / "old")
    assert listing(runs) == before


def test_the_sample_data_pass_against_themselves(cli, places_run):
    assert PLACES.exists()
    done = cli("gate", places_run, "--baseline", places_run, "--json")
    assert done.code == 0
    assert done.document["verdict"] == "pass"
