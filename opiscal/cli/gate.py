"""``opiscal gate``: may this model be released?"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opiscal.cli import options
from opiscal.cli.console import (
    errors_as_exit_codes,
    print_commands,
    print_json,
    print_lines,
    say,
    terminal_width,
)
from opiscal.cli.source import DEFAULT_RUN, report_of

if TYPE_CHECKING:
    from opiscal.data.storage import Place
    from opiscal.gate.policy import Policy
    from opiscal.report.record import Report

POLICY_FILE = "gate.toml"


def gate(
    candidate: Annotated[
        str | None,
        typer.Argument(
            metavar="[CANDIDATE]",
            help="A run folder, its report.json, or data to evaluate first, with the settings of "
            "the baseline. [default: ./opiscal-run]",
            show_default=False,
            parser=options.named,
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="FILE",
            parser=options.named,
            help="Rules, as TOML or in a pyproject.toml. [default: the table tool.opiscal.gate of "
            "./pyproject.toml, else a built-in policy, which is printed]",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="RUN",
            parser=options.named,
            help="The run to compare with: a folder, or its report.json with pairs.npz beside it.",
            show_default=False,
        ),
    ] = None,
    far: Annotated[
        float | None,
        typer.Option(
            "--far",
            help="The stated FAR of the built-in policy. [default: what the run was recommended "
            "for, or the lower end of its calibration range]",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold",
            metavar="SCALE=VALUE",
            help="The shipped threshold, of the built-in policy: similarity=0.72, distance=, "
            "cosine-distance=, squared-l2= or @threshold.json. [default: the recommended one]",
            show_default=False,
        ),
    ] = None,
    inconclusive: Annotated[
        str | None,
        typer.Option(
            "--inconclusive",
            metavar="fail|pass",
            help="Take an inconclusive verdict as failed (exit code 1) or passed (0). [default: "
            "exit code 3]",
            show_default=False,
        ),
    ] = None,
    report_only: Annotated[
        bool,
        typer.Option(
            "--report-only",
            help="Exit code 0 whatever the verdict; input that cannot be read is still 2.",
        ),
    ] = False,
    init: Annotated[
        bool,
        typer.Option(
            "--init",
            help="Write a commented policy fitted to the run, to gate.toml or where --policy says.",
        ),
    ] = False,
    junit: Annotated[
        str | None,
        typer.Option(
            "--junit",
            metavar="FILE",
            help="Write JUnit XML: a rule is a test case.",
            parser=options.named,
        ),
    ] = None,
    markdown: Annotated[
        str | None,
        typer.Option(
            "--markdown", metavar="FILE", help="Write a Markdown table.", parser=options.named
        ),
    ] = None,
    openmetrics: Annotated[
        str | None,
        typer.Option(
            "--openmetrics",
            metavar="FILE",
            help="Write OpenMetrics text, for GitLab.",
            parser=options.named,
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            metavar="FILE",
            help="Write a flat metrics.json, for DVC.",
            parser=options.named,
        ),
    ] = None,
    allow_mismatch: Annotated[
        bool,
        typer.Option(
            "--allow-mismatch",
            help="Compare runs that differ in what only weakens a comparison: classes, rows, "
            "metric, sampled pairs.",
        ),
    ] = False,
    embedding_column: options.EmbeddingColumn = None,
    label_column: options.LabelColumn = "label",
    threads: options.Threads = None,
    seed: options.Seed = 0,
    json_: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Judge a model by rules over any number of its report.

    A rule fails only where the data show that it is broken, and passes only
    where they show that it is kept; else it is inconclusive.
    Column and thread options are for data; a run has its own.

    Exit codes: 0 pass, 1 fail, 2 wrong usage or unreadable input, 3 inconclusive.

    Example: opiscal gate run-new --baseline run-old --junit gate.xml
    """
    with errors_as_exit_codes(debug):
        from opiscal.cli.threshold_value import distance_of
        from opiscal.data.embedding_set import ColumnNames
        from opiscal.data.storage import name_of, place_of
        from opiscal.data.url import is_url
        from opiscal.errors import UsageError
        from opiscal.gate.gate import BUILT_IN, exit_code, gate_reports, inconclusive_as
        from opiscal.gate.gate_files import junit_xml, metrics_json, openmetrics_text
        from opiscal.gate.gate_lines import gate_lines, markdown_lines
        from opiscal.gate.policy import read_policy
        from opiscal.gate.validation import project_policy, run_folder_of
        from opiscal.gate.workflow import annotation_lines, in_workflow
        from opiscal.report.run import load
        from opiscal.report.settings import EvaluateConfig
        from opiscal.report.whole_file import write_whole

        taken = inconclusive_as(inconclusive)
        if far is not None and not 0.0 < far < 1.0:
            raise UsageError(f"--far {far:g}: must be above 0 and below 1, such as 1e-3")
        given = None if policy is None else place_of(policy)
        place = given if given is not None or init else project_policy()
        rules = None if place is None or init else read_policy(place)
        if rules is not None and (far is not None or threshold is not None):
            option = "--far" if far is not None else "--threshold"
            raise UsageError(
                f"{option} is of the built-in policy, and {str(place)!r} has rules of its own; say "
                "it there, or leave it out"
            )
        before = None if baseline is None else load(name_of(run_folder_of(place_of(baseline))))
        config = EvaluateConfig(seed=seed) if before is None else before.settings
        name = DEFAULT_RUN if candidate is None else candidate
        report = report_of(
            [name_of(run_folder_of(place_of(name)))],
            ColumnNames(embedding_column, label_column),
            replace(config, threads=threads),
            quiet,
        )
        if threshold is not None and threshold.startswith("@") and is_url(threshold[1:]):
            # Rules are shown and written down, and its URL may hold a secret.
            threshold = f"distance={distance_of(threshold, report.metric, '--threshold')!r}"
        if init:
            _write_policy(given or Path(POLICY_FILE), report, before, name, far, threshold)
            return
        found = gate_reports(
            report,
            before,
            rules,
            names=(name, str(baseline)),
            policy_source=BUILT_IN if place is None else str(place),
            far=far,
            threshold=threshold,
            allow_mismatch=allow_mismatch,
            seed=seed,
        )
        code = exit_code(found.verdict, taken, report_only=report_only)
        text = "\n".join(markdown_lines(found)) + "\n"
        for file, data in (
            (junit, junit_xml(found, taken)),
            (markdown, text.encode("utf-8", "backslashreplace")),
            (openmetrics, openmetrics_text(found)),
            (metrics, metrics_json(found)),
        ):
            if file is not None:
                write_whole(place_of(file), data)
        if not quiet:
            for mismatch in found.mismatches:
                say(
                    f"warning: the runs differ in {mismatch.key}: {mismatch.baseline} and "
                    f"{mismatch.candidate} [mismatch]"
                )
        _summarise(text)
        if json_:
            print_json({**found.to_dict(), "exit_code": code})
        else:
            print_lines(gate_lines(found, terminal_width()))
        if in_workflow():
            lines = annotation_lines(found, taken, report_only=report_only)
            print_commands(lines, to_stderr=json_)
        raise typer.Exit(code)


def _write_policy(
    file: "Place",
    report: "Report",
    baseline: "Report | None",
    name: str,
    far: float | None,
    threshold: str | None,
) -> None:
    from opiscal.data.storage import is_there
    from opiscal.errors import UsageError
    from opiscal.gate.usual_policy import policy_text, usual_policy
    from opiscal.report.layout import clean
    from opiscal.report.whole_file import write_whole

    if is_there(file):
        raise UsageError(
            f"--init: {str(file)!r} is there already, and is not overwritten; give another place "
            "with --policy, or remove it first"
        )
    # The rules of a comparison too: a policy is written before there is a baseline.
    rules: Policy = usual_policy(report, baseline or report, far=far, threshold=threshold)
    write_whole(file, policy_text(rules, report, name).encode("utf-8", "backslashreplace"))
    print_lines([f"written to {clean(str(file))}: {len(rules.rules)} rules; edit and keep it"])


def _summarise(text: str) -> None:
    from opiscal.gate.workflow import append_summary, summary_file

    file = summary_file()
    if file is None:
        return
    try:
        append_summary(text, file)
    except OSError as error:
        say(f"warning: the step summary {str(file)!r} cannot be written ({error.strerror})")
