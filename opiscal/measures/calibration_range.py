"""The calibration range: the stretch of thresholds over which consistency is judged."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from opiscal.data.embedding_set import Metric
from opiscal.errors import InconclusiveError, UsageError
from opiscal.measures.rates import RateCurve

RangeKind = Literal["far", "frr", "distance", "similarity"]

_FORM = re.compile(r"(far|frr|distance|similarity)=([^:]+):([^:]+)")


@dataclass(frozen=True, slots=True)
class RangeSpec:
    """A calibration range as it was asked for, such as ``far=0.01:0.1``.

    Attributes
    ----------
    kind : "far", "frr", "distance" or "similarity"
    low, high : float
        The ends, the smaller first, whichever order they were given in.
    given : str
        As written.
    """

    kind: RangeKind
    low: float
    high: float
    given: str

    @classmethod
    def parse(cls, text: str) -> "RangeSpec":
        """Read ``kind=a:b``.

        Raises
        ------
        UsageError
            Where the form, the kind or a number is not allowed.

        Examples
        --------
        >>> spec = RangeSpec.parse("far=0.1:0.01")
        >>> spec.low, spec.high
        (0.01, 0.1)
        """
        match = _FORM.fullmatch(text.strip())
        if match is None:
            kinds = ", ".join(f"{kind}=a:b" for kind in get_args(RangeKind))
            raise UsageError(f"range {text!r}: must be one of {kinds}, such as far=0.01:0.1")
        kind: RangeKind = match[1]  # type: ignore[assignment]  # the pattern admits no other
        try:
            low, high = sorted((float(match[2]), float(match[3])))
        except ValueError:
            raise UsageError(
                f"range {text!r}: both ends must be numbers, such as far=0.01:0.1"
            ) from None
        allowed = {
            "far": (0.0, 1.0),
            "frr": (0.0, 1.0),
            "distance": (0.0, np.inf),
            "similarity": (-1.0, 1.0),
        }[kind]
        if not (allowed[0] <= low and high <= allowed[1] and np.isfinite(high)):
            raise UsageError(
                f"range {text!r}: {kind} must lie between {allowed[0]:g} and {allowed[1]:g}"
            )
        return cls(kind=kind, low=low, high=high, given=text.strip())

    def distances(self, metric: Metric) -> tuple[float, float] | None:
        """The ends as distances, or None where they follow from the counts.

        Raises
        ------
        UsageError
            For a similarity under ``l2``, or a distance above 2 under ``cosine``.
        """
        if self.kind == "distance":
            if metric == "cosine" and self.high > 2.0:
                raise UsageError(
                    f"range {self.given!r}: under cosine a distance is the L2 distance of unit "
                    "rows and must lie between 0 and 2; give similarity=a:b, or use metric l2"
                )
            return self.low, self.high
        if self.kind == "similarity":
            if metric != "cosine":
                raise UsageError(
                    f"range {self.given!r}: similarity is known under cosine only; "
                    "give distance=a:b"
                )
            return float(np.sqrt(2 - 2 * self.high)), float(np.sqrt(2 - 2 * self.low))
        return None


@dataclass(frozen=True, slots=True)
class CalibrationRange:
    """A calibration range that was found.

    Attributes
    ----------
    given : str
        What was asked for.
    low, high : float
        The ends, distances.
    far, frr : pair of float
        The rates at `low` and at `high`.
    """

    given: str
    low: float
    high: float
    far: tuple[float, float]
    frr: tuple[float, float]

    @property
    def collapsed(self) -> bool:
        """Whether the range has no width."""
        return self.low == self.high


def find_range(curve: RateCurve, spec: RangeSpec, metric: Metric) -> CalibrationRange:
    """Find the ends of a range.

    For ``far`` each end is the largest edge with FAR at most the asked one; for ``frr`` the
    smallest edge with FRR at most the asked one; distances are taken as they are.

    Parameters
    ----------
    curve : RateCurve
    spec : RangeSpec
    metric : "cosine" or "l2"

    Returns
    -------
    CalibrationRange

    Raises
    ------
    InconclusiveError
        Where an end does not exist: even the smallest edge accepts more than asked.
    """
    ends = spec.distances(metric)
    if ends is None:
        low, high = sorted(_end(curve, spec, asked) for asked in (spec.low, spec.high))
    else:
        low, high = ends
    at = [curve.at(low), curve.at(high)]
    return CalibrationRange(
        given=spec.given,
        low=low,
        high=high,
        far=(at[0][0], at[1][0]),
        frr=(at[0][1], at[1][1]),
    )


def _end(curve: RateCurve, spec: RangeSpec, asked: float) -> float:
    if spec.kind == "frr":
        return float(curve.distance[int(np.argmax(curve.frr <= asked))])
    edge = int(np.searchsorted(curve.far, asked, side="right")) - 1
    if edge < 0:
        raise InconclusiveError(
            f"range {spec.given!r}: no threshold has a FAR of {asked:g} or less, even the smallest "
            f"accepts {curve.far[0]:.3g} of the negative pairs; choose a range above that, or look "
            "for the same row in several classes with 'opiscal inspect'"
        )
    return float(curve.distance[edge])
