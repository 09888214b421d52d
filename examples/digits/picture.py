"""Directions of the classes, and the density of each on the circle, in two dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import i0e
from training import CLASSES, Trained

SMOOTHNESS = 600.0
"""Concentration of the von Mises kernel: some 2.3 degrees."""
TALLEST = 0.75


@dataclass(frozen=True)
class Circle:
    """One panel."""

    title: str
    trained: Trained


def density(angles: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kernel density of angles on the circle; its integral over a turn is 1."""
    kernel = np.exp(SMOOTHNESS * (np.cos(at[:, None] - angles) - 1.0))
    return np.asarray(kernel.mean(axis=1) / (2.0 * np.pi * i0e(SMOOTHNESS)))


def angles_of(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of rows in two dimensions, in radians."""
    return np.arctan2(rows[:, 1].astype(np.float64), rows[:, 0].astype(np.float64))


def draw(circles: Sequence[Circle], digits: NDArray[np.int64], file: Path) -> None:
    """Draw the panels side by side, densities on the same scale."""
    at = np.linspace(-np.pi, np.pi, 1441)
    curves = [
        [density(angles_of(c.trained.embeddings[digits == k]), at) for k in range(CLASSES)]
        for c in circles
    ]
    tallest = max(curve.max() for panel in curves for curve in panel)
    figure = Figure(figsize=(4.6 * len(circles), 4.9), layout="constrained")
    for axes, circle, panel in zip(
        np.atleast_1d(figure.subplots(1, len(circles))), circles, curves, strict=True
    ):
        _draw_circle(axes, circle, panel, at, TALLEST / tallest)
    figure.savefig(file, dpi=110)


def _draw_circle(
    axes: Axes,
    circle: Circle,
    curves: Sequence[NDArray[np.float64]],
    at: NDArray[np.float64],
    height: float,
) -> None:
    colours = colormaps["tab10"].colors
    x, y = np.cos(at), np.sin(at)
    axes.plot(x, y, color="#888888", linewidth=0.6)
    for k, (curve, direction) in enumerate(zip(curves, circle.trained.directions, strict=True)):
        outer = 1.0 + height * curve
        seen = curve > 1e-3 * curve.max()
        axes.fill(
            np.concatenate([outer * x, x[::-1]]), np.concatenate([outer * y, y[::-1]]),
            color=colours[k], alpha=0.35, linewidth=0,
        )  # fmt: skip
        axes.plot(
            np.where(seen, outer * x, np.nan), np.where(seen, outer * y, np.nan),
            color=colours[k], linewidth=0.9,
        )  # fmt: skip
        axes.plot([0, direction[0]], [0, direction[1]], color=colours[k], linewidth=1.4)
        axes.text(*(0.78 * direction), str(k), color=colours[k], ha="center", va="center",
                  bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "none"})  # fmt: skip
    axes.set_title(circle.title, fontsize=10)
    axes.set_aspect("equal")
    axes.set_xlim(-1.8, 1.8)
    axes.set_ylim(-1.8, 1.8)
    axes.axis("off")
