"""A run's folder: what is stored there is found again, and what happens is stored.

    folder/step-000050.safetensors   the tensors of the last step stored (ftlab/train/checkpoint.py)
           checkpoint.json           what decides the run's steps, the steps so far, checksums
           record.json               what was measured at the end of a lab's run

`train(..., checkpoint=folder)` uses a `RunFolder`: a killed run goes on, to the very same numbers.
A lab's run uses a `StoredRun`, once there is a place for it: run again, it yields its stored steps,
so that a live plot draws the same curve, and has its trained weights.

    ftlab.store_runs("/content/drive/MyDrive/ftlab")   from here on; store_runs(None) ends it
    FTLAB_STORE=folder jupyter lab                     the same for all that is started so

Notable choices:
- The tensors are written under a new name first, and the JSON is put in place last, in one move. A
  kill at any moment leaves a whole checkpoint: the new one or the one before it.
- Another run's folder is refused. A lab's run is found by all that decides its numbers: the
  identity of its record, the weights it starts from, and the questions it is measured by.
- Storing never costs a lab a run: a folder that is full, gone or in use is named once, and the run
  goes on. An unmounted Drive is never shadowed by a new folder. A damaged run is trained again.
- One run at a time writes in a folder (`ftlab.base.files.lock`).

Run the tests: pytest tests/train/test_store.py tests/train/test_checkpoint.py
"""

import dataclasses
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import Timeout
from safetensors import SafetensorError

from ftlab import record as records
from ftlab.base.checksums import sha256
from ftlab.base.errors import InputError, first_line
from ftlab.base.files import check_writable, lock
from ftlab.base.jsonfile import plain, read_json, write_json
from ftlab.plan import Plan, Step
from ftlab.train import checkpoint
from ftlab.train.checkpoint import CHECKPOINT, Checkpoint
from ftlab.train.engine import Engine

RECORD = "record.json"
EVERY = 30.0
"""Seconds between two checkpoints of a lab's run, at least."""
SHARE = 20.0
"""And this many times the seconds that the last one took to write: a Drive is slow."""
_UNSET: Any = object()
_chosen: Any = _UNSET


def completed_steps(folder: str | Path) -> list[Step]:
    """The steps stored in a checkpoint folder, or none. Raises InputError when it is damaged."""
    found = RunFolder(folder).read()
    return found.steps if found else []


