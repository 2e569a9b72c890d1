"""What is written is whole or absent, whoever is killed when; nothing else is ever removed.

Run: pytest tests/base/test_files.py
"""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ftlab.base import files
from ftlab.base.errors import InputError
from ftlab.base.files import NotWritten, check_writable, settled, whole

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("a.txt", "deep/b.txt")


def fill(folder: Path, text: str) -> None:
    (folder / "deep").mkdir()
    for name in PARTS:
        (folder / name).write_text(text)


def version(folder: Path) -> int:
    """What all its files say; fails where they do not say the same."""
    texts = {(folder / name).read_text() for name in PARTS}
    assert len(texts) == 1 and len(list(folder.iterdir())) == 2
    return int(texts.pop())


def test_a_file_and_a_folder_come_whole_and_alone(tmp_path: Path):
    for text in ("1", "2"):
        with whole(tmp_path / "new" / "a.txt") as part:
            part.write_text(text)
        with whole(tmp_path / "m", holds=["*"]) as part:
            fill(part, text)
    assert (tmp_path / "new/a.txt").read_text() == "2" and version(tmp_path / "m") == 2
    assert {p.name for p in tmp_path.iterdir()} == {"new", "m"}
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_an_error_leaves_the_old_one(tmp_path: Path):
    for path, holds in ((tmp_path / "a", None), (tmp_path / "m", ["*"])):
        with whole(path, holds=holds) as part:
            part.write_text("1") if holds is None else fill(part, "1")
        for error in (KeyboardInterrupt, ValueError):
            with pytest.raises(error), whole(path, holds=holds) as part:
                part.write_text("2") if holds is None else fill(part, "2")
                raise error
    assert (tmp_path / "a").read_text() == "1" and version(tmp_path / "m") == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_what_fails_between_the_two_moves_is_taken_back(tmp_path: Path, monkeypatch):
    with whole(tmp_path / "m", holds=["*"]) as part:
        fill(part, "1")
    move = os.replace

    def second_fails(source, goal):
        if str(source).endswith(".part"):
            raise OSError(5, "Input/output error")
        move(source, goal)

    monkeypatch.setattr(os, "replace", second_fails)
    with (
        pytest.raises(
            NotWritten, match=r"m cannot be written \(Input/output error\); give another"
        ),
        whole(tmp_path / "m", holds=["*"]) as part,
    ):
        fill(part, "2")
    assert version(tmp_path / "m") == 1 and len(list(tmp_path.iterdir())) == 1


# --- killed ---------------------------------------------------------------------------------------

# Writes version after version of a folder, and says each that is in its place.
WRITER = """
import itertools, sys
from pathlib import Path
from ftlab.base.files import whole
from tests.base.test_files import fill

for n in itertools.count(int(sys.argv[2])):
    with whole(Path(sys.argv[1]), holds=["*"]) as part:
        fill(part, str(n))
    print(n, flush=True)
"""
# Is killed by itself between the two moves, or before the older one is removed.
VICTIM = """
import os, signal, sys
from pathlib import Path
from ftlab.base import files
from tests.base.test_files import fill

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

move, calls = os.replace, []
def replace(source, goal):
    if sys.argv[2] == str(len(calls)):
        die()
    calls.append(goal)
    move(source, goal)
os.replace = replace
if sys.argv[2] == "after":
    files._sync_entries = lambda folder: die() if len(calls) == 2 else None
with files.whole(Path(sys.argv[1]), holds=["*"]) as part:
    fill(part, "2")
"""


