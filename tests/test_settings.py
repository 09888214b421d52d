"""EvaluateConfig: what is allowed, and what an error says."""

import dataclasses
import json
import math

import pytest

import opiscal
from opiscal.errors import UsageError
from opiscal.report.settings import EvaluateConfig, Recommendation

WRONG = [
    ("metric", "euclid", "cosine, l2"),
    ("metric", ["l2"], "cosine, l2"),
    ("metric", None, "cosine, l2"),
    ("utility", "f1", "sensitivity-specificity, precision-recall"),
    ("c", 0, "above 0"),
    ("c", -1.0, "above 0"),
    ("c", math.nan, "above 0"),
    ("c", math.inf, "above 0"),
    ("c", "1", "a number"),
    ("c", True, "a number"),
    ("c", None, "a number"),
    ("range", "fpr=0.1:0.2", "far=a:b, frr=a:b, distance=a:b, similarity=a:b"),
    ("range", "far=0.1:2", "between 0 and 1"),
    ("range", "distance=0:3", "between 0 and 2"),
    ("range", ("far", 0.1, 0.2), "far=0.01:0.1"),
    ("integration", "grid:1", "K from 2 to 100000"),
    ("integration", 101, "exact or grid:K"),
    ("epsilon", 0.0, "above 0 and at most 0.5"),
    ("epsilon", 0.6, "above 0 and at most 0.5"),
    ("epsilon", math.nan, "above 0 and at most 0.5"),
    ("epsilon", "0.1", "a number"),
    ("eps_against", "rest", "others, best"),
    ("eps_rank", "once", "range, threshold"),
    ("pool", "all", "pairs, classes"),
    ("recommend", "far", "utility, eer, far=x or frr=x"),
    ("recommend", "far=0", "x between 0 and 1"),
    ("recommend", "frr=1", "x between 0 and 1"),
    ("recommend", "fpr=0.1", "utility, eer, far=x or frr=x"),
    ("recommend", "far=nan", "x between 0 and 1"),
    ("recommend", 0.001, "utility, eer, far=x or frr=x"),
    ("singletons", "remove", "keep, drop"),
    ("null_label", "keep", "drop, distractor"),
    ("distractor_labels", "background", "a tuple of strings"),
    ("distractor_labels", ["background"], "a tuple of strings"),
    ("distractor_labels", (1,), "a string, also where labels are integers"),
    ("half", 1, "True or False"),
    ("sample_rows", 999, "1000 or more"),
    ("sample_rows", 1e6, "a whole number of 1000 or more"),
    ("sample_rows", True, "a whole number of 1000 or more"),
    ("strict", "no", "True or False"),
    ("strict", 0, "True or False"),
    ("retrieval", 1, "True or False"),
    ("seed", -1, "0 or more"),
    ("seed", 0.5, "whole number"),
    ("seed", None, "whole number"),
    ("threads", 0, "1 or more"),
    ("threads", -2, "1 or more"),
    ("threads", 1.5, "whole number"),
    ("threads", True, "whole number"),
    ("confidence", 0.0, "above 0.5 and below 1"),
    ("confidence", 0.5, "above 0.5 and below 1"),
    ("confidence", 1.0, "above 0.5 and below 1"),
    ("confidence", 95, "above 0.5 and below 1"),
    ("confidence", math.nan, "above 0.5 and below 1"),
    ("confidence", "0.95", "a number"),
    ("splits", -1, "from 0 (no split) to 1000"),
    ("splits", 1001, "from 0 (no split) to 1000"),
    ("splits", 1.5, "whole number"),
    ("splits", True, "whole number"),
    ("splits", None, "whole number"),
    ("pairs", "all", "auto, exact, sampled"),
    ("sample_pairs", 0, "at least 64 a row"),
    ("sample_pairs", 0.5, "whole number"),
    ("budget", -1.0, "above 0"),
    ("budget", math.inf, "above 0"),
    ("budget", "1h", "seconds"),
    ("positive_cap", 0, "at least 6"),
    ("positive_cap", None, "whole number"),
    ("index", None, "index_factory"),
    ("nprobe", 0, "at least 1"),
    ("nprobe", True, "whole number"),
    ("ef_search", -1, "at least 1"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), WRONG, ids=str)
