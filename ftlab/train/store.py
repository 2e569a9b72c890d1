"""Keep runs in a folder, for instance on a mounted Drive: a cell that is run again does not train.

    ftlab.keep("/content/drive/MyDrive/ftlab")      from here on; ftlab.keep(None) ends it
    FTLAB_KEEP=folder jupyter lab                   the same for everything that is started so

    folder/full-lr-0.001-3f9a01c2/run.json          what was asked for, and the seconds so far
                                  checkpoint.json   the steps, and step-*.safetensors: the weights
                                  record.json       what was measured in the end

Off unless asked for: a test of a notebook must really train. With it, a run that was kept hands
out its stored steps (a live plot draws the same curve) and has its trained weights again; one that
was broken off goes on from its last checkpoint. One line says which. Notable choices:

- A run is found by all that decides its numbers: what tells records apart (`records.IDENTITY`),
  the weights it starts from, adapters' settings, and the questions it is measured by. Whatever of
  it changes makes another run.
- A Drive is slow and a run may be short: a checkpoint is due after EVERY seconds, or after SHARE
  times as long as the last one took to write. When a run ends its weights are written in any case.
- Keeping never costs a run: a folder that is full or gone is told once, and the run goes on.
- The folder is never made where the place for it is not: an unmounted Drive would be shadowed.

Run the tests: pytest tests/train/test_store.py
"""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ftlab import record as records
from ftlab.base.errors import InputError, first_line
from ftlab.base.jsonfile import plain, read_json, write_json
from ftlab.plan import Step
from ftlab.train import checkpoint
from ftlab.train.engine import Groups

EVERY = 30.0
"""Seconds between two checkpoints of a run, at least."""
SHARE = 20.0
"""And this many times the seconds that the last one took."""
RUN, RECORD = "run.json", "record.json"
_UNSET: Any = object()
_chosen: Any = _UNSET


def keep(folder: str | os.PathLike[str] | None) -> None:
    """Keep every run from here on in `folder`, made if missing; None: keep none.

    Raises InputError for a folder that cannot be made or written.
    """
    global _chosen
    if folder is None or not str(folder).strip():
        _chosen = None
        return
    path = Path(folder).expanduser().absolute()
    if not path.parent.is_dir():
        raise InputError(
            f"{path.parent} is not there, so no runs can be kept in {path}; mount the Drive first, "
            "or give a folder that can be made."
        )
    try:
        path.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as trial:
            trial.write(b"ftlab")
    except OSError as error:
        raise InputError(
            f"No runs can be kept in {path} ({error.strerror}); give a folder that can be written."
        ) from error
    _chosen = path
    print(f"Runs are kept in {path}.")


def folder() -> Path | None:
    """Where runs are kept: what `keep` was given, else FTLAB_KEEP, else nowhere."""
    if _chosen is _UNSET:
        keep(os.environ.get("FTLAB_KEEP"))
    return _chosen


def fingerprint(model: Any, groups: Groups) -> str:
    """sha256 of what a run starts from: weights, moving and frozen, and adapters' settings."""
    digest = hashlib.sha256(checkpoint.setup_checksum(model, groups).encode())
    for name, weights in sorted(checkpoint.moving(model, groups)):
        digest.update(name.encode())
        digest.update(checkpoint.bytes_of(weights))
    for config in getattr(model, "peft_config", {}).values():
        digest.update(json.dumps(config.to_dict(), sort_keys=True, default=_told).encode())
    return digest.hexdigest()


