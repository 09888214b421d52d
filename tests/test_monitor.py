"""OPIS inside a training loop: its numbers, when it measures, and that it leaves no trace."""

import numpy as np
import pytest

import opiscal
from opiscal import EvaluateConfig
from opiscal.errors import UsageError

torch = pytest.importorskip("torch", reason="torch is not installed: make torch")

from opiscal.losses import ConsistencyMonitor  # noqa: E402

NAMES = {
    "opis", "opis_corrected", "epsilon_opis", "mean_utility", "threshold_similarity",
    "threshold_distance", "far", "frr", "eer", "seconds",
}  # fmt: skip


@pytest.fixture(scope="module")
def validation():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 40
    inputs = torch.randn(40, 12, generator=generator)[labels]
    return inputs + 0.8 * torch.randn(400, 12, generator=generator), labels


def network():
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Linear(12, 16), torch.nn.BatchNorm1d(16), torch.nn.Dropout(0.5),
        torch.nn.Linear(16, 8),
    )  # fmt: skip


def test_numbers_are_those_of_evaluate(validation):
    model = network()
    found = ConsistencyMonitor(validation, model=model, batch_rows=77, prefix="val/").measure()
    model.eval()
    with torch.no_grad():
        rows = model(validation[0]).numpy()
    report = opiscal.evaluate(rows, validation[1].numpy())
    assert set(found) == {f"val/{name}" for name in NAMES}
    assert all(type(value) is float for value in found.values())
    point = report.recommended_threshold
    # A batch of another size may differ in the last bit of a product.
    for name, expected in (
        ("opis", report.opis.value),
        ("opis_corrected", report.opis.corrected),
        ("epsilon_opis", report.epsilon_opis.value),
        ("mean_utility", report.utility.mean),
        ("threshold_similarity", point.similarity),
        ("threshold_distance", point.distance),
        ("far", point.far),
        ("frr", point.frr),
        ("eer", sum(report.verification.eer) / 2),
    ):
        assert found[f"val/{name}"] == pytest.approx(expected, rel=1e-2, abs=1e-6), name


def test_it_leaves_no_trace(validation):
    model = network()
    model.train()
    model[1].eval()  # a frozen layer stays so
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    ConsistencyMonitor(validation, model=model).measure()
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert torch.is_grad_enabled()

    def fails():
        assert not model.training
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        ConsistencyMonitor(fails, model=model).measure()
    assert [module.training for module in model.modules()] == modes


def test_every_so_many_steps(validation):
    monitor = ConsistencyMonitor(validation, model=network(), every=3)
    assert [bool(monitor(step)) for step in range(7)] == [True, False, False] * 2 + [True]


def test_a_function_gives_rows_of_any_float_and_labels_of_any_kind(validation):
    rows, labels = validation
    names = [f"class {k}" for k in labels.tolist()]
    half = ConsistencyMonitor(lambda: (rows.to(torch.bfloat16).requires_grad_(), names)).measure()
    full = ConsistencyMonitor(lambda: (rows, labels)).measure()
    assert half["opis"] == pytest.approx(full["opis"], rel=0.05)
    l2 = ConsistencyMonitor(lambda: (rows, labels), config=EvaluateConfig(metric="l2")).measure()
    assert set(l2) == NAMES - {"threshold_similarity"}
    report = opiscal.evaluate(np.asarray(rows), labels, config=EvaluateConfig(metric="l2"))
    assert l2["opis"] == report.opis.value


def test_few_rows_a_class_have_no_corrected_value(validation):
    rows, labels = validation[0][:80], validation[1][:80]
    assert set(ConsistencyMonitor(lambda: (rows, labels)).measure()) == NAMES - {"opis_corrected"}


def test_where_the_set_cannot_answer_training_goes_on():
    rows, labels = torch.ones(40, 4), torch.arange(40) % 4
    monitor = ConsistencyMonitor(lambda: (rows, labels))
    with pytest.warns(UserWarning, match="no OPIS at this step: range 'far=0.01:0.1'"):
        assert monitor.measure() == {}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"every": 0}, "every 0: must be at least 1"),
        ({"batch_rows": -1}, "batch_rows -1: must be at least 1"),
        ({"model": None}, "inputs were given without a model"),
    ],
)
def test_settings_that_are_not_allowed(validation, how, said):
    with pytest.raises(UsageError, match=said):
        ConsistencyMonitor(validation, **{"model": network()} | how)
