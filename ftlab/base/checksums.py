"""Checksums of what ships: a file CHECKSUMS with one `sha256  relative/path` a line.

`write` and `damaged` undo each other: after `write(folder)`, `damaged(folder)` is empty
until a listed file changes or goes, or another comes to them. The form is that of `sha256sum`, so
`sha256sum -c` reads it too.

A folder of which something is listed is listed whole. Free are hidden files, those beside the list
if it names none of them, and GROWS.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from ftlab.base.errors import InputError
from ftlab.base.files import whole
from ftlab.base.paths import data_dir

NAME = "CHECKSUMS"
GROWS = "records/"
"""Where `ftlab grid` adds to what ships: each of its files is checked whole when it is read."""


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short(paths: Iterable[Path]) -> str:
    """One short name (12 digits) for the contents of some files, whatever the files are called."""
    digests = [_digest(path) for path in paths]
    if len(digests) == 1:
        return digests[0][:12]
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:12]


def _digest(path: Path) -> str:
    target = path.resolve().name  # the Hub's cache calls a large file by its sha256
    return target if len(target) == 64 and set(target) <= set("0123456789abcdef") else sha256(path)


def listing(folder: Path, under: Iterable[str] = ("",)) -> str:
    """The lines of CHECKSUMS for every file in these folders under `folder`."""
    names = sorted(name for one in under for name in _files(folder, one))
    return "".join(f"{sha256(folder / name)}  {name}\n" for name in names)


def _files(folder: Path, under: str) -> list[str]:
    found = [folder / under, *(folder / under).rglob("*")]
    names = [path.relative_to(folder).as_posix() for path in found if path.is_file()]
    return [n for n in names if not any(part[0] == "." or part == NAME for part in n.split("/"))]


def write(folder: Path, under: Iterable[str] = ("",)) -> Path:
    """List every file in these folders under `folder` (by default all) in `folder`/CHECKSUMS."""
    lines = listing(folder, under)
    with whole(folder / NAME) as part:
        part.write_text(lines, encoding="utf-8", newline="\n")
    return folder / NAME


def read(folder: Path) -> dict[str, str]:
    """`folder`/CHECKSUMS as {relative path: sha256}; InputError when it is missing or no list."""
    path = folder / NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    found = [re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line) for line in lines]
    if not found or not all(found):
        raise InputError(
            f"{path} is {'damaged' if path.exists() else 'missing'}, so nothing in {folder} can be "
            "trusted; get the folder again from the repository (git checkout)."
        )
    return {match[2]: match[1] for match in found if match}


def damaged(folder: Path, under: str = "") -> list[str]:
    """The files whose path starts with `under` that are missing, changed, or not listed."""
    listed = read(folder)
    tops = {under} if under else {name.rpartition("/")[0].split("/")[0] for name in listed}
    there = {name for top in tops for name in _files(folder, top)}
    more = [n for n in there - listed.keys() if not n.startswith(GROWS)]
    return sorted(more) + [
        name
        for name, digest in listed.items()
        if name.startswith(under) and (name not in there or sha256(folder / name) != digest)
    ]


def shipped(name: str) -> Path:
    """Where `name` lies in the data folder. Raises InputError where it is not as it ships."""
    if bad := damaged(data_dir(), name):
        raise InputError(
            f"{data_dir() / bad[0]} is missing or not what CHECKSUMS lists; get it again from the "
            "repository (git checkout), or list one of your own: python -m tools.data --write."
        )
    return data_dir() / name
