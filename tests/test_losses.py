"""The TCM loss: its value and gradient, what is defined at ties and with nothing, and its cost."""

import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tcm_oracles import tcm

from opiscal.errors import OpiscalError, UsageError

torch = pytest.importorskip("torch", reason="torch is not installed: make torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from opiscal.losses import ThresholdConsistentMarginLoss  # noqa: E402

BLOCKS = [None, 1, 3, 7]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small products wait longer for threads than they take."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def batch(rows=40, classes=8, width=6, seed=0, dtype=torch.float64, spread=0.7):
    """Rows about some directions, of any length, and their labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (rows,), generator=generator)
    centres = torch.randn(classes, width, generator=generator, dtype=torch.float64)
    noise = torch.randn(rows, width, generator=generator, dtype=torch.float64)
    lengths = torch.rand(rows, 1, generator=generator, dtype=torch.float64) * 5 + 0.1
    return ((centres[labels] + spread * noise) * lengths).to(dtype).requires_grad_(), labels


def loss_and_gradients(loss, *tensors):
    """The loss, and the gradients for the embeddings among its arguments."""
    value = loss(*tensors)
    return value, *torch.autograd.grad(value, [t for t in tensors if t.requires_grad])


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(
    "how", [{}, {"m_pos": 0.3, "m_neg": -0.2}, {"lambda_pos": 0.25, "lambda_neg": 3.0}]
)
def test_loss_and_gradient_are_those_of_the_loops(block, how):
    rows, labels = batch()
    loss = ThresholdConsistentMarginLoss(block_rows=block, **how)
    value, gradient = loss_and_gradients(loss, rows, labels)
    settings_of = {
        "weights": (loss.lambda_pos, loss.lambda_neg), "margins": (loss.m_pos, loss.m_neg)
    }  # fmt: skip
    true, of_rows, _ = tcm(rows.tolist(), labels.tolist(), **settings_of)
    assert value.item() == pytest.approx(true, abs=1e-13)
    torch.testing.assert_close(gradient, torch.tensor(of_rows, dtype=torch.float64))

    others, other_labels = batch(rows=25, seed=1)
    value, *gradients = loss_and_gradients(loss, rows, labels, others, other_labels)
    true, *true_gradients = tcm(
        rows.tolist(), labels.tolist(), others.tolist(), other_labels.tolist(), **settings_of
    )
    assert value.item() == pytest.approx(true, abs=1e-13)
    for found, expected in zip(gradients, true_gradients, strict=True):
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_tied_and_tiny_batches(data):
    """Similarities are 0, 1, -1 and 0.5: margins there are met to the bit, in any block."""
    width, number = 4, data.draw(st.integers(0, 9))
    vector = st.lists(st.sampled_from([-1, 0, 1]), min_size=width, max_size=width)
    # Lengths are 0, 1 and 2, which scaling does not round.
    vector = vector.filter(lambda x: sum(map(abs, x)) in (0, 1, 4))
    rows = data.draw(st.lists(vector, min_size=number, max_size=number))
    labels = data.draw(st.lists(st.integers(0, 2), min_size=number, max_size=number))
    margins = [data.draw(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0])) for _ in range(2)]
    true, of_rows, _ = tcm(rows, labels, margins=margins)
    for block in BLOCKS:
        for dtype in (torch.float32, torch.float64):
            given_rows = torch.tensor(rows, dtype=dtype).reshape(number, width).requires_grad_()
            loss = ThresholdConsistentMarginLoss(
                m_pos=margins[0], m_neg=margins[1], block_rows=block
            )
            names = torch.tensor(labels, dtype=torch.int64)
            value, gradient = loss_and_gradients(loss, given_rows, names)
            assert value.item() == pytest.approx(true, abs=1e-6)
            expected = torch.tensor(of_rows, dtype=dtype).reshape(number, width)
            torch.testing.assert_close(gradient, expected, atol=1e-6, rtol=0)


def test_a_tie_counts_and_has_the_gradient_of_a_hard_pair():
    # Similarities of 0.5, the margin, and of 0.
    rows = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0.5, 0.5], [0, 1.0, 0, 0]], requires_grad=True)
    loss = ThresholdConsistentMarginLoss(m_pos=0.5, lambda_neg=0)
    value, gradient = loss_and_gradients(loss, rows, torch.tensor([0, 0, 0]))
    # Terms 0, 0 and 0.5 over three pairs.
    assert value.item() == pytest.approx(1 / 6)
    expected = tcm(rows.tolist(), [0, 0, 0], weights=(1, 0), margins=(0.5, 0.5))[1]
    torch.testing.assert_close(gradient, torch.tensor(expected))
    assert gradient[1].abs().sum() > 0.1


@pytest.mark.parametrize(
    "labels",
    [[0, 0, 0], [0, 1, 2], [0, 1, 1]],
    ids=["no negative pair", "no positive pair", "none is hard"],
)
def test_a_mean_over_nothing_is_zero(labels):
    rows = torch.tensor([[1.0, 0], [-1.0, 0], [-1.0, 0]], requires_grad=True)
    if labels == [0, 1, 2]:
        rows = torch.tensor([[1.0, 0, 0], [0, 2, 0], [0, 0, -3]], requires_grad=True)
    if labels == [0, 0, 0]:
        rows = torch.tensor([[1.0, 2], [1, 2], [2, 4]], requires_grad=True)
    value, gradient = loss_and_gradients(
        ThresholdConsistentMarginLoss(), rows, torch.tensor(labels)
    )
    assert value.item() == 0.0
    assert torch.equal(gradient, torch.zeros_like(rows))


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("block", BLOCKS)
def test_no_pair_at_all(number, block):
    rows = torch.randn(number, 3, requires_grad=True)
    loss = ThresholdConsistentMarginLoss(block_rows=block)
    labels = torch.zeros(number, dtype=torch.int64)
    value, gradient = loss_and_gradients(loss, rows, labels)
    assert value.item() == 0.0
    assert torch.equal(gradient, torch.zeros_like(rows))
    others = torch.randn(0, 3, requires_grad=True)
    value, *gradients = loss_and_gradients(loss, rows, labels, others, labels[:0])
    assert value.item() == 0.0
    assert all(torch.equal(g, torch.zeros_like(g)) for g in gradients)


def test_a_row_of_zeros_has_no_gradient():
    rows, labels = batch(rows=20, dtype=torch.float32)
    with torch.no_grad():
        rows[3] = 0.0
    value, gradient = loss_and_gradients(ThresholdConsistentMarginLoss(), rows, labels)
    assert torch.equal(gradient[3], torch.zeros(6))
    assert torch.isfinite(gradient).all()
    assert value.item() == pytest.approx(tcm(rows.tolist(), labels.tolist())[0], abs=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_not_hidden(bad):
    rows, labels = batch(rows=20, dtype=torch.float32)
    with torch.no_grad():
        rows[3, 2] = bad
    for block in BLOCKS:
        loss = ThresholdConsistentMarginLoss(block_rows=block)
        value, gradient = loss_and_gradients(loss, rows, labels)
        assert value.isnan()
        assert gradient.isnan().any()


@pytest.mark.parametrize("block", [None, 3])
def test_gradcheck(block):
    loss = ThresholdConsistentMarginLoss(block_rows=block, m_pos=0.8, m_neg=0.1)
    rows, labels = batch(rows=8, classes=3, width=4)
    others, other_labels = batch(rows=6, classes=3, width=4, seed=1)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), (rows,))
    assert torch.autograd.gradcheck(lambda x, y: loss(x, labels, y, other_labels), (rows, others))
    fixed = others.detach()
    assert torch.autograd.gradcheck(lambda x: loss(x, labels, fixed, other_labels), (rows,))
    assert torch.autograd.gradcheck(
        lambda y: loss(rows.detach(), labels, y, other_labels), (others,)
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("number", "width", "margins"), [(64, 16, (0.9, 0.5)), (150, 64, (0.6, 0.2))]
)
def test_equal_to_pytorch_metric_learning(seed, number, width, margins):
    losses = pytest.importorskip(
        "pytorch_metric_learning.losses",
        reason="pytorch-metric-learning is not installed: make torch",
    )
    ours = ThresholdConsistentMarginLoss(0.7, 1.3, *margins)
    theirs = losses.ThresholdConsistentMarginLoss(0.7, 1.3, *margins)
    rows, labels = batch(number, number // 4, width, seed, torch.float32)
    value, gradient = loss_and_gradients(ours, rows, labels)
    true, true_gradient = loss_and_gradients(theirs, rows, labels)
    torch.testing.assert_close(value, true, rtol=2e-6, atol=1e-7)
    torch.testing.assert_close(gradient, true_gradient, rtol=1e-4, atol=1e-7)
    # Its own form for other rows takes both ends of a pair from the batch (2.9): it is given the
    # pairs of both together.
    others, other_labels = batch(number // 2, number // 4, width, seed + 100, torch.float32)
    value, *gradients = loss_and_gradients(ours, rows, labels, others, other_labels)
    same = labels[:, None] == other_labels
    pairs = [
        end
        for mask in (same, ~same)
        for end in (mask.nonzero()[:, 0], mask.nonzero()[:, 1] + number)
    ]
    both = torch.cat([rows, others])
    true = theirs(both, torch.cat([labels, other_labels]), tuple(pairs))
    true_gradients = torch.autograd.grad(true, (rows, others))
    torch.testing.assert_close(value, true, rtol=2e-6, atol=1e-7)
    for found, expected in zip(gradients, true_gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)


def test_blocks_order_names_and_lengths_do_not_matter():
    rows, labels = batch(rows=60)
    plain = ThresholdConsistentMarginLoss(block_rows=60)(rows, labels)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    for other in (
        ThresholdConsistentMarginLoss(block_rows=11)(rows, labels),
        ThresholdConsistentMarginLoss(block_rows=7)(rows[order], labels[order]),
        ThresholdConsistentMarginLoss()(rows * torch.rand(60, 1), 100 - 3 * labels),
        # The same tensor twice is one set.
        ThresholdConsistentMarginLoss()(rows, labels, rows, labels),
    ):
        torch.testing.assert_close(other, plain)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("block", [None, 16])
def test_half_precision(dtype, block):
    """The rows are rounded; all that follows is float32, also where autocast is on."""
    loss = ThresholdConsistentMarginLoss(block_rows=block)
    rows, labels = batch(200, 50, 32, dtype=dtype, spread=0.5)
    exact, true_gradient = loss_and_gradients(loss, rows.detach().double().requires_grad_(), labels)
    value, gradient = loss_and_gradients(loss, rows, labels)
    assert value.dtype == torch.float32
    assert gradient.dtype == dtype
    assert value.item() == pytest.approx(exact.item(), rel=1e-6)
    torch.testing.assert_close(gradient.double(), true_gradient, rtol=0.01, atol=1e-6)
    wide = rows.detach().float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast, cast_gradient = loss_and_gradients(loss, wide, labels)
    plain, plain_gradient = loss_and_gradients(loss, wide, labels)
    assert torch.equal(cast, plain)
    assert torch.equal(cast_gradient, plain_gradient)


class Watched(TorchDispatchMode):
    """Names of what runs, and the most elements of a result."""

    def __init__(self):
        super().__init__()
        self.names, self.most = set(), 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.names.add(str(func).split(".")[1])
        for one in out if isinstance(out, tuple | list) else (out,):
            if isinstance(one, torch.Tensor):
                self.most = max(self.most, one.numel())
        return out


ASKS_THE_DEVICE = {
    "_local_scalar_dense", "item", "nonzero", "masked_select", "unique", "_unique2", "is_nonzero",
    "unique_consecutive", "index", "_to_copy", "repeat_interleave", "equal",
}  # fmt: skip


@pytest.mark.parametrize("form", ["one set", "with others"])
@pytest.mark.parametrize("block", [None, 100])
def test_a_step_asks_the_device_for_nothing_and_keeps_no_matrix_of_pairs(form, block):
    rows, labels = batch(1100, 300, 16, dtype=torch.float32)
    others = () if form == "one set" else batch(1000, 300, 16, 1, torch.float32)
    loss = ThresholdConsistentMarginLoss(block_rows=block)
    with Watched() as watched:
        loss(rows, labels, *others).backward()
    assert not watched.names & ASKS_THE_DEVICE
    assert "mm" in watched.names
    columns = 1100 if form == "one set" else 1000
    assert watched.most <= (2**20 if block is None else block * columns)
    assert rows.grad is not None


def test_the_watch_sees_what_it_is_to_see():
    with Watched() as watched:
        torch.ones(3)[torch.tensor([True, False, True])].sum().item()
    assert watched.names & ASKS_THE_DEVICE >= {"index", "_local_scalar_dense"}


def test_another_loss_is_added_and_its_parameters_are_there():
    class Base(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(2.0))

        def forward(self, embeddings, labels):
            return self.scale * embeddings.square().mean() + labels.sum()

    rows, labels = batch()
    base, plain = Base(), ThresholdConsistentMarginLoss(m_pos=0.8)
    both = ThresholdConsistentMarginLoss(m_pos=0.8, base_loss=base)
    assert [name for name, _ in both.named_parameters()] == ["base_loss.scale"]
    torch.testing.assert_close(both(rows, labels), base(rows, labels) + plain(rows, labels))
    both(rows, labels).backward()
    assert base.scale.grad is not None
    with_function = ThresholdConsistentMarginLoss(m_pos=0.8, base_loss=lambda x, y: x.sum())
    torch.testing.assert_close(with_function(rows, labels), rows.sum() + plain(rows, labels))
    assert "m_pos=0.8, m_neg=0.5" in repr(both)


def test_it_trains():
    """Gradient steps on free rows reach the margins."""
    rows, labels = batch(60, 6, 8, dtype=torch.float32, spread=1.5)
    loss = ThresholdConsistentMarginLoss()
    optimizer = torch.optim.Adam([rows], lr=0.05)
    first = loss(rows, labels).item()
    for _ in range(300):
        optimizer.zero_grad()
        value = loss(rows, labels)
        value.backward()
        optimizer.step()
    assert value.item() < 0.2 * first


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"lambda_pos": -1}, "lambda_pos -1: must be a number of at least 0"),
        ({"lambda_neg": math.nan}, "lambda_neg nan: must be a number"),
        ({"m_pos": 1.5}, "m_pos 1.5: is a cosine similarity"),
        ({"m_neg": math.nan}, "m_neg nan: is a cosine similarity"),
        ({"block_rows": 0}, "block_rows 0: must be at least 1"),
    ],
)
def test_settings_that_are_not_allowed(how, said):
    with pytest.raises(UsageError, match=said):
        ThresholdConsistentMarginLoss(**how)


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        (((4,), (4,)), r"embeddings of shape \(4,\)"),
        (((4, 2), (3,)), r"labels of shape \(3,\): must be \(4,\)"),
        (((4, 2), (4, 1)), r"labels of shape \(4, 1\)"),
        (((4, 2), (4,), (3, 2)), "one of them was given without the other"),
        (((4, 2), (4,), (3, 5), (3,)), "ref_embeddings have 5 dimensions and embeddings 2"),
        (((4, 2), (4,), (3, 2), (4,)), r"ref_labels of shape \(4,\): must be \(3,\)"),
    ],
)
def test_shapes_that_do_not_go_together(shapes, said):
    with pytest.raises(UsageError, match=said):
        ThresholdConsistentMarginLoss()(*map(torch.ones, shapes))


def test_whole_numbers_are_no_embeddings():
    with pytest.raises(UsageError, match=r"torch\.int64: must be floats"):
        ThresholdConsistentMarginLoss()(torch.ones(2, 2, dtype=torch.int64), torch.ones(2))


def test_errors_are_of_the_family():
    assert issubclass(UsageError, OpiscalError)


@pytest.mark.parametrize("module", ["opiscal", "opiscal.cli.app", "opiscal.evaluation"])
def test_torch_is_loaded_by_losses_alone(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
