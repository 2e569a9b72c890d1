"""What the commands share: a progress line, and files checked before the work and written whole.

A run of minutes that ends in "no such folder" is lost; so a command asks first whether its
output can be written, and writes it beside its place before it is moved there.
"""

import os
import sys
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from ftlab.base.errors import InputError

PICTURES = (".png", ".svg", ".pdf")


class Progress(tqdm):
    """A bar that redraws its line in a terminal, and prints a line now and then elsewhere.

    with Progress(100) as bar:
        bar.to(3, "loss 2.1")
    """

    def __init__(self, total: int, *, every: float = 10.0, out: TextIO | None = None) -> None:
        """total: steps; every: seconds between lines where the output is no terminal."""
        stream: TextIO = out or sys.stdout
        live = stream.isatty()
        super().__init__(
            total=total,
            file=stream if live else _Lines(stream),
            leave=live,  # a line that was printed stays anyway
            mininterval=0.1 if live else every,
            miniters=0,
            dynamic_ncols=live,
            ascii=".#",
            bar_format="[{bar:24}] {n_fmt}/{total_fmt}{postfix}",
        )

    def to(self, step: int, words: str = "") -> None:
        """Show that `step` of the total is done, with a few words."""
        self.set_postfix_str(words, refresh=False)
        if step < self.total:
            self.update(step - self.n)
        else:
            self.n = step
            self.refresh()


class _Lines:
    """A file that takes each state of a bar as a line of its own."""

    def __init__(self, out: TextIO) -> None:
        self.out, self.flush = out, out.flush

    def write(self, text: str) -> None:
        if text.strip():
            self.out.write(text.strip() + "\n")


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
