"""The one way to write a file or a folder: whole or not at all, and on the disk when it is said.

    with whole(path) as part: part.write_text(...)         a file
    with whole(path, holds=["*.html"]) as part: ...        a folder; `part` is made, and empty
    path = settled(path)                                   before such a folder is read

What is written lies beside its place as .<name>.<process>.part until it is moved there; the next
writer removes what a killed one left. No move that every system has puts a folder in the place of
another, so the older one is first moved aside, as .<name>.ftlab-old. A kill between the two moves
loses nothing: `settled` puts it back.

Run the tests: pytest tests/base/test_files.py
"""

import fnmatch
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from ftlab.base.errors import InputError, first_line

ASIDE = "ftlab-old"
PATIENCE = 600.0
"""Seconds to wait for another writer of the same folder, before it is done without a lock."""


class NotWritten(InputError, OSError):
    """What cannot be written, in one sentence; also an OSError, for who looks for one."""

    def __init__(self, path: object, why: BaseException) -> None:
        """`why`: what the system or a library said."""
        super().__init__()
        self.path, self.strerror = path, getattr(why, "strerror", None) or first_line(why)

    def __str__(self) -> str:
        return f"{self.path!s:.160} cannot be written ({self.strerror}); give another place."


def lock(path: str | Path, what: str) -> FileLock:
    """This machine's lock for doing `what` at `path`; asked once, it does not wait.

    It lies in the temporary folder, since a mounted Drive has none; two machines that share a
    folder can still collide.
    """
    key = hashlib.sha256(f"{what} {os.path.realpath(path)}".encode()).hexdigest()[:16]
    place = Path(tempfile.gettempdir(), f"ftlab-{key}.lock")
    return FileLock(place, timeout=0, mode=0o666, thread_local=False)


@contextmanager
def alone(path: Path, what: str) -> Iterator[bool]:
    """Wait for the lock and hold it meanwhile; False where this machine gives none."""
    held = lock(path, what)
    with suppress(OSError, Timeout):
        held.acquire(timeout=PATIENCE)
    try:
        yield held.is_locked
    finally:
        held.release()


@contextmanager
def whole(path: Path, *, holds: Sequence[str] | None = None) -> Iterator[Path]:
    """Where to write what is put in `path`'s place when the block ends without an error.

    With `holds` it is a folder, which may take the place of one that holds nothing but what these
    patterns name. Raises InputError for any other folder, before anything is done, and NotWritten.
    """
    try:
        path, folder = Path(os.path.realpath(path)), holds is not None
        path.exists()
    except (OSError, ValueError) as error:  # text that can be no path
        raise NotWritten(path, error) from error
    if holds is not None:
        check_own(settled(path), holds)
    part = _beside(path, f"{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone(path if folder else path.parent, "folder" if folder else "files") as held:
            for left in _leftovers(path) if held else ():
                _remove(left)
            try:
                if folder:
                    part.mkdir()
                yield part
                _sync(part)
                _put(part, path)
            finally:
                _remove(part)
    except (OSError, SafetensorError) as error:
        raise error if isinstance(error, NotWritten) else NotWritten(path, error) from error


def settled(path: Path) -> Path:
    """The same path; a folder that was moved aside when its writer was killed is there again."""
    if (old := _beside(path, ASIDE)).exists():
        with alone(path, "folder") as held:
            if not path.exists():
                os.replace(old, path)
            elif held:  # nobody is between the two moves
                _remove(old)
    return path


def check_writable(folder: Path) -> None:
    """Raises NotWritten unless files can be written in `folder`, which is left as it was."""
    made: list[Path] = []
    try:
        for place in (*reversed(folder.absolute().parents), folder):
            if not place.exists():
                place.mkdir()
                made.append(place)
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(b"ftlab")
    except (OSError, ValueError) as error:  # ValueError: text that can be no path
        raise NotWritten(folder, error) from error
    finally:
        for place in reversed(made):
            place.rmdir()


HUB_FORM = (
    "README.md", ".gitattributes", "config.json", "generation_config.json", "model*.safetensors",
    "model.safetensors.index.json", "adapter_config.json", "adapter_model.safetensors",
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "spiece.model", "chat_template.jinja",
    "training.json",
)  # fmt: skip
"""What a model's folder holds: one that holds nothing else may be replaced."""


def check_own(path: Path, holds: Sequence[str]) -> None:
    """Raises InputError unless `path` may be replaced: all that is there is named in `holds`."""
    if Path.cwd().is_relative_to(path.absolute()):
        raise InputError(f"{path} is the folder you are in; name one of its own.")
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file; name a folder.")
    names = [one.name for one in path.iterdir()] if path.exists() else []
    others = [one for one in names if not any(fnmatch.fnmatch(one, own) for own in holds)]
    others = names if set(names) == {"README.md"} else others  # a reader's, not a library's
    if others:
        raise InputError(f"{path} holds something else too ({others[0]}); name another folder.")


def _beside(path: Path, end: str) -> Path:
    return path.with_name(f".{path.name[:60]}.{end}")  # a name has at most 255 bytes


def _leftovers(path: Path) -> list[Path]:
    """What killed writers of `path` left beside it."""
    form = re.compile(re.escape(_beside(path, "").name) + r"\d+\.part")
    return [one for one in path.parent.iterdir() if form.fullmatch(one.name)]


def _put(part: Path, path: Path) -> None:
    folder, old = part.is_dir(), _beside(path, ASIDE)
    try:
        if folder and path.exists():
            _remove(old)
            os.replace(path, old)
        os.replace(part, path)
    except BaseException:
        if folder and not path.exists() and old.exists():
            os.replace(old, path)
        raise
    _sync_entries(path.parent)
    if folder:
        _remove(old)


def _sync(part: Path) -> None:
    """Have everything on the disk before its name is."""
    for one in (part, *part.rglob("*")):
        if one.is_dir():
            _sync_entries(one)
        else:
            with one.open("rb+") as file:
                os.fsync(file.fileno())


def _sync_entries(folder: Path) -> None:
    with suppress(OSError):  # Windows and some mounted drives have no such thing
        entries = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(entries)
        finally:
            os.close(entries)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
