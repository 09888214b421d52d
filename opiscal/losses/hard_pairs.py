"""The two terms of the TCM loss over all pairs of rows, block by block, and their gradient.

Where there are several blocks the similarities are computed anew for the gradient: that costs half
a product of all rows with all, and spares a matrix of all pairs. Nothing here asks the device for
a value: shapes follow from shapes.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_PAIRS_IN_BLOCK = {"cpu": 2**20}
_PAIRS_IN_BLOCK_ELSEWHERE = 2**24
# Less than any margin: what lies so far on the right side of it is not hard.
_NOT_A_PAIR = -4.0


def rows_in_block(columns: int, device: str) -> int:
    """Rows that are compared at a time: the more there are, the more memory is needed.

    Some 4 MB of similarities on a CPU, where they stay in the cache, and 64 MB on a device that is
    slow to begin.

    Examples
    --------
    >>> rows_in_block(4096, "cpu"), rows_in_block(4096, "cuda"), rows_in_block(10**9, "cpu")
    (256, 4096, 16)
    """
    pairs = _PAIRS_IN_BLOCK.get(device, _PAIRS_IN_BLOCK_ELSEWHERE)
    return max(16, pairs // max(columns, 1))


class UnitRows(torch.autograd.Function):
    """Rows scaled to unit length; one whose length is zero, as a float, is zero, without gradient.

    So is one whose length overflows. One with NaN or infinity becomes NaN.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        """Unit rows, of the shape and type of `rows`."""
        length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
        inverse = length.reciprocal().masked_fill_(length == 0.0, 0.0)
        unit = rows * inverse
        ctx.save_for_backward(unit, inverse)
        return unit

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """What changes a row's direction, over its length."""
        unit, inverse = ctx.saved_tensors
        # Autocast is off where the loss is computed, and may be on here.
        with torch.autocast(unit.device.type, enabled=False):
            along = torch.linalg.vecdot(gradient, unit)[:, None]
        return torch.addcmul(gradient, along, unit, value=-1.0).mul_(inverse)


class Terms(NamedTuple):
    """Weights and margins of the two terms."""

    lambda_pos: float
    lambda_neg: float
    m_pos: float
    m_neg: float


class HardPairLoss(torch.autograd.Function):
    """Both terms of the loss together, each a mean over its hard pairs; tensor of shape ().

    ``mean of (m_pos - s)`` over pairs of equal labels with ``s <= m_pos``, and ``mean of (s -
    m_neg)`` over the others with ``s >= m_neg``; 0 where there is no such pair. With `columns` a
    pair is a row and a column; without, two different rows.
    """

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        columns: Tensor | None,
        row_labels: Tensor,
        column_labels: Tensor | None,
        terms: Terms,
        block: int,
    ) -> Tensor:
        """The loss of unit rows, float32 or float64."""
        ctx.terms, ctx.block = terms, block
        sums: list[Tensor] = []
        numbers: list[Tensor] = []
        part = None
        for part in _blocks(rows, columns, row_labels, column_labels, terms, block):
            masks = part.positive, part.negative
            numbers += [mask.sum() for mask in masks]
            # A product and not a choice: NaN is to go through.
            sums += [(part.beyond * mask).sum() for mask in masks]
        if part is None:
            ctx.save_for_backward(rows, columns, row_labels, column_labels, None, None, None)
            return rows.new_zeros(())
        number = torch.stack(numbers).view(-1, 2).sum(dim=0).clamp_(min=1)
        kept = (part.positive, part.negative) if part.is_all else (None, None)
        ctx.save_for_backward(rows, columns, row_labels, column_labels, number, *kept)
        of_positive, of_negative = (torch.stack(sums).view(-1, 2).sum(dim=0) / number).unbind()
        return terms.lambda_pos * of_positive + terms.lambda_neg * of_negative

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Of a hard pair of rows each one's gradient is the other, over the number of them."""
        *given, number, positive, negative = ctx.saved_tensors
        rows, columns, _, _ = given
        if number is None:
            return (torch.zeros_like(rows), *(None,) * 5)
        to_each = (gradient / number).unbind()
        with torch.autocast(rows.device.type, enabled=False):
            if positive is None:
                of_rows, of_columns = _gradients_by_block(
                    tuple(given), to_each, ctx.terms, ctx.block, ctx.needs_input_grad[:2]
                )
            else:
                weight = _weights(positive, negative, to_each, ctx.terms)
                # Without columns every pair stands there in both orders.
                of_rows = weight @ columns if columns is not None else (weight @ rows).mul_(2.0)
                of_columns = weight.T @ rows if ctx.needs_input_grad[1] else None
        return (of_rows, of_columns, *(None,) * 4)


def _gradients_by_block(
    given: tuple[Tensor, Tensor | None, Tensor, Tensor | None],
    to_each: Sequence[Tensor],
    terms: Terms,
    block: int,
    needed: Sequence[bool],
) -> tuple[Tensor, Tensor | None]:
    """What `HardPairLoss` gives back to rows and columns, from similarities computed anew."""
    rows, columns, row_labels, column_labels = given
    of_rows = torch.zeros_like(rows)
    of_columns = torch.zeros_like(columns) if needed[1] else None
    for part in _blocks(rows, columns, row_labels, column_labels, terms, block):
        weight = _weights(part.positive, part.negative, to_each, terms)
        here = slice(part.first, part.last)
        if columns is None:
            of_rows[here].addmm_(weight, rows[part.first :])
            of_rows[part.first :].addmm_(weight.T, rows[here])
        else:
            of_rows[here].addmm_(weight, columns)
            if of_columns is not None:
                of_columns.addmm_(weight.T, rows[here])
    return of_rows, of_columns


class _Block(NamedTuple):
    """Rows from `first` to before `last` with the others: how far beyond their margin, and hard.

    `is_all` says whether it is the only one.
    """

    first: int
    last: int
    beyond: Tensor
    positive: Tensor
    negative: Tensor
    is_all: bool


def _blocks(
    rows: Tensor,
    columns: Tensor | None,
    row_labels: Tensor,
    column_labels: Tensor | None,
    terms: Terms,
    block: int,
) -> Iterator[_Block]:
    """All pairs; without columns once each, or where all are in one block in both orders.

    Without columns the others of a block begin with its own first row.
    """
    number = rows.shape[0]
    for first in range(0, number, block):
        last = min(first + block, number)
        others = rows[first:] if columns is None else columns
        other_labels = row_labels[first:] if column_labels is None else column_labels
        similarity = rows[first:last] @ others.T
        same = row_labels[first:last, None] == other_labels
        beyond = torch.where(same, terms.m_pos - similarity, similarity - terms.m_neg)
        if columns is None and number <= block:
            beyond.fill_diagonal_(_NOT_A_PAIR)
        elif columns is None:
            size = last - first
            twice = torch.ones(size, size, dtype=torch.bool, device=rows.device).tril_()
            beyond[:, :size].masked_fill_(twice, _NOT_A_PAIR)
        hard = beyond >= 0.0
        positive = hard & same
        yield _Block(first, last, beyond, positive, hard ^ positive, number <= block)


def _weights(positive: Tensor, negative: Tensor, to_each: Sequence[Tensor], terms: Terms) -> Tensor:
    """How much each similarity changes what is asked for."""
    to_positive, to_negative = to_each
    return torch.where(
        positive, -terms.lambda_pos * to_positive, negative * (terms.lambda_neg * to_negative)
    )
