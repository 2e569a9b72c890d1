"""Stamp the workbook for a repository: what `make colab` does. Nothing is executed.

    make colab                              the remote `origin`, the tag of this version
    make colab REPO=owner/name TAG=v0.1.0   or say which
    make colab REPO=none                    take the stamp away

What a stamp is stands in `tools.notebooks.stamp`. Stored outputs stay as they are. All is made
before
anything is written, and every file is written whole.

Run: python -m tools.notebooks.colab [REPO] [TAG]
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat

from ftlab.base.errors import InputError
from ftlab.base.files import whole
from tools.notebooks.build import ROOT, sources, versions, write
from tools.notebooks.stamp import Stamp, stamp_notebook, stamp_of, stamp_project, stamp_readme

GITHUB = re.compile(
    r"(?:https://(?:[^@/]*@)?|ssh://git@|git@)github\.com[:/](.+?)(?:\.git)?/?", re.IGNORECASE
)
MOVING = ("main", "master", "HEAD")


def chosen(repo: str, tag: str, folder: Path) -> Stamp | None:
    """The stamp that was asked for; "" stands for the default, the repo "none" for no stamp.

    Raises InputError for what can be none, and where there is no default.
    """
    if repo == "none":
        return None
    if named := GITHUB.fullmatch(repo):
        repo = named[1]
    project = (folder / "pyproject.toml").read_text(encoding="utf-8")
    version = tomllib.loads(project)["project"]["version"]
    return Stamp(repo or _origin(folder), tag or f"v{version}")


def _origin(folder: Path) -> str:
    """owner/name of the remote `origin`. Raises InputError where it is not on GitHub."""
    found = _git(folder, "remote", "get-url", "origin")
    if named := GITHUB.fullmatch(found):
        return named[1]
    what = f"the remote origin is {found}" if found else "there is no remote origin"
    raise InputError(
        f"REPO was not given and {what}, which is not on GitHub; "
        "say which repository learners install from: make colab REPO=owner/name."
    )


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:  # no git on this machine
        return ""


def stamp_tree(folder: Path, stamp: Stamp | None) -> int:
    """Write `stamp` into pyproject.toml, the README and every notebook; how many files changed."""
    project, readme = folder / "pyproject.toml", folder / "README.md"
    texts = {
        project: stamp_project(project.read_text(encoding="utf-8"), stamp),
        readme: stamp_readme(readme.read_text(encoding="utf-8"), stamp),
    }
    assert stamp_of(texts[project]) == stamp
    for source in sources([], folder / "notebooks"):
        for path, _, name in versions(source):
            notebook = stamp_notebook(nbformat.read(path, 4), stamp, f"notebooks/{name}")
            texts[path] = nbformat.writes(notebook) + "\n"
    changed = {p: text for p, text in texts.items() if text != p.read_text(encoding="utf-8")}
    for path, text in changed.items():
        _write(path, text)
    return len(changed)


def _write(path: Path, text: str) -> None:
    if path.suffix == ".ipynb":
        write(nbformat.reads(text, as_version=4), path)
        return
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def news(stamp: Stamp | None, changed: int, folder: Path) -> list[str]:
    """What was done and what is left to do, a line each."""
    if stamp is None:
        return [f"Unstamped, {changed} files changed: the first cell installs from the clone."]
    lines = [f"Stamped for {stamp.repo} at {stamp.tag}, {changed} files changed."]
    if stamp.tag in MOVING:
        lines.append(f"{stamp.tag} moves, and learners with it; a tag stays: TAG=v0.1.0.")
    elif stamp.tag not in _git(folder, "tag", "--list").splitlines():
        lines.append(
            "Until the tag is on GitHub the badges lead nowhere: commit, then "
            f"git tag {stamp.tag} and git push origin HEAD {stamp.tag}."
        )
    return lines


def main(argv: list[str] | None = None, *, folder: Path = ROOT) -> int:
    """The command line: 0 if all is well, 2 for a slip."""
    repo, tag, *_ = [*(sys.argv[1:] if argv is None else argv), "", ""]
    try:
        stamp = chosen(repo, tag, folder)
        print("\n".join(news(stamp, stamp_tree(folder, stamp), folder)))
    except InputError as slip:
        print(f"ftlab: {slip}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
