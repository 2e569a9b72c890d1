"""Fetch from the Hub: wait for it while it shows signs of life, and no longer.

    fetch("openai-community/gpt2", wanted=["*.json", "*.safetensors"])     a folder, or Away

                  this process                        a process of its own
    ask(...)      waits, looks for signs of life      fetches into the Hub's cache
                  reads what is in the cache, alone   <- ends, or is ended

Notable choices:
- The Hub's client waits by itself: it tries again five times, and after HTTP 429 ("too many
  requests") it sleeps for as long as the Hub says, which may be minutes. So it works in a process
  of its own, which is ended when no byte has come for PATIENCE seconds; a thread could not be, and
  would keep the notebook's kernel from closing. A slow download that goes on is never broken off;
  after a few seconds one line says that it goes on.
- What is read is always read from the cache: so a Hub that fails and a copy that is there are no
  contradiction. Where there is none either, it is `Away`, with the reason in words.
- A file of a named commit that is in the cache needs no Hub at all.

Run the tests: pytest tests/hub/test_hub.py
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ftlab.base.errors import first_line
from ftlab.hub.reach import Offline, cache_only, cache_only_if_offline, endpoint, give_up, why_not

PATIENCE = 15.0
"""Seconds without a byte after which the Hub is given up."""
DOUBT = 3.0
"""Seconds without a byte after which the Hub is asked whether it refuses."""
TELL_AFTER = 4.0
"""Seconds of a download that goes on, after which one line says so."""
REASONS = {
    401: "the Hub wants a login: the name is wrong, or it is private or gated (HTTP 401)",
    403: "its owner has gated it: accept the terms on its page and log in (HTTP 403)",
    404: "the Hub has nothing of that name (HTTP 404)",
    429: "the Hub limits how often it may be asked (HTTP 429)",
}
OWN_FAULT = (401, 403, 404)
"""What the Hub says of one name only: others may be asked for at once."""
T = TypeVar("T")


def fetch(
    repo: str,
    *,
    wanted: Sequence[str],
    kind: str = "model",
    left_out: Sequence[str] = (),
    revision: str | None = None,
) -> Path:
    """The folder of a snapshot of `repo` ("model" or "dataset") with the files `wanted`.

    From the cache where the Hub cannot be had. Raises Away, with the reason.
    """
    from huggingface_hub import constants, snapshot_download

    folder = Path(constants.HF_HUB_CACHE) / f"{kind}s--{repo.replace('/', '--')}"
    there = folder / "snapshots" / (revision or "")
    if revision and all((there / name).is_file() for name in wanted):
        return there
    options: dict[str, Any] = {"repo_id": repo, "repo_type": kind, "revision": revision}
    options |= {"allow_patterns": list(wanted), "ignore_patterns": list(left_out)}
    return Path(
        ask(
            repo,
            {"snapshot": options},
            lambda: snapshot_download(local_files_only=True, **options),
            grows=folder,
        )
    )


def ask(what: str, job: Mapping[str, Any], read: Callable[[], T], *, grows: Path) -> T:
    """`read()`, from the cache, after `job` (see `ftlab.hub.worker`) has fetched what it can.

    `grows` is the folder that grows while something comes in. Raises Away.
    """
    reason = ""
    with cache_only_if_offline() as there:
        if not there:
            reason = why_not()
        elif fault := _fetched(what, job, grows):
            status, reason = fault
            if status not in OWN_FAULT:
                give_up(reason)
    with cache_only():
        try:
            return read()
        except Exception as error:  # the Hub's libraries raise a dozen kinds
            reason = reason or first_line(error)
            raise Offline(f"{what} cannot be had: {reason}.", reason) from error


def _fetched(what: str, job: Mapping[str, Any], grows: Path) -> tuple[int, str] | None:
    """Do the job in a process of its own; what went wrong, as (HTTP status or 0, words)."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as told:
        command = [sys.executable, "-m", "ftlab.hub.worker", json.dumps(job)]
        root = str(Path(__file__).resolve().parents[2])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": paths, "USE_TORCH": "0"},  # datasets would import it
        )
        try:
            wait(child, what, lambda: (os.fstat(told.fileno()).st_size, size_of(grows)))
        except TimeoutError as stalled:
            return 0, str(stalled)
        finally:
            child.kill()
            child.wait()
        told.seek(0)
        return _outcome(told.read())


def _outcome(told: str) -> tuple[int, str] | None:
    """What the child said at its end."""
    lines = told.strip().splitlines()
    try:
        answer = json.loads(lines[-1])
        return (answer["status"], _in_words(answer["status"], answer["reason"])) if answer else None
    except (IndexError, KeyError, TypeError, ValueError):  # it broke: the line of its error
        return 0, (lines or ["nothing came back"])[-1][:160]


def wait(child: Any, what: str, sign: Callable[[], Any]) -> None:
    """Wait for a process as long as `sign()` goes on changing.

    Raises TimeoutError, saying why, after PATIENCE seconds without a change, and earlier where the
    Hub refuses.
    """
    began = since = time.monotonic()
    last, told, doubted = sign(), False, False
    while child.poll() is None:
        time.sleep(0.05)
        now, here = time.monotonic(), sign()
        if here != last:
            last, since = here, now
        elif now - since > PATIENCE:
            raise TimeoutError("the Hub has stalled")
        elif now - since > DOUBT and not doubted:
            doubted = True
            if refusal := _refusal(what):
                raise TimeoutError(refusal)
        if not told and since - began > TELL_AFTER:
            print(f"Fetching {what} from the Hub; once, then it is here.")
            told = True


def _refusal(repo: str) -> str:
    """Why the Hub refuses everything right now, in words; "" where it does not say so in 2 s."""
    found: list[int] = []

    def look() -> None:
        for kind in ("models", "datasets"):
            try:
                urllib.request.urlopen(f"{endpoint()}/api/{kind}/{repo}", timeout=2).close()
            except urllib.error.HTTPError as error:
                found.append(error.code)
            except (OSError, ValueError):
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(2.0)
    return next((_in_words(status) for status in found if status == 429 or status >= 500), "")


def _in_words(status: int, otherwise: str = "") -> str:
    if not status:
        return otherwise or "the Hub does not answer"
    return REASONS.get(status, f"the Hub is out of order (HTTP {status})")


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder, links not followed; 0 where there is none."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:  # gone since: a part that became a whole
                continue
    return total
