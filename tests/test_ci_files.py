"""action.yml and the snippets of docs/ci.md: their scripts run, and inputs are text to them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from conftest import ROOT, clean_environment, installed, write_set

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
DOCS = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
BASH = shutil.which("bash")

pytestmark = pytest.mark.skipif(BASH is None, reason="no bash to run scripts in")


def snippets():
    """The YAML of the page, by the file that its first line names."""
    found = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)
    return {name: yaml.safe_load(text) for name, text in found}


@pytest.fixture
def place(tmp_path):
    """A repository with data, a baseline and a policy, and a pip that installs nothing."""
    import opiscal

    rng = np.random.default_rng(0)
    labels = np.repeat([f"c{k}" for k in range(30)], 8)
    centres = np.repeat(rng.standard_normal((30, 8)), 8, axis=0)
    vectors = (centres + 0.5 * rng.standard_normal(centres.shape)).astype(np.float32)
    write_set(tmp_path / "embeddings.parquet", vectors, labels)
    opiscal.evaluate(vectors, labels).save(tmp_path / "baseline", slim=True)
    (tmp_path / "gate.toml").write_text(
        '[[rule]]\nmetric = "opis.value"\nmax = 9.0\n', encoding="utf-8"
    )
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "python").write_text('#!/bin/sh\necho "$@" > installed.txt\n', encoding="utf-8")
    (tools / "python").chmod(0o755)
    (tools / "opiscal").symlink_to(installed())
    return tmp_path


def bash(place, script, **variables):
    path = os.pathsep.join(
        [str(place / "tools"), str(Path(sys.executable).parent), "/usr/bin:/bin"]
    )
    runner = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(place / "output.txt"),
        "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
        "GITHUB_ACTION_PATH": str(ROOT),
        "PATH": path,
    }
    return subprocess.run(
        [BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=place,
        env=clean_environment(**(runner | variables)),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def run_action(place, **inputs):
    """The steps of the action, as the runner takes them."""
    given = {name: entry.get("default", "") for name, entry in ACTION["inputs"].items()} | inputs
    done = None
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]
        variables = {
            name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: given[found[1]], value)
            for name, value in step.get("env", {}).items()
        }
        assert not any("${{" in value for value in variables.values())
        if step.get("if") == "inputs.install == 'true'" and given["install"] != "true":
            continue
        done = bash(place, step["run"], **variables)
        if done.returncode:
            break
    return done


def test_the_action_wraps_the_command(place):
    done = run_action(
        place, candidate="embeddings.parquet", baseline="baseline", policy="gate.toml",
        junit="gate.xml", metrics="metrics.json", markdown="gate.md", openmetrics="gate.txt",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "verdict: pass" in done.stdout
    assert (place / "output.txt").read_text(encoding="utf-8") == "exit-code=0\n"
    assert "opiscal gate: pass" in (place / "summary.md").read_text(encoding="utf-8")
    assert str(ROOT) in (place / "installed.txt").read_text(encoding="utf-8")
    for name in ("gate.xml", "metrics.json", "gate.md", "gate.txt"):
        assert (place / name).stat().st_size > 0
    assert ElementTree.parse(place / "gate.xml").getroot().find(".//testcase") is not None


def test_the_action_ends_as_the_command_does(place):
    (place / "gate.toml").write_text(
        '[[rule]]\nmetric = "opis.value"\nmax = 0.0\njudge = "value"\n', encoding="utf-8"
    )
    shared = {"candidate": "baseline", "policy": "gate.toml", "install": "false"}
    done = run_action(place, **shared)
    assert done.returncode == 1
    assert "::error title=opiscal gate%3A fail::" in done.stdout
    assert (place / "output.txt").read_text(encoding="utf-8") == "exit-code=1\n"
    assert run_action(place, **shared, **{"report-only": "true"}).returncode == 0
    assert run_action(place, **(shared | {"candidate": "none"})).returncode == 2
    assert not (place / "installed.txt").exists()


@pytest.mark.parametrize(
    "name", ["candidate", "baseline", "policy", "far", "inconclusive", "junit"]
)
def test_what_is_in_an_input_is_never_run(place, name):
    hostile = (
        'x"; touch hacked; $(touch hacked) `touch hacked`\n::set-output name=a::b\ntouch hacked'
    )
    inputs = {"candidate": "baseline", "install": "false"} | {name: hostile}
    done = run_action(place, **inputs)
    assert not (place / "hacked").exists()
    assert not (place / "x").exists()
    assert done.returncode in ((0, 2) if name == "junit" else (2,))
    for line in (done.stdout + done.stderr).splitlines():
        assert not line.lstrip().startswith("::set-output")
    assert (place / "output.txt").read_text(encoding="utf-8").startswith("exit-code=")


def test_every_input_reaches_the_command():
    script = "\n".join(step["run"] for step in ACTION["runs"]["steps"])
    names = {name.replace("-", "_").upper() for name in ACTION["inputs"]} - {"INSTALL"}
    assert all(f'"${name}"' in script for name in names)
    (step,) = (s for s in ACTION["runs"]["steps"] if s.get("id") == "gate")
    assert set(step["env"]) == names
    used = snippets()[".github/workflows/gate.yml"]["jobs"]["gate"]["steps"]
    (given,) = (s["with"] for s in used if "opiscal" in s.get("uses", ""))
    assert set(given) <= set(ACTION["inputs"])


def scripts():
    found = snippets()
    gate = found[".gitlab-ci.yml"]["gate"]
    steps = found[".github/workflows/gate-by-hand.yml"]["jobs"]["gate"]["steps"]
    stages = found["dvc.yaml"]["stages"]
    return {
        "GitLab": [*gate["before_script"], *gate["script"]],
        "GitHub": [step["run"] for step in steps],
        "DVC": [stage["cmd"] for stage in stages.values()],
        "page": re.findall(r"^```sh\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL),
    }


@pytest.mark.parametrize("name", ["GitLab", "GitHub", "DVC", "page"])
def test_the_scripts_of_the_page_run(place, name):
    if name == "page":
        (place / "gate.toml").unlink()
    for script in scripts()[name]:
        done = bash(place, script)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
    if name == "GitLab":
        made = snippets()[".gitlab-ci.yml"]["gate"]["artifacts"]
        ElementTree.parse(place / made["reports"]["junit"])
        assert (place / made["reports"]["metrics"]).read_text("utf-8").endswith("# EOF\n")
        assert all((place / path).exists() for path in made["paths"])
    if name == "DVC":
        (metrics,) = snippets()["dvc.yaml"]["stages"]["gate"]["metrics"][0]
        assert json.loads((place / metrics).read_text(encoding="utf-8"))["passed"] == 1