def test_a_wrong_value_is_shown_with_what_is_allowed(name, value, allowed):
    with pytest.raises(UsageError) as caught:
        EvaluateConfig(**{name: value})
    message = str(caught.value)
    assert allowed in message
    assert str(value) in message
    assert name.replace("_", "-").split("-")[0] in message
    assert "\n" not in message


def test_every_setting_has_a_wrong_value_here():
    assert {name for name, _, _ in WRONG} == {f.name for f in dataclasses.fields(EvaluateConfig)}


def test_similarity_ranges_are_for_cosine():
    assert EvaluateConfig(range="similarity=0.5:0.9").range_spec.kind == "similarity"
    with pytest.raises(UsageError, match=r"'similarity=0.5:0.9'.*cosine only"):
        EvaluateConfig(range="similarity=0.5:0.9", metric="l2")
    EvaluateConfig(range="distance=0:300", metric="l2")


def test_what_is_allowed_at_the_borders():
    for allowed in (
        {"epsilon": 0.5},
        {"epsilon": 1},
        {"c": 2},
        {"seed": 0, "threads": 1},
        {"splits": 0},
        {"splits": 1000},
        {"confidence": 0.51},
        {"confidence": 0.999},
        {"threads": None},
        {"range": "far=0:1"},
        {"integration": "grid:2"},
        {"integration": "grid:100000"},
        {"distractor_labels": ("a", "b")},
        {"recommend": "eer"},
    ):
        if allowed == {"epsilon": 1}:
            with pytest.raises(UsageError):
                EvaluateConfig(**allowed)
        else:
            EvaluateConfig(**allowed)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("utility", ("utility", None)), ("eer", ("eer", None)), ("far=1e-3", ("far", 0.001)),
     ("frr=0.05", ("frr", 0.05))],
)  # fmt: skip
def test_recommendations(text, wanted):
    assert Recommendation.parse(text) == Recommendation(*wanted)


OTHER = {
    "metric": "l2",
    "utility": "precision-recall",
    "c": 2.5,
    "range": "frr=0.1:0.3",
    "integration": "grid:101",
    "epsilon": 0.25,
    "eps_against": "best",
    "eps_rank": "threshold",
    "pool": "classes",
    "recommend": "far=1e-3",
    "singletons": "drop",
    "null_label": "distractor",
    "distractor_labels": ("a", "b"),
    "strict": True,
    "retrieval": False,
    "seed": 7,
    "threads": 3,
    "confidence": 0.9,
    "splits": 5,
    "pairs": "sampled",
    "sample_pairs": 1_000_000,
    "positive_cap": 1000,
    "index": "IVF64,Flat",
    "nprobe": 2,
    "ef_search": 16,
}


def test_settings_go_through_json_and_back():
    for config in (EvaluateConfig(), EvaluateConfig(**OTHER)):
        document = json.loads(json.dumps(config.to_dict(), allow_nan=False))
        assert "threads" not in document
        back = EvaluateConfig.from_dict(document)
        assert back == dataclasses.replace(config, threads=None)
        assert EvaluateConfig.from_dict({**document, "of_the_future": 3}) == back


def test_defaults_are_those_of_the_contract():
    assert EvaluateConfig().to_dict() == {
        "metric": "cosine",
        "utility": "sensitivity-specificity",
        "c": 1.0,
        "range": "far=0.01:0.1",
        "integration": "exact",
        "epsilon": 0.1,
        "eps_against": "others",
        "eps_rank": "range",
        "pool": "pairs",
        "recommend": "utility",
        "singletons": "keep",
        "null_label": "drop",
        "distractor_labels": [],
        "strict": False,
        "half": False,
        "sample_rows": None,
        "retrieval": True,
        "seed": 0,
        "confidence": 0.95,
        "splits": 0,
        "pairs": "auto",
        "sample_pairs": None,
        "budget": None,
        "positive_cap": 200_000,
        "index": "auto",
        "nprobe": None,
        "ef_search": None,
    }


def test_a_config_cannot_be_changed_after_it_was_checked():
    with pytest.raises(dataclasses.FrozenInstanceError):
        opiscal.EvaluateConfig().c = -1.0
