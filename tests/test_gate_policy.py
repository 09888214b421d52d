"""The policy of a gate: what is read, and what is said of what is wrong."""

import re

import pytest

from opiscal.errors import InputError, UsageError
from opiscal.gate.policy import has_policy, policy_of, read_policy
from opiscal.gate.rule_metrics import known_metrics

RULE = {"metric": "opis.corrected", "max_increase": 0.001}


def refusal(table):
    with pytest.raises(UsageError) as caught:
        policy_of(table, "here")
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_everything_that_a_policy_can_say_is_read_back_from_its_toml(tmp_path):
    rules = [
        RULE,
        {"metric": "frr_at_far", "far": 1e-3, "max_relative_increase": 0.1, "margin": 0.01},
        {"metric": "far_at_threshold", "threshold": 'a "b"\\\n', "max": 0.1, "margin": "auto"},
        {"metric": "retrieval.recall_at.1", "min": 0.9, "judge": "value", "level": "advisory"},
        {"metric": "utility.mean", "max_decrease": 0},
    ]
    policy = policy_of({"confidence": 0.9, "rule": rules}, "here")
    file = tmp_path / "gate.toml"
    file.write_text(policy.to_toml(), encoding="utf-8")
    assert read_policy(file) == policy
    assert [(rule.kind, rule.limit) for rule in policy.rules] == [
        ("max_increase", 0.001),
        ("max_relative_increase", 0.1),
        ("max", 0.1),
        ("min", 0.9),
        ("max_decrease", 0.0),
    ]
    assert [rule.needs_baseline for rule in policy.rules] == [True, True, False, False, True]
    assert policy.rules[0].level == "required"
    assert policy.rules[0].judge == "interval"


def test_at_far_and_far_are_the_same():
    rules = [
        policy_of({"rule": [{"metric": "frr_at_far", name: 0.01, "max": 0.5}]}, "x").rules[0]
        for name in ("far", "at_far")
    ]
    assert rules[0] == rules[1]
    both = {"metric": "frr_at_far", "far": 0.01, "at_far": 0.01, "max": 0.5}
    assert "give one of them" in refusal({"rule": [both]})


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"metric": "opis.corected", "max": 1}, "'opis.corrected'"),
        ({"metric": "frr_at_fra", "max": 1}, "'frr_at_far'"),
        ({"metric": "eer", "max": 1}, "'verification.eer'"),
        ({"metric": "opis.value", "max_incease": 1}, "'max_increase'"),
        ({"metric": "opis.value", "max": 1, "levle": "advisory"}, "'level'"),
        ({"metric": "opis.value", "max": 1, "level": "advise"}, "'required' or 'advisory'"),
        ({"metric": "opis.value", "max": 1, "judge": "values"}, "'interval' or 'value'"),
        ({"metric": "opis.value"}, "limits given: none"),
        ({"metric": "opis.value", "max": 1, "min": 0}, "limits given: max, min"),
        ({"metric": "opis.value", "max": "0.1"}, "valid number"),
        ({"metric": "opis.value", "max": True}, "valid number"),
        ({"metric": "opis.value", "max": float("nan")}, "finite"),
        ({"metric": "opis.value", "max": 1, "margin": -0.1}, "0 or more, or 'auto'"),
        ({"metric": "opis.value", "max": 1, "margin": "wide"}, "0 or more, or 'auto'"),
        ({"metric": "frr_at_far", "max": 1}, "needs it"),
        ({"metric": "opis.value", "far": 0.1, "max": 1}, "far is for frr_at_far"),
        ({"metric": "frr_at_far", "far": 1.5, "max": 1}, "less than 1"),
        ({"metric": "opis.value", "threshold": "recommended", "max": 1}, "threshold is for"),
        ({"metric": "retrieval.recall_at.2", "min": 1}, "judge = 'value'"),
        ({"metric": "recommended_threshold.far", "max_increase": 0}, "judge = 'value'"),
        ({"metric": "opis.value", "max": 1, "judge": "value", "margin": 1}, "leave the margin out"),
        ({"metric": "<b>\x1b[31m\n", "max": 1}, r"<b>\\x1b[31m\\n"),
    ],
)
def test_a_wrong_rule_is_one_line_with_its_place_and_the_nearest_name(rule, told):
    message = refusal({"rule": [RULE, rule]})
    assert message.startswith("policy here: rule 2: ")
    assert told in message


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({}, "rule is missing"),
        ({"rule": []}, "at least 1 item"),
        ({"rules": [RULE]}, "'rules' is not known (did you mean 'rule'?)"),
        ({"rule": [RULE], "confidense": 0.9}, "'confidense' is not known (did you mean 'conf"),
        ({"rule": [RULE], "confidence": 0.5}, "greater than 0.5"),
        ({"rule": [RULE], "confidence": 95}, "less than or equal to 0.999"),
        ({"rule": [{**RULE, "level": "advisory"}]}, "everything would pass"),
        ("text", "valid dictionary"),
    ],
)
def test_a_wrong_policy_is_one_line(table, told):
    assert told in refusal(table)


def test_a_policy_may_stand_in_a_project_file(tmp_path):
    file = tmp_path / "pyproject.toml"
    file.write_text("[project]\nname = 'x'\n", encoding="utf-8")
    assert not has_policy(file)
    with pytest.raises(UsageError, match=re.escape("no table [tool.opiscal.gate]")):
        read_policy(file)
    file.write_text(
        "[tool.opiscal.gate]\nconfidence = 0.9\n[[tool.opiscal.gate.rule]]\n"
        "metric = 'opis.value'\nmax = 0.02\n",
        encoding="utf-8",
    )
    assert has_policy(file)
    assert read_policy(file).confidence == 0.9


def test_a_file_that_cannot_be_read_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_policy(tmp_path / "none.toml")
    file = tmp_path / "gate.toml"
    file.write_bytes(b"[[rule]\n")
    with pytest.raises(InputError, match="is not TOML"):
        read_policy(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not TOML"):
        read_policy(file)


def test_metrics_are_the_numbers_of_a_report(digits_run):
    from opiscal.gate.rule_metrics import AT_FAR, AT_THRESHOLD, reported
    from opiscal.report.run import load

    report = load(digits_run)
    document = report.to_dict()
    found = 0
    for metric in known_metrics():
        if metric in (AT_FAR, *AT_THRESHOLD):
            continue
        value = document
        for name in metric.split("."):
            value = None if value is None else value.get(name)
        if metric == "verification.eer":
            value = sum(value) / 2
        assert reported(report, metric) == (
            None if value is None else pytest.approx(value, rel=1e-8)
        ), metric
        found += value is not None
    assert found > 40
