"""`opiscal plot`: which files it writes, where, and what it says to a wrong use."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DIGITS400, Cli
from matplotlib.image import imread

import opiscal.cli.app
from opiscal.report.displays.kinds import KINDS


def evaluated(folder: Path, *options: str) -> Path:
    command = ["evaluate", str(DIGITS400), "-o", str(folder), "--quiet", "--no-plots"]
    assert opiscal.cli.app.run([*command, *options]) == 0
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evaluated(tmp_path_factory.mktemp("runs") / "old")


def test_one_figure_in_one_file(cli: Cli, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "rates.pdf"
    answer = cli("plot", run, "--kind", "rates", "-o", file)
    assert (answer.code, answer.out) == (0, f"{file}\n")
    assert file.read_bytes().startswith(b"%PDF")
    assert [path.name for path in tmp_path.iterdir()] == ["rates.pdf"]


def test_the_run_gets_its_figures(cli: Cli, run: Path) -> None:
    answer = cli("plot", run, "--kind", "det", "--kind", "roc", "--kind", "det")
    names = ["det.svg", "det.png", "roc.svg", "roc.png"]
    assert answer.out.splitlines() == [str(run / "plots" / name) for name in names]
    assert sorted(path.name for path in (run / "plots").iterdir()) == sorted(names)


def test_size_and_dots(cli: Cli, run: Path, tmp_path: Path) -> None:
    options = ("--kind", "spread", "--width", 3, "--height", 2, "--dpi", 100, "--style", "paper")
    assert cli("plot", run, *options, "-o", tmp_path / "spread.png").code == 0
    assert imread(tmp_path / "spread.png").shape[:2] == (200, 300)


@pytest.mark.parametrize(
    ("asked", "dots"), [(("--width", 6), (420, 600)), (("--height", 4.2), (420, 600))]
)
def test_one_side_gives_the_other(
    cli: Cli, run: Path, tmp_path: Path, asked: tuple[object, ...], dots: tuple[int, int]
) -> None:
    file = tmp_path / "det.png"
    assert cli("plot", run, "--kind", "det", "--dpi", 100, *asked, "-o", file).code == 0
    assert imread(file).shape[:2] == dots


def test_styles_look_different(cli: Cli, run: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.mplstyle"
    own.write_text("axes.facecolor: 102030\n")
    for name in ("light", "dark", own):
        file = tmp_path / f"{Path(name).stem}.svg"
        assert cli("plot", run, "--kind", "det", "--style", name, "-o", file).code == 0
    drawn = {file.stem: file.read_text() for file in tmp_path.glob("*.svg")}
    assert "#16181c" in drawn["dark"]
    assert "#16181c" not in drawn["light"]
    assert "#102030" in drawn["own"]
    # On dark paper lighter pens.
    assert "#56b4e9" in drawn["own"] + drawn["dark"]


def test_two_runs_on_the_same_axes(cli: Cli, run: Path, tmp_path: Path) -> None:
    other = evaluated(tmp_path / "new", "--range", "far=0.05:0.2")
    answer = cli(
        "plot", run, "--against", other, "--kind", "utility-curves", "-o", tmp_path, "--json"
    )
    svg, png = json.loads(answer.out)
    assert Path(svg["path"]).name == "utility-curves-overlay.svg"
    assert Path(png["path"]).read_bytes().startswith(b"\x89PNG")
    assert svg["title"].startswith("Worst classes lose: ")
    for name in (run.name, other.name):
        assert f"({name})" in svg["title"]
        assert f"mean, {name}" in Path(svg["path"]).read_text()


def test_data_are_evaluated_first(cli: Cli, tmp_path: Path) -> None:
    answer = cli("plot", DIGITS400, "--kind", "distances", "--format", "svg", "-q")
    assert answer.out == "plots/distances.svg\n"
    assert (tmp_path / "plots" / "distances.svg").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--kind", "pie"), f"kind 'pie': must be one of {', '.join(KINDS)}"),
        (("--format", "gif"), "format 'gif': must be one of svg, png, pdf"),
        (("--width", 0.2), "width 0.2: must be from 1.5 to 40 inches"),
        (("--height", "nan"), "height nan: must be from 1.5 to 40 inches"),
        (("--dpi", 5), "dpi 5: must be from 20 to 1200 dots per inch"),
        (("--width", 30, "--dpi", 1200), "a side must have at most 30000 dots"),
        (("--style", "nope"), "style 'nope': not known; choose light, dark, paper"),
        (("-o", "rates.pdf"), "output 'rates.pdf' is one file of format pdf; give one --kind"),
        (("-o", "a.pdf", "--kind", "det", "--format", "png"), "'a.pdf' is one file of format pdf"),
        (("--against", "nowhere"), "no run at 'nowhere'"),
        (("--kind", "det", "-o", "no/such/file.svg"), "cannot be written"),
        (("--kind", "det", "-o", "file/folder"), "output 'file/folder' cannot be made"),
    ],
)
def test_a_wrong_use_is_one_line(
    cli: Cli, run: Path, tmp_path: Path, options: tuple[object, ...], said: str
) -> None:
    (tmp_path / "file").write_text("")
    answer = cli("plot", run, *options)
    assert answer.code == 2
    assert answer.out == ""
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_plots_matplotlib_is_not_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from opiscal.cli.app import run; "
        f"assert run(['evaluate', {str(DIGITS400)!r}, '-q', '--no-plots', '-o', 'run']) == 0; "
        "assert 'pyarrow' in sys.modules; assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)
