"""A run's folder: what is stored there is found again, and a killed run goes on.

    folder/step-000050.safetensors   the tensors of the last step stored (ftlab/train/checkpoint.py)
           checkpoint.json           what decides the run's steps, the steps so far, checksums

`train(..., checkpoint=folder)` uses a `RunFolder`: the run goes on to the very same numbers.

Notable choices:
- The tensors are written under a new name first, and the JSON is put in place last, in one move. A
  kill at any moment leaves a whole checkpoint: the new one or the one before it.
- What is stored is used only as it was written: checkpoint.json carries the checksums of the
  tensors, of a record beside it, and of itself.
- Another run's folder is refused, and one run at a time writes in it (`ftlab.base.files.lock`).

Run the tests: pytest tests/train/test_checkpoint.py
"""

import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import Timeout

from ftlab.base.checksums import sha256
from ftlab.base.errors import InputError
from ftlab.base.files import check_writable, lock
from ftlab.base.jsonfile import plain, read_json, write_json
from ftlab.plan import Plan, Step
from ftlab.record import rows_checksum
from ftlab.train import checkpoint
from ftlab.train.engine import Engine

CHECKPOINT = "checkpoint.json"


@dataclass(frozen=True)
class Checkpoint:
    """What checkpoint.json holds."""

    run: dict[str, Any]
    """All that decides the run's steps: the plan's fields, checksums, what a lab was asked for."""
    steps: list[Step]
    """The steps so far, step 0 first."""
    done: bool
    """True when the run has ended, by its last step or by its target score."""
    tensors: str
    """Name of the tensor file beside it."""
    sha256: str
    """Of the tensor file."""
    scaler: dict[str, Any]
    """State of the fp16 loss scaler; empty without one."""
    seconds: float
    """Of the run so far, measuring included."""
    record: str
    """sha256 of record.json; empty where there is none."""
    checksum: str
    """Of all this."""


def sealed(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state with its own checksum."""
    rest = {name: value for name, value in plain(state).items() if name != "checksum"}
    return rest | {"checksum": rows_checksum([rest])}


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
        self.seen = b""  # checkpoint.json as it was when the run was opened
        self.began = time.monotonic()
        self.lock = lock(folder, "run")

    def open(self, plan: Plan, setup: dict[str, Any]) -> None:
        """Read what is stored. `setup`: what decides the steps beside the plan, by name.

        Raises InputError when the checkpoint is damaged, or another run's, saying what differs, or
        when none can be written.
        """
        self.plan = plan
        self.run |= dataclasses.asdict(dataclasses.replace(plan, checkpoint_every=0)) | setup
        self.seen, self.found = self._text(), self.read()
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

    def _text(self) -> bytes:
        with suppress(OSError):
            return (self.folder / CHECKPOINT).read_bytes()
        return b""

    def read(self) -> Checkpoint | None:
        """The checkpoint in the folder, or None. Raises InputError when it is damaged."""
        path = self.folder / CHECKPOINT
        if os.path.isfile(self.folder):  # False too for text that can be no path
            raise InputError(f"{self.folder} is a file; give a folder for the checkpoints.")
        if not os.path.exists(path):
            return None
        stored = read_json(path)
        with suppress(KeyError, TypeError, OSError):
            found = Checkpoint(**{**stored, "steps": [Step(**row) for row in stored["steps"]]})
            if stored == sealed(stored) and sha256(self.folder / found.tensors) == found.sha256:
                return found
        if read_json(path) != stored:
            return self.read()  # another run has just replaced it
        raise checkpoint.damaged(path)

    def resume(self, engine: Engine) -> tuple[Step | None, bool]:
        """The last step taken, its state put in place, and whether it ended the run.

        Raises InputError where another run is using the folder.
        """
        self.done = self.found is not None and self.found.done
        if engine.rank == 0 and not self.done and not self._lock():
            self._lose(f"Another run is using {self.folder}")
            self.found = None
        if self.found is None:
            return None, False
        checkpoint.restore(self.folder / self.found.tensors, engine)
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
        return self._text() == self.seen

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
        write_json(self.folder / CHECKPOINT, sealed(state))
        for old in [*self.folder.glob("step-*.safetensors"), *self.folder.glob(".step-*.part")]:
            if old.name != name:
                old.unlink()
        self.done, self.stored_step = done, self.steps[-1].step

    @property
    def seconds(self) -> float:
        """Seconds of the run until now, measuring and what was stored included."""
        return (self.found.seconds if self.found else 0.0) + time.monotonic() - self.began

    def close(self) -> None:
        """Let others use the folder."""
        self.lock.release()