class RunFolder:
    """The folder of one run, as `train` uses it: open, resume, add every step, close."""

    replayed: Sequence[Step] = ()
    """Stored steps that the run yields again."""
    strict = True
    """Is a folder that cannot be used an error?"""

    def __init__(self, folder: str | Path, run: Mapping[str, Any] | None = None) -> None:
        """`run`: what decides its steps, beside what `open` is given."""
        self.folder, self.run = Path(folder), plain(run or {})
        self.found: Checkpoint | None = None
        self.steps: list[Step] = []
        self.done = False  # is the end of the run stored?
        self.stored_step = 0  # how far it is stored
        self.began = time.monotonic()
        self.lock = lock(folder, "run")

    def open(self, plan: Plan, setup: dict[str, Any]) -> None:
        """Read what is stored. `setup`: what decides the steps beside the plan, by name.

        Raises InputError when the checkpoint is damaged, or another run's, saying what differs, or
        when none can be written.
        """
        self.plan = plan
        self.run |= dataclasses.asdict(dataclasses.replace(plan, checkpoint_every=0)) | setup
        self.found = self.read()
        # A field of the plan that is younger than the checkpoint had its default.
        before = dataclasses.asdict(Plan()) | (self.found.run if self.found else self.run)
        for name in sorted(before.keys() | self.run.keys()):
            if (old := before.get(name)) != (now := self.run.get(name)):
                raise InputError(
                    f"The checkpoint in {self.folder} belongs to another run ({name} was "
                    f"{old!s:.16}, now {now!s:.16}); give another folder, or delete that one."
                )
        if self.strict and plan.checkpoint_every and not (self.found and self.found.done):
            check_writable(self.folder)

    def read(self) -> Checkpoint | None:
        """The checkpoint in the folder, or None. Raises InputError when it is damaged."""
        return checkpoint.read(self.folder)

    def resume(self, engine: Engine) -> tuple[Step | None, bool]:
        """The last step taken, its state put in place, and whether it ended the run.

        Raises InputError where another run is using the folder.
        """
        self.done = self.found is not None and self.found.done
        if engine.rank == 0 and not self.done and not self._lock():
            self._lose(f"Another run is using {self.folder}")
            self.found = None
        self.found = engine.of_first(self.found)  # which may have written since others have read
        self.done = self.found is not None and self.found.done
        if self.found is None:
            return None, False
        checkpoint.restore(self.folder / self.found.tensors, engine)
        with suppress(OSError):  # a folder that can only be read
            self._keep_only(self.found.tensors)
        self.steps = list(self.found.steps)
        self.stored_step = self.steps[-1].step
        if self.found.scaler:
            engine.mixed.scaler.load_state_dict(self.found.scaler)
        return self.steps[-1], self.done

    def _lock(self) -> bool:
        """Is the folder this run's alone from now until `close`, and as it was when read?"""
        try:
            self.lock.acquire()
        except Timeout:
            return False
        except OSError:  # this machine gives no lock
            pass
        return self.read() == self.found

    def _lose(self, why: str) -> None:
        raise InputError(f"{why}; wait until it has ended, or give another folder.")

    def add(self, step: Step, engine: Engine, *, done: bool) -> None:
        """Remember a step, and write the state where it is due; one process writes."""
        self.steps.append(step)
        if engine.rank == 0 and self._due(step, done):
            self._write(engine, done)

    def _due(self, step: Step, done: bool) -> bool:
        every = self.plan.checkpoint_every
        return every > 0 and (done or step.step % every == 0)

    def _write(self, engine: Engine, done: bool) -> None:
        """Write the state after the last step, and remove the one before it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"step-{self.steps[-1].step:06d}.safetensors"
        checkpoint.save(self.folder / name, engine, weights_only=done)
        state = {
            "run": self.run,
            "steps": [step.row() for step in self.steps],
            "done": done,
            "tensors": name,
            "sha256": sha256(self.folder / name),
            "scaler": engine.mixed.scaler.state_dict(),
            "seconds": self.seconds,
            "record": "",
        }
        write_json(self.folder / CHECKPOINT, checkpoint.sealed(state))
        self.done, self.stored_step = done, self.steps[-1].step
        self._keep_only(name)

    def _keep_only(self, name: str) -> None:
        """Remove the tensors of older steps, and what a killed writer left."""
        for old in [*self.folder.glob("step-*.safetensors"), *self.folder.glob(".step-*.part")]:
            if old.name != name:
                old.unlink(missing_ok=True)

    @property
    def seconds(self) -> float:
        """Seconds of the run until now, measuring and what was stored included."""
        return (self.found.seconds if self.found else 0.0) + time.monotonic() - self.began

    def close(self) -> None:
        """Let others use the folder."""
        self.lock.release()


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
            if not self.damaged:
                print(f"The stored run in {self.folder} is damaged, so it is trained again.")
            self.damaged = True
            return None

    def resume(self, engine: Engine) -> tuple[Step | None, bool]:
        """As RunFolder, and a line that says what was found."""
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
            self._lose(f"{self.root} cannot be written ({first_line(error)})")

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
        write_json(self.folder / CHECKPOINT, checkpoint.sealed(state))


def store_runs(folder: str | os.PathLike[str] | None) -> None:
    """Store every run of a lab from here on in `folder`, made if missing; None: store none.

    Raises InputError for a folder that cannot be made or written.
    """
    global _chosen
    if folder is None or not str(folder).strip():
        _chosen = None
        return
    path = Path(os.path.expanduser(folder)).absolute()
    try:
        path.mkdir(exist_ok=True)  # without parents: where a Drive is not mounted there are none
        with tempfile.TemporaryFile(dir=path) as trial:
            trial.write(b"ftlab")
    except (OSError, ValueError) as error:  # ValueError: text that can be no path
        raise InputError(
            f"No runs can be stored in {path} ({first_line(error)}); mount the Drive first, or "
            "give a folder that can be written."
        ) from error
    _chosen = path
    print(f"Runs are stored in {path}.")


def runs_folder() -> Path | None:
    """Where runs are stored: what `store_runs` was given, else FTLAB_STORE, else nowhere."""
    if _chosen is _UNSET:
        store_runs(os.environ.get("FTLAB_STORE"))
    return _chosen