def _told(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else str(value)


class StoredRun:
    """One run's folder: what is there, and what is added."""

    def __init__(self, root: Path, name: str, asked: Mapping[str, Any], total: int) -> None:
        """`asked`: all that decides the run's numbers; `total`: its planned steps."""
        self.root, self.name, self.total = root, name, total
        self.asked = plain(asked)
        self.folder = root / records.short_name(name, self.asked)
        self.began = self.wrote = time.monotonic()
        self.cost = self.before = 0.0  # seconds of the last write; of the run, before this kernel
        self.lost = self.ended = False

    def place(self) -> checkpoint.Place:
        """For train(): look what is there, say it in a line, and begin.

        Raises InputError for a folder that was kept for another run.
        """
        found = self._found()
        if found:
            last = found.steps[-1].step
            if found.done:
                print(f"Kept run found: {last} steps, not trained again ({self.folder.name}).")
            else:
                print(f"Kept run found: {last} of {self.total} steps; it goes on from there.")
        self.ended = bool(found and found.done)
        self.began = self.wrote = time.monotonic()
        return checkpoint.Place(self.folder, replay=True, write=self.write)

    def _found(self) -> checkpoint.Checkpoint | None:
        """What is stored of this run; None where nothing is, or where it is damaged."""
        if not (self.folder / RUN).exists() and not (self.folder / checkpoint.NAME).exists():
            return None
        try:
            told = read_json(self.folder / RUN)
            found = checkpoint.read(self.folder)
            if found:
                with safe_open(self.folder / found.tensors, "pt"):  # is it all there?
                    pass
        except (InputError, OSError, SafetensorError):
            print(f"The kept run in {self.folder} is damaged, so it is trained again.")
            self._clear()
            return None
        if told.get("asked") != self.asked:
            raise InputError(
                f"The run kept in {self.folder} is another one; move that folder away, or give "
                "ftlab.keep() another."
            )
        self.before = float(told.get("seconds") or 0.0)
        return found

    def _clear(self) -> None:
        """Take away what says that a run is here; its tensors go when the next are written."""
        for name in (checkpoint.NAME, RECORD, RUN):
            try:
                (self.folder / name).unlink(missing_ok=True)
            except OSError as error:
                raise InputError(
                    f"The damaged run in {self.folder} cannot be replaced ({error.strerror}); "
                    "delete its folder, or give ftlab.keep() another."
                ) from error

    @property
    def seconds(self) -> float:
        """Seconds of the whole run until now, measuring included."""
        return self.before + time.monotonic() - self.began

    def write(self, step: Step, ended: bool, save: Callable[[], None]) -> None:
        """Store the run where it is time to; a folder that fails is told once and left alone."""
        now = time.monotonic()
        if self.lost or not (ended or now - self.wrote >= max(EVERY, SHARE * self.cost)):
            return
        self.ended = self._try(lambda: self._store(save)) and ended
        self.wrote = time.monotonic()
        self.cost = self.wrote - now

    def _store(self, save: Callable[[], None]) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / RECORD).unlink(missing_ok=True)
        told = {"name": self.name, "seconds": self.seconds, "asked": self.asked}
        write_json(self.folder / RUN, told)
        save()

    def _try(self, do: Callable[[], None]) -> bool:
        """Do something in the folder; False, and a line, where that fails."""
        try:
            if not self.root.is_dir():  # an unmounted Drive: nothing may be made in its place
                raise FileNotFoundError(2, "it is gone")
            do()
        except (OSError, SafetensorError) as error:
            self.lost = True
            why = getattr(error, "strerror", None) or first_line(error)
            print(f"{self.root} cannot be written ({why}): {self.name} goes on without being kept.")
        return not self.lost

    def record(self, curve: Any) -> records.Record | None:
        """What was measured at this run's end; None where that is not known, or of other steps."""
        if not self.ended or not (self.folder / RECORD).is_file():
            return None
        try:
            found = records.load(self.folder / RECORD)
        except InputError:
            return None
        return found if found.curve == plain(curve) else None

    def save(self, record: records.Record) -> None:
        """Store the record of a run that has ended and whose weights are stored."""
        if self.ended and not self.lost:
            self._try(lambda: _write(self.folder / RECORD, record))


def _write(path: Path, record: records.Record) -> None:
    write_json(path, plain(record))
