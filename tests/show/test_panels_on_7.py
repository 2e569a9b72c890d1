"""The panels on ipywidgets 7.7.1, which Colab's front end has built in: the same sweeps again.

Pictures do not hang on the version, so none is turned into a PNG (no_pngs.py).

pytest tests/show/test_panels_on_7.py
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SWEPT = ("test_panels.py", "test_designers.py", "test_attention_panel.py", "test_adapters_panel.py",
         "test_prune_panel.py")  # fmt: skip
SWEEPS = "every_stop and not other"  # the comparer's two controls have the same stops
# 7.7.1 imports it; its other needs are those of version 8, or parts of a front end.
WANTED = ("ipywidgets==7.7.1", "ipython_genutils==0.2.0")
# ipywidgets 7 asks ipykernel 7 for a class that it replaced.
OLD = "ignore:The `ipykernel.comm.Comm` class has been deprecated:DeprecationWarning"


def python(*words: str, seven: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run this interpreter, with the packages of a folder before its own."""
    env = os.environ | ({"PYTHONPATH": f"{seven}{os.pathsep}{TESTS.parent}"} if seven else {})
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=TESTS.parent, env=env, capture_output=True, text=True, timeout=1800
    )


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ipywidgets 7.7.1, from the package index."""
    folder = tmp_path_factory.mktemp("ipywidgets-7")
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = python(*pip, "--retries", "1", "--timeout", "15", "--target", str(folder), *WANTED)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        pytest.skip(f"PANELS NOT TESTED ON IPYWIDGETS 7: it cannot be installed here ({why})")
    return folder


@pytest.mark.slow
def test_every_panel_on_ipywidgets_7(seven: Path) -> None:
    version = python("-c", "import ipywidgets; print(ipywidgets.__version__)", seven=seven)
    assert version.stdout.strip() == "7.7.1", version.stderr
    files = [str(TESTS / name) for name in SWEPT]
    pytest_ = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no_pngs",
        "-W",
        OLD,
        "-k",
        SWEEPS,
    ]
    done = python(*pytest_, *files, seven=seven)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
