"""`make colab`: stamped, stamped again, unstamped; on a copy of the tree.

pytest tests/tools/test_colab.py
"""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

from ftlab.base.errors import InputError
from tools.notebooks import build, colab
from tools.notebooks.sources import FIRST_CELL
from tools.notebooks.stamp import BADGE_ID, Stamp, first_cell, stamp_in, stamp_of, stamp_project

ROOT = build.ROOT
ONE, OTHER = Stamp("ann/ft.lab-2", "v0.1.0"), Stamp("Bob-7/workbook", "2026/spring")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What a stamp changes, for two notebooks, and their sources; unstamped, without a remote."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    for path in (tmp_path / "notebooks").rglob("*_*.*"):  # all 14 would take a minute
        if path.name[:2] not in ("00", "04"):
            path.unlink()
    colab.stamp_tree(tmp_path, None)
    return tmp_path


def content(tree: Path) -> dict[Path, bytes]:
    files = [*tree.rglob("*.ipynb"), tree / "pyproject.toml", tree / "README.md"]
    return {path: path.read_bytes() for path in files}


def outputs(path: Path) -> list[tuple]:
    cells = nbformat.read(path, as_version=4).cells
    return [(c.execution_count, c.outputs) for c in cells if c.cell_type == "code"]


def test_a_stamp_reaches_every_notebook_and_the_readme(tree: Path, capsys) -> None:
    before = {path: outputs(path) for path in tree.rglob("*.ipynb")}
    assert colab.main([ONE.repo, ONE.tag], folder=tree) == 0
    assert f"{len(before) + 2} files changed" in capsys.readouterr().out
    assert stamp_in(tree) == ONE
    readme = (tree / "README.md").read_text(encoding="utf-8")
    for path in before:
        notebook, place = nbformat.read(path, as_version=4), path.relative_to(tree).as_posix()
        nbformat.validate(notebook)
        link = f"github/ann/ft.lab-2/blob/v0.1.0/{place})"
        assert notebook.cells[0].source.endswith(link)
        assert notebook.cells[0].source.startswith("[![Open in Colab](https://")
        assert ("solutions" not in place) is (link in readme)
        first = next(cell for cell in notebook.cells if cell.cell_type == "code").source
        assert '"ftlab[colab] @ git+https://github.com/ann/ft.lab-2@v0.1.0"' in first
        assert len(first.splitlines()) <= 6 and "rev-parse" not in first
        assert outputs(path) == before[path] and before[path]


def test_stamping_again_changes_what_it_must_and_none_undoes_it(tree: Path) -> None:
    bare = content(tree)
    assert colab.stamp_tree(tree, ONE) == len(bare)
    once = content(tree)
    assert colab.stamp_tree(tree, ONE) == 0
    assert colab.stamp_tree(tree, OTHER) == len(bare)
    assert all(b"Bob-7/workbook" in text and b"ann/" not in text for text in content(tree).values())
    assert colab.stamp_tree(tree, ONE) == len(bare) and content(tree) == once
    assert colab.stamp_tree(tree, None) == len(bare) and content(tree) == bare
    assert not any(BADGE_ID.encode() in text for text in bare.values())


def test_what_is_built_from_the_sources_is_stamped_too(tree: Path) -> None:
    source, project = tree / "notebooks/source/00_start_here.py", tree / "pyproject.toml"
    build.regenerate(source, run=False)  # whatever the sources have become since
    colab.stamp_tree(tree, ONE)
    assert build.first_difference(source) == ""
    project.write_text(stamp_project(project.read_text(encoding="utf-8"), OTHER), encoding="utf-8")
    assert "colab-badge differs" in build.first_difference(source)


def test_regenerating_keeps_outputs_where_only_the_first_cell_changed(tree: Path) -> None:
    source = tree / "notebooks/source/00_start_here.py"
    path = tree / "notebooks/00_start_here.ipynb"
    build.regenerate(source, run=False)
    notebook = nbformat.read(path, as_version=4)
    printed = nbformat.v4.new_output("stream", name="stdout", text="kept\n")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [printed], 7
    build.write(notebook, path)
    project = tree / "pyproject.toml"
    project.write_text(stamp_project(project.read_text(encoding="utf-8"), ONE), encoding="utf-8")
    assert "differs from its source" in build.first_difference(source)
    build.regenerate(source, run=False)
    assert build.first_difference(source) == ""
    assert all(found == (7, [printed]) for found in outputs(path))


