"""Which pairs are counted: all, or a sample, by a rule that is the same on every machine."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from opiscal.errors import UsageError
from opiscal.pairs.cost import pairs_per_second
from opiscal.pairs.index_choice import IndexChoice
from opiscal.pairs.pair_settings import DEFAULT_COLUMNS, FEWEST_COLUMNS, PairSettings
from opiscal.pairs.sampled_counts import GROUPS

MOST_WORK = 2e13
"""Rows times rows times dimensions up to which ``auto`` counts every pair."""

# Of a row the pairs with one group of columns are counted in two bytes.
_MOST_COLUMNS = GROUPS * (2**16 - 1)

# Reading, the report and its figures, beside the counting; and how many pairs a second an index
# that is not flat goes through, over those of the exact count.
_FIXED_SECONDS, _INDEX_SPEED = 3.0, 0.3


@dataclass(frozen=True, slots=True)
class PairPlan:
    """Which pairs of a set are counted.

    Attributes
    ----------
    mode : "exact" or "sampled"
    reason : str
        In words, with the numbers.
    columns : int
        Rows that all others are paired with; 0 where every pair is counted.
    most_positives : int
    index : IndexChoice
    """

    mode: Literal["exact", "sampled"]
    reason: str
    columns: int
    most_positives: int
    index: IndexChoice

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> "PairPlan":
        """The plan that `dataclasses.asdict` made a dictionary of.

        Examples
        --------
        >>> from dataclasses import asdict
        >>> plan = plan_pairs(PairSettings("sampled"), 200_000, 128)
        >>> PairPlan.from_dict(asdict(plan)) == plan
        True
        """
        return cls(**{**kept, "index": IndexChoice(**kept["index"])})


def plan_pairs(
    settings: PairSettings, rows: int, dimensions: int, threads: int | None = None
) -> PairPlan:
    """Decide which pairs are counted.

    ``auto`` counts every pair where ``rows^2 dimensions`` is at most 2e13, and by no clock: the
    same file is never exact here and sampled there. Only a budget is measured on this machine.

    Parameters
    ----------
    settings : PairSettings
    rows, dimensions : int
    threads : int, optional
        For which a budget holds.

    Returns
    -------
    PairPlan

    Raises
    ------
    UsageError
        For a sample of too few pairs, or a budget that cannot be met.

    Examples
    --------
    >>> plan_pairs(PairSettings(), 200_000, 128).mode
    'exact'
    >>> plan_pairs(PairSettings(), 1_000_000, 128).reason
    '1,000,000 x 1,000,000 rows x 128 dimensions are 1.3e+14 multiply-adds, more than 2e+13'
    """
    work = float(rows) ** 2 * dimensions
    said = f"{rows:,} x {rows:,} rows x {dimensions} dimensions are {work:.2g} multiply-adds"
    exact = PairPlan(
        "exact", f"{said}, at most {MOST_WORK:.0e}", 0, settings.most_positives, settings.index
    )
    if settings.budget is not None:
        return _within_budget(settings, exact, rows, dimensions, threads)
    if settings.mode == "exact":
        return replace(exact, reason="asked for")
    if settings.mode == "auto" and settings.sample_pairs is None and work <= MOST_WORK:
        return exact
    columns = DEFAULT_COLUMNS
    reason = f"{said}, more than {MOST_WORK:.0e}"
    if settings.mode == "sampled" or settings.sample_pairs is not None:
        reason = "asked for"
    if settings.sample_pairs is not None:
        columns = -(-settings.sample_pairs // rows)
        if columns < FEWEST_COLUMNS and 2 * columns < rows:
            raise UsageError(
                f"sample-pairs {settings.sample_pairs}: {columns} for each of {rows:,} rows, and "
                f"at least {FEWEST_COLUMNS} are needed; give {FEWEST_COLUMNS * rows} or more"
            )
    return _of_columns(exact, columns, rows, reason)


def exact_seconds(rows: int, speed: float) -> float:
    """About how long an evaluation takes that counts every pair, at so many pairs a second."""
    return _FIXED_SECONDS + rows * (rows - 1) / 2 / speed


def sample_seconds(rows: int, columns: int, speed: float, workers: int = 1) -> float:
    """About how long one takes that pairs every row with so many columns, and with near rows.

    Parameters
    ----------
    rows, columns : int
    speed : float
        Pairs a second of a worker, as `opiscal.pairs.cost.pairs_per_second` measures.
    workers : int
        One of them finds the near rows.

    Examples
    --------
    >>> round(sample_seconds(1_000_000, 2048, 1e8))
    290
    """
    # What an index looks at grows with the root of the rows.
    looked_at = rows * min(float(rows) / 2, 8.0 * np.sqrt(rows))
    return _FIXED_SECONDS + float(looked_at / _INDEX_SPEED + columns * rows / workers) / speed


def most_exact_rows(dimensions: int) -> int:
    """Rows up to which ``auto`` counts every pair.

    Examples
    --------
    >>> most_exact_rows(512)
    197642
    """
    return int(np.sqrt(MOST_WORK / dimensions))


def rows_for_sampling(speed: float, workers: int, columns: int = DEFAULT_COLUMNS) -> int:
    """From how many rows on a sample takes less time than all pairs by as many workers.

    Parameters
    ----------
    speed : float
        Pairs a second of one worker.
    workers : int
    columns : int

    Examples
    --------
    >>> rows_for_sampling(1e8, 1), rows_for_sampling(1e8, 8)
    (9218, 190151)
    """

    def faster(rows: int) -> bool:
        exact = exact_seconds(rows, workers * speed)
        return exact > sample_seconds(rows, columns, speed, workers)

    low, high = 2 * columns, 2 * columns
    while not faster(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if faster(middle):
            high = middle
        else:
            low = middle
    return high


def _of_columns(exact: PairPlan, columns: int, rows: int, reason: str) -> PairPlan:
    # A pair of two columns is looked at from both: half of the rows cost as much as all pairs.
    if 2 * columns >= rows:
        return replace(
            exact,
            reason=f"a sample of {columns:,} columns of {rows:,} rows costs as much as every pair",
        )
    whole_groups = -(-columns // GROUPS) * GROUPS
    if whole_groups > _MOST_COLUMNS:
        raise UsageError(
            f"a sample of {whole_groups:,} columns: at most {_MOST_COLUMNS:,} may be counted, that "
            f"is {_MOST_COLUMNS * rows} pairs of {rows:,} rows; give fewer with --sample-pairs"
        )
    return replace(exact, mode="sampled", reason=reason, columns=whole_groups)


def _within_budget(
    settings: PairSettings, exact: PairPlan, rows: int, dimensions: int, threads: int | None
) -> PairPlan:
    assert settings.budget is not None
    speed = pairs_per_second(dimensions, threads)
    needed = exact_seconds(rows, speed)
    budget = settings.budget
    if needed <= budget and settings.mode != "sampled":
        return replace(exact, reason=f"about {needed:.0f} s for every pair, of {budget:g}")
    if settings.mode == "exact":
        raise UsageError(
            f"budget {budget:g}: every pair takes some {needed:.0f} s on this machine; give as "
            "much, or --pairs sampled"
        )
    columns = int((budget - sample_seconds(rows, 0, speed)) * speed / rows)
    if columns < min(FEWEST_COLUMNS, rows // 2):
        least = sample_seconds(rows, FEWEST_COLUMNS, speed)
        raise UsageError(
            f"budget {budget:g}: even the smallest sample of {rows:,} rows takes some "
            f"{least:.0f} s on this machine; give as much, or --sample-rows"
        )
    return _of_columns(exact, columns, rows, f"a budget of {budget:g} s")
