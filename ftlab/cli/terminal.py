"""What the commands share: a progress line, and files checked before the work and written whole.

A run of minutes that ends in "no such folder" is lost; so a command asks first whether its
output can be written, and writes it beside its place before it is moved there.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from ftlab.base.errors import InputError
from ftlab.base.files import NotWritten, check_writable, whole

PICTURES = (".png", ".svg", ".pdf")


class Progress(tqdm):
    """A bar that redraws its line in a terminal, and prints a line now and then elsewhere.

    with Progress(100) as bar:
        bar.to(3, "loss 2.1")
    """

    def __init__(self, total: int, *, every: float = 10.0, out: TextIO | None = None) -> None:
        """total: steps; every: seconds between lines where the output is no terminal."""
        stream: TextIO = out or sys.stdout
        self.words, self.shown = "", time.monotonic()
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
        self.words = words
        self.set_postfix_str(self._told(), refresh=False)
        if step < self.total:
            self.update(step - self.n)
        else:
            self.n = step
            self.refresh()

    def measuring(self, how_far: str) -> None:
        """Show how far measuring is, behind the words of the last step."""
        now = time.monotonic()
        if now - self.shown >= self.mininterval:
            self.shown = now
            self.set_postfix_str(", ".join(filter(None, (self.words, f"measuring: {how_far}"))))

    def _told(self) -> str:
        """The words, and how long the rest will take where that is a minute or more."""
        left = self.format_dict["elapsed"] / self.n * (self.total - self.n) if self.n else 0
        more = f"about {left / 60:.0f} min left" if left >= 60 else ""
        return ", ".join(filter(None, (self.words, more)))


class _Lines:
    """A file that takes each state of a bar as a line of its own."""

    def __init__(self, out: TextIO) -> None:
        self.out, self.flush = out, out.flush

    def write(self, text: str) -> None:
        if text.strip():
            self.out.write(text.strip() + "\n")


def place(text: str) -> Path:
    """A path that was given as an option; an empty one is a slip, and ~ is one's home."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give a name")
    path = Path(os.path.expanduser(text))
    if path.parts and path.parts[0].startswith("~"):
        raise argparse.ArgumentTypeError(f"{path.parts[0]} is nobody's home; write the path out")
    return path


def check_picture(path: Path) -> Path:
    """The path, if a picture can be written there; InputError otherwise."""
    return check_file(path, PICTURES, "the picture so, as in forgetting.png")


def check_file(path: Path, endings: tuple[str, ...], name_it: str) -> Path:
    """The path, if a file with one of the endings can be written there; InputError otherwise."""
    if path.suffix.lower() not in endings:
        raise InputError(f"{path} does not end in {', '.join(endings)}; name {name_it}.")
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder; give a file's name in it.")
    if not os.path.isdir(path.parent):
        raise InputError(f"There is no folder {path.parent} for {path.name}; make it first.")
    check_writable(path.parent)
    try:
        path.exists()
    except OSError as error:  # too long a name
        raise NotWritten(path, error) from error
    return path


def check_folder(path: Path) -> Path:
    """The path, if a folder is or can be made there; InputError otherwise."""
    if os.path.exists(path) and not path.is_dir():
        raise InputError(f"{path} is a file; give a folder.")
    check_writable(path)
    return path


def save_picture(figure: Any, path: Path) -> Path:
    """Write a matplotlib Figure, whole or not at all. Raises InputError when it cannot be."""
    with whole(path) as part:
        figure.savefig(part, format=path.suffix[1:].lower())
    return path
