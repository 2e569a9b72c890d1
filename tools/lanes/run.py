"""The lanes: the same tests in two other environments, each made from nothing.

    make lanes                 both, in full
    make lanes SMOKE=1         less of it in each: what CI has time for
    make lanes LANE=colab      one of them

colab    Colab's image of August 2026 (colab.txt), with what lies in wait there: torchao 0.10,
         ipywidgets 7.7.1, ipykernel 6, and no bitsandbytes.
lowest   every floor of pyproject.toml, read from it; what lowest.txt lists stands in for it.

In both, ftlab comes in as it does for a learner: a notebook is run where it is missing, and the
first cell installs it. Then torch, numpy and ipywidgets must be what they were, and the
clone's code and data are taken away, so that all that follows runs from what was installed.

Notable choices: a lane looks for what fails, so warnings that something will be renamed, or was
not closed, are no errors here as they are in `make test`: matplotlib 3.10.0 beside a newer
pyparsing warns when it is imported, jupyter_client 7.4 leaves its event loops open. Tests
of the house itself (HOUSE) need the clone and its tools, and run there.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
LANES = ("colab", "lowest")
KEPT = ("torch", "numpy", "ipywidgets")
"""What an installation of ftlab must never replace in a live kernel."""
TOOLS = ("hypothesis", "jupytext", "nbclient", "nbformat", "nbval", "packaging",
         "playwright", "pytest", "pyyaml", "scipy")  # fmt: skip
"""Of the extra `test`, what the tests of a lane import."""
HOUSE = ("test_house", "test_wheel", "show/test_browser", "show/test_panels_on_7",
         "text/test_lm_eval", "tools")  # fmt: skip
SMOKE = ("datasets/test_datasets", "methods/test_lora", "models/test_load",
         "show/test_attention_panel", "show/test_classic", "show/test_designers", "show/test_live",
         "show/test_panels", "teach/test_preflight", "train/test_loop")  # fmt: skip
START = "notebooks/00_start_here.ipynb"
FIRST, SECOND = "notebooks/01_naive_full_fine_tuning.ipynb", "notebooks/04_lora_on_q_and_v.ipynb"
NBVAL = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=1200")
CALM = [word for kind in ("DeprecationWarning", "FutureWarning", "ResourceWarning")
        for word in ("-W", f"ignore::{kind}")]  # fmt: skip


def path_of(name: str) -> str:
    """A file of tests, or a folder of them."""
    return f"tests/{name}" if (ROOT / "tests" / name).is_dir() else f"tests/{name}.py"


def pins(file: Path) -> dict[str, str]:
    """The `name==version` lines of a file, without its comments."""
    lines = [line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return dict(line.split("==") for line in lines if line)


def floors(project: dict) -> dict[str, str]:
    """name -> lowest version, of what ftlab needs and of what its tests and notebooks need."""
    extras = project["optional-dependencies"]
    needs = [Requirement(text) for text in project["dependencies"]]
    needs += [Requirement(text) for name in ("lab", "quant", "laptop") for text in extras[name]]
    tools = [Requirement(text) for text in extras["test"]]
    needs += [need for need in tools if need.name in TOOLS]
    return {n.name: s.version for n in needs for s in n.specifier if s.operator == ">="}


def image(lane: str, root: Path = ROOT) -> dict[str, str]:
    """What is installed before ftlab, tools of the tests included where the lane fixes them."""
    given = pins(root / "tools/lanes" / f"{lane}.txt")
    if lane == "colab":
        return given
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return floors(project) | given


class Lane:
    """An environment of its own and a copy of the clone beside it, both in one folder."""

    def __init__(self, name: str, folder: Path) -> None:
        """Makes nothing yet; `folder` will be emptied."""
        self.name, self.folder = name, folder
        self.copy, self.env = folder / "clone", folder / "env"
        self.python = self.env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.fixed = folder / "image.txt"
        self.failed: list[str] = []

    def run(self, title: str, *words: object) -> bool:
        """Run this environment's Python in the copy; remembers and tells what fails."""
        begin = time.monotonic()
        settings = {"FTLAB_PROFILE": "nano", "FTLAB_STRICT": "1", "HF_HUB_OFFLINE": "1"}
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "FTLAB_DATA")}
        command = [str(self.python), *map(str, words)]
        done = subprocess.run(command, cwd=self.copy, env=env | settings)
        told = f"{self.name}, {title}"
        if done.returncode:
            self.failed.append(told)
        end = "" if not done.returncode else ", FAILED"
        print(f"== {told}: {time.monotonic() - begin:.0f} s{end}", flush=True)
        return not done.returncode

    def make(self) -> bool:
        """The environment without ftlab, and the copy. False if it cannot be had."""
        shutil.rmtree(self.folder, ignore_errors=True)
        copy_tree(self.copy)
        self.fixed.write_text("".join(f"{n}=={v}\n" for n, v in image(self.name).items()))
        venv.create(self.env, with_pip=True)
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        return self.run("image", *pip, "-r", self.fixed) and self.run(
            "test tools", *pip, "-c", self.fixed, *TOOLS
        )

    def versions(self) -> dict[str, str]:
        """Every package of the environment and its version."""
        command = [str(self.python), "-m", "pip", "list", "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return {found["name"]: found["version"] for found in json.loads(done.stdout)}

    def install(self, first: str) -> bool:
        """Run the notebook `first`, whose first cell installs ftlab; then the clone's own goes."""
        before = self.versions()
        done = self.run(f"{first}, which installs ftlab", "-m", "pytest", "-q", *NBVAL, first)
        after = self.versions()
        print("\n".join(f"   {line}" for line in changes(before, after)), flush=True)
        self.failed += [f"{self.name}, {fault}" for fault in faults(before, after)]
        for name in ("ftlab", "data", "build", "ftlab.egg-info"):
            shutil.rmtree(self.copy / name, ignore_errors=True)
        return done and "ftlab" in after

    def test(self, smoke: bool) -> None:
        """The unit tests, the panels' sweeps among them."""
        tests = [path_of(name) for name in SMOKE] if smoke else ["tests"]
        left_out = [f"--ignore={path_of(name)}" for name in HOUSE]
        words = ["-q", "-m", "not gpu and not slow" if smoke else "not gpu", *CALM]
        self.run("tests", "-m", "pytest", *words, *left_out, "--durations=5", *tests)


def copy_tree(folder: Path) -> None:
    """What git has or would have of the clone, as a clone of its own."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What an installation added or replaced, a line each."""
    names = sorted(name for name in after if before.get(name) != after[name])
    return [f"{name} {before.get(name, 'absent')} -> {after[name]}" for name in names]


def faults(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What is not as it must be once the first cell has installed ftlab."""
    found = [
        f"the first cell made {name} {before[name]} into {after.get(name)}"
        for name in KEPT
        if before[name] != after.get(name)
    ]
    if "ftlab" in before or "ftlab" not in after:
        found.append("the first cell did not install ftlab")
    return found


def run_benchmark(name: str, folder: Path, smoke: bool) -> list[str]:
    """Make and run one lane; what failed in it. A smoke test of `lowest` has one short notebook."""
    begin, lane, short = time.monotonic(), Lane(name, folder), smoke and name == "lowest"
    if lane.make() and lane.install(START if short else FIRST):
        lane.test(smoke)
        if not short:
            lane.run(SECOND, "-m", "pytest", "-q", *NBVAL, SECOND)
    print(f"== lane {name}: {(time.monotonic() - begin) / 60:.1f} minutes", flush=True)
    return lane.failed


def main(argv: list[str] | None = None) -> int:
    """The command line: 0 if every lane passed, 1 if one did not."""
    parser = argparse.ArgumentParser(prog="tools/lanes/run.py")
    parser.add_argument("lanes", nargs="*", metavar="LANE", help="colab or lowest (default: both)")
    parser.add_argument("--smoke", action="store_true", help="a short list of tests")
    parser.add_argument("--folder", type=Path, default=ROOT / ".venv-lanes")
    asked = parser.parse_args(argv)
    if unknown := [name for name in asked.lanes if name not in LANES]:
        print(f"There is no lane {unknown[0]!r}; there are {' and '.join(LANES)}.", file=sys.stderr)
        return 2
    names = asked.lanes or LANES
    failed = [fault for n in names for fault in run_benchmark(n, asked.folder / n, asked.smoke)]
    print("Failed: " + "; ".join(failed) if failed else "The lanes passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