def child(code: str, *words: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_writer_killed_at_any_moment_loses_nothing_that_was_said(tmp_path: Path):
    folder, dice, said = tmp_path / "m", random.Random(0), 0
    for _ in range(5):
        with child(WRITER, folder, said + 1) as writer:
            assert writer.stdout
            said = int(writer.stdout.readline())
            time.sleep(dice.random() / 5)
            writer.kill()
            said = max([said, *map(int, writer.stdout.read().split())])
        assert version(settled(folder)) in (said, said + 1)
    with whole(folder, holds=["*"]) as part:
        fill(part, "0")
    assert [path.name for path in tmp_path.iterdir()] == ["m"], "leftovers are removed"


@pytest.mark.parametrize(("moment", "found"), [("0", 1), ("1", 1), ("after", 2)])
def test_a_kill_beside_the_two_moves_is_mended(tmp_path: Path, moment: str, found: int):
    folder = tmp_path / "m"
    with whole(folder, holds=["*"]) as part:
        fill(part, "1")
    with child(VICTIM, folder, moment) as victim:
        assert victim.wait() == -signal.SIGKILL
    assert folder.exists() == (moment != "1")
    assert version(settled(folder)) == found
    assert settled(folder) == folder and not list(tmp_path.glob("*.ftlab-old"))


def test_leftovers_of_others_stay(tmp_path: Path):
    """`m` and `m.checkpoint` lie side by side."""
    for name in (".m.checkpoint.77.part", ".m.77.part", ".m.part", "m.77.part"):
        (tmp_path / name).mkdir()
    with whole(tmp_path / "m", holds=["*"]) as part:
        fill(part, "1")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".m.checkpoint.77.part", ".m.part", "m.77.part", "m"}


def test_writers_of_one_folder_wait_for_each_other(tmp_path: Path):
    def write(n: int) -> None:
        with whole(tmp_path / "m", holds=["*"]) as part:
            fill(part, str(n))
            time.sleep(0.02)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert version(tmp_path / "m") in range(4) and len(list(tmp_path.iterdir())) == 1


def test_without_a_lock_it_is_written_all_the_same(tmp_path: Path, monkeypatch):
    def no_lock(*_, **__) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(files.FileLock, "acquire", no_lock)
    with whole(tmp_path / "a") as part:
        part.write_text("1")
    assert (tmp_path / "a").read_text() == "1"


# --- nothing else is removed ----------------------------------------------------------------------


def test_a_folder_with_something_else_is_refused_before_anything_is_done(
    tmp_path: Path, monkeypatch
):
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "years.tex").write_text("of work")
    (tmp_path / "file").touch()
    for path, said in ((thesis, r"years\.tex\); name another"), (tmp_path / "file", "is a file")):
        with pytest.raises(InputError, match=said), whole(path, holds=["*.html"]):
            pytest.fail("begun")
    monkeypatch.chdir(thesis)
    for place in (Path(), tmp_path):
        with pytest.raises(InputError, match="folder you are in"), whole(place, holds=["*"]):
            pytest.fail("begun")
    assert [path.name for path in thesis.iterdir()] == ["years.tex"]


def test_a_file_never_takes_the_place_of_a_folder(tmp_path: Path):
    (tmp_path / "m").mkdir()
    with pytest.raises(NotWritten), whole(tmp_path / "m") as part:
        part.write_text("1")
    assert (tmp_path / "m").is_dir() and len(list(tmp_path.iterdir())) == 1


def test_behind_a_link_the_goal_is_replaced(tmp_path: Path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "m").symlink_to(tmp_path / "disk", target_is_directory=True)
    with whole(tmp_path / "m", holds=["*"]) as part:
        fill(part, "1")
    assert (tmp_path / "m").is_symlink() and version(tmp_path / "disk") == 1


# --- places that cannot be written ----------------------------------------------------------------


@pytest.mark.parametrize("place", ["/proc/x", "/dev/full", "/dev/null/x", "x" * 300, "a\0b"])
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch, place: str):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotWritten, match="cannot be written") as caught:
        check_writable(Path(place) / "deep")
    assert isinstance(caught.value, OSError) and len(str(caught.value)) < 300
    assert not list(tmp_path.iterdir())


def test_looking_leaves_no_trace(tmp_path: Path):
    check_writable(tmp_path / "new" / "deep")
    assert not list(tmp_path.iterdir())
