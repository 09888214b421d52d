"""Job arrays: blocks that are counted one by one make up the run of one `evaluate`, bit for bit."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import DIGITS400, Cli, write_set
from task_sets import (
    HARD_LABELS,
    StoppedError,
    assert_same_run,
    drawn_set,
    small_tasks,
    watch_tasks,
)

from opiscal.data.embedding_set import ColumnNames
from opiscal.engines.array_parts import command_of_block
from opiscal.engines.block_frame import BlockFrame
from opiscal.engines.block_share import BlockShare
from opiscal.engines.checkpoint import Checkpoint
from opiscal.errors import InputError, OpiscalError, UsageError
from opiscal.evaluation import evaluate_files
from opiscal.job_array import count_block_files, merge_parts
from opiscal.pairs.tasks.pieces_file import CountedTasks, counted_from_bytes, counted_to_bytes
from opiscal.report.settings import EvaluateConfig

CONFIG = EvaluateConfig(null_label="distractor", splits=1, threads=2)
COLUMNS = ColumnNames(group="group")
OF = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return drawn_set(tmp_path_factory.mktemp("set") / "set.parquet", 2500, 30, seed=1)


def count(data, share, out, columns=COLUMNS, config=CONFIG, gallery=()):
    words = ["opiscal", "count", "set.parquet", "--block", share, "-o", Path(out).name]
    return count_block_files(
        [str(data)],
        columns,
        config,
        BlockShare.parse(share),
        str(out),
        gallery=[str(path) for path in gallery],
        command=words,
    )


def count_all(data, of, folder, **more) -> list[str]:
    parts = [str(folder / f"part-{k}") for k in range(1, of + 1)]
    for k, part in enumerate(parts, start=1):
        count(data, f"{k}/{of}", part, **more)
    return parts


def assert_merged_is_evaluated(data, parts, folder, columns=COLUMNS, config=CONFIG, gallery=()):
    plain = evaluate_files([str(data)], columns, config, gallery=[str(path) for path in gallery])
    plain.save(folder / "plain", plots=False)
    merge_parts(parts).save(folder / "merged", plots=False)
    assert_same_run(folder / "merged", folder / "plain")


@pytest.fixture(scope="module")
def counted(data, tmp_path_factory) -> Path:
    """The parts of three blocks; not to be changed."""
    folder = tmp_path_factory.mktemp("parts")
    count_all(data, OF, folder)
    return folder


@pytest.fixture
def parts(counted, tmp_path) -> list[Path]:
    """The same parts, to be changed."""
    shutil.copytree(counted, tmp_path / "parts")
    return [tmp_path / "parts" / f"part-{k}" for k in range(1, OF + 1)]


def refusal(*parts) -> str:
    with pytest.raises(OpiscalError) as refused:
        merge_parts([str(part) for part in parts])
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_three_blocks(data, counted, tmp_path):
    parts = [str(counted / f"part-{k}") for k in (3, 1, 2)]
    assert_merged_is_evaluated(data, parts, tmp_path)
    frames = [BlockFrame.from_bytes((Path(part) / "block.npz").read_bytes()) for part in parts]
    assert any(len(frame.own["set"]) > 1 for frame in frames)
    assert set(HARD_LABELS) <= set(frames[1].known.embeddings.labels)
    # What is known of every row is there once.
    assert [frame.known is None for frame in frames] == [True, False, True]


@pytest.mark.parametrize("of", [1, 12])
def test_one_block_and_more_blocks_than_tasks(data, tmp_path, of):
    config = EvaluateConfig(null_label="distractor")
    parts = count_all(data, of, tmp_path, columns=ColumnNames(), config=config)
    many = [
        len(BlockFrame.from_bytes(Path(part, "block.npz").read_bytes()).own["set"])
        for part in parts
    ]
    assert many[-1] == (0 if of == 12 else 2)
    assert_merged_is_evaluated(data, parts, tmp_path, ColumnNames(), config)


@pytest.mark.parametrize(
    "config",
    [
        EvaluateConfig(metric="l2", retrieval=False, singletons="drop"),
        EvaluateConfig(half=True, distractor_labels=("class 3",)),
        EvaluateConfig(metric="l2", half=True, sample_rows=1500, seed=3),
    ],
)
def test_other_settings(data, tmp_path, config):
    parts = count_all(data, 2, tmp_path, columns=ColumnNames(), config=config)
    assert_merged_is_evaluated(data, parts, tmp_path, ColumnNames(), config)


def test_queries_against_a_gallery(data, tmp_path):
    rng = np.random.default_rng(0)
    items = [f"item {k}" for k in rng.permutation(4000)]
    queries = drawn_set(tmp_path / "q.parquet", 1500, 30, 5, item=items[:1500])
    gallery = drawn_set(tmp_path / "g.parquet", 2500, 25, 6, item=items[1000:3500])
    columns = ColumnNames(group="group", id="item")
    how = {"columns": columns, "gallery": [gallery]}
    parts = count_all(queries, 3, tmp_path, **how)
    assert_merged_is_evaluated(queries, parts, tmp_path, **how)
    frame = BlockFrame.from_bytes(Path(parts[1], "block.npz").read_bytes())
    assert frame.own["set"], "block 2 has nothing to do"


def test_sides_told_by_a_column(tmp_path):
    side = ["query", "gallery", "gallery"] * 400
    data = drawn_set(tmp_path / "set.parquet", 1200, 20, 8, side=side)
    how = {"columns": ColumnNames(split="side"), "config": EvaluateConfig(retrieval=False)}
    assert_merged_is_evaluated(data, count_all(data, 2, tmp_path, **how), tmp_path, **how)


def test_data_and_parts_in_an_object_store(cli: Cli, tmp_path: Path, bucket, s3):
    data = tmp_path / "set.parquet"
    shutil.copy(DIGITS400, data)
    s3.client.upload_file(str(data), bucket, "set.parquet")
    place = f"s3://KEY-UNSHOWN:SECRET-UNSHOWN@{bucket}"
    for k in (1, 2):
        answer = cli("count", data, "--block", f"{k}/2", "-o", f"s3://{bucket}/part-{k}")
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.endswith(f"part: s3://{bucket}/part-{k}\n")
    missing = cli("merge", f"s3://{bucket}/part-1", "-o", "run")
    assert missing.error.endswith(f"run: opiscal count {data} --block 2/2 -o s3://{bucket}/part-2")
    merged = cli("merge", *(f"s3://{bucket}/part-{k}" for k in (1, 2)), "-o", "run", "--no-plots")
    plain = cli("evaluate", data, "-o", "plain", "--no-plots")
    assert (merged.code, plain.code) == (0, 0), merged.err
    assert_same_run(tmp_path / "run", tmp_path / "plain")
    refused = cli("merge", f"{place}/part-1", "-o", "run")
    assert (refused.code, "UNSHOWN" in refused.err) == (2, False)
    by_url = cli("count", f"s3://{bucket}/set.parquet", "--block", "1/1", "-o", "part")
    assert by_url.code == 0, by_url.err


@pytest.mark.parametrize("after", [0, 2, 6])
def test_a_stopped_block_goes_on_where_it_was(data, counted, tmp_path, monkeypatch, after):
    """With small tasks, so that a block has many; the parts of all blocks are then of one plan."""
    small_tasks(monkeypatch)
    with monkeypatch.context() as patch:
        watched = watch_tasks(patch)
        whole = count(data, "2/2", tmp_path / "whole")
        assert whole.counted == whole.tasks <= len(watched)
    with monkeypatch.context() as patch:
        watch_tasks(patch, fail_after=after)
        with pytest.raises(StoppedError):
            count(data, "2/2", tmp_path / "part")
    before = len(list((tmp_path / "part").glob("*.task*.npz")))
    assert "is not finished" in refusal_of_two(data, tmp_path)
    with monkeypatch.context() as patch:
        watched_again = watch_tasks(patch)
        again = count(data, "2/2", tmp_path / "part")
    assert again.tasks == whole.tasks
    assert again.tasks - again.counted >= before
    # Those of other blocks that tell the nearest positives, and what was in flight.
    assert len(watched_again) <= len(watched) - before
    assert_same_files(tmp_path / "part", tmp_path / "whole")
    with monkeypatch.context() as patch:
        nothing = watch_tasks(patch)
        assert count(data, "2/2", tmp_path / "part").counted == 0
    assert nothing == []


def refusal_of_two(data, folder) -> str:
    if not (folder / "first").exists():
        count(data, "1/2", folder / "first")
    return refusal(folder / "first", folder / "part")


def assert_same_files(one: Path, other: Path) -> None:
    """The same counts in the files of two parts, however they came together."""
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    for name in names:
        if ".task" in name:
            counted = [counted_from_bytes((part / name).read_bytes()) for part in (one, other)]
            assert counted[0].numbers == counted[1].numbers
            pieces = [{piece.key: piece.values for piece in part.pieces} for part in counted]
            assert pieces[0].keys() == pieces[1].keys()
            for key, values in pieces[0].items():
                assert np.array_equal(values, pieces[1][key])


def test_ranks_need_the_positives_of_other_blocks_and_only_those(data, tmp_path, monkeypatch):
    small_tasks(monkeypatch)
    for retrieval in (True, False):
        config = EvaluateConfig(null_label="distractor", retrieval=retrieval)
        with monkeypatch.context() as patch:
            watched = watch_tasks(patch)
            out = tmp_path / f"part-{retrieval}"
            done = count(data, "2/3", out, columns=ColumnNames(), config=config)
        assert (len(watched) > done.tasks) == retrieval
        assert watched.count("negative") <= done.tasks


def test_no_part(parts, tmp_path):
    (tmp_path / "empty").mkdir()
    assert refusal(parts[0], tmp_path / "empty") == (
        f"{str(tmp_path / 'empty')!r} is no part: it has no block.npz; give the folders that "
        "'opiscal count' has written"
    )
    (parts[1] / "block.npz").unlink()
    assert refusal(*parts) == (
        f"{str(parts[1])!r} is no part: it has no block.npz; its count was stopped before it "
        "began, or was that of 'opiscal evaluate': run 'opiscal count' on it"
    )
    assert refusal() == "no part was given: give the folders that 'opiscal count' has written"


def test_another_version(parts):
    changed(parts[1] / "checkpoint.json", "opiscal_version", "0.0.1")
    message = refusal(*parts)
    assert message.startswith(f"the part {str(parts[1])!r} was counted by opiscal 0.0.1, and this")


def changed(file: Path, key: str, value: object) -> None:
    manifest = json.loads(file.read_text())
    manifest[key] = value
    file.write_text(json.dumps(manifest))


def test_other_settings_or_another_data_set(data, parts, tmp_path):
    other = count(data, "2/3", tmp_path / "other", config=EvaluateConfig(seed=5))
    assert refusal(parts[0], other.folder, parts[2]) == (
        f"{str(parts[0])!r} (there) and {other.folder!r} (here) are parts of two evaluations: "
        'identity.settings.null_label is "distractor" there and "drop" here; give the parts of one'
    )
    file = drawn_set(tmp_path / "other.parquet", 2500, 30, seed=2)
    count(file, "3/3", tmp_path / "third")
    message = refusal(parts[0], parts[1], tmp_path / "third")
    assert re.search(r"two evaluations: identity\.inputs\[0\]\[0\] is \"\w+\.* there and", message)


def test_other_edges_of_the_same_data(parts):
    changed(parts[2] / "checkpoint.json", "edges", "abc")
    # Its own counts are of the edges that they were.
    assert "is of another evaluation than the counts beside it" in refusal(*parts)
    file = parts[2] / "block.npz"
    checkpoint = Checkpoint(str(parts[2]))
    checkpoint.opened()
    frame = BlockFrame.from_bytes(file.read_bytes())
    file.write_bytes(BlockFrame(frame.share, checkpoint.digest, frame.own, []).to_bytes())
    said = r'edges is "\w+\.\.\. there and "abc" here, of the same data and settings: count all'
    assert re.search(said, refusal(*parts))


def test_another_number_of_blocks(data, parts, tmp_path):
    count(data, "2/4", tmp_path / "other")
    assert refusal(parts[0], tmp_path / "other", parts[2]) == (
        f"{str(parts[0])!r} is block 1/3 and {str(tmp_path / 'other')!r} is block 2/4; give parts "
        "of the same number of blocks"
    )


def test_a_block_that_is_double(parts, tmp_path):
    shutil.copytree(parts[1], tmp_path / "copy")
    assert refusal(*parts, tmp_path / "copy") == (
        f"block 2/3 is double: {str(parts[1])!r} and {str(tmp_path / 'copy')!r} both hold it; give "
        "one of them"
    )


def test_blocks_that_are_missing(parts):
    run = "opiscal count set.parquet --block"
    assert refusal(*parts[:2]) == f"block 3/3 is missing; run: {run} 3/3 -o part-3"
    assert refusal(parts[1]) == f"blocks 1/3, 3/3 are missing; run: {run} 1/3 -o part-1"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--block=2/16", "--out=a/p_02.d"], "--block=5/16 --out=a/p_5.d"),
        (["--block", "2/16", "-o", "half"], "--block 5/16 -o half-5"),
        (["--block", "2/16", "-o", "run-7/part"], "--block 5/16 -o run-7/part-5"),
        (["--block", "2/16", "-o", "s3://k:s@b/part-2?x=2"], "--block 5/16 -o s3://b/part-5"),
    ],
)
def test_the_command_of_a_missing_block(words, wanted):
    assert command_of_block(words, BlockShare(2, 16), BlockShare(5, 16)) == wanted


def test_a_block_that_is_not_finished(parts):
    frame = BlockFrame.from_bytes((parts[0] / "block.npz").read_bytes())
    tasks = sum(map(len, frame.own.values()))
    (file,) = parts[0].glob("set.task*.npz")
    file.unlink()
    assert refusal(*parts) == (
        f"the part {str(parts[0])!r} is not finished: {len(frame.own['set'])} of the {tasks} tasks "
        "are missing; run its command again: opiscal count set.parquet --block 1/3 -o part-1"
    )


def test_torn_files(data, parts, tmp_path):
    (file,) = parts[0].glob("set.task*.npz")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    before = {path: path.read_bytes() for path in parts[0].iterdir()}
    message = refusal(*parts)
    assert message.startswith(
        f"the part {str(parts[0])!r} is torn: {file.name!r} is not whole, and "
    )
    assert message.endswith(
        "run its command again: opiscal count set.parquet --block 1/3 -o part-1"
    )
    # A part is only read.
    assert {path: path.read_bytes() for path in parts[0].iterdir()} == before
    count(data, "1/3", parts[0])
    assert file.read_bytes() == whole
    assert_merged_is_evaluated(data, [str(part) for part in parts], tmp_path)


def test_a_torn_frame(data, parts):
    file = parts[0] / "block.npz"
    file.write_bytes(file.read_bytes()[:-100])
    said = (
        f"the part {str(parts[0])!r} is torn: 'block.npz' is not whole; remove that file, and run "
        "the command of the block again"
    )
    assert refusal(*parts) == said
    with pytest.raises(InputError, match=r"'block\.npz' is not whole"):
        count(data, "1/3", parts[0])
    file.unlink()
    assert count(data, "1/3", parts[0]).counted == 0
    merge_parts([str(part) for part in parts])


def test_a_frame_that_lost_what_it_knows(parts):
    file = parts[0] / "block.npz"
    frame = BlockFrame.from_bytes(file.read_bytes())
    file.write_bytes(BlockFrame(frame.share, frame.digest, frame.own, frame.command).to_bytes())
    assert refusal(*parts).startswith(f"'block.npz' in the part {str(parts[0])!r} is not whole")


def test_counts_of_several_blocks_in_one_folder(parts):
    (file,) = parts[1].glob("set.task*.npz")
    shutil.copy(file, parts[0] / "set.tasks-0-9.npz")
    assert refusal(*parts) == (
        f"{str(parts[0])!r} holds tasks of other blocks than 1/3: several were counted into one "
        "folder; give each a folder of its own"
    )


def test_tasks_that_no_block_has(parts):
    """As by versions that share out tasks in different ways."""
    frame = BlockFrame.from_bytes((parts[1] / "block.npz").read_bytes())
    own = {**frame.own, "set": []}
    (parts[1] / "block.npz").write_bytes(
        BlockFrame(frame.share, frame.digest, own, frame.command).to_bytes()
    )
    for file in parts[1].glob("set.task*.npz"):
        file.unlink()
    assert refusal(*parts).startswith(
        "the parts do not make up the whole: of 'counting pairs' they"
    )


def test_a_file_of_another_evaluation(parts):
    (file,) = parts[2].glob("set.task*.npz")
    part = counted_from_bytes(file.read_bytes())
    file.write_bytes(counted_to_bytes(CountedTasks("other", part.numbers, part.pieces)))
    assert "is of another evaluation; remove the file" in refusal(*parts)


def test_the_folder_of_another_block_is_refused(data, parts, tmp_path):
    before = {path: path.read_bytes() for path in parts[0].iterdir()}
    for share, config, said in (
        ("2/3", CONFIG, "holds block 1/3, and this is block 2/3; give every block a folder of"),
        ("1/4", CONFIG, "holds block 1/3, and this is block 1/4; give every block a folder of"),
        ("1/3", EvaluateConfig(), 'null_label is "distractor" there and "drop" here'),
    ):
        with pytest.raises(UsageError, match=said):
            count(data, share, parts[0], config=config)
    other = drawn_set(tmp_path / "other.parquet", 2500, 30, seed=2)
    with pytest.raises(UsageError, match=r"identity\.inputs\[0\]\[0\] is"):
        count(other, "1/3", parts[0])
    assert {path: path.read_bytes() for path in parts[0].iterdir()} == before


def test_the_checkpoint_of_an_evaluation_is_refused(data, cli, tmp_path):
    done = cli("evaluate", DIGITS400, "-o", "run", "--no-plots", "--checkpoint", "kept")
    assert done.code == 0
    answer = cli("count", DIGITS400, "--block", "1/2", "-o", "kept")
    assert (answer.code, answer.error) == (
        2,
        "opiscal: error: the counts in 'kept' are shared out for 1 blocks, and this is block 1/2; "
        "give another folder",
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"budget": 5.0}, "budget 5.0: in blocks every pair is counted; leave it out"),
        ({"sample_pairs": 10**6}, "sample-pairs 1000000: in blocks every pair is counted"),
        ({"pairs": "sampled"}, r"a sample of the pairs would be counted \(asked for\), and in blo"),
    ],
)
def test_a_sample_is_refused(tmp_path, config, said):
    data = write_set(
        tmp_path / "set.parquet",
        np.random.default_rng(0).standard_normal((6000, 4)).astype(np.float32),
        [f"class {k % 50}" for k in range(6000)],
    )
    with pytest.raises(UsageError, match=said):
        count(
            data, "1/2", tmp_path / "part", columns=ColumnNames(), config=EvaluateConfig(**config)
        )
    assert not (tmp_path / "part").exists()


def test_the_commands(cli: Cli, tmp_path: Path):
    words = (DIGITS400, "--range", "far=0.02:0.2", "--split", "--splits", 1)
    for k in (1, 2):
        answer = cli("count", *words, "--block", f"{k}/2", "-o", f"part-{k}")
        assert (answer.code, answer.err) == (0, "")
        assert re.fullmatch(rf"block {k}/2: \d+ tasks? counted\npart: part-{k}\n", answer.out)
    document = cli("count", *words, "--block", "2/2", "-o", "part-2", "--json").document
    assert (document["block"], document["part"]) == ("2/2", "part-2")
    assert (document["tasks"] > 0, document["tasks_counted"]) == (True, 0)
    missing = cli("merge", "part-2", "-o", "run")
    assert missing.code == 2
    assert missing.error.startswith("opiscal: error: block 1/2 is missing; run: opiscal count ")
    assert missing.error.endswith("--range far=0.02:0.2 --split --splits 1 --block 1/2 -o part-1")
    merged = cli("merge", "part-1", "part-2", "-o", "run", "--no-plots")
    plain = cli("evaluate", *words, "-o", "plain", "--no-plots")
    assert (merged.code, plain.code) == (0, 0)
    assert merged.out == plain.out.replace("plain", "run")
    assert merged.err == plain.err
    assert_same_run(tmp_path / "run", tmp_path / "plain")
    slim = cli("merge", "part-1", "part-2", "-o", "slim", "--slim", "--json", "--quiet")
    assert slim.document["opis"] == json.loads((tmp_path / "plain/report.json").read_text())["opis"]
    assert slim.document["provenance"]["command"].startswith("opiscal merge part-1 part-2 -o slim")
    assert not (tmp_path / "slim" / "plots").exists()


def test_wrong_use_of_the_commands(cli: Cli, tmp_path: Path):
    for words, said in (
        (["count", DIGITS400, "--block", "0/3", "-o", "p"], "block '0/3': must be one of at most"),
        (["count", DIGITS400, "-o", "p"], "missing option '--block'"),
        (["count", DIGITS400, "--block", "1/3"], "missing option '-o' / '--out'"),
        (
            ["count", DIGITS400, "--block", "1/3", "-o", "p", "--splits", "2"],
            "--splits 2: no split",
        ),
        (["merge", "nowhere", "-o", "run"], "'nowhere' is no part: it has no block.npz"),
        (["merge"], "missing argument 'PART...'"),
    ):
        answer = cli(*words)
        assert answer.code == 2
        assert said in answer.error
    assert list(tmp_path.iterdir()) == []


def test_a_place_for_the_run_that_is_taken(cli: Cli, counted, tmp_path: Path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "letter.txt").write_text("dear")
    answer = cli("merge", *(counted / f"part-{k}" for k in (1, 2, 3)), "-o", "run")
    assert (answer.code, "holds something that is not a run" in answer.error) == (2, True)
