"""Models by two things at once: how often they err, and how unlike their classes are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from opiscal.errors import UsageError
from opiscal.measures.rates import Floats
from opiscal.measures.recall_confidence import RecallScatter
from opiscal.report.captions import consistency_title, label_text
from opiscal.report.displays.display import Display, legend_below, tidy
from opiscal.report.displays.look import Look, ink, palette
from opiscal.report.percents import percent
from opiscal.report.record import Report

_LABEL = 24
_ERRORS = {"eer": "equal error rate", "recall": "1 - Recall@1"}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ConsistencyDisplay(Display):
    """OPIS against recognition error, a point a model; nearer to the corner is better.

    Attributes
    ----------
    names : tuple of str, length M
        Safe to print, and cut.
    error, opis : float64 arrays of shape (M,)
        The lower the better, both.
    error_ci, opis_ci : float64 arrays of shape (2, M)
        Intervals; NaN where there are none.
    error_name : str
        What `error` is: the equal error rate, 1 - Recall@1, or FRR at a FAR.
    corrected : bool
        Whether `opis` is less its noise: where every model has that.
    arrows : tuple of (int, int)
        From which model to which an arrow is drawn.
    front : int64 array
        The models that no other one beats in both, by rising error.
    """

    kind: ClassVar[str] = "accuracy-against-consistency"
    names: tuple[str, ...]
    error: Floats
    error_ci: Floats
    opis: Floats
    opis_ci: Floats
    error_name: str
    corrected: bool
    arrows: tuple[tuple[int, int], ...]
    front: NDArray[np.int64]

    @classmethod
    def from_reports(
        cls,
        reports: Sequence[Report],
        names: Sequence[str],
        *,
        error: str = "eer",
        pairs: Sequence[tuple[str, str]] = (),
    ) -> Self:
        """Place models by their error and their OPIS.

        Parameters
        ----------
        reports : sequence of Report
        names : sequence of str, as long
        error : str
            ``eer``, ``recall`` (1 - Recall@1) or ``far=x`` (FRR at that FAR).
        pairs : sequence of (str, str)
            Names of a baseline and of what became of it, which an arrow joins.

        Raises
        ------
        UsageError
            For an error that is not known or that a model does not have, or a name that no model
            has.
        """
        told, values = _errors(reports, names, error)
        corrected = all(report.opis.corrected is not None for report in reports)
        opis = [_value(report, corrected) for report in reports]
        between = [report.opis.corrected_ci if corrected else report.opis.ci for report in reports]
        known = list(names)
        for pair in pairs:
            for name in pair:
                if name not in known:
                    raise UsageError(
                        f"pair {':'.join(pair)!r}: no model is called {name!r}; they are "
                        f"{', '.join(map(repr, known))}"
                    )
        found = np.array([value for value, _ in values])
        return cls(
            names=tuple(label_text(name, _LABEL) for name in without_folder(names)),
            error=found,
            error_ci=_ends([ends for _, ends in values]),
            opis=np.array(opis, dtype=np.float64),
            opis_ci=_ends(between),
            error_name=told,
            corrected=corrected,
            arrows=tuple((known.index(a), known.index(b)) for a, b in pairs),
            front=pareto_front(found, np.array(opis, dtype=np.float64)),
        )

    @property
    def title(self) -> str:
        """Which model has the lowest of both, or that there is a choice."""
        return consistency_title([self.names[k] for k in self.front], len(self.names))

    @property
    def headline(self) -> tuple[str, str]:
        """The lowest OPIS."""
        return "Lowest OPIS", f"{self.opis.min():.4f}"

    @property
    def description(self) -> str:
        """What is drawn."""
        said = "; ".join(
            f"{name}: {self.error_name} {percent(error)}, OPIS {opis:.4g}"
            for name, error, opis in zip(self.names, self.error, self.opis, strict=True)
        )
        return f"OPIS against {self.error_name}, the lower the better. {said}."

    def draw(self, ax: Axes, look: Look) -> None:
        """Points with their intervals and names, arrows, and the front as steps."""
        colours = palette()
        if self.front.size > 1:
            ax.step(
                self.error[self.front], self.opis[self.front], where="post", color=colours.grey,
                linewidth=1.0, linestyle="--", zorder=1, label="no model is better in both",
            )  # fmt: skip
        for ends, along in ((self.error_ci, "x"), (self.opis_ci, "y")):
            for k in np.flatnonzero(np.isfinite(ends).all(axis=0)).tolist():
                at = ([self.opis[k]] * 2, [self.error[k]] * 2)
                line = (ends[:, k], at[0]) if along == "x" else (at[1], ends[:, k])
                ax.plot(*line, color=look.first.colour, linewidth=0.8, alpha=0.7, zorder=2)
        for start, end in self.arrows:
            ax.annotate(
                "", (self.error[end], self.opis[end]), (self.error[start], self.opis[start]),
                arrowprops={"arrowstyle": "->", "color": ink(), "shrinkA": 4, "shrinkB": 4},
                zorder=3,
            )  # fmt: skip
        on_front = np.isin(np.arange(self.error.size), self.front)
        for those, marker, pen in ((on_front, "o", look.first), (~on_front, "s", look.second)):
            ax.plot(
                self.error[those], self.opis[those], marker, markersize=5, zorder=4,
                color=pen.colour,
            )  # fmt: skip
        for k, name in enumerate(self.names):
            below = self._crowded_from_above(k)
            ax.annotate(
                name, (self.error[k], self.opis[k]), xytext=(5, -12 if below else 5),
                textcoords="offset points", fontsize="small", parse_math=False, zorder=5,
            )  # fmt: skip

    def finish(self, ax: Axes, other: Self | None = None) -> None:
        """Both axes from below every interval."""
        across, up = self._limits()
        ax.set_xlim(across)
        ax.set_ylim(up)
        ax.set_xlabel(f"recognition error: {self.error_name}")
        ax.xaxis.set_major_formatter(lambda rate, _: percent(rate))
        ax.set_ylabel("OPIS without noise" if self.corrected else "OPIS")
        ax.ticklabel_format(axis="y", style="plain")
        tidy(ax)
        ax.grid(linewidth=0.4, alpha=0.5)
        if self.front.size > 1:
            legend_below(ax)

    def _limits(self) -> list[tuple[float, float]]:
        """Ends of both axes, beyond every interval."""
        out = []
        for ends, values in ((self.error_ci, self.error), (self.opis_ci, self.opis)):
            every = np.concatenate([ends[np.isfinite(ends)], values])
            low, high = float(every.min()), float(every.max())
            margin = 0.12 * (high - low) or max(0.1 * abs(high), 1e-6)
            out.append((low - margin, high + 1.5 * margin))
        return out

    def _crowded_from_above(self, k: int) -> bool:
        """Whether the name of another model would stand where this one's does."""
        # As they are drawn: where intervals are wide points lie close together.
        across, up = (high - low for low, high in self._limits())
        dx, dy = (self.error - self.error[k]) / across, (self.opis - self.opis[k]) / up
        near = (np.abs(dx) < 0.3) & (dy >= 0) & (dy < 0.12)
        near[k] = False
        # Of two at one place the first is above.
        return bool(near[dy > 0].any() or near[:k].any())


