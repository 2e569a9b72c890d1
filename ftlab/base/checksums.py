"""Checksums of what ships: a file CHECKSUMS with one `sha256  relative/path` a line.

`write` and `damaged` undo each other: after `write(folder)`, `damaged(folder)` is empty
until a listed file changes or goes. The form is that of `sha256sum`, so `sha256sum -c` reads
it too.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from ftlab.base.errors import InputError

NAME = "CHECKSUMS"


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


def write(folder: Path, pattern: str = "**/*") -> Path:
    """List every file under `folder` that fits `pattern` in `folder`/CHECKSUMS."""
    files = sorted(p for p in folder.glob(pattern) if p.is_file() and p.name != NAME)
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / NAME).write_text("".join(lines), encoding="utf-8")
    return folder / NAME


def read(folder: Path) -> dict[str, str]:
    """`folder`/CHECKSUMS as {relative path: sha256}; InputError when there is none."""
    path = folder / NAME
    if not path.is_file():
        raise InputError(
            f"{path} is missing, so nothing in {folder} can be trusted; "
            "get the folder again from the repository (git checkout)."
        )
    pairs = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines()]
    return {pair[1].strip().lstrip("*"): pair[0] for pair in pairs if len(pair) == 2}


def damaged(folder: Path, under: str = "") -> list[str]:
    """The listed files (those whose path starts with `under`) that are missing or changed."""
    listed = {name: digest for name, digest in read(folder).items() if name.startswith(under)}
    return [
        name
        for name, digest in listed.items()
        if not (folder / name).is_file() or sha256(folder / name) != digest
    ]
