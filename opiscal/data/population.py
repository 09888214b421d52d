"""The open-world population behind a simulated set: its law of classes and its true curves.

A class is a von Mises-Fisher law on the unit sphere. Its centre is uniform on the sphere; the
log of its concentration is normal with standard deviation `spread`, cut at 2.5 of them.

What "true" means. The population has endlessly many classes, so a negative pair joins two
independent uniform directions: the specificity is a closed form and the same for every class.
A file holds finitely many centres, and the specificity that is *counted* in it scatters around
the true one, class by class, the more so the fewer classes and dimensions there are.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, interpolate, special

from opiscal.data.von_mises_fisher import (
    concentration_at,
    distance_at_far,
    negative_acceptance,
    pair_acceptance,
)

Floats = NDArray[np.float64]

RANGE_FAR = (0.01, 0.1)
"""FAR at the two ends of the calibration range; the default of ``--range``."""

BASE_SENSITIVITY = 0.9
"""Share of the positive pairs of a class of base concentration accepted where FAR is 1 %.

The difficulty is fixed, not the concentration: at one fixed mean resultant length of 0.72 the
rows of 128 dimensions would never be confused, whatever the spread, and those of 2 always.
"""

CUT = 2.5
"""Log concentrations lie within this many standard deviations of the base."""

EPSILON = 0.1
"""Share of worst classes in the epsilon-OPIS."""

_RANGE_THRESHOLDS = 257
_NODES = 256
_TABLE_ERROR = 1e-5
_CLASSES_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class TrueFigures:
    """What an evaluation without sampling noise would report.

    Attributes
    ----------
    opis : float
        Mean over the default range of the variance over classes of the utility.
    epsilon_opis : float
        The 10%-OPIS: worst tenth of the classes against the others, ranked once.
    mean_utility : float
        Mean of the utility over classes and range.
    frr : float64 array of shape (thresholds,)
        Pooled FRR: over the population the mean over classes (sizes do not depend on the
        concentration), over drawn classes weighted by their positive pairs.
    how : str
        Where the numbers come from, in words.
    """

    opis: float
    epsilon_opis: float
    mean_utility: float
    frr: Floats
    how: str


@dataclass(frozen=True, slots=True)
class Population:
    """The law that classes are drawn from, and its curves over a fixed set of thresholds.

    Attributes
    ----------
    dimensions : int
    spread : float
        Standard deviation of the log concentration, before the cut.
    base_concentration : float
        Median of the concentrations, from `BASE_SENSITIVITY`.
    thresholds : float64 array of shape (thresholds,)
        Unit L2 distances, rising from 0 to 2; 257 evenly spaced ones in the range, ends included.
    far : float64 array of shape (thresholds,)
        True FAR, the same for every class.
    range_distance : (float, float)
        The calibration range: where FAR is 0.01 and 0.1.
    table : SensitivityTable
    """

    dimensions: int
    spread: float
    base_concentration: float
    thresholds: Floats
    far: Floats
    range_distance: tuple[float, float]
    table: "SensitivityTable"

    def draw_concentrations(self, classes: int, generator: np.random.Generator) -> Floats:
        """Draw the concentrations of `classes` classes, shape (classes,)."""
        low, high = special.ndtr([-CUT, CUT])
        deviations = special.ndtri(generator.uniform(low, high, classes))
        return self._concentration(np.clip(deviations, -CUT, CUT))

    def sensitivity(self, concentrations: Floats) -> Floats:
        """True sensitivity of classes, shape (classes, thresholds); error below 1e-5."""
        return self.table(concentrations)

    def figures(self) -> TrueFigures:
        """The population's OPIS, 10%-OPIS, mean utility and FRR, by Gauss-Legendre quadrature."""
        # Cut at the epsilon quantile, so that the worst classes are the nodes of one panel:
        # the utility rises with the concentration, so low concentrations are the worst.
        floor, ceiling = special.ndtr([-CUT, CUT])
        edge = float(special.ndtri(floor + EPSILON * (ceiling - floor)))
        nodes, weights = special.roots_legendre(_NODES)
        deviations, probabilities = [], []
        for low, high in ((-CUT, edge), (edge, CUT)):
            panel = (low + high) / 2 + (high - low) / 2 * nodes
            deviations.append(panel)
            probabilities.append(weights * (high - low) * np.exp(-panel * panel / 2))
        probability = np.concatenate(probabilities)
        probability /= probability.sum()
        worst = np.arange(probability.size) < _NODES
        sensitivity = self.sensitivity(self._concentration(np.concatenate(deviations)))
        utility = self._utility(sensitivity)
        mean = probability @ utility
        others_mean = probability[~worst] @ utility[~worst] / probability[~worst].sum()
        worst_mean = probability[worst] @ utility[worst] / probability[worst].sum()
        return TrueFigures(
            opis=self._range_mean(probability @ (utility - mean) ** 2),
            epsilon_opis=self._range_mean((worst_mean - others_mean) ** 2),
            mean_utility=self._range_mean(mean),
            frr=1 - probability @ sensitivity,
            how=(
                "integral over the population's law of concentrations, specificity of uniform "
                "centres; the set's own OPIS carries the noise of finitely many rows and classes"
            ),
        )

    def figures_of(self, concentrations: Floats, rows: NDArray[np.int64]) -> TrueFigures:
        """The same figures for the drawn classes, each with its true curve.

        Parameters
        ----------
        concentrations : float64 array of shape (classes,)
        rows : int64 array of shape (classes,)
            Rows of each class, at least 2; they weigh the pooled FRR by positive pairs.
        """
        classes = concentrations.size
        worst_classes = max(1, math.ceil(EPSILON * classes - 1e-9))
        worst = np.zeros(classes, dtype=bool)
        worst[np.argsort(concentrations, kind="stable")[:worst_classes]] = True
        pairs = rows * (rows - 1) / 2
        # Deviations from a curve near the mean, so that equal classes leave exactly no variance.
        anchor = self._utility(self.sensitivity(concentrations[:1]))[0]
        total, squares, worst_total = (np.zeros_like(anchor) for _ in range(3))
        frr = np.zeros_like(self.thresholds)
        for start in range(0, classes, _CLASSES_AT_ONCE):
            block = slice(start, start + _CLASSES_AT_ONCE)
            sensitivity = self.sensitivity(concentrations[block])
            deviation = self._utility(sensitivity) - anchor
            total += deviation.sum(axis=0)
            squares += (deviation**2).sum(axis=0)
            worst_total += deviation[worst[block]].sum(axis=0)
            frr += pairs[block] @ (1 - sensitivity)
        variance = np.maximum(squares / classes - (total / classes) ** 2, 0.0)
        others_mean = (total - worst_total) / (classes - worst_classes)
        return TrueFigures(
            opis=self._range_mean(variance),
            epsilon_opis=self._range_mean((worst_total / worst_classes - others_mean) ** 2),
            mean_utility=self._range_mean(anchor + total / classes),
            frr=frr / pairs.sum(),
            how="the drawn classes with their true curves: free of the noise of finitely many rows",
        )

    def _concentration(self, deviations: Floats) -> Floats:
        concentrations: Floats = self.base_concentration * np.exp(self.spread * deviations)
        return concentrations

    def _in_range(self) -> NDArray[np.bool_]:
        low, high = self.range_distance
        inside: NDArray[np.bool_] = (self.thresholds >= low) & (self.thresholds <= high)
        return inside

    def _utility(self, sensitivity: Floats) -> Floats:
        # The F-score of the measures, restated: this floor lies below them. Specificity is at
        # least 0.9 inside the range, so nothing is divided by 0.
        inside = self._in_range()
        sensitivity, specificity = sensitivity[:, inside], 1 - self.far[inside]
        utility: Floats = 2 * sensitivity * specificity / (sensitivity + specificity)
        return utility

    def _range_mean(self, values: Floats) -> float:
        distance = self.thresholds[self._in_range()]
        low, high = self.range_distance
        return float(integrate.simpson(values, x=distance)) / (high - low)


