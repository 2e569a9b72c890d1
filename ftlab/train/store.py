"""Stored runs: a lab's run that is made again yields its stored steps, and is not trained again.

    folder/<run>/...                 as in ftlab/train/run_folder.py
                 record.json         what was measured at the end of the run

A live plot draws the same curve, and the run has its trained weights.

    ftlab.store_runs("/content/drive/MyDrive/ftlab")   from here on; store_runs(None) ends it
    FTLAB_STORE=folder jupyter lab                     the same for all that is started so

Notable choices:
- A run is found by all that decides its numbers: the identity of its record, the weights it starts
  from, and the questions it is measured by.
- Storing never costs a lab a run: a folder that is full, gone or in use is named once, and the run
  goes on. An unmounted Drive is never shadowed by a new folder. A damaged run is trained again.

Run the tests: pytest tests/train/test_store.py
"""

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ftlab import record as records
from ftlab.base.checksums import sha256
from ftlab.base.errors import InputError, first_line
from ftlab.base.jsonfile import plain, read_json, write_json
from ftlab.plan import Step
from ftlab.train.engine import Engine
from ftlab.train.run_folder import CHECKPOINT, Checkpoint, RunFolder, sealed

RECORD = "record.json"
EVERY = 30.0
"""Seconds between two checkpoints of a lab's run, at least."""
SHARE = 20.0
"""And this many times the seconds that the last one took to write: a Drive is slow."""
_UNSET: Any = object()
_chosen: Any = _UNSET


class StoredRun(RunFolder):
    """The folder of a lab's run, which yields its stored steps and never stops the run."""

    strict = False

    def __init__(self, root: Path, run: Mapping[str, Any]) -> None:
        """`run`: all that decides its numbers; its "name" begins the folder's."""
        super().__init__(root / records.short_name(run["name"], plain(run)), run)
        self.root, self.name = root, run["name"]
        self.wrote, self.cost = self.began, 0.0  # when, and the seconds it took
        self.damaged = self.lost = False

    def read(self) -> Checkpoint | None:
        """As RunFolder; None, and a line, where it is damaged."""
        try:
            return super().read()
        except (InputError, OSError):
            self._say_damaged()
            return None

    def _say_damaged(self) -> None:
        if not self.damaged:
            print(f"The stored run in {self.folder} is damaged, so it is trained again.")
        self.damaged = True

    def resume(self, engine: Engine) -> tuple[Step | None, bool]:
        """As RunFolder, and a line that says what was found."""
        try:
            last, done = super().resume(engine)
        except InputError:  # the tensors are not this model's
            self._say_damaged()
            self.close()
            self.found = None
            last, done = super().resume(engine)
        if last and done:
            print(f"Stored run found: {last.step} steps, not trained again ({self.folder.name}).")
        elif last:
            print(f"Stored run found: {last.step} of {self.plan.steps} steps; it goes on there.")
        self.replayed = tuple(self.steps)
        self.began = self.wrote = time.monotonic()
        return last, done

    def _due(self, step: Step, done: bool) -> bool:
        waited = time.monotonic() - self.wrote
        return not self.lost and (done or waited >= max(EVERY, SHARE * self.cost))

    def _write(self, engine: Engine, done: bool) -> None:
        begin, write = time.monotonic(), super()._write
        self._try(lambda: write(engine, done))
        self.wrote = time.monotonic()
        self.cost = self.wrote - begin

    def _try(self, do: Callable[[], Any]) -> None:
        """Do something in the folder; where that fails say so, and store no more."""
        try:
            if not self.root.is_dir():  # an unmounted Drive: nothing may be made in its place
                raise FileNotFoundError(2, "it is gone")
            do()
        except (OSError, SafetensorError) as error:
            why = getattr(error, "strerror", None) or first_line(error)
            self._lose(f"{self.root} cannot be written ({why})")

    def _lose(self, why: str) -> None:
        self.lost = True
        print(f"{why}: {self.name} goes on without being stored.")

    def record(self, steps: Sequence[Step]) -> records.Record | None:
        """The record of this run's end; None where there is none, or one of other steps."""
        if not self.done:
            return None
        path = self.folder / RECORD
        with suppress(InputError, OSError):
            if sha256(path) == read_json(self.folder / CHECKPOINT)["record"]:
                found = records.load(path)
                return found if found.curve == plain([step.row() for step in steps]) else None
        return None

    def save(self, record: records.Record) -> None:
        """Store the record of a run that has ended and whose weights are stored."""
        if self.done and not self.lost:
            self._try(lambda: self._save(record))

    def _save(self, record: records.Record) -> None:
        path = write_json(self.folder / RECORD, plain(record))
        state = read_json(self.folder / CHECKPOINT) | {"record": sha256(path)}
        write_json(self.folder / CHECKPOINT, sealed(state))


def store_runs(folder: str | os.PathLike[str] | None) -> None:
    """Store every run of a lab from here on in `folder`, made if missing; None: store none.

    Raises InputError for a folder that cannot be made or written.
    """
    global _chosen
    if folder is None or not str(folder).strip():
        _chosen = None
        return
    path = Path(folder).expanduser().absolute()
    try:
        path.mkdir(exist_ok=True)  # without parents: where a Drive is not mounted there are none
        with tempfile.TemporaryFile(dir=path) as trial:
            trial.write(b"ftlab")
    except OSError as error:
        raise InputError(
            f"No runs can be stored in {path} ({error.strerror}); mount the Drive first, or give a "
            "folder that can be written."
        ) from error
    _chosen = path
    print(f"Runs are stored in {path}.")


def runs_folder() -> Path | None:
    """Where runs are stored: what `store_runs` was given, else FTLAB_STORE, else nowhere."""
    if _chosen is _UNSET:
        store_runs(os.environ.get("FTLAB_STORE"))
    return _chosen
