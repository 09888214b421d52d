"""A run folder appears whole or not at all, and an older one stays until then."""

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest

from opiscal.errors import InputError
from opiscal.report import run_folder
from opiscal.report.run_folder import (
    COUNTS_FILE,
    REPORT_FILE,
    check_run_place,
    is_run,
    write_text,
    writing_run,
)


def write_run(folder: Path, content: str = "new", error: BaseException | None = None) -> None:
    """Write a run; after all of it was written, but before it is in its place, raise."""
    with writing_run(folder) as new:
        fill(new, content)
        if error is not None:
            raise error


def fill(new: Path, content: str = "new") -> None:
    write_text(new / REPORT_FILE, f'{{"schema_version": 1, "is": "{content}"}}\n')
    (new / COUNTS_FILE).write_bytes(content.encode())
    (new / "plots").mkdir()
    write_text(new / "plots" / "a.svg", content)


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


class Stop(BaseException):
    """Neither an Exception nor anything the code knows."""


def test_a_run_appears_whole(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with writing_run(folder) as new:
        assert new.parent == tmp_path
        assert new.name.startswith(".")
        assert list(new.iterdir()) == []
        fill(new)
        assert not folder.exists()
    assert is_run(folder)
    assert os.listdir(tmp_path) == ["run"]
    # Others may read it as they may read what else this user writes.
    (tmp_path / "plain").mkdir()
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_text_has_plain_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "t", "ä\nb\n")
    assert (tmp_path / "t").read_bytes() == b"\xc3\xa4\nb\n"


def test_an_older_run_and_an_empty_folder_are_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    write_run(folder, "first")
    (folder / "plots" / "old.svg").touch()
    write_run(folder, "second")
    assert (folder / COUNTS_FILE).read_bytes() == b"second"
    assert not (folder / "plots" / "old.svg").exists()
    assert os.listdir(tmp_path) == ["run"]


def test_folders_above_are_made_and_unmade(tmp_path: Path) -> None:
    write_run(tmp_path / "a" / "b" / "run")
    assert is_run(tmp_path / "a" / "b" / "run")
    with pytest.raises(Stop), writing_run(tmp_path / "c" / "d" / "run"):
        raise Stop
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, Stop, ValueError, SystemExit])
@pytest.mark.parametrize("older", [True, False])
def test_whatever_is_raised_leaves_things_as_they_were(
    tmp_path: Path, error: type[BaseException], older: bool
) -> None:
    folder = tmp_path / "run"
    if older:
        write_run(folder, "older")
    before = snapshot(tmp_path)
    with pytest.raises(error):
        write_run(folder, error=error())
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("older", [True, False])
def test_a_disk_that_fills_while_writing(tmp_path: Path, older: bool) -> None:
    folder = tmp_path / "run"
    if older:
        write_run(folder, "older")
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match="No space left on device") as caught:
        write_run(folder, error=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert snapshot(tmp_path) == before


def test_a_disk_that_is_full_when_files_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    write_run(folder, "older")
    before = snapshot(tmp_path)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write_run(folder)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "Permission denied"), KeyboardInterrupt()])
@pytest.mark.parametrize("after", [0, 1])
def test_an_older_run_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, after: int
) -> None:
    # The first rename moves the older run aside, the second puts the new one in its place.
    folder = tmp_path / "run"
    write_run(folder, "older")
    before = snapshot(tmp_path)
    rename, calls = Path.rename, []

    def failing(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == after + 1:
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    expected = InputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_run(folder)
    assert snapshot(tmp_path) == before


def test_an_interrupt_right_after_the_older_run_was_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    write_run(folder, "older")
    before = snapshot(tmp_path)
    rename, calls = Path.rename, []

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(self)
        done = rename(self, target)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_run(folder)
    assert snapshot(tmp_path) == before


def test_an_older_run_that_cannot_be_put_back_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    write_run(folder, "older")
    rename, calls = Path.rename, []

    def failing(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) > 1:
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(InputError, match="it stands in") as caught:
        write_run(folder)
    (left,) = tmp_path.iterdir()
    assert str(left) in str(caught.value)
    assert (left / COUNTS_FILE).read_bytes() == b"older"


def test_an_interrupt_while_the_older_run_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    write_run(folder, "older")
    rmtree, calls = shutil.rmtree, []

    def interrupted(path: Path, ignore_errors: bool) -> None:
        if str(path).endswith(".older") and not calls:
            calls.append(path)
            raise KeyboardInterrupt
        rmtree(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_run(folder)
    assert (folder / COUNTS_FILE).read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["run"]


def refused(folder: Path, match: str) -> None:
    for ask in (check_run_place, write_run):
        with pytest.raises(InputError, match=match) as caught:
            ask(folder)
        assert "\n" not in str(caught.value)
        assert "-o" in str(caught.value)


def test_what_is_not_a_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.tex").write_text("years of work")
    refused(folder, "not a run .chapter.tex.")
    for report in ("[]", "{}", "not json", "\xff", '{"schema_version": 1}'):
        (folder / REPORT_FILE).write_bytes(report.encode("latin-1"))
        refused(folder, "not a run")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "is a file")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    refused(Path(), "current folder")
    refused(tmp_path, "current folder or holds it")
    refused(Path("/"), "current folder or holds it")
    monkeypatch.setattr(os.path, "ismount", lambda path: True)
    monkeypatch.chdir(tmp_path)
    refused(tmp_path / "empty", "mount point")
    assert sorted(os.listdir(tmp_path)) == ["empty", "file", "thesis"]
    assert (folder / "chapter.tex").read_text() == "years of work"


def test_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file" / "run", "Not a directory")
    refused(tmp_path / ("x" * 300), "File name too long")

    def denied(self: Path, *args: object, **named: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", denied)
    refused(tmp_path / "run", "Permission denied")
    assert os.listdir(tmp_path) == ["file"]


def test_the_check_changes_nothing(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    before = snapshot(tmp_path)
    assert check_run_place(tmp_path / "run") == tmp_path.resolve() / "run"
    check_run_place(tmp_path / "new" / "run")
    assert snapshot(tmp_path) == before


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk" / "run")
    write_run(tmp_path / "run", "first")
    write_run(tmp_path / "run", "second")
    assert (tmp_path / "run").is_symlink()
    assert (tmp_path / "disk" / "run" / COUNTS_FILE).read_bytes() == b"second"


def test_someone_else_writes_there_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    writing = writing_run(folder)
    fill(writing.__enter__())
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not a run"):
        writing.__exit__(None, None, None)
    assert snapshot(tmp_path) == {"run": None, "run/notes.txt": b"mine"}


def test_a_closed_pipe_is_not_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), writing_run(tmp_path / "run"):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
    assert os.listdir(tmp_path) == []


def test_names_are_those_of_the_contract() -> None:
    names = [getattr(run_folder, name) for name in ("CLASSES_FILE", "PLOTS_FOLDER")]
    assert [REPORT_FILE, COUNTS_FILE, *names] == [
        "report.json", "pairs.npz", "classes.parquet", "plots",
    ]  # fmt: skip
    assert not is_run(Path("nowhere"))
