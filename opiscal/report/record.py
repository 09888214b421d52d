"""Report: everything an evaluation found, as one record."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opiscal.data.embedding_set import (
    Label,
    Metric,
)
from opiscal.data.storage import Place, place_of
from opiscal.measures.operating_points import OperatingPoint
from opiscal.pairs.counts import PairCounts
from opiscal.report.findings import (
    Data,
    Differential,
    EpsilonOpis,
    IntervalMethod,
    Notice,
    Opis,
    Pairs,
    Provenance,
    RangeFound,
    Retrieval,
    SplitRate,
    UtilityFound,
    Verification,
)
from opiscal.report.plain import plain
from opiscal.report.rounding import round_down, round_up
from opiscal.report.settings import EvaluateConfig

if TYPE_CHECKING:
    from opiscal.report.displays.display import Display
    from opiscal.report.margins import Margins

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation found.

    Fields are those of ``report.json``; `settings` is what was asked for, and `counts` holds the
    pair counts from which further questions are answered.
    """

    schema_version: int
    provenance: Provenance
    settings: EvaluateConfig
    data: Data
    pairs: Pairs
    metric: Metric
    calibration_range: RangeFound
    utility: UtilityFound
    opis: Opis
    epsilon_opis: EpsilonOpis
    recommended_threshold: OperatingPoint
    operating_points: tuple[OperatingPoint, ...]
    verification: Verification
    retrieval: Retrieval | None
    differential: Differential | None
    split: tuple[SplitRate, ...] | None
    intervals: IntervalMethod | None
    confidence: float
    warnings: tuple[Notice, ...]
    counts: PairCounts = dataclasses.field(repr=False)
    nearest_class: tuple[Label | None, ...] = dataclasses.field(repr=False)

    def threshold(
        self,
        *,
        far: float | None = None,
        frr: float | None = None,
        eer: bool = False,
        utility: bool = False,
        at: float | None = None,
        guarantee: bool = False,
        confidence: float | None = None,
        force: bool = False,
    ) -> OperatingPoint:
        """The operating point for one target, read from the counts.

        Parameters
        ----------
        far : float, in (0, 1)
            The largest threshold whose FAR is at most this.
        frr : float, in (0, 1)
            The smallest threshold whose FRR is at most this.
        eer : bool
            Where FAR and FRR are closest.
        utility : bool
            Where the class-mean utility is highest.
        at : float
            A distance that is in use already.
        guarantee : bool
            With `far`: the largest threshold whose upper bound on FAR, not its estimate, is at most
            the target.
        confidence : float, in (0.5, 1), optional
            Of the intervals and of the guarantee; that of the report by default.
        force : bool
            Give a threshold that the data do not support all the same, marked ``supported=False``.

        Returns
        -------
        OperatingPoint
            With ``supported=False`` and no numbers where the data cannot answer.

        Raises
        ------
        UsageError
            For a rate outside (0, 1), or where not exactly one target is given.
        """
        from opiscal.report.answers import answer

        return answer(
            self,
            far=far,
            frr=frr,
            eer=eer,
            utility=utility,
            at=at,
            guarantee=guarantee,
            confidence=confidence,
            force=force,
        )

    def margins(
        self,
        *,
        far: float | None = None,
        frr: float | None = None,
        m_pos: float | None = None,
        m_neg: float | None = None,
    ) -> "Margins":
        """Margins of the threshold-consistent margin (TCM) loss that fit this embedding space.

        By default the similarities at the two ends of the calibration range: positive pairs beyond
        its near end are hard, and negative pairs within its far end.

        Parameters
        ----------
        far : float, in (0, 1)
            `m_neg` is the similarity of the largest threshold whose FAR is at most this.
        frr : float, in (0, 1)
            `m_pos` is that of the smallest threshold whose FRR is at most this.
        m_pos, m_neg : float, in [-1, 1]
            Margins that are in use.

        Returns
        -------
        Margins
            With the pairs that each calls hard, the loss now, and the same of the paper's margins.

        Raises
        ------
        UsageError
            Under ``l2``, for a value that is not allowed, or where a margin is given twice.
        InconclusiveError
            Where the data cannot support the FAR.
        """
        from opiscal.report.margins import margins_of

        return margins_of(self, far=far, frr=frr, m_pos=m_pos, m_neg=m_neg)

    def display(self, kind: str) -> "Display":
        """Numbers of a figure, which ``.plot(ax=None)`` draws.

        Parameters
        ----------
        kind : str
            ``utility-curves``, ``rates``, ``distances``, ``distances-log``, ``det``, ``roc``,
            ``class-ranking``, ``class-thresholds`` or ``spread``.

        Raises
        ------
        UsageError
            For another kind.
        """
        # It loads matplotlib.
        from opiscal.report.displays.kinds import displays_of

        return next(displays_of(self, (kind,)))

    def to_dict(self) -> dict[str, Any]:
        """The document of ``report.json``: plain values, similarities up and distances down."""
        out: dict[str, Any] = plain(self)
        for name in ("counts", "nearest_class"):
            del out[name]
        found = out["calibration_range"]
        found["distance"] = [round_down(d) for d in found["distance"]]
        if found["similarity"] is not None:
            found["similarity"] = [round_up(s) for s in found["similarity"]]
        out["recommended_threshold"] = point_to_dict(self.recommended_threshold)
        out["operating_points"] = [point_to_dict(point) for point in self.operating_points]
        out["settings"] = self.settings.to_dict()
        return out

    def save(self, path: str | Path, *, plots: bool = True, slim: bool = False) -> Place:
        """Write the run folder, whole or not at all; an older run there is replaced.

        Parameters
        ----------
        path : str or Path
            On this machine, or a URL that pyarrow knows.
        plots : bool
            Whether figures are drawn, and the page with them is written.
        slim : bool
            Whether only what comparisons need is kept: a small run, and nothing is drawn.

        Raises
        ------
        InputError
            Where the folder cannot be written, or holds something that is not a run.
        """
        from opiscal.report.run import write_run

        return write_run(self, place_of(path), plots=plots, slim=slim)


def point_to_dict(point: OperatingPoint) -> dict[str, Any]:
    """An operating point as plain values, similarities rounded up and distances down."""
    out: dict[str, Any] = plain(point)
    for name in ("distance", "cosine_distance", "squared_l2"):
        if out[name] is not None:
            out[name] = round_down(out[name])
    if out["similarity"] is not None:
        out["similarity"] = round_up(out["similarity"])
    return out
