"""The README says what is so: its commands run, its links lead somewhere, its version is ours.

Every line of a ```bash block is a command. `ftlab ...` is run; `make ...` is only shown
(`make -n`), since the tests themselves run under `make test`; anything else is refused, so that no
command stands in the README untried.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LIMIT_S = 120


def commands() -> list[str]:
    """Every line of the README's bash blocks, comments and blank lines left out."""
    blocks = re.findall(r"^```bash\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def ftlab() -> list[str]:
    """The installed script beside this interpreter, or the same function where there is none."""
    script = shutil.which("ftlab", path=str(Path(sys.executable).parent))
    call = "import sys; from ftlab.cli import main; sys.exit(main())"
    return [script] if script else [sys.executable, "-c", call]


def environment() -> dict[str, str]:
    """This one without the outer make's flags, and with the clone on the path."""
    kept = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    return kept | {"PYTHONPATH": str(ROOT)}


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"


def test_the_readme_has_its_commands():
    assert {"make lab", "make test", "ftlab check", "ftlab demo"} <= set(commands())


@pytest.mark.parametrize("line", [c for c in commands() if not c.startswith("ftlab ")])
def test_make_commands_are_known(line: str):
    assert line.startswith("make "), f"This test does not know how to try {line!r}; teach it."
    run(["make", "-n", *shlex.split(line)[1:]], ROOT)


@pytest.mark.slow
@pytest.mark.parametrize("line", [c for c in commands() if c.startswith("ftlab ")])
def test_ftlab_commands_run(line: str, tmp_path: Path):
    run([*ftlab(), *shlex.split(line)[1:]], tmp_path)


def test_links_and_pictures_are_there():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    missing = [t for t in targets if "://" not in t and not (ROOT / t).exists()]
    assert not missing, f"The README points at what is not there: {missing}"


def test_pictures_have_alt_text():
    assert all(alt.strip() for alt in re.findall(r"!\[(.*?)\]\(", README))


def test_the_citation_names_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = re.search(r"version\s*=\s*\{(.+?)\}", README)
    assert found and found[1] == project["version"]


def test_its_figures_are_those_of_the_records():
    from ftlab.teach.readme import between, measured

    assert between(README) == measured(), "run: python -m ftlab.teach.readme"
