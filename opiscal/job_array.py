"""An evaluation by a job array: blocks are counted anywhere, and their parts merged to a report."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from opiscal.data.embedding_set import ColumnNames, EmbeddingSet
from opiscal.data.sides import JoinedSides, Sides
from opiscal.engines.array_parts import frame_of, read_parts
from opiscal.engines.block_frame import FRAME_FILE, BlockFrame, KnownSet
from opiscal.engines.block_share import BlockShare
from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.engine import CountRequest, Engine
from opiscal.engines.kept_counts import KeptCounts
from opiscal.engines.local import LocalEngine
from opiscal.engines.merged import MergedEngine
from opiscal.errors import UsageError
from opiscal.evaluation import evaluate_read, prepare_set, read_files
from opiscal.gallery_evaluation import prepare_two_sets
from opiscal.pairs.absent_rows import without_vectors
from opiscal.pairs.jobs import EvaluationJobs
from opiscal.pairs.tasks.counting import SharedOut
from opiscal.pairs.two_sets import TwoSets
from opiscal.progress import Progress, stage_of
from opiscal.report.record import Report
from opiscal.report.settings import EvaluateConfig


@dataclass(frozen=True, slots=True)
class CountedBlock:
    """A block whose counts are in a folder.

    Attributes
    ----------
    share : BlockShare
    folder : str
        Without the user and query parts of a URL.
    tasks : int
        All of the block.
    counted : int
        Those that were not there before.
    """

    share: BlockShare
    folder: str
    tasks: int
    counted: int


def count_block_files(
    paths: Sequence[str],
    columns: ColumnNames,
    config: EvaluateConfig,
    share: BlockShare,
    out: str,
    *,
    gallery: Sequence[str] = (),
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> CountedBlock:
    """Count one block of the pairs of Parquet files into a folder; as `evaluate_files`.

    Where the folder holds counts of the same block, only what is missing is counted.

    Parameters
    ----------
    paths, columns, config, gallery, progress
        As of `opiscal.evaluation.evaluate_files`; the same for all blocks.
    share : BlockShare
    out : str
        A folder or a URL.
    command : sequence of str
        Words of a command that does this, for messages of `merge_parts`.

    Raises
    ------
    UsageError
        Where the folder is that of another block, evaluation or number of blocks, or where not
        every pair would be counted.
    """
    _check_every_pair(config)
    checkpoint = Checkpoint(out)
    name = checkpoint.folder.shown
    frame = frame_of(checkpoint)
    if frame is not None and frame.share != share:
        raise UsageError(
            f"the folder {name!r} holds block {frame.share}, and this is block {share}; give every "
            "block a folder of its own"
        )
    engine = LocalEngine(config.threads)
    asked = _prepare(read_files(engine, paths, columns, config, gallery), config, engine, columns)
    request, jobs = asked.request, asked.jobs
    if jobs.whole.plan.mode == "sampled":
        raise UsageError(
            f"a sample of the pairs would be counted ({jobs.whole.plan.reason}), and in blocks "
            "every pair is; give --pairs exact, or evaluate it on one machine"
        )
    how = checkpoint.begin(request.identity, request.lattice, SharedOut(share.of), jobs.whole.plan)
    if how != SharedOut(share.of):
        raise UsageError(
            f"the counts in {name!r} are shared out for {how.shares} blocks, and this is block "
            f"{share}; give another folder"
        )
    if frame is None or frame.digest != checkpoint.digest:
        frame = _frame(asked, engine, share, checkpoint.digest, list(command))
        checkpoint.folder.write(FRAME_FILE, frame.to_bytes())
    kept = KeptCounts(checkpoint, how, engine.threads())
    stage = partial(stage_of, progress)
    counted = sum(
        kept.count_block(share, request, job, job.rows(request.whole), stage)
        for job in jobs.every
        if frame.own[job.name]
    )
    return CountedBlock(share, name, sum(map(len, frame.own.values())), counted)


def merge_parts(
    folders: Sequence[str], *, command: str = "", progress: Progress | None = None
) -> Report:
    """The report of a whole whose blocks were counted into some folders.

    It is that of `opiscal.evaluation.evaluate_files`, but for where it came from.

    Raises
    ------
    InputError, UsageError
        Where the folders are not exactly one finished part of every block of one evaluation.
    """
    started = time.perf_counter()
    parts = read_parts(folders)
    engine = MergedEngine(parts)
    asked = parts[0].manifest["identity"]
    return evaluate_read(
        engine.whole(),
        EvaluateConfig.from_dict(asked["settings"]),
        columns=ColumnNames(**asked["columns"]),
        command=command,
        progress=progress,
        started=started,
        engine=engine,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was read, and what is to be counted of it."""

    embeddings: EmbeddingSet
    sides: Sides | None
    request: CountRequest
    jobs: EvaluationJobs


def _prepare(
    read: EmbeddingSet | JoinedSides, config: EvaluateConfig, engine: Engine, columns: ColumnNames
) -> _Asked:
    if isinstance(read, JoinedSides):
        two = prepare_two_sets(read, config, engine, columns)
        return _Asked(read.embeddings, read.sides, two.request, two.jobs)
    one = prepare_set(read, config, engine, columns, use_up=True)
    return _Asked(read, None, one.request, one.jobs)


def _frame(
    asked: _Asked, engine: Engine, share: BlockShare, digest: str, command: list[str]
) -> BlockFrame:
    whole = asked.request.whole
    order = without_vectors(whole)
    own = {}
    for job in asked.jobs.every:
        rows = job.rows(order)
        tasks = SharedOut(share.of).tasks(rows, order)
        own[job.name] = sorted(task.number for task in share.own(tasks))
    known = None
    if share.number == 1:
        if isinstance(whole, TwoSets):
            # Means are over the rows of both sides.
            in_order, scored = engine.sort(asked.embeddings, use_up=True), whole.queries
        else:
            in_order = scored = whole
        nearest = engine.nearest_class(in_order, scored.classes.scored)
        known = KnownSet(asked.embeddings, asked.sides, asked.request.lattice, nearest)
    return BlockFrame(share, digest, own, command, known)


def _check_every_pair(config: EvaluateConfig) -> None:
    for name, asked in (
        (f"budget {config.budget}", config.budget is not None),
        (f"sample-pairs {config.sample_pairs}", config.sample_pairs is not None),
    ):
        if asked:
            raise UsageError(
                f"{name}: in blocks every pair is counted; leave it out, or evaluate the data on "
                "one machine"
            )
