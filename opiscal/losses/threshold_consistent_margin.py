"""The threshold-consistent margin (TCM) loss."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from opiscal.errors import UsageError
from opiscal.losses.hard_pairs import HardPairLoss, Terms, UnitRows, rows_in_block

BaseLoss = Callable[[Tensor, Tensor], Tensor]


class ThresholdConsistentMarginLoss(torch.nn.Module):
    """The threshold-consistent margin loss: hard pairs only, to be added to any other loss.

    ::

        L = lambda_pos * mean over positive pairs with s <= m_pos of (m_pos - s)
          + lambda_neg * mean over negative pairs with s >= m_neg of (s - m_neg)

    with `s` the cosine similarity of two rows. Zhang et al., ICLR 2024, arXiv 2307.04047.

    - A pair whose similarity **is** the margin is hard: it adds 0, counts in the mean, and has the
      gradient of a hard pair. As a pair becomes hard the mean therefore jumps; the gradient is that
      of a fixed set of hard pairs.
    - A mean over no pair is 0, with a gradient of zero.
    - A row whose length is zero, or overflows, has similarity 0 to all others, and no gradient.
    - NaN and infinity in a row make the loss NaN.
    - Rows of float16 or bfloat16 are scaled, compared and summed in float32, and so is the loss,
      under autocast too; float64 stays.
    - Pairs are compared block by block: memory grows with the rows, not with the pairs. No value is
      asked of the device, so a step does not wait for it.

    `opiscal margins` says which margins fit an embedding space.

    Parameters
    ----------
    lambda_pos, lambda_neg : float, at least 0
        Weights of the two terms.
    m_pos, m_neg : float, in [-1, 1]
    base_loss : callable, optional
        Another loss, called with the embeddings and labels of the batch, and added. As a
        `torch.nn.Module` it is a part of this one: its parameters are among these.
    block_rows : int, optional
        Rows that are compared with all others at a time. By default some 4 MB of similarities on a
        CPU and 64 MB elsewhere.

    Raises
    ------
    UsageError
        For a value that is not allowed.

    Examples
    --------
    >>> import torch
    >>> loss = ThresholdConsistentMarginLoss()
    >>> rows = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]], requires_grad=True)
    >>> value = loss(rows, torch.tensor([7, 7, 8]))
    >>> round(value.item(), 6)  # 0.9 - 0.6, and the mean of 0.8 - 0.5 and 0.96 - 0.5
    0.68
    >>> value.backward()
    """

    def __init__(
        self,
        lambda_pos: float = 1.0,
        lambda_neg: float = 1.0,
        m_pos: float = 0.9,
        m_neg: float = 0.5,
        *,
        base_loss: BaseLoss | None = None,
        block_rows: int | None = None,
    ) -> None:
        super().__init__()
        for name, weight in (("lambda_pos", lambda_pos), ("lambda_neg", lambda_neg)):
            if not (weight >= 0.0 and math.isfinite(weight)):
                raise UsageError(f"{name} {weight!r}: must be a number of at least 0, such as 1")
        for name, margin in (("m_pos", m_pos), ("m_neg", m_neg)):
            if not -1.0 <= margin <= 1.0:
                raise UsageError(
                    f"{name} {margin!r}: is a cosine similarity, and must lie between -1 and 1; "
                    "'opiscal margins' says which fits"
                )
        if block_rows is not None and block_rows < 1:
            raise UsageError(f"block_rows {block_rows!r}: must be at least 1, or None")
        self.lambda_pos, self.lambda_neg = float(lambda_pos), float(lambda_neg)
        self.m_pos, self.m_neg = float(m_pos), float(m_neg)
        self.block_rows = block_rows
        self.base_loss = base_loss

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_labels: Tensor | None = None,
    ) -> Tensor:
        """The loss of a batch.

        Parameters
        ----------
        embeddings : Tensor of shape (N, D), float
            Of any length.
        labels : Tensor of shape (N,), integer
        ref_embeddings, ref_labels : Tensors of shape (M, D) and (M,), optional
            Other rows, such as a memory of earlier batches: pairs are then those of a row of the
            batch with one of these, and none within the batch. A row that is in both makes a pair
            with itself: leave it out of the one, or give the same tensor, which is as good as none.

        Returns
        -------
        Tensor of shape (), float32, or float64 for rows of float64

        Raises
        ------
        UsageError
            For shapes that do not go together.
        """
        if ref_embeddings is embeddings:
            ref_embeddings = ref_labels = None
        _check(embeddings, labels, ref_embeddings, ref_labels)
        with torch.autocast(embeddings.device.type, enabled=False):
            wide = torch.float64 if embeddings.dtype == torch.float64 else torch.float32
            rows = UnitRows.apply(embeddings.to(wide))
            others = None if ref_embeddings is None else UnitRows.apply(ref_embeddings.to(wide))
            block = self.block_rows or rows_in_block(
                (rows if others is None else others).shape[0], rows.device.type
            )
            terms = Terms(self.lambda_pos, self.lambda_neg, self.m_pos, self.m_neg)
            loss: Tensor = HardPairLoss.apply(rows, others, labels, ref_labels, terms, block)
        return loss if self.base_loss is None else self.base_loss(embeddings, labels) + loss

    def extra_repr(self) -> str:
        """The settings, as they are written."""
        return (
            f"lambda_pos={self.lambda_pos:g}, lambda_neg={self.lambda_neg:g}, "
            f"m_pos={self.m_pos:g}, m_neg={self.m_neg:g}"
        )


def _check(
    embeddings: Tensor, labels: Tensor, ref_embeddings: Tensor | None, ref_labels: Tensor | None
) -> None:
    """Make sure that shapes go together: they are known without asking the device."""
    if (ref_embeddings is None) != (ref_labels is None):
        raise UsageError(
            "ref_embeddings and ref_labels: one of them was given without the other; give both, "
            "or neither"
        )
    for rows, names, what in (
        (embeddings, labels, ""),
        (ref_embeddings, ref_labels, "ref_"),
    ):
        if rows is None or names is None:
            continue
        shape = tuple(rows.shape)
        if len(shape) != 2 or not rows.is_floating_point():
            raise UsageError(
                f"{what}embeddings of shape {shape}, {rows.dtype}: must be floats of shape (rows, "
                "dimensions)"
            )
        if tuple(names.shape) != shape[:1]:
            raise UsageError(
                f"{what}labels of shape {tuple(names.shape)}: must be ({shape[0]},), one for each "
                f"row of {what}embeddings"
            )
    if ref_embeddings is not None and ref_embeddings.shape[1] != embeddings.shape[1]:
        raise UsageError(
            f"ref_embeddings have {ref_embeddings.shape[1]} dimensions and embeddings "
            f"{embeddings.shape[1]}: they must have the same"
        )