def without_folder(names: Sequence[str]) -> list[str]:
    """Names of files and runs without the folder that all of them are in; others as they are.

    Examples
    --------
    >>> without_folder(["runs/old", "runs/new"]), without_folder(["runs/old", "new"])
    (['old', 'new'], ['runs/old', 'new'])
    """
    folders = {name.rpartition("/")[0] for name in names}
    return [name.rpartition("/")[2] if len(folders) == 1 else name for name in names]


def pareto_front(error: Floats, opis: Floats) -> NDArray[np.int64]:
    """The models that no other one beats in both, by rising error.

    One as good in one and better in the other beats; of two that are equal in both each stays.

    Examples
    --------
    >>> pareto_front(np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.1, 0.4])).tolist()
    [0, 1]
    """
    beaten = [
        bool(
            np.any(
                (error <= error[k]) & (opis <= opis[k]) & ((error < error[k]) | (opis < opis[k]))
            )
        )
        for k in range(error.size)
    ]
    kept = np.flatnonzero(~np.array(beaten, dtype=bool))
    return kept[np.lexsort((opis[kept], error[kept]))]


def _errors(
    reports: Sequence[Report], names: Sequence[str], error: str
) -> tuple[str, list[tuple[float, tuple[float, float] | None]]]:
    kind, _, target = error.partition("=")
    values: list[tuple[float, tuple[float, float] | None]] = []
    told = _ERRORS.get(error, f"FRR at FAR {target}")
    for report, name in zip(reports, names, strict=True):
        if error == "eer":
            low, high = report.verification.eer
            values.append((0.5 * (low + high), report.verification.eer_ci))
        elif error == "recall":
            if report.retrieval is None:
                raise UsageError(
                    f"error 'recall': {name!r} has no Recall@1; evaluate it without "
                    "--no-retrieval, or take eer"
                )
            ends = None
            if report.counts.nearest is not None:
                curve = RecallScatter.of(report.counts.nearest).curve()
                low, high = curve.interval(report.confidence)
                ends = 1.0 - high, 1.0 - low
            values.append((1.0 - report.retrieval.recall_at["1"], ends))
        else:
            point = report.threshold(far=_rate(kind, target, error))
            if point.frr is None:
                raise UsageError(
                    f"error {error!r}: the data of {name!r} cannot support that FAR; take a "
                    "higher one, or eer"
                )
            values.append((point.frr, point.frr_ci))
    return told, values


def _rate(kind: str, target: str, error: str) -> float:
    try:
        if kind == "far":
            return float(target)
    except ValueError:
        pass
    raise UsageError(f"error {error!r}: must be eer, recall or far=x, such as far=1e-3")


def _value(report: Report, corrected: bool) -> float:
    found = report.opis.corrected if corrected else None
    return report.opis.value if found is None else found


def _ends(intervals: Sequence[tuple[float, float] | None]) -> Floats:
    return np.array([(np.nan, np.nan) if ends is None else ends for ends in intervals]).T
