"""What `make lanes` puts into its environments; the lanes themselves run there, and in CI in short.

pytest tests/tools/test_lanes.py
"""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def lanes() -> ModuleType:
    """tools/lanes/run.py, a script beside the package."""
    spec = importlib.util.spec_from_file_location("lanes_run", ROOT / "tools/lanes/run.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lowest_lane_holds_every_floor_but_torchs(lanes: ModuleType) -> None:
    image = lanes.image("lowest")
    for text in PROJECT["dependencies"]:
        need = Requirement(text)
        assert need.specifier.contains(image[need.name]), text
        lowest = f">={image[need.name]}" in text
        assert lowest is (need.name != "torch"), f"{text}, but the lane has {image[need.name]}"
    assert {"bitsandbytes", "gguf", "ipykernel", "jupyterlab"} <= set(image)
    assert set(lanes.TOOLS) <= set(image)


def test_a_floor_that_is_raised_is_followed(lanes: ModuleType) -> None:
    project = PROJECT | {"dependencies": ["peft>=0.99,<2", "numpy>=2.1"]}
    found = lanes.floors(project)
    assert (found["peft"], found["numpy"]) == ("0.99", "2.1") and "torch" not in found


def test_colabs_versions_are_within_our_floors(lanes: ModuleType) -> None:
    image = lanes.image("colab")
    extra = PROJECT["optional-dependencies"]["colab"]
    needs = {need.name: need for need in map(Requirement, PROJECT["dependencies"] + extra)}
    shared = set(image) & set(needs)
    assert set(lanes.KEPT) <= shared and {"transformers", "peft", "datasets"} <= shared
    assert not [n for n in shared if not needs[n].specifier.contains(image[n])]
    assert "bitsandbytes" in needs and "bitsandbytes" not in image and image["torchao"] == "0.10.0"


def test_what_the_first_cell_must_not_do_is_a_fault(lanes: ModuleType) -> None:
    before = {"torch": "2.13.0", "numpy": "2.1.3", "ipywidgets": "7.7.1", "regex": "1"}
    after = before | {"ftlab": "0.1.0", "sacrebleu": "2.6.0", "regex": "2"}
    assert lanes.faults(before, after) == []
    assert lanes.changes(before, after) == [
        "ftlab absent -> 0.1.0", "regex 1 -> 2", "sacrebleu absent -> 2.6.0"
    ]  # fmt: skip
    assert len(lanes.faults(before, after | {"numpy": "2.4.6", "ipywidgets": "8.1.9"})) == 2
    assert lanes.faults(before, before) == ["the first cell did not install ftlab"]
    assert lanes.faults(after, after) == ["the first cell did not install ftlab"]


def test_the_lists_name_tests_and_notebooks_that_are_there(lanes: ModuleType) -> None:
    assert not set(lanes.SMOKE) & set(lanes.HOUSE)
    missing = [n for n in (*lanes.SMOKE, *lanes.HOUSE) if not (ROOT / lanes.path_of(n)).exists()]
    assert not missing
    assert all((ROOT / path).exists() for path in (lanes.START, lanes.FIRST, lanes.SECOND))


def test_an_unknown_lane_is_a_slip() -> None:
    command = [sys.executable, str(ROOT / "tools/lanes/run.py"), "kaggle"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "'kaggle'; there are colab and lowest" in done.stderr


@pytest.mark.parametrize(
    ("given", "words"), [([], ""), (["SMOKE=1"], "--smoke"), (["LANE=colab"], "colab")]
)
def test_make_lanes_runs_it(given: list[str], words: str) -> None:
    command = ["make", "-n", "lanes", *given]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"tools/lanes/run.py {words}".strip() in " ".join(shown.split())
