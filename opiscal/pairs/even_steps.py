"""EvenSteps: class edges at even steps of the key grid, so that a pair's place is arithmetic."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.kernel.records import STEP_BITS, StepRule

Keys = NDArray[np.int64]

LAST_FAR = 0.997
"""FAR from which on one step may hold all that is left."""
# Steps in a range: what was promised is 256, and the sample misses its ends by a few percent.
_RANGE_STEPS = 290
_MOST_NEAR, _MOST_FAR = 1000, 900
# Keys of a step: near pairs are counted by key, in room for all steps.
_MOST_WIDTH = 256
# Share of the positives of the sample that may fall into one step.
_MOST_POSITIVES = 0.05


@dataclass(frozen=True, slots=True)
class EvenSteps:
    """Class edges beyond `low_key`: even steps up to `near_key`, and others from there on.

    Attributes
    ----------
    low_key, near_key, top : int
        Where the steps begin, where they change, and the last key.
    near_slope, far_slope : int
        Steps a key, times ``2^16``.
    far_steps : int
        Steps beyond `near_key`, one less than the edges there: the last edge accepts everything.
    """

    low_key: int
    near_key: int
    top: int
    near_slope: int
    far_slope: int
    far_steps: int

    @property
    def near_steps(self) -> int:
        """Steps from `low_key` to `near_key`, of which the last may be cut short."""
        return ((self.near_key - self.low_key - 1) * self.near_slope >> STEP_BITS) + 1

    def edges(self) -> Keys:
        """Keys of all edges from the low one to the last."""
        near = self.low_key + _ends(self.near_steps - 1, self.near_slope)
        far = self.near_key + _ends(self.far_steps, self.far_slope)
        return np.concatenate([[self.low_key], near, [self.near_key], far, [self.top]])

    def rule(self, low_place: int) -> StepRule:
        """The steps as the counting loops take them, of an edge at `low_key` with this place."""
        near_place = low_place + self.near_steps
        numbers = (
            self.low_key + 1,
            self.near_slope,
            low_place + 1,
            self.near_key + 1,
            self.far_slope,
            near_place + 1,
            int(_ends(self.far_steps, self.far_slope)[-1]),
        )
        return StepRule(*(np.int32(number) for number in numbers))


def _ends(steps: int, slope: int) -> Keys:
    """How many keys the first so many steps hold together, each and all before it."""
    return -(-(np.arange(1, steps + 1, dtype=np.int64) << STEP_BITS) // slope)


def fit_even_steps(
    *,
    low_key: int,
    near_key: int,
    top: int,
    ranges: Sequence[tuple[int, int]],
    far_keys: Keys,
    positive_keys: Keys,
    tied_keys: Keys,
) -> EvenSteps | None:
    """Steps as wide as they may be, or none where too many would be needed or pairs are tied.

    Parameters
    ----------
    low_key, near_key, top : int
        Where steps begin, the key up to which pairs are near, and the last key.
    ranges : sequence of pairs of int
        Keys of the ends of ranges that need many class edges.
    far_keys : int64 array
        Keys, descending from that of `LAST_FAR`, between which FAR moves less than it may.
    positive_keys : int64 array, ascending
        Of a sample of positives.
    tied_keys : int64 array
        Keys that many pairs share: edges must stand on both of their sides.
    """
    spans = [min(max(a, b), near_key) - min(a, b) for a, b in ranges]
    far_widths = -np.diff(far_keys[far_keys > near_key])
    far_widths = far_widths[far_widths > 0]
    if (
        min(spans) <= 0
        or low_key >= near_key
        or far_widths.size == 0
        or np.any(tied_keys > low_key)
    ):
        return None
    near_slope = _slope(min(spans) / _RANGE_STEPS)
    far_slope = _slope(float(far_widths.min()))
    if near_slope is None or far_slope is None:
        return None
    far_steps = int(far_keys[0] - near_key) * far_slope >> STEP_BITS
    steps = EvenSteps(low_key, near_key, top, near_slope, far_slope, far_steps)
    if steps.near_steps > _MOST_NEAR or not 0 < far_steps <= _MOST_FAR:
        return None
    edges = steps.edges()
    share = np.diff(np.searchsorted(positive_keys, edges, side="right"))
    if np.any(np.diff(edges) <= 0) or share.max() > _MOST_POSITIVES * max(positive_keys.size, 1):
        return None
    return steps


def _slope(width: float) -> int | None:
    """Steps of so many keys as steps a key; none where a step would be less than a key, or vast."""
    return math.ceil(2**STEP_BITS / width) if 1.0 <= width <= _MOST_WIDTH else None
