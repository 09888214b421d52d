"""PairSettings: which pairs are to be counted, as asked for."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from opiscal.errors import UsageError
from opiscal.pairs.index_choice import IndexChoice
from opiscal.pairs.sampled_counts import GROUPS

PairMode = Literal["auto", "exact", "sampled"]

DEFAULT_COLUMNS, FEWEST_COLUMNS = 2048, 4 * GROUPS
"""Random rows that every row of a sample is paired with."""

DEFAULT_POSITIVES = 200_000
"""Positive pairs of a class up to which all are counted, in a sample."""


@dataclass(frozen=True, slots=True)
class PairSettings:
    """What was asked for.

    Attributes
    ----------
    mode : "auto", "exact" or "sampled"
    sample_pairs : int, optional
        Pairs of the random stratum, of a row and a column; some two thousand a row by default.
    budget : float, optional
        Seconds that an evaluation should take on this machine.
    most_positives : int
        Positive pairs of a class up to which all are counted.
    index : IndexChoice
        For the near pairs.
    """

    mode: PairMode = "auto"
    sample_pairs: int | None = None
    budget: float | None = None
    most_positives: int = DEFAULT_POSITIVES
    index: IndexChoice = field(default_factory=IndexChoice)

    def __post_init__(self) -> None:
        if self.sample_pairs is not None and self.sample_pairs < 1:
            raise UsageError(
                f"sample-pairs {self.sample_pairs}: must be at least {FEWEST_COLUMNS} a row, such "
                "as 800000000 for 200,000 rows"
            )
        if self.sample_pairs is not None and self.mode == "exact":
            raise UsageError(
                f"sample-pairs {self.sample_pairs} with pairs 'exact': every pair is counted "
                "there; leave one of them out"
            )
        if self.sample_pairs is not None and self.budget is not None:
            raise UsageError(
                f"sample-pairs {self.sample_pairs} and budget {self.budget:g}: both set the size "
                "of the sample; give one of them"
            )
        if self.budget is not None and not 0 < self.budget < np.inf:
            raise UsageError(f"budget {self.budget!r}: must be seconds above 0, such as 120")
        if self.most_positives < 6:
            raise UsageError(
                f"positive-cap {self.most_positives}: must be at least 6 pairs a class, those of "
                f"four rows; default {DEFAULT_POSITIVES}"
            )
