"""Evidence: what is known of the number that one rule is about."""

from dataclasses import dataclass

from opiscal.measures.confidence_curve import ConfidenceCurve


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the number that one rule is about.

    Attributes
    ----------
    value : float or None
        Of the candidate; None where it is missing or no number.
    baseline : float or None
    difference : float or None
        ``value - baseline``, or ``value - (1 + r) baseline`` under a relative limit ``r``.
    curve : ConfidenceCurve or None
        What is known of the value, or of the difference; None without an interval.
    own : ConfidenceCurve or None
        What is known of the baseline's number by itself.
    reason : str or None
        Why something is missing.
    missing : bool
        Whether a number is not in a report at all; False where the data cannot support it.
    """

    value: float | None = None
    baseline: float | None = None
    difference: float | None = None
    curve: ConfidenceCurve | None = None
    own: ConfidenceCurve | None = None
    reason: str | None = None
    missing: bool = False