@dataclass(frozen=True, slots=True)
class SensitivityTable:
    """Sensitivity curves on a grid of concentrations, with a cubic spline in their log.

    Attributes
    ----------
    log_concentration : float64 array of shape (knots,)
    values : float64 array of shape (knots, thresholds)
    spline : scipy CubicSpline, or None where all classes are alike
    """

    log_concentration: Floats
    values: Floats
    spline: interpolate.CubicSpline | None

    def __call__(self, concentrations: Floats) -> Floats:
        """Curves at the given concentrations, shape (classes, thresholds)."""
        if self.spline is None:
            return np.repeat(self.values, concentrations.size, axis=0)
        asked = np.clip(
            np.log(concentrations), self.log_concentration[0], self.log_concentration[-1]
        )
        curves: Floats = np.clip(self.spline(asked), 0.0, 1.0)
        return curves


def open_world(dimensions: int, spread: float) -> Population:
    """Build the population of a dimension and a spread, its curves tabulated.

    Parameters
    ----------
    dimensions : int
        `D >= 2`.
    spread : float
        Standard deviation of the log concentration, 0 to 5.

    Returns
    -------
    Population

    Examples
    --------
    >>> open_world(16, 0.0).figures().opis < 1e-12
    True
    """
    low, high = (float(d) for d in distance_at_far(np.array(RANGE_FAR), dimensions))
    thresholds = _thresholds(low, high, dimensions)
    base = concentration_at(BASE_SENSITIVITY, low, dimensions)
    return Population(
        dimensions=dimensions,
        spread=spread,
        base_concentration=base,
        thresholds=thresholds,
        far=negative_acceptance(thresholds, dimensions),
        range_distance=(low, high),
        table=_tabulate(math.log(base), CUT * spread, thresholds, dimensions),
    )


def _thresholds(low: float, high: float, dimensions: int) -> Floats:
    """Dense in the range; outside it by FAR, where negatives live, and by distance elsewhere."""
    by_far = distance_at_far(
        np.concatenate([np.geomspace(1e-8, 1e-2, 49), np.linspace(0.1, 1.0, 65)]), dimensions
    )
    outside = np.concatenate([np.linspace(0.0, 2.0, 129), by_far])
    outside = outside[(outside < low) | (outside > high)]
    return np.unique(np.concatenate([outside, np.linspace(low, high, _RANGE_THRESHOLDS)]))


def _tabulate(middle: float, reach: float, thresholds: Floats, dimensions: int) -> SensitivityTable:
    """Halve the steps until the spline hits the curves half-way between its knots."""

    def curves(log_concentrations: Floats) -> Floats:
        return np.array(
            [pair_acceptance(math.exp(x), thresholds, dimensions) for x in log_concentrations]
        )

    if reach == 0:
        knots = np.array([middle])
        return SensitivityTable(knots, curves(knots), None)
    knots = np.linspace(middle - reach, middle + reach, 33)
    values = curves(knots)
    for _ in range(8):
        between = (knots[:-1] + knots[1:]) / 2
        fresh = curves(between)
        error = np.abs(interpolate.CubicSpline(knots, values)(between) - fresh).max()
        order = np.argsort(np.concatenate([knots, between]), kind="stable")
        knots = np.concatenate([knots, between])[order]
        values = np.concatenate([values, fresh])[order]
        if error < _TABLE_ERROR:
            break
    return SensitivityTable(knots, values, interpolate.CubicSpline(knots, values))
