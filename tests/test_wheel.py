"""A plain install carries the data: a wheel, no clone in sight.

pytest tests/test_wheel.py
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ftlab.base import paths
from ftlab.base.errors import InputError

ROOT = Path(__file__).resolve().parent.parent
SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
LOADED = """
import json
import ftlab
from ftlab.models.loading import load
from ftlab.base.paths import data_dir
from ftlab.teach.preflight import _data
from ftlab.datasets.load import load_domain
bundle, domain = load("nano-gpt2"), load_domain("clinic")
layers = bundle.model.config.num_hidden_layers
print(json.dumps([ftlab.__file__, str(data_dir()), layers, len(domain.train), _data().status]))
"""


def test_every_package_is_listed() -> None:
    folders = {path.parent for path in (ROOT / "ftlab").rglob("*.py")}
    wanted = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    told = "list every folder of code in pyproject.toml, [tool.setuptools] packages"
    assert sorted(SETUP["packages"]) == sorted(wanted | {"ftlab.data"}), told
    assert SETUP["package-dir"] == {"ftlab.data": "data"}


def install(source: Path, folder: Path) -> None:
    """The package of `source`, built and installed into `folder`; skips without the index."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "--no-deps", "--retries", "1", "--target", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    if "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("WHEEL NOT BUILT: setuptools cannot be had from the package index here")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_wheel_finds_its_data_without_a_clone(tmp_path: Path) -> None:
    source, site = tmp_path / "source", tmp_path / "site"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("ftlab", "data", "LICENSES"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    install(source, site)
    shutil.rmtree(source)
    env = {k: v for k, v in os.environ.items() if k != "FTLAB_DATA"} | {"PYTHONPATH": str(site)}
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    package, data, layers, notes, status = json.loads(done.stdout)
    assert Path(package).parent == site / "ftlab" and Path(data) == site / "ftlab/data"
    assert (layers, status) == (12, "good") and notes > 100


def test_the_data_of_a_clone_lie_beside_the_package(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FTLAB_DATA", raising=False)
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "ftlab")
    with pytest.raises(InputError, match="FTLAB_DATA"):
        paths.data_dir()
    (tmp_path / "data").mkdir()
    assert paths.data_dir() == tmp_path / "data"
    (tmp_path / "ftlab/data").mkdir(parents=True)
    assert paths.data_dir() == tmp_path / "ftlab/data"
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path))
    assert paths.data_dir() == tmp_path
