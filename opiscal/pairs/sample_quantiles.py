"""SampleQuantiles: where a FAR or an FRR is reached, by a sample of pairs."""

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.sample import PairSample

Floats = NDArray[np.float64]

# Accepted pairs of the sample below which its quantiles are too rough to space edges by, and pairs
# between the quantiles that are trusted: those between are interpolated.
_SURE_PAIRS, _NODE_PAIRS, _NODE_SHARE = 200, 64, 0.02


class SampleQuantiles:
    """Half squared distances at which a FAR or an FRR is reached, by the sample."""

    def __init__(self, sample: PairSample) -> None:
        self.negative = sample.negative
        self.positive = sample.positive
        self.whole = sample.negatives_in_set <= self.negative.size
        size = max(1, self.negative.size)
        self.sure_far = min(_SURE_PAIRS / size, 1.0)
        # A sample that is the whole set has no noise to smooth.
        node = np.arange(self.negative.size) if self.whole else _node_places(self.negative.size)
        self.node_log_far = np.log((node + 1) / size)
        self.node = self.negative[node].astype(np.float64)
        nearer, farther = self._inside(np.array([1.0, 10.0]) * self.sure_far)
        # Nats of FAR per unit of u at the foot of the sample, which is carried on below it.
        self.slope = np.log(10.0) / (farther - nearer) if farther > nearer else np.inf

    def _inside(self, far: Floats) -> Floats:
        if self.node.size == 0:
            return np.zeros(far.shape)
        return np.asarray(np.interp(np.log(np.maximum(far, 1e-300)), self.node_log_far, self.node))

    def far(self, far: Floats | float) -> Floats:
        """Where the FAR is `far`; below the sample's reach the foot is drawn out exponentially."""
        wanted = np.asarray(far, dtype=np.float64)
        inside: Floats = self._inside(wanted)
        if self.whole or not np.isfinite(self.slope):
            return inside
        share = np.maximum(wanted, 1e-12) / self.sure_far
        foot = self._inside(np.array([self.sure_far]))[0]
        beyond = np.maximum(foot + np.log(share) / self.slope, 0.0)
        return np.asarray(np.where(share < 1.0, beyond, inside))

    def frr(self, frr: Floats | float) -> Floats:
        """Where the FRR is `frr`."""
        size = self.positive.size
        if size == 0:
            return np.zeros(np.shape(frr))
        places = np.clip(np.ceil((1.0 - np.asarray(frr)) * size) - 1, 0, size - 1).astype(np.int64)
        return np.asarray(self.positive[places], dtype=np.float64)


def _node_places(size: int) -> NDArray[np.int64]:
    """Ranks, from 0 to the last, at least so many pairs apart that their spacing is no accident."""
    places = [0]
    while places[-1] < size - 1:
        # From both ends: a few far pairs must not be spread over all the near ones.
        from_end = min(places[-1], size - 1 - places[-1])
        step = max(min(_NODE_PAIRS, 1 + from_end), int(_NODE_SHARE * from_end))
        places.append(min(places[-1] + step, size - 1))
    return np.array(places if size else [], dtype=np.int64)
