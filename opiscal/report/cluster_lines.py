"""What ``opiscal inspect --workers`` found, as lines and as plain values."""

from typing import Any

from opiscal.engines.cluster_estimate import ClusterEstimate
from opiscal.engines.cluster_plan import ClusterPlan
from opiscal.report.number_text import size_text, span_text, time_text


def cluster_dict(cluster: ClusterEstimate) -> dict[str, Any]:
    """The part of the document of ``opiscal inspect --json`` that is of workers."""
    return {
        "workers": cluster.workers,
        "pairs_per_second": cluster.rates.pairs,
        "bytes_per_second": cluster.rates.bytes,
        "exact_seconds": cluster.exact_seconds,
        "sample_columns": cluster.columns,
        "sample_seconds": cluster.sample_seconds,
        "rows_for_sampling": cluster.rows_for_sampling,
        "most_exact_rows": cluster.most_exact_rows,
        "plan": None if cluster.plan is None else _plan_dict(cluster.plan),
    }


def _plan_dict(plan: ClusterPlan) -> dict[str, Any]:
    return {
        "worker_memory": plan.memory,
        "rows": plan.rows,
        "stretch_rows": plan.stretch_rows,
        "tasks": plan.tasks.number,
        "pairs": plan.pairs,
        "pairs_of_task": {
            "min": plan.tasks.fewest,
            "median": plan.tasks.median,
            "max": plan.tasks.most,
        },
        "bytes_read": {
            "look": plan.look_bytes,
            "workers": list(plan.worker_bytes),
            "alone": plan.alone_bytes,
            "total": plan.bytes_read,
        },
        "bytes_of_counts": plan.count_bytes,
        "seconds": {
            "look": plan.look_seconds,
            "count": plan.count_seconds,
            "alone": plan.alone_seconds,
            "total": plan.seconds,
        },
    }


def cluster_lines(cluster: ClusterEstimate) -> list[str]:
    """The same for a person, a name of 14 letters before each."""
    plan, rates = cluster.plan, cluster.rates
    by = f"{cluster.workers:,} worker{'s' if cluster.workers > 1 else ''}"
    lines = []
    if plan is None:
        lines.append(
            f"cluster       {cluster.rows:,} rows are too many blocks of pairs to plan, or to count"
        )
    else:
        lines += _plan_lines(plan, by)
    lines += [
        f"rates         one thread here counts {rates.pairs:.3g} pairs and reads "
        f"{size_text(rates.bytes)} a second; workers are taken to be as fast",
        f"time          exact: {time_text(cluster.exact_seconds)} on {by}; {_sample_text(cluster)}",
        f"sampling      is faster from {cluster.rows_for_sampling:,} rows on with {by}; beyond "
        f"{cluster.most_exact_rows:,} rows of {cluster.dimensions:,} dimensions evaluate samples "
        "unless --pairs exact is given",
    ]
    return lines


def _plan_lines(plan: ClusterPlan, by: str) -> list[str]:
    each = "" if plan.memory is None else f" with {size_text(plan.memory)} each"
    kept = f"a worker keeps all {plan.rows:,} rows"
    if plan.stretch_rows is not None:
        kept = f"a worker keeps four stretches of {plan.stretch_rows:,} of {plan.rows:,} rows"
    tasks, reads = plan.tasks, plan.worker_bytes
    alone = "" if plan.alone_bytes == 0 else f", one worker alone {size_text(plan.alone_bytes)}"
    least, most = size_text(min(reads)), size_text(max(reads))
    return [
        f"cluster       {by} of one thread{each}: {kept}",
        f"tasks         {tasks.number:,}, of {span_text(tasks.fewest, tasks.most)} pairs (median "
        f"{tasks.median:,.0f})",
        f"reads         {size_text(plan.bytes_read)} in all: {size_text(plan.look_bytes)} to look "
        f"at every row, then each worker {least if least == most else f'{least} to {most}'}{alone}",
        f"sends         counts of tasks, at most {size_text(plan.count_bytes)}; no vector",
    ]


def _sample_text(cluster: ClusterEstimate) -> str:
    if cluster.sample_seconds is None:
        return f"a sample is for more than {2 * cluster.columns:,} rows"
    took = time_text(cluster.sample_seconds)
    return f"a sample of {cluster.columns:,} random pairs a row, and near ones: {took}"
