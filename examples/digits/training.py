"""A small network on scikit-learn's digits, trained with ArcFace, with and without the TCM loss."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from opiscal.losses import ThresholdConsistentMarginLoss

TRAINED = 897
"""Rows of scikit-learn's order that are trained on; the writers of the other 900 are mostly
others."""
CLASSES = 10


@dataclass(frozen=True)
class Setting:
    """How a network is trained.

    Attributes
    ----------
    dimensions : int
        Of an embedding.
    epochs, batch : int
        Passes over the rows, and rows at a time.
    rate : float
        Of Adam, falling to 0 along half a cosine.
    scale, margin : float
        Of ArcFace: of its logits, and the angle in radians that a row's own class is set back by.
    m_pos, m_neg, weight : float
        Of the TCM loss.
    """

    dimensions: int
    epochs: int = 200
    batch: int = 128
    rate: float = 2e-3
    scale: float = 16.0
    margin: float = 0.2
    m_pos: float = 0.9
    m_neg: float = 0.5
    weight: float = 1.0


@dataclass(frozen=True)
class Digits:
    """Rows of pixels between 0 and 1, and digits."""

    pixels: Tensor
    digits: Tensor

    @classmethod
    def parts(cls) -> "tuple[Digits, Digits]":
        """The rows to train on, and those to evaluate."""
        pixels, digits = load_digits(return_X_y=True)
        rows, labels = torch.tensor(pixels / 16.0, dtype=torch.float32), torch.tensor(digits)
        return cls(rows[:TRAINED], labels[:TRAINED]), cls(rows[TRAINED:], labels[TRAINED:])


class ArcFace(nn.Module):
    """Additive angular margin loss (Deng et al., CVPR 2019, arXiv 1801.07698)."""

    def __init__(self, dimensions: int, scale: float, margin: float) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(CLASSES, dimensions))
        self.scale, self.margin = scale, margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy of the angles to the classes' directions, the own one being set back."""
        cosine = normalize(embeddings) @ normalize(self.directions).T
        angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
        own = nn.functional.one_hot(labels, CLASSES)
        return cross_entropy(self.scale * torch.cos(angle + self.margin * own), labels)


@dataclass(frozen=True)
class Trained:
    """Embeddings of the evaluation rows, unit length, and the directions of the classes."""

    embeddings: NDArray[np.float32]
    directions: NDArray[np.float32]


def train(setting: Setting, seed: int, *, with_tcm: bool) -> Trained:
    """Train one network. The same seed gives both losses the same start and the same batches."""
    torch.manual_seed(seed)
    fitted, evaluated = Digits.parts()
    model = nn.Sequential(
        nn.Linear(fitted.pixels.shape[1], 128), nn.ReLU(),
        nn.Linear(128, 64), nn.ReLU(),
        nn.Linear(64, setting.dimensions),
    )  # fmt: skip
    arcface = ArcFace(setting.dimensions, setting.scale, setting.margin)
    loss: nn.Module = arcface
    if with_tcm:
        loss = ThresholdConsistentMarginLoss(
            setting.weight, setting.weight, setting.m_pos, setting.m_neg, base_loss=arcface
        )
    steps = setting.epochs * -(-len(fitted.digits) // setting.batch)
    optimizer = torch.optim.Adam([*model.parameters(), *loss.parameters()], lr=setting.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(setting.epochs):
        for rows in torch.randperm(len(fitted.digits)).split(setting.batch):
            optimizer.zero_grad()
            loss(model(fitted.pixels[rows]), fitted.digits[rows]).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        return Trained(
            normalize(model(evaluated.pixels)).numpy(), normalize(arcface.directions).numpy()
        )
