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

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LIMIT_S = 600


def commands() -> list[str]:
    """Every line of the README's bash blocks, comments and blank lines left out."""
    blocks = re.findall(r"^```bash\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def ftlab() -> list[str]:
    """The installed script beside this interpreter, or the same function where there is none."""
    script = shutil.which("ftlab", path=str(Path(sys.executable).parent))
    call = "import sys; from ftlab.cli.main import main; sys.exit(main())"
    return [script] if script else [sys.executable, "-c", call]


def environment() -> dict[str, str]:
    """This one without the outer make's flags, and with the clone on the path."""
    kept = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    return kept | {"PYTHONPATH": str(ROOT)}


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_readme_has_its_commands():
    assert {"make lab", "make test", "ftlab check", "ftlab demo"} <= set(commands())


@pytest.mark.parametrize("line", [c for c in commands() if not c.startswith("ftlab ")])
def test_make_commands_are_known(line: str):
    assert line.startswith("make "), f"This test does not know how to try {line!r}; teach it."
    run(["make", "-n", *shlex.split(line)[1:]], ROOT)


@pytest.mark.slow
@pytest.mark.parametrize("line", [c for c in commands() if c.startswith("ftlab ")])
def test_ftlab_commands_run(line: str, tmp_path: Path):
    fewer = ["--steps", "20"] if line == "ftlab demo" else []
    out = run([*ftlab(), *shlex.split(line)[1:], *fewer], tmp_path)
    if line == "ftlab demo":
        table = {row[:28].strip(): row[28:].replace(" %", "").split() for row in out.splitlines()}
        assert float(table["skill: facts (fill in)"][0]) > 80, out  # it knew its facts
        assert float(table["retained, the mean"][-1]) < 90, out  # and has forgotten some
        assert not list(tmp_path.iterdir())  # nothing is written but what is asked for


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


# ---- what is computed


def test_its_computed_parts_are_those_of_today():
    from tools.pages.readme import filled

    assert filled(README, ROOT) == README, "run: python -m tools.pages.readme"


def test_the_measured_page_is_that_of_today():
    from tools.pages.measured import measured
    from tools.pages.readme import PAGE

    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert page == measured(ROOT), "run: python -m tools.pages.readme"


def test_the_picture_is_that_of_today(tmp_path: Path):
    from tools.pages.readme import PICTURE, picture, written

    drawn = picture()
    with Image.open(ROOT / PICTURE) as stored:
        assert stored.info["Description"] == drawn.alt, "run: python -m tools.pages.readme"
        old = np.asarray(stored.convert("L"), dtype=float)
    drawn.savefig(tmp_path / "new.png", metadata=written(drawn))
    with Image.open(tmp_path / "new.png") as made:
        new = np.asarray(made.convert("L"), dtype=float)
    assert old.shape == new.shape
    apart = np.abs(old - new).mean()  # of 255; another release of matplotlib moves edges a little
    assert apart < 1, f"grey values differ by {apart:.2f}; run: python -m tools.pages.readme"


def test_its_parts_can_be_stamped_and_unstamped():
    from tools.notebooks.stamp import Stamp, stamp_readme
    from tools.pages.readme import notebooks

    table = notebooks(ROOT)
    badged = stamp_readme(table, Stamp("owner/name", "v0.1.0"))
    assert badged.count("Open in Colab") == len(list((ROOT / "notebooks").glob("[0-9]*.ipynb")))
    assert stamp_readme(badged, None) == table


def test_minutes_are_told_for_the_profiles_that_were_measured(tmp_path: Path, monkeypatch):
    from ftlab.teach.timings import Timing, note
    from tools.pages import readme

    monkeypatch.setenv("FTLAB_DATA", str(tmp_path))
    note("00_start_here", Timing(90, cores=2))
    note("00_start_here", Timing(240, cores=8), "laptop")
    table = readme.notebooks(ROOT)
    assert "| minutes, nano | minutes, laptop |" in table and "| 1.5 | 4.0 |" in table
    assert "`nano` on 2 CPU cores; `laptop` on 8 CPU cores." in table
    assert "Not measured yet: on a card (`make gpu`)." in table


def test_a_finding_that_is_no_longer_so_is_not_written(monkeypatch):
    from tools.pages import findings

    one = findings._one
    swapped = {findings.GENTLE: findings.HARSH, findings.HARSH: findings.GENTLE}
    monkeypatch.setattr(findings, "_one", lambda size, sweep, lr: one(size, sweep, swapped[lr]))
    with pytest.raises(LookupError, match="no longer so"):
        findings.five()


def test_the_film_is_small():
    from tools.pages.film import FILM, LIMIT

    with Image.open(ROOT / FILM) as film:
        assert film.n_frames > 10  # pyright: ignore[reportAttributeAccessIssue]
    assert (ROOT / FILM).stat().st_size <= LIMIT
