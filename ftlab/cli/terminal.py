"""What the commands share: a progress line, and files checked before the work and written whole.

A run of minutes that ends in "no such folder" is lost; so a command asks first whether its
output can be written, and writes it beside its place before it is moved there.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from ftlab.base.errors import InputError

PICTURES = (".png", ".svg", ".pdf")
BAR = 24  # letters


class Progress:
    """A bar that redraws its line in a terminal, and prints a line now and then elsewhere.

    with Progress(100) as bar:
        bar.to(3, "loss 2.1")
    """

    def __init__(self, total: int, *, every: float = 10.0, out: TextIO | None = None) -> None:
        """total: steps; every: seconds between lines where the output is no terminal."""
        self.total, self.every, self.out = total, every, out or sys.stdout
        self.live = self.out.isatty()
        self.told = self.wide = 0.0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.live and self.wide:
            self.out.write("\n")
            self.out.flush()

    def to(self, step: int, words: str = "") -> None:
        """Show that `step` of the total is done, with a few words."""
        now = time.monotonic()
        last = step >= self.total
        if not last and now - self.told < (0.1 if self.live else self.every):
            return
        self.told = now
        done = min(BAR, BAR * step // max(1, self.total))
        line = f"[{'#' * done}{'.' * (BAR - done)}] {step}/{self.total}  {words}".rstrip()
        if self.live:
            line = line[: max(20, _columns() - 1)]
            self.out.write("\r" + line.ljust(int(self.wide)))
            self.wide = len(line)
        else:
            self.out.write(line + "\n")
        self.out.flush()


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def check_picture(path: Path) -> Path:
    """The path, if a picture can be written there; InputError otherwise."""
    if path.suffix.lower() not in PICTURES:
        raise InputError(
            f"{path} does not end in {', '.join(PICTURES)}; name the picture so, "
            "as in forgetting.png."
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder; give a file's name in it.")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent} for {path.name}; make it first.")
    return _writable(path, path.parent)


def check_folder(path: Path) -> Path:
    """The path, if a folder is or can be made there; InputError otherwise."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file; give a folder.")
    there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not there.is_dir():
        raise InputError(f"{there} is a file, so no folder can be made in it; give another.")
    return _writable(path, there)


def _writable(path: Path, folder: Path) -> Path:
    if not os.access(folder, os.W_OK):
        raise InputError(f"{path} cannot be written: {folder} is read-only; give another place.")
    return path


def save_picture(figure: Any, path: Path) -> Path:
    """Write a matplotlib Figure, whole or not at all. Raises InputError when it cannot be."""
    part = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        figure.savefig(part)
        os.replace(part, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}).") from error
    finally:
        part.unlink(missing_ok=True)
    return path
