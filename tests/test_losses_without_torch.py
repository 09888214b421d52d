"""Where torch is not installed: what `opiscal.losses` says, and that the rest works."""

import subprocess
import sys


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Python in a process in which torch cannot be imported."""
    hidden = "import sys; sys.modules['torch'] = None\n"
    return subprocess.run(
        [sys.executable, "-c", hidden + code], capture_output=True, text=True, check=False
    )


def test_the_error_says_what_to_install():
    done = run("import opiscal.losses")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "opiscal.errors.MissingLibraryError: opiscal.losses needs torch, which is not installed: "
        "pip install 'opiscal[torch]'"
    )
    assert "During handling" not in done.stderr


def test_it_is_an_import_error_and_one_of_ours():
    done = run(
        "import opiscal.errors\n"
        "try:\n    from opiscal.losses import ThresholdConsistentMarginLoss\n"
        "except ImportError as error:\n"
        "    assert isinstance(error, opiscal.errors.OpiscalError); print('told')"
    )
    assert (done.returncode, done.stdout) == (0, "told\n"), done.stderr


def test_the_rest_works():
    done = run(
        "import numpy as np, opiscal\n"
        "labels = np.repeat(np.arange(10), 6)\n"
        "rows = np.random.default_rng(0).standard_normal((10, 8))[labels]\n"
        "rows += 0.1 * np.random.default_rng(1).standard_normal((60, 8))\n"
        "print(opiscal.evaluate(rows, labels).margins().code)"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ThresholdConsistentMarginLoss(m_pos=")
