"""What ``opiscal inspect`` and ``opiscal simulate`` found, as lines and as plain values."""

from typing import Any

from opiscal.data.embedding_set import Label
from opiscal.data.profile import DataProfile
from opiscal.data.simulate import SimulationResult
from opiscal.engines.cluster_estimate import ClusterEstimate
from opiscal.pairs.cost import Cost
from opiscal.pairs.pair_settings import PairSettings
from opiscal.pairs.plan import PairPlan, plan_pairs
from opiscal.report.cluster_lines import cluster_dict, cluster_lines
from opiscal.report.layout import clean, cut, fit
from opiscal.report.number_text import size_text, span_text, time_text

_NAME = 14
_LABEL = 24


def inspection_dict(
    profile: DataProfile, cost: Cost, cluster: ClusterEstimate | None = None
) -> dict[str, Any]:
    """The document of ``opiscal inspect --json``."""
    estimate = {"seconds": cost.seconds, "bytes": cost.bytes, "threads": cost.threads}
    plan = _plan(profile)
    pairs = {"mode": plan.mode, "reason": plan.reason}
    return profile.to_dict() | {
        "exact_evaluation": estimate,
        "pairs_of_evaluate": pairs,
        "cluster": None if cluster is None else cluster_dict(cluster),
    }


def _plan(profile: DataProfile) -> PairPlan:
    return plan_pairs(PairSettings(), profile.rows_used, profile.dimensions)


def inspection_lines(
    profile: DataProfile, cost: Cost, width: int = 80, cluster: ClusterEstimate | None = None
) -> list[str]:
    """The answer of ``opiscal inspect`` for a person; no line is wider than `width`, nor than 100.

    What goes on to a second line stands under the first.
    """
    width = min(width, 100)
    indent = " " * _NAME
    out = []
    found = _inspection_lines(profile, cost)
    for line in found if cluster is None else found + cluster_lines(cluster):
        name, rest = line[:_NAME], line[_NAME:]
        pieces = fit(rest.lstrip(), width - _NAME)
        heads = [name] + [indent] * (len(pieces) - 1)
        out += [head + piece.strip() for head, piece in zip(heads, pieces, strict=True)]
    return out


def _inspection_lines(profile: DataProfile, cost: Cost) -> list[str]:
    size, norms, same = profile.class_size, profile.norms, profile.duplicates
    dropped = profile.dropped
    lines = [
        f"rows          {profile.rows_read:,} read, {profile.rows_used:,} used",
        f"dimensions    {profile.dimensions:,}",
        f"classes       {profile.classes:,}, of {span_text(size.min, size.max)} rows (median "
        f"{size.median:g}); {profile.classes_scored:,} of two rows or more are scored, "
        f"{profile.classes_singleton:,} are single rows",
    ]
    reasons = {
        "no label": dropped.null_label,
        "no vector": dropped.null_embedding,
        "NaN or infinity": dropped.non_finite,
        "zero length": dropped.zero_norm,
        "alone in its class": dropped.singleton,
    }
    said = [f"{count:,} {reason}" for reason, count in reasons.items() if count]
    lines.append(f"left out      {', '.join(said) if said else 'none'}")
    if profile.distractors:
        lines.append(f"distractors   {profile.distractors:,} (negatives for every class)")
    lines.append(
        f"normalised    {'yes' if norms.unit_share == 1 else 'no'}: {100 * norms.unit_share:.4g} % "
        f"of rows have length 1; lengths {norms.min:.6g} to {norms.max:.6g}, median "
        f"{norms.median:.6g}"
    )
    lines.append(
        f"duplicates    {same.rows:,} rows repeat an earlier vector; "
        f"{same.groups_across_classes:,} vectors stand in several classes"
    )
    lines += [
        f"{'':<{_NAME}}row {item.row} ({_short(item.label)}) = row {item.other_row} "
        f"({_short(item.other_label)})"
        for item in same.examples
    ]
    lines.append(f"memory        {_memory(profile)}")
    lines += [
        f"pairs         {profile.positive_pairs:,} positive, {profile.negative_pairs:,} negative",
        f"exact run     about {time_text(cost.seconds)} and {size_text(cost.bytes)} on this "
        f"machine with {cost.threads} thread{'s' if cost.threads > 1 else ''}",
    ]
    plan = _plan(profile)
    if plan.mode == "sampled":
        lines.append(f"evaluate      counts a sample of them: {plan.reason}; or --pairs exact")
    return lines


def _memory(profile: DataProfile) -> str:
    need, sample = profile.memory, profile.sample
    if need.limit is None:
        return f"all rows take {size_text(need.bytes)}"
    fits = f"all rows take {size_text(need.bytes)} of {size_text(need.limit)}"
    if sample is None:
        return f"{fits}: evaluate uses all"
    return (
        f"{fits}, more than half: evaluate uses {profile.rows_used:,} of them, whole classes, and "
        f"what stands here is of those {profile.classes:,} of {sample.classes_read:,} classes; "
        "--half holds twice as many"
    )


def simulation_dict(result: SimulationResult) -> dict[str, Any]:
    """The document of ``opiscal simulate --json``."""
    config = result.config
    return {
        "path": str(result.path),
        "truth_path": str(result.truth_path),
        "rows": config.rows,
        "dimensions": config.dimensions,
        "classes": config.classes,
        "spread": config.spread,
        "seed": config.seed,
        "class_size": {"min": result.smallest_class, "max": result.largest_class},
        "population": _figures(result.population),
        "drawn": _figures(result.drawn),
    }


def simulation_lines(result: SimulationResult) -> list[str]:
    """The answer of ``opiscal simulate`` for a person."""
    config = result.config
    return [
        f"{config.rows:,} rows of {config.dimensions} dimensions in {config.classes:,} classes of "
        f"{span_text(result.smallest_class, result.largest_class)} rows: {clean(str(result.path))}",
        f"true curves: {clean(str(result.truth_path))}",
        f"true OPIS over FAR 0.01 to 0.1: {result.population.opis:.6f} of the population, "
        f"{result.drawn.opis:.6f} of the drawn classes",
    ]


def _short(label: Label | None) -> str:
    """A label that fits twice into a line; a distractor has none."""
    return "distractor" if label is None else cut(clean(label), _LABEL).rstrip()


def _figures(figures: Any) -> dict[str, Any]:
    return {
        "opis": figures.opis,
        "epsilon_opis": figures.epsilon_opis,
        "mean_utility": figures.mean_utility,
        "how": figures.how,
    }