@pytest.mark.parametrize(
    ("url", "repo"),
    [
        ("https://github.com/ann/lab.git", "ann/lab"),
        ("https://token@github.com/ann/lab", "ann/lab"),
        ("git@github.com:ann/lab.git", "ann/lab"),
        ("ssh://git@github.com/ann/lab/", "ann/lab"),
    ],
)
def test_the_defaults_are_the_remote_and_this_versions_tag(tree: Path, url: str, repo: str) -> None:
    subprocess.run(["git", "-C", str(tree), "remote", "add", "origin", url], check=True)
    version = stamp_version(tree)
    assert colab.chosen("", "", tree) == Stamp(repo, f"v{version}")
    assert colab.chosen("", "v9", tree) == Stamp(repo, "v9")
    assert colab.chosen("https://github.com/bob/lab", "", tree) == Stamp("bob/lab", f"v{version}")
    assert colab.chosen("none", "", tree) is None


def stamp_version(tree: Path) -> str:
    project = (tree / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(project)["project"]["version"]


@pytest.mark.parametrize(
    ("repo", "tag", "says"),
    [
        ("", "", "there is no remote origin"),
        ("owner", "", "owner/name"),
        ("o wner/name", "", "owner/name"),
        ("owner/name; rm", "", "owner/name"),
        ("owner/..", "", "owner/name"),
        ("owner/name", "v 1", "TAG='v 1'"),
        ("owner/name", '"; rm', "TAG="),
        ("owner/name", "a..b", "TAG="),
        ("owner/name", "-q", "TAG="),
    ],
)
def test_a_slip_is_told_in_one_sentence_and_changes_nothing(
    tree: Path, capsys, repo: str, tag: str, says: str
) -> None:
    before = content(tree)
    assert colab.main([repo, tag], folder=tree) == 2
    told = capsys.readouterr().err
    assert says in told and told.count("\n") == 1 and told.startswith("ftlab: ")
    assert content(tree) == before


def test_another_host_is_named(tree: Path) -> None:
    url = "https://example.org/ann/lab"
    subprocess.run(["git", "-C", str(tree), "remote", "add", "origin", url], check=True)
    with pytest.raises(InputError, match=r"example\.org/ann/lab, which is not on GitHub"):
        colab.chosen("", "", tree)


def test_a_branch_and_a_tag_that_is_not_there_are_told(tree: Path, capsys) -> None:
    colab.main(["ann/lab", "main"], folder=tree)
    assert "main moves" in capsys.readouterr().out
    colab.main(["ann/lab", "v5"], folder=tree)
    assert "git tag v5" in capsys.readouterr().out


def test_a_stamp_written_by_hand_is_replaced(tree: Path) -> None:
    text = (tree / "pyproject.toml").read_text(encoding="utf-8")
    by_hand = text + '\n[tool.ftlab.colab]\nrepo = "ann/lab"\ntag = "v1"\n'
    assert stamp_of(by_hand) == Stamp("ann/lab", "v1")
    assert stamp_project(by_hand, None) == text
    with pytest.raises(InputError, match="TAG="):
        stamp_of(by_hand.replace("v1", "v 1"))


def test_a_stamped_notebook_passes_ruff_whatever_the_name(tree: Path) -> None:
    colab.stamp_tree(tree, Stamp("a" * 39 + "/" + "b" * 100, "v" + "1" * 40))
    for words in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *words, "notebooks/00_start_here.ipynb"]
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_first_cell_touches_neither_torch_nor_numpy() -> None:
    for cell in (FIRST_CELL, first_cell(None), first_cell(ONE)):
        assert len(cell.splitlines()) <= 6 and "torch" not in cell and "numpy" not in cell
        assert "upgrade" not in cell and "-U" not in cell
